//! What is held about a person, and forgetting it (featuresd.md §7.5).

use featured::admin::contexts::person;
use featured::app::{Actor, Written};
use serde_json::json;

use super::{at, worked_example};
use crate::support::TestApp;

#[actix_web::test]
async fn a_person_is_shown_what_resolves_for_them_and_forgotten_everywhere() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let held = person::held(&app.app, "mia").expect("what is held");
    assert_eq!(held.len(), 1);
    let told = serde_json::to_value(&held[0]).expect("JSON");
    assert_eq!((&told["site"], &told["environment"]), (&json!("shop"), &json!("prod")));
    assert_eq!(told["context"]["prototypes"], json!(["team-blue", "pilots"]));
    assert_eq!(
        told["resolved"]["banner"],
        json!({"value": "Hej", "source": "org-nordic", "path": ["mia", "team-blue", "org-nordic"]})
    );
    assert!(person::held(&app.app, "nobody").expect("nothing").is_empty());

    let before = app.changes().len();
    app.app
        .write(&Actor::system("erasure"), |tx| {
            let changes = person::erase(&app.app, tx, "mia", "erased-7f3a")?;
            Ok(Written { value: (), changes })
        })
        .expect("an erasure");
    app.editor().get(&at("/mia")).await.refused(404, "context_not_found");
    let phone = app.editor().get(&at("/mia-phone")).await.expect(200).body;
    assert_eq!(phone["prototypes"], json!([]));
    let look = app.sdk().get(&at("/mia/features")).await.expect(200).body;
    assert_eq!((&look["context_exists"], &look["features"]["banner"]), (&json!(false), &json!("Welcome")));
    assert!(person::held(&app.app, "mia").expect("nothing").is_empty());
    for change in &app.changes()[before..] {
        let told = format!("{} {} {}", change.key, change.summary, change.payload);
        assert!(!told.replace("mia-phone", "").contains("mia"), "{told}");
    }
}

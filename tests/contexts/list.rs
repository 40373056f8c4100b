//! Lists of Contexts and their filters (featuresd.md §6.2).

use serde_json::json;

use super::{at, worked_example};
use crate::support::{TestApp, query};

#[actix_web::test]
async fn filters_find_what_they_say() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let editor = app.editor();
    editor.patch(&at("/pilots"), json!({"description": "Early Birds"})).await.expect(200);
    editor.patch(&at("/override"), json!({"features": {"ratio": 1}})).await.expect(200);
    let all = ["default", "mia", "mia-phone", "org-nordic", "override", "pilots", "team-blue"];
    for (parameters, expected) in [
        (vec![], all.to_vec()),
        (vec![("q", "MIA")], vec!["mia", "mia-phone"]),
        (vec![("q", "early")], vec!["pilots"]),
        (vec![("q", "over")], vec!["override"]),
        (vec![("prototype", "mia")], vec!["mia-phone"]),
        (vec![("prototype", "pilots")], vec!["mia"]),
        (vec![("prototype", "nobody")], vec![]),
        (vec![("descends_from", "org-nordic")], vec!["mia", "mia-phone", "team-blue"]),
        (vec![("descends_from", "mia-phone")], vec![]),
        (vec![("feature", "banner")], vec!["default", "mia-phone", "org-nordic", "pilots"]),
        (vec![("feature", "ratio")], vec!["override", "team-blue"]),
        (vec![("matches", "beta_ui")], vec!["mia", "mia-phone", "pilots"]),
        (vec![("matches", "beta_ui:no")], vec!["org-nordic", "team-blue"]),
        (vec![("matches", "seats:50")], vec!["mia", "mia-phone", "org-nordic", "team-blue"]),
        (vec![("matches", "banner:")], vec!["mia-phone"]),
        (vec![("matches", "seats")], vec![]),
        (vec![("matches", "beta_ui"), ("descends_from", "org-nordic")], vec!["mia", "mia-phone"]),
        (vec![("matches", "beta_ui"), ("q", "phone")], vec!["mia-phone"]),
    ] {
        let path = query(&at(""), &parameters);
        assert_eq!(editor.get(&path).await.expect(200).items("key"), expected, "{parameters:?}");
        // The same, one by one.
        let mut found = Vec::new();
        let mut cursor = String::new();
        loop {
            let mut parameters = parameters.clone();
            parameters.push(("limit", "1"));
            if !cursor.is_empty() {
                parameters.push(("cursor", &cursor));
            }
            let reply = editor.get(&query(&at(""), &parameters)).await.expect(200);
            found.extend(reply.items("key").into_iter().map(str::to_owned));
            match reply.body["nextCursor"].as_str() {
                Some(next) => cursor = next.to_owned(),
                None => break,
            }
        }
        assert_eq!(found, expected, "{parameters:?}, one at a time");
    }
    for filter in ["feature", "matches"] {
        editor.get(&query(&at(""), &[(filter, "gone")])).await.refused(404, "feature_not_found");
    }
    editor.get(&query(&at(""), &[("matches", "seats:many")])).await.refused(422, "invalid");
    editor.get(&query(&at(""), &[("colour", "red")])).await.refused(400, "unknown_parameter");
    editor.get(&query(&at(""), &[("cursor", "x")])).await.refused(400, "invalid_cursor");
    assert_eq!(editor.get(&at("/mia/children")).await.expect(200).items("key"), ["mia-phone"]);
    assert_eq!(editor.get(&at("/default/children")).await.expect(200).items("key"), [""; 0]);
}

#[actix_web::test]
async fn keys_of_features_may_hold_the_colon_that_parts_them_from_a_value() {
    let app = TestApp::new().await;
    for key in ["a", "a:b"] {
        app.feature(json!({"key": key, "type": "STRING"})).await;
    }
    let editor = app.editor();
    editor.post(&at(""), json!({"key": "one", "features": {"a": "b:c"}})).await.expect(201);
    editor.post(&at(""), json!({"key": "two", "features": {"a:b": "c"}})).await.expect(201);
    let found = editor.get(&query(&at(""), &[("matches", "a:b:c")])).await.expect(200);
    assert_eq!(found.items("key"), ["two"], "the longest key counts");
}

//! `…/features/{key}/variants`, `…/variants/{variant}`.

use serde_json::{Value, json};

use super::{feature_path, follow};
use crate::support::TestApp;

fn variants() -> String {
    format!("{}/variants", feature_path("a"))
}

/// A feature `a` whose rule splits between two of three variants.
fn feature() -> Value {
    json!({
        "key": "a", "type": "STRING",
        "variants": [{"key": "red", "value": "r"}, {"key": "blue", "value": "b"}, {"key": "spare", "value": "s"}],
        "rules": [{"name": "test", "outcome": {"split": [{"variant": "red", "weight": 50}, {"variant": "blue", "weight": 50}]}}],
    })
}

#[actix_web::test]
async fn variants_are_made_and_listed_in_their_order() {
    let app = TestApp::new().await;
    app.feature(feature()).await;
    let body = json!({"key": "green", "value": "g", "attachment": {"weight": 1.5}});
    let reply = app.editor().post(&variants(), body.clone()).await;
    assert_eq!(follow(&app.editor(), &reply).await, body);
    assert_eq!(reply.header("etag"), Some("\"2\""));
    let list = app.viewer().get(&variants()).await.expect(200);
    assert_eq!(list.items("key"), ["red", "blue", "spare", "green"]);
    app.editor().post(&variants(), body).await.refused(409, "key_taken");
    app.viewer().get(&format!("{}/gone", variants())).await.refused(404, "not_found");
}

#[actix_web::test]
async fn a_variant_is_changed_in_part() {
    let app = TestApp::new().await;
    app.feature(feature()).await;
    let path = format!("{}/spare", variants());
    let valued = app.editor().patch(&path, json!({"value": "new"})).await.expect(200).body;
    assert_eq!(valued, json!({"key": "spare", "value": "new", "attachment": null}));
    let attached = app.editor().patch(&path, json!({"attachment": [1]})).await.expect(200).body;
    assert_eq!(attached, json!({"key": "spare", "value": "new", "attachment": [1]}));
    let bare = app.editor().patch(&path, json!({"attachment": null})).await.expect(200);
    assert_eq!(bare.body["attachment"], json!(null));
    assert_eq!(bare.header("etag"), Some("\"4\""));
    let wrong = app.editor().patch(&path, json!({"value": 1, "key": "a b"})).await;
    wrong.refused(422, "invalid");
    assert_eq!(wrong.fields(), ["key", "value"]);
}

#[actix_web::test]
async fn a_new_key_is_written_into_the_splits_that_use_it() {
    let app = TestApp::new().await;
    app.feature(feature()).await;
    let path = format!("{}/red", variants());
    app.editor().patch(&path, json!({"key": "blue"})).await.refused(409, "key_taken");
    app.editor().patch(&path, json!({"key": "crimson"})).await.expect(200);
    app.viewer().get(&path).await.refused(404, "not_found");
    let read = app.viewer().get(&feature_path("a")).await.expect(200).body;
    assert_eq!(read["rules"][0]["outcome"]["split"][0]["variant"], "crimson");
    assert_eq!(read["variants"][0]["key"], "crimson", "it keeps its place");
}

#[actix_web::test]
async fn a_variant_that_a_rule_gives_is_not_deleted() {
    let app = TestApp::new().await;
    app.feature(feature()).await;
    let refused = app.editor().delete(&format!("{}/red", variants())).await;
    refused.refused(409, "in_use");
    assert_eq!(refused.body["error"]["details"], json!({"rules": ["test"]}));
    app.editor().delete(&format!("{}/spare", variants())).await.expect(204);
    app.editor().delete(&format!("{}/spare", variants())).await.refused(404, "not_found");
    assert_eq!(app.viewer().get(&variants()).await.expect(200).items("key"), ["red", "blue"]);
}

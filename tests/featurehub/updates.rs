//! `PUT /features/{key}/{feature}`: the test client.

use serde_json::{Value, json};

use super::{features, furnish, path_of};
use crate::support::{Actor, PROD, TestApp};

const ALL: &[&str] = &["CHANGE_VALUE", "LOCK", "UNLOCK"];

async fn put(who: &Actor, key: &str, feature: &str, body: Value) -> u16 {
    who.put(&format!("/features/{key}/{feature}"), body).await.status
}

#[actix_web::test]
async fn values_and_locks_are_changed_through_every_form_of_path() {
    let app = TestApp::new().await;
    furnish(&app).await;
    app.feature(json!({"key": "manage/plugins", "type": "NUMBER", "defaultValue": 0})).await;
    let (key, who) = (app.featurehub_key(true, ALL), app.anonymous());
    let (environment, token) = key.split_once('/').expect("two parts");
    let paths = [
        format!("/features/{key}/COUNT"),
        format!("/features/default/{key}/COUNT"),
        format!("/features/{environment}+{token}/COUNT"),
        format!("/features/{environment}%2F{token}/COUNT"),
        format!("/features/{environment}/{}/COUNT", token.replace('*', "%2A")),
    ];
    for (at, path) in paths.iter().enumerate() {
        let body = json!({ "value": at + 10 });
        who.put(path, body.clone()).await.expect(201);
        who.put(path, body).await.expect(200);
        assert_eq!(features(&who, &key, "").await["COUNT"]["value"], json!(at + 10), "{path}");
    }
    for path in [format!("/features/{key}/manage/plugins"), format!("/features/{key}/manage%2Fplugins")] {
        assert!([200, 201].contains(&who.put(&path, json!({"value": 7})).await.status), "{path}");
    }
    assert_eq!(features(&who, &key, "").await["manage/plugins"]["value"], json!(7));
    who.post(&format!("/features/{key}/COUNT"), json!({"value": 1})).await.expect(201);
    // Recorded as any other change, by the token.
    let changes = app.changes();
    let last = changes.last().expect("a change");
    assert_eq!((last.what().as_str(), last.actor.as_str()), ("feature updated", "hub"));
    assert_eq!(last.event.as_deref(), Some("feature.updated"));
}

#[actix_web::test]
async fn checks_come_in_the_order_of_the_contract() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let who = app.anonymous();
    let key = |permissions: &[&str]| app.featurehub_key(false, permissions);
    let (reads, all) = (key(&["READ", "EXTENDED_DATA"]), key(ALL));
    let environment = all.split('/').next().expect("an id").to_owned();
    let change = json!({"value": true});
    assert_eq!(put(&who, "x/y", "FLAG", change.clone()).await, 404);
    assert_eq!(put(&who, "nonsense", "FLAG", change.clone()).await, 400);
    assert_eq!(put(&who, &format!("{environment}/none"), "FLAG", change.clone()).await, 404);
    assert_eq!(put(&who, &all, "GONE", change.clone()).await, 404);
    assert_eq!(put(&who, &reads, "GONE", change.clone()).await, 404);
    assert_eq!(put(&who, &reads, "FLAG", change.clone()).await, 403);
    assert_eq!(put(&who, &reads, "FLAG", json!({})).await, 403);
    assert_eq!(put(&who, &key(&["UNLOCK"]), "FLAG", json!({"lock": true})).await, 403);
    assert_eq!(put(&who, &key(&["LOCK"]), "FLAG", json!({"lock": false})).await, 403);
    assert_eq!(put(&who, &key(&["CHANGE_VALUE"]), "FLAG", json!({"lock": false})).await, 403);
    assert_eq!(put(&who, &all, "FLAG", json!({})).await, 400);
    assert_eq!(put(&who, &all, "FLAG", json!({"value": null, "updateValue": false})).await, 400);
    assert_eq!(put(&who, &key(&["LOCK"]), "FLAG", json!({"lock": true, "value": true})).await, 403);
    assert_eq!(put(&who, &all, "FLAG", json!([1])).await, 400);
    let garbage = who.ask("PUT", &format!("/features/{all}/FLAG")).body("application/json", "{").send().await;
    assert_eq!(garbage.status, 400);

    let lock = key(&["LOCK"]);
    assert_eq!(put(&who, &lock, "FLAG", json!({"lock": true})).await, 201);
    assert_eq!(put(&who, &lock, "FLAG", json!({"lock": true})).await, 200);
    assert_eq!(put(&who, &all, "FLAG", json!({"value": true})).await, 412);
    assert_eq!(put(&who, &all, "FLAG", json!({"value": false})).await, 412, "though nothing would change");
    assert_eq!(put(&who, &all, "FLAG", json!({"lock": true, "value": true})).await, 412);
    assert_eq!(put(&who, &all, "FLAG", json!({"lock": false, "value": true})).await, 201);
    let told = features(&who, &all, "").await;
    assert_eq!((&told["FLAG"]["value"], &told["FLAG"]["l"]), (&json!(true), &json!(false)));
    assert_eq!(put(&who, &all, "FLAG", json!({"lock": true, "value": false})).await, 201);
    let told = features(&who, &all, "").await;
    assert_eq!((&told["FLAG"]["value"], &told["FLAG"]["l"]), (&json!(false), &json!(true)));
    // Locked everywhere else, too.
    let refused = app.editor().patch(&path_of("FLAG"), json!({"defaultValue": true})).await;
    refused.refused(409, "locked");
    app.editor().patch(PROD, json!({"status": "archived"})).await.expect(200);
    assert_eq!(put(&who, &all, "TEXT", json!({"value": "x"})).await, 404);
}

#[actix_web::test]
async fn values_are_converted_by_their_text() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let (key, who) = (app.featurehub_key(true, ALL), app.anonymous());
    for (feature, value, status, expected) in [
        ("FLAG", json!("TRUE"), 201, json!(true)),
        ("FLAG", json!("yes"), 400, json!(true)),
        ("FLAG", json!(1), 400, json!(true)),
        ("COUNT", json!("17.25"), 201, json!(17.25)),
        ("COUNT", json!("many"), 400, json!(17.25)),
        ("COUNT", json!(true), 400, json!(17.25)),
        ("TEXT", json!(5), 201, json!("5")),
        ("TEXT", json!(true), 201, json!("true")),
        ("LIMITS", json!("{\"a\": [1]}"), 201, json!("{\"a\":[1]}")),
        ("LIMITS", json!("{\"a\": [1]}"), 200, json!("{\"a\":[1]}")),
        ("LIMITS", json!("{\"a\": 1, \"a\": 2}"), 400, json!("{\"a\":[1]}")),
        ("LIMITS", json!("nothing"), 400, json!("{\"a\":[1]}")),
        ("LIMITS", json!({"a": 1}), 400, json!("{\"a\":[1]}")),
        ("NONE", json!("now some"), 201, json!("now some")),
    ] {
        let body = json!({ "value": value });
        assert_eq!(put(&who, &key, feature, body.clone()).await, status, "{feature} {body}");
        assert_eq!(features(&who, &key, "").await[feature]["value"], expected, "{feature} {body}");
    }
    let nothing = json!({"value": null, "updateValue": true});
    assert_eq!(put(&who, &key, "FLAG", nothing.clone()).await, 412);
    for feature in ["TEXT", "COUNT", "LIMITS"] {
        assert_eq!(put(&who, &key, feature, nothing.clone()).await, 201);
        assert_eq!(put(&who, &key, feature, nothing.clone()).await, 200);
        assert!(features(&who, &key, "").await[feature].get("value").is_none());
    }
}

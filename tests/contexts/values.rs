//! Which values are taken (featuresd.md §2.2), as JSON and as a form.

use serde_json::{Value, json};

use super::at;
use crate::support::{PROD, TestApp};

/// Type, what is written, and how it reads then; `None`: refused.
fn rows() -> Vec<(&'static str, Value, Option<&'static str>)> {
    vec![
        ("flag", json!("yes"), Some("yes")),
        ("flag", json!("no"), Some("no")),
        ("flag", json!("true"), Some("yes")),
        ("flag", json!("false"), Some("no")),
        ("flag", json!(true), Some("yes")),
        ("flag", json!(false), Some("no")),
        ("flag", json!("Yes"), None),
        ("flag", json!("1"), None),
        ("flag", json!(""), None),
        ("flag", json!(1), None),
        ("flag", json!(null), None),
        ("flag", json!([true]), None),
        ("number", json!("-12"), Some("-12")),
        ("number", json!("0.5"), Some("0.5")),
        ("number", json!("1e3"), Some("1e3")),
        ("number", json!("1.50"), Some("1.50")),
        ("number", json!("-0"), Some("-0")),
        ("number", json!(7), Some("7")),
        ("number", json!("+1"), None),
        ("number", json!(".5"), None),
        ("number", json!("01"), None),
        ("number", json!("1."), None),
        ("number", json!("NaN"), None),
        ("number", json!("Infinity"), None),
        ("number", json!(" 1"), None),
        ("number", json!("1 "), None),
        ("number", json!("1e999"), None),
        ("number", json!(""), None),
        ("number", json!("yes"), None),
        ("number", json!(true), None),
        ("number", json!({}), None),
        ("integer", json!("50"), Some("50")),
        ("integer", json!(50), Some("50")),
        ("integer", json!("-7"), Some("-7")),
        ("integer", json!("-0"), Some("0")),
        ("integer", json!("9007199254740991"), Some("9007199254740991")),
        ("integer", json!("-9007199254740991"), Some("-9007199254740991")),
        ("integer", json!("9007199254740992"), None),
        ("integer", json!("-9007199254740992"), None),
        ("integer", json!("8.0"), None),
        ("integer", json!("8e0"), None),
        ("integer", json!(8.5), None),
        ("integer", json!("08"), None),
        ("integer", json!("+8"), None),
        ("integer", json!(" 8"), None),
        ("integer", json!("-"), None),
        ("integer", json!(""), None),
        ("string", json!(""), Some("")),
        ("string", json!(" a "), Some(" a ")),
        ("string", json!("yes"), Some("yes")),
        ("string", json!("a\u{0301}\n"), Some("a\u{0301}\n")),
        ("string", json!("a\u{0}"), None),
        ("string", json!(5), None),
        ("string", json!(true), None),
        ("string", json!(["x"]), None),
        ("json", json!("{\"a\": [1]}"), Some("{\"a\":[1]}")),
        ("json", json!({"a": [1]}), Some("{\"a\":[1]}")),
        ("json", json!("\"x\""), Some("\"x\"")),
        ("json", json!("x"), None),
        ("json", json!("null"), None),
        ("json", json!(null), None),
    ]
}

async fn typed(app: &TestApp) {
    for kind in ["flag", "number", "integer", "string", "json"] {
        app.feature(json!({"key": kind, "type": kind})).await;
    }
}

#[actix_web::test]
async fn every_spelling_is_taken_or_refused_as_json() {
    let app = TestApp::new().await;
    typed(&app).await;
    let editor = app.editor();
    editor.post(&at(""), json!({"key": "a"})).await.expect(201);
    for (kind, written, expected) in rows() {
        let asked = [
            editor.put(&at(&format!("/a/features/{kind}")), json!({"value": written})).await,
            editor.put(&at("/a"), json!({"prototypes": [], "features": {kind: written}})).await,
        ];
        for reply in asked {
            match expected {
                Some(text) => {
                    assert_eq!(reply.status, 200, "{kind} {written}: {}", reply.text);
                    assert_eq!(reply.body["features"][kind], text, "{kind} {written}");
                }
                None => {
                    reply.refused(422, "invalid_value");
                    let problem = &reply.body["error"]["details"]["problems"][0];
                    assert_eq!((&problem["feature"], &problem["type"]), (&json!(kind), &json!(kind)));
                    assert!(problem["reason"].is_string(), "{}", reply.text);
                }
            }
        }
    }
}

#[actix_web::test]
async fn every_spelling_is_taken_or_refused_as_a_form() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    typed(&app).await;
    let writer = app.bearer(&app.token(json!({
        "description": "w", "kind": "server", "permissions": ["CONTEXTS_WRITE"],
    })));
    for (kind, written, expected) in rows().into_iter().filter(|(_, written, _)| written.is_string()) {
        let text = written.as_str().expect("text");
        let mut form = url::form_urlencoded::Serializer::new(String::new());
        form.append_pair("id", "a").append_pair(&format!("features[{kind}]"), text);
        let ask = writer.ask("POST", "/featuresd/api/contexts");
        let reply = ask.body("application/x-www-form-urlencoded", form.finish()).send().await;
        match expected {
            Some(text) => {
                assert!([200, 201].contains(&reply.status), "{kind} {written}: {}", reply.text);
                assert_eq!(reply.body["features"][kind], text, "{kind} {written}");
            }
            None => reply.refused(422, "invalid_value"),
        }
    }
}

#[actix_web::test]
async fn long_values_end_somewhere() {
    let app = TestApp::new().await;
    typed(&app).await;
    let editor = app.editor();
    let path = at("/a/features/string");
    editor.post(&at(""), json!({"key": "a"})).await.expect(201);
    editor.put(&path, json!({"value": "x".repeat(65_536)})).await.expect(200);
    editor.put(&path, json!({"value": "x".repeat(65_537)})).await.refused(422, "invalid_value");
    let long = format!("\"{}\"", "x".repeat(256 * 1024 - 2));
    editor.put(&at("/a/features/json"), json!({"value": long})).await.expect(200);
    let longer = format!("\"{}\"", "x".repeat(256 * 1024 - 1));
    editor.put(&at("/a/features/json"), json!({"value": longer})).await.refused(422, "invalid_value");
}

#[actix_web::test]
async fn a_feature_of_whole_numbers_takes_no_others_anywhere() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let features = format!("{PROD}/features");
    let seats = format!("{features}/seats");
    let made = app.feature(json!({"key": "seats", "type": "integer"})).await;
    assert_eq!(
        (&made["type"], &made["contextType"], &made["integer"], &made["defaultValue"]),
        (&json!("NUMBER"), &json!("integer"), &json!(true), &json!(null))
    );
    editor.patch(&seats, json!({"defaultValue": 8.5})).await.refused(422, "invalid");
    editor.patch(&seats, json!({"defaultValue": 8})).await.expect(200);
    let rule = |value: Value| json!({"name": "r", "outcome": {"value": value}});
    let refused = editor.post(&format!("{seats}/rules"), rule(json!(1.5))).await;
    refused.refused(422, "invalid");
    assert_eq!(refused.fields(), ["outcome.value"]);
    editor.post(&format!("{seats}/rules"), rule(json!(2))).await.expect(201);
    editor
        .post(&format!("{seats}/variants"), json!({"key": "v", "value": 0.5}))
        .await
        .refused(422, "invalid");
    for body in [json!({"key": "a", "type": "STRING", "integer": true}), json!({"key": "a", "type": "int"})] {
        editor.post(&features, body).await.refused(422, "invalid");
    }
    // The constraint comes and goes; what is stored must fit.
    editor.patch(&seats, json!({"integer": false})).await.expect(200);
    editor.post(&at(""), json!({"key": "mia", "features": {"seats": "0.5"}})).await.expect(201);
    let conflict = editor.patch(&seats, json!({"integer": true})).await;
    conflict.refused(409, "type_conflict");
    assert_eq!(conflict.body["error"]["details"]["contexts"], json!(["mia"]));
    editor.patch(&at("/mia"), json!({"features": {"seats": "1"}})).await.expect(200);
    let back = editor.patch(&seats, json!({"integer": true})).await.expect(200);
    assert_eq!(back.body["contextType"], "integer");
    // Another type takes it along.
    let text = editor.put(&seats, json!({"type": "JSON"})).await.expect(200);
    assert_eq!((&text.body["type"], &text.body["integer"]), (&json!("JSON"), &json!(false)));
}

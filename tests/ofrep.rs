//! The OpenFeature door (OFREP 0.3.0): the published vectors, and what else clients lean on.

mod bulk;
mod events;
mod single;

use serde_json::{Value, json};

use crate::support::{Actor, Reply, TestApp};

const FLAGS: &str = "/ofrep/v1/evaluate/flags";

fn vectors() -> Value {
    serde_json::from_str(include_str!("spec/ofrep.json")).expect("JSON")
}

/// An environment with the flags of the vectors.
async fn with_vectors() -> TestApp {
    let app = TestApp::new().await;
    for (key, flag) in vectors()["flags"].as_object().expect("flags") {
        let rules: Vec<Value> = flag["rules"].as_array().expect("rules").iter().map(rule).collect();
        app.feature(json!({
            "key": key, "type": flag["type"], "defaultValue": flag["default"], "enabled": flag["enabled"],
            "rules": rules,
        }))
        .await;
    }
    app
}

/// A rule as the vectors write it.
fn rule(vector: &Value) -> Value {
    let text = vector["if"].as_str().expect("a condition");
    let mut rule = json!({"name": text, "outcome": {"value": vector["then"]}});
    match text.split(' ').collect::<Vec<_>>().as_slice() {
        ["always"] => {}
        [attribute, "equals", value] => {
            rule["when"] = json!({"attribute": attribute, "operator": "equals", "value": value});
        }
        _ => panic!("not a condition of the vectors: {text}"),
    }
    if !vector["percentage"].is_null() {
        rule["rollout"] = json!({"percentage": vector["percentage"]});
    }
    rule
}

/// Whether a body is the one of a vector, in which `<any>` stands for any text.
fn matches(expected: &Value, found: &Value) -> bool {
    match (expected, found) {
        (Value::String(any), Value::String(text)) if any == "<any>" => !text.is_empty(),
        (Value::Object(expected), Value::Object(found)) => {
            expected.keys().eq(found.keys())
                && expected.iter().all(|(name, value)| matches(value, &found[name]))
        }
        _ => expected == found,
    }
}

/// Asks with the body of a vector, given as JSON or as text.
async fn ask(actor: &Actor, path: &str, vector: &Value, headers: &[(&str, &str)]) -> Reply {
    let body = match vector["request_raw"].as_str() {
        Some(raw) => raw.to_owned(),
        None => vector["request"].to_string(),
    };
    let mut ask = actor.ask("POST", path);
    for (name, value) in headers {
        ask = ask.header(name, value);
    }
    ask.body("application/json; charset=utf-8", body).send().await
}

fn context(context: Value) -> Value {
    json!({"context": context})
}

/// The failure must have this status, code and some details.
#[track_caller]
fn failed(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status, reply.body["errorCode"].as_str()), (status, Some(code)), "{}", reply.text);
    assert!(!reply.body["errorDetails"].as_str().expect("details").is_empty());
    assert!(reply.header("content-type").expect("a type").starts_with("application/json"));
}

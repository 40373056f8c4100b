//! Stored Contexts through the real routes: what featuresd.md §9 asks for, and who may do what (§5.1).

mod commands;
mod documents;
mod featuresd;
mod list;
mod lookup;
mod person;
mod process;
mod roles;
mod values;
mod writes;

use serde_json::{Value, json};

use crate::support::{PROD, TestApp};

/// `…/contexts` of shop/prod, with something behind it.
fn at(rest: &str) -> String {
    format!("{PROD}/contexts{rest}")
}

/// The features of featuresd.md §3.9 with their default values.
async fn features(app: &TestApp) {
    for feature in [
        json!({"key": "banner", "type": "string", "defaultValue": "Welcome"}),
        json!({"key": "beta_ui", "type": "flag", "defaultValue": false}),
        json!({"key": "seats", "type": "integer", "defaultValue": 3}),
        json!({"key": "ratio", "type": "number"}),
    ] {
        app.feature(feature).await;
    }
}

/// The worked example of featuresd.md §3.9.
async fn worked_example(app: &TestApp) {
    features(app).await;
    for (key, prototypes, features) in [
        ("org-nordic", json!([]), json!({"seats": "50", "banner": "Hej"})),
        ("pilots", json!([]), json!({"beta_ui": "yes", "banner": "Pilot"})),
        ("team-blue", json!(["org-nordic"]), json!({"ratio": "0.25"})),
        ("mia", json!(["team-blue", "pilots"]), json!({})),
        ("mia-phone", json!(["mia"]), json!({"banner": ""})),
    ] {
        let body = json!({"key": key, "prototypes": prototypes, "features": features});
        app.editor().post(&at(""), body).await.expect(201);
    }
}

/// What a refused write says of each problem: code and field.
fn problems(reply: &crate::support::Reply) -> Vec<(String, String)> {
    let text = |value: &Value| value.as_str().expect("text").to_owned();
    let all = reply.body["error"]["details"]["problems"].as_array();
    all.unwrap_or_else(|| panic!("no problems: {}", reply.text))
        .iter()
        .map(|problem| (text(&problem["code"]), text(&problem["field"])))
        .collect()
}

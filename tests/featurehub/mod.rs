//! The FeatureHub door (featurehub.md): what its SDKs send and are sent.

mod polling;
mod purges;
mod retired;
mod strategies;
mod streams;
mod updates;
mod vectors;

use serde_json::{Value, json};

use crate::support::{Actor, PROD, TestApp, query};

/// The path that polls with these keys.
fn poll(keys: &[&str]) -> String {
    let pairs: Vec<_> = keys.iter().map(|key| ("apiKey", *key)).collect();
    query("/features", &pairs)
}

/// The features that a key sees with a context, by key.
async fn features(who: &Actor, key: &str, context: &str) -> Value {
    let reply = who.ask("GET", &poll(&[key])).header("x-featurehub", context).send().await.expect(200);
    let list = reply.body[0]["features"].as_array().expect("features");
    list.iter().map(|one| (one["key"].as_str().expect("a key").to_owned(), one.clone())).collect()
}

/// A feature of each type, and one rule.
async fn furnish(app: &TestApp) {
    let rule = json!({"name": "Turkey", "when": {"attribute": "country", "operator": "equals", "value": "turkey"},
                      "outcome": {"value": true}});
    for feature in [
        json!({"key": "FLAG", "type": "BOOLEAN", "defaultValue": false, "rules": [rule]}),
        json!({"key": "TEXT", "type": "STRING", "defaultValue": "a \"b\""}),
        json!({"key": "COUNT", "type": "NUMBER", "defaultValue": 1.50}),
        json!({"key": "LIMITS", "type": "JSON", "defaultValue": {"max": 5}}),
        json!({"key": "NONE", "type": "STRING"}),
    ] {
        app.feature(feature).await;
    }
}

fn path_of(feature: &str) -> String {
    format!("{PROD}/features/{feature}")
}

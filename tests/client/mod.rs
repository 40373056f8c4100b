//! The client API: what pages and services call (feature-config §3, native-api "Client routes").

mod analytics;
mod batch;
mod cache;
mod contexts;
mod cors;
mod counting;
mod evaluate;
mod explain;
mod get;
mod limits;
mod ruleset;
mod status;
mod stream;

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::support::TestApp;

const EVALUATE: &str = "/api/v1/evaluate";

/// A BOOLEAN feature that is true for one country.
fn targeted(key: &str, country: &str) -> Value {
    json!({
        "key": key, "type": "BOOLEAN", "defaultValue": false,
        "rules": [{
            "name": country,
            "when": {"attribute": "country", "operator": "equals", "value": country},
            "outcome": {"value": true},
        }],
    })
}

/// Evaluates one feature of shop/prod for a context.
async fn value_of(app: &TestApp, key: &str, context: Value) -> Value {
    let body = json!({"context": context, "features": [key]});
    let reply = app.sdk().post(EVALUATE, body).await.expect(200);
    reply.body["features"][key]["value"].clone()
}

/// The bucket of a user in a feature, 0 to 9 999 (feature-config §2), worked out anew.
fn bucket(user: &str, feature: &str) -> u64 {
    let digest = Sha256::digest(format!("{user}{feature}"));
    u64::from_be_bytes(digest[..8].try_into().expect("8 bytes")) % 10_000
}

/// The first of `u0`, `u1`, … whose bucket in a feature is in that range.
fn user_in(feature: &str, buckets: std::ops::Range<u64>) -> String {
    let mut users = (0..).map(|number| format!("u{number}"));
    users.find(|user| buckets.contains(&bucket(user, feature))).expect("one of infinitely many")
}

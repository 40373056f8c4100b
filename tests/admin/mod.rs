//! The admin API: what people and their programs manage with (native-api "Admin routes").

mod audit;
mod documents;
mod environments;
mod features;
mod history;
mod locks;
mod me;
mod roles;
mod rules;
mod segments;
mod sites;
mod tokens;
mod users;
mod variants;
mod writes;

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{Actor, PROD, Reply, TestApp};

/// A feature that says nothing but its key.
fn plain(key: &str) -> Value {
    json!({"key": key, "type": "BOOLEAN", "defaultValue": false})
}

/// A rule that gives `true` for one country.
pub fn rule(name: &str, priority: u8) -> Value {
    json!({
        "name": name, "priority": priority,
        "when": {"attribute": "country", "operator": "equals", "value": name},
        "outcome": {"value": true},
    })
}

fn feature_path(key: &str) -> String {
    format!("{PROD}/features/{key}")
}

/// All pages of a list, a few items at a time: a member of each item.
async fn pages(actor: &Actor, path: &str, limit: usize, member: &str) -> Vec<String> {
    let mut all = Vec::new();
    let mut cursor = String::new();
    let separator = if path.contains('?') { '&' } else { '?' };
    loop {
        let reply = actor.get(&format!("{path}{separator}limit={limit}{cursor}")).await.expect(200);
        let items = reply.items(member);
        assert!(items.len() <= limit, "{path}");
        all.extend(items.into_iter().map(str::to_owned));
        match reply.body["nextCursor"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return all,
        }
    }
}

/// The `Location` of something made, which must lead back to it.
async fn follow(actor: &Actor, reply: &Reply) -> Value {
    assert_eq!(reply.status, 201, "{}", reply.text);
    let location = reply.header("location").expect("Location");
    actor.get(location).await.expect(200).body
}

/// The clock stands at noon, so that times can be told.
fn noon(app: &TestApp) {
    app.set_time("2026-03-01T12:00:00Z");
}

fn a_minute_later(app: &TestApp) {
    app.pass(Duration::from_secs(60));
}

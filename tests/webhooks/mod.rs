//! Webhooks: who is told of changes over HTTP, whatever the receiver does.

mod api;
mod delivery;
mod end_to_end;
mod pages;
pub mod receiver;
mod secure;

use std::time::{Duration, Instant};

use featured::config::Config;
use serde_json::{Value, json};

use crate::support::TestApp;

/// Longer than anything takes on a busy machine.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Waits until something is so.
#[track_caller]
pub fn until<T>(what: &str, attempt: impl FnMut() -> Option<T>) -> T {
    until_within(PATIENCE, what, attempt)
}

/// The same for what takes longer.
#[track_caller]
pub fn until_within<T>(patience: Duration, what: &str, mut attempt: impl FnMut() -> Option<T>) -> T {
    let end = Instant::now() + patience;
    loop {
        if let Some(found) = attempt() {
            return found;
        }
        assert!(Instant::now() < end, "waited in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Lets webhooks reach receivers of this test.
pub fn loopback(config: &mut Config) {
    config.dev = true;
    config.webhook_allow_private = vec!["127.0.0.0/8".parse().unwrap()];
}

/// Makes a webhook of the shop; gives it with its secret.
pub async fn webhook(app: &TestApp, url: &str, more: Value) -> Value {
    let mut body = json!({
        "siteId": "shop", "url": url,
        "events": ["feature.created", "feature.updated", "feature.deleted", "rule.created", "rule.updated", "rule.deleted"],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    app.editor().post("/api/v1/webhooks", body).await.expect(201).body
}

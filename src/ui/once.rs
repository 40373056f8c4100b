//! Secrets that a page shows once. The form that makes one sends the browser on to the page, so that a reload makes no
//! second one: for a minute the page shows it, to the same session, then no more.

use std::collections::VecDeque;

use actix_web::{HttpRequest, HttpResponse};
use parking_lot::Mutex;
use uuid::Uuid;

use super::failure::see_other;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::clock::Millis;

/// Milliseconds.
const SHOWN: Millis = 60_000;
/// More are not kept at a time; the oldest go.
const MAX: usize = 1000;

/// What waits for its page. In memory alone.
#[derive(Default)]
pub struct Secrets(Mutex<VecDeque<Kept>>);

struct Kept {
    key: String,
    session: i64,
    /// Where it is shown.
    page: String,
    until: Millis,
    secrets: Vec<String>,
}

/// Sends the browser to a page of this session that shows these secrets. The address may have a fragment.
pub fn send(app: &App, signed: &Signed, page: &str, secrets: Vec<String>) -> HttpResponse {
    let key = Uuid::now_v7().to_string();
    let (path, fragment) = page.split_once('#').unwrap_or((page, ""));
    let location = format!("{path}?once={key}#{fragment}");
    let now = app.now();
    let kept = Kept { key, session: signed.session.id, page: page.to_owned(), until: now + SHOWN, secrets };
    let mut all = app.secrets.0.lock();
    all.retain(|kept| kept.until > now);
    all.truncate(MAX - 1);
    all.push_front(kept);
    see_other(location.trim_end_matches('#'))
}

/// The secrets that the browser was sent to this page with; none where it was not, or after their time.
pub fn secrets(app: &App, signed: &Signed, req: &HttpRequest, page: &str) -> Vec<String> {
    let query = Query::of(req);
    let Some(key) = query.get("once") else { return Vec::new() };
    let now = app.now();
    let all = app.secrets.0.lock();
    let found = all.iter().find(|kept| {
        kept.key == key && kept.session == signed.session.id && kept.page == page && kept.until > now
    });
    found.map(|kept| kept.secrets.clone()).unwrap_or_default()
}

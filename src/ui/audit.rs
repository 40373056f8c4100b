//! `/audit` and `…/audit`: who changed what, when, from where, and what it replaced.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::{empty, icon};
use super::failure::Failure;
use super::layout::{Page, Place};
use super::url;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::blocking::{LONG_READS, block_in_turn};
use crate::clock::{self, DAY};
use crate::engine::words::{self, Piece, Sentence};
use crate::store;
use crate::store::changes::{AuditEntry, AuditFilter};

type Answer = Result<HttpResponse, Failure>;
const PAGE: u64 = 50;
/// Characters of a value that are shown.
const VALUE: usize = 200;
/// What the log calls the things that change, and what people do.
const KINDS: &[(&str, &str)] = &[
    ("feature", "Features"),
    ("rule", "Rules"),
    ("segment", "Segments"),
    ("context", "Contexts"),
    ("contexts", "Imports of Contexts"),
    ("environment", "Environments"),
    ("site", "Sites"),
    ("branding", "Branding"),
    ("token", "Tokens"),
    ("webhook", "Webhooks"),
    ("user", "Users"),
    ("settings", "Two-factor settings"),
    ("gdpr request", "GDPR requests"),
    ("mail", "Mail"),
];
/// What is done to them, as the log calls it; the three that happen all the time first.
const ACTIONS: &[&str] = &[
    "created",
    "updated",
    "deleted",
    "account closed",
    "activated",
    "backup code used",
    "backup codes made anew",
    "collected again",
    "completed",
    "deactivated",
    "downloaded",
    "erased",
    "failed",
    "imported",
    "password changed",
    "password reset",
    "password reset asked for",
    "personal token created",
    "personal token revoked",
    "purged",
    "redelivered to",
    "reminded",
    "restored",
    "retried",
    "reverted",
    "revoked",
    "rotated",
    "session ended",
    "tested",
    "trusted device forgotten",
    "turned off",
    "turned on",
    "two-factor reset",
    "two-factor turned off",
    "two-factor turned on",
];

/// `GET /audit`: of the whole server.
pub async fn all(app: Data<App>, req: HttpRequest, signed: Signed) -> Answer {
    show(&app, &req, &signed, None).await
}

/// `GET …/audit`: of one environment.
pub async fn of_environment(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    path: Path<(String, String)>,
) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    show(&app, &req, &signed, Some(&place)).await
}

async fn show(app: &Data<App>, req: &HttpRequest, signed: &Signed, place: Option<&Place>) -> Answer {
    let query = Query::of(req);
    let get = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let since = match query.get("when") {
        Some("day") => Some(app.now() - DAY),
        Some("week") => Some(app.now() - 7 * DAY),
        Some("month") => Some(app.now() - 30 * DAY),
        _ => None,
    };
    let filter = AuditFilter {
        environment: place.and_then(|place| place.environment.as_ref()).map(|e| e.uuid.clone()),
        q: get("q"),
        actor: get("who"),
        entity: get("what"),
        action: get("did"),
        since,
        below: query.get("below").and_then(|text| text.parse().ok()),
        limit: PAGE + 1,
        ..AuditFilter::default()
    };
    let server = app.clone();
    let (filter, mut entries, actors) = block_in_turn(&LONG_READS, move || {
        let (entries, actors) = server.read_consistent(|conn| {
            Ok((store::changes::list(conn, &filter)?, store::changes::actors(conn)?))
        })?;
        Ok((filter, entries, actors))
    })
    .await?;
    let older = (entries.len() as u64 > PAGE).then(|| entries[PAGE as usize - 1].number);
    entries.truncate(PAGE as usize);
    let page = Page::new(app, req, signed, "Audit log");
    let page = match place {
        Some(place) => page.at(place, "audit"),
        None => page,
    };
    let filtered = ["q", "who", "what", "did", "when"].iter().any(|name| query.get(name).is_some());
    let main = html! {
        div.head { div { h1 { "Audit log" } p.lede { "Every change, who made it and what it replaced. Each entry seals the one before." } } }
        form.filter method="get" action=(req.path()) role="search" {
            div.row.wrap {
                div.searchbox { (icon("search")) input name="q" value=(filter.q) data-filter="" aria-label="Search in keys, names and values" placeholder="Key, name or value"; }
                select.auto name="who" aria-label="Who" {
                    option value="" { "Anyone" }
                    @for actor in &actors { option value=(actor) selected[*actor == filter.actor] { (actor) } }
                }
                select.auto name="what" aria-label="What" {
                    option value="" { "Anything" }
                    @for (value, label) in KINDS {
                        option value=(value) selected[*value == filter.entity] { (label) }
                    }
                }
                select.auto name="did" aria-label="Action" {
                    option value="" { "Any action" }
                    @for action in ACTIONS { option value=(action) selected[*action == filter.action] { (action) } }
                }
                select.auto name="when" aria-label="When" {
                    @for (value, label) in [("", "Any time"), ("day", "24 hours"), ("week", "7 days"), ("month", "30 days")] {
                        option value=(value) selected[query.get("when").unwrap_or_default() == value] { (label) }
                    }
                }
                button.btn { "Filter" }
            }
        }
        @if entries.is_empty() {
            @if filtered {
                (empty("Nothing matches", "No change fits these filters.", Some(html! { a.btn href=(req.path()) { "Clear filters" } })))
            } @else {
                (empty("Nothing has changed yet", "Every change to sites, features, rules, tokens and people will stand here.", None))
            }
        }
        @for (day, list) in by_day(&entries) {
            h2.dayh { (day) }
            ol.log { @for item in list { (entry(item, place)) } }
        }
        @if let Some(number) = older {
            nav.pager aria-label="Pages" {
                span.end { a.btn href=(older_url(req, number)) { "Older" (icon("right")) } }
            }
        }
    };
    Ok(page.show(main))
}

fn older_url(req: &HttpRequest, number: i64) -> String {
    let mut pairs: Vec<(String, String)> = ::url::form_urlencoded::parse(req.query_string().as_bytes())
        .into_owned()
        .filter(|(name, value)| name != "below" && !value.is_empty())
        .collect();
    pairs.push(("below".into(), number.to_string()));
    let query = ::url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
    format!("{}?{query}", req.path())
}

fn by_day(entries: &[AuditEntry]) -> Vec<(String, Vec<&AuditEntry>)> {
    let mut days: Vec<(String, Vec<&AuditEntry>)> = Vec::new();
    for entry in entries {
        let day = clock::day(entry.at);
        match days.last_mut() {
            Some((last, list)) if *last == day => list.push(entry),
            _ => days.push((day, vec![entry])),
        }
    }
    days
}

fn entry(entry: &AuditEntry, place: Option<&Place>) -> Markup {
    let time = clock::rfc3339(entry.at);
    let initials: String = entry.actor.chars().take(2).flat_map(char::to_uppercase).collect();
    let feature = place
        .and_then(|place| place.environment.as_ref().map(|environment| (&place.site, environment)))
        .filter(|_| entry.entity == "feature" && entry.action != "deleted")
        .map(|(site, environment)| url::feature(site, environment, &entry.entity_key));
    html! {
        li.entry {
            time.num datetime=(time) title=(time) { (&time[11..16]) }
            span.face.sm aria-hidden="true" { (initials) }
            div.stack.t {
                div.row.wrap {
                    span {
                        b { (entry.actor) } " " (entry.action) " " (entry.entity) " "
                        @match &feature {
                            Some(to) => a.key href=(to) { (entry.entity_key) },
                            None => span.key { (entry.entity_key) },
                        }
                    }
                    @if let Some(address) = &entry.address { span.m3.xs.end { (address) } }
                }
                div.diff { @for difference in &entry.differences {
                    div { (said(&words::phrase(difference, VALUE))) }
                } }
            }
        }
    }
}

/// A sentence with its names and values marked.
fn said(sentence: &Sentence) -> Markup {
    html! {
        @for piece in &sentence.0 {
            @match piece {
                Piece::Text(text) => span.at { (text) },
                Piece::Name(name) => b { (name) },
                Piece::Before(value) => del { (value) },
                Piece::After(value) => ins { (value) },
            }
        }
    }
}

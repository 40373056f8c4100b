//! Webhooks: made, changed, rotated, tried out, deleted; and turned off when they have failed for days.

use rusqlite::Connection;
use serde::Serialize;
use url::{Position, Url};
use utoipa::ToSchema;
use uuid::Uuid;

use super::{MAX_NAME, mail, read_body, read_name};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::auth::secret;
use crate::clock::{Millis, rfc3339};
use crate::engine::decode::{Node, Object, Problems};
use crate::engine::feature::text;
use crate::engine::permission::{Permission, Role, allows};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::jobs::webhooks::body::{self, EVENTS};
use crate::jobs::webhooks::{KEPT, examples, send};
use crate::store;
use crate::store::sites::Site;
use crate::store::webhooks::{self as rows, Delivery, Event, Format, Outcome, Settings, Webhook};

/// A site has at most so many.
const MAX: u64 = 50;
/// The longest that both secrets sign after a rotation: 90 days.
const MAX_GRACE: u64 = 90 * 24 * 3600;
/// How long they do when it is not said: a day.
const GRACE: u64 = 24 * 3600;

/// A webhook, without its secret. Its `url` is cut off behind the host for viewers: addresses of chats are secrets.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Webhook, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0006", "siteId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0001",
    "environmentId": null, "name": "hooks.shop.example", "description": "", "url": "https://hooks.shop.example/flags",
    "events": ["feature.updated", "rule.updated"], "format": "json", "enabled": true, "disabledReason": null,
    "failingSince": null, "previousUntil": null, "createdAt": "2026-01-31T12:00:00.000Z",
    "updatedAt": "2026-01-31T12:00:00.000Z"
}))]
pub struct View {
    #[schema(format = Uuid)]
    pub id: String,
    #[schema(format = Uuid)]
    pub site_id: String,
    /// `null`: every environment of the site, and the site's own events.
    #[schema(required, format = Uuid)]
    pub environment_id: Option<String>,
    pub name: String,
    pub description: String,
    pub url: String,
    pub events: Vec<String>,
    pub format: Format,
    pub enabled: bool,
    /// Why the server turned it off.
    #[schema(required)]
    pub disabled_reason: Option<String>,
    /// Since when nothing has been delivered though something was tried.
    #[schema(required, format = DateTime)]
    pub failing_since: Option<String>,
    /// Until when the secret before the last rotation signs, too.
    #[schema(required, format = DateTime)]
    pub previous_until: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl View {
    /// As somebody of this role may see it now.
    pub fn of(webhook: &Webhook, role: Role, now: Millis) -> Self {
        let settings = &webhook.settings;
        let url = if allows(role, Permission::Change) { settings.url.clone() } else { veiled(&settings.url) };
        Self {
            id: webhook.uuid.clone(),
            site_id: webhook.site_uuid.clone(),
            environment_id: webhook.environment_uuid.clone(),
            name: settings.name.clone(),
            description: settings.description.clone(),
            url,
            events: settings.events.clone(),
            format: settings.format,
            enabled: settings.enabled,
            disabled_reason: webhook.disabled_reason.clone(),
            failing_since: webhook.failing_since.map(rfc3339),
            previous_until: webhook
                .previous
                .as_ref()
                .filter(|(_, until)| *until > now)
                .map(|(_, until)| rfc3339(*until)),
            created_at: rfc3339(webhook.created_at),
            updated_at: rfc3339(webhook.updated_at),
        }
    }
}

/// An address without what is secret in it.
pub fn veiled(url: &str) -> String {
    match Url::parse(url) {
        Ok(url) => format!("{}/…", url.origin().ascii_serialization()),
        Err(_) => "…".into(),
    }
}

/// A webhook together with its secret.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = WebhookWithSecret)]
pub struct Created {
    #[serde(flatten)]
    pub view: View,
    /// What requests are signed with. Not shown again.
    #[schema(example = "whsec_4Zc0vQ2kW9uXy7RtB1mNs8LdPf6HgTjE")]
    pub secret: String,
}

/// One try to tell a webhook of an event.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Delivery, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0007", "eventId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0e01",
    "event": "feature.updated", "test": false, "attempt": 1, "outcome": "delivered", "at": "2026-02-02T09:30:00.000Z",
    "status": 200, "error": null, "durationMs": 31,
    "request": {"headers": {"X-Webhook-Event": "feature.updated"}, "body": "{}"},
    "response": {"headers": {"content-type": "text/plain"}, "body": "ok"}
}))]
pub struct DeliveryView {
    #[schema(format = Uuid)]
    pub id: String,
    /// `X-Webhook-Id`: the same for every try of one event.
    #[schema(format = Uuid)]
    pub event_id: String,
    pub event: String,
    /// Nothing had happened: somebody tried the webhook out.
    pub test: bool,
    pub attempt: u32,
    pub outcome: Outcome,
    #[schema(format = DateTime)]
    pub at: String,
    /// `null`: there was no answer.
    #[schema(required)]
    pub status: Option<u16>,
    #[schema(required)]
    pub error: Option<String>,
    pub duration_ms: u64,
    pub request: Message,
    pub response: Message,
}

/// One side of a try. That of the receiver is empty for viewers, since it may repeat the address.
#[derive(Debug, Serialize, ToSchema)]
pub struct Message {
    #[schema(value_type = Object)]
    pub headers: Json,
    /// Long ones are cut off.
    pub body: String,
}

/// What somebody of this role may see of a try. An answer may repeat the address that was asked, which is a secret:
/// whoever may not change the webhook gets neither its headers nor its body, and no address in what failed.
pub fn visible(delivery: &Delivery, webhook: &Webhook, role: Role) -> Delivery {
    let whole = delivery.clone();
    if allows(role, Permission::Change) {
        return whole;
    }
    Delivery {
        error: whole.error.map(|error| without_address(&error, &webhook.settings.url)),
        response_headers: "{}".into(),
        response_body: String::new(),
        ..whole
    }
}

/// A text without URLs, and without what this one holds behind the host.
fn without_address(text: &str, url: &str) -> String {
    let veil = |word| if str::contains(word, "://") { "…" } else { word };
    let mut out = text.split(' ').map(veil).collect::<Vec<_>>().join(" ");
    if let Ok(url) = Url::parse(url) {
        let secrets = [&url[Position::BeforePath..], url.path(), url.query().unwrap_or_default()];
        for secret in secrets.into_iter().filter(|secret| secret.len() > 3) {
            out = out.replace(secret, "…");
        }
    }
    out
}

/// The whole of it: see [`visible`].
impl From<&Delivery> for DeliveryView {
    fn from(delivery: &Delivery) -> Self {
        let headers = |text: &str| Json::parse(text).unwrap_or_else(|| Json::compacted("{}"));
        Self {
            id: delivery.uuid.clone(),
            event_id: delivery.event_id.clone(),
            event: delivery.event.clone(),
            test: delivery.change_number.is_none(),
            attempt: delivery.attempt,
            outcome: delivery.outcome,
            at: rfc3339(delivery.at),
            status: delivery.status,
            error: delivery.error.clone(),
            duration_ms: delivery.duration_ms,
            request: Message {
                headers: headers(&delivery.request_headers),
                body: delivery.request_body.clone(),
            },
            response: Message {
                headers: headers(&delivery.response_headers),
                body: delivery.response_body.clone(),
            },
        }
    }
}

fn change(
    webhook: &Webhook,
    action: &'static str,
    before: Option<&Webhook>,
    after: Option<&Webhook>,
    now: Millis,
) -> Change {
    // The audit log is for everybody, so addresses are veiled in it. What the webhook was told of until a change is
    // read from there: `store::webhooks::filters_since`.
    let json = |webhook: &Webhook| Json::of(&View::of(webhook, Role::Viewer, now));
    let name = &webhook.settings.name;
    Change {
        site: Some(webhook.site_uuid.clone()),
        environment: webhook.environment_uuid.clone(),
        entity: "webhook",
        entity_id: webhook.uuid.clone(),
        entity_key: name.clone(),
        action,
        summary: format!("webhook {name:?} {action}"),
        feature: None,
        touched: Touched::Nothing,
        before: before.and_then(json),
        after: after.and_then(json),
        event: None,
    }
}

fn read_url(app: &App, node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    match app.net.policy().check(&node.string(problems)?) {
        Ok(url) => Some(url.into()),
        Err(why) => {
            problems.add(&node.path, why);
            None
        }
    }
}

fn read_events(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let given = node.strings(EVENTS.len(), problems)?;
    let mut unknown = false;
    for (at, name) in given.iter().enumerate() {
        if !EVENTS.iter().any(|(known, _)| known == name) {
            problems.add(format!("{}[{at}]", node.path), "is not an event");
            unknown = true;
        }
    }
    if given.is_empty() {
        problems.add(&node.path, "must name at least one event");
        return None;
    }
    // In the order in which they are listed everywhere, each once.
    let known = EVENTS.iter().map(|(name, _)| *name).filter(|name| given.iter().any(|one| one == name));
    (!unknown).then(|| known.map(str::to_owned).collect())
}

fn read_format(object: &mut Object<'_>, base: Format, problems: &mut Problems) -> Option<Format> {
    let Some(node) = object.take_value("format") else { return Some(base) };
    let format = Format::parse(&node.string(problems)?);
    if format.is_none() {
        problems.add(&node.path, "must be json, slack, teams or discord");
    }
    format
}

fn read_secret(object: &mut Object<'_>, problems: &mut Problems) -> Option<Option<String>> {
    let Some(node) = object.take_value("secret") else { return Some(None) };
    let secret = node.string(problems)?;
    if !(16..=200).contains(&secret.chars().count()) || secret.chars().any(char::is_control) {
        problems.add(&node.path, "must be 16 to 200 characters");
        return None;
    }
    Some(Some(secret))
}

/// What a body says; the names of site and environment are looked up later.
struct Read {
    /// As it is named; `Some(None)`: all.
    environment: Option<Option<String>>,
    settings: Settings,
    /// Whether its name was given.
    named: bool,
    secret: Option<String>,
}

fn read(
    app: &App,
    object: &mut Object<'_>,
    base: Option<&Settings>,
    problems: &mut Problems,
) -> Option<Read> {
    let environment = match object.take("environmentId") {
        None => Some(None),
        Some(node) if node.is_null() => Some(Some(None)),
        Some(node) => node.string(problems).map(|name| Some(Some(name))),
    };
    let url = match (object.take_value("url"), base) {
        // One that stays is not judged anew: a webhook can be turned off after what may be asked was narrowed.
        (Some(node), Some(base))
            if serde_json::from_str(node.text()).is_ok_and(|text: String| text == base.url) =>
        {
            Some(base.url.clone())
        }
        (Some(node), _) => read_url(app, &node, problems),
        (None, Some(base)) => Some(base.url.clone()),
        (None, None) => {
            problems.add("url", "is required");
            None
        }
    };
    let events = match (object.take_value("events"), base) {
        (Some(node), _) => read_events(&node, problems),
        (None, Some(base)) => Some(base.events.clone()),
        (None, None) => {
            problems.add("events", "is required");
            None
        }
    };
    let name = object.take_value("name");
    let named = name.is_some();
    let name = match (name, base) {
        (Some(node), _) => read_name(&node, problems),
        (None, Some(base)) => Some(base.name.clone()),
        (None, None) => {
            let host = url.as_ref().and_then(|url| Url::parse(url).ok());
            Some(host.and_then(|url| url.host_str().map(str::to_owned)).unwrap_or_default())
                .map(|host: String| host.chars().take(MAX_NAME).collect())
        }
    };
    let description = text(object, "description", base.map(|b| b.description.as_str()), 4000, problems);
    let format = read_format(object, base.map_or(Format::Json, |base| base.format), problems);
    let enabled = object.boolean_or("enabled", base.is_none_or(|base| base.enabled), problems);
    let secret = if base.is_none() { read_secret(object, problems) } else { Some(None) };
    Some(Read {
        environment: environment?,
        settings: Settings {
            environment: base.and_then(|base| base.environment),
            name: name?,
            description: description?,
            url: url?,
            events: events?,
            format: format?,
            enabled: enabled?,
        },
        named,
        secret: secret?,
    })
}

/// A webhook to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({
    "siteId": "shop", "url": "https://hooks.shop.example/flags", "events": ["feature.updated", "rule.updated"]
}))]
pub struct NewWebhook {
    /// Id or slug.
    pub site_id: String,
    /// Id or name; `null` or left out: all of the site.
    pub environment_id: Option<String>,
    /// The host of the URL when left out, with a number where another webhook of the site has that name.
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    /// `https://…`, and of the public internet, unless the server was told otherwise.
    #[schema(max_length = 2048)]
    pub url: String,
    /// At least one, such as `feature.updated`.
    #[schema(min_items = 1)]
    pub events: Vec<String>,
    /// Made by the server when left out.
    #[schema(min_length = 16, max_length = 200)]
    pub secret: Option<String>,
    /// `json` when left out.
    pub format: Option<Format>,
    /// `true` when left out.
    pub enabled: Option<bool>,
}

fn named<T>(found: Result<T>, field: &str, what: &str) -> Result<T> {
    found.map_err(|error| match error {
        Error::NotFound(_) => Error::invalid(field, format!("names no {what}")),
        other => other,
    })
}

fn place(tx: &Tx<'_>, site: &Site, read: &mut Read) -> Result<()> {
    match &read.environment {
        None => {}
        Some(None) => read.settings.environment = None,
        Some(Some(name)) => {
            let found = store::environments::find(tx, site.id, name);
            read.settings.environment = Some(named(found, "environmentId", "environment of the site")?.id);
        }
    }
    Ok(())
}

/// Makes a webhook that is told of what happens from now on. Body: [`NewWebhook`].
pub fn create(app: &App, actor: &Actor, body: &str) -> Result<Created> {
    actor.require(Permission::Change)?;
    let (site, mut read) = read_body(body, |object, problems| {
        let site = object.require("siteId", problems).and_then(|node| node.string(problems));
        let read = read(app, object, None, problems);
        Some((site?, read?))
    })?;
    let secret = read.secret.take().unwrap_or_else(secret::webhook);
    let uuid = Uuid::now_v7().to_string();
    let sealed = app.seal.seal(&send::purpose(&uuid), secret.as_bytes())?;
    app.write(actor, |tx| {
        let site = named(store::sites::find(tx, &site), "siteId", "site")?;
        place(tx, &site, &mut read)?;
        if rows::count(tx, site.id)? >= MAX {
            return Err(Error::conflict("limit_reached", format!("a site has at most {MAX} webhooks")));
        }
        if !read.named {
            // So that several of one host can be told apart.
            let others = rows::list(tx, Some(site.id))?;
            let is_taken = |name: &str| others.iter().any(|other| other.settings.name == name);
            let host = read.settings.name.clone();
            let mut number = 2;
            while is_taken(&read.settings.name) {
                let end = format!(" {number}");
                read.settings.name = host.chars().take(MAX_NAME - end.len()).chain(end.chars()).collect();
                number += 1;
            }
        }
        let webhook = rows::insert(tx, site.id, &read.settings, &uuid, &sealed, actor.user, tx.now)?;
        let change = change(&webhook, "created", None, Some(&webhook), tx.now);
        let created = Created { view: View::of(&webhook, actor.role, tx.now), secret };
        Ok(Written::one(created, change))
    })
}

/// Changes to a webhook. What is left out stays; what the server keeps may be repeated and is ignored.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"enabled": false}))]
pub struct WebhookChange {
    /// Fixed once made: ignored.
    pub site_id: Option<String>,
    /// Id or name; `null`: all of the site.
    pub environment_id: Option<String>,
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    #[schema(max_length = 2048)]
    pub url: Option<String>,
    #[schema(min_items = 1)]
    pub events: Option<Vec<String>>,
    pub format: Option<Format>,
    /// Turned on, it is told of what happens from then on.
    pub enabled: Option<bool>,
}

/// Changes a webhook. Body: [`WebhookChange`].
pub fn update(app: &App, actor: &Actor, id: &str, body: &str) -> Result<Webhook> {
    actor.require(Permission::Change)?;
    super::parse_object(body)?;
    app.write(actor, |tx| {
        let before = rows::find(tx, id)?;
        let mut read = read_body(body, |object, problems| {
            object.ignore(&["id", "siteId", "disabledReason", "failingSince", "previousUntil"]);
            object.ignore(&["createdAt", "updatedAt"]);
            read(app, object, Some(&before.settings), problems)
        })?;
        let site = store::sites::find(tx, &before.site_uuid)?;
        place(tx, &site, &mut read)?;
        if read.settings == before.settings {
            return Ok(Written::nothing(before));
        }
        let after = rows::update(tx, &before, &read.settings, tx.now)?;
        let action = match (before.settings.enabled, after.settings.enabled) {
            (false, true) => "turned on",
            (true, false) => "turned off",
            _ => "updated",
        };
        let change = change(&after, action, Some(&before), Some(&after), tx.now);
        Ok(Written::one(after, change))
    })
}

/// Deletes a webhook with its log. What it was still owed is not sent.
pub fn delete(app: &App, actor: &Actor, id: &str) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let webhook = rows::find(tx, id)?;
        rows::delete(tx, webhook.id)?;
        Ok(Written::one((), change(&webhook, "deleted", Some(&webhook), None, tx.now)))
    })
}

/// How to rotate.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", as = WebhookRotation, example = json!({"graceSeconds": 3600}))]
pub struct Rotation {
    /// Made by the server when left out.
    #[schema(min_length = 16, max_length = 200)]
    pub secret: Option<String>,
    /// How long the old secret signs, too, in `X-Webhook-Signature-Previous`; a day when left out.
    #[schema(minimum = 0, maximum = 7_776_000)]
    pub grace_seconds: Option<u64>,
}

/// Gives a webhook a new secret; for a while the old one is valid, too. Body: [`Rotation`], or none.
pub fn rotate(app: &App, actor: &Actor, id: &str, body: &str) -> Result<Created> {
    actor.require(Permission::Change)?;
    let (given, grace) = match body.trim() {
        "" => (None, GRACE),
        body => read_body(body, |object, problems| {
            let secret = read_secret(object, problems);
            let grace = match object.take_value("graceSeconds") {
                Some(node) => node.integer(0, MAX_GRACE, problems),
                None => Some(GRACE),
            };
            Some((secret?, grace?))
        })?,
    };
    let secret = given.unwrap_or_else(secret::webhook);
    app.write(actor, |tx| {
        let before = rows::find(tx, id)?;
        let sealed = app.seal.seal(&send::purpose(&before.uuid), secret.as_bytes())?;
        let until = (grace > 0).then(|| tx.now + i64::try_from(grace * 1000).unwrap_or(i64::MAX));
        rows::set_secret(tx, before.id, &sealed, until, tx.now)?;
        let after = rows::find(tx, id)?;
        let change = change(&after, "rotated", Some(&before), Some(&after), tx.now);
        Ok(Written::one(Created { view: View::of(&after, actor.role, tx.now), secret }, change))
    })
}

/// Which event to try a webhook out with.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = WebhookTest, example = json!({"event": "feature.updated"}))]
pub struct Test {
    /// The first that the webhook is told of when left out.
    pub event: Option<String>,
}

/// Sends a webhook what a real event would be: the newest one of its site, else an example. Waits for the answer:
/// not on a request thread. Body: [`Test`], or none.
pub fn test(app: &App, actor: &Actor, id: &str, body: &str) -> Result<Delivery> {
    actor.require(Permission::Change)?;
    let name = match body.trim() {
        "" => None,
        body => read_body(body, |object, problems| {
            let Some(node) = object.take_value("event") else { return Some(None) };
            let name = node.string(problems)?;
            if !EVENTS.iter().any(|(known, _)| *known == name) {
                problems.add(&node.path, "is not an event");
                return None;
            }
            Some(Some(name))
        })?,
    };
    let (webhook, event, body) = app.read_consistent(|conn| {
        let webhook = rows::find(conn, id)?;
        let name = name.or_else(|| webhook.settings.events.first().cloned()).unwrap_or_default();
        let (site, environment) = (&webhook.site_uuid, webhook.environment_uuid.as_deref());
        let event = match rows::newest_event(conn, site, environment, &name)? {
            Some(real) => Event { id: Uuid::now_v7().to_string(), number: None, at: app.now(), ..real },
            None => example(app, conn, &webhook, &name, &actor.name)?,
        };
        let body = body::render(webhook.settings.format, &event, &send::place(conn, &event)?);
        Ok((webhook, event, body))
    })?;
    let tried = send::attempt(app, &webhook, &event, body, 1);
    logged(app, actor, &webhook, tried.delivery, "tested")
}

/// An event that nothing happened for, in the webhook's environment or the first of its site.
pub fn example(
    app: &App,
    conn: &rusqlite::Connection,
    webhook: &Webhook,
    name: &str,
    actor: &str,
) -> Result<Event> {
    let environment = match &webhook.environment_uuid {
        Some(uuid) => Some(uuid.clone()),
        None => store::environments::list(conn, webhook.site)?.into_iter().next().map(|found| found.uuid),
    };
    examples::event(name, &webhook.site_uuid, environment.as_deref(), actor, app.now())
        .ok_or_else(|| Error::invalid("event", "is not an event"))
}

/// Sends an event once more, under its own id, whatever came of it before. Waits for the answer.
pub fn redeliver(app: &App, actor: &Actor, id: &str, delivery: &str) -> Result<Delivery> {
    actor.require(Permission::Change)?;
    let (webhook, before, event, body) = app.read_consistent(|conn| {
        let webhook = rows::find(conn, id)?;
        let before = rows::delivery(conn, webhook.id, delivery)?;
        let (event, body) = match before.change_number {
            Some(number) => {
                let event = rows::event_of(conn, number)?
                    .ok_or_else(|| Error::conflict("event_gone", "the event is older than the retention"))?;
                let body = body::render(webhook.settings.format, &event, &send::place(conn, &event)?);
                (event, body)
            }
            // There is no event to write it from anew, and its id stands for what was sent.
            None => {
                let (event, body) = send::logged(&before).ok_or_else(|| {
                    Error::conflict(
                        "body_cut",
                        "the log does not hold all of what this test sent; send a new test instead",
                    )
                })?;
                (event, Ok(body))
            }
        };
        Ok((webhook, before, event, body))
    })?;
    let tried = send::attempt(app, &webhook, &event, body, before.attempt + 1);
    logged(app, actor, &webhook, tried.delivery, "redelivered to")
}

/// Writes a try that a person asked for into both logs. One that arrived shows that the receiver is back, and the event
/// that waited to be tried next waits no more.
fn logged(
    app: &App,
    actor: &Actor,
    webhook: &Webhook,
    mut delivery: Delivery,
    action: &'static str,
) -> Result<Delivery> {
    app.write(actor, |tx| {
        // It may be gone by now.
        let webhook = rows::find(tx, &webhook.uuid)?;
        let number = delivery.change_number;
        if delivery.outcome == Outcome::Delivered {
            rows::recovered(tx, webhook.id)?;
            let next = rows::owed(tx, &webhook, 1)?.first().and_then(|event| event.number);
            if let Some(number) = number.filter(|_| number == next) {
                rows::advance(tx, webhook.id, number)?;
            }
        } else if let Some(number) = number
            && !(webhook.settings.enabled && rows::owes(tx, &webhook, number)?)
        {
            // Nobody tries it again.
            delivery.outcome = Outcome::GivenUp;
        }
        delivery.id = rows::log(tx, webhook.id, &delivery)?;
        rows::prune_log(tx, webhook.id, KEPT)?;
        Ok(Written::one(delivery, change(&webhook, action, None, None, tx.now)))
    })
}

/// Turns a webhook off that has failed for days, and mails whose it is: who made it, else the owner of the site, else
/// every administrator.
pub fn give_up(app: &App, id: &str) -> Result<()> {
    app.write(&Actor::system("webhooks"), |tx| {
        let before = rows::find(tx, id)?;
        if !before.settings.enabled {
            return Ok(Written::nothing(()));
        }
        rows::disable(tx, before.id, "nothing could be delivered for three days", tx.now)?;
        let after = rows::find(tx, id)?;
        let site = store::sites::find(tx, &after.site_uuid)?;
        let owner = after.owner.or(site.owner.as_ref().map(|owner| owner.id));
        let person = owner.and_then(|owner| store::users::by_id(tx, owner).ok()).filter(|user| user.active);
        let people = match person {
            Some(person) => vec![person],
            None => {
                let admin = |user: &store::users::User| user.active && user.role == Role::Admin;
                store::users::list(tx)?.into_iter().filter(admin).collect()
            }
        };
        for person in people {
            mail::webhook_off(app, tx, &person, &after.settings.name, &site, tx.now)?;
        }
        Ok(Written::one((), change(&after, "turned off", Some(&before), Some(&after), tx.now)))
    })
}

/// Secrets of webhooks that the server's key does not open.
pub fn count_lost(app: &App, conn: &Connection) -> Result<usize> {
    let secrets = rows::secrets(conn)?;
    let is_lost =
        |(uuid, sealed): &&(String, Vec<u8>)| app.seal.open_sealed(&send::purpose(uuid), sealed).is_none();
    Ok(secrets.iter().filter(is_lost).count())
}

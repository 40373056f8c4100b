//! Tables `webhooks` and `deliveries`, and the events that webhooks are owed (`outbox`). A webhook keeps the number
//! of the last change that it is done with; what it is owed is every matching event behind that, so nothing has to be
//! copied when a change is made, and nothing is forgotten in a crash.

use rusqlite::{Connection, OptionalExtension, Row, params};
use uuid::Uuid;

use super::{found, list_from_json, list_to_json};
use crate::clock::Millis;
use crate::error::Result;
use crate::ids::{EnvironmentId, SiteId, UserId};

/// How a body is written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = WebhookFormat)]
pub enum Format {
    /// Everything, for programs.
    Json,
    /// A message in words, as Slack takes it.
    Slack,
    /// The same for Microsoft Teams (Workflows).
    Teams,
    /// The same for Discord.
    Discord,
}

impl Format {
    pub const ALL: [Self; 4] = [Self::Json, Self::Slack, Self::Teams, Self::Discord];

    pub fn as_str(self) -> &'static str {
        match self {
            Self::Json => "json",
            Self::Slack => "slack",
            Self::Teams => "teams",
            Self::Discord => "discord",
        }
    }

    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|format| format.as_str() == text)
    }
}

/// What a person sets of a webhook.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `None`: all of the site.
    pub environment: Option<EnvironmentId>,
    pub name: String,
    pub description: String,
    pub url: String,
    pub events: Vec<String>,
    pub format: Format,
    pub enabled: bool,
}

/// Who is told of changes over HTTP.
#[derive(Clone, Debug)]
pub struct Webhook {
    pub id: i64,
    pub uuid: String,
    pub site: SiteId,
    pub site_uuid: String,
    pub environment_uuid: Option<String>,
    pub settings: Settings,
    /// Why the server turned it off.
    pub disabled_reason: Option<String>,
    /// Sealed.
    pub secret: Vec<u8>,
    /// Sealed; signs too until then.
    pub previous: Option<(Vec<u8>, Millis)>,
    /// Who is told when it fails for days.
    pub owner: Option<UserId>,
    pub created_at: Millis,
    pub updated_at: Millis,
    /// Number of the last change that was delivered, given up or passed by.
    pub position: i64,
    /// Failed tries of the change right behind `position`.
    pub attempts: u32,
    /// When to try next.
    pub due_at: Millis,
    /// Since when nothing has been delivered though something was tried.
    pub failing_since: Option<Millis>,
}

const SELECT: &str =
    "SELECT w.id, w.uuid, w.site_id, s.uuid, w.environment_id, e.uuid, w.name, w.description, w.url,
            w.events, w.format, w.enabled, w.disabled_reason, w.secret, w.previous_secret, w.previous_until,
            w.owner_id, w.created_at, w.updated_at, w.position, w.attempts, w.due_at, w.failing_since
       FROM webhooks w JOIN sites s ON s.id = w.site_id LEFT JOIN environments e ON e.id = w.environment_id";

fn from_row(row: &Row<'_>) -> rusqlite::Result<Webhook> {
    let format: String = row.get(10)?;
    let previous: Option<Vec<u8>> = row.get(14)?;
    let until: Option<Millis> = row.get(15)?;
    Ok(Webhook {
        id: row.get(0)?,
        uuid: row.get(1)?,
        site: row.get(2)?,
        site_uuid: row.get(3)?,
        environment_uuid: row.get(5)?,
        settings: Settings {
            environment: row.get(4)?,
            name: row.get(6)?,
            description: row.get(7)?,
            url: row.get(8)?,
            events: list_from_json(&row.get::<_, String>(9)?),
            format: Format::parse(&format).unwrap_or(Format::Json),
            enabled: row.get(11)?,
        },
        disabled_reason: row.get(12)?,
        secret: row.get(13)?,
        previous: previous.zip(until),
        owner: row.get(16)?,
        created_at: row.get(17)?,
        updated_at: row.get(18)?,
        position: row.get(19)?,
        attempts: row.get(20)?,
        due_at: row.get(21)?,
        failing_since: row.get(22)?,
    })
}

/// The webhook with this id.
pub fn find(conn: &Connection, uuid: &str) -> Result<Webhook> {
    let row = conn.prepare_cached(&format!("{SELECT} WHERE w.uuid = ?1"))?.query_row([uuid], from_row);
    found(row, || format!("webhook {uuid}"))
}

/// The webhook of a row, where it is still there.
pub fn by_id(conn: &Connection, id: i64) -> Result<Option<Webhook>> {
    Ok(conn.prepare_cached(&format!("{SELECT} WHERE w.id = ?1"))?.query_row([id], from_row).optional()?)
}

/// The webhooks of a site, or of all, in the order they were made.
pub fn list(conn: &Connection, site: Option<SiteId>) -> Result<Vec<Webhook>> {
    let mut statement =
        conn.prepare_cached(&format!("{SELECT} WHERE ?1 IS NULL OR w.site_id = ?1 ORDER BY w.id"))?;
    let rows = statement.query_map([site], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// How many a site has.
pub fn count(conn: &Connection, site: SiteId) -> Result<u64> {
    let mut statement = conn.prepare_cached("SELECT count(*) FROM webhooks WHERE site_id = ?1")?;
    Ok(statement.query_row([site], |row| row.get::<_, i64>(0))?.unsigned_abs())
}

/// The number of the newest change; 0 while there is none.
pub fn newest_change(conn: &Connection) -> Result<i64> {
    let mut statement =
        conn.prepare_cached("SELECT coalesce((SELECT number FROM chain_head WHERE id = 1), 0)")?;
    Ok(statement.query_row([], |row| row.get(0))?)
}

/// Inserts a webhook that is told of what happens from now on.
pub fn insert(
    conn: &Connection,
    site: SiteId,
    settings: &Settings,
    uuid: &str,
    secret: &[u8],
    owner: Option<UserId>,
    now: Millis,
) -> Result<Webhook> {
    conn.prepare_cached(
        "INSERT INTO webhooks (uuid, site_id, environment_id, name, description, url, events, format, enabled,
                               secret, owner_id, created_at, updated_at, position)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13)",
    )?
    .execute(params![
        uuid,
        site,
        settings.environment,
        settings.name,
        settings.description,
        settings.url,
        list_to_json(&settings.events),
        settings.format.as_str(),
        settings.enabled,
        secret,
        owner,
        now,
        newest_change(conn)?,
    ])?;
    find(conn, uuid)
}

/// Changes what a person sets. What was failing is tried anew at once; one that is turned on is told of what
/// happens from now on. So is one that is told of more: see [`filters_since`].
pub fn update(conn: &Connection, before: &Webhook, settings: &Settings, now: Millis) -> Result<Webhook> {
    let turned_on = settings.enabled && !before.settings.enabled;
    conn.prepare_cached(
        "UPDATE webhooks
            SET environment_id = ?2, name = ?3, description = ?4, url = ?5, events = ?6, format = ?7,
                enabled = ?8, updated_at = ?9, due_at = 0, attempts = 0,
                disabled_reason = CASE WHEN ?8 THEN NULL ELSE disabled_reason END,
                failing_since = CASE WHEN ?10 THEN NULL ELSE failing_since END,
                position = CASE WHEN ?10 THEN max(position, ?11) ELSE position END
          WHERE id = ?1",
    )?
    .execute(params![
        before.id,
        settings.environment,
        settings.name,
        settings.description,
        settings.url,
        list_to_json(&settings.events),
        settings.format.as_str(),
        settings.enabled,
        now,
        turned_on,
        newest_change(conn)?,
    ])?;
    find(conn, &before.uuid)
}

/// Turns a webhook off, and notes why.
pub fn disable(conn: &Connection, id: i64, reason: &str, now: Millis) -> Result<()> {
    conn.prepare_cached(
        "UPDATE webhooks SET enabled = 0, disabled_reason = ?2, updated_at = ?3 WHERE id = ?1",
    )?
    .execute((id, reason, now))?;
    Ok(())
}

/// Puts a new secret; the one before signs too until then, if that is given.
pub fn set_secret(
    conn: &Connection,
    id: i64,
    secret: &[u8],
    previous_until: Option<Millis>,
    now: Millis,
) -> Result<()> {
    conn.prepare_cached(
        "UPDATE webhooks
            SET previous_secret = CASE WHEN ?3 IS NULL THEN NULL ELSE secret END, previous_until = ?3,
                secret = ?2, updated_at = ?4
          WHERE id = ?1",
    )?
    .execute((id, secret, previous_until, now))?;
    Ok(())
}

pub fn delete(conn: &Connection, id: i64) -> Result<()> {
    conn.prepare_cached("DELETE FROM webhooks WHERE id = ?1")?.execute([id])?;
    Ok(())
}

/// A change that a webhook is told of, as it was recorded.
#[derive(Clone, Debug, Default)]
pub struct Event {
    /// `X-Webhook-Id`.
    pub id: String,
    /// Such as `feature.updated`.
    pub name: String,
    /// Number of the change; `None` for one that is made up.
    pub number: Option<i64>,
    pub at: Millis,
    pub actor: String,
    pub site: Option<String>,
    pub environment: Option<String>,
    pub entity: String,
    pub entity_id: String,
    pub entity_key: String,
    pub action: String,
    /// `{"before", "after"}`
    pub payload: String,
}

const EVENT: &str =
    "SELECT o.uuid, o.event, c.number, c.at, c.actor, c.site, c.environment, c.entity, c.entity_id,
            c.entity_key, c.action, c.payload
       FROM outbox o JOIN changes c ON c.number = o.change_number";

fn event_from_row(row: &Row<'_>) -> rusqlite::Result<Event> {
    Ok(Event {
        id: row.get(0)?,
        name: row.get(1)?,
        number: Some(row.get(2)?),
        at: row.get(3)?,
        actor: row.get(4)?,
        site: row.get(5)?,
        environment: row.get(6)?,
        entity: row.get(7)?,
        entity_id: row.get(8)?,
        entity_key: row.get(9)?,
        action: row.get(10)?,
        payload: row.get(11)?,
    })
}

/// Which events a webhook is told of: those of its site, of its environment where it has one, by name; if it was told
/// of them when they happened, too.
const MATCHES: &str = "c.site = ?2 AND (?3 IS NULL OR c.environment = ?3)
            AND EXISTS (SELECT 1 FROM json_each(?4) j WHERE j.value = o.event)
            AND NOT EXISTS (
                SELECT 1 FROM json_each(?5) f
                 WHERE f.value ->> 'until' > c.number
                   AND NOT ((f.value ->> 'environment' IS NULL OR f.value ->> 'environment' IS c.environment)
                            AND EXISTS (SELECT 1 FROM json_each(f.value, '$.events') j WHERE j.value = o.event)))";

/// What a webhook was told of before the changes that were made to it behind its position, as JSON for [`MATCHES`]:
/// what it was not subscribed to when it happened is not sent to it later. The audit trail remembers.
fn filters_since(conn: &Connection, webhook: &Webhook) -> Result<String> {
    #[derive(serde::Deserialize)]
    struct Payload {
        before: Option<Before>,
    }
    #[derive(serde::Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Before {
        environment_id: Option<String>,
        events: Vec<String>,
    }
    // Mostly nothing was changed about it since, and a long trail need not be looked through.
    let first: Option<Millis> = conn
        .prepare_cached("SELECT at FROM changes WHERE number > ?1 ORDER BY number LIMIT 1")?
        .query_row([webhook.position], |row| row.get(0))
        .optional()?;
    if first.is_none_or(|first| webhook.updated_at < first) {
        return Ok("[]".into());
    }
    let mut statement = conn.prepare_cached(
        "SELECT number, payload FROM changes WHERE number > ?1 AND entity = 'webhook' AND entity_id = ?2",
    )?;
    let mut rows = statement.query((webhook.position, &webhook.uuid))?;
    let mut filters = Vec::new();
    while let Some(row) = rows.next()? {
        let until: i64 = row.get(0)?;
        let payload: String = row.get(1)?;
        let Ok(Payload { before: Some(before) }) = serde_json::from_str(&payload) else { continue };
        if before.environment_id != webhook.environment_uuid || before.events != webhook.settings.events {
            filters.push(serde_json::json!({
                "until": until, "environment": before.environment_id, "events": before.events,
            }));
        }
    }
    Ok(serde_json::Value::from(filters).to_string())
}

/// The next events that a webhook is owed, oldest first.
pub fn owed(conn: &Connection, webhook: &Webhook, limit: u32) -> Result<Vec<Event>> {
    let mut statement = conn.prepare_cached(&format!(
        "{EVENT} WHERE o.change_number > ?1 AND {MATCHES} ORDER BY o.change_number LIMIT ?6"
    ))?;
    let events = list_to_json(&webhook.settings.events);
    let filters = filters_since(conn, webhook)?;
    let rows = statement.query_map(
        (webhook.position, &webhook.site_uuid, &webhook.environment_uuid, events, filters, limit),
        event_from_row,
    )?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Whether a webhook is still owed the event of this change.
pub fn owes(conn: &Connection, webhook: &Webhook, number: i64) -> Result<bool> {
    let before = Webhook { position: number - 1, ..webhook.clone() };
    let next = if webhook.position < number { owed(conn, &before, 1)? } else { Vec::new() };
    Ok(next.first().is_some_and(|event| event.number == Some(number)))
}

/// How many events a webhook is owed.
pub fn owed_count(conn: &Connection, webhook: &Webhook) -> Result<u64> {
    let mut statement = conn.prepare_cached(&format!(
        "SELECT count(*) FROM outbox o JOIN changes c ON c.number = o.change_number
          WHERE o.change_number > ?1 AND {MATCHES}"
    ))?;
    let events = list_to_json(&webhook.settings.events);
    let filters = filters_since(conn, webhook)?;
    let count: i64 = statement.query_row(
        (webhook.position, &webhook.site_uuid, &webhook.environment_uuid, events, filters),
        |row| row.get(0),
    )?;
    Ok(count.unsigned_abs())
}

/// The newest event of that name in a site, where there was one.
pub fn newest_event(
    conn: &Connection,
    site: &str,
    environment: Option<&str>,
    name: &str,
) -> Result<Option<Event>> {
    let mut statement = conn.prepare_cached(&format!(
        "{EVENT} WHERE o.event = ?1 AND c.site = ?2 AND (?3 IS NULL OR c.environment = ?3)
          ORDER BY o.change_number DESC LIMIT 1"
    ))?;
    Ok(statement.query_row((name, site, environment), event_from_row).optional()?)
}

/// The event of a change, where it is still there.
pub fn event_of(conn: &Connection, number: i64) -> Result<Option<Event>> {
    let mut statement = conn.prepare_cached(&format!("{EVENT} WHERE o.change_number = ?1"))?;
    Ok(statement.query_row([number], event_from_row).optional()?)
}

/// Webhooks that may have something to do now: on, not somebody's, and not waiting to be tried again. Those that
/// were served longest ago come first.
pub fn due(conn: &Connection, now: Millis) -> Result<Vec<Webhook>> {
    let mut statement = conn.prepare_cached(&format!(
        "{SELECT} WHERE w.enabled AND w.leased_until <= ?1 AND w.due_at <= ?1
            AND w.position < coalesce((SELECT number FROM chain_head WHERE id = 1), 0)
          ORDER BY abs(w.leased_until), w.id"
    ))?;
    let rows = statement.query_map([now], from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Takes a webhook for as long as the lease, unless somebody else did meanwhile.
pub fn lease(conn: &Connection, webhook: &Webhook, now: Millis, until: Millis) -> Result<bool> {
    let changed = conn
        .prepare_cached(
            "UPDATE webhooks SET leased_until = ?3
              WHERE id = ?1 AND leased_until <= ?2 AND position = ?4 AND attempts = ?5 AND enabled",
        )?
        .execute((webhook.id, now, until, webhook.position, webhook.attempts))?;
    Ok(changed > 0)
}

/// Gives back what a process that is gone had taken.
pub fn release_all(conn: &Connection, now: Millis) -> Result<()> {
    conn.execute("UPDATE webhooks SET leased_until = 0 WHERE leased_until > ?1", [now])?;
    Ok(())
}

/// Where a webhook stands after some deliveries.
#[derive(Clone, Copy, Debug)]
pub struct Progress {
    pub position: i64,
    pub attempts: u32,
    pub due_at: Millis,
    pub failing_since: Option<Millis>,
    /// Not positive: free, whatever the clock says, and served last at minus that.
    pub leased_until: Millis,
}

/// Writes it down.
pub fn set_progress(conn: &Connection, id: i64, progress: &Progress) -> Result<()> {
    conn.prepare_cached(
        "UPDATE webhooks
            SET position = ?2, attempts = ?3, due_at = ?4, failing_since = ?5, leased_until = ?6
          WHERE id = ?1",
    )?
    .execute((
        id,
        progress.position,
        progress.attempts,
        progress.due_at,
        progress.failing_since,
        progress.leased_until,
    ))?;
    Ok(())
}

/// Moves a webhook past changes that it is done with; never back.
pub fn advance(conn: &Connection, id: i64, position: i64) -> Result<()> {
    conn.prepare_cached("UPDATE webhooks SET position = ?2, attempts = 0 WHERE id = ?1 AND position < ?2")?
        .execute((id, position))?;
    Ok(())
}

/// Gives back a webhook that was taken.
pub fn free(conn: &Connection, id: i64, leased_until: Millis) -> Result<()> {
    conn.prepare_cached("UPDATE webhooks SET leased_until = ?2 WHERE id = ?1")?
        .execute((id, leased_until))?;
    Ok(())
}

/// The receiver is back: what waits is tried now.
pub fn recovered(conn: &Connection, id: i64) -> Result<()> {
    conn.prepare_cached("UPDATE webhooks SET failing_since = NULL, due_at = 0 WHERE id = ?1")?
        .execute([id])?;
    Ok(())
}

/// How a try ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = DeliveryOutcome)]
pub enum Outcome {
    /// Answered with 2xx.
    Delivered,
    /// Not; events are tried again later.
    Failed,
    /// Not, for the last time.
    GivenUp,
}

impl Outcome {
    fn as_str(self) -> &'static str {
        match self {
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::GivenUp => "given_up",
        }
    }

    fn parse(text: &str) -> Self {
        match text {
            "delivered" => Self::Delivered,
            "given_up" => Self::GivenUp,
            _ => Self::Failed,
        }
    }
}

/// One try to tell a webhook of an event.
#[derive(Clone, Debug)]
pub struct Delivery {
    pub id: i64,
    pub uuid: String,
    pub event_id: String,
    pub event: String,
    /// `None`: a test.
    pub change_number: Option<i64>,
    pub attempt: u32,
    pub outcome: Outcome,
    pub at: Millis,
    pub status: Option<u16>,
    pub error: Option<String>,
    pub duration_ms: u64,
    /// JSON objects.
    pub request_headers: String,
    pub request_body: String,
    pub response_headers: String,
    pub response_body: String,
}

const DELIVERY: &str =
    "SELECT id, uuid, event_id, event, change_number, attempt, outcome, at, status, error, duration_ms,
            request_headers, request_body, response_headers, response_body FROM deliveries";

fn delivery_from_row(row: &Row<'_>) -> rusqlite::Result<Delivery> {
    let outcome: String = row.get(6)?;
    Ok(Delivery {
        id: row.get(0)?,
        uuid: row.get(1)?,
        event_id: row.get(2)?,
        event: row.get(3)?,
        change_number: row.get(4)?,
        attempt: row.get(5)?,
        outcome: Outcome::parse(&outcome),
        at: row.get(7)?,
        status: row.get(8)?,
        error: row.get(9)?,
        duration_ms: row.get::<_, i64>(10)?.unsigned_abs(),
        request_headers: row.get(11)?,
        request_body: row.get(12)?,
        response_headers: row.get(13)?,
        response_body: row.get(14)?,
    })
}

/// Writes a try into the log; gives its row.
pub fn log(conn: &Connection, webhook: i64, delivery: &Delivery) -> Result<i64> {
    conn.prepare_cached(
        "INSERT INTO deliveries (uuid, webhook_id, event_id, event, change_number, attempt, outcome, at, status, error,
                                 duration_ms, request_headers, request_body, response_headers, response_body)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    )?
    .execute(params![
        delivery.uuid,
        webhook,
        delivery.event_id,
        delivery.event,
        delivery.change_number,
        delivery.attempt,
        delivery.outcome.as_str(),
        delivery.at,
        delivery.status,
        delivery.error,
        delivery.duration_ms as i64,
        delivery.request_headers,
        delivery.request_body,
        delivery.response_headers,
        delivery.response_body,
    ])?;
    Ok(conn.last_insert_rowid())
}

/// A new id for a try.
pub fn delivery_id() -> String {
    Uuid::now_v7().to_string()
}

/// The log of a webhook, newest first, those before a row where it is given.
pub fn deliveries(conn: &Connection, webhook: i64, below: Option<i64>, limit: u64) -> Result<Vec<Delivery>> {
    let mut statement = conn
        .prepare_cached(&format!("{DELIVERY} WHERE webhook_id = ?1 AND id < ?2 ORDER BY id DESC LIMIT ?3"))?;
    let rows = statement.query_map((webhook, below.unwrap_or(i64::MAX), limit), delivery_from_row)?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// One try of a webhook.
pub fn delivery(conn: &Connection, webhook: i64, uuid: &str) -> Result<Delivery> {
    let row = conn
        .prepare_cached(&format!("{DELIVERY} WHERE webhook_id = ?1 AND uuid = ?2"))?
        .query_row((webhook, uuid), delivery_from_row);
    found(row, || format!("delivery {uuid}"))
}

/// Keeps the newest tries of a webhook.
pub fn prune_log(conn: &Connection, webhook: i64, keep: u32) -> Result<()> {
    conn.prepare_cached(
        "DELETE FROM deliveries
          WHERE webhook_id = ?1
            AND id <= (SELECT id FROM deliveries WHERE webhook_id = ?1 ORDER BY id DESC LIMIT 1 OFFSET ?2)",
    )?
    .execute((webhook, keep))?;
    Ok(())
}

/// Deletes tries older than this.
pub fn prune(conn: &Connection, before: Millis) -> Result<()> {
    conn.execute("DELETE FROM deliveries WHERE at < ?1", [before])?;
    Ok(())
}

/// Forgets secrets that sign no more.
pub fn forget_previous(conn: &Connection, now: Millis) -> Result<()> {
    conn.execute(
        "UPDATE webhooks SET previous_secret = NULL, previous_until = NULL WHERE previous_until <= ?1",
        [now],
    )?;
    Ok(())
}

/// The sealed secrets of all webhooks, with the ids they are sealed for.
pub fn secrets(conn: &Connection) -> Result<Vec<(String, Vec<u8>)>> {
    let mut statement = conn.prepare_cached("SELECT uuid, secret FROM webhooks")?;
    let rows = statement.query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

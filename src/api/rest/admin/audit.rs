//! `/audit` and `/audit:verify`.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use utoipa::ToSchema;

use crate::api::request::{Page, Query, invalid_cursor};
use crate::api::rest::answers::{Reads, Searches};
use crate::api::rest::params::{AuditQuery, PageQuery};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::blocking::{LONG_READS, block_in_turn};
use crate::clock::{self, Millis, rfc3339};
use crate::engine::diff::Difference;
use crate::engine::permission::Permission;
use crate::error::{Error, Result};
use crate::store;
use crate::store::changes::{AuditEntry, AuditFilter, Verification, verify};

/// One change, as the audit log shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AuditEntry, example = json!({
    "number": 412, "at": "2026-02-02T09:30:00.000Z", "actor": "ana", "address": "192.0.2.1",
    "siteId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0001", "environmentId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0003",
    "entity": "feature", "entityId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a01", "entityKey": "new_checkout",
    "action": "updated", "summary": "new_checkout: enabled true → false",
    "differences": [{"field": "enabled", "before": true, "after": false}]
}))]
pub struct View {
    pub number: i64,
    #[schema(format = DateTime)]
    pub at: String,
    pub actor: String,
    #[schema(required)]
    pub address: Option<String>,
    #[schema(required, format = Uuid)]
    pub site_id: Option<String>,
    #[schema(required, format = Uuid)]
    pub environment_id: Option<String>,
    pub entity: String,
    pub entity_id: String,
    pub entity_key: String,
    pub action: String,
    pub summary: String,
    pub differences: Vec<Difference>,
}

impl From<AuditEntry> for View {
    fn from(entry: AuditEntry) -> Self {
        Self {
            number: entry.number,
            at: rfc3339(entry.at),
            actor: entry.actor,
            address: entry.address,
            site_id: entry.site,
            environment_id: entry.environment,
            entity: entry.entity,
            entity_id: entry.entity_id,
            entity_key: entry.entity_key,
            action: entry.action,
            summary: entry.summary,
            differences: entry.differences,
        }
    }
}

fn time(query: &Query, name: &str) -> Result<Option<Millis>> {
    let Some(text) = query.get(name) else { return Ok(None) };
    match clock::parse(text) {
        Some(at) => Ok(Some(at)),
        None => Err(Error::invalid(name, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z")),
    }
}

/// Read the audit log
///
/// Every change, newest first: who made it, when, from where, and what differs.
#[utoipa::path(
    get,
    path = "/audit",
    operation_id = "listAuditEntries",
    tag = "Audit",
    security(("personalAccessToken" = [])),
    params(AuditQuery, PageQuery),
    responses(
        (status = 200, description = "A page of entries.", body = Page<View>),
        Searches,
    ),
)]
pub async fn list(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let known = ["site", "env", "actor", "entity", "action", "q", "from", "to", "limit", "cursor"];
    let query = Query::only(&req, &known)?;
    let limit = query.limit()?;
    let text = |name: &str| query.get(name).unwrap_or_default().to_owned();
    let below = query.cursor()?.map(|text| text.parse::<i64>().map_err(|_| invalid_cursor())).transpose()?;
    let mut filter = AuditFilter {
        q: text("q"),
        actor: text("actor"),
        entity: text("entity"),
        action: text("action"),
        since: time(&query, "from")?,
        until: time(&query, "to")?,
        below,
        limit: limit + 1,
        ..AuditFilter::default()
    };
    let (site, environment) = (query.get("site").map(str::to_owned), query.get("env").map(str::to_owned));
    if environment.is_some() && site.is_none() {
        return Err(Error::invalid("site", "is needed where env is given"));
    }
    let entries = block_in_turn(&LONG_READS, move || {
        app.read_consistent(|conn| {
            if let Some(site) = site {
                let site = store::sites::find(conn, &site)?;
                if let Some(name) = environment {
                    filter.environment = Some(store::environments::find(conn, site.id, &name)?.uuid);
                }
                filter.site = Some(site.uuid);
            }
            store::changes::list(conn, &filter)
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(Page::of(entries, limit, |entry| entry.number.to_string(), View::from)))
}

/// Check the audit log
///
/// Computes its chain of hashes anew: what was changed, taken out or cut off shows.
#[utoipa::path(
    post,
    path = "/audit:verify",
    operation_id = "verifyAudit",
    tag = "Audit",
    security(("personalAccessToken" = [])),
    responses(
        (status = 200, description = "What came of it.", body = Verification),
        Reads,
    ),
)]
pub async fn check(app: Data<App>, caller: Caller) -> Result<HttpResponse> {
    caller.0.require(Permission::Administer)?;
    let found = block_in_turn(&LONG_READS, move || app.read_consistent(verify)).await?;
    Ok(HttpResponse::Ok().json(found))
}

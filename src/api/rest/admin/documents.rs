//! `/sites/{site}/export`, `/sites/{site}/import`.

use std::borrow::Cow;

use actix_web::http::header::{ACCEPT, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;

use super::block;
use crate::admin::documents::{self, Mode, Plan};
use crate::api::ErrorBody;
use crate::api::request::{AnyBody, Body, Query, segment};
use crate::api::rest::answers::{StrictReads, Writes};
use crate::api::rest::params::{ImportQuery, SitePath};
use crate::app::App;
use crate::auth::extract::Caller;
use crate::engine::shapes::SiteDocument;
use crate::error::{Error, Result};
use crate::yaml;

/// Whether a media type is YAML (RFC 9512, and the names before it).
fn is_yaml(text: &str) -> bool {
    text.split(',').any(|one| {
        let essence = one.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
        matches!(essence.as_str(), "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml")
    })
}

/// A header's text; empty when there is none.
pub fn header(req: &HttpRequest, name: actix_web::http::header::HeaderName) -> &str {
    req.headers().get(name).and_then(|value| value.to_str().ok()).unwrap_or_default()
}

/// Export a site
///
/// The whole site as one document, for keeping flags in git: everything that evaluation sees, in a stable
/// order; not tokens, webhooks or people. Importing it again changes nothing.
#[utoipa::path(
    get,
    path = "/sites/{site}/export",
    operation_id = "exportSite",
    tag = "Documents",
    security(("personalAccessToken" = [])),
    params(SitePath),
    responses(
        (status = 200, description = "The document: JSON, or YAML where `Accept` asks for it.", content(
            (SiteDocument = "application/json"),
            (SiteDocument = "application/yaml"),
        )),
        StrictReads,
    ),
)]
pub async fn export(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    Query::only(&req, &[])?;
    let site = segment(&req, "site")?;
    answer_as(&req, move || documents::export(&app, &caller.0, &site)).await
}

/// Answers a document as JSON, or as YAML where `Accept` asks for it.
pub async fn answer_as<T: Serialize>(
    req: &HttpRequest,
    make: impl FnOnce() -> Result<T> + Send + 'static,
) -> Result<HttpResponse> {
    let as_yaml = is_yaml(header(req, ACCEPT));
    let text = block(move || {
        let json = serde_json::to_string(&make()?).map_err(Error::internal)?;
        if as_yaml { yaml::from_json(&json).map_err(Error::internal) } else { Ok(json) }
    })
    .await?;
    let media_type = if as_yaml { "application/yaml" } else { "application/json" };
    Ok(HttpResponse::Ok().content_type(media_type).body(text))
}

/// A document's body as JSON text, by its content type.
pub fn to_json<'b>(content_type: &str, body: &'b Body) -> Result<Cow<'b, str>> {
    if is_yaml(content_type) {
        if body.0.len() > MAX_YAML {
            return Err(Error::TooLarge(MAX_YAML));
        }
        let json = yaml::to_json(body.text()?)
            .map_err(|error| Error::BadJson(format!("the body is not YAML: {error}")))?;
        return Ok(json.into());
    }
    if content_type.to_ascii_lowercase().starts_with("application/json") {
        return body.text().map(Cow::Borrowed);
    }
    Err(Error::UnsupportedMediaType("application/json or application/yaml"))
}

/// `mode=merge` or `mode=replace`; `merge` when left out.
pub fn read_mode(query: &Query) -> Result<Mode> {
    match query.get("mode") {
        None | Some("merge") => Ok(Mode::Merge),
        Some("replace") => Ok(Mode::Replace),
        Some(_) => Err(Error::invalid("mode", "must be merge or replace")),
    }
}

/// YAML is read whole into memory many times its size, so it has a limit of its own.
const MAX_YAML: usize = 8 << 20;

/// Import a site
///
/// Makes the site as the document says. A feature is the unit: its rules are replaced whole. Everything is
/// checked before anything is written; one bad entry refuses the whole document with every problem listed by
/// path. Up to 64 MiB of JSON, 8 MiB of YAML.
#[utoipa::path(
    post,
    path = "/sites/{site}/import",
    operation_id = "importSite",
    tag = "Documents",
    security(("personalAccessToken" = [])),
    params(SitePath, ImportQuery),
    request_body(content(
        (SiteDocument = "application/json"),
        (SiteDocument = "application/yaml"),
    )),
    responses(
        (status = 200, description = "What was done, or would be.", body = Plan),
        (status = 409, description = "`locked`: locked features would change; `details.paths` says which. `in_use`: a segment that the document lacks is used by an environment it does not name. `limit_reached`: more environments, segments or Contexts than there may be. `environment_archived`: the environment is archived.", body = ErrorBody),
        Writes,
    ),
)]
pub async fn import(app: Data<App>, caller: Caller, req: HttpRequest, body: AnyBody) -> Result<HttpResponse> {
    let query = Query::only(&req, &["dryRun", "mode"])?;
    let dry_run = query.flag("dryRun")?;
    let mode = read_mode(&query)?;
    let site = segment(&req, "site")?;
    let content_type = header(&req, CONTENT_TYPE).to_owned();
    let plan = block(move || {
        let document = documents::read(&to_json(&content_type, &Body(body.0))?)?;
        documents::import(&app, &caller.0, &document, Some(&site), mode, dry_run)
    })
    .await?;
    Ok(HttpResponse::Ok().json(plan))
}

//! `…/contexts/{context}/features…` and `…/contexts:lookup`: what a subject's features resolve to, from memory.

use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Instant;

use actix_web::http::header::{CACHE_CONTROL, ETAG, HeaderValue};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use serde::Serialize;
use serde_json::value::{RawValue, to_raw_value};

use super::wire::{
    Asked, Batch, Looked, LookedOne, LookupAnswer, LookupRequest, Manner, require_key, require_prototypes,
    with_index,
};
use super::{Asker, asker};
use crate::admin::contexts::check::Faults;
use crate::api::request::{Body, Query, none_match, segment};
use crate::api::rest::answers::{ContextLookups, Explains};
use crate::api::rest::params::{
    ContextFeaturePath, ContextPath, EnvironmentPath, IfNoneMatch, KeysOnlyQuery, LookupQuery,
};
use crate::app::App;
use crate::auth::extract::Credential;
use crate::engine::lookup::Subject;
use crate::error::{Error, Result};

const PRIVATE: HeaderValue = HeaderValue::from_static("private, max-age=0, must-revalidate");

/// `Forbidden` when a publishable token asks for more than values.
fn require_explainable(asker: &Asker, manner: Manner) -> Result<()> {
    if manner.explain && asker.is_public {
        return Err(Error::Forbidden("explain needs a server token: it tells the keys of other Contexts"));
    }
    Ok(())
}

/// What the query says of the subject and the manner.
fn read_query(query: &Query, key: String) -> Result<(Subject, Manner)> {
    let prototypes: Vec<String> = list(query.get("prototypes"));
    let mut faults = Faults::default();
    require_key(&key, &mut faults);
    require_prototypes(&prototypes, &mut faults);
    faults.into_result()?;
    let manner = Manner {
        explain: query.flag("explain")?,
        typed: query.flag("typed")?,
        strict: query.flag("strict")?,
        rules: query.flag("rules")?,
    };
    Ok((Subject { key, prototypes, ..Subject::default() }, manner))
}

fn list(text: Option<&str>) -> Vec<String> {
    let parts = text.into_iter().flat_map(|text| text.split(','));
    parts.filter(|part| !part.is_empty()).map(str::to_owned).collect()
}

/// The entity tag of what depends on the revision and the request alone.
fn etag(asker: &Asker, req: &HttpRequest) -> String {
    let mut hasher = DefaultHasher::new();
    (asker.snapshot.info.id, req.path(), req.query_string()).hash(&mut hasher);
    format!("\"{}-{:016x}\"", asker.snapshot.revision, hasher.finish())
}

fn finish(who: &Credential, mut response: HttpResponse, etag: Option<&str>) -> HttpResponse {
    if let Some(Ok(value)) = etag.map(HeaderValue::from_str) {
        response.headers_mut().insert(ETAG, value);
        response.headers_mut().insert(CACHE_CONTROL, PRIVATE);
    }
    if let Credential::Client(key) = who {
        key.note_limit(&mut response);
    }
    response
}

/// Answers a GET, from its entity tag alone where nothing can have changed.
fn conditional(
    app: &App,
    who: &Credential,
    req: &HttpRequest,
    asker: &Asker,
    manner: Manner,
    write: impl FnOnce() -> Result<(Vec<u8>, bool)>,
) -> Result<HttpResponse> {
    let mut tag = etag(asker, req);
    // Rules may read the clock; the stored Contexts never do.
    let by_clock = manner.rules && asker.snapshot.reads_clock();
    if !by_clock && none_match(req.headers(), &tag) {
        return Ok(finish(who, HttpResponse::NotModified().finish(), Some(&tag)));
    }
    let started = Instant::now();
    let written = write();
    let result = match &written {
        Ok((_, true)) => "found",
        Ok((_, false)) => "unknown",
        Err(_) => "refused",
    };
    app.metrics.looked_up(result, started.elapsed());
    let (body, _) = written?;
    if by_clock {
        let mut hasher = DefaultHasher::new();
        (&tag, &body).hash(&mut hasher);
        tag = format!("\"{}-{:016x}\"", asker.snapshot.revision, hasher.finish());
        if none_match(req.headers(), &tag) {
            return Ok(finish(who, HttpResponse::NotModified().finish(), Some(&tag)));
        }
    }
    let response = HttpResponse::Ok().content_type("application/json").body(body);
    Ok(finish(who, response, Some(&tag)))
}

/// [`LookupAnswer`], of answers that are written already.
#[derive(Serialize)]
struct Answer {
    revision: u64,
    results: Vec<Box<RawValue>>,
}

fn no_feature(key: &str) -> Error {
    Error::Missing("feature_not_found", format!("feature {key}"))
}

/// Look a Context up
///
/// What every feature resolves to: in `override`, the Context, its prototypes depth first, `default`. A key that is not
/// stored is answered from `override` and `default`. Of a `client` token nothing but values is answered.
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/contexts/{context}/features",
    operation_id = "lookUpContext",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, KeysOnlyQuery, LookupQuery, IfNoneMatch),
    responses(
        (status = 200, description = "What the features resolve to.", body = Looked, headers(
            ("ETag" = String, description = "Of this answer; send it back as `If-None-Match`."),
            ("Cache-Control" = String, description = "`private, max-age=0, must-revalidate`"),
        )),
        (status = 304, description = "The answer is still the one that `If-None-Match` names."),
        ContextLookups,
    ),
)]
pub async fn all(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    let asker = asker(&app, &who, &req).await?;
    let known = ["keys", "explain", "typed", "prototypes", "strict", "rules"];
    let query = Query::only(&req, &known)?;
    let (subject, manner) = read_query(&query, segment(&req, "context")?)?;
    require_explainable(&asker, manner)?;
    let keys = query.get("keys").map(|text| list(Some(text)));
    if let Some(gone) = keys.iter().flatten().find(|key| asker.snapshot.feature(key).is_none()) {
        return Err(no_feature(gone));
    }
    conditional(&app, &who, &req, &asker, manner, || {
        let asked = Asked::new(&asker.snapshot, &subject, manner, app.now())?;
        let body =
            asked.all(keys.as_deref(), |answer| serde_json::to_vec(answer))?.map_err(Error::internal)?;
        Ok((body, asked.exists()))
    })
}

/// Look one feature of a Context up
#[utoipa::path(
    get,
    path = "/sites/{site}/environments/{environment}/contexts/{context}/features/{feature}",
    operation_id = "lookUpContextValue",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath, ContextPath, ContextFeaturePath, LookupQuery, IfNoneMatch),
    responses(
        (status = 200, description = "What it resolves to.", body = LookedOne, headers(
            ("ETag" = String, description = "Of this answer; send it back as `If-None-Match`."),
            ("Cache-Control" = String, description = "`private, max-age=0, must-revalidate`"),
        )),
        (status = 304, description = "The answer is still the one that `If-None-Match` names."),
        ContextLookups,
    ),
)]
pub async fn one(app: Data<App>, who: Credential, req: HttpRequest) -> Result<HttpResponse> {
    let asker = asker(&app, &who, &req).await?;
    let query = Query::only(&req, &["explain", "typed", "prototypes", "strict", "rules"])?;
    let (subject, manner) = read_query(&query, segment(&req, "context")?)?;
    require_explainable(&asker, manner)?;
    let name = segment(&req, "feature")?;
    let feature = asker.snapshot.feature(&name).ok_or_else(|| no_feature(&name))?;
    conditional(&app, &who, &req, &asker, manner, || {
        let asked = Asked::new(&asker.snapshot, &subject, manner, app.now())?;
        let body = asked.one(feature, |answer| serde_json::to_vec(answer))?.map_err(Error::internal)?;
        Ok((body, asked.exists()))
    })
}

/// Look many subjects up
///
/// Up to 100, by key or described by prototypes and values that are not stored, all from one revision. An invalid one
/// fails the whole request with its `index`.
#[utoipa::path(
    post,
    path = "/sites/{site}/environments/{environment}/contexts:lookup",
    operation_id = "lookUpContexts",
    tag = "Contexts",
    security(("personalAccessToken" = []), ("environmentToken" = [])),
    params(EnvironmentPath),
    request_body = LookupRequest,
    responses(
        (status = 200, description = "One answer for each subject, in their order.", body = LookupAnswer),
        (status = 410, description = "The environment is archived.", body = crate::api::ErrorBody),
        Explains,
    ),
)]
pub async fn batch(app: Data<App>, who: Credential, req: HttpRequest, body: Body) -> Result<HttpResponse> {
    let asker = asker(&app, &who, &req).await?;
    let batch = Batch::read(body.text()?, &asker.snapshot)?;
    require_explainable(&asker, batch.manner)?;
    let mut results: Vec<Box<RawValue>> = Vec::with_capacity(batch.subjects.len());
    for (at, subject) in batch.subjects.iter().enumerate() {
        let started = Instant::now();
        let answered = Asked::new(&asker.snapshot, subject, batch.manner, app.now()).and_then(|asked| {
            let value =
                asked.all(batch.keys.as_deref(), |answer| to_raw_value(answer))?.map_err(Error::internal)?;
            Ok((value, asked.exists()))
        });
        let result = match &answered {
            Ok((_, true)) => "found",
            Ok((_, false)) => "unknown",
            Err(_) => "refused",
        };
        app.metrics.looked_up(result, started.elapsed());
        results.push(answered.map_err(|error| with_index(error, at))?.0);
    }
    let answer = Answer { revision: asker.snapshot.revision, results };
    Ok(finish(&who, HttpResponse::Ok().json(answer), None))
}

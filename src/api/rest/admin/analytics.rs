//! `/analytics/…`: what was counted, as JSON or, with `format=csv`, as a file for spreadsheets; and
//! `/sites/{site}/analytics`: what a site decides about counting.

use actix_web::http::header::{CONTENT_DISPOSITION, CONTENT_TYPE};
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use rusqlite::Connection;
use serde::Serialize;
use utoipa::{IntoParams, ToSchema};

use super::block;
use crate::admin::analytics::comparison::{self, View as Comparison};
use crate::admin::analytics::settings::{self, ChangeShape, View as SettingsView};
use crate::admin::analytics::stale::{self, View as Stale};
use crate::admin::analytics::{self, Day, FieldFigures, Question, RuleFigures, Summary};
use crate::admin::scope;
use crate::api::request::{Body, Query, segment};
use crate::api::rest::answers::{Reads, Searches, Writes};
use crate::api::rest::params::SitePath;
use crate::app::App;
use crate::auth::extract::Caller;
use crate::blocking::{LONG_READS, block_in_turn};
use crate::engine::decode::FieldError;
use crate::engine::permission::Permission;
use crate::error::{Error, Result};

/// What is asked about: an environment.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct AnalyticsQuery {
    /// Id or slug of the site.
    #[param(example = "shop")]
    pub site: String,
    /// Id or name of the environment.
    #[param(example = "prod")]
    pub env: String,
}

/// Which part of it.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct RangeQuery {
    /// Key of one feature; all of them when left out.
    #[param(example = "new_checkout")]
    pub feature: Option<String>,
    /// The first day: a date, or a time whose day in UTC it is; 29 days before `to` when left out.
    #[param(example = "2026-01-01")]
    pub from: Option<String>,
    /// The last day, which is included; today when left out.
    #[param(example = "2026-01-30")]
    pub to: Option<String>,
}

/// In which form.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct FormatQuery {
    /// `csv` for a file, `json` when left out.
    #[param(inline)]
    pub format: Option<Format>,
}

#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Format {
    Json,
    Csv,
}

/// Which success to compare by, and with whom.
#[derive(IntoParams)]
#[into_params(parameter_in = Query)]
pub struct ComparisonQuery {
    /// The event that counts as a success; the first by name when left out.
    #[param(example = "purchase")]
    pub event: Option<String>,
    /// The variant that the others are compared with; the feature's first when left out.
    #[param(example = "control")]
    pub control: Option<String>,
}

/// The days of a range.
#[derive(Serialize, ToSchema)]
pub struct Days {
    /// Every day of the range, also those without evaluations.
    pub items: Vec<Day>,
}

/// What rules answered.
#[derive(Serialize, ToSchema)]
pub struct Rules {
    /// The busiest first.
    pub items: Vec<RuleFigures>,
}

/// What contexts held.
#[derive(Serialize, ToSchema)]
pub struct Fields {
    /// By name.
    pub items: Vec<FieldFigures>,
}

/// Features that nobody would miss.
#[derive(Serialize, ToSchema)]
pub struct StaleFeatures {
    /// The longest stale first.
    pub items: Vec<Stale>,
}

/// The parameters that every question may have.
const COMMON: [&str; 6] = ["site", "env", "feature", "from", "to", "format"];

fn required<'q>(query: &'q Query, name: &str) -> std::result::Result<&'q str, FieldError> {
    query.get(name).ok_or_else(|| FieldError { field: name.into(), message: "is required".into() })
}

/// Both names, or every one that is missing.
fn names(query: &Query) -> Result<(String, String)> {
    match (required(query, "site"), required(query, "env")) {
        (Ok(site), Ok(env)) => Ok((site.to_owned(), env.to_owned())),
        (site, env) => Err(Error::Invalid([site.err(), env.err()].into_iter().flatten().collect())),
    }
}

/// Asks on a thread where that may take its time.
async fn ask<T: Send + 'static>(
    app: Data<App>,
    caller: &Caller,
    query: &Query,
    answer: impl FnOnce(&App, &Connection, &Question) -> Result<T> + Send + 'static,
) -> Result<T> {
    caller.0.require(Permission::Read)?;
    let (site, env) = names(query)?;
    let days = analytics::read_days(query.get("from"), query.get("to"), app.now())?;
    let feature = query.get("feature").map(str::to_owned);
    block_in_turn(&LONG_READS, move || {
        app.read_consistent(|conn| {
            let environment = scope(conn, &site, &env)?.1.id;
            answer(&app, conn, &Question::new(&app, environment, feature.as_deref(), days)?)
        })
    })
    .await
}

/// Whether the answer is to be CSV.
fn is_csv(query: &Query) -> Result<bool> {
    match query.get("format") {
        None | Some("json") => Ok(false),
        Some("csv") => Ok(true),
        Some(_) => Err(Error::invalid("format", "must be json or csv")),
    }
}

/// One cell. Spreadsheets take text that begins like a formula for one, so that gets an apostrophe in front (OWASP "CSV
/// injection"): what clients sent stands here.
fn push_cell(out: &mut String, text: &str) {
    let formula = text.starts_with(['=', '+', '-', '@', '\t', '\r']) && text.parse::<f64>().is_err();
    let quoted = formula || text.contains(['"', ',', '\n', '\r']);
    if !quoted {
        out.push_str(text);
        return;
    }
    out.push('"');
    if formula {
        out.push('\'');
    }
    out.push_str(&text.replace('"', "\"\""));
    out.push('"');
}

/// A file of rows (RFC 4180).
fn csv(name: &str, head: &[&str], rows: impl Iterator<Item = Vec<String>>) -> HttpResponse {
    let mut out = head.join(",");
    out.push_str("\r\n");
    for row in rows {
        for (at, cell) in row.iter().enumerate() {
            if at > 0 {
                out.push(',');
            }
            push_cell(&mut out, cell);
        }
        out.push_str("\r\n");
    }
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, "text/csv; charset=utf-8"))
        .insert_header((CONTENT_DISPOSITION, format!("attachment; filename=\"{name}.csv\"")))
        .body(out)
}

fn text<T: ToString>(value: Option<T>) -> String {
    value.map(|value| value.to_string()).unwrap_or_default()
}

/// The figures of a range
///
/// Evaluations, different users, and evaluations for each of them. Users are those of the contexts (`userId`), kept as
/// hashes.
#[utoipa::path(
    get,
    path = "/analytics/summary",
    operation_id = "analyticsSummary",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(AnalyticsQuery, RangeQuery),
    responses((status = 200, description = "The figures.", body = Summary), Searches),
)]
pub async fn summary(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let query = Query::only(&req, &COMMON[..5])?;
    let (summary, _) =
        ask(app, &caller, &query, |_, conn, question| analytics::summary(conn, question)).await?;
    Ok(HttpResponse::Ok().json(summary))
}

/// The figures of each day
#[utoipa::path(
    get,
    path = "/analytics/daily",
    operation_id = "analyticsDaily",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(AnalyticsQuery, RangeQuery, FormatQuery),
    responses(
        (status = 200, description = "Every day of the range.", content((Days = "application/json"), (String = "text/csv"))),
        Searches,
    ),
)]
pub async fn daily(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let query = Query::only(&req, &COMMON)?;
    let as_csv = is_csv(&query)?;
    let (_, items) =
        ask(app, &caller, &query, |_, conn, question| analytics::summary(conn, question)).await?;
    if as_csv {
        let row = |day: Day| vec![day.day, day.evaluations.to_string(), day.unique_users.to_string()];
        return Ok(csv("daily", &["day", "evaluations", "uniqueUsers"], items.into_iter().map(row)));
    }
    Ok(HttpResponse::Ok().json(Days { items }))
}

/// What rules answered
///
/// How often each rule decided, and with which value.
#[utoipa::path(
    get,
    path = "/analytics/rules",
    operation_id = "analyticsRules",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(AnalyticsQuery, RangeQuery, FormatQuery),
    responses(
        (status = 200, description = "The rules that answered, and what was answered without one.",
            content((Rules = "application/json"), (String = "text/csv"))),
        Searches,
    ),
)]
pub async fn rules(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let query = Query::only(&req, &COMMON)?;
    let as_csv = is_csv(&query)?;
    let items = ask(app, &caller, &query, |_, conn, question| analytics::rules(conn, question)).await?;
    if as_csv {
        let head = ["feature", "ruleId", "rule", "priority", "variant", "value", "evaluations"];
        let rows = items.iter().flat_map(|rule| {
            rule.outcomes.iter().map(|outcome| {
                vec![
                    rule.feature.clone(),
                    text(rule.rule_id.as_deref()),
                    text(rule.rule.as_deref()),
                    text(rule.priority),
                    text(outcome.variant.as_deref()),
                    outcome.value.clone(),
                    outcome.evaluations.to_string(),
                ]
            })
        });
        return Ok(csv("rules", &head, rows));
    }
    Ok(HttpResponse::Ok().json(Rules { items }))
}

/// What contexts held
///
/// The most frequent values of the context fields that rules look at, but for those that the site excludes.
#[utoipa::path(
    get,
    path = "/analytics/contexts",
    operation_id = "analyticsContexts",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(AnalyticsQuery, RangeQuery, FormatQuery),
    responses(
        (status = 200, description = "The fields by name.", content((Fields = "application/json"), (String = "text/csv"))),
        Searches,
    ),
)]
pub async fn contexts(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let query = Query::only(&req, &COMMON)?;
    let as_csv = is_csv(&query)?;
    let items = ask(app, &caller, &query, |_, conn, question| analytics::contexts(conn, question)).await?;
    if as_csv {
        let rows = items.iter().flat_map(|field| {
            let row =
                |value: &str, count: u64| vec![field.field.clone(), value.to_owned(), count.to_string()];
            let rest = (field.other > 0).then(|| row("", field.other));
            field.values.iter().map(move |value| row(&value.value, value.count)).chain(rest)
        });
        return Ok(csv("contexts", &["field", "value", "count"], rows));
    }
    Ok(HttpResponse::Ok().json(Fields { items }))
}

/// Compare variants
///
/// How many of the people who were first given a variant in the range did it afterwards, each variant tested against
/// the control; and whether people were split as the weights say.
#[utoipa::path(
    get,
    path = "/analytics/variants",
    operation_id = "analyticsVariants",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(AnalyticsQuery, RangeQuery, ComparisonQuery, FormatQuery),
    responses(
        (status = 200, description = "The comparison. `feature` is required.",
            content((Comparison = "application/json"), (String = "text/csv"))),
        Searches,
    ),
)]
pub async fn variants(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let known = [COMMON.as_slice(), &["event", "control"]].concat();
    let query = Query::only(&req, &known)?;
    let as_csv = is_csv(&query)?;
    let (event, control) = (query.get("event").map(str::to_owned), query.get("control").map(str::to_owned));
    let view = ask(app, &caller, &query, move |_, conn, question| {
        comparison::compare(conn, question, event.as_deref(), control.as_deref())
    })
    .await?;
    if as_csv {
        let head = ["variant", "people", "converted", "rate", "low", "high", "value", "difference", "pValue"];
        let rows = view.variants.iter().map(|row| {
            let compared = row.comparison.as_ref();
            vec![
                row.variant.clone(),
                row.people.to_string(),
                row.converted.to_string(),
                row.rate.to_string(),
                row.interval[0].to_string(),
                row.interval[1].to_string(),
                row.value.to_string(),
                text(compared.map(|it| it.difference)),
                text(compared.and_then(|it| it.p_value)),
            ]
        });
        return Ok(csv("variants", &head, rows));
    }
    Ok(HttpResponse::Ok().json(view))
}

/// List stale features
///
/// Features that nobody asks for, or whose answer has been the same for everybody for long. The thresholds are the
/// site's.
#[utoipa::path(
    get,
    path = "/analytics/stale",
    operation_id = "analyticsStale",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(AnalyticsQuery),
    responses((status = 200, description = "The stale features.", body = StaleFeatures), Searches),
)]
pub async fn stale(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    caller.0.require(Permission::Read)?;
    let (site, env) = names(&Query::only(&req, &["site", "env"])?)?;
    let items = block_in_turn(&LONG_READS, move || {
        app.read_consistent(|conn| {
            let (site, environment) = scope(conn, &site, &env)?;
            stale::list(&app, conn, site.id, environment.id)
        })
    })
    .await?;
    Ok(HttpResponse::Ok().json(StaleFeatures { items }))
}

/// Read a site's analytics settings
#[utoipa::path(
    get,
    path = "/sites/{site}/analytics",
    operation_id = "getAnalyticsSettings",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(SitePath),
    responses((status = 200, description = "The settings.", body = SettingsView), Reads),
)]
pub async fn get_settings(app: Data<App>, caller: Caller, req: HttpRequest) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let found = block(move || settings::find(&app, &caller.0, &site)).await?;
    Ok(HttpResponse::Ok().json(SettingsView::from(&found)))
}

/// Change a site's analytics settings
///
/// What was counted of fields that are excluded now is deleted.
#[utoipa::path(
    patch,
    path = "/sites/{site}/analytics",
    operation_id = "updateAnalyticsSettings",
    tag = "Analytics",
    security(("personalAccessToken" = [])),
    params(SitePath),
    request_body = ChangeShape,
    responses((status = 200, description = "The settings as they are now.", body = SettingsView), Writes),
)]
pub async fn update_settings(
    app: Data<App>,
    caller: Caller,
    req: HttpRequest,
    body: Body,
) -> Result<HttpResponse> {
    let site = segment(&req, "site")?;
    let changed = block(move || settings::update(&app, &caller.0, &site, body.text()?)).await?;
    Ok(HttpResponse::Ok().json(SettingsView::from(&changed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cells_are_quoted_and_never_formulas() {
        for (text, expected) in [
            ("plain", "plain"),
            ("a,b", "\"a,b\""),
            ("say \"hi\"", "\"say \"\"hi\"\"\""),
            ("=1+1", "\"'=1+1\""),
            ("@x", "\"'@x\""),
            ("-0.25", "-0.25"),
            ("-x", "\"'-x\""),
            ("two\nlines", "\"two\nlines\""),
        ] {
            let mut out = String::new();
            push_cell(&mut out, text);
            assert_eq!(out, expected);
        }
    }
}

//! What was counted, put together for the pages and the API; and what a site decides about counting.

pub mod comparison;
pub mod settings;
pub mod stale;

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::clock::{self, DAY, Millis};
use crate::engine::snapshot::Snapshot;
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::ids::EnvironmentId;
use crate::store::analytics::read::{self, Days, Scope};

/// Days that are shown when nobody says which.
const USUAL_DAYS: i64 = 30;
/// More are not asked for at once.
const MAX_DAYS: i64 = 3660;
/// Values of a context field that are shown.
const TOP: usize = 20;

/// Of what, and of which days.
pub struct Question {
    pub environment: EnvironmentId,
    pub snapshot: Arc<Snapshot>,
    /// Key and time of making.
    pub feature: Option<(String, Millis)>,
    pub days: Days,
}

impl Question {
    /// `NotFound` when the environment does not have the feature.
    pub fn new(app: &App, environment: EnvironmentId, feature: Option<&str>, days: Days) -> Result<Self> {
        let live = app.live.environment(environment);
        let snapshot = live.ok_or_else(|| Error::NotFound("this environment".into()))?.snapshot();
        let feature = match feature {
            None => None,
            Some(key) => {
                let found = snapshot.feature(key).ok_or_else(|| Error::NotFound(format!("feature {key}")))?;
                Some((key.to_owned(), found.stored.created_at))
            }
        };
        Ok(Self { environment, snapshot, feature, days })
    }

    fn scope(&self) -> Scope<'_> {
        let feature = self.feature.as_ref().map(|(key, at)| (key.as_str(), *at));
        Scope { environment: self.environment, feature }
    }
}

/// Reads `from` and `to`: dates, both included, or times, whose days (UTC) are. The last 30 days when left out.
pub fn read_days(from: Option<&str>, to: Option<&str>, now: Millis) -> Result<Days> {
    let read = |name: &str, text: &str| {
        let time = if text.len() == 10 { format!("{text}T00:00:00Z") } else { text.to_owned() };
        clock::parse(&time)
            .filter(|at| *at >= 0)
            .map(|at| at.div_euclid(DAY))
            .ok_or_else(|| Error::invalid(name, "must be a date such as 2026-01-31, or an RFC 3339 time"))
    };
    let last = to.map_or_else(|| Ok(now.div_euclid(DAY)), |text| read("to", text))?;
    let first = from.map_or_else(|| Ok(last - USUAL_DAYS + 1), |text| read("from", text))?;
    if first > last {
        return Err(Error::invalid("from", "must not be after to"));
    }
    if last - first >= MAX_DAYS {
        return Err(Error::invalid("from", format!("must be less than {MAX_DAYS} days before to")));
    }
    Ok(Days { first: clock::day(first * DAY), last: clock::day(last * DAY) })
}

/// The days of a range, one by one.
pub fn each_day(days: &Days) -> Vec<String> {
    let number = |day: &str| clock::parse(&format!("{day}T00:00:00Z")).map_or(0, |at| at.div_euclid(DAY));
    (number(&days.first)..=number(&days.last)).map(|day| clock::day(day * DAY)).collect()
}

/// The whole in three figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AnalyticsSummary, example = json!({
    "from": "2026-01-01", "to": "2026-01-30", "evaluations": 31439, "uniqueUsers": 621, "averagePerUser": 50.63
}))]
pub struct Summary {
    #[schema(format = Date)]
    pub from: String,
    #[schema(format = Date)]
    pub to: String,
    pub evaluations: u64,
    /// Exact up to 500, then within about 1.6 %.
    pub unique_users: u64,
    /// Evaluations for each of them; 0 where no evaluation named a user.
    pub average_per_user: f64,
}

/// One day's figures.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AnalyticsDay, example = json!({"day": "2026-01-30", "evaluations": 1040, "uniqueUsers": 98}))]
pub struct Day {
    /// In UTC.
    #[schema(format = Date)]
    pub day: String,
    pub evaluations: u64,
    pub unique_users: u64,
}

/// The whole, and each day of the range, also those without any.
pub fn summary(conn: &Connection, question: &Question) -> Result<(Summary, Vec<Day>)> {
    let mut found = read::daily(conn, question.scope(), &question.days)?;
    let mut all = crate::live::counters::sketch::Sketch::default();
    let mut evaluations = 0;
    let days = each_day(&question.days)
        .into_iter()
        .map(|day| {
            let figures = found.remove(&day).unwrap_or_default();
            all.merge(&figures.people);
            evaluations += figures.evaluations;
            Day { day, evaluations: figures.evaluations, unique_users: figures.people.count() }
        })
        .collect();
    let unique_users = all.count();
    let average = if unique_users == 0 { 0.0 } else { evaluations as f64 / unique_users as f64 };
    let summary = Summary {
        from: question.days.first.clone(),
        to: question.days.last.clone(),
        evaluations,
        unique_users,
        average_per_user: (average * 100.0).round() / 100.0,
    };
    Ok((summary, days))
}

/// What one rule of a feature answered, or what was answered without a rule.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = RuleFigures, example = json!({
    "feature": "new_checkout", "ruleId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "rule": "Nordic beta", "priority": 50,
    "evaluations": 400, "share": 0.4, "outcomes": [{"variant": null, "value": "true", "evaluations": 400, "share": 1.0}]
}))]
pub struct RuleFigures {
    pub feature: String,
    /// `null`: the default, a switched-off feature, a stored Context or the override.
    #[schema(required)]
    pub rule_id: Option<String>,
    /// Its name; `null` without a rule, or when the rule is gone.
    #[schema(required)]
    pub rule: Option<String>,
    #[schema(required)]
    pub priority: Option<u8>,
    pub evaluations: u64,
    /// Of the feature's evaluations, 0 to 1.
    pub share: f64,
    /// The most frequent first.
    pub outcomes: Vec<OutcomeFigures>,
}

/// One value that a rule gave.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = OutcomeFigures)]
pub struct OutcomeFigures {
    #[schema(required)]
    pub variant: Option<String>,
    /// JSON text, or `sha256:…` of one longer than 200 bytes; `others` is all beyond a thousand outcomes a day.
    pub value: String,
    pub evaluations: u64,
    /// Of the rule's evaluations, 0 to 1.
    pub share: f64,
}

fn share(part: u64, whole: u64) -> f64 {
    if whole == 0 { 0.0 } else { part as f64 / whole as f64 }
}

/// How often each rule answered, the busiest first.
pub fn rules(conn: &Connection, question: &Question) -> Result<Vec<RuleFigures>> {
    let outcomes = read::outcomes(conn, question.scope(), &question.days)?;
    let mut totals: HashMap<&str, u64> = HashMap::new();
    let mut figures: Vec<RuleFigures> = Vec::new();
    for outcome in &outcomes {
        *totals.entry(&outcome.feature).or_default() += outcome.count;
    }
    for outcome in &outcomes {
        let at = figures
            .iter()
            .rposition(|figures| figures.feature == outcome.feature && figures.rule_id == outcome.rule);
        let at = at.unwrap_or_else(|| {
            let definition = question.snapshot.feature(&outcome.feature).map(|feature| feature.definition());
            let rule = definition
                .zip(outcome.rule.as_deref())
                .and_then(|(it, id)| it.rules.iter().find(|rule| rule.id.to_string() == id));
            figures.push(RuleFigures {
                feature: outcome.feature.clone(),
                rule_id: outcome.rule.clone(),
                rule: rule.map(|rule| rule.name.clone()),
                priority: rule.map(|rule| rule.priority),
                evaluations: 0,
                share: 0.0,
                outcomes: Vec::new(),
            });
            figures.len() - 1
        });
        let figures = &mut figures[at];
        figures.evaluations += outcome.count;
        figures.outcomes.push(OutcomeFigures {
            variant: outcome.variant.clone(),
            value: outcome.value.clone(),
            evaluations: outcome.count,
            share: 0.0,
        });
    }
    for rule in &mut figures {
        rule.share = share(rule.evaluations, totals.get(rule.feature.as_str()).copied().unwrap_or_default());
        for outcome in &mut rule.outcomes {
            outcome.share = share(outcome.evaluations, rule.evaluations);
        }
    }
    figures.sort_by(|a, b| b.evaluations.cmp(&a.evaluations).then_with(|| a.feature.cmp(&b.feature)));
    Ok(figures)
}

/// How often the values of one context field came.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = FieldFigures, example = json!({
    "field": "country", "count": 1000, "values": [{"value": "SE", "count": 700, "share": 0.7}], "other": 300
}))]
pub struct FieldFigures {
    pub field: String,
    /// Contexts with the field; each entry of a list counts.
    pub count: u64,
    /// The 20 most frequent.
    pub values: Vec<ValueFigures>,
    /// All that are not among `values`.
    pub other: u64,
}

/// One value of a context field.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ValueFigures)]
pub struct ValueFigures {
    pub value: String,
    pub count: u64,
    /// Of the field's, 0 to 1.
    pub share: f64,
}

/// The most frequent values of the context fields that rules look at.
pub fn contexts(conn: &Connection, question: &Question) -> Result<Vec<FieldFigures>> {
    let looked_at = |field: &str| match &question.feature {
        None => true,
        Some((key, _)) => question
            .snapshot
            .feature(key)
            .is_some_and(|feature| feature.attributes.iter().any(|name| **name == *field)),
    };
    let mut figures: Vec<FieldFigures> = Vec::new();
    for row in read::fields(conn, question.scope(), &question.days)? {
        if !looked_at(&row.field) {
            continue;
        }
        if figures.last().is_none_or(|figures| figures.field != row.field) {
            figures.push(FieldFigures { field: row.field, count: 0, values: Vec::new(), other: 0 });
        }
        let Some(field) = figures.last_mut() else { continue };
        field.count += row.count;
        match row.value {
            Some(value) if field.values.len() < TOP => {
                field.values.push(ValueFigures { value, count: row.count, share: 0.0 });
            }
            _ => field.other += row.count,
        }
    }
    for field in &mut figures {
        for value in &mut field.values {
            value.share = share(value.count, field.count);
        }
    }
    Ok(figures)
}

/// A counted value as JSON, where it was not too long to be kept.
pub fn value_of(text: &str) -> Option<Json> {
    Json::parse(text)
}

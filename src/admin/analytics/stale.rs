//! Features that nobody would miss: not asked for, or the same for everybody for long.

use std::collections::HashMap;
use std::sync::Arc;

use rusqlite::Connection;
use serde::Serialize;
use utoipa::ToSchema;

use super::DAY;
use crate::app::App;
use crate::clock::{Millis, rfc3339};
use crate::engine::compile::Feature;
use crate::engine::feature::{Outcome, Percent};
use crate::engine::value::Json;
use crate::error::Result;
use crate::ids::{EnvironmentId, SiteId};
use crate::store;
use crate::store::analytics::Settings;
use crate::store::analytics::read::{self, Use};

/// The setting that says when counting began.
const SINCE: &str = "analytics_since";

/// Why a feature is stale.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, ToSchema)]
#[serde(rename_all = "SCREAMING_SNAKE_CASE")]
#[schema(as = StaleReason)]
pub enum Reason {
    /// Nobody asks for it.
    Unasked,
    /// It is on, answers everybody the same, and has not been changed.
    Unchanged,
    /// Everybody who asks gets the same value.
    SameValue,
}

/// A stale feature: why, and for how many days.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stale {
    pub reason: Reason,
    pub days: i64,
}

impl Stale {
    /// In words, as a note beside the feature.
    pub fn words(self) -> String {
        let Self { reason, days } = self;
        match reason {
            Reason::Unasked => format!("Stale: not asked for {days}\u{a0}d"),
            Reason::Unchanged => format!("Stale: 100\u{a0}% for {days}\u{a0}d"),
            Reason::SameValue => format!("Stale: same value for {days}\u{a0}d"),
        }
    }
}

/// What is needed to tell which features of an environment are stale.
pub struct Uses {
    settings: Settings,
    uses: HashMap<String, Use>,
    /// When counting began; `None`: evaluations are not counted.
    since: Option<Millis>,
}

impl Uses {
    /// For all features of the environment, or for these.
    pub fn load(
        app: &App,
        conn: &Connection,
        site: SiteId,
        id: EnvironmentId,
        keys: Option<&[&str]>,
    ) -> Result<Self> {
        let since = store::settings::read(conn, SINCE)?.and_then(|text| text.parse().ok());
        Ok(Self {
            settings: store::analytics::settings(conn, site)?,
            uses: read::uses(conn, id, keys)?,
            since: since.filter(|_| app.live.counters.is_on()),
        })
    }

    /// When a feature was last evaluated.
    pub fn last(&self, key: &str) -> Option<Millis> {
        self.uses.get(key).map(|used| used.last_at)
    }

    /// Whether and why a feature is stale.
    pub fn stale(&self, feature: &Feature, now: Millis) -> Option<Stale> {
        let days = |since: Millis| (now - since).div_euclid(DAY);
        let made = feature.stored.created_at;
        let used = self.uses.get(&*feature.key);
        // Whoever was handed the rules evaluates without anybody counting.
        let handed_out = self.uses.get("").map_or(i64::MIN, |used| used.last_at);
        if let Some(since) = self.since {
            let last = used.map_or(made.max(since), |used| used.last_at).max(handed_out).max(made);
            if days(last) >= i64::from(self.settings.unasked_days) {
                return Some(Stale { reason: Reason::Unasked, days: days(last) });
            }
        }
        let unchanged = days(feature.stored.updated_at);
        let threshold = i64::from(self.settings.unchanged_days);
        if unchanged >= threshold && is_settled(feature) {
            return Some(Stale { reason: Reason::Unchanged, days: unchanged });
        }
        let same = used.filter(|used| used.value.is_some()).map(|used| days(used.same_since.max(made)));
        same.filter(|same| *same >= threshold && self.since.is_some())
            .map(|days| Stale { reason: Reason::SameValue, days })
    }
}

/// Whether a feature is on and all who ask for it are answered the same by its rules.
fn is_settled(feature: &Feature) -> bool {
    let definition = feature.definition();
    let mut values: Vec<Option<&str>> = Vec::new();
    let mut falls_through = true;
    let rules = definition.rules.iter().zip(&feature.rules).filter(|(rule, _)| rule.enabled);
    for (rule, compiled) in rules {
        if rule.rollout.as_ref().is_some_and(|rollout| rollout.percentage != Percent::FULL) {
            return false;
        }
        match &rule.outcome {
            Outcome::Value(value) => values.push(Some(value.as_str())),
            Outcome::Split(arms) => {
                let given = arms.iter().filter(|arm| arm.weight.0 > 0);
                let of = |key: &str| definition.variants.iter().find(|variant| variant.key == key);
                values.extend(given.map(|arm| of(&arm.variant).map(|variant| variant.value.as_str())));
            }
        }
        if compiled.unconditional {
            falls_through = false;
            break;
        }
    }
    if falls_through {
        values.push(definition.default_value.as_ref().map(Json::as_str));
    }
    definition.enabled && values.windows(2).all(|pair| pair[0] == pair[1])
}

/// A stale feature as the API shows it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = StaleFeature, example = json!({
    "feature": "old_search", "reason": "UNASKED", "days": 41, "lastEvaluatedAt": "2026-01-01T12:00:00.000Z",
    "createdAt": "2025-10-01T12:00:00.000Z", "updatedAt": "2025-10-01T12:00:00.000Z"
}))]
pub struct View {
    pub feature: String,
    pub reason: Reason,
    /// For how many days that has been so.
    pub days: i64,
    #[schema(required, format = DateTime)]
    pub last_evaluated_at: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl View {
    /// Why it is stale, in words.
    pub fn words(&self) -> String {
        Stale { reason: self.reason, days: self.days }.words()
    }
}

/// The stale features of an environment, the longest stale first.
pub fn list(app: &App, conn: &Connection, site: SiteId, environment: EnvironmentId) -> Result<Vec<View>> {
    let uses = Uses::load(app, conn, site, environment, None)?;
    let Some(live) = app.live.environment(environment) else { return Ok(Vec::new()) };
    let now = app.now();
    let view = |feature: &Arc<Feature>| {
        let stale = uses.stale(feature, now)?;
        Some(View {
            feature: feature.key.to_string(),
            reason: stale.reason,
            days: stale.days,
            last_evaluated_at: uses.last(&feature.key).map(rfc3339),
            created_at: rfc3339(feature.stored.created_at),
            updated_at: rfc3339(feature.stored.updated_at),
        })
    };
    let mut found: Vec<View> = live.snapshot().features().filter_map(view).collect();
    found.sort_by(|a, b| b.days.cmp(&a.days).then_with(|| a.feature.cmp(&b.feature)));
    Ok(found)
}

/// Remembers when counting began, the first time.
pub fn note_beginning(app: &App) -> Result<()> {
    let writer = app.store.writer();
    if !app.live.counters.is_on() || store::settings::read(&writer, SINCE)?.is_some() {
        return Ok(());
    }
    store::settings::write(&writer, SINCE, &app.now().to_string())
}

//! What analytics asks.

use std::collections::{BTreeMap, HashMap};

use rusqlite::{Connection, Row};

use crate::clock::Millis;
use crate::error::Result;
use crate::ids::EnvironmentId;
use crate::live::counters::sketch::Sketch;

/// Whose counts: of an environment, or of one feature in it, which was made at a time.
#[derive(Clone, Copy, Debug)]
pub struct Scope<'a> {
    pub environment: EnvironmentId,
    pub feature: Option<(&'a str, Millis)>,
}

impl Scope<'_> {
    fn key(&self) -> Option<&str> {
        self.feature.map(|(key, _)| key)
    }

    /// What the newest feature of an audience must be at least.
    fn made_at(&self) -> Millis {
        self.feature.map_or(0, |(_, at)| at)
    }
}

/// Days, `2026-01-31`, both included.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Days {
    pub first: String,
    pub last: String,
}

/// One day's figures.
#[derive(Debug, Default)]
pub struct Day {
    pub evaluations: u64,
    pub people: Sketch,
}

/// Evaluations and people of each day that has any.
pub fn daily(conn: &Connection, scope: Scope<'_>, days: &Days) -> Result<BTreeMap<String, Day>> {
    let mut found: BTreeMap<String, Day> = BTreeMap::new();
    let mut statement = conn.prepare_cached(
        "SELECT day, sum(count) FROM evaluation_counts
          WHERE environment_id = ?1 AND day BETWEEN ?2 AND ?3 AND (?4 IS NULL OR feature = ?4)
          GROUP BY day",
    )?;
    let rows = statement.query_map((scope.environment, &days.first, &days.last, scope.key()), |row| {
        Ok((row.get::<_, String>(0)?, row.get(1)?))
    })?;
    for row in rows {
        let (day, evaluations) = row?;
        found.entry(day).or_default().evaluations = evaluations;
    }
    let mut statement = conn.prepare_cached(
        "SELECT day, sketch FROM audiences
          WHERE environment_id = ?1 AND day BETWEEN ?2 AND ?3
            AND (?4 IS NULL OR feature = ?4 OR (feature = '' AND since >= ?5))",
    )?;
    let arguments = (scope.environment, &days.first, &days.last, scope.key(), scope.made_at());
    let rows =
        statement.query_map(arguments, |row| Ok((row.get::<_, String>(0)?, row.get::<_, Vec<u8>>(1)?)))?;
    for row in rows {
        let (day, bytes) = row?;
        found.entry(day).or_default().people.merge(&Sketch::from_bytes(&bytes));
    }
    Ok(found)
}

/// Whether anything was counted in an environment that is still kept.
pub fn any(conn: &Connection, environment: EnvironmentId) -> Result<bool> {
    Ok(conn
        .prepare_cached("SELECT 1 FROM evaluation_counts WHERE environment_id = ?1")?
        .exists([environment])?)
}

/// How often one outcome of one feature was given.
#[derive(Clone, Debug)]
pub struct Outcome {
    pub feature: String,
    pub rule: Option<String>,
    pub variant: Option<String>,
    pub value: String,
    pub count: u64,
}

/// Every outcome, those of a feature together, the most frequent first.
pub fn outcomes(conn: &Connection, scope: Scope<'_>, days: &Days) -> Result<Vec<Outcome>> {
    let mut statement = conn.prepare_cached(
        "SELECT feature, rule, variant, value, sum(count) FROM evaluation_counts
          WHERE environment_id = ?1 AND day BETWEEN ?2 AND ?3 AND (?4 IS NULL OR feature = ?4)
          GROUP BY feature, rule, variant, value
          ORDER BY feature, 5 DESC, rule, variant, value",
    )?;
    let named = |row: &Row<'_>, at: usize| -> rusqlite::Result<Option<String>> {
        Ok(Some(row.get::<_, String>(at)?).filter(|text| !text.is_empty()))
    };
    let rows = statement.query_map((scope.environment, &days.first, &days.last, scope.key()), |row| {
        Ok(Outcome {
            feature: row.get(0)?,
            rule: named(row, 1)?,
            variant: named(row, 2)?,
            value: row.get(3)?,
            count: row.get(4)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// A value of a context field; `None`: those that are not kept by themselves.
#[derive(Clone, Debug)]
pub struct FieldCount {
    pub field: String,
    pub value: Option<String>,
    pub count: u64,
}

/// The values of context fields, those of a field together, the most frequent first.
pub fn fields(conn: &Connection, scope: Scope<'_>, days: &Days) -> Result<Vec<FieldCount>> {
    let mut statement = conn.prepare_cached(
        "SELECT field, value, sum(count) FROM field_counts
          WHERE environment_id = ?1 AND day BETWEEN ?2 AND ?3
            AND (?4 IS NULL OR feature = ?4 OR (feature = '' AND since >= ?5))
          GROUP BY field, value
          ORDER BY field, 3 DESC, value",
    )?;
    let arguments = (scope.environment, &days.first, &days.last, scope.key(), scope.made_at());
    let rows = statement.query_map(arguments, |row| {
        let value: String = row.get(1)?;
        Ok(FieldCount {
            field: row.get(0)?,
            value: value.strip_prefix('=').map(str::to_owned),
            count: row.get(2)?,
        })
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// The names of successes that were reported in an environment.
pub fn events(conn: &Connection, environment: EnvironmentId) -> Result<Vec<String>> {
    let mut statement = conn
        .prepare_cached("SELECT DISTINCT event FROM conversions WHERE environment_id = ?1 ORDER BY event")?;
    let rows = statement.query_map([environment], |row| row.get(0))?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// People whom one rule gave one variant, and what they did afterwards.
#[derive(Clone, Debug)]
pub struct Arm {
    pub rule: String,
    pub variant: String,
    pub people: u64,
    pub converted: u64,
    pub total: f64,
}

/// A feature's variants and what became of those who were given one.
#[derive(Debug)]
pub struct Arms {
    pub arms: Vec<Arm>,
    /// People who were given several variants; they are in no arm.
    pub mixed: u64,
    /// The share of people who take part.
    pub share: f64,
}

/// Those who were first given a variant in these days, and whether the event happened to them after that. What they did
/// is known by the day: all of a day counts once something of it was later.
pub fn arms(
    conn: &Connection,
    environment: EnvironmentId,
    feature: &str,
    event: &str,
    days: &Days,
) -> Result<Arms> {
    let below = super::limit(conn, environment.0, "feature", feature)?
        .below
        .min(super::limit(conn, environment.0, "event", event)?.below);
    let time = |day: &str, clock: &str| crate::clock::parse(&format!("{day}T{clock}Z")).unwrap_or_default();
    let (first, last) = (time(&days.first, "00:00:00"), time(&days.last, "23:59:59.999"));
    let mut statement = conn.prepare_cached(
        "WITH seen AS (SELECT person, min(variant) AS variant, min(rule) AS rule, min(first_at) AS first_at,
                              count(DISTINCT variant) AS variants
                         FROM exposures
                        WHERE environment_id = ?1 AND feature = ?2 AND person < ?3 AND first_at <= ?5
                        GROUP BY person HAVING min(first_at) >= ?4),
              done AS (SELECT seen.*, count(c.person) > 0 AS converted, sum(c.total) AS total
                         FROM seen LEFT JOIN conversions AS c
                              ON c.environment_id = ?1 AND c.event = ?6 AND c.person = seen.person
                             AND c.day BETWEEN ?7 AND ?8 AND c.last_at >= seen.first_at
                        GROUP BY seen.person)
         SELECT variants > 1, CASE WHEN variants > 1 THEN '' ELSE rule END AS by_rule,
                CASE WHEN variants > 1 THEN '' ELSE variant END AS given,
                count(*), sum(converted), coalesce(sum(total), 0.0)
           FROM done
          GROUP BY 1, 2, 3",
    )?;
    let arguments = (environment, feature, below, first, last, event, &days.first, &days.last);
    let rows = statement.query_map(arguments, |row| {
        let arm = Arm {
            rule: row.get(1)?,
            variant: row.get(2)?,
            people: row.get(3)?,
            converted: row.get(4)?,
            total: row.get(5)?,
        };
        Ok((row.get::<_, bool>(0)?, arm))
    })?;
    let mut found = Arms { arms: Vec::new(), mixed: 0, share: below as f64 / i64::MAX as f64 };
    for row in rows {
        match row? {
            (true, arm) => found.mixed += arm.people,
            (false, arm) => found.arms.push(arm),
        }
    }
    Ok(found)
}

/// When a feature was last evaluated, and since when always to one value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Use {
    pub last_at: Millis,
    /// JSON, or `sha256:…` of a long one; `None`: to several of late.
    pub value: Option<String>,
    pub same_since: Millis,
}

/// The uses of an environment's features by key, of all or of these; those of rule sets that were handed out, under
/// the empty one.
pub fn uses(
    conn: &Connection,
    environment: EnvironmentId,
    keys: Option<&[&str]>,
) -> Result<HashMap<String, Use>> {
    let keys = keys.map(serde_json::to_string).transpose().map_err(crate::error::Error::internal)?;
    let mut statement = conn.prepare_cached(if keys.is_some() {
        "SELECT feature, last_at, value, same_since FROM feature_uses
          WHERE environment_id = ?1 AND (feature IN (SELECT value FROM json_each(?2)) OR feature = '')"
    } else {
        "SELECT feature, last_at, value, same_since FROM feature_uses WHERE environment_id = ?1 AND ?2 IS NULL"
    })?;
    let rows = statement.query_map((environment, keys), |row| {
        Ok((row.get(0)?, Use { last_at: row.get(1)?, value: row.get(2)?, same_since: row.get(3)? }))
    })?;
    Ok(rows.collect::<rusqlite::Result<_>>()?)
}

/// Evaluations of some features on each of these days, in their order; nothing for a feature without any.
pub fn sparks(
    conn: &Connection,
    environment: EnvironmentId,
    keys: &[&str],
    days: &[String],
) -> Result<HashMap<String, Vec<u64>>> {
    let json = |list: serde_json::Result<String>| list.map_err(crate::error::Error::internal);
    let (all_keys, all_days) = (json(serde_json::to_string(keys))?, json(serde_json::to_string(days))?);
    // Each feature on each day is looked up by itself: the rest of those days may be much.
    let mut statement = conn.prepare_cached(
        "SELECT counts.feature, days.key, sum(counts.count)
           FROM json_each(?2) AS days CROSS JOIN json_each(?3) AS keys
           CROSS JOIN evaluation_counts AS counts
                ON counts.environment_id = ?1 AND counts.day = days.value AND counts.feature = keys.value
          GROUP BY counts.feature, days.key",
    )?;
    let rows = statement.query_map((environment, all_days, all_keys), |row| {
        Ok((row.get::<_, String>(0)?, row.get::<_, usize>(1)?, row.get(2)?))
    })?;
    let mut found: HashMap<String, Vec<u64>> = HashMap::new();
    for row in rows {
        let (feature, day, count) = row?;
        if let Some(place) = found.entry(feature).or_insert_with(|| vec![0; days.len()]).get_mut(day) {
            *place = count;
        }
    }
    Ok(found)
}

//! The tables of analytics: `evaluation_counts`, `audiences`, `field_counts`, `exposures`, `conversions`,
//! `feature_uses`, `analytics_settings`. Here is what is written; [`read`] asks.

mod bounded;
pub mod read;
mod settings;

use std::collections::{HashMap, HashSet};

use rusqlite::{Connection, OptionalExtension};

use crate::clock::{self, Millis};
use crate::engine::snapshot::is_uncounted;
use crate::error::Result;
use crate::ids::EnvironmentId;
use crate::live::counters::sketch::Sketch;
use crate::live::counters::{Audience, Conversion, Converted, Count, Exposure, FieldValue, Pending};
use bounded::{OUTCOMES, VALUES};
pub use settings::{Settings, forget_fields, save_settings, settings};

/// So many people of one feature, and of one event, are kept for the comparison of variants; of more, a part
/// chosen by hash.
const MAX_PEOPLE: i64 = 50_000;
/// The value of outcomes that are counted together, which no JSON is.
pub const OTHERS: &str = "others";
/// So many events of an environment are kept.
pub const MAX_EVENTS: i64 = 200;

/// What became of what was to be written.
#[derive(Debug, Default)]
pub struct Outcome {
    /// Limits of the comparison that became narrower: environment, feature, hash.
    pub narrowed: Vec<(i64, String, u64)>,
    /// Successes of events that there was no room for.
    pub dropped: u64,
}

/// Adds what was counted; of environments that are gone, nothing.
pub fn write(conn: &Connection, pending: &Pending, now: Millis) -> Result<Outcome> {
    let excluded = settings::excluded(conn)?;
    let there = |environment: i64| excluded.contains_key(&environment);
    write_counts(conn, pending.counts.iter().filter(|(count, _)| there(count.environment)))?;
    write_uses(conn, pending.counts.keys().filter(|count| there(count.environment)), now)?;
    for ((audience, day), sketch) in &pending.people {
        if there(audience.environment) {
            add_people(conn, audience, day, sketch)?;
        }
    }
    write_values(conn, pending, &excluded)?;
    let exposures = pending.exposures.iter().filter(|(exposure, _)| there(exposure.environment));
    let mut outcome = Outcome { narrowed: write_exposures(conn, exposures)?, dropped: 0 };
    for (conversion, converted) in &pending.conversions {
        if there(conversion.environment) && !add_conversion(conn, conversion, converted)? {
            outcome.dropped += converted.count;
        }
    }
    Ok(outcome)
}

/// Outcomes; those of a feature that has too many that day as [`OTHERS`].
fn write_counts<'p>(conn: &Connection, counts: impl Iterator<Item = (&'p Count, &'p u64)>) -> Result<()> {
    let mut kept: HashMap<(i64, &str, &str), Option<i64>> = HashMap::new();
    for (count, times) in counts {
        let Count { environment, day, feature, rule, variant, value } = count;
        let [rule, variant] = [rule, variant].map(|name| name.as_deref().unwrap_or_default());
        OUTCOMES.add(
            conn,
            &[environment, day, feature],
            [&[&rule, &variant, value], &[&"", &"", &OTHERS]],
            *times,
            kept.entry((*environment, day, feature)).or_default(),
        )?;
    }
    Ok(())
}

/// When each feature was last evaluated, and since when always to the same value.
fn write_uses<'p>(conn: &Connection, counts: impl Iterator<Item = &'p Count>, now: Millis) -> Result<()> {
    let today = clock::day(now);
    let mut uses: HashMap<(i64, &str), (Millis, HashSet<&str>)> = HashMap::new();
    for count in counts {
        let at =
            if count.day == today { Some(now) } else { clock::parse(&format!("{}T23:59:59Z", count.day)) };
        let at = at.unwrap_or(now).min(now);
        let (last, values) = uses.entry((count.environment, &count.feature)).or_default();
        *last = at.max(*last);
        values.insert(&count.value);
    }
    let mut statement = conn.prepare_cached(
        "INSERT INTO feature_uses (environment_id, feature, first_at, last_at, value, same_since)
         VALUES (?1, ?2, ?3, ?3, ?4, ?3)
         ON CONFLICT (environment_id, feature) DO UPDATE
            SET last_at    = max(last_at, excluded.last_at),
                same_since = CASE WHEN value IS excluded.value AND value IS NOT NULL
                                  THEN same_since ELSE max(last_at, excluded.last_at) END,
                value      = CASE WHEN value IS excluded.value OR excluded.last_at >= last_at
                                  THEN excluded.value END",
    )?;
    for ((environment, feature), (at, values)) in uses {
        let only = values.iter().next().filter(|_| values.len() == 1);
        statement.execute((environment, feature, at, only))?;
    }
    Ok(())
}

fn add_people(conn: &Connection, audience: &Audience, day: &str, sketch: &Sketch) -> Result<()> {
    let feature = audience.feature.as_deref().unwrap_or_default();
    let key = (audience.environment, day, feature, audience.since);
    let stored: Option<Vec<u8>> = conn
        .prepare_cached(
            "SELECT sketch FROM audiences WHERE environment_id = ?1 AND day = ?2 AND feature = ?3 AND since = ?4",
        )?
        .query_row(key, |row| row.get(0))
        .optional()?;
    let mut merged = stored.as_deref().map(Sketch::from_bytes).unwrap_or_default();
    merged.merge(sketch);
    let bytes = merged.to_bytes();
    if stored.as_deref() != Some(&bytes) {
        conn.prepare_cached(
            "INSERT INTO audiences (environment_id, day, feature, since, sketch) VALUES (?1, ?2, ?3, ?4, ?5)
             ON CONFLICT (environment_id, day, feature, since) DO UPDATE SET sketch = excluded.sketch",
        )?
        .execute((key.0, key.1, key.2, key.3, bytes))?;
    }
    Ok(())
}

/// Values of context fields that are not excluded by now. An empty text stands for all that are not kept by themselves.
fn write_values(conn: &Connection, pending: &Pending, excluded: &HashMap<i64, Vec<String>>) -> Result<()> {
    let mut kept: HashMap<(&Audience, &str, &str), Option<i64>> = HashMap::new();
    let mut out: HashMap<(i64, &str), bool> = HashMap::new();
    for (FieldValue { audience, day, field, value }, times) in &pending.values {
        let is_out = out.entry((audience.environment, field)).or_insert_with(|| {
            excluded.get(&audience.environment).is_none_or(|excluded| is_uncounted(excluded, field))
        });
        if *is_out {
            continue;
        }
        let feature = audience.feature.as_deref().unwrap_or_default();
        // The letter keeps an empty value apart from the rest.
        let value = value.as_ref().map(|value| format!("={value}")).unwrap_or_default();
        VALUES.add(
            conn,
            &[&audience.environment, day, &feature, &audience.since, field],
            [&[&value], &[&""]],
            *times,
            kept.entry((audience, day, field)).or_default(),
        )?;
    }
    Ok(())
}

/// A hash as SQLite keeps it: 63 bits, so that it compares as it does here.
fn stored(person: u64) -> i64 {
    (person >> 1) as i64
}

/// People below this (63 bits) are kept, and how many those are.
struct Limit {
    below: i64,
    people: i64,
}

fn limit(conn: &Connection, environment: i64, kind: &str, name: &str) -> Result<Limit> {
    let found = conn
        .prepare_cached(
            "SELECT below, people FROM comparison_limits WHERE environment_id = ?1 AND kind = ?2 AND name = ?3",
        )?
        .query_row((environment, kind, name), |row| Ok(Limit { below: row.get(0)?, people: row.get(1)? }))
        .optional()?;
    Ok(found.unwrap_or(Limit { below: i64::MAX, people: 0 }))
}

/// Keeps the limit, halved as often as it takes to keep no more than the maximum; whether it was.
fn keep_limit(
    conn: &Connection,
    environment: i64,
    kind: &str,
    name: &str,
    limit: &mut Limit,
) -> Result<bool> {
    let (table, column) = if kind == "feature" { ("exposures", "feature") } else { ("conversions", "event") };
    let mut narrowed = false;
    while limit.people > MAX_PEOPLE && limit.below > 1 {
        limit.below /= 2;
        narrowed = true;
        let deleted = conn
            .prepare_cached(&format!(
                "DELETE FROM {table} WHERE environment_id = ?1 AND {column} = ?2 AND person >= ?3"
            ))?
            .execute((environment, name, limit.below))?;
        limit.people -= i64::try_from(deleted).unwrap_or(i64::MAX);
    }
    conn.prepare_cached(
        "INSERT INTO comparison_limits (environment_id, kind, name, below, people) VALUES (?1, ?2, ?3, ?4, ?5)
         ON CONFLICT (environment_id, kind, name) DO UPDATE SET below = excluded.below, people = excluded.people",
    )?
    .execute((environment, kind, name, limit.below, limit.people))?;
    Ok(narrowed)
}

fn write_exposures<'p>(
    conn: &Connection,
    exposures: impl Iterator<Item = (&'p Exposure, &'p Millis)>,
) -> Result<Vec<(i64, String, u64)>> {
    let mut limits: HashMap<(i64, &str), Limit> = HashMap::new();
    for (exposure, at) in exposures {
        let key = (exposure.environment, exposure.feature.as_str());
        let limit = match limits.get_mut(&key) {
            Some(limit) => limit,
            None => {
                let found = limit(conn, exposure.environment, "feature", &exposure.feature)?;
                limits.entry(key).or_insert(found)
            }
        };
        if stored(exposure.person) >= limit.below {
            continue;
        }
        let Exposure { environment, feature, rule, variant, person } = exposure;
        let key = (environment, feature, stored(*person), rule, variant, at);
        let added = conn
            .prepare_cached(
                "INSERT INTO exposures (environment_id, feature, person, rule, variant, first_at)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
            )?
            .execute(key)?;
        if added == 0 {
            // It may be told of late.
            conn.prepare_cached(
                "UPDATE exposures SET first_at = ?6 WHERE environment_id = ?1 AND feature = ?2 AND person = ?3
                    AND rule = ?4 AND variant = ?5 AND first_at > ?6",
            )?
            .execute(key)?;
        }
        limit.people += i64::try_from(added).unwrap_or_default();
    }
    let mut all = Vec::new();
    for ((environment, feature), mut limit) in limits {
        keep_limit(conn, environment, "feature", feature, &mut limit)?;
        if limit.below < i64::MAX {
            all.push((environment, feature.to_owned(), (limit.below as u64) << 1));
        }
    }
    Ok(all)
}

/// Adds a success; false when the environment has too many kinds of them.
fn add_conversion(conn: &Connection, conversion: &Conversion, converted: &Converted) -> Result<bool> {
    let Conversion { environment, event, day, person } = conversion;
    let mut limit = limit(conn, *environment, "event", event)?;
    if stored(*person) >= limit.below {
        return Ok(true);
    }
    if limit.people == 0 {
        let events: i64 = conn
            .prepare_cached(
                "SELECT count(*) FROM comparison_limits WHERE environment_id = ?1 AND kind = 'event'",
            )?
            .query_row([environment], |row| row.get(0))?;
        if events >= MAX_EVENTS {
            return Ok(false);
        }
    }
    let key = (environment, event, stored(*person), day);
    let updated = conn
        .prepare_cached(
            "UPDATE conversions SET count = count + ?5, last_at = max(last_at, ?6), total = total + ?7
              WHERE environment_id = ?1 AND event = ?2 AND person = ?3 AND day = ?4",
        )?
        .execute((key.0, key.1, key.2, key.3, converted.count, converted.last_at, converted.total))?;
    if updated == 0 {
        conn.prepare_cached(
            "INSERT INTO conversions (environment_id, event, person, day, count, last_at, total)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
        )?
        .execute((
            key.0,
            key.1,
            key.2,
            key.3,
            converted.count,
            converted.last_at,
            converted.total,
        ))?;
        limit.people += 1;
        keep_limit(conn, *environment, "event", event, &mut limit)?;
    }
    Ok(true)
}

/// Notes when whole rule sets were last handed to clients who evaluate by themselves: their features may be in use
/// without anybody counting.
pub fn note_handed_out(conn: &Connection, environment: EnvironmentId, at: Millis) -> Result<()> {
    conn.prepare_cached(
        "INSERT INTO feature_uses (environment_id, feature, first_at, last_at, value, same_since)
         SELECT id, '', ?2, ?2, NULL, ?2 FROM environments WHERE id = ?1
         ON CONFLICT (environment_id, feature) DO UPDATE SET last_at = max(last_at, excluded.last_at)",
    )?
    .execute((environment, at))?;
    Ok(())
}

/// Deletes what one person was given and did.
pub fn forget(conn: &Connection, person: u64) -> Result<()> {
    for table in ["exposures", "conversions"] {
        conn.execute(&format!("DELETE FROM {table} WHERE person = ?1"), [stored(person)])?;
    }
    Ok(())
}

/// Deletes what is from before a time.
pub fn prune(conn: &Connection, before: Millis) -> Result<()> {
    let day = clock::day(before);
    for table in ["evaluation_counts", "audiences", "field_counts", "conversions"] {
        conn.prepare_cached(&format!("DELETE FROM {table} WHERE day < ?1"))?.execute([&day])?;
    }
    conn.prepare_cached("DELETE FROM exposures WHERE first_at < ?1")?.execute([before])?;
    // When a feature was last asked for is known as long as there is the feature.
    conn.prepare_cached(
        "DELETE FROM feature_uses
          WHERE last_at < ?1 AND feature <> ''
            AND NOT EXISTS (SELECT 1 FROM features AS f
                             WHERE f.environment_id = feature_uses.environment_id AND f.key = feature)",
    )?
    .execute([before])?;
    // People who are gone make room for others.
    conn.prepare_cached(
        "UPDATE comparison_limits
            SET people = CASE kind
                WHEN 'feature' THEN (SELECT count(*) FROM exposures e
                                      WHERE e.environment_id = comparison_limits.environment_id AND e.feature = name)
                ELSE (SELECT count(*) FROM conversions c
                       WHERE c.environment_id = comparison_limits.environment_id AND c.event = name) END",
    )?
    .execute([])?;
    conn.prepare_cached("DELETE FROM comparison_limits WHERE people = 0")?.execute([])?;
    Ok(())
}

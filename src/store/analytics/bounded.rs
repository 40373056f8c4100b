//! Counts that a program outside can make up any number of: so many are kept, the others are counted together.

use rusqlite::{Connection, ToSql};

use crate::error::Result;

/// So many values of one context field are kept a day; the others are counted together.
const MAX_VALUES: i64 = 1000;
/// So many outcomes of one feature are kept a day; the others are counted together. A program that reports its own
/// evaluations could make up any number.
const MAX_OUTCOMES: i64 = 1000;

/// Counts of one kind: rows of a group, of which so many are kept, and one for all others.
pub struct Kind {
    /// Adds to a row: what its group is, which row of it, and how much.
    add: &'static str,
    /// How many rows a group has.
    count: &'static str,
    /// Makes a row, told as to `add`.
    insert: &'static str,
    most: i64,
}

pub const OUTCOMES: Kind = Kind {
    add: "UPDATE evaluation_counts SET count = count + ?7
           WHERE environment_id = ?1 AND day = ?2 AND feature = ?3 AND rule = ?4 AND variant = ?5 AND value = ?6",
    count: "SELECT count(*) FROM evaluation_counts WHERE environment_id = ?1 AND day = ?2 AND feature = ?3",
    insert: "INSERT INTO evaluation_counts (environment_id, day, feature, rule, variant, value, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    most: MAX_OUTCOMES,
};

pub const VALUES: Kind = Kind {
    add: "UPDATE field_counts SET count = count + ?7
           WHERE environment_id = ?1 AND day = ?2 AND feature = ?3 AND since = ?4 AND field = ?5 AND value = ?6",
    count: "SELECT count(*) FROM field_counts
             WHERE environment_id = ?1 AND day = ?2 AND feature = ?3 AND since = ?4 AND field = ?5",
    insert: "INSERT INTO field_counts (environment_id, day, feature, since, field, value, count)
             VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    most: MAX_VALUES,
};

impl Kind {
    /// Adds to a row of a group; to its rest when it has too many. `kept`: how many it has, once that is known.
    pub fn add(
        &self,
        conn: &Connection,
        group: &[&dyn ToSql],
        [row, rest]: [&[&dyn ToSql]; 2],
        times: u64,
        kept: &mut Option<i64>,
    ) -> Result<()> {
        let run = |sql: &str, row: &[&dyn ToSql]| {
            conn.prepare_cached(sql)?.execute(&*[group, row, &[&times]].concat())
        };
        if run(self.add, row)? > 0 {
            return Ok(());
        }
        let count = match *kept {
            Some(count) => count,
            None => conn.prepare_cached(self.count)?.query_row(group, |row| row.get(0))?,
        };
        *kept = Some(count);
        let row = if count < self.most { row } else { rest };
        if count < self.most || run(self.add, rest)? == 0 {
            run(self.insert, row)?;
            *kept = Some(count + 1);
        }
        Ok(())
    }
}

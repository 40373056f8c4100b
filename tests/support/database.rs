//! Looking into the database behind the application's back.

use std::collections::BTreeMap;

use rusqlite::types::ValueRef;
use serde_json::Value;

use featured::app::App;

use super::TestApp;

/// Every row of every table, as text.
#[derive(Debug, PartialEq)]
pub struct Dump(BTreeMap<String, Vec<String>>);

impl Dump {
    /// How many rows a table has.
    pub fn rows(&self, table: &str) -> usize {
        self.0[table].len()
    }

    /// Which tables differ.
    pub fn differing<'d>(&'d self, other: &'d Dump) -> Vec<&'d str> {
        self.0.iter().filter(|(name, rows)| other.0[*name] != **rows).map(|(name, _)| name.as_str()).collect()
    }
}

/// One row of the audit trail, as far as most tests look at it.
#[derive(Debug)]
pub struct ChangeRow {
    pub entity: String,
    pub action: String,
    pub key: String,
    pub actor: String,
    pub address: Option<String>,
    pub version: Option<u64>,
    pub revision: Option<u64>,
    pub summary: String,
    /// `{"before", "after"}`
    pub payload: Value,
    /// The event in the outbox.
    pub event: Option<String>,
}

impl ChangeRow {
    /// `feature created`
    pub fn what(&self) -> String {
        format!("{} {}", self.entity, self.action)
    }
}

impl Dump {
    /// Everything that is stored.
    pub fn of(app: &App) -> Self {
        let conn = app.store.read().expect("a connection");
        let mut names =
            conn.prepare_cached("SELECT name FROM sqlite_schema WHERE type = 'table'").expect("SQL");
        let names = names.query_map([], |row| row.get::<_, String>(0)).expect("tables");
        let names: Vec<String> = names.collect::<rusqlite::Result<_>>().expect("names");
        let rows = |table: &str| {
            let mut statement = conn.prepare_cached(&format!("SELECT * FROM {table}")).expect("SQL");
            let columns = statement.column_count();
            let rows = statement.query_map([], |row| {
                (0..columns).map(|at| row.get_ref(at).map(show)).collect::<rusqlite::Result<Vec<_>>>()
            });
            let rows = rows.expect("rows").collect::<rusqlite::Result<Vec<_>>>().expect("rows");
            rows.into_iter().map(|columns| columns.join("|")).collect()
        };
        Dump(names.into_iter().map(|name| (name.clone(), rows(&name))).collect())
    }
}

impl TestApp {
    /// Everything that is stored.
    pub fn dump(&self) -> Dump {
        Dump::of(&self.app)
    }

    /// The audit trail, oldest first.
    pub fn changes(&self) -> Vec<ChangeRow> {
        let conn = self.app.store.read().expect("a connection");
        let mut statement = conn
            .prepare_cached(
                "SELECT c.entity, c.action, c.entity_key, c.actor, c.address, c.version, c.revision, c.summary,
                        c.payload, o.event
                   FROM changes c LEFT JOIN outbox o ON o.change_number = c.number
                  ORDER BY c.number",
            )
            .expect("SQL");
        let rows = statement.query_map([], |row| {
            Ok(ChangeRow {
                entity: row.get(0)?,
                action: row.get(1)?,
                key: row.get(2)?,
                actor: row.get(3)?,
                address: row.get(4)?,
                version: row.get(5)?,
                revision: row.get(6)?,
                summary: row.get(7)?,
                payload: serde_json::from_str(&row.get::<_, String>(8)?).expect("JSON"),
                event: row.get(9)?,
            })
        });
        rows.expect("rows").collect::<rusqlite::Result<_>>().expect("rows")
    }

    /// The revision of an environment of the site shop, as stored.
    pub fn revision(&self, environment: &str) -> u64 {
        let conn = self.app.store.read().expect("a connection");
        conn.query_row(
            "SELECT e.revision FROM environments e JOIN sites s ON s.id = e.site_id
              WHERE s.slug = 'shop' AND e.name = ?1",
            [environment],
            |row| row.get(0),
        )
        .expect("an environment")
    }
}

fn show(value: ValueRef<'_>) -> String {
    match value {
        ValueRef::Null => "NULL".into(),
        ValueRef::Integer(number) => number.to_string(),
        ValueRef::Real(number) => number.to_string(),
        ValueRef::Text(text) => String::from_utf8_lossy(text).into_owned(),
        ValueRef::Blob(bytes) => format!("{bytes:02x?}"),
    }
}

//! Table `settings`: what admins set for the whole server.

use rusqlite::{Connection, OptionalExtension};

use crate::app::App;
use crate::engine::permission::Role;
use crate::error::Result;

/// Roles that must have a second factor, besides admins.
pub const ENFORCED: &str = "enforce_two_factor";

/// A setting as JSON text.
pub fn read(conn: &Connection, name: &str) -> Result<Option<String>> {
    Ok(conn
        .prepare_cached("SELECT value FROM settings WHERE name = ?1")?
        .query_row([name], |row| row.get(0))
        .optional()?)
}

pub fn write(conn: &Connection, name: &str, json: &str) -> Result<()> {
    conn.execute(
        "INSERT INTO settings (name, value) VALUES (?1, ?2)
         ON CONFLICT (name) DO UPDATE SET value = excluded.value",
        (name, json),
    )?;
    Ok(())
}

/// The roles for which a second factor is enforced. What cannot be read enforces it for all.
pub fn enforced_roles(app: &App) -> Vec<Role> {
    let stored = app.read(|conn| read(conn, ENFORCED));
    match stored {
        Ok(None) => Vec::new(),
        Ok(Some(json)) => super::list_from_json(&json).iter().filter_map(|role| Role::parse(role)).collect(),
        Err(_) => vec![Role::Viewer, Role::Editor, Role::Admin],
    }
}

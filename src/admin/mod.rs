//! Every change a person can make, one function each: they check the role, validate, and write through
//! [`App::write`]. REST, the command line and later the UI call the same ones.

pub mod analytics;
pub mod branding;
pub mod contexts;
pub mod demo;
pub mod documents;
pub mod environments;
pub mod features;
pub mod flagr;
pub mod flagr_import;
pub mod gdpr;
pub mod mail;
pub mod people;
pub mod segments;
pub mod sign_in;
pub mod sites;
pub mod test_updates;
pub mod tokens;
pub mod two_factor;
pub mod users;
pub mod webhooks;

use rusqlite::Connection;

use crate::engine::decode::{Node, Object, Problems};
use crate::engine::snapshot::Status;
use crate::error::{self, Error, Result};
use crate::store;
use crate::store::environments::Environment;
use crate::store::sites::Site;

/// Reads a request body that is an object, and reports everything that is wrong with it.
pub fn read_body<T>(body: &str, read: impl FnOnce(&mut Object<'_>, &mut Problems) -> Option<T>) -> Result<T> {
    let node = parse(body)?;
    let mut problems = Problems::default();
    let mut object =
        node.object(&mut problems).ok_or_else(|| Error::BadJson("the body must be a JSON object".into()))?;
    let value = read(&mut object, &mut problems);
    object.finish(&mut problems);
    error::check(problems)?;
    value.ok_or_else(|| Error::invalid("", "cannot be read"))
}

/// Parses a body as JSON.
pub fn parse(body: &str) -> Result<Node<'_>> {
    Node::parse(body).map_err(|error| Error::BadJson(format!("the body is not JSON: {error}")))
}

/// Checks that a body is a JSON object, before anything else is looked at.
pub fn parse_object(body: &str) -> Result<()> {
    if parse(body)?.is_object() {
        Ok(())
    } else {
        Err(Error::BadJson("the body must be a JSON object".into()))
    }
}

/// The site and environment of a path.
pub fn scope(conn: &Connection, site: &str, environment: &str) -> Result<(Site, Environment)> {
    let site = store::sites::find(conn, site)?;
    let environment = store::environments::find(conn, site.id, environment)?;
    Ok((site, environment))
}

/// `Conflict` when the environment is archived: it is read-only until made active again.
pub fn require_writable(environment: &Environment) -> Result<()> {
    match environment.status {
        Status::Archived => Err(Error::conflict("environment_archived", "this environment is archived")),
        _ => Ok(()),
    }
}

/// Most characters of a name.
pub const MAX_NAME: usize = 100;

/// A trimmed name of 1 to 100 characters.
pub fn read_name(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let name = node.string(problems)?.trim().to_owned();
    if !(1..=MAX_NAME).contains(&name.chars().count()) || name.chars().any(char::is_control) {
        problems.add(&node.path, "must be 1 to 100 characters");
        return None;
    }
    Some(name)
}

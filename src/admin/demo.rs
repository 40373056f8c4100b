//! `featured --demo`: something to look at in the first minute.

use super::documents::{self, Mode};
use crate::app::{Actor, App};
use crate::error::Result;
use crate::store;
use crate::yaml;

const DOCUMENT: &str = include_str!("../../assets/demo.yaml");

/// Fills a database without sites with the demo document. Gives whether it did.
pub fn fill(app: &App) -> Result<bool> {
    if !app.read(store::sites::all)?.is_empty() {
        return Ok(false);
    }
    let json = yaml::to_json(DOCUMENT).map_err(crate::error::Error::internal)?;
    let document = documents::read(&json)?;
    documents::import(app, &Actor::system("demo"), &document, None, Mode::Merge, false)?;
    Ok(true)
}

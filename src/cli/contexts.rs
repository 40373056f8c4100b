//! `featured contexts`: all Contexts of an environment as a document, from the terminal (featuresd.md §6.5).

use std::path::{Path, PathBuf};

use clap::{Args, Subcommand};

use super::{Format, Output, actor, describe, pretty, read_text, to_json};
use crate::admin::contexts::document;
use crate::admin::documents::Mode;
use crate::app::App;
use crate::error::Failure;
use crate::yaml;

#[derive(Subcommand)]
pub(super) enum Command {
    /// Print them
    Export {
        #[command(flatten)]
        place: Place,
        /// Write to this file in place of stdout
        #[arg(long)]
        file: Option<PathBuf>,
        #[arg(long, value_enum, default_value = "yaml")]
        format: Format,
    },
    /// Print what applying a document would do
    Plan(Document),
    /// Apply a document (JSON or YAML; - is stdin)
    Apply(Document),
}

/// Which environment.
#[derive(Args)]
pub(super) struct Place {
    /// Id or slug
    #[arg(long)]
    site: String,
    /// Id or name
    #[arg(long)]
    env: String,
}

#[derive(Args)]
pub(super) struct Document {
    #[command(flatten)]
    place: Place,
    #[arg(long)]
    file: PathBuf,
    /// replace also deletes Contexts that the document lacks
    #[arg(long, value_enum, default_value = "merge")]
    mode: Mode,
}

/// Runs it.
pub(super) fn run(command: Command, app: &App, out: &Output) -> Result<(), Failure> {
    match command {
        Command::Export { place, file, format } => {
            let json = to_json(&document::export(app, &actor(), &place.site, &place.env)?)?;
            let text = match format {
                _ if out.json => json,
                Format::Json => pretty(&json),
                Format::Yaml => yaml::from_json(&json).map_err(|error| error.to_string())?,
            };
            match file {
                Some(file) => Ok(write(&file, &text)?),
                None => out.text(&text),
            }
        }
        Command::Plan(document) => import(&document, app, out, true),
        Command::Apply(document) => import(&document, app, out, false),
    }
}

fn write(file: &Path, text: &str) -> Result<(), String> {
    std::fs::write(file, text).map_err(|error| format!("{}: {error}", file.display()))
}

fn import(from: &Document, app: &App, out: &Output, dry_run: bool) -> Result<(), Failure> {
    let Document { place, file, mode } = from;
    let read = document::read(&read_text(file)?).map_err(|error| out.refused(file, error))?;
    let plan = document::import(app, &actor(), &place.site, &place.env, &read, *mode, dry_run)
        .map_err(|error| out.refused(file, error))?;
    if out.json { out.text(&to_json(&plan)?) } else { out.text(&describe(&plan)) }
}

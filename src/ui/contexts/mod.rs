//! `…/contexts`: stored Contexts. The list, one Context with what it resolves to, and the emergency override of a
//! feature.

pub mod forms;
pub mod list;
pub mod matrix;
pub mod overrides;
pub mod page;

use maud::{Markup, html};

use super::components::icon;
use super::failure::Failure;
use super::features::Here;
use super::url;
use crate::engine::compile::Feature;
use crate::engine::lookup::text;
use crate::engine::value::{FeatureType, Json};
use crate::error::Error;

/// The page of a Context.
pub fn href(here: &Here, key: &str) -> String {
    format!("{}/{}", here.section("contexts"), url::encode(key))
}

/// What of a refusal can be said on the page that was sent; the rest is a page of its own.
fn messages(error: Error) -> Result<Vec<String>, Failure> {
    match &error {
        Error::Unprocessable(_, message, details) => {
            let problems = details["problems"].as_array();
            let told = problems.into_iter().flatten().filter_map(|problem| {
                let field = problem["field"].as_str()?;
                let field = field.strip_prefix("features.").unwrap_or(field);
                Some(format!("{field} {}", problem["message"].as_str()?))
            });
            let told: Vec<String> = told.collect();
            Ok(if told.is_empty() { vec![message.clone()] } else { told })
        }
        Error::Invalid(fields) => {
            Ok(fields.iter().map(|field| format!("{} {}", field.field, field.message)).collect())
        }
        Error::Conflict(..) | Error::VersionConflict(_) => Ok(vec![error.to_string()]),
        _ => Err(error.into()),
    }
}

/// Why nothing was saved.
fn refusal(problems: &[String]) -> Markup {
    html! {
        @if !problems.is_empty() {
            div.banner.danger role="alert" {
                (icon("error"))
                div.grow { b { "Nothing was saved." } @for line in problems { p { (line) } } }
            }
        }
    }
}

/// A value as stored Contexts say it, cut where it is long.
fn short(feature: &Feature, value: &str) -> String {
    let text = text(feature, value);
    if text.chars().count() <= 48 {
        return text;
    }
    text.chars().take(47).chain(['…']).collect()
}

/// The same with a word where there is nothing to see.
fn shown(feature: &Feature, value: &str) -> Markup {
    let text = short(feature, value);
    html! { @if text.is_empty() { span.m2 { "empty text" } } @else { (text) } }
}

/// The control for a value of a feature's type.
fn control(feature: &Feature, id: &str, name: &str, label: &str, value: &str) -> Markup {
    let definition = feature.definition();
    html! {
        @match definition.kind {
            FeatureType::Boolean => {
                select id=(id) name=(name) aria-label=(label) {
                    @for word in ["yes", "no"] { option value=(word) selected[word == value] { (word) } }
                }
            },
            FeatureType::Number => {
                @let mode = if definition.integer { "numeric" } else { "decimal" };
                input.mono id=(id) name=(name) value=(value) aria-label=(label) inputmode=(mode) autocomplete="off";
            },
            FeatureType::Json => {
                textarea.mono id=(id) name=(name) rows="2" aria-label=(label) spellcheck="false" { (value) }
            },
            FeatureType::String => {
                textarea id=(id) name=(name) rows=(value.lines().count().clamp(1, 3)) aria-label=(label) autocomplete="off" { "\n" (value) }
            },
        }
    }
}

/// Text that was typed as a value.
fn written(text: &str) -> Json {
    Json::from(&serde_json::Value::from(text))
}

//! What a subject resolves to: one row per feature, one column per Context asked, from left to right; the first value
//! wins, those after it are hidden.

use std::collections::HashSet;
use std::sync::Arc;

use maud::{Markup, html};

use super::{href, shown};
use crate::engine::compile::Feature;
use crate::engine::lookup::{Found, Lookup, Source};
use crate::engine::snapshot::{DEFAULT, OVERRIDE};
use crate::ui::components::{count, icon};
use crate::ui::features::Here;

/// Rows shown at once.
const ROWS: usize = 200;
/// Columns shown at once; a longer order is told as a chain.
const COLUMNS: usize = 12;

/// The visiting order as a numbered chain, `me` marked.
pub fn chain(here: &Here, order: &[&str], me: &str) -> Markup {
    html! {
        ol.order.vert {
            @for key in order {
                li.me[*key == me] {
                    @if *key == me { code { (key) } } @else { a href=(href(here, key)) { code { (key) } } }
                }
            }
        }
    }
}

/// The table. `all`: also features for which only `default` says something, or nothing does.
pub fn table<'h>(here: &'h Here, lookup: &Lookup<'h, '_>, me: &str, all: bool) -> Markup {
    let order = lookup.order();
    let interesting = |feature: &&'h Arc<Feature>| {
        all || !matches!(lookup.find(feature).source, Source::Context(DEFAULT) | Source::None)
    };
    let features: Vec<_> = here.snapshot.features().filter(interesting).collect();
    let columns: Vec<&str> = match order.len() <= COLUMNS {
        true => order.clone(),
        // The first ones decide most; what is behind them is on the page of each Context.
        false => order[..COLUMNS - 1].iter().copied().chain([DEFAULT]).collect(),
    };
    html! {
        @if features.is_empty() { p.m2 { "Nothing but the features’ own default values." } }
        @else {
            div.scroll tabindex="0" role="group" aria-label="Table, scrolls sideways" {
                table.tbl.mx.dense {
                    caption.vh { "Each feature, and the value in every Context asked, from left to right. The first value wins; those after it are hidden." }
                    thead { tr {
                        th scope="col" { "Feature" } th scope="col" { "Gets" }
                        @for (at, key) in columns.iter().enumerate() {
                            th scope="col" { span.ordn { (at + 1) } (heading(here, key, me)) }
                        }
                    } }
                    tbody { @for feature in features.iter().take(ROWS) { (row(here, lookup, feature, &columns)) } }
                }
            }
            p.xs.m3.key2 {
                span.note.good { (icon("check")) "first value, wins" } " "
                span { s { "struck through" } ": hidden by an earlier one" } " "
                span { "·: no value there" }
            }
            @if features.len() > ROWS { p.m2 { "And " (count(features.len() - ROWS, "more feature", "more features")) "; the API tells all." } }
            @if order.len() > COLUMNS { p.m2 { (count(order.len() - COLUMNS, "Context", "Contexts")) " further down the order have no column here." } }
        }
    }
}

fn heading(here: &Here, key: &str, me: &str) -> Markup {
    let (prefix, name) = match key.split_once(':') {
        Some((prefix, name)) if !name.is_empty() => (Some(prefix), name),
        _ => (None, key),
    };
    html! {
        @if let Some(prefix) = prefix { span.m3 { (prefix) ":" } wbr; }
        @if key == me { b { (name) } } @else { a href=(href(here, key)) { (name) } }
    }
}

fn row<'h>(here: &'h Here, lookup: &Lookup<'h, '_>, feature: &'h Feature, columns: &[&str]) -> Markup {
    let entries = lookup.values(feature);
    let winner = entries.first().map(|(key, _)| *key);
    let Found { value, .. } = lookup.find(feature);
    html! {
        tr {
            th scope="row" { a.key href=(here.feature(&feature.key)) { (feature.key) } }
            td.got data-l="Gets" { @match value { Some(value) => b { (shown(feature, value)) }, None => span.m3 { "nothing" } } }
            @for key in columns {
                @match entries.iter().find(|(have, _)| have == key) {
                    None => td.none data-l=(key) { span aria-hidden="true" { "·" } span.vh { "no value" } },
                    Some((_, value)) if winner == Some(*key) => td.win data-l=(key) {
                        span { (shown(feature, value.as_str())) " " (icon("check")) span.vh { "wins" } }
                    },
                    Some((_, value)) => td data-l=(key) { s { span.vh { "hidden: " } (shown(feature, value.as_str())) } },
                }
            }
        }
    }
}

/// Who a Context inherits from, as a tree; each once, where it is asked.
pub fn tree(here: &Here, key: &str, prototypes: &[String]) -> Markup {
    let mut seen = HashSet::from([key.to_owned()]);
    html! { ul.root { li { b { (key) } (branches(here, prototypes, &mut seen, 0)) } } }
}

/// Levels drawn; the order beside the tree tells the rest.
const DEEP: usize = 8;

fn branches(here: &Here, prototypes: &[String], seen: &mut HashSet<String>, level: usize) -> Markup {
    if prototypes.is_empty() || level >= DEEP {
        return html! {};
    }
    html! {
        ul {
            @for prototype in prototypes {
                @let first = seen.insert(prototype.clone());
                li {
                    a href=(href(here, prototype)) { (prototype) }
                    @if !first { " " span.m3.xs { "asked already" } }
                    @else if let Some(stored) = here.snapshot.context(prototype) {
                        @let next: Vec<String> = stored.prototypes.iter().map(|key| key.to_string()).collect();
                        (branches(here, &next, seen, level + 1))
                    } @else if !matches!(prototype.as_str(), OVERRIDE | DEFAULT) { " " span.m3.xs { "not there" } }
                }
            }
        }
    }
}

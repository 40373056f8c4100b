//! What is checked before a Context is written, all of it told at once (featuresd.md §2.2, §2.3, §3.4, §3.7, §7.1).

use std::collections::{HashMap, HashSet};

use rusqlite::Connection;
use serde_json::{Map, Value, json};

use crate::engine::document::{MAX_PROTOTYPES, MAX_VALUES, is_context_key, read_context_value};
use crate::engine::lookup::is_special;
use crate::engine::snapshot::{MAX_LEVELS, MAX_VISITED};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::ids::{EnvironmentId, FeatureId};
use crate::store;

/// Everything that is wrong, each with its code.
#[derive(Debug, Default)]
pub struct Faults(Vec<Fault>);

#[derive(Debug)]
struct Fault {
    code: &'static str,
    field: String,
    message: String,
    more: Value,
}

impl Faults {
    pub fn add(&mut self, code: &'static str, field: impl Into<String>, message: impl Into<String>) {
        self.with(code, field, message, Value::Null);
    }

    fn with(
        &mut self,
        code: &'static str,
        field: impl Into<String>,
        message: impl Into<String>,
        more: Value,
    ) {
        self.0.push(Fault { code, field: field.into(), message: message.into(), more });
    }

    /// 422 with the code of the first, and all of them in `details.problems`.
    pub fn into_result(self) -> Result<()> {
        let Some(first) = self.0.first() else { return Ok(()) };
        let (code, text) = (first.code, format!("{} {}", first.field, first.message));
        let message = match self.0.len() {
            1 => text,
            many => format!("{many} problems; the first: {text}"),
        };
        let path = self.0.iter().find_map(|fault| fault.more.get("path").cloned());
        let problems: Vec<Value> = self
            .0
            .into_iter()
            .map(|fault| {
                let mut problem = Map::new();
                problem.insert("code".into(), fault.code.into());
                problem.insert("field".into(), fault.field.into());
                problem.insert("message".into(), fault.message.into());
                if let Value::Object(more) = fault.more {
                    problem.extend(more);
                }
                problem.into()
            })
            .collect();
        let mut details = json!({ "problems": problems });
        if let Some(path) = path {
            details["path"] = path;
        }
        Err(Error::Unprocessable(code, message, details))
    }
}

/// The key and prototypes of a Context to be.
pub struct Draft<'a> {
    pub key: &'a str,
    pub new: bool,
    pub prototypes: Option<&'a [String]>,
}

impl Draft<'_> {
    pub fn check(&self, conn: &Connection, environment: EnvironmentId, faults: &mut Faults) -> Result<()> {
        if self.new {
            key("key", self.key, faults);
        }
        let Some(prototypes) = self.prototypes else { return Ok(()) };
        let exists = |key: &str| store::contexts::exists(conn, environment, key);
        list("prototypes", self.key, prototypes, exists, faults)?;
        let of = |key: &str| store::contexts::prototypes(conn, environment, key);
        if let Some(fault) = graph(self.key, prototypes, of)? {
            fault.note("prototypes", faults);
        }
        Ok(())
    }
}

/// Whether this may be the key of a Context.
pub fn key(field: &str, key: &str, faults: &mut Faults) {
    if !is_context_key(key) {
        faults.add(
            "invalid_key",
            field,
            "must be 1 to 200 of A-Z a-z 0-9 . _ - : @ + ~, beginning with a letter or digit",
        );
    }
}

/// Checks a list of prototypes one by one.
pub fn list(
    field: &str,
    key: &str,
    prototypes: &[String],
    exists: impl Fn(&str) -> Result<bool>,
    faults: &mut Faults,
) -> Result<()> {
    if prototypes.is_empty() {
        return Ok(());
    }
    if is_special(key) {
        faults.add("reserved_context", field, format!("must stay empty: {key} has no prototypes"));
        return Ok(());
    }
    if prototypes.len() > MAX_PROTOTYPES {
        let message = format!("must have at most {MAX_PROTOTYPES} entries");
        faults.add("too_many_prototypes", field, message);
        return Ok(());
    }
    let mut seen = HashSet::new();
    for (at, prototype) in prototypes.iter().enumerate() {
        let field = format!("{field}[{at}]");
        if is_special(prototype) {
            faults.add("reserved_context", field, format!("{prototype} takes part in every look-up already"));
        } else if !seen.insert(prototype) {
            faults.add("duplicate_prototype", field, format!("{prototype} stands twice"));
        } else if prototype != key && !exists(prototype)? {
            faults.add("unknown_prototype", field, format!("{prototype} does not exist"));
        }
    }
    Ok(())
}

/// What is wrong with who inherits from whom.
#[derive(Debug, PartialEq)]
pub enum Knot {
    /// The keys of the cycle, from the Context back to it.
    Cycle(Vec<String>),
    TooLarge,
}

impl Knot {
    pub fn note(self, field: &str, faults: &mut Faults) {
        match self {
            Self::Cycle(path) => {
                let message = format!("close a cycle: {}", path.join(" → "));
                faults.with("prototype_cycle", field, message, json!({ "path": path }));
            }
            Self::TooLarge => {
                let message =
                    format!("lead to more than {MAX_VISITED} Contexts or deeper than {MAX_LEVELS} levels");
                faults.add("prototype_graph_too_large", field, message);
            }
        }
    }
}

/// Follows prototypes from one Context as a look-up does.
pub fn graph(
    key: &str,
    prototypes: &[String],
    of: impl FnMut(&str) -> Result<Vec<String>>,
) -> Result<Option<Knot>> {
    let mut walk = Walk { start: key, of, visited: HashSet::new(), path: vec![key.to_owned()] };
    walk.descend(prototypes)
}

struct Walk<'a, F> {
    start: &'a str,
    of: F,
    visited: HashSet<String>,
    path: Vec<String>,
}

impl<F: FnMut(&str) -> Result<Vec<String>>> Walk<'_, F> {
    fn descend(&mut self, prototypes: &[String]) -> Result<Option<Knot>> {
        for prototype in prototypes {
            if prototype == self.start {
                let mut path = self.path.clone();
                path.push(prototype.clone());
                return Ok(Some(Knot::Cycle(path)));
            }
            if !self.visited.insert(prototype.clone()) {
                continue;
            }
            // The Context itself is visited too, and is level 0.
            if self.path.len() > MAX_LEVELS || self.visited.len() >= MAX_VISITED {
                return Ok(Some(Knot::TooLarge));
            }
            let next = (self.of)(prototype)?;
            self.path.push(prototype.clone());
            if let Some(knot) = self.descend(&next)? {
                return Ok(Some(knot));
            }
            self.path.pop();
        }
        Ok(None)
    }
}

/// Values that were read, and the rows of their features.
pub struct Checked {
    pub values: Vec<(String, Option<Json>)>,
    pub ids: HashMap<String, FeatureId>,
}

/// Reads values by the types of their features.
pub fn values(
    conn: &Connection,
    environment: EnvironmentId,
    written: &[(String, Option<Json>)],
    faults: &mut Faults,
) -> Result<Checked> {
    let mut checked = Checked { values: Vec::with_capacity(written.len()), ids: HashMap::new() };
    for (key, value) in written {
        let kind = store::features::kind_of(conn, environment, key)?;
        if let Some(kind) = &kind {
            checked.ids.insert(key.clone(), kind.id);
        }
        match (kind, value) {
            (Some(_), None) => checked.values.push((key.clone(), None)),
            (None, None) => unknown_feature(&format!("features.{key}"), key, faults),
            (kind, Some(value)) => {
                let field = format!("features.{key}");
                if let Some(value) = read(&field, key, kind.map(|k| (k.kind, k.integer)), value, faults) {
                    checked.values.push((key.clone(), Some(value)));
                }
            }
        }
    }
    Ok(checked)
}

/// Notes that a feature is named which there is not.
pub fn unknown_feature(field: &str, key: &str, faults: &mut Faults) {
    faults.with(
        "unknown_feature",
        field,
        format!("{key} is not a feature of the environment"),
        json!({ "feature": key }),
    );
}

/// Reads one value by the type of its feature, which may not be there.
pub fn read(
    field: &str,
    key: &str,
    kind: Option<(crate::engine::value::FeatureType, bool)>,
    written: &Json,
    faults: &mut Faults,
) -> Option<Json> {
    let Some((kind, integer)) = kind else {
        unknown_feature(field, key, faults);
        return None;
    };
    match read_context_value(kind, integer, written) {
        Ok(value) => Some(value),
        Err(reason) => {
            let name = if integer { "integer" } else { kind.context_type() };
            let more = json!({ "feature": key, "type": name, "reason": reason });
            faults.with("invalid_value", field, reason, more);
            None
        }
    }
}

/// How many values a Context may hold; `default` and `override` may name every feature.
pub fn count(key: &str, values: usize, faults: &mut Faults) {
    if values > MAX_VALUES && !is_special(key) {
        faults.add("too_many_features", "features", format!("must have at most {MAX_VALUES} entries"));
    }
}

/// How many Contexts an environment may have.
pub fn room(max: u64, wanted: u64, faults: &mut Faults) {
    if wanted > max {
        faults.add(
            "limit_reached",
            "key",
            format!("would be one too many: an environment has at most {max} Contexts"),
        );
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn knot(start: &str, prototypes: &[&str], stored: &[(&str, &[&str])]) -> Option<Knot> {
        let owned = |list: &[&str]| list.iter().map(|key| (*key).to_owned()).collect::<Vec<_>>();
        let stored: HashMap<&str, Vec<String>> =
            stored.iter().map(|(key, prototypes)| (*key, owned(prototypes))).collect();
        let of = |key: &str| Ok(stored.get(key).cloned().unwrap_or_default());
        graph(start, &owned(prototypes), of).expect("a walk")
    }

    #[test]
    fn a_cycle_is_told_from_the_context_back_to_it() {
        let stored: &[(&str, &[&str])] = &[("mia", &["team", "pilots"]), ("team", &["org"]), ("org", &[])];
        let path = |keys: &[&str]| Some(Knot::Cycle(keys.iter().map(|key| (*key).into()).collect()));
        assert_eq!(knot("org", &["mia"], stored), path(&["org", "mia", "team", "org"]));
        assert_eq!(knot("a", &["a"], stored), path(&["a", "a"]));
        assert_eq!(knot("new", &["pilots", "mia"], stored), None);
        assert_eq!(knot("d", &["b", "c"], &[("b", &["x"]), ("c", &["x"])]), None, "a diamond is no cycle");
    }

    #[test]
    fn depth_and_size_are_bounded_as_a_look_up_is() {
        let names: Vec<String> = (0..1100).map(|n| format!("c{n}")).collect();
        let chain = |length: usize| {
            let stored: HashMap<&str, Vec<String>> =
                (0..length - 1).map(|n| (names[n].as_str(), vec![names[n + 1].clone()])).collect();
            graph("top", &names[..1], |key| Ok(stored.get(key).cloned().unwrap_or_default())).expect("a walk")
        };
        assert_eq!(chain(32), None);
        assert_eq!(chain(33), Some(Knot::TooLarge));
        let wide = |count: usize| {
            let of = |key: &str| Ok(if key == "hub" { names[..count].to_vec() } else { Vec::new() });
            graph("top", &["hub".to_owned()], of).expect("a walk")
        };
        assert_eq!(wide(998), None);
        assert_eq!(wide(999), Some(Knot::TooLarge));
    }
}

//! What FeatureHub's test client may change of a feature: its default value and its lock, within the permissions of
//! its token (featurehub.md §6).

use std::collections::HashSet;
use std::fmt;

use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};

use super::{features, require_writable, scope};
use crate::app::{Actor, App, Written};
use crate::engine::decode::{Node, Problems};
use crate::engine::number::Number;
use crate::engine::value::{FeatureType, Json};
use crate::error::{Error, Result};
use crate::store;

/// What a request asks for.
#[derive(Debug, Default, PartialEq)]
pub struct TestUpdate {
    pub lock: Option<bool>,
    /// The value to set, as JSON text; `Some(None)`: none.
    pub value: Option<Option<String>>,
}

impl TestUpdate {
    /// Reads a body. `None` when it is not such an object; members that are not known are passed over, as the
    /// clients of later versions may send some.
    pub fn parse(body: &str) -> Option<Self> {
        let mut problems = Problems::default();
        let mut object = Node::parse(body).ok()?.object(&mut problems)?;
        let lock = object.take_value("lock").map(|node| node.boolean(&mut problems));
        let told = object.take_value("updateValue").map(|node| node.boolean(&mut problems));
        let value = object.take_value("value").map(|node| node.text().to_owned());
        if !problems.is_empty() {
            return None;
        }
        let value = match (value, told.flatten()) {
            (Some(value), _) => Some(Some(value)),
            (None, Some(true)) => Some(None),
            (None, _) => None,
        };
        Some(Self { lock: lock.flatten(), value })
    }
}

/// Applies an update; whether anything changed. `Forbidden` without the permission, `Conflict` where a lock or the
/// type refuses, `BadRequest` for a value of another type.
pub fn apply(
    app: &App,
    actor: &Actor,
    permissions: &[String],
    site: &str,
    environment: &str,
    key: &str,
    update: &TestUpdate,
) -> Result<bool> {
    let may = |permission: &str| permissions.iter().any(|one| one == permission);
    if !["CHANGE_VALUE", "LOCK", "UNLOCK"].into_iter().any(may) {
        return Err(Error::Forbidden("this key only reads"));
    }
    match update.lock {
        Some(true) if !may("LOCK") => return Err(Error::Forbidden("this key may not lock")),
        Some(false) if !may("UNLOCK") => return Err(Error::Forbidden("this key may not unlock")),
        None if update.value.is_none() => {
            return Err(Error::BadRequest("nothing", "neither lock nor value is to be changed".into()));
        }
        _ => {}
    }
    if update.value.is_some() && !may("CHANGE_VALUE") {
        return Err(Error::Forbidden("this key may not change values"));
    }
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, site, environment)?;
        require_writable(&environment)?;
        let before = store::features::find(tx, environment.id, key)?;
        let mut definition = before.stored.definition.clone();
        let locked = update.lock.unwrap_or(before.stored.locked);
        if let Some(value) = &update.value {
            if before.stored.locked && update.lock != Some(false) {
                return Err(Error::conflict("locked", format!("{key} is locked; unlock it first")));
            }
            definition.default_value = match value {
                Some(text) => Some(read_value(definition.kind, text)?),
                None if definition.kind == FeatureType::Boolean => {
                    return Err(Error::conflict("no_value", "a BOOLEAN cannot be without a value"));
                }
                None => None,
            };
            if definition.default_value.as_ref().is_some_and(|value| !definition.takes(value)) {
                return Err(Error::BadRequest("invalid_value", "the value must be a whole number".into()));
            }
        }
        // What an unlocked feature is given goes in before a lock of the same request closes it.
        let (_, change) = features::save(tx, &site, &environment, &before, definition, locked)?;
        let changed = change.is_some();
        Ok(Written { value: changed, changes: change.into_iter().collect() })
    })
}

/// Reads a value from its text, as FeatureHub does whatever JSON it came as.
fn read_value(kind: FeatureType, json: &str) -> Result<Json> {
    let bad = |what: &str| Error::BadRequest("invalid_value", format!("the value must be {what}"));
    let text = serde_json::from_str::<String>(json).unwrap_or_else(|_| json.to_owned());
    let literal = match kind {
        FeatureType::Boolean => match text.to_ascii_lowercase().as_str() {
            word @ ("true" | "false") => word.to_owned(),
            _ => return Err(bad("true or false")),
        },
        FeatureType::Number => decimal(text.trim()).ok_or_else(|| bad("a number"))?,
        FeatureType::String => serde_json::Value::from(text).to_string(),
        FeatureType::Json => {
            if json.starts_with(['{', '[']) {
                return Err(bad("JSON, written into a string"));
            }
            if serde_json::from_str::<Distinct>(&text).is_err() {
                return Err(bad("a string with JSON, of which no member stands twice"));
            }
            text
        }
    };
    let mut problems = Problems::default();
    let node = Node::parse(&literal).map_err(|_| bad("of the feature's type"))?;
    let value = kind.read(&node, &mut problems);
    value.ok_or_else(|| match problems.invalid.pop() {
        Some(problem) => Error::BadRequest("invalid_value", format!("the value {}", problem.message)),
        None => bad("of the feature's type"),
    })
}

/// A decimal number as JSON writes it; `+5`, `.5` and `007` are numbers too.
fn decimal(text: &str) -> Option<String> {
    if Number::parse(text).is_some() {
        return Some(text.to_owned());
    }
    if !text.bytes().all(|byte| byte.is_ascii_digit() || b"+-.eE".contains(&byte)) {
        return None;
    }
    let number = text.parse::<f64>().ok().filter(|number| number.is_finite())?;
    Some(Number::Float(number).text().into_owned())
}

/// JSON of whose objects no member stands twice.
struct Distinct;

impl<'de> Deserialize<'de> for Distinct {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Distinct;

            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("JSON")
            }

            fn visit_unit<E>(self) -> std::result::Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_bool<E>(self, _: bool) -> std::result::Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_i64<E>(self, _: i64) -> std::result::Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_u64<E>(self, _: u64) -> std::result::Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_f64<E>(self, _: f64) -> std::result::Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_str<E>(self, _: &str) -> std::result::Result<Distinct, E> {
                Ok(Distinct)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> std::result::Result<Distinct, A::Error> {
                while seq.next_element::<Distinct>()?.is_some() {}
                Ok(Distinct)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> std::result::Result<Distinct, A::Error> {
                let mut seen = HashSet::new();
                while let Some((name, _)) = map.next_entry::<String, Distinct>()? {
                    if !seen.insert(name) {
                        return Err(serde::de::Error::custom("a member stands twice"));
                    }
                }
                Ok(Distinct)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bodies_say_what_to_change() {
        let update = |lock, value: Option<Option<&str>>| {
            Some(TestUpdate { lock, value: value.map(|value| value.map(str::to_owned)) })
        };
        for (body, expected) in [
            ("{}", update(None, None)),
            (r#"{"lock": true}"#, update(Some(true), None)),
            (r#"{"lock": null, "value": null}"#, update(None, None)),
            (r#"{"value": false}"#, update(None, Some(Some("false")))),
            (r#"{"value": "x", "updateValue": false}"#, update(None, Some(Some("\"x\"")))),
            (r#"{"value": null, "updateValue": true}"#, update(None, Some(None))),
            (r#"{"updateValue": true, "lock": false, "more": 1}"#, update(Some(false), Some(None))),
            ("[]", None),
            ("", None),
            (r#"{"lock": "yes"}"#, None),
            (r#"{"lock": true, "lock": false}"#, None),
        ] {
            assert_eq!(TestUpdate::parse(body), expected, "{body}");
        }
    }

    #[test]
    fn values_are_read_from_their_text() {
        use FeatureType::{Boolean, Json as AnyJson, Number, String as Text};
        for (kind, json, expected) in [
            (Boolean, "true", Some("true")),
            (Boolean, r#""FALSE""#, Some("false")),
            (Boolean, "1", None),
            (Number, "1.50", Some("1.50")),
            (Number, r#""17""#, Some("17")),
            (Number, r#""+5""#, Some("5")),
            (Number, r#"".5""#, Some("0.5")),
            (Number, r#""NaN""#, None),
            (Number, r#""five""#, None),
            (Number, r#""1e999""#, None),
            (Text, "5", Some(r#""5""#)),
            (Text, r#""a\nb""#, Some(r#""a\nb""#)),
            (Text, r#"{"a":1}"#, Some(r#""{\"a\":1}""#)),
            (AnyJson, r#""{\"a\": [1]}""#, Some(r#"{"a":[1]}"#)),
            (AnyJson, "5", Some("5")),
            (AnyJson, r#""{\"a\":1,\"a\":2}""#, None),
            (AnyJson, r#""{\"b\":[{\"a\":1,\"a\":2}]}""#, None),
            (AnyJson, r#"{"a":1}"#, None),
            (AnyJson, r#""nothing""#, None),
            (AnyJson, r#""""#, None),
            (AnyJson, r#""null""#, None),
        ] {
            let read = read_value(kind, json).ok();
            assert_eq!(read.as_ref().map(Json::as_str), expected, "{kind} {json}");
        }
    }
}

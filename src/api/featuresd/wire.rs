//! Forms and JSON as featuresd's home page and documentation show them.

use std::collections::BTreeMap;

use actix_web::HttpRequest;
use actix_web::http::header::CONTENT_TYPE;
use serde::Serialize;

use crate::admin::contexts::{Edit, View};
use crate::admin::read_body;
use crate::api::request::{AnyBody, Body};
use crate::engine::decode::{FieldError, Problems};
use crate::engine::feature::Definition;
use crate::engine::value::Json;
use crate::error::{self, Error, Result};

/// A feature: a key and a type, nothing else.
#[derive(Serialize)]
pub struct Feature<'a> {
    pub key: &'a str,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl<'a> From<&'a Definition> for Feature<'a> {
    fn from(definition: &'a Definition) -> Self {
        Self { key: &definition.key, kind: definition.context_type() }
    }
}

/// A Context: a key, its prototypes and its values as text.
#[derive(Serialize)]
pub struct Context {
    key: String,
    prototypes: Vec<String>,
    features: BTreeMap<String, String>,
}

impl From<View> for Context {
    fn from(view: View) -> Self {
        Self { key: view.key, prototypes: view.prototypes, features: view.features }
    }
}

/// A body as it was sent.
enum Sent {
    Form(Vec<(String, String)>),
    Json(Body),
}

impl Sent {
    fn of(req: &HttpRequest, body: AnyBody) -> Result<Self> {
        let content_type = req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok());
        let essence = content_type.unwrap_or_default().split(';').next().unwrap_or_default().trim();
        match essence.to_ascii_lowercase().as_str() {
            "application/json" => Ok(Self::Json(Body(body.0))),
            "application/x-www-form-urlencoded" => {
                Ok(Self::Form(url::form_urlencoded::parse(&body.0).into_owned().collect()))
            }
            _ => Err(Error::UnsupportedMediaType("application/x-www-form-urlencoded or application/json")),
        }
    }
}

fn unknown(problems: &mut Problems, field: String) {
    problems.unknown.push(FieldError { field, message: "is not a known member".into() });
}

/// A key that may be called `id` too. Given both ways it must be the same.
fn one_key(keys: Vec<String>, problems: &mut Problems) -> String {
    let mut keys = keys.into_iter();
    let Some(first) = keys.next() else {
        problems.add("key", "is required");
        return String::new();
    };
    if keys.any(|other| other != first) {
        problems.add("id", "says something else than key");
    }
    first
}

/// Key and type of a feature to make; a flag when no type is said.
pub fn read_feature(req: &HttpRequest, body: AnyBody) -> Result<(String, String)> {
    match Sent::of(req, body)? {
        Sent::Json(body) => read_body(body.text()?, |object, problems| {
            let key = object.require("key", problems).and_then(|node| node.string(problems));
            let kind = match object.take_value("type") {
                Some(node) => node.string(problems),
                None => Some("flag".into()),
            };
            Some((key?, kind?))
        }),
        Sent::Form(pairs) => {
            let (mut keys, mut kind, mut problems) = (Vec::new(), "flag".to_owned(), Problems::default());
            for (name, value) in pairs {
                match name.as_str() {
                    "id" | "key" => keys.push(value),
                    "type" => kind = value,
                    _ => unknown(&mut problems, name),
                }
            }
            let key = one_key(keys, &mut problems);
            error::check(problems)?;
            Ok((key, kind))
        }
    }
}

/// Key of a Context and what it shall say; the list of prototypes only where it is given.
pub fn read_context(req: &HttpRequest, body: AnyBody) -> Result<(String, Edit)> {
    let (key, prototypes, features) = match Sent::of(req, body)? {
        Sent::Json(body) => read_body(body.text()?, |object, problems| {
            let key = object.require("key", problems).and_then(|node| node.string(problems));
            let prototypes = match object.take_value("prototypes") {
                Some(node) => node.strings(usize::MAX, problems).map(Some),
                None => Some(None),
            };
            let features = match object.take_value("features") {
                Some(node) => node.object(problems).map(|object| {
                    let entries = object.rest().into_iter();
                    entries.map(|(key, node)| (key, Json::compacted(node.text()))).collect()
                }),
                None => Some(Vec::new()),
            };
            Some((key?, prototypes?, features?))
        })?,
        Sent::Form(pairs) => read_form(pairs)?,
    };
    let features = features.into_iter().map(|(key, value)| (key, Some(value))).collect();
    Ok((key, Edit { prototypes, features, make_missing: true, ..Edit::default() }))
}

type Form = (String, Option<Vec<String>>, Vec<(String, Json)>);

fn read_form(pairs: Vec<(String, String)>) -> Result<Form> {
    let (mut keys, mut prototypes, mut problems) = (Vec::new(), None::<Vec<String>>, Problems::default());
    let mut features: BTreeMap<String, Json> = BTreeMap::new();
    for (name, value) in pairs {
        match name.as_str() {
            "id" | "key" => keys.push(value),
            "prototype[]" | "prototypes[]" => {
                let list = prototypes.get_or_insert_default();
                // An empty one alone says that there are none.
                if !value.is_empty() {
                    list.push(value);
                }
            }
            _ => match name.strip_prefix("features[").and_then(|rest| rest.strip_suffix(']')) {
                Some(feature) => {
                    let text = serde_json::Value::from(value);
                    features.insert(feature.to_owned(), Json::from(&text));
                }
                None => unknown(&mut problems, name),
            },
        }
    }
    let key = one_key(keys, &mut problems);
    error::check(problems)?;
    Ok((key, prototypes, features.into_iter().collect()))
}

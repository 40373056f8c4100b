//! The description by itself.

use std::collections::{BTreeSet, HashSet};

use regex::Regex;
use serde_json::Value;

use super::json_schema::{problems, resolve};
use super::{document, operations};

fn walk<'v>(value: &'v Value, path: &str, visit: &mut dyn FnMut(&'v Value, &str)) {
    visit(value, path);
    match value {
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                walk(item, &format!("{path}/{at}"), visit);
            }
        }
        Value::Object(members) => {
            for (name, member) in members {
                walk(member, &format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), visit);
            }
        }
        _ => {}
    }
}

#[test]
fn the_description_holds_together() {
    let document = document();
    assert_eq!(document["openapi"], "3.1.0");
    assert_eq!(document["info"]["version"], env!("CARGO_PKG_VERSION"));
    walk(&document, "", &mut |value, path| {
        if let Some(to) = value.get("$ref").and_then(Value::as_str) {
            let pointer = to.strip_prefix('#').expect("a reference into the document");
            assert!(document.pointer(pointer).is_some(), "{path}: {to} is not there");
        }
        if let (Some(required), Some(properties)) = (value["required"].as_array(), value.get("properties")) {
            let known = required.iter().all(|name| properties.get(name.as_str().expect("a name")).is_some());
            assert!(known, "{path}: requires what it does not have");
        }
    });
    let tags: Vec<&str> =
        document["tags"].as_array().expect("tags").iter().filter_map(|tag| tag["name"].as_str()).collect();
    let mut ids = HashSet::new();
    let template = Regex::new(r"\{(\w+)\}").expect("a pattern");
    for operation in operations(&document) {
        let id = operation.id();
        assert!(ids.insert(id.to_owned()), "{id} stands twice");
        assert!(
            operation.of["summary"].as_str().is_some_and(|summary| !summary.is_empty()),
            "{id}: no summary"
        );
        let own = operation.of["tags"].as_array().expect("tags");
        assert!(
            !own.is_empty() && own.iter().all(|tag| tags.contains(&tag.as_str().expect("a tag"))),
            "{id}: {own:?}"
        );
        for requirement in operation.of["security"].as_array().expect("who may") {
            for scheme in requirement.as_object().expect("a requirement").keys() {
                assert!(document["components"]["securitySchemes"].get(scheme).is_some(), "{id}: {scheme}");
            }
        }
        for (status, response) in operation.of["responses"].as_object().expect("responses") {
            let response = resolve(&document, response);
            assert!(response["description"].as_str().is_some_and(|text| !text.is_empty()), "{id}: {status}");
        }
        let named: BTreeSet<&str> =
            template.captures_iter(operation.path).filter_map(|found| Some(found.get(1)?.as_str())).collect();
        let parameters = operation.parameters("path");
        let declared: BTreeSet<&str> = parameters.iter().filter_map(|p| p["name"].as_str()).collect();
        assert_eq!(named, declared, "{id}");
        assert_eq!(declared.len(), parameters.len(), "{id}: a parameter stands twice");
    }
}

#[test]
fn every_example_is_as_its_schema_says() {
    let document = document();
    let mut checked = 0;
    let mut examine = |schema: &Value, example: &Value, path: &str| {
        let found = problems(&document, schema, example);
        assert!(found.is_empty(), "{path}: {found:#?}");
        checked += 1;
    };
    walk(&document, "", &mut |value, path| {
        if path.contains("/example") {
            return;
        }
        match (value.get("schema"), value.get("example")) {
            (Some(schema), Some(example)) => examine(schema, example, path),
            (None, Some(example)) if !path.ends_with("/properties") => examine(value, example, path),
            _ => {}
        }
        for example in value["examples"].as_array().into_iter().flatten() {
            examine(value, example, path);
        }
    });
    assert!(checked > 60, "only {checked} examples");
}

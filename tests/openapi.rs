//! The description of the native API is true: every route is in it and nothing else, requests take what it says and
//! refuse the rest, answers are what it says, and the page shows all of it.

mod embedded;
mod furnished;
mod json_schema;
mod page;
mod refusals;
mod requests;
mod routes;
mod tour;
mod whole;

use std::collections::HashMap;

use featured::api::rest::openapi;
use serde_json::Value;

use json_schema::{problems, resolve};

use crate::support::Reply;

fn document() -> Value {
    serde_json::from_str(&openapi::json(None).expect("a description")).expect("JSON")
}

/// One operation of the description.
struct Operation<'d> {
    method: String,
    path: &'d str,
    of: &'d Value,
}

impl Operation<'_> {
    fn id(&self) -> &str {
        self.of["operationId"].as_str().expect("an operation id")
    }

    fn parameters(&self, place: &str) -> Vec<&Value> {
        let all = self.of["parameters"].as_array().map(Vec::as_slice).unwrap_or_default();
        all.iter().filter(|parameter| parameter["in"] == place).collect()
    }

    fn takes(&self, credential: &str) -> bool {
        self.of["security"].as_array().into_iter().flatten().any(|one| one.get(credential).is_some())
    }

    fn json_body(&self) -> Option<&Value> {
        self.of["requestBody"]["content"].get("application/json")
    }

    /// The example of its body.
    fn example(&self, document: &Value) -> Option<Value> {
        let content = self.json_body()?;
        let example = content.get("example").or(resolve(document, &content["schema"]).get("example"));
        Some(example.unwrap_or_else(|| panic!("{}: no example", self.id())).clone())
    }

    /// The path with names filled in.
    fn at(&self, names: &HashMap<&str, String>) -> String {
        let mut path = self.path.to_owned();
        for parameter in self.parameters("path") {
            let name = parameter["name"].as_str().expect("a name");
            let value = names.get(name).unwrap_or_else(|| panic!("{} needs {name}", self.id()));
            path = path.replace(&format!("{{{name}}}"), value);
        }
        path
    }
}

fn operations(document: &Value) -> Vec<Operation<'_>> {
    let paths = document["paths"].as_object().expect("paths");
    let mut found = Vec::new();
    for (path, item) in paths {
        for (method, of) in item.as_object().expect("a path") {
            found.push(Operation { method: method.to_uppercase(), path, of });
        }
    }
    found
}

fn find<'d>(document: &'d Value, id: &str) -> Operation<'d> {
    operations(document)
        .into_iter()
        .find(|operation| operation.id() == id)
        .unwrap_or_else(|| panic!("no {id}"))
}

/// Fails where an answer is not as described.
#[track_caller]
fn check(document: &Value, operation: &Operation<'_>, reply: &Reply) {
    let (id, status) = (operation.id(), reply.status.to_string());
    let described = operation.of["responses"].get(&status);
    let response = described.unwrap_or_else(|| panic!("{id}: {status} is not described: {}", reply.text));
    let response = resolve(document, response);
    for (name, header) in response["headers"].as_object().into_iter().flatten() {
        // Some are there for one credential only, or for tokens with a limit.
        let description = header["description"].as_str().unwrap_or_default();
        let sometimes = description.contains("Environment token:")
            || description.contains("for an environment token")
            || (name.starts_with("RateLimit") && status != "429");
        assert!(
            sometimes || reply.header(name).is_some(),
            "{id}: {status} lacks {name}: {:?}",
            reply.headers
        );
    }
    let Some(content) = response.get("content") else {
        assert_eq!(reply.text, "", "{id}: {status} has a body that is not described");
        return;
    };
    let kind = reply.header("content-type").unwrap_or_default().split(';').next().unwrap_or_default();
    let schema = content.get(kind).unwrap_or_else(|| panic!("{id}: {kind} is not described"));
    if kind == "application/json" {
        let found = problems(document, &schema["schema"], &reply.body);
        assert!(found.is_empty(), "{id}: {status}: {found:#?}\n{}", reply.text);
    }
}

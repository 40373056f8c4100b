//! The routes of the server and those of the description are the same.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use regex::Regex;

use super::furnished::Furnished;
use super::{document, operations};

/// The routes of `rest::routes` as its source registers them: method and path.
fn registered() -> BTreeSet<(String, String)> {
    let outside = include_str!("../../src/routes.rs");
    assert!(outside.contains(r#"web::scope("/api/v1").configure(rest::routes)"#), "the base has moved");
    let source = include_str!("../../src/api/rest/mod.rs");
    let (_, routes) = source.split_once("pub fn routes(").expect("the table of routes");
    // What a string of the source says once formatted.
    let named = Regex::new(r"\{\{|\}\}|\{(\w+)\}").expect("a pattern");
    let text = |literal: &str, known: &HashMap<String, String>, formatted: bool| {
        if !formatted {
            return literal.to_owned();
        }
        let value = |found: &regex::Captures<'_>| match &found[0] {
            "{{" => "{".to_owned(),
            "}}" => "}".to_owned(),
            _ => known.get(&found[1]).unwrap_or_else(|| panic!("{} is not known", &found[1])).clone(),
        };
        named.replace_all(literal, value).into_owned()
    };
    let mut known = HashMap::new();
    let binding = Regex::new(r#"let (\w+) = (&format!\()?"([^"]*)"\)?;"#).expect("a pattern");
    for found in binding.captures_iter(routes) {
        let value = text(&found[3], &known, found.get(2).is_some());
        known.insert(found[1].to_owned(), value);
    }
    let resource =
        Regex::new(r#"resource\(\s*(?:(&format!\()?"([^"]+)"\)?|(\w+))\s*,?\s*\)"#).expect("a pattern");
    let route = Regex::new(r"\.route\(\s*(\w+)\(\)\s*\.to\(\s*[\w:]+\s*\)\s*,?\s*\)").expect("a pattern");
    let pattern = Regex::new(r"\{(\w+):[^}]*\}").expect("a pattern");
    let starts: Vec<_> = resource.captures_iter(routes).collect();
    assert_eq!(
        starts.len(),
        routes.matches("resource(").count(),
        "a resource is written in a way not read here"
    );
    assert_eq!(
        route.find_iter(routes).count(),
        routes.matches(".route(").count(),
        "a route is written in a way not read here"
    );
    for other in ["web::scope(", ".configure("] {
        assert!(!routes.contains(other), "{other}…) brings routes that are not read here");
    }
    let mut found = BTreeSet::new();
    for (at, start) in starts.iter().enumerate() {
        let path = match (start.get(2), start.get(3)) {
            (Some(literal), _) => text(literal.as_str(), &known, start.get(1).is_some()),
            (None, Some(name)) => known[name.as_str()].clone(),
            (None, None) => unreachable!("one of them matched"),
        };
        let path = format!("/api/v1{}", pattern.replace_all(&path, "{$1}"));
        let from = start.get(0).expect("the match").end();
        let to = starts.get(at + 1).map_or(routes.len(), |next| next.get(0).expect("the match").start());
        for method in route.captures_iter(&routes[from..to]) {
            assert!(found.insert((method[1].to_uppercase(), path.clone())), "{path} stands twice");
        }
    }
    found
}

#[test]
fn every_route_is_described_and_nothing_else_is() {
    let document = document();
    let described: BTreeSet<(String, String)> = operations(&document)
        .into_iter()
        .map(|operation| (operation.method, operation.path.to_owned()))
        .filter(|(_, path)| path.starts_with("/api/v1/"))
        .collect();
    let registered = registered();
    assert!(registered.len() > 40, "only {} routes were read", registered.len());
    let missing: Vec<_> = registered.difference(&described).collect();
    let gone: Vec<_> = described.difference(&registered).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not described: {missing:?}; described, but gone: {gone:?}"
    );
}

#[actix_web::test]
async fn a_described_path_takes_no_other_method() {
    let document = document();
    let server = Furnished::new().await;
    let nobody = server.app.bearer("nobody");
    let mut methods: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for operation in operations(&document) {
        methods.entry(operation.at(&server.names)).or_default().insert(operation.method);
    }
    for (path, methods) in methods.into_iter().filter(|(path, _)| path.starts_with("/api/v1/")) {
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE"] {
            let reply = nobody.ask(method, &path).send().await;
            assert_eq!(reply.status == 405, !methods.contains(method), "{method} {path}: {}", reply.status);
        }
    }
}

//! Any bytes at all as a body: never a fault of the server, always an error of the documented shape.

use actix_web::rt::System;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::Index;
use proptest::test_runner::{Config, TestRunner};
use serde_json::Value;

use super::{Fixture, bodies, is_error};

/// What is sent in place of a body that a route takes.
#[derive(Clone, Debug)]
enum Damage {
    Bytes(Vec<u8>),
    Json(Value),
    /// Cut the text off here.
    Cut(Index),
    /// Change one byte.
    Flip(Index, u8),
    /// Put these values in place of parts of the body.
    Replace(Vec<(Index, Value)>),
    /// Take a part away.
    Remove(Index),
}

fn odd_text() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "[a-z_./:-]{0,12}",
        Just(String::new()),
        Just("\0".into()),
        Just("\u{feff}\u{202e}".into()),
        Just("x".repeat(70_000)),
        Just("override".into()),
        Just("(a+)+$".into()),
        Just("2026-01-31T12:00:00Z".into()),
        Just("00000000-0000-0000-0000-000000000000".into()),
    ]
}

fn odd_json() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        (0..=101_i64).prop_map(Value::from),
        odd_text().prop_map(Value::from),
    ];
    leaf.prop_recursive(4, 24, 6, |inner| {
        let names = prop_oneof![
            3 => prop::sample::select(vec![
                "all", "any", "not", "segment", "attribute", "operator", "value", "values", "key", "type", "rules", "name",
                "outcome", "split", "variant", "weight", "rollout", "percentage", "context", "features", "defaultValue",
            ])
            .prop_map(str::to_owned),
            1 => odd_text(),
        ];
        prop_oneof![
            vec(inner.clone(), 0..6).prop_map(Value::from),
            vec((names, inner), 0..6).prop_map(|members| Value::Object(members.into_iter().collect())),
        ]
    })
}

fn damage() -> impl Strategy<Value = Damage> {
    prop_oneof![
        1 => vec(any::<u8>(), 0..200).prop_map(Damage::Bytes),
        1 => odd_json().prop_map(Damage::Json),
        1 => any::<Index>().prop_map(Damage::Cut),
        1 => (any::<Index>(), any::<u8>()).prop_map(|(at, byte)| Damage::Flip(at, byte)),
        4 => vec((any::<Index>(), odd_json()), 1..3).prop_map(Damage::Replace),
        1 => any::<Index>().prop_map(Damage::Remove),
    ]
}

/// The pointers of every part of a value, itself first.
fn parts(value: &Value, path: &str, all: &mut Vec<String>) {
    all.push(path.to_owned());
    match value {
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(at, item)| parts(item, &format!("{path}/{at}"), all));
        }
        Value::Object(members) => {
            members.iter().for_each(|(name, item)| {
                parts(item, &format!("{path}/{}", name.replace('~', "~0").replace('/', "~1")), all)
            });
        }
        _ => {}
    }
}

fn pick(value: &Value, at: &Index) -> String {
    let mut all = Vec::new();
    parts(value, "", &mut all);
    at.get(&all).clone()
}

impl Damage {
    fn to(&self, body: &Value) -> Vec<u8> {
        let mut text = body.to_string().into_bytes();
        match self {
            Self::Bytes(bytes) => return bytes.clone(),
            Self::Json(value) => return value.to_string().into(),
            Self::Cut(at) => text.truncate(at.index(text.len())),
            Self::Flip(at, byte) => {
                let at = at.index(text.len());
                text[at] = *byte;
            }
            Self::Replace(values) => {
                let mut body = body.clone();
                for (at, value) in values {
                    let path = pick(&body, at);
                    *body.pointer_mut(&path).expect("a part") = value.clone();
                }
                return body.to_string().into();
            }
            Self::Remove(at) => {
                let mut body = body.clone();
                let path = pick(&body, at);
                let (parent, name) = path.rsplit_once('/').unwrap_or_default();
                match body.pointer_mut(parent) {
                    Some(Value::Object(members)) => drop(members.remove(name)),
                    Some(Value::Array(items)) => drop(name.parse().map(|at: usize| items.remove(at))),
                    _ => {}
                }
                return body.to_string().into();
            }
        }
        text
    }
}

#[test]
fn no_byte_string_is_a_fault_of_the_server() {
    let system = System::new();
    let fixture = system.block_on(Fixture::new());
    // Named by id, so that what renames them leads nobody astray.
    let id = |path: &str| {
        let reply = system.block_on(fixture.app.viewer().get(path)).expect(200);
        reply.body["id"].as_str().expect("an id").to_owned()
    };
    let (site, prod) = (id(super::SHOP), id(crate::support::PROD));
    let routes: Vec<_> = bodies::routes()
        .into_iter()
        .map(|(method, path, body)| {
            let path = fixture.fill(&path).replace("/sites/shop", &format!("/sites/{site}"));
            let path = path.replace("/environments/prod", &format!("/environments/{prod}"));
            (method, path, serde_json::from_str::<Value>(&fixture.fill(&body.to_string())).expect("JSON"))
        })
        .collect();
    let types = ["application/json", "application/merge-patch+json", "application/yaml", "text/plain", ""];
    let strategy = (damage(), any::<Index>(), prop_oneof![8 => Just(0), 1 => 1..types.len()]);
    let config = Config { cases: 1500, failure_persistence: None, ..Config::default() };
    let outcome = TestRunner::new(config).run(&strategy, |(damage, route, content_type)| {
        let (method, path, body) = route.get(&routes);
        let bytes = damage.to(body);
        let ask = fixture.actor(path).ask(method, path).body(types[content_type], bytes);
        let reply = system.block_on(ask.send());
        let shown = format!("{method} {path}: {} {}", reply.status, reply.text);
        prop_assert!((200..300).contains(&reply.status) || (400..500).contains(&reply.status), "{}", shown);
        prop_assert!(reply.status < 300 || is_error(&reply.body), "{}", shown);
        // An environment that was put aside would answer everything alike.
        if method == &"PATCH" && path.ends_with(&prod) && reply.status == 200 {
            let editor = fixture.app.editor();
            let active = system.block_on(editor.patch(path, serde_json::json!({"status": "active"})));
            prop_assert_eq!(active.status, 200);
        }
        Ok(())
    });
    if let Err(error) = outcome {
        panic!("{error}");
    }
}

//! Requests take what is described and refuse the rest.

use serde_json::{Value, json};

use super::furnished::Furnished;
use super::json_schema::resolve;
use super::{check, document, operations};

/// Bodies that name one member each, as `(body, its path)`; and bodies that name one that does not exist.
type Probes = Vec<(Value, String)>;

fn probes(document: &Value, schema: &Value) -> (Probes, Probes) {
    let (mut real, mut made_up) = (Vec::new(), Vec::new());
    probe(document, schema, &|value| value, "", &mut Vec::new(), &mut real, &mut made_up);
    (real, made_up)
}

fn probe(
    document: &Value,
    schema: &Value,
    wrap: &dyn Fn(Value) -> Value,
    path: &str,
    inside: &mut Vec<String>,
    real: &mut Vec<(Value, String)>,
    made_up: &mut Vec<(Value, String)>,
) {
    if let Some(name) = schema["$ref"].as_str() {
        if inside.iter().any(|one| one == name) {
            return;
        }
        inside.push(name.to_owned());
        probe(document, resolve(document, schema), wrap, path, inside, real, made_up);
        inside.pop();
        return;
    }
    for item in schema["oneOf"].as_array().into_iter().flatten() {
        probe(document, item, wrap, path, inside, real, made_up);
    }
    if let Some(items) = schema.get("items") {
        probe(document, items, &|value| wrap(json!([value])), &format!("{path}[0]"), inside, real, made_up);
    }
    let Some(properties) = schema["properties"].as_object() else { return };
    // What tells this alternative from others stands beside the member in question.
    let required: Vec<&str> =
        schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str).collect();
    let with = |name: &str, value: Value| {
        let mut body: serde_json::Map<_, _> =
            required.iter().map(|name| (name.to_string(), Value::Null)).collect();
        body.insert(name.to_owned(), value);
        wrap(Value::Object(body))
    };
    made_up.push((with("madeUp", json!(1)), format!("{path}.madeUp").trim_start_matches('.').to_owned()));
    for (name, of) in properties {
        let path = format!("{path}.{name}");
        real.push((with(name, Value::Null), path.clone()));
        probe(document, of, &|value| with(name, value), &path, inside, real, made_up);
    }
}

#[actix_web::test]
async fn requests_take_every_member_that_is_described_and_no_other() {
    let document = document();
    let (mut taken, mut refused) = (0, 0);
    for operation in operations(&document) {
        let Some(content) = operation.json_body() else { continue };
        // What is tried changes things, so each operation has its own.
        let server = Furnished::new().await;
        let id = operation.id();
        let who = if operation.takes("personalAccessToken") { &server.ana } else { &server.client };
        let path = operation.at(&server.names);
        let (real, made_up) = probes(&document, &content["schema"]);
        for (body, member) in real {
            let reply = who.ask(&operation.method, &path).json(&body).send().await;
            assert_ne!(reply.code(), "unknown_field", "{id} refuses {member}: {body}");
            taken += 1;
        }
        for (body, member) in made_up {
            let reply = who.ask(&operation.method, &path).json(&body).send().await;
            assert_eq!((reply.status, reply.code()), (400, "unknown_field"), "{id}: {member}: {body}");
            assert!(reply.fields().contains(&member.as_str()), "{id}: {member}: {}", reply.text);
            refused += 1;
        }
    }
    assert!(taken > 200 && refused > 80, "only {taken} and {refused} were tried");
}

#[actix_web::test]
async fn queries_take_every_parameter_that_is_described_and_lists_no_other() {
    let document = document();
    let server = Furnished::new().await;
    let mut tried = 0;
    for operation in operations(&document).iter().filter(|operation| operation.id() != "stream") {
        let (id, path) = (operation.id(), operation.at(&server.names));
        for parameter in operation.parameters("query") {
            let name = parameter["name"].as_str().expect("a name");
            let description = parameter["description"].as_str().expect("a description");
            let of_clients = description.starts_with("Environment token");
            let person = operation.takes("personalAccessToken") && !of_clients;
            let who = if person { &server.ana } else { &server.client };
            // At a version that is none, so that nothing is deleted by asking.
            let request = who.ask(&operation.method, &format!("{path}?{name}="));
            let reply = request.header("if-match", "\"999\"").send().await;
            assert_ne!(reply.code(), "unknown_parameter", "{id}: {name}");
            tried += 1;
        }
        // What clients ask may carry anything, so that caches can be passed by.
        let strict = operation.takes("personalAccessToken") && !operation.takes("environmentToken");
        if operation.method == "GET" && strict && operation.of["responses"].get("400").is_some() {
            let reply = server.ana.get(&format!("{path}?madeUp=1")).await;
            reply.refused(400, "unknown_parameter");
            check(&document, operation, &reply);
        }
    }
    assert!(tried > 15, "only {tried} were tried");
}

//! OpenFeature's Rust SDK with its OFREP provider: every type, errors, live change. That provider reports `STATIC` as
//! the reason of every answer and tells nobody of it; variants say which rule decided.

use open_feature::{
    Client, EvaluationContext, EvaluationDetails, EvaluationErrorCode, EvaluationReason, OpenFeature, Value,
};
use open_feature_ofrep::{OfrepOptions, OfrepProvider};
use reqwest::Method;
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use serde_json::{Value as Json, json};

fn required(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| panic!("{name} is not set: start the suites with tests/clients/run.sh"))
}

/// A client of a provider of its own.
async fn connect(domain: &'static str, header: &'static str, value: &str) -> Client {
    let value = HeaderValue::from_str(value).expect("a header");
    let options = OfrepOptions {
        base_url: required("FEATURED_URL"),
        headers: HeaderMap::from_iter([(HeaderName::from_static(header), value)]),
        ..Default::default()
    };
    let provider = OfrepProvider::new(options).await.expect("a provider");
    let mut api = OpenFeature::singleton_mut().await;
    api.set_named_provider(domain, provider).await;
    api.create_named_client(domain)
}

async fn bearer(domain: &'static str) -> Client {
    connect(domain, "authorization", &format!("Bearer {}", required("FEATURED_OPENFEATURE_TOKEN"))).await
}

fn user() -> EvaluationContext {
    EvaluationContext::default().with_targeting_key("u1")
}

/// Calls the admin API on a feature of openfeature/prod.
async fn admin(method: Method, key: &str, body: Option<Json>) -> Json {
    let base = required("FEATURED_URL");
    let request = reqwest::Client::new()
        .request(method, format!("{base}/api/v1/sites/openfeature/environments/prod/features/{key}"))
        .bearer_auth(required("FEATURED_PAT"));
    let request = match body {
        Some(body) => request.json(&body),
        None => request,
    };
    let reply = request.send().await.expect("a reply");
    assert_eq!(reply.status(), 200);
    reply.json().await.expect("JSON")
}

async fn rule(key: &str, at: usize) -> String {
    let feature = admin(Method::GET, key, None).await;
    format!("rule-{}", feature["rules"][at]["id"].as_str().expect("an id"))
}

fn told<T>(details: EvaluationDetails<T>) -> (T, String) {
    assert_eq!(details.reason, Some(EvaluationReason::Static));
    (details.value, details.variant.expect("a variant"))
}

#[tokio::test]
async fn every_type() {
    let client = bearer("types").await;
    let user = user();
    assert_eq!(client.get_bool_value("bool-on", None, None).await, Ok(true));
    assert_eq!(client.get_string_value("text", Some(&user), None).await, Ok("grey".to_owned()));
    assert_eq!(client.get_int_value("int", Some(&user), None).await, Ok(5));
    assert_eq!(client.get_float_value("float", Some(&user), None).await, Ok(2.5));
    let object = client.get_struct_value::<Object>("object", Some(&user), None).await.expect("an object");
    assert_eq!(object.0["theme"], Value::String("dark".into()));
    assert_eq!(object.0["sizes"], Value::Array(vec![Value::Int(1), Value::Int(2)]));
    let Value::Struct(deep) = &object.0["deep"] else { panic!("{:?}", object.0) };
    assert_eq!(deep.fields["on"], Value::Bool(true));
    let list = client.get_struct_value::<Object>("list", Some(&user), None).await;
    assert_eq!(list.map(|_| ()).expect_err("its structs are objects").code, EvaluationErrorCode::ParseError);
}

/// The members of an object, as the SDK hands them over.
struct Object(std::collections::HashMap<String, Value>);

impl TryFrom<open_feature::StructValue> for Object {
    type Error = open_feature::EvaluationError;

    fn try_from(value: open_feature::StructValue) -> Result<Self, Self::Error> {
        Ok(Self(value.fields))
    }
}

#[tokio::test]
async fn every_variant() {
    let client = bearer("variants").await;
    let user = user();
    let premium = user.clone().with_custom_field("plan", "premium");
    let text = client.get_string_details("text", Some(&premium), None).await.expect("an answer");
    assert_eq!(told(text), ("gold".to_owned(), rule("text", 0).await));
    let vip = EvaluationContext::default().with_targeting_key("vip");
    let text = client.get_string_details("text", Some(&vip), None).await.expect("an answer");
    assert_eq!(told(text), ("platinum".to_owned(), "context".to_owned()));
    let forced = client.get_string_details("forced", Some(&user), None).await.expect("an answer");
    assert_eq!(told(forced), ("taken".to_owned(), "override".to_owned()));
    let free = user.clone().with_custom_field("plan", "free");
    let text = client.get_string_details("text", Some(&free), None).await.expect("an answer");
    assert_eq!(told(text), ("grey".to_owned(), "default".to_owned()));
    let (value, variant) = told(client.get_string_details("split", Some(&user), None).await.expect("an answer"));
    assert_eq!(value, if variant == "red" { "#f00" } else { "#00f" });
    let share = client.get_bool_details("share", Some(&user), None).await.expect("an answer");
    assert_eq!(told(share), (true, rule("share", 0).await));
    let nobody = client.get_bool_details("share", None, None).await.expect("an answer");
    assert_eq!(told(nobody), (false, "default".to_owned()));
    let off = client.get_bool_details("bool-off", Some(&user), None).await.expect("an answer");
    assert_eq!(told(off), (false, "disabled".to_owned()));
}

#[tokio::test]
async fn errors_each_with_its_code() {
    let client = bearer("errors").await;
    let code = async |client: &Client, key: &str| {
        client.get_bool_value(key, Some(&user()), None).await.expect_err("an error").code
    };
    assert_eq!(code(&client, "gone").await, EvaluationErrorCode::FlagNotFound);
    assert_eq!(code(&client, "team/gone").await, EvaluationErrorCode::FlagNotFound);
    assert_eq!(code(&client, "int").await, EvaluationErrorCode::ParseError, "its word for another type");
    let off = client.get_string_value("text-off", Some(&user()), None).await;
    assert!(off.is_err(), "nothing to give: the code has its own");
    let stranger = connect("stranger", "x-api-key", "alm_env_openfeature_prod_unknown").await;
    assert!(matches!(code(&stranger, "bool-on").await, EvaluationErrorCode::General(_)));
}

#[tokio::test]
async fn a_key_with_a_slash_and_the_token_in_the_other_header() {
    let client = connect("api-key", "x-api-key", &required("FEATURED_OPENFEATURE_TOKEN")).await;
    assert_eq!(client.get_bool_value("team/new-nav", Some(&user()), None).await, Ok(true));
}

#[tokio::test]
async fn a_change_is_seen_by_the_next_evaluation() {
    let client = bearer("live").await;
    let live = async || client.get_string_value("live", Some(&user()), None).await;
    assert_eq!(live().await, Ok("before".to_owned()));
    admin(Method::PATCH, "live", Some(json!({"defaultValue": "after"}))).await;
    let seen = live().await;
    admin(Method::PATCH, "live", Some(json!({"defaultValue": "before"}))).await;
    assert_eq!(seen, Ok("after".to_owned()));
}

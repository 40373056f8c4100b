use serde_json::{Value, json};

use super::*;

type Told = Vec<(String, String)>;

fn read(document: &Value) -> (Option<Document>, Told) {
    let text = document.to_string();
    let mut problems = Problems::default();
    let read = Document::decode(&Node::parse(&text).expect("JSON"), &mut problems);
    let told = problems.unknown.into_iter().chain(problems.invalid);
    (read, told.map(|problem| (problem.field, problem.message)).collect())
}

#[track_caller]
fn fine(document: &Value) -> Document {
    let (read, told) = read(document);
    assert_eq!(told, Told::new(), "{document}");
    read.expect("a document without problems")
}

fn with_environment(members: Value) -> Value {
    let mut environment = json!({"name": "prod"});
    if let (Some(environment), Value::Object(members)) = (environment.as_object_mut(), members) {
        environment.extend(members);
    }
    json!({"version": 1, "site": {"slug": "s"}, "environments": [environment]})
}

/// The example of native-api, "Site document".
fn example() -> Value {
    json!({
        "version": 1,
        "site": {"slug": "shop", "name": "Shop", "description": "Web shop"},
        "segments": [{"key": "staff", "name": "Staff",
            "conditions": {"all": [{"attribute": "email", "operator": "ends_with", "value": "@shop.example"}]}}],
        "environments": [{
            "name": "prod", "description": "", "tags": [], "status": "active",
            "features": [{
                "key": "new_checkout", "type": "BOOLEAN", "enabled": true, "defaultValue": false,
                "description": "One-page checkout", "tags": ["checkout"], "bucketing": "sha256", "variants": [],
                "rules": [
                    {"name": "Staff first", "priority": 90, "when": {"segment": "staff"}, "outcome": {"value": true}},
                    {"name": "Ten percent", "priority": 10, "rollout": {"percentage": 10}, "outcome": {"value": true}}]}],
            "contexts": [{"key": "team:blue", "prototypes": [], "features": {"new_checkout": "yes"}}]}]})
}

#[test]
fn the_example_of_the_contract_reads_and_writes_without_its_defaults() {
    let document = fine(&example());
    let written = serde_json::to_value(&document).expect("JSON");
    let mut expected = example();
    let environment = &mut expected["environments"][0];
    for member in ["description", "tags", "status"] {
        environment.as_object_mut().expect("an object").remove(member);
    }
    for member in ["enabled", "bucketing", "variants"] {
        environment["features"][0].as_object_mut().expect("an object").remove(member);
    }
    environment["contexts"][0].as_object_mut().expect("an object").remove("prototypes");
    assert_eq!(written, expected);
    assert_eq!(fine(&written), document);
}

#[test]
fn what_differs_from_its_default_is_written() {
    let feature = json!({"key": "f", "type": "STRING", "enabled": false, "bucketing": "crc32", "bucketingId": "7",
        "variants": [{"key": "a", "value": "a", "attachment": {"n": 1}}, {"key": "b", "value": "b"}],
        "rules": [{"name": "r", "enabled": false, "rollout": {"percentage": 5, "by": "company", "otherwise": "next"},
            "outcome": {"split": [{"variant": "b", "weight": 40}, {"variant": "a", "weight": 60}]}}]});
    let sent = json!({"version": 1, "site": {"slug": "s", "name": "S"}, "environments": [
        {"name": "prod", "description": "d", "tags": ["t"], "status": "maintenance", "userIdIsContextKey": false,
            "features": [feature],
            "contexts": [{"key": "override", "description": "d", "features": {"f": "x"}},
                {"key": "a", "prototypes": ["b"]}, {"key": "b"}]},
        {"name": "dev", "features": []}]});
    let document = fine(&sent);
    assert_eq!(serde_json::to_value(&document).expect("JSON"), sent);
    assert_eq!(document.environments[0].status, Status::Maintenance);
    assert!(!document.environments[0].user_id_is_context && document.environments[1].user_id_is_context);
}

#[test]
fn a_site_without_a_name_is_called_by_its_slug_and_numbers_stay_as_written() {
    let text = r#"{"version": 1, "site": {"slug": "s"}, "environments": [{"name": "prod", "features": [
        {"key": "f", "type": "NUMBER", "defaultValue": 1.50}]}]}"#;
    let mut problems = Problems::default();
    let document = Document::decode(&Node::parse(text).expect("JSON"), &mut problems).expect("a document");
    assert_eq!(document.name, "s");
    assert!(serde_json::to_string(&document).expect("JSON").contains(r#""defaultValue":1.50"#));
}

#[test]
fn every_problem_is_told_with_its_path() {
    let prototypes: Vec<_> = (0..33).map(|n| format!("p{n}")).collect();
    let values: serde_json::Map<_, _> = (0..1001).map(|n| (format!("f{n}"), json!("x"))).collect();
    let feature = |key: &str| json!({"key": key, "type": "BOOLEAN"});
    let context = |members: Value| with_environment(json!({"contexts": [members]}));
    let key_rule = "must be 1 to 200 of A-Z a-z 0-9 . _ - : @ + ~, beginning with a letter or digit";
    for (document, expected) in [
        (json!(5), vec![("", "must be an object")]),
        (json!({}), vec![("version", "is required"), ("site", "is required")]),
        (json!({"version": 2, "site": 5}), vec![("version", "must be 1"), ("site", "must be an object")]),
        (
            json!({"version": "1", "site": {"slug": "A", "name": 5, "x": 1}, "y": 1, "environments": {}}),
            vec![
                ("site.x", "is not a known member"),
                ("y", "is not a known member"),
                ("version", "must be 1"),
                ("site.slug", SLUG_RULE),
                ("site.name", "must be a string"),
                ("environments", "must be a list"),
            ],
        ),
        (
            with_environment(
                json!({"name": "Prod", "status": "off", "tags": "x", "userIdIsContextKey": 1, "x": 1}),
            ),
            vec![
                ("environments[0].x", "is not a known member"),
                ("environments[0].name", ENVIRONMENT_RULE),
                ("environments[0].tags", "must be a list"),
                ("environments[0].status", "must be one of active, archived, maintenance"),
                ("environments[0].userIdIsContextKey", "must be true or false"),
            ],
        ),
        (
            with_environment(json!({"features": [feature("a"), {"key": "b", "type": "X", "typo": 1}]})),
            vec![
                ("environments[0].features[1].typo", "is not a known member"),
                ("environments[0].features[1].type", "must be one of STRING, NUMBER, BOOLEAN, JSON"),
            ],
        ),
        (
            with_environment(json!({"features": [feature("a"), feature("b"), feature("a")]})),
            vec![("environments[0].features[2].key", "a stands twice")],
        ),
        (
            with_environment(json!({"contexts": [{"key": "a"}, {"key": "a"}]})),
            vec![("environments[0].contexts[1].key", "a stands twice")],
        ),
        (
            json!({"version": 1, "site": {"slug": "s"}, "environments": [{"name": "a"}, {"name": "a"}],
                "segments": [{"key": "s", "conditions": {"all": []}}, {"key": "s", "conditions": {"any": 5}}]}),
            vec![
                ("segments[1].conditions.any", "must be a list"),
                ("environments[1].name", "a stands twice"),
            ],
        ),
        (context(json!({})), vec![("environments[0].contexts[0].key", "is required")]),
        (context(json!({"key": "-a"})), vec![("environments[0].contexts[0].key", key_rule)]),
        (
            context(json!({"key": "default"})),
            vec![(
                "environments[0].contexts[0].key",
                "is reserved: its values are the features' default values",
            )],
        ),
        (
            context(json!({"key": "override", "prototypes": ["a"]})),
            vec![("environments[0].contexts[0].prototypes", "override has no prototypes")],
        ),
        (
            context(json!({"key": "a", "prototypes": ["b", "a", "b", "override", "default"]})),
            vec![
                ("environments[0].contexts[0].prototypes[1]", "cannot be its own prototype"),
                ("environments[0].contexts[0].prototypes[2]", "stands twice"),
                (
                    "environments[0].contexts[0].prototypes[3]",
                    "takes part in every look-up and cannot be a prototype",
                ),
                (
                    "environments[0].contexts[0].prototypes[4]",
                    "takes part in every look-up and cannot be a prototype",
                ),
            ],
        ),
        (
            context(json!({"key": "a", "prototypes": prototypes, "features": values})),
            vec![
                ("environments[0].contexts[0].prototypes", "must have at most 32 entries"),
                ("environments[0].contexts[0].features", "must have at most 1000 entries"),
            ],
        ),
    ] {
        let expected: Told =
            expected.into_iter().map(|(field, message)| (field.into(), message.into())).collect();
        let shown: String = document.to_string().chars().take(200).collect();
        assert_eq!(read(&document), (None, expected), "{shown}");
    }
}

#[test]
fn override_may_name_every_feature() {
    let values: serde_json::Map<_, _> = (0..1001).map(|n| (format!("f{n}"), json!("x"))).collect();
    let sent = with_environment(json!({"contexts": [{"key": "override", "features": values}]}));
    assert_eq!(fine(&sent).environments[0].contexts[0].values.len(), 1001);
}

#[test]
fn values_in_contexts_take_the_spellings_of_their_type() {
    use FeatureType::{Boolean, Json as AnyJson, Number, String as Text};
    let yes_or_no = Err("must be yes or no");
    let number = Err("must be a JSON number");
    for (kind, written, expected) in [
        (Boolean, r#""yes""#, Ok("true")),
        (Boolean, r#""no""#, Ok("false")),
        (Boolean, r#""true""#, Ok("true")),
        (Boolean, r#""false""#, Ok("false")),
        (Boolean, "true", Ok("true")),
        (Boolean, "false", Ok("false")),
        (Boolean, r#""Yes""#, yes_or_no),
        (Boolean, r#""1""#, yes_or_no),
        (Boolean, r#""""#, yes_or_no),
        (Boolean, "1", Err("must be true or false")),
        (Boolean, "null", Err("must be true or false")),
        (Number, r#""1.50""#, Ok("1.50")),
        (Number, "1.50", Ok("1.50")),
        (Number, r#""-12""#, Ok("-12")),
        (Number, r#""1e3""#, Ok("1e3")),
        (Number, r#""+1""#, Err("must hold a NUMBER value")),
        (Number, r#"".5""#, Err("must hold a NUMBER value")),
        (Number, r#""01""#, Err("must hold a NUMBER value")),
        (Number, r#""1.""#, Err("must hold a NUMBER value")),
        (Number, r#""NaN""#, Err("must hold a NUMBER value")),
        (Number, r#"" 1""#, number),
        (Number, r#""1 ""#, number),
        (Number, r#""""#, Err("must hold a NUMBER value")),
        (Number, r#""1e999""#, Err("must be a finite number")),
        (Number, r#""true""#, Err("must be a finite number")),
        (Number, "null", Err("must be a finite number")),
        (Number, "[]", Err("must be a finite number")),
        (Text, r#""""#, Ok(r#""""#)),
        (Text, r#"" a ""#, Ok(r#"" a ""#)),
        (Text, "5", Err("must be a string")),
        (Text, "null", Err("must be a string")),
        (Text, r#""a\u0000""#, Err("must not contain NUL")),
        (AnyJson, r#""{\"a\": 1}""#, Ok(r#"{"a":1}"#)),
        (AnyJson, r#"{"a": [1]}"#, Ok(r#"{"a":[1]}"#)),
        (AnyJson, r#""\"x\"""#, Ok(r#""x""#)),
        (AnyJson, r#""x""#, Err("must hold a JSON value")),
        (AnyJson, r#""null""#, Err("must be JSON other than null")),
        (AnyJson, "null", Err("must be JSON other than null")),
    ] {
        let read = read_context_value(kind, false, &Json::compacted(written));
        let read = read.as_ref().map(Json::as_str).map_err(String::as_str);
        assert_eq!(read, expected, "{kind} {written}");
    }
}

#[test]
fn values_in_contexts_are_shown_as_text() {
    for (kind, value, text) in [
        (FeatureType::Boolean, "true", "yes"),
        (FeatureType::Boolean, "false", "no"),
        (FeatureType::Number, "1.50", "1.50"),
        (FeatureType::String, r#""a\nb""#, "a\nb"),
        (FeatureType::String, r#""""#, ""),
        (FeatureType::Json, r#"{"a":1}"#, r#"{"a":1}"#),
    ] {
        let value = Json::compacted(value);
        assert_eq!(context_text(kind, value.as_str()), text);
        let written = Json::from(&Value::from(text));
        assert_eq!(read_context_value(kind, false, &written), Ok(value), "{text} reads back");
    }
}

#[test]
fn values_that_do_not_fit_their_feature_are_problems_of_the_environment() {
    let document = fine(&with_environment(json!({
        "features": [{"key": "seats", "type": "NUMBER"}, {"key": "beta", "type": "BOOLEAN"}],
        "contexts": [{"key": "a", "features": {"seats": "50", "beta": "maybe", "gone": "x"}}]})));
    let mut problems = Problems::default();
    let source = document.environments[0].source(&document, &mut problems);
    let told: Vec<_> = problems.invalid.iter().map(|p| (p.field.as_str(), p.message.as_str())).collect();
    let expected = [
        ("contexts.a.features.beta", "must be yes or no"),
        ("contexts.a.features.gone", "is not a feature of this environment"),
    ];
    assert_eq!(told, expected);
    let values: Vec<_> =
        source.contexts[0].values.iter().map(|(key, value)| format!("{key}={value}")).collect();
    assert_eq!(values, ["seats=50"]);
    assert_eq!((&*source.info.site, &*source.info.name), ("s", "prod"));
}

#[test]
fn names_are_what_the_contract_says() {
    for (check, good, bad) in [
        (is_slug as fn(&str) -> bool, vec!["a", "a-1", "-"], vec!["", "A", "a_b", "ä", "a.b"]),
        (is_environment_name, vec!["prod", "a_b-1"], vec!["", "Prod", "a b", "a.b"]),
        (is_context_key, vec!["a", "9:x@y+z~._-", "A"], vec!["", "-a", ":a", "a b", "ä", "a/b"]),
    ] {
        good.iter().for_each(|name| assert!(check(name), "{name}"));
        bad.iter().for_each(|name| assert!(!check(name), "{name}"));
    }
    for (check, most) in [(is_slug as fn(&str) -> bool, 50), (is_environment_name, 50), (is_context_key, 200)]
    {
        assert!(check(&"x".repeat(most)) && !check(&"x".repeat(most + 1)));
    }
}

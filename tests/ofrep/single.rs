//! One flag.

use serde_json::{Value, json};

use super::{FLAGS, ask, context, failed, matches, vectors, with_vectors};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn every_answer_is_the_one_of_the_vectors() {
    let app = with_vectors().await;
    let vectors = vectors();
    let singles = vectors["single"].as_array().expect("vectors");
    for vector in singles {
        let key = vector["key"].as_str().expect("a key");
        let path = vector["path"].as_str().map_or_else(|| format!("{FLAGS}/{key}"), str::to_owned);
        let reply = ask(&app.sdk(), &path, vector, &[]).await;
        assert_eq!(reply.status, vector["status"], "{vector}");
        assert!(matches(&vector["body"], &reply.body), "{vector}\n{}", reply.text);
        if let Some(text) = vector["raw_contains"].as_str() {
            assert!(reply.text.contains(text), "{}", reply.text);
        }
        if let Some(text) = vector["raw_must_not_contain"].as_str() {
            assert!(!reply.text.contains(text), "{}", reply.text);
        }
        assert!(reply.header("content-type").expect("a type").starts_with("application/json"));
    }
    assert!(singles.len() >= 13);
}

/// The answer for one flag and user.
async fn answer(app: &TestApp, key: &str, attributes: Value) -> Value {
    app.sdk().post(&format!("{FLAGS}/{key}"), context(attributes)).await.expect(200).body
}

#[actix_web::test]
async fn a_key_may_have_slashes_and_colons_encoded_or_not() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "team/new:nav.x", "type": "BOOLEAN", "defaultValue": true})).await;
    for path in ["team/new:nav.x", "team%2Fnew%3Anav.x", "team%2fnew:nav%2ex", "team/new%3anav.x"] {
        assert_eq!(answer(&app, path, json!({})).await["key"], "team/new:nav.x", "{path}");
    }
    for (path, key) in
        [("a%20b/c", "a b/c"), ("%C3%B6", "ö"), ("x%3Fy%23", "x?y#"), ("a//b", "a//b"), ("%FF", "\u{fffd}")]
    {
        let reply = app.sdk().post(&format!("{FLAGS}/{path}?unknown=1"), context(json!({}))).await;
        failed(&reply, 404, "FLAG_NOT_FOUND");
        assert_eq!(reply.body["key"], key);
    }
}

#[actix_web::test]
async fn numbers_and_objects_are_sent_as_they_were_written() {
    let app = TestApp::new().await;
    let made = [
        ("NUMBER", "5"),
        ("NUMBER", "5.0"),
        ("NUMBER", "-0.50"),
        ("NUMBER", "123456789012345678901234567890"),
        ("JSON", r#"{"b":1.0,"a":[5,null]}"#),
        ("JSON", "[1,2]"),
        ("JSON", "\"scalar\""),
        ("STRING", r#""a \" \\ ö\n""#),
    ];
    for (at, (kind, text)) in made.iter().enumerate() {
        let key = format!("f{at}");
        let body = format!(r#"{{"key":"{key}","type":"{kind}","defaultValue":{text}}}"#);
        let path = format!("{PROD}/features");
        app.editor().ask("POST", &path).body("application/json", body).send().await.expect(201);
        let reply = app.sdk().post(&format!("{FLAGS}/{key}"), json!({})).await.expect(200);
        let expected = format!(r#"{{"key":"{key}","value":{text},"reason":"STATIC","variant":"default"}}"#);
        assert_eq!(reply.text, expected);
    }
}

#[actix_web::test]
async fn every_reason_has_its_variant() {
    let app = TestApp::new().await;
    let made = app
        .feature(json!({
            "key": "f", "type": "STRING", "defaultValue": "none",
            "variants": [{"key": "red", "value": "#f00"}, {"key": "blue", "value": "#00f"}],
            "rules": [
                {"name": "exact", "priority": 90, "when": {"attribute": "cart.total", "operator": "greater_than", "value": 10},
                 "outcome": {"value": "big"}},
                {"name": "part", "priority": 80, "when": {"attribute": "beta", "operator": "equals", "value": true},
                 "rollout": {"percentage": 99.9}, "outcome": {"value": "beta"}},
                {"name": "split", "priority": 70, "when": {"attribute": "plan", "operator": "equals", "value": "pro"},
                 "outcome": {"split": [{"variant": "red", "weight": 50}, {"variant": "blue", "weight": 50}]}},
                {"name": "one", "priority": 60, "when": {"attribute": "plan", "operator": "equals", "value": "free"},
                 "outcome": {"split": [{"variant": "blue", "weight": 100}]}},
            ],
        }))
        .await;
    let rule = |at: usize| format!("rule-{}", made["rules"][at]["id"].as_str().expect("an id"));
    let told = |answer: Value| {
        let text = |name: &str| answer[name].as_str().expect("text").to_owned();
        (text("value"), text("reason"), text("variant"))
    };
    let expect = |value: &str, reason: &str, variant: &str| (value.into(), reason.into(), variant.into());
    let of = async |attributes: Value| told(answer(&app, "f", attributes).await);
    assert_eq!(of(json!({"cart": {"total": 12.5}})).await, expect("big", "TARGETING_MATCH", &rule(0)));
    assert_eq!(of(json!({"targetingKey": "u1", "beta": true})).await, expect("beta", "SPLIT", &rule(1)));
    let (value, reason, variant) = of(json!({"targetingKey": "u1", "plan": "pro"})).await;
    assert_eq!((value.as_str(), reason.as_str()), (if variant == "red" { "#f00" } else { "#00f" }, "SPLIT"));
    assert_eq!(of(json!({"plan": "free"})).await, expect("#00f", "TARGETING_MATCH", "blue"));
    assert_eq!(of(json!({"plan": "other"})).await, expect("none", "DEFAULT", "default"));
    // Nobody to stick to: outside, however large the share; an attribute named userId is none.
    assert_eq!(of(json!({"beta": true, "userId": "u1"})).await, expect("none", "DEFAULT", "default"));
    app.contexts(json!([{"key": "u9", "features": {"f": "mine"}}]));
    assert_eq!(of(json!({"targetingKey": "u9"})).await, expect("mine", "TARGETING_MATCH", "context"));
    app.contexts(json!([{"key": "override", "features": {"f": "all"}}]));
    assert_eq!(of(json!({"targetingKey": "u9"})).await, expect("all", "STATIC", "override"));
}

#[actix_web::test]
async fn what_is_off_or_empty_has_no_value_but_boolean_false() {
    let app = TestApp::new().await;
    for (kind, value) in
        [("STRING", json!("x")), ("NUMBER", json!(1)), ("JSON", json!({})), ("BOOLEAN", json!(true))]
    {
        app.feature(json!({"key": kind, "type": kind, "enabled": false, "defaultValue": value})).await;
        let mut expected = json!({"key": kind, "reason": "DISABLED", "variant": "disabled"});
        if kind == "BOOLEAN" {
            expected["value"] = json!(false);
        }
        assert_eq!(answer(&app, kind, json!({})).await, expected);
    }
    app.feature(json!({"key": "none", "type": "JSON"})).await;
    assert_eq!(
        answer(&app, "none", json!({})).await,
        json!({"key": "none", "reason": "STATIC", "variant": "default"})
    );
}

#[actix_web::test]
async fn a_stored_value_that_cannot_be_read_fails_its_flag_alone() {
    let app = TestApp::new().await;
    for key in ["good", "torn", "wrong"] {
        app.feature(json!({"key": key, "type": "NUMBER", "defaultValue": 5})).await;
    }
    for (key, kind) in [("wrong-b", "BOOLEAN"), ("wrong-s", "STRING")] {
        app.feature(json!({"key": key, "type": kind})).await;
    }
    {
        let writer = app.app.store.writer();
        for (key, value) in [("torn", "{"), ("wrong", "\"five\""), ("wrong-b", "1"), ("wrong-s", "true")] {
            let changed =
                writer.execute("UPDATE features SET default_value = ?2 WHERE key = ?1", [key, value]);
            assert_eq!(changed.expect("a change"), 1);
        }
        app.app.live.load_all(&writer).expect("everything read again");
    }
    for key in ["torn", "wrong", "wrong-b", "wrong-s"] {
        let reply = app.sdk().post(&format!("{FLAGS}/{key}"), json!({})).await;
        failed(&reply, 400, "PARSE_ERROR");
        assert_eq!(reply.body["key"], key);
    }
    let bulk = app.sdk().post(FLAGS, json!({})).await.expect(200).body;
    let codes: Vec<_> =
        bulk["flags"].as_array().expect("flags").iter().map(|flag| &flag["errorCode"]).collect();
    let error = json!("PARSE_ERROR");
    assert_eq!(codes, [&Value::Null, &error, &error, &error, &error]);
}

#[actix_web::test]
async fn a_key_may_come_in_either_header_and_must_be_of_an_environment() {
    let app = with_vectors().await;
    let path = format!("{FLAGS}/bool-static");
    let with = async |name: &str, value: &str| {
        app.anonymous().ask("POST", &path).header(name, value).json(&json!({})).send().await
    };
    let secret = app.sdk_secret();
    with("authorization", &format!("Bearer {secret}")).await.expect(200);
    with("authorization", &format!("bearer {secret}")).await.expect(200);
    with("x-api-key", &secret).await.expect(200);
    app.server_sdk().post(&path, json!({})).await.expect(200);
    for reply in [
        app.anonymous().post(&path, json!({})).await,
        with("x-api-key", "alm_env_shop_prod_unknown").await,
        with("x-api-key", "").await,
        with("authorization", &format!("Basic {secret}")).await,
    ] {
        failed(&reply, 401, "GENERAL");
        assert_eq!(reply.body["key"], "bool-static");
    }
    failed(&app.admin().post(&path, json!({})).await, 403, "GENERAL");
    failed(&app.anonymous().post(FLAGS, json!({})).await, 401, "GENERAL");
}

#[actix_web::test]
async fn what_is_too_large_or_too_deep_is_refused() {
    let app = with_vectors().await;
    for path in [FLAGS.to_owned(), format!("{FLAGS}/num-int")] {
        let post =
            async |body: String| app.sdk().ask("POST", &path).body("application/json", body).send().await;
        let padded = |length: usize| {
            let frame = r#"{"context":{"a":""}}"#.len();
            format!(r#"{{"context":{{"a":"{}"}}}}"#, "x".repeat(length - frame))
        };
        post(padded(256 << 10)).await.expect(200);
        failed(&post(padded((256 << 10) + 1)).await, 413, "GENERAL");
        let deep = format!(r#"{{"context":{{"a":{}{}}}}}"#, "[".repeat(2000), "]".repeat(2000));
        failed(&post(deep).await, 400, "INVALID_CONTEXT");
        failed(&post(String::new()).await, 400, "PARSE_ERROR");
    }
}

#[actix_web::test]
async fn a_graph_of_contexts_that_is_too_large_is_the_contexts_fault() {
    let app = with_vectors().await;
    let chain: Vec<Value> = (0..32)
        .map(|at| json!({"key": format!("c{at}"), "prototypes": [format!("c{}", at + 1)]}))
        .chain([json!({"key": "c32"})])
        .collect();
    app.contexts(json!(chain));
    for path in [FLAGS.to_owned(), format!("{FLAGS}/num-int")] {
        let reply = app.sdk().post(&path, context(json!({"contextPrototypes": ["c0"]}))).await;
        failed(&reply, 400, "INVALID_CONTEXT");
    }
}

#[actix_web::test]
async fn other_methods_and_paths_are_refused_in_the_same_shape() {
    let app = with_vectors().await;
    for path in [FLAGS.to_owned(), format!("{FLAGS}/num-int")] {
        for method in ["GET", "PUT", "PATCH", "DELETE"] {
            failed(&app.sdk().ask(method, &path).send().await, 405, "GENERAL");
        }
    }
    failed(&app.sdk().ask("POST", "/ofrep/v1/events").send().await, 405, "GENERAL");
    for path in ["/ofrep/v1/configuration", "/ofrep/v1/evaluate/flags/", "/ofrep/v1"] {
        assert_eq!(app.sdk().get(path).await.status, 404, "{path}");
    }
}

#[actix_web::test]
async fn maintenance_archive_and_the_rate_limit_say_when_to_come_back() {
    let app = with_vectors().await;
    let token = app.token(json!({"description": "t", "kind": "server", "rateLimit": 2}));
    let sdk = app.bearer(&token);
    let path = format!("{FLAGS}/num-int");
    let reply = sdk.post(&path, json!({})).await.expect(200);
    assert_eq!(reply.header("ratelimit-remaining"), Some("1"));
    sdk.post(FLAGS, json!({})).await.expect(200);
    for path in [FLAGS, path.as_str()] {
        let reply = sdk.post(path, json!({})).await;
        failed(&reply, 429, "GENERAL");
        let seconds: u64 = reply.header("retry-after").expect("a time").parse().expect("whole seconds");
        assert!((1..=60).contains(&seconds));
    }
    app.editor().patch(PROD, json!({"status": "maintenance"})).await.expect(200);
    let reply = app.sdk().post(&path, json!({})).await;
    failed(&reply, 503, "GENERAL");
    assert_eq!(reply.header("retry-after"), Some("30"));
    app.editor().patch(PROD, json!({"status": "archived"})).await.expect(200);
    failed(&app.sdk().post(FLAGS, json!({})).await, 410, "GENERAL");
}

#[actix_web::test]
async fn pages_of_any_origin_may_ask_and_read_the_headers_they_need() {
    let app = with_vectors().await;
    let page = "https://page.example";
    for (method, path) in [
        ("POST", FLAGS.to_owned()),
        ("POST", format!("{FLAGS}/team%2Fx")),
        ("GET", "/ofrep/v1/events".into()),
    ] {
        let reply = app
            .anonymous()
            .ask("OPTIONS", &path)
            .header("origin", page)
            .header("access-control-request-method", method)
            .header("access-control-request-headers", "authorization,content-type,if-none-match,x-api-key")
            .send()
            .await
            .expect(204);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
        assert_eq!(reply.header("access-control-allow-methods"), Some(format!("{method}, OPTIONS").as_str()));
        let allowed = reply.header("access-control-allow-headers").expect("headers");
        for needed in ["authorization", "content-type", "if-none-match", "x-api-key"] {
            assert!(allowed.split(", ").any(|one| one == needed), "{needed}: {allowed}");
        }
    }
    let from_page = async |bearer: &str, path: &str, tag: &str| {
        let ask = app.bearer(bearer).ask("POST", path).header("origin", page).header("if-none-match", tag);
        ask.json(&json!({})).send().await
    };
    let secret = app.sdk_secret();
    let tag = from_page(&secret, FLAGS, "").await.expect(200).header("etag").expect("a tag").to_owned();
    for (reply, status) in [
        (from_page(&secret, FLAGS, "").await, 200),
        (from_page(&secret, FLAGS, &tag).await, 304),
        (from_page("unknown", FLAGS, "").await, 401),
        (from_page(&secret, &format!("{FLAGS}/gone"), "").await, 404),
    ] {
        assert_eq!(reply.status, status);
        assert_eq!(reply.header("access-control-allow-origin"), Some("*"), "{status}");
        let exposed = reply.header("access-control-expose-headers").expect("headers").to_lowercase();
        assert!(exposed.contains("etag") && exposed.contains("retry-after"), "{exposed}");
    }
}

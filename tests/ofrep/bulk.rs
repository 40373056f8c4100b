//! All flags at once, and the tag of the answer.

use std::time::Duration;

use serde_json::{Value, json};

use super::{FLAGS, ask, context, matches, vectors, with_vectors};
use crate::support::{PROD, Reply, TestApp};

fn tag(reply: &Reply) -> String {
    reply.header("etag").expect("a tag").to_owned()
}

#[actix_web::test]
async fn every_answer_is_the_one_of_the_vectors() {
    let app = with_vectors().await;
    let vectors = vectors();
    let mut known = String::new();
    for vector in vectors["bulk"].as_array().expect("vectors") {
        let actor = if vector.get("auth") == Some(&Value::Null) { app.anonymous() } else { app.sdk() };
        let headers =
            if vector["if_none_match"].is_null() { vec![] } else { vec![("if-none-match", known.as_str())] };
        let reply = ask(&actor, FLAGS, vector, &headers).await;
        assert_eq!(reply.status, vector["status"], "{vector}\n{}", reply.text);
        if !vector["body_length"].is_null() {
            assert_eq!((reply.text.as_str(), &tag(&reply)), ("", &known));
        }
        if !vector["body"].is_null() {
            assert!(matches(&vector["body"], &reply.body), "{vector}\n{}", reply.text);
        }
        for expected in vector["contains"].as_array().into_iter().flatten() {
            let flags = reply.body["flags"].as_array().expect("flags");
            let found = flags.iter().find(|flag| flag["key"] == expected["key"]).expect("the flag");
            for (name, value) in expected.as_object().expect("an object") {
                assert_eq!(&found[name], value, "{vector}");
            }
        }
        if !vector["headers"]["ETag"].is_null() {
            known = tag(&reply);
            assert!(known.starts_with('"') && known.ends_with('"') && known.len() > 2, "{known}");
        }
    }
}

#[actix_web::test]
async fn bulk_and_single_agree_on_every_flag() {
    let app = with_vectors().await;
    for attributes in
        [json!({}), json!({"targetingKey": "u1", "plan": "premium"}), json!({"targetingKey": "u2"})]
    {
        let body = context(attributes);
        let bulk = app.sdk().post(FLAGS, body.clone()).await.expect(200).body;
        let flags = bulk["flags"].as_array().expect("flags");
        let keys: Vec<_> = flags.iter().map(|flag| flag["key"].as_str().expect("a key")).collect();
        assert_eq!(keys.len(), 7);
        assert!(keys.is_sorted(), "{keys:?}");
        for flag in flags {
            let path = format!("{FLAGS}/{}", flag["key"].as_str().expect("a key"));
            assert_eq!(&app.sdk().post(&path, body.clone()).await.expect(200).body, flag);
        }
        assert_eq!(bulk["metadata"], json!({"site": "shop", "environment": "prod"}));
        assert_eq!(bulk["eventStreams"][0]["type"], "sse");
        let uri = bulk["eventStreams"][0]["endpoint"]["requestUri"].as_str().expect("an address");
        assert!(uri.starts_with('/') && !uri.contains(&app.sdk_secret()), "{uri}");
    }
}

#[actix_web::test]
async fn an_environment_without_flags_has_an_empty_list() {
    let app = TestApp::new().await;
    let reply = app.sdk().post(FLAGS, json!({})).await.expect(200);
    assert_eq!(reply.body["flags"], json!([]));
    assert!(reply.header("etag").is_some());
}

#[actix_web::test]
async fn the_tag_follows_the_answer_and_nothing_else() {
    let app = with_vectors().await;
    let of = async |attributes: Value| tag(&app.sdk().post(FLAGS, context(attributes)).await.expect(200));
    let free = of(json!({"targetingKey": "u1", "plan": "free"})).await;
    assert_eq!(of(json!({"targetingKey": "u1", "plan": "free"})).await, free);
    assert_eq!(of(json!({"plan": "free", "targetingKey": "u1", "seen": 1})).await, free);
    assert_ne!(of(json!({"targetingKey": "u1", "plan": "premium"})).await, free);
    let features = format!("{PROD}/features");
    let edit = async |key: &str, body: Value| {
        app.editor().patch(&format!("{features}/{key}"), body).await.expect(200);
    };
    edit("num-int", json!({"description": "nobody sees it"})).await;
    assert_eq!(of(json!({"targetingKey": "u1", "plan": "free"})).await, free);
    edit("num-int", json!({"defaultValue": 6})).await;
    let six = of(json!({"targetingKey": "u1", "plan": "free"})).await;
    assert_ne!(six, free);
    edit("num-int", json!({"defaultValue": 5})).await;
    assert_eq!(of(json!({"targetingKey": "u1", "plan": "free"})).await, free);
}

#[actix_web::test]
async fn a_known_tag_is_answered_with_304_in_every_form() {
    let app = with_vectors().await;
    let etag = tag(&app.sdk().post(FLAGS, json!({})).await.expect(200));
    let with = async |value: &str| {
        app.sdk().ask("POST", FLAGS).header("if-none-match", value).json(&json!({})).send().await
    };
    for value in [etag.clone(), format!("W/{etag}"), format!("\"x\", {etag}"), "*".into()] {
        let reply = with(&value).await.expect(304);
        assert_eq!((reply.text.as_str(), tag(&reply)), ("", etag.clone()), "{value}");
    }
    for value in ["\"x\"", "", "W/\"x\", \"y\"", etag.trim_matches('"')] {
        with(value).await.expect(200);
    }
}

#[actix_web::test]
async fn a_304_never_leaves_a_client_with_a_ticket_that_is_no_longer_good() {
    let app = with_vectors().await;
    app.set_time("2026-01-01T00:01:00Z");
    let first = app.sdk().post(FLAGS, json!({})).await.expect(200);
    let again = async || {
        let known = tag(&first);
        app.sdk().ask("POST", FLAGS).header("if-none-match", &known).json(&json!({})).send().await
    };
    app.pass(Duration::from_secs(8 * 60));
    again().await.expect(304);
    app.pass(Duration::from_secs(2 * 60));
    let second = again().await.expect(200);
    assert_eq!(second.body["flags"], first.body["flags"]);
    assert_ne!(second.body["eventStreams"], first.body["eventStreams"]);
    // Another key has a ticket of its own.
    let other = app.server_sdk().ask("POST", FLAGS).header("if-none-match", &tag(&second));
    other.json(&json!({})).send().await.expect(200);
}

#[actix_web::test]
async fn every_answered_flag_is_counted_and_a_304_is_not() {
    let app = with_vectors().await;
    app.app.live.counters.take();
    let etag = tag(&app.sdk().post(FLAGS, json!({})).await.expect(200));
    app.sdk().ask("POST", FLAGS).header("if-none-match", &etag).json(&json!({})).send().await.expect(304);
    app.sdk().post(&format!("{FLAGS}/num-int"), json!({})).await.expect(200);
    app.sdk().post(&format!("{FLAGS}/gone"), json!({})).await.expect(404);
    let pending = app.app.live.counters.take();
    let mut counts: Vec<(&str, u64)> =
        pending.counts.iter().map(|(count, times)| (count.feature.as_str(), *times)).collect();
    counts.sort_unstable();
    let expected = [
        ("bool-off", 1),
        ("bool-static", 1),
        ("json-obj", 1),
        ("num-float", 1),
        ("num-int", 2),
        ("str-split", 1),
        ("str-target", 1),
    ];
    assert_eq!(counts, expected);
}

//! `GET /features`.

use serde_json::json;

use super::{features, furnish, path_of, poll};
use crate::support::{PROD, TestApp, query};

#[actix_web::test]
async fn each_kind_of_key_gets_every_type_of_value_in_its_own_form() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let (client, server) = (app.featurehub_key(true, &[]), app.featurehub_key(false, &[]));
    assert!(client.contains('*') && !server.contains('*'));
    let who = app.anonymous();
    let told = features(&who, &client, "").await;
    let rule = app.editor().get(&format!("{}/rules", path_of("FLAG"))).await.body["items"][0]["id"].clone();
    assert_eq!(told["FLAG"]["value"], json!(false));
    assert_eq!(
        told["FLAG"]["strategies"],
        json!([{"id": rule, "value": true, "attributes": [
            {"conditional": "EQUALS", "fieldName": "country", "values": ["turkey"], "type": "STRING"}]}])
    );
    for (key, kind, value) in [
        ("TEXT", "STRING", json!("a \"b\"")),
        ("COUNT", "NUMBER", json!(1.5)),
        ("LIMITS", "JSON", json!("{\"max\":5}")),
    ] {
        assert_eq!((&told[key]["type"], &told[key]["value"]), (&json!(kind), &value), "{key}");
        assert_eq!((&told[key]["strategies"], &told[key]["l"]), (&json!([]), &json!(false)), "{key}");
    }
    assert!(told["NONE"].get("value").is_none());
    let told = features(&who, &server, "country=turkey").await;
    assert_eq!((&told["FLAG"]["value"], &told["FLAG"]["v"]), (&json!(true), &rule));
    assert!(told["FLAG"].get("strategies").is_none());
    let told = features(&who, &server, "country=greece").await;
    assert_eq!((&told["FLAG"]["value"], told["FLAG"].get("v")), (&json!(false), None));
    assert_eq!(told["LIMITS"]["value"], json!("{\"max\":5}"));
    assert!(told["NONE"].get("value").is_none());
    for feature in told.as_object().expect("features").values() {
        assert!(feature["version"].as_u64().is_some_and(|version| version > 0), "{feature}");
        assert!(uuid::Uuid::parse_str(feature["id"].as_str().expect("an id")).is_ok());
    }
}

#[actix_web::test]
async fn keys_are_known_in_two_and_three_parts_or_not_at_all() {
    let app = TestApp::new().await;
    let who = app.anonymous();
    let key = app.featurehub_key(true, &[]);
    let environment = key.split('/').next().expect("an id").to_owned();
    for same in [key.clone(), format!("default/{key}")] {
        let reply = who.get(&poll(&[&same])).await.expect(200);
        assert_eq!(reply.body, json!([{"id": environment, "features": []}]), "{same}");
        let old = query("/features/", &[("sdkUrl", &same), ("apiKey", "nothing"), ("contextSha", "0")]);
        who.get(&old).await.expect(200);
    }
    // Raw, as Python and Java send it.
    who.get(&format!("/features?apiKey={key}")).await.expect(200);
    who.get("/features").await.expect(400);
    who.get("/features?apiKey=").await.expect(400);
    let native = app.sdk_secret();
    for unknown in [format!("{environment}/none"), "x".into(), native, format!("{key}x")] {
        who.get(&poll(&[&unknown])).await.expect(404);
    }
    // An unknown one among good ones has no features; malformed ones and repetitions are left out.
    let other = format!("{environment}/none");
    let reply = who.get(&poll(&[&other, "x", &key, &other, &key])).await.expect(200);
    let empty = json!({"id": environment, "features": []});
    assert_eq!(reply.body, json!([empty, empty]));
}

#[actix_web::test]
async fn several_keys_are_each_answered_by_their_own_kind() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let (client, server) = (app.featurehub_key(true, &[]), app.featurehub_key(false, &[]));
    let who = app.anonymous();
    let ask = |keys: &[&str]| who.ask("GET", &poll(keys)).header("x-featurehub", "country=turkey");
    let reply = ask(&[&client, &server]).send().await.expect(200);
    let [first, second] = [0, 1].map(|at| reply.body[at]["features"][1].clone());
    assert_eq!(
        (&first["key"], first["strategies"].is_array(), &first["value"]),
        (&json!("FLAG"), true, &json!(false))
    );
    assert_eq!((second.get("strategies"), &second["value"]), (None, &json!(true)));
    let etag = reply.header("etag").expect("a tag").to_owned();
    let again = |keys: &[&str]| ask(keys).header("if-none-match", &etag).send();
    assert_eq!(again(&[&client, &server]).await.status, 304);
    assert_eq!(again(&[&server, &client]).await.status, 200, "the order counts");
    assert_eq!(again(&[&client]).await.status, 200);
    app.editor().patch(&path_of("TEXT"), json!({"defaultValue": "x"})).await.expect(200);
    assert_eq!(again(&[&client, &server]).await.status, 200);
}

#[actix_web::test]
async fn the_tag_is_of_the_content_and_of_the_context() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let who = app.anonymous();
    for (key, depends) in [(app.featurehub_key(true, &[]), false), (app.featurehub_key(false, &[]), true)] {
        let ask = |context: &'static str, etag: String| {
            let ask = who.ask("GET", &poll(&[&key])).header("x-featurehub", context);
            async move { ask.header("if-none-match", &etag).send().await }
        };
        let first = ask("userkey=a", "\"x\"".into()).await.expect(200);
        let etag = first.header("etag").expect("a tag").to_owned();
        assert!(etag.starts_with('"') && etag.ends_with('"'));
        for same in [etag.clone(), format!("W/{etag}"), format!("\"y\", {etag}"), "*".into()] {
            let reply = ask("userkey=a", same.clone()).await.expect(304);
            assert_eq!((reply.text.as_str(), reply.header("etag")), ("", Some(etag.as_str())), "{same}");
        }
        // Another user gets an answer even where it is the same.
        let other = ask("userkey=b", etag.clone()).await;
        assert_eq!(other.status, if depends { 200 } else { 304 });
        app.editor().patch(&path_of("COUNT"), json!({"description": "seen by nobody"})).await.expect(200);
        app.editor().patch(&path_of("COUNT"), json!({"defaultValue": 7})).await.expect(200);
        let next = ask("userkey=a", etag.clone()).await.expect(200);
        assert_ne!(next.header("etag"), Some(etag.as_str()));
        app.editor().patch(&path_of("COUNT"), json!({"defaultValue": 1.5})).await.expect(200);
        let back = ask("userkey=a", etag.clone()).await.expect(200);
        assert_ne!(back.header("etag"), Some(etag.as_str()), "versions only grow");
    }
}

#[actix_web::test]
async fn rules_that_read_the_clock_are_asked_again_each_time() {
    let app = TestApp::new().await;
    app.set_time("2026-01-01T00:00:00Z");
    let when = json!({"attribute": "now", "operator": "after", "value": "2026-01-01T12:00:00Z"});
    app.feature(json!({"key": "NOON", "type": "BOOLEAN", "defaultValue": false,
        "rules": [{"name": "noon", "when": when, "outcome": {"value": true}}]}))
        .await;
    let (key, who) = (app.featurehub_key(false, &[]), app.anonymous());
    let first = who.get(&poll(&[&key])).await.expect(200);
    let etag = first.header("etag").expect("a tag").to_owned();
    let again = || who.ask("GET", &poll(&[&key])).header("if-none-match", &etag).send();
    app.set_time("2026-01-01T11:00:00Z");
    again().await.expect(304);
    app.set_time("2026-01-01T13:00:00Z");
    assert_eq!(again().await.expect(200).body[0]["features"][0]["value"], json!(true));
    let client = features(&who, &app.featurehub_key(true, &[]), "").await;
    let attribute = &client["NOON"]["strategies"][0]["attributes"][0];
    assert_eq!(
        *attribute,
        json!({"conditional": "GREATER", "fieldName": "now", "values": ["2026-01-01T12:00:00Z"], "type": "DATETIME"})
    );
}

#[actix_web::test]
async fn versions_grow_with_everything_that_can_be_seen() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let segment =
        json!({"key": "nordic", "conditions": {"attribute": "country", "operator": "equals", "value": "SE"}});
    editor.post("/api/v1/sites/shop/segments", segment).await.expect(201);
    app.feature(json!({"key": "F", "type": "BOOLEAN", "defaultValue": false,
        "rules": [{"name": "n", "when": {"segment": "nordic"}, "outcome": {"value": true}}]}))
        .await;
    let (key, who) = (app.featurehub_key(true, &[]), app.anonymous());
    let mut last = 0;
    let mut grown = async |what: &str| {
        let told = features(&who, &key, "").await;
        let version = told["F"]["version"].as_u64().expect("a version");
        assert!(version > last, "{what}");
        last = version;
        told["F"].clone()
    };
    grown("made").await;
    editor.patch(&path_of("F"), json!({"locked": true})).await.expect(200);
    assert_eq!(grown("locked").await["l"], json!(true));
    editor.patch(&path_of("F"), json!({"locked": false})).await.expect(200);
    grown("unlocked").await;
    let conditions = json!({"conditions": {"attribute": "country", "operator": "equals", "value": "NO"}});
    editor.patch("/api/v1/sites/shop/segments/nordic", conditions).await.expect(200);
    assert_eq!(grown("segment").await["strategies"][0]["attributes"][0]["values"], json!(["NO"]));
    app.contexts(json!([{"key": "override", "features": {"F": "yes"}}]));
    let told = grown("override").await;
    assert_eq!((&told["value"], &told["strategies"]), (&json!(true), &json!([])));
    editor.delete(&format!("{}?force=true", path_of("F"))).await.expect(204);
    app.feature(json!({"key": "F", "type": "STRING"})).await;
    grown("made anew").await;
}

#[actix_web::test]
async fn what_passes_is_503_and_an_archived_environment_is_gone() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let who = app.anonymous();
    let key = app.featurehub_key(true, &[]);
    app.editor().patch(PROD, json!({"status": "maintenance"})).await.expect(200);
    let reply = who.get(&poll(&[&key])).await.expect(503);
    assert!(reply.header("retry-after").is_some());
    app.editor().patch(PROD, json!({"status": "archived"})).await.expect(200);
    who.get(&poll(&[&key])).await.expect(404);
    app.editor().patch(PROD, json!({"status": "active"})).await.expect(200);
    who.get(&poll(&[&key])).await.expect(200);

    let limited = TestApp::with(|config| config.rate_limit = 2).await;
    limited.set_time("2026-01-01T00:00:10Z");
    let body = json!({"description": "few", "kind": "server"});
    let token = limited.editor().post(&format!("{PROD}/tokens"), body).await.expect(201).body;
    let key = token["featurehubKey"].as_str().expect("a key").to_owned();
    let who = limited.anonymous();
    for _ in 0..2 {
        who.get(&poll(&[&key])).await.expect(200);
    }
    let reply = who.get(&poll(&[&key])).await.expect(503);
    assert_eq!(reply.header("retry-after"), Some("50"));
}

#[actix_web::test]
async fn browsers_may_ask_and_read_the_tag() {
    let app = TestApp::new().await;
    let who = app.anonymous();
    let key = app.featurehub_key(false, &[]);
    let preflight = who
        .ask("OPTIONS", &poll(&[&key]))
        .header("origin", "https://shop.example")
        .header("access-control-request-method", "GET")
        .header("access-control-request-headers", "x-featurehub,if-none-match,content-type")
        .send()
        .await
        .expect(200);
    assert_eq!(preflight.header("access-control-allow-origin"), Some("*"));
    let allowed = preflight.header("access-control-allow-headers").expect("headers");
    for name in ["x-featurehub", "if-none-match", "content-type", "baggage", "last-event-id", "x-sdk"] {
        assert!(allowed.split(", ").any(|one| one == name), "{name}");
    }
    let methods = preflight.header("access-control-allow-methods").expect("methods");
    assert!(methods.contains("GET") && methods.contains("PUT"));
    let reply =
        who.ask("GET", &poll(&[&key])).header("origin", "https://shop.example").send().await.expect(200);
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    let exposed = reply.header("access-control-expose-headers").expect("headers");
    assert!(exposed.contains("etag") && exposed.contains("cache-control"), "{exposed}");
}

#[actix_web::test]
async fn caches_are_told_what_the_settings_say() {
    let app = TestApp::with(|config| {
        config.featurehub.fastly = true;
        config.featurehub.cache_control = Some("max-age=60".into());
        config.featurehub.drop_after = std::time::Duration::from_secs(30);
    })
    .await;
    let key = app.featurehub_key(true, &[]);
    let environment = key.split('/').next().expect("an id");
    let who = app.anonymous();
    let refused = who.get(&poll(&[&key])).await.expect(400);
    assert!(refused.header("content-type").is_some_and(|kind| kind.starts_with("text/plain")));
    let path = format!("{}&contextSha=0", poll(&[&key]));
    let reply = who.get(&path).await.expect(200);
    assert_eq!(reply.header("surrogate-key"), Some(environment));
    assert_eq!(reply.header("cache-control"), Some("max-age=60"));
    let plain = TestApp::new().await;
    let key = plain.featurehub_key(true, &[]);
    let reply = plain.anonymous().get(&poll(&[&key])).await.expect(200);
    assert_eq!((reply.header("surrogate-key"), reply.header("cache-control")), (None, None));
}

#[actix_web::test]
async fn properties_are_for_keys_with_the_permission() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "F", "type": "STRING", "properties": {"owner": "web"}})).await;
    let who = app.anonymous();
    for evaluates in [true, false] {
        let with = features(&who, &app.featurehub_key(evaluates, &["EXTENDED_DATA"]), "").await;
        assert_eq!(with["F"]["fp"], json!({"owner": "web"}));
        let without = features(&who, &app.featurehub_key(evaluates, &[]), "").await;
        assert!(without["F"].get("fp").is_none());
    }
}

#[actix_web::test]
async fn operators_find_what_they_probe() {
    let app = TestApp::new().await;
    let who = app.anonymous();
    who.get("/health/liveness").await.expect(200);
    who.get("/health/readyness").await.expect(200);
    assert_eq!(who.get("/info/version").await.expect(200).body["version"], env!("CARGO_PKG_VERSION"));
}

//! `…/tokens`, `…/tokens/{token}`, `…/tokens/{token}:rotate`.

use std::time::Duration;

use serde_json::{Value, json};

use super::{a_minute_later, follow, noon, pages};
use crate::support::{PROD, Reply, TestApp};

const EVALUATE: &str = "/api/v1/evaluate";

fn tokens() -> String {
    format!("{PROD}/tokens")
}

fn path_of(reply: &Reply) -> String {
    format!("{}/{}", tokens(), reply.body["id"].as_str().expect("an id"))
}

fn secret(reply: &Reply) -> &str {
    reply.body["token"].as_str().expect("a token")
}

async fn works(app: &TestApp, secret: &str) -> bool {
    let reply = app.bearer(secret).post(EVALUATE, json!({})).await;
    assert!([200, 401].contains(&reply.status), "{}", reply.text);
    reply.status == 200
}

#[actix_web::test]
async fn both_spellings_are_shown_once_and_stored_as_hashes() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let environment = editor.get(PROD).await.expect(200).body["id"].as_str().expect("an id").to_owned();
    for (kind, star) in [("client", false), ("server", true)] {
        let reply =
            editor.post(&tokens(), json!({"description": "for tests", "kind": kind})).await.expect(201);
        let native = secret(&reply);
        let random = native.strip_prefix("alm_env_shop_prod_").expect("site and environment");
        assert!(
            random.len() >= 27 && random.chars().all(|c| c.is_ascii_alphanumeric()),
            "160 bits of base62: {random}"
        );
        let hub = reply.body["featurehubKey"].as_str().expect("a key");
        assert!(hub.starts_with(&format!("{environment}/")));
        assert_eq!(hub.contains('*'), star, "{hub}");
        let mut shown = reply.body.clone();
        shown
            .as_object_mut()
            .expect("an object")
            .retain(|name, _| name != "token" && name != "featurehubKey");
        assert_eq!(follow(&editor, &reply).await, shown, "what is read later has no secret");
        for (member, value) in [
            ("description", json!("for tests")),
            ("kind", json!(kind)),
            ("permissions", json!(["READ"])),
            ("expiresAt", json!(null)),
            ("rateLimit", json!(null)),
            ("createdAt", json!("2026-03-01T12:00:00.000Z")),
            ("createdBy", json!("eddie")),
            ("lastUsedAt", json!(null)),
            ("uses", json!(0)),
        ] {
            assert_eq!(shown[member], value, "{member}");
        }
        let dump = format!("{:?}", app.dump());
        for part in [random, hub.split_once('/').expect("a slash").1] {
            assert!(!dump.contains(part), "a secret is stored");
        }
        assert!(works(&app, native).await);
        assert!(!works(&app, hub).await, "the other spelling is for the FeatureHub door");
    }
    let full = json!({"description": "all", "kind": "server", "permissions": ["CHANGE_VALUE", "LOCK"],
                      "expiresAt": "2026-12-31T23:59:59+01:00", "rateLimit": 5});
    let made = editor.post(&tokens(), full).await.expect(201).body;
    assert_eq!(made["permissions"], json!(["CHANGE_VALUE", "LOCK", "READ"]), "READ is always among them");
    assert_eq!((&made["expiresAt"], &made["rateLimit"]), (&json!("2026-12-31T22:59:59.000Z"), &json!(5)));
}

#[actix_web::test]
async fn tokens_are_listed_newest_first() {
    let app = TestApp::new().await;
    for name in ["one", "two", "three"] {
        app.editor().post(&tokens(), json!({"description": name, "kind": "client"})).await.expect(201);
    }
    let all = ["three", "two", "one"];
    assert_eq!(app.viewer().get(&tokens()).await.expect(200).items("description"), all);
    for limit in [1, 2, 3, 500] {
        assert_eq!(pages(&app.viewer(), &tokens(), limit, "description").await, all, "limit {limit}");
    }
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_takes_effect_at_once() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let made = editor
        .post(&tokens(), json!({"description": "t", "kind": "client", "rateLimit": 7}))
        .await
        .expect(201);
    let path = path_of(&made);
    let before = editor.get(&path).await.expect(200).body;
    let dump = app.dump();
    assert_eq!(editor.patch(&path, before.clone()).await.expect(200).body, before, "sent back as read");
    assert_eq!(app.dump().differing(&dump), [""; 0]);
    let renamed =
        editor.patch(&path, json!({"description": "u", "permissions": ["LOCK"]})).await.expect(200).body;
    assert_eq!((&renamed["description"], &renamed["permissions"]), (&json!("u"), &json!(["LOCK", "READ"])));
    assert_eq!(renamed["rateLimit"], 7);
    let unlimited = editor.patch(&path, json!({"rateLimit": null})).await.expect(200).body;
    assert_eq!(unlimited["rateLimit"], json!(null));
    editor.patch(&path, json!({"expiresAt": "2026-03-01T12:00:30Z"})).await.expect(200);
    assert!(works(&app, secret(&made)).await);
    a_minute_later(&app);
    assert!(!works(&app, secret(&made)).await);
    let forever = editor.patch(&path, json!({"expiresAt": null})).await.expect(200).body;
    assert_eq!(forever["expiresAt"], json!(null));
    assert!(works(&app, secret(&made)).await);
    for body in [json!({"kind": "server"}), json!({"token": "x"}), json!({"uses": 5, "hash": "x"})] {
        let reply = editor.patch(&path, body.clone()).await;
        assert!(reply.status == 400 || reply.status == 422, "{body}: {}", reply.text);
    }
}

#[actix_web::test]
async fn a_revoked_token_is_refused_at_once() {
    let app = TestApp::new().await;
    let made = app.editor().post(&tokens(), json!({"description": "t", "kind": "client"})).await.expect(201);
    let other = app.editor().post(&tokens(), json!({"description": "u", "kind": "client"})).await.expect(201);
    assert!(works(&app, secret(&made)).await);
    app.editor().delete(&path_of(&made)).await.expect(204);
    assert!(!works(&app, secret(&made)).await);
    assert!(works(&app, secret(&other)).await);
    app.editor().get(&path_of(&made)).await.refused(404, "not_found");
    app.editor().delete(&path_of(&made)).await.refused(404, "not_found");
}

#[actix_web::test]
async fn a_rotated_token_gets_a_new_secret_and_the_old_one_its_grace() {
    let app = TestApp::new().await;
    noon(&app);
    let made = app.editor().post(&tokens(), json!({"description": "t", "kind": "server"})).await.expect(201);
    let rotate =
        async |body: Value| app.editor().post(&format!("{}:rotate", path_of(&made)), body).await.expect(200);
    let second = rotate(json!({"graceSeconds": 3600})).await;
    assert_eq!(second.body["id"], made.body["id"]);
    assert_ne!(second.body["featurehubKey"], made.body["featurehubKey"]);
    assert_eq!(second.body["previousUntil"], "2026-03-01T13:00:00.000Z");
    assert!(works(&app, secret(&made)).await && works(&app, secret(&second)).await);
    app.pass(Duration::from_secs(3599));
    assert!(works(&app, secret(&made)).await);
    app.pass(Duration::from_secs(1));
    assert!(!works(&app, secret(&made)).await && works(&app, secret(&second)).await);
    let third = rotate(json!({})).await;
    assert!(!works(&app, secret(&second)).await, "without grace it ends at once");
    assert!(works(&app, secret(&third)).await);
    assert_eq!(third.body["previousUntil"], json!(null));
    let fourth = app.editor().ask("POST", &format!("{}:rotate", path_of(&made))).send().await.expect(200);
    assert!(!works(&app, secret(&third)).await && works(&app, secret(&fourth)).await, "a body is not needed");
}

#[actix_web::test]
async fn grace_does_not_outlive_expiry_or_revocation() {
    let app = TestApp::new().await;
    noon(&app);
    let body = json!({"description": "t", "kind": "client", "expiresAt": "2026-03-01T12:10:00Z"});
    let made = app.editor().post(&tokens(), body).await.expect(201);
    let rotate = format!("{}:rotate", path_of(&made));
    let second = app.editor().post(&rotate, json!({"graceSeconds": 3600})).await.expect(200);
    app.pass(Duration::from_secs(600));
    assert!(!works(&app, secret(&made)).await && !works(&app, secret(&second)).await);
    app.editor().patch(&path_of(&made), json!({"expiresAt": null})).await.expect(200);
    assert!(works(&app, secret(&made)).await && works(&app, secret(&second)).await);
    app.editor().delete(&path_of(&made)).await.expect(204);
    assert!(!works(&app, secret(&made)).await && !works(&app, secret(&second)).await);
}

#[actix_web::test]
async fn no_secret_is_written_into_the_audit_trail() {
    let app = TestApp::new().await;
    let made = app.editor().post(&tokens(), json!({"description": "t", "kind": "client"})).await.expect(201);
    let rotated = app
        .editor()
        .post(&format!("{}:rotate", path_of(&made)), json!({"graceSeconds": 60}))
        .await
        .expect(200);
    app.editor().delete(&path_of(&made)).await.expect(204);
    let trail = format!("{:?}", app.changes());
    for reply in [&made, &rotated] {
        let random = secret(reply).rsplit('_').next().expect("a random part");
        assert!(!trail.contains(random));
    }
    let what: Vec<_> = app.changes().iter().rev().take(3).map(|change| change.what()).collect();
    assert_eq!(what, ["token revoked", "token rotated", "token created"]);
}

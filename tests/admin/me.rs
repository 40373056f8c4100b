//! `/me`, `/me/tokens`, `/me/devices`, `/me/sessions`: one's own account, with a token or from a browser.

use actix_web::test::TestRequest;
use featured::admin;
use featured::app::Actor as Author;
use featured::engine::permission::Role;
use featured::live::credentials::hash;
use featured::store;
use serde_json::{Value, json};

use super::{a_minute_later, noon, pages};
use crate::browser::{Browser, PASSWORD, Server, now};
use crate::support::TestApp;

const ME: &str = "/api/v1/me";
const TOKENS: &str = "/api/v1/me/tokens";
const DEVICES: &str = "/api/v1/me/devices";
const SESSIONS: &str = "/api/v1/me/sessions";

/// Ids of what somebody has beside the token that tests call with.
pub struct Belongings {
    pub token: String,
    pub device: String,
    pub session: String,
}

/// Gives somebody one more token, a trusted device and a session.
pub fn belongings(app: &TestApp, name: &str) -> Belongings {
    let now = app.app.now();
    let user = app.app.read(|conn| store::users::find(conn, name)).expect("a user");
    admin::users::create_personal_token(&app.app, &Author::system("test"), name, "spare").expect("a token");
    let writer = app.app.store.writer();
    let (session, device) = (hash(&format!("session of {name}")), hash(&format!("device of {name}")));
    store::sessions::insert(&writer, user.id, &session, true, "192.0.2.7", "Firefox", now)
        .expect("a session");
    store::two_factor::insert_device(&writer, user.id, &device, "Firefox", now).expect("a device");
    Belongings {
        token: store::users::own_tokens(&writer, user.id).expect("tokens")[0].uuid.clone(),
        device: store::two_factor::devices(&writer, user.id, now).expect("devices")[0].uuid.clone(),
        session: store::sessions::list(&writer, user.id, now).expect("sessions")[0].uuid.clone(),
    }
}

#[actix_web::test]
async fn everybody_reads_who_they_are_and_says_how_they_like_the_pages() {
    let app = TestApp::new().await;
    for (name, role) in [("vera", "viewer"), ("eddie", "editor"), ("ada", "admin")] {
        let actor = match role {
            "viewer" => app.viewer(),
            "editor" => app.editor(),
            _ => app.admin(),
        };
        let me = actor.get(ME).await.expect(200).body;
        for (member, value) in [
            ("username", json!(name)),
            ("email", json!(format!("{name}@shop.example"))),
            ("role", json!(role)),
            ("active", json!(true)),
            ("twoFactor", json!("none")),
            ("lastLoginAt", json!(null)),
            ("theme", json!("system")),
            ("dense", json!(false)),
            ("singleKeys", json!(true)),
        ] {
            assert_eq!(me[member], value, "{name}: {member}");
        }
        assert_eq!(me.as_object().expect("an object").len(), 11, "with id and createdAt: {me}");
        let changed = actor.patch(ME, json!({"theme": "dark", "singleKeys": false})).await.expect(200).body;
        let look = |me: &Value| [me["theme"].clone(), me["dense"].clone(), me["singleKeys"].clone()];
        assert_eq!(look(&changed), [json!("dark"), json!(false), json!(false)]);
        actor.patch(ME, json!({"dense": true, "theme": null})).await.expect(200);
        let me = actor.get(ME).await.expect(200).body;
        assert_eq!(look(&me), [json!("dark"), json!(true), json!(false)]);
        assert_eq!(actor.patch(ME, me.clone()).await.expect(200).body, me, "it can be sent back");
        let other = if role == "admin" { "viewer" } else { "admin" };
        let reply = actor.patch(ME, json!({"role": other, "username": "root", "dense": false})).await;
        reply.refused(422, "invalid");
        assert_eq!(reply.fields(), ["username", "role"]);
        assert_eq!(actor.get(ME).await.expect(200).body, me, "nothing of it");
    }
}

#[actix_web::test]
async fn a_token_is_shown_once_is_its_user_and_is_revoked() {
    let app = TestApp::new().await;
    noon(&app);
    let vera = app.viewer();
    let body = json!({"description": "terraform", "expiresAt": "2026-03-01T12:01:00Z"});
    let reply = vera.post(TOKENS, body).await.expect(201);
    let secret = reply.body["token"].as_str().expect("a secret").to_owned();
    let path = format!("{TOKENS}/{}", reply.body["id"].as_str().expect("an id"));
    assert_eq!(reply.header("location"), Some(path.as_str()));
    assert!(secret.starts_with("alm_pat_"));
    assert_eq!(reply.body["expiresAt"], "2026-03-01T12:01:00.000Z");
    assert_eq!(reply.body["createdAt"], "2026-03-01T12:00:00.000Z");
    let list = vera.get(TOKENS).await.expect(200);
    assert_eq!(list.items("description"), ["terraform", "test"]);
    assert!(!list.text.contains("alm_pat_") && !list.text.contains("hash"), "{}", list.text);
    assert!(!format!("{:?}", app.dump()).contains(&secret));
    assert_eq!(app.changes().pop().expect("a change").what(), "user personal token created");

    let program = app.bearer(&secret);
    assert_eq!(program.get(ME).await.expect(200).body["username"], "vera");
    program.post("/api/v1/sites", json!({"name": "x"})).await.refused(403, "forbidden");
    program.get("/api/v1/users").await.refused(403, "forbidden");
    a_minute_later(&app);
    program.get(ME).await.refused(401, "unauthenticated");
    assert_eq!(vera.get(TOKENS).await.items("description").len(), 2, "until it is revoked");
    vera.delete(&path).await.expect(204);
    vera.delete(&path).await.refused(404, "not_found");

    let reply = vera.post(TOKENS, json!({"description": "for good"})).await.expect(201);
    assert_eq!(reply.body["expiresAt"], json!(null));
    let program = app.bearer(reply.body["token"].as_str().expect("a secret"));
    let path = format!("{TOKENS}/{}", reply.body["id"].as_str().expect("an id"));
    app.editor().delete(&path).await.refused(404, "not_found");
    program.delete(&path).await.expect(204);
    program.get(ME).await.refused(401, "unauthenticated");
    assert_eq!(app.changes().pop().expect("a change").what(), "user personal token revoked");
}

#[actix_web::test]
async fn lists_come_in_pages_the_newest_first() {
    let app = TestApp::new().await;
    let vera = app.viewer();
    for number in 0..4 {
        vera.post(TOKENS, json!({"description": number.to_string()})).await.expect(201);
    }
    for limit in [1, 2, 3, 5, 100] {
        assert_eq!(pages(&vera, TOKENS, limit, "description").await, ["3", "2", "1", "0", "test"]);
    }
    for path in [DEVICES, SESSIONS] {
        assert_eq!(vera.get(path).await.expect(200).body, json!({"items": [], "nextCursor": null}));
    }
    let own = belongings(&app, "vera");
    belongings(&app, "eddie");
    assert_eq!(vera.get(DEVICES).await.expect(200).items("id"), [own.device.as_str()]);
    assert_eq!(vera.get(SESSIONS).await.expect(200).items("id"), [own.session.as_str()]);
}

/// A request of an open page: with the token of its session.
async fn ask(browser: &mut Browser, request: TestRequest) -> (u16, Value) {
    let csrf = browser.csrf.clone();
    let reply = browser.send(request.insert_header(("x-csrf-token", csrf))).await;
    (reply.status.as_u16(), serde_json::from_str(&reply.body).unwrap_or_default())
}

async fn list(browser: &mut Browser, path: &str) -> Vec<Value> {
    let (status, body) = ask(browser, TestRequest::get().uri(path)).await;
    assert_eq!(status, 200, "{body}");
    body["items"].as_array().expect("a list").clone()
}

fn at(path: &str, item: &Value) -> String {
    format!("{path}/{}", item["id"].as_str().expect("an id"))
}

#[actix_web::test]
async fn a_browser_sees_which_session_is_its_own_and_ends_any() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    let mut here = server.signed_in("ana").await;
    let mut there = server.signed_in("ana").await;
    here.get("/account").await;
    let sessions = list(&mut here, SESSIONS).await;
    let current: Vec<_> = sessions.iter().map(|session| session["current"] == true).collect();
    assert_eq!(current, [false, true], "{sessions:?}");
    for (member, value) in [("confirmed", json!(true)), ("address", json!("192.0.2.1"))] {
        assert_eq!(sessions[0][member], value, "{member}");
    }
    let shown = format!("{sessions:?}");
    let mut secrets = here.cookies.values().chain(there.cookies.values());
    assert!(secrets.all(|secret| !shown.contains(secret.as_str())));

    let theirs = at(SESSIONS, &sessions[0]);
    let unsigned = here.send(TestRequest::delete().uri(&theirs)).await;
    assert_eq!(unsigned.status, 403, "without the token of the page");
    assert_eq!(ask(&mut here, TestRequest::delete().uri(&theirs)).await.0, 204);
    assert!(here.is_in().await && !there.is_in().await);
    let own = at(SESSIONS, &sessions[1]);
    assert_eq!(ask(&mut here, TestRequest::delete().uri(&own)).await.0, 204);
    assert_eq!(ask(&mut here, TestRequest::get().uri(ME)).await.0, 401);
    let ended = "SELECT count(*) FROM changes WHERE action = 'session ended' AND actor = 'ana'";
    assert_eq!(server.number(ended), 2);
}

#[actix_web::test]
async fn a_device_that_is_trusted_no_more_is_asked_for_a_code() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let mut other = server.signed_in("ana").await;
    let (totp, _) = other.set_up_app().await;
    let mut browser = server.signed_in("ana").await;
    // The step before was used when the app was set up.
    let code = totp.generate(now() + 30).to_string();
    let reply = browser.post("/signin/code", &[("code", &code), ("trust", "on")]).await;
    assert_eq!(reply.status, 303);
    browser.get("/account").await;
    let (_, me) = ask(&mut browser, TestRequest::get().uri(ME)).await;
    assert_eq!((&me["twoFactor"], me["lastLoginAt"].is_string()), (&json!("totp"), true), "{me}");
    let devices = list(&mut browser, DEVICES).await;
    assert_eq!(devices.len(), 1);
    assert_eq!(devices[0]["current"], true);
    assert_eq!(list(&mut other, DEVICES).await[0]["current"], false);
    let path = at(DEVICES, &devices[0]);
    assert_eq!(ask(&mut browser, TestRequest::delete().uri(&path)).await.0, 204);
    assert_eq!(ask(&mut browser, TestRequest::delete().uri(&path)).await.0, 404);
    assert!(browser.is_in().await, "it stays signed in");
    browser.cookies.remove("featured_session");
    browser.sign_in("ana", PASSWORD).await;
    assert!(!browser.is_in().await);
}

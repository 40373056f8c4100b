//! `/users`, `/users/{user}`, `/users/{user}/2fa`: people, for administrators.

use featured::admin::sign_in::{self, Outcome, Visitor};
use featured::admin::users;
use featured::app::Actor as Author;
use featured::engine::permission::Role;
use featured::store;
use serde_json::{Value, json};

use super::{follow, me, noon, pages};
use crate::support::{Actor, TestApp, person};

const USERS: &str = "/api/v1/users";
const ME: &str = "/api/v1/me";
const PASSWORD: &str = "correct horse battery";

fn path_of(user: &Value) -> String {
    format!("{USERS}/{}", user["id"].as_str().expect("an id"))
}

/// Where somebody stands among the users.
async fn own_path(actor: &Actor) -> String {
    path_of(&actor.get(ME).await.expect(200).body)
}

fn signs_in(app: &TestApp, name: &str) -> bool {
    let visitor = Visitor { address: "192.0.2.9", user_agent: "" };
    let outcome = sign_in::sign_in(&app.app, name, PASSWORD, &visitor, None).expect("an outcome");
    matches!(outcome, Outcome::In { .. })
}

/// The text of the only mail to somebody.
fn mail_to(app: &TestApp, address: &str) -> String {
    let mails = app.app.read(|conn| store::mails::list(conn, 100)).expect("mails");
    let mut theirs = mails.into_iter().filter(|mail| mail.recipient == address);
    let mail = theirs.next().expect("a mail");
    assert!(theirs.next().is_none(), "one");
    mail.body
}

#[actix_web::test]
async fn the_whole_life_of_a_user() {
    let app = TestApp::new().await;
    noon(&app);
    let admin = app.admin();
    let mut new = json!({"username": "cleo", "email": "cleo@shop.example", "role": "viewer"});
    new["password"] = json!(PASSWORD);
    let reply = admin.post(USERS, new).await.expect(201);
    assert_eq!(follow(&admin, &reply).await, reply.body);
    for (member, value) in [
        ("username", json!("cleo")),
        ("email", json!("cleo@shop.example")),
        ("role", json!("viewer")),
        ("active", json!(true)),
        ("twoFactor", json!("none")),
        ("createdAt", json!("2026-03-01T12:00:00.000Z")),
        ("lastLoginAt", json!(null)),
    ] {
        assert_eq!(reply.body[member], value, "{member}");
    }
    assert_eq!(reply.body.as_object().expect("an object").len(), 8, "with the id: {}", reply.text);
    let path = path_of(&reply.body);
    assert!(!mail_to(&app, "cleo@shop.example").contains("/reset/"), "there is a password");
    assert!(signs_in(&app, "cleo"));
    assert_eq!(admin.get(&path).await.expect(200).body["lastLoginAt"], "2026-03-01T12:00:00.000Z");

    let script = users::create_personal_token(&app.app, &Author::system("test"), "cleo", "script");
    let cleo = app.bearer(&script.expect("a token"));
    let site = json!({"name": "Hers", "slug": "hers"});
    cleo.post("/api/v1/sites", site.clone()).await.refused(403, "forbidden");
    let changed = admin.patch(&path, json!({"role": "editor"})).await.expect(200).body;
    assert_eq!((&changed["role"], &changed["username"]), (&json!("editor"), &json!("cleo")));
    cleo.post("/api/v1/sites", site).await.expect(201);
    let names = json!({"username": "kleo", "email": "kleo@mail.example", "active": true});
    assert_eq!(admin.patch(&path, names).await.expect(200).body["email"], "kleo@mail.example");
    assert_eq!(cleo.get(ME).await.expect(200).body["username"], "kleo");
    let changes = app.changes().len();
    admin.patch(&path, json!({})).await.expect(200);
    assert_eq!(app.changes().len(), changes, "nothing to record");

    assert_eq!(admin.patch(&path, json!({"active": false})).await.expect(200).body["active"], false);
    cleo.get(ME).await.refused(401, "unauthenticated");
    assert!(!signs_in(&app, "kleo"));
    admin.patch(&path, json!({"active": true})).await.expect(200);
    cleo.get(ME).await.expect(200);
    let reply = admin.delete(&path).await;
    reply.refused(409, "owns_sites");
    assert!(reply.message().contains("hers"), "{}", reply.message());
    admin.put("/api/v1/sites/hers/owner", json!({"userId": "ada"})).await.expect(200);
    admin.delete(&path).await.expect(204);
    for _ in 0..2 {
        admin.get(&path).await.refused(404, "not_found");
        admin.patch(&path, json!({"active": true})).await.refused(404, "not_found");
        admin.delete(&path).await.refused(404, "not_found");
    }
    cleo.get(ME).await.refused(401, "unauthenticated");
    let done = app.changes().into_iter().filter(|change| change.entity == "user" && change.actor == "ada");
    let done: Vec<String> = done.map(|change| change.action).collect();
    assert_eq!(done, ["created", "updated", "updated", "deactivated", "activated", "deleted"]);
}

#[actix_web::test]
async fn who_is_given_no_password_chooses_one_with_a_link_that_only_the_mail_has() {
    let app = TestApp::new().await;
    let new = json!({"username": "cleo", "email": "cleo@shop.example", "role": "editor"});
    let reply = app.admin().post(USERS, new.clone()).await.expect(201);
    let mail = mail_to(&app, "cleo@shop.example");
    let link = mail.split_once("/reset/").expect("a link").1.split_whitespace().next().expect("a secret");
    assert!(!reply.text.contains(link));
    assert!(!format!("{:?}", app.changes()).contains(link));
    users::reset_password(&app.app, link, PASSWORD, None).expect("a password");
    assert!(signs_in(&app, "cleo"));
    let again = json!({"username": "CLEO", "email": "other@shop.example", "role": "editor"});
    app.admin().post(USERS, again).await.refused(409, "user_taken");
    let again = json!({"username": "other", "email": "Cleo@shop.example", "role": "editor"});
    app.admin().post(USERS, again).await.refused(409, "user_taken");

    // A link in the mailbox of before opens nothing any more.
    let new = json!({"username": "dora", "email": "dora@shop.example", "role": "viewer"});
    let dora = app.admin().post(USERS, new).await.expect(201).body;
    let mail = mail_to(&app, "dora@shop.example");
    let link = mail.split_once("/reset/").expect("a link").1.split_whitespace().next().expect("a secret");
    app.admin().patch(&path_of(&dora), json!({"email": "dora@mail.example"})).await.expect(200);
    assert!(users::reset_password(&app.app, link, PASSWORD, None).is_err());
}

#[actix_web::test]
async fn the_last_admin_stays_and_nobody_locks_themselves_out() {
    let app = TestApp::new().await;
    let ada = app.admin();
    let path = own_path(&ada).await;
    ada.patch(&path, json!({"role": "viewer"})).await.refused(409, "last_admin");
    ada.patch(&path, json!({"active": false})).await.refused(409, "own_account");
    ada.delete(&path).await.refused(409, "own_account");
    let zoe = app.bearer(&person(&app.app, "zoe", Role::Admin));
    let before = app.dump();
    // All of it, or nothing.
    ada.patch(&path, json!({"username": "root", "role": "editor", "active": false}))
        .await
        .refused(409, "own_account");
    assert_eq!(app.dump().differing(&before), [""; 0]);
    ada.patch(&path, json!({"username": "root", "role": "editor"})).await.expect(200);
    ada.get(USERS).await.refused(403, "forbidden");
    ada.patch(&path, json!({"role": "admin"})).await.refused(403, "forbidden");
    zoe.patch(&own_path(&zoe).await, json!({"role": "editor"})).await.refused(409, "last_admin");
    zoe.delete(&path).await.expect(204);
    ada.get(ME).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn users_are_listed_by_name_searched_and_filtered_without_their_addresses() {
    let app = TestApp::new().await;
    for name in ["Bea", "abe", "zed"] {
        person(&app.app, name, Role::Viewer);
    }
    let admin = app.admin();
    for limit in [1, 2, 4, 6] {
        let names = pages(&admin, USERS, limit, "username").await;
        assert_eq!(names, ["abe", "ada", "Bea", "eddie", "vera", "zed"], "{limit}");
    }
    let viewers = pages(&admin, &format!("{USERS}?role=viewer"), 2, "username").await;
    assert_eq!(viewers, ["abe", "Bea", "vera", "zed"]);
    let get = async |query: &str| admin.get(&format!("{USERS}?{query}")).await.expect(200);
    let found = get("q=BEA@shop").await;
    assert_eq!(found.items("username"), ["Bea"]);
    assert!(!found.text.contains('@'), "{}", found.text);
    assert_eq!(found.body["items"][0].as_object().expect("an object").len(), 7);
    assert_eq!(get("q=%25").await.items("username"), [""; 0], "no wildcard");
    assert_eq!(get("role=admin").await.items("username"), ["ada"]);
    assert_eq!(get("active=false").await.items("username"), [""; 0]);
    let zed = get("q=zed").await.body["items"][0].clone();
    admin.patch(&path_of(&zed), json!({"active": false})).await.expect(200);
    assert_eq!(get("active=false").await.items("username"), ["zed"]);
    assert_eq!(get("active=true&role=viewer").await.items("username"), ["abe", "Bea", "vera"]);
    // Ids alone name users: a name may look like any of them.
    admin.get(&format!("{USERS}/zed")).await.refused(404, "not_found");
}

#[actix_web::test]
async fn a_second_factor_is_taken_away_with_all_that_it_brought() {
    let app = TestApp::new().await;
    let (admin, eddie) = (app.admin(), app.editor());
    me::belongings(&app, "eddie");
    let on = "UPDATE users SET two_factor = 'email' WHERE username = 'eddie'";
    app.app.store.writer().execute(on, []).expect("SQL");
    let path = own_path(&eddie).await;
    assert_eq!(admin.get(&path).await.expect(200).body["twoFactor"], "email");
    admin.delete(&format!("{path}/2fa")).await.expect(204);
    assert_eq!(eddie.get(ME).await.expect(200).body["twoFactor"], "none");
    assert_eq!(eddie.get("/api/v1/me/devices").await.expect(200).items("id"), [""; 0]);
    assert_eq!(app.changes().pop().expect("a change").what(), "user two-factor reset");
    let nobody = format!("{USERS}/0198c0de-7a11-7c3e-9d52-3f1b6c1e0009/2fa");
    admin.delete(&nobody).await.refused(404, "not_found");
    admin.patch(&path, json!({"twoFactor": "totp"})).await.expect(200);
    assert_eq!(eddie.get(ME).await.expect(200).body["twoFactor"], "none", "not set from here");
}

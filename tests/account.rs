//! The door and the profile.

use std::time::Duration;

use actix_web::rt::time::sleep;
use actix_web::test::TestRequest;
use featured::engine::permission::Role;
use featured::store::sessions::{ABSOLUTE, IDLE};

use crate::browser::{PASSWORD, Server, between};

const NEW: &str = "a longer sentence than before";

#[actix_web::test]
async fn a_new_password_ends_every_other_session() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    let mut here = server.signed_in("ana").await;
    let mut there = server.signed_in("ana").await;
    here.get("/account").await;
    let reply = here.post("/account/password", &[("current", "wrong one"), ("password", NEW)]).await;
    assert_eq!(reply.status, 422);
    let reply = here.post("/account/password", &[("current", PASSWORD), ("password", "password1")]).await;
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("most common passwords") && !reply.body.contains("password1"));
    assert!(there.is_in().await);
    assert_eq!(here.post("/account/password", &[("current", PASSWORD), ("password", NEW)]).await.status, 303);
    assert!(here.is_in().await);
    assert!(!there.is_in().await);
    assert_eq!(server.browser().sign_in("ana", PASSWORD).await.status, 422);
    assert_eq!(server.browser().sign_in("ana", NEW).await.status, 303);
}

#[actix_web::test]
async fn a_form_without_the_token_of_its_session_changes_nothing() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    server.user("mei", Role::Viewer);
    let mut ana = server.signed_in("ana").await;
    let mut mei = server.signed_in("mei").await;
    mei.get("/account").await;
    for csrf in ["", "0123456789abcdef0123456789abcdef", &mei.csrf] {
        let fields = [("csrf", csrf), ("theme", "dark")];
        let reply = ana.post_raw("/account/look", &fields).await;
        assert_eq!(reply.status, 303);
        assert_eq!(server.number("SELECT count(*) FROM preferences"), 0, "{csrf}");
    }
    ana.get("/account").await;
    let foreign = TestRequest::post()
        .uri("/account/look")
        .insert_header(("content-type", "application/x-www-form-urlencoded"))
        .insert_header(("sec-fetch-site", "cross-site"))
        .set_payload(format!("csrf={}&theme=dark", ana.csrf));
    ana.send(foreign).await;
    assert_eq!(server.number("SELECT count(*) FROM preferences"), 0);
    ana.post("/account/look", &[("theme", "dark"), ("dense", "on")]).await;
    let page = ana.get("/account").await.body;
    assert!(page.contains("data-theme=\"dark\"") && page.contains("data-keys=\"off\""));
}

#[actix_web::test]
async fn a_session_is_ended_by_its_owner_alone() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    server.user("mei", Role::Admin);
    let mut here = server.signed_in("ana").await;
    let mut there = server.signed_in("ana").await;
    let page = here.get("/account").await.body;
    let path = format!("/account/sessions/{}", between(&page, "action=\"/account/sessions/", "\""));
    let mut mei = server.signed_in("mei").await;
    mei.get("/account").await;
    assert_eq!(mei.post(&path, &[]).await.status, 404);
    assert!(there.is_in().await);
    assert_eq!(here.post(&path, &[]).await.status, 303);
    assert!(here.is_in().await && !there.is_in().await);
}

#[actix_web::test]
async fn a_page_with_a_new_token_can_be_loaded_again_for_a_minute_and_makes_no_second_one() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    let mut browser = server.signed_in("ana").await;
    let mut other = server.signed_in("ana").await;
    browser.get("/account").await;
    let made = browser.post("/account/tokens", &[("description", "terraform"), ("days", "30")]).await;
    let page = made.location.strip_suffix("#pat").expect("the part of the page");
    let shows = |body: &str| body.contains("id=\"new-token\">alm_pat_");
    assert!(shows(&browser.get(page).await.body) && shows(&browser.get(page).await.body));
    assert_eq!(server.number("SELECT count(*) FROM personal_tokens"), 1);
    assert!(!shows(&other.get(page).await.body), "another browser");
    assert!(!shows(&browser.get("/account?once=x").await.body));
    server.app.clock.set(server.app.now() + 60_000);
    assert!(!shows(&browser.get(page).await.body), "after a minute");
}

#[actix_web::test]
async fn a_personal_token_is_shown_once_works_and_is_revoked() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    let mut browser = server.signed_in("ana").await;
    browser.get("/account").await;
    assert_eq!(browser.post("/account/tokens", &[("description", " ")]).await.status, 422);
    let markup = "<b>terraform</b>";
    let page = browser.follow("/account/tokens", &[("description", markup), ("days", "30")]).await.body;
    let token = between(&page, "id=\"new-token\">", "<").to_owned();
    assert!(token.starts_with("alm_pat_"));
    assert!(!page.contains(markup) && page.contains("&lt;b&gt;terraform"));
    let page = browser.get("/account").await.body;
    assert!(!page.contains(&token));
    let ask = || {
        TestRequest::get().uri("/api/v1/sites").insert_header(("authorization", format!("Bearer {token}")))
    };
    assert_eq!(server.browser().send(ask()).await.status, 200);
    let path = format!("/account/tokens/{}", between(&page, "action=\"/account/tokens/", "\""));
    assert_eq!(browser.post(&path, &[]).await.status, 303);
    assert_eq!(server.browser().send(ask()).await.status, 401);
}

#[actix_web::test]
async fn unknown_users_get_the_answer_that_known_ones_get() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    let mut known = server.browser();
    let mut unknown = server.browser();
    let a = known.sign_in("ana", "wrong one").await;
    let b = unknown.sign_in("bob", "wrong one").await;
    assert_eq!(a.status, b.status);
    assert_eq!(a.body.replace("ana", "bob"), b.body);
    let a = known.post_raw("/forgot", &[("username", "ana@shop.example")]).await;
    let b = unknown.post_raw("/forgot", &[("username", "bob@shop.example")]).await;
    assert_eq!((a.status, a.body), (b.status, b.body));
}

#[actix_web::test]
async fn guessing_passwords_is_slow_per_account_and_per_address_and_stays_so() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    for at in 0..6 {
        let mut browser = server.browser();
        browser.address = format!("198.51.100.{at}");
        assert!(browser.sign_in("ana", "wrong one").await.body.contains("do not fit together"));
    }
    // A slow machine must not outlast the first pause of 5 s.
    server.sql("UPDATE sign_in_failures SET blocked_to = blocked_to + 600000 WHERE blocked_to > 0");
    let server = server.restart();
    let reply = server.browser().sign_in("ana", PASSWORD).await;
    assert!(reply.body.contains("Too many tries"), "{}", reply.body);
    // A name that nobody has is slowed down alike.
    for _ in 0..6 {
        server.browser().sign_in("nobody", "wrong one").await;
    }
    server.sql("UPDATE sign_in_failures SET blocked_to = blocked_to + 600000 WHERE blocked_to > 0");
    assert!(server.browser().sign_in("nobody", "wrong one").await.body.contains("Too many tries"));

    server.sql("DELETE FROM sign_in_failures");
    for at in 0..31 {
        server.browser().sign_in(&format!("name{at}"), "wrong one").await;
    }
    server.sql("UPDATE sign_in_failures SET blocked_to = blocked_to + 600000 WHERE blocked_to > 0");
    assert!(server.browser().sign_in("ana", PASSWORD).await.body.contains("Too many tries"), "the address");
    let mut elsewhere = server.browser();
    elsewhere.address = "203.0.113.5".into();
    assert_eq!(elsewhere.sign_in("ana", PASSWORD).await.status, 303);
}

/// The link of the newest mail; it is written behind the answer.
async fn link(server: &Server, address: &str) -> String {
    for _ in 0..200 {
        if let Some(text) = server.mail_to(address) {
            let (_, rest) = text.split_once("/reset/").unwrap();
            return format!("/reset/{}", rest.split_whitespace().next().unwrap());
        }
        sleep(Duration::from_millis(20)).await;
    }
    panic!("no mail");
}

#[actix_web::test]
async fn a_forgotten_password_is_set_with_a_link_that_works_once_for_an_hour() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    let mut before = server.signed_in("ana").await;
    let mut browser = server.browser();
    browser.post_raw("/forgot", &[("username", "ANA@shop.example")]).await;
    let path = link(&server, "ana@shop.example").await;
    assert_eq!(browser.get(&path).await.status, 200);
    assert_eq!(browser.post_raw(&path, &[("password", "short")]).await.status, 422);
    assert_eq!(browser.post_raw(&path, &[("password", NEW)]).await.status, 200);
    assert!(!before.is_in().await);
    assert_eq!(browser.post_raw(&path, &[("password", PASSWORD)]).await.status, 404);
    assert_eq!(browser.get(&path).await.status, 404);
    assert_eq!(browser.sign_in("ana", NEW).await.status, 303);

    server.sql("DELETE FROM mails");
    browser.post_raw("/forgot", &[("username", "ana")]).await;
    let path = link(&server, "ana@shop.example").await;
    server.sql("UPDATE links SET expires_at = expires_at - 3600000");
    assert_eq!(browser.post_raw(&path, &[("password", PASSWORD)]).await.status, 404, "an hour later");
    assert_eq!(browser.get("/reset/unknown").await.status, 404);
    assert_eq!(server.number("SELECT count(*) FROM mails WHERE recipient NOT LIKE 'ana@%'"), 0);
}

#[actix_web::test]
async fn a_session_ends_without_use_and_at_last_whatever_the_use() {
    let server = Server::new();
    server.user("ana", Role::Viewer);
    let mut browser = server.signed_in("ana").await;
    let start = server.app.now();
    let mut now = start;
    let mut later = |by: i64| {
        now += by;
        server.app.clock.set(now);
        now
    };
    // Use keeps it.
    later(IDLE - 60_000);
    assert!(browser.is_in().await);
    later(IDLE - 60_000);
    assert!(browser.is_in().await);
    // A page that refreshes itself is no use.
    later(IDLE / 2);
    let refresh = TestRequest::get().uri("/").insert_header(("x-live", "1"));
    assert_eq!(browser.send(refresh).await.status, 200);
    later(IDLE / 2 + 1);
    assert!(!browser.is_in().await, "idle");

    let mut browser = server.signed_in("ana").await;
    let end = later(0) + ABSOLUTE;
    while later(IDLE / 2) < end {
        assert!(browser.is_in().await);
    }
    assert!(!browser.is_in().await, "used all the time, and over");
}

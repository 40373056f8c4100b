//! The API as the pages use it: session cookie, and the CSRF token for changes.

use actix_web::test::TestRequest;
use featured::engine::permission::Role;

use crate::browser::Server;

fn create(slug: &str) -> TestRequest {
    TestRequest::post()
        .uri("/api/v1/sites")
        .insert_header(("content-type", "application/json"))
        .set_payload(format!(r#"{{"name": "Shop", "slug": "{slug}"}}"#))
}

#[actix_web::test]
async fn the_api_takes_the_session_and_for_changes_its_csrf_token() {
    let server = Server::new();
    server.user("ed", Role::Editor);
    server.user("vi", Role::Viewer);
    let sites = || TestRequest::get().uri("/api/v1/sites");
    assert_eq!(server.browser().send(sites()).await.status, 401);
    let mut editor = server.signed_in("ed").await;
    editor.get("/account").await;
    let csrf = editor.csrf.clone();
    assert_eq!(editor.send(sites()).await.status, 200);
    assert_eq!(editor.send(create("shop")).await.status, 403, "no token");
    assert_eq!(editor.send(create("shop").insert_header(("x-csrf-token", "0"))).await.status, 403);
    assert_eq!(editor.send(create("shop").insert_header(("x-csrf-token", csrf.clone()))).await.status, 201);

    let mut viewer = server.signed_in("vi").await;
    viewer.get("/account").await;
    let own = viewer.csrf.clone();
    assert_eq!(viewer.send(create("x").insert_header(("x-csrf-token", csrf))).await.status, 403, "another's");
    assert_eq!(viewer.send(create("x").insert_header(("x-csrf-token", own))).await.status, 403, "the role");
    assert_eq!(server.number("SELECT count(*) FROM sites"), 1);
}

#[actix_web::test]
async fn a_session_that_owes_the_second_step_reaches_no_api() {
    let server = Server::new();
    server.user("ed", Role::Editor);
    server.signed_in("ed").await.set_up_app().await;
    let mut pending = server.signed_in("ed").await;
    assert_eq!(pending.send(TestRequest::get().uri("/api/v1/sites")).await.status, 401);
}

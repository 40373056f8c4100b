//! Which web pages may call: the client API, and nothing else.

use featured::config::Origins;
use serde_json::json;

use super::{EVALUATE, targeted};
use crate::support::{Actor, PROD, Reply, TestApp};

const PAGE: &str = "https://page.example";
const ALLOW: &str = "access-control-allow-origin";

async fn preflight(actor: &Actor, path: &str, method: &str) -> Reply {
    actor
        .ask("OPTIONS", path)
        .header("origin", PAGE)
        .header("access-control-request-method", method)
        .header("access-control-request-headers", "authorization,content-type")
        .send()
        .await
}

async fn from_page(actor: &Actor, method: &str, path: &str) -> Reply {
    let body = json!({"evaluations": []});
    actor.ask(method, path).header("origin", PAGE).json(&body).send().await
}

/// The client's own paths, and those it shares with the admin API.
fn open_paths() -> Vec<(&'static str, String)> {
    vec![
        ("POST", EVALUATE.to_owned()),
        ("POST", "/api/v1/evaluate/batch".to_owned()),
        ("POST", "/api/v1/analytics/evaluations".to_owned()),
        ("POST", "/api/v1/analytics/events".to_owned()),
        ("GET", format!("{PROD}/features")),
        ("GET", format!("{PROD}/features/manage%2Fplugins")),
        ("GET", format!("{PROD}/ruleset")),
        ("GET", format!("{PROD}/stream")),
        ("GET", "/feature-config.js".to_owned()),
    ]
}

/// Admin routes, some of them beneath the shared paths.
fn closed_paths() -> Vec<(&'static str, String)> {
    vec![
        ("GET", "/api/v1/sites".to_owned()),
        ("GET", "/api/v1/sites/shop".to_owned()),
        ("GET", "/api/v1/sites/shop/export".to_owned()),
        ("GET", PROD.to_owned()),
        ("GET", format!("{PROD}/tokens")),
        ("GET", format!("{PROD}/features/a/history")),
        ("GET", format!("{PROD}/features/a/rules")),
        ("GET", format!("{PROD}/features/a/variants")),
        ("POST", format!("{PROD}/features/a:revert")),
        ("POST", "/api/v1/evaluate:explain".to_owned()),
        ("GET", "/metrics".to_owned()),
    ]
}

#[actix_web::test]
async fn preflights_of_the_client_api_are_answered_and_cached() {
    let app = TestApp::new().await;
    for (method, path) in open_paths() {
        let reply = preflight(&app.anonymous(), &path, method).await.expect(204);
        assert_eq!(reply.header(ALLOW), Some("*"), "{path}");
        assert_eq!(reply.header("access-control-allow-methods"), Some(method), "{path}");
        assert_eq!(reply.header("access-control-max-age"), Some("86400"));
        let headers = reply.header("access-control-allow-headers").expect("headers");
        for needed in ["authorization", "content-type", "if-none-match", "last-event-id"] {
            assert!(headers.contains(needed), "{path}: {headers}");
        }
    }
}

#[actix_web::test]
async fn shared_paths_allow_get_alone() {
    let app = TestApp::new().await;
    for path in [format!("{PROD}/features"), format!("{PROD}/features/a")] {
        for method in ["POST", "PATCH", "PUT", "DELETE"] {
            let reply = preflight(&app.anonymous(), &path, method).await;
            assert_eq!(reply.header("access-control-allow-methods"), Some("GET"), "{method} {path}");
        }
        let reply = from_page(&app.editor(), "PATCH", &path).await;
        assert_eq!(reply.header(ALLOW), None);
        let reply = from_page(&app.sdk(), "POST", &path).await;
        assert_eq!(reply.header(ALLOW), None);
    }
}

#[actix_web::test]
async fn admin_routes_never_speak_to_pages() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    for (method, path) in closed_paths() {
        let reply = preflight(&app.anonymous(), &path, method).await;
        assert_eq!(reply.header(ALLOW), None, "preflight of {path}");
        assert!(reply.status >= 400, "preflight of {path}: {}", reply.status);
        for actor in [app.admin(), app.sdk(), app.server_sdk(), app.anonymous()] {
            let reply = from_page(&actor, method, &path).await;
            assert_eq!(reply.header(ALLOW), None, "{path}");
        }
    }
}

#[actix_web::test]
async fn shared_paths_speak_to_pages_with_an_environment_token_only() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    for path in
        [format!("{PROD}/features"), format!("{PROD}/features/a"), format!("{PROD}/features?apiKey=x")]
    {
        let reply = from_page(&app.sdk(), "GET", &path).await.expect(200);
        assert_eq!(reply.header(ALLOW), Some("*"), "{path}");
        for actor in [app.admin(), app.viewer(), app.anonymous()] {
            let reply = from_page(&actor, "GET", &path).await;
            assert_eq!(reply.header(ALLOW), None, "{path}");
        }
    }
}

#[actix_web::test]
async fn pages_can_read_answers_their_headers_and_errors() {
    let app = TestApp::new().await;
    let good = from_page(&app.sdk(), "GET", &format!("{PROD}/features")).await.expect(200);
    let exposed = good.header("access-control-expose-headers").expect("headers");
    for name in ["etag", "retry-after", "ratelimit-remaining", "x-cache", "x-evaluated-at", "x-decision-id"] {
        assert!(exposed.contains(name), "{name}");
    }
    assert!(good.header("vary").is_some_and(|vary| vary.contains("Origin")));
    let wrong_body = from_page(&app.sdk(), "POST", EVALUATE).await.expect(400);
    assert_eq!(wrong_body.header(ALLOW), Some("*"));
    let unknown = from_page(&app.bearer("alm_env_x"), "POST", EVALUATE).await.expect(401);
    assert_eq!(unknown.header(ALLOW), Some("*"));
    let foreign = from_page(&app.sdk(), "GET", "/api/v1/sites/x/environments/y/features").await.expect(403);
    assert_eq!(foreign.header(ALLOW), Some("*"));
    let gone = from_page(&app.sdk(), "GET", &format!("{PROD}/features/gone")).await.expect(404);
    assert_eq!(gone.header(ALLOW), Some("*"));
    let silent = app.sdk().get(&format!("{PROD}/features")).await.expect(200);
    assert_eq!(silent.header(ALLOW), None, "no origin, no header");
}

#[actix_web::test]
async fn a_list_of_allowed_origins_is_kept_to() {
    let only = |origin: &str| Origins::parse(&[origin.to_owned()]).expect("an origin");
    let app = TestApp::with(|config| config.allowed_origins = only(PAGE)).await;
    let reply = from_page(&app.sdk(), "GET", &format!("{PROD}/features")).await.expect(200);
    assert_eq!(reply.header(ALLOW), Some(PAGE));
    assert!(reply.header("vary").is_some_and(|vary| vary.contains("Origin")));
    let reply = preflight(&app.anonymous(), EVALUATE, "POST").await.expect(204);
    assert_eq!(reply.header(ALLOW), Some(PAGE));

    let app = TestApp::with(|config| config.allowed_origins = only("https://other.example")).await;
    let reply = from_page(&app.sdk(), "GET", &format!("{PROD}/features")).await.expect(200);
    assert_eq!(reply.header(ALLOW), None);
    assert!(reply.header("vary").is_some_and(|vary| vary.contains("Origin")), "a cache must tell them apart");
    let reply = preflight(&app.anonymous(), EVALUATE, "POST").await;
    assert_eq!(reply.header(ALLOW), None);
}

//! Who may do what (featuresd.md §5.1): every route for every kind of caller.

use std::collections::HashSet;

use serde_json::{Value, json};

use super::{at, worked_example};
use crate::support::{Actor, PROD, Reply, TestApp};

/// Who is let through.
#[derive(Clone, Copy, PartialEq)]
enum For {
    /// Everybody with a credential: look-ups.
    All,
    /// People, and tokens that are not publishable: reading.
    Readers,
    /// Editors, admins, and tokens with `CONTEXTS_WRITE`.
    Writers,
    /// Editors and admins.
    Editors,
    /// People.
    People,
}

struct Route {
    handler: &'static str,
    method: &'static str,
    path: String,
    body: Value,
    status: u16,
    who: For,
}

fn routes() -> Vec<Route> {
    use For::*;
    let mut routes = Vec::new();
    let mut route = |handler, method, path: &str, body, status, who| {
        routes.push(Route { handler, method, path: at(path), body, status, who });
    };
    route("list::list", "GET", "", json!(null), 200, Readers);
    route("stored::get", "GET", "/mia", json!(null), 200, Readers);
    route("list::list_children", "GET", "/mia/children", json!(null), 200, Readers);
    route("lookup::all", "GET", "/mia/features", json!(null), 200, All);
    route("lookup::one", "GET", "/mia/features/banner", json!(null), 200, All);
    route("lookup::batch", "POST", ":lookup", json!({"subjects": [{"key": "mia"}]}), 200, All);
    route("documents::export", "GET", ":export", json!(null), 200, People);
    route("stored::create", "POST", "", json!({"key": "new"}), 201, Writers);
    route("stored::update", "PATCH", "/new", json!({"description": "x"}), 200, Writers);
    route("stored::replace", "PUT", "/new", json!({"prototypes": [], "features": {}}), 200, Writers);
    route("stored::set_value", "PUT", "/new/features/banner", json!({"value": "x"}), 200, Writers);
    route("stored::remove_value", "DELETE", "/new/features/banner", json!(null), 204, Writers);
    route("stored::delete", "DELETE", "/new", json!(null), 204, Writers);
    route("documents::import", "POST", ":import", json!({"version": 1}), 200, Editors);
    for special in ["default", "override"] {
        let path = |rest: &str| format!("/{special}{rest}");
        let body = json!({"features": {"banner": "x"}});
        route("stored::update", "PATCH", &path(""), body, 200, Editors);
        let whole = json!({"prototypes": [], "features": {"banner": "z"}});
        route("stored::replace", "PUT", &path(""), whole, 200, Editors);
        route("stored::set_value", "PUT", &path("/features/banner"), json!({"value": "y"}), 200, Editors);
        route("stored::remove_value", "DELETE", &path("/features/banner"), json!(null), 204, Editors);
    }
    routes
}

async fn ask(actor: &Actor, route: &Route) -> Reply {
    let ask = actor.ask(route.method, &route.path);
    if route.body.is_null() { ask.send().await } else { ask.json(&route.body).send().await }
}

#[test]
fn every_handler_stands_in_the_matrix() {
    let table = include_str!("../../src/api/rest/mod.rs");
    let handlers = table.split("to(contexts::").skip(1).map(|rest| rest.split(')').next().expect("a name"));
    let handlers: HashSet<&str> = handlers.collect();
    let routes = routes();
    let covered: HashSet<&str> = routes.iter().map(|route| route.handler).collect();
    assert_eq!(covered, handlers);
}

#[actix_web::test]
async fn each_kind_of_caller_does_what_it_may_and_no_more() {
    let writer = |kind: &str| json!({"description": "w", "kind": kind, "permissions": ["CONTEXTS_WRITE"]});
    for name in ["viewer", "editor", "admin", "client", "server", "writing client", "writing server"] {
        let app = TestApp::with(|config| config.rate_limit = 0).await;
        worked_example(&app).await;
        let caller = match name {
            "viewer" => app.viewer(),
            "editor" => app.editor(),
            "admin" => app.admin(),
            "client" => app.sdk(),
            "server" => app.server_sdk(),
            "writing client" => app.bearer(&app.token(writer("client"))),
            _ => app.bearer(&app.token(writer("server"))),
        };
        for route in routes() {
            let may = match route.who {
                For::All => true,
                For::Readers => !name.ends_with("client"),
                For::People => !name.ends_with("client") && !name.ends_with("server"),
                For::Editors => ["editor", "admin"].contains(&name),
                For::Writers => ["editor", "admin", "writing server"].contains(&name),
            };
            let before = app.dump();
            let reply = ask(&caller, &route).await;
            let what = format!("{name}: {} {}: {}", route.method, route.path, reply.text);
            if may {
                assert_eq!(reply.status, route.status, "{what}");
            } else {
                assert_eq!((reply.status, reply.code()), (403, "forbidden"), "{what}");
                assert_eq!(app.dump().differing(&before), [""; 0], "{what}");
            }
        }
    }
}

#[actix_web::test]
async fn strangers_and_tokens_of_elsewhere_get_nothing() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    worked_example(&app).await;
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "other"})).await.expect(201);
    let all = json!({"description": "all", "kind": "server", "permissions": ["READ", "CONTEXTS_WRITE"]});
    let elsewhere = app.bearer(&app.token_of("shop", "other", all));
    let before = app.dump();
    for route in routes() {
        for stranger in [app.anonymous(), app.bearer("alm_env_unknown"), app.bearer("alm_pat_unknown")] {
            ask(&stranger, &route).await.refused(401, "unauthenticated");
        }
        ask(&elsewhere, &route).await.refused(403, "forbidden");
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
    let own = format!("{}/contexts/mia/features", PROD.replace("prod", "other"));
    elsewhere.get(&own).await.expect(200);
}

#[actix_web::test]
async fn what_a_token_writes_is_recorded_under_its_name() {
    let app = TestApp::new().await;
    let body = json!({"description": "sync job", "kind": "server", "permissions": ["CONTEXTS_WRITE"]});
    let writer = app.bearer(&app.token(body));
    let made = writer.post(&at(""), json!({"key": "mia"})).await.expect(201).body;
    assert_eq!(made["updatedBy"], "sync job");
    let change = app.changes().pop().expect("a change");
    assert_eq!((change.actor.as_str(), change.address.as_deref()), ("sync job", Some("192.0.2.1")));
}

#[actix_web::test]
async fn a_publishable_token_never_hears_of_another_key() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    worked_example(&app).await;
    app.editor().patch(&at("/override"), json!({"features": {"ratio": 2}})).await.expect(200);
    let sdk = app.sdk();
    let others = ["org-nordic", "pilots", "team-blue", "mia-phone", "override", "default"];
    for parameters in ["", "?typed=true", "?rules=true", "?prototypes=pilots", "?strict=true", "?keys=banner"]
    {
        for path in [
            format!("/mia/features{parameters}"),
            format!("/mia/features/seats{}", parameters.replace("?keys=banner", "")),
        ] {
            let reply = sdk.get(&at(&path)).await.expect(200);
            for key in others {
                assert!(!reply.text.contains(key), "{path}: {}", reply.text);
            }
            assert!(!reply.text.contains("source") && !reply.text.contains("order"), "{}", reply.text);
        }
    }
    for path in ["/mia/features?explain=true", "/mia/features/seats?explain=true"] {
        sdk.get(&at(path)).await.refused(403, "forbidden");
    }
    let reply =
        sdk.post(&at(":lookup"), json!({"subjects": [{"key": "mia"}], "typed": true})).await.expect(200);
    assert!(others.iter().all(|key| !reply.text.contains(key)), "{}", reply.text);
    let reply = sdk.post(&at(":lookup"), json!({"subjects": [{"key": "mia"}], "explain": true})).await;
    reply.refused(403, "forbidden");
    let reply = sdk.get("/featuresd/api/contexts/mia/features").await.expect(200);
    assert!(others.iter().all(|key| !reply.text.contains(key)), "{}", reply.text);
}

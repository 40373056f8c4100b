//! Who may do what: every admin route for every kind of caller.

use std::collections::HashSet;

use featured::engine::permission::Role;
use featured::store;
use serde_json::{Value, json};

use super::{plain, rule};
use crate::support::{Actor, PROD, TestApp, person};

/// One route as somebody with the right role uses it. `{rule}`, `{rule2}` and `{token}` stand for ids.
struct Route {
    /// As the table of routes names it: `module::function`.
    handler: &'static str,
    method: &'static str,
    path: String,
    body: Value,
    status: u16,
}

/// Every admin route, in an order in which all of them succeed.
fn routes() -> Vec<Route> {
    let shop = "/api/v1/sites/shop";
    let feature = format!("{PROD}/features/a");
    let mut routes = Vec::new();
    let mut route = |handler, method, path: String, body, status| {
        routes.push(Route { handler, method, path, body, status });
    };
    route("sites::list", "GET", "/api/v1/sites".into(), json!(null), 200);
    route("sites::get", "GET", shop.into(), json!(null), 200);
    route("branding::get", "GET", format!("{shop}/branding"), json!(null), 200);
    route("environments::list", "GET", format!("{shop}/environments"), json!(null), 200);
    route("environments::get", "GET", PROD.into(), json!(null), 200);
    route("segments::list", "GET", format!("{shop}/segments"), json!(null), 200);
    route("segments::get", "GET", format!("{shop}/segments/s"), json!(null), 200);
    route("features::list_or_evaluate", "GET", format!("{PROD}/features"), json!(null), 200);
    route("features::get_or_evaluate", "GET", feature.clone(), json!(null), 200);
    route("features::history", "GET", format!("{feature}/history"), json!(null), 200);
    route("rules::list", "GET", format!("{feature}/rules"), json!(null), 200);
    route("rules::get", "GET", format!("{feature}/rules/{{rule}}"), json!(null), 200);
    route("variants::list", "GET", format!("{feature}/variants"), json!(null), 200);
    route("variants::get", "GET", format!("{feature}/variants/v"), json!(null), 200);
    route("compatibility::get", "GET", format!("{PROD}/compatibility"), json!(null), 200);
    route("tokens::list", "GET", format!("{PROD}/tokens"), json!(null), 200);
    route("tokens::get", "GET", format!("{PROD}/tokens/{{token}}"), json!(null), 200);
    let webhook = "/api/v1/webhooks/{webhook}";
    route("webhooks::list", "GET", "/api/v1/webhooks?site=shop".into(), json!(null), 200);
    route("webhooks::get", "GET", webhook.into(), json!(null), 200);
    route("webhooks::deliveries", "GET", format!("{webhook}/deliveries"), json!(null), 200);
    route("webhooks::delivery", "GET", format!("{webhook}/deliveries/{{delivery}}"), json!(null), 200);
    route("audit::list", "GET", "/api/v1/audit?site=shop".into(), json!(null), 200);
    route("documents::export", "GET", format!("{shop}/export"), json!(null), 200);
    for (handler, name) in [
        ("analytics::summary", "summary"),
        ("analytics::daily", "daily"),
        ("analytics::rules", "rules"),
        ("analytics::contexts", "contexts"),
        ("analytics::variants", "variants"),
    ] {
        let path = format!("/api/v1/analytics/{name}?site=shop&env=prod&feature=a");
        route(handler, "GET", path, json!(null), 200);
    }
    route("analytics::stale", "GET", "/api/v1/analytics/stale?site=shop&env=prod".into(), json!(null), 200);
    route("analytics::get_settings", "GET", format!("{shop}/analytics"), json!(null), 200);

    route(
        "analytics::update_settings",
        "PATCH",
        format!("{shop}/analytics"),
        json!({"staleUnaskedDays": 7}),
        200,
    );
    route("sites::create", "POST", "/api/v1/sites".into(), json!({"name": "New"}), 201);
    route("sites::update", "PATCH", shop.into(), json!({"description": "x"}), 200);
    route("branding::put", "PUT", format!("{shop}/branding"), json!({"accent": "#7a1fa2"}), 200);
    route("sites::transfer", "PUT", format!("{shop}/owner"), json!({"userId": "vera"}), 200);
    route("environments::create", "POST", format!("{shop}/environments"), json!({"name": "dev"}), 201);
    route("environments::update", "PATCH", PROD.into(), json!({"description": "x"}), 200);
    let segment = json!({"key": "t", "conditions": {"all": []}});
    route("segments::create", "POST", format!("{shop}/segments"), segment, 201);
    route("segments::update", "PATCH", format!("{shop}/segments/s"), json!({"name": "x"}), 200);
    route("segments::delete", "DELETE", format!("{shop}/segments/s"), json!(null), 204);
    route("features::create", "POST", format!("{PROD}/features"), plain("b"), 201);
    route("features::update", "PATCH", feature.clone(), json!({"enabled": false}), 200);
    route("rules::create", "POST", format!("{feature}/rules"), rule("NO", 50), 201);
    route("rules::update", "PATCH", format!("{feature}/rules/{{rule}}"), json!({"enabled": false}), 200);
    route("rules::delete", "DELETE", format!("{feature}/rules/{{rule2}}"), json!(null), 204);
    route("variants::create", "POST", format!("{feature}/variants"), json!({"key": "w", "value": true}), 201);
    route("variants::update", "PATCH", format!("{feature}/variants/v"), json!({"value": false}), 200);
    route("variants::delete", "DELETE", format!("{feature}/variants/v"), json!(null), 204);
    route("features::revert", "POST", format!("{feature}:revert"), json!({"version": 1}), 200);
    let ids = json!({"ids": ["{rule2}", "{rule}"]});
    route("rules::reorder", "POST", format!("{feature}/rules:reorder"), ids, 200);
    route("features::replace", "PUT", feature.clone(), plain("a"), 200);
    route("features::delete", "DELETE", feature, json!(null), 204);
    let webhook = "/api/v1/webhooks/{webhook}".to_owned();
    let delivery = format!("{webhook}/deliveries/{{delivery}}");
    let made = json!({"siteId": "shop", "url": "https://hooks.invalid/x", "events": ["rule.created"]});
    route("webhooks::create", "POST", "/api/v1/webhooks".into(), made, 201);
    route("webhooks::update", "PATCH", webhook.clone(), json!({"enabled": false}), 200);
    route("webhooks::rotate", "POST", format!("{webhook}:rotate"), json!({}), 200);
    route("webhooks::test", "POST", format!("{webhook}:test"), json!({}), 200);
    route("webhooks::redeliver", "POST", format!("{delivery}:redeliver"), json!(null), 200);
    route("webhooks::delete", "DELETE", webhook, json!(null), 204);
    let token = json!({"description": "t", "kind": "server"});
    route("tokens::create", "POST", format!("{PROD}/tokens"), token, 201);
    route("tokens::update", "PATCH", format!("{PROD}/tokens/{{token}}"), json!({"description": "x"}), 200);
    route("tokens::rotate", "POST", format!("{PROD}/tokens/{{token}}:rotate"), json!({}), 200);
    route("tokens::delete", "DELETE", format!("{PROD}/tokens/{{token}}"), json!(null), 204);
    let document = json!({"version": 1, "site": {"slug": "shop", "name": "Shop"}});
    route("documents::import", "POST", format!("{shop}/import"), document, 200);
    route("environments::delete", "DELETE", format!("{shop}/environments/dev"), json!(null), 204);
    route("sites::delete", "DELETE", shop.into(), json!(null), 204);
    routes
}

/// Routes that are for administrators alone, in an order in which all of them succeed. `user` is an id.
fn administration(request: &str, user: &str) -> Vec<Route> {
    let path = format!("/api/v1/gdpr/requests/{request}");
    let made = json!({"type": "access", "user": user});
    let users = "/api/v1/users";
    let user = format!("{users}/{user}");
    let new = json!({"username": "new", "email": "new@shop.example", "role": "admin"});
    [
        ("audit::check", "POST", "/api/v1/audit:verify".to_owned(), json!(null), 200),
        ("gdpr::list", "GET", "/api/v1/gdpr/requests".into(), json!(null), 200),
        ("gdpr::create", "POST", "/api/v1/gdpr/requests".into(), made, 201),
        ("gdpr::get", "GET", path.clone(), json!(null), 200),
        ("gdpr::download", "GET", format!("{path}/download"), json!(null), 200),
        ("gdpr::delete", "DELETE", path, json!(null), 204),
        ("users::list", "GET", users.into(), json!(null), 200),
        ("users::create", "POST", users.into(), new, 201),
        ("users::get", "GET", user.clone(), json!(null), 200),
        ("users::update", "PATCH", user.clone(), json!({"role": "admin"}), 200),
        ("users::reset_two_factor", "DELETE", format!("{user}/2fa"), json!(null), 204),
        ("users::delete", "DELETE", user, json!(null), 204),
    ]
    .into_iter()
    .map(|(handler, method, path, body, status)| Route { handler, method, path, body, status })
    .collect()
}

/// Routes of one's own account, in an order in which all of them succeed.
fn own([token, device, session]: [&str; 3]) -> Vec<Route> {
    let me = "/api/v1/me";
    [
        ("me::get", "GET", me.to_owned(), json!(null), 200),
        ("me::update", "PATCH", me.into(), json!({"theme": "dark"}), 200),
        ("me::list_tokens", "GET", format!("{me}/tokens"), json!(null), 200),
        ("me::create_token", "POST", format!("{me}/tokens"), json!({"description": "t"}), 201),
        ("me::delete_token", "DELETE", format!("{me}/tokens/{token}"), json!(null), 204),
        ("me::list_devices", "GET", format!("{me}/devices"), json!(null), 200),
        ("me::delete_device", "DELETE", format!("{me}/devices/{device}"), json!(null), 204),
        ("me::list_sessions", "GET", format!("{me}/sessions"), json!(null), 200),
        ("me::delete_session", "DELETE", format!("{me}/sessions/{session}"), json!(null), 204),
    ]
    .into_iter()
    .map(|(handler, method, path, body, status)| Route { handler, method, path, body, status })
    .collect()
}

#[actix_web::test]
async fn everybody_has_an_account_and_reaches_no_other() {
    for name in ["vera", "eddie", "ada"] {
        let app = TestApp::with(|config| config.rate_limit = 0).await;
        let ids = super::me::belongings(&app, name);
        let routes = own([&ids.token, &ids.device, &ids.session]);
        let strangers = [app.viewer(), app.editor(), app.admin()];
        let people = ["vera", "eddie", "ada"];
        let of_others = people.iter().zip(&strangers).filter(|(other, _)| **other != name);
        app.sdk();
        app.server_sdk();
        let before = app.dump();
        for (_, stranger) in of_others {
            for route in routes.iter().filter(|route| route.method == "DELETE") {
                ask(stranger, route).await.refused(404, "not_found");
            }
        }
        for route in &routes {
            for program in [app.sdk(), app.server_sdk()] {
                ask(&program, route).await.refused(403, "forbidden");
            }
            ask(&app.anonymous(), route).await.refused(401, "unauthenticated");
        }
        assert_eq!(app.dump().differing(&before), [""; 0]);
        let (owner, _) = strangers.iter().zip(people).find(|(_, other)| *other == name).expect("one of them");
        for route in &routes {
            let reply = ask(owner, route).await;
            let what = format!("{name} {} {}: {}", route.method, route.path, reply.text);
            assert_eq!(reply.status, route.status, "{what}");
        }
    }
}

#[actix_web::test]
async fn some_things_only_administrators_do() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    let request = json!({"type": "access", "user": "vera"});
    let made = app.admin().post("/api/v1/gdpr/requests", request).await.expect(201).body;
    featured::jobs::gdpr::run(&app.app).expect("the job");
    // Of whom nothing is asked for here.
    person(&app.app, "otto", Role::Viewer);
    let otto = app.app.read(|conn| store::users::find(conn, "otto")).expect("a user");
    let routes = administration(made["id"].as_str().expect("an id"), &otto.uuid);
    app.server_sdk();
    let before = app.dump();
    for route in &routes {
        for actor in [app.viewer(), app.editor(), app.server_sdk()] {
            ask(&actor, route).await.refused(403, "forbidden");
        }
        ask(&app.anonymous(), route).await.refused(401, "unauthenticated");
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
    for route in &routes {
        let reply = ask(&app.admin(), route).await;
        assert_eq!(reply.status, route.status, "{} {}: {}", route.method, route.path, reply.text);
    }
}

/// The same routes on a site that has what they need.
async fn prepared() -> (TestApp, Vec<Route>) {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    let made = app
        .feature(json!({
            "key": "a", "type": "BOOLEAN", "defaultValue": false, "rules": [rule("SE", 50), rule("DK", 50)],
            "variants": [{"key": "v", "value": true}],
        }))
        .await;
    let segment = json!({"key": "s", "conditions": {"all": []}});
    app.editor().post("/api/v1/sites/shop/segments", segment).await.expect(201);
    let token = json!({"description": "t", "kind": "client"});
    let token = app.editor().post(&format!("{PROD}/tokens"), token).await.expect(201).body;
    let webhook = json!({"siteId": "shop", "url": "https://hooks.invalid/x", "events": ["rule.created"]});
    let webhook = app.editor().post("/api/v1/webhooks", webhook).await.expect(201).body;
    let path = format!("/api/v1/webhooks/{}:test", webhook["id"].as_str().expect("an id"));
    let delivery = app.editor().post(&path, json!({})).await.expect(200).body;
    let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
    let ids = [
        ("{rule}", id(&made["rules"][0])),
        ("{rule2}", id(&made["rules"][1])),
        ("{token}", id(&token)),
        ("{webhook}", id(&webhook)),
        ("{delivery}", id(&delivery)),
    ];
    let fill = |text: String| ids.iter().fold(text, |text, (name, id)| text.replace(name, id));
    let routes = routes().into_iter().map(|route| Route {
        path: fill(route.path),
        body: serde_json::from_str(&fill(route.body.to_string())).expect("JSON"),
        ..route
    });
    let routes = routes.collect();
    // So that no token is made on the way.
    app.sdk();
    app.server_sdk();
    (app, routes)
}

async fn ask(actor: &Actor, route: &Route) -> crate::support::Reply {
    let ask = actor.ask(route.method, &route.path);
    if route.body.is_null() { ask.send().await } else { ask.json(&route.body).send().await }
}

#[test]
fn every_admin_handler_stands_in_the_matrix() {
    let table = include_str!("../../src/api/rest/mod.rs");
    let handlers = table.split("to(admin::").skip(1).map(|rest| rest.split(')').next().expect("a name"));
    let handlers: HashSet<&str> = handlers.collect();
    let mut routes = routes();
    routes.extend(administration("", ""));
    routes.extend(own([""; 3]));
    let covered: HashSet<&str> = routes.iter().map(|route| route.handler).collect();
    assert_eq!(covered.len(), routes.len(), "each once");
    assert_eq!(covered, handlers);
}

#[actix_web::test]
async fn editors_and_admins_do_everything_here() {
    for role in ["editor", "admin"] {
        let (app, routes) = prepared().await;
        let actor = if role == "editor" { app.editor() } else { app.admin() };
        for route in &routes {
            let reply = ask(&actor, route).await;
            assert_eq!(reply.status, route.status, "{role} {} {}: {}", route.method, route.path, reply.text);
        }
    }
}

#[actix_web::test]
async fn viewers_read_and_change_nothing() {
    let (app, routes) = prepared().await;
    let before = app.dump();
    for route in &routes {
        let reply = ask(&app.viewer(), route).await;
        if route.method == "GET" {
            assert_eq!(reply.status, 200, "{}: {}", route.path, reply.text);
        } else {
            assert_eq!((reply.status, reply.code()), (403, "forbidden"), "{} {}", route.method, route.path);
            assert!(reply.message().contains("editor"), "it says what is needed: {}", reply.message());
        }
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn strangers_learn_nothing() {
    let (app, routes) = prepared().await;
    let before = app.dump();
    let strangers =
        [app.anonymous(), app.bearer("alm_pat_unknown"), app.bearer("alm_env_unknown"), app.bearer("x")];
    for route in &routes {
        for stranger in &strangers {
            let reply = ask(stranger, route).await;
            assert_eq!(
                (reply.status, reply.code()),
                (401, "unauthenticated"),
                "{} {}",
                route.method,
                route.path
            );
        }
        let gone = Route { path: route.path.replace("shop", "gone"), body: route.body.clone(), ..*route };
        let reply = ask(&app.anonymous(), &gone).await;
        assert_eq!(reply.status, 401, "also where there is nothing: {}", gone.path);
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn environment_tokens_administer_nothing() {
    let (app, routes) = prepared().await;
    let all = ["READ", "CHANGE_VALUE", "LOCK", "UNLOCK", "CONTEXTS_WRITE", "FLAGR_ADMIN", "EXTENDED_DATA"];
    let mighty = app.token(json!({"description": "all", "kind": "server", "permissions": all}));
    let before = app.dump();
    for route in &routes {
        for actor in [app.sdk(), app.server_sdk(), app.bearer(&mighty)] {
            let reply = ask(&actor, route).await;
            if route.handler.ends_with("_or_evaluate") {
                assert!(reply.text.contains("\"reason\""), "values, not rules: {}", reply.text);
                assert!(!reply.text.contains("\"rules\""), "{}", reply.text);
            } else {
                assert_eq!(
                    (reply.status, reply.code()),
                    (403, "forbidden"),
                    "{} {}",
                    route.method,
                    route.path
                );
            }
        }
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

#[actix_web::test]
async fn a_path_does_not_take_other_methods() {
    let (app, routes) = prepared().await;
    let mut by_path: Vec<(&str, HashSet<&str>)> = Vec::new();
    for route in &routes {
        match by_path.iter_mut().find(|(path, _)| *path == route.path) {
            Some((_, methods)) => drop(methods.insert(route.method)),
            None => by_path.push((&route.path, HashSet::from([route.method]))),
        }
    }
    let before = app.dump();
    // Some are filled in by other entries of the same kind of path.
    for (path, _) in by_path {
        let reply = app.admin().ask("OPTIONS", path).send().await;
        assert_eq!((reply.status, reply.code()), (405, "method_not_allowed"), "{path}");
        let reply = app.admin().ask("TRACE", path).send().await;
        assert_eq!((reply.status, reply.code()), (405, "method_not_allowed"), "{path}");
    }
    for path in
        ["/api/v1", "/api/v1/", "/api/v1/nothing", "/api/v1/sites/", "/api/v2/sites", "/api/v1/sites/shop/"]
    {
        app.admin().get(path).await.refused(404, "not_found");
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

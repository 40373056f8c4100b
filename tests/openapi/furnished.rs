//! A server with everything that the examples of the description name, and features of every kind.

use std::collections::HashMap;

use featured::engine::permission::Role;
use featured::live::credentials::hash;
use featured::store;
use serde_json::{Value, json};

use crate::support::{Actor, PROD, TestApp, person};

/// See the module.
pub struct Furnished {
    pub app: TestApp,
    /// An admin, the one whom the examples name.
    pub ana: Actor,
    pub client: Actor,
    pub server: Actor,
    /// What the names in paths stand for.
    pub names: HashMap<&'static str, String>,
}

impl Furnished {
    pub async fn new() -> Self {
        let app = TestApp::new().await;
        let ana = app.bearer(&person(&app.app, "ana", Role::Admin));
        ana.post("/api/v1/sites/shop/import", document()).await.expect(200);
        let tokens = format!("{PROD}/tokens");
        let body = json!({"description": "web", "kind": "client", "rateLimit": 0});
        let client = ana.post(&tokens, body).await.expect(201).body;
        let body = json!({"description": "api", "kind": "server", "rateLimit": 0});
        let server = ana.post(&tokens, body).await.expect(201).body;
        // One that tests may rotate and revoke.
        let spare = json!({"description": "spare", "kind": "client"});
        let spare = ana.post(&tokens, spare).await.expect(201).body;
        let webhook = json!({"siteId": "shop", "url": "https://hooks.invalid/x", "events": ["rule.created"]});
        let webhook = ana.post("/api/v1/webhooks", webhook).await.expect(201).body;
        let path = format!("/api/v1/webhooks/{}:test", webhook["id"].as_str().expect("an id"));
        let delivery = ana.post(&path, json!({})).await.expect(200).body;
        person(&app.app, "ben", Role::Viewer);
        let request = json!({"type": "access", "user": "ben"});
        let request = ana.post("/api/v1/gdpr/requests", request).await.expect(201).body;
        featured::jobs::gdpr::run(&app.app).expect("the job");
        // Somebody signed in as ana, and is trusted.
        let [of_ana, of_ben] =
            ["ana", "ben"].map(|name| app.app.read(|conn| store::users::find(conn, name)).expect("a user"));
        {
            let (writer, now) = (app.app.store.writer(), app.app.now());
            let signed_in = hash("a session");
            store::sessions::insert(&writer, of_ana.id, &signed_in, true, "192.0.2.7", "Firefox", now)
                .expect("a session");
            store::two_factor::insert_device(&writer, of_ana.id, &hash("a device"), "Firefox", now)
                .expect("a device");
        }
        let device = ana.get("/api/v1/me/devices").await.expect(200).body;
        let session = ana.get("/api/v1/me/sessions").await.expect(200).body;
        let rules = ana.get(&format!("{PROD}/features/new_checkout/rules")).await.expect(200).body;
        let text = |value: &Value| value.as_str().expect("text").to_owned();
        let names = HashMap::from([
            ("site", "shop".to_owned()),
            ("environment", "prod".to_owned()),
            ("key", "new_checkout".to_owned()),
            ("variant", "blue".to_owned()),
            ("segment", "staff".to_owned()),
            ("context", "ben".to_owned()),
            ("feature", "greeting".to_owned()),
            ("rule", text(&rules["items"][0]["id"])),
            ("token", text(&spare["id"])),
            ("request", text(&request["id"])),
            ("webhook", text(&webhook["id"])),
            ("delivery", text(&delivery["id"])),
            ("user", of_ben.uuid),
            ("device", text(&device["items"][0]["id"])),
            ("session", text(&session["items"][0]["id"])),
        ]);
        Self {
            client: app.bearer(&text(&client["token"])),
            server: app.bearer(&text(&server["token"])),
            ana,
            app,
            names,
        }
    }
}

fn document() -> Value {
    let everything = json!({"all": [
        {"any": [
            {"attribute": "country", "operator": "in", "values": ["SE", "NO"], "ignoreCase": true},
            {"attribute": "age", "operator": "greater_than", "value": 17, "strict": true},
            {"attribute": "beta", "operator": "equals", "value": true},
            {"attribute": "country", "operator": "exists"}
        ]},
        {"not": {"segment": "staff"}},
        {"not": {"all": []}},
        {"flagr": {"property": "state", "operator": "EQ", "value": "\"NY\""}}
    ]});
    json!({
        "version": 1,
        "site": {"slug": "shop", "name": "Shop"},
        "segments": [{
            "key": "staff", "name": "Staff",
            "conditions": {"attribute": "email", "operator": "ends_with", "value": "@shop.example"}
        }],
        "environments": [{
            "name": "prod",
            "tags": ["production"],
            "features": [
                {
                    "key": "new_checkout", "type": "BOOLEAN", "defaultValue": false,
                    "variants": [
                        {"key": "blue", "value": true, "attachment": {"hex": "#0b3d91"}},
                        {"key": "grey", "value": false}
                    ],
                    "rules": [
                        {"name": "Everything", "priority": 60, "when": everything, "outcome": {"value": true}},
                        {"name": "Off", "enabled": false, "outcome": {"value": true}},
                        {"name": "Salted", "when": {"segment": "staff"},
                         "rollout": {"percentage": 12.5, "by": "company", "salt": "s", "otherwise": "stop"},
                         "outcome": {"value": true}},
                        {"name": "Grey for all", "rollout": {"percentage": 99.99},
                         "outcome": {"split": [{"variant": "grey", "weight": 100}]}}
                    ]
                },
                {
                    "key": "search_limit", "type": "NUMBER", "defaultValue": 1.5, "bucketing": "murmur3",
                    "rules": [{"name": "Some", "rollout": {"percentage": 50.0005, "by": ["a", "b"]},
                               "outcome": {"value": 30}}]
                },
                {"key": "theme", "type": "JSON", "bucketing": "crc32", "enabled": false},
                {"key": "greeting", "type": "STRING"}
            ],
            "contexts": [
                {"key": "team:blue", "features": {"greeting": "hi"}},
                {"key": "ben", "prototypes": ["team:blue"]},
                {"key": "override", "features": {"search_limit": 7}}
            ]
        }]
    })
}

//! Malformed requests: the documented error with every problem, and nothing written (issue 2, "Bad input").

mod bodies;
mod fuzz;
mod table;

use featured::engine::permission::Role;
use featured::store;
use serde_json::{Value, json};

use crate::support::{Actor, PROD, TestApp, person};

const SHOP: &str = "/api/v1/sites/shop";

/// A site with something of every kind: `{rule}`, `{rule2}`, `{token}`, `{webhook}` and `{user}` in paths stand for ids.
struct Fixture {
    app: TestApp,
    ids: [(&'static str, String); 5],
    service: Actor,
}

impl Fixture {
    async fn new() -> Self {
        let app = TestApp::with(|config| config.rate_limit = 0).await;
        let editor = app.editor();
        for (key, conditions) in [("s", json!({"all": []})), ("t", json!({"segment": "s"}))] {
            let body = json!({"key": key, "conditions": conditions});
            editor.post(&format!("{SHOP}/segments"), body).await.expect(201);
        }
        let made = app
            .feature(json!({
                "key": "a", "type": "BOOLEAN", "defaultValue": false,
                "variants": [{"key": "v", "value": true}, {"key": "spare", "value": false}],
                "rules": [
                    {"name": "one", "priority": 90, "outcome": {"value": true}},
                    {"name": "two", "outcome": {"split": [{"variant": "v", "weight": 100}]}},
                ],
            }))
            .await;
        app.contexts(json!([{"key": "ana", "features": {"a": "yes"}}]));
        let token = json!({"description": "t", "kind": "client"});
        let token = editor.post(&format!("{PROD}/tokens"), token).await.expect(201).body;
        let id = |value: &Value| value["id"].as_str().expect("an id").to_owned();
        let webhook = json!({"siteId": "shop", "url": "https://hooks.example/x", "events": ["rule.updated"]});
        let webhook = editor.post("/api/v1/webhooks", webhook).await.expect(201).body;
        // Somebody on whom nothing depends.
        person(&app.app, "dora", Role::Viewer);
        let dora = app.app.read(|conn| store::users::find(conn, "dora")).expect("a user");
        let ids = [
            ("{rule}", id(&made["rules"][0])),
            ("{rule2}", id(&made["rules"][1])),
            ("{token}", id(&token)),
            ("{webhook}", id(&webhook)),
            ("{user}", dora.uuid),
        ];
        let service = app.server_sdk();
        Self { app, ids, service }
    }

    fn fill(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }

    /// Who usually calls such a path: a service its own routes, an editor the rest.
    fn actor(&self, path: &str) -> Actor {
        let client = ["/evaluate", "/v1/analytics"].iter().any(|part| path.contains(part));
        match path {
            _ if client => self.service.clone(),
            _ if path.contains("/gdpr/") || path.contains("/users") => self.app.admin(),
            _ => self.app.editor(),
        }
    }
}

/// Whether a body has the shape of an error: a code, a sentence, and details that are a list of field problems
/// or an object.
fn is_error(body: &Value) -> bool {
    let error = &body["error"];
    let details = match &error["details"] {
        Value::Null | Value::Object(_) => true,
        Value::Array(list) => list.iter().all(|one| one["field"].is_string() && one["message"].is_string()),
        _ => false,
    };
    let text = |member: &str| error[member].as_str().is_some_and(|text| !text.is_empty());
    text("code") && text("message") && details
}

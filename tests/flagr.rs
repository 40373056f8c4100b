//! The Flagr door (spec: flagr.md).

mod differential;
mod evaluation;
mod import;
mod management;
mod native;
mod routes;
mod vectors;

use featured::admin::flagr_import;
use featured::app::Actor as Author;
use featured::config::Config;
use serde_json::{Value, json};

use crate::support::{Actor, Reply, TestApp};

const API: &str = "/flagr/api/v1";

/// A server with a token that may manage flags.
struct Flagr {
    app: TestApp,
    admin: Actor,
    token: String,
}

impl Flagr {
    async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let app = TestApp::with(adjust).await;
        let token = app.token(json!({"description": "flagr", "kind": "server", "rateLimit": 0,
            "permissions": ["READ", "FLAGR_ADMIN"]}));
        Self { admin: app.bearer(&token), app, token }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Reply {
        let ask = self.admin.ask(method, &format!("{API}{path}"));
        if body.is_null() { ask.send().await } else { ask.json(&body).send().await }
    }

    async fn get(&self, path: &str) -> Value {
        self.ask("GET", path, Value::Null).await.expect(200).body
    }

    async fn post(&self, path: &str, body: Value) -> Value {
        self.ask("POST", path, body).await.expect(200).body
    }

    async fn put(&self, path: &str, body: Value) -> Value {
        self.ask("PUT", path, body).await.expect(200).body
    }

    async fn delete(&self, path: &str) {
        let reply = self.ask("DELETE", path, Value::Null).await.expect(200);
        assert_eq!(reply.text, "");
    }

    /// Takes flags over, as `featured import --from flagr` does.
    fn import(&self, flags: Value) -> Result<flagr_import::Report, featured::error::Error> {
        let source = flagr_import::read_json(&json!({ "Flags": flags }).to_string()).expect("an export");
        flagr_import::import(&self.app.app, &Author::system("test"), "shop", "prod", &source, false)
    }

    /// A flag of two variants at 50 percent each for everybody: number, variants, segment.
    async fn split(&self, key: &str) -> (u64, [u64; 2], u64) {
        let flag = self.post("/flags", json!({"key": key, "description": key})).await["id"].clone();
        let variant = async |key: &str| {
            let body = json!({"key": key, "attachment": {"name": key}});
            self.post(&format!("/flags/{flag}/variants"), body).await["id"].as_u64().expect("a number")
        };
        let variants = [variant("control").await, variant("new").await];
        let body = json!({"description": "all", "rolloutPercent": 100});
        let segment = self.post(&format!("/flags/{flag}/segments"), body).await["id"].clone();
        let shares = json!({"distributions": [
            {"percent": 50, "variantID": variants[0], "variantKey": "control"},
            {"percent": 50, "variantID": variants[1], "variantKey": "new"}]});
        self.put(&format!("/flags/{flag}/segments/{segment}/distributions"), shares).await;
        self.put(&format!("/flags/{flag}/enabled"), json!({"enabled": true})).await;
        (flag.as_u64().expect("a number"), variants, segment.as_u64().expect("a number"))
    }
}

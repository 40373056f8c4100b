//! Every page and form of the admin UI: who gets in, what changes, what is shown.

pub mod form;
mod line_breaks;
mod matrix;
mod planted;
mod stale;
mod table;

use featured::admin::users;
use featured::admin::{branding, contexts, features, flagr, gdpr, sites, tokens, webhooks};
use featured::app::Actor;
use featured::engine::permission::Role;
use featured::live::credentials::hash;
use featured::store;
use featured::store::sessions::Purpose;
use serde_json::json;

use crate::browser::Server;

/// A server with one of everything, and the ids of it by placeholder.
pub struct Furnished {
    pub server: Server,
    pub ids: Vec<(&'static str, String)>,
}

/// The three people who sign in; `otto` is somebody else.
pub const PEOPLE: [(&str, Role); 3] = [("vi", Role::Viewer), ("ed", Role::Editor), ("ad", Role::Admin)];

impl Furnished {
    pub fn new() -> Self {
        // Webhooks go nowhere: nobody listens there.
        let server = Server::with(|config| {
            config.webhook_allow_private = vec!["127.0.0.1/32".parse().unwrap()];
        });
        let app = &server.app;
        let system = Actor::system("test");
        for (name, role) in PEOPLE {
            server.user(name, role);
        }
        let otto = server.user("otto", Role::Editor);
        server.user("ana", Role::Admin);
        sites::create(app, &system, r#"{"name": "Shop", "slug": "shop"}"#).unwrap();
        sites::create(app, &system, r#"{"name": "Gone", "slug": "gone"}"#).unwrap();
        let dev = r#"{"name": "dev"}"#;
        featured::admin::environments::create(app, &system, "shop", dev).unwrap();
        let rule = |name: &str| json!({"name": name, "when": {"attribute": "country", "operator": "equals", "value": name}, "outcome": {"value": true}});
        let feature = json!({
            "key": "a", "type": "BOOLEAN", "defaultValue": false, "rules": [rule("SE"), rule("DK"), rule("NO")],
            "variants": [{"key": "v", "value": true}, {"key": "w", "value": false}],
        });
        let made = features::create(app, &system, "shop", "prod", &feature.to_string()).unwrap();
        let other = json!({"key": "other", "type": "STRING", "defaultValue": "x"});
        features::create(app, &system, "shop", "prod", &other.to_string()).unwrap();
        let segment = json!({"key": "s", "name": "Staff", "conditions": {"all": []}}).to_string();
        featured::admin::segments::create(app, &system, "shop", &segment).unwrap();
        let context = |body: serde_json::Value| {
            contexts::create(app, &system, "shop", "prod", &body.to_string()).unwrap();
        };
        context(json!({"key": "team:blue", "features": {"a": "yes"}}));
        context(json!({"key": "ann", "prototypes": ["team:blue"], "features": {"other": "z"}}));
        let flag = json!({"key": "flag", "type": "STRING", "defaultValue": "", "bucketing": "crc32"});
        let flag = features::create(app, &system, "shop", "prod", &flag.to_string()).unwrap().number;
        let (site, _) = branding::put(app, &system, "shop", r##"{"accent": "#7a1fa2"}"##).unwrap();
        let (_, looks) = branding::find(app, "shop").unwrap();
        let sheet = branding::stylesheet(&site, &looks.branding).unwrap().0;
        let environment = app.read(|conn| store::environments::find(conn, site.id, "prod")).unwrap().id;
        flagr::delete(app, &system, environment, flag).unwrap();
        let webhook = |name: &str| {
            let body = json!({
                "siteId": "shop", "name": name, "url": "https://127.0.0.1:1/", "events": ["feature.updated"],
            });
            webhooks::create(app, &system, &body.to_string()).unwrap().view.id
        };
        let (webhook, webhook2) = (webhook("program"), webhook("chat"));
        let delivery = webhooks::test(app, &system, &webhook2, "").unwrap().uuid;
        let asked = json!({"type": "access", "user": "otto"}).to_string();
        let request = gdpr::create(app, &system, &asked).unwrap();
        gdpr::process(app, &request).unwrap();
        let token = |description: &str| {
            let body = json!({"description": description, "kind": "client"}).to_string();
            tokens::create(app, &system, "shop", "prod", &body).unwrap().view.id
        };
        let (token, token2) = (token("web"), token("old"));
        let now = app.now();
        let writer = app.store.writer();
        for link in ["reset-get", "reset-post"] {
            let user =
                store::users::find(&writer, if link == "reset-get" { "otto" } else { "ana" }).unwrap().id;
            store::sessions::put_link(&writer, &hash(link), Purpose::Reset, Some(user), now + 3_600_000)
                .unwrap();
        }
        store::sessions::put_link(&writer, &hash("setup"), Purpose::Setup, None, now + 3_600_000).unwrap();
        for recipient in ["one@shop.example", "two@shop.example"] {
            store::mails::insert(&writer, recipient, "Hello", "Text", now).unwrap();
        }
        drop(writer);
        server.sql("UPDATE mails SET error = 'refused', attempts = 1");
        let one =
            |sql: &str| -> String { server.app.store.writer().query_row(sql, [], |row| row.get(0)).unwrap() };
        let ids = vec![
            ("{rule}", made.definition.rules[0].id.to_string()),
            ("{rule2}", made.definition.rules[1].id.to_string()),
            ("{rule3}", made.definition.rules[2].id.to_string()),
            ("{mail}", one("SELECT uuid FROM mails WHERE recipient LIKE 'one%'")),
            ("{mail2}", one("SELECT uuid FROM mails WHERE recipient LIKE 'two%'")),
            ("{token}", token),
            ("{token2}", token2),
            ("{user}", otto.uuid),
            ("{flag}", flag.to_string()),
            ("{sheet}", sheet),
            ("{webhook}", webhook),
            ("{webhook2}", webhook2),
            ("{delivery}", delivery),
            ("{request}", request.uuid),
        ];
        Self { server, ids }
    }

    /// Gives somebody a device, another session and an access token, whose ids the table names.
    pub fn own(&mut self, name: &str) {
        let app = &self.server.app;
        let now = app.now();
        let user = app.read(|conn| store::users::find(conn, name)).unwrap();
        let actor = Actor {
            id: Some(user.uuid.clone()),
            user: Some(user.id),
            role: user.role,
            ..Actor::system(name)
        };
        users::create_own_token(app, &actor, &user.uuid, "script", None).unwrap();
        let writer = app.store.writer();
        store::two_factor::insert_device(&writer, user.id, &hash("device"), "Firefox", now).unwrap();
        store::sessions::insert(&writer, user.id, &hash("other"), true, "192.0.2.7", "", now).unwrap();
        drop(writer);
        let one = |sql: &str| -> String {
            app.store.writer().query_row(sql, [user.id.0], |row| row.get(0)).unwrap()
        };
        self.ids.extend([
            ("{device}", one("SELECT uuid FROM trusted_devices WHERE user_id = ?1")),
            ("{session}", one("SELECT uuid FROM sessions WHERE user_id = ?1 AND address = '192.0.2.7'")),
            ("{pat}", one("SELECT uuid FROM personal_tokens WHERE user_id = ?1")),
        ]);
    }

    pub fn fill(&self, text: &str) -> String {
        self.ids.iter().fold(text.to_owned(), |text, (name, id)| text.replace(name, id))
    }
}

//! What a test begins with: the real routes on a fresh database, and the people and programs that call them.

mod actor;
pub mod authority;
mod database;

use std::cell::RefCell;
use std::collections::HashMap;
use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use actix_web::body::BoxBody;
use actix_web::dev::{AppConfig, Service, ServiceFactory, ServiceResponse};
use actix_web::test;
use actix_web::web::Data;
use featured::admin;
use featured::app::{Actor as Author, App, Written};
use featured::clock;
use featured::config::{Config, Durability};
use featured::engine::permission::Role;
use featured::jobs::Jobs;
use featured::routes;
use featured::store;
use serde_json::{Value, json};
use tempfile::TempDir;

pub use actor::{Actor, Reply, query};
pub use database::Dump;

use actor::Call;

/// The environment that every test finds.
pub const PROD: &str = "/api/v1/sites/shop/environments/prod";

/// The application on a database of its own, with a site `shop` and its environment `prod`.
pub struct TestApp {
    pub app: Arc<App>,
    call: Call,
    /// Personal access tokens of vera, eddie and ada.
    people: [String; 3],
    /// Environment tokens by kind: made when first asked for.
    secrets: RefCell<HashMap<&'static str, String>>,
    _folder: TempDir,
}

impl TestApp {
    pub async fn new() -> Self {
        Self::with(|_| {}).await
    }

    /// The same, with other settings.
    pub async fn with(adjust: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().expect("a temporary folder");
        let mut config = Config::new(folder.path().join("flags.db"));
        config.durability = Durability::Normal;
        adjust(&mut config);
        let app = App::open(config).expect("a fresh database");
        admin::sites::create(&app, &Author::system("test"), r#"{"name": "Shop"}"#).expect("a site");
        let people = [("vera", Role::Viewer), ("eddie", Role::Editor), ("ada", Role::Admin)]
            .map(|(name, role)| person(&app, name, role));
        let service = routes::service(Data::from(app.clone())).new_service(AppConfig::default()).await;
        let service = service.expect("the routes");
        let call: Call = Rc::new(move |request| {
            let answer = service.call(request.to_request());
            Box::pin(async move {
                let request = test::TestRequest::default().to_http_request();
                match answer.await {
                    Ok(response) => ServiceResponse::new(request, response.into()),
                    Err(error) => ServiceResponse::<BoxBody>::from_err(error, request),
                }
            })
        });
        Self { app, call, people, secrets: RefCell::default(), _folder: folder }
    }

    /// Somebody without a credential.
    pub fn anonymous(&self) -> Actor {
        Actor::new(self.call.clone(), None)
    }

    /// Whoever holds this secret.
    pub fn bearer(&self, secret: &str) -> Actor {
        Actor::new(self.call.clone(), Some(secret.to_owned()))
    }

    /// A page: a `client` token of shop/prod.
    pub fn sdk(&self) -> Actor {
        self.bearer(&self.sdk_secret())
    }

    pub fn sdk_secret(&self) -> String {
        self.secret("client")
    }

    /// A service: a `server` token of shop/prod.
    pub fn server_sdk(&self) -> Actor {
        self.bearer(&self.secret("server"))
    }

    /// An environment token of shop/prod.
    pub fn token(&self, body: Value) -> String {
        self.token_of("shop", "prod", body)
    }

    /// The FeatureHub spelling of a token of shop/prod with these permissions: of one whose clients evaluate by
    /// themselves, or not.
    pub fn featurehub_key(&self, evaluates: bool, permissions: &[&str]) -> String {
        let kind = if evaluates { "server" } else { "client" };
        let body = json!({"description": "hub", "kind": kind, "permissions": permissions, "rateLimit": 0});
        let author = Author::system("test");
        admin::tokens::create(&self.app, &author, "shop", "prod", &body.to_string())
            .expect("a token")
            .featurehub_key
    }

    /// An environment token.
    pub fn token_of(&self, site: &str, environment: &str, body: Value) -> String {
        let author = Author::system("test");
        admin::tokens::create(&self.app, &author, site, environment, &body.to_string())
            .expect("a token")
            .token
    }

    pub fn viewer(&self) -> Actor {
        self.bearer(&self.people[0])
    }

    pub fn editor(&self) -> Actor {
        self.bearer(&self.people[1])
    }

    pub fn admin(&self) -> Actor {
        self.bearer(&self.people[2])
    }

    fn secret(&self, kind: &'static str) -> String {
        let make = || self.token(json!({"description": kind, "kind": kind}));
        self.secrets.borrow_mut().entry(kind).or_insert_with(make).clone()
    }

    /// Makes a feature in shop/prod.
    pub async fn feature(&self, body: Value) -> Value {
        self.editor().post(&format!("{PROD}/features"), body).await.expect(201).body
    }

    /// Applies a document to the site it names, which may be new.
    pub fn import(&self, document: Value) {
        let document = admin::documents::read(&document.to_string()).expect("a document");
        let author = Author::system("test");
        admin::documents::import(&self.app, &author, &document, None, admin::documents::Mode::Merge, false)
            .expect("an import");
    }

    /// Stores Contexts in shop/prod.
    pub fn contexts(&self, contexts: Value) {
        self.import(json!({
            "version": 1,
            "site": {"slug": "shop", "name": "Shop"},
            "environments": [{"name": "prod", "tags": ["production"], "contexts": contexts}],
        }));
    }

    /// Sets the clock, which stands from then on.
    pub fn set_time(&self, rfc3339: &str) {
        self.app.clock.set(clock::parse(rfc3339).expect("a time"));
    }

    /// Moves the clock.
    pub fn pass(&self, time: Duration) {
        self.app.clock.set(self.app.now() + i64::try_from(time.as_millis()).expect("a short time"));
    }

    /// Runs the background jobs until they have written what was counted.
    pub fn run_jobs(&self) {
        Jobs::start(&self.app).expect("threads").stop();
    }
}

/// Makes a user and gives a personal access token. The password is none: hashing one takes its time.
pub fn person(app: &App, name: &str, role: Role) -> String {
    let author = Author::system("test");
    app.write(&author, |tx| {
        let email = format!("{name}@shop.example");
        store::users::insert(tx, name, &email, role, "no password", tx.now).map(Written::nothing)
    })
    .expect("a user");
    admin::users::create_personal_token(app, &author, name, "test").expect("a personal token")
}

//! A server in this process on a database of its own, and people with browsers before it.

use std::collections::BTreeMap;
use std::sync::Arc;

use actix_web::cookie::Cookie;
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, COOKIE, LOCATION};
use actix_web::test::{self, TestRequest};
use actix_web::web::Data;
use featured::admin::users;
use featured::app::{Actor, App};
use featured::config::{Config, Durability};
use featured::engine::permission::Role;
use featured::routes;
use featured::store::users::User;
use totp_rs::{Builder, Secret, Totp};

pub const PASSWORD: &str = "correct horse battery";

/// A server on a database in a folder that goes away with it.
pub struct Server {
    pub app: Arc<App>,
    pub folder: tempfile::TempDir,
}

pub struct Reply {
    pub status: StatusCode,
    pub location: String,
    pub body: String,
}

impl Server {
    pub fn new() -> Self {
        Self::with(|_| {})
    }

    pub fn with(change: impl FnOnce(&mut Config)) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path().join("flags.db"));
        config.durability = Durability::Normal;
        change(&mut config);
        Self { app: App::open(config).unwrap(), folder }
    }

    /// The same database, opened by a new process.
    pub fn restart(self) -> Self {
        let Self { app, folder } = self;
        let config = app.config.clone();
        drop(app);
        Self { app: App::open(config).unwrap(), folder }
    }

    pub fn user(&self, name: &str, role: Role) -> User {
        let email = format!("{name}@shop.example");
        users::create(&self.app, &Actor::system("test"), name, &email, role, PASSWORD).unwrap()
    }

    pub fn browser(&self) -> Browser {
        Browser {
            app: self.app.clone(),
            cookies: BTreeMap::new(),
            csrf: String::new(),
            address: "192.0.2.1".into(),
        }
    }

    /// A browser in which this user signed in with the password.
    pub async fn signed_in(&self, name: &str) -> Browser {
        let mut browser = self.browser();
        let reply = browser.sign_in(name, PASSWORD).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        browser
    }

    pub fn sql(&self, sql: &str) {
        self.app.store.writer().execute_batch(sql).unwrap();
    }

    pub fn number(&self, sql: &str) -> i64 {
        self.app.store.writer().query_row(sql, [], |row| row.get(0)).unwrap()
    }

    /// The text of the newest mail to somebody.
    pub fn mail_to(&self, address: &str) -> Option<String> {
        let mails = self.app.read(|conn| featured::store::mails::list(conn, 100)).unwrap();
        mails.into_iter().find(|mail| mail.recipient == address).map(|mail| mail.body)
    }

    /// The code last mailed to somebody.
    pub fn mailed_code(&self, address: &str) -> String {
        let text = self.mail_to(address).unwrap();
        text.strip_prefix("Your code: ").unwrap()[..6].to_owned()
    }
}

/// Cookies, the CSRF token of the last page, and an address.
pub struct Browser {
    app: Arc<App>,
    pub cookies: BTreeMap<String, String>,
    pub csrf: String,
    pub address: String,
}

impl Browser {
    pub async fn send(&mut self, request: TestRequest) -> Reply {
        let service = test::init_service(
            actix_web::App::new().app_data(Data::from(self.app.clone())).configure(routes::configure),
        )
        .await;
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let peer = format!("{}:4711", self.address).parse().unwrap();
        let request = request.peer_addr(peer).insert_header((COOKIE, cookies.join("; "))).to_request();
        let response = test::call_service(&service, request).await;
        for cookie in response.response().cookies() {
            let cookie: Cookie<'_> = cookie;
            if cookie.value().is_empty() {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        let status = response.status();
        let location =
            response.headers().get(LOCATION).map_or(String::new(), |value| value.to_str().unwrap().into());
        let body = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
        assert!(!body.contains("style=\"") && !body.contains("onclick="), "inline style or script");
        if let Some((_, rest)) = body.split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split_once('"').unwrap().0.to_owned();
        }
        Reply { status, location, body }
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(TestRequest::get().uri(path)).await
    }

    /// A form as the last page would have sent it.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.csrf.clone();
        let mut all = vec![("csrf", csrf.as_str())];
        all.extend_from_slice(fields);
        self.post_raw(path, &all).await
    }

    pub async fn post_raw(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(fields).finish();
        let request = TestRequest::post()
            .uri(path)
            .insert_header((CONTENT_TYPE, "application/x-www-form-urlencoded"))
            .set_payload(body);
        self.send(request).await
    }

    /// Gives name and password, and opens the page that follows.
    pub async fn sign_in(&mut self, name: &str, password: &str) -> Reply {
        let reply = self.post_raw("/signin", &[("username", name), ("password", password)]).await;
        if reply.status == 303 {
            let location = reply.location.clone();
            self.get(&location).await;
        }
        reply
    }

    /// Whether pages open.
    pub async fn is_in(&mut self) -> bool {
        self.get("/account").await.status == 200
    }

    /// Sets an app up and gives it with the backup codes.
    pub async fn set_up_app(&mut self) -> (Totp, Vec<String>) {
        self.get("/account").await;
        assert_eq!(self.post("/account/two-factor/app", &[]).await.status, 303);
        let totp = authenticator(&self.get("/account").await.body);
        let code = totp.generate(now()).to_string();
        let reply = self.post("/account/two-factor/confirm", &[("by", "app"), ("code", &code)]).await;
        assert_eq!(reply.status, 200);
        (totp, backup_codes(&reply.body))
    }
}

pub fn now() -> u64 {
    (featured::clock::now() / 1000) as u64
}

/// What stands between an opening tag that contains this and the next tag's end.
pub fn between<'a>(body: &'a str, from: &str, to: &str) -> &'a str {
    let (_, rest) = body.split_once(from).unwrap_or_else(|| panic!("no {from} in {body}"));
    rest.split_once(to).unwrap().0
}

/// The app that reads the secret off the page.
pub fn authenticator(page: &str) -> Totp {
    let secret = between(page, "id=\"secret\">", "<").replace(' ', "");
    Builder::new().with_secret(Secret::try_from_base32(secret).unwrap()).build().unwrap()
}

pub fn backup_codes(page: &str) -> Vec<String> {
    let text = between(page, "id=\"backup-codes\">", "</code>").replace("<br>", "");
    text.split_whitespace().map(str::to_owned).collect()
}

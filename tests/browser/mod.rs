//! A server in this process on a database of its own, and people with browsers before it.

use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, OnceLock};

use actix_web::body::BoxBody;
use actix_web::cookie::Cookie;
use actix_web::dev::{Service as _, ServiceResponse};
use actix_web::http::StatusCode;
use actix_web::http::header::{CONTENT_TYPE, COOKIE, HeaderValue, LOCATION};
use actix_web::test::{self, TestRequest};
use actix_web::web::Data;
use featured::app::{Actor, App, Tx, Written};
use featured::config::{Config, Durability};
use featured::engine::permission::Role;
use featured::routes;
use featured::store;
use featured::store::users::User;
use futures_util::future::LocalBoxFuture;
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
    /// The route that answered, as it was registered.
    pub pattern: String,
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
        // Hashing takes its time; one password is everybody's.
        static HASH: OnceLock<String> = OnceLock::new();
        let hash = HASH.get_or_init(|| featured::auth::password::hash(PASSWORD).unwrap());
        let insert =
            |tx: &Tx<'_>| Ok(Written::nothing(store::users::insert(tx, name, &email, role, hash, tx.now)?));
        self.app.write(&Actor::system("test"), insert).unwrap()
    }

    pub fn browser(&self) -> Browser {
        Browser {
            app: self.app.clone(),
            service: None,
            cookies: BTreeMap::new(),
            csrf: String::new(),
            page: String::new(),
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

/// Takes a request through the routes.
type Service = Rc<dyn Fn(TestRequest) -> LocalBoxFuture<'static, ServiceResponse<BoxBody>>>;

async fn service(app: &Arc<App>) -> Service {
    let service = test::init_service(
        actix_web::App::new().app_data(Data::from(app.clone())).configure(routes::configure),
    )
    .await;
    Rc::new(move |request| {
        let answer = service.call(request.to_request());
        Box::pin(async move { answer.await.unwrap() })
    })
}

/// Cookies, the last page with its CSRF token, and an address.
pub struct Browser {
    app: Arc<App>,
    /// The routes, made with the first request.
    service: Option<Service>,
    pub cookies: BTreeMap<String, String>,
    pub csrf: String,
    page: String,
    pub address: String,
}

impl Browser {
    pub async fn send(&mut self, request: TestRequest) -> Reply {
        let service = match &self.service {
            Some(service) => service.clone(),
            None => self.service.insert(service(&self.app).await).clone(),
        };
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let peer = format!("{}:4711", self.address).parse().unwrap();
        let request = request.peer_addr(peer).insert_header((COOKIE, cookies.join("; ")));
        let response = service(request).await;
        for cookie in response.response().cookies() {
            let cookie: Cookie<'_> = cookie;
            if cookie.value().is_empty() {
                self.cookies.remove(cookie.name());
            } else {
                self.cookies.insert(cookie.name().to_owned(), cookie.value().to_owned());
            }
        }
        let status = response.status();
        let pattern = response.request().match_pattern().unwrap_or_default();
        let header = |name| {
            let value = response.headers().get(name);
            value.map_or(String::new(), |value: &HeaderValue| value.to_str().unwrap().into())
        };
        let (location, kind) = (header(LOCATION), header(CONTENT_TYPE));
        if kind == "text/event-stream" {
            // It does not end.
            return Reply { status, location, pattern, body: String::new() };
        }
        let body = String::from_utf8(test::read_body(response).await.to_vec()).unwrap();
        assert!(!body.contains("style=\"") && !body.contains("onclick="), "inline style or script");
        if let Some((_, rest)) = body.split_once("name=\"csrf\" value=\"") {
            self.csrf = rest.split_once('"').unwrap().0.to_owned();
            self.page = body.clone();
        }
        Reply { status, location, pattern, body }
    }

    pub async fn get(&mut self, path: &str) -> Reply {
        self.send(TestRequest::get().uri(path)).await
    }

    /// A form as the last page would have sent it.
    pub async fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let csrf = self.csrf.clone();
        let seen = self.seen(path).unwrap_or_default().to_owned();
        let mut all = vec![("csrf", csrf.as_str())];
        if !seen.is_empty() && fields.iter().all(|(name, _)| *name != "seen") {
            all.push(("seen", &seen));
        }
        all.extend_from_slice(fields);
        self.post_raw(path, &all).await
    }

    /// A form that was accepted, and the page that it leads to.
    pub async fn follow(&mut self, path: &str, fields: &[(&str, &str)]) -> Reply {
        let reply = self.post(path, fields).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let location = reply.location.split('#').next().unwrap_or_default().to_owned();
        let page = self.get(&location).await;
        assert_eq!(page.status, 200, "{location}");
        page
    }

    /// What the last page's form to that address says it was made from.
    fn seen(&self, action: &str) -> Option<&str> {
        let (_, form) = self.page.split_once(&format!("action=\"{action}\""))?;
        let (form, _) = form.split_once("</form>")?;
        let (_, seen) = form.split_once("name=\"seen\" value=\"")?;
        Some(seen.split_once('"')?.0)
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
        let reply = self.follow("/account/two-factor/confirm", &[("by", "app"), ("code", &code)]).await;
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

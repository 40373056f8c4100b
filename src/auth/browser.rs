//! Who sits at the browser: the session cookie, the CSRF token made from it, and the extractors of pages.

use std::future::{Ready, ready};

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::dev::Payload;
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest};
use rand::Rng;
use rand::distr::Alphanumeric;
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

use super::extract::address;
use crate::app::{Actor, App};
use crate::clock::Millis;
use crate::engine::permission::Role;
use crate::error::{Error, Result};
use crate::live::credentials::hash;
use crate::store;
use crate::store::changes::ActorKind;
use crate::store::sessions::Session;
use crate::ui::failure::Failure;

/// The session cookie. Its value is 43 of 62 letters, 256 bits; the database has the SHA-256.
pub const COOKIE: &str = "featured_session";
/// The cookie of a browser that skips the second factor.
pub const DEVICE: &str = "featured_device";
/// `last_seen_at` is written at most this often.
const TOUCH_EVERY: Millis = 60_000;
/// Marks requests that an open page makes by itself.
const REFRESH: &str = "x-live";
/// Days of grace before an admin must have a second factor (feature-config §7).
pub const GRACE: Millis = 7 * 24 * 3600 * 1000;

/// A new random secret for a cookie or a link.
pub fn new_secret() -> String {
    rand::rng().sample_iter(Alphanumeric).take(43).map(char::from).collect()
}

/// Whether cookies may only travel over HTTPS: where the outside reaches us that way.
pub fn is_secure(app: &App) -> bool {
    app.config.base_url.as_ref().is_some_and(|url| url.scheme() == "https")
}

/// A cookie that scripts cannot read and other sites' forms do not carry.
pub fn cookie(app: &App, name: &'static str, value: String, max_age: Millis) -> Cookie<'static> {
    Cookie::build(name, value)
        .path("/")
        .http_only(true)
        .same_site(SameSite::Lax)
        .secure(is_secure(app))
        .max_age(Duration::seconds(max_age / 1000))
        .finish()
}

/// A signed-in person, second factor included.
pub struct Signed {
    pub session: Session,
    pub csrf: Csrf,
    pub address: Option<String>,
}

/// A person whose password was right; the second factor may still be owed.
pub struct Pending(pub Signed);

/// The token that every form carries. Another site cannot know it.
#[derive(Clone, Debug)]
pub struct Csrf(pub String);

impl Csrf {
    fn of(secret: &str) -> Self {
        let digest = Sha256::new().chain_update("csrf:").chain_update(secret).finalize();
        Self(digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect())
    }

    /// Whether this is the token a form sent.
    pub fn matches(&self, sent: &str) -> bool {
        self.0.as_bytes().ct_eq(sent.as_bytes()).into()
    }
}

impl Signed {
    /// Who acts, for changes.
    pub fn actor(&self) -> Actor {
        Actor {
            kind: ActorKind::User,
            id: Some(self.session.user_uuid.clone()),
            user: Some(self.session.user),
            name: self.session.username.clone(),
            role: self.session.role,
            address: self.address.clone(),
        }
    }

    /// Whether a second factor must be set up before anything else.
    pub fn owes_two_factor(&self, enforced: &[Role], now: Millis) -> bool {
        let bound = self.session.role == Role::Admin || enforced.contains(&self.session.role);
        bound && self.session.two_factor == "none" && now > self.session.user_created_at + GRACE
    }
}

/// Whoever the session cookie names, the second factor given or not.
pub fn signed(req: &HttpRequest) -> Result<Option<Signed>> {
    let app =
        req.app_data::<Data<App>>().ok_or_else(|| Error::internal("the application is not attached"))?;
    let Some(cookie) = req.cookie(COOKIE) else { return Ok(None) };
    let now = app.now();
    let found = app.read(|conn| store::sessions::find(conn, &hash(cookie.value()), now))?;
    let Some(session) = found else { return Ok(None) };
    // A page that refreshes itself is nobody's doing: an idle session ends beside it.
    if now - session.last_seen_at > TOUCH_EVERY
        && !req.headers().contains_key(REFRESH)
        && let Some(writer) = app.store.try_writer()
    {
        // A missed touch is made up for by the next request.
        let _ = store::sessions::touch(&writer, session.id, now);
    }
    Ok(Some(Signed {
        session,
        csrf: Csrf::of(cookie.value()),
        address: address(req.head(), app).map(|address| address.to_string()),
    }))
}

/// Where the person was: this page for a GET, else the page the form stood on.
pub fn whereabouts(req: &HttpRequest) -> String {
    let own = || req.uri().path_and_query().map_or("/", |path| path.as_str()).to_owned();
    if req.method().is_safe() {
        return own();
    }
    let referer = req.headers().get("referer").and_then(|value| value.to_str().ok());
    let local = referer.and_then(|referer| url::Url::parse(referer).ok()).map(|url| {
        let query = url.query().map(|query| format!("?{query}")).unwrap_or_default();
        format!("{}{query}", url.path())
    });
    local.unwrap_or_else(|| "/".into())
}

/// What a person reaches who must set up a second factor first.
fn may_owe(path: &str) -> bool {
    path == "/account" || path.starts_with("/account/") || path == "/signout"
}

impl FromRequest for Signed {
    type Error = Failure;
    type Future = Ready<std::result::Result<Self, Failure>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match signed(req) {
            Ok(Some(signed)) if signed.session.confirmed => {
                let app = req.app_data::<Data<App>>();
                let enforced = app.map(|app| store::settings::enforced_roles(app)).unwrap_or_default();
                let now = app.map(|app| app.now()).unwrap_or_default();
                if signed.owes_two_factor(&enforced, now) && !may_owe(req.path()) {
                    Err(Failure::SetUpTwoFactor)
                } else {
                    Ok(signed)
                }
            }
            Ok(Some(_)) => Err(Failure::SecondStep(whereabouts(req))),
            Ok(None) => Err(Failure::SignIn(whereabouts(req))),
            Err(error) => Err(Failure::Error(error)),
        })
    }
}

impl FromRequest for Pending {
    type Error = Failure;
    type Future = Ready<std::result::Result<Self, Failure>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(match signed(req) {
            Ok(Some(signed)) => Ok(Self(signed)),
            Ok(None) => Err(Failure::SignIn("/".into())),
            Err(error) => Err(Failure::Error(error)),
        })
    }
}

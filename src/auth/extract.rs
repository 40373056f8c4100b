//! From a request to somebody: extractors, so that a route which forgets them has nobody to act for.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::{Payload, RequestHead};
use actix_web::http::header::{AUTHORIZATION, HeaderMap, HeaderName, HeaderValue};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use super::secret::{PERSONAL_PREFIX, TOKEN_PREFIX};
use crate::app::{Actor, App};
use crate::engine::permission::Role;
use crate::engine::snapshot::{Snapshot, Status};
use crate::error::{Error, Result};
use crate::live::credentials::Token;
use crate::live::limits::Standing;
use crate::store::changes::ActorKind;
use crate::store::tokens::Kind;

/// A program with an environment token, within its rate limit.
pub struct ClientKey {
    pub token: Arc<Token>,
    standing: Option<Standing>,
}

/// A person, by personal access token, or by session cookie with the CSRF token.
pub struct Caller(pub Actor);

/// Either, for paths that serve both.
pub enum Credential {
    Client(ClientKey),
    Caller(Caller),
}

impl ClientKey {
    /// Of the environment token in `Authorization: Bearer`.
    pub fn of(app: &App, head: &RequestHead) -> Result<Self> {
        let secret = bearer(&head.headers).ok_or(Error::Unauthenticated(NO_CREDENTIAL))?;
        environment_key(app, head, secret)
    }

    /// The newest snapshot, when the environment serves and is the one that was asked for.
    pub fn snapshot(&self) -> Result<Arc<Snapshot>> {
        let snapshot = self.token.environment.snapshot();
        match snapshot.info.status {
            Status::Active => Ok(snapshot),
            Status::Maintenance => Err(Error::Maintenance),
            Status::Archived => Err(Error::Archived),
        }
    }

    /// `Forbidden` unless the names, where given, are those of the token's own site and environment.
    pub fn require(&self, site: Option<&str>, environment: Option<&str>) -> Result<()> {
        let snapshot = self.token.environment.snapshot();
        let info = &snapshot.info;
        let is = |given: Option<&str>, name: &str, id: &uuid::Uuid| {
            given.is_none_or(|given| {
                given == name || uuid::Uuid::parse_str(given).is_ok_and(|given| given == *id)
            })
        };
        if is(site, &info.site, &info.site_id) && is(environment, &info.name, &info.id) {
            Ok(())
        } else {
            Err(Error::Forbidden("this token is for another environment"))
        }
    }

    /// `Forbidden` unless the token may read rules, not only values.
    pub fn require_server(&self) -> Result<()> {
        match self.token.kind {
            Kind::Server => Ok(()),
            Kind::Client => Err(Error::Forbidden("this needs a server token")),
        }
    }

    /// The token as somebody who changes things, when it has this permission and is no publishable one.
    pub fn actor(&self, permission: &str, req: &HttpRequest) -> Result<Actor> {
        self.require_server()?;
        if !self.token.permissions.iter().any(|have| have == permission) {
            return Err(Error::Forbidden("this token may not change this"));
        }
        Ok(Actor {
            kind: ActorKind::Token,
            id: Some(self.token.uuid.clone()),
            user: None,
            name: self.token.description.clone(),
            role: Role::Viewer,
            address: address(req.head(), app(req)?).map(|address| address.to_string()),
        })
    }

    /// Counts a request that is dear as several more, and refuses it over the limit.
    pub fn charge(&self, req: &HttpRequest, app: &App, times: u32) -> Result<()> {
        for _ in 0..times {
            let standing = app.live.limits.count(&self.token, address(req.head(), app), app.now());
            if let Some(standing) = standing.filter(|standing| !standing.allowed) {
                app.metrics.rate_limited.inc();
                return Err(Error::Limited(standing));
            }
        }
        Ok(())
    }

    /// Says in the answer where the token stands in its rate limit.
    pub fn note_limit(&self, response: &mut HttpResponse) {
        if let Some(standing) = self.standing {
            limit_headers(response.headers_mut(), standing);
        }
    }
}

/// `RateLimit-*` (draft-ietf-httpapi-ratelimit-headers-06).
pub fn limit_headers(headers: &mut HeaderMap, standing: Standing) {
    for (name, value) in [
        ("ratelimit-limit", u64::from(standing.limit)),
        ("ratelimit-remaining", u64::from(standing.remaining)),
        ("ratelimit-reset", standing.reset),
    ] {
        headers.insert(HeaderName::from_static(name), HeaderValue::from(value));
    }
}

/// The address of who asks; behind a trusted proxy, the last one it vouches for. One of IPv4 is told as such, also by a
/// listener for both kinds.
pub fn address(head: &RequestHead, app: &App) -> Option<IpAddr> {
    let peer = head.peer_addr?.ip();
    if app.config.trusted_proxies.is_empty() || !app.config.trusts(peer) {
        return Some(peer.to_canonical());
    }
    let forwarded = head.headers.get_all("x-forwarded-for").filter_map(|value| value.to_str().ok());
    let mut hops: Vec<&str> = forwarded.flat_map(|value| value.split(',')).map(str::trim).collect();
    let mut client = peer;
    while let Some(hop) = hops.pop().and_then(|hop| hop.parse::<IpAddr>().ok()) {
        client = hop;
        if !app.config.trusts(hop) {
            break;
        }
    }
    Some(client.to_canonical())
}

fn app(req: &HttpRequest) -> Result<&Data<App>> {
    req.app_data::<Data<App>>().ok_or_else(|| Error::internal("the application is not attached"))
}

/// The credential in `Authorization: Bearer`.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let (scheme, token) = headers.get(AUTHORIZATION)?.as_bytes().split_at_checked(7)?;
    let token = std::str::from_utf8(token).ok()?;
    scheme.eq_ignore_ascii_case(b"bearer ").then(|| token.trim())
}

const NO_CREDENTIAL: &str = "send Authorization: Bearer with a token";
const UNKNOWN: &str = "this token is unknown, expired or revoked";

impl Caller {
    fn of(req: &HttpRequest) -> Result<Self> {
        match bearer(req.headers()) {
            Some(secret) if secret.starts_with(TOKEN_PREFIX) => {
                // A foreign or unknown token learns nothing; a known one learns that it is of the wrong kind.
                client_key(app(req)?, req.head(), secret).and(Err(Error::Forbidden(
                    "this needs a personal access token, not an environment token",
                )))
            }
            Some(secret) => caller(app(req)?, req.head(), secret),
            None => browser_caller(req),
        }
    }
}

impl Credential {
    fn of(req: &HttpRequest) -> Result<Self> {
        match bearer(req.headers()) {
            Some(secret) if secret.starts_with(PERSONAL_PREFIX) => {
                caller(app(req)?, req.head(), secret).map(Self::Caller)
            }
            Some(secret) => client_key(app(req)?, req.head(), secret).map(Self::Client),
            None => browser_caller(req).map(Self::Caller),
        }
    }
}

/// The environment token with this secret.
pub fn client_key(app: &App, head: &RequestHead, secret: &str) -> Result<ClientKey> {
    let now = app.now();
    let token = app.credential(|known| known.native(secret, now)).ok_or(Error::Unauthenticated(UNKNOWN))?;
    admit(app, head, token)
}

/// Counts a use of a token that is known, and refuses it over its limit.
pub fn admit(app: &App, head: &RequestHead, token: Arc<Token>) -> Result<ClientKey> {
    let now = app.now();
    let standing = app.live.limits.count(&token, address(head, app), now);
    if let Some(standing) = standing.filter(|standing| !standing.allowed) {
        app.metrics.rate_limited.inc();
        return Err(Error::Limited(standing));
    }
    token.usage.count(now);
    Ok(ClientKey { token, standing })
}

fn caller(app: &App, head: &RequestHead, secret: &str) -> Result<Caller> {
    let now = app.now();
    let token = app.credential(|known| known.personal(secret, now)).ok_or(Error::Unauthenticated(UNKNOWN))?;
    Ok(Caller(Actor {
        kind: ActorKind::User,
        id: Some(token.user_uuid.clone()),
        user: Some(token.user),
        name: token.username.clone(),
        role: token.role,
        address: address(head, app).map(|address| address.to_string()),
    }))
}

/// The person at the browser, by session cookie. Changes need the CSRF token in `X-CSRF-Token`: a page of
/// another site can send the cookie, but not that header.
fn browser_caller(req: &HttpRequest) -> Result<Caller> {
    let Some(signed) = super::browser::signed(req)? else {
        return Err(Error::Unauthenticated(NO_CREDENTIAL));
    };
    if !signed.session.confirmed {
        return Err(Error::Unauthenticated("the second step of signing in is missing"));
    }
    if !req.method().is_safe() {
        let sent = req.headers().get("x-csrf-token").and_then(|value| value.to_str().ok());
        if !sent.is_some_and(|sent| signed.csrf.matches(sent)) {
            return Err(Error::Forbidden("send the page's CSRF token as X-CSRF-Token"));
        }
    }
    let app = app(req)?;
    if signed.owes_two_factor(&crate::store::settings::enforced_roles(app), app.now()) {
        return Err(Error::Forbidden("set up two-factor sign-in first"));
    }
    Ok(Caller(signed.actor()))
}

fn environment_key(app: &App, head: &RequestHead, secret: &str) -> Result<ClientKey> {
    if secret.starts_with(PERSONAL_PREFIX) {
        // As below: only one that is known learns that it is of the wrong kind.
        return caller(app, head, secret)
            .and(Err(Error::Forbidden("this needs an environment token, not a personal one")));
    }
    client_key(app, head, secret)
}

impl FromRequest for ClientKey {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(app(req).and_then(|app| Self::of(app, req.head())))
    }
}

/// The environment token in `Authorization: Bearer`, else in `X-API-Key`.
pub fn key_in_header(app: &App, head: &RequestHead) -> Result<ClientKey> {
    let plain = || head.headers.get("x-api-key").and_then(|value| value.to_str().ok()).map(str::trim);
    let secret = bearer(&head.headers)
        .or_else(plain)
        .ok_or(Error::Unauthenticated("send Authorization: Bearer or X-API-Key with a token"))?;
    environment_key(app, head, secret)
}

impl FromRequest for Caller {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(req))
    }
}

impl FromRequest for Credential {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(req))
    }
}

/// The token of a stream or of an analytics report: in the header, or a `client` token as `?apiKey=`, since
/// EventSource and sendBeacon set no headers (native-api "Credentials").
pub struct StreamKey(pub ClientKey);

impl FromRequest for StreamKey {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        if bearer(req.headers()).is_some() {
            return ready(ClientKey::from_request(req, payload).into_inner().map(StreamKey));
        }
        let parameters = url::form_urlencoded::parse(req.query_string().as_bytes());
        let Some((_, secret)) = parameters.into_iter().find(|(name, _)| name == "apiKey") else {
            return ready(Err(Error::Unauthenticated(NO_CREDENTIAL)));
        };
        let key = app(req).and_then(|app| client_key(app, req.head(), &secret));
        ready(key.and_then(|key| match key.token.kind {
            Kind::Client => Ok(StreamKey(key)),
            Kind::Server => {
                Err(Error::Forbidden("apiKey takes a client token; send a server token as a header"))
            }
        }))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use actix_web::test::TestRequest;

    use super::*;
    use crate::config::{Config, Durability};

    #[test]
    fn the_address_is_the_same_however_the_listener_writes_it() {
        let folder = tempfile::tempdir().unwrap();
        let mut config = Config::new(folder.path().join("flags.db"));
        config.durability = Durability::Normal;
        config.trusted_proxies = vec!["10.0.0.0/8".parse().unwrap()];
        let app = App::open(config).unwrap();
        for (peer, forwarded, expected) in [
            ("10.0.0.5", "192.0.2.1", "192.0.2.1"),
            ("::ffff:10.0.0.5", "192.0.2.1", "192.0.2.1"),
            ("::ffff:10.0.0.5", "192.0.2.1, ::ffff:10.0.0.6", "192.0.2.1"),
            ("::ffff:10.0.0.5", "::ffff:192.0.2.1", "192.0.2.1"),
            ("::ffff:10.0.0.5", "2001:db8::7", "2001:db8::7"),
            ("::ffff:192.0.2.9", "192.0.2.1", "192.0.2.9"),
            ("2001:db8::9", "192.0.2.1", "2001:db8::9"),
        ] {
            let peer_addr = SocketAddr::new(peer.parse().unwrap(), 40_000);
            let request = TestRequest::default()
                .peer_addr(peer_addr)
                .insert_header(("x-forwarded-for", forwarded))
                .to_http_request();
            let address = address(request.head(), &app).unwrap();
            assert_eq!(address.to_string(), expected, "{peer} for {forwarded}");
        }
    }
}

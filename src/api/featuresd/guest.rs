//! Who calls this door: an environment token, in a header or in the path, or with `--insecure` anybody on this machine.

use std::future::{Ready, ready};
use std::net::IpAddr;
use std::sync::Arc;

use actix_web::dev::Payload;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::web::Data;
use actix_web::{FromRequest, HttpRequest, HttpResponse};

use crate::api::rest::contexts::WRITE;
use crate::app::{Actor, App};
use crate::auth::extract::{ClientKey, bearer, client_key};
use crate::auth::secret::PERSONAL_PREFIX;
use crate::engine::snapshot::{Snapshot, Status};
use crate::error::{Error, Result};
use crate::store::tokens::Kind;

/// The site and environment that callers without a token get.
pub const INSECURE: (&str, &str) = ("default", "dev");

/// See the module.
pub struct Guest {
    key: Option<ClientKey>,
    snapshot: Arc<Snapshot>,
}

impl Guest {
    fn of(req: &HttpRequest) -> Result<Self> {
        let app = req.app_data::<Data<App>>();
        let app = app.ok_or_else(|| Error::internal("the application is not attached"))?;
        let in_path = req.match_info().get("token");
        let Some(secret) = in_path.or_else(|| bearer(req.headers())) else {
            if !app.config.insecure {
                return Err(Error::Unauthenticated("send Authorization: Bearer with an environment token"));
            }
            require_local(req)?;
            let mut live = app.live.environments().into_iter().map(|environment| environment.snapshot());
            let found = live.find(|at| (&*at.info.site, &*at.info.name) == INSECURE);
            let snapshot = found.ok_or_else(|| Error::NotFound("the environment dev of default".into()))?;
            return Ok(Self { key: None, snapshot });
        };
        if secret.starts_with(PERSONAL_PREFIX) {
            return Err(Error::Forbidden("this needs an environment token, not a personal one"));
        }
        let key = client_key(app, req.head(), secret)?;
        Ok(Self { snapshot: key.token.environment.snapshot(), key: Some(key) })
    }

    /// The newest snapshot while the environment serves.
    pub fn serving(&self) -> Result<&Arc<Snapshot>> {
        match self.snapshot.info.status {
            Status::Active => Ok(&self.snapshot),
            Status::Maintenance => Err(Error::Maintenance),
            Status::Archived => Err(Error::Archived),
        }
    }

    /// The newest snapshot for one who may read what is stored: no publishable token.
    pub fn reading(&self) -> Result<&Arc<Snapshot>> {
        match &self.key {
            Some(key) if key.token.kind == Kind::Client => key.require_server().map(|()| &self.snapshot),
            _ => Ok(&self.snapshot),
        }
    }

    /// Whoever changes Contexts and makes features here.
    pub fn writer(&self, req: &HttpRequest) -> Result<Actor> {
        match &self.key {
            Some(key) => key.actor(WRITE, req),
            None => Ok(Actor::system("without a token")),
        }
    }

    /// Whoever deletes features here: no token does.
    pub fn owner(&self) -> Result<Actor> {
        match &self.key {
            Some(_) => Err(Error::Forbidden("features are deleted by people, not by tokens")),
            None => Ok(Actor::system("without a token")),
        }
    }

    /// Site and environment as `admin` finds them.
    pub fn place(&self) -> (String, String) {
        let info = &self.snapshot.info;
        (info.site_id.to_string(), info.id.to_string())
    }

    /// Counts this request as `times` of the rate limit.
    pub fn charge(&self, req: &HttpRequest, app: &App, times: u32) -> Result<()> {
        self.key.as_ref().map_or(Ok(()), |key| key.charge(req, app, times - 1))
    }

    /// The answer with where the token stands in its rate limit.
    pub fn finish(&self, mut response: HttpResponse) -> HttpResponse {
        if let Some(key) = &self.key {
            key.note_limit(&mut response);
        }
        response
    }
}

impl FromRequest for Guest {
    type Error = Error;
    type Future = Ready<Result<Self>>;

    fn from_request(req: &HttpRequest, _: &mut Payload) -> Self::Future {
        ready(Self::of(req))
    }
}

/// Without a token only programs on this machine are let in: not a page of another site that the browser has open, nor
/// one that gave this machine's address a name of its own.
fn require_local(req: &HttpRequest) -> Result<()> {
    let header = |name| req.headers().get(name).and_then(|value| value.to_str().ok());
    let is_here = |host: &str| {
        let name = host
            .rsplit_once(':')
            .map_or(host, |(name, port)| if port.bytes().all(|b| b.is_ascii_digit()) { name } else { host });
        let name = name.trim_start_matches('[').trim_end_matches(']');
        name == "localhost" || name.parse::<IpAddr>().is_ok_and(|ip| ip.is_loopback())
    };
    let host = header(HOST).is_none_or(is_here);
    let origin =
        header(ORIGIN).is_none_or(|origin| origin.split_once("://").is_some_and(|(_, host)| is_here(host)));
    if host && origin {
        return Ok(());
    }
    Err(Error::Forbidden("without a token this answers programs on this machine alone"))
}

//! Forms that were posted: read, and refused unless they come from a page of ours.

use actix_web::dev::Payload;
use actix_web::http::header::{HOST, ORIGIN};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;

use super::components::form::{Typed, lines};
use super::failure::Failure;
use crate::api::request::{MAX_BODY, collect};
use crate::auth::browser::{Pending, Signed, whereabouts};

/// A form posted by somebody who is signed in, with the right CSRF token.
pub struct Edit {
    pub signed: Signed,
    pub form: Typed,
}

/// The same between password and second factor.
pub struct PendingEdit {
    pub signed: Signed,
    pub form: Typed,
}

/// A form posted by nobody yet (sign-in, first run): from our own origin.
pub struct OpenForm(pub Typed);

/// Whether the browser says that another site sent this.
pub fn is_foreign(req: &HttpRequest) -> bool {
    if let Some(site) = req.headers().get("sec-fetch-site").and_then(|value| value.to_str().ok()) {
        return !matches!(site, "same-origin" | "none");
    }
    let header = |name| req.headers().get(name).and_then(|value| value.to_str().ok());
    match (header(ORIGIN), header(HOST)) {
        (Some(origin), Some(host)) => origin.split_once("://").is_none_or(|(_, origin)| origin != host),
        _ => false,
    }
}

async fn read(req: &HttpRequest, payload: Payload) -> Result<Typed, Failure> {
    let bytes = collect(req.head(), payload, MAX_BODY).await?;
    let fields = url::form_urlencoded::parse(&bytes);
    Ok(Typed::posted(fields.map(|(name, value)| (name.into_owned(), lines(&value))).collect()))
}

impl FromRequest for Edit {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let signed = Signed::from_request(req, payload).into_inner();
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let signed = signed?;
            let form = read(&req, payload).await?;
            if is_foreign(&req) || !signed.csrf.matches(form.get("csrf")) {
                return Err(Failure::StaleForm(whereabouts(&req)));
            }
            Ok(Self { signed, form })
        })
    }
}

impl FromRequest for PendingEdit {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let pending = Pending::from_request(req, payload).into_inner();
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let signed = pending?.0;
            let form = read(&req, payload).await?;
            if is_foreign(&req) || !signed.csrf.matches(form.get("csrf")) {
                return Err(Failure::StaleForm(whereabouts(&req)));
            }
            Ok(Self { signed, form })
        })
    }
}

impl FromRequest for OpenForm {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self, Failure>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move {
            let form = read(&req, payload).await?;
            if is_foreign(&req) { Err(Failure::StaleForm(whereabouts(&req))) } else { Ok(Self(form)) }
        })
    }
}

pub use crate::blocking::block as blocking;

//! Reading requests as Flagr's framework does (flagr.md §1): statuses, codes and texts are its own.

use std::collections::HashMap;

use actix_web::dev::{Payload, RequestHead};
use actix_web::http::header::CONTENT_TYPE;
use actix_web::web::Bytes;
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use serde::de::{Deserialize, DeserializeOwned};

use super::{Failure, Result};
use crate::api::request::{MAX_BODY, collect, parameters};
use crate::error::Error;

/// A body of JSON, or none.
pub struct Sent(pub Bytes);

impl Sent {
    /// What a request brings.
    pub async fn of(head: &RequestHead, payload: Payload) -> Result<Self> {
        let bytes = collect(head, payload, MAX_BODY).await.map_err(|error| match error {
            Error::TooLarge(_) => error.into(),
            _ => unparsable("the body did not arrive whole"),
        })?;
        let sent = head.headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
        let essence = sent.split(';').next().unwrap_or_default().trim();
        if !bytes.is_empty() && !essence.eq_ignore_ascii_case("application/json") {
            let refusal = format!("unsupported media type {essence:?}, only [application/json] are allowed");
            return Err(Failure::framework(415, 415, refusal));
        }
        Ok(Self(bytes))
    }
}

impl FromRequest for Sent {
    type Error = Failure;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move { Self::of(req.head(), payload).await })
    }
}

fn unparsable(why: impl std::fmt::Display) -> Failure {
    Failure::framework(400, 400, format!("parsing body body from \"\" failed, because {why}"))
}

impl Sent {
    /// The body, which has to be there.
    pub fn read<'b, T: Deserialize<'b>>(&'b self) -> Result<T> {
        if self.0.is_empty() {
            return Err(required("body in body"));
        }
        serde_json::from_slice(&self.0).map_err(unparsable)
    }

    /// The body where there is one.
    pub fn read_optional<T: DeserializeOwned + Default>(&self) -> Result<T> {
        if self.0.is_empty() { Ok(T::default()) } else { self.read() }
    }
}

/// A value that does not fit its rule: 422 under a finer code.
pub fn invalid(code: u16, message: impl Into<String>) -> Failure {
    Failure::framework(422, code, message)
}

fn required(what: &str) -> Failure {
    invalid(602, format!("{what} is required"))
}

/// A member that has to be there.
pub fn require<T>(value: Option<T>, name: &str) -> Result<T> {
    value.ok_or_else(|| required(&format!("{name} in body")))
}

/// A text that has to be there and not empty.
pub fn require_text<'t>(value: &'t Option<String>, name: &str) -> Result<&'t str> {
    let text = require(value.as_deref(), name)?;
    not_empty(text, name)?;
    Ok(text)
}

/// A text that is not empty.
pub fn not_empty(text: &str, name: &str) -> Result<()> {
    match text {
        "" => Err(invalid(604, format!("{name} in body should be at least 1 chars long"))),
        _ => Ok(()),
    }
}

/// A whole number that has to be there, from 0 to 100.
pub fn require_percent(value: Option<i64>, name: &str) -> Result<u32> {
    match require(value, name)? {
        ..0 => Err(invalid(609, format!("{name} in body should be greater than or equal to 0"))),
        101.. => Err(invalid(608, format!("{name} in body should be less than or equal to 100"))),
        percent => Ok(percent as u32),
    }
}

/// A number of the path: a whole one from 1. One beyond what numbers go to is that of nothing.
pub fn number(req: &HttpRequest, name: &str) -> Result<u32> {
    let text = req.match_info().get(name).unwrap_or_default();
    match text.parse::<i64>() {
        Err(_) => Err(invalid(601, format!("{name} in path must be of type int64: {text:?}"))),
        Ok(..1) => Err(invalid(609, format!("{name} in path should be greater than or equal to 1"))),
        Ok(number) => Ok(u32::try_from(number).unwrap_or(u32::MAX)),
    }
}

/// A number sent in a body.
pub fn as_number(number: i64) -> u32 {
    u32::try_from(number.max(0)).unwrap_or(u32::MAX)
}

/// The query. Of a repeated parameter the last counts; empty is absent.
pub struct Query(HashMap<String, String>);

impl Query {
    pub fn of(req: &HttpRequest) -> Self {
        let sent = parameters(req.query_string());
        Self(sent.map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// As Flagr's framework reads booleans: a few words are true, anything else is false.
    pub fn flag(&self, name: &str) -> Option<bool> {
        const TRUE: [&str; 9] = ["true", "1", "yes", "ok", "y", "on", "selected", "checked", "t"];
        let value = self.get(name)?.to_ascii_lowercase();
        Some(TRUE.contains(&value.as_str()) || value == "enabled")
    }

    /// A whole number.
    pub fn number(&self, name: &str) -> Result<Option<i64>> {
        let Some(text) = self.get(name) else { return Ok(None) };
        match text.parse() {
            Ok(number) => Ok(Some(number)),
            Err(_) => Err(invalid(601, format!("{name} in query must be of type int64: {text:?}"))),
        }
    }

    /// The entries of a comma list.
    pub fn list(&self, name: &str) -> Vec<&str> {
        self.get(name).map(|value| value.split(',').map(str::trim).collect()).unwrap_or_default()
    }

    /// One of a few words.
    pub fn choice(&self, name: &str, words: [&str; 2]) -> Result<Option<&str>> {
        match self.get(name) {
            Some(word) if !words.contains(&word) => {
                let [one, other] = words;
                Err(invalid(606, format!("{name} in query should be one of [{one} {other}]")))
            }
            other => Ok(other),
        }
    }

    /// The part of a list that `limit` and `offset` name.
    pub fn page<T>(&self, list: Vec<T>) -> Result<Vec<T>> {
        let limit = self.number("limit")?.map_or(usize::MAX, |limit| limit.max(0) as usize);
        let offset = self.number("offset")?.unwrap_or_default().max(0) as usize;
        Ok(list.into_iter().skip(offset).take(limit).collect())
    }
}

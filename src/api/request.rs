//! Reading requests: bodies with their type and size, path segments, queries, pages.

use std::borrow::Cow;
use std::collections::HashMap;
use std::str::FromStr;
use std::time::Duration;

use actix_web::dev::{Decompress, Payload, RequestHead};
use actix_web::error::PayloadError;
use actix_web::http::Method;
use actix_web::http::header::{
    CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, IF_MATCH, IF_NONE_MATCH,
};
use actix_web::web::{Bytes, BytesMut};
use actix_web::{FromRequest, HttpRequest};
use futures_util::future::LocalBoxFuture;
use futures_util::{Stream, StreamExt, stream};
use percent_encoding::percent_decode_str;

use crate::error::{Error, Result};

/// The largest body but for imports.
pub const MAX_BODY: usize = 1 << 20;
/// The largest import (native-api).
pub const MAX_IMPORT: usize = 64 << 20;
/// The largest answer to a request for many evaluations: a small one could ask for gigabytes.
pub const MAX_ANSWER: usize = 64 << 20;
/// How long a body may take to arrive. Until then whoever sent it is believed to be who they were.
const PATIENCE: Duration = Duration::from_secs(60);
/// The same for an import.
const IMPORT_PATIENCE: Duration = Duration::from_secs(600);
/// So many packed bytes are unpacked at a time.
const PACKED_PIECE: usize = 512;

/// A JSON body as text.
pub struct Body(pub Bytes);

impl Body {
    /// The text; `bad_json` when it is not UTF-8.
    pub fn text(&self) -> Result<&str> {
        std::str::from_utf8(&self.0)
            .map_err(|_| Error::BadJson("the body is not JSON: it is not UTF-8".into()))
    }
}

/// Whether the request says its body is JSON (also `application/merge-patch+json`).
fn is_json(headers: &HeaderMap) -> bool {
    let Some(value) = headers.get(CONTENT_TYPE).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    if value == "application/json" {
        return true;
    }
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

impl Body {
    /// What a request brings; `unsupported_media_type` when it says that it is no JSON.
    pub async fn of(head: &RequestHead, payload: Payload) -> Result<Self> {
        let bytes = collect(head, payload, limit(head)).await?;
        // A body that is not there needs no type.
        if !bytes.is_empty() && !is_json(&head.headers) {
            return Err(Error::UnsupportedMediaType("application/json"));
        }
        Ok(Self(bytes))
    }
}

impl FromRequest for Body {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move { Self::of(req.head(), payload).await })
    }
}

/// A body of any type.
pub struct AnyBody(pub Bytes);

impl FromRequest for AnyBody {
    type Error = Error;
    type Future = LocalBoxFuture<'static, Result<Self>>;

    fn from_request(req: &HttpRequest, payload: &mut Payload) -> Self::Future {
        let (req, payload) = (req.clone(), payload.take());
        Box::pin(async move { Ok(Self(collect(req.head(), payload, limit(req.head())).await?)) })
    }
}

/// How long a body may be.
fn limit(head: &RequestHead) -> usize {
    // By the path as it was sent: asking for its pattern has the router match it once more.
    let is_import = head.method == Method::POST
        && head.uri.path().strip_suffix("import").is_some_and(|rest| rest.ends_with(['/', ':']));
    if is_import { MAX_IMPORT } else { MAX_BODY }
}

/// A whole body of at most `limit` bytes, unpacked where it comes packed; `too_large`, or `bad_json` where it breaks
/// off.
pub async fn collect(head: &RequestHead, payload: Payload, limit: usize) -> Result<Bytes> {
    let length = head.headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse().ok());
    if length.is_some_and(|length: usize| length > limit) {
        return Err(Error::TooLarge(limit));
    }
    let body = async {
        if !head.headers.contains_key(CONTENT_ENCODING) {
            return gather(payload, limit).await;
        }
        // A thousand times as much may come out of what goes in: little by little, so that it is seen in time.
        let pieces = payload.flat_map(|chunk| stream::iter(pieces(chunk)));
        gather(Decompress::from_headers(pieces, &head.headers), limit).await
    };
    let patience = if limit > MAX_BODY { IMPORT_PATIENCE } else { PATIENCE };
    tokio::time::timeout(patience, body).await.unwrap_or_else(|_| {
        let message = format!("the body did not arrive within {} s", patience.as_secs());
        Err(Error::BadRequest("body_timeout", message))
    })
}

type Chunk = std::result::Result<Bytes, PayloadError>;

/// A chunk in pieces that are unpacked one at a time.
fn pieces(chunk: Chunk) -> impl Iterator<Item = Chunk> {
    let (mut rest, mut error) = match chunk {
        Ok(chunk) => (chunk, None),
        Err(error) => (Bytes::new(), Some(error)),
    };
    std::iter::from_fn(move || match error.take() {
        Some(error) => Some(Err(error)),
        None if rest.is_empty() => None,
        None => Some(Ok(rest.split_to(rest.len().min(PACKED_PIECE)))),
    })
}

async fn gather(mut chunks: impl Stream<Item = Chunk> + Unpin, limit: usize) -> Result<Bytes> {
    let (mut first, mut whole) = (Bytes::new(), BytesMut::new());
    while let Some(chunk) = chunks.next().await {
        let chunk = chunk.map_err(|_| Error::BadJson("the body did not arrive whole".into()))?;
        if first.len() + whole.len() + chunk.len() > limit {
            return Err(Error::TooLarge(limit));
        }
        // Most bodies are one chunk, which needs no copy.
        if first.is_empty() && whole.is_empty() {
            first = chunk;
            continue;
        }
        whole.extend_from_slice(&std::mem::take(&mut first));
        whole.extend_from_slice(&chunk);
    }
    Ok(if whole.is_empty() { first } else { whole.freeze() })
}

/// The path as it was sent, see `routes`.
pub fn path(req: &HttpRequest) -> String {
    req.path().replace("%253A", "%3A")
}

/// A segment of the path, decoded. Colons that were encoded arrive encoded twice, see `routes`.
pub fn segment(req: &HttpRequest, name: &str) -> Result<String> {
    let raw = req.match_info().get(name).unwrap_or_default();
    if !raw.contains('%') {
        return Ok(raw.to_owned());
    }
    let decoded =
        percent_decode_str(raw).decode_utf8().map_err(|_| Error::NotFound(format!("{name} of the path")))?;
    Ok(decoded.replace("%3A", ":").replace("%3a", ":"))
}

/// The query, of which each parameter may stand once.
#[derive(Debug, Default)]
pub struct Query(HashMap<String, String>);

impl Query {
    /// Any parameters.
    pub fn of(req: &HttpRequest) -> Self {
        Self::parse(req.query_string())
    }

    /// Any parameters, from a query as it was sent.
    pub fn parse(query: &str) -> Self {
        Self(parameters(query).map(|(name, value)| (name.into_owned(), value.into_owned())).collect())
    }

    /// These parameters and no others: `unknown_parameter`.
    pub fn only(req: &HttpRequest, known: &[&str]) -> Result<Self> {
        let query = Self::of(req);
        match query.0.keys().find(|name| !known.contains(&name.as_str())) {
            Some(name) => Err(Error::BadRequest(
                "unknown_parameter",
                format!("the query parameter {name:?} is not one of {}", known.join(", ")),
            )),
            None => Ok(query),
        }
    }

    /// A parameter that is there and not empty.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// `true` or `false`; false when it is left out.
    pub fn flag(&self, name: &str) -> Result<bool> {
        Ok(self.choice(name)?.unwrap_or(false))
    }

    /// `true`, `false` or left out.
    pub fn choice(&self, name: &str) -> Result<Option<bool>> {
        match self.get(name) {
            None => Ok(None),
            Some("true") => Ok(Some(true)),
            Some("false") => Ok(Some(false)),
            Some(_) => Err(Error::invalid(name, "must be true or false")),
        }
    }

    /// Entries of a page: 1 to 500, 50 when left out.
    pub fn limit(&self) -> Result<u64> {
        match self.get("limit") {
            None => Ok(50),
            Some(text) => match text.parse() {
                Ok(limit) if (1..=500).contains(&limit) => Ok(limit),
                _ => Err(Error::invalid("limit", "must be a whole number from 1 to 500")),
            },
        }
    }

    /// What the cursor of the page before says.
    pub fn cursor(&self) -> Result<Option<String>> {
        let Some(text) = self.get("cursor") else { return Ok(None) };
        let bytes: Option<Vec<u8>> = (text.len() % 2 == 0 && text.is_ascii())
            .then(|| {
                (0..text.len()).step_by(2).map(|at| u8::from_str_radix(&text[at..at + 2], 16).ok()).collect()
            })
            .flatten();
        match bytes.map(String::from_utf8) {
            Some(Ok(cursor)) => Ok(Some(cursor)),
            _ => Err(invalid_cursor()),
        }
    }
}

/// The parameters of a query, decoded as forms are. What has nothing encoded is taken as it stands, which is far less
/// work.
pub fn parameters(query: &str) -> impl Iterator<Item = (Cow<'_, str>, Cow<'_, str>)> {
    fn decoded(text: &str) -> Cow<'_, str> {
        if !text.bytes().any(|byte| matches!(byte, b'%' | b'+')) {
            return text.into();
        }
        percent_decode_str(&text.replace('+', " ")).decode_utf8_lossy().into_owned().into()
    }
    query.split('&').filter(|pair| !pair.is_empty()).map(|pair| {
        let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
        (decoded(name), decoded(value))
    })
}

/// The cursor cannot be one that this list gave.
pub fn invalid_cursor() -> Error {
    Error::BadRequest("invalid_cursor", "the cursor is not one of this list".into())
}

/// One page of a list.
#[derive(serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "camelCase")]
pub struct Page<T> {
    pub items: Vec<T>,
    /// Pass it as `cursor` for the next page; `null` on the last one.
    #[schema(required)]
    pub next_cursor: Option<String>,
}

impl<T> Page<T> {
    /// A page of rows of which one more than `limit` was asked for. `cursor` names a row.
    pub fn of<R>(mut rows: Vec<R>, limit: u64, cursor: impl Fn(&R) -> String, view: impl Fn(R) -> T) -> Self {
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let more = rows.len() > limit;
        rows.truncate(limit);
        let next_cursor = rows
            .last()
            .filter(|_| more)
            .map(|row| cursor(row).bytes().map(|byte| format!("{byte:02x}")).collect());
        Self { items: rows.into_iter().map(view).collect(), next_cursor }
    }

    /// A page of a list that was read whole and stands in the order of `key`.
    pub fn cut<R, K: Ord + FromStr + ToString>(
        mut rows: Vec<R>,
        query: &Query,
        key: impl Fn(&R) -> K,
        view: impl Fn(R) -> T,
    ) -> Result<Self> {
        if let Some(cursor) = query.cursor()? {
            let after: K = cursor.parse().map_err(|_| invalid_cursor())?;
            rows.retain(|row| key(row) > after);
        }
        Ok(Self::of(rows, query.limit()?, |row| key(row).to_string(), view))
    }
}

/// The version that `If-Match` names: `"7"`. `*` and no header match anything.
pub fn if_match(req: &HttpRequest) -> Result<Option<u64>> {
    let Some(value) = req.headers().get(IF_MATCH) else { return Ok(None) };
    let text = value.to_str().unwrap_or_default().trim();
    if text == "*" {
        return Ok(None);
    }
    match text.trim_matches('"').parse() {
        Ok(version) => Ok(Some(version)),
        Err(_) => Err(Error::BadRequest(
            "invalid_if_match",
            "If-Match must be a version in quotes, such as \"7\"".into(),
        )),
    }
}

/// Whether `If-None-Match` names this entity tag (RFC 9110 §13.1.2: compared weakly).
pub fn none_match(headers: &HeaderMap, etag: &str) -> bool {
    let Some(value) = headers.get(IF_NONE_MATCH).and_then(|value| value.to_str().ok()) else {
        return false;
    };
    value == etag
        || value
            .split(',')
            .map(str::trim)
            .any(|one| one == "*" || one.strip_prefix("W/").unwrap_or(one) == etag)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_decoded_as_forms_are() {
        for query in [
            "",
            "a",
            "a=1&b=2",
            "a=&=b&&c",
            "k=x%2Fy&k=x/y",
            "a+b=c+d%2B",
            "bad=%zz&half=%4&ff=%ff",
            "ä=%C3%A4",
            "a=b=c",
        ] {
            let expected: Vec<_> = url::form_urlencoded::parse(query.as_bytes()).collect();
            assert_eq!(parameters(query).collect::<Vec<_>>(), expected, "{query}");
        }
    }
}

//! What the server adds to the context of entities (flagr.md §6.4): the time, and headers of the request that are
//! listed. Constraints read them as `@ts_hour` or `@http_x_country`. Off unless `--flagr-injected-context` is given.

use std::collections::BTreeMap;

use actix_web::http::header::HeaderMap;
use serde_json::json;
use serde_json::value::{RawValue, Value};

use crate::clock::{self, Millis};
use crate::config::InjectedHeaders;

const SECONDS_A_DAY: i64 = 24 * 3600;

/// The listed headers of a request, by the names that constraints read.
fn add(listed: &InjectedHeaders, headers: &HeaderMap) -> BTreeMap<String, String> {
    let mut found = BTreeMap::new();
    for (name, value) in headers {
        if !value.is_empty() && listed.take(name.as_str()) {
            let all: &mut String =
                found.entry(format!("@http_{}", name.as_str().replace('-', "_"))).or_default();
            if !all.is_empty() {
                all.push_str(", ");
            }
            all.push_str(&String::from_utf8_lossy(value.as_bytes()));
        }
    }
    found
}

/// What one request adds.
pub struct Injected {
    headers: BTreeMap<String, String>,
    now: Millis,
}

impl Injected {
    pub fn of(listed: &InjectedHeaders, headers: &HeaderMap, now: Millis) -> Self {
        Self { headers: add(listed, headers), now }
    }

    /// The time alone.
    pub fn at(now: Millis) -> Self {
        Self { headers: BTreeMap::new(), now }
    }

    /// A context with it, as JSON text. What is no object becomes one, and what a client sends under these names does
    /// not count.
    pub fn into_context(&self, sent: &str) -> Result<String, serde_json::Error> {
        let mut members: BTreeMap<String, Box<RawValue>> = BTreeMap::new();
        if sent.starts_with('{') {
            members = serde_json::from_str(sent)?;
        }
        let seconds = self.now.div_euclid(1000);
        let month: i64 =
            clock::rfc3339(self.now).get(5..7).and_then(|month| month.parse().ok()).unwrap_or_default();
        // 1970 began on a Thursday.
        let weekday = (seconds.div_euclid(SECONDS_A_DAY) + 4).rem_euclid(7);
        let time = [
            ("@ts", seconds),
            ("@ts_hour", seconds.rem_euclid(SECONDS_A_DAY) / 3600),
            ("@ts_weekday", weekday),
            ("@ts_month", month),
        ];
        let time = time.map(|(name, number)| (name.to_owned(), json!(number)));
        let headers = self.headers.iter().map(|(name, value)| (name.clone(), Value::from(value.as_str())));
        for (name, value) in time.into_iter().chain(headers) {
            members.insert(name, serde_json::value::to_raw_value(&value)?);
        }
        serde_json::to_string(&members)
    }
}

#[cfg(test)]
mod tests {
    use actix_web::test::TestRequest;

    use super::*;

    #[test]
    fn a_header_that_comes_several_times_is_joined() {
        let listed = InjectedHeaders::parse(&["X-Hop".to_owned()]).expect("a name");
        let request = TestRequest::default().append_header(("x-hop", "a")).append_header(("x-hop", "b"));
        let injected = Injected::of(&listed, request.to_http_request().headers(), -1);
        let told =
            json!({"@http_x_hop": "a, b", "@ts": -1, "@ts_hour": 23, "@ts_weekday": 3, "@ts_month": 12});
        let context = injected.into_context("null").expect("a context");
        assert_eq!(serde_json::from_str::<Value>(&context).expect("JSON"), told);
    }
}

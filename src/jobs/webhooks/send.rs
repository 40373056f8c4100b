//! One try to tell a webhook of an event: headers, signature, request, and what came of it.

use std::time::Instant;

use hmac::{Hmac, KeyInit, Mac};
use rusqlite::{Connection, OptionalExtension};
use serde_json::{Map, Value};
use sha2::Sha256;

use crate::app::App;
use crate::clock::{Millis, parse, rfc3339};
use crate::error::{Error, Result};
use crate::store::webhooks::{Delivery, Event, Outcome, Webhook, delivery_id};

/// Bytes of an answer that the log keeps.
const ANSWER: u64 = 4096;
/// Bytes of a request's body that the log keeps.
const LOGGED: usize = 64 * 1024;

/// What a webhook's secrets are sealed for.
pub fn purpose(webhook: &str) -> String {
    format!("webhook:{webhook}")
}

/// `sha256=HEX` of a body: HMAC-SHA256 with the secret (feature-config §8).
pub fn signature(secret: &[u8], body: &[u8]) -> Result<String> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret).map_err(Error::internal)?;
    mac.update(body);
    let hex: String = mac.finalize().into_bytes().iter().map(|byte| format!("{byte:02x}")).collect();
    Ok(format!("sha256={hex}"))
}

/// A request that is ready to be sent.
struct Request {
    headers: Vec<(String, String)>,
    body: String,
}

/// Where an event happened, in words: the environment, else the site.
pub fn place(conn: &Connection, event: &Event) -> Result<String> {
    let name = |sql: &str, uuid: &Option<String>| -> Result<Option<String>> {
        let Some(uuid) = uuid else { return Ok(None) };
        Ok(conn.prepare_cached(sql)?.query_row([uuid], |row| row.get(0)).optional()?)
    };
    if let Some(name) = name("SELECT name FROM environments WHERE uuid = ?1", &event.environment)? {
        return Ok(name);
    }
    // An environment that is gone is named by the change that deleted it.
    if event.entity == "environment" {
        return Ok(event.entity_key.clone());
    }
    Ok(name("SELECT name FROM sites WHERE uuid = ?1", &event.site)?
        .unwrap_or_else(|| "a site that is gone".into()))
}

/// The request for an event. The secret that was rotated out signs too, as long as it is valid.
fn request(app: &App, webhook: &Webhook, event: &Event, body: String, now: Millis) -> Result<Request> {
    let open = |sealed: &[u8]| app.seal.open_sealed(&purpose(&webhook.uuid), sealed);
    let lost = || Error::internal("its secret cannot be opened with the server's key; rotate it");
    let secret = open(&webhook.secret).ok_or_else(lost)?;
    let mut headers: Vec<(String, String)> = [
        ("Content-Type", "application/json".to_owned()),
        ("X-Webhook-Id", event.id.clone()),
        ("X-Webhook-Event", event.name.clone()),
        ("X-Webhook-Timestamp", rfc3339(event.at)),
        ("X-Webhook-Signature", signature(&secret, body.as_bytes())?),
    ]
    .into_iter()
    .map(|(name, value)| (name.to_owned(), value))
    .collect();
    if let Some((sealed, _)) = webhook.previous.as_ref().filter(|(_, until)| *until > now)
        && let Some(previous) = open(sealed)
    {
        headers.push(("X-Webhook-Signature-Previous".into(), signature(&previous, body.as_bytes())?));
    }
    Ok(Request { headers, body })
}

/// What came of a try, beside its row for the log.
pub struct Tried {
    pub delivery: Delivery,
    /// Seconds after which the receiver wants to be asked again.
    pub retry_after: Option<u64>,
}

/// Sends an event with this body and waits for the answer, at most as long as `--webhook-timeout` says.
pub fn attempt(app: &App, webhook: &Webhook, event: &Event, body: Result<String>, attempt: u32) -> Tried {
    let at = app.now();
    let begun = Instant::now();
    let mut delivery = Delivery {
        id: 0,
        uuid: delivery_id(),
        event_id: event.id.clone(),
        event: event.name.clone(),
        change_number: event.number,
        attempt,
        outcome: Outcome::Failed,
        at,
        status: None,
        error: None,
        duration_ms: 0,
        request_headers: "{}".into(),
        request_body: String::new(),
        response_headers: "{}".into(),
        response_body: String::new(),
    };
    let mut retry_after = None;
    match body.and_then(|body| request(app, webhook, event, body, at)) {
        Err(error) => delivery.error = Some(error.explain()),
        Ok(request) => {
            let sent = app.net.post(&webhook.settings.url, &request.headers, request.body.as_bytes(), ANSWER);
            delivery.request_headers = object(&request.headers);
            delivery.request_body = shortened(request.body);
            match sent {
                Err(failure) => delivery.error = Some(failure.to_string()),
                Ok(answer) => {
                    delivery.status = Some(answer.status);
                    delivery.error = answer.broken.as_ref().map(ToString::to_string);
                    match answer.status {
                        200..=299 => delivery.outcome = Outcome::Delivered,
                        300..=399 => delivery.error = Some("redirects are not followed".into()),
                        _ => {}
                    }
                    retry_after =
                        answer.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
                    delivery.response_headers = object(&answer.headers);
                    delivery.response_body = String::from_utf8_lossy(&answer.body).replace('\0', "\u{fffd}");
                    if answer.cut {
                        delivery.response_body.push('…');
                    }
                }
            }
        }
    }
    delivery.duration_ms = u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX);
    Tried { delivery, retry_after }
}

/// Headers as a JSON object; what came several times is one value, with commas.
fn object(headers: &[(String, String)]) -> String {
    let mut map = Map::new();
    for (name, value) in headers {
        match map.get_mut(name) {
            Some(Value::String(had)) => {
                had.push_str(", ");
                had.push_str(value);
            }
            _ => drop(map.insert(name.clone(), Value::from(value.clone()))),
        }
    }
    Value::Object(map).to_string()
}

/// Behind a body that the log holds the beginning of. No whole one ends like this: they are JSON.
const CUT: char = '…';

fn shortened(mut body: String) -> String {
    if body.len() > LOGGED {
        let mut end = LOGGED;
        while !body.is_char_boundary(end) {
            end -= 1;
        }
        body.truncate(end);
        body.push(CUT);
    }
    body
}

/// What was sent in a try, as far as the log knows: its event and its body, to be sent once more. `None` where it
/// holds nothing, or only the beginning.
pub fn logged(delivery: &Delivery) -> Option<(Event, String)> {
    let headers: Map<String, Value> = serde_json::from_str(&delivery.request_headers).ok()?;
    let at = parse(headers.get("X-Webhook-Timestamp")?.as_str()?)?;
    let event = Event {
        id: delivery.event_id.clone(),
        name: delivery.event.clone(),
        number: delivery.change_number,
        at,
        ..Event::default()
    };
    let body = delivery.request_body.clone();
    (!body.ends_with(CUT)).then_some((event, body))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 4231, test cases 1, 2 and 6.
    #[test]
    fn signatures_are_hmac_sha256() {
        for (key, data, hex) in [
            (vec![0x0b; 20], "Hi There", "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7"),
            (
                b"Jefe".to_vec(),
                "what do ya want for nothing?",
                "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843",
            ),
            (
                vec![0xaa; 131],
                "Test Using Larger Than Block-Size Key - Hash Key First",
                "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54",
            ),
        ] {
            assert_eq!(signature(&key, data.as_bytes()).unwrap(), format!("sha256={hex}"));
        }
    }
}

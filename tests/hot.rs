//! The routes that are answered before the framework's router: bodies in every form, paths in every spelling, and what
//! the router answers in their place.

use std::io::{Read, Write};
use std::net::TcpStream;

use flate2::Compression;
use flate2::write::GzEncoder;
use serde_json::json;

use crate::binary::{PROD, Place, Server, stream_path};

/// One request as it is, and the whole answer.
fn send(server: &Server, head: &str, body: &[u8]) -> (u16, String) {
    let mut stream =
        TcpStream::connect(server.url.strip_prefix("http://").expect("a URL")).expect("connected");
    stream.write_all(head.as_bytes()).expect("a head");
    // The server may have answered, and closed, before the last of it.
    let _ = stream.write_all(body);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    let answer = String::from_utf8_lossy(&answer).into_owned();
    let status = answer.get(9..12).and_then(|status| status.parse().ok());
    (status.unwrap_or_else(|| panic!("no status in {answer:?}")), answer)
}

fn head(server: &Server, first: &str, rest: &str) -> String {
    let bearer = &server.secrets.client;
    format!(
        "{first} HTTP/1.1\r\nHost: x\r\nConnection: close\r\nAuthorization: Bearer {bearer}\r\n{rest}\r\n"
    )
}

const CHUNKED: &str = "Transfer-Encoding: chunked\r\n";
const GZIP: &str = "Content-Encoding: gzip\r\n";

fn length(body: &[u8]) -> String {
    format!("Content-Length: {}\r\n", body.len())
}

/// An evaluation whose body is sent in the way that these headers tell.
fn evaluate(server: &Server, headers: &str, body: &[u8]) -> (u16, String) {
    let rest = format!("Content-Type: application/json\r\n{headers}");
    send(server, &head(server, "POST /api/v1/evaluate", &rest), body)
}

/// The most memory that a server has taken so far, in bytes.
#[cfg(target_os = "linux")]
fn most_memory(server: &Server) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{}/status", server.id())).expect("it runs");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("a line");
    line.trim().trim_end_matches(" kB").parse::<u64>().expect("a number") * 1024
}

fn packed(text: &[u8]) -> Vec<u8> {
    let mut packer = GzEncoder::new(Vec::new(), Compression::best());
    packer.write_all(text).expect("packed");
    packer.finish().expect("packed")
}

#[test]
fn a_body_may_come_in_chunks_or_packed() {
    let place = Place::shop();
    let server = place.serve();
    let context = br#"{"context": {"userId": "u1", "email": "a@shop.example"}}"#;
    let (first, second) = context.split_at(10);
    let chunk = |part: &[u8]| format!("{:x}\r\n{}\r\n", part.len(), String::from_utf8_lossy(part));
    let chunked = format!("{}{}0\r\n\r\n", chunk(first), chunk(second));
    let (status, answer) = evaluate(&server, CHUNKED, chunked.as_bytes());
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("\"greeting\":{\"value\":\"Hello\""), "{answer}");
    let body = packed(context);
    let (status, answer) = evaluate(&server, &format!("{GZIP}{}", length(&body)), &body);
    assert_eq!(status, 200, "{answer}");
    assert!(answer.contains("\"dark_mode\":{\"value\":true"), "the context was read: {answer}");
    // Not gzip at all.
    let (status, answer) = evaluate(&server, &format!("{GZIP}{}", length(context)), context);
    assert_eq!(status, 400, "{answer}");
    assert!(answer.contains("bad_json"), "{answer}");
}

#[test]
fn a_body_that_is_too_long_is_refused_however_it_comes() {
    let place = Place::shop();
    let server = place.serve();
    let long = format!(r#"{{"context": {{"userId": "{}"}}}}"#, "u".repeat(1 << 20));
    // It is told from the length alone: nothing is waited for.
    let (status, answer) = evaluate(&server, &length(long.as_bytes()), b"");
    assert_eq!(status, 413, "{answer}");
    let chunked = format!("{:x}\r\n{long}\r\n0\r\n\r\n", long.len());
    let (status, answer) = evaluate(&server, CHUNKED, chunked.as_bytes());
    assert_eq!(status, 413, "{answer}");
    // Short as it is sent, long as it is read.
    let body = packed(long.as_bytes());
    assert!(body.len() < 20_000, "{}", body.len());
    let (status, answer) = evaluate(&server, &format!("{GZIP}{}", length(&body)), &body);
    assert_eq!(status, 413, "{answer}");
    assert!(answer.contains("too_large"), "{answer}");
}

#[test]
fn other_spellings_of_a_path_and_other_methods_reach_the_router() {
    let place = Place::shop();
    let server = place.serve();
    let json = "Content-Type: application/json\r\nContent-Length: 2\r\n";
    for (first, rest, body, status) in [
        ("POST /api/v1/evaluat%65", json, "{}", 200),
        ("POST /api/v1/evaluate/batc%68", json, "{}", 422),
        ("POST /flagr/api/v1/evaluatio%6E", json, "{}", 200),
        ("GET /api/v1/evaluate", "", "", 405),
        ("PUT /api/v1/evaluate/batch", json, "{}", 405),
        ("GET /ofrep/v1/evaluate/flags", "", "", 405),
        ("GET /ofrep/v1/evaluate/flags/greeting", "", "", 405),
        ("POST /ofrep/v1/evaluate/flags/greetin%67", json, "{}", 200),
        ("POST /ofrep/v1/evaluate/flags/", json, "{}", 404),
        ("POST /api/v1/evaluate/", json, "{}", 404),
        (&format!("GET {PROD}/features"), "", "", 200),
        ("GET /api/v1/sites/sho%70/environments/prod/features", "", "", 200),
        ("GET /api/v1/sites/shop/environments/dev/features", "", "", 403),
        ("GET /api/v1/sites/shop/environments//features", "", "", 404),
        ("HEAD /healthz", "", "", 200),
        ("HEAD /readyz", "", "", 200),
        ("HEAD /feature-config.js", "", "", 200),
        (&format!("HEAD {}", stream_path("{}")), "", "", 200),
        ("HEAD /api/v1/evaluate", "", "", 405),
        ("POST /healthz", json, "{}", 404),
    ] {
        let (is, answer) = send(&server, &head(&server, first, rest), body.as_bytes());
        assert_eq!(is, status, "{first}: {answer}");
        assert!(!first.starts_with("HEAD") || answer.ends_with("\r\n\r\n"), "{first} has a body: {answer}");
    }
    let (_, answer) = send(&server, &head(&server, "HEAD /healthz", ""), b"");
    assert!(answer.contains("\r\ncontent-length: 15\r\n"), "as long as that of GET: {answer}");
}

#[cfg(target_os = "linux")]
#[test]
fn a_packed_body_is_unpacked_no_further_than_it_may_be_long() {
    let place = Place::shop();
    let server = place.serve();
    let before = most_memory(&server);
    let bomb = packed(&vec![b' '; 100 << 20]);
    assert!(bomb.len() < 128 << 10, "one chunk: {}", bomb.len());
    for _ in 0..4 {
        let (status, answer) = evaluate(&server, &format!("{GZIP}{}", length(&bomb)), &bomb);
        assert_eq!(status, 413, "{answer}");
    }
    let grown = most_memory(&server) - before;
    assert!(grown < 20 << 20, "{grown} bytes for bodies of which 1 MiB is allowed");
}

#[test]
fn an_answer_is_bounded_however_small_the_request() {
    let place = Place::shop();
    let server = place.serve();
    let text = "x".repeat(250_000);
    let feature = json!({"key": "long", "type": "JSON", "defaultValue": text});
    server.admin().post(&format!("{PROD}/features"), &feature).expect(201);
    let client = server.bearer(&server.secrets.client);
    let entities = |count: usize| json!({"entities": vec![json!({}); count], "features": ["long"]});
    client.post("/api/v1/evaluate/batch", &entities(200)).expect(200);
    let refused = client.post("/api/v1/evaluate/batch", &entities(1000)).expect(400);
    assert_eq!(refused["error"]["code"], "answer_too_large", "{refused}");
    let flagr = |flags: usize| {
        json!({"entities": [{"entityID": "a", "entityContext": {"x": text}}],
               "flagIDs": (1..=flags).collect::<Vec<_>>()})
    };
    client.post("/flagr/api/v1/evaluation/batch", &flagr(200)).expect(200);
    let refused = client.post("/flagr/api/v1/evaluation/batch", &flagr(5000)).expect(400);
    assert!(refused["message"].as_str().is_some_and(|text| text.contains("larger")), "{refused}");
}

#[test]
fn an_offer_to_change_the_protocol_is_declined_in_words_where_the_connection_ends_with_it() {
    let place = Place::shop();
    let server = place.serve();
    let offer = "Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAEAAEAA\r\n";
    // One from each side of the router.
    for path in ["/healthz", "/readyz"] {
        let (status, answer) = send(&server, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n{offer}\r\n"), b"");
        assert_eq!(status, 200, "{answer}");
        assert!(answer.contains("\r\nconnection: close\r\n"), "{answer}");
    }
}

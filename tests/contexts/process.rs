//! With the built server: an import that is killed, writers who race for a cycle, the Unix socket, statsd, `--insecure`.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Instant;

use serde_json::{Value, json};

use crate::binary::{PATIENCE, PROD, Place};

/// A document in which every Context says the same number.
fn document(number: u64) -> Value {
    const CONTEXTS: u64 = 400;
    let contexts: serde_json::Map<_, _> = (0..CONTEXTS)
        .map(|n| {
            let prototypes = if n % 8 == 0 { vec![] } else { vec![format!("user-{}", n - 1)] };
            (format!("user-{n}"), json!({"prototypes": prototypes, "features": {"limit": number}}))
        })
        .collect();
    json!({"version": 1, "contexts": contexts})
}

#[test]
fn an_import_that_is_killed_at_any_moment_leaves_all_or_nothing() {
    let place = Place::shop();
    let server = place.serve();
    let path = format!("{PROD}/contexts:import");
    let begun = Instant::now();
    server.admin().post(&path, &document(0)).expect(200);
    let whole = begun.elapsed();
    drop(server);
    let mut outcomes: HashMap<bool, u32> = HashMap::new();
    let mut last = 0;
    let mut server = place.serve();
    // 50 moments, spread over the time an import takes and a little more, in no regular order.
    for round in 1..=50_u64 {
        let moment = whole.mul_f64((round * 37 % 50) as f64 / 40.0);
        std::thread::scope(|scope| {
            let (server, path) = (&server, &path);
            // Whether it was answered does not matter here.
            scope.spawn(move || drop(server.admin().ask("POST", path, Some(&document(round)))));
            std::thread::sleep(moment);
            server.kill();
        });
        let conn = place.open();
        let (distinct, values, value): (i64, i64, u64) = conn
            .query_row("SELECT count(DISTINCT value), count(*), max(value) FROM context_values", [], |row| {
                Ok((row.get(0)?, row.get(1)?, row.get::<_, String>(2)?.parse().expect("a number")))
            })
            .expect("one row");
        assert_eq!((distinct, values), (1, 400), "round {round}");
        assert!([last, round].contains(&value), "round {round}: {value}, before it {last}");
        *outcomes.entry(value == round).or_default() += 1;
        last = value;
        drop(conn);
        server = place.serve();
        let seen =
            server.admin().get(&format!("{PROD}/contexts/user-7/features/limit?typed=true")).expect(200);
        assert_eq!(seen["value"], json!(last), "round {round}");
    }
    assert!(outcomes.contains_key(&false), "none was killed in time: {outcomes:?}");
}

#[test]
fn two_hundred_writers_who_race_for_cycles_leave_none() {
    let place = Place::shop();
    let server = place.serve();
    const CONTEXTS: usize = 20;
    for n in 0..CONTEXTS {
        server.admin().post(&format!("{PROD}/contexts"), &json!({"key": format!("c{n}")})).expect(201);
    }
    let (done, refused) = (AtomicUsize::new(0), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for writer in 0..200_usize {
            let (server, done, refused) = (&server, &done, &refused);
            scope.spawn(move || {
                let (from, to) = (writer % CONTEXTS, (writer * 7 + 3) % CONTEXTS);
                let other = (writer * 3 + 1) % CONTEXTS;
                let path = format!("{PROD}/contexts/c{from}");
                let body = json!({"prototypes": [format!("c{to}"), format!("c{other}")]});
                let method = if writer % 2 == 0 { "PATCH" } else { "PUT" };
                let body = if method == "PUT" {
                    json!({"prototypes": [format!("c{to}")], "features": {"limit": writer}})
                } else {
                    body
                };
                let reply = server.admin().ask(method, &path, Some(&body)).expect("an answer");
                match reply.status {
                    200 | 201 => done.fetch_add(1, Ordering::Relaxed),
                    412 | 422 => refused.fetch_add(1, Ordering::Relaxed),
                    503 => {
                        assert!(reply.header("retry-after").is_some(), "{reply:?}");
                        0
                    }
                    _ => panic!("{reply:?}"),
                };
            });
        }
    });
    assert!(done.load(Ordering::Relaxed) > 0 && refused.load(Ordering::Relaxed) > 0, "{done:?} {refused:?}");
    let conn = place.open();
    let mut statement =
        conn.prepare("SELECT context_key, prototype_key FROM context_prototypes").expect("SQL");
    let rows = statement.query_map([], |row| Ok((row.get::<_, String>(0)?, row.get::<_, String>(1)?)));
    let mut edges: Vec<(String, String)> = rows.expect("rows").collect::<Result<_, _>>().expect("rows");
    assert!(!edges.is_empty());
    // Whoever has no prototypes left is taken away, again and again; a cycle would stay.
    loop {
        let before = edges.len();
        let inheriting: std::collections::HashSet<String> =
            edges.iter().map(|(from, _)| from.clone()).collect();
        edges.retain(|(_, to)| inheriting.contains(to));
        if edges.is_empty() {
            break;
        }
        assert!(edges.len() < before, "a cycle among {edges:?}");
    }
    for n in 0..CONTEXTS {
        server.admin().get(&format!("{PROD}/contexts/c{n}/features")).expect(200);
    }
}

#[cfg(unix)]
#[test]
fn the_same_routes_are_served_on_a_unix_socket_for_this_user_alone() {
    use std::io::{Read, Write};
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::net::UnixStream;

    let place = Place::shop();
    let path = place.path("featured.sock");
    let text = path.to_str().expect("text").to_owned();
    let ask = |path: &str, secret: Option<&str>| {
        let mut stream = UnixStream::connect(&text).expect("a connection");
        stream.set_read_timeout(Some(PATIENCE)).expect("a timeout");
        let authorization =
            secret.map(|secret| format!("Authorization: Bearer {secret}\r\n")).unwrap_or_default();
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\n{authorization}Connection: close\r\n\r\n")
            .expect("sent");
        let mut answer = String::new();
        stream.read_to_string(&mut answer).expect("an answer");
        answer
    };
    let server = place.serve_with(&["--socket", &text]);
    let mode = std::fs::metadata(&path).expect("the socket").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    assert!(ask("/healthz", None).starts_with("HTTP/1.1 200"));
    let look_up = format!("{PROD}/contexts/mia/features");
    assert!(ask(&look_up, None).starts_with("HTTP/1.1 401"), "a token is needed there too");
    let answer = ask(&look_up, Some(&place.secrets.client));
    assert!(answer.starts_with("HTTP/1.1 200") && answer.contains(r#""greeting":"Hello""#), "{answer}");
    // A second server does not take it over.
    let Err(ended) = place.try_start(place.featured(["serve", "--listen", "127.0.0.1:0", "--socket", &text]))
    else {
        panic!("it started")
    };
    assert_eq!(ended.code, Some(1));
    assert!(ended.stderr.contains("another server serves there"), "{}", ended.stderr);
    assert!(ask("/healthz", None).starts_with("HTTP/1.1 200"));
    // One that was killed leaves it behind, and the next replaces it; one that ends takes it along.
    server.kill();
    assert!(path.exists());
    let server = place.serve_with(&["--socket", &text]);
    assert!(ask("/healthz", None).starts_with("HTTP/1.1 200"));
    assert_eq!(server.terminate().code(), Some(0));
    assert!(!path.exists());
    // A file of that name is left alone.
    std::fs::write(&path, "mine").expect("a file");
    let Err(ended) = place.try_start(place.featured(["serve", "--listen", "127.0.0.1:0", "--socket", &text]))
    else {
        panic!("it started")
    };
    assert!(ended.stderr.contains("there is a file of that name"), "{}", ended.stderr);
    assert_eq!(std::fs::read_to_string(&path).expect("the file"), "mine");
}

#[test]
fn numbers_go_to_prometheus_and_to_statsd() {
    let place = Place::shop();
    let statsd = std::net::UdpSocket::bind("127.0.0.1:0").expect("a socket");
    statsd.set_read_timeout(Some(PATIENCE)).expect("a timeout");
    let address = statsd.local_addr().expect("an address").to_string();
    let server = place.serve_with(&["--statsd", &address]);
    server.admin().post(&format!("{PROD}/contexts"), &json!({"key": "secret-key"})).expect(201);
    server.client().get(&format!("{PROD}/contexts/secret-key/features")).expect(200);
    server.client().get(&format!("{PROD}/contexts/nobody/features")).expect(200);
    let mut lines = Vec::new();
    let mut buffer = [0; 512];
    while lines.len() < 5 {
        let length = statsd.recv(&mut buffer).expect("a line");
        lines.push(String::from_utf8_lossy(&buffer[..length]).into_owned());
    }
    assert_eq!(lines[0], "featured.context_writes.create:1|c");
    assert_eq!(lines[1], "featured.context_lookups.found:1|c");
    assert!(lines[2].starts_with("featured.context_lookup:") && lines[2].ends_with("|ms"), "{lines:?}");
    assert_eq!(lines[3], "featured.context_lookups.unknown:1|c");
    let metrics = server.anonymous().get("/metrics").text;
    for line in [
        "featured_context_lookups_total{result=\"found\"} 1",
        "featured_context_lookups_total{result=\"unknown\"} 1",
        "featured_context_lookup_seconds_count 2",
        "featured_context_writes_total{op=\"create\"} 1",
        "featured_contexts{env=\"shop/prod\"} 1",
    ] {
        assert!(metrics.contains(line), "no {line} in {metrics}");
    }
    assert!(!metrics.contains("secret-key") && lines.iter().all(|line| !line.contains("secret-key")));
    // Nobody listening is nothing to wait for.
    drop(statsd);
    for _ in 0..20 {
        server.client().get(&format!("{PROD}/contexts/nobody/features")).expect(200);
    }
    let failed = place.run(["serve", "--listen", "127.0.0.1:0", "--statsd", "nowhere"]);
    assert!(failed.failed(2).contains("--statsd nowhere: must be HOST:PORT"));
}

#[test]
fn without_a_token_only_on_this_machine_and_only_when_asked_for() {
    let place = Place::shop();
    for address in ["0.0.0.0:0", "[::]:0"] {
        let ended = place.run(["serve", "--listen", address, "--insecure"]);
        assert!(ended.failed(2).contains("--insecure works on a loopback address alone"));
    }
    let server = place.serve_with(&["--insecure", "--featuresd-root"]);
    assert!(server.log().contains("without a token"), "{}", server.log());
    let anybody = server.anonymous();
    let path = "/api/contexts";
    anybody.post("/api/features", &json!({"key": "seats", "type": "integer"})).expect(201);
    anybody.post(path, &json!({"key": "mia", "prototypes": ["team"], "features": {"seats": 3}})).expect(201);
    assert_eq!(anybody.get("/featuresd/api/contexts/mia/features").expect(200), json!({"seats": "3"}));
    assert_eq!(anybody.get("/api/contexts?matches=seats:3").expect(200)[0]["key"], "mia");
    anybody.ask("DELETE", "/api/features/seats?force=true", None).expect("an answer").expect(204);
    // It is the environment dev of the site default, made for this; nothing else is open.
    let admin = server.admin();
    admin.get("/api/v1/sites/default/environments/dev/contexts/mia").expect(200);
    anybody.get(&format!("{PROD}/contexts")).expect(401);
    anybody.get("/api/v1/sites").expect(401);
    // Nor to pages of other sites that a browser on this machine has open.
    let agent =
        ureq::Agent::new_with_config(ureq::Agent::config_builder().http_status_as_error(false).build());
    for (name, value) in [("origin", "https://evil.example"), ("host", "evil.example")] {
        let reply = agent.get(format!("{}{path}", server.url)).header(name, value).call().expect("an answer");
        assert_eq!(reply.status(), 403, "{name}");
    }
    drop(server);
    let server = place.serve();
    server.anonymous().get("/featuresd/api/contexts").expect(401);
    assert!(server.log().is_empty() || !server.log().contains("without a token"));
}

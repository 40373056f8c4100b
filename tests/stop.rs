//! SIGTERM: streams end, counts are written, the file is closed, and the exit code is 0 within seconds.
#![cfg(unix)]

use std::io::{Read, Write};
use std::net::TcpStream;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;

use crate::binary::{Place, Server, holds_something};

/// Ends the server and expects it to end well, soon.
fn ends_well(place: &Place, server: &Server) {
    let begun = Instant::now();
    let status = server.terminate();
    assert_eq!(status.code(), Some(0), "{status:?}: {}", server.log());
    assert!(begun.elapsed() < Duration::from_secs(8), "it took {:?}", begun.elapsed());
    assert!(!holds_something(&place.path("flags.db-wal")), "the WAL was not moved into the file");
    assert_eq!(place.run(["check"]).ok(), "ok, 4 features\n");
}

#[test]
fn streams_end_counts_are_written_and_the_file_is_closed() {
    let place = Place::shop();
    let server = place.serve();
    let streams: Vec<_> = (0..20).map(|_| server.stream("{}")).collect();
    for stream in &streams {
        stream.expect("snapshot");
    }
    let report = json!({"evaluations": [{"featureKey": "limit", "value": 1.5, "count": 41}]});
    for _ in 0..2 {
        let reply = server.client().post("/api/v1/analytics/evaluations", &report);
        assert!((200..300).contains(&reply.status), "{}", reply.text);
    }
    server.admin().patch("/api/v1/sites/shop", &json!({"name": "The shop"})).expect(200);
    ends_well(&place, &server);
    for stream in &streams {
        stream.end();
    }
    assert_eq!(place.number("SELECT sum(count) FROM evaluation_counts WHERE feature = 'limit'"), 82 + 20);
    assert!(place.number("SELECT max(uses) FROM tokens") >= 22, "uses of tokens are counted");
}

#[test]
fn a_signal_right_behind_the_listening_line_is_heard() {
    let place = Place::shop();
    for _ in 0..5 {
        ends_well(&place, &place.serve());
    }
}

#[test]
fn idle_half_sent_and_unread_connections_do_not_hold_it_up() {
    let place = Place::shop();
    let server = place.serve();
    let connect =
        || TcpStream::connect(server.url.strip_prefix("http://").expect("a URL")).expect("a connection");
    let silent = connect();
    let mut idle = connect();
    idle.write_all(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n").expect("a request");
    assert!(idle.read(&mut [0; 100]).expect("an answer") > 0);
    let mut half = connect();
    half.write_all(b"POST /api/v1/evaluate HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
        .expect("half a request");
    let unread = server.client().request_stream(&crate::binary::stream_path("{}"), &[]);
    ends_well(&place, &server);
    drop((silent, idle, half, unread));
}

#[test]
fn requests_in_progress_are_answered() {
    let place = Place::shop();
    let server = place.serve();
    let admin = server.admin();
    let answered = AtomicU64::new(0);
    std::thread::scope(|scope| {
        let writer = scope.spawn(|| {
            let mut done = 0_u64;
            // Each is answered, or refused because nobody listens any more: none is cut off.
            while let Ok(reply) =
                admin.ask("PATCH", "/api/v1/sites/shop", Some(&json!({"name": format!("Shop {done}")})))
            {
                assert_eq!(reply.status, 200, "{}", reply.text);
                done += 1;
                answered.store(done, Ordering::Relaxed);
            }
            done
        });
        // In the middle of it, however busy the machine is.
        while answered.load(Ordering::Relaxed) < 5 && !writer.is_finished() {
            std::thread::sleep(Duration::from_millis(5));
        }
        ends_well(&place, &server);
        let done = writer.join().expect("the writer");
        assert_eq!(place.number(&format!("SELECT count(*) FROM sites WHERE name = 'Shop {}'", done - 1)), 1);
    });
}

#[test]
fn a_log_that_nobody_reads_any_more_ends_nothing() {
    let place = Place::shop();
    let mut command = place.featured(["--listen", "127.0.0.1:0", "--dev"]);
    command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped());
    let mut child = command.spawn().expect("the binary runs");
    let mut line = String::new();
    let mut stdout = std::io::BufReader::new(child.stdout.take().expect("stdout"));
    std::io::BufRead::read_line(&mut stdout, &mut line).expect("a line");
    let server = Server::adopt(child, line.trim().strip_prefix("listening on ").expect("the line"));
    drop(stdout);
    server.close_stderr();
    for _ in 0..3 {
        server.anonymous().get("/healthz").expect(200);
    }
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_mail_server_that_never_answers_does_not_hold_it_up() {
    let silent = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let smtp = format!("smtp://{}?tls=none", silent.local_addr().expect("an address"));
    let place = Place::shop();
    place
        .open()
        .execute(
            "INSERT INTO mails (uuid, recipient, subject, body, created_at, due_at)
             VALUES ('018f0000-0000-7000-8000-000000000001', 'ana@shop.example', 'Hello', 'Hello', 1, 1)",
            [],
        )
        .expect("a mail");
    let server = place.serve_with(&["--smtp-url", &smtp]);
    let _connection = silent.accept().expect("the server calls");
    ends_well(&place, &server);
    assert_eq!(place.number("SELECT count(*) FROM mails WHERE sent_at IS NULL"), 1, "it is still owed");
}

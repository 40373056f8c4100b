//! Mail leaves through a real SMTP conversation on loopback, and survives a server that refuses it.

use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::sync::mpsc::{Receiver, channel};

use featured::jobs::mail;
use featured::store::mails;

use crate::browser::Server;

/// A small SMTP server: greets, takes mails, gives each one's lines. `answer` is what it says to RCPT.
fn smtp(answer: &'static str) -> (u16, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (arrived, mails) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            let mut out = stream.try_clone().unwrap();
            let mut lines = BufReader::new(stream).lines();
            let mut say = |text: &str| out.write_all(format!("{text}\r\n").as_bytes()).is_ok();
            let mut mail = String::new();
            say("220 loopback ready");
            while let Some(Ok(line)) = lines.next() {
                let verb = line.split_whitespace().next().unwrap_or_default().to_uppercase();
                match verb.as_str() {
                    "EHLO" => say("250-loopback\r\n250 8BITMIME"),
                    "MAIL" => {
                        mail = format!("{line}\n");
                        say("250 ok")
                    }
                    "RCPT" => {
                        mail += &format!("{line}\n");
                        say(answer)
                    }
                    "DATA" => {
                        say("354 go on");
                        for line in lines.by_ref().map_while(Result::ok) {
                            if line == "." {
                                break;
                            }
                            mail += &format!("{line}\n");
                        }
                        let _ = arrived.send(std::mem::take(&mut mail));
                        say("250 taken")
                    }
                    "QUIT" => {
                        say("221 bye");
                        break;
                    }
                    _ => say("250 ok"),
                };
            }
        }
    });
    (port, mails)
}

fn server(url: &str) -> Server {
    Server::with(|config| {
        config.smtp_url = Some(mail::read_url(url).unwrap());
        config.mail_from = Some("Flags <flags@shop.example>".into());
    })
}

fn put(server: &Server, to: &str) {
    let writer = server.app.store.writer();
    mails::insert(&writer, to, "Grüße", "Hello ana,\n\n.a line with a dot\nund Grüße\n", server.app.now())
        .unwrap();
}

fn one(server: &Server) -> mails::Mail {
    server.app.read(|conn| mails::list(conn, 1)).unwrap().remove(0)
}

#[test]
fn a_mail_goes_out_once_and_is_forgotten() {
    let (port, arrived) = smtp("250 ok");
    let server = server(&format!("smtp://127.0.0.1:{port}?tls=none"));
    put(&server, "ana@shop.example");
    mail::run(&server.app).unwrap();
    mail::run(&server.app).unwrap();
    let text = arrived.recv_timeout(std::time::Duration::from_secs(5)).unwrap();
    assert!(text.contains("MAIL FROM:<flags@shop.example>"), "{text}");
    assert!(text.contains("RCPT TO:<ana@shop.example>") && text.contains("Subject: =?utf-8?"), "{text}");
    assert!(text.contains("Hello ana,"), "{text}");
    assert!(arrived.try_recv().is_err(), "once");
    let mail = one(&server);
    assert!(mail.sent_at.is_some() && mail.body.is_empty());
}

#[test]
fn a_mail_that_fails_waits_longer_each_time_and_stays_when_refused_for_good() {
    let (port, _arrived) = smtp("451 later");
    let later = server(&format!("smtp://127.0.0.1:{port}?tls=none"));
    put(&later, "ana@shop.example");
    let mut pauses = Vec::new();
    for _ in 0..3 {
        mail::run(&later.app).unwrap();
        pauses.push((one(&later).due_at - later.app.now()) / 1000);
        later.sql("UPDATE mails SET due_at = 0");
    }
    assert!(
        (5..=10).contains(&pauses[0]) && (12..=20).contains(&pauses[1]) && (25..=40).contains(&pauses[2]),
        "{pauses:?}"
    );
    let mail = one(&later);
    assert!(mail.sent_at.is_none() && mail.error.unwrap().contains("later") && !mail.body.is_empty());

    let (port, _arrived) = smtp("550 nobody here");
    let never = server(&format!("smtp://127.0.0.1:{port}?tls=none"));
    put(&never, "ana@shop.example");
    mail::run(&never.app).unwrap();
    assert_eq!(one(&never).due_at, mails::NEVER);
}

#[test]
fn without_starttls_nothing_is_said_in_the_clear() {
    let (port, arrived) = smtp("250 ok");
    let server = server(&format!("smtp://user:hunter2@127.0.0.1:{port}"));
    put(&server, "ana@shop.example");
    mail::run(&server.app).unwrap();
    assert!(arrived.try_recv().is_err());
    let mail = one(&server);
    assert!(mail.sent_at.is_none());
    assert!(!mail.error.unwrap().contains("hunter2"));
}

#[test]
fn a_mail_that_is_being_sent_is_nobody_elses_until_the_lease_ends() {
    let server = Server::new();
    put(&server, "ana@shop.example");
    let now = server.app.now();
    let writer = server.app.store.writer();
    assert!(mails::claim(&writer, now, 120_000).unwrap().is_some());
    assert!(mails::claim(&writer, now, 120_000).unwrap().is_none());
    assert!(mails::claim(&writer, now + 120_001, 120_000).unwrap().is_some(), "whoever had it died");
}

#[test]
fn without_a_server_mail_stays() {
    let server = Server::new();
    put(&server, "ana@shop.example");
    mail::run(&server.app).unwrap();
    assert!(one(&server).sent_at.is_none() && one(&server).attempts == 0);
}

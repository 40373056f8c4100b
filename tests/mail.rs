//! Mail leaves through a real SMTP conversation on loopback, in the clear, over STARTTLS and over TLS, and survives
//! a server that refuses it and a process that dies over it.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use featured::jobs::mail;
use featured::store::mails;
use rustls::{ServerConfig, ServerConnection, StreamOwned};

use crate::browser::Server;
use crate::support::authority::authority;

/// How the server at the other end wants to be spoken to.
#[derive(Clone)]
enum Wire {
    Plain,
    /// Offers STARTTLS, and takes mail only afterwards.
    StartTls(Arc<ServerConfig>),
    Tls(Arc<ServerConfig>),
}

/// One mail as it arrived: whether it was encrypted, who signed in, and every line of it.
struct Arrived {
    encrypted: bool,
    signed_in: Option<String>,
    text: String,
}

trait Stream: Read + Write {}
impl<T: Read + Write> Stream for T {}

/// A small SMTP server: greets, takes mails, gives each one's lines. `answer` is what it says to RCPT.
fn smtp_over(wire: Wire, answer: &'static str) -> (u16, Receiver<Arrived>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    let (arrived, mails) = channel();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(stream) = stream else { return };
            // A client that does not trust us hangs up; the next one is welcome.
            let _ = converse(stream, &wire, answer, &arrived);
        }
    });
    (port, mails)
}

fn secure(config: &Arc<ServerConfig>, stream: TcpStream) -> std::io::Result<Box<dyn Stream>> {
    let connection = ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    Ok(Box::new(StreamOwned::new(connection, stream)))
}

fn converse(stream: TcpStream, wire: &Wire, answer: &str, arrived: &Sender<Arrived>) -> std::io::Result<()> {
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let (raw, mut encrypted) = (stream.try_clone()?, matches!(wire, Wire::Tls(_)));
    let mut talk: Box<dyn Stream> = match wire {
        Wire::Tls(config) => secure(config, stream)?,
        _ => Box::new(stream),
    };
    talk.write_all(b"220 loopback ready\r\n")?;
    let (mut text, mut signed_in) = (String::new(), None);
    loop {
        // Byte by byte, so that nothing of the handshake is read too early.
        let line = read_line(&mut talk)?;
        let verb = line.split_whitespace().next().unwrap_or_default().to_uppercase();
        let reply = match verb.as_str() {
            "EHLO" if matches!(wire, Wire::StartTls(_)) && !encrypted => "250-loopback\r\n250 STARTTLS",
            "EHLO" => "250-loopback\r\n250-AUTH PLAIN\r\n250 8BITMIME",
            "STARTTLS" => {
                let Wire::StartTls(config) = wire else { return Ok(()) };
                talk.write_all(b"220 go on\r\n")?;
                talk = secure(config, raw.try_clone()?)?;
                encrypted = true;
                continue;
            }
            "AUTH" => {
                signed_in = line.rsplit(' ').next().map(str::to_owned);
                "235 welcome"
            }
            "MAIL" if matches!(wire, Wire::StartTls(_)) && !encrypted => "530 encrypt first",
            "MAIL" => {
                text = format!("{line}\n");
                "250 ok"
            }
            "RCPT" => {
                text += &format!("{line}\n");
                answer
            }
            "DATA" => {
                talk.write_all(b"354 go on\r\n")?;
                loop {
                    let line = read_line(&mut talk)?;
                    if line == "." {
                        break;
                    }
                    text += &format!("{line}\n");
                }
                let text = std::mem::take(&mut text);
                let _ = arrived.send(Arrived { encrypted, signed_in: signed_in.clone(), text });
                "250 taken"
            }
            "QUIT" => {
                talk.write_all(b"221 bye\r\n")?;
                return Ok(());
            }
            _ => "250 ok",
        };
        talk.write_all(format!("{reply}\r\n").as_bytes())?;
        talk.flush()?;
    }
}

fn read_line(from: &mut Box<dyn Stream>) -> std::io::Result<String> {
    let mut line = Vec::new();
    let mut byte = [0];
    loop {
        from.read_exact(&mut byte)?;
        if byte == *b"\n" {
            return Ok(String::from_utf8_lossy(&line).trim_end_matches('\r').to_owned());
        }
        line.push(byte[0]);
    }
}

fn smtp(answer: &'static str) -> (u16, Receiver<Arrived>) {
    smtp_over(Wire::Plain, answer)
}

fn server(url: &str) -> Server {
    Server::with(|config| {
        config.smtp_url = Some(mail::read_url(url).unwrap());
        config.mail_from = Some("Flags <flags@shop.example>".into());
    })
}

/// The same, trusting the certificates of a file as `--smtp-ca-file` does.
fn trusting(url: &str, pem: &str) -> Server {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let ca = mail::read_ca(&file).unwrap();
    Server::with(|config| {
        config.smtp_url = Some(mail::read_url(url).unwrap());
        config.smtp_ca = Some(ca);
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
    let Arrived { encrypted, text, .. } = arrived.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(!encrypted);
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

#[test]
fn mail_goes_out_over_tls_and_starttls_to_a_server_of_a_private_authority() {
    let authority = authority("127.0.0.1");
    let wires = [
        ("smtps://user:hunter2@127.0.0.1", Wire::Tls(authority.config.clone())),
        ("smtp://user:hunter2@127.0.0.1", Wire::StartTls(authority.config.clone())),
    ];
    for (url, wire) in wires {
        let (port, arrived) = smtp_over(wire, "250 ok");
        let server = trusting(&format!("{url}:{port}"), &authority.pem);
        put(&server, "ana@shop.example");
        mail::run(&server.app).unwrap();
        assert!(one(&server).error.is_none(), "{url}: {:?}", one(&server).error);
        let Arrived { encrypted, signed_in, text } = arrived.recv_timeout(Duration::from_secs(20)).unwrap();
        assert!(encrypted && text.contains("Hello ana,"), "{url}: {text}");
        // base64 of NUL user NUL hunter2: said after the handshake alone.
        assert_eq!(signed_in.as_deref(), Some("AHVzZXIAaHVudGVyMg=="), "{url}");
        assert!(one(&server).sent_at.is_some(), "{url}");
    }
}

#[test]
fn mail_does_not_go_to_a_server_whose_certificate_is_not_trusted() {
    let (right, other, elsewhere) =
        (authority("127.0.0.1"), authority("127.0.0.1"), authority("mail.example"));
    let cases = [
        ("nobody's authority", right.config.clone(), None),
        ("another authority", right.config.clone(), Some(&other.pem)),
        ("a certificate of another host", elsewhere.config.clone(), Some(&elsewhere.pem)),
    ];
    for (what, config, ca) in cases {
        for (scheme, wire) in [("smtps", Wire::Tls(config.clone())), ("smtp", Wire::StartTls(config.clone()))]
        {
            let (port, arrived) = smtp_over(wire, "250 ok");
            let url = format!("{scheme}://user:hunter2@127.0.0.1:{port}");
            let server = match ca {
                Some(pem) => trusting(&url, pem),
                None => server(&url),
            };
            put(&server, "ana@shop.example");
            mail::run(&server.app).unwrap();
            assert!(arrived.try_recv().is_err(), "{what}, {scheme}: nothing arrived");
            let mail = one(&server);
            assert!(mail.sent_at.is_none() && !mail.body.is_empty(), "{what}, {scheme}: it stays");
            assert!(mail.due_at != mails::NEVER, "{what}, {scheme}: and is tried again");
            let error = mail.error.unwrap();
            assert!(error.contains("certificate") && !error.contains("hunter2"), "{what}, {scheme}: {error}");
        }
    }
}

#[test]
fn a_file_without_a_certificate_is_refused_with_its_name() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, "not a certificate").unwrap();
    assert!(mail::read_ca(&file).unwrap_err().contains("ca.pem"));
    std::fs::write(&file, "-----BEGIN CERTIFICATE-----\n????\n-----END CERTIFICATE-----\n").unwrap();
    assert!(mail::read_ca(&file).is_err());
    assert!(mail::read_ca(Path::new("/nowhere/ca.pem")).unwrap_err().contains("/nowhere/ca.pem"));
}

#[test]
fn mail_that_was_written_before_the_end_is_sent_after_it() {
    let (port, arrived) = smtp("250 ok");
    let server = server(&format!("smtp://127.0.0.1:{port}?tls=none"));
    put(&server, "ana@shop.example");
    put(&server, "mei@shop.example");
    // One was taken up when the process died over it.
    let claimed = mails::claim(&server.app.store.writer(), server.app.now(), 120_000).unwrap().unwrap();
    let server = server.restart();
    mail::run(&server.app).unwrap();
    let first = arrived.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(!first.text.contains(&claimed.recipient), "that one is still somebody's: {}", first.text);
    server.sql("UPDATE mails SET due_at = 0 WHERE sent_at IS NULL");
    mail::run(&server.app).unwrap();
    let second = arrived.recv_timeout(Duration::from_secs(20)).unwrap();
    assert!(second.text.contains(&claimed.recipient), "{}", second.text);
    assert_eq!(server.number("SELECT count(*) FROM mails WHERE sent_at IS NOT NULL"), 2);
}

//! Sends mail: a row of `mails` is claimed for the length of a lease, handed to the SMTP server, and marked as
//! sent or put back for later.

use std::path::Path;
use std::time::Duration;

use lettre::message::header::ContentType;
use lettre::message::{Mailbox, Message};
use lettre::transport::smtp::client::{Certificate, Tls, TlsParameters};
use lettre::{Address, SmtpTransport, Transport};
use url::Url;

use crate::app::App;
use crate::clock::Millis;
use crate::error::{Error, Result};
use crate::store::mails::{self, Mail};

/// How long a mail that is being sent is nobody else's.
const LEASE: Millis = 2 * 60 * 1000;
/// How long the server may take for each answer.
const TIMEOUT: Duration = Duration::from_secs(15);
/// The first pause after a failure, doubled up to [`LONGEST`].
const FIRST_PAUSE: Millis = 10_000;
const LONGEST: Millis = 3600 * 1000;
/// Given up after so many tries: some three days.
const TRIES: u32 = 80;
/// Mails of one run; the rest waits for the next.
const AT_ONCE: usize = 50;

/// Reads `--smtp-url`. `smtp://` means STARTTLS unless `?tls=none` or `?tls=opportunistic` says less;
/// `smtps://` is TLS from the first byte.
pub fn read_url(text: &str) -> std::result::Result<Url, String> {
    // The text may hold a password, so messages do not repeat it.
    let wrong = |why: &str| format!("--smtp-url: {why}");
    let mut url = Url::parse(text).map_err(|error| wrong(&error.to_string()))?;
    if !matches!(url.scheme(), "smtp" | "smtps") || url.host_str().is_none_or(str::is_empty) {
        return Err(wrong("must be a URL such as smtps://user:password@mail.example"));
    }
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    match (url.scheme(), tls.as_deref()) {
        ("smtp", None) => url.set_query(Some("tls=required")),
        ("smtp", Some("none" | "required" | "opportunistic")) | ("smtps", _) => {}
        _ => return Err(wrong("tls must be none, required or opportunistic")),
    }
    transport(&url, None).map_err(|error| wrong(&error.to_string()))?;
    Ok(url)
}

/// Reads `--smtp-ca-file`: certificates in PEM that are trusted beside the public ones, for the mail server alone.
pub fn read_ca(file: &Path) -> std::result::Result<Vec<u8>, String> {
    let wrong = |why: String| format!("--smtp-ca-file {}: {why}", file.display());
    let pem = std::fs::read(file).map_err(|error| wrong(error.to_string()))?;
    let begins = b"-----BEGIN CERTIFICATE-----";
    if !pem.windows(begins.len()).any(|part| part == begins) {
        return Err(wrong("holds no certificate in PEM".into()));
    }
    Certificate::from_pem(&pem).map_err(|error| wrong(error.to_string()))?;
    Ok(pem)
}

/// Refuses what is not `name@host` or `Name <name@host>`.
pub fn check_sender(from: &str) -> std::result::Result<(), String> {
    from.parse::<Mailbox>().map(|_| ()).map_err(|error| format!("--mail-from {from}: {error}"))
}

fn transport(
    url: &Url,
    ca: Option<&[u8]>,
) -> std::result::Result<SmtpTransport, lettre::transport::smtp::Error> {
    let mut url = url.clone();
    let tls = url.query_pairs().find(|(name, _)| name == "tls").map(|(_, value)| value.into_owned());
    // lettre's form of "no TLS" is no parameter.
    if url.query_pairs().any(|(name, value)| name == "tls" && value == "none") {
        url.set_query(None);
    }
    let mut builder = SmtpTransport::from_url(url.as_str())?.timeout(Some(TIMEOUT));
    if let (Some(ca), Some(host)) = (ca, url.host_str()) {
        let trusted = TlsParameters::builder(host.into()).add_root_certificate(Certificate::from_pem(ca)?);
        let trusted = trusted.build()?;
        match (url.scheme(), tls.as_deref()) {
            ("smtps", _) => builder = builder.tls(Tls::Wrapper(trusted)),
            (_, Some("required")) => builder = builder.tls(Tls::Required(trusted)),
            (_, Some("opportunistic")) => builder = builder.tls(Tls::Opportunistic(trusted)),
            _ => {}
        }
    }
    Ok(builder.build())
}

fn sender(app: &App) -> Result<Mailbox> {
    if let Some(from) = &app.config.mail_from {
        return from.parse().map_err(Error::internal);
    }
    let host = app.config.base_url.as_ref().and_then(Url::host_str).unwrap_or("localhost");
    let address = Address::new("featured", host).or_else(|_| Address::new("featured", "localhost"));
    Ok(Mailbox::new(Some("featured".into()), address.map_err(Error::internal)?))
}

/// Sends what is due.
pub fn run(app: &App) -> Result<()> {
    let Some(url) = &app.config.smtp_url else { return Ok(()) };
    if !app.read(|conn| mails::is_due(conn, app.now()))? {
        return Ok(());
    }
    let transport = transport(url, app.config.smtp_ca.as_deref()).map_err(Error::internal)?;
    let from = sender(app)?;
    for _ in 0..AT_ONCE {
        let claimed = mails::claim(&app.store.writer(), app.now(), LEASE)?;
        let Some(mail) = claimed else { break };
        send(app, &transport, &from, &mail)?;
    }
    Ok(())
}

fn send(app: &App, transport: &SmtpTransport, from: &Mailbox, mail: &Mail) -> Result<()> {
    let outcome = message(from, mail).and_then(|message| {
        transport.send(&message).map(|_| ()).map_err(|error| (error.to_string(), error.is_permanent()))
    });
    let now = app.now();
    let writer = app.store.writer();
    match outcome {
        Ok(()) => mails::sent(&writer, mail.id, now),
        Err((error, permanent)) => {
            tracing::warn!(mail = %mail.uuid, attempt = mail.attempts, error, "a mail did not go out");
            let given_up = permanent || mail.attempts >= TRIES;
            let pause = (FIRST_PAUSE << mail.attempts.saturating_sub(1).min(12)).min(LONGEST);
            mails::failed(&writer, mail.id, &error, if given_up { mails::NEVER } else { now + pause })
        }
    }
}

/// Sends a mail that must not be kept; once. The error says why it did not go out.
pub fn send_now(app: &App, to: &str, subject: &str, body: &str) -> std::result::Result<(), String> {
    let url = app.config.smtp_url.as_ref().ok_or("there is no mail server")?;
    let mail = Mail {
        id: 0,
        uuid: uuid::Uuid::now_v7().to_string(),
        recipient: to.into(),
        subject: subject.into(),
        body: body.into(),
        created_at: 0,
        due_at: 0,
        attempts: 0,
        sent_at: None,
        error: None,
    };
    let from = sender(app).map_err(|error| error.explain())?;
    let message = message(&from, &mail).map_err(|(error, _)| error)?;
    let transport = transport(url, app.config.smtp_ca.as_deref()).map_err(|error| error.to_string())?;
    transport.send(&message).map(|_| ()).map_err(|error| error.to_string())
}

/// The mail, or why it can never be one.
fn message(from: &Mailbox, mail: &Mail) -> std::result::Result<Message, (String, bool)> {
    let to: Address = mail.recipient.parse().map_err(|_| ("the address is not one".to_owned(), true))?;
    Message::builder()
        .from(from.clone())
        .to(Mailbox::new(None, to))
        .subject(&mail.subject)
        .message_id(Some(format!("<{}@featured>", mail.uuid)))
        .header(ContentType::TEXT_PLAIN)
        .body(mail.body.clone())
        .map_err(|error| (error.to_string(), true))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn smtp_means_starttls_unless_less_is_asked_for() {
        assert_eq!(read_url("smtp://mail.example").unwrap().query(), Some("tls=required"));
        assert_eq!(read_url("smtp://mail.example:25?tls=none").unwrap().query(), Some("tls=none"));
        assert!(read_url("smtps://u:p%40@mail.example").is_ok());
        for wrong in ["http://mail.example", "smtp://", "mail.example", "smtp://mail.example?tls=maybe"] {
            assert!(read_url(wrong).is_err(), "{wrong}");
        }
        assert!(!read_url("smtp://u:hunter2@h?tls=x").unwrap_err().contains("hunter2"));
    }
}

//! Over HTTPS, as every receiver outside a test: only to whom a public authority vouches for, or one that the server
//! was told to trust.

use featured::config::Config;
use featured::jobs::Jobs;
use featured::net::tls::read_certificates;
use serde_json::{Value, json};

use super::receiver::Receiver;
use super::{until, webhook};
use crate::binary::{PROD, Place, text};
use crate::support::TestApp;
use crate::support::authority::authority;

/// Nothing but HTTPS; loopback, since the receivers are here; these certificates.
fn trusting(pem: &str) -> impl FnOnce(&mut Config) + use<> {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ca.pem");
    std::fs::write(&file, pem).unwrap();
    let trusted = read_certificates(&file).unwrap();
    |config| {
        config.webhook_allow_private = vec!["127.0.0.0/8".parse().unwrap()];
        config.webhook_ca = trusted;
    }
}

/// What came of a test of a webhook at this receiver.
async fn tried(app: &TestApp, receiver: &Receiver) -> Value {
    let made = webhook(app, &receiver.url(), json!({})).await;
    let path = format!("/api/v1/webhooks/{}:test", text(&made["id"]));
    app.editor().post(&path, json!({})).await.expect(200).body
}

#[actix_web::test]
async fn an_event_arrives_over_https_signed_and_once() {
    let authority = authority("127.0.0.1");
    let receiver = Receiver::secure(authority.config.clone());
    let app = TestApp::with(trusting(&authority.pem)).await;
    assert!(!app.app.config.dev, "HTTPS is all that is allowed");
    let made = webhook(&app, &receiver.url(), json!({})).await;
    assert!(text(&made["url"]).starts_with("https://"));
    let jobs = Jobs::start(&app.app).unwrap();
    app.feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": false})).await;
    until("the event", || (receiver.count() == 1).then_some(()));
    jobs.stop();
    let one = receiver.all().remove(0);
    assert_eq!(one.header("x-webhook-event"), Some("feature.created"));
    assert!(one.header("x-webhook-signature").is_some_and(|signature| signature.starts_with("sha256=")));
    assert_eq!(one.json()["data"]["feature"]["key"], "a");
    assert_eq!(receiver.count(), 1);
}

#[actix_web::test]
async fn whoever_shows_a_certificate_of_nobody_we_trust_gets_nothing() {
    let (ours, theirs, elsewhere) =
        (authority("127.0.0.1"), authority("127.0.0.1"), authority("other.example"));
    for (why, receiver, pem, words) in [
        ("another authority", &theirs, &ours.pem, "invalid peer certificate"),
        ("another name", &elsewhere, &elsewhere.pem, "not valid for"),
    ] {
        let receiver = Receiver::secure(receiver.config.clone());
        let app = TestApp::with(trusting(pem)).await;
        let tried = tried(&app, &receiver).await;
        assert_eq!((&tried["outcome"], &tried["status"]), (&json!("failed"), &Value::Null), "{why}: {tried}");
        assert!(text(&tried["error"]).contains(words), "{why}: {tried}");
        assert_eq!(receiver.count(), 0, "{why}");
    }
    // Without the option, the public authorities alone.
    let receiver = Receiver::secure(ours.config.clone());
    let app = TestApp::with(|config| {
        config.webhook_allow_private = vec!["127.0.0.0/8".parse().unwrap()];
    })
    .await;
    assert!(text(&tried(&app, &receiver).await["error"]).contains("invalid peer certificate"));
    assert_eq!(receiver.count(), 0);
}

#[test]
fn the_built_binary_trusts_the_certificates_of_a_file() {
    let authority = authority("127.0.0.1");
    let receiver = Receiver::secure(authority.config.clone());
    let place = Place::shop();
    let file = place.file("ca.pem", &authority.pem);
    let file = file.to_str().unwrap();
    let server = place.serve_with(&["--webhook-allow-private", "127.0.0.0/8", "--webhook-ca-file", file]);
    let body = json!({"siteId": "shop", "url": receiver.url(), "events": ["feature.updated"]});
    server.admin().post("/api/v1/webhooks", &body).expect(201);
    let plain = json!({"siteId": "shop", "url": "http://127.0.0.1:1/", "events": ["feature.updated"]});
    server.admin().post("/api/v1/webhooks", &plain).expect(422);
    server
        .admin()
        .patch(&format!("{PROD}/features/greeting"), &json!({"defaultValue": "over TLS"}))
        .expect(200);
    until("the event", || (receiver.count() == 1).then_some(()));
    assert_eq!(receiver.all()[0].json()["data"]["feature"]["defaultValue"], "over TLS");
    assert_eq!(server.terminate().code(), Some(0));
}

#[test]
fn a_file_without_certificates_is_wrong_usage() {
    let place = Place::shop();
    for (content, words) in [
        ("", "holds no certificate"),
        ("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n", "certificate 1"),
    ] {
        let file = place.file("ca.pem", content);
        let line = place.run(["serve", "--webhook-ca-file", file.to_str().unwrap()]).failed(2);
        assert!(line.contains("--webhook-ca-file") && line.contains(words), "{line}");
    }
    let line = place.run(["serve", "--webhook-timeout", "21"]).failed(2);
    assert!(line.contains("from 1 to 20"), "{line}");
}

//! A Fastly cache in front is told which environment has changed; a stand-in for Fastly's API listens on loopback.

use std::collections::BTreeSet;
use std::sync::Arc;

use featured::config::{Config, Fastly, SecretKey};
use featured::jobs::Jobs;
use serde_json::json;

use crate::binary::Place;
use crate::support::{PROD, TestApp};
use crate::webhooks::receiver::{Do, Receiver};
use crate::webhooks::{loopback, until};

fn told_to(port: u16) -> impl FnOnce(&mut Config) {
    move |config| {
        loopback(config);
        config.featurehub.fastly = true;
        config.featurehub.purges = Some(Arc::new(Fastly {
            api: format!("http://127.0.0.1:{port}"),
            service: "SU1Z0isxPaozGVKXdv0eY".into(),
            key: SecretKey("a key of Fastly's".into()),
        }));
    }
}

async fn path_of(app: &TestApp, environment: &str) -> String {
    let id = app.viewer().get(environment).await.expect(200).body["id"].clone();
    format!("/service/SU1Z0isxPaozGVKXdv0eY/purge/{}", id.as_str().expect("an id"))
}

#[actix_web::test]
async fn each_change_purges_its_environment_until_that_succeeds() {
    // The first purge fails.
    let fastly = Receiver::new(|_, before| if before == 0 { Do::Answer(503) } else { Do::Answer(200) });
    let app = TestApp::with(told_to(fastly.port)).await;
    let dev = "/api/v1/sites/shop/environments/dev";
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "dev"})).await.expect(201);
    let (prod_path, dev_path) = (path_of(&app, PROD).await, path_of(&app, dev).await);
    let jobs = Jobs::start(&app.app).expect("threads");
    // Everything once, since nobody knows what was purged before: at first one of them fails.
    until("every environment", || (fastly.count() == 3).then_some(()));
    let all = fastly.all();
    let paths: BTreeSet<_> = all.iter().map(|one| one.path.clone()).collect();
    assert_eq!(paths, BTreeSet::from([prod_path.clone(), dev_path.clone()]));
    assert_eq!(all[0].header("fastly-key"), Some("a key of Fastly's"));
    assert_eq!(all[0].body, "");

    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    until("the purge of prod", || (fastly.count() == 4).then_some(()));
    assert_eq!(fastly.all()[3].path, prod_path);
    // What nobody is told of is no reason to forget anything.
    app.editor().patch("/api/v1/sites/shop", json!({"description": "x"})).await.expect(200);
    // Whoever's key was revoked is not served from the cache either.
    let key =
        app.editor().post(&format!("{PROD}/tokens"), json!({"description": "k", "kind": "server"})).await;
    until("new keys", || (fastly.count() == 6).then_some(()));
    let token = format!("{PROD}/tokens/{}", key.expect(201).body["id"].as_str().expect("an id"));
    app.editor().delete(&token).await.expect(204);
    until("revoked keys", || (fastly.count() == 8).then_some(()));
    app.editor().delete(dev).await.expect(204);
    until("an environment that is gone", || {
        fastly.all()[8..].iter().any(|one| one.path == dev_path).then_some(())
    });
    jobs.stop();
}

#[test]
fn the_built_binary_purges_and_refuses_half_a_setting() {
    let fastly = Receiver::that(Do::Answer(200));
    let place = Place::shop();
    let api = format!("http://127.0.0.1:{}", fastly.port);
    let more = ["--dev", "--webhook-allow-private", "127.0.0.0/8", "--featurehub-fastly-api", &api];
    let purging = ["--featurehub-fastly-service", "abc123", "--featurehub-fastly-key", "k"];
    let server = place.serve_with(&[more.as_slice(), &purging].concat());
    until("every environment", || (fastly.count() >= 2).then_some(()));
    let before = fastly.count();
    let path = format!("{}/features/greeting", crate::binary::PROD);
    server.admin().patch(&path, &json!({"defaultValue": "new"})).expect(200);
    until("a purge", || (fastly.count() > before).then_some(()));
    assert!(fastly.all().last().is_some_and(|one| one.path.starts_with("/service/abc123/purge/")));
    assert_eq!(server.terminate().code(), Some(0));
    for (args, words) in [
        (vec!["--featurehub-fastly-service", "abc"], "both"),
        (vec!["--featurehub-fastly-key", "abc"], "both"),
        (vec!["--featurehub-fastly-key", "k", "--featurehub-fastly-service", "a/b"], "letters and digits"),
        ([purging.as_slice(), &["--featurehub-fastly-api", "http://fastly.example"]].concat(), "https://"),
    ] {
        let line = place.run([&["serve"], args.as_slice()].concat()).failed(2);
        assert!(line.contains(words), "{line}");
    }
}

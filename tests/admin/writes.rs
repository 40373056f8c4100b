//! Writing: read your own write, lose nobody's, and leave nothing behind when refused.

use std::collections::HashSet;
use std::sync::Arc;

use featured::admin::features::{self, Target};
use featured::app::Actor as Author;
use futures_util::future::join_all;
use serde_json::json;

use super::{feature_path, plain, rule};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn a_reply_comes_after_the_change_is_served() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    app.feature(json!({"key": "a", "type": "NUMBER", "defaultValue": 0})).await;
    let sdk = app.sdk();
    for number in 1..=50 {
        app.editor().patch(&feature_path("a"), json!({"defaultValue": number})).await.expect(200);
        let evaluated = sdk.post("/api/v1/evaluate", json!({})).await.expect(200);
        assert_eq!(evaluated.body["features"]["a"]["value"], number);
        assert_eq!(evaluated.body["features"]["a"]["version"], number + 1);
        let read = app.viewer().get(&feature_path("a")).await.expect(200);
        assert_eq!(read.body["defaultValue"], number);
    }
}

#[actix_web::test]
async fn requests_that_write_at_the_same_time_lose_nothing() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    let editor = app.editor();
    let path = format!("{}/rules", feature_path("a"));
    let revision = app.revision("prod");
    let posts = (0..40).map(|number| editor.post(&path, rule(&format!("r{number}"), 50)));
    let replies = join_all(posts.collect::<Vec<_>>()).await;
    let mut etags = HashSet::new();
    for reply in &replies {
        assert_eq!(reply.status, 201, "{}", reply.text);
        etags.insert(reply.header("etag").expect("a version").to_owned());
    }
    assert_eq!(etags.len(), 40, "each write had a version of its own");
    let feature = app.viewer().get(&feature_path("a")).await.expect(200).body;
    assert_eq!(feature["version"], 41);
    let names: HashSet<_> =
        feature["rules"].as_array().expect("rules").iter().map(|r| r["name"].to_string()).collect();
    assert_eq!(names.len(), 40);
    assert_eq!(app.revision("prod"), revision + 40);
    let served = app.server_sdk().get(&format!("{PROD}/ruleset")).await.expect(200).body;
    assert_eq!(served["features"][0], feature);
}

#[actix_web::test]
async fn of_writers_with_the_same_if_match_one_wins() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    let editor = app.editor();
    let patches = (0..10).map(|number| {
        let body = json!({"description": number.to_string()});
        editor.ask("PATCH", &feature_path("a")).header("if-match", "\"1\"").json(&body).send()
    });
    let mut statuses: Vec<u16> =
        join_all(patches.collect::<Vec<_>>()).await.iter().map(|reply| reply.status).collect();
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 412, 412, 412, 412, 412, 412, 412, 412, 412]);
}

#[actix_web::test]
async fn threads_that_write_beside_each_other_lose_nothing() {
    let app = TestApp::new().await;
    for key in ["one", "two"] {
        app.feature(plain(key)).await;
    }
    let app_of_threads = Arc::clone(&app.app);
    std::thread::scope(|scope| {
        for thread in 0..8 {
            let app = &app_of_threads;
            scope.spawn(move || {
                let author = Author::system(&format!("thread {thread}"));
                for number in 0..10 {
                    let key = if (thread + number) % 2 == 0 { "one" } else { "two" };
                    let target = Target {
                        site: "shop".into(),
                        environment: "prod".into(),
                        key: key.into(),
                        expected: None,
                    };
                    let body = rule(&format!("{thread}-{number}"), 50).to_string();
                    let (feature, rule) =
                        features::create_rule(app, &author, &target, &body).expect("a rule");
                    let environments = app.live.environments();
                    let snapshot = environments[0].snapshot();
                    let served = snapshot.feature(key).expect("served");
                    assert!(served.stored.version >= feature.version, "read your own write");
                    assert!(served.definition().rules.iter().any(|one| one.id == rule.id));
                }
            });
        }
    });
    let mut rules = 0;
    for key in ["one", "two"] {
        let feature = app.viewer().get(&feature_path(key)).await.expect(200).body;
        rules += feature["rules"].as_array().expect("rules").len();
    }
    assert_eq!(rules, 80);
}

#[actix_web::test]
#[allow(clippy::await_holding_lock, reason = "that nobody waits for the writer is what is tested")]
async fn reading_goes_on_while_somebody_writes() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    app.feature(plain("a")).await;
    let (sdk, viewer) = (app.sdk(), app.viewer());
    let held = app.app.store.writer();
    sdk.post("/api/v1/evaluate", json!({})).await.expect(200);
    viewer.get(&feature_path("a")).await.expect(200);
    drop(held);
}

#[actix_web::test]
async fn a_change_survives_a_restart() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": true, "rules": [rule("SE", 50)]}))
        .await;
    let revision = app.revision("prod");
    let again = featured::app::App::open(app.app.config.clone()).expect("the same file");
    let environments = again.live.environments();
    let snapshot = environments[0].snapshot();
    assert_eq!(snapshot.revision, revision);
    assert_eq!(snapshot.feature("a").expect("served").definition().rules.len(), 1);
    assert!(again.live.credentials.personal("alm_pat_x", again.now()).is_none());
}

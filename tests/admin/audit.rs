//! The audit trail: one row per change, chained, and nothing without one.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use super::{feature_path, plain, rule};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn every_write_leaves_one_row_per_change_and_its_event() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let shop = "/api/v1/sites/shop";
    let a = feature_path("a");
    let mut ids: Vec<(&str, String)> = Vec::new();
    for (method, path, body, rows) in [
        (
            "POST",
            "/api/v1/sites".to_owned(),
            json!({"name": "Two"}),
            vec!["site created", "environment created environment.created"],
        ),
        ("PATCH", "/api/v1/sites/two".into(), json!({"name": "2"}), vec!["site updated"]),
        ("PUT", "/api/v1/sites/two/owner".into(), json!({"userId": "vera"}), vec!["site updated"]),
        ("DELETE", "/api/v1/sites/two".into(), json!(null), vec!["site deleted"]),
        (
            "POST",
            format!("{shop}/environments"),
            json!({"name": "dev"}),
            vec!["environment created environment.created"],
        ),
        (
            "PATCH",
            format!("{shop}/environments/dev"),
            json!({"tags": ["x"]}),
            vec!["environment updated environment.updated"],
        ),
        (
            "DELETE",
            format!("{shop}/environments/dev"),
            json!(null),
            vec!["environment deleted environment.deleted"],
        ),
        (
            "POST",
            format!("{shop}/segments"),
            json!({"key": "s", "conditions": {"all": []}}),
            vec!["segment created"],
        ),
        ("PATCH", format!("{shop}/segments/s"), json!({"name": "x"}), vec!["segment updated"]),
        ("DELETE", format!("{shop}/segments/s"), json!(null), vec!["segment deleted"]),
        ("POST", format!("{PROD}/features"), plain("a"), vec!["feature created feature.created"]),
        (
            "PATCH",
            a.clone(),
            json!({"enabled": false, "rules": [rule("SE", 50)]}),
            vec!["feature updated feature.updated"],
        ),
        ("POST", format!("{a}/rules"), rule("NO", 50), vec!["rule created rule.created"]),
        (
            "PATCH",
            format!("{a}/rules/{{rule}}"),
            json!({"enabled": false}),
            vec!["rule updated rule.updated"],
        ),
        (
            "POST",
            format!("{a}/variants"),
            json!({"key": "v", "value": true}),
            vec!["feature updated feature.updated"],
        ),
        (
            "PATCH",
            format!("{a}/variants/v"),
            json!({"value": false}),
            vec!["feature updated feature.updated"],
        ),
        ("DELETE", format!("{a}/variants/v"), json!(null), vec!["feature updated feature.updated"]),
        ("DELETE", format!("{a}/rules/{{rule}}"), json!(null), vec!["rule deleted rule.deleted"]),
        ("POST", format!("{a}:revert"), json!({"version": 1}), vec!["feature reverted feature.updated"]),
        ("PUT", a.clone(), json!({"type": "STRING"}), vec!["feature updated feature.updated"]),
        ("PATCH", a.clone(), json!({"locked": true}), vec!["feature updated feature.updated"]),
        ("PATCH", a.clone(), json!({"locked": false}), vec!["feature updated feature.updated"]),
        ("DELETE", a.clone(), json!(null), vec!["feature deleted feature.deleted"]),
        (
            "POST",
            format!("{PROD}/tokens"),
            json!({"description": "t", "kind": "client"}),
            vec!["token created token.created"],
        ),
        (
            "PATCH",
            format!("{PROD}/tokens/{{token}}"),
            json!({"description": "u"}),
            vec!["token updated token.updated"],
        ),
        ("POST", format!("{PROD}/tokens/{{token}}:rotate"), json!({}), vec!["token rotated token.updated"]),
        ("DELETE", format!("{PROD}/tokens/{{token}}"), json!(null), vec!["token revoked token.deleted"]),
        (
            "POST",
            format!("{shop}/import"),
            json!({"version": 1, "site": {"slug": "shop", "name": "Shop!"}, "environments": [
                {"name": "prod", "tags": ["production"], "features": [plain("a"), plain("b")], "contexts": [{"key": "c"}]}]}),
            vec![
                "site updated",
                "feature created feature.created",
                "feature created feature.created",
                "context created context.created",
                "site imported",
            ],
        ),
    ] {
        let path = ids.iter().fold(path, |path, (name, id)| path.replace(name, id));
        let count = app.changes().len();
        let ask = editor.ask(method, &path);
        let reply = if body.is_null() { ask.send().await } else { ask.json(&body).send().await };
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.text);
        let written: Vec<String> = app.changes()[count..]
            .iter()
            .map(|change| {
                [Some(change.what()), change.event.clone()]
                    .into_iter()
                    .flatten()
                    .collect::<Vec<_>>()
                    .join(" ")
            })
            .collect();
        assert_eq!(written, rows, "{method} {path}");
        for change in &app.changes()[count..] {
            assert_eq!((change.actor.as_str(), change.address.as_deref()), ("eddie", Some("192.0.2.1")));
            assert!(!change.summary.is_empty() && !change.key.is_empty());
        }
        let id = |name| (name, reply.body["id"].as_str().expect("an id").to_owned());
        match rows[0] {
            "rule created rule.created" => ids.push(id("{rule}")),
            "token created token.created" => ids.push(id("{token}")),
            _ => {}
        }
    }
    verify_chain(&app);
}

#[actix_web::test]
async fn rows_tell_before_and_after() {
    let app = TestApp::new().await;
    let before = app.feature(plain("a")).await;
    let after = app.editor().patch(&feature_path("a"), json!({"enabled": false})).await.expect(200).body;
    app.editor().delete(&feature_path("a")).await.expect(204);
    let changes = app.changes();
    let [made, changed, deleted] = changes.last_chunk().expect("three changes");
    assert_eq!(made.payload, json!({"before": null, "after": before}));
    assert_eq!(changed.payload, json!({"before": before, "after": after}));
    assert_eq!(deleted.payload, json!({"before": after, "after": null}));
    assert_eq!([made.version, changed.version, deleted.version], [Some(1), Some(2), Some(3)]);
    assert_eq!(changed.summary, "a: enabled true → false");
}

#[actix_web::test]
async fn what_changes_nothing_is_not_recorded() {
    let app = TestApp::new().await;
    let made = app
        .feature(json!({"key": "a", "type": "BOOLEAN", "defaultValue": false, "rules": [rule("SE", 50)]}))
        .await;
    let editor = app.editor();
    editor
        .post("/api/v1/sites/shop/segments", json!({"key": "s", "conditions": {"all": []}}))
        .await
        .expect(201);
    let id = made["rules"][0]["id"].as_str().expect("an id");
    let token = editor
        .post(&format!("{PROD}/tokens"), json!({"description": "t", "kind": "client"}))
        .await
        .expect(201);
    let token = token.body["id"].as_str().expect("an id");
    let before = app.dump();
    let revision = app.revision("prod");
    for (method, path, body) in [
        ("PATCH", "/api/v1/sites/shop".to_owned(), json!({"name": "Shop"})),
        ("PATCH", PROD.into(), json!({"status": "active"})),
        ("PATCH", "/api/v1/sites/shop/segments/s".into(), json!({"name": "s"})),
        ("PATCH", feature_path("a"), json!({"enabled": true})),
        ("PATCH", format!("{}/rules/{id}", feature_path("a")), json!({"enabled": true})),
        ("POST", format!("{}/rules:reorder", feature_path("a")), json!({"ids": [id]})),
        ("POST", format!("{}:revert", feature_path("a")), json!({"version": 1})),
        ("PATCH", format!("{PROD}/tokens/{token}"), json!({"description": "t"})),
    ] {
        let reply = editor.ask(method, &path).json(&body).send().await;
        assert_eq!(reply.status, 200, "{method} {path}: {}", reply.text);
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
    assert_eq!(app.revision("prod"), revision);
}

#[actix_web::test]
async fn the_revision_grows_by_one_with_each_change_that_clients_can_see() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let a = feature_path("a");
    let shop = "/api/v1/sites/shop";
    editor.post(&format!("{shop}/environments"), json!({"name": "dev"})).await.expect(201);
    for (method, path, body, steps) in [
        ("POST", format!("{PROD}/features"), plain("a"), 1),
        ("PATCH", a.clone(), json!({"enabled": false}), 1),
        ("POST", format!("{a}/variants"), json!({"key": "v", "value": true}), 1),
        ("PATCH", PROD.to_owned(), json!({"description": "x"}), 0),
        ("PATCH", PROD.to_owned(), json!({"status": "maintenance"}), 1),
        ("PATCH", PROD.to_owned(), json!({"status": "active"}), 1),
        ("PATCH", PROD.to_owned(), json!({"userIdIsContextKey": false}), 1),
        ("PATCH", shop.to_owned(), json!({"name": "x"}), 0),
        ("PATCH", shop.to_owned(), json!({"slug": "store"}), 1),
        ("PATCH", "/api/v1/sites/store".to_owned(), json!({"slug": "shop"}), 1),
        ("POST", format!("{shop}/segments"), json!({"key": "s", "conditions": {"all": []}}), 1),
        ("POST", format!("{PROD}/tokens"), json!({"description": "t", "kind": "client"}), 0),
        ("POST", format!("{shop}/environments/dev/features"), plain("a"), 0),
        ("DELETE", a.clone(), json!(null), 1),
    ] {
        let before = live_revision(&app);
        let ask = editor.ask(method, &path);
        let reply = if body.is_null() { ask.send().await } else { ask.json(&body).send().await };
        assert!((200..300).contains(&reply.status), "{method} {path}: {}", reply.text);
        assert_eq!(live_revision(&app), before + steps, "{method} {path}");
        let recorded = app.changes().pop().expect("a change").revision;
        if path.starts_with(PROD) {
            assert_eq!(recorded, (steps > 0).then_some(before + steps), "{method} {path}");
        }
    }
}

/// The revision that clients of prod see, which must be the stored one.
fn live_revision(app: &TestApp) -> u64 {
    let environments = app.app.live.environments();
    let prod = environments.iter().find(|one| &*one.snapshot().info.name == "prod").expect("prod");
    let conn = app.app.store.read().expect("a connection");
    let stored: u64 = conn
        .query_row("SELECT revision FROM environments WHERE id = ?1", [prod.id], |row| row.get(0))
        .expect("a row");
    assert_eq!(prod.snapshot().revision, stored);
    stored
}

/// Works the chain out anew from the rows alone: each hash covers the one before and every column but the
/// payload, and the digest of salt and payload.
fn verify_chain(app: &TestApp) {
    type Column = Option<Vec<u8>>;
    let conn = app.app.store.read().expect("a connection");
    let mut statement = conn
        .prepare(
            "SELECT number, at, actor_kind, actor_id, actor, address, site, environment, entity, entity_id,
                    entity_key, action, summary, feature, touched, version, environment_id, revision, payload, salt,
                    digest, previous, hash
               FROM changes ORDER BY number",
        )
        .expect("SQL");
    let mut rows = statement.query([]).expect("rows");
    let (mut last, mut number) = (vec![0_u8; 32], 0_i64);
    while let Some(row) = rows.next().expect("a row") {
        number += 1;
        assert_eq!(row.get::<_, i64>(0).expect("a number"), number, "no gaps");
        let integer = |at: usize| -> Column {
            row.get::<_, Option<i64>>(at).expect("a number").map(|value| value.to_be_bytes().to_vec())
        };
        let text =
            |at: usize| -> Column { row.get::<_, Option<String>>(at).expect("text").map(String::into_bytes) };
        let blob = |at: usize| row.get::<_, Vec<u8>>(at).expect("bytes");
        let digest = Sha256::new()
            .chain_update(blob(19))
            .chain_update(text(18).expect("a payload"))
            .finalize()
            .to_vec();
        assert_eq!(blob(20), digest, "row {number}: the payload is the one that was digested");
        assert_eq!(blob(21), last, "row {number}: it continues the row before");
        let mut columns: Vec<Column> = vec![Some(last), integer(0), integer(1)];
        columns.extend((2..=14).map(text));
        columns.extend((15..=17).map(integer));
        columns.push(Some(digest));
        let mut hasher = Sha256::new();
        for column in columns {
            match column {
                None => hasher.update(0_u64.to_be_bytes()),
                Some(bytes) => {
                    hasher.update((bytes.len() as u64 + 1).to_be_bytes());
                    hasher.update(bytes);
                }
            }
        }
        last = blob(22);
        assert_eq!(last, hasher.finalize().to_vec(), "row {number}");
    }
    let head: (i64, Vec<u8>) = conn
        .query_row("SELECT number, hash FROM chain_head", [], |row| Ok((row.get(0)?, row.get(1)?)))
        .expect("a head");
    assert_eq!(head, (number, last), "the head is the last row");
}

#[actix_web::test]
async fn the_chain_holds_through_many_kinds_of_writers() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    app.import(
        json!({"version": 1, "site": {"slug": "new", "name": "New"}, "environments": [{"name": "e"}]}),
    );
    app.admin().delete("/api/v1/sites/new").await.expect(204);
    app.contexts(json!([{"key": "ana", "features": {"a": "yes"}}]));
    app.editor().delete(&format!("{}?force=true", feature_path("a"))).await.expect(204);
    let refused: Value = json!({"key": "a b", "type": "BOOLEAN"});
    app.editor().post(&format!("{PROD}/features"), refused).await.refused(422, "invalid");
    verify_chain(&app);
}

//! What people may ask of their data: to see it, and to be forgotten; and an audit trail that can be checked all the
//! same.

use featured::admin::gdpr;
use featured::app::Actor as Author;
use featured::engine::permission::Role;
use featured::jobs;
use featured::store::{changes, mails};
use serde_json::{Value, json};

use crate::browser::{Server, between};
use crate::support::{PROD, TestApp, person};

const NAME: &str = "Zelda.Quist";
const EMAIL: &str = "zelda.quist@persons.example";

/// Makes a request of a person, and does it.
async fn done(app: &TestApp, kind: &str, user: &str) -> Value {
    let made =
        app.admin().post("/api/v1/gdpr/requests", json!({"type": kind, "user": user, "notes": "n"})).await;
    let made = made.expect(201).body;
    assert_eq!(made["status"], "pending");
    jobs::gdpr::run(&app.app).unwrap();
    let path = format!("/api/v1/gdpr/requests/{}", made["id"].as_str().unwrap());
    app.admin().get(&path).await.expect(200).body
}

fn verify(app: &TestApp) -> changes::Verification {
    app.app.read(changes::verify).unwrap()
}

#[actix_web::test]
async fn access_gives_a_sealed_file_for_thirty_days() {
    let app = TestApp::new().await;
    app.set_time("2026-01-31T12:00:00Z");
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    let eddie = app.app.read(|conn| featured::store::users::find(conn, "eddie")).unwrap();
    for role in ["viewer", "editor"] {
        app.admin().patch(&format!("/api/v1/users/{}", eddie.uuid), json!({"role": role})).await.expect(200);
    }
    for (kind, by) in [("access", "eddie"), ("portability", "eddie@shop.example")] {
        let request = done(&app, kind, by).await;
        assert_eq!(
            (&request["status"], &request["hasExport"]),
            (&json!("completed"), &json!(true)),
            "{request}"
        );
        assert_eq!((&request["user"], &request["requestedBy"]), (&json!("eddie"), &json!("ada")));
        assert_eq!(request["dueAt"], "2026-03-02T12:00:00.000Z");
        let path = format!("/api/v1/gdpr/requests/{}/download", request["id"].as_str().unwrap());
        let file = app.admin().get(&path).await.expect(200);
        assert!(file.header("content-disposition").unwrap().starts_with("attachment"));
        let file = file.body;
        assert_eq!(file["account"]["email"], "eddie@shop.example");
        assert_eq!(file["auditEntries"][0]["key"], "a", "{file}");
        let role = json!({"field": "role", "before": "viewer", "after": "editor"});
        assert_eq!(file["auditEntriesAboutThem"][0]["differences"], json!([role]), "{file}");
        for part in
            ["sitesOwned", "twoFactor", "trustedDevices", "gdprRequests", "sessions", "personalAccessTokens"]
        {
            assert!(!file[part].is_null(), "{part}");
        }
        assert!(!format!("{:?}", app.dump()).contains("generatedAt"), "sealed");
        assert_eq!(app.changes().pop().unwrap().what(), "gdpr request downloaded");
    }
    let mail = app.app.read(|conn| mails::list(conn, 9)).unwrap();
    assert_eq!(mail.iter().filter(|mail| mail.recipient == "eddie@shop.example").count(), 2);
    // After 30 days the files are gone.
    app.set_time("2026-03-03T12:00:00Z");
    featured::store::gdpr::prune_exports(&app.app.store.writer(), app.app.now() - gdpr::EXPORT).unwrap();
    let all = app.admin().get("/api/v1/gdpr/requests").await.expect(200).body;
    assert!(all["items"].as_array().unwrap().iter().all(|one| one["hasExport"] == false), "{all}");
    let path = format!("/api/v1/gdpr/requests/{}", all["items"][0]["id"].as_str().unwrap());
    app.admin().get(&format!("{path}/download")).await.refused(409, "no_export");
    app.admin().delete(&path).await.expect(204);
    app.admin().get(&path).await.refused(404, "not_found");
}

#[actix_web::test]
async fn what_cannot_be_asked_is_refused() {
    let app = TestApp::new().await;
    let ask = async |body: Value| app.admin().post("/api/v1/gdpr/requests", body).await;
    ask(json!({"type": "access"})).await.refused(422, "invalid");
    ask(json!({"type": "x", "user": "eddie"})).await.refused(422, "invalid");
    ask(json!({"type": "access", "user": "nobody"})).await.refused(422, "invalid");
    ask(json!({"type": "access", "user": "eddie", "x": 1})).await.refused(400, "unknown_field");
    ask(json!({"type": "erasure", "user": "ada"})).await.refused(409, "own_account");
    let path = "/api/v1/gdpr/requests";
    app.editor().get(path).await.refused(403, "forbidden");
    app.editor().post(path, json!({"type": "access", "user": "eddie"})).await.refused(403, "forbidden");
}

/// Everything that one person can leave behind.
async fn traces(app: &TestApp) -> String {
    app.app
        .write(&Author::system("test"), |tx| {
            let user = featured::store::users::insert(tx, NAME, EMAIL, Role::Editor, "no password", tx.now)?;
            Ok(featured::app::Written::nothing(user))
        })
        .unwrap();
    let pat = featured::admin::users::create_personal_token(
        &app.app,
        &Author::system("test"),
        NAME,
        "of Zelda.Quist",
    );
    let zelda = app.bearer(&pat.unwrap()).at("203.0.113.77");
    zelda
        .post("/api/v1/sites", json!({"name": "Hers", "description": "Ask zelda.quist about it"}))
        .await
        .expect(201);
    let rules = json!([{
        "name": "Me first", "outcome": {"value": 2},
        "when": {"attribute": "email", "operator": "in", "values": [EMAIL, "other@shop.example"]},
    }]);
    let feature = json!({
        "key": "hers", "type": "NUMBER", "defaultValue": 1.50, "rules": rules,
        "description": format!("Made by {NAME}, {EMAIL}."),
    });
    // As a number is written, which the JSON of this test cannot.
    let feature = feature.to_string().replace("\"defaultValue\":1.5,", "\"defaultValue\":1.50,");
    assert!(feature.contains("1.50"), "{feature}");
    let features = format!("{PROD}/features");
    zelda.ask("POST", &features).body("application/json", feature).send().await.expect(201);
    zelda.patch(&format!("{PROD}/features/hers"), json!({"tags": ["x"]})).await.expect(200);
    let segment =
        json!({"key": "s", "conditions": {"attribute": "email", "operator": "equals", "value": EMAIL}});
    zelda.post("/api/v1/sites/shop/segments", segment).await.expect(201);
    zelda
        .post(&format!("{PROD}/tokens"), json!({"description": "zelda.quist’s own", "kind": "client"}))
        .await
        .expect(201);
    let hook = json!({
        "siteId": "shop", "url": "https://hooks.invalid/x", "events": ["feature.updated"], "description": EMAIL,
    });
    let hook = zelda.post("/api/v1/webhooks", hook).await.expect(201).body;
    let test = format!("/api/v1/webhooks/{}:test", hook["id"].as_str().unwrap());
    zelda.post(&test, json!({})).await.expect(200);
    app.contexts(json!([
        {"key": EMAIL, "features": {"hers": 5}}, {"key": "zelda.quist", "features": {"hers": 6}},
        {"key": "team:blue", "prototypes": [EMAIL], "features": {"hers": 7}},
    ]));
    let user = app.app.read(|conn| featured::store::users::find(conn, NAME)).unwrap();
    app.app
        .write(&Author::system("test"), |tx| {
            for subject in ["user:zelda.quist", "address:203.0.113.77"] {
                featured::store::sessions::count_failure(tx, subject, 1000, tx.now)?;
            }
            mails::insert(tx, EMAIL, "Welcome", "Hello Zelda.Quist", tx.now)?;
            mails::insert(
                tx,
                "ada@shop.example",
                "About Zelda.Quist",
                "zelda.quist@persons.example wrote",
                tx.now,
            )?;
            Ok(featured::app::Written::nothing(()))
        })
        .unwrap();
    done(app, "access", EMAIL).await;
    user.uuid
}

/// The bytes of the database and its WAL, as text in small letters.
fn bytes(app: &TestApp) -> String {
    let db = &app.app.config.db;
    let read = |suffix: &str| std::fs::read(format!("{}{suffix}", db.display())).unwrap_or_default();
    let all = [read(""), read("-wal"), read("-journal")].concat();
    String::from_utf8_lossy(&all).to_lowercase()
}

#[actix_web::test]
async fn after_an_erasure_nothing_of_the_person_is_left_and_the_trail_can_be_checked() {
    let app = TestApp::new().await;
    let uuid = traces(&app).await;
    let before = bytes(&app);
    assert!(
        before.contains("zelda.quist") && before.contains("203.0.113.77"),
        "else this test finds nothing ever"
    );
    let entries = app.changes().len();
    assert!(verify(&app).ok);
    let revision = app.revision("prod");

    let request = done(&app, "erasure", &uuid).await;
    assert_eq!(request["status"], "completed", "{request}");
    let after = bytes(&app);
    for trace in ["zelda", "quist", "persons.example", "203.0.113.77"] {
        let at = after.find(trace);
        assert_eq!(
            at.map(|at| after[at.saturating_sub(80)..(at + 80).min(after.len())].to_owned()),
            None,
            "{trace}"
        );
    }
    // References are whole: what was hers is somebody's who says nothing.
    let alias = request["user"].as_str().unwrap().to_owned();
    assert!(alias.starts_with("erased-"), "{alias}");
    let feature = app.viewer().get(&format!("{PROD}/features/hers")).await.expect(200).body;
    assert_eq!(feature["updatedBy"], alias.as_str());
    assert_eq!(feature["description"], format!("Made by {alias}, {alias}@erased.invalid."));
    assert!(feature.to_string().contains("other@shop.example"), "{feature}");
    assert!(app.revision("prod") > revision, "clients read again");
    let user = app.app.read(|conn| featured::store::users::by_uuid(conn, &uuid)).unwrap();
    assert!(!user.active && user.username == alias && user.email == format!("{alias}@erased.invalid"));
    let history = app.viewer().get(&format!("{PROD}/features/hers/history")).await.expect(200).body;
    assert!(
        history["items"].as_array().unwrap().iter().all(|one| one["actor"] == alias.as_str()),
        "{history}"
    );
    assert!(history.to_string().contains("\"x\""), "what she did is still told: {history}");
    // Values stay as they were written.
    let revert =
        app.editor().post(&format!("{PROD}/features/hers:revert"), json!({"version": 1})).await.expect(200);
    assert!(revert.text.contains("\"defaultValue\":1.50"), "{}", revert.text);

    let found = verify(&app);
    assert!(found.ok, "{found:?}");
    assert!(found.rewritten >= 8 && found.entries as usize > entries, "{found:?}");
    let reply = app.admin().post("/api/v1/audit:verify", json!(null)).await.expect(200).body;
    assert_eq!(reply["ok"], true);
    app.editor().post("/api/v1/audit:verify", json!(null)).await.refused(403, "forbidden");
}

/// How many rows a table has.
fn rows(app: &TestApp, table: &str) -> i64 {
    let sql = format!("SELECT count(*) FROM {table}");
    app.app.store.read().unwrap().query_row(&sql, [], |row| row.get(0)).unwrap()
}

#[actix_web::test]
async fn earlier_names_and_addresses_are_erased_too_and_files_of_others_are_collected_again() {
    let app = TestApp::new().await;
    let theirs = app.bearer(&person(&app.app, "oldname-zq", Role::Admin));
    let features = format!("{PROD}/features");
    theirs.post(&features, json!({"key": "hers", "type": "BOOLEAN"})).await.expect(201);
    let user = app.app.read(|conn| featured::store::users::find(conn, "oldname-zq")).unwrap();
    let path = format!("/api/v1/users/{}", user.uuid);
    let change = json!({"username": "newname-zq", "email": "newmail-zq@corp.example"});
    app.admin().patch(&path, change).await.expect(200);
    theirs.patch(&format!("{features}/hers"), json!({"tags": ["x"]})).await.expect(200);
    let hook = json!({
        "siteId": "shop", "url": "https://hooks.invalid/x?to=newmail-zq%40corp.example", "events": ["feature.updated"],
    });
    let hook = app.admin().post("/api/v1/webhooks", hook).await.expect(201).body;
    app.contexts(json!([{"key": "OldName-zq", "features": {"hers": true}}]));
    let program = Author { role: Role::Admin, ..Author::token("t", "program of oldname-zq", None) };
    featured::admin::sites::create(&app.app, &program, r#"{"name": "By a program"}"#).unwrap();
    app.app
        .write(&Author::system("test"), |tx| {
            mails::insert(tx, "oldname-zq@shop.example", "Welcome", "Hello", tx.now)?;
            mails::insert(tx, "eddie@shop.example", "About oldname-zq", "newname-zq was there", tx.now)?;
            Ok(featured::app::Written::nothing(()))
        })
        .unwrap();
    // Ada's own data tells of the person whom she renamed.
    let other = done(&app, "access", "ada").await;
    let other = format!("/api/v1/gdpr/requests/{}", other["id"].as_str().unwrap());
    let file = app.admin().get(&format!("{other}/download")).await.expect(200).text;
    assert!(file.contains("newname-zq"), "{file}");

    let body = json!({"type": "erasure", "user": "newname-zq", "notes": "was oldname-zq once"});
    app.admin().post("/api/v1/gdpr/requests", body).await.expect(201);
    jobs::gdpr::run(&app.app).unwrap();
    let after = bytes(&app);
    for trace in ["oldname-zq", "newname-zq", "newmail-zq"] {
        let at = after.find(trace);
        let near = at.map(|at| after[at.saturating_sub(80)..(at + 80).min(after.len())].to_owned());
        assert_eq!(near, None, "{trace}");
    }
    assert!(verify(&app).ok);
    let hook =
        app.admin().get(&format!("/api/v1/webhooks/{}", hook["id"].as_str().unwrap())).await.expect(200);
    assert!(hook.text.contains("@erased.invalid"), "{}", hook.text);
    let told = app.admin().get(&other).await.expect(200).body;
    assert_eq!((&told["status"], &told["hasExport"]), (&json!("completed"), &json!(true)), "{told}");
    let file = app.admin().get(&format!("{other}/download")).await.expect(200).text;
    assert!(file.contains("erased-") && !file.contains("-zq"), "{file}");
    let mail = app.app.read(|conn| mails::list(conn, 9)).unwrap();
    assert_eq!(mail.iter().filter(|mail| mail.recipient == "ada@shop.example").count(), 1, "told once");
}

#[actix_web::test]
async fn a_name_that_somebody_else_has_by_now_stays_theirs() {
    let app = TestApp::new().await;
    let first = app.bearer(&person(&app.app, "sam-1", Role::Editor));
    let features = format!("{PROD}/features");
    first.post(&features, json!({"key": "a", "type": "BOOLEAN"})).await.expect(201);
    let user = app.app.read(|conn| featured::store::users::find(conn, "sam-1")).unwrap();
    let change = json!({"username": "sam-2", "email": "sam-2@shop.example"});
    app.admin().patch(&format!("/api/v1/users/{}", user.uuid), change).await.expect(200);
    let second = app.bearer(&person(&app.app, "sam-1", Role::Editor));
    let body = json!({"key": "b", "type": "BOOLEAN", "description": "ask sam-1, sam-1@shop.example"});
    second.post(&features, body.clone()).await.expect(201);
    done(&app, "erasure", "sam-2").await;
    let b = app.viewer().get(&format!("{features}/b")).await.expect(200).body;
    assert_eq!((&b["updatedBy"], &b["description"]), (&json!("sam-1"), &body["description"]));
    let actor = async |key: &str| {
        let history = app.viewer().get(&format!("{features}/{key}/history")).await.expect(200).body;
        history["items"][0]["actor"].as_str().unwrap().to_owned()
    };
    assert_eq!(actor("b").await, "sam-1");
    assert!(actor("a").await.starts_with("erased-"));
    assert!(verify(&app).ok);
}

#[actix_web::test]
async fn a_name_that_may_be_a_word_stays_in_what_others_wrote() {
    let app = TestApp::new().await;
    let theirs = app.bearer(&person(&app.app, "checkout", Role::Editor));
    person(&app.app, "Åsa.K", Role::Viewer);
    let features = format!("{PROD}/features");
    let text = "The new checkout page; ask checkout@shop.example or åsa.k";
    for (whose, key) in [(&app.editor(), "others"), (&theirs, "own")] {
        let body = json!({"key": key, "type": "BOOLEAN", "description": text});
        whose.post(&features, body).await.expect(201);
    }
    let checkout = done(&app, "erasure", "checkout").await["user"].as_str().unwrap().to_owned();
    let asa = done(&app, "erasure", "Åsa.K").await["user"].as_str().unwrap().to_owned();
    let description = async |key: &str| {
        let feature = app.viewer().get(&format!("{features}/{key}")).await.expect(200).body;
        feature["description"].as_str().unwrap().to_owned()
    };
    let rest = format!("page; ask {checkout}@erased.invalid or {asa}");
    assert_eq!(description("others").await, format!("The new checkout {rest}"));
    assert_eq!(description("own").await, format!("The new {checkout} {rest}"));
    let history = app.viewer().get(&format!("{features}/others/history")).await.expect(200).text;
    assert!(history.contains("The new checkout page"), "{history}");
    let after = bytes(&app);
    assert!(!after.contains("åsa.k") && !after.contains("checkout@"));
    assert!(verify(&app).ok);
}

#[actix_web::test]
async fn an_address_like_those_of_the_erased_spares_nobody_and_the_erased_have_nothing_to_ask_for() {
    let app = TestApp::new().await;
    person(&app.app, "sly", Role::Viewer);
    let sly = app.app.read(|conn| featured::store::users::find(conn, "sly")).unwrap();
    let path = format!("/api/v1/users/{}", sly.uuid);
    let reply = app.admin().patch(&path, json!({"email": "sly@Erased.invalid"})).await;
    reply.refused(422, "invalid");
    assert!(reply.text.contains("people who were erased"), "{}", reply.text);
    // From before that was refused.
    app.app
        .store
        .writer()
        .execute("UPDATE users SET email = 'sly@erased.invalid' WHERE username = 'sly'", [])
        .unwrap();
    let ask = async |kind: &str| {
        let body = json!({"type": kind, "user": sly.uuid});
        app.admin().post("/api/v1/gdpr/requests", body).await
    };
    let erasure = ask("erasure").await.expect(201).body;
    let waits = ask("access").await.expect(201).body;
    jobs::gdpr::run(&app.app).unwrap();
    let user = app.app.read(|conn| featured::store::users::by_uuid(conn, &sly.uuid)).unwrap();
    assert!(user.username.starts_with("erased-") && !user.active, "{user:?}");
    let status = async |request: &Value| {
        let path = format!("/api/v1/gdpr/requests/{}", request["id"].as_str().unwrap());
        app.admin().get(&path).await.expect(200).body
    };
    assert_eq!(status(&erasure).await["status"], "completed");
    let waited = status(&waits).await;
    assert_eq!(waited["status"], "failed");
    assert!(waited["error"].as_str().unwrap().contains("erased"), "{waited}");
    for kind in ["access", "portability", "erasure"] {
        ask(kind).await.refused(422, "invalid");
    }
    assert!(
        !app.app
            .read(|conn| mails::list(conn, 9))
            .unwrap()
            .iter()
            .any(|mail| mail.recipient.contains("erased"))
    );
}

#[actix_web::test]
async fn what_a_person_was_given_and_did_is_forgotten() {
    let app = TestApp::new().await;
    app.feature(json!({
        "key": "button", "type": "STRING", "defaultValue": "none",
        "variants": [{"key": "control", "value": "A"}, {"key": "new", "value": "B"}],
        "rules": [{"name": "Half", "outcome": {"split": [
            {"variant": "control", "weight": 50}, {"variant": "new", "weight": 50}]}}],
    }))
    .await;
    let count = async || {
        for user in ["vera", "vera@shop.example", "another"] {
            app.sdk().post("/api/v1/evaluate", json!({"context": {"userId": user}})).await.expect(200);
            app.sdk()
                .post("/api/v1/analytics/events", json!({"event": "e", "userId": user}))
                .await
                .expect(202);
        }
    };
    count().await;
    app.run_jobs();
    assert_eq!((rows(&app, "exposures"), rows(&app, "conversions")), (3, 3));
    // These wait to be written.
    count().await;
    done(&app, "erasure", "vera").await;
    app.run_jobs();
    assert_eq!((rows(&app, "exposures"), rows(&app, "conversions")), (1, 1));
}

#[actix_web::test]
async fn two_people_can_be_erased_one_of_whom_erased_the_other() {
    let app = TestApp::new().await;
    let uuid = traces(&app).await;
    let other = app.bearer(&person(&app.app, "morgan-le-fay", Role::Admin));
    let body = json!({"type": "erasure", "user": uuid, "notes": "by morgan-le-fay"});
    other.post("/api/v1/gdpr/requests", body).await.expect(201);
    jobs::gdpr::run(&app.app).unwrap();
    assert!(verify(&app).ok);
    let request = done(&app, "erasure", "morgan-le-fay").await;
    assert_eq!(request["status"], "completed", "{request}");
    let after = bytes(&app);
    assert!(!after.contains("morgan") && !after.contains("zelda"));
    let found = verify(&app);
    assert!(found.ok, "{found:?}");
}

#[actix_web::test]
async fn any_other_edit_of_the_trail_is_found() {
    let app = TestApp::new().await;
    let uuid = traces(&app).await;
    done(&app, "erasure", &uuid).await;
    let rewritten: i64 = {
        let conn = app.app.store.read().unwrap();
        conn.query_row("SELECT min(number) FROM changes WHERE actor LIKE 'erased-%'", [], |row| row.get(0))
            .unwrap()
    };
    for (edit, number) in [
        ("UPDATE changes SET actor = 'somebody' WHERE number = 3".to_owned(), 3),
        ("UPDATE changes SET at = at + 1 WHERE number = 3".to_owned(), 3),
        ("UPDATE changes SET summary = summary || '.' WHERE number = 3".to_owned(), 3),
        ("UPDATE changes SET payload = '{}' WHERE number = 3".to_owned(), 3),
        ("UPDATE changes SET hash = zeroblob(32) WHERE number = 3".to_owned(), 3),
        ("DELETE FROM changes WHERE number = 3".to_owned(), 4),
        // Also of what an erasure rewrote.
        (format!("UPDATE changes SET actor = 'somebody' WHERE number = {rewritten}"), rewritten),
        (format!("UPDATE changes SET payload = payload || ' ' WHERE number = {rewritten}"), rewritten),
        ("DELETE FROM changes WHERE number = (SELECT max(number) FROM changes)".to_owned(), 0),
        ("UPDATE chain_head SET hash = zeroblob(32)".to_owned(), 0),
        ("DELETE FROM chain_head".to_owned(), 0),
    ] {
        let mut writer = app.app.store.writer();
        let tx = writer.transaction().unwrap();
        tx.execute_batch(&edit).unwrap();
        let found = changes::verify(&tx).unwrap();
        assert!(!found.ok, "{edit}");
        if number > 0 {
            assert_eq!(found.problems[0].number, number, "{edit}: {found:?}");
        }
        tx.rollback().unwrap();
        drop(writer);
        assert!(verify(&app).ok);
    }
}

#[actix_web::test]
async fn a_request_that_was_cut_off_is_done_later_and_the_last_admin_stays() {
    let app = TestApp::new().await;
    app.set_time("2026-01-31T12:00:00Z");
    let uuid = traces(&app).await;
    let body = json!({"type": "erasure", "user": uuid});
    let made = app.admin().post("/api/v1/gdpr/requests", body).await.expect(201).body;
    // Somebody claimed it and died.
    let claimed = featured::store::gdpr::claim(&app.app.store.writer(), app.app.now(), 60_000).unwrap();
    assert!(claimed.is_some());
    jobs::gdpr::run(&app.app).unwrap();
    let path = format!("/api/v1/gdpr/requests/{}", made["id"].as_str().unwrap());
    assert_eq!(app.admin().get(&path).await.expect(200).body["status"], "pending");
    app.pass(std::time::Duration::from_secs(61));
    jobs::gdpr::run(&app.app).unwrap();
    assert_eq!(app.admin().get(&path).await.expect(200).body["status"], "completed");
    // Asked for while there were two, done when there is one.
    let ada = app.app.read(|conn| featured::store::users::find(conn, "ada")).unwrap();
    person(&app.app, "second", Role::Admin);
    let second = app.bearer(&person(&app.app, "third", Role::Admin));
    let made = second
        .post("/api/v1/gdpr/requests", json!({"type": "erasure", "user": "ada"}))
        .await
        .expect(201)
        .body;
    app.app
        .store
        .writer()
        .execute("UPDATE users SET active = 0 WHERE username IN ('second', 'third')", [])
        .unwrap();
    jobs::gdpr::run(&app.app).unwrap();
    let path = format!("/api/v1/gdpr/requests/{}", made["id"].as_str().unwrap());
    let failed = app.admin().get(&path).await.expect(200).body;
    assert_eq!(failed["status"], "failed");
    assert!(failed["error"].as_str().unwrap().contains("last administrator"), "{failed}");
    assert!(app.app.read(|conn| featured::store::users::by_uuid(conn, &ada.uuid)).unwrap().active);
}

#[actix_web::test]
async fn the_audit_log_is_read_with_filters() {
    let app = TestApp::new().await;
    app.feature(json!({"key": "a", "type": "BOOLEAN"})).await;
    app.editor().patch(&format!("{PROD}/features/a"), json!({"enabled": false})).await.expect(200);
    app.editor().post("/api/v1/sites", json!({"name": "Other"})).await.expect(201);
    let get = async |query: &str| app.viewer().get(&format!("/api/v1/audit?{query}")).await;
    assert_eq!(
        get("site=shop&env=prod&entity=feature").await.expect(200).items("action"),
        ["updated", "created"]
    );
    assert_eq!(get("actor=eddie&action=created&entity=site").await.expect(200).items("entityKey"), ["other"]);
    assert_eq!(get("q=enabled&action=updated").await.expect(200).items("entityKey"), ["a"]);
    assert_eq!(get("from=2100-01-01T00:00:00Z").await.expect(200).items("entity"), [""; 0]);
    assert_eq!(get("to=2000-01-01T00:00:00Z").await.expect(200).items("entity"), [""; 0]);
    let first = get("actor=eddie&limit=1").await.expect(200);
    assert_eq!(first.items("entity"), ["environment"]);
    let next = first.body["nextCursor"].as_str().unwrap().to_owned();
    let second = get(&format!("actor=eddie&limit=1&cursor={next}")).await.expect(200);
    assert_eq!(second.items("entity"), ["site"]);
    get("env=prod").await.refused(422, "invalid");
    get("from=yesterday").await.refused(422, "invalid");
    get("site=gone").await.refused(404, "not_found");
    get("x=1").await.refused(400, "unknown_parameter");
}

#[actix_web::test]
async fn a_person_asks_for_their_data_and_an_administrator_hands_it_out() {
    let server = Server::new();
    server.user("ada", Role::Admin);
    server.user("eddie", Role::Editor);
    let mut eddie = server.signed_in("eddie").await;
    let page = eddie.get("/account").await.body;
    assert!(page.contains("Ask for my data"), "{page}");
    assert_eq!(eddie.post("/account/data", &[]).await.status, 303);
    assert_eq!(server.number("SELECT count(*) FROM gdpr_requests WHERE status = 'pending'"), 1);
    eddie.post("/account/data", &[]).await;
    assert_eq!(server.number("SELECT count(*) FROM gdpr_requests"), 1, "one at a time");
    jobs::gdpr::run(&server.app).unwrap();
    assert!(server.mail_to("eddie@shop.example").unwrap().contains("data"));
    assert_eq!(eddie.get("/admin/gdpr").await.status, 403);
    let mut ada = server.signed_in("ada").await;
    let list = ada.get("/admin/gdpr").await.body;
    assert!(list.contains("eddie") && list.contains("Completed"), "{list}");
    let id = between(&list, "/admin/gdpr/", "/download").to_owned();
    let file = ada.get(&format!("/admin/gdpr/{id}/download")).await;
    assert!(file.body.contains("eddie@shop.example"), "{}", file.body);
    assert_eq!(eddie.get(&format!("/admin/gdpr/{id}/download")).await.status, 403);
    // An erasure is confirmed.
    ada.get("/admin/gdpr").await;
    let wrong = ada.post("/admin/gdpr", &[("type", "erasure"), ("user", "eddie"), ("confirm", "")]).await;
    assert_eq!(wrong.status, 422);
    let fields = [("type", "erasure"), ("user", "eddie@shop.example"), ("confirm", "eddie@shop.example")];
    assert_eq!(ada.post("/admin/gdpr", &fields).await.status, 422, "the user name is asked for");
    let fields = [("type", "erasure"), ("user", "eddie@shop.example"), ("confirm", "Eddie ")];
    for _ in 0..2 {
        let right = ada.post("/admin/gdpr", &fields).await;
        assert_eq!(right.status, 303, "{}", right.body);
    }
    // One of them is called off, which is asked first.
    let list = ada.get("/admin/gdpr").await.body;
    let pending = between(&list, "action=\"/admin/gdpr/", "/delete").to_owned();
    let asks = ada.post(&format!("/admin/gdpr/{pending}/delete"), &[]).await;
    assert!(asks.status == 200 && asks.body.contains("calls the erasure off"), "{}", asks.body);
    assert_eq!(server.number("SELECT count(*) FROM gdpr_requests"), 3);
    let fields = [("asked", "yes")];
    assert_eq!(ada.post(&format!("/admin/gdpr/{pending}/delete"), &fields).await.status, 303);
    assert_eq!(server.number("SELECT count(*) FROM gdpr_requests"), 2);
    jobs::gdpr::run(&server.app).unwrap();
    assert!(!eddie.is_in().await, "signed out");
    assert_eq!(ada.post(&format!("/admin/gdpr/{id}/delete"), &fields).await.status, 303);
}

//! `/sites`, `/sites/{site}`, `/sites/{site}/owner`.

use serde_json::{Value, json};

use super::{a_minute_later, follow, noon, pages, plain};
use crate::support::{PROD, TestApp};

const SITES: &str = "/api/v1/sites";

#[actix_web::test]
async fn a_new_site_has_an_environment_prod_and_its_maker_as_owner() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let reply = editor.post(SITES, json!({"name": "Web & App", "description": "Both"})).await.expect(201);
    assert_eq!(reply.header("location"), Some("/api/v1/sites/web-app"));
    assert_eq!(follow(&editor, &reply).await, reply.body);
    for (member, value) in [
        ("slug", json!("web-app")),
        ("name", json!("Web & App")),
        ("description", json!("Both")),
        ("createdAt", json!("2026-03-01T12:00:00.000Z")),
        ("updatedAt", json!("2026-03-01T12:00:00.000Z")),
    ] {
        assert_eq!(reply.body[member], value, "{member}");
    }
    assert_eq!(reply.body["owner"]["username"], "eddie");
    let environments = editor.get("/api/v1/sites/web-app/environments").await.expect(200);
    assert_eq!(environments.items("name"), ["prod"]);
    assert_eq!(environments.items("status"), ["active"]);
}

#[actix_web::test]
async fn a_slug_is_made_from_the_name_and_stays_unique() {
    let app = TestApp::new().await;
    for (name, slug) in [
        ("Blåbär & Co.", "blabar-co"),
        ("  --  ", "site"),
        ("日本", "site-2"),
        ("SHOP", "shop-2"),
        ("shop 2", "shop-2-2"),
        ("x".repeat(100).as_str(), "x".repeat(40).as_str()),
    ] {
        let reply = app.editor().post(SITES, json!({"name": name})).await;
        if name.trim().is_empty() {
            continue;
        }
        assert_eq!(reply.expect(201).body["slug"], slug, "{name}");
    }
    let chosen = app.editor().post(SITES, json!({"name": "Mine", "slug": "my-own-1"})).await.expect(201);
    assert_eq!(chosen.body["slug"], "my-own-1");
    let taken = app.editor().post(SITES, json!({"name": "Again", "slug": "my-own-1"})).await;
    taken.refused(409, "slug_taken");
}

#[actix_web::test]
async fn a_site_is_found_by_id_and_by_slug() {
    let app = TestApp::new().await;
    let by_slug = app.viewer().get("/api/v1/sites/shop").await.expect(200).body;
    let id = by_slug["id"].as_str().expect("an id").to_owned();
    assert_eq!(uuid::Uuid::parse_str(&id).expect("a UUID").get_version_num(), 7);
    assert_eq!(app.viewer().get(&format!("/api/v1/sites/{id}")).await.expect(200).body, by_slug);
    let environments = app.viewer().get(&format!("/api/v1/sites/{id}/environments")).await.expect(200);
    let prod = environments.body["items"][0]["id"].as_str().expect("an id").to_owned();
    let found = app.viewer().get(&format!("/api/v1/sites/{id}/environments/{prod}")).await.expect(200).body;
    assert_eq!(found["name"], "prod");
    app.viewer().get("/api/v1/sites/gone").await.refused(404, "not_found");
}

#[actix_web::test]
async fn sites_are_listed_by_name_page_by_page_and_found_by_words() {
    let app = TestApp::new().await;
    let editor = app.editor();
    for name in ["Delta", "Alpha", "Echo", "Bravo", "Echo"] {
        let body = json!({"name": name, "description": format!("The {name} one")});
        editor.post(SITES, body).await.expect(201);
    }
    let all = ["Alpha", "Bravo", "Delta", "Echo", "Echo", "Shop"];
    for limit in [1, 2, 3, 6, 500] {
        assert_eq!(pages(&app.viewer(), SITES, limit, "name").await, all, "limit {limit}");
    }
    assert_eq!(app.viewer().get(SITES).await.expect(200).items("name"), all);
    for (words, found) in [
        ("echo", vec!["Echo", "Echo"]),
        ("THE%20alpha", vec!["Alpha"]),
        ("echo-2", vec!["Echo"]),
        ("zulu", vec![]),
    ] {
        let reply = app.viewer().get(&format!("{SITES}?q={words}")).await.expect(200);
        assert_eq!(reply.items("name"), found, "{words}");
        assert_eq!(reply.body["nextCursor"], Value::Null);
    }
    assert_eq!(pages(&app.viewer(), &format!("{SITES}?q=echo"), 1, "slug").await, ["echo", "echo-2"]);
}

#[actix_web::test]
async fn a_patch_changes_what_it_names_and_a_read_site_can_be_sent_back() {
    let app = TestApp::new().await;
    noon(&app);
    let editor = app.editor();
    let made = editor.post(SITES, json!({"name": "One", "description": "first"})).await.expect(201).body;
    a_minute_later(&app);
    let unchanged = editor.patch("/api/v1/sites/one", made.clone()).await.expect(200).body;
    assert_eq!(unchanged, made, "nothing changed, not even the time");
    let renamed = editor.patch("/api/v1/sites/one", json!({"name": "Two"})).await.expect(200).body;
    assert_eq!((&renamed["name"], &renamed["slug"]), (&json!("Two"), &json!("one")));
    assert_eq!(renamed["description"], "first");
    assert_eq!(renamed["updatedAt"], "2026-03-01T12:01:00.000Z");
    let moved = editor.patch("/api/v1/sites/one", json!({"slug": "two"})).await.expect(200).body;
    assert_eq!(moved["slug"], "two");
    editor.get("/api/v1/sites/one").await.refused(404, "not_found");
    assert_eq!(editor.get("/api/v1/sites/two").await.expect(200).body, moved);
    editor.patch("/api/v1/sites/two", json!({"slug": "shop"})).await.refused(409, "slug_taken");
}

#[actix_web::test]
async fn a_site_is_deleted_with_everything_in_it() {
    let app = TestApp::new().await;
    app.feature(plain("a")).await;
    app.sdk();
    let segment = json!({"key": "s", "conditions": {"all": []}});
    app.editor().post("/api/v1/sites/shop/segments", segment).await.expect(201);
    app.editor().delete("/api/v1/sites/shop").await.expect(204);
    for path in ["/api/v1/sites/shop", PROD, "/api/v1/sites/shop/segments/s"] {
        app.viewer().get(path).await.refused(404, "not_found");
    }
    app.editor().delete("/api/v1/sites/shop").await.refused(404, "not_found");
    let dump = app.dump();
    for table in ["sites", "environments", "features", "rules", "segments", "tokens", "contexts"] {
        assert_eq!(dump.rows(table), 0, "{table}");
    }
    app.editor().post(SITES, json!({"name": "Shop"})).await.expect(201);
    assert_eq!(app.viewer().get(&format!("{PROD}/features")).await.expect(200).items("key"), [""; 0]);
}

#[actix_web::test]
async fn a_site_is_handed_over() {
    let app = TestApp::new().await;
    let editor = app.editor();
    let made = editor.post(SITES, json!({"name": "Mine"})).await.expect(201).body;
    assert_eq!(made["owner"]["username"], "eddie");
    let path = "/api/v1/sites/mine/owner";
    let given = editor.put(path, json!({"userId": "vera"})).await.expect(200).body;
    assert_eq!(given["owner"]["username"], "vera");
    assert_eq!(editor.get("/api/v1/sites/mine").await.expect(200).body, given);
    let id = made["owner"]["id"].clone();
    let back = editor.put(path, json!({"userId": id})).await.expect(200).body;
    assert_eq!(back["owner"], made["owner"]);
    let unknown = editor.put(path, json!({"userId": "nobody"})).await;
    unknown.refused(422, "invalid");
    assert_eq!(unknown.fields(), ["userId"]);
}

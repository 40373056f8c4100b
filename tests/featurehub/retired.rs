//! Retired features: FeatureHub's clients are not told of them, and nobody else notices.

use serde_json::json;

use super::{features, furnish, path_of, poll};
use crate::browser::{Server, between};
use crate::support::{PROD, TestApp};

#[actix_web::test]
async fn a_retired_feature_leaves_lists_and_streams_and_comes_back_with_a_higher_version() {
    let app = TestApp::new().await;
    furnish(&app).await;
    let (client, server) = (app.featurehub_key(true, &[]), app.featurehub_key(false, &[]));
    let who = app.anonymous();
    let mut streams = Vec::new();
    for key in [&client, &server] {
        let mut stream = who.ask("GET", &format!("/features/{key}")).open().await;
        stream.next().await;
        assert_eq!(stream.next().await.data.as_array().expect("a list").len(), 5);
        streams.push(stream);
    }
    let before = who.get(&poll(&[&client])).await.expect(200);
    let etag = before.header("etag").expect("a tag").to_owned();
    let version = features(&who, &client, "").await["FLAG"]["version"].as_u64().expect("a version");

    let retired = app.editor().patch(&path_of("FLAG"), json!({"retired": true})).await.expect(200).body;
    assert_eq!(retired["retired"], true);
    for key in [&client, &server] {
        let told = features(&who, key, "country=turkey").await;
        assert_eq!((told.get("FLAG"), told.as_object().expect("features").len()), (None, 4));
    }
    who.ask("GET", &poll(&[&client])).header("if-none-match", &etag).send().await.expect(200);
    let mut gone = 0;
    for stream in &mut streams {
        let event = stream.next().await;
        assert_eq!((event.name.as_str(), &event.data["key"]), ("delete_feature", &json!("FLAG")));
        gone = event.data["version"].as_u64().expect("a version");
        assert!(gone > version);
    }
    // What happens to it meanwhile is nobody's business; the next thing they hear is of another feature.
    app.editor().patch(&path_of("FLAG"), json!({"defaultValue": true})).await.expect(200);
    app.editor().patch(&path_of("TEXT"), json!({"defaultValue": "x"})).await.expect(200);
    for stream in &mut streams {
        assert_eq!(stream.next().await.data["key"], "TEXT");
    }

    app.editor().patch(&path_of("FLAG"), json!({"retired": false})).await.expect(200);
    for stream in &mut streams {
        let event = stream.next().await;
        assert_eq!((event.name.as_str(), &event.data["key"]), ("feature", &json!("FLAG")));
        assert_eq!(event.data["value"], true);
        assert!(event.data["version"].as_u64().expect("a version") > gone);
    }
    assert_eq!(features(&who, &client, "").await["FLAG"]["value"], true);
}

#[actix_web::test]
async fn people_are_counted_beside_a_retired_feature() {
    let app = TestApp::new().await;
    furnish(&app).await;
    app.editor().patch(&path_of("FLAG"), json!({"retired": true})).await.expect(200);
    let key = app.featurehub_key(false, &[]);
    for person in ["ana", "ben", "ana"] {
        features(&app.anonymous(), &key, &format!("userkey={person}")).await;
    }
    app.run_jobs();
    let asked = "/api/v1/analytics/summary?site=shop&env=prod&feature=TEXT";
    let summary = app.viewer().get(asked).await.expect(200).body;
    assert_eq!((&summary["evaluations"], &summary["uniqueUsers"]), (&json!(3), &json!(2)));
}

#[actix_web::test]
async fn other_doors_and_the_test_client_go_on_with_a_retired_feature() {
    let app = TestApp::new().await;
    furnish(&app).await;
    app.editor().patch(&path_of("TEXT"), json!({"retired": true})).await.expect(200);
    let evaluated = app.sdk().post("/api/v1/evaluate", json!({})).await.expect(200).body;
    assert_eq!(evaluated["features"]["TEXT"]["value"], "a \"b\"");
    app.sdk().post("/ofrep/v1/evaluate/flags/TEXT", json!({"context": {}})).await.expect(200);
    let (key, who) = (app.featurehub_key(true, &["CHANGE_VALUE"]), app.anonymous());
    who.put(&format!("/features/{key}/TEXT"), json!({"value": "y"})).await.expect(201);
    assert!(features(&who, &key, "").await.get("TEXT").is_none());
    let evaluated = app.sdk().post("/api/v1/evaluate", json!({})).await.expect(200).body;
    assert_eq!(evaluated["features"]["TEXT"]["value"], "y");
}

#[actix_web::test]
async fn retiring_is_a_change_like_any_other() {
    let app = TestApp::new().await;
    furnish(&app).await;
    // Cannot be expressed for clients that evaluate by themselves, which is no matter once it is retired.
    let when = json!({"attribute": "a", "operator": "exists"});
    let rule = json!({"name": "r", "when": when, "outcome": {"value": "x"}});
    app.feature(json!({"key": "ODD", "type": "STRING", "rules": [rule]})).await;
    let compatibility = format!("{PROD}/compatibility");
    let left_out = async || app.viewer().get(&compatibility).await.expect(200).body["items"].clone();
    assert_eq!(left_out().await[0]["feature"], "ODD");
    app.editor().patch(&path_of("ODD"), json!({"retired": true})).await.expect(200);
    assert_eq!(left_out().await, json!([]));

    let history = app.viewer().get(&format!("{}/history", path_of("ODD"))).await.expect(200).body;
    let difference = &history["items"][0]["differences"][0];
    assert_eq!(*difference, json!({"field": "retired", "before": false, "after": true}));
    let document = app.viewer().get("/api/v1/sites/shop/export").await.expect(200).body;
    let entry = document["environments"][0]["features"].as_array().expect("features").iter();
    let retired: Vec<_> = entry.filter(|one| one["retired"] == true).map(|one| one["key"].clone()).collect();
    assert_eq!(retired, ["ODD"]);
    let again = app.editor().post("/api/v1/sites/shop/import", document).await.expect(200).body;
    assert_eq!((&again["created"], &again["updated"]), (&json!([]), &json!([])));
    // Left out of a PUT, as everything else that is not the default.
    let whole = json!({"key": "ODD", "type": "STRING", "properties": {"owner": "web"}});
    let put = app.editor().put(&path_of("ODD"), whole).await.expect(200).body;
    assert_eq!((&put["retired"], &put["properties"]), (&json!(false), &json!({"owner": "web"})));
    let put =
        app.editor().put(&path_of("ODD"), json!({"key": "ODD", "type": "STRING"})).await.expect(200).body;
    assert_eq!(put["properties"], json!({}));
    app.editor().patch(&path_of("ODD"), json!({"locked": true})).await.expect(200);
    app.editor().patch(&path_of("ODD"), json!({"retired": true})).await.refused(409, "locked");
    app.editor().patch(&path_of("TEXT"), json!({"retired": "yes"})).await.refused(422, "invalid");
}

#[actix_web::test]
async fn a_person_retires_a_feature_with_its_settings_and_sees_it() {
    let server = Server::new();
    let author = featured::app::Actor::system("test");
    featured::admin::sites::create(&server.app, &author, r#"{"name": "Shop"}"#).expect("a site");
    let feature = r#"{"key": "a", "type": "STRING", "defaultValue": "x"}"#;
    featured::admin::features::create(&server.app, &author, "shop", "prod", feature).expect("a feature");
    server.user("eddie", featured::engine::permission::Role::Editor);
    let mut eddie = server.signed_in("eddie").await;
    let list = "/sites/shop/environments/prod/features";
    let page = format!("{list}/a");
    let form = eddie.get(&format!("{page}?edit=settings")).await.body;
    assert!(form.contains("name=\"retired\"") && form.contains("not told of it"), "{form}");
    // What it is, the form says; without the field it stays so.
    for (to, retired) in [(Some("yes"), true), (None, true), (Some("no"), false)] {
        let form = eddie.get(&format!("{page}?edit=settings")).await.body;
        let seen = between(&form, "name=\"seen\" value=\"", "\"").to_owned();
        let mut change =
            vec![("description", ""), ("tags", ""), ("defaultValue", "x"), ("seen", seen.as_str())];
        change.extend(to.map(|to| ("retired", to)));
        assert_eq!(eddie.post(&format!("{page}/settings"), &change).await.status, 303);
        let shown = eddie.get(&page).await.body;
        assert_eq!(shown.contains("Retired: its clients are not told of it."), retired, "{to:?}");
        let row = between(&eddie.get(list).await.body, "</thead>", "</table>").to_owned();
        assert_eq!(row.contains("Retired"), retired, "{to:?}");
    }
}

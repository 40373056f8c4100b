//! `POST /analytics/evaluations`: what clients counted by themselves.

use serde_json::json;

use super::targeted;
use crate::support::{PROD, TestApp};

const REPORT: &str = "/api/v1/analytics/evaluations";

/// The rows of the table: day, feature, rule, variant, value, count.
pub fn counts(app: &TestApp) -> Vec<String> {
    let conn = app.app.store.read().expect("a connection");
    let mut statement = conn
        .prepare(
            "SELECT day || ' ' || feature || ' ' || rule || ' ' || variant || ' ' || value || ' ' || count
               FROM evaluation_counts ORDER BY 1",
        )
        .expect("SQL");
    let rows = statement.query_map([], |row| row.get(0)).expect("rows");
    rows.collect::<rusqlite::Result<_>>().expect("rows")
}

#[actix_web::test]
async fn reports_are_accepted_at_once_and_counted_by_the_job() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    app.feature(targeted("a", "SE")).await;
    app.feature(json!({"key": "json", "type": "JSON"})).await;
    let reply = app
        .sdk()
        .post(
            REPORT,
            json!({"evaluations": [
                {"featureKey": "a", "value": true, "ruleId": "r1", "variant": "v", "userId": "ana",
                 "context": {"country": "SE"}, "timestamp": "2026-02-28T23:59:59Z", "count": 3},
                {"featureKey": "a", "value": true, "ruleId": "r1", "variant": "v", "timestamp": "2026-02-28T00:00:00Z"},
                {"featureKey": "a", "value": false},
                {"featureKey": "a", "value": null},
                {"featureKey": "json", "value": {"b": [1.50]}},
                {"featureKey": "gone", "value": true},
            ]}),
        )
        .await
        .expect(202);
    assert_eq!(reply.body, json!({"accepted": 5}), "what is no feature is not counted");
    assert_eq!(counts(&app), [""; 0], "nothing is written on the way");
    app.run_jobs();
    let expected = [
        "2026-02-28 a r1 v true 4",
        "2026-03-01 a   false 1",
        "2026-03-01 a   null 1",
        r#"2026-03-01 json   {"b":[1.5]} 1"#,
    ];
    assert_eq!(counts(&app), expected);
    app.sdk().post(REPORT, json!({"evaluations": [{"featureKey": "a", "value": false}]})).await.expect(202);
    app.run_jobs();
    assert_eq!(counts(&app)[1], "2026-03-01 a   false 2", "later counts are added");
}

#[actix_web::test]
async fn a_page_on_its_way_out_may_send_text_with_the_token_in_the_query() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    let path = format!("{REPORT}?apiKey={}", app.sdk_secret());
    let body = json!({"evaluations": [{"featureKey": "a", "value": true}]}).to_string();
    let reply = app.anonymous().ask("POST", &path).body("text/plain;charset=UTF-8", body).send().await;
    assert_eq!(reply.expect(202).body, json!({"accepted": 1}));
    let server = app.token(json!({"description": "s", "kind": "server"}));
    let path = format!("{REPORT}?apiKey={server}");
    app.anonymous().post(&path, json!({"evaluations": []})).await.refused(403, "forbidden");
    app.anonymous().post(REPORT, json!({"evaluations": []})).await.refused(401, "unauthenticated");
    let path = format!("{REPORT}?apiKey=alm_env_x");
    app.anonymous().post(&path, json!({"evaluations": []})).await.refused(401, "unauthenticated");
}

#[actix_web::test]
async fn every_problem_of_a_report_is_listed() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    let reply = app
        .sdk()
        .post(
            REPORT,
            json!({"evaluations": [
                {"value": true},
                {"featureKey": 1, "value": true, "count": 0, "ruleId": 7, "context": []},
                {"featureKey": "a", "timestamp": "yesterday"},
                {"featureKey": "a", "value": 1, "timestamp": "2026-03-03T12:00:00Z"},
                {"featureKey": "a", "value": 1, "timestamp": "2025-03-03T12:00:00Z"},
                5,
            ]}),
        )
        .await;
    reply.refused(422, "invalid");
    let mut fields = reply.fields();
    fields.sort_unstable();
    assert_eq!(
        fields,
        [
            "evaluations[0].featureKey",
            "evaluations[1].context",
            "evaluations[1].count",
            "evaluations[1].featureKey",
            "evaluations[1].ruleId",
            "evaluations[2].timestamp",
            "evaluations[2].value",
            "evaluations[3].timestamp",
            "evaluations[4].timestamp",
            "evaluations[5]",
        ]
    );
    app.run_jobs();
    assert_eq!(counts(&app), [""; 0]);
    let many = vec![json!({"featureKey": "a", "value": 1}); 1001];
    let reply = app.sdk().post(REPORT, json!({"evaluations": many})).await;
    reply.refused(422, "invalid");
    assert_eq!(reply.fields(), ["evaluations"]);
}

#[actix_web::test]
async fn uses_of_a_token_are_counted_by_the_job() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    let created = app
        .editor()
        .post(&format!("{PROD}/tokens"), json!({"description": "t", "kind": "client"}))
        .await
        .expect(201);
    let path = format!("{PROD}/tokens/{}", created.body["id"].as_str().expect("an id"));
    let sdk = app.bearer(created.body["token"].as_str().expect("a token"));
    for _ in 0..3 {
        sdk.post(super::EVALUATE, json!({})).await.expect(200);
    }
    let before = app.viewer().get(&path).await.expect(200).body;
    assert_eq!((&before["uses"], &before["lastUsedAt"]), (&json!(0), &json!(null)));
    app.run_jobs();
    let after = app.viewer().get(&path).await.expect(200).body;
    assert_eq!((&after["uses"], &after["lastUsedAt"]), (&json!(3), &json!("2026-03-01T12:00:00.000Z")));
}

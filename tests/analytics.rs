//! Analytics from end to end: what clients do, and what the API then tells (feature-config §8).

use std::time::Duration;

use serde_json::{Value, json};

use crate::support::{PROD, TestApp, query};

const EVALUATE: &str = "/api/v1/evaluate";
const BATCH: &str = "/api/v1/evaluate/batch";
const EVENTS: &str = "/api/v1/analytics/events";
const SETTINGS: &str = "/api/v1/sites/shop/analytics";

/// A feature that is true in one country.
fn targeted(key: &str, country: &str) -> Value {
    let when = json!({"attribute": "country", "operator": "equals", "value": country});
    json!({"key": key, "type": "BOOLEAN", "defaultValue": false,
           "rules": [{"name": country, "when": when, "outcome": {"value": true}}]})
}

/// A feature that gives half of the people one text, half another.
fn halves(key: &str) -> Value {
    json!({"key": key, "type": "STRING", "defaultValue": "none",
           "variants": [{"key": "control", "value": "A"}, {"key": "new", "value": "B"}],
           "rules": [{"name": "Half", "outcome": {"split": [
               {"variant": "control", "weight": 50}, {"variant": "new", "weight": 50}]}}]})
}

/// What a question about shop/prod is answered, once everything is written.
async fn ask(app: &TestApp, what: &str) -> Value {
    app.run_jobs();
    app.viewer().get(&format!("/api/v1/analytics/{what}")).await.expect(200).body
}

const SHOP: &str = "site=shop&env=prod";

#[actix_web::test]
async fn a_range_has_its_evaluations_and_different_users() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    app.feature(targeted("a", "SE")).await;
    app.feature(targeted("b", "NO")).await;
    for user in ["ana", "ben", "ana", "cy"] {
        app.sdk().post(EVALUATE, json!({"context": {"userId": user}})).await.expect(200);
    }
    app.set_time("2026-03-03T12:00:00Z");
    app.sdk().post(EVALUATE, json!({"context": {"userId": "ana"}, "features": ["b"]})).await.expect(200);
    app.sdk().post(EVALUATE, json!({"context": {"userId": 7}, "features": ["b"]})).await.expect(200);
    app.sdk().post(EVALUATE, json!({"features": ["b"]})).await.expect(200);

    let range = "from=2026-03-01&to=2026-03-03";
    let summary = ask(&app, &format!("summary?{SHOP}&{range}")).await;
    assert_eq!(
        summary,
        json!({"from": "2026-03-01", "to": "2026-03-03", "evaluations": 11, "uniqueUsers": 4, "averagePerUser": 2.75})
    );
    let of = |figures: &Value| (figures["evaluations"].clone(), figures["uniqueUsers"].clone());
    let a = ask(&app, &format!("summary?{SHOP}&{range}&feature=a")).await;
    let b = ask(&app, &format!("summary?{SHOP}&{range}&feature=b")).await;
    assert_eq!((of(&a), of(&b)), ((json!(4), json!(3)), (json!(7), json!(4))));
    let days = ask(&app, &format!("daily?{SHOP}&{range}")).await;
    let expected = json!([
        {"day": "2026-03-01", "evaluations": 8, "uniqueUsers": 3},
        {"day": "2026-03-02", "evaluations": 0, "uniqueUsers": 0},
        {"day": "2026-03-03", "evaluations": 3, "uniqueUsers": 2}]);
    assert_eq!(days["items"], expected);
    let one = ask(&app, &format!("summary?{SHOP}&from=2026-03-03T00:00:00Z&to=2026-03-03T23:00:00Z")).await;
    assert_eq!(of(&one), (json!(3), json!(2)), "times stand for their days");
    let usual = ask(&app, &format!("daily?{SHOP}")).await;
    let usual = usual["items"].as_array().expect("days");
    assert_eq!(
        (usual.len(), &usual[0]["day"], &usual[29]["evaluations"]),
        (30, &json!("2026-02-02"), &json!(3))
    );
}

#[actix_web::test]
async fn a_feature_made_later_has_only_those_who_were_answered_it() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    app.feature(targeted("a", "SE")).await;
    let users: Vec<Value> = (0..1000).map(|user| json!({"userId": user})).collect();
    app.sdk().post(BATCH, json!({"entities": users})).await.expect(200);
    app.pass(Duration::from_secs(60));
    app.feature(targeted("b", "SE")).await;
    for user in ["ana", "ben"] {
        app.sdk().post(EVALUATE, json!({"context": {"userId": user, "country": "NO"}})).await.expect(200);
    }
    let unique = async |feature: &str| ask(&app, &format!("summary?{SHOP}&feature={feature}")).await;
    assert_eq!(unique("b").await["uniqueUsers"], 2);
    let a = unique("a").await["uniqueUsers"].as_u64().expect("a number");
    assert!((954..=1050).contains(&a), "within three standard errors of 1 002: {a}");
    let contexts = ask(&app, &format!("contexts?{SHOP}&feature=b")).await;
    assert_eq!(contexts["items"][0]["values"], json!([{"value": "NO", "count": 2, "share": 1.0}]));
}

#[actix_web::test]
async fn rules_and_context_values_are_told_with_their_share() {
    let app = TestApp::new().await;
    let rule = app.feature(targeted("a", "SE")).await["rules"][0]["id"].clone();
    let when = json!({"attribute": "plan", "operator": "equals", "value": "pro"});
    let entities: Vec<Value> = ["SE", "SE", "SE", "NO"]
        .iter()
        .enumerate()
        .map(|(at, country)| json!({"userId": at, "country": country, "plan": "pro", "city": "Umeå"}))
        .collect();
    app.sdk().post(BATCH, json!({"entities": entities})).await.expect(200);
    let rules = ask(&app, &format!("rules?{SHOP}")).await;
    let outcome = |value: &str, count: u64| json!([{"variant": null, "value": value, "evaluations": count, "share": 1.0}]);
    let expected = json!([
        {"feature": "a", "ruleId": rule, "rule": "SE", "priority": 50, "evaluations": 3, "share": 0.75,
         "outcomes": outcome("true", 3)},
        {"feature": "a", "ruleId": null, "rule": null, "priority": null, "evaluations": 1, "share": 0.25,
         "outcomes": outcome("false", 1)}]);
    assert_eq!(rules["items"], expected);
    let contexts = ask(&app, &format!("contexts?{SHOP}")).await;
    let country = json!({"field": "country", "count": 4, "other": 0, "values": [
        {"value": "SE", "count": 3, "share": 0.75}, {"value": "NO", "count": 1, "share": 0.25}]});
    assert_eq!(contexts["items"], json!([country]), "what no rule looks at is not kept");

    app.feature(json!({"key": "p", "type": "BOOLEAN", "rules": [{"name": "r", "when": when, "outcome": {"value": true}}]}))
        .await;
    app.sdk().post(EVALUATE, json!({"context": entities[0], "features": ["a"]})).await.expect(200);
    app.sdk().post(EVALUATE, json!({"context": entities[0]})).await.expect(200);
    let fields = async |feature: &str| {
        let body = ask(&app, &format!("contexts?{SHOP}{feature}")).await;
        let items = body["items"].as_array().expect("fields").clone();
        items.iter().map(|item| format!("{} {}", item["field"], item["count"])).collect::<Vec<_>>()
    };
    assert_eq!(fields("").await, ["\"country\" 6", "\"plan\" 1"]);
    assert_eq!(fields("&feature=p").await, ["\"plan\" 1"], "only what its rules look at");
    assert_eq!(fields("&feature=a").await, ["\"country\" 6"]);
}

#[actix_web::test]
async fn figures_come_as_files_too() {
    let app = TestApp::new().await;
    app.set_time("2026-03-01T12:00:00Z");
    app.feature(targeted("a", "SE")).await;
    for country in ["=HYPERLINK(\"x\")", "SE"] {
        app.sdk().post(EVALUATE, json!({"context": {"userId": "u", "country": country}})).await.expect(200);
    }
    app.run_jobs();
    let get = async |what: &str| {
        let reply =
            app.viewer().get(&format!("/api/v1/analytics/{what}&{SHOP}&from=2026-03-01")).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("text/csv; charset=utf-8"));
        assert!(reply.header("content-disposition").expect("a name").ends_with(".csv\""));
        reply.text
    };
    assert_eq!(get("daily?format=csv").await, "day,evaluations,uniqueUsers\r\n2026-03-01,2,1\r\n");
    assert_eq!(
        get("contexts?format=csv").await,
        "field,value,count\r\ncountry,\"'=HYPERLINK(\"\"x\"\")\",1\r\ncountry,SE,1\r\n"
    );
    assert!(
        get("rules?format=csv")
            .await
            .starts_with("feature,ruleId,rule,priority,variant,value,evaluations\r\na,")
    );
    assert!(get("variants?feature=a&format=csv").await.starts_with("variant,people,"));
}

#[actix_web::test]
async fn questions_that_cannot_be_answered_are_refused_with_their_field() {
    let app = TestApp::new().await;
    let ask = async |query: &str| app.viewer().get(&format!("/api/v1/analytics/{query}")).await;
    for (query, fields) in [
        ("summary", &["site", "env"][..]),
        ("daily?site=shop", &["env"]),
        ("rules?site=shop&env=prod&from=yesterday", &["from"]),
        ("contexts?site=shop&env=prod&to=2026-13-01", &["to"]),
        ("summary?site=shop&env=prod&from=2026-02-01&to=2026-01-01", &["from"]),
        ("summary?site=shop&env=prod&from=1900-01-01", &["from"]),
        ("summary?site=shop&env=prod&to=0000-01-05", &["to"]),
        ("daily?site=shop&env=prod&format=xml", &["format"]),
        ("variants?site=shop&env=prod", &["feature"]),
    ] {
        let reply = ask(query).await;
        reply.refused(422, "invalid");
        assert_eq!(reply.fields(), fields, "{query}");
    }
    ask("summary?site=gone&env=prod").await.refused(404, "not_found");
    ask("summary?site=shop&env=gone").await.refused(404, "not_found");
    ask("summary?site=shop&env=prod&feature=gone").await.refused(404, "not_found");
    ask("summary?site=shop&env=prod&colour=red").await.refused(400, "unknown_parameter");
}

/// Whether these bytes stand anywhere in the database, its WAL or the key file.
fn stands_in_files(app: &TestApp, text: &str) -> bool {
    let folder = app.app.config.db.parent().expect("a folder");
    std::fs::read_dir(folder).expect("files").any(|file| {
        let bytes = std::fs::read(file.expect("a file").path()).expect("readable");
        bytes.windows(text.len()).any(|window| window == text.as_bytes())
    })
}

#[actix_web::test]
async fn no_user_and_no_excluded_field_is_kept() {
    let app = TestApp::new().await;
    let any = |names: &[&str]| {
        let leaf = |name: &&str| json!({"attribute": name, "operator": "exists"});
        json!({"any": names.iter().map(leaf).collect::<Vec<_>>()})
    };
    let when = any(&["userId", "email", "nick", "country", "tags", "notes"]);
    let rule = json!({"name": "r", "when": when, "outcome": {"split": [
        {"variant": "x", "weight": 50}, {"variant": "y", "weight": 50}]}});
    app.feature(json!({"key": "a", "type": "STRING", "rules": [rule], "variants": [
        {"key": "x", "value": "X"}, {"key": "y", "value": "Y"}]}))
        .await;
    let context = json!({"userId": "zz-user-zz", "email": "zz@mail-zz.example", "nick": "zz-user-zz",
        "country": "zz-country", "tags": ["zz-tag", "zz-user-zz"], "notes": "zz-long".repeat(40)});
    app.sdk().post(EVALUATE, json!({"context": context})).await.expect(200);
    app.sdk().post(EVALUATE, json!({"context": context})).await.expect(200);
    let report = json!({"featureKey": "a", "value": "X", "ruleId": "r", "variant": "x", "userId": "zz-reporter",
        "context": {"userId": "zz-reporter", "nick": "zz-reporter", "country": "zz-other"}});
    app.sdk().post("/api/v1/analytics/evaluations", json!({"evaluations": [report]})).await.expect(202);
    app.sdk().post(EVENTS, json!({"event": "zz-event", "userId": "zz-buyer"})).await.expect(202);
    app.run_jobs();
    for kept in ["zz-country", "zz-other", "zz-tag", "zz-event"] {
        assert!(stands_in_files(&app, kept), "{kept} is kept: the search works");
    }
    for secret in ["zz-user-zz", "mail-zz", "zz-reporter", "zz-buyer", "zz-longzz-long"] {
        assert!(!stands_in_files(&app, secret), "{secret} stands in a file");
    }
    let contexts = ask(&app, &format!("contexts?{SHOP}")).await;
    let fields: Vec<_> =
        contexts["items"].as_array().expect("fields").iter().map(|it| &it["field"]).collect();
    assert_eq!(fields, ["country", "tags"]);

    // Excluded later: what was counted of it goes.
    app.editor().patch(SETTINGS, json!({"excludedFields": ["country", "email"]})).await.expect(200);
    let other = json!({"userId": "u", "country": "zz-third", "nick": "zz-nick"});
    app.sdk().post(EVALUATE, json!({"context": other})).await.expect(200);
    let contexts = ask(&app, &format!("contexts?{SHOP}")).await;
    let fields: Vec<_> =
        contexts["items"].as_array().expect("fields").iter().map(|it| &it["field"]).collect();
    assert_eq!(fields, ["nick", "tags"]);
    assert!(!stands_in_files(&app, "zz-third"));
}

#[actix_web::test]
async fn an_excluded_name_holds_in_any_case_anywhere_in_a_path_and_for_what_is_on_its_way() {
    let app = TestApp::new().await;
    let leaf = |name: &str| json!({"attribute": name, "operator": "exists"});
    let looked_at = ["Email", "user.email", "user.plan", "emails", "country"];
    let when = json!({"any": looked_at.map(leaf)});
    app.feature(json!({"key": "a", "type": "BOOLEAN", "rules": [{"name": "r", "when": when, "outcome": {"value": true}}]}))
        .await;
    let context = json!({"userId": "u", "Email": "zz-1", "user": {"email": "zz-2", "plan": "free"}, "emails": "many",
        "country": "zz-land"});
    let evaluate = async || drop(app.sdk().post(EVALUATE, json!({"context": context})).await.expect(200));
    let fields = async || {
        let contexts = ask(&app, &format!("contexts?{SHOP}")).await;
        let items = contexts["items"].as_array().expect("fields").clone();
        items.iter().map(|it| it["field"].as_str().expect("a name").to_owned()).collect::<Vec<_>>()
    };
    evaluate().await;
    // Counted, but not yet written.
    app.editor().patch(SETTINGS, json!({"excludedFields": ["EMAIL", "country"]})).await.expect(200);
    assert_eq!(fields().await, ["emails", "user.plan"]);
    for secret in ["zz-1", "zz-2", "zz-land"] {
        assert!(!stands_in_files(&app, secret), "{secret} stands in a file");
    }
    // What was written goes, with all that is in it.
    app.editor().patch(SETTINGS, json!({"excludedFields": ["user"]})).await.expect(200);
    assert_eq!(fields().await, ["emails"]);
    evaluate().await;
    assert_eq!(fields().await, ["Email", "country", "emails"]);
}

#[actix_web::test]
async fn made_up_outcomes_and_events_are_counted_up_to_a_limit() {
    let app = TestApp::new().await;
    app.feature(targeted("a", "SE")).await;
    app.sdk().post(EVALUATE, json!({"context": {"userId": "u"}})).await.expect(200);
    app.run_jobs();
    for round in 0..2 {
        let report =
            |at: usize| json!({"featureKey": "a", "value": at, "ruleId": format!("made up {round}")});
        let reports: Vec<Value> = (0..1000).map(report).collect();
        app.sdk().post("/api/v1/analytics/evaluations", json!({"evaluations": reports})).await.expect(202);
        app.run_jobs();
    }
    let rules = ask(&app, &format!("rules?{SHOP}")).await;
    let outcomes: Vec<&Value> = rules["items"]
        .as_array()
        .expect("rules")
        .iter()
        .flat_map(|rule| rule["outcomes"].as_array().expect("outcomes"))
        .collect();
    let total: u64 = outcomes.iter().map(|it| it["evaluations"].as_u64().expect("a count")).sum();
    let others = outcomes.iter().find(|it| it["value"] == "others").expect("the others");
    assert_eq!((outcomes.len(), total, &others["evaluations"]), (1001, 2001, &json!(1001)));

    let events = app.bearer(&app.token(json!({"description": "e", "kind": "server", "rateLimit": 0})));
    for at in 0..210 {
        events.post(EVENTS, json!({"event": format!("event {at}"), "userId": "u"})).await.expect(202);
    }
    let dropped = app.app.metrics.analytics_dropped.get();
    let found = ask(&app, &format!("variants?{SHOP}&feature=a")).await;
    assert_eq!(found["events"].as_array().expect("events").len(), 200);
    assert_eq!(app.app.metrics.analytics_dropped.get() - dropped, 10);
}

#[actix_web::test]
async fn settings_are_checked_and_a_change_is_in_the_audit_trail() {
    let app = TestApp::new().await;
    let before = app.viewer().get(SETTINGS).await.expect(200).body;
    assert_eq!((&before["staleUnchangedDays"], &before["staleUnaskedDays"]), (&json!(90), &json!(30)));
    assert!(before["excludedFields"].as_array().expect("fields").contains(&json!("email")));
    let reply = app
        .editor()
        .patch(SETTINGS, json!({"excludedFields": [""], "staleUnchangedDays": 0, "staleUnaskedDays": 3651}))
        .await;
    reply.refused(422, "invalid");
    assert_eq!(reply.fields(), ["excludedFields", "staleUnchangedDays", "staleUnaskedDays"]);
    let after = app.editor().patch(SETTINGS, json!({"staleUnaskedDays": 7})).await.expect(200).body;
    assert_eq!(after["staleUnaskedDays"], 7);
    assert_eq!(app.viewer().get(SETTINGS).await.expect(200).body, after);
    let summaries: Vec<String> = {
        let conn = app.app.store.read().expect("a connection");
        let mut statement =
            conn.prepare("SELECT summary FROM changes ORDER BY number DESC LIMIT 1").expect("SQL");
        statement.query_map([], |row| row.get(0)).expect("rows").map(|row| row.expect("a row")).collect()
    };
    assert_eq!(summaries, ["analytics settings of shop updated"]);
}

#[actix_web::test]
async fn variants_are_compared_by_what_people_did_afterwards() {
    let app = TestApp::new().await;
    app.feature(halves("button")).await;
    let people: Vec<Value> = (0..1000).map(|at| json!({"userId": format!("p{at}")})).collect();
    app.sdk().post(EVENTS, json!({"event": "purchase", "userId": "p0"})).await.expect(202);
    app.pass(Duration::from_secs(1));
    let answers = app.sdk().post(BATCH, json!({"entities": people})).await.expect(200).body;
    app.pass(Duration::from_secs(1));
    let mut given = [0_u64; 2];
    let mut bought = [0_u64; 2];
    let events =
        TestApp::bearer(&app, &app.token(json!({"description": "e", "kind": "server", "rateLimit": 0})));
    for (at, result) in answers["results"].as_array().expect("results").iter().enumerate() {
        let arm = usize::from(result["features"]["button"]["variant"] == "new");
        given[arm] += 1;
        // A fifth of one, about a third of the other; p0 bought before and does not again.
        if at > 0 && at % 5 == 0 || arm == 1 && at % 7 == 0 && at > 0 {
            bought[arm] += 1;
            let event = json!({"event": "purchase", "userId": format!("p{at}"), "value": 2.5});
            events.post(EVENTS, event).await.expect(202);
        }
    }
    // Somebody who never was in the test.
    events.post(EVENTS, json!({"event": "purchase", "userId": "stranger"})).await.expect(202);
    let found = ask(&app, &format!("variants?{SHOP}&feature=button")).await;
    assert_eq!(
        (&found["event"], &found["events"], &found["mixed"]),
        (&json!("purchase"), &json!(["purchase"]), &json!(0))
    );
    assert_eq!(found["sampled"], 1.0);
    let variants = found["variants"].as_array().expect("variants");
    for (at, name) in ["control", "new"].into_iter().enumerate() {
        let variant = &variants[at];
        assert_eq!(variant["variant"], name);
        assert_eq!(
            (&variant["people"], &variant["converted"]),
            (&json!(given[at]), &json!(bought[at])),
            "{variant}"
        );
        assert_eq!(variant["value"], 2.5 * bought[at] as f64);
        assert_eq!((&variant["expected"], &variant["control"]), (&json!(0.5), &json!(at == 0)));
    }
    let comparison = &variants[1]["comparison"];
    assert_eq!(
        (&comparison["enough"], &comparison["significant"]),
        (&json!(true), &json!(true)),
        "{comparison}"
    );
    assert!(comparison["pValue"].as_f64().expect("p") < 0.05);
    assert!(comparison["interval"][0].as_f64().expect("low") > 0.0);
    assert_eq!(found["sampleRatio"]["mismatch"], false, "{found}");
    assert_eq!(variants[0]["comparison"], json!(null));

    let other = ask(&app, &format!("variants?{SHOP}&feature=button&control=new&event=refund")).await;
    assert_eq!(other["variants"][0]["variant"], "new");
    assert_eq!(other["variants"][0]["converted"], 0);
    app.viewer()
        .get(&format!("/api/v1/analytics/variants?{SHOP}&feature=button&control=gone"))
        .await
        .refused(422, "invalid");
}

#[actix_web::test]
async fn only_what_came_after_a_variant_and_who_was_new_in_the_range_is_compared() {
    let app = TestApp::new().await;
    let rule = app.feature(halves("button")).await["rules"][0]["id"].as_str().expect("an id").to_owned();
    let day = Duration::from_secs(24 * 3600);
    app.set_time("2026-03-01T12:00:00Z");
    let given = async |user: &str, variant: &str, days: i64| {
        let at = featured::clock::rfc3339(app.app.now() - days * featured::clock::DAY);
        let report = json!({"featureKey": "button", "value": "A", "ruleId": rule, "variant": variant, "userId": user,
            "timestamp": at});
        app.sdk().post("/api/v1/analytics/evaluations", json!({"evaluations": [report]})).await.expect(202);
        app.run_jobs();
    };
    let bought = async |value: f64| {
        app.sdk()
            .post(EVENTS, json!({"event": "purchase", "userId": "ana", "value": value}))
            .await
            .expect(202);
        app.run_jobs();
    };
    bought(1000.0).await;
    app.pass(day);
    given("ben", "control", 0).await;
    app.pass(day);
    given("ana", "new", 0).await;
    app.pass(day);
    bought(5.0).await;
    given("ben", "new", 0).await;
    let found = ask(&app, &format!("variants?{SHOP}&feature=button&from=2026-03-01&to=2026-03-04")).await;
    let ana = &found["variants"][0];
    assert_eq!((&ana["variant"], &ana["people"], &ana["converted"]), (&json!("new"), &json!(1), &json!(1)));
    assert_eq!((&ana["value"], &found["mixed"]), (&json!(5.0), &json!(1)));
    // He was given the other one before.
    let found = ask(&app, &format!("variants?{SHOP}&feature=button&from=2026-03-03&to=2026-03-04")).await;
    assert_eq!((&found["variants"][0]["people"], &found["mixed"]), (&json!(1), &json!(0)));
    // That she was given it already on the first day is told late.
    given("ana", "new", 3).await;
    let found = ask(&app, &format!("variants?{SHOP}&feature=button&from=2026-03-01&to=2026-03-04")).await;
    assert_eq!(found["variants"][0]["value"], 1005.0, "{found}");
}

#[actix_web::test]
async fn a_split_that_is_off_is_called_a_mismatch_and_who_saw_both_is_left_out() {
    let app = TestApp::new().await;
    let rule = app.feature(halves("button")).await["rules"][0]["id"].as_str().expect("an id").to_owned();
    let report = |user: String, variant: &str| json!({"featureKey": "button", "value": "A", "ruleId": rule, "variant": variant, "userId": user});
    let mut reports: Vec<Value> = (0..300).map(|at| report(format!("c{at}"), "control")).collect();
    reports.extend((0..200).map(|at| report(format!("n{at}"), "new")));
    reports.extend((0..7).map(|at| report(format!("n{at}"), "control")));
    app.sdk().post("/api/v1/analytics/evaluations", json!({"evaluations": reports})).await.expect(202);
    let found = ask(&app, &format!("variants?{SHOP}&feature=button")).await;
    assert_eq!((&found["mixed"], &found["event"]), (&json!(7), &json!(null)));
    assert_eq!(
        (&found["variants"][0]["people"], &found["variants"][1]["people"]),
        (&json!(300), &json!(193))
    );
    assert_eq!(found["sampleRatio"]["mismatch"], true, "{found}");
    assert_eq!(found["variants"][1]["comparison"]["pValue"], json!(null), "nothing happened yet");
}

#[actix_web::test]
async fn what_is_older_than_the_retention_goes() {
    let app = TestApp::new().await;
    app.set_time("2026-01-01T12:00:00Z");
    app.feature(halves("button")).await;
    app.feature(targeted("a", "SE")).await;
    let person = json!({"context": {"userId": "u", "country": "SE"}});
    app.sdk().post(EVALUATE, person.clone()).await.expect(200);
    app.sdk().post(EVENTS, json!({"event": "e", "userId": "u"})).await.expect(202);
    app.run_jobs();
    let tables = [
        "evaluation_counts",
        "audiences",
        "field_counts",
        "exposures",
        "conversions",
        "feature_uses",
        "comparison_limits",
    ];
    let rows = |app: &TestApp| -> Vec<(&str, u64)> {
        let conn = app.app.store.read().expect("a connection");
        let count = |table: &str| {
            conn.query_row(&format!("SELECT count(*) FROM {table}"), [], |row| row.get(0)).expect("a count")
        };
        tables.iter().map(|table| (*table, count(table))).filter(|(_, count)| *count > 0).collect()
    };
    assert_eq!(rows(&app).len(), tables.len(), "{:?}", rows(&app));
    let prune = |app: &TestApp| {
        featured::store::analytics::prune(&app.app.store.writer(), app.app.now() - 90 * 24 * 3600 * 1000)
            .expect("pruned");
    };
    app.set_time("2026-04-01T11:00:00Z");
    prune(&app);
    assert_eq!(rows(&app).len(), tables.len(), "90 days are kept");
    app.set_time("2026-04-02T13:00:00Z");
    prune(&app);
    assert_eq!(rows(&app), [("feature_uses", 2)], "when a feature was last asked for stays known");
    for key in ["button", "a"] {
        app.editor().delete(&format!("{PROD}/features/{key}")).await.expect(204);
    }
    prune(&app);
    assert_eq!(rows(&app), []);
}

/// The stale features: feature, reason, days.
async fn stale(app: &TestApp) -> Vec<String> {
    let body = ask(app, &format!("stale?{SHOP}")).await;
    let items = body["items"].as_array().expect("features").clone();
    items
        .iter()
        .map(|it| {
            format!(
                "{} {} {}",
                it["feature"].as_str().expect("a key"),
                it["reason"].as_str().expect("a reason"),
                it["days"]
            )
        })
        .collect()
}

#[actix_web::test]
async fn features_that_nobody_would_miss_are_stale() {
    let app = TestApp::new().await;
    let day = Duration::from_secs(24 * 3600);
    app.set_time("2026-01-01T00:00:00Z");
    let mut settled = targeted("settled", "SE");
    settled["defaultValue"] = json!(true);
    app.feature(settled).await;
    app.feature(targeted("targeted", "SE")).await;
    let rule = json!({"name": "r", "rollout": {"percentage": 50}, "outcome": {"value": true}});
    app.feature(json!({"key": "partial", "type": "BOOLEAN", "defaultValue": false, "rules": [rule]})).await;
    app.feature(json!({"key": "forgotten", "type": "BOOLEAN", "enabled": false})).await;
    assert_eq!(stale(&app).await, [""; 0]);
    for (passed, expected) in [
        (29, vec![]),
        (1, vec!["forgotten UNASKED 30"]),
        (59, vec!["forgotten UNASKED 89"]),
        (1, vec!["forgotten UNASKED 90", "partial SAME_VALUE 90", "settled UNCHANGED 90"]),
    ] {
        app.pass(day * passed);
        let asked = json!({"context": {"userId": "0"}, "features": ["settled", "partial"]});
        // The first answer is of the first day.
        if app.app.now() < featured::clock::parse("2026-01-31T00:00:00Z").expect("a time") {
            app.app.clock.set(featured::clock::parse("2026-01-01T00:00:00Z").expect("a time"));
            app.sdk().post(EVALUATE, asked.clone()).await.expect(200);
            app.run_jobs();
            app.pass(day * passed);
        }
        app.sdk().post(EVALUATE, asked).await.expect(200);
        for country in ["SE", "NO"] {
            let asked = json!({"context": {"userId": "0", "country": country}, "features": ["targeted"]});
            app.sdk().post(EVALUATE, asked).await.expect(200);
        }
        assert_eq!(stale(&app).await, expected, "after {passed} more days");
    }
    // Another value, another rule, somebody who asks: none of them any more.
    app.editor().patch(&format!("{PROD}/features/settled"), json!({"enabled": false})).await.expect(200);
    let both: Vec<Value> =
        (0..20).map(|at| json!({"userId": at, "country": if at == 0 { "SE" } else { "NO" }})).collect();
    app.sdk().post(BATCH, json!({"entities": both})).await.expect(200);
    assert_eq!(stale(&app).await, [""; 0]);

    // Whoever evaluates by itself is not counted, so nothing is known: who reads the rule set, and FeatureHub's
    // clients, which poll or follow.
    app.editor().patch(SETTINGS, json!({"staleUnchangedDays": 3000})).await.expect(200);
    let key = app.featurehub_key(true, &[]);
    for door in ["ruleset", "polling", "streaming"] {
        app.pass(day * 29);
        match door {
            "ruleset" => drop(app.server_sdk().get(&format!("{PROD}/ruleset")).await.expect(200)),
            "polling" => {
                drop(app.anonymous().get(&query("/features", &[("apiKey", &key)])).await.expect(200))
            }
            _ => {
                let mut stream = app.anonymous().ask("GET", &format!("/features/{key}")).open().await;
                while stream.next().await.name != "features" {}
            }
        }
        app.run_jobs();
        app.pass(day * 2);
        assert_eq!(stale(&app).await, [""; 0], "{door}");
    }
    app.editor().patch(SETTINGS, json!({"staleUnaskedDays": 2})).await.expect(200);
    assert_eq!(stale(&app).await.len(), 4);
}

#[actix_web::test]
async fn more_people_than_are_kept_are_compared_by_a_part_of_them() {
    let app = TestApp::new().await;
    let rule = app.feature(halves("button")).await["rules"][0]["id"].as_str().expect("an id").to_owned();
    let service = app.bearer(&app.token(json!({"description": "s", "kind": "server", "rateLimit": 0})));
    for chunk in 0..60 {
        let report = |at: u32| {
            let (variant, user) =
                (if at.is_multiple_of(2) { "control" } else { "new" }, format!("u{chunk}-{at}"));
            json!({"featureKey": "button", "value": "A", "ruleId": rule, "variant": variant, "userId": user})
        };
        let reports: Vec<Value> = (0..1000).map(report).collect();
        service.post("/api/v1/analytics/evaluations", json!({"evaluations": reports})).await.expect(202);
        if chunk % 20 == 19 {
            app.run_jobs();
        }
    }
    let found = ask(&app, &format!("variants?{SHOP}&feature=button")).await;
    assert_eq!(found["sampled"], 0.5, "{found}");
    let people: u64 = (0..2).map(|at| found["variants"][at]["people"].as_u64().expect("people")).sum();
    assert!((29_000..31_000).contains(&people), "{people}");
    assert_eq!(found["sampleRatio"]["mismatch"], false);
}

/// Pages of a shop with the features `asked` and `forgotten`, of which nothing was counted yet.
fn with_asked_and_forgotten() -> crate::browser::Server {
    let server = crate::browser::Server::new();
    let author = featured::app::Actor::system("test");
    featured::admin::sites::create(&server.app, &author, r#"{"name": "Shop"}"#).expect("a site");
    for key in ["asked", "forgotten"] {
        let feature = json!({"key": key, "type": "BOOLEAN", "defaultValue": false}).to_string();
        featured::admin::features::create(&server.app, &author, "shop", "prod", &feature).expect("a feature");
    }
    server
}

#[actix_web::test]
async fn the_list_of_features_shows_how_often_each_is_asked_for() {
    let server = with_asked_and_forgotten();
    let now = server.app.now();
    let day = |back: i64| featured::clock::day(now - back * 24 * 3600 * 1000);
    for (back, value, count) in
        [(0, "true", 14_000), (3, "false", 5_600), (3, "true", 8_400), (14, "true", 99_000)]
    {
        server.sql(&format!(
            "INSERT INTO evaluation_counts (environment_id, day, feature, rule, variant, value, count)
             VALUES ((SELECT id FROM environments), '{}', 'asked', '', '', '{value}', {count})",
            day(back)
        ));
    }
    let last = now - 5 * 60_000;
    server.sql(&format!(
        "INSERT INTO feature_uses (environment_id, feature, first_at, last_at, value, same_since)
         VALUES ((SELECT id FROM environments), 'asked', {last}, {last}, NULL, {last})"
    ));
    server.user("vera", featured::engine::permission::Role::Viewer);
    let mut vera = server.signed_in("vera").await;
    let page = vera.get("/sites/shop/environments/prod/features").await.body;
    let row = |key: &str| crate::browser::between(&page, &format!("features/{key}\""), "</tr>").to_owned();
    let asked = row("asked");
    assert!(asked.contains("2.0\u{a0}k evaluations a day, 14 days"), "{asked}");
    // As high on the day three back as today; what is older is not drawn.
    assert_eq!(asked.matches(" 2.0L").count() + asked.matches(" 2.0\"").count(), 2, "{asked}");
    assert!(asked.contains("5 min ago"), "{asked}");
    let forgotten = row("forgotten");
    assert!(!forgotten.contains("spark") && forgotten.contains("–"), "{forgotten}");
}

#[actix_web::test]
async fn an_empty_page_says_whether_the_range_is_why() {
    let server = with_asked_and_forgotten();
    server.user("vera", featured::engine::permission::Role::Viewer);
    let mut vera = server.signed_in("vera").await;
    let path = "/sites/shop/environments/prod/analytics";
    assert!(vera.get(path).await.body.contains("Nothing was evaluated yet"));
    let day = featured::clock::day(server.app.now() - 70 * 24 * 3600 * 1000);
    server.sql(&format!(
        "INSERT INTO evaluation_counts (environment_id, day, feature, rule, variant, value, count)
         VALUES ((SELECT id FROM environments), '{day}', 'asked', '', '', 'true', 7)"
    ));
    let page = vera.get(path).await.body;
    assert!(page.contains("Nothing was evaluated in these 30 days"), "{page}");
    assert!(page.contains(&format!("href=\"{path}?range=90\"")), "{page}");
    let one = vera.get(&format!("{path}?range=90&feature=forgotten")).await.body;
    assert!(one.contains("forgotten was not evaluated in these 90 days"), "{one}");
    assert!(!vera.get(&format!("{path}?range=90")).await.body.contains("evaluated in these"));
    server.sql("UPDATE evaluation_counts SET day = '2020-01-01'");
    let all = vera.get(&format!("{path}?range=90")).await.body;
    assert!(
        all.contains("Nothing was evaluated in these 90 days") && !all.contains("All features, 90"),
        "{all}"
    );
}

/// Features and contexts of the million: 500 times 2000.
const FEATURES: usize = 500;
/// Contexts that come through each door: two of them are told of in one answer of FeatureHub.
const NATIVE_BATCH: usize = 1000;
const NATIVE: usize = 100;
const FEATUREHUB: usize = 100;
const FLAGR: usize = 500;
const OFREP: usize = 200;
/// Whoever came; at FeatureHub's door each is counted by two keys.
const PEOPLE: usize = NATIVE_BATCH + NATIVE + FEATUREHUB + FLAGR + OFREP;

/// The context of somebody: every fourth is from Sweden.
fn person(at: usize) -> (String, &'static str) {
    (format!("u{at}"), if at.is_multiple_of(4) { "SE" } else { "NO" })
}

/// A million evaluations, through every door.
async fn a_million(app: &TestApp) {
    let features: Vec<Value> = (0..FEATURES).map(|at| targeted(&format!("f{at:03}"), "SE")).collect();
    app.import(json!({"version": 1, "site": {"slug": "shop", "name": "Shop"},
        "environments": [{"name": "prod", "tags": ["production"], "features": features}]}));
    let service = app.bearer(&app.token(json!({"description": "s", "kind": "server", "rateLimit": 0})));
    let mut people = 0..PEOPLE;
    let mut next =
        |count: usize| -> Vec<(String, &'static str)> { people.by_ref().take(count).map(person).collect() };
    let native = |(user, country): (String, &str)| json!({"userId": user, "country": country});

    let entities: Vec<Value> = next(NATIVE_BATCH).into_iter().map(native).collect();
    for entities in entities.chunks(200) {
        service.post(BATCH, json!({"entities": entities})).await.expect(200);
    }
    for context in next(NATIVE).into_iter().map(native) {
        service.post(EVALUATE, json!({"context": context})).await.expect(200);
    }
    let keys = [app.featurehub_key(false, &[]), app.featurehub_key(false, &[])];
    let poll = query("/features", &keys.each_ref().map(|key| ("apiKey", key.as_str())));
    for (user, country) in next(FEATUREHUB) {
        let context = format!("userkey={user},country={country}");
        app.anonymous().ask("GET", &poll).header("x-featurehub", &context).send().await.expect(200);
    }
    let keys: Vec<String> = (0..FEATURES).map(|at| format!("f{at:03}")).collect();
    let entity =
        |(user, country): (String, &str)| json!({"entityID": user, "entityContext": {"country": country}});
    let entities: Vec<Value> = next(FLAGR).into_iter().map(entity).collect();
    for entities in entities.chunks(20) {
        let body = json!({"entities": entities, "flagKeys": keys});
        service.post("/flagr/api/v1/evaluation/batch", body).await.expect(200);
    }
    for (user, country) in next(OFREP) {
        let body = json!({"context": {"targetingKey": user, "country": country}});
        service.post("/ofrep/v1/evaluate/flags", body).await.expect(200);
    }
    assert_eq!(next(1), []);
}

#[actix_web::test]
async fn a_million_evaluations_are_counted_exactly() {
    let app = TestApp::new().await;
    a_million(&app).await;
    let summary = ask(&app, &format!("summary?{SHOP}")).await;
    assert_eq!(summary["evaluations"], 1_000_000);
    let people = summary["uniqueUsers"].as_f64().expect("a number");
    assert!((people - PEOPLE as f64).abs() < PEOPLE as f64 * 0.05, "{people}");
    let rules = ask(&app, &format!("rules?{SHOP}")).await;
    let counts: Vec<u64> = rules["items"]
        .as_array()
        .expect("rules")
        .iter()
        .map(|it| it["evaluations"].as_u64().expect("a count"))
        .collect();
    assert_eq!(counts, [[1500_u64; FEATURES], [500; FEATURES]].concat());
    let contexts = ask(&app, &format!("contexts?{SHOP}")).await;
    assert_eq!(contexts["items"][0]["values"][0], json!({"value": "NO", "count": 1500, "share": 0.75}));
}

#[actix_web::test]
async fn a_tenth_of_a_million_stands_for_all_within_three_standard_deviations() {
    let app = TestApp::with(|config| config.sampling = 0.1).await;
    a_million(&app).await;
    let summary = ask(&app, &format!("summary?{SHOP}")).await;
    // Of a binomial with n = 1 000 000 and p = 0.1, scaled by ten.
    let sigma = (1_000_000.0 * 0.1 * 0.9_f64).sqrt() * 10.0;
    let found = summary["evaluations"].as_f64().expect("a number");
    assert!((found - 1_000_000.0).abs() < 3.0 * sigma, "{found}");
    assert_ne!(found, 1_000_000.0);
    let people = summary["uniqueUsers"].as_f64().expect("a number");
    assert!((people - PEOPLE as f64).abs() < PEOPLE as f64 * 0.05, "users are not sampled: {people}");
    let contexts = ask(&app, &format!("contexts?{SHOP}")).await;
    let count = contexts["items"][0]["count"].as_f64().expect("a number");
    assert!((count - 2000.0).abs() < 4.0 * (2000.0 * 0.1 * 0.9_f64).sqrt() * 10.0, "{count}");
}

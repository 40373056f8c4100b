//! All Contexts as one document (featuresd.md §6.5).

use serde_json::{Value, json};

use super::{at, problems, worked_example};
use crate::support::{PROD, TestApp};

const STAGING: &str = "/api/v1/sites/shop/environments/staging";

async fn exported(app: &TestApp, environment: &str) -> String {
    app.viewer().get(&format!("{environment}/contexts:export")).await.expect(200).text
}

#[actix_web::test]
async fn an_export_makes_another_environment_answer_the_same() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    app.editor().patch(&at("/override"), json!({"features": {"ratio": "1.50"}})).await.expect(200);
    app.editor().patch(&at("/mia"), json!({"description": "Mia"})).await.expect(200);
    let first = exported(&app, PROD).await;
    app.editor().post("/api/v1/sites/shop/environments", json!({"name": "staging"})).await.expect(201);
    for (content_type, accept) in
        [("application/json", "application/json"), ("application/yaml", "application/yaml")]
    {
        let ask = app.viewer().ask("GET", &format!("{PROD}/contexts:export")).header("accept", accept);
        let text = ask.send().await.expect(200).text;
        let ask = app.editor().ask("POST", &format!("{STAGING}/contexts:import?mode=replace"));
        ask.body(content_type, text).send().await.expect(200);
        assert_eq!(exported(&app, STAGING).await, first, "byte for byte, as {content_type}");
    }
    for subject in ["mia", "mia-phone", "nobody"] {
        let asked = |base: &str| format!("{base}/contexts/{subject}/features?explain=true");
        let (mut one, mut other) = (
            app.editor().get(&asked(PROD)).await.expect(200).body,
            app.editor().get(&asked(STAGING)).await.expect(200).body,
        );
        for answer in [&mut one, &mut other] {
            answer["revision"] = json!(0);
        }
        assert_eq!(one, other, "{subject}");
    }
    // Importing what is there changes nothing.
    let before = app.dump();
    let again =
        app.editor().post(&at(":import"), serde_json::from_str(&first).expect("JSON")).await.expect(200);
    assert_eq!(
        (&again.body["created"], &again.body["updated"], &again.body["unchanged"]),
        (&json!([]), &json!([]), &json!(7))
    );
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

fn paths(plan: &Value, part: &str) -> Vec<String> {
    let entries = plan[part].as_array().expect("a list");
    entries.iter().map(|entry| entry["path"].as_str().expect("a path").to_owned()).collect()
}

#[actix_web::test]
async fn a_plan_says_what_importing_does() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let document = json!({
        "version": 1,
        "features": {"seats": {"type": "integer"}, "extra": {"type": "flag"}},
        "contexts": {
            "default": {"features": {"seats": 4}},
            "mia": {"prototypes": ["pilots"], "features": {"extra": "yes"}},
            "pilots": {"features": {"beta_ui": "yes", "banner": "Pilot"}},
            "new": null,
        },
    });
    let before = app.dump();
    let plan = app.editor().post(&at(":import?dryRun=true"), document.clone()).await.expect(200).body;
    assert_eq!(app.dump().differing(&before), [""; 0], "a dry run writes nothing");
    assert_eq!(paths(&plan, "created"), ["features/extra", "contexts/new"]);
    assert_eq!(paths(&plan, "updated"), ["contexts/default", "contexts/mia"]);
    assert_eq!(
        plan["updated"][1]["differences"],
        json!([
            {"field": "prototypes", "before": ["team-blue", "pilots"], "after": ["pilots"]},
            {"field": "features.extra", "before": null, "after": "yes"},
        ])
    );
    let (revision, changes) = (app.revision("prod"), app.changes().len());
    let done = app.editor().post(&at(":import"), document.clone()).await.expect(200).body;
    assert_eq!((&done["created"], &done["updated"]), (&plan["created"], &plan["updated"]));
    assert_eq!(app.revision("prod"), revision + 1, "one revision");
    let told: Vec<_> = app.changes()[changes..].iter().map(|change| change.what()).collect();
    assert_eq!(
        told,
        ["feature created", "feature updated", "contexts imported"],
        "one entry for the Contexts"
    );
    assert_eq!(app.changes().last().expect("a change").payload["after"]["created"], plan["created"]);
    // `replace` deletes what is not named, but never features, nor the two that are always there.
    let replaced = app.editor().post(&at(":import?mode=replace"), document).await.expect(200).body;
    assert_eq!(
        paths(&replaced, "deleted"),
        ["contexts/mia-phone", "contexts/org-nordic", "contexts/team-blue"]
    );
    let left = app.editor().get(&at("")).await.expect(200);
    assert_eq!(left.items("key"), ["default", "mia", "new", "override", "pilots"]);
    app.editor().get(&format!("{PROD}/features/ratio")).await.expect(200);
    let mia = app.sdk().get(&at("/mia/features")).await.expect(200).body;
    assert_eq!(mia["features"], json!({"banner": "Pilot", "beta_ui": "yes", "extra": "yes", "seats": "4"}));
}

#[actix_web::test]
async fn a_bad_document_is_refused_whole_with_every_problem() {
    let app = TestApp::new().await;
    worked_example(&app).await;
    let before = app.dump();
    let document = json!({
        "version": 1,
        "features": {"seats": {"type": "string"}},
        "contexts": {
            "a": {"prototypes": ["b", "gone"]},
            "b": {"prototypes": ["a"]},
            "c": {"features": {"seats": "x", "nothing": 1}},
            "bad key": {},
            "override": {"prototypes": ["a"]},
        },
    });
    let reply = app.editor().post(&at(":import"), document).await;
    reply.refused(422, "type_conflict");
    let told = |code: &str, field: &str| (code.to_owned(), field.to_owned());
    assert_eq!(
        problems(&reply),
        [
            told("type_conflict", "features.seats.type"),
            told("unknown_prototype", "contexts.a.prototypes[1]"),
            told("prototype_cycle", "contexts.a.prototypes"),
            told("prototype_cycle", "contexts.b.prototypes"),
            told("invalid_key", "contexts.bad key"),
            told("unknown_feature", "contexts.c.features.nothing"),
            told("invalid_value", "contexts.c.features.seats"),
            told("reserved_context", "contexts.override.prototypes"),
        ]
    );
    for (body, status, code) in [
        (json!([]), 400, "bad_json"),
        (json!({"contexts": {}}), 422, "invalid"),
        (json!({"version": 2}), 422, "invalid"),
        (json!({"version": 1, "colour": 1}), 400, "unknown_field"),
        (json!({"version": 1, "features": {"x": {"type": "BOOLEAN"}}}), 422, "invalid"),
        (
            json!({"version": 1, "contexts": {"default": {"features": {"seats": "many"}}}}),
            422,
            "invalid_value",
        ),
    ] {
        app.editor().post(&at(":import"), body).await.refused(status, code);
    }
    assert_eq!(app.dump().differing(&before), [""; 0]);
}

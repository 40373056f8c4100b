//! The compatibility surface (featuresd.md §6.3): the home page's quick start, and what surrounds it.

use serde_json::json;

use super::{at, problems};
use crate::support::{Actor, PROD, Reply, TestApp};

const FORM: &str = "application/x-www-form-urlencoded";

async fn post(actor: &Actor, path: &str, form: &str) -> Reply {
    actor.ask("POST", path).body(FORM, form).send().await
}

fn secret(app: &TestApp) -> String {
    app.token(json!({"description": "featuresd", "kind": "server", "permissions": ["CONTEXTS_WRITE"]}))
}

#[actix_web::test]
async fn the_quick_start_of_the_home_page_ends_with_the_context_in_the_list() {
    let app = TestApp::with(|config| {
        config.rate_limit = 0;
        config.featuresd_root = true;
    })
    .await;
    let secret = secret(&app);
    for (site, base, actor) in [
        ("a", "/featuresd/api", app.bearer(&secret)),
        ("b", &format!("/featuresd/{secret}/api"), app.anonymous()),
        ("c", "/api", app.bearer(&secret)),
    ] {
        let feature = format!("new_design_{site}");
        let made = post(&actor, &format!("{base}/features"), &format!("id={feature}")).await.expect(201);
        assert_eq!(made.body, json!({"key": feature, "type": "flag"}));
        let user = format!("user-{site}");
        let form = format!("id={user}&features[{feature}]=true");
        let made = post(&actor, &format!("{base}/contexts"), &form).await.expect(201);
        assert_eq!(made.body, json!({"key": user, "prototypes": [], "features": {feature.clone(): "yes"}}));
        // The same id once more, now with a group that does not exist yet, which comes afterwards.
        let form = format!("id={user}&prototype[]=beta-{site}&prototype[]=staff-{site}");
        let merged = post(&actor, &format!("{base}/contexts/"), &form).await.expect(200);
        assert_eq!(merged.body["prototypes"], json!([format!("beta-{site}"), format!("staff-{site}")]));
        assert_eq!(merged.body["features"], json!({feature.clone(): "yes"}), "values stay");
        let form = format!("id=beta-{site}&features%5B{feature}%5D=true");
        post(&actor, &format!("{base}/contexts"), &form).await.expect(200);
        let path = format!("{base}/contexts/?matches={feature}");
        let list = actor.get(&path).await.expect(200).body;
        let keys: Vec<_> = list.as_array().expect("a list").iter().map(|one| one["key"].clone()).collect();
        assert_eq!(keys, [json!(format!("beta-{site}")), json!(user)]);
    }
}

#[actix_web::test]
async fn features_are_made_once_and_shown_as_documented() {
    let app = TestApp::new().await;
    let actor = app.bearer(&secret(&app));
    let path = "/featuresd/api/features";
    for (form, status, shown) in [
        ("id=a", 201, json!({"key": "a", "type": "flag"})),
        ("key=a", 200, json!({"key": "a", "type": "flag"})),
        ("key=n&type=integer", 201, json!({"key": "n", "type": "integer"})),
        ("key=s&type=string", 201, json!({"key": "s", "type": "string"})),
        ("key=m&id=m&type=number", 201, json!({"key": "m", "type": "number"})),
    ] {
        assert_eq!(post(&actor, path, form).await.expect(status).body, shown, "{form}");
    }
    post(&actor, path, "id=a&type=string").await.refused(409, "feature_exists");
    post(&actor, path, "id=n&type=number").await.refused(409, "feature_exists");
    for (form, status, code) in [
        ("type=flag", 422, "invalid"),
        ("id=x&type=boolean", 422, "invalid"),
        ("id=x y", 422, "invalid"),
        ("id=x&key=y", 422, "invalid"),
        ("id=x&match=(yes)", 400, "unknown_field"),
    ] {
        post(&actor, path, form).await.refused(status, code);
    }
    actor.post(path, json!({"key": "j", "type": "json"})).await.expect(201);
    actor.post(path, json!({"id": "j2"})).await.refused(400, "unknown_field");
    actor.ask("POST", path).body("text/plain", "id=a").send().await.refused(415, "unsupported_media_type");
    let list = actor.get(&format!("{path}/")).await.expect(200).body;
    assert_eq!(list.as_array().map(Vec::len), Some(5));
    assert_eq!(
        actor.get(&format!("{path}/n/")).await.expect(200).body,
        json!({"key": "n", "type": "integer"})
    );
    actor.get(&format!("{path}/gone")).await.refused(404, "feature_not_found");
    actor.delete(&format!("{path}/n")).await.refused(403, "forbidden");
    actor.ask("PATCH", &format!("{path}/n")).send().await.refused(405, "method_not_allowed");
    // It is the one catalogue of features.
    let native = app.editor().get(&format!("{PROD}/features/n")).await.expect(200).body;
    assert_eq!((&native["type"], &native["integer"]), (&json!("NUMBER"), &json!(true)));
}

#[actix_web::test]
async fn contexts_merge_read_resolve_and_go() {
    let app = TestApp::new().await;
    let actor = app.bearer(&secret(&app));
    for form in ["id=seats&type=integer", "id=banner&type=string", "id=beta"] {
        post(&actor, "/featuresd/api/features", form).await.expect(201);
    }
    let contexts = "/featuresd/api/contexts";
    let body = json!({"key": "mia", "prototypes": ["team"], "features": {"seats": 5, "beta": "yes"}});
    actor.post(contexts, body).await.expect(201);
    post(&actor, contexts, "key=team&features[banner]=Hej+du").await.expect(200);
    let shown = actor.get(&format!("{contexts}/mia")).await.expect(200).body;
    assert_eq!(
        shown,
        json!({"key": "mia", "prototypes": ["team"], "features": {"seats": "5", "beta": "yes"}})
    );
    let resolved = actor.get(&format!("{contexts}/mia/features/")).await.expect(200).body;
    assert_eq!(resolved, json!({"banner": "Hej du", "beta": "yes", "seats": "5"}));
    assert_eq!(actor.get(&format!("{contexts}/nobody/features")).await.expect(200).body, json!({}));
    let all = actor.get(contexts).await.expect(200).body;
    let keys: Vec<_> = all.as_array().expect("a list").iter().map(|one| one["key"].clone()).collect();
    assert_eq!(keys, ["default", "mia", "override", "team"]);
    // An empty list takes the prototypes away; leaving it out keeps them.
    post(&actor, contexts, "id=mia&features[seats]=6").await.expect(200);
    let cleared = post(&actor, contexts, "id=mia&prototypes[]=").await.expect(200).body;
    assert_eq!((&cleared["prototypes"], &cleared["features"]["seats"]), (&json!([]), &json!("6")));
    post(&actor, contexts, "id=mia&prototypes[]=team").await.expect(200);
    for (form, status, code) in [
        ("features[seats]=1", 422, "invalid"),
        ("id=mia&colour=red", 400, "unknown_field"),
        ("id=mia&features[gone]=1", 422, "unknown_feature"),
        ("id=mia&features[seats]=many", 422, "invalid_value"),
        ("id=team&prototype[]=mia", 422, "prototype_cycle"),
        ("id=override&features[beta]=true", 403, "forbidden"),
        ("id=default&features[beta]=true", 403, "forbidden"),
        ("id=a&prototype[]=bad+key", 422, "unknown_prototype"),
    ] {
        post(&actor, contexts, form).await.refused(status, code);
    }
    let both = post(&actor, contexts, "id=x&features[gone]=1&features[seats]=many&prototype[]=fresh").await;
    assert_eq!(problems(&both).len(), 2);
    app.editor().get(&at("/fresh")).await.refused(404, "context_not_found");
    actor.get(&format!("{contexts}/?matches=gone")).await.refused(404, "feature_not_found");
    actor.delete(&format!("{contexts}/team")).await.refused(409, "context_in_use");
    actor.delete(&format!("{contexts}/team?detach=true")).await.expect(204);
    actor.delete(&format!("{contexts}/mia/")).await.expect(204);
    actor.get(&format!("{contexts}/mia")).await.refused(404, "context_not_found");
}

#[actix_web::test]
async fn tokens_do_here_what_they_may_elsewhere() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    app.feature(json!({"key": "a", "type": "flag", "defaultValue": false})).await;
    let reads = ["/features", "/features/a", "/contexts", "/contexts/override", "/contexts?matches=a"];
    for path in reads {
        let path = format!("/featuresd/api{path}");
        app.anonymous().get(&path).await.refused(401, "unauthenticated");
        app.bearer("alm_env_gone").get(&path).await.refused(401, "unauthenticated");
        app.anonymous()
            .get(&path.replace("/featuresd/", "/featuresd/alm_env_gone/"))
            .await
            .refused(401, "unauthenticated");
        app.editor().get(&path).await.refused(403, "forbidden");
        app.sdk().get(&path).await.refused(403, "forbidden");
        app.server_sdk().get(&path).await.expect(200);
    }
    for actor in [app.sdk(), app.server_sdk()] {
        actor.get("/featuresd/api/contexts/x/features").await.expect(200);
        for path in ["/featuresd/api/features", "/featuresd/api/contexts"] {
            post(&actor, path, "id=x").await.refused(403, "forbidden");
        }
        actor.delete("/featuresd/api/contexts/x").await.refused(403, "forbidden");
    }
    // Without the option, the paths of the home page are not there.
    app.server_sdk().get("/api/contexts").await.refused(404, "not_found");
    app.editor().patch(PROD, json!({"status": "maintenance"})).await.expect(200);
    app.sdk().get("/featuresd/api/contexts/x/features").await.refused(503, "environment_maintenance");
}

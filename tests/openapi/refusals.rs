//! Whatever is refused is refused as described.

use serde_json::{Value, json};

use super::furnished::Furnished;
use super::json_schema::resolve;
use super::{Operation, check, document, find, operations};
use crate::support::{Actor, PROD, Reply};

/// Requests of one operation that must be refused.
struct Refused<'d> {
    document: &'d Value,
    operation: &'d Operation<'d>,
    path: String,
}

impl Refused<'_> {
    /// Asks with the example of the body, other headers and other bodies apart.
    async fn ask(&self, who: &Actor, header: Option<(&str, &str)>, body: Option<(&str, Vec<u8>)>) -> Reply {
        let mut request = who.ask(&self.operation.method, &self.path);
        let example = || self.operation.example(self.document);
        if let Some((name, value)) = header {
            request = request.header(name, value);
        }
        match (body, example()) {
            (Some((kind, body)), _) => request = request.body(kind, body),
            (None, Some(example)) => request = request.json(&example),
            (None, None) => {}
        }
        request.send().await
    }

    fn is(&self, what: &str, status: u16, reply: &Reply) {
        assert_eq!(reply.status, status, "{}, {what}: {}", self.operation.id(), reply.text);
        check(self.document, self.operation, reply);
    }
}

#[actix_web::test]
async fn every_refusal_is_described() {
    let document = document();
    let server = Furnished::new().await;
    let viewer = server.app.viewer();
    let (anonymous, unknown) = (server.app.anonymous(), server.app.bearer("alm_env_shop_prod_gone"));
    for operation in operations(&document).iter().filter(|operation| operation.path.starts_with("/api/v1/")) {
        let (person, client) = (operation.takes("personalAccessToken"), operation.takes("environmentToken"));
        if !person && !client {
            continue;
        }
        let id = operation.id();
        let at = Refused { document: &document, operation, path: operation.at(&server.names) };
        at.is("nobody", 401, &at.ask(&anonymous, None, None).await);
        at.is("unknown", 401, &at.ask(&unknown, None, None).await);
        if !(person && client) {
            let wrong = if person { &server.client } else { &server.ana };
            at.is("of the wrong kind", 403, &at.ask(wrong, None, None).await);
        }
        // What everybody may: to ask, and what is their own.
        let is_everybodys =
            ["explain", "lookUpContexts"].contains(&id) || operation.path.starts_with("/api/v1/me");
        if person && operation.method != "GET" && !is_everybodys {
            at.is("a viewer", 403, &at.ask(&viewer, None, None).await);
        }
        if person && operation.path.contains("{site}") {
            let path = at.path.replace("/shop", "/nowhere");
            let elsewhere = Refused { path, ..at };
            elsewhere.is("of no site", 404, &elsewhere.ask(&server.ana, None, None).await);
        }
        let at = Refused { document: &document, operation, path: operation.at(&server.names) };
        let right = if person { &server.ana } else { &server.client };
        if operation.json_body().is_some() {
            let json = |body: &str| Some(("application/json", body.as_bytes().to_vec()));
            at.is("no JSON", 400, &at.ask(right, None, json("{")).await);
            at.is("no object", 400, &at.ask(right, None, json("[]")).await);
            if !id.starts_with("report") {
                let html = Some(("text/html", b"{}".to_vec()));
                at.is("no JSON type", 415, &at.ask(right, None, html).await);
            }
            if !["importSite", "importContexts"].contains(&id) {
                let long = Some(("application/json", vec![b' '; (1 << 20) + 1]));
                at.is("too long", 413, &at.ask(right, None, long).await);
            }
            let nothing = at.ask(right, None, json("{}")).await;
            check(&document, operation, &nothing);
        }
        if operation.parameters("header").iter().any(|header| header["name"] == "If-Match") {
            at.is("an old version", 412, &at.ask(right, Some(("if-match", "\"999\"")), None).await);
            at.is("no version", 400, &at.ask(right, Some(("if-match", "seven")), None).await);
        }
    }
}

#[actix_web::test]
async fn conflicts_limits_and_states_are_described() {
    let document = document();
    let server = Furnished::new().await;
    let (person, client, prod, site) = (&server.ana, &server.client, PROD, "/api/v1/sites/shop");
    let expect = async |id: &str, who: &Actor, path: &str, body: Option<Value>, status: u16, code: &str| {
        let operation = find(&document, id);
        let mut request = who.ask(&operation.method, path);
        if let Some(body) = &body {
            request = request.json(body);
        }
        let reply = request.send().await;
        assert_eq!((reply.status, reply.code()), (status, code), "{id}: {}", reply.text);
        check(&document, &operation, &reply);
        let described = resolve(&document, &operation.of["responses"][status.to_string()]).to_string();
        assert!(described.contains(code), "{id}: {status} does not speak of {code}");
    };
    let feature = format!("{prod}/features/new_checkout");
    let taken = json!({"key": "new_checkout", "type": "BOOLEAN"});
    expect("createFeature", person, &format!("{prod}/features"), Some(taken), 409, "key_taken").await;
    expect("deleteVariant", person, &format!("{feature}/variants/grey"), None, 409, "in_use").await;
    let blue = json!({"key": "blue", "value": true});
    expect("createVariant", person, &format!("{feature}/variants"), Some(blue), 409, "key_taken").await;
    expect("updateFeature", person, &feature, Some(json!({"variants": []})), 409, "in_use").await;
    let greeting = format!("{prod}/features/greeting");
    let typed = Some(json!({"type": "NUMBER"}));
    expect("updateFeature", person, &greeting, typed, 409, "type_conflict").await;
    expect("deleteFeature", person, &greeting, None, 409, "feature_in_use").await;
    expect("deleteSegment", person, &format!("{site}/segments/staff"), None, 409, "in_use").await;
    let segment = json!({"conditions": {"segment": "staff"}});
    expect("updateSegment", person, &format!("{site}/segments/staff"), Some(segment), 422, "segment_cycle")
        .await;
    let again = Some(json!({"name": "x", "slug": "shop"}));
    expect("createSite", person, "/api/v1/sites", again, 409, "slug_taken").await;
    let again = Some(json!({"name": "prod"}));
    expect("createEnvironment", person, &format!("{site}/environments"), again, 409, "name_taken").await;
    let users = "/api/v1/users";
    let taken = json!({"username": "Ben", "email": "other@shop.example", "role": "viewer"});
    expect("createUser", person, users, Some(taken), 409, "user_taken").await;
    let ben = format!("{users}/{}", server.names["user"]);
    expect("updateUser", person, &ben, Some(json!({"username": "ana"})), 409, "user_taken").await;
    let ana = person.get("/api/v1/me").await.expect(200).body;
    let ana = format!("{users}/{}", ana["id"].as_str().expect("an id"));
    expect("updateUser", person, &ana, Some(json!({"active": false})), 409, "own_account").await;
    expect("deleteUser", person, &ana, None, 409, "own_account").await;
    person.patch(&feature, json!({"locked": true})).await.expect(200);
    expect("updateFeature", person, &feature, Some(json!({"enabled": false})), 409, "locked").await;
    let cursor = format!("{prod}/features?cursor=zz");
    expect("listFeatures", person, &cursor, None, 400, "invalid_cursor").await;
    expect("listFeatures", person, &format!("{prod}/features?limit=0"), None, 422, "invalid").await;
    expect("getRuleset", client, &format!("{prod}/ruleset"), None, 403, "forbidden").await;
    expect("getFeature", client, &format!("{prod}/features/gone"), None, 404, "not_found").await;

    let limited = json!({"description": "slow", "kind": "server", "rateLimit": 1});
    let slow = server.app.bearer(&server.app.token(limited));
    let evaluate = "/api/v1/evaluate";
    assert_eq!(slow.post(evaluate, json!({})).await.header("ratelimit-limit"), Some("1"));
    expect("evaluate", &slow, evaluate, Some(json!({})), 429, "rate_limited").await;
    for (status, answer, code) in
        [("maintenance", 503, "environment_maintenance"), ("archived", 410, "environment_archived")]
    {
        person.patch(prod, json!({ "status": status })).await.expect(200);
        expect("evaluate", client, evaluate, Some(json!({})), answer, code).await;
    }
    expect("createRule", person, &format!("{feature}/rules"), Some(json!({})), 409, "environment_archived")
        .await;
}

//! Every operation, asked with its example and answered as described.

use std::collections::{BTreeSet, HashSet};

use serde_json::{Value, json};

use super::furnished::Furnished;
use super::json_schema::problems;
use super::{check, document, find, operations};
use crate::support::{Actor, Reply, query};

/// A walk through the operations: what the description says is sent, and what comes back is held against it.
struct Tour<'d> {
    document: &'d Value,
    server: Furnished,
    visited: HashSet<String>,
}

impl<'d> Tour<'d> {
    async fn new(document: &'d Value) -> Self {
        Self { document, server: Furnished::new().await, visited: HashSet::new() }
    }

    /// Sends the described example, or this body, as a person, and expects success.
    async fn visit(&mut self, id: &str, body: impl Into<Option<Value>>) -> Reply {
        let ana = self.server.ana.clone();
        self.visit_as(&ana, id, &[], body).await
    }

    async fn visit_as(
        &mut self,
        who: &Actor,
        id: &str,
        parameters: &[(&str, &str)],
        body: impl Into<Option<Value>>,
    ) -> Reply {
        let operation = find(self.document, id);
        let body = body.into().or_else(|| operation.example(self.document));
        let mut request = who.ask(&operation.method, &query(&operation.at(&self.server.names), parameters));
        if let Some(body) = &body {
            let content = operation.json_body().unwrap_or_else(|| panic!("{id} takes no JSON"));
            let found = problems(self.document, &content["schema"], body);
            assert!(found.is_empty(), "{id}: what is sent is not as described: {found:#?}");
            request = request.json(body);
        }
        let reply = request.send().await;
        assert!((200..300).contains(&reply.status), "{id}: {} {}", reply.status, reply.text);
        check(self.document, &operation, &reply);
        self.visited.insert(id.to_owned());
        reply
    }

    /// The same for the one that does not end.
    async fn visit_stream(&mut self, who: &Actor, parameters: &[(&str, &str)]) {
        let operation = find(self.document, "stream");
        let path = query(&operation.at(&self.server.names), parameters);
        let snapshot = who.ask("GET", &path).open().await.next().await;
        assert_eq!(snapshot.name, "snapshot");
        for (key, evaluated) in snapshot.data["features"].as_object().expect("features") {
            let schema = &self.document["components"]["schemas"]["Evaluated"];
            let found = problems(self.document, schema, evaluated);
            assert!(found.is_empty(), "stream: {key}: {found:#?}");
        }
        self.visited.insert("stream".into());
    }
}

#[actix_web::test]
async fn every_operation_takes_its_example_and_answers_as_described() {
    let document = document();
    let mut tour = Tour::new(&document).await;
    let (client, api) = (tour.server.client.clone(), tour.server.server.clone());

    tour.visit_as(&client, "evaluate", &[], None).await;
    tour.visit_as(
        &client,
        "evaluate",
        &[],
        json!({"context": {"userId": "ben"}, "features": ["theme", "gone"]}),
    )
    .await;
    tour.visit_as(&client, "evaluateBatch", &[], None).await;
    let context = &[("context", r#"{"userId": "ben", "country": "SE", "state": "NY"}"#)];
    tour.visit_as(&client, "listFeatures", context, None).await;
    tour.visit_as(&client, "getFeature", context, None).await;
    tour.visit_stream(&client, context).await;
    tour.visit_as(&client, "reportEvaluations", &[], None).await;
    tour.visit_as(&client, "reportConversion", &[], None).await;
    tour.server.app.run_jobs();
    let of = [("site", "shop"), ("env", "prod")];
    let ana = tour.server.ana.clone();
    for id in ["Summary", "Daily", "Rules", "Contexts", "Variants"] {
        let of = [of[0], of[1], ("feature", "new_checkout")];
        tour.visit_as(&ana, &format!("analytics{id}"), &of, None).await;
    }
    tour.visit_as(&ana, "analyticsStale", &of, None).await;
    for id in ["getAnalyticsSettings", "updateAnalyticsSettings"] {
        tour.visit(id, None).await;
    }
    let ruleset = tour.visit_as(&api, "getRuleset", &[], None).await.body;
    assert!(
        ruleset["override"].is_object() && ruleset["contexts"].as_array().is_some_and(|all| all.len() > 1)
    );
    tour.visit_as(&api, "explain", &[], json!({"context": {"country": "SE", "state": "NY", "userId": 1}}))
        .await;
    tour.visit("explain", None).await;

    tour.visit("listFeatures", None).await;
    tour.visit("getFeature", None).await;
    for id in ["listRules", "getRule", "listVariants", "getVariant", "getFeatureHistory"] {
        tour.visit(id, None).await;
    }
    tour.server.names.insert("key", "new_search".into());
    let mut feature = example(&document, "NewFeature");
    feature["key"] = json!("new_search");
    tour.visit("createFeature", feature).await;
    tour.visit("createVariant", None).await;
    tour.visit("updateVariant", None).await;
    let rule = tour.visit("createRule", None).await.body;
    tour.server.names.insert("rule", rule["id"].as_str().expect("an id").into());
    tour.visit("updateRule", None).await;
    let rules = tour.visit("listRules", None).await.body;
    let ids: Vec<&Value> =
        rules["items"].as_array().expect("rules").iter().rev().map(|rule| &rule["id"]).collect();
    tour.visit("reorderRules", json!({ "ids": ids })).await;
    tour.visit("deleteVariant", None).await;
    tour.visit("deleteRule", None).await;
    tour.visit("updateFeature", None).await;
    tour.visit("replaceFeature", json!({"description": "nothing else"})).await;
    let history = tour.visit("getFeatureHistory", None).await.body;
    assert!(history["items"].as_array().is_some_and(|all| all.len() > 5), "{history}");
    tour.visit("revertFeature", None).await;
    tour.visit("deleteFeature", None).await;

    for id in ["listContexts", "getContext", "lookUpContext", "lookUpContextValue", "lookUpContexts"] {
        tour.visit(id, None).await;
    }
    let context = &[("explain", "true"), ("prototypes", "team:blue,gone"), ("rules", "true")];
    for id in ["lookUpContext", "lookUpContextValue"] {
        tour.visit_as(&api, id, context, None).await;
        tour.visit_as(&client, id, &[("typed", "true")], None).await;
    }
    let subjects =
        json!({"subjects": [{"key": "ben", "features": {"greeting": "x"}}], "explain": true, "typed": true});
    tour.visit("lookUpContexts", subjects).await;
    for id in ["updateContext", "replaceContext", "setContextValue", "removeContextValue"] {
        tour.visit(id, None).await;
    }
    for id in ["createContext", "exportContexts", "importContexts"] {
        tour.visit(id, None).await;
    }
    tour.server.names.insert("context", "new".into());
    tour.visit("replaceContext", json!({"prototypes": ["team:blue"], "features": {"theme": {"a": [1]}}}))
        .await;
    tour.server.names.insert("context", "team:blue".into());
    tour.visit("listContextChildren", None).await;
    tour.server.names.insert("context", "new".into());
    tour.visit("deleteContext", None).await;

    for id in ["listTokens", "createToken", "getToken", "updateToken", "rotateToken", "deleteToken"] {
        tour.visit(id, None).await;
    }
    tour.visit("listSegments", None).await;
    tour.server.names.insert("segment", "testers".into());
    tour.visit("createSegment", json!({"key": "testers", "conditions": {"segment": "staff"}})).await;
    for id in ["getSegment", "updateSegment", "deleteSegment"] {
        tour.visit(id, None).await;
    }
    let compatibility = tour.visit("getCompatibility", None).await.body;
    assert!(!compatibility["items"].as_array().expect("items").is_empty());
    for id in ["exportSite", "importSite", "listEnvironments", "createEnvironment"] {
        tour.visit(id, None).await;
    }
    tour.server.names.insert("environment", "dev".into());
    for id in ["getEnvironment", "updateEnvironment", "deleteEnvironment"] {
        tour.visit(id, None).await;
    }
    for id in ["listWebhooks", "createWebhook", "getWebhook", "updateWebhook", "rotateWebhook", "testWebhook"]
    {
        tour.visit(id, None).await;
    }
    for id in ["listDeliveries", "getDelivery", "redeliver", "deleteWebhook"] {
        tour.visit(id, None).await;
    }
    for id in ["listAuditEntries", "verifyAudit", "listGdprRequests", "createGdprRequest", "getGdprRequest"] {
        tour.visit(id, None).await;
    }
    for id in ["downloadGdprExport", "deleteGdprRequest"] {
        tour.visit(id, None).await;
    }
    for id in ["listUsers", "createUser", "getUser", "updateUser", "resetTwoFactor", "deleteUser"] {
        tour.visit(id, None).await;
    }
    for id in ["getMe", "updateMe", "listMyDevices", "deleteMyDevice", "listMySessions", "deleteMySession"] {
        tour.visit(id, None).await;
    }
    let token = tour.visit("createMyToken", None).await.body;
    tour.server.names.insert("token", token["id"].as_str().expect("an id").into());
    for id in ["listMyTokens", "deleteMyToken"] {
        tour.visit(id, None).await;
    }
    for id in [
        "listSites",
        "createSite",
        "getSite",
        "updateSite",
        "transferSite",
        "getBranding",
        "putBranding",
        "deleteSite",
    ] {
        tour.visit(id, None).await;
    }
    for id in ["healthz", "readyz", "metrics", "getDescription"] {
        tour.visit(id, None).await;
    }

    let all: BTreeSet<_> = operations(&document).iter().map(|operation| operation.id().to_owned()).collect();
    let forgotten: Vec<_> = all.iter().filter(|id| !tour.visited.contains(*id)).collect();
    assert!(forgotten.is_empty(), "not visited: {forgotten:?}");
}

fn example(document: &Value, schema: &str) -> Value {
    document["components"]["schemas"][schema]["example"].clone()
}

#[actix_web::test]
async fn what_was_read_can_be_sent_back() {
    let document = document();
    let mut tour = Tour::new(&document).await;
    for (read, change) in [
        ("getSite", "updateSite"),
        ("getBranding", "putBranding"),
        ("getEnvironment", "updateEnvironment"),
        ("getSegment", "updateSegment"),
        ("getFeature", "updateFeature"),
        ("getFeature", "replaceFeature"),
        ("getRule", "updateRule"),
        ("getToken", "updateToken"),
        ("getVariant", "updateVariant"),
        ("getWebhook", "updateWebhook"),
        ("getUser", "updateUser"),
        ("getMe", "updateMe"),
        ("getContext", "updateContext"),
        ("getContext", "replaceContext"),
        ("getAnalyticsSettings", "updateAnalyticsSettings"),
    ] {
        let before = tour.visit(read, None).await.body;
        let operation = find(&document, change);
        let path = operation.at(&tour.server.names);
        let reply = tour.server.ana.ask(&operation.method, &path).json(&before).send().await;
        assert_eq!(reply.expect(200).body, before, "{change}");
    }
}

#[actix_web::test]
async fn a_current_entity_tag_is_answered_with_304_where_that_is_described() {
    let document = document();
    let server = Furnished::new().await;
    let operations = operations(&document);
    let mut tried = Vec::new();
    for operation in operations.iter().filter(|operation| operation.method == "GET") {
        let (id, path) = (operation.id(), operation.at(&server.names));
        let described = operation.of["responses"].get("304").is_some();
        let conditional =
            operation.parameters("header").iter().any(|header| header["name"] == "If-None-Match");
        assert_eq!(described, conditional, "{id}");
        for who in [&server.ana, &server.server].into_iter().filter(|_| described) {
            let first = who.get(&path).await;
            let Some(etag) = first.header("etag") else { continue };
            let second = who.ask("GET", &path).header("if-none-match", etag).send().await;
            assert_eq!((second.status, second.header("etag")), (304, Some(etag)), "{id}");
            check(&document, operation, &second);
            tried.push(id);
        }
    }
    tried.sort_unstable();
    let expected = [
        "getContext",
        "getContext",
        "getDescription",
        "getDescription",
        "getFeature",
        "getFeature",
        "getRuleset",
        "listFeatures",
        "lookUpContext",
        "lookUpContext",
        "lookUpContextValue",
        "lookUpContextValue",
    ];
    assert_eq!(tried, expected);
}

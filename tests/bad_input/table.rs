//! The table: one malformed request each.

use serde_json::{Value, json};

use super::{Fixture, SHOP, bodies, is_error};
use crate::support::{PROD, Reply};

/// A request, and how it is refused.
struct Row {
    method: &'static str,
    path: String,
    body: Vec<u8>,
    content_type: &'static str,
    headers: Vec<(&'static str, &'static str)>,
    status: u16,
    code: &'static str,
    /// The fields of `details`, in any order.
    fields: Vec<String>,
}

impl Row {
    fn new(method: &'static str, path: impl Into<String>, body: impl ToString) -> Self {
        Self {
            method,
            path: path.into(),
            body: body.to_string().into(),
            content_type: "application/json",
            headers: Vec::new(),
            status: 422,
            code: "invalid",
            fields: Vec::new(),
        }
    }

    /// Refused with 422 for these fields.
    fn invalid(self, fields: &[&str]) -> Self {
        Self { fields: fields.iter().map(ToString::to_string).collect(), ..self }
    }

    fn refused(self, status: u16, code: &'static str) -> Self {
        Self { status, code, ..self }
    }

    fn unknown(self, fields: &[&str]) -> Self {
        self.refused(400, "unknown_field").invalid(fields)
    }

    fn of_type(self, content_type: &'static str) -> Self {
        Self { content_type, ..self }
    }

    fn header(mut self, name: &'static str, value: &'static str) -> Self {
        self.headers.push((name, value));
        self
    }

    async fn send(&self, fixture: &Fixture) -> Reply {
        let path = fixture.fill(&self.path);
        let mut ask = fixture.actor(&path).ask(self.method, &path);
        for (name, value) in &self.headers {
            ask = ask.header(name, value);
        }
        if self.body.is_empty() && self.content_type.is_empty() {
            ask.send().await
        } else {
            let body = match str::from_utf8(&self.body) {
                Ok(text) if text.contains("{rule}") => fixture.fill(text).into(),
                _ => self.body.clone(),
            };
            ask.body(self.content_type, body).send().await
        }
    }

    fn shown(&self) -> String {
        let body: String = String::from_utf8_lossy(&self.body).chars().take(300).collect();
        format!("{} {} {body}", self.method, self.path)
    }
}

/// Sends every row and compares; each must leave the database as it was.
async fn check(rows: Vec<Row>) {
    let fixture = Fixture::new().await;
    let before = fixture.app.dump();
    let mut wrong = Vec::new();
    for row in &rows {
        let reply = row.send(&fixture).await;
        let mut fields = reply.fields();
        let mut expected: Vec<&str> = row.fields.iter().map(String::as_str).collect();
        fields.sort_unstable();
        expected.sort_unstable();
        if (reply.status, reply.code(), &fields) != (row.status, row.code, &expected) {
            let text: String = reply.text.chars().take(1000).collect();
            wrong.push(format!(
                "{}\n  expected {} {} {expected:?}\n  was {} {text}",
                row.shown(),
                row.status,
                row.code,
                reply.status
            ));
        } else if !is_error(&reply.body) {
            wrong.push(format!("{}\n  no error: {}", row.shown(), reply.text));
        }
        let after = fixture.app.dump();
        if after != before {
            wrong.push(format!("{}\n  wrote to {:?}", row.shown(), after.differing(&before)));
            break;
        }
    }
    assert!(wrong.is_empty(), "{} of {} rows\n{}", wrong.len(), rows.len(), wrong.join("\n"));
}

fn features(body: Value) -> Row {
    Row::new("POST", format!("{PROD}/features"), body)
}

/// A new BOOLEAN feature with these members.
fn feature(members: Value) -> Row {
    let mut body = json!({"key": "new", "type": "BOOLEAN"});
    body.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
    features(body)
}

/// A new rule with these members.
fn rule(members: Value) -> Row {
    let mut body = json!({"name": "new", "outcome": {"value": true}});
    body.as_object_mut().expect("an object").extend(members.as_object().expect("an object").clone());
    Row::new("POST", format!("{PROD}/features/a/rules"), body)
}

/// A new rule with this condition.
fn when(condition: Value) -> Row {
    rule(json!({"when": condition}))
}

fn leaf(operator: &str, value: Value) -> Row {
    when(json!({"attribute": "x", "operator": operator, "value": value}))
}

fn nested(depth: usize) -> Value {
    (0..depth).fold(json!({"attribute": "x", "operator": "exists"}), |inner, _| json!({"all": [inner]}))
}

#[actix_web::test]
async fn bodies_that_are_no_json_object() {
    let mut rows = Vec::new();
    for (method, path, good) in bodies::routes() {
        let row = |body: &str| Row::new(method, path.clone(), body).refused(400, "bad_json");
        let mut bad = vec![
            row("{"),
            row("[]"),
            row("null"),
            row("\"text\""),
            row("{} {}"),
            row("{\"a\":1,}"),
            row("{'a': 1}"),
        ];
        bad.push(Row { body: b"{\"name\": \"\xff\"}".to_vec(), ..row("") });
        bad.push(Row { body: Vec::new(), ..row("") });
        // A rotation and a try need no body.
        let needs_none = [":rotate", ":test"].iter().any(|action| path.ends_with(action));
        bad.retain(|row| !(row.body.is_empty() && needs_none));
        rows.extend(bad);
        let mut wordy = good;
        wordy["colour"] = json!("red");
        rows.push(Row::new(method, path.clone(), wordy).unknown(&["colour"]));
    }
    check(rows).await;
}

#[actix_web::test]
async fn bodies_of_another_type_or_size() {
    let mut rows = Vec::new();
    for (method, path, good) in bodies::routes() {
        if path.contains("/v1/analytics") {
            // Pages send plain text on their way out.
            continue;
        }
        for content_type in ["text/plain", "application/x-www-form-urlencoded", "application/xml", "json"] {
            let row = Row::new(method, path.clone(), &good).of_type(content_type);
            rows.push(row.refused(415, "unsupported_media_type"));
        }
        if !path.ends_with("import") {
            let row = Row::new(method, path, &good);
            let padding = vec![b' '; (1 << 20) + 1 - row.body.len()];
            let body = [row.body.clone(), padding].concat();
            rows.push(Row { body, ..row }.refused(413, "body_too_large"));
        }
    }
    for path in [format!("{SHOP}/import"), format!("{PROD}/contexts:import")] {
        let import = Row::new("POST", path, "");
        rows.push(Row { body: vec![b' '; (64 << 20) + 1], ..import }.refused(413, "body_too_large"));
    }
    check(rows).await;
}

#[actix_web::test]
async fn features_with_wrong_members() {
    let long = |length: usize| "x".repeat(length);
    let variant = |members: Value| feature(json!({"variants": [members]}));
    check(vec![
        features(json!({})).invalid(&["key", "type"]),
        features(json!({"key": null, "type": null})).invalid(&["key", "type"]),
        features(json!({"key": 5, "type": "BOOL"})).invalid(&["key", "type"]),
        feature(json!({"key": "a b"})).invalid(&["key"]),
        feature(json!({"key": ""})).invalid(&["key"]),
        feature(json!({"key": "."})).invalid(&["key"]),
        feature(json!({"key": ".."})).invalid(&["key"]),
        feature(json!({"key": "naïve"})).invalid(&["key"]),
        feature(json!({"key": "a%2Fb"})).invalid(&["key"]),
        feature(json!({"key": long(129)})).invalid(&["key"]),
        feature(json!({"key": "a"})).refused(409, "key_taken"),
        feature(json!({"type": "boolean"})).invalid(&["type"]),
        feature(json!({"defaultValue": "true"})).invalid(&["defaultValue"]),
        feature(json!({"defaultValue": 1})).invalid(&["defaultValue"]),
        feature(json!({"type": "STRING", "defaultValue": true})).invalid(&["defaultValue"]),
        feature(json!({"type": "STRING", "defaultValue": long((64 << 10) + 1)})).invalid(&["defaultValue"]),
        feature(json!({"type": "STRING", "defaultValue": "a\0b"})).invalid(&["defaultValue"]),
        feature(json!({"type": "NUMBER", "defaultValue": "1"})).invalid(&["defaultValue"]),
        features(json!(null)).refused(400, "bad_json"),
        Row::new("POST", format!("{PROD}/features"), r#"{"key": "new", "type": "NUMBER", "defaultValue": 1e999}"#)
            .invalid(&["defaultValue"]),
        Row::new("POST", format!("{PROD}/features"), r#"{"key": "new", "type": "NUMBER", "defaultValue": NaN}"#)
            .refused(400, "bad_json"),
        Row::new("POST", format!("{PROD}/features"), r#"{"key": "new", "type": "STRING", "defaultValue": "\ud800"}"#)
            .invalid(&["defaultValue"]),
        Row::new("POST", format!("{PROD}/features"), r#"{"key": "new", "type": "BOOLEAN", "key": "new"}"#)
            .invalid(&["key"]),
        Row::new(
            "POST",
            format!("{PROD}/features"),
            format!(r#"{{"key": "new", "type": "JSON", "defaultValue": {}{}}}"#, "[".repeat(500), "]".repeat(500)),
        )
        .invalid(&["defaultValue"]),
        feature(json!({"type": "JSON", "defaultValue": long(256 << 10)})).invalid(&["defaultValue"]),
        feature(json!({"enabled": "yes"})).invalid(&["enabled"]),
        feature(json!({"locked": 1})).invalid(&["locked"]),
        feature(json!({"description": 5})).invalid(&["description"]),
        feature(json!({"description": long(4001)})).invalid(&["description"]),
        feature(json!({"description": "\u{0}"})).invalid(&["description"]),
        feature(json!({"tags": "x"})).invalid(&["tags"]),
        feature(json!({"tags": ["ok", 1, "", " a", "a,b", "ok", long(51), "line\nbreak"]}))
            .invalid(&["tags[1]", "tags[2]", "tags[3]", "tags[4]", "tags[5]", "tags[6]", "tags[7]"]),
        feature(json!({"tags": (0..51).map(|n| n.to_string()).collect::<Vec<_>>()})).invalid(&["tags"]),
        feature(json!({"bucketing": "md5"})).invalid(&["bucketing"]),
        feature(json!({"bucketingId": "x"})).invalid(&["bucketingId"]),
        feature(json!({"bucketing": "murmur3", "bucketingId": "17"})).invalid(&["bucketingId"]),
        feature(json!({"bucketing": "crc32", "bucketingId": 0})).invalid(&["bucketingId"]),
        feature(json!({"bucketing": "crc32", "bucketingId": 1.5})).invalid(&["bucketingId"]),
        feature(json!({"variants": {}})).invalid(&["variants"]),
        variant(json!(5)).invalid(&["variants[0]"]),
        variant(json!({})).invalid(&["variants[0].key", "variants[0].value"]),
        variant(json!({"key": "a b", "value": 1})).invalid(&["variants[0].key", "variants[0].value"]),
        variant(json!({"key": "v", "value": true, "weight": 5})).unknown(&["variants[0].weight"]),
        feature(json!({"variants": [{"key": "v", "value": true}, {"key": "v", "value": false}]}))
            .invalid(&["variants[1].key"]),
        feature(json!({"rules": "x"})).invalid(&["rules"]),
        feature(json!({"rules": [5, {}]})).invalid(&["rules[0]", "rules[1].name", "rules[1].outcome"]),
        feature(json!({"rules": [{"name": "r", "outcome": {"value": true}, "x": 1, "when": {"all": [], "y": 1}}], "z": 1}))
            .unknown(&["rules[0].x", "rules[0].when.y", "z"]),
        feature(json!({"rules": vec![json!({"name": "r", "outcome": {"value": true}}); 501]})).invalid(&["rules"]),
        feature(json!({"rules": [{"name": "r", "when": {"segment": "gone"}, "outcome": {"value": true}}]}))
            .invalid(&["rules[0].when"]),
        Row::new("PATCH", format!("{PROD}/features/a"), json!({"key": "b"})).invalid(&["key"]),
        Row::new("PATCH", format!("{PROD}/features/a"), json!({"enabled": "yes", "tags": 5, "defaultValue": "x"}))
            .invalid(&["enabled", "tags", "defaultValue"]),
        Row::new("PATCH", format!("{PROD}/features/a"), json!({"variants": [{"key": "spare", "value": true}]}))
            .refused(409, "in_use"),
        Row::new("PATCH", format!("{PROD}/features/gone"), json!({})).refused(404, "not_found"),
        Row::new("PUT", format!("{PROD}/features/a"), json!({"type": "NUMBER", "defaultValue": true}))
            .invalid(&["defaultValue"]),
        Row::new("DELETE", format!("{PROD}/features/a"), "").refused(409, "feature_in_use"),
        Row::new("POST", format!("{PROD}/features/a:revert"), json!({})).invalid(&["version"]),
        Row::new("POST", format!("{PROD}/features/a:revert"), json!({"version": "1"})).invalid(&["version"]),
        Row::new("POST", format!("{PROD}/features/a:revert"), json!({"version": -1})).invalid(&["version"]),
        Row::new("POST", format!("{PROD}/features/a:revert"), json!({"version": 99})).refused(404, "not_found"),
        Row::new("POST", format!("{PROD}/features/a:forget"), json!({})).refused(404, "not_found"),
        Row::new("POST", format!("{PROD}/features/a/variants"), json!({"key": "v", "value": true}))
            .refused(409, "key_taken"),
        Row::new("POST", format!("{PROD}/features/a/variants"), json!({"value": "x"})).invalid(&["key", "value"]),
        Row::new("PATCH", format!("{PROD}/features/a/variants/v"), json!({"value": null, "key": 5})).invalid(&["key"]),
        Row::new("PATCH", format!("{PROD}/features/a/variants/gone"), json!({})).refused(404, "not_found"),
        Row::new("DELETE", format!("{PROD}/features/a/variants/v"), "").refused(409, "in_use"),
    ])
    .await;
}

#[actix_web::test]
async fn rules_with_wrong_members() {
    let rollout = |members: Value| rule(json!({"rollout": members}));
    let split = |arms: Value| rule(json!({"outcome": {"split": arms}}));
    let arm = |variant: &str, weight: f64| json!({"variant": variant, "weight": weight});
    check(vec![
        Row::new("POST", format!("{PROD}/features/a/rules"), json!({})).invalid(&["name", "outcome"]),
        rule(json!({"name": ""})).invalid(&["name"]),
        rule(json!({"name": "  "})).invalid(&["name"]),
        rule(json!({"name": 5})).invalid(&["name"]),
        rule(json!({"name": "x".repeat(201)})).invalid(&["name"]),
        rule(json!({"priority": 0})).invalid(&["priority"]),
        rule(json!({"priority": 101})).invalid(&["priority"]),
        rule(json!({"priority": 1.5})).invalid(&["priority"]),
        rule(json!({"priority": "50"})).invalid(&["priority"]),
        rule(json!({"enabled": 1})).invalid(&["enabled"]),
        rule(json!({"id": "x"})).invalid(&["id"]),
        rule(json!({"conditions": {}})).unknown(&["conditions"]),
        rule(json!({"outcome": {}})).invalid(&["outcome"]),
        rule(json!({"outcome": true})).invalid(&["outcome"]),
        rule(json!({"outcome": {"value": "true"}})).invalid(&["outcome.value"]),
        rule(json!({"outcome": {"value": null}})).invalid(&["outcome.value"]),
        rule(json!({"outcome": {"value": true, "split": []}})).invalid(&["outcome"]),
        rule(json!({"outcome": {"value": true, "variant": "v"}})).unknown(&["outcome.variant"]),
        split(json!([])).invalid(&["outcome.split"]),
        split(json!([arm("v", 99.99)])).invalid(&["outcome.split"]),
        split(json!([arm("v", 50.0), arm("spare", 50.01)])).invalid(&["outcome.split"]),
        split(json!([arm("v", -1.0), arm("spare", 101.0)]))
            .invalid(&["outcome.split[0].weight", "outcome.split[1].weight"]),
        split(json!([arm("v", 33.333), arm("spare", 66.667)]))
            .invalid(&["outcome.split[0].weight", "outcome.split[1].weight"]),
        split(json!([arm("v", 50.0), arm("v", 50.0)])).invalid(&["outcome.split[1].variant"]),
        split(json!([arm("gone", 100.0)])).invalid(&["outcome.split[0].variant"]),
        split(json!([{"variant": 5}, {"weight": "x"}, 7])).invalid(&[
            "outcome.split[0].variant",
            "outcome.split[0].weight",
            "outcome.split[1].variant",
            "outcome.split[1].weight",
            "outcome.split[2]",
        ]),
        rollout(json!(10)).invalid(&["rollout"]),
        rollout(json!({})).invalid(&["rollout.percentage"]),
        rollout(json!({"percentage": -0.01})).invalid(&["rollout.percentage"]),
        rollout(json!({"percentage": 100.01})).invalid(&["rollout.percentage"]),
        rollout(json!({"percentage": "10"})).invalid(&["rollout.percentage"]),
        rollout(json!({"percentage": 10.123})).invalid(&["rollout.percentage"]),
        rollout(json!({"percentage": 10.00001})).invalid(&["rollout.percentage"]),
        rollout(json!({"percentage": 10, "by": ""})).invalid(&["rollout.by"]),
        rollout(json!({"percentage": 10, "by": 5})).invalid(&["rollout.by"]),
        rollout(json!({"percentage": 10, "by": ["a", "b"]})).invalid(&["rollout.by"]),
        rollout(json!({"percentage": 10, "salt": 5})).invalid(&["rollout.salt"]),
        rollout(json!({"percentage": 10, "otherwise": "maybe"})).invalid(&["rollout.otherwise"]),
        rollout(json!({"percentage": 10, "seed": 1})).unknown(&["rollout.seed"]),
        Row::new("PATCH", format!("{PROD}/features/a/rules/{{rule}}"), json!({"priority": 0, "name": ""}))
            .invalid(&["name", "priority"]),
        Row::new("PATCH", format!("{PROD}/features/a/rules/{{rule}}"), json!({"outcome": {"value": 1}}))
            .invalid(&["outcome.value"]),
        Row::new("PATCH", format!("{PROD}/features/a/rules/{{token}}"), json!({})).refused(404, "not_found"),
        Row::new("POST", format!("{PROD}/features/a/rules:reorder"), json!({})).invalid(&["ids"]),
        Row::new("POST", format!("{PROD}/features/a/rules:reorder"), json!({"ids": "x"})).invalid(&["ids"]),
        Row::new("POST", format!("{PROD}/features/a/rules:reorder"), json!({"ids": [1]}))
            .invalid(&["ids[0]"]),
        Row::new("POST", format!("{PROD}/features/a/rules:reorder"), json!({"ids": ["{rule}"]}))
            .invalid(&["ids"]),
        Row::new("POST", format!("{PROD}/features/a/rules:sort"), json!({})).refused(404, "not_found"),
    ])
    .await;
}

#[actix_web::test]
async fn conditions_that_cannot_be() {
    let wide = |leaves: usize| {
        let leaf = json!({"attribute": "x", "operator": "exists"});
        let groups: Vec<Value> = (0..leaves.div_ceil(100))
            .map(|at| json!({"any": vec![leaf.clone(); 100.min(leaves - at * 100)]}))
            .collect();
        json!({"all": groups})
    };
    check(vec![
        when(json!("x")).invalid(&["when"]),
        when(json!([])).invalid(&["when"]),
        when(json!({})).invalid(&["when"]),
        when(json!({"all": [], "any": []})).invalid(&["when"]),
        when(json!({"operator": "equals", "value": 1})).invalid(&["when"]),
        when(json!({"all": {}})).invalid(&["when.all"]),
        when(json!({"any": [{}, 5, {"not": []}]})).invalid(&[
            "when.any[0]",
            "when.any[1]",
            "when.any[2].not",
        ]),
        when(json!({"none": []})).unknown(&["when.none"]),
        when(json!({"segment": 5})).invalid(&["when.segment"]),
        when(json!({"segment": "gone"})).invalid(&["when"]),
        when(json!({"all": [{"not": {"segment": "gone"}}]})).invalid(&["when"]),
        when(json!({"attribute": "x"})).invalid(&["when.operator"]),
        when(json!({"attribute": "", "operator": "is"})).invalid(&["when.attribute", "when.operator"]),
        when(json!({"attribute": 5, "operator": 5})).invalid(&["when.attribute", "when.operator"]),
        when(json!({"attribute": "x".repeat(501), "operator": "exists"})).invalid(&["when.attribute"]),
        when(json!({"attribute": "x", "operator": "equals"})).invalid(&["when.value"]),
        when(json!({"attribute": "x", "operator": "equals", "value": 1, "values": [1]}))
            .invalid(&["when.values"]),
        when(json!({"attribute": "x", "operator": "in", "values": "SE"})).invalid(&["when.values"]),
        when(json!({"attribute": "x", "operator": "in", "values": ["SE", null, {}, [1]]})).invalid(&[
            "when.values[1]",
            "when.values[2]",
            "when.values[3]",
        ]),
        when(json!({"attribute": "x", "operator": "in", "values": vec![1; 10_001]}))
            .invalid(&["when.values"]),
        when(json!({"attribute": "x", "operator": "equals", "value": 1, "ignoreCase": "yes", "strict": 1}))
            .invalid(&["when.ignoreCase", "when.strict"]),
        leaf("exists", json!(true)).invalid(&["when.value"]),
        leaf("equals", json!({"a": 1})).invalid(&["when.value"]),
        leaf("contains", json!(5)).invalid(&["when.value"]),
        leaf("starts_with", json!(true)).invalid(&["when.value"]),
        leaf("greater_than", json!(true)).invalid(&["when.value"]),
        leaf("matches", json!("(")).invalid(&["when.value"]),
        leaf("matches", json!("a{1000}{1000}{1000}")).invalid(&["when.value"]),
        leaf("matches", json!(r"(?<=x)y")).invalid(&["when.value"]),
        when(json!({"attribute": "x", "operator": "matches", "values": ["ok", "[", 5]}))
            .invalid(&["when.values[1]", "when.values[2]"]),
        leaf("ip_in", json!("10.0.0.0/33")).invalid(&["when.value"]),
        leaf("ip_in", json!("300.1.2.3")).invalid(&["when.value"]),
        leaf("ip_in", json!("example.org")).invalid(&["when.value"]),
        leaf("ip_in", json!(167_772_160)).invalid(&["when.value"]),
        leaf("semver_gte", json!("2.x")).invalid(&["when.value"]),
        leaf("semver_eq", json!("1.2.3.4.5.6.7")).invalid(&["when.value"]),
        leaf("semver_lt", json!(2)).invalid(&["when.value"]),
        leaf("before", json!("yesterday")).invalid(&["when.value"]),
        leaf("after", json!("2026-02-30T00:00:00Z")).invalid(&["when.value"]),
        leaf("before", json!(1_767_225_600)).invalid(&["when.value"]),
        when(json!({"flagr": {"property": "x", "operator": "LIKE", "value": "1"}})).invalid(&["when.flagr"]),
        when(json!({"flagr": {}})).invalid(&[
            "when.flagr.property",
            "when.flagr.operator",
            "when.flagr.value",
        ]),
        when(wide(501)).invalid(&["when"]),
        when(nested(9)).invalid(&["when.all[0].all[0].all[0].all[0].all[0].all[0].all[0].all[0]"]),
        when(nested(200)).invalid(&["when.all[0].all[0].all[0].all[0].all[0].all[0].all[0].all[0]"]),
        Row::new("POST", format!("{SHOP}/segments"), json!({"key": "new", "conditions": nested(9)}))
            .invalid(&["conditions.all[0].all[0].all[0].all[0].all[0].all[0].all[0].all[0]"]),
    ])
    .await;
}

#[actix_web::test]
async fn sites_environments_segments_and_tokens_with_wrong_members() {
    let site = |body: Value| Row::new("POST", "/api/v1/sites", body);
    let environment = |body: Value| Row::new("POST", format!("{SHOP}/environments"), body);
    let segment = |body: Value| Row::new("POST", format!("{SHOP}/segments"), body);
    let token = |body: Value| Row::new("POST", format!("{PROD}/tokens"), body);
    let token_path = format!("{PROD}/tokens/{{token}}");
    check(vec![
        site(json!({})).invalid(&["name"]),
        site(json!({"name": " "})).invalid(&["name"]),
        site(json!({"name": "x".repeat(101), "slug": "A b", "description": 5})).invalid(&["name", "slug", "description"]),
        site(json!({"name": "a\nb"})).invalid(&["name"]),
        site(json!({"name": "x", "slug": ""})).invalid(&["slug"]),
        site(json!({"name": "x", "slug": "x".repeat(51)})).invalid(&["slug"]),
        site(json!({"name": "x", "slug": "shop"})).refused(409, "slug_taken"),
        site(json!({"name": "x", "owner": "ada"})).unknown(&["owner"]),
        Row::new("PATCH", SHOP, json!({"name": "", "slug": "ä", "description": "x".repeat(4001)}))
            .invalid(&["name", "slug", "description"]),
        Row::new("PATCH", "/api/v1/sites/gone", json!({"name": "x"})).refused(404, "not_found"),
        Row::new("DELETE", "/api/v1/sites/gone", "").refused(404, "not_found"),
        Row::new("PUT", format!("{SHOP}/owner"), json!({})).invalid(&["userId"]),
        Row::new("PUT", format!("{SHOP}/owner"), json!({"userId": 1})).invalid(&["userId"]),
        Row::new("PUT", format!("{SHOP}/owner"), json!({"userId": "nobody"})).invalid(&["userId"]),
        environment(json!({})).invalid(&["name"]),
        environment(json!({"name": "Dev"})).invalid(&["name"]),
        environment(json!({"name": "x".repeat(51)})).invalid(&["name"]),
        environment(json!({"name": "a/b", "status": "on", "tags": [1], "userIdIsContextKey": "no", "description": []}))
            .invalid(&["name", "status", "tags[0]", "userIdIsContextKey", "description"]),
        environment(json!({"name": "prod"})).refused(409, "name_taken"),
        environment(json!({"name": "new", "id": "x"})).unknown(&["id"]),
        Row::new("PATCH", PROD, json!({"status": "deleted"})).invalid(&["status"]),
        Row::new("PATCH", format!("{SHOP}/environments/gone"), json!({})).refused(404, "not_found"),
        Row::new("POST", "/api/v1/sites/gone/environments", json!({"name": "x"})).refused(404, "not_found"),
        segment(json!({})).invalid(&["key", "conditions"]),
        segment(json!({"key": "a b", "name": 5, "conditions": {}})).invalid(&["key", "name", "conditions"]),
        segment(json!({"key": "new", "conditions": null})).invalid(&["conditions"]),
        segment(json!({"key": "new", "conditions": {"segment": "gone"}})).invalid(&["conditions"]),
        segment(json!({"key": "new", "conditions": {"segment": "new"}})).refused(422, "segment_cycle"),
        segment(json!({"key": "s", "conditions": {"all": []}})).refused(409, "key_taken"),
        Row::new("PATCH", format!("{SHOP}/segments/s"), json!({"key": "x"})).invalid(&["key"]),
        Row::new("PATCH", format!("{SHOP}/segments/s"), json!({"conditions": {"segment": "t"}}))
            .refused(422, "segment_cycle"),
        Row::new("PATCH", format!("{SHOP}/segments/gone"), json!({})).refused(404, "not_found"),
        Row::new("DELETE", format!("{SHOP}/segments/s"), "").refused(409, "in_use"),
        token(json!({})).invalid(&["description", "kind"]),
        token(json!({"description": " ", "kind": "root"})).invalid(&["description", "kind"]),
        token(json!({"description": "x".repeat(201), "kind": 1})).invalid(&["description", "kind"]),
        token(json!({"description": "x", "kind": "client", "permissions": ["READ", "WRITE", 5]}))
            .invalid(&["permissions[2]"]),
        token(json!({"description": "x", "kind": "client", "permissions": ["READ", "WRITE"]}))
            .invalid(&["permissions[1]"]),
        token(json!({"description": "x", "kind": "client", "permissions": "READ"})).invalid(&["permissions"]),
        token(json!({"description": "x", "kind": "client", "expiresAt": "tomorrow"})).invalid(&["expiresAt"]),
        token(json!({"description": "x", "kind": "client", "expiresAt": "2020-01-01T00:00:00Z"})).invalid(&["expiresAt"]),
        token(json!({"description": "x", "kind": "client", "expiresAt": "9999-12-31T23:59:59-23:00"}))
            .invalid(&["expiresAt"]),
        token(json!({"description": "x", "kind": "client", "expiresAt": 1_900_000_000})).invalid(&["expiresAt"]),
        token(json!({"description": "x", "kind": "client", "rateLimit": -1})).invalid(&["rateLimit"]),
        token(json!({"description": "x", "kind": "client", "rateLimit": 1.5})).invalid(&["rateLimit"]),
        token(json!({"description": "x", "kind": "client", "rateLimit": 5_000_000_000_u64})).invalid(&["rateLimit"]),
        token(json!({"description": "x", "kind": "client", "token": "mine"})).unknown(&["token"]),
        Row::new("PATCH", &token_path, json!({"kind": "server", "description": ""})).invalid(&["kind", "description"]),
        Row::new("PATCH", format!("{PROD}/tokens/{{rule}}"), json!({})).refused(404, "not_found"),
        Row::new("POST", format!("{token_path}:rotate"), json!({"graceSeconds": -1})).invalid(&["graceSeconds"]),
        Row::new("POST", format!("{token_path}:rotate"), json!({"graceSeconds": 99_999_999})).invalid(&["graceSeconds"]),
        Row::new("POST", format!("{token_path}:rotate"), json!({"grace": 1})).unknown(&["grace"]),
    ])
    .await;
}

#[actix_web::test]
async fn people_with_wrong_members() {
    let users = |body: Value| Row::new("POST", "/api/v1/users", body);
    let user = |body: Value| Row::new("PATCH", "/api/v1/users/{user}", body);
    let me = |body: Value| Row::new("PATCH", "/api/v1/me", body);
    let tokens = |body: Value| Row::new("POST", "/api/v1/me/tokens", body);
    let long = |length: usize| "x".repeat(length);
    let new = |name: &str, word: &str| {
        let mut body = json!({"username": name, "email": "new@shop.example", "role": "viewer"});
        body["password"] = json!(word);
        body
    };
    let good = "correct horse battery";
    let mut deactivated = new("new", good);
    deactivated["active"] = json!(false);
    check(vec![
        users(json!({})).invalid(&["username", "email", "role"]),
        users(json!({"username": null, "email": null, "role": null, "password": null}))
            .invalid(&["username", "email", "role"]),
        users(json!({"username": 1, "email": true, "role": [], "password": {}}))
            .invalid(&["username", "email", "role", "password"]),
        users(json!({"username": "a b", "email": "none", "role": "owner", "password": "short"}))
            .invalid(&["username", "email", "role", "password"]),
        users(new(&long(51), "password1")).invalid(&["username", "password"]),
        users(new("", &long(1001))).invalid(&["username", "password"]),
        users(new("new", "")).invalid(&["password"]),
        users(deactivated).unknown(&["active"]),
        users(new("ADA", good)).refused(409, "user_taken"),
        user(json!({"username": 1, "email": 2, "role": 3, "active": 4}))
            .invalid(&["username", "email", "role", "active"]),
        user(json!({"username": "a b", "email": long(255), "role": "Admin"}))
            .invalid(&["username", "email", "role"]),
        user(json!({"active": "no"})).invalid(&["active"]),
        user(json!({"email": "ada@shop.example"})).refused(409, "user_taken"),
        user(json!({"password": good, "twoFactor": "none"})).unknown(&["password"]),
        Row::new("PATCH", "/api/v1/users/dora", json!({"active": false})).refused(404, "not_found"),
        me(json!({"theme": "blue", "dense": "yes", "singleKeys": 1})).invalid(&[
            "theme",
            "dense",
            "singleKeys",
        ]),
        me(json!({"theme": 1})).invalid(&["theme"]),
        me(json!({"username": "x", "email": "x@shop.example", "role": "admin"}))
            .invalid(&["username", "email", "role"]),
        me(json!({"dense": true, "preferences": {}})).unknown(&["preferences"]),
        tokens(json!({})).invalid(&["description"]),
        tokens(json!({"description": 1, "expiresAt": "tomorrow"})).invalid(&["description", "expiresAt"]),
        tokens(json!({"description": " ", "expiresAt": "2020-01-01T00:00:00Z"}))
            .invalid(&["description", "expiresAt"]),
        tokens(json!({"description": long(201)})).invalid(&["description"]),
        tokens(json!({"description": "x", "role": "admin"})).unknown(&["role"]),
    ])
    .await;
}

#[actix_web::test]
async fn evaluations_that_cannot_be() {
    let evaluate = |body: Value| Row::new("POST", "/api/v1/evaluate", body);
    let batch = |body: Value| Row::new("POST", "/api/v1/evaluate/batch", body);
    let explain = |body: Value| Row::new("POST", "/api/v1/evaluate:explain", body);
    let many: serde_json::Map<String, Value> =
        (0..10_001).map(|number| (number.to_string(), json!(1))).collect();
    let deep = format!(r#"{{"context": {{"a": {}1{}}}}}"#, "[".repeat(300), "]".repeat(300));
    check(vec![
        evaluate(json!({"siteId": 5, "environmentId": true, "context": [], "features": "a"})).invalid(&[
            "siteId",
            "environmentId",
            "context",
            "features",
        ]),
        evaluate(json!({"context": "ana"})).invalid(&["context"]),
        evaluate(json!({"features": ["a", 5, null]})).invalid(&["features[1]", "features[2]"]),
        evaluate(json!({"contexts": {}, "userId": "ana"})).unknown(&["contexts", "userId"]),
        evaluate(json!({"context": many})).invalid(&["context"]),
        Row::new("POST", "/api/v1/evaluate", deep).invalid(&["context"]),
        Row::new("POST", "/api/v1/evaluate", r#"{"context": {"n": 1e999}}"#).invalid(&["context"]),
        Row::new("POST", "/api/v1/evaluate", r#"{"context": {}, "context": {}}"#).invalid(&["context"]),
        evaluate(json!({"siteId": "gone"})).refused(403, "forbidden"),
        evaluate(json!({"environmentId": "dev"})).refused(403, "forbidden"),
        batch(json!({})).invalid(&["entities"]),
        batch(json!({"entities": {}})).invalid(&["entities"]),
        batch(json!({"entities": null})).invalid(&["entities"]),
        batch(json!({"entities": [1, {}, "x"], "siteId": 1, "features": [1]})).invalid(&[
            "entities[0]",
            "entities[2]",
            "siteId",
            "features[0]",
        ]),
        batch(json!({"entities": vec![json!({}); 1001]})).invalid(&["entities"]),
        batch(json!({"entities": [{}], "context": {}})).unknown(&["context"]),
        batch(json!({"entities": [{}], "siteId": "gone"})).refused(403, "forbidden"),
        explain(json!({"siteId": 5, "environmentId": [], "context": 1, "feature": {}})).invalid(&[
            "siteId",
            "environmentId",
            "context",
            "feature",
        ]),
        explain(json!({"feature": "gone"})).refused(404, "not_found"),
        explain(json!({"environmentId": "gone"})).refused(403, "forbidden"),
        Row::new("POST", "/api/v1/analytics/evaluations", json!({})).invalid(&["evaluations"]),
        Row::new(
            "POST",
            "/api/v1/analytics/evaluations",
            json!({"evaluations": [{"featureKey": "a", "value": 1, "when": 1}]}),
        )
        .unknown(&["evaluations[0].when"]),
        Row::new("POST", "/api/v1/analytics/evaluations", json!({"evaluations": [{"count": 1_000_001}]}))
            .invalid(&["evaluations[0].featureKey", "evaluations[0].value", "evaluations[0].count"]),
        Row::new("POST", "/api/v1/analytics/events", json!({})).invalid(&["event", "userId"]),
        Row::new(
            "POST",
            "/api/v1/analytics/events",
            json!({"event": "", "userId": "", "value": "much", "timestamp": "2099-01-01T00:00:00Z"}),
        )
        .invalid(&["event", "userId", "value", "timestamp"]),
        Row::new("POST", "/api/v1/analytics/events", json!({"event": "e", "userId": "u", "what": 1}))
            .unknown(&["what"]),
    ])
    .await;
}

#[actix_web::test]
async fn queries_and_headers_that_cannot_be_read() {
    let get = |path: &str| Row { body: Vec::new(), content_type: "", ..Row::new("GET", path, "") };
    let features = format!("{PROD}/features");
    let history = format!("{PROD}/features/a/history");
    let mut rows = vec![
        get(&format!("{features}?type=BOOL")).invalid(&["type"]),
        get(&format!("{features}?enabled=yes")).invalid(&["enabled"]),
        get(&format!("{features}?context=%7B%7D")).refused(400, "unknown_parameter"),
        get(&format!("{SHOP}/export?format=yaml")).refused(400, "unknown_parameter"),
        get(&format!("{history}?cursor=78")).refused(400, "invalid_cursor"),
        get("/api/v1/sites?cursor=78").refused(400, "invalid_cursor"),
        get(&format!("{SHOP}/environments?cursor=78")).refused(400, "invalid_cursor"),
        get("/api/v1/users?role=owner").invalid(&["role"]),
        get("/api/v1/users?active=yes").invalid(&["active"]),
        Row::new("POST", format!("{SHOP}/import?dryRun=1"), json!({})).invalid(&["dryRun"]),
        Row::new("POST", format!("{SHOP}/import?mode=overwrite"), json!({})).invalid(&["mode"]),
        Row::new("POST", format!("{SHOP}/import?dry_run=true"), json!({})).refused(400, "unknown_parameter"),
        Row::new("DELETE", format!("{PROD}/features/a?force=yes"), "").invalid(&["force"]),
    ];
    for list in [
        "/api/v1/sites".to_owned(),
        format!("{SHOP}/environments"),
        format!("{SHOP}/segments"),
        features,
        history,
        format!("{PROD}/tokens"),
        "/api/v1/users".to_owned(),
        "/api/v1/me/tokens".to_owned(),
        "/api/v1/me/devices".to_owned(),
        "/api/v1/me/sessions".to_owned(),
    ] {
        for limit in ["0", "501", "x", "-1", "1.5"] {
            rows.push(get(&format!("{list}?limit={limit}")).invalid(&["limit"]));
        }
        for cursor in ["x", "zz", "123", "%C3%A4", "ff"] {
            rows.push(get(&format!("{list}?cursor={cursor}")).refused(400, "invalid_cursor"));
        }
        rows.push(get(&format!("{list}?page=2")).refused(400, "unknown_parameter"));
    }
    for tag in ["seven", "\"seven\"", "W/\"1\"", "\"1\", \"2\"", "\"-1\"", "\"\"", ""] {
        let row = Row::new("PATCH", format!("{PROD}/features/a"), json!({"enabled": false}));
        rows.push(row.header("if-match", tag).refused(400, "invalid_if_match"));
    }
    rows.push(
        Row::new("PATCH", format!("{PROD}/features/a"), json!({"enabled": false}))
            .header("if-match", "\"9\"")
            .refused(412, "version_conflict"),
    );
    check(rows).await;
}

#[actix_web::test]
async fn documents_that_cannot_be_applied() {
    let import = |body: Value| Row::new("POST", format!("{SHOP}/import"), body);
    let yaml = |body: &str| Row::new("POST", format!("{SHOP}/import"), body).of_type("application/yaml");
    let prod = |members: Value| {
        let mut environment = json!({"name": "prod"});
        environment
            .as_object_mut()
            .expect("an object")
            .extend(members.as_object().expect("an object").clone());
        import(json!({"version": 1, "site": {"slug": "shop"}, "environments": [environment]}))
    };
    check(vec![
        import(json!({})).invalid(&["version", "site"]),
        import(json!({"version": 1, "site": {}})).invalid(&["site.slug"]),
        import(json!({"version": "1", "site": {"slug": "shop"}})).invalid(&["version"]),
        import(json!({"version": 1, "site": {"slug": "other"}})).invalid(&["site.slug"]),
        import(json!({"version": 1, "site": {"slug": "shop"}, "environments": {}})).invalid(&["environments"]),
        import(json!({"version": 1, "site": {"slug": "shop"}, "environments": [{"name": "x"}, {"name": "x"}]}))
            .invalid(&["environments[1].name"]),
        import(json!({"version": 1, "site": {"slug": "shop"}, "segments": [{"key": "s", "conditions": {"segment": "s"}}]}))
            .refused(422, "segment_cycle"),
        import(json!({"version": 1, "site": {"slug": "shop"}, "segments": [{"key": "x", "conditions": {"segment": "gone"}}]}))
            .invalid(&["segments[0].conditions"]),
        prod(json!({"features": [{"key": "x", "type": "STRING"}, {"key": "x", "type": "STRING"}]}))
            .invalid(&["environments[0].features[1].key"]),
        prod(json!({"features": [{"key": "x", "type": "STRING", "rules": [{"name": "r", "outcome": {"value": 1}}]}]}))
            .invalid(&["environments[0].features[0].rules[0].outcome.value"]),
        prod(json!({"features": [{"key": "x", "type": "STRING", "color": 1}], "locked": true}))
            .unknown(&["environments[0].features[0].color", "environments[0].locked"]),
        prod(json!({"contexts": [{"key": "default"}]})).invalid(&["environments[0].contexts[0].key"]),
        prod(json!({"contexts": [{"key": "x", "prototypes": ["gone"]}]}))
            .invalid(&["environments[0].contexts[0].prototypes[0]"]),
        prod(json!({"contexts": [{"key": "x", "features": {"a": "maybe", "gone": 1}}]}))
            .invalid(&["environments[0].contexts[0].features.a", "environments[0].contexts[0].features.gone"]),
        prod(json!({"contexts": [{"key": "x", "prototypes": ["y"]}, {"key": "y", "prototypes": ["x"]}]})).invalid(&[
            "environments[0].contexts[0].prototypes",
            "environments[0].contexts[1].prototypes",
        ]),
        prod(json!({"features": [{"key": "a", "type": "STRING"}]})).invalid(&["environments[0].features[0].type"]),
        yaml("version: [1").refused(400, "bad_json"),
        yaml("a: 1\na: 2").refused(400, "bad_json"),
        yaml("- 1\n- 2").refused(400, "bad_json"),
        yaml("version: \"1").refused(400, "bad_json"),
        yaml("a: &a [*a]").refused(400, "bad_json"),
        yaml("version: 1\nsite: {slug: shop}\n---\nversion: 1").refused(400, "bad_json"),
        yaml("version: 1\nsite: {slug: Shop}").invalid(&["site.slug"]),
        Row { body: vec![b'#'; (8 << 20) + 1], ..yaml("") }.refused(413, "body_too_large"),
        Row::new("POST", "/api/v1/sites/gone/import", json!({"version": 1, "site": {"slug": "gone"}}))
            .refused(404, "not_found"),
    ])
    .await;
}

#[actix_web::test]
async fn a_message_names_the_problem_or_their_number() {
    let fixture = Fixture::new().await;
    let one = feature(json!({"enabled": "yes"})).send(&fixture).await;
    assert_eq!(one.message(), "enabled must be true or false");
    let two = feature(json!({"enabled": "yes", "locked": 5})).send(&fixture).await;
    assert_eq!(two.message(), "2 problems in the request");
    let details = two.body["error"]["details"].clone();
    assert_eq!(details[0], json!({"field": "locked", "message": "must be true or false"}));
    let large =
        Row::new("PATCH", format!("{PROD}/features/a"), " ".repeat((1 << 20) + 1)).send(&fixture).await;
    assert_eq!(large.message(), "the body is larger than 1048576 bytes");
    let named =
        Row::new("PATCH", format!("{PROD}/features/import"), " ".repeat((1 << 20) + 1)).send(&fixture).await;
    assert_eq!(named.message(), "the body is larger than 1048576 bytes");
}

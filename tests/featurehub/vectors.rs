//! FeatureHub's published vectors through the door, with a key that is told values, and as strategies: what comes
//! out for clients that evaluate by themselves is what went in. That those clients then say the same is shown with
//! their own code in `tests/clients/featurehub.test.mjs`.

use serde_json::{Value, json};

use super::{features, poll};
use crate::engine::{featurehub as backwards, rows, text, vectors};
use crate::support::TestApp;

const ID: &str = "6b1f3c52-0d3e-4b8e-9a51-2f0c6f2b7a10";

fn feature(key: String, id: &str, rules: Vec<Value>) -> Value {
    json!({"key": key, "type": "STRING", "defaultValue": "default", "bucketing": "murmur3", "bucketingId": id,
           "rules": rules})
}

/// The context as the header carries it.
fn header(context: &Value) -> String {
    let encode = |text: &str| url::form_urlencoded::byte_serialize(text.as_bytes()).collect::<String>();
    let pair = |(name, values): (&String, &Value)| {
        let list: Vec<_> = rows(values).iter().map(text).collect();
        format!("{name}={}", encode(&list.join(",")))
    };
    context.as_object().expect("an object").iter().map(pair).collect::<Vec<_>>().join(",")
}

#[actix_web::test]
async fn every_vector_comes_out_as_it_says() {
    let app = TestApp::with(|config| config.rate_limit = 0).await;
    let vectors = vectors("featurehub");
    let mut list = Vec::new();
    let mut asked: Vec<(String, Value, bool, String)> = Vec::new();
    let mut wire: Vec<(String, Value)> = Vec::new();
    for (at, row) in rows(&vectors["matchers"]).iter().enumerate() {
        let mut attribute = row.clone();
        attribute["fieldName"] = "field".into();
        let strategy = json!({"id": "a", "value": "v-a", "attributes": [attribute]});
        let Some(rule) = backwards::rule(&strategy) else { continue };
        let key = format!("m{at}");
        list.push(feature(key.clone(), ID, vec![rule]));
        let expected = row["expect"].as_bool().expect("a result");
        let context = json!({"field": [row["supplied"]]});
        asked.push((key.clone(), context, expected, if expected { "v-a" } else { "default" }.into()));
        wire.push((key, row.clone()));
    }
    for (at, row) in rows(&vectors["apply"]).iter().enumerate() {
        if text(&row["name"]).contains("NOT_EQUALS, any value") {
            continue;
        }
        let rules = rows(&row["strategies"]).iter().map(backwards::rule).collect::<Option<Vec<_>>>();
        let key = format!("a{at}");
        list.push(feature(key.clone(), text(&row["featureId"]), rules.expect("all have leaves")));
        let value = row["expect"].as_str().map_or("default".to_owned(), |id| format!("v-{id}"));
        asked.push((key, row["context"].clone(), true, value));
    }
    assert!(asked.len() > 180, "{}", asked.len());
    app.import(json!({
        "version": 1, "site": {"slug": "shop", "name": "Shop"},
        "environments": [{"name": "prod", "tags": ["production"], "features": list}],
    }));
    let (server, client) = (app.featurehub_key(false, &[]), app.featurehub_key(true, &[]));
    let who = app.anonymous();
    for (key, context, _, expected) in &asked {
        // A list cannot hold a comma: what is sent is split there.
        if context.to_string().contains("v,") {
            continue;
        }
        let told = features(&who, &server, &header(context)).await;
        assert_eq!(told[key]["value"], json!(expected), "{key} {context}");
    }
    let sent = features(&who, &client, "").await;
    let mut same = 0;
    for (key, row) in &wire {
        if sent.get(key).is_none() {
            // A pattern that clients would not read alike, or no values, where Java says otherwise than the others.
            assert!(row["conditional"] == "REGEX" || rows(&row["values"]).is_empty(), "{row}");
            continue;
        }
        let attribute = &sent[key]["strategies"][0]["attributes"][0];
        assert_eq!(sent[key]["id"], ID);
        if ["type", "conditional", "values"].iter().all(|name| attribute[name] == row[name]) {
            same += 1;
        }
    }
    assert!(same > 80, "only {same} of {} come out as they went in", wire.len());
    assert_eq!(who.get(&poll(&[&client])).await.status, 200);
}

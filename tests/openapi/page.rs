//! The description as it is served, and the page made of it.

use std::collections::{HashMap, HashSet};

use featured::api::rest::openapi;
use regex::Regex;
use serde_json::json;

use super::{document, operations};
use crate::support::{Actor, TestApp};

#[actix_web::test]
async fn the_description_is_served_to_everyone_with_the_address_of_the_server() {
    let server = TestApp::new().await;
    let anonymous = server.anonymous();
    let request = anonymous.ask("GET", "/api/v1/openapi.json").header("origin", "https://docs.example");
    let reply = request.send().await.expect(200);
    assert_eq!(reply.header("content-type"), Some("application/json"));
    assert_eq!(reply.header("access-control-allow-origin"), Some("*"));
    assert_eq!(reply.text, openapi::json(None).expect("a description"));
    assert!(reply.body.get("servers").is_none(), "it is where it was asked for");

    let base = url::Url::parse("https://flags.example/x/").expect("a URL");
    let server = TestApp::with(|config| config.base_url = Some(base)).await;
    let reply = server.anonymous().get("/api/v1/openapi.json").await;
    assert_eq!(reply.body["servers"], json!([{"url": "https://flags.example/x"}]));
}

fn attributes<'p>(page: &'p str, name: &str) -> Vec<&'p str> {
    let pattern = Regex::new(&format!(r#" {name}="([^"]*)""#)).expect("a pattern");
    pattern.captures_iter(page).filter_map(|found| Some(found.get(1)?.as_str())).collect()
}

/// The pages: where each is, and what it says.
async fn pages(anonymous: &Actor) -> HashMap<String, String> {
    let mut pages = HashMap::new();
    let mut open = vec!["/api/docs".to_owned()];
    while let Some(path) = open.pop() {
        let reply = anonymous.get(&path).await.expect(200);
        assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"), "{path}");
        let linked = attributes(&reply.text, "href").into_iter().filter_map(|href| href.split('#').next());
        let new: HashSet<&str> = linked.filter(|to| to.starts_with("/api/docs")).collect();
        open.extend(new.into_iter().filter(|to| *to != path && !pages.contains_key(*to)).map(str::to_owned));
        pages.insert(path, reply.text);
    }
    pages
}

#[actix_web::test]
async fn the_pages_show_every_operation_and_every_shape() {
    let document = document();
    let pages = pages(&TestApp::new().await.anonymous()).await;
    let mut shown = HashSet::new();
    for (path, page) in &pages {
        let ids = attributes(page, "id");
        let distinct: HashSet<&str> = ids.iter().copied().collect();
        assert_eq!(ids.len(), distinct.len(), "an id stands twice on {path}");
        shown.extend(distinct);
        for href in attributes(page, "href") {
            let Some((to, id)) = href.split_once('#').filter(|(to, _)| !to.starts_with("/assets/")) else {
                continue;
            };
            let there = if to.is_empty() { page } else { &pages[to] };
            assert!(attributes(there, "id").contains(&id), "{href} on {path} leads nowhere");
        }
    }
    for operation in operations(&document) {
        assert!(shown.contains(operation.id()), "{}", operation.id());
    }
    for (kind, prefix) in [("schemas", "shape"), ("responses", "refusal"), ("securitySchemes", "credential")]
    {
        for name in document["components"][kind].as_object().expect("components").keys() {
            assert!(shown.contains(format!("{prefix}-{name}").as_str()), "{prefix} {name}");
        }
    }
    TestApp::new().await.anonymous().get("/api/docs/nothing").await.expect(404);
}

#[actix_web::test]
async fn the_pages_ask_for_nothing_from_elsewhere() {
    let anonymous = TestApp::new().await.anonymous();
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'none'";
    let mut assets = HashSet::new();
    for (path, page) in pages(&anonymous).await {
        let reply = anonymous.get(&path).await;
        assert_eq!(reply.header("content-security-policy"), Some(policy), "{path}");
        for forbidden in ["<script", " style=", "<style", "<iframe", "<form", " onclick", "javascript:"] {
            assert!(!page.contains(forbidden), "{forbidden} on {path}");
        }
        assert!(attributes(&page, "src").is_empty(), "{path}");
        let linked = attributes(&page, "href");
        let linked = linked.iter().map(|href| href.split('#').next().unwrap_or_default());
        assets.extend(linked.filter(|href| !href.is_empty() && *href != "/").map(str::to_owned));
    }
    assert!(assets.len() > 4, "{assets:?}");
    for path in assets {
        assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
        let asset = anonymous.get(&path).await.expect(200);
        if path.starts_with("/assets/") {
            assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        }
    }
}

#[actix_web::test]
async fn the_page_shows_the_address_that_the_reader_knows() {
    async fn under(server: &TestApp, host: &str) -> String {
        server
            .anonymous()
            .ask("GET", "/api/docs/evaluation")
            .header("host", host)
            .send()
            .await
            .expect(200)
            .text
    }
    let server = TestApp::new().await;
    assert!(under(&server, "flags.lan:9000").await.contains("http://flags.lan:9000</span>/<wbr>api/"));
    assert!(under(&server, "flags.example").await.contains("http://flags.example</span>/<wbr>api/"));
    for odd in ["x\"><b>", "x/../?q", "a b", "user@evil.example"] {
        let page = under(&server, odd).await;
        assert!(!page.contains("<b>\"") && !page.contains("?q<") && !page.contains("user@"), "{odd}");
    }

    let base = url::Url::parse("https://flags.example/x").expect("a URL");
    let server = TestApp::with(|config| config.base_url = Some(base)).await;
    assert!(under(&server, "10.0.0.7").await.contains("https://flags.example/x</span>/<wbr>api/"));
}

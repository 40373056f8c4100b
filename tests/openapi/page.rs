//! The description as it is served, and the page made of it.

use std::collections::HashSet;

use featured::api::rest::openapi;
use regex::Regex;
use serde_json::json;

use super::{document, operations};
use crate::support::TestApp;

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

#[actix_web::test]
async fn the_page_shows_every_operation_and_every_shape() {
    let document = document();
    let reply = TestApp::new().await.anonymous().get("/api/docs").await.expect(200);
    assert_eq!(reply.header("content-type"), Some("text/html; charset=utf-8"));
    let ids = attributes(&reply.text, "id");
    let distinct: HashSet<&str> = ids.iter().copied().collect();
    assert_eq!(ids.len(), distinct.len(), "an id stands twice");
    for operation in operations(&document) {
        assert!(distinct.contains(operation.id()), "{}", operation.id());
    }
    for (kind, prefix) in [("schemas", "shape"), ("responses", "refusal"), ("securitySchemes", "credential")]
    {
        for name in document["components"][kind].as_object().expect("components").keys() {
            assert!(distinct.contains(format!("{prefix}-{name}").as_str()), "{prefix} {name}");
        }
    }
    for target in attributes(&reply.text, "href").iter().filter_map(|href| href.strip_prefix('#')) {
        assert!(distinct.contains(target), "#{target} leads nowhere");
    }
}

#[actix_web::test]
async fn the_page_asks_for_nothing_from_elsewhere() {
    let anonymous = TestApp::new().await.anonymous();
    let reply = anonymous.get("/api/docs").await.expect(200);
    let policy = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                  frame-ancestors 'none'";
    assert_eq!(reply.header("content-security-policy"), Some(policy));
    for forbidden in ["<script", " style=", "<style", "<iframe", "<form", " onclick", "javascript:"] {
        assert!(!reply.text.contains(forbidden), "{forbidden}");
    }
    assert!(attributes(&reply.text, "src").is_empty());
    let linked = attributes(&reply.text, "href");
    let assets: HashSet<&str> = linked
        .iter()
        .map(|href| href.split('#').next().unwrap_or_default())
        .filter(|href| !href.is_empty() && *href != "/")
        .collect();
    assert!(assets.len() > 4, "{assets:?}");
    for path in assets {
        assert!(path.starts_with('/') && !path.starts_with("//"), "{path}");
        let asset = anonymous.get(path).await.expect(200);
        if path.starts_with("/assets/") {
            assert_eq!(asset.header("cache-control"), Some("public, max-age=31536000, immutable"), "{path}");
        }
    }
}

#[actix_web::test]
async fn the_page_shows_the_address_that_the_reader_knows() {
    async fn under(server: &TestApp, host: &str) -> String {
        server.anonymous().ask("GET", "/api/docs").header("host", host).send().await.expect(200).text
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

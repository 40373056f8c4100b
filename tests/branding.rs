//! How the pages of a site look: set, checked, served, and kept to that site.

use std::io::{Read, Write};
use std::net::TcpListener;

use actix_web::test::TestRequest;
use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use featured::admin;
use featured::app::Actor as Author;
use featured::engine::permission::Role;
use serde_json::{Value, json};

use crate::browser::{Browser, Reply, Server, between};
use crate::support::TestApp;

const PATH: &str = "/api/v1/sites/shop/branding";
const GIF: &[u8] = b"GIF89a\x01\0\x01\0\0\0\0;";
const SVG: &[u8] = b"<svg xmlns='http://www.w3.org/2000/svg'><script>alert(1)</script></svg>";

fn data_url(content_type: &str, bytes: &[u8]) -> String {
    format!("data:{content_type};base64,{}", STANDARD.encode(bytes))
}

#[actix_web::test]
async fn a_site_without_branding_has_the_usual_values_and_nothing_to_warn_of() {
    let app = TestApp::new().await;
    let branding = app.viewer().get(PATH).await.expect(200).body;
    assert_eq!((&branding["accent"], &branding["logoUrl"]), (&json!("#0b6e52"), &Value::Null));
    assert_eq!(branding["contrastWarnings"], json!([]));
}

#[actix_web::test]
async fn what_is_put_is_in_effect_and_what_is_left_out_is_usual_again() {
    let app = TestApp::new().await;
    let body = json!({"companyName": " Blå Butik ", "bodyFont": "Georgia, serif", "accent": "#7A1FA2", "textMuted": "#aaaaaa"});
    let put = app.editor().put(PATH, body).await.expect(200).body;
    assert_eq!(put["companyName"], "Blå Butik");
    assert_eq!((&put["accent"], &put["bodyFont"]), (&json!("#7a1fa2"), &json!("\"Georgia\", serif")));
    let warning = &put["contrastWarnings"][1];
    assert_eq!(
        (&warning["text"], &warning["background"]),
        (&json!("textMuted"), &json!("backgroundSecondary"))
    );
    assert_eq!(warning["ratio"], 2.32);
    assert_eq!(app.viewer().get(PATH).await.expect(200).body, put);
    assert_eq!(app.changes().last().map(|change| change.what()), Some("branding updated".to_owned()));
    let again = app.editor().put(PATH, put.clone()).await.expect(200).body;
    assert_eq!(again, put, "what was read can be sent back");
    let better = json!({"textMuted": warning["suggested"]});
    let better = app.editor().put(PATH, better).await.expect(200).body;
    assert_eq!((&better["contrastWarnings"], &better["accent"]), (&json!([]), &json!("#0b6e52")));
}

#[actix_web::test]
async fn every_problem_is_named() {
    let app = TestApp::new().await;
    let body = json!({
        "companyName": "x".repeat(61), "headingFont": "a;b", "accent": "red", "error": 5,
        "logoUrl": data_url("image/gif", SVG), "faviconUrl": "data:nothing",
    });
    let reply = app.editor().put(PATH, body).await;
    reply.refused(422, "invalid");
    let mut fields = reply.fields();
    fields.sort_unstable();
    assert_eq!(fields, ["accent", "companyName", "error", "faviconUrl", "headingFont", "logoUrl"]);
    for name in ["a\u{202e}b", "a\u{2066}b", "a\u{7}b", "a\u{2028}b"] {
        let reply = app.editor().put(PATH, json!({"companyName": name})).await;
        reply.refused(422, "invalid");
        assert_eq!(reply.fields(), ["companyName"], "{name:?}");
    }
    app.editor().put(PATH, json!({"companyName": "חנות & Co."})).await.expect(200);
    app.editor().put(PATH, json!({"colour": 1})).await.refused(400, "unknown_field");
    app.viewer().put(PATH, json!({})).await.refused(403, "forbidden");
    app.editor().put("/api/v1/sites/gone/branding", json!({})).await.refused(404, "not_found");
}

#[actix_web::test]
async fn an_image_is_told_by_its_content_kept_here_and_served_inert() {
    let app = TestApp::new().await;
    let put = async |body: Value| app.editor().put(PATH, body).await;
    let made = put(json!({"logoUrl": data_url("text/html", GIF)})).await.expect(200).body;
    let logo = made["logoUrl"].as_str().expect("a path").to_owned();
    let reply = app.anonymous().get(&logo).await;
    assert_eq!((reply.status, reply.header("content-type")), (200, Some("image/gif")));
    assert_eq!(reply.header("x-content-type-options"), Some("nosniff"));
    assert!(reply.header("content-security-policy").is_some_and(|policy| policy.contains("sandbox")));
    assert!(reply.header("cache-control").is_some_and(|cache| cache.contains("immutable")));
    assert_eq!(put(json!({"logoUrl": logo})).await.expect(200).body["logoUrl"], made["logoUrl"], "kept");
    put(json!({"logoUrl": "/branding/x/y/logo"})).await.refused(422, "invalid");
    put(json!({"logoUrl": "https://localhost/logo.png"})).await.refused(422, "invalid");
    let mut large = GIF.to_vec();
    large.resize((256 << 10) + 1, 0);
    put(json!({"logoUrl": data_url("image/gif", &large)})).await.refused(422, "invalid");
    assert_eq!(app.anonymous().get(&logo).await.status, 200, "a refusal changes nothing");
    put(json!({})).await.expect(200);
    assert_eq!(app.anonymous().get(&logo).await.status, 404);
}

#[actix_web::test]
async fn nobody_learns_which_sites_there_are() {
    let app = TestApp::new().await;
    for file in ["style.css", "logo", "favicon", "other"] {
        let [there, not] = ["shop", "nonesuch"].map(|site| format!("/branding/{site}/x/{file}"));
        let (there, not) = (app.anonymous().get(&there).await, app.anonymous().get(&not).await);
        assert_eq!((there.status, not.status), (404, 404));
        assert_eq!(there.text.replace("shop", "nonesuch"), not.text, "{file}");
    }
}

/// Answers one request on loopback; gives its address.
fn answer_once(status: &'static str, body: &'static [u8]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a port");
    let address = listener.local_addr().expect("an address");
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let mut request = [0; 2048];
        let read = stream.read(&mut request).expect("a request");
        assert!(request[..read].starts_with(b"GET /logo"));
        let head =
            format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", body.len());
        stream.write_all(&[head.as_bytes(), body].concat()).expect("an answer");
    });
    format!("http://{address}/logo")
}

#[actix_web::test]
async fn an_address_is_fetched_once_under_the_rules_of_webhooks() {
    let app = TestApp::with(|config| {
        config.dev = true;
        config.webhook_allow_private = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let put = async |url: String| app.editor().put(PATH, json!({"logoUrl": url})).await;
    let logo = put(answer_once("200 OK", GIF)).await.expect(200).body["logoUrl"].clone();
    assert!(logo.as_str().expect("a path").starts_with("/branding/"));
    for (status, body) in [("404 Not Found", GIF), ("200 OK", SVG), ("302 Found", GIF)] {
        put(answer_once(status, body)).await.refused(422, "invalid");
    }
    let strict = TestApp::with(|config| config.dev = true).await;
    let refused = strict.editor().put(PATH, json!({"logoUrl": "http://127.0.0.1:1/logo"})).await;
    refused.refused(422, "invalid");
    assert_eq!(refused.fields(), ["logoUrl"]);
}

/// A server with two sites, and an editor before it.
async fn two_sites() -> (Server, Browser) {
    let server = Server::new();
    server.user("ed", Role::Editor);
    for name in ["Shop", "Blog"] {
        let body = json!({ "name": name }).to_string();
        admin::sites::create(&server.app, &Author::system("test"), &body).expect("a site");
    }
    let browser = server.signed_in("ed").await;
    (server, browser)
}

#[actix_web::test]
async fn every_page_of_the_site_has_its_stylesheet_and_no_other_page_has() {
    let (_server, mut ed) = two_sites().await;
    ed.get("/sites/shop/branding").await;
    let saved = ed
        .post("/sites/shop/branding", &[("act", "save"), ("companyName", "Blå Butik"), ("accent", "#7a1fa2")])
        .await;
    assert_eq!((saved.status.as_u16(), saved.location.as_str()), (303, "/sites/shop/branding"));
    let shop = ed.get("/sites/shop").await.body;
    let sheet = format!("/branding/{}", between(&shop, "href=\"/branding/", "\""));
    for path in [
        "/sites/shop",
        "/sites/shop/branding",
        "/sites/shop/environments/prod/features",
        "/sites/shop/environments/prod/tokens",
    ] {
        let page = ed.get(path).await.body;
        assert!(page.contains(&sheet) && page.contains("Blå Butik"), "{path}");
    }
    for path in ["/", "/sites", "/sites/blog", "/sites/blog/environments/prod/features", "/account", "/help"]
    {
        let page = ed.get(path).await.body;
        assert!(!page.contains("href=\"/branding/") && !page.contains("Blå Butik"), "{path}");
    }
    let css = ed.get(&sheet).await;
    assert!(css.status == 200 && css.body.contains("--accent: light-dark(#7a1fa2, #"), "{}", css.body);
    ed.get("/sites/shop/branding").await;
    ed.post("/sites/shop/branding", &[("act", "save"), ("accent", "#102030")]).await;
    assert_eq!(ed.get(&sheet).await.status, 404, "another version has another address");
    ed.get("/sites/shop/branding").await;
    ed.post("/sites/shop/branding", &[("act", "reset")]).await;
    assert!(!ed.get("/sites/shop").await.body.contains("href=\"/branding/"));
}

#[actix_web::test]
async fn a_preview_shows_what_was_typed_and_saves_nothing() {
    let (_server, mut ed) = two_sites().await;
    ed.get("/sites/shop/branding").await;
    let page = ed.post("/sites/shop/branding", &[("act", "preview"), ("textMuted", "#bbbbbb")]).await.body;
    assert!(page.contains("Hard to read") && page.contains("textMuted=%23bbbbbb"));
    let preview = between(&page, "href=\"/branding/preview.css", "\"").replace("&amp;", "&");
    let css = ed.get(&format!("/branding/preview.css{preview}")).await.body;
    assert!(css.starts_with(".brand-preview {") && css.contains("--text-3: light-dark(#bbbbbb, #"), "{css}");
    assert!(!ed.get("/sites/shop/branding").await.body.contains("Hard to read"));
    let wrong = ed.post("/sites/shop/branding", &[("act", "save"), ("bodyFont", "a{b")]).await;
    assert_eq!(wrong.status, 422);
    assert!(wrong.body.contains("must be names of fonts"));
}

/// Posts the form as a browser does, with files.
async fn upload(browser: &mut Browser, csrf: &str, fields: &[(&str, &[u8])]) -> Reply {
    let page = browser.get("/sites/shop/branding").await.body;
    let seen = page.split_once("name=\"seen\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
    let seen = seen.map_or("", |(seen, _)| seen);
    let mut body = Vec::new();
    let own = [("csrf", csrf.as_bytes()), ("seen", seen.as_bytes()), ("act", b"save")];
    for (name, bytes) in [&own, fields].concat() {
        body.extend_from_slice(
            format!("--b0und\r\nContent-Disposition: form-data; name=\"{name}\"; filename=\"f\"\r\n\r\n")
                .as_bytes(),
        );
        body.extend_from_slice(bytes);
        body.extend_from_slice(b"\r\n");
    }
    body.extend_from_slice(b"--b0und--\r\n");
    let request = TestRequest::post()
        .uri("/sites/shop/branding")
        .insert_header(("content-type", "multipart/form-data; boundary=b0und"))
        .set_payload(body);
    browser.send(request).await
}

/// Whether a page says beside a field, where it is seen, what is wrong with it.
fn is_told(page: &str, field: &str, message: &str) -> bool {
    let (_, input) = page.split_once(&format!("id=\"{field}\"")).expect("the field");
    let (input, rest) = input.split_once('>').expect("its end");
    let described = format!("aria-describedby=\"{field}-error");
    let (_, error) = rest.split_once(&format!("id=\"{field}-error\"")).unwrap_or_default();
    input.contains("aria-invalid=\"true\"")
        && input.contains(&described)
        && error.split("</span>").next().is_some_and(|error| error.contains(message))
}

const RULE: &str = "must be a PNG, JPEG, GIF, WebP or ICO image of at most 256 KiB";

#[actix_web::test]
async fn images_are_uploaded_replaced_and_removed_with_the_form() {
    let (server, mut ed) = two_sites().await;
    ed.get("/sites/shop/branding").await;
    let csrf = ed.csrf.clone();
    let images = || server.number("SELECT count(*) FROM branding_images");
    assert_eq!(upload(&mut ed, "wrong", &[("logo", GIF)]).await.status, 303, "back to the page");
    assert_eq!(images(), 0);
    let both: [(&str, &[u8]); 2] = [("logo", GIF), ("favicon", b"GIF87a\x02\0\x02\0\0\0\0;")];
    assert_eq!(upload(&mut ed, &csrf, &both).await.status, 303);
    assert_eq!(images(), 2);
    let page = ed.get("/sites/shop").await.body;
    assert!(
        page.contains("/logo\" alt=\"\"")
            && between(&page, "rel=\"icon\" href=\"", "\"").ends_with("/favicon")
    );
    let wrong = upload(&mut ed, &csrf, &[("logo", SVG), ("favicon", b"")]).await;
    assert_eq!(wrong.status, 422);
    assert!(is_told(&wrong.body, "logo", RULE) && !is_told(&wrong.body, "favicon", RULE), "{}", wrong.body);
    let removed = upload(&mut ed, &csrf, &[("logo", b""), ("logoRemove", b"on"), ("favicon", b"")]).await;
    assert_eq!((removed.status.as_u16(), images()), (303, 1), "the other one stays");
    server.user("vi", Role::Viewer);
    let mut vi = server.signed_in("vi").await;
    vi.get("/account").await;
    let csrf = vi.csrf.clone();
    assert_eq!(upload(&mut vi, &csrf, &[("logo", GIF)]).await.status, 403);
    admin::sites::delete(&server.app, &Author::system("test"), "shop").expect("gone");
    assert_eq!(images(), 0);
}

#[actix_web::test]
async fn what_was_typed_is_saved_with_the_images_and_kept_when_they_are_refused() {
    let (server, mut ed) = two_sites().await;
    ed.get("/sites/shop/branding").await;
    let csrf = ed.csrf.clone();
    let typed: [(&str, &[u8]); 2] = [("companyName", "Blå Butik".as_bytes()), ("accent", b"#7a1fa2")];
    let with = |more: &[(&'static str, &'static [u8])]| [&typed, more].concat();
    let wrong = [("logo", SVG), ("faviconUrl", &b"https://localhost/icon.png"[..]), ("bodyFont", b"a{b")];
    let refused = upload(&mut ed, &csrf, &with(&wrong)).await;
    assert_eq!(refused.status, 422);
    let page = &refused.body;
    for (field, message) in
        [("logo", RULE), ("faviconUrl", "could not be fetched"), ("bodyFont", "must be names of fonts")]
    {
        assert!(is_told(page, field, message), "{field}: {page}");
    }
    assert!(!page.contains("id=\"favicon-error\""), "the address is wrong, not the file");
    for value in ["Blå Butik", "#7a1fa2", "https://localhost/icon.png", "a{b"] {
        assert!(page.contains(&format!("value=\"{value}\"")), "{value} is still there");
    }
    let hand_made = upload(&mut ed, &csrf, &[("accent", b"red")]).await.body;
    assert!(is_told(&hand_made, "accent", "must be a colour"), "{hand_made}");
    assert_eq!(server.number("SELECT count(*) FROM branding_images"), 0);
    assert!(!ed.get("/sites/shop").await.body.contains("Blå Butik"), "all or nothing");
    assert_eq!(upload(&mut ed, &csrf, &with(&[("logo", GIF), ("favicon", b"")])).await.status, 303);
    let page = ed.get("/sites/shop").await.body;
    assert!(page.contains("/logo\" alt=\"\"") && page.contains("Blå Butik") && page.contains("style.css"));
    // Without files the images stay as they are.
    ed.get("/sites/shop/branding").await;
    ed.post("/sites/shop/branding", &[("act", "save"), ("companyName", "Shop")]).await;
    assert!(ed.get("/sites/shop").await.body.contains("/logo\" alt=\"\""));
}

#[actix_web::test]
async fn both_images_may_be_as_large_as_the_form_says() {
    let (server, mut ed) = two_sites().await;
    ed.get("/sites/shop/branding").await;
    let csrf = ed.csrf.clone();
    let png = |length: usize| {
        let mut bytes = b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR".to_vec();
        bytes.resize(length, 0);
        bytes
    };
    let (logo, icon) = (png((256 << 10) - 1), png(150_000));
    assert_eq!(upload(&mut ed, &csrf, &[("logo", &logo), ("favicon", &icon)]).await.status, 303);
    let stored = "SELECT sum(length(data)) FROM branding_images";
    let both = server.number(stored);
    assert_eq!(both, (256 << 10) - 1 + 150_000, "byte for byte");
    // What is too large is told beside it, with what else was typed as long as that can be read.
    for (length, is_read) in [((256 << 10) + 1, true), (2 << 20, true), (9 << 20, false)] {
        let refused = upload(&mut ed, &csrf, &[("companyName", b"Typed"), ("logo", &png(length))]).await;
        assert_eq!(refused.status, 422);
        assert!(is_told(&refused.body, "logo", RULE), "{length}");
        assert_eq!(refused.body.contains("value=\"Typed\""), is_read, "{length}");
    }
    assert_eq!(server.number(stored), both);
}

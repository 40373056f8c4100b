//! Every route × every role × every way another site could reach it.

use std::collections::BTreeSet;

use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;
use featured::engine::permission::Role;

use super::table::{ROWS, Row, Who, registered};
use super::{Furnished, PEOPLE};
use crate::browser::{Browser, Reply, between};
use crate::support::Dump;

type Headers<'a> = &'a [(&'a str, &'a str)];

/// Tables that a request may touch that changes nothing.
const ASIDE: [&str; 2] = ["sessions", "sign_in_failures"];

fn differing(before: &Dump, furnished: &Furnished) -> Vec<String> {
    let now = Dump::of(&furnished.server.app);
    let differing = now.differing(before);
    differing.into_iter().filter(|name| !ASIDE.contains(name)).map(str::to_owned).collect()
}

async fn send(
    browser: &mut Browser,
    furnished: &Furnished,
    row: &Row,
    headers: &[(&str, &str)],
    csrf: &str,
) -> Reply {
    let path = furnished.fill(row.path);
    let mut fields = vec![("csrf".to_owned(), csrf.to_owned())];
    for (name, value) in row.fields {
        let value = match value.strip_prefix('@') {
            Some(page) => {
                let page = browser.get(&furnished.fill(page)).await;
                // Who does not see the form has nothing of it to send.
                let marker = format!("name=\"{name}\" value=\"");
                if page.body.contains(&marker) {
                    between(&page.body, &marker, "\"").to_owned()
                } else {
                    String::new()
                }
            }
            None => furnished.fill(value),
        };
        fields.push(((*name).to_owned(), value));
    }
    let mut request = match row.method {
        "GET" => TestRequest::get().uri(&path),
        _ if row.handler == "branding::post" => {
            let form = (CONTENT_TYPE, "multipart/form-data; boundary=between");
            TestRequest::post().uri(&path).insert_header(form).set_payload(multipart(&fields))
        }
        _ => {
            let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&fields).finish();
            let form = (CONTENT_TYPE, "application/x-www-form-urlencoded");
            TestRequest::post().uri(&path).insert_header(form).set_payload(body)
        }
    };
    for header in headers {
        request = request.insert_header(*header);
    }
    browser.send(request).await
}

/// A form with files, as `multipart/form-data; boundary=between`.
pub fn multipart(fields: &[(String, String)]) -> String {
    let part = |(name, value): &(String, String)| {
        format!("--between\r\nContent-Disposition: form-data; name=\"{name}\"\r\n\r\n{value}\r\n")
    };
    fields.iter().map(part).chain(["--between--\r\n".to_owned()]).collect()
}

fn may(row: &Row, role: Role) -> bool {
    let reach = match role {
        Role::Viewer => Who::Person,
        Role::Editor => Who::Editor,
        Role::Admin => Who::Admin,
    };
    row.who <= reach
}

/// The address of the stylesheet, which is made of what is in it.
async fn with_asset(furnished: &mut Furnished) {
    let page = furnished.server.browser().get("/signin").await.body;
    let asset = between(&page, "rel=\"stylesheet\" href=\"", "\"").to_owned();
    furnished.ids.push(("{asset}", asset));
}

#[test]
fn every_route_of_the_router_stands_in_the_table_once() {
    let rows: Vec<String> = ROWS.iter().map(|row| format!("{} {}", row.method, row.handler)).collect();
    let unique: BTreeSet<String> = rows.iter().cloned().collect();
    assert_eq!(unique.len(), rows.len(), "each once");
    let registered = registered();
    let missing: Vec<_> = registered.difference(&unique).collect();
    let gone: Vec<_> = unique.difference(&registered).collect();
    assert!(
        missing.is_empty() && gone.is_empty(),
        "not in the table: {missing:?}; not in the router: {gone:?}"
    );
}

#[actix_web::test]
async fn each_role_does_what_it_may_and_nothing_else() {
    for (name, role) in PEOPLE {
        let mut furnished = Furnished::new();
        furnished.own(name);
        with_asset(&mut furnished).await;
        let mut browser = furnished.server.signed_in(name).await;
        browser.get("/account").await;
        let csrf = browser.csrf.clone();
        let mut patterns = BTreeSet::new();
        for row in ROWS {
            let before = Dump::of(&furnished.server.app);
            let reply = send(&mut browser, &furnished, row, &[], &csrf).await;
            let at = format!("{name}: {} {}", row.method, row.path);
            if may(row, role) {
                assert_eq!(reply.status, row.status, "{at}: {}", reply.body);
                assert!(!reply.location.starts_with("/signin?"), "{at}: {}", reply.location);
            } else {
                assert_eq!(reply.status, 403, "{at}");
                assert!(reply.body.contains("Not allowed"), "{at}: a page says so");
                assert_eq!(differing(&before, &furnished), [""; 0], "{at}");
            }
            // Who took somebody's data is noted.
            if row.method == "GET" && row.handler != "gdpr::download" {
                assert_eq!(differing(&before, &furnished), [""; 0], "reading changes nothing: {at}");
            }
            assert!(patterns.insert((row.method, reply.pattern.clone())), "{at} hit {} again", reply.pattern);
        }
    }
}

#[actix_web::test]
async fn without_a_session_only_the_doors_open_and_they_lead_back() {
    let mut furnished = Furnished::new();
    with_asset(&mut furnished).await;
    furnished.own("vi");
    let mut browser = furnished.server.browser();
    for row in ROWS {
        let before = Dump::of(&furnished.server.app);
        browser.cookies.clear();
        let referer = [("referer", "http://localhost:8080/sites/shop?x=1")];
        let reply = send(&mut browser, &furnished, row, &referer, "").await;
        let at = format!("{} {}", row.method, row.path);
        if row.who == Who::Anyone {
            // Whoever is signed in already is led on.
            let status = if row.handler == "door::show" { 200 } else { row.status };
            assert_eq!(reply.status, status, "{at}");
            continue;
        }
        let back = if row.method == "GET" { furnished.fill(row.path) } else { "/sites/shop?x=1".into() };
        let next: String = url::form_urlencoded::byte_serialize(back.as_bytes()).collect();
        let expected = match (row.handler, row.path) {
            // There is nothing to go back to.
            ("second_step::show" | "second_step::post" | "second_step::mail", _) | (_, "/") => {
                "/signin".to_owned()
            }
            _ => format!("/signin?next={next}"),
        };
        assert_eq!((reply.status.as_u16(), reply.location), (303, expected), "{at}");
        assert_eq!(differing(&before, &furnished), [""; 0], "{at}");
    }
}

#[actix_web::test]
async fn no_form_works_from_another_site_or_without_its_token() {
    let mut furnished = Furnished::new();
    furnished.own("ad");
    with_asset(&mut furnished).await;
    let mut browser = furnished.server.signed_in("ad").await;
    browser.get("/account").await;
    let csrf = browser.csrf.clone();
    let before = Dump::of(&furnished.server.app);
    let attacks: [(&str, Headers, &str); 6] = [
        ("another site", &[("sec-fetch-site", "cross-site")], &csrf),
        ("a sibling", &[("sec-fetch-site", "same-site")], &csrf),
        (
            "an old browser on another site",
            &[("origin", "https://evil.example"), ("host", "flags.example")],
            &csrf,
        ),
        ("a page without origin", &[("origin", "null"), ("host", "flags.example")], &csrf),
        ("no token", &[], ""),
        ("a made-up token", &[], "0123456789abcdef0123456789abcdef"),
    ];
    for row in ROWS.iter().filter(|row| row.method == "POST") {
        for (attack, headers, csrf) in attacks {
            // Who is not signed in has no token: there the origin alone decides.
            if row.who == Who::Anyone && headers.is_empty() {
                continue;
            }
            let reply = send(&mut browser, &furnished, row, headers, csrf).await;
            let at = format!("{attack}: {}", row.path);
            assert_eq!(reply.status, 303, "{at}: {}", reply.body);
            assert!(!reply.location.contains("evil.example"), "{at}");
            assert!(browser.cookies.contains_key("featured_session"), "{at}: still signed in");
        }
    }
    assert_eq!(differing(&before, &furnished), [""; 0]);
    assert_eq!(furnished.server.number("SELECT count(*) FROM sign_in_failures"), 0, "nobody was guessed at");
}

//! Markup that somebody types anywhere is shown as text everywhere.

use actix_web::http::header::CONTENT_TYPE;
use actix_web::test::TestRequest;

use super::Furnished;
use super::form::{Form, forms};
use super::matrix::multipart;
use super::table::ROWS;
use crate::browser::Browser;

const MARK: &str = "<b id=planted>\"'&amp;";
const RAW: &str = "<b id=planted";
const SHOWN: &str = "&lt;b id=planted&gt;";

/// Pages with forms that no row of the table opens.
const MORE: [&str; 11] = [
    "/sites/shop/environments/prod/features/a?edit=settings",
    "/sites/shop/environments/prod/features/a?rule=new",
    "/sites/shop/environments/prod/features/a?rule={rule}",
    "/sites/shop/environments/prod/features/a/variants?variant=new",
    "/sites/shop/environments/prod/features/a/variants?variant=v",
    "/sites/shop/environments/prod/segments/new",
    "/sites/shop/environments/prod/contexts?new=yes",
    "/sites/shop/environments/prod/contexts/override",
    "/sites/shop/environments/prod/contexts/nobody",
    "/sites/shop/environments/prod/contexts/team:blue/delete",
    "/sites/shop/environments/prod/flagr",
];

fn pages(furnished: &Furnished) -> Vec<String> {
    let rows = ROWS.iter().filter(|row| {
        row.method == "GET"
            && row.status == 200
            && row.handler != "assets::serve"
            && row.handler != "sites::document"
            && row.handler != "branding::serve"
            && row.handler != "branding::preview_sheet"
            && row.handler != "gdpr::download"
    });
    rows.map(|row| row.path).chain(MORE).map(|path| furnished.fill(path)).collect()
}

async fn check(browser: &mut Browser, path: &str, what: &str) {
    let page = browser.get(path).await;
    assert!(!page.body.contains(RAW), "{path} after {what}: {}", around(&page.body));
}

fn around(body: &str) -> &str {
    let at = body.find(RAW).unwrap_or_default();
    &body[at.saturating_sub(200)..(at + 100).min(body.len())]
}

#[actix_web::test]
async fn markup_typed_into_any_field_is_shown_as_text() {
    let mut furnished = Furnished::new();
    furnished.own("ad");
    furnished.server.sql("DELETE FROM links");
    let mut browser = furnished.server.signed_in("ad").await;
    let (mut fields, mut shown, mut saved) = (0, 0, 0);
    for path in pages(&furnished) {
        let page = browser.get(&path).await.body;
        for form in forms(&page) {
            let typed: Vec<_> = form.typed().cloned().collect();
            for field in typed {
                fields += 1;
                let at = format!("{} of {} on {path}", field.name, form.action);
                // As somebody would who opens the page now.
                let page = browser.get(&path).await.body;
                let now = forms(&page);
                let goes_there = |now: &&Form| (&now.action, &now.method) == (&form.action, &form.method);
                let form = now
                    .iter()
                    .find(|now| form.is_like(now))
                    .or_else(|| now.iter().find(goes_there))
                    .unwrap_or(&form);
                let values = form.with(&[(&field.name, MARK)]);
                let values: Vec<(&str, &str)> =
                    values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let reply = if form.method == "post" {
                    let reply = if form.action.ends_with("/branding") {
                        let kind = (CONTENT_TYPE, "multipart/form-data; boundary=between");
                        let request = TestRequest::post().uri(&form.action).insert_header(kind);
                        browser.send(request.set_payload(multipart(&form.with(&[(&field.name, MARK)])))).await
                    } else {
                        browser.post_raw(&form.action, &values).await
                    };
                    assert!(
                        [200, 303, 409, 422].contains(&reply.status.as_u16()),
                        "{at}: {} {}",
                        reply.status,
                        reply.body
                    );
                    reply
                } else {
                    let query =
                        url::form_urlencoded::Serializer::new(String::new()).extend_pairs(&values).finish();
                    let mut reply = browser.get(&format!("{}?{query}", form.action)).await;
                    // A form that asks for a page by its name is led there.
                    if reply.status == 303 {
                        reply = browser.get(&reply.location).await;
                    }
                    assert_eq!(reply.status, 200, "{at}");
                    reply
                };
                assert!(!reply.body.contains(RAW), "{at}: {}", around(&reply.body));
                // What was refused, or asked for, stands in its field again; secrets do not.
                // The name there is for password managers; nothing is done with it.
                let own_name = form.action == "/account/password";
                let again = (reply.status == 422 || form.method == "get") && !own_name;
                if again && field.kind != "password" && field.name != "code" && field.kind != "date" {
                    assert!(
                        reply.body.contains(SHOWN),
                        "{at} is not shown again: {} {}",
                        reply.status,
                        reply.body
                    );
                    shown += 1;
                }
                if reply.status == 303 {
                    saved += 1;
                    check(&mut browser, &reply.location, &at).await;
                }
            }
        }
    }
    assert!(fields > 60 && shown > 30 && saved > 8, "{fields} fields, {shown} shown again, {saved} saved");
    let mut seen = 0;
    for path in pages(&furnished) {
        let page = browser.get(&path).await;
        assert!(!page.body.contains(RAW), "{path}: {}", around(&page.body));
        seen += usize::from(page.body.contains(SHOWN));
    }
    assert!(seen > 8, "what was saved shows on {seen} pages");
}

#[actix_web::test]
async fn the_doors_show_markup_as_text_too() {
    let furnished = Furnished::new();
    let mut browser = furnished.server.browser();
    for path in ["/signin?next=%22%3E%3Cb%20id=planted%3E", "/forgot", "/reset/reset-get", "/setup/setup"] {
        let page = browser.get(path).await.body;
        assert!(!page.contains(RAW), "{path}");
        for form in forms(&page) {
            let names: Vec<String> = form.fields.iter().map(|field| field.name.clone()).collect();
            for name in names {
                let values = form.with(&[(&name, MARK)]);
                let values: Vec<(&str, &str)> =
                    values.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
                let reply = browser.post_raw(&form.action, &values).await;
                assert!(!reply.body.contains(RAW), "{name} on {path}");
                assert!(!reply.location.contains('<'), "{name} on {path}: {}", reply.location);
            }
        }
        furnished.server.sql("DELETE FROM sign_in_failures");
    }
}

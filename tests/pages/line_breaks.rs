//! A browser sends every line break as CRLF: what a form only shows stays as it is stored.

use featured::admin::{contexts, features};
use featured::app::Actor;
use featured::engine::feature::{Definition, Outcome};
use featured::store;
use serde_json::json;

use super::Furnished;
use super::form::{Form, form};
use crate::browser::{Browser, Reply};

const FEATURE: &str = "/sites/shop/environments/prod/features/text";

/// Sends a form as a browser does.
async fn send(browser: &mut Browser, form: &Form, changes: &[(&str, &str)]) -> Reply {
    let mut fields = form.with(changes);
    for (_, value) in &mut fields {
        *value = value.replace("\r\n", "\n").replace('\n', "\r\n");
    }
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    browser.post_raw(&form.action, &fields).await
}

/// A feature whose default, variant and rule all give this text.
fn furnish(text: &str) -> Furnished {
    let furnished = Furnished::new();
    let rollout = json!({"percentage": 50, "salt": " v2", "by": " a, b"});
    let feature = json!({
        "key": "text", "type": "STRING", "defaultValue": text, "variants": [{"key": "v", "value": text}],
        "rules": [{"name": "R", "rollout": rollout, "outcome": {"value": text}}],
    });
    let app = &furnished.server.app;
    features::create(app, &Actor::system("test"), "shop", "prod", &feature.to_string()).unwrap();
    furnished
}

fn snapshot(furnished: &Furnished) -> std::sync::Arc<featured::engine::snapshot::Snapshot> {
    let app = &furnished.server.app;
    let environment = app.read(|conn| {
        let site = store::sites::find(conn, "shop")?;
        store::environments::find(conn, site.id, "prod")
    });
    app.live.environment(environment.unwrap().id).unwrap().snapshot()
}

fn definition(furnished: &Furnished) -> Definition {
    snapshot(furnished).feature("text").unwrap().definition().clone()
}

#[actix_web::test]
async fn saving_another_field_leaves_texts_and_salt_as_they_are() {
    // No form can send the last one: it stays where it was not touched.
    for text in ["a\nb", "\n a\n", "a\r\nb"] {
        let furnished = furnish(text);
        let mut browser = furnished.server.signed_in("ad").await;
        let before = definition(&furnished);
        let rule = before.rules[0].id;
        let edits = [
            (format!("{FEATURE}?rule={rule}"), format!("{FEATURE}/rules/{rule}"), ("priority", "7")),
            (format!("{FEATURE}?edit=settings"), format!("{FEATURE}/settings"), ("description", "Words")),
            (format!("{FEATURE}/variants?variant=v"), format!("{FEATURE}/variants"), ("attachment", "1")),
        ];
        for (page, action, change) in edits {
            let page = browser.get(&page).await.body;
            let reply = send(&mut browser, &form(&page, &action), &[change, ("op", "save")]).await;
            assert_eq!(reply.status, 303, "{action}: {}", reply.body);
        }
        let now = definition(&furnished);
        let rule = &now.rules[0];
        let Outcome::Value(given) = &rule.outcome else { panic!("{:?}", rule.outcome) };
        assert_eq!(given.to_text().as_deref(), Some(text));
        // Another salt or attribute would take other people.
        assert_eq!(rule.rollout.as_ref().unwrap().salt, " v2");
        assert_eq!(rule.rollout, before.rules[0].rollout);
        assert_eq!(now.default_value.unwrap().to_text().as_deref(), Some(text));
        assert_eq!(now.variants[0].value.to_text().as_deref(), Some(text));
        // All three were saved.
        assert_eq!((rule.priority, now.description.as_str()), (7, "Words"));
        assert!(now.variants[0].attachment.is_some());
    }
}

#[actix_web::test]
async fn a_text_that_was_typed_has_the_line_breaks_of_the_page() {
    let furnished = furnish("before");
    let mut browser = furnished.server.signed_in("ad").await;
    let page = browser.get(&format!("{FEATURE}?edit=settings")).await.body;
    let settings = form(&page, &format!("{FEATURE}/settings"));
    let reply = send(&mut browser, &settings, &[("defaultValue", "x\n\ny")]).await;
    assert_eq!(reply.status, 303, "{}", reply.body);
    assert_eq!(definition(&furnished).default_value.unwrap().to_text().as_deref(), Some("x\n\ny"));
}

#[actix_web::test]
async fn an_override_of_several_lines_can_be_replaced() {
    // As the page sets it, and as a program may have.
    for first in ["a\nb", "a\r\nb"] {
        let furnished = furnish("before");
        let mut browser = furnished.server.signed_in("ad").await;
        let body = json!({"features": {"text": first}, "reason": "down"}).to_string();
        let target = contexts::Target {
            site: "shop".into(),
            environment: "prod".into(),
            key: "override".into(),
            expected: None,
        };
        contexts::update(&furnished.server.app, &Actor::system("test"), &target, &body).unwrap();
        let action = format!("{FEATURE}/override");
        browser.get(FEATURE).await;
        let refused = browser.post(&action, &[("value", "c\nd"), ("reason", "still")]).await;
        assert_eq!(refused.status, 422, "{}", refused.location);
        let again = form(&refused.body, &action);
        let reply = send(&mut browser, &again, &[]).await;
        assert_eq!(reply.status, 303, "{}", reply.body);
        let now = snapshot(&furnished);
        let value = now.overrides().and_then(|context| context.values.get("text")).unwrap();
        assert_eq!(value.to_text().as_deref(), Some("c\nd"));
    }
}

#[actix_web::test]
async fn the_value_of_a_context_keeps_its_lines() {
    let furnished = furnish("before");
    let (app, text) = (&furnished.server.app, "\na\nb");
    let body = json!({"key": "poet", "features": {"text": text}}).to_string();
    contexts::create(app, &Actor::system("test"), "shop", "prod", &body).unwrap();
    let mut browser = furnished.server.signed_in("ad").await;
    let path = "/sites/shop/environments/prod/contexts/poet";
    let row = form(&browser.get(path).await.body, path);
    let field = row.fields.iter().find(|field| field.name == "value").unwrap();
    assert_eq!((field.kind.as_str(), field.value.as_str()), ("textarea", text));
    // What is refused comes back with its lines too.
    let refused = send(&mut browser, &row, &[("version", "0"), ("value", "a\nc")]).await;
    assert_eq!(refused.status, 422, "{}", refused.location);
    let shown = "aria-label=\"Value\" autocomplete=\"off\">\na\nc</textarea>";
    assert!(refused.body.contains(shown), "{}", refused.body);
    let reply = send(&mut browser, &row, &[]).await;
    assert_eq!(reply.status, 303, "{}", reply.body);
    let now = snapshot(&furnished);
    assert_eq!(now.context("poet").unwrap().values.get("text").unwrap().to_text().as_deref(), Some(text));
}

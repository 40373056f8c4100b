//! The pages of webhooks.

use featured::engine::permission::Role;

use super::loopback;
use super::receiver::{Do, Receiver};
use crate::browser::{Server, between};

const LIST: &str = "/sites/shop/environments/prod/webhooks";

async fn shop() -> Server {
    let server = Server::with(loopback);
    let author = featured::app::Actor::system("test");
    featured::admin::sites::create(&server.app, &author, r#"{"name": "Shop"}"#).unwrap();
    server.user("eddie", Role::Editor);
    server.user("vera", Role::Viewer);
    server
}

#[actix_web::test]
async fn a_webhook_is_made_tried_changed_rotated_and_deleted_by_clicking() {
    let server = shop().await;
    let receiver = Receiver::that(Do::Answer(200));
    let mut eddie = server.signed_in("eddie").await;
    assert_eq!(eddie.get("/sites/shop/webhooks").await.location, LIST);
    let page = eddie.get(LIST).await.body;
    assert!(page.contains("No webhooks yet") && page.contains("rule.deleted"), "{page}");
    // What was typed comes back with what is wrong with it.
    let wrong = eddie.post(LIST, &[("url", "https://10.0.0.1/x"), ("name", "<b>Mine</b>")]).await;
    assert_eq!(wrong.status, 422);
    assert!(
        wrong.body.contains("not public (private)") && wrong.body.contains("at least one event"),
        "{}",
        wrong.body
    );
    assert!(wrong.body.contains("&lt;b&gt;Mine"), "{}", wrong.body);
    let url = receiver.url();
    let fields = [
        ("url", url.as_str()),
        ("name", "Mine"),
        ("format", "json"),
        ("environmentId", ""),
        ("events", "feature.created"),
        ("events", "rule.updated"),
        ("description", ""),
        ("secret", ""),
    ];
    let made = eddie.post(LIST, &fields).await;
    assert_eq!(made.status, 200, "{}", made.body);
    let secret = between(&made.body, "id=\"secret-shown\">", "<").to_owned();
    assert!(secret.starts_with("whsec_"));
    let id =
        featured::store::webhooks::list(&server.app.store.read().unwrap(), None).unwrap()[0].uuid.clone();
    let page = format!("{LIST}/{id}");
    let shown = eddie.get(&page).await.body;
    assert!(!shown.contains(&secret), "once");
    assert!(shown.contains("What it sends") && shown.contains("Nordic beta"), "{shown}");
    // Tried out.
    let tried = eddie.post(&format!("{page}/test"), &[("event", "rule.updated")]).await;
    assert_eq!(tried.location, page);
    let shown = eddie.get(&page).await.body;
    assert!(shown.contains("It arrived: 200.") && shown.contains("X-Webhook-Signature: sha256="), "{shown}");
    let delivery = between(&shown, "/deliveries/", "/redeliver").to_owned();
    eddie.post(&format!("{page}/deliveries/{delivery}/redeliver"), &[]).await;
    assert_eq!(receiver.count(), 2);
    assert_eq!(receiver.all()[0].id(), receiver.all()[1].id());
    // Changed: without the box it is off.
    let off = [("url", url.as_str()), ("name", "Mine"), ("format", "slack"), ("events", "rule.updated")];
    assert_eq!(eddie.post(&page, &off).await.location, page);
    assert!(eddie.get(LIST).await.body.contains("Off"));
    let rotated = eddie.post(&format!("{page}/rotate"), &[("graceSeconds", "3600")]).await.body;
    assert_ne!(between(&rotated, "id=\"secret-shown\">", "<"), secret);
    // What an answer says is cut off, and never markup.
    let babbling = Receiver::that(Do::Babble);
    let url = babbling.url();
    let on = [
        ("url", url.as_str()),
        ("name", "Mine"),
        ("format", "json"),
        ("events", "rule.updated"),
        ("enabled", "on"),
    ];
    eddie.post(&page, &on).await;
    eddie.post(&format!("{page}/test"), &[("event", "rule.updated")]).await;
    let shown = eddie.get(&page).await.body;
    assert!(shown.contains("&lt;b&gt;&amp;&lt;b&gt;") && !shown.contains("<b>&"), "{shown}");
    assert!(shown.contains("&lt;b&gt;&amp;…"), "cut off: {}", shown.len());
    // A viewer reads, without the address.
    let mut vera = server.signed_in("vera").await;
    let seen = vera.get(&page).await.body;
    assert!(!seen.contains(&format!("action=\"{page}")) && !seen.contains("/hook"), "{seen}");
    assert!(seen.contains("Deliveries"));
    assert_eq!(vera.post(&format!("{page}/delete"), &[]).await.status, 403);
    assert_eq!(eddie.post(&format!("{page}/delete"), &[]).await.location, LIST);
    assert!(eddie.get(LIST).await.body.contains("No webhooks yet"));
    assert_eq!(eddie.get(&page).await.status, 404);
}

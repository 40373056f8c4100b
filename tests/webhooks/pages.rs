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
    // It is said at the top, and the page begins in the first field that is wrong.
    let banner = between(&wrong.body, "<b>Not saved: </b>", "</div>");
    assert!(banner.starts_with("<a href=\"#url\">URL</a> leads to"), "{banner}");
    assert!(banner.contains("; <a href=\"#events\">Told of</a> must name at least one event."), "{banner}");
    assert!(between(&wrong.body, "id=\"url\"", ">").contains("autofocus"), "{}", wrong.body);
    assert_eq!(wrong.body.matches(" autofocus").count(), 1);
    let events = between(&wrong.body, "id=\"events\"", "</fieldset>");
    assert!(events.contains("aria-invalid=\"true\" aria-describedby=\"events-error\""), "{events}");
    assert!(between(events, "class=\"grp-err\">", "</div>").contains("id=\"events-error\""), "{events}");
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
    let made = eddie.follow(LIST, &fields).await;
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
    let rotated = eddie.follow(&format!("{page}/rotate"), &[("graceSeconds", "3600")]).await.body;
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
    assert!(!seen.contains("&lt;b&gt;&amp;"), "nor what the receiver answered");
    assert!(seen.contains("shown to editors"), "{seen}");
    assert_eq!(vera.post(&format!("{page}/delete"), &[]).await.status, 403);
    assert_eq!(vera.get(&format!("{page}/delete")).await.status, 403);
    // It is deleted after a question.
    let shown = eddie.get(&page).await.body;
    assert!(shown.contains(&format!("href=\"{page}/delete\"")), "{shown}");
    assert!(!shown.contains(&format!("action=\"{page}/delete\"")), "{shown}");
    let asked = eddie.get(&format!("{page}/delete")).await.body;
    assert!(asked.contains("Delete this webhook?") && asked.contains("goes with its log"), "{asked}");
    assert_eq!(eddie.post(&format!("{page}/delete"), &[]).await.location, LIST);
    assert!(eddie.get(LIST).await.body.contains("No webhooks yet"));
    assert_eq!(eddie.get(&page).await.status, 404);
}

/// Makes a webhook of the shop; gives its id and page.
fn made(server: &Server, more: serde_json::Value) -> (String, String) {
    let mut body = serde_json::json!({
        "siteId": "shop", "url": "https://hooks.example/x", "events": ["feature.created", "rule.updated"],
    });
    for (name, value) in more.as_object().unwrap() {
        body[name] = value.clone();
    }
    let author = featured::app::Actor::system("test");
    let id = featured::admin::webhooks::create(&server.app, &author, &body.to_string()).unwrap().view.id;
    let page = format!("{LIST}/{id}");
    (id, page)
}

#[actix_web::test]
async fn a_change_that_is_refused_says_so_at_the_top_and_a_name_has_to_be_given() {
    let server = shop().await;
    let (_, page) = made(&server, serde_json::json!({}));
    let mut eddie = server.signed_in("eddie").await;
    let shown = eddie.get(&page).await.body;
    assert!(!shown.contains("Not saved") && !shown.contains(" autofocus"), "{shown}");
    assert!(!shown.contains("Left empty, the host"), "{shown}");
    let off = [("url", "https://hooks.example/x"), ("format", "json"), ("name", ""), ("enabled", "on")];
    let wrong = eddie.post(&page, &off).await;
    assert_eq!(wrong.status, 422);
    let (banner, head) = (wrong.body.find("<b>Not saved: </b>").unwrap(), wrong.body.find("<h1>").unwrap());
    assert!(banner < head, "above everything else");
    let events = between(&wrong.body, "id=\"events\"", "</fieldset>");
    assert!(between(events, "<input", ">").contains(" autofocus"), "{events}");
    assert!(wrong.body.contains("<a href=\"#name\">Name</a> must be 1 to 100 characters."), "{}", wrong.body);
    let stale = eddie.post(&page, &[("seen", "0"), ("url", "https://hooks.example/y"), ("name", "X")]).await;
    assert!(stale.body.contains("<b>Not saved: </b>somebody else saved meanwhile."), "{}", stale.body);
}

#[actix_web::test]
async fn the_next_try_is_told_as_other_times_are() {
    let server = shop().await;
    let (_, page) = made(&server, serde_json::json!({}));
    let mut eddie = server.signed_in("eddie").await;
    let now = server.app.now();
    for (due, words) in [
        (0, "It is being tried now."),
        (now + 50_000, ">within a minute</time>."),
        (now + 290_000, ">in 5 min</time>."),
        (now + 3 * 3_600_000 + 60_000, ">in 3 h</time>."),
    ] {
        server.sql(&format!("UPDATE webhooks SET attempts = 2, failing_since = {now}, due_at = {due}"));
        let shown = eddie.get(&page).await.body;
        assert!(shown.contains(words) && !shown.contains("1970"), "{words}: {shown}");
    }
}

#[actix_web::test]
async fn the_log_is_cut_off_and_leads_back_and_tests_go_on_with_their_event() {
    let server = shop().await;
    let receiver = Receiver::that(Do::Answer(200));
    let more = serde_json::json!({
        "url": receiver.url(), "environmentId": "prod",
        "events": ["feature.created", "rule.updated", "environment.created"],
    });
    let (_, page) = made(&server, more);
    let mut eddie = server.signed_in("eddie").await;
    let shown = eddie.get(&page).await.body;
    let choices = between(&shown, "id=\"event\"", "</select>");
    assert_eq!(choices.matches("<option").count(), 2, "what it can be told of: {choices}");
    eddie.post(&format!("{page}/test"), &[("event", "rule.updated")]).await;
    let shown = eddie.get(&page).await.body;
    let choices = between(&shown, "id=\"event\"", "</select>");
    assert!(choices.contains("value=\"rule.updated\" selected"), "{choices}");
    assert!(!shown.contains("Newest") && !shown.contains("Older"), "{shown}");
    let long = format!("\"{}\"", "x".repeat(60_000));
    server.sql(&format!(
        "INSERT INTO deliveries (webhook_id, uuid, event_id, event, attempt, outcome, at, duration_ms,
                                 request_headers, request_body, response_headers, response_body)
         SELECT webhook_id, 'u' || n, event_id, event, attempt, outcome, at, duration_ms, request_headers,
                '{long}', response_headers, response_body
           FROM deliveries, (WITH RECURSIVE c(n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM c WHERE n < 30) SELECT n FROM c)"
    ));
    let shown = eddie.get(&page).await.body;
    assert!(shown.len() < 400_000 && shown.contains("xxx…"), "{}", shown.len());
    let older = between(&shown, "?below=", "#log-h").to_owned();
    let shown = eddie.get(&format!("{page}?below={older}")).await.body;
    assert!(shown.contains(&format!("href=\"{page}#log-h\">Newest")), "{shown}");
}

#[actix_web::test]
async fn a_webhook_is_found_on_pages_of_its_own_site_alone() {
    let server = shop().await;
    let author = featured::app::Actor::system("test");
    featured::admin::sites::create(&server.app, &author, r#"{"name": "Other"}"#).unwrap();
    let receiver = Receiver::that(Do::Answer(200));
    let (id, page) = made(&server, serde_json::json!({"url": receiver.url()}));
    let mut eddie = server.signed_in("eddie").await;
    eddie.post(&format!("{page}/test"), &[("event", "rule.updated")]).await;
    let shown = eddie.get(&page).await.body;
    let delivery = between(&shown, "/deliveries/", "/redeliver").to_owned();
    let state = || {
        let webhook = server.app.read(|conn| featured::store::webhooks::find(conn, &id)).unwrap();
        (webhook.secret, webhook.settings, receiver.count())
    };
    let before = state();
    let foreign = page.replace("/sites/shop/", "/sites/other/");
    assert_eq!(eddie.get(&foreign).await.status, 404);
    assert_eq!(eddie.get(&format!("{foreign}/delete")).await.status, 404);
    let fields = [
        ("url", "https://hooks.example/other"),
        ("name", "Other"),
        ("event", "rule.updated"),
        ("graceSeconds", "0"),
    ];
    for action in ["", "/test", "/rotate", "/delete", &format!("/deliveries/{delivery}/redeliver")] {
        assert_eq!(eddie.post(&format!("{foreign}{action}"), &fields).await.status, 404, "{action}");
        assert_eq!(state(), before, "{action}");
    }
}

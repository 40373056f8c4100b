//! User management, for administrators alone.

use featured::admin::{sites, users};
use featured::app::Actor;
use featured::engine::permission::Role;
use featured::error::Error;

use crate::browser::{PASSWORD, Server};

#[actix_web::test]
async fn the_last_admin_is_neither_removed_nor_demoted_nor_deactivated() {
    let server = Server::new();
    let ana = server.user("ana", Role::Admin);
    let system = Actor::system("test");
    let last = |result: featured::error::Result<featured::store::users::User>| {
        assert!(matches!(result, Err(Error::Conflict("last_admin", ..))), "{result:?}");
    };
    let app = &server.app;
    last(users::delete(app, &system, &ana.uuid));
    last(users::set_active(app, &system, &ana.uuid, false));
    last(users::update(app, &system, &ana.uuid, "ana", &ana.email, Role::Editor));
    // A deactivated admin is no other admin.
    let mei = server.user("mei", Role::Admin);
    users::set_active(app, &system, &mei.uuid, false).unwrap();
    last(users::delete(app, &system, &ana.uuid));
    users::set_active(app, &system, &mei.uuid, true).unwrap();
    users::update(app, &system, &ana.uuid, "ana", &ana.email, Role::Editor).unwrap();
    last(users::delete(app, &system, &mei.uuid));

    let mut browser = server.signed_in("mei").await;
    let path = format!("/admin/users/{}", mei.uuid);
    let page = browser.get(&path).await.body;
    let fields = crate::pages::form::form(&page, &path).with(&[("role", "viewer")]);
    let fields: Vec<(&str, &str)> =
        fields.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    let reply = browser.post_raw(&path, &fields).await;
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("last administrator"), "{}", reply.body);
}

#[actix_web::test]
async fn the_setup_link_makes_the_first_admin_and_nobody_else() {
    let server = Server::new();
    let fields =
        |name: &'static str| [("username", name), ("email", "x@shop.example"), ("password", PASSWORD)];
    let link = || featured::admin::sign_in::setup_link(&server.app).unwrap().unwrap();
    // Made at the terminal, while the link still stands in the log.
    let path = format!("/setup/{}", link());
    let ana = server.user("ana", Role::Admin);
    assert_eq!(server.browser().post_raw(&path, &fields("bo")).await.status, 404);
    assert_eq!(server.number("SELECT count(*) FROM users"), 1);

    server.sql(&format!("DELETE FROM users WHERE uuid = '{}'", ana.uuid));
    let path = format!("/setup/{}", link());
    assert_eq!(server.browser().post_raw(&path, &fields("bo")).await.status, 303);
    assert_eq!(server.browser().post_raw(&path, &fields("eve")).await.status, 404);
    assert_eq!(server.number("SELECT count(*) FROM users WHERE username = 'bo' AND role = 'admin'"), 1);
}

#[actix_web::test]
async fn users_are_found_on_the_server_and_their_addresses_are_not_in_the_list() {
    let server = Server::new();
    server.user("ana", Role::Admin);
    for at in 0..60 {
        server
            .app
            .write(&Actor::system("test"), |tx| {
                let (name, email) = (format!("user{at:02}"), format!("u{at}@mail.example"));
                featured::store::users::insert(tx, &name, &email, Role::Viewer, "x", tx.now)?;
                Ok(featured::app::Written::nothing(()))
            })
            .unwrap();
    }
    let mut browser = server.signed_in("ana").await;
    let page = browser.get("/admin/users").await.body;
    assert!(page.contains("user48") && !page.contains("user49") && page.contains("after=user48"));
    assert!(!page.contains("@mail.example"));
    let page = browser.get("/admin/users?after=user48").await.body;
    assert!(page.contains("user59") && !page.contains(">user48<") && page.contains("That is everybody"));
    let page = browser.get("/admin/users?q=U7%40mail").await.body;
    assert!(page.contains("user07") && !page.contains("user08"), "found by address, which stays hidden");
    let page = browser.get("/admin/users?q=%25&role=viewer").await.body;
    assert!(page.contains("Nobody by that name"), "no wildcard");
    let page = browser.get("/admin/users?q=%3Cscript%3E").await.body;
    assert!(page.contains("&lt;script&gt;") && !page.contains("<script>"));
}

#[actix_web::test]
async fn only_admins_get_at_users_two_factor_and_outbox() {
    let server = Server::new();
    let ana = server.user("ana", Role::Admin);
    server.user("ed", Role::Editor);
    server.user("vi", Role::Viewer);
    let user = format!("/admin/users/{}", ana.uuid);
    let pages = ["/admin/users", "/admin/users/new", &user, "/admin/two-factor", "/admin/outbox"];
    let forms = [
        "/admin/users".to_owned(),
        user.clone(),
        format!("{user}/deactivate"),
        format!("{user}/activate"),
        format!("{user}/reset-two-factor"),
        format!("{user}/delete"),
        "/admin/two-factor/enforce".into(),
        "/admin/two-factor/remind".into(),
        "/admin/outbox/x/retry".into(),
        "/admin/outbox/x/delete".into(),
    ];
    for name in ["ed", "vi"] {
        let mut browser = server.signed_in(name).await;
        browser.get("/account").await;
        for page in pages {
            assert_eq!(browser.get(page).await.status, 403, "{name} {page}");
        }
        browser.get("/account").await;
        for form in &forms {
            assert_eq!(browser.post(form, &[("confirm", "ana")]).await.status, 403, "{name} {form}");
        }
    }
    for page in pages {
        assert_eq!(server.browser().get(page).await.status, 303, "{page}");
        assert_eq!(server.signed_in("ana").await.get(page).await.status, 200, "{page}");
    }
}

#[actix_web::test]
async fn a_new_user_is_welcomed_with_a_link_to_choose_a_password() {
    let server = Server::new();
    server.user("ana", Role::Admin);
    let mut browser = server.signed_in("ana").await;
    browser.get("/admin/users/new").await;
    let wrong = [("username", "a b"), ("email", "none"), ("role", "editor")];
    let reply = browser.post("/admin/users", &wrong).await;
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("value=\"a b\"") && reply.body.contains("must be an e-mail address"));
    let taken = [("username", "ANA"), ("email", "x@shop.example"), ("role", "editor")];
    assert!(browser.post("/admin/users", &taken).await.body.contains("another user has this name"));
    let right = [("username", "mei"), ("email", "mei@shop.example"), ("role", "editor")];
    assert_eq!(browser.post("/admin/users", &right).await.status, 303);
    let mail = server.mail_to("mei@shop.example").unwrap();
    let link = mail.split_once("/reset/").unwrap().1.split_whitespace().next().unwrap();
    let mut mei = server.browser();
    assert_eq!(mei.post_raw(&format!("/reset/{link}"), &[("password", PASSWORD)]).await.status, 200);
    assert_eq!(mei.sign_in("mei", PASSWORD).await.status, 303);
    assert!(mei.is_in().await);
    assert!(browser.get("/admin/outbox").await.body.contains("mei@shop.example"));
    assert!(server.number("SELECT count(*) FROM changes WHERE entity = 'user' AND actor = 'ana'") == 1);
}

#[actix_web::test]
async fn a_deactivated_user_is_out_at_once_with_every_credential() {
    let server = Server::new();
    server.user("ana", Role::Admin);
    let mei = server.user("mei", Role::Editor);
    let token = users::create_personal_token(&server.app, &Actor::system("test"), "mei", "x").unwrap();
    assert!(server.app.live.credentials.personal(&token, server.app.now()).is_some());
    let mut browser = server.signed_in("mei").await;
    let mut ana = server.signed_in("ana").await;
    let path = format!("/admin/users/{}", mei.uuid);
    ana.get(&path).await;
    assert_eq!(ana.post(&format!("{path}/deactivate"), &[]).await.status, 303);
    assert!(!browser.is_in().await);
    assert!(server.app.live.credentials.personal(&token, server.app.now()).is_none());
    assert_eq!(server.browser().sign_in("mei", PASSWORD).await.status, 422);
    assert_eq!(ana.post(&format!("{path}/activate"), &[]).await.status, 303);
    assert_eq!(server.browser().sign_in("mei", PASSWORD).await.status, 303);
    assert!(!browser.is_in().await, "ended sessions stay ended");
}

#[actix_web::test]
async fn a_user_on_whom_sites_depend_is_not_deleted() {
    let server = Server::new();
    let ana = server.user("ana", Role::Admin);
    let mei = server.user("mei", Role::Editor);
    let actor =
        Actor { user: Some(mei.id), id: Some(mei.uuid.clone()), role: Role::Editor, ..Actor::system("mei") };
    sites::create(&server.app, &actor, r#"{"name": "Shop", "slug": "shop"}"#).unwrap();
    let mut browser = server.signed_in("ana").await;
    let path = format!("/admin/users/{}", mei.uuid);
    assert!(browser.get(&path).await.body.contains("Owns shop"));
    let reply = browser.post(&format!("{path}/delete"), &[("confirm", "mei")]).await;
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("hand over first"));
    server.sql("UPDATE sites SET owner_id = NULL");
    assert_eq!(browser.post(&format!("{path}/delete"), &[("confirm", "mai")]).await.status, 422);
    assert_eq!(browser.post(&format!("{path}/delete"), &[("confirm", "mei")]).await.status, 303);
    assert_eq!(browser.get(&path).await.status, 404);
    // Nobody deletes their own account.
    let own = format!("/admin/users/{}/delete", ana.uuid);
    assert_eq!(browser.post(&own, &[("confirm", "ana")]).await.status, 422);
}

#[actix_web::test]
async fn an_admin_takes_a_second_factor_away_and_reminds_those_without() {
    let server = Server::new();
    server.user("ana", Role::Admin);
    let mei = server.user("mei", Role::Editor);
    server.signed_in("mei").await.set_up_app().await;
    let mut ana = server.signed_in("ana").await;
    let page = ana.get("/admin/two-factor").await.body;
    assert!(page.contains("50 %"), "{page}");
    let path = format!("/admin/users/{}/reset-two-factor", mei.uuid);
    assert_eq!(ana.post(&path, &[]).await.status, 303);
    assert!(server.signed_in("mei").await.is_in().await);
    assert_eq!(ana.post("/admin/two-factor/remind", &[]).await.status, 303);
    assert!(server.mail_to("mei@shop.example").unwrap().contains("/account#tfa"));
}

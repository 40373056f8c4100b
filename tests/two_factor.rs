//! The second factor: codes work once, whoever asks and however fast.

use std::sync::{Arc, Barrier};

use featured::admin::sign_in::Visitor;
use featured::admin::two_factor::{self, Step};
use featured::app::Actor;
use featured::engine::permission::Role;
use featured::live::credentials::hash;
use featured::store;

use crate::browser::{Browser, PASSWORD, Server, now};

async fn code(browser: &mut Browser, code: &str) -> (u16, String) {
    let reply = browser.post("/signin/code", &[("code", code), ("next", "/account")]).await;
    (reply.status.as_u16(), reply.body)
}

/// A code of the app that was not used yet: the step before the last use stands in the way.
fn fresh(totp: &totp_rs::Totp) -> String {
    totp.generate(now() + 30).to_string()
}

#[actix_web::test]
async fn an_app_is_set_up_with_its_first_code_and_asked_for_from_then_on() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let mut browser = server.signed_in("ana").await;
    let (totp, codes) = browser.set_up_app().await;
    assert_eq!(codes.len(), 8);
    assert!(codes.iter().all(|code| code.len() == 19 && code.split('-').count() == 4));
    let page = browser.get("/account").await.body;
    assert!(page.contains("On, with an app") && page.contains("8 backup codes left"));
    assert!(!page.contains(&codes[0]) && !page.contains("id=\"secret\""), "shown once");

    let mut other = server.signed_in("ana").await;
    assert!(!other.is_in().await, "the password alone is not enough");
    assert_eq!(code(&mut other, "000000").await.0, 422);
    assert_eq!(code(&mut other, &fresh(&totp)).await.0, 303);
    assert!(other.is_in().await);
}

#[actix_web::test]
async fn the_seed_and_the_codes_stand_nowhere_readable() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let mut browser = server.signed_in("ana").await;
    let (totp, codes) = browser.set_up_app().await;
    server.app.store.checkpoint().unwrap();
    let file = std::fs::read(server.folder.path().join("flags.db")).unwrap();
    let has = |needle: &[u8]| file.windows(needle.len()).any(|window| window == needle);
    assert!(has(b"ana@shop.example"), "the test looks at the right file");
    assert!(!has(totp.secret().as_bytes()));
    assert!(!has(totp.secret().to_base32().as_bytes()));
    assert!(codes.iter().all(|code| !has(code.as_bytes())));
}

#[actix_web::test]
async fn a_code_of_the_app_works_once() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let mut browser = server.signed_in("ana").await;
    let (totp, _) = browser.set_up_app().await;
    let used = totp.generate(now()).to_string();
    let mut second = server.signed_in("ana").await;
    assert_eq!(code(&mut second, &used).await.0, 422, "it turned the app on already");
    let next = fresh(&totp);
    assert_eq!(code(&mut second, &next).await.0, 303);
    let mut third = server.signed_in("ana").await;
    assert_eq!(code(&mut third, &next).await.0, 422);
    assert_eq!(code(&mut third, &used).await.0, 422, "an older step neither");
    assert_eq!(code(&mut third, &totp.generate(now() - 90).to_string()).await.0, 422, "too old");
    assert_eq!(code(&mut third, &totp.generate(now() + 90).to_string()).await.0, 422, "too early");
}

/// Many at once with the same code: exactly one gets in.
fn race(server: &Server, code: &str, racers: usize) -> usize {
    let app = &server.app;
    let user = app.read(|conn| store::users::find(conn, "ana")).unwrap();
    let barrier = Arc::new(Barrier::new(racers));
    let threads: Vec<_> = (0..racers)
        .map(|at| {
            let (app, barrier, code) = (app.clone(), barrier.clone(), code.to_owned());
            let cookie = format!("cookie {code} {at}");
            let visitor = Visitor { address: "192.0.2.9", user_agent: "" };
            let writer = app.store.writer();
            store::sessions::insert(&writer, user.id, &hash(&cookie), false, visitor.address, "", app.now())
                .unwrap();
            drop(writer);
            let session =
                app.read(|conn| store::sessions::find(conn, &hash(&cookie), app.now())).unwrap().unwrap();
            std::thread::spawn(move || {
                let visitor = Visitor { address: "192.0.2.9", user_agent: "" };
                barrier.wait();
                two_factor::second_step(&app, &Actor::system("test"), &session, &code, false, &visitor)
                    .unwrap()
            })
        })
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .filter(|step| matches!(step, Step::In { .. }))
        .count()
}

#[actix_web::test]
async fn of_requests_that_race_with_one_code_one_gets_in() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let (totp, codes) = server.signed_in("ana").await.set_up_app().await;
    assert_eq!(race(&server, &fresh(&totp), 8), 1, "app");
    server.sql("DELETE FROM sign_in_failures");
    assert_eq!(race(&server, &codes[0], 8), 1, "backup code");
    server.sql("DELETE FROM sign_in_failures");
    let user = server.app.read(|conn| store::users::find(conn, "ana")).unwrap();
    assert!(two_factor::mail_code(&server.app, &user).unwrap());
    assert_eq!(race(&server, &server.mailed_code("ana@shop.example"), 8), 1, "e-mail");
}

#[actix_web::test]
async fn the_step_is_taken_by_one_also_between_processes() {
    // Two connections as two processes have them: the statement alone decides.
    let server = Server::new();
    let ana = server.user("ana", Role::Editor);
    let other = rusqlite::Connection::open(&server.app.config.db).unwrap();
    let first = store::two_factor::use_step(&server.app.store.writer(), ana.id, 7).unwrap();
    let second = store::two_factor::use_step(&other, ana.id, 7).unwrap();
    assert_eq!((first, second), (true, false));
    assert!(!store::two_factor::use_step(&other, ana.id, 6).unwrap());
    assert!(store::two_factor::use_step(&other, ana.id, 8).unwrap());
}

#[actix_web::test]
async fn a_backup_code_works_once_and_new_ones_end_the_old() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let mut browser = server.signed_in("ana").await;
    let (_, codes) = browser.set_up_app().await;
    let mut second = server.signed_in("ana").await;
    assert_eq!(
        code(&mut second, &codes[0].to_uppercase().replace('-', " ")).await.0,
        303,
        "as people type it"
    );
    let mut third = server.signed_in("ana").await;
    assert_eq!(code(&mut third, &codes[0]).await.0, 422);
    let page = browser.get("/account").await.body;
    assert!(page.contains("7 backup codes left"));
    let reply = browser.follow("/account/two-factor/codes", &[]).await;
    let anew = crate::browser::backup_codes(&reply.body);
    assert_eq!(anew.len(), 8);
    assert_eq!(code(&mut third, &codes[1]).await.0, 422);
    assert_eq!(code(&mut third, &anew[1]).await.0, 303);
}

/// Codes by e-mail, turned on.
async fn by_mail(server: &Server) {
    let mut browser = server.signed_in("ana").await;
    browser.get("/account").await;
    browser.post("/account/two-factor/email", &[]).await;
    let mailed = server.mailed_code("ana@shop.example");
    let reply = browser.follow("/account/two-factor/confirm", &[("by", "email"), ("code", &mailed)]).await;
    assert_eq!(crate::browser::backup_codes(&reply.body).len(), 8);
    server.sql("DELETE FROM email_codes; DELETE FROM mails");
}

#[actix_web::test]
async fn a_code_by_e_mail_is_sent_with_the_password_and_works_once() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    by_mail(&server).await;
    let mut browser = server.signed_in("ana").await;
    let mailed = server.mailed_code("ana@shop.example");
    let stored = server.number("SELECT length(hash) FROM email_codes");
    assert_eq!(stored, 32, "a digest, not the six digits");
    assert_eq!(code(&mut browser, &mailed).await.0, 303);
    let mut second = server.signed_in("ana").await;
    assert_eq!(code(&mut second, &mailed).await.0, 422);
    assert_eq!(server.number("SELECT count(*) FROM mails"), 2, "who got in gets a new one at once");
    assert!(second.post("/signin/code/mail", &[]).await.location.ends_with("&wait=1"));
    server.signed_in("ana").await;
    assert_eq!(server.number("SELECT count(*) FROM mails"), 2, "else one a minute");
}

#[actix_web::test]
async fn a_code_by_e_mail_ends_after_ten_minutes_and_after_five_tries() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    by_mail(&server).await;
    let mut browser = server.signed_in("ana").await;
    let mailed = server.mailed_code("ana@shop.example");
    let left = server.number("SELECT expires_at FROM email_codes") - server.app.now();
    assert!((540_000..=600_000).contains(&left), "{left}");
    server.sql("UPDATE email_codes SET expires_at = expires_at - 600000");
    assert_eq!(code(&mut browser, &mailed).await.0, 422, "expired");

    browser.post("/signin/code/mail", &[]).await;
    let mailed = server.mailed_code("ana@shop.example");
    let wrong = if mailed == "000000" { "000001" } else { "000000" };
    server.sql("DELETE FROM sign_in_failures");
    let (_, body) = code(&mut browser, wrong).await;
    assert!(body.contains("4 tries left"), "{body}");
    for _ in 0..4 {
        assert_eq!(code(&mut browser, wrong).await.0, 422);
    }
    server.sql("DELETE FROM sign_in_failures");
    assert_eq!(code(&mut browser, &mailed).await.0, 422, "the right one, but the sixth");
}

#[actix_web::test]
async fn a_trusted_device_skips_the_code_until_it_is_forgotten() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    server.user("mei", Role::Editor);
    let (totp, _) = server.signed_in("ana").await.set_up_app().await;
    let mut browser = server.signed_in("ana").await;
    let reply = browser.post("/signin/code", &[("code", &fresh(&totp)), ("trust", "on")]).await;
    assert_eq!(reply.status, 303);
    assert!(browser.cookies.contains_key("featured_device"));
    browser.cookies.remove("featured_session");
    browser.sign_in("ana", PASSWORD).await;
    assert!(browser.is_in().await, "no code was asked for");
    let page = browser.get("/account").await.body;
    let path = crate::browser::between(&page, "action=\"/account/devices/", "\"");
    let path = format!("/account/devices/{path}");

    let mut foreign = server.signed_in("mei").await;
    foreign.get("/account").await;
    assert_eq!(foreign.post(&path, &[]).await.status, 404, "not hers");
    assert_eq!(browser.post(&path, &[]).await.status, 303);
    browser.cookies.remove("featured_session");
    browser.sign_in("ana", PASSWORD).await;
    assert!(!browser.is_in().await);

    // Trust ends after 30 days.
    server.sql("DELETE FROM totp_steps; DELETE FROM sign_in_failures");
    browser.post("/signin/code", &[("code", &fresh(&totp)), ("trust", "on")]).await;
    let left = server.number("SELECT expires_at FROM trusted_devices") - server.app.now();
    let day = 86_400_000;
    assert!((30 * day - 60_000..=30 * day).contains(&left), "{left}");
    server.sql("UPDATE trusted_devices SET expires_at = created_at");
    browser.cookies.remove("featured_session");
    browser.sign_in("ana", PASSWORD).await;
    assert!(!browser.is_in().await);
}

#[actix_web::test]
async fn guessing_codes_is_slow_also_after_the_password_again_and_a_restart() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let (totp, _) = server.signed_in("ana").await.set_up_app().await;
    let mut browser = server.signed_in("ana").await;
    for _ in 0..6 {
        assert_eq!(code(&mut browser, "000000").await.0, 422);
    }
    // A slow machine must not outlast the first pause of 5 s.
    server.sql("UPDATE sign_in_failures SET blocked_to = blocked_to + 600000 WHERE blocked_to > 0");
    let (_, body) = code(&mut browser, &fresh(&totp)).await;
    assert!(body.contains("Too many tries"), "{body}");
    // Neither the password again, nor another address, nor a restart buys tries.
    let server = server.restart();
    let mut browser = server.browser();
    browser.address = "198.51.100.7".into();
    browser.sign_in("ana", PASSWORD).await;
    let (_, body) = code(&mut browser, &fresh(&totp)).await;
    assert!(body.contains("Too many tries"), "{body}");
    server.sql("UPDATE sign_in_failures SET blocked_to = 0");
    assert_eq!(code(&mut browser, &fresh(&totp)).await.0, 303);
    assert_eq!(server.number("SELECT count(*) FROM sign_in_failures WHERE subject LIKE 'user:code:%'"), 0);
}

#[actix_web::test]
async fn the_second_step_must_follow_the_password_within_a_quarter_of_an_hour() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let (totp, _) = server.signed_in("ana").await.set_up_app().await;
    let mut browser = server.signed_in("ana").await;
    server.sql("UPDATE sessions SET created_at = created_at - 16 * 60000 WHERE NOT confirmed");
    let (status, body) = code(&mut browser, &fresh(&totp)).await;
    assert_eq!(status, 200);
    assert!(body.contains("That took a while"));
    assert!(!browser.is_in().await);
}

#[actix_web::test]
async fn turning_it_off_asks_for_the_password() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let mut browser = server.signed_in("ana").await;
    browser.set_up_app().await;
    let reply = browser.post("/account/two-factor/off", &[("off-password", "guessed wrong")]).await;
    assert_eq!(reply.status, 422);
    assert!(reply.body.contains("is not your password") && !reply.body.contains("guessed wrong"));
    assert_eq!(server.number("SELECT failures FROM sign_in_failures WHERE subject = 'user:ana'"), 1);
    assert_eq!(browser.post("/account/two-factor/off", &[("off-password", PASSWORD)]).await.status, 303);
    assert!(server.signed_in("ana").await.is_in().await);
    assert_eq!(server.number("SELECT count(*) FROM backup_codes"), 0);
}

#[actix_web::test]
async fn admins_are_led_to_set_it_up_after_seven_days_and_others_when_it_is_enforced() {
    let server = Server::new();
    server.user("ana", Role::Admin);
    server.user("mei", Role::Viewer);
    let mut ana = server.signed_in("ana").await;
    assert_eq!(ana.get("/").await.status, 200, "days of grace");
    server.sql("UPDATE users SET created_at = created_at - 7 * 86400000 - 1000");
    let reply = ana.get("/admin/users").await;
    assert_eq!((reply.status.as_u16(), reply.location.as_str()), (303, "/account?must=two-factor#tfa"));
    assert!(ana.get("/account?must=two-factor").await.body.contains("comes first"));
    ana.set_up_app().await;
    assert_eq!(ana.get("/admin/users").await.status, 200);

    let mut mei = server.signed_in("mei").await;
    assert_eq!(mei.get("/").await.status, 200);
    ana.get("/admin/two-factor").await;
    assert_eq!(ana.post("/admin/two-factor/enforce", &[("role", "viewer")]).await.status, 303);
    // A form from before that is a second tab's: both versions are shown.
    let stale = ana.post("/admin/two-factor/enforce", &[("role", "editor")]).await;
    assert_eq!(stale.status, 422);
    assert!(stale.body.contains("Nothing was saved"), "{}", stale.body);
    assert_eq!(mei.get("/").await.location, "/account?must=two-factor#tfa");
    assert_eq!(mei.post("/signout", &[]).await.location, "/signin");
}

#[actix_web::test]
async fn the_qr_code_reads_back_as_the_secret_beside_it() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let mut browser = server.signed_in("ana").await;
    browser.get("/account").await;
    browser.post("/account/two-factor/app", &[]).await;
    let page = browser.get("/account").await.body;
    let secret = crate::browser::between(&page, "id=\"secret\">", "<").replace(' ', "");
    let svg = crate::browser::between(&page, "<svg class=\"qr\"", "</svg>");
    assert!(svg.contains("fill=\"#fff\""), "white paper also in the dark");
    let size: usize = crate::browser::between(svg, "width=\"", "\"").parse().unwrap();
    let mut dark = vec![vec![false; size]; size];
    for run in crate::browser::between(svg, " d=\"", "\"").split('M').skip(1) {
        let (x, rest) = run.split_once(' ').unwrap();
        let (y, rest) = rest.split_once('h').unwrap();
        let (length, _) = rest.split_once('v').unwrap();
        let [x, y, length] = [x, y, length].map(|number| number.parse::<usize>().unwrap());
        dark[y + 4][x + 4..x + 4 + length].fill(true);
    }
    const SCALE: usize = 6;
    let mut image = rqrr::PreparedImage::prepare_from_greyscale(size * SCALE, size * SCALE, |x, y| {
        if dark[y / SCALE][x / SCALE] { 0 } else { 255 }
    });
    let grids = image.detect_grids();
    let (_, text) = grids[0].decode().unwrap();
    assert!(text.starts_with("otpauth://totp/featured:ana?"), "{text}");
    assert!(text.contains(&format!("secret={secret}")) && text.contains("issuer=featured"), "{text}");
}

#[actix_web::test]
async fn a_database_without_its_key_serves_and_says_what_is_lost() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    let (totp, codes) = server.signed_in("ana").await.set_up_app().await;
    assert_eq!(server.app.read(|conn| two_factor::count_lost(&server.app, conn)).unwrap(), 0);
    std::fs::remove_file(server.folder.path().join("flags.db.key")).unwrap();
    let server = server.restart();
    assert_eq!(server.app.read(|conn| two_factor::count_lost(&server.app, conn)).unwrap(), 1);
    let ready = server.browser().get("/readyz").await;
    assert_eq!(ready.status, 200);
    assert!(ready.body.contains("1 sealed secrets cannot be opened"), "{}", ready.body);

    let mut browser = server.signed_in("ana").await;
    assert_eq!(code(&mut browser, &fresh(&totp)).await.0, 422);
    assert_eq!(code(&mut browser, &codes[0]).await.0, 303, "a backup code is no seed");
    let page = browser.get("/").await.body;
    assert!(page.contains("1 sealed secret") && page.contains("Something needs a look"), "{page}");
    let page = browser.get("/account").await.body;
    assert!(page.contains("lost the secret of your app"));
    browser.post("/account/two-factor/off", &[("off-password", PASSWORD)]).await;
    assert!(server.browser().get("/readyz").await.body.contains("\"secrets\":\"ok\""));
    assert!(!browser.get("/").await.body.contains("cannot be opened"));
    server.sql("DELETE FROM totp_steps");
    browser.set_up_app().await;
    assert!(server.folder.path().join("flags.db.key").exists(), "a new key");
}

#[actix_web::test]
async fn a_session_that_ended_meanwhile_is_not_confirmed_and_neither_is_the_next() {
    let server = Server::new();
    server.user("ana", Role::Editor);
    server.user("bo", Role::Admin);
    let (totp, _) = server.signed_in("ana").await.set_up_app().await;
    server.signed_in("bo").await.set_up_app().await;
    let pending = server.signed_in("ana").await;
    let cookie = hash(&pending.cookies[featured::auth::browser::COOKIE]);
    let app = &server.app;
    let session = app.read(|conn| store::sessions::find(conn, &cookie, app.now())).unwrap().unwrap();
    // Ended while the code is on its way.
    store::sessions::delete(&app.store.writer(), session.id).unwrap();
    let mut next = server.signed_in("bo").await;
    let visitor = Visitor { address: "192.0.2.9", user_agent: "" };
    let actor = Actor::system("test");
    let step = two_factor::second_step(app, &actor, &session, &fresh(&totp), false, &visitor).unwrap();
    assert!(matches!(step, Step::Expired));
    assert!(!next.is_in().await);
}

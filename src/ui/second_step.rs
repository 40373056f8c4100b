//! `/signin/code`: the second step of signing in.

use actix_web::http::StatusCode;
use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::form::{Typed, error, summary};
use super::door::{Caller, DEVICE, block, query, safe_next};
use super::edit::PendingEdit;
use super::failure::{Failure, see_other};
use super::layout::{door_head, door_response};
use crate::admin::two_factor::{self, Step};
use crate::app::App;
use crate::auth::browser::{Pending, Signed, cookie};
use crate::engine::decode::FieldError;
use crate::error::Error;
use crate::store;

/// Where a person who is in, or needs no second step, goes on.
fn way_on(signed: &Signed, next: &str) -> Option<HttpResponse> {
    if signed.session.confirmed {
        return Some(see_other(safe_next(next)));
    }
    // Taken away meanwhile: the password is enough again.
    (signed.session.two_factor == "none").then(|| see_other("/signin"))
}

fn form(signed: &Signed, typed: &Typed, mailed: bool) -> Markup {
    let by_app = signed.session.two_factor == "totp";
    let (title, lede) = match (by_app, mailed) {
        (true, false) => (
            "Enter the code from your app",
            "Six digits. A code works once; the next one comes within 30 seconds.",
        ),
        (_, true) => ("Enter the code from the e-mail", "Six digits. It works once, for 10 minutes."),
        (false, false) => ("Enter a code", "Have one sent by e-mail, or use a backup code."),
    };
    let wrong = typed.error("code").is_some();
    let next = typed.get("next");
    html! {
        form method="post" action="/signin/code" .stack {
            input type="hidden" name="csrf" value=(signed.csrf.0);
            input type="hidden" name="next" value=(next);
            (door_head(title, Some(lede)))
            (summary(typed, &["code"]))
            @if !typed.get("wait").is_empty() {
                p.s role="status" { "A code was sent less than a minute ago. Give it a moment before you ask for another." }
            }
            div.field {
                label for="code" { "Code" }
                input.code6 #code name="code" inputmode="text" autocomplete="one-time-code" autocapitalize="off" spellcheck="false"
                    maxlength="24" required autofocus aria-invalid=[wrong.then_some("true")]
                    aria-describedby=(if wrong { "code-error code-hint" } else { "code-hint" });
                (error("code", typed))
                span.hint #code-hint { "A backup code such as " code { "3f9a-07c2-b81e-44d0" } " fits here too." }
            }
            label.check { input type="checkbox" name="trust" value="on" checked[typed.is_on("trust")]; " Trust this device for 30 days" }
            button.btn.main { "Continue" }
        }
        form method="post" action="/signin/code/mail" .stack {
            input type="hidden" name="csrf" value=(signed.csrf.0);
            input type="hidden" name="next" value=(next);
            button.btn.quiet { @if mailed { "Send another code by e-mail" } @else { "Send a code by e-mail" } }
            a.s.m2 href="/signin" { "Start over" }
        }
    }
}

fn mailed(app: &App, signed: &Signed) -> Result<bool, Error> {
    let left =
        app.read(|conn| store::two_factor::email_code_tries_left(conn, signed.session.user, app.now()))?;
    Ok(left.is_some())
}

/// `GET /signin/code`.
pub async fn show(app: Data<App>, req: HttpRequest, pending: Pending) -> Result<HttpResponse, Failure> {
    let signed = pending.0;
    let next = query(&req, "next");
    if let Some(response) = way_on(&signed, &next) {
        return Ok(response);
    }
    let typed = Typed::with(&[("next", &next), ("wait", &query(&req, "wait"))]);
    Ok(door_response(StatusCode::OK, "Second step", form(&signed, &typed, mailed(&app, &signed)?)))
}

/// `POST /signin/code`.
pub async fn post(app: Data<App>, req: HttpRequest, edit: PendingEdit) -> Result<HttpResponse, Failure> {
    let PendingEdit { signed, form: typed } = edit;
    if let Some(response) = way_on(&signed, typed.get("next")) {
        return Ok(response);
    }
    let caller = Caller::of(&req, &app);
    let (code, trust) = (typed.get("code").to_owned(), typed.is_on("trust"));
    let (server, actor, session) = (app.clone(), signed.actor(), signed.session.clone());
    let step =
        block(move || two_factor::second_step(&server, &actor, &session, &code, trust, &caller.visitor()))
            .await?;
    let message = match step {
        Step::In { device } => {
            let mut response = see_other(safe_next(typed.get("next")));
            if let Some(device) = device {
                let cookie = cookie(&app, DEVICE, device, store::two_factor::TRUST);
                response.add_cookie(&cookie).map_err(Error::internal)?;
            }
            return Ok(response);
        }
        Step::Expired => {
            let late = html! {
                div.stack {
                    (door_head("That took a while", Some("The password was given more than 15 minutes ago.")))
                    a.btn.main href="/signin" { "Begin again" }
                }
            };
            return Ok(door_response(StatusCode::OK, "That took a while", late));
        }
        Step::Refused(None) => "That code was not accepted.".to_owned(),
        Step::Refused(Some(left)) => {
            format!("That code was not accepted. The one by e-mail has {left} tries left.")
        }
        Step::Blocked(seconds) => format!("Too many tries. The next one is possible in {seconds} s."),
    };
    let problem = FieldError { field: "code".into(), message };
    let mailed = mailed(&app, &signed)?;
    let form = form(&signed, &typed.wrong(&[problem]), mailed);
    Ok(door_response(StatusCode::UNPROCESSABLE_ENTITY, "Problem: Second step", form))
}

/// `POST /signin/code/mail`: sends a code by e-mail.
pub async fn mail(app: Data<App>, edit: PendingEdit) -> Result<HttpResponse, Failure> {
    let PendingEdit { signed, form: typed } = edit;
    if let Some(response) = way_on(&signed, typed.get("next")) {
        return Ok(response);
    }
    let (server, user) = (app.clone(), signed.session.user_uuid.clone());
    let sent = block(move || two_factor::mail_code_to(&server, &user)).await?;
    let wait = if sent { "" } else { "&wait=1" };
    let next = super::url::encode(safe_next(typed.get("next")));
    Ok(see_other(&format!("/signin/code?next={next}{wait}")))
}

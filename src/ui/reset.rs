//! `/forgot` and `/reset/{link}`: a new password by mail. The answer is the same whether anybody has that name.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse, web};
use maud::{Markup, html};

use super::components::form::{Text, Typed, summary};
use super::door::{Caller, HASHES, block, block_in_turn};
use super::edit::OpenForm;
use super::failure::Failure;
use super::layout::{door_head, door_response};
use crate::admin::{sign_in, users};
use crate::app::App;
use crate::auth::extract::address;
use crate::engine::decode::FieldError;
use crate::error::Error;
use crate::live::credentials::hash;
use crate::store;
use crate::store::sessions::Purpose;

fn ask(typed: &Typed) -> Markup {
    html! {
        form method="post" action="/forgot" .stack {
            (door_head("A new password", Some("A link to choose one comes by e-mail.")))
            (summary(typed, &["username"]))
            (Text::new("username", "Username or e-mail").autocomplete("username").required().draw(typed))
            button.btn.main { "Send the link" }
            a.s.m2 href="/signin" { "Back to sign-in" }
        }
    }
}

/// `GET /forgot`.
pub async fn show_forgot() -> HttpResponse {
    door_response(StatusCode::OK, "A new password", ask(&Typed::default()))
}

/// `POST /forgot`.
pub async fn forgot(app: Data<App>, req: HttpRequest, form: OpenForm) -> Result<HttpResponse, Failure> {
    let typed = form.0;
    let caller = Caller::of(&req, &app);
    let server = app.clone();
    if let Some(seconds) = block(move || sign_in::count_mail(&server, &caller.visitor())).await? {
        let message = format!("Too many requests from here. The next one is possible in {seconds} s.");
        let problem = FieldError { field: "username".into(), message };
        let form = ask(&typed.wrong(&[problem]));
        return Ok(door_response(StatusCode::UNPROCESSABLE_ENTITY, "Problem: A new password", form));
    }
    let name: String = typed.get("username").chars().take(254).collect();
    // Not waited for: the answer takes as long for a name that nobody has.
    drop(web::block(move || {
        if let Err(error) = users::forgot(&app, &name) {
            tracing::error!(?error, "a link for a new password could not be made");
        }
    }));
    let sent = html! {
        div.stack {
            (door_head("Look into your mailbox", None))
            p { "If somebody here has that name or address, a link is on its way to them. It works once, for an hour." }
            p.hint { "Nothing comes? An administrator of this server can help, or " code { "featured user passwd" } " at its terminal." }
            a.s.m2 href="/signin" { "Back to sign-in" }
        }
    };
    Ok(door_response(StatusCode::OK, "A new password", sent))
}

fn choose(link: &str, typed: &Typed) -> Markup {
    html! {
        form method="post" action={ "/reset/" (super::url::encode(link)) } .stack {
            (door_head("Choose a password", Some("Every session of yours ends, and you sign in anew.")))
            (summary(typed, &["password"]))
            (Text::new("password", "New password").kind("password").autocomplete("new-password").required()
                .hint("8 characters or more. A few words make a good one.").draw(typed))
            button.btn.main { "Set password" }
        }
    }
}

fn gone() -> HttpResponse {
    let body = html! {
        div.stack {
            (door_head("This link does not work", None))
            p { "It was used, is too old, or a newer one was sent." }
            a.btn href="/forgot" { "Ask for another" }
        }
    };
    door_response(StatusCode::NOT_FOUND, "This link does not work", body)
}

/// `GET /reset/{link}`.
pub async fn show_reset(app: Data<App>, link: Path<String>) -> Result<HttpResponse, Failure> {
    let found = app.read(|conn| store::sessions::find_link(conn, &hash(&link), Purpose::Reset, app.now()))?;
    Ok(match found {
        Some(_) => door_response(StatusCode::OK, "Choose a password", choose(&link, &Typed::default())),
        None => gone(),
    })
}

/// `POST /reset/{link}`.
pub async fn reset(
    app: Data<App>,
    req: HttpRequest,
    link: Path<String>,
    form: OpenForm,
) -> Result<HttpResponse, Failure> {
    let typed = form.0;
    let from = address(req.head(), &app).map(|address| address.to_string());
    let (secret, password) = (link.clone(), typed.get("password").to_owned());
    match block_in_turn(&HASHES, move || users::reset_password(&app, &secret, &password, from)).await {
        Ok(()) => {
            let set = html! {
                div.stack {
                    (door_head("Your password is set", None))
                    a.btn.main href="/signin" { "Sign in" }
                }
            };
            Ok(door_response(StatusCode::OK, "Your password is set", set))
        }
        Err(Error::NotFound(_)) => Ok(gone()),
        Err(Error::Invalid(errors)) => {
            let form = choose(&link, &typed.wrong(&errors));
            Ok(door_response(StatusCode::UNPROCESSABLE_ENTITY, "Problem: Choose a password", form))
        }
        Err(other) => Err(other.into()),
    }
}

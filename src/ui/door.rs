//! The way in: first run, sign-in, sign-out.

use actix_web::http::StatusCode;
use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::form::{Text, Typed, summary};
use super::edit::{Edit, OpenForm};
use super::failure::{Failure, see_other};
use super::layout::{Toast, done, door_head, door_response};
use crate::admin::sign_in::{self, Outcome, Visitor};
use crate::admin::users;
use crate::app::App;
pub use crate::auth::browser::DEVICE;
use crate::auth::browser::{COOKIE, Pending, cookie};
use crate::auth::extract::address;
pub(super) use crate::blocking::{HASHES, block, block_in_turn};
use crate::config::FirstAdmin;
use crate::error::{Error, Result};
use crate::live::credentials::hash;
use crate::store;
use crate::store::sessions::{ABSOLUTE, Purpose};

/// What a page of ours comes from, as `Visitor` wants it.
pub struct Caller {
    address: String,
    user_agent: String,
}

impl Caller {
    pub fn of(req: &HttpRequest, app: &App) -> Self {
        let user_agent = req.headers().get("user-agent").and_then(|value| value.to_str().ok());
        Self {
            address: address(req.head(), app).map(|address| address.to_string()).unwrap_or_default(),
            user_agent: user_agent.unwrap_or_default().to_owned(),
        }
    }

    pub fn visitor(&self) -> Visitor<'_> {
        Visitor { address: &self.address, user_agent: &self.user_agent }
    }
}

/// A path of this server from a `next` parameter; the dashboard for anything else.
pub fn safe_next(next: &str) -> &str {
    if next.starts_with('/')
        && !next.starts_with("//")
        && !next.contains(|c: char| c == '\\' || c.is_control())
    {
        next
    } else {
        "/"
    }
}

pub(super) fn query(req: &HttpRequest, name: &str) -> String {
    crate::api::request::Query::of(req).get(name).unwrap_or_default().to_owned()
}

/// `GET /signin`.
pub async fn show(
    app: Data<App>,
    req: HttpRequest,
    pending: Option<Pending>,
) -> std::result::Result<HttpResponse, Failure> {
    if pending.is_some_and(|pending| pending.0.session.confirmed) {
        return Ok(see_other(safe_next(&query(&req, "next"))));
    }
    if app.read(store::users::count)? == 0 {
        return Ok(door_response(StatusCode::OK, "First run", nobody_yet()));
    }
    let typed = Typed::with(&[("next", &query(&req, "next"))]);
    Ok(door_response(StatusCode::OK, "Sign in", form(&typed)))
}

fn nobody_yet() -> Markup {
    html! {
        div.stack {
            (door_head("Nobody is here yet", None))
            p { "The first administrator is made with the setup link that the server printed when it started." }
            p.hint { "Or at the terminal: " code { "featured user add NAME --email E --role admin --password-stdin --db FILE" } }
        }
    }
}

fn form(typed: &Typed) -> Markup {
    html! {
        form method="post" action="/signin" .stack {
            (door_head("Sign in", None))
            (summary(typed, &["username", "password"]))
            input type="hidden" name="next" value=(typed.get("next"));
            (Text::new("username", "Username or e-mail").autocomplete("username").required().draw(typed))
            (Text::new("password", "Password").kind("password").autocomplete("current-password").required().draw(typed))
            button.btn.main { "Sign in" }
            p.hint { a href="/forgot" { "Forgot the password?" } " An administrator of this server can help, too." }
        }
    }
}

/// `POST /signin`.
pub async fn sign_in(
    app: Data<App>,
    req: HttpRequest,
    form_: OpenForm,
) -> std::result::Result<HttpResponse, Failure> {
    let typed = form_.0;
    let caller = Caller::of(&req, &app);
    let device = req.cookie(DEVICE).map(|cookie| cookie.value().to_owned());
    let (name, password) = (typed.get("username").to_owned(), typed.get("password").to_owned());
    let server = app.clone();
    let outcome = block_in_turn(&HASHES, move || {
        sign_in::sign_in(&server, &name, &password, &caller.visitor(), device.as_deref())
    })
    .await?;
    let refuse = |message: String| {
        let problem = crate::engine::decode::FieldError { field: "username".into(), message };
        door_response(
            StatusCode::UNPROCESSABLE_ENTITY,
            "Problem: Sign in",
            form(&typed.clone().wrong(&[problem])),
        )
    };
    match outcome {
        Outcome::Refused => Ok(refuse("Name and password do not fit together.".into())),
        Outcome::Blocked(seconds) => {
            Ok(refuse(format!("Too many tries. The next one is possible in {seconds} s.")))
        }
        Outcome::In { cookie: secret, confirmed } => {
            let next = safe_next(typed.get("next"));
            let to = if confirmed {
                next.to_owned()
            } else {
                format!("/signin/code?next={}", super::url::encode(next))
            };
            let mut response = see_other(&to);
            response.add_cookie(&cookie(&app, COOKIE, secret, ABSOLUTE)).map_err(Error::internal)?;
            Ok(response)
        }
    }
}

/// `POST /signout`.
pub async fn sign_out(app: Data<App>, edit: Edit) -> std::result::Result<HttpResponse, Failure> {
    let server = app.clone();
    let id = edit.signed.session.id;
    block(move || store::sessions::delete(&server.store.writer(), id)).await?;
    let mut response = see_other("/signin");
    let gone = cookie(&app, COOKIE, String::new(), 0);
    response.add_removal_cookie(&gone).map_err(Error::internal)?;
    Ok(response)
}

fn setup_form(secret: &str, typed: &Typed) -> Markup {
    html! {
        form method="post" action={ "/setup/" (secret) } .stack {
            (door_head("The first administrator", Some("You can make more users, and other roles, afterwards.")))
            (summary(typed, &["username", "email", "password"]))
            (Text::new("username", "Username").autocomplete("username").required().draw(typed))
            (Text::new("email", "E-mail").kind("email").autocomplete("email").required().draw(typed))
            (Text::new("password", "Password").kind("password").autocomplete("new-password").required()
                .hint("8 characters or more. A few words make a good one.").draw(typed))
            button.btn.main { "Begin" }
        }
    }
}

fn require_link(app: &App, secret: &str) -> Result<()> {
    let found =
        app.read(|conn| store::sessions::find_link(conn, &hash(secret), Purpose::Setup, app.now()))?;
    match found {
        Some(_) => Ok(()),
        None => Err(Error::NotFound("this link".into())),
    }
}

/// `GET /setup/{link}`.
pub async fn show_setup(app: Data<App>, secret: Path<String>) -> std::result::Result<HttpResponse, Failure> {
    require_link(&app, &secret)?;
    Ok(door_response(StatusCode::OK, "First run", setup_form(&secret, &Typed::default())))
}

/// `POST /setup/{link}`: makes the first admin and signs them in. The link works once.
pub async fn setup(
    app: Data<App>,
    req: HttpRequest,
    secret: Path<String>,
    form: OpenForm,
) -> std::result::Result<HttpResponse, Failure> {
    require_link(&app, &secret)?;
    let typed = form.0;
    let caller = Caller::of(&req, &app);
    let server = app.clone();
    let (link, posted) = (secret.clone(), typed.clone());
    let made = block_in_turn(&HASHES, move || {
        let first = FirstAdmin {
            username: posted.get("username").trim().to_owned(),
            email: posted.get("email").trim().to_owned(),
            password: posted.get("password").to_owned(),
        };
        let user = users::set_up(&server, &link, &first, Some(caller.address.clone()))?;
        sign_in::open_session(&server, &user, &caller.visitor(), true)
    })
    .await;
    match made {
        Ok(secret) => {
            let mut response = done("/", Toast::say("Welcome. Begin with a site."));
            response.add_cookie(&cookie(&app, COOKIE, secret, ABSOLUTE)).map_err(Error::internal)?;
            Ok(response)
        }
        Err(Error::Invalid(errors)) => {
            let form = setup_form(&secret, &typed.wrong(&errors));
            Ok(door_response(StatusCode::UNPROCESSABLE_ENTITY, "Problem: First run", form))
        }
        Err(error) => Err(error.into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_paths_of_this_server_follow() {
        for fine in ["/", "/sites/shop?q=a&b=%2F%2F", "/account#tfa"] {
            assert_eq!(safe_next(fine), fine);
        }
        // Browsers take out tabs and line breaks, and read \ as /.
        for other in
            ["", "x", "//evil.example", "/\\evil.example", "/\t/evil.example", "/\n/evil.example", "/\u{1}"]
        {
            assert_eq!(safe_next(other), "/", "{other:?}");
        }
    }
}

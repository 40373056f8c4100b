//! `/account`: one's own password, second factor, devices, sessions, tokens and looks.

mod view;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};

use super::components::form::Typed;
use super::door::{Caller, DEVICE, HASHES, block, block_in_turn};
use super::edit::Edit;
use super::failure::Failure;
use super::layout::{Page, Toast, done};
use super::once;
use crate::admin::two_factor::{self, Seed};
use crate::admin::users;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::clock::{DAY, Millis};
use crate::engine::decode::FieldError;
use crate::error::{Error, Result};
use crate::live::credentials::hash;
use crate::store;
use crate::store::gdpr::Request;
use crate::store::sessions::Session;
use crate::store::tokens::Hash;
use crate::store::two_factor::Device;
use crate::store::users::{OwnToken, User};

/// The parts of the page where new backup codes and a new token are shown, once.
const CODES: &str = "/account#tfa";
const TOKENS: &str = "/account#pat";

/// What was typed in the forms of the page, and what is shown this once.
#[derive(Default)]
struct State {
    password: Typed,
    code: Typed,
    off: Typed,
    token: Typed,
    new_codes: Vec<String>,
    new_token: Option<String>,
}

/// What the page shows.
struct Account {
    user: User,
    seed: Seed,
    /// Whether a code was mailed that can still be typed.
    mailed: bool,
    codes_left: u32,
    devices: Vec<Device>,
    this_device: Option<Hash>,
    sessions: Vec<Session>,
    tokens: Vec<OwnToken>,
    /// What was asked of their data.
    asked: Vec<Request>,
    now: Millis,
}

fn load(app: &App, req: &HttpRequest, signed: &Signed) -> Result<Account> {
    let (id, now) = (signed.session.user, app.now());
    app.read_consistent(|conn| {
        let user = store::users::by_id(conn, id)?;
        Ok(Account {
            seed: two_factor::seed(app, conn, &user)?,
            mailed: store::two_factor::email_code_tries_left(conn, id, now)?.is_some(),
            codes_left: store::two_factor::backup_codes_left(conn, id)?,
            devices: store::two_factor::devices(conn, id, now)?,
            this_device: req.cookie(DEVICE).map(|cookie| hash(cookie.value())),
            sessions: store::sessions::list(conn, id, now)?,
            tokens: store::users::own_tokens(conn, id)?,
            asked: store::gdpr::list(conn, Some(&user.uuid))?,
            user,
            now,
        })
    })
}

fn page(app: &App, req: &HttpRequest, signed: &Signed, state: &State) -> Result<HttpResponse> {
    let account = load(app, req, signed)?;
    let page = Page::new(app, req, signed, "Profile and security").narrow();
    let must = req.query_string().contains("must=two-factor");
    let main = view::main(signed, &account, state, must);
    let wrong =
        [&state.password, &state.code, &state.off, &state.token].iter().any(|typed| typed.has_errors());
    Ok(if wrong { page.refuse(main) } else { page.show(main) })
}

/// `GET /account`.
pub async fn show(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
) -> std::result::Result<HttpResponse, Failure> {
    let new_codes = once::secrets(&app, &signed, &req, CODES);
    let new_token = once::secrets(&app, &signed, &req, TOKENS).pop();
    Ok(page(&app, &req, &signed, &State { new_codes, new_token, ..State::default() })?)
}

type Answer = std::result::Result<HttpResponse, Failure>;

/// The page with the messages of a refused form; other errors as they are.
fn refuse(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    error: Error,
    state: impl FnOnce(&[FieldError]) -> State,
) -> Answer {
    match error {
        Error::Invalid(fields) => Ok(page(app, req, signed, &state(&fields))?),
        other => Err(other.into()),
    }
}

/// `POST /account/password`.
pub async fn password(app: Data<App>, req: HttpRequest, edit: Edit) -> Answer {
    let Edit { signed, form } = edit;
    let caller = Caller::of(&req, &app);
    let (server, actor, session) = (app.clone(), signed.actor(), signed.session.clone());
    let (current, new) = (form.get("current").to_owned(), form.get("password").to_owned());
    let changed = block_in_turn(&HASHES, move || {
        users::change_password(&server, &actor, &session, &current, &new, &caller.visitor())
    })
    .await;
    match changed {
        Ok(()) => {
            Ok(done("/account#pw", Toast::say("Your password is changed. Every other session has ended.")))
        }
        Err(error) => refuse(&app, &req, &signed, error, |fields| State {
            password: form.wrong(fields),
            ..State::default()
        }),
    }
}

/// `POST /account/look`.
pub async fn look(app: Data<App>, edit: Edit) -> Answer {
    let Edit { signed, form } = edit;
    let server = app.clone();
    let before = &signed.session;
    let mut undo = vec![("theme", before.theme.clone())];
    for (name, on) in [("dense", before.dense), ("keys", before.single_keys)] {
        undo.extend(on.then(|| (name, "on".to_owned())));
    }
    block(move || {
        let (dense, keys) = (form.is_on("dense"), form.is_on("keys"));
        users::set_preferences(&server, &signed.actor(), signed.session.user, form.get("theme"), dense, keys)
    })
    .await?;
    let undo: Vec<(&str, &str)> = undo.iter().map(|(name, value)| (*name, value.as_str())).collect();
    Ok(done("/account#look", Toast::say("The look of your pages is saved.").undo("/account/look", &undo)))
}

/// `POST /account/two-factor/app`: begins with an authenticator app, or begins anew.
pub async fn begin_app(app: Data<App>, edit: Edit) -> Answer {
    let (server, signed) = (app.clone(), edit.signed);
    block(move || two_factor::begin_app(&server, &signed.actor(), &signed.session.user_uuid)).await?;
    Ok(super::failure::see_other("/account#tfa"))
}

/// `POST /account/two-factor/cancel`.
pub async fn cancel_app(app: Data<App>, edit: Edit) -> Answer {
    let (server, signed) = (app.clone(), edit.signed);
    block(move || two_factor::cancel_app(&server, &signed.actor(), &signed.session.user_uuid)).await?;
    Ok(super::failure::see_other("/account#tfa"))
}

/// `POST /account/two-factor/email`: mails a first code.
pub async fn begin_email(app: Data<App>, edit: Edit) -> Answer {
    let (server, signed) = (app.clone(), edit.signed);
    let sent = block(move || {
        two_factor::cancel_app(&server, &signed.actor(), &signed.session.user_uuid)?;
        two_factor::mail_code_to(&server, &signed.session.user_uuid)
    })
    .await?;
    let text = if sent {
        "A code is on its way to you."
    } else {
        "A code was sent less than a minute ago; that one works."
    };
    Ok(done("/account#tfa", Toast::say(text)))
}

/// `POST /account/two-factor/confirm`: the first code, of the app or by e-mail. Shows the backup codes, once.
pub async fn confirm(app: Data<App>, req: HttpRequest, edit: Edit) -> Answer {
    let Edit { signed, form } = edit;
    let caller = Caller::of(&req, &app);
    let (server, actor, user) = (app.clone(), signed.actor(), signed.session.user_uuid.clone());
    let (code, by_mail) = (form.get("code").to_owned(), form.get("by") == "email");
    let confirmed = block(move || match by_mail {
        true => two_factor::confirm_email(&server, &actor, &user, &code, &caller.visitor()),
        false => two_factor::confirm_app(&server, &actor, &user, &code, &caller.visitor()),
    })
    .await;
    match confirmed {
        Ok(codes) => Ok(once::send(&app, &signed, CODES, codes)),
        Err(error) => refuse(&app, &req, &signed, error, |fields| State {
            code: form.wrong(fields),
            ..State::default()
        }),
    }
}

/// `POST /account/two-factor/codes`: new backup codes, shown once.
pub async fn remake_codes(app: Data<App>, edit: Edit) -> Answer {
    let signed = edit.signed;
    let (server, actor, user) = (app.clone(), signed.actor(), signed.session.user_uuid.clone());
    let codes = block(move || two_factor::remake_backup_codes(&server, &actor, &user)).await?;
    Ok(once::send(&app, &signed, CODES, codes))
}

/// `POST /account/two-factor/off`: asks for the password.
pub async fn turn_off(app: Data<App>, req: HttpRequest, edit: Edit) -> Answer {
    let Edit { signed, form } = edit;
    let caller = Caller::of(&req, &app);
    let (server, actor, uuid) = (app.clone(), signed.actor(), signed.session.user_uuid.clone());
    let given = form.get("off-password").to_owned();
    let off = block_in_turn(&HASHES, move || {
        let user = server.read(|conn| store::users::by_uuid(conn, &uuid))?;
        users::check_password(&server, &user, &given, "off-password", &caller.visitor())?;
        two_factor::turn_off(&server, &actor, &uuid)
    })
    .await;
    match off {
        Ok(()) => Ok(done(
            "/account#tfa",
            Toast::say("Two-factor sign-in is off. Your password alone lets you in."),
        )),
        Err(error) => {
            refuse(&app, &req, &signed, error, |fields| State { off: form.wrong(fields), ..State::default() })
        }
    }
}

/// `POST /account/devices/{device}/forget`.
pub async fn forget_device(app: Data<App>, edit: Edit, device: Path<String>) -> Answer {
    let (server, signed) = (app.clone(), edit.signed);
    block(move || two_factor::forget_device(&server, &signed.actor(), &signed.session.user_uuid, &device))
        .await?;
    Ok(done("/account#dev", Toast::say("That device is asked for a code again.")))
}

/// `POST /account/sessions/{session}/end`.
pub async fn end_session(app: Data<App>, edit: Edit, session: Path<String>) -> Answer {
    let (server, signed) = (app.clone(), edit.signed);
    block(move || users::end_session(&server, &signed.actor(), &signed.session.user_uuid, &session)).await?;
    Ok(done("/account#ses", Toast::say("That session has ended.")))
}

/// `POST /account/tokens`: makes a token, shown once.
pub async fn create_token(app: Data<App>, req: HttpRequest, edit: Edit) -> Answer {
    let Edit { signed, form } = edit;
    let (server, actor, user) = (app.clone(), signed.actor(), signed.session.user_uuid.clone());
    let description = form.get("description").to_owned();
    let days: Option<Millis> = match form.get("days") {
        "forever" => None,
        days => Some(days.parse().ok().filter(|days| (1..=3650).contains(days)).unwrap_or(90)),
    };
    let expires_at = days.map(|days| app.now() + days * DAY);
    let made = block(move || users::create_own_token(&server, &actor, &user, &description, expires_at)).await;
    match made {
        Ok((_, secret)) => Ok(once::send(&app, &signed, TOKENS, vec![secret])),
        Err(error) => refuse(&app, &req, &signed, error, |fields| State {
            token: form.wrong(fields),
            ..State::default()
        }),
    }
}

/// `POST /account/tokens/{token}/revoke`.
pub async fn revoke_token(app: Data<App>, edit: Edit, token: Path<String>) -> Answer {
    let (server, signed) = (app.clone(), edit.signed);
    block(move || users::revoke_own_token(&server, &signed.actor(), &signed.session.user_uuid, &token))
        .await?;
    Ok(done("/account#pat", Toast::say("The token is revoked. Scripts that use it get 401 from now on.")))
}

/// `POST /account/data`: asks for what is kept of oneself.
pub async fn ask_for_data(app: Data<App>, edit: Edit) -> std::result::Result<HttpResponse, Failure> {
    let asked = block(move || {
        let user = edit.signed.session.user_uuid.clone();
        crate::admin::gdpr::request_own(&app, &edit.signed.actor(), &user)
    })
    .await;
    let text = match asked {
        Ok(_) => "You get a mail when your data is collected.",
        Err(Error::Conflict(..)) => "It is being collected already.",
        Err(error) => return Err(error.into()),
    };
    Ok(done("/account#data", Toast::say(text)))
}

//! `/admin/users`: who may do what here. Addresses are not in the list, so that a screen that is shared gives
//! none away.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::require_admin;
use crate::admin::users;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::decode::FieldError;
use crate::engine::permission::Role;
use crate::error::{Error, Result};
use crate::store;
use crate::store::users::{Filter, User};
use crate::ui::components::form::{Text, Typed, select, summary};
use crate::ui::components::stale::{self, Fields};
use crate::ui::components::{ago, empty, icon};
use crate::ui::door::{HASHES, block, block_in_turn};
use crate::ui::edit::Edit;
use crate::ui::failure::Failure;
use crate::ui::layout::{Page, Toast, done, role_name};

/// Users on a page.
const SHOWN: u32 = 50;
const ROLES: [(&str, &str); 3] = [("viewer", "Viewer"), ("editor", "Editor"), ("admin", "Admin")];

type Answer = std::result::Result<HttpResponse, Failure>;

/// `GET /admin/users?q=&role=&state=&after=`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed) -> Answer {
    require_admin(&signed)?;
    let query = Query::of(&req);
    let get = |name: &str| query.get(name).unwrap_or_default();
    let filter = Filter {
        text: get("q").trim(),
        role: Role::parse(get("role")),
        active: match get("state") {
            "active" => Some(true),
            "inactive" => Some(false),
            _ => None,
        },
        after: get("after"),
        limit: SHOWN + 1,
    };
    let mut found = app.read(|conn| store::users::search(conn, &filter))?;
    let more = found.len() > SHOWN as usize;
    found.truncate(SHOWN as usize);
    let typed = Typed::with(&[("q", get("q")), ("role", get("role")), ("state", get("state"))]);
    let next = found.last().filter(|_| more).map(|last| {
        let query = url::form_urlencoded::Serializer::new(String::new())
            .extend_pairs([
                ("q", get("q")),
                ("role", get("role")),
                ("state", get("state")),
                ("after", &last.username),
            ])
            .finish();
        format!("/admin/users?{query}")
    });
    let main = html! {
        div.head {
            div { h1 { "Users" } p.lede { "People who sign in here. Those your features are for are not users." } }
            div.acts { a.btn.main href="/admin/users/new" { (icon("plus")) "New user" } }
        }
        form.filter role="search" method="get" action="/admin/users" {
            div.row.wrap {
                div.searchbox { (icon("search")) input name="q" value=(typed.get("q")) aria-label="Search users" placeholder="Name or e-mail" autocomplete="off" data-filter; }
                (choice("role", "Role", &[("", "Any role"), ROLES[0], ROLES[1], ROLES[2]], &typed))
                (choice("state", "State", &[("", "Any state"), ("active", "Active"), ("inactive", "Deactivated")], &typed))
                button.btn { "Search" }
            }
        }
        @if found.is_empty() {
            (empty("Nobody by that name", "Try part of a name or an address, or another role.", Some(html! { a.btn href="/admin/users" { "Show everybody" } })))
        } @else {
            (table(&found, app.now()))
            nav.pager aria-label="Pages" {
                @if let Some(next) = &next { a.btn href=(next) { "More" (icon("right")) } } @else { span { "That is everybody." } }
            }
        }
    };
    Ok(Page::new(&app, &req, &signed, "Users").show(main))
}

fn choice(name: &str, label: &str, choices: &[(&str, &str)], typed: &Typed) -> Markup {
    html! {
        select.auto name=(name) aria-label=(label) {
            @for (value, label) in choices { option value=(value) selected[typed.get(name) == *value] { (label) } }
        }
    }
}

fn factor_note(user: &User) -> Markup {
    html! {
        @match user.two_factor.as_str() {
            "totp" => span.note.good { (icon("check")) "App" },
            "email" => span.note.good { (icon("check")) "E-mail" },
            _ => span.note { (icon("minus")) "None" },
        }
    }
}

fn table(found: &[User], now: crate::clock::Millis) -> Markup {
    html! {
        table.tbl.go.stackable {
            caption.vh { "Users" }
            thead { tr {
                th scope="col" aria-sort="ascending" { "User" }
                th scope="col" { "Role" }
                th scope="col" { "Second factor" }
                th scope="col" { "Last sign-in" }
            } }
            tbody {
                @for user in found {
                    tr {
                        th.k1 scope="row" {
                            a.in href={ "/admin/users/" (user.uuid) } { (user.username) }
                            @if !user.active { " " span.note.warn { (icon("lock")) "Deactivated" } }
                        }
                        td { (role_name(user.role)) }
                        td { (factor_note(user)) }
                        td.m2.num { @match user.last_login_at { Some(at) => (ago(at, now)), None => "never" } }
                    }
                }
            }
        }
    }
}

fn new_form(page: &Page<'_>, typed: &Typed) -> Markup {
    html! {
        div.head { div { h1 { "New user" } p.lede { "They are welcomed by e-mail. Without a password they get a link to choose one." } } }
        form method="post" action="/admin/users" .stack {
            (page.csrf())
            (summary(typed, &["username", "email", "role", "password"]))
            (Text::new("username", "Username").required().hint("Letters, digits, dots, dashes, underscores.").draw(typed))
            (Text::new("email", "E-mail").kind("email").required().draw(typed))
            (select("role", "Role", &ROLES, typed))
            (Text::new("password", "Password").kind("password").autocomplete("new-password")
                .hint("Left empty, they choose one themselves with a link by e-mail.").draw(typed))
            div.row { button.btn.main { "Make user" } a.btn.quiet href="/admin/users" { "Cancel" } }
        }
    }
}

/// `GET /admin/users/new`.
pub async fn show_new(app: Data<App>, req: HttpRequest, signed: Signed) -> Answer {
    require_admin(&signed)?;
    let page = Page::new(&app, &req, &signed, "New user").narrow();
    let main = new_form(&page, &Typed::with(&[("role", "editor")]));
    Ok(page.show(main))
}

fn role(typed: &Typed) -> Result<Role> {
    Role::parse(typed.get("role")).ok_or_else(|| Error::invalid("role", "must be viewer, editor or admin"))
}

/// What a form shows for an error it can show: of fields, or a conflict as a whole.
fn form_errors(error: Error) -> std::result::Result<Vec<FieldError>, Failure> {
    match error {
        Error::Invalid(fields) => Ok(fields),
        Error::Conflict("user_taken", message, _) => {
            Ok(vec![FieldError { field: "username".into(), message }])
        }
        Error::Conflict(_, message, _) => Ok(vec![FieldError { field: String::new(), message }]),
        other => Err(other.into()),
    }
}

/// `POST /admin/users`.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit) -> Answer {
    let Edit { signed, form } = edit;
    require_admin(&signed)?;
    let (server, actor, typed) = (app.clone(), signed.actor(), form.clone());
    let made = block_in_turn(&HASHES, move || {
        let (name, email) = (typed.get("username").trim(), typed.get("email").trim());
        users::invite(&server, &actor, name, email, role(&typed)?, typed.get("password"))
    })
    .await;
    match made {
        Ok(user) => {
            let text = format!("{} is a user now; a welcome is on its way.", user.username);
            Ok(done(&format!("/admin/users/{}", user.uuid), Toast::say(text)))
        }
        Err(error) => {
            let typed = form.wrong(&form_errors(error)?);
            let page = Page::new(&app, &req, &signed, "New user").narrow();
            let main = new_form(&page, &typed);
            Ok(page.refuse(main))
        }
    }
}

/// What the page of one user shows besides them.
struct Surroundings {
    user: User,
    owned: Vec<String>,
    codes_left: u32,
}

fn load(app: &App, id: &str) -> Result<Surroundings> {
    app.read_consistent(|conn| {
        let user = store::users::by_uuid(conn, id)?;
        Ok(Surroundings {
            owned: store::users::owned_sites(conn, user.id)?,
            codes_left: store::two_factor::backup_codes_left(conn, user.id)?,
            user,
        })
    })
}

const SETTINGS: Fields = &[("username", "Username"), ("email", "E-mail"), ("role", "Role")];

fn as_typed(user: &User) -> Typed {
    Typed::with(&[("username", &user.username), ("email", &user.email), ("role", user.role.as_str())])
}

fn user_page(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    id: &str,
    typed: Option<Typed>,
) -> Result<HttpResponse> {
    let around = load(app, id)?;
    let page = Page::new(app, req, signed, &around.user.username).narrow();
    let wrong = typed.is_some();
    let typed = typed.unwrap_or_else(|| as_typed(&around.user));
    let main = user_view(&page, &around, &typed, app.now());
    Ok(if wrong { page.refuse(main) } else { page.show(main) })
}

fn user_view(page: &Page<'_>, around: &Surroundings, typed: &Typed, now: crate::clock::Millis) -> Markup {
    let user = &around.user;
    let action = |word: &str| format!("/admin/users/{}/{word}", user.uuid);
    let own = page.signed.session.user == user.id;
    html! {
        div.head { div {
            h1 { (user.username) }
            p.lede {
                (role_name(user.role)) ", since " (ago(user.created_at, now))
                @if let Some(at) = user.last_login_at { ", last signed in " (ago(at, now)) } @else { ", never signed in" }
                @if !user.active { " " span.note.warn { (icon("lock")) "Deactivated" } }
            }
        } }
        @let stored = as_typed(user);
        @if typed.is_on("stale") { (stale::both(typed, &stored, SETTINGS, &format!("/admin/users/{}", user.uuid))) }
        (summary(typed, &["username", "email", "role", "confirm"]))
        div.stack.l {
            section.psec aria-labelledby="who-title" {
                header { h2 #who-title { "Account" } }
                form method="post" action={ "/admin/users/" (user.uuid) } .stack {
                    (page.csrf()) (stale::seen(&stored, SETTINGS))
                    (Text::new("username", "Username").required().draw(typed))
                    (Text::new("email", "E-mail").kind("email").required().draw(typed))
                    (select("role", "Role", &ROLES, typed))
                    div { button.btn.main { "Save" } }
                }
            }
            section.psec aria-labelledby="factor-title" {
                header { h2 #factor-title { "Second factor" } }
                div.stack {
                    p { (factor_note(user)) @if user.two_factor != "none" { " " span.m3 { (around.codes_left) " backup codes left" } } }
                    @if user.two_factor != "none" {
                        form method="post" action=(action("reset-two-factor")) {
                            (page.csrf())
                            button.btn.danger { "Take it away" }
                        }
                        p.hint { "For who lost phone and backup codes: the password alone lets them in afterwards. Make sure it is them who asks." }
                    }
                }
            }
            section.psec aria-labelledby="end-title" {
                header { h2 #end-title { "Access" } }
                div.stack {
                    @if own {
                        p.m2 { "This is your own account; another administrator can deactivate or delete it." }
                    } @else {
                        form method="post" action=(action(if user.active { "deactivate" } else { "activate" })) {
                            (page.csrf())
                            button.btn { @if user.active { "Deactivate" } @else { "Let them in again" } }
                        }
                        @if user.active { p.hint { "Their sessions end and their tokens stop working at once. What they made stays." } }
                        @if around.owned.is_empty() {
                            form method="post" action=(action("delete")) .stack {
                                (page.csrf())
                                (Text::new("confirm", "Type the username to delete").draw(typed))
                                div { button.btn.danger { "Delete user" } }
                            }
                        } @else {
                            p.m2 { "Owns " (around.owned.join(", ")) ". Hand over first to delete." }
                        }
                    }
                }
            }
        }
    }
}

/// `GET /admin/users/{user}`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed, id: Path<String>) -> Answer {
    require_admin(&signed)?;
    Ok(user_page(&app, &req, &signed, &id, None)?)
}

/// `POST /admin/users/{user}`.
pub async fn update(app: Data<App>, req: HttpRequest, edit: Edit, id: Path<String>) -> Answer {
    let Edit { signed, form } = edit;
    require_admin(&signed)?;
    let before = as_typed(&app.read(|conn| store::users::by_uuid(conn, &id))?);
    if stale::is_stale(&form, &before, SETTINGS) {
        return Ok(user_page(&app, &req, &signed, &id, Some(form.set("stale", "on")))?);
    }
    let (server, actor, typed, user) = (app.clone(), signed.actor(), form.clone(), id.clone());
    let updated = block(move || {
        let (name, email) = (typed.get("username").trim(), typed.get("email").trim());
        users::update(&server, &actor, &user, name, email, role(&typed)?)
    })
    .await;
    match updated {
        Ok(user) => {
            let here = format!("/admin/users/{id}");
            let toast = Toast::say(format!("{} is saved.", user.username));
            Ok(done(&here, stale::undo(toast, &here, &before, &as_typed(&user), SETTINGS)))
        }
        Err(error) => Ok(user_page(&app, &req, &signed, &id, Some(form.wrong(&form_errors(error)?)))?),
    }
}

/// The page again with a conflict on top; other errors as they are.
fn refuse(app: &App, req: &HttpRequest, signed: &Signed, id: &str, error: Error) -> Answer {
    let errors = form_errors(error)?;
    let user = app.read(|conn| store::users::by_uuid(conn, id))?;
    Ok(user_page(app, req, signed, id, Some(as_typed(&user).wrong(&errors)))?)
}

async fn set_active(app: Data<App>, req: HttpRequest, edit: Edit, id: Path<String>, active: bool) -> Answer {
    let signed = edit.signed;
    let (server, actor, user) = (app.clone(), signed.actor(), id.clone());
    match block(move || users::set_active(&server, &actor, &user, active)).await {
        Ok(user) => {
            let text = match active {
                true => format!("{} may sign in again.", user.username),
                false => format!("{} is deactivated and signed out.", user.username),
            };
            let back = if active { "deactivate" } else { "activate" };
            let here = format!("/admin/users/{id}");
            Ok(done(&here, Toast::say(text).undo(format!("{here}/{back}"), &[])))
        }
        Err(error) => refuse(&app, &req, &signed, &id, error),
    }
}

/// `POST /admin/users/{user}/activate`.
pub async fn activate(app: Data<App>, req: HttpRequest, edit: Edit, id: Path<String>) -> Answer {
    set_active(app, req, edit, id, true).await
}

/// `POST /admin/users/{user}/deactivate`.
pub async fn deactivate(app: Data<App>, req: HttpRequest, edit: Edit, id: Path<String>) -> Answer {
    set_active(app, req, edit, id, false).await
}

/// `POST /admin/users/{user}/reset-two-factor`.
pub async fn reset_two_factor(app: Data<App>, edit: Edit, id: Path<String>) -> Answer {
    let user = id.clone();
    block(move || users::reset_two_factor_of(&app, &edit.signed.actor(), &user)).await?;
    Ok(done(
        &format!("/admin/users/{id}"),
        Toast::say("The second factor is gone; the password alone lets them in."),
    ))
}

/// `POST /admin/users/{user}/delete`, with the name typed.
pub async fn delete(app: Data<App>, req: HttpRequest, edit: Edit, id: Path<String>) -> Answer {
    let Edit { signed, form } = edit;
    require_admin(&signed)?;
    let user = app.read(|conn| store::users::by_uuid(conn, &id))?;
    if form.get("confirm").trim() != user.username {
        let error = FieldError { field: "confirm".into(), message: format!("must be {}", user.username) };
        let typed = as_typed(&user).set("confirm", form.get("confirm")).wrong(&[error]);
        return Ok(user_page(&app, &req, &signed, &id, Some(typed))?);
    }
    let (server, actor, uuid) = (app.clone(), signed.actor(), id.clone());
    match block(move || users::delete(&server, &actor, &uuid)).await {
        Ok(user) => Ok(done("/admin/users", Toast::say(format!("{} is deleted.", user.username)))),
        Err(error) => refuse(&app, &req, &signed, &id, error),
    }
}

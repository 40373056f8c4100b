//! `/admin/two-factor`: who has a second factor, who must, and a word to those who have none.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::require_admin;
use crate::admin;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::Role;
use crate::store;
use crate::store::two_factor::Adoption;
use crate::store::users::User;
use crate::ui::components::form::Typed;
use crate::ui::components::stale::{self, Fields};
use crate::ui::components::{count, icon, thin};
use crate::ui::door::block;
use crate::ui::edit::Edit;
use crate::ui::failure::Failure;
use crate::ui::layout::{Page, Toast, done, role_name};

const ROLES: [Role; 3] = [Role::Admin, Role::Editor, Role::Viewer];

const SETTINGS: Fields = &[("role", "A must for")];

fn stored(app: &App) -> Typed {
    let roles = store::settings::enforced_roles(app);
    Typed::posted(roles.iter().map(|role| ("role".to_owned(), role.as_str().to_owned())).collect())
}

struct Figures {
    roles: Vec<(Role, Adoption)>,
    without: Vec<User>,
}

fn load(app: &App) -> crate::error::Result<Figures> {
    app.read_consistent(|conn| {
        let mut roles = Vec::new();
        for role in ROLES {
            roles.push((role, store::two_factor::adoption(conn, role.as_str())?));
        }
        let mut without = store::users::list(conn)?;
        without.retain(|user| user.active && user.two_factor == "none");
        Ok(Figures { roles, without })
    })
}

/// `GET /admin/two-factor`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    require_admin(&signed)?;
    draw(&app, &req, &signed, None)
}

/// The page; `typed` is what was not saved, since somebody else saved meanwhile.
fn draw(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    typed: Option<&Typed>,
) -> Result<HttpResponse, Failure> {
    let figures = load(app)?;
    let stored = stored(app);
    let chosen = typed.unwrap_or(&stored);
    let page = Page::new(app, req, signed, "Two-factor sign-in");
    let sum = |part: fn(&Adoption) -> u32| figures.roles.iter().map(|(_, of)| part(of)).sum::<u32>() as usize;
    let (users, apps, mails) = (sum(|of| of.users), sum(|of| of.totp), sum(|of| of.email));
    let share = ((apps + mails) * 100).checked_div(users).unwrap_or(0);
    let main = html! {
        div.head { div {
            h1 { "Two-factor sign-in" }
            p.lede { "Administrators must have a second factor 7 days after their account was made. Other roles when you say so." }
        } }
        div.stack.l {
            div.figures {
                div { b { (share) " %" } span { "of active users have it" } }
                div { b { (thin(apps)) } span { "with an app" } }
                div { b { (thin(mails)) } span { "by e-mail" } }
                div { b { (thin(figures.without.len())) } span { "without" } }
            }
            section.psec aria-labelledby="roles-title" {
                header { h2 #roles-title { "A must for" } p.s.m2 { "Who must and has none is led to the profile before anything else, after the 7 days." } }
                form method="post" action="/admin/two-factor/enforce" .stack {
                    (page.csrf()) (stale::seen(&stored, SETTINGS))
                    @if let Some(typed) = typed { (stale::both(typed, &stored, SETTINGS, "/admin/two-factor")) }
                    @for (role, of) in &figures.roles {
                        @let is_admin = *role == Role::Admin;
                        label.check {
                            input type="checkbox" name="role" value=(role.as_str()) checked[is_admin || chosen.all("role").any(|name| name == role.as_str())] disabled[is_admin];
                            " " (role_name(*role)) "s " span.m3 { (of.totp + of.email) " of " (of.users) " have it" @if is_admin { ", always a must" } }
                        }
                    }
                    div { button.btn.main { "Save" } }
                }
            }
            section.psec aria-labelledby="without-title" {
                header { h2 #without-title { "Without" } p.s.m2 { "A reminder goes to all of them by e-mail." } }
                div.stack {
                    @if figures.without.is_empty() {
                        p { (icon("check")) " Everybody has a second factor." }
                    } @else {
                        ul.list { @for user in &figures.without {
                            li { (icon("user")) span.grow { a href={ "/admin/users/" (user.uuid) } { (user.username) } " " span.m3 { (role_name(user.role)) } } }
                        } }
                        form method="post" action="/admin/two-factor/remind" {
                            (page.csrf())
                            button.btn { (icon("mail")) "Remind " (count(figures.without.len(), "user", "users")) }
                        }
                    }
                    p.s.m2 { "Who lost phone and backup codes: take the second factor away on the page of " a href="/admin/users" { "that user" } "." }
                }
            }
        }
    };
    Ok(if typed.is_some() { page.refuse(main) } else { page.show(main) })
}

/// `POST /admin/two-factor/enforce`.
pub async fn enforce(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    require_admin(&edit.signed)?;
    let before = stored(&app);
    if stale::is_stale(&edit.form, &before, SETTINGS) {
        return draw(&app, &req, &edit.signed, Some(&edit.form));
    }
    let roles: Vec<Role> =
        edit.form.all("role").filter_map(Role::parse).filter(|role| *role != Role::Admin).collect();
    let server = app.clone();
    block(move || admin::two_factor::enforce(&server, &edit.signed.actor(), &roles)).await?;
    let toast = Toast::say("Saved. It holds from the next page each of them opens.");
    Ok(done(
        "/admin/two-factor",
        stale::undo(toast, "/admin/two-factor/enforce", &before, &stored(&app), SETTINGS),
    ))
}

/// `POST /admin/two-factor/remind`.
pub async fn remind(app: Data<App>, edit: Edit) -> Result<HttpResponse, Failure> {
    let reminded = block(move || admin::two_factor::remind(&app, &edit.signed.actor())).await?;
    let text = format!("A reminder is on its way to {}.", count(reminded, "user", "users"));
    Ok(done("/admin/two-factor", Toast::say(text)))
}

//! `/admin/outbox`: mail that waits, went out, or stays here because there is no SMTP server.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::require_admin;
use crate::admin;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::clock::Millis;
use crate::store;
use crate::store::mails::{Mail, NEVER};
use crate::ui::components::{ago, empty, icon};
use crate::ui::door::block;
use crate::ui::edit::Edit;
use crate::ui::failure::Failure;
use crate::ui::layout::{Page, Toast, done};

/// Mails on the page.
const SHOWN: u32 = 200;

/// `GET /admin/outbox`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    require_admin(&signed)?;
    let mails = app.read(|conn| store::mails::list(conn, SHOWN))?;
    let page = Page::new(&app, &req, &signed, "Outbox");
    let has_server = app.config.smtp_url.is_some();
    let main = html! {
        div.head { div {
            h1 { "Outbox" }
            p.lede {
                @if has_server { "Mail of this server: what waits, and what went out. What was sent is no longer readable here." }
                @else { "There is no mail server (" code { "--smtp-url" } "), so mail stays here. Hand its text on yourself." }
            }
        } }
        @if mails.is_empty() {
            (empty("No mail", "Welcomes, codes, links for new passwords and reminders appear here.", None))
        } @else {
            ul.list { @for mail in &mails { (row(&page, mail, has_server, app.now())) } }
        }
    };
    Ok(page.show(main))
}

fn standing(mail: &Mail, has_server: bool, now: Millis) -> Markup {
    html! {
        @if let Some(at) = mail.sent_at {
            span.note.good { (icon("check")) "Sent " (ago(at, now)) }
        } @else if mail.due_at == NEVER {
            span.note.bad { (icon("error")) "Given up" }
        } @else if mail.error.is_some() {
            span.note.warn { (icon("warn")) "Failed, tried again" }
        } @else if has_server {
            span.note { (icon("clock")) "Waits" }
        } @else {
            span.note { (icon("mail")) "Kept here" }
        }
    }
}

fn row(page: &Page<'_>, mail: &Mail, has_server: bool, now: Millis) -> Markup {
    let action = |word: &str| format!("/admin/outbox/{}/{word}", mail.uuid);
    html! {
        li {
            (icon("mail"))
            div.grow {
                b { (mail.subject) } " " span.m3 { "to " (mail.recipient) } " " (standing(mail, has_server, now))
                @if let Some(error) = &mail.error { p.s.m2.wrapany { "Try " (mail.attempts) ": " (error) } }
                @if !mail.body.is_empty() {
                    details { summary.s { "Text" } div.code { pre tabindex="0" { (mail.body) } } }
                }
            }
            (ago(mail.created_at, now))
            @if mail.sent_at.is_none() && has_server && mail.error.is_some() {
                form method="post" action=(action("retry")) { (page.csrf()) button.btn.quiet { "Try now" } }
            }
            form method="post" action=(action("delete")) { (page.csrf()) button.btn.quiet aria-label={ "Delete " (mail.subject) " to " (mail.recipient) } { "Delete" } }
        }
    }
}

/// `POST /admin/outbox/{mail}/retry`.
pub async fn retry(app: Data<App>, edit: Edit, mail: Path<String>) -> Result<HttpResponse, Failure> {
    block(move || admin::mail::retry(&app, &edit.signed.actor(), &mail)).await?;
    Ok(done("/admin/outbox", Toast::say("It is tried again now.")))
}

/// `POST /admin/outbox/{mail}/delete`.
pub async fn delete(app: Data<App>, edit: Edit, mail: Path<String>) -> Result<HttpResponse, Failure> {
    block(move || admin::mail::delete(&app, &edit.signed.actor(), &mail)).await?;
    Ok(done("/admin/outbox", Toast::say("The mail is deleted.")))
}

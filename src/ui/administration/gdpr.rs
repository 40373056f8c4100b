//! `/admin/gdpr`: what people ask under the GDPR, and what came of it.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::require_admin;
use crate::admin::gdpr as admin;
use crate::api::rest::admin::gdpr::attachment;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::clock::{self, Millis};
use crate::engine::decode::FieldError;
use crate::error::Error;
use crate::store;
use crate::store::gdpr::{Kind, Request, Status};
use crate::ui::components::ask::Question;
use crate::ui::components::form::{Text, Typed, area, select, summary};
use crate::ui::components::{ago, empty, icon};
use crate::ui::door::block;
use crate::ui::edit::Edit;
use crate::ui::failure::Failure;
use crate::ui::layout::{Page, Toast, done};

type Answer = Result<HttpResponse, Failure>;
const HERE: &str = "/admin/gdpr";

/// `GET /admin/gdpr`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Answer {
    draw(&app, &req, &signed, &Typed::with(&[("type", "access")]))
}

fn draw(app: &App, req: &HttpRequest, signed: &Signed, typed: &Typed) -> Answer {
    require_admin(signed)?;
    let requests = app.read(|conn| store::gdpr::list(conn, None))?;
    let page = Page::new(app, req, signed, "GDPR requests");
    let now = app.now();
    let main = html! {
        div.head {
            div { h1 { "GDPR requests" } p.lede { "What people ask of their data. Each is done at once; by law there are 30 days." } }
            div.acts { a.btn.main href="#new" { (icon("plus")) "New request" } }
        }
        @if requests.is_empty() {
            (empty("No requests", "Somebody who asks for their data, or to be forgotten, stands here.", None))
        } @else {
            table.tbl.stackable {
                caption.vh { "GDPR requests" }
                thead { tr {
                    th scope="col" { "Person" } th scope="col" { "Asks for" } th scope="col" { "Status" }
                    th scope="col" { "Asked" } th scope="col" { "Due" } th scope="col" { span.vh { "Actions" } }
                } }
                tbody { @for request in &requests { (row(&page, request, now)) } }
            }
        }
        section.sect #new aria-labelledby="new-h" {
            header { h2 id="new-h" { "New request" } a.end href="/help/gdpr" { "What each does" } }
            form.stack method="post" action=(HERE) {
                (page.csrf()) (summary(typed, &["user", "type", "notes", "confirm"]))
                (Text::new("user", "Person").required().hint("User name, e-mail address or id").draw(typed))
                (select("type", "Asks for", &[("access", "Access: what is kept of them (article 15)"), ("portability", "Portability: a file for another service (article 20)"), ("erasure", "Erasure: to be forgotten (article 17)")], typed))
                (area("notes", "Notes", "For administrators.", 2, typed))
                (Text::new("confirm", "For an erasure, type the user name once more").hint("It cannot be taken back. A name of letters alone stays in what others wrote: it may be a word there.").draw(typed))
                div.row { button.btn.main { "Create request" } }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn kind_name(kind: Kind) -> &'static str {
    match kind {
        Kind::Access => "Access",
        Kind::Portability => "Portability",
        Kind::Erasure => "Erasure",
    }
}

fn row(page: &Page<'_>, request: &Request, now: Millis) -> Markup {
    html! {
        tr {
            th scope="row" .k1 { (request.user_name) @if !request.notes.is_empty() { span.sub.m2.xs { (request.notes) } } }
            td { (kind_name(request.kind)) }
            td.full {
                @match request.status {
                    Status::Completed => span.note.good { (icon("check")) "Completed" },
                    Status::Failed => span.note.bad { (icon("error")) "Failed" },
                    Status::Pending if request.due_at < now => span.note.bad { (icon("warn")) "Overdue" },
                    Status::Pending => span.note { (icon("clock")) "Pending" },
                }
                @if let Some(error) = &request.error { span.sub.m2.xs.wrapany { (error) } }
            }
            td.m2 { (ago(request.created_at, now)) " by " (request.requested_by) }
            td.m2.num data-l="Due" { (clock::day(request.due_at)) }
            td.tight { div.row {
                @if request.has_export { a.btn.quiet href={ (HERE) "/" (request.uuid) "/download" } { (icon("download")) "Download" span.vh { " the data of " (request.user_name) } } }
                form method="post" action={ (HERE) "/" (request.uuid) "/delete" } { (page.csrf()) button.btn.quiet.danger { "Delete" span.vh { " the request of " (request.user_name) } } }
            } }
        }
    }
}

/// `POST /admin/gdpr`.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit) -> Answer {
    require_admin(&edit.signed)?;
    let form = &edit.form;
    let user = form.get("user").trim().to_owned();
    if form.get("type") == "erasure" {
        let problems = match app.read(|conn| admin::person(conn, &user)) {
            Ok(person) if person.username.to_lowercase() == form.get("confirm").trim().to_lowercase() => {
                Vec::new()
            }
            Ok(_) => {
                vec![FieldError { field: "confirm".into(), message: "is not the person's user name".into() }]
            }
            Err(Error::Invalid(errors)) => errors,
            Err(error) => return Err(error.into()),
        };
        if !problems.is_empty() {
            return draw(&app, &req, &edit.signed, &form.clone().wrong(&problems));
        }
    }
    let body = json!({ "type": form.get("type"), "user": user, "notes": form.get("notes") }).to_string();
    let (server, actor) = (app.clone(), edit.signed.actor());
    match block(move || admin::create(&server, &actor, &body)).await {
        Ok(_) => Ok(done(HERE, Toast::say("The request is being done."))),
        Err(Error::Invalid(errors)) => draw(&app, &req, &edit.signed, &form.clone().wrong(&errors)),
        Err(Error::Conflict(_, message, _)) => {
            let problem = FieldError { field: "user".into(), message };
            draw(&app, &req, &edit.signed, &form.clone().wrong(&[problem]))
        }
        Err(error) => Err(error.into()),
    }
}

/// `GET /admin/gdpr/{request}/download`.
pub async fn download(app: Data<App>, signed: Signed, request: Path<String>) -> Answer {
    let actor = signed.actor();
    let (request, file) = block(move || admin::download(&app, &actor, &request)).await?;
    Ok(attachment(&request, file))
}

/// `POST /admin/gdpr/{request}/delete`: asks, then does it.
pub async fn delete(app: Data<App>, req: HttpRequest, edit: Edit, id: Path<String>) -> Answer {
    require_admin(&edit.signed)?;
    if edit.form.is_on("asked") {
        block(move || admin::delete(&app, &edit.signed.actor(), &id)).await?;
        return Ok(done(HERE, Toast::say("The request is deleted.")));
    }
    let request = app.read(|conn| store::gdpr::find(conn, &id))?;
    let text = match (request.kind, request.status) {
        (Kind::Erasure, Status::Pending) => "is not erased yet. Deleting the request calls the erasure off.",
        (Kind::Erasure, Status::Failed) => "was not erased. Deleting the request leaves it at that.",
        (Kind::Erasure, Status::Completed) => "stays erased. Only the note of the request goes.",
        (_, Status::Pending) => "asks for their data. Deleting the request means that they do not get it.",
        _ if request.has_export => "asked for their data. The file goes with the request.",
        _ => "asked for their data. Only the note of the request goes.",
    };
    let question = Question {
        title: "Delete this request?",
        name: &request.user_name,
        text: html! { (text) },
        action: format!("{HERE}/{}/delete", request.uuid),
        verb: "Delete",
        keep: "Keep it",
        back: HERE.into(),
        typed: None,
    };
    let page = Page::new(&app, &req, &edit.signed, "Delete request");
    let hidden = html! { input type="hidden" name="asked" value="yes"; };
    let main = question.draw(page.csrf(), &Typed::default(), &hidden);
    Ok(page.show(main))
}

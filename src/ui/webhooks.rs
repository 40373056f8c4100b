//! `…/webhooks`: who is told of changes over HTTP; and the form of a webhook.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::components::form::{Text, Typed, area, check, error, select, summary};
use super::components::{ago, count, empty, icon};
use super::edit::Edit;
use super::failure::{Failure, see_other};
use super::layout::{Page, Place, environment_name};
use super::{block, url, webhook};
use crate::admin::webhooks as admin;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::decode::FieldError;
use crate::engine::permission::{Permission, allows};
use crate::error::Error;
use crate::jobs::webhooks::body::EVENTS;
use crate::store;
use crate::store::webhooks::Webhook;

pub(super) type Answer = Result<HttpResponse, Failure>;

/// In the order of the form.
pub(super) const FIELDS: &[&str] =
    &["url", "format", "environmentId", "events", "name", "description", "secret", "enabled"];

/// What a form asks for at first.
fn blank(place: &Place) -> Typed {
    let environment = place.environment.as_ref().map(|environment| environment.name.as_str());
    let mut fields = vec![("format", "json"), ("environmentId", environment.unwrap_or_default())];
    fields.extend(EVENTS.iter().take(6).map(|(name, _)| ("events", *name)));
    Typed::with(&fields)
}

/// `GET /sites/{site}/webhooks`: those of the site, at its first environment.
pub async fn of_site(app: Data<App>, _: Signed, site: Path<String>) -> Answer {
    let place = Place::find(&app, &site, None)?;
    let first = place.environments.first().ok_or_else(|| Error::NotFound("an environment".into()))?;
    Ok(see_other(&url::section(&place.site, first, "webhooks")))
}

/// `GET …/webhooks`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed, path: Path<(String, String)>) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    let typed = blank(&place);
    show(&app, &req, &signed, &place, &typed)
}

fn show(app: &App, req: &HttpRequest, signed: &Signed, place: &Place, typed: &Typed) -> Answer {
    let webhooks = app.read_consistent(|conn| {
        let rows = store::webhooks::list(conn, Some(place.site.id))?;
        rows.into_iter()
            .map(|row| Ok((store::webhooks::owed_count(conn, &row)?, row)))
            .collect::<Result<Vec<_>, _>>()
    })?;
    let here = url::section(&place.site, place.environment()?, "webhooks");
    let may_change = allows(signed.session.role, Permission::Change);
    let page = Page::new(app, req, signed, "Webhooks").at(place, "webhooks");
    let new = html! { a.btn.main href="#new" { (icon("plus")) "New webhook" } };
    let main = html! {
        (not_saved(typed))
        div.head {
            div { h1 { "Webhooks" } p.lede { "Programs and chats that are told of changes, those of every environment of " (place.site.name) "." } }
            @if may_change && !webhooks.is_empty() { div.acts { (new) } }
        }
        @if webhooks.is_empty() {
            (empty("No webhooks yet", "A webhook sends each change to a program of yours, or says it in words in Slack, Teams or Discord.", may_change.then_some(new)))
        } @else {
            table.tbl.go.stackable {
                caption.vh { "Webhooks of " (place.site.name) }
                thead { tr {
                    th scope="col" { "Webhook" } th scope="col" { "Environment" } th scope="col" { "Events" }
                    th scope="col" { "Format" } th scope="col" { "State" } th scope="col" { "Changed" }
                } }
                tbody { @for (owed, webhook) in &webhooks {
                    tr {
                        th scope="row" .k1 {
                            a.in href={ (here) "/" (webhook.uuid) } { (webhook.settings.name) }
                            span.sub.m2.xs { (admin::veiled(&webhook.settings.url)) }
                        }
                        td { (environment_of(place, webhook)) }
                        td.m2 { (count(webhook.settings.events.len(), "event", "events")) }
                        td.m2 { (format_name(webhook.settings.format.as_str())) }
                        td { (state(webhook, *owed)) }
                        td.m2.hide-s { (ago(webhook.updated_at, app.now())) }
                    }
                } }
            }
        }
        @if may_change {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New webhook" } a.end href="/help/webhooks" { "How they work" } }
                form.stack.form method="post" action=(here) {
                    (page.csrf()) (summary(typed, FIELDS)) (fields(place, typed, true))
                    div.row { button.btn.main { "Create webhook" } }
                }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn environment_of(place: &Place, webhook: &Webhook) -> Markup {
    let found = place.environments.iter().find(|e| Some(e.id) == webhook.settings.environment);
    html! { @match found { Some(environment) => (environment_name(environment)), None => span.m2 { "all" } } }
}

fn format_name(format: &str) -> &str {
    match format {
        "slack" => "Slack",
        "teams" => "Microsoft Teams",
        "discord" => "Discord",
        _ => "JSON",
    }
}

/// How a webhook stands, as a shape and a word.
pub(super) fn state(webhook: &Webhook, owed: u64) -> Markup {
    let waiting = usize::try_from(owed).unwrap_or(usize::MAX);
    html! {
        @if webhook.disabled_reason.is_some() {
            span.note.bad { (icon("error")) "Turned off by the server" }
        } @else if !webhook.settings.enabled {
            span.note { (icon("lock")) "Off" }
        } @else if webhook.failing_since.is_some() {
            span.note.warn { (icon("warn")) "Failing" }
            @if owed > 0 { " " span.m2.xs { (count(waiting, "event waits", "events wait")) } }
        } @else {
            span.note.good { (icon("check")) "On" }
            @if owed > 0 { " " span.m2.xs { (count(waiting, "event waits", "events wait")) } }
        }
    }
}

/// What was wrong with a form, above everything else, with the way to the fields.
pub(super) fn not_saved(typed: &Typed) -> Markup {
    let labels = ["URL", "Format", "Environment", "Told of", "Name", "Description", "Secret", "On"];
    let wrong: Vec<_> = FIELDS
        .iter()
        .zip(labels)
        .filter_map(|(field, label)| Some((field, label, typed.error(field)?)))
        .collect();
    html! {
        @if !wrong.is_empty() {
            div.banner.danger role="alert" {
                (icon("error"))
                span.grow {
                    b { "Not saved: " }
                    @for (at, (field, label, message)) in wrong.iter().enumerate() {
                        @if at > 0 { "; " }
                        a href={ "#" (field) } { (label) } " " (message)
                    }
                    "."
                }
            }
        }
    }
}

/// Whether an event is of the site, so that webhooks of one environment are not told of it.
pub(super) fn is_of_site(event: &str) -> bool {
    matches!(event, "environment.created" | "environment.deleted")
}

/// The fields of a webhook; a new one may be given a secret.
pub(super) fn fields(place: &Place, typed: &Typed, new: bool) -> Markup {
    let mut environments = vec![("", "All, and those to come")];
    environments.extend(place.environments.iter().map(|e| (e.name.as_str(), e.name.as_str())));
    let wrong = typed.error("events").is_some();
    html! {
        (Text::new("url", "URL").kind("url").required().hint("https://, reachable from this server. For a chat, the address that the chat gave you.").draw(typed))
        (select("format", "Format", &[("json", "JSON, for programs"), ("slack", "Slack message"), ("teams", "Microsoft Teams message"), ("discord", "Discord message")], typed))
        (select("environmentId", "Environment", &environments, typed))
        fieldset.part #events aria-invalid=[wrong.then_some("true")] aria-describedby=[wrong.then_some("events-error")] {
            legend { "Told of" }
            @if wrong { div.grp-err { (error("events", typed)) } }
            div.stack.t { @for (at, (name, text)) in EVENTS.iter().enumerate() {
                label.check {
                    input type="checkbox" name="events" value=(name) checked[typed.all("events").any(|one| one == *name)]
                        autofocus[at == 0 && typed.has_focus("events")];
                    " " code { (name) } " "
                    span.m2.s {
                        (text)
                        @if is_of_site(name) { "; sent to webhooks of all environments alone" }
                    }
                }
            } }
        }
        @if new { (Text::new("name", "Name").hint("Left empty, the host of the URL.").draw(typed)) }
        @else { (Text::new("name", "Name").required().draw(typed)) }
        (area("description", "Description", "", 2, typed))
        @if new {
            (Text::new("secret", "Secret").hint("16 characters or more; left empty, one is made. Requests are signed with it.").draw(typed))
        } @else {
            (check("enabled", "On", typed))
        }
    }
}

/// The body of a request as the form says it.
pub(super) fn body(form: &Typed, new: bool) -> Value {
    let optional = |name: &str| match form.get(name).trim() {
        "" => Value::Null,
        text => json!(text),
    };
    let mut body = json!({
        "url": form.get("url"), "format": form.get("format"), "environmentId": optional("environmentId"),
        "events": form.all("events").collect::<Vec<_>>(), "name": form.get("name"),
        "description": form.get("description"),
    });
    if new {
        body["name"] = optional("name");
        body["secret"] = optional("secret");
    } else {
        body["enabled"] = json!(form.is_on("enabled"));
    }
    body
}

/// A form with the errors of the API, named as the form names its fields.
pub(super) fn refused(form: Typed, errors: &[FieldError]) -> Typed {
    let plain = |field: &str| field.split('[').next().unwrap_or_default().to_owned();
    let errors: Vec<_> = errors
        .iter()
        .map(|error| FieldError { field: plain(&error.field), message: error.message.clone() })
        .collect();
    form.wrong(&errors).focused(FIELDS)
}

/// `POST …/webhooks`: goes to the page that shows the secret, once.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit, path: Path<(String, String)>) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    let mut wanted = body(&edit.form, true);
    wanted["siteId"] = json!(place.site.uuid);
    let (server, actor) = (app.clone(), edit.signed.actor());
    match block(move || admin::create(&server, &actor, &wanted.to_string())).await {
        Ok(made) => webhook::to_secret(&app, &edit.signed, &place, made),
        Err(Error::Invalid(errors)) => show(&app, &req, &edit.signed, &place, &refused(edit.form, &errors)),
        Err(error) => Err(error.into()),
    }
}

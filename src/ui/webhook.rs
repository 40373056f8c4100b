//! `…/webhooks/{webhook}`: one webhook: how it stands, its log, its settings and secret, and what it sends.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::ask::Question;
use super::components::form::{Typed, select, summary};
use super::components::stale::{self, Fields};
use super::components::{ago, ahead, empty, icon};
use super::edit::Edit;
use super::failure::{Failure, see_other};
use super::layout::{Page, Place, Toast, done};
use super::webhooks::{Answer, FIELDS, body, fields, is_of_site, not_saved, refused, state};
use super::{block, once, url};
use crate::admin::webhooks::{self as admin, Created};
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::clock::Millis;
use crate::engine::decode::pretty;
use crate::engine::permission::{Permission, allows};
use crate::error::Error;
use crate::jobs::webhooks::body::render;
use crate::jobs::webhooks::send;
use crate::store;
use crate::store::webhooks::{Delivery, Outcome, Webhook};

const SETTINGS: Fields = &[
    ("url", "URL"),
    ("format", "Format"),
    ("environmentId", "Environment"),
    ("events", "Told of"),
    ("name", "Name"),
    ("description", "Description"),
    ("enabled", "On"),
];
/// Tries on one page.
const PAGE: u64 = 25;
/// Characters of a body that the page shows.
const SHOWN: usize = 8 * 1024;

type At = Path<(String, String, String)>;

/// `GET …/webhooks/{webhook}`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed, path: At) -> Answer {
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    let webhook = find(&app, &place, &id)?;
    let secret = once::secrets(&app, &signed, &req, &address(&place, &id)?).pop();
    draw(&app, &req, &signed, &place, &webhook, View { secret, ..View::default() })
}

/// The webhook of a path; `NotFound` where it is of another site.
fn find(app: &App, place: &Place, id: &str) -> Result<Webhook, Failure> {
    let webhook = app.read(|conn| store::webhooks::find(conn, id))?;
    if webhook.site != place.site.id {
        return Err(Error::NotFound("this webhook".into()).into());
    }
    Ok(webhook)
}

fn address(place: &Place, id: &str) -> crate::error::Result<String> {
    Ok(format!("{}/{id}", url::section(&place.site, place.environment()?, "webhooks")))
}

/// Goes to the page, which shows the secret that was made, once.
pub(super) fn to_secret(app: &App, signed: &Signed, place: &Place, made: Created) -> Answer {
    Ok(once::send(app, signed, &address(place, &made.view.id)?, vec![made.secret]))
}

/// What the page shows besides the webhook.
#[derive(Default)]
struct View {
    /// What was typed into the settings and not saved.
    typed: Option<Typed>,
    /// Whether somebody else saved meanwhile.
    conflict: bool,
    /// A secret that is shown this once.
    secret: Option<String>,
}

fn stored(place: &Place, webhook: &Webhook) -> Typed {
    let settings = &webhook.settings;
    let environment = place.environments.iter().find(|e| Some(e.id) == settings.environment);
    let mut fields = vec![
        ("name", settings.name.as_str()),
        ("description", &settings.description),
        ("url", &settings.url),
        ("format", settings.format.as_str()),
        ("environmentId", environment.map_or("", |environment| &environment.name)),
    ];
    if settings.enabled {
        fields.push(("enabled", "on"));
    }
    fields.extend(settings.events.iter().map(|event| ("events", event.as_str())));
    Typed::with(&fields)
}

fn draw(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    place: &Place,
    webhook: &Webhook,
    view: View,
) -> Answer {
    let below = Query::of(req).get("below").and_then(|text| text.parse().ok());
    let (owed, mut log) = app.read_consistent(|conn| {
        Ok((
            store::webhooks::owed_count(conn, webhook)?,
            store::webhooks::deliveries(conn, webhook.id, below, PAGE + 1)?,
        ))
    })?;
    let older = (log.len() as u64 > PAGE).then(|| log[PAGE as usize - 1].id);
    log.truncate(PAGE as usize);
    let log: Vec<Delivery> =
        log.iter().map(|delivery| admin::visible(delivery, webhook, signed.session.role)).collect();
    let list = url::section(&place.site, place.environment()?, "webhooks");
    let here = format!("{list}/{}", webhook.uuid);
    let may_change = allows(signed.session.role, Permission::Change);
    let stored = stored(place, webhook);
    let typed = view.typed.as_ref().unwrap_or(&stored);
    let page = Page::new(app, req, signed, &webhook.settings.name).at(place, "webhooks");
    let main = html! {
        (not_saved(typed))
        @if view.conflict {
            div.banner.danger role="alert" { (icon("error")) span.grow { b { "Not saved: " } "somebody else saved meanwhile. " a href="#settings" { "Compare" } } }
        }
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(list) { "Webhooks" } }
        div.head {
            div { h1 { (webhook.settings.name) } p.lede.wrapany { (admin::veiled(&webhook.settings.url)) " " (state(webhook, owed)) } }
            @if may_change { div.acts {
                a.btn href="#settings" { "Settings" }
                a.btn.danger href={ (here) "/delete" } { (icon("trash")) "Delete…" }
            } }
        }
        @if let Some(secret) = &view.secret { (secret_banner(secret)) }
        @if let Some(reason) = &webhook.disabled_reason {
            div.banner.danger { (icon("error")) span.grow { b { "Turned off: " } (reason) ". " span.m2 { "Once the receiver is back, turn it on below." } } }
        } @else if let Some(since) = webhook.failing_since.filter(|_| webhook.settings.enabled) {
            div.banner.warn { (icon("warn")) span.grow {
                b { "Nothing has been delivered since " (ago(since, app.now())) "." } " "
                span.m2 {
                    @if webhook.attempts > 0 && webhook.due_at <= app.now() { "It is being tried now. " }
                    @else if webhook.attempts > 0 { "The next try is " (ahead(webhook.due_at, app.now())) ". " }
                    "After three days it is turned off."
                }
            } }
        }
        @if may_change { (try_out(&page, webhook, &log, &here)) }
        section.sect aria-labelledby="log-h" {
            header { h2 id="log-h" { "Deliveries" } span.end.m3 { "newest first" } }
            @if log.is_empty() { (empty("Nothing sent yet", "Each try stands here with its request and the answer.", None)) }
            @else { ul.list.tries { @for delivery in &log { (row(&page, delivery, &here, may_change, app.now())) } } }
            @if below.is_some() || older.is_some() {
                nav.pager aria-label="Pages" {
                    @if below.is_some() { a.btn href={ (here) "#log-h" } { "Newest" } }
                    @if let Some(id) = older { span.end { a.btn href={ (here) "?below=" (id) "#log-h" } { "Older" (icon("right")) } } }
                }
            }
        }
        @if may_change {
            section.sect #settings aria-labelledby="settings-h" {
                header { h2 id="settings-h" { "Settings" } }
                form.stack.form method="post" action=(here) {
                    (page.csrf()) (stale::seen(&stored, SETTINGS))
                    @if view.conflict { (stale::both(typed, &stored, SETTINGS, &here)) }
                    (summary(typed, FIELDS)) (fields(place, typed, false))
                    div.row { button.btn.main { "Save" } }
                }
            }
            (secret_section(&page, webhook, &here, app.now()))
        }
        (examples(app, webhook)?)
    };
    Ok(if view.conflict || typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn secret_banner(secret: &str) -> Markup {
    html! {
        section.banner.good role="status" {
            (icon("check"))
            div.stack.t.grow {
                p { b { "This is shown once." } " The receiver needs it to check that requests come from here." }
                div.row.wrap { span.s.m2 { "Secret" } code id="secret-shown" { (secret) } button type="button" .btn.quiet data-copy="secret-shown" { (icon("copy")) span { "Copy" } } }
            }
        }
    }
}

/// Sends one of the events that the webhook is told of; at first the one of the newest test.
fn try_out(page: &Page<'_>, webhook: &Webhook, log: &[Delivery], here: &str) -> Markup {
    let settings = &webhook.settings;
    let mut events: Vec<&str> = settings.events.iter().map(String::as_str).collect();
    if settings.environment.is_some() && !events.iter().all(|event| is_of_site(event)) {
        events.retain(|event| !is_of_site(event));
    }
    let tested = log.iter().find(|delivery| delivery.change_number.is_none());
    let first = tested.map_or("", |delivery| delivery.event.as_str());
    let choices: Vec<(&str, &str)> = events.iter().map(|name| (*name, *name)).collect();
    html! {
        form.row.wrap.ends method="post" action={ (here) "/test" } {
            (page.csrf())
            (select("event", "Try it out with", &choices, &Typed::with(&[("event", first)])))
            button.btn { (icon("bolt")) "Send a test" }
        }
    }
}

fn row(page: &Page<'_>, delivery: &Delivery, here: &str, may_change: bool, now: Millis) -> Markup {
    let (kind, symbol, word) = match delivery.outcome {
        Outcome::Delivered => ("good", "check", "Delivered"),
        Outcome::Failed if delivery.change_number.is_none() => ("bad", "error", "Failed"),
        Outcome::Failed => ("warn", "warn", "Failed"),
        Outcome::GivenUp => ("bad", "error", "Given up"),
    };
    html! {
        li {
            span class={ "note " (kind) } { (icon(symbol)) (word) }
            (ago(delivery.at, now))
            div.grow {
                details {
                    summary {
                        code { (delivery.event) } " "
                        span.m2.s {
                            @match (delivery.status, &delivery.error) {
                                (Some(status), Some(error)) => { (status) ", " (error) },
                                (Some(status), None) => (status),
                                (None, Some(error)) => (error),
                                (None, None) => "no answer",
                            }
                            " · try " (delivery.attempt) " · " (delivery.duration_ms) " ms"
                            @if delivery.change_number.is_none() { " · test" }
                        }
                    }
                    dl.stack.t.s {
                        dt.b { "X-Webhook-Id" } dd { code.wrapany { (delivery.event_id) } }
                        dt.b { "Request" } dd { (message(&delivery.request_headers, &delivery.request_body)) }
                        dt.b { "Answer" } dd {
                            @if !may_change { span.m2 { "shown to editors, since it may repeat the address" } }
                            @else if delivery.status.is_some() { (message(&delivery.response_headers, &delivery.response_body)) }
                            @else { span.m2 { "none" } }
                        }
                    }
                }
            }
            @if may_change {
                form method="post" action={ (here) "/deliveries/" (delivery.uuid) "/redeliver" } {
                    (page.csrf()) button.btn.quiet { "Redeliver" span.vh { " " (delivery.event) " of " (crate::clock::rfc3339(delivery.at)) } }
                }
            }
        }
    }
}

fn message(headers: &str, body: &str) -> Markup {
    let headers: serde_json::Map<String, serde_json::Value> =
        serde_json::from_str(headers).unwrap_or_default();
    let mut shown =
        if serde_json::from_str::<serde_json::Value>(body).is_ok() { pretty(body) } else { body.to_owned() };
    if let Some((end, _)) = shown.char_indices().nth(SHOWN) {
        shown.truncate(end);
        shown.push('…');
    }
    html! {
        div.code { pre tabindex="0" {
            @for (name, value) in &headers { (name) ": " (value.as_str().unwrap_or_default()) "\n" }
            "\n" (shown)
        } }
    }
}

fn secret_section(page: &Page<'_>, webhook: &Webhook, here: &str, now: Millis) -> Markup {
    html! {
        section.sect aria-labelledby="secret-h" {
            header { h2 id="secret-h" { "Secret" } }
            p.m2 { "A new secret signs from the moment it is made. For the time you choose, each request also carries the signature with the old one in " code { "X-Webhook-Signature-Previous" } "." }
            @if let Some((_, until)) = webhook.previous.as_ref().filter(|(_, until)| *until > now) {
                p.m2 { "The old secret signs, too, until " (crate::clock::rfc3339(*until)) "." }
            }
            form.row.wrap.ends method="post" action={ (here) "/rotate" } {
                (page.csrf())
                (select("graceSeconds", "The old one stays valid for", &[("3600", "an hour"), ("86400", "a day"), ("604800", "a week"), ("0", "no time")], &Typed::with(&[("graceSeconds", "86400")])))
                button.btn { "Make a new secret" }
            }
        }
    }
}

fn examples(app: &App, webhook: &Webhook) -> Result<Markup, Failure> {
    let made = app.read(|conn| {
        let mut made = Vec::new();
        for name in &webhook.settings.events {
            let event = admin::example(app, conn, webhook, name, "ana")?;
            let place = send::place(conn, &event)?;
            made.push((name, pretty(&render(webhook.settings.format, &event, &place)?)));
        }
        Ok(made)
    })?;
    Ok(html! {
        section.sect aria-labelledby="examples-h" {
            header { h2 id="examples-h" { "What it sends" } }
            @for (name, text) in &made { details { summary { code { (name) } } div.code { pre tabindex="0" { (text) } } } }
        }
    })
}

/// `POST …/webhooks/{webhook}`.
pub async fn update(app: Data<App>, req: HttpRequest, edit: Edit, path: At) -> Answer {
    let Edit { signed, form } = edit;
    signed.actor().require(Permission::Change)?;
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    let before = find(&app, &place, &id)?;
    let was = stored(&place, &before);
    if stale::is_stale(&form, &was, SETTINGS) {
        let view = View { typed: Some(form), conflict: true, ..View::default() };
        return draw(&app, &req, &signed, &place, &before, view);
    }
    let wanted = body(&form, false);
    let (server, actor, name) = (app.clone(), signed.actor(), id.clone());
    match block(move || admin::update(&server, &actor, &name, &wanted.to_string())).await {
        Ok(_) => {
            let now = app.read(|conn| store::webhooks::find(conn, &id))?;
            let here = address(&place, &id)?;
            let toast = Toast::say(format!("{} is saved.", now.settings.name));
            Ok(done(&here, stale::undo(toast, &here, &was, &stored(&place, &now), SETTINGS)))
        }
        Err(Error::Invalid(errors)) => {
            let view = View { typed: Some(refused(form, &errors)), ..View::default() };
            draw(&app, &req, &signed, &place, &before, view)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST …/webhooks/{webhook}/test`: sends, waits, and shows what came back.
pub async fn test(app: Data<App>, edit: Edit, path: At) -> Answer {
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    find(&app, &place, &id)?;
    let wanted = json!({ "event": edit.form.get("event") }).to_string();
    let (server, actor, name) = (app.clone(), edit.signed.actor(), id.clone());
    let delivery = block(move || admin::test(&server, &actor, &name, &wanted)).await?;
    Ok(told(&place, &id, &delivery)?)
}

/// `POST …/webhooks/{webhook}/deliveries/{delivery}/redeliver`.
pub async fn redeliver(app: Data<App>, edit: Edit, path: Path<(String, String, String, String)>) -> Answer {
    let (site, environment, id, delivery) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    find(&app, &place, &id)?;
    let (server, actor, name) = (app.clone(), edit.signed.actor(), id.clone());
    let tried = block(move || admin::redeliver(&server, &actor, &name, &delivery)).await?;
    Ok(told(&place, &id, &tried)?)
}

fn told(place: &Place, id: &str, delivery: &Delivery) -> crate::error::Result<HttpResponse> {
    let text = match (delivery.outcome, delivery.status, &delivery.error) {
        (Outcome::Delivered, Some(status), _) => format!("It arrived: {status}."),
        (_, Some(status), _) => format!("It was refused: {status}. The answer stands below."),
        (_, None, Some(error)) => format!("It did not arrive: {error}."),
        _ => "It did not arrive.".into(),
    };
    Ok(done(&address(place, id)?, Toast::say(text)))
}

/// `POST …/webhooks/{webhook}/rotate`: goes to the page that shows the secret, once.
pub async fn rotate(app: Data<App>, edit: Edit, path: At) -> Answer {
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    find(&app, &place, &id)?;
    let grace = edit
        .form
        .get("graceSeconds")
        .parse::<u64>()
        .map_err(|_| Error::invalid("graceSeconds", "must be a number"))?;
    let wanted = json!({ "graceSeconds": grace }).to_string();
    let (server, actor) = (app.clone(), edit.signed.actor());
    let made = block(move || admin::rotate(&server, &actor, &id, &wanted)).await?;
    to_secret(&app, &edit.signed, &place, made)
}

fn delete_question<'a>(place: &Place, webhook: &'a Webhook) -> Result<Question<'a>, Failure> {
    let here = address(place, &webhook.uuid)?;
    Ok(Question {
        title: "Delete this webhook?",
        name: &webhook.settings.name,
        text: html! { "goes with its log. What it was still owed is not sent." },
        action: format!("{here}/delete"),
        verb: "Delete",
        keep: "Keep it",
        back: here,
        typed: None,
    })
}

/// `GET …/webhooks/{webhook}/delete`: the question.
pub async fn ask_delete(app: Data<App>, req: HttpRequest, signed: Signed, path: At) -> Answer {
    signed.actor().require(Permission::Change)?;
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    let webhook = find(&app, &place, &id)?;
    let page = Page::new(&app, &req, &signed, "Delete").at(&place, "webhooks");
    let main = delete_question(&place, &webhook)?.draw(page.csrf(), &Typed::default(), &html! {});
    Ok(page.show(main))
}

/// `POST …/webhooks/{webhook}/delete`.
pub async fn delete(app: Data<App>, edit: Edit, path: At) -> Answer {
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    let webhook = find(&app, &place, &id)?;
    let (server, actor) = (app.clone(), edit.signed.actor());
    block(move || admin::delete(&server, &actor, &id)).await?;
    Ok(done(
        &url::section(&place.site, place.environment()?, "webhooks"),
        Toast::say(format!("{} is deleted.", webhook.settings.name)),
    ))
}

/// A page that was left: `GET` of an action goes back to the webhook.
pub async fn back(_: Signed, path: At) -> HttpResponse {
    let (site, environment, id) = path.into_inner();
    see_other(&format!(
        "/sites/{}/environments/{}/webhooks/{}",
        url::encode(&site),
        url::encode(&environment),
        url::encode(&id)
    ))
}

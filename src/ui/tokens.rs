//! `…/tokens`: the environment tokens of an environment: what a program shows to ask for its features.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Value, json};

use super::components::ask::Question;
use super::components::form::{Text, Typed, select, summary};
use super::components::stale::{self, Fields};
use super::components::{ago, empty, icon, thin};
use super::edit::Edit;
use super::failure::Failure;
use super::layout::{Page, Place, Toast, done, is_production};
use super::{block, once, url};
use crate::admin;
use crate::admin::tokens::Created;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::clock::Millis;
use crate::engine::permission::{Permission, allows};
use crate::error::Error;
use crate::store;
use crate::store::tokens::{PERMISSIONS, Token};

type Answer = Result<HttpResponse, Failure>;
const FIELDS: &[&str] = &["description", "kind", "permissions", "expiresAt", "rateLimit"];
const SETTINGS: Fields = &[
    ("description", "What it is for"),
    ("permissions", "May also"),
    ("expiresAt", "Expires"),
    ("rateLimit", "Requests a minute"),
];
/// For how long the old secret goes on working after a rotation.
const GRACE: [(&str, &str); 5] = [
    ("86400", "a day"),
    ("3600", "an hour"),
    ("604800", "a week"),
    ("2592000", "30 days"),
    ("0", "not at all"),
];

/// A permission in words.
fn meaning(permission: &str) -> &'static str {
    match permission {
        "CHANGE_VALUE" => "change values through the FeatureHub API",
        "LOCK" => "lock features through the FeatureHub API",
        "UNLOCK" => "unlock features through the FeatureHub API",
        "CONTEXTS_WRITE" => "write stored Contexts through the featuresd API",
        "FLAGR_ADMIN" => "change flags through the Flagr API",
        "EXTENDED_DATA" => "read more about each feature through the FeatureHub API",
        _ => "",
    }
}

/// `GET …/tokens`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed, path: Path<(String, String)>) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    show(&app, &req, &signed, &place, &Typed::with(&[("kind", "client")]))
}

/// The secrets of a token that was just made: for every door but FeatureHub's, and for that.
fn made(secrets: &[String]) -> Markup {
    html! {
        section.banner.good role="status" {
            (icon("check"))
            div.stack.t.grow {
                p { b { "This is shown once." } " Copy it now; only its hash is kept." }
                @for ((label, id), secret) in [("Token", "secret"), ("FeatureHub key", "featurehub")].iter().zip(secrets) {
                    div.row.wrap { span.s.m2 { (label) } code.wrapany id=(id) { (secret) } button type="button" .btn.quiet data-copy=(id) { (icon("copy")) span { "Copy" } } }
                }
                p.s.m2 { "What to do with it: " a href="/help/integrate" { "Connect a program" } }
            }
        }
    }
}

fn expiry(token: &Token, now: Millis) -> Markup {
    html! {
        @match token.expires_at {
            Some(at) if at <= now => span.note.warn { (icon("warn")) "expired" },
            Some(at) => (crate::clock::day(at)),
            None => "never",
        }
    }
}

fn row(here: &str, token: &Token, at: usize, may_change: bool, now: Millis) -> Markup {
    let page = format!("{here}/{}", token.uuid);
    html! {
        tr {
            th scope="row" .k1 {
                @if may_change { a.in href=(page) { (token.description) } } @else { (token.description) }
                @if !token.permissions.iter().all(|permission| permission == "READ") {
                    span.sub.m3.xs { (token.permissions.iter().filter(|p| *p != "READ").map(String::as_str).collect::<Vec<_>>().join(", ")) }
                }
            }
            td { (token.kind.as_str()) }
            td.m2.nowrap data-l="Expires" { (expiry(token, now)) }
            td.r.num data-l="Uses" { (thin(usize::try_from(token.uses).unwrap_or(usize::MAX))) }
            td.m2.nowrap data-l="Last used" { @match token.last_used_at { Some(at) => (ago(at, now)), None => "not yet" } }
            td.m2.hide-s { (ago(token.created_at, now)) " by " (token.created_by) }
            @if may_change { td.tight.m1 {
                button type="button" .icon popovertarget={ "row-" (at) } aria-label={ "More for " (token.description) } { (icon("more")) }
                div popover id={ "row-" (at) } .menu {
                    a href=(page) { (icon("edit")) "Edit" }
                    a href={ (page) "#rotate" } { (icon("undo")) "Rotate…" }
                    hr;
                    a.bad href={ (page) "/revoke" } { (icon("trash")) "Revoke…" }
                }
            } }
        }
    }
}

fn show(app: &App, req: &HttpRequest, signed: &Signed, place: &Place, typed: &Typed) -> Answer {
    let environment = place.environment()?;
    let tokens = app.read(|conn| store::tokens::list(conn, environment.id))?;
    let here = url::section(&place.site, environment, "tokens");
    let secrets = once::secrets(app, signed, req, &here);
    let may_change = allows(signed.session.role, Permission::Change);
    let page = Page::new(app, req, signed, "Tokens").at(place, "tokens");
    let now = app.now();
    let main = html! {
        div.head {
            div { h1 { "Tokens" } p.lede { "Programs show a token to read this environment. A client token is safe in a browser; a server token may also read the rules." } }
            div.acts {
                a.btn href=(url::section(&place.site, environment, "featurehub")) { "FeatureHub" }
                @if may_change && !tokens.is_empty() { a.btn.main href="#new" { (icon("plus")) "New token" } }
            }
        }
        @if !secrets.is_empty() { (made(&secrets)) }
        @if tokens.is_empty() {
            (empty("No tokens yet", "A program needs one to ask for the features of this environment.", None))
        } @else {
            table.tbl.go.stackable {
                caption.vh { "Tokens of " (environment.name) }
                thead { tr {
                    th scope="col" { "Description" } th scope="col" { "Kind" }
                    th scope="col" { "Expires" } th scope="col" .r { "Uses" } th scope="col" { "Last used" } th scope="col" { "Made" }
                    @if may_change { th scope="col" { span.vh { "More" } } }
                } }
                tbody { @for (at, token) in tokens.iter().enumerate() { (row(&here, token, at, may_change, now)) } }
            }
        }
        @if may_change {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New token" } }
                form.stack.form method="post" action=(here) {
                    (page.csrf()) (summary(typed, FIELDS))
                    (Text::new("description", "What it is for").required().hint("For example: checkout service, web shop").draw(typed))
                    (select("kind", "Kind", &[("client", "Client: evaluated values only; safe in a browser"), ("server", "Server: may also read the rules; keep it secret")], typed))
                    (rest_fields(typed))
                    div.row { button.btn.main { "Create token" } }
                }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

/// The fields that can also be changed later.
fn rest_fields(typed: &Typed) -> Markup {
    let more = typed.all("permissions").any(|permission| permission != "READ");
    html! {
        (Text::new("expiresAt", "Expires").kind("date").hint("Left empty, it does not expire.").draw(typed))
        (Text::new("rateLimit", "Requests a minute").hint("Left empty, the server’s setting; 0 is no limit.").draw(typed))
        details.s open[more || typed.error("permissions").is_some()] {
            summary { "More permissions" }
            fieldset.part.opts2 { legend.vh { "May also" }
                div.stack.t { @for permission in PERMISSIONS.iter().filter(|permission| **permission != "READ") {
                    label.check {
                        input type="checkbox" name="permissions" value=(permission) checked[typed.all("permissions").any(|p| p == *permission)];
                        span { code { (permission) } " " span.m2 { (meaning(permission)) } }
                    }
                } }
                (super::components::form::error("permissions", typed))
            }
        }
    }
}

/// The body of the API that these fields say.
fn body(form: &Typed, kind: Option<&str>, before: Option<&Token>) -> String {
    let expires = match form.get("expiresAt") {
        "" => Value::Null,
        // A day that was not touched keeps its hour.
        day => match before.and_then(|token| token.expires_at).filter(|at| crate::clock::day(*at) == day) {
            Some(at) => json!(crate::clock::rfc3339(at)),
            None => json!(format!("{day}T00:00:00Z")),
        },
    };
    let limit = form.get("rateLimit").trim();
    let mut body = json!({
        "description": form.get("description"),
        "permissions": form.all("permissions").collect::<Vec<_>>(), "expiresAt": expires,
        "rateLimit": if limit.is_empty() { Value::Null } else { limit.parse::<u64>().map_or(json!(limit), |limit| json!(limit)) },
    });
    if let Some(kind) = kind {
        body["kind"] = json!(kind);
    }
    body.to_string()
}

/// Messages of single permissions belong to the one field.
fn form_errors(errors: Vec<crate::engine::decode::FieldError>) -> Vec<crate::engine::decode::FieldError> {
    let plain = |field: String| field.split('[').next().unwrap_or_default().to_owned();
    let whole = |error: crate::engine::decode::FieldError| crate::engine::decode::FieldError {
        field: plain(error.field),
        message: error.message,
    };
    errors.into_iter().map(whole).collect()
}

/// Goes to the page that shows the secrets.
fn to_secrets(app: &App, signed: &Signed, place: &Place, created: Created) -> Answer {
    let page = url::section(&place.site, place.environment()?, "tokens");
    Ok(once::send(app, signed, &page, vec![created.token, created.featurehub_key]))
}

/// `POST …/tokens`: goes to the page that shows the secret, once.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit, path: Path<(String, String)>) -> Answer {
    let body = body(&edit.form, Some(edit.form.get("kind")), None);
    let (site, environment) = path.into_inner();
    let (server, actor, at) = (app.clone(), edit.signed.actor(), (site.clone(), environment.clone()));
    let made = block(move || admin::tokens::create(&server, &actor, &at.0, &at.1, &body)).await;
    let place = Place::find(&app, &site, Some(&environment))?;
    match made {
        Ok(created) => to_secrets(&app, &edit.signed, &place, created),
        Err(Error::Invalid(errors)) => {
            show(&app, &req, &edit.signed, &place, &edit.form.wrong(&form_errors(errors)))
        }
        Err(error) => Err(error.into()),
    }
}

type TokenPath = Path<(String, String, String)>;

fn stored(token: &Token) -> Typed {
    let mut values = vec![("description".to_owned(), token.description.clone())];
    for permission in token.permissions.iter().filter(|permission| *permission != "READ") {
        values.push(("permissions".into(), permission.clone()));
    }
    values.push(("expiresAt".into(), token.expires_at.map(crate::clock::day).unwrap_or_default()));
    values.push(("rateLimit".into(), token.rate_limit.map(|limit| limit.to_string()).unwrap_or_default()));
    Typed::posted(values)
}

fn find(app: &App, place: &Place, id: &str) -> Result<Token, Failure> {
    let environment = place.environment()?;
    Ok(app.read(|conn| store::tokens::find(conn, environment.id, id))?)
}

/// `GET …/tokens/{token}`.
pub async fn edit(app: Data<App>, req: HttpRequest, signed: Signed, path: TokenPath) -> Answer {
    signed.actor().require(Permission::Change)?;
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    let token = find(&app, &place, &path.2)?;
    edit_page(&app, &req, &signed, &place, &token, None, false)
}

fn edit_page(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    place: &Place,
    token: &Token,
    typed: Option<&Typed>,
    conflict: bool,
) -> Answer {
    let list = url::section(&place.site, place.environment()?, "tokens");
    let here = format!("{list}/{}", token.uuid);
    let page = Page::new(app, req, signed, &token.description).at(place, "tokens");
    let stored = stored(token);
    let typed = typed.unwrap_or(&stored);
    let now = app.now();
    let production = place.is_production();
    let main = html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(list) { "Tokens" } }
        div.head {
            div { h1 { (token.description) } }
            div.acts { a.btn.danger href={ (here) "/revoke" } { (icon("trash")) "Revoke…" } }
        }
        div.cols {
            div.stack.l {
                form.stack.form method="post" action=(here) {
                    (page.csrf()) (stale::seen(&stored, SETTINGS))
                    @if conflict { (stale::both(typed, &stored, SETTINGS, &here)) }
                    (summary(typed, FIELDS))
                    (Text::new("description", "What it is for").required().draw(typed))
                    (rest_fields(typed))
                    div.row { button.btn.main[!production].prod[production] { "Save" } a.btn href=(list) { "Cancel" } }
                }
                section.sect #rotate aria-labelledby="rotate-h" {
                    header { h2 id="rotate-h" { "Rotate" } }
                    form.stack.form method="post" action={ (here) "/rotate" } {
                        (page.csrf())
                        p.m2 { "Makes a new secret, shown once. Give it to your programs while the old one still works." }
                        (select("grace", "The old one works on for", &GRACE, &Typed::default()))
                        div.row { button.btn { "Rotate" } }
                    }
                }
            }
            aside.stack {
                dl.facts {
                    dt { "Kind" } dd { (token.kind.as_str()) }
                    dt { "May" } dd { @for permission in &token.permissions { code { (permission) } " " } }
                    dt { "Expires" } dd { (expiry(token, now)) }
                    dt { "Uses" } dd.num { (thin(usize::try_from(token.uses).unwrap_or(usize::MAX))) }
                    dt { "Last used" } dd { @match token.last_used_at { Some(at) => (ago(at, now)), None => "not yet" } }
                    dt { "Made" } dd { (ago(token.created_at, now)) " by " (token.created_by) }
                    @if let Some((_, until)) = token.previous.as_ref().filter(|(_, until)| *until > now) {
                        dt { "Old secret" } dd { "works until " (crate::clock::rfc3339(*until)) }
                    }
                }
            }
        }
    };
    Ok(if conflict || typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

/// `POST …/tokens/{token}`: description, expiry, limit, permissions.
pub async fn update(app: Data<App>, req: HttpRequest, edit: Edit, path: TokenPath) -> Answer {
    let Edit { signed, form } = edit;
    signed.actor().require(Permission::Change)?;
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    let before = find(&app, &place, &id)?;
    if stale::is_stale(&form, &stored(&before), SETTINGS) {
        return edit_page(&app, &req, &signed, &place, &before, Some(&form), true);
    }
    let body = body(&form, None, Some(&before));
    let (server, actor) = (app.clone(), signed.actor());
    let saved = block(move || admin::tokens::update(&server, &actor, &site, &environment, &id, &body)).await;
    match saved {
        Ok(token) => {
            let list = url::section(&place.site, place.environment()?, "tokens");
            let toast = Toast::say(format!("{} is saved.", token.description));
            let page = format!("{list}/{}", token.uuid);
            Ok(done(&list, stale::undo(toast, &page, &stored(&before), &stored(&token), SETTINGS)))
        }
        Err(Error::Invalid(errors)) => {
            let typed = form.wrong(&form_errors(errors));
            edit_page(&app, &req, &signed, &place, &before, Some(&typed), false)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST …/tokens/{token}/rotate`: a new secret; the old one works on for as long as was chosen.
pub async fn rotate(app: Data<App>, edit: Edit, path: TokenPath) -> Answer {
    let (site, environment, id) = path.into_inner();
    let grace = GRACE.iter().find(|(seconds, _)| *seconds == edit.form.get("grace")).unwrap_or(&GRACE[0]);
    let body = format!("{{\"graceSeconds\": {}}}", grace.0);
    let (server, actor, at) = (app.clone(), edit.signed.actor(), (site.clone(), environment.clone()));
    let created = block(move || admin::tokens::rotate(&server, &actor, &at.0, &at.1, &id, &body)).await?;
    let place = Place::find(&app, &site, Some(&environment))?;
    to_secrets(&app, &edit.signed, &place, created)
}

fn revoke_question<'a>(place: &Place, here: &str, token: &'a Token) -> Question<'a> {
    let production = place.environment.as_ref().is_some_and(is_production);
    Question {
        title: if production { "Revoke in production?" } else { "Revoke this token?" },
        name: &token.description,
        text: html! { "stops working at once. Whoever shows it is refused from the next request on." },
        action: format!("{here}/revoke"),
        verb: "Revoke",
        keep: "Keep it",
        back: here.to_owned(),
        typed: production.then_some("description of the token"),
    }
}

/// `GET …/tokens/{token}/revoke`: the question.
pub async fn ask_revoke(app: Data<App>, req: HttpRequest, signed: Signed, path: TokenPath) -> Answer {
    signed.actor().require(Permission::Change)?;
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    let token = find(&app, &place, &path.2)?;
    let here = format!("{}/{}", url::section(&place.site, place.environment()?, "tokens"), token.uuid);
    let page = Page::new(&app, &req, &signed, "Revoke").at(&place, "tokens");
    let main = revoke_question(&place, &here, &token).draw(page.csrf(), &Typed::default(), &html! {});
    Ok(page.show(main))
}

/// `POST …/tokens/{token}/revoke`.
pub async fn revoke(app: Data<App>, req: HttpRequest, edit: Edit, path: TokenPath) -> Answer {
    let Edit { signed, form } = edit;
    signed.actor().require(Permission::Change)?;
    let (site, environment, id) = path.into_inner();
    let place = Place::find(&app, &site, Some(&environment))?;
    let token = find(&app, &place, &id)?;
    let list = url::section(&place.site, place.environment()?, "tokens");
    let here = format!("{list}/{}", token.uuid);
    let question = revoke_question(&place, &here, &token);
    if !question.is_answered(&form) {
        let page = Page::new(&app, &req, &signed, "Revoke").at(&place, "tokens");
        let main = question.draw(page.csrf(), &form.wrong(&[question.problem()]), &html! {});
        return Ok(page.refuse(main));
    }
    let (server, actor) = (app.clone(), signed.actor());
    block(move || admin::tokens::delete(&server, &actor, &site, &environment, &id)).await?;
    Ok(done(
        &list,
        Toast::say(format!("{} is revoked. Whoever shows it is refused from now on.", token.description)),
    ))
}

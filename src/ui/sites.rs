//! `/sites`, `/sites/{site}` and its settings: sites, and the environments of one.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::ask::{FIELD, Question};
use super::components::form::{Text, Typed, area, summary};
use super::components::stale::{self, Fields};
use super::components::{ago, count, empty, icon, thin};
use super::edit::Edit;
use super::environments::{self, fields, status_word};
use super::failure::Failure;
use super::layout::{Page, Place, Toast, done, environment_name};
use super::{block, url};
use crate::admin;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::decode::FieldError;
use crate::engine::permission::{Permission, allows};
use crate::error::Error;
use crate::store;
use crate::store::environments::Environment;
use crate::store::sites::Site;

pub type Answer = std::result::Result<HttpResponse, Failure>;

const SITE_FIELDS: &[&str] = &["name", "slug", "description"];
const SETTINGS: Fields = &[("name", "Name"), ("slug", "Slug"), ("description", "Description")];

/// Whether somebody sees the controls.
pub fn may_change(signed: &Signed) -> bool {
    allows(signed.session.role, Permission::Change)
}

pub fn feature_count(app: &App, environment: &Environment) -> usize {
    app.live.environment(environment.id).map_or(0, |live| live.snapshot().len())
}

/// A message for one field.
pub fn problem(field: &str, message: String) -> FieldError {
    FieldError { field: field.into(), message }
}

/// `GET /sites`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed) -> Answer {
    show_list(&app, &req, &signed, &Typed::default())
}

fn show_list(app: &App, req: &HttpRequest, signed: &Signed, typed: &Typed) -> Answer {
    let query = Query::of(req);
    let q = query.get("q").unwrap_or_default();
    let sites = app.read_consistent(|conn| store::sites::with_environments(conn, u64::from(u32::MAX)))?;
    let all = sites.len();
    let wanted = q.to_lowercase();
    let shown: Vec<_> = sites
        .into_iter()
        .filter(|(site, _)| {
            let owner = site.owner.as_ref().map_or("", |owner| owner.username.as_str());
            format!("{}\n{}\n{owner}", site.name, site.slug).to_lowercase().contains(&wanted)
        })
        .collect();
    let page = Page::new(app, req, signed, "Sites");
    let main = html! {
        div.head {
            div { h1 { "Sites" } p.lede { "One site is one application or service, with environments of its own." } }
            @if may_change(signed) && all > 0 {
                div.acts { a.btn.main href="#new" { (icon("plus")) "New site" } }
            }
        }
        @if all > 0 {
            form.filter method="get" action="/sites" role="search" {
                div.row.wrap {
                    div.searchbox { (icon("search")) input name="q" value=(q) data-filter="" aria-label="Search sites" placeholder="Name, slug or owner" autocomplete="off" spellcheck="false"; }
                    button.btn { "Search" }
                }
            }
        }
        @if shown.is_empty() && all > 0 {
            (empty(&format!("No site matches “{q}”"), "Try a part of its name, slug or owner.", Some(html! { a.btn href="/sites" { "Show all" } })))
        } @else if all == 0 {
            (empty("No sites yet", "A site is one application or service. Making one also makes its environment prod.", None))
        } @else {
            table.tbl.go.stackable {
                caption.vh { "Sites" }
                thead { tr {
                    th scope="col" { "Site" }
                    th scope="col" { "Environments and features" }
                    th scope="col" .r { "Features" }
                    th scope="col" { "Owner" }
                    th scope="col" { "Changed" }
                    th scope="col" { span.vh { "More" } }
                } }
                tbody { @for (at, (site, environments)) in shown.iter().enumerate() { (site_row(app, signed, at, site, environments)) } }
            }
        }
        @if may_change(signed) {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New site" } }
                form.stack.form method="post" action="/sites" {
                    (page.csrf()) (summary(typed, SITE_FIELDS)) (site_fields(typed, false))
                    div.row { button.btn.main { "Create site" } }
                }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn site_row(app: &App, signed: &Signed, at: usize, site: &Site, environments: &[Environment]) -> Markup {
    html! {
        tr {
            th scope="row" .k1 {
                a.in href=(url::site(site)) { (site.name) } " " code.m3.xs { (site.slug) }
                @if !site.description.is_empty() { span.sub.m2.xs { (site.description) } }
            }
            td.full { span.chips {
                @for environment in environments {
                    a.chip.up href=(url::features(site, environment)) {
                        (environment_name(environment)) span.n { (thin(feature_count(app, environment))) }
                    }
                }
            } }
            td.r.num.hide-s { (thin(environments.iter().map(|e| feature_count(app, e)).sum())) }
            td.m2.hide-s.nowrap { (site.owner.as_ref().map_or("", |owner| owner.username.as_str())) }
            td.m2.hide-s.nowrap { (ago(site.updated_at, app.now())) }
            td.tight.m1 {
                button type="button" .icon popovertarget={ "row-" (at) } aria-label={ "More for " (site.name) } { (icon("more")) }
                div popover id={ "row-" (at) } .menu {
                    a href=(url::site(site)) { (icon("layers")) "Environments" }
                    a href={ (url::site(site)) "/settings" } { (icon("edit")) "Settings" }
                    a href={ (url::site(site)) "/document" } { (icon("download")) "Export" }
                    @if may_change(signed) { hr; a.bad href={ (url::site(site)) "/settings#delete" } { (icon("trash")) "Delete…" } }
                }
            }
        }
    }
}

fn site_fields(typed: &Typed, with_slug: bool) -> Markup {
    html! {
        (Text::new("name", "Name").required().draw(typed))
        @if with_slug {
            (Text::new("slug", "Slug").hint("Stands in addresses and in every answer; changing it changes those.").draw(typed))
        }
        (area("description", "Description", "", 2, typed))
    }
}

/// `POST /sites`.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit) -> Answer {
    let body =
        json!({ "name": edit.form.get("name"), "description": edit.form.get("description") }).to_string();
    let (server, actor) = (app.clone(), edit.signed.actor());
    match block(move || admin::sites::create(&server, &actor, &body)).await {
        Ok(site) => Ok(done(
            &url::site(&site),
            Toast::say(format!("{} is made, with an environment prod.", site.name)),
        )),
        Err(Error::Invalid(errors)) => show_list(&app, &req, &edit.signed, &edit.form.wrong(&errors)),
        Err(error) => Err(error.into()),
    }
}

/// `GET /sites/{site}`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed, site: Path<String>) -> Answer {
    let place = Place::find(&app, &site, None)?;
    show_site(&app, &req, &signed, &place, &Typed::with(&[("status", "active")]))
}

/// The environments of a site, and the form for another.
pub fn show_site(app: &App, req: &HttpRequest, signed: &Signed, place: &Place, new: &Typed) -> Answer {
    let page = Page::new(app, req, signed, "Environments").at(place, "");
    let site = &place.site;
    let here = url::site(site);
    let (have, most) = (place.environments.len(), app.config.max_environments);
    let main = html! {
        div.head {
            div { h1 { (site.name) } @if !site.description.is_empty() { p.lede { (site.description) } } }
            div.acts {
                a.btn href={ (here) "/document" } { (icon("download")) "Export" }
                @if may_change(signed) && have < most { a.btn.main href="#new" { (icon("plus")) "New environment" } }
            }
        }
        table.tbl.go.stackable {
            caption.vh { "Environments of " (site.name) }
            thead { tr {
                th scope="col" { "Environment" } th scope="col" { "Status" } th scope="col" .r { "Features" }
                th scope="col" { "Tags" } th scope="col" { "Changed" } th scope="col" { span.vh { "More" } }
            } }
            tbody { @for (at, environment) in place.environments.iter().enumerate() { (environment_row(app, signed, site, at, environment)) } }
        }
        @if may_change(signed) {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New environment" } span.end.m3 { (count(have, "environment", "environments")) " of at most " (most) } }
                @if have < most {
                    form.stack.form method="post" action={ (here) "/environments" } {
                        (page.csrf()) (summary(new, environments::SHOWN)) (fields(new))
                        div.row { button.btn.main { "Create environment" } }
                    }
                } @else { p.m2 { "A site has no more than that. Delete one that is no longer needed, or start the server with a larger " code { "--max-environments" } "." } }
            }
        }
    };
    Ok(if new.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn environment_row(app: &App, signed: &Signed, site: &Site, at: usize, environment: &Environment) -> Markup {
    let here = url::environment(site, environment);
    html! {
        tr {
            th scope="row" .k1 {
                a.in href=(url::features(site, environment)) { (environment_name(environment)) }
                @if !environment.description.is_empty() { span.sub.m2.xs { (environment.description) } }
            }
            td { (status_word(environment.status)) }
            td.r.num data-l="Features" { (thin(feature_count(app, environment))) }
            td.hide-s { @for tag in &environment.tags { span.tag { (tag) } " " } }
            td.m2.hide-s.nowrap { (ago(environment.updated_at, app.now())) }
            td.tight.m1 {
                button type="button" .icon popovertarget={ "row-" (at) } aria-label={ "More for " (environment.name) } { (icon("more")) }
                div popover id={ "row-" (at) } .menu {
                    a href=(url::features(site, environment)) { (icon("bolt")) "Features" }
                    a href={ (here) "/test" } { (icon("test")) "Test" }
                    a href={ (here) "/tokens" } { (icon("key")) "Tokens" }
                    a href={ (here) "/settings" } { (icon("edit")) "Settings" }
                    @if may_change(signed) { hr; a.bad href={ (here) "/delete" } { (icon("trash")) "Delete…" } }
                }
            }
        }
    }
}

/// What was typed in the forms of the settings.
#[derive(Default)]
struct Shown {
    settings: Option<Typed>,
    owner: Typed,
    delete: Typed,
    stale: bool,
}

fn stored(site: &Site) -> Typed {
    Typed::with(&[("name", &site.name), ("slug", &site.slug), ("description", &site.description)])
}

/// `GET /sites/{site}/settings`.
pub async fn site_settings(app: Data<App>, req: HttpRequest, signed: Signed, site: Path<String>) -> Answer {
    let place = Place::find(&app, &site, None)?;
    show_settings(&app, &req, &signed, &place, &Shown::default())
}

fn show_settings(app: &App, req: &HttpRequest, signed: &Signed, place: &Place, shown: &Shown) -> Answer {
    let site = &place.site;
    let page = Page::new(app, req, signed, "Settings").at(place, "settings");
    let here = url::site(site);
    let stored = stored(site);
    let typed = shown.settings.as_ref().unwrap_or(&stored);
    let owner = site.owner.as_ref().map_or("", |owner| owner.username.as_str());
    let transfer =
        if shown.owner.has_errors() { shown.owner.clone() } else { Typed::with(&[("userId", owner)]) };
    let main = html! {
        div.head { div { h1 { "Settings of " (site.name) } } }
        @if may_change(signed) {
            form.stack.form method="post" action={ (here) "/settings" } {
                (page.csrf()) (stale::seen(&stored, SETTINGS))
                @if shown.stale { (stale::both(typed, &stored, SETTINGS, &format!("{here}/settings"))) }
                (summary(typed, SITE_FIELDS)) (site_fields(typed, true))
                div.row { button.btn.main { "Save" } }
            }
            section.sect #owner aria-labelledby="owner-h" {
                header { h2 id="owner-h" { "Owner" } }
                form.stack.form method="post" action={ (here) "/owner" } {
                    (page.csrf()) (summary(&transfer, &["userId"]))
                    (Text::new("userId", "Give the site to").hint("The username of somebody who signs in here.").required().draw(&transfer))
                    div.row { button.btn { "Transfer" } }
                }
            }
            section.sect #delete aria-labelledby="delete-h" {
                header { h2 id="delete-h" { "Delete" } }
                form.stack.form method="post" action={ (here) "/delete" } {
                    (page.csrf()) (summary(&shown.delete, &[FIELD]))
                    p.m2 { "The site goes with its environments, features and tokens. Clients get an error from the next request on. What was changed stays in the audit log." }
                    (Text::new(FIELD, &format!("Type {} to confirm", site.slug)).required().draw(&shown.delete))
                    div.row { button.btn.danger { "Delete " (site.name) } }
                }
            }
        } @else {
            dl.facts {
                dt { "Name" } dd { (site.name) }
                dt { "Slug" } dd.mono { (site.slug) }
                dt { "Description" } dd { (site.description) }
                dt { "Owner" } dd { @if owner.is_empty() { span.m3 { "nobody" } } @else { (owner) } }
            }
        }
    };
    let wrong = shown.stale || typed.has_errors() || shown.owner.has_errors() || shown.delete.has_errors();
    Ok(if wrong { page.refuse(main) } else { page.show(main) })
}

/// `POST /sites/{site}/settings`: name, slug, description.
pub async fn update(app: Data<App>, req: HttpRequest, edit: Edit, site: Path<String>) -> Answer {
    let Edit { signed, form } = edit;
    signed.actor().require(Permission::Change)?;
    let place = Place::find(&app, &site, None)?;
    let before = stored(&place.site);
    if stale::is_stale(&form, &before, SETTINGS) {
        let shown = Shown { settings: Some(form), stale: true, ..Shown::default() };
        return show_settings(&app, &req, &signed, &place, &shown);
    }
    let body =
        json!({ "name": form.get("name"), "slug": form.get("slug"), "description": form.get("description") });
    let (server, actor, name) = (app.clone(), signed.actor(), site.clone());
    let errors = match block(move || admin::sites::update(&server, &actor, &name, &body.to_string())).await {
        Ok(site) => {
            let to = format!("{}/settings", url::site(&site));
            let toast = Toast::say(format!("The settings of {} are saved.", site.name));
            return Ok(done(&to, stale::undo(toast, &to, &before, &stored(&site), SETTINGS)));
        }
        Err(Error::Invalid(errors)) => errors,
        Err(Error::Conflict("slug_taken", message, _)) => vec![problem("slug", message)],
        Err(error) => return Err(error.into()),
    };
    let shown = Shown { settings: Some(form.wrong(&errors)), ..Shown::default() };
    show_settings(&app, &req, &signed, &place, &shown)
}

/// `POST /sites/{site}/owner`.
pub async fn transfer(app: Data<App>, req: HttpRequest, edit: Edit, site: Path<String>) -> Answer {
    let Edit { signed, form } = edit;
    let body = json!({ "userId": form.get("userId").trim() }).to_string();
    let (server, actor, name) = (app.clone(), signed.actor(), site.clone());
    let place = Place::find(&app, &site, None)?;
    let before = place.site.owner.as_ref().map(|owner| owner.username.clone());
    let here = url::site(&place.site);
    match block(move || admin::sites::transfer(&server, &actor, &name, &body)).await {
        Ok(site) => {
            let owner = site.owner.map(|owner| owner.username).unwrap_or_default();
            let mut toast = Toast::say(format!("{} belongs to {owner} now.", site.name));
            if let Some(before) = before.filter(|before| *before != owner) {
                toast = toast.undo(format!("{here}/owner"), &[("userId", &before)]);
            }
            Ok(done(&format!("{here}/settings"), toast))
        }
        Err(Error::Invalid(errors)) => {
            let shown = Shown { owner: form.wrong(&errors), ..Shown::default() };
            show_settings(&app, &req, &signed, &place, &shown)
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /sites/{site}/delete`: with the slug typed.
pub async fn delete(app: Data<App>, req: HttpRequest, edit: Edit, site: Path<String>) -> Answer {
    let Edit { signed, form } = edit;
    signed.actor().require(Permission::Change)?;
    let place = Place::find(&app, &site, None)?;
    let question = Question {
        title: "Delete this site?",
        name: &place.site.slug,
        text: html! {},
        action: String::new(),
        verb: "Delete",
        keep: "Keep it",
        back: String::new(),
        typed: Some("slug"),
    };
    if !question.is_answered(&form) {
        let shown = Shown { delete: form.wrong(&[question.problem()]), ..Shown::default() };
        return show_settings(&app, &req, &signed, &place, &shown);
    }
    let (server, actor, id) = (app.clone(), signed.actor(), place.site.uuid.clone());
    block(move || admin::sites::delete(&server, &actor, &id)).await?;
    Ok(done("/sites", Toast::say(format!("{} is deleted.", place.site.name))))
}

/// `GET /sites/{site}/document`: the site as YAML, to download.
pub async fn document(app: Data<App>, signed: Signed, site: Path<String>) -> Answer {
    let (server, actor) = (app.clone(), signed.actor());
    let (slug, yaml) = block(move || {
        let document = admin::documents::export(&server, &actor, &site)?;
        let json = serde_json::to_string(&document).map_err(Error::internal)?;
        Ok((document.slug, crate::yaml::from_json(&json).map_err(Error::internal)?))
    })
    .await?;
    Ok(HttpResponse::Ok()
        .content_type("application/yaml")
        .insert_header(("content-disposition", format!("attachment; filename=\"{slug}.yaml\"")))
        .body(yaml))
}

//! `/sites` and `/sites/{site}`: sites, and the environments of one.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::form::{Text, Typed, area, check, select, summary};
use super::components::{ago, count, empty, icon, thin};
use super::edit::Edit;
use super::failure::{Failure, see_other};
use super::layout::{Page, Place, Toast, done, environment_name, is_production};
use super::{block, url};
use crate::admin;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::{Permission, allows};
use crate::engine::snapshot::Status;
use crate::error::{Error, Result};
use crate::store;
use crate::store::environments::Environment;
use crate::store::sites::Site;

type Answer = std::result::Result<HttpResponse, Failure>;

const SITE_FIELDS: &[&str] = &["name", "slug", "description"];
const ENVIRONMENT_FIELDS: &[&str] = &["name", "description", "tags", "status", "userIdIsContextKey"];

fn may_change(signed: &Signed) -> bool {
    allows(signed.session.role, Permission::Change)
}

fn feature_count(app: &App, environment: &Environment) -> usize {
    app.live.environment(environment.id).map_or(0, |live| live.snapshot().len())
}

/// `GET /sites`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed) -> Answer {
    show_list(&app, &req, &signed, &Typed::default())
}

fn show_list(app: &App, req: &HttpRequest, signed: &Signed, typed: &Typed) -> Answer {
    let q = Query::of(req).get("q").unwrap_or_default().to_lowercase();
    let sites: Vec<(Site, Vec<Environment>)> = app.read_consistent(|conn| {
        store::sites::all(conn)?
            .into_iter()
            .map(|site| Ok((store::environments::list(conn, site.id)?, site)))
            .map(|pair: Result<_>| pair.map(|(environments, site)| (site, environments)))
            .collect()
    })?;
    let all = sites.len();
    let shown: Vec<_> = sites
        .into_iter()
        .filter(|(site, _)| {
            let owner = site.owner.as_ref().map_or("", |owner| owner.username.as_str());
            format!("{}\n{}\n{owner}", site.name, site.slug).to_lowercase().contains(&q)
        })
        .collect();
    let page = Page::new(app, req, signed, "Sites");
    let now = app.now();
    let main = html! {
        div.head {
            div { h1 { "Sites" } p.lede { "One site is one application or service, with environments of its own." } }
            @if may_change(signed) {
                div.acts { a.btn.main href="#new" { (icon("plus")) "New site" } }
            }
        }
        @if all > 0 {
            form.filter method="get" action="/sites" role="search" {
                div.row.wrap {
                    div.searchbox { (icon("search")) input name="q" value=(q) data-filter="" aria-label="Search sites" placeholder="Name, slug or owner"; }
                    button.btn { "Search" }
                }
            }
        }
        @if shown.is_empty() && all > 0 {
            (empty("No site matches", "Try a part of its name, slug or owner.", Some(html! { a.btn href="/sites" { "Show all" } })))
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
                } }
                tbody {
                    @for (site, environments) in &shown {
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
                            td.m2.hide-s { (ago(site.updated_at, now)) }
                        }
                    }
                }
            }
        }
        @if may_change(signed) {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New site" } }
                form.stack method="post" action="/sites" {
                    (page.csrf()) (summary(typed, SITE_FIELDS)) (site_fields(typed, false))
                    div.row { button.btn.main { "Create site" } }
                }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
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
    let typed = Typed::with(&[
        ("name", &place.site.name),
        ("slug", &place.site.slug),
        ("description", &place.site.description),
    ]);
    show_site(&app, &req, &signed, &place, &typed, &Typed::default())
}

fn show_site(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    place: &Place,
    settings: &Typed,
    new: &Typed,
) -> Answer {
    let page = Page::new(app, req, signed, "Environments").at(place, "");
    let site = &place.site;
    let now = app.now();
    let here = url::site(site);
    let main = html! {
        div.head {
            div { h1 { (site.name) } @if !site.description.is_empty() { p.lede { (site.description) } } }
            div.acts {
                a.btn.quiet href={ (here) "/branding" } { "Branding" }
                a.btn.quiet href={ (here) "/document" } { (icon("download")) "Export" }
                @if may_change(signed) { a.btn.main href="#new" { (icon("plus")) "New environment" } }
            }
        }
        table.tbl.go.stackable {
            caption.vh { "Environments of " (site.name) }
            thead { tr {
                th scope="col" { "Environment" } th scope="col" { "Status" } th scope="col" .r { "Features" }
                th scope="col" { "Tags" } th scope="col" { "Changed" } th scope="col" { span.vh { "Settings" } }
            } }
            tbody {
                @for environment in &place.environments {
                    tr {
                        th scope="row" .k1 {
                            a.in href=(url::features(site, environment)) { (environment_name(environment)) }
                            @if !environment.description.is_empty() { span.sub.m2.xs { (environment.description) } }
                        }
                        td { (status_word(environment.status)) }
                        td.r.num { (thin(feature_count(app, environment))) }
                        td.hide-s { @for tag in &environment.tags { span.tag { (tag) } " " } }
                        td.m2.hide-s { (ago(environment.updated_at, now)) }
                        td.tight { a.icon href={ (url::environment(site, environment)) "/settings" } aria-label={ "Settings of " (environment.name) } { (icon("edit")) } }
                    }
                }
            }
        }
        @if may_change(signed) {
            section.sect #new aria-labelledby="new-h" {
                header { h2 id="new-h" { "New environment" } span.end.m3 { (count(place.environments.len(), "environment", "environments")) " of " (app.config.max_environments) } }
                form.stack method="post" action={ (here) "/environments" } {
                    (page.csrf()) (summary(new, ENVIRONMENT_FIELDS)) (environment_fields(new))
                    div.row { button.btn.main { "Create environment" } }
                }
            }
            section.sect #settings aria-labelledby="settings-h" {
                header { h2 id="settings-h" { "Settings of the site" } }
                form.stack method="post" action=(here) {
                    (page.csrf()) (summary(settings, SITE_FIELDS)) (site_fields(settings, true))
                    div.row { button.btn { "Save" } }
                }
            }
            section.sect aria-labelledby="owner-h" {
                header { h2 id="owner-h" { "Owner" } }
                form.row.wrap method="post" action={ (here) "/owner" } {
                    (page.csrf())
                    label for="userId" { "Give the site to" }
                    input id="userId" name="userId" value=(site.owner.as_ref().map_or("", |owner| owner.username.as_str())) autocomplete="off" autocapitalize="off";
                    button.btn { "Transfer" }
                }
            }
            section.sect aria-labelledby="delete-h" {
                header { h2 id="delete-h" { "Delete" } }
                p.m2 { "The site goes with its environments, features, tokens and history of values. Clients get an error from the next request on." }
                form.row.wrap method="post" action={ (here) "/delete" } {
                    (page.csrf())
                    label for="typed" { "Type " code { (site.slug) } " to confirm" }
                    input id="typed" name="typed" autocomplete="off" autocapitalize="off" spellcheck="false";
                    button.btn.danger { "Delete " (site.name) }
                }
            }
        }
    };
    Ok(if settings.has_errors() || new.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "Active",
        Status::Maintenance => "In maintenance",
        Status::Archived => "Archived",
    }
}

fn environment_fields(typed: &Typed) -> Markup {
    html! {
        (Text::new("name", "Name").required().hint("a-z 0-9 _ -, for example staging").draw(typed))
        (Text::new("description", "Description").draw(typed))
        (Text::new("tags", "Tags").hint("Comma separated. The tag production makes it visibly different and asks before anything is turned off.").draw(typed))
        (select("status", "Status", &[("active", "Active: serves"), ("maintenance", "Maintenance: clients are told to come back later"), ("archived", "Archived: serves nothing, read-only")], typed))
    }
}

fn tag_list(typed: &str) -> Vec<&str> {
    typed.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect()
}

/// Field errors of the API named as the form names them: `tags[1]` belongs to `tags`.
fn form_errors(errors: Vec<crate::engine::decode::FieldError>) -> Vec<crate::engine::decode::FieldError> {
    let plain = |field: String| field.split('[').next().unwrap_or_default().to_owned();
    errors
        .into_iter()
        .map(|error| crate::engine::decode::FieldError { field: plain(error.field), message: error.message })
        .collect()
}

/// `POST /sites/{site}`: name, slug, description.
pub async fn update(app: Data<App>, req: HttpRequest, edit: Edit, site: Path<String>) -> Answer {
    let form = &edit.form;
    let body =
        json!({ "name": form.get("name"), "slug": form.get("slug"), "description": form.get("description") });
    let (server, actor, name) = (app.clone(), edit.signed.actor(), site.clone());
    match block(move || admin::sites::update(&server, &actor, &name, &body.to_string())).await {
        Ok(site) => Ok(done(&url::site(&site), Toast::say("Saved."))),
        Err(Error::Invalid(errors)) => {
            let place = Place::find(&app, &site, None)?;
            show_site(&app, &req, &edit.signed, &place, &edit.form.clone().wrong(&errors), &Typed::default())
        }
        Err(Error::Conflict("slug_taken", message, _)) => {
            let place = Place::find(&app, &site, None)?;
            let error = crate::engine::decode::FieldError { field: "slug".into(), message };
            show_site(&app, &req, &edit.signed, &place, &edit.form.clone().wrong(&[error]), &Typed::default())
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /sites/{site}/owner`.
pub async fn transfer(app: Data<App>, edit: Edit, site: Path<String>) -> Answer {
    let body = json!({ "userId": edit.form.get("userId").trim() }).to_string();
    let (server, actor, name) = (app.clone(), edit.signed.actor(), site.clone());
    let back = format!("/sites/{}", url::encode(&site));
    match block(move || admin::sites::transfer(&server, &actor, &name, &body)).await {
        Ok(site) => {
            let owner = site.owner.map(|owner| owner.username).unwrap_or_default();
            Ok(done(&back, Toast::say(format!("{} belongs to {owner} now.", site.name))))
        }
        Err(Error::Invalid(_)) => {
            Ok(done(&back, Toast::say("There is no user of that name, so nothing was changed.")))
        }
        Err(error) => Err(error.into()),
    }
}

/// `POST /sites/{site}/delete`: with the slug typed.
pub async fn delete(app: Data<App>, edit: Edit, site: Path<String>) -> Answer {
    let found = app.read(|conn| store::sites::find(conn, &site))?;
    if edit.form.get("typed").trim() != found.slug {
        let text = format!("Nothing was deleted: type {} to confirm.", found.slug);
        return Ok(done(&url::site(&found), Toast::say(text)));
    }
    let (server, actor) = (app.clone(), edit.signed.actor());
    block(move || admin::sites::delete(&server, &actor, &site)).await?;
    Ok(done("/sites", Toast::say(format!("{} is deleted.", found.name))))
}

/// `POST /sites/{site}/environments`.
pub async fn create_environment(app: Data<App>, req: HttpRequest, edit: Edit, site: Path<String>) -> Answer {
    let form = &edit.form;
    let body = json!({
        "name": form.get("name").trim(), "description": form.get("description"),
        "tags": tag_list(form.get("tags")), "status": form.get("status"),
    });
    let (server, actor, name) = (app.clone(), edit.signed.actor(), site.clone());
    let made = block(move || admin::environments::create(&server, &actor, &name, &body.to_string())).await;
    let place = Place::find(&app, &site, None)?;
    let errors = match made {
        Ok(environment) => {
            let text = format!("{} is made.", environment.name);
            return Ok(done(&url::features(&place.site, &environment), Toast::say(text)));
        }
        Err(Error::Invalid(errors)) => form_errors(errors),
        Err(Error::Conflict("name_taken" | "limit_reached", message, _)) => {
            vec![crate::engine::decode::FieldError { field: "name".into(), message }]
        }
        Err(error) => return Err(error.into()),
    };
    let settings = Typed::with(&[
        ("name", &place.site.name),
        ("slug", &place.site.slug),
        ("description", &place.site.description),
    ]);
    show_site(&app, &req, &edit.signed, &place, &settings, &edit.form.clone().wrong(&errors))
}

/// `GET /sites/{site}/environments/{environment}`: its features.
pub async fn environment(path: Path<(String, String)>) -> HttpResponse {
    see_other(&format!("/sites/{}/environments/{}/features", url::encode(&path.0), url::encode(&path.1)))
}

fn typed_environment(environment: &Environment) -> Typed {
    let tags = environment.tags.join(", ");
    let mut values = vec![
        ("name", environment.name.as_str()),
        ("description", &environment.description),
        ("tags", &tags),
        ("status", environment.status.as_str()),
    ];
    if environment.user_id_is_context {
        values.push(("userIdIsContextKey", "on"));
    }
    Typed::with(&values)
}

/// `GET …/environments/{environment}/settings`.
pub async fn settings(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    path: Path<(String, String)>,
) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    let typed = typed_environment(place.environment()?);
    show_settings(&app, &req, &signed, &place, &typed)
}

fn show_settings(app: &App, req: &HttpRequest, signed: &Signed, place: &Place, typed: &Typed) -> Answer {
    let environment = place.environment()?;
    let here = url::environment(&place.site, environment);
    let page = Page::new(app, req, signed, "Settings").at(place, "").narrow();
    let main = html! {
        div.head { div { h1 { "Settings of " (environment.name) } } }
        @if may_change(signed) {
            form.stack method="post" action={ (here) "/settings" } {
                (page.csrf()) (summary(typed, ENVIRONMENT_FIELDS)) (environment_fields(typed))
                (check("userIdIsContextKey", "userId names a stored Context (else only contextKey does)", typed))
                div.row { button.btn.main.prod[is_production(environment)] { "Save" @if is_production(environment) { " to " (environment.name) } } }
            }
            section.sect aria-labelledby="delete-h" {
                header { h2 id="delete-h" { "Delete" } }
                p.m2 { "The environment goes with its features and tokens. Clients get an error from the next request on." }
                form.row.wrap method="post" action={ (here) "/delete" } {
                    (page.csrf())
                    label for="typed" { "Type " code { (environment.name) } " to confirm" }
                    input id="typed" name="typed" autocomplete="off" autocapitalize="off" spellcheck="false";
                    button.btn.danger { "Delete " (environment.name) }
                }
            }
        } @else {
            dl.inlinefacts {
                div { dt.m3 { "Status" } dd { (status_word(environment.status)) } }
                div { dt.m3 { "Tags" } dd { (environment.tags.join(", ")) } }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

/// `POST …/environments/{environment}/settings`.
pub async fn update_environment(
    app: Data<App>,
    req: HttpRequest,
    edit: Edit,
    path: Path<(String, String)>,
) -> Answer {
    let form = &edit.form;
    let body = json!({
        "name": form.get("name").trim(), "description": form.get("description"),
        "tags": tag_list(form.get("tags")), "status": form.get("status"),
        "userIdIsContextKey": form.is_on("userIdIsContextKey"),
    });
    let (site, name) = path.into_inner();
    let (server, actor, at) = (app.clone(), edit.signed.actor(), (site.clone(), name.clone()));
    let saved =
        block(move || admin::environments::update(&server, &actor, &at.0, &at.1, &body.to_string())).await;
    let errors = match saved {
        Ok(environment) => {
            let place = Place::find(&app, &site, Some(&environment.uuid))?;
            let to = format!("{}/settings", url::environment(&place.site, &environment));
            return Ok(done(&to, Toast::say("Saved.")));
        }
        Err(Error::Invalid(errors)) => form_errors(errors),
        Err(Error::Conflict("name_taken" | "environment_archived", message, _)) => {
            vec![crate::engine::decode::FieldError { field: "name".into(), message }]
        }
        Err(error) => return Err(error.into()),
    };
    let place = Place::find(&app, &site, Some(&name))?;
    show_settings(&app, &req, &edit.signed, &place, &edit.form.clone().wrong(&errors))
}

/// `POST …/environments/{environment}/delete`: with the name typed.
pub async fn delete_environment(app: Data<App>, edit: Edit, path: Path<(String, String)>) -> Answer {
    let (site, name) = path.into_inner();
    let place = Place::find(&app, &site, Some(&name))?;
    let environment = place.environment()?;
    if edit.form.get("typed").trim() != environment.name {
        let to = format!("{}/settings", url::environment(&place.site, environment));
        return Ok(done(
            &to,
            Toast::say(format!("Nothing was deleted: type {} to confirm.", environment.name)),
        ));
    }
    let (server, actor) = (app.clone(), edit.signed.actor());
    block(move || admin::environments::delete(&server, &actor, &site, &name)).await?;
    Ok(done(&url::site(&place.site), Toast::say(format!("{} is deleted.", environment.name))))
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

//! `…/environments/{environment}/settings`: name, tags and status of an environment; making and deleting one.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::ask::Question;
use super::components::form::{Text, Typed, check, select, summary};
use super::components::icon;
use super::components::stale::{self, Fields};
use super::edit::Edit;
use super::failure::see_other;
use super::layout::{Page, Place, Toast, done, is_production};
use super::sites::{Answer, may_change, problem, show_site};
use super::{block, url};
use crate::admin;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::decode::FieldError;
use crate::engine::permission::Permission;
use crate::engine::snapshot::Status;
use crate::error::Error;
use crate::store::environments::Environment;

/// Fields with a message beside them.
pub const SHOWN: &[&str] = &["name", "description", "tags", "status", "userIdIsContextKey"];
const SETTINGS: Fields = &[
    ("name", "Name"),
    ("description", "Description"),
    ("tags", "Tags"),
    ("status", "Status"),
    ("userIdIsContextKey", "userId names a stored Context"),
];

/// A status as people say it.
pub fn status_word(status: Status) -> &'static str {
    match status {
        Status::Active => "Active",
        Status::Maintenance => "In maintenance",
        Status::Archived => "Archived",
    }
}

/// The fields of an environment.
pub fn fields(typed: &Typed) -> Markup {
    html! {
        (Text::new("name", "Name").required().hint("a-z 0-9 _ -, for example staging").draw(typed))
        (Text::new("description", "Description").draw(typed))
        (Text::new("tags", "Tags").hint("By commas. The tag production makes it visibly different and asks before anything is turned off.").draw(typed))
        (select("status", "Status", &[("active", "Active: serves"), ("maintenance", "Maintenance: clients are told to come back later"), ("archived", "Archived: serves nothing, read-only")], typed))
    }
}

fn tag_list(typed: &str) -> Vec<&str> {
    typed.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect()
}

/// Field errors of the API named as the form names them: `tags[1]` belongs to `tags`.
fn form_errors(errors: Vec<FieldError>) -> Vec<FieldError> {
    let plain = |field: String| field.split('[').next().unwrap_or_default().to_owned();
    errors.into_iter().map(|error| FieldError { field: plain(error.field), message: error.message }).collect()
}

fn stored(environment: &Environment) -> Typed {
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

/// `POST /sites/{site}/environments`.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit, site: Path<String>) -> Answer {
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
        Err(Error::Conflict("name_taken" | "limit_reached", message, _)) => vec![problem("name", message)],
        Err(error) => return Err(error.into()),
    };
    show_site(&app, &req, &edit.signed, &place, &edit.form.clone().wrong(&errors))
}

/// `GET /sites/{site}/environments/{environment}`: its features.
pub async fn show(path: Path<(String, String)>, signed: Signed) -> HttpResponse {
    let _ = signed;
    see_other(&format!("/sites/{}/environments/{}/features", url::encode(&path.0), url::encode(&path.1)))
}

/// `GET …/environments/{environment}/settings`.
pub async fn settings(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    path: Path<(String, String)>,
) -> Answer {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    show_settings(&app, &req, &signed, &place, None, false)
}

fn show_settings(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    place: &Place,
    typed: Option<&Typed>,
    conflict: bool,
) -> Answer {
    let environment = place.environment()?;
    let here = url::environment(&place.site, environment);
    let page = Page::new(app, req, signed, "Settings").at(place, "settings");
    let stored = stored(environment);
    let typed = typed.unwrap_or(&stored);
    let main = html! {
        div.head { div { h1 { "Settings of " (environment.name) } } }
        @if may_change(signed) {
            form.stack.form method="post" action={ (here) "/settings" } {
                (page.csrf()) (stale::seen(&stored, SETTINGS))
                @if conflict { (stale::both(typed, &stored, SETTINGS, &format!("{here}/settings"))) }
                (summary(typed, SHOWN)) (fields(typed))
                (check("userIdIsContextKey", "userId names a stored Context (else only contextKey does)", typed))
                div.row {
                    button.btn.main[!is_production(environment)].prod[is_production(environment)] {
                        "Save" @if is_production(environment) { " to " (environment.name) }
                    }
                }
            }
            section.sect aria-labelledby="delete-h" {
                header { h2 id="delete-h" { "Delete" } }
                p.m2 { "The environment goes with its features, tokens and webhooks. Clients get an error from the next request on." }
                div.row.sect-acts { a.btn.danger href={ (here) "/delete" } { (icon("trash")) "Delete " (environment.name) "…" } }
            }
        } @else {
            dl.facts {
                dt { "Status" } dd { (status_word(environment.status)) }
                dt { "Description" } dd { (environment.description) }
                dt { "Tags" } dd { (environment.tags.join(", ")) }
            }
        }
    };
    Ok(if conflict || typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

/// Asks before an environment in production stops serving.
fn stop_question<'a>(place: &Place, environment: &'a Environment, to: Status) -> Question<'a> {
    Question {
        title: "Stop serving in production?",
        name: &environment.name,
        text: match to {
            Status::Maintenance => {
                html! { "answers every client with “come back later” from the next request on." }
            }
            _ => {
                html! { "answers no client any more, from the next request on, and nothing in it can be changed." }
            }
        },
        action: format!("{}/settings", url::environment(&place.site, environment)),
        verb: if to == Status::Maintenance { "Put in maintenance" } else { "Archive" },
        keep: "Keep it active",
        back: format!("{}/settings", url::environment(&place.site, environment)),
        typed: Some("name of the environment"),
    }
}

/// `POST …/environments/{environment}/settings`.
pub async fn update(app: Data<App>, req: HttpRequest, edit: Edit, path: Path<(String, String)>) -> Answer {
    let Edit { signed, form } = edit;
    signed.actor().require(Permission::Change)?;
    let (site, name) = path.into_inner();
    let place = Place::find(&app, &site, Some(&name))?;
    let environment = place.environment()?;
    let before = stored(environment);
    if stale::is_stale(&form, &before, SETTINGS) {
        return show_settings(&app, &req, &signed, &place, Some(&form), true);
    }
    let status = Status::parse(form.get("status")).unwrap_or(environment.status);
    if is_production(environment) && environment.status == Status::Active && status != Status::Active {
        let question = stop_question(&place, environment, status);
        if !question.is_answered(&form) {
            let asked = form.is_on(super::components::ask::FIELD);
            let page = Page::new(&app, &req, &signed, "Stop serving").at(&place, "settings");
            let carried = html! {
                @for name in SHOWN { @for value in form.all(name) { input type="hidden" name=(name) value=(value); } }
                (stale::seen(&before, SETTINGS))
            };
            let typed = if asked { form.clone().wrong(&[question.problem()]) } else { form.clone() };
            let main = question.draw(page.csrf(), &typed, &carried);
            return Ok(if asked { page.refuse(main) } else { page.show(main) });
        }
    }
    let body = json!({
        "name": form.get("name").trim(), "description": form.get("description"),
        "tags": tag_list(form.get("tags")), "status": form.get("status"),
        "userIdIsContextKey": form.is_on("userIdIsContextKey"),
    });
    let (server, actor, at) = (app.clone(), signed.actor(), (site.clone(), name.clone()));
    let saved =
        block(move || admin::environments::update(&server, &actor, &at.0, &at.1, &body.to_string())).await;
    let errors = match saved {
        Ok(environment) => {
            let place = Place::find(&app, &site, Some(&environment.uuid))?;
            let to = format!("{}/settings", url::environment(&place.site, &environment));
            let toast = Toast::say(format!("The settings of {} are saved.", environment.name));
            return Ok(done(&to, stale::undo(toast, &to, &before, &stored(&environment), SETTINGS)));
        }
        Err(Error::Invalid(errors)) => form_errors(errors),
        Err(Error::Conflict("name_taken" | "environment_archived", message, _)) => {
            vec![problem("name", message)]
        }
        Err(error) => return Err(error.into()),
    };
    show_settings(&app, &req, &signed, &place, Some(&form.wrong(&errors)), false)
}

fn delete_question<'a>(place: &Place, environment: &'a Environment) -> Question<'a> {
    let here = url::environment(&place.site, environment);
    Question {
        title: if is_production(environment) { "Delete in production?" } else { "Delete this environment?" },
        name: &environment.name,
        text: html! { "goes with its features, tokens and webhooks. Clients get an error from the next request on." },
        action: format!("{here}/delete"),
        verb: "Delete",
        keep: "Keep it",
        back: format!("{here}/settings"),
        typed: Some("name of the environment"),
    }
}

/// `GET …/environments/{environment}/delete`: the question.
pub async fn ask_delete(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    path: Path<(String, String)>,
) -> Answer {
    signed.actor().require(Permission::Change)?;
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    let question = delete_question(&place, place.environment()?);
    let page = Page::new(&app, &req, &signed, "Delete").at(&place, "settings");
    let main = question.draw(page.csrf(), &Typed::default(), &html! {});
    Ok(page.show(main))
}

/// `POST …/environments/{environment}/delete`: with the name typed.
pub async fn delete(app: Data<App>, req: HttpRequest, edit: Edit, path: Path<(String, String)>) -> Answer {
    let Edit { signed, form } = edit;
    signed.actor().require(Permission::Change)?;
    let (site, name) = path.into_inner();
    let place = Place::find(&app, &site, Some(&name))?;
    let environment = place.environment()?;
    let question = delete_question(&place, environment);
    if !question.is_answered(&form) {
        let page = Page::new(&app, &req, &signed, "Delete").at(&place, "settings");
        let main = question.draw(page.csrf(), &form.wrong(&[question.problem()]), &html! {});
        return Ok(page.refuse(main));
    }
    let (server, actor) = (app.clone(), signed.actor());
    block(move || admin::environments::delete(&server, &actor, &site, &name)).await?;
    Ok(done(&url::site(&place.site), Toast::say(format!("{} is deleted.", environment.name))))
}

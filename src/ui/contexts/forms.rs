//! What is posted to the page of a Context: a value, a prototype, its end.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::html;

use super::page::{draw, load};
use super::{href, messages, written};
use crate::admin::contexts::{self, Edit as Change, Target};
use crate::api::request::segment;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::decode::FieldError;
use crate::engine::permission::Permission;
use crate::engine::snapshot::OVERRIDE;
use crate::error::Error;
use crate::ui::components::count;
use crate::ui::components::form::{Text, Typed};
use crate::ui::edit::{Edit, blocking};
use crate::ui::failure::Failure;
use crate::ui::features::Here;
use crate::ui::layout::{Page, Toast, done};

/// The Context of a form, at the version that it was drawn from.
pub fn target(here: &Here, key: &str, form: &Typed) -> Target {
    Target {
        site: here.place.site.uuid.clone(),
        environment: here.environment_name().to_owned(),
        key: key.to_owned(),
        expected: form.get("version").parse().ok(),
    }
}

/// What a form wants changed, and the sentence for when it is.
fn wanted(form: &Typed, key: &str, prototypes: Vec<String>) -> Option<(Change, String)> {
    let feature = form.get("feature").trim().to_owned();
    let reason = form.get("reason").trim().to_owned();
    let value = |value| Change {
        features: vec![(feature.clone(), value)],
        reason: reason.clone(),
        ..Change::default()
    };
    let list = |list: Vec<String>| Change { prototypes: Some(list), ..Change::default() };
    let mut list_now = prototypes;
    let at: usize = form.get("at").parse().unwrap_or(usize::MAX);
    Some(match form.get("op") {
        "set" => {
            (value(Some(written(form.get("value")))), format!("{key} has its own value for {feature} now."))
        }
        "remove" => (value(None), format!("{key} has no value of its own for {feature} any more.")),
        "add" => {
            let prototype = form.get("prototype").trim().to_owned();
            let told = format!("{key} inherits from {prototype} now.");
            list_now.push(prototype);
            (list(list_now), told)
        }
        "up" if at > 0 && at < list_now.len() => {
            list_now.swap(at - 1, at);
            (list(list_now), format!("Another order of {key}’s prototypes."))
        }
        "down" if at + 1 < list_now.len() => {
            list_now.swap(at, at + 1);
            (list(list_now), format!("Another order of {key}’s prototypes."))
        }
        "drop" if at < list_now.len() => {
            let gone = list_now.remove(at);
            (list(list_now), format!("{key} does not inherit from {gone} any more."))
        }
        "describe" => {
            let description = Some(form.get("description").trim().to_owned());
            (Change { description, ..Change::default() }, format!("{key} is described otherwise."))
        }
        _ => return None,
    })
}

/// `POST …/contexts/{context}`.
pub async fn post(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let key = segment(&req, "context")?;
    let shown = load(&app, &here, &key)?;
    let view = shown.view.as_ref().ok_or_else(|| Error::NotFound(format!("Context {key}")))?;
    let refuse = |problems: &[String]| draw(&app, &req, &edit.signed, &here, &shown, &edit.form, problems);
    let is_value = matches!(edit.form.get("op"), "set" | "remove");
    if key == OVERRIDE && is_value && edit.form.get("reason").trim().is_empty() {
        return refuse(&[
            "Say why: an override is for everyone, and the reason goes into the audit log.".into()
        ]);
    }
    let Some((change, told)) = wanted(&edit.form, &key, view.prototypes.clone()) else {
        return Ok(done(&href(&here, &key), Toast::say("There was nothing to do.")));
    };
    let feature = edit.form.get("feature").trim().to_owned();
    let before = view.features.get(&feature).cloned();
    let (server, at) = (app.clone(), target(&here, &key, &edit.form));
    match blocking(move || contexts::change(&server, &actor, &at, &change)).await {
        Ok(_) => {
            let mut toast = Toast::say(told);
            let undo = href(&here, &key);
            if is_value && key != OVERRIDE {
                toast = match &before {
                    Some(value) => {
                        toast.undo(undo, &[("op", "set"), ("feature", &feature), ("value", value)])
                    }
                    None => toast.undo(undo, &[("op", "remove"), ("feature", &feature)]),
                };
            }
            Ok(done(&href(&here, &key), toast))
        }
        Err(Error::VersionConflict(_)) => {
            let here = Here::of(&app, &req, &edit.signed)?;
            let shown = load(&app, &here, &key)?;
            let told = [
                "Somebody changed this Context meanwhile. It is shown as it is now; what you typed is below."
                    .to_owned(),
            ];
            draw(&app, &req, &edit.signed, &here, &shown, &edit.form, &told)
        }
        Err(error) => refuse(&messages(error)?),
    }
}

/// `GET …/contexts/{context}/delete`: who inherits from it, and the question.
pub async fn ask_delete(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    signed.actor().require(Permission::Change)?;
    question(&app, &req, &signed, &here, &Typed::default())
}

fn question(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    here: &Here,
    typed: &Typed,
) -> Result<HttpResponse, Failure> {
    let key = segment(req, "context")?;
    let shown = load(app, here, &key)?;
    let view = shown.view.as_ref().ok_or_else(|| Error::NotFound(format!("Context {key}")))?;
    let (dependants, children) = shown.dependants();
    let page = Page::new(app, req, signed, "Delete Context").at(&here.place, "contexts").narrow();
    let main = html! {
        form.panel.stack method="post" action={ (href(here, &key)) "/delete" } {
            (page.csrf())
            input type="hidden" name="version" value=(view.version);
            h1 { "Delete this Context?" }
            p { span.key { (key) } " goes with " (count(view.features.len(), "value", "values")) " of its own. Whoever has this key gets what the rules and defaults say." }
            @if dependants > 0 {
                p { b { (count(dependants as usize, "Context inherits", "Contexts inherit")) " from it" } ", and lose what they have from it:" }
                p.row.wrap { @for child in children { a.chip href=(href(here, child)) { (child) } } @if dependants as usize > children.len() { span.m2 { "…" } } }
                input type="hidden" name="detach" value="on";
            }
            @if here.place.is_production() { (Text::new("confirm", "Type the key to confirm").required().draw(typed)) }
            @else { input type="hidden" name="confirm" value=(key); }
            div.row {
                button.btn.danger.main { @if dependants > 0 { "Delete, and take it out of their lists" } @else { "Delete" } }
                a.btn href=(href(here, &key)) { "Keep it" }
            }
        }
    };
    Ok(if typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

/// `POST …/contexts/{context}/delete`.
pub async fn delete(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let key = segment(&req, "context")?;
    if edit.form.get("confirm").trim() != key {
        let wrong = FieldError { field: "confirm".into(), message: "That is not the key.".into() };
        return question(&app, &req, &edit.signed, &here, &edit.form.wrong(&[wrong]));
    }
    let (server, at, detach) = (app.clone(), target(&here, &key, &edit.form), edit.form.is_on("detach"));
    match blocking(move || contexts::delete(&server, &actor, &at, detach)).await {
        Ok(()) => Ok(done(&here.section("contexts"), Toast::say(format!("The Context {key} is deleted.")))),
        // Somebody began to inherit from it, or changed it: asked once more, with what is there now.
        Err(error @ (Error::Conflict("context_in_use", ..) | Error::VersionConflict(_))) => {
            let told = FieldError { field: "confirm".into(), message: error.to_string() };
            question(&app, &req, &edit.signed, &here, &Typed::default().wrong(&[told]))
        }
        Err(error) => Err(error.into()),
    }
}

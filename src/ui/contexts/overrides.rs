//! The kill switch: one gesture on a feature that gives everyone the same value, and one that takes it back.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::forms::target;
use super::{control, href, messages, refusal, written};
use crate::admin::contexts::{self, Edit as Change};
use crate::app::App;
use crate::engine::compile::Feature;
use crate::engine::lookup::text;
use crate::engine::permission::Permission;
use crate::engine::snapshot::OVERRIDE;
use crate::engine::value::FeatureType;
use crate::ui::components::form::{Typed, lines};
use crate::ui::components::icon;
use crate::ui::edit::{Edit, blocking};
use crate::ui::failure::Failure;
use crate::ui::features::Here;
use crate::ui::layout::{Page, Toast, done};
use crate::ui::url;

/// The first step of a feature's page: what everyone is forced to get, or the way to do so.
pub fn step(page: &Page<'_>, here: &Here, feature: &Feature) -> Markup {
    let action = format!("{}/override", here.feature(&feature.key));
    match here.overridden(&feature.key) {
        Some(value) => html! {
            span.say { "Everyone gets " code { (super::short(feature, value.as_str())) } ", whatever stands below. " a href=(href(here, OVERRIDE)) { "All overrides" } }
            @if here.can_change {
                form.row.wrap method="post" action={ (action) "/lift" } {
                    (page.csrf())
                    input.mid name="reason" aria-label="Why it is lifted" placeholder="Why, for the audit log" autocomplete="off";
                    button.btn.danger { (icon("undo")) "Lift the override" }
                }
            }
        },
        None => html! {
            span.say { "None set." }
            @if here.can_change {
                details {
                    summary { "Override for everyone…" }
                    (form(page, feature, &action, &Typed::default(), None))
                }
            }
        },
    }
}

/// `instead`: the override that there is, where this one takes its place.
fn form(page: &Page<'_>, feature: &Feature, action: &str, typed: &Typed, instead: Option<&str>) -> Markup {
    let kind = feature.definition().kind;
    let value = match (typed.get("value"), kind) {
        ("", FeatureType::Boolean) => "no",
        (value, _) => value,
    };
    html! {
        form.stack.t method="post" action=(action) {
            (page.csrf())
            @if let Some(value) = instead { input type="hidden" name="instead" value=(value); }
            div.row.wrap {
                label.field { span { "Everyone gets" } (control(feature, "override-value", "value", "The value for everyone", value)) }
                label.field { span { "Reason" } input name="reason" value=(typed.get("reason")) required placeholder="Goes into the audit log" autocomplete="off"; }
            }
            div { button.btn.danger { (icon("warn")) "Override now" } }
        }
    }
}

/// `POST …/features/{key}/override`.
pub async fn set(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let feature = here.find(&req)?;
    let key = feature.key.to_string();
    let reason = edit.form.get("reason").trim().to_owned();
    let before = here.overridden(&key).map(|value| text(&feature, value.as_str()));
    let seen = edit.form.is_on("instead").then(|| edit.form.get("instead"));
    let result = if before.as_deref().map(lines).as_deref() != seen {
        let now = before.as_ref().map_or("nothing".into(), |value| format!("{value:?}"));
        Err(vec![format!(
            "Somebody changed the override meanwhile: everyone gets {now}. Override again to put yours over it."
        )])
    } else if reason.is_empty() {
        Err(vec!["Say why: an override is for everyone, and the reason goes into the audit log.".to_owned()])
    } else {
        let value = written(edit.form.get("value"));
        let change = Change { features: vec![(key.clone(), Some(value))], reason, ..Change::default() };
        let (server, at) = (app.clone(), target(&here, OVERRIDE, &Typed::default()));
        match blocking(move || contexts::change(&server, &actor, &at, &change)).await {
            Ok(_) => Ok(()),
            Err(error) => Err(messages(error)?),
        }
    };
    let action = format!("{}/override", here.feature(&key));
    match result {
        Ok(()) => {
            let toast = Toast::say(format!(
                "Everyone in {} gets the override of {key} now.",
                here.environment_name()
            ));
            let toast = match &before {
                Some(value) => {
                    let now = Here::of(&app, &req, &edit.signed)?;
                    let now =
                        now.overridden(&key).map(|value| text(&feature, value.as_str())).unwrap_or_default();
                    toast.undo(&action, &[("value", value), ("reason", "undone"), ("instead", &now)])
                }
                None => toast.undo(format!("{action}/lift"), &[("reason", "undone")]),
            };
            Ok(done(&here.feature(&key), toast))
        }
        Err(problems) => {
            let page = Page::new(&app, &req, &edit.signed, "Override").at(&here.place, "features").narrow();
            let main = html! {
                nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(here.feature(&key)) { (key) } }
                div.head { div { h1 { "Override for everyone" } p.lede { span.key { (key) } " in " (here.environment_name()) } } }
                (refusal(&problems))
                (form(&page, &feature, &action, &edit.form, before.as_deref()))
            };
            Ok(page.refuse(main))
        }
    }
}

/// `POST …/features/{key}/override/lift`.
pub async fn lift(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    let feature = here.find(&req)?;
    let key = feature.key.to_string();
    let before = here.overridden(&key).map(|value| text(&feature, value.as_str()));
    let reason = edit.form.get("reason").trim().to_owned();
    let change = Change { features: vec![(key.clone(), None)], reason, ..Change::default() };
    let (server, at) = (app.clone(), target(&here, OVERRIDE, &Typed::default()));
    blocking(move || contexts::change(&server, &actor, &at, &change)).await?;
    let mut toast =
        Toast::say(format!("{key} is answered by its rules again in {}.", here.environment_name()));
    if let Some(value) = &before {
        let action = format!("{}/override", here.feature(&key));
        toast = toast.undo(action, &[("value", value), ("reason", "undone")]);
    }
    Ok(done(&here.feature(&key), toast))
}

/// The third step of a feature's page: which Contexts have a value of their own for it.
pub fn holders(here: &Here, feature: &Feature) -> Markup {
    const SHOWN: usize = 10;
    let mut found: Vec<_> = here
        .snapshot
        .contexts()
        .filter_map(|context| Some((&context.key, context.values.get(&feature.key)?)))
        .collect();
    found.sort_by_key(|(key, _)| *key);
    let base = here.section("contexts");
    html! {
        @if found.is_empty() { span.say { "None carries a value of its own. " a href=(base) { "Contexts" } } }
        @else {
            span.say { (crate::ui::components::count(found.len(), "Context carries its own value.", "Contexts carry their own value.")) }
            p.row.wrap {
                @for (key, value) in found.iter().take(SHOWN) {
                    a.chip href=(href(here, key)) { (key) " = " (super::shown(feature, value.as_str())) }
                }
            }
            p.row.wrap.s {
                a href={ (base) "?feature=" (url::encode(&feature.key)) } { "All that carry one" }
                @if feature.definition().kind == FeatureType::Boolean {
                    a href={ (base) "?matches=" (url::encode(&feature.key)) } { "All for whom it is on" }
                }
            }
        }
    }
}

//! `…/features/{key}`: one feature as the ladder that is asked, its settings, variants and history.

use std::collections::BTreeMap;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::ask::{self, Question};
use super::components::form::{Text, Typed, area, select, summary};
use super::components::ruler::{in_words, ruler, shares, swatch, variant_class};
use super::components::stale::{self, Fields};
use super::components::state::State;
use super::components::{ago, empty, icon, sentence};
use super::edit::{Edit, blocking};
use super::failure::Failure;
use super::features::{
    Here, delete_link, edited_json, gather_tags, json_problem, lock_form, pretty, problems, switch, tags_of,
    value_json, value_text,
};
use super::layout::{Page, Toast, done};
use super::rule_form::{self, NEW, RuleForm, value_field};
use crate::admin::features::{self as admin, HistoryEntry};
use crate::api::featurehub::strategies::express;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::compile::Feature;
use crate::engine::condition::Condition;
use crate::engine::decode::{FieldError, Node, Problems};
use crate::engine::diff::Difference;
use crate::engine::feature::{Bucketing, Definition, Rule, StickTo};
use crate::engine::permission::Permission;
use crate::engine::value::{FeatureType, Json};

/// What of the page is open.
#[derive(Default)]
pub struct View {
    /// The rule being edited.
    pub rule: Option<RuleForm>,
    /// The settings being edited.
    pub settings: Option<Typed>,
    pub refused: bool,
}

/// Draws the page of a feature.
pub fn show(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    here: &Here,
    feature: &Feature,
    view: View,
) -> HttpResponse {
    let page = Page::new(app, req, signed, &feature.key).at(&here.place, "features");
    let main = html! {
        div #work {
            (head(&page, here, feature))
            (state_bar(&page, here, feature))
            @if let Some(broken) = &feature.broken {
                div.banner.warn { (icon("warn")) span.grow { b { "This feature cannot be evaluated. " } span.m2 { (broken) ". Everyone gets its default." } } }
            }
            @if let Some(typed) = &view.settings { (settings_form(&page, here, feature, typed)) }
            div.cols {
                (ladder(&page, here, feature, view.rule.as_ref()))
                @match &view.rule {
                    Some(form) => (rule_form::preview(app, here, feature, form)),
                    None => (facts(here, feature, app.now())),
                }
            }
        }
    };
    if view.refused { page.refuse(main) } else { page.show(main) }
}

fn head(page: &Page<'_>, here: &Here, feature: &Feature) -> Markup {
    let definition = feature.definition();
    let href = here.feature(&definition.key);
    html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(here.features()) { "Features" } }
        div.head.fhead {
            div.stack.t.grow {
                h1.key { (definition.key) }
                p.lede.s {
                    (definition.description)
                    @for tag in &definition.tags {
                        " " a.tag href={ (here.features()) "?tag=" (super::url::encode(tag)) } { span { (tag) } }
                    }
                }
            }
            div.acts {
                a.btn href={ (here.section("test")) "?feature=" (super::url::encode(&definition.key)) } { (icon("test")) "Test" }
                a.btn href={ (href) "/history" } { (icon("history")) "History" }
                button type="button" .icon popovertarget="feature-menu" aria-label="More for this feature" { (icon("more")) }
                div popover id="feature-menu" .menu {
                    @if here.can_change { a href={ (href) "?edit=settings" } { (icon("edit")) "Description, tags, default" } }
                    a href={ (href) "/variants" } { (icon("split")) "Variants" }
                    @if here.can_change { (lock_form(page, here, feature)) hr; (delete_link(here, feature)) }
                }
            }
        }
    }
}

fn state_bar(page: &Page<'_>, here: &Here, feature: &Feature) -> Markup {
    let state = here.state(feature);
    html! {
        div.statebar {
            div.row {
                @if here.can_change { (switch(page, here, feature, true)) }
                (state.badge())
                @if let State::Partial(_) = state { span.xs.m3 { "at most, by rule" } }
            }
            @if feature.stored.locked {
                span.notes {
                    span.note { (icon("lock")) "Locked" }
                    @if here.can_change { span.xs.m3 { "Unlock it in the menu to change anything." } }
                }
            }
        }
    }
}

fn rung(number: u8, answers: bool, asked: bool, body: &Markup) -> Markup {
    html! { li class=[answers.then_some("hit").or((!asked).then_some("unasked"))] { span.rung { (number) } (body) } }
}

fn ladder(page: &Page<'_>, here: &Here, feature: &Feature, editing: Option<&RuleForm>) -> Markup {
    let definition = feature.definition();
    let overridden = here.overridden(&feature.key);
    let on = definition.enabled;
    let reached = overridden.is_none();
    let on_says = match definition.kind {
        FeatureType::Boolean => "On. When off, everyone gets false.",
        _ => "On. When off, clients use their own default.",
    };
    let off_says = match definition.kind {
        FeatureType::Boolean => "Off. Everyone gets false.",
        _ => "Off. Clients use their own default.",
    };
    html! {
        ol.ladder {
            (rung(1, overridden.is_some(), true, &html! {
                div.step {
                    h2.h3 { "Emergency override" }
                    (super::contexts::overrides::step(page, here, feature))
                }
            }))
            (rung(2, reached && !on, reached, &html! {
                div.step {
                    h2.h3 { "Switch" }
                    span.say { (if on { on_says } else { off_says }) }
                }
            }))
            (rung(3, false, reached && on, &html! {
                div.step {
                    h2.h3 { "Stored Contexts" }
                    (super::contexts::overrides::holders(here, feature))
                }
            }))
            (rung(4, false, reached && on, &html! {
                div.step {
                    h2.h3 { "Rules" }
                    span.say { @if definition.rules.is_empty() { "None yet." } @else { "Highest priority first; the first that matches answers." } }
                }
                (rules(page, here, definition, editing))
            }))
            (rung(5, false, reached && on, &html! {
                div.step {
                    h2.h3 { "Default" }
                    @match &definition.default_value {
                        Some(value) => code.json { (default_text(value)) },
                        None => span.say { "None: clients use their own." },
                    }
                    @if here.can_change {
                        a.btn.quiet href={ (here.feature(&definition.key)) "?edit=settings" } { (icon("edit")) "Edit" }
                    }
                }
            }))
        }
    }
}

fn default_text(value: &Json) -> String {
    let text = value.to_string();
    if text.chars().count() <= 160 { text } else { text.chars().take(159).chain(['…']).collect() }
}

fn rules(page: &Page<'_>, here: &Here, definition: &Definition, editing: Option<&RuleForm>) -> Markup {
    let last = definition.rules.len().saturating_sub(1);
    let href = here.feature(&definition.key);
    html! {
        @if !definition.rules.is_empty() || editing.is_some() {
            ol.rules {
                @for (at, rule) in definition.rules.iter().enumerate() {
                    @let open = editing.filter(|form| form.id == rule.id.to_string());
                    li.rulewrap {
                        (one_rule(page, here, definition, rule, open))
                        @if here.can_change { (reorder(page, &href, rule, at == 0, at == last)) }
                    }
                }
                @if let Some(form) = editing.filter(|form| !definition.rules.iter().any(|rule| rule.id.to_string() == form.id)) {
                    li.rulewrap {
                        details.rule open id="rule-new" {
                            summary {
                                span.prio.num { (icon("plus")) }
                                b { @if form.id == NEW { "New rule" } @else { "A rule that was deleted meanwhile" } }
                            }
                            (rule_form::draw(page, here, definition, form))
                        }
                    }
                }
            }
        }
        @if here.can_change && editing.is_none() {
            div.row.addrule { a.btn href={ (href) "?rule=new#rule-form" } { (icon("plus")) "Add rule" } }
        }
    }
}

fn one_rule(
    page: &Page<'_>,
    here: &Here,
    definition: &Definition,
    rule: &Rule,
    open: Option<&RuleForm>,
) -> Markup {
    let href = here.feature(&definition.key);
    let act = |act: &str, class: &str, content: Markup| {
        html! {
            form method="post" action={ (href) "/rules/" (rule.id) "/" (act) } { (page.csrf()) button class=(class) { (content) } }
        }
    };
    html! {
        // An open one of the same name would be closed when the script puts it beside itself for a moment.
        details class={ "rule" @if !rule.enabled { " is-off" } } name=[open.is_none().then_some("rule")] id={ "rule-" (rule.id) } open[open.is_some()] {
            summary { (summary_line(definition, rule)) }
            @match open {
                Some(form) => (rule_form::draw(page, here, definition, form)),
                None => div.rulebody {
                    (rule_details(definition, rule))
                    @if here.can_change {
                        div.row.wrap {
                            a.btn href={ (href) "?rule=" (rule.id) "#rule-form" } { (icon("edit")) "Edit" }
                            (act("copy", "btn quiet", html! { (icon("copy")) "Duplicate" }))
                            @if rule.enabled { (act("off", "btn quiet", html! { (icon("pause")) "Turn off" })) }
                            @else { (act("on", "btn quiet", html! { (icon("check")) "Turn on" })) }
                            (act("delete", "btn quiet", html! { (icon("trash")) "Delete" }))
                        }
                    }
                },
            }
        }
    }
}

fn summary_line(definition: &Definition, rule: &Rule) -> Markup {
    let parts = shares(rule, definition);
    let words = in_words(&parts);
    html! {
        span.prio.num title="Priority" { (rule.priority) }
        span.stack.t {
            span.row {
                b { (rule.name) }
                @if !rule.enabled { span.note { (State::Off.glyph(Some("gl"))) "Off" } }
            }
            span.say { (sentence::condition(rule.when.as_ref())) }
        }
        span.outc { (ruler(&parts, &words, false)) span { (words) } }
    }
}

fn rule_details(definition: &Definition, rule: &Rule) -> Markup {
    let parts = shares(rule, definition);
    html! {
        dl.facts {
            dt { "Gives" }
            dd {
                ul.legend {
                    @for part in &parts {
                        li { (swatch(part.class)) (part.label) " " span.num.m3 { (super::components::ruler::percent(part.percent)) } }
                    }
                }
            }
            @if let Some(rollout) = &rule.rollout {
                dt { "Rollout" }
                dd { (super::components::ruler::percent(rollout.percentage)) }
                dt { "Sticks to" }
                dd.mono { @match &rollout.by {
                    None => "userId",
                    Some(StickTo::Attribute(name)) => (name),
                    Some(StickTo::Attributes(names)) => (names.join(", ")),
                } }
            }
        }
    }
}

fn reorder(page: &Page<'_>, href: &str, rule: &Rule, first: bool, last: bool) -> Markup {
    let button = |act: &str, symbol: &str, disabled: bool| {
        html! {
            form method="post" action={ (href) "/rules/" (rule.id) "/" (act) } {
                (page.csrf())
                button.icon disabled[disabled] aria-label={ "Move " (rule.name) " " (act) } { (icon(symbol)) }
            }
        }
    };
    html! { span.reorder { (button("up", "arrow-up", first)) (button("down", "arrow-down", last)) } }
}

fn facts(here: &Here, feature: &Feature, now: i64) -> Markup {
    let (stored, definition) = (&feature.stored, feature.definition());
    html! {
        aside.sticky.stack.l aria-label="Facts" {
            dl.facts {
                dt { "Type" } dd { span.type { (definition.kind) } }
                dt { "Variants" } dd { a href={ (here.feature(&definition.key)) "/variants" } { (definition.variants.len()) } }
                dt { "Bucketing" } dd { (definition.bucketing.as_str()) }
                @if !definition.properties.is_empty() {
                    dt { "Properties" }
                    dd { @for (name, text) in &definition.properties { div { span.m3 { (name) " " } (text) } } }
                }
                @if definition.retired {
                    dt { "FeatureHub" }
                    dd { "Retired: its clients are not told of it. " a href="/help/featurehub" { "More" } }
                } @else if let Err(why) = express(&here.snapshot, feature) {
                    dt { "FeatureHub" }
                    dd { "Left out for client-evaluated keys. " span.m2 { (why) } " " a href="/help/featurehub" { "More" } }
                }
                @if definition.bucketing == Bucketing::Crc32 {
                    dt { "Flagr" } dd { "flag " span.num { (stored.number) } ", " a href={ (here.section("flagr")) "?feature=" (super::url::encode(&definition.key)) } { "debug" } }
                }
                dt { "Version" } dd { span.num { (stored.version) } }
                dt { "Changed" } dd { (ago(stored.updated_at, now)) " by " (stored.updated_by) }
                dt { "Made" } dd { (ago(stored.created_at, now)) }
            }
            p.hint { (super::flagr::bucketing_note(definition.bucketing)) }
        }
    }
}

/// `GET …/features/{key}`; `?rule=` opens a rule's form, `?edit=settings` the settings.
pub async fn page(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let feature = here.find(&req)?;
    let query = Query::of(&req);
    let (stored, definition) = (&feature.stored, feature.definition());
    let mut view = View::default();
    if here.can_change {
        view.rule = match query.get("rule") {
            Some(NEW) => Some(RuleForm::of(definition, None, stored.version, here.snapshot.segments())),
            Some(id) => {
                let rule = definition.rules.iter().find(|rule| rule.id.to_string() == id);
                rule.map(|rule| {
                    RuleForm::of(definition, Some(rule), stored.version, here.snapshot.segments())
                })
            }
            None => None,
        };
        if query.get("edit") == Some("settings") {
            view.settings = Some(stored_settings(definition));
        }
    }
    Ok(show(&app, &req, &signed, &here, &feature, view))
}

fn settings_form(page: &Page<'_>, here: &Here, feature: &Feature, typed: &Typed) -> Markup {
    let definition = feature.definition();
    html! {
        form.panel.stack.settings id="settings" method="post" action={ (here.feature(&definition.key)) "/settings" } {
            (page.csrf())
            @let stored = stored_settings(definition);
            (stale::seen(&stored, SETTINGS))
            h2 { "Settings" }
            @if typed.is_on("stale") { (stale::both(typed, &stored, SETTINGS, &format!("{}?edit=settings", here.feature(&definition.key)))) }
            (summary(typed, &["description", "tags", "defaultValue", "properties", "retired"]))
            (Text::new("description", "Description").draw(typed))
            (Text::new("tags", "Tags").hint("By commas.").draw(typed))
            div.stack.t {
                span.lab { "Default value" }
                (value_field("defaultValue", "defaultValue", "Default value", definition.kind, typed))
                label.check { input type="checkbox" name="noDefault" value="on" checked[typed.is_on("noDefault")]; "None: clients use their own" }
            }
            (area("properties", "Properties", "One a line, such as owner = web. FeatureHub’s clients with EXTENDED_DATA read them.", 2, typed))
            (select("retired", "FeatureHub", &[("no", "Served to FeatureHub’s clients"), ("yes", "Retired: FeatureHub’s clients are not told of it")], typed))
            (super::flagr::bucketing_choice(typed.get("bucketing")))
            div.row {
                button.btn.main[!here.place.is_production()].prod[here.place.is_production()] { "Save to " (here.environment_name()) }
                a.btn href=(here.feature(&definition.key)) { "Cancel" }
            }
        }
    }
}

/// `POST …/features/{key}/settings`.
pub async fn settings(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let feature = here.find(&req)?;
    let kind = feature.definition().kind;
    let typed = &edit.form;
    let default = if typed.is_on("noDefault") {
        "null".into()
    } else {
        edited_json(kind, typed.get("defaultValue"), feature.definition().default_value.as_ref())
    };
    edit.signed.actor().require(Permission::Change)?;
    if stale::is_stale(typed, &stored_settings(feature.definition()), SETTINGS) {
        let settings = Some(typed.clone().set("stale", "on"));
        return Ok(show(
            &app,
            &req,
            &edit.signed,
            &here,
            &feature,
            View { settings, refused: true, ..View::default() },
        ));
    }
    let problem =
        json_problem(kind, typed.get("defaultValue"), "defaultValue").filter(|_| !typed.is_on("noDefault"));
    if let Some(problem) = problem {
        let view = View { settings: Some(typed.clone().wrong(&[problem])), refused: true, ..View::default() };
        return Ok(show(&app, &req, &edit.signed, &here, &feature, view));
    }
    let mut more = String::new();
    if typed.is_on("properties") {
        more += &format!(",\"properties\":{}", json!(properties_of(typed.get("properties"))));
    }
    if typed.is_on("retired") {
        more += &format!(",\"retired\":{}", typed.get("retired") == "yes");
    }
    if typed.is_on("bucketing") {
        more += &format!(",\"bucketing\":{}", json!(typed.get("bucketing")));
    }
    let body = format!(
        "{{\"description\":{},\"tags\":{},\"defaultValue\":{default}{more}}}",
        json!(typed.get("description").trim()),
        json!(tags_of(typed.get("tags"))),
    );
    let target = here.target(&feature.key, Some(feature.stored.version));
    let (actor, server) = (edit.signed.actor(), app.clone());
    match blocking(move || admin::update(&server, &actor, &target, &body, false)).await {
        Ok(saved) => {
            let key = &saved.definition.key;
            let toast =
                Toast::say(format!("The settings of {key} are saved in {}.", here.environment_name()));
            Ok(done(&here.feature(key), back_to(toast, &here, &feature, saved.version)))
        }
        Err(error) => {
            let shown = typed.clone().wrong(&gather(gather_tags(problems(error)?), "properties"));
            let view = View { settings: Some(shown), refused: true, ..View::default() };
            Ok(show(&app, &req, &edit.signed, &here, &feature, view))
        }
    }
}

/// Properties as they are typed: one a line.
fn properties_text(properties: &BTreeMap<String, String>) -> String {
    let line = |(name, text): (&String, &String)| format!("{name} = {}", text);
    properties.iter().map(line).collect::<Vec<_>>().join("\n")
}

/// What was typed as properties; a line without `=` is a name without a text.
fn properties_of(typed: &str) -> BTreeMap<String, String> {
    let lines = typed.lines().map(str::trim).filter(|line| !line.is_empty());
    let pair = |line: &str| {
        let (name, text) = line.split_once('=').unwrap_or((line, ""));
        (name.trim().to_owned(), text.trim().to_owned())
    };
    lines.map(pair).collect()
}

/// The messages of the parts of a field as messages of the field.
fn gather(mut errors: Vec<FieldError>, field: &str) -> Vec<FieldError> {
    for error in errors.iter_mut().filter(|error| error.field.starts_with(&format!("{field}."))) {
        error.message = format!("{}: {}", &error.field[field.len() + 1..], error.message);
        error.field = field.to_owned();
    }
    errors
}

const SETTINGS: Fields = &[
    ("description", "Description"),
    ("tags", "Tags"),
    ("defaultValue", "Default value"),
    ("noDefault", "No default"),
    ("properties", "Properties"),
    ("retired", "FeatureHub: retired"),
    ("bucketing", "Bucketing"),
];

/// The settings as they are stored.
fn stored_settings(definition: &Definition) -> Typed {
    let value = definition.default_value.as_ref().map(|value| value_text(definition.kind, value));
    Typed::with(&[
        ("description", &definition.description),
        ("tags", &definition.tags.join(", ")),
        ("defaultValue", &value.unwrap_or_default()),
        ("properties", &properties_text(&definition.properties)),
        ("retired", if definition.retired { "yes" } else { "no" }),
        ("bucketing", definition.bucketing.as_str()),
        (if definition.default_value.is_none() { "noDefault" } else { "" }, "on"),
    ])
}

/// The toast with the way back to the version before, where one was made.
pub fn back_to(toast: Toast, here: &Here, before: &Feature, now: u64) -> Toast {
    let version = before.stored.version;
    if version == now {
        return toast;
    }
    toast.undo(format!("{}/revert", here.feature(&before.key)), &[("version", &version.to_string())])
}

fn crumbs(here: &Here, key: &str) -> Markup {
    html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" {
            a href=(here.features()) { "Features" } " / " a href=(here.feature(key)) { (key) }
        }
    }
}

/// The variant being edited: its key as stored, empty for a new one.
struct VariantForm {
    key: String,
    typed: Typed,
}

fn variants_page(page: &Page<'_>, here: &Here, feature: &Feature, form: Option<&VariantForm>) -> Markup {
    let definition = feature.definition();
    let href = format!("{}/variants", here.feature(&definition.key));
    let used = |key: &str| {
        definition
            .rules
            .iter()
            .filter(|rule| {
                shares(rule, definition).iter().any(|share| share.label == key && share.class != "f")
            })
            .count()
    };
    html! {
        (crumbs(here, &definition.key))
        div.head {
            div { h1 { "Variants" } p.lede { "Named values that rules split people over. An attachment goes to the application beside the value." }
                @if definition.bucketing == Bucketing::Crc32 { p.hint { "Under crc32 the shares lie in the order of the variants' numbers, so users stay where they are however the list is sorted." } } }
            @if here.can_change && form.is_none() { div.acts { a.btn.main href={ (href) "?variant=new" } { (icon("plus")) "New variant" } } }
        }
        @if let Some(form) = form { (variant_form(page, here, definition, form, &href)) }
        @if definition.variants.is_empty() {
            @if form.is_none() { (empty("No variants yet", "Make two or more, then split a rule over them.", None)) }
        } @else {
            table.tbl.top.stackable {
                caption.vh { "Variants of " (definition.key) }
                thead { tr {
                    th scope="col" { "Variant" } th scope="col" { "Value" } th scope="col" { "Attachment" } th scope="col" .r { "Rules" }
                    @if here.can_change { th scope="col" { span.vh { "Change" } } }
                } }
                tbody {
                    @for variant in &definition.variants {
                        tr {
                            th scope="row" { span.tagv { (swatch(variant_class(definition, &variant.key))) b.key { (variant.key) } }
                                @if definition.flagr.is_some() { span.sub { span.xs.m3 { "Flagr " span.num { (crate::admin::flagr::variant_number(definition, &variant.key)) } } } } }
                            td.full { code.json { (default_text(&variant.value)) } }
                            td.full { @if let Some(attachment) = &variant.attachment { code.json { (default_text(attachment)) } } @else { span.m3 { "–" } } }
                            td.r.num { (used(&variant.key)) }
                            @if here.can_change {
                                td.tight {
                                    div.row {
                                        a.btn.quiet href={ (href) "?variant=" (super::url::encode(&variant.key)) } aria-label={ "Edit " (variant.key) } { (icon("edit")) "Edit" }
                                        form method="post" action=(href) {
                                            (page.csrf())
                                            input type="hidden" name="variant" value=(variant.key);
                                            button.btn.quiet name="op" value="delete" aria-label={ "Remove " (variant.key) } { (icon("trash")) "Remove" }
                                        }
                                    }
                                }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn variant_form(
    page: &Page<'_>,
    here: &Here,
    definition: &Definition,
    form: &VariantForm,
    href: &str,
) -> Markup {
    let typed = &form.typed;
    html! {
        form.panel.stack.settings method="post" action=(href) {
            (page.csrf())
            input type="hidden" name="variant" value=(form.key);
            @if let Some(stored) = stored_variant(definition, &form.key) {
                (stale::seen(&stored, VARIANT))
                @if typed.is_on("stale") { (stale::both(typed, &stored, VARIANT, &format!("{href}?variant={}", super::url::encode(&form.key)))) }
            }
            h2 { @if form.key.is_empty() { "New variant" } @else { "Variant " code { (form.key) } } }
            (summary(typed, &["key", "value", "attachment"]))
            (Text::new("key", "Key").required().hint("A new key is written into the rules that use it.").draw(typed))
            div.stack.t {
                span.lab { "Value" }
                (value_field("value", "value", "Value", definition.kind, typed))
            }
            (area("attachment", "Attachment", "JSON, or empty for none.", 3, typed))
            div.row {
                button.btn.main[!here.place.is_production()].prod[here.place.is_production()] name="op" value="save" { "Save to " (here.environment_name()) }
                a.btn href=(href) { "Cancel" }
            }
        }
    }
}

const VARIANT: Fields = &[("key", "Key"), ("value", "Value"), ("attachment", "Attachment")];

/// A variant as its form shows it; none for one that is not there.
fn stored_variant(definition: &Definition, key: &str) -> Option<Typed> {
    let variant = definition.variants.iter().find(|variant| variant.key == key)?;
    Some(Typed::with(&[
        ("key", key),
        ("value", &value_text(definition.kind, &variant.value)),
        ("attachment", &variant.attachment.as_ref().map(pretty).unwrap_or_default()),
    ]))
}

/// Asks before a variant in production is removed.
fn remove_question<'a>(here: &Here, key: &str, name: &'a str, href: &str) -> Question<'a> {
    Question {
        title: "Remove in production?",
        name,
        text: html! { "goes from " span.key { (key) } "." },
        action: href.to_owned(),
        verb: "Remove",
        keep: "Keep it",
        back: href.to_owned(),
        typed: here.place.is_production().then_some("key of the variant"),
    }
}

/// `GET …/features/{key}/variants`; `?variant=` opens one.
pub async fn variants(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let feature = here.find(&req)?;
    let definition = feature.definition();
    let query = Query::of(&req);
    let first = if definition.kind == FeatureType::Boolean { "true" } else { "" };
    let form = query.get("variant").filter(|_| here.can_change).and_then(|key| {
        match stored_variant(definition, key) {
            Some(typed) => Some(VariantForm { key: key.to_owned(), typed }),
            None if key == NEW => {
                Some(VariantForm { key: String::new(), typed: Typed::with(&[("value", first)]) })
            }
            None => None,
        }
    });
    let page = Page::new(&app, &req, &signed, "Variants").at(&here.place, "features");
    let main = variants_page(&page, &here, &feature, form.as_ref());
    Ok(page.show(main))
}

/// `POST …/features/{key}/variants`: adds, changes or removes one.
pub async fn change_variants(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let feature = here.find(&req)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let typed = &edit.form;
    let (key, name) = (feature.key.to_string(), typed.get("variant").to_owned());
    let target = here.target(&key, Some(feature.stored.version));
    let server = app.clone();
    let list = format!("{}/variants", here.feature(&key));
    let removing = typed.get("op") == "delete";
    let question = remove_question(&here, &key, &name, &list);
    if removing && !question.is_answered(typed) {
        let asked = typed.is_on(ask::FIELD);
        let page = Page::new(&app, &req, &edit.signed, "Remove").at(&here.place, "features");
        let carried = html! { input type="hidden" name="variant" value=(name); input type="hidden" name="op" value="delete"; };
        let shown = if asked { typed.clone().wrong(&[question.problem()]) } else { typed.clone() };
        let main = question.draw(page.csrf(), &shown, &carried);
        return Ok(if asked { page.refuse(main) } else { page.show(main) });
    }
    if !removing {
        let stored = stored_variant(feature.definition(), &name);
        let is_stale = match &stored {
            Some(stored) => stale::is_stale(typed, stored, VARIANT),
            None => false,
        };
        if is_stale || (stored.is_none() && !name.is_empty()) {
            // What is gone is made anew when it is sent again.
            let note = crate::engine::decode::FieldError {
                field: String::new(),
                message: format!("{name} was removed meanwhile; saving makes it anew."),
            };
            let form = match stored {
                Some(_) => VariantForm { key: name, typed: typed.clone().set("stale", "on") },
                None => VariantForm { key: String::new(), typed: typed.clone().wrong(&[note]) },
            };
            let page = Page::new(&app, &req, &edit.signed, "Variants").at(&here.place, "features");
            let main = variants_page(&page, &here, &feature, Some(&form));
            return Ok(page.refuse(main));
        }
        let kind = feature.definition().kind;
        let attachment = Some(typed.get("attachment")).filter(|text| !text.trim().is_empty());
        let found: Vec<_> = json_problem(kind, typed.get("value"), "value")
            .into_iter()
            .chain(attachment.and_then(|text| json_problem(FeatureType::Json, text, "attachment")))
            .collect();
        if !found.is_empty() {
            let form = VariantForm { key: name, typed: typed.clone().wrong(&found) };
            let page = Page::new(&app, &req, &edit.signed, "Variants").at(&here.place, "features");
            let main = variants_page(&page, &here, &feature, Some(&form));
            return Ok(page.refuse(main));
        }
    }
    let result = if removing {
        let name = name.clone();
        blocking(move || admin::delete_variant(&server, &actor, &target, &name)).await.map(|()| None)
    } else {
        let attachment = typed.get("attachment").trim();
        let attachment =
            if attachment.is_empty() { "null".to_owned() } else { value_json(FeatureType::Json, attachment) };
        let definition = feature.definition();
        let stored = definition.variants.iter().find(|variant| variant.key == name);
        let body = format!(
            "{{\"key\":{},\"value\":{},\"attachment\":{attachment}}}",
            json!(typed.get("key").trim()),
            edited_json(definition.kind, typed.get("value"), stored.map(|variant| &variant.value)),
        );
        let name = name.clone();
        let saved = blocking(move || match name.as_str() {
            "" => admin::create_variant(&server, &actor, &target, &body),
            name => admin::update_variant(&server, &actor, &target, name, &body),
        });
        saved.await.map(|(saved, variant)| Some((saved.version, variant.key)))
    };
    match result {
        Ok(Some((version, saved))) => {
            let toast = Toast::say(format!("{saved} is saved in {key}."));
            Ok(done(&list, back_to(toast, &here, &feature, version)))
        }
        Ok(None) => {
            let toast = Toast::say(format!("{name} is removed from {key}.")).undo(
                format!("{}/revert", here.feature(&key)),
                &[("version", &feature.stored.version.to_string())],
            );
            Ok(done(&list, toast))
        }
        Err(error) => {
            let form = VariantForm { key: name, typed: typed.clone().wrong(&problems(error)?) };
            let page = Page::new(&app, &req, &edit.signed, "Variants").at(&here.place, "features");
            let body = if removing {
                html! { (summary(&form.typed, &[])) (variants_page(&page, &here, &feature, None)) }
            } else {
                variants_page(&page, &here, &feature, Some(&form))
            };
            Ok(page.refuse(body))
        }
    }
}

/// A field of a difference as people call it.
fn field_name(field: &str) -> String {
    let inside = |rest: &str| {
        let (name, tail) = rest.rsplit_once(']').unwrap_or((rest, ""));
        (name.to_owned(), tail.trim_start_matches('.').to_owned())
    };
    if let Some(rest) = field.strip_prefix("rules[") {
        let (name, tail) = inside(rest);
        let part = match tail.as_str() {
            "" => String::new(),
            "when" => ", when".into(),
            "rollout.percentage" | "rollout" => ", rollout".into(),
            "outcome.value" | "outcome" => ", gives".into(),
            "enabled" => ", switch".into(),
            other => format!(", {other}"),
        };
        return format!("Rule {name}{part}");
    }
    if let Some(rest) = field.strip_prefix("variants[") {
        return format!("Variant {}", inside(rest).0);
    }
    match field {
        "defaultValue" => "Default value",
        "enabled" => "Switch",
        "description" => "Description",
        "tags" => "Tags",
        "locked" => "Lock",
        "rules.order" => "Order of rules",
        "variants.order" => "Order of variants",
        "type" => "Type",
        "key" => "Key",
        other => other,
    }
    .to_owned()
}

/// One side of a difference in words.
fn side(field: &str, value: &Json) -> Markup {
    let text = value.as_str();
    if field.ends_with(".when") {
        let condition =
            Node::parse(text).ok().and_then(|node| Condition::decode(&node, &mut Problems::default()));
        if condition.is_some() || text == "null" {
            return sentence::condition(condition.as_ref());
        }
    }
    let last = field.rsplit('.').next().unwrap_or(field);
    let words = match (last, text) {
        ("enabled", "true") => "on".to_owned(),
        ("enabled", "false") => "off".to_owned(),
        ("locked", "true") => "locked".to_owned(),
        ("locked", "false") => "unlocked".to_owned(),
        ("percentage", number) => format!("{number}\u{a0}%"),
        ("tags" | "order", _) => {
            serde_json::from_str::<Vec<String>>(text).map_or(text.to_owned(), |list| list.join(", "))
        }
        _ => value.to_text().unwrap_or_else(|| pretty(value)),
    };
    html! { (words) }
}

/// What differs, field by field.
pub fn differences(list: &[Difference]) -> Markup {
    html! {
        div.diff {
            @for difference in list {
                @let field = &difference.field;
                @let whole = field.ends_with(']');
                div {
                    span.at { (field_name(field)) } " "
                    @match (&difference.before, &difference.after) {
                        (None, Some(_)) if whole => { ins { "added" } },
                        (Some(_), None) if whole => { del { "removed" } },
                        (before, after) => {
                            @if let Some(before) = before { del { (side(field, before)) } " " }
                            @if let Some(after) = after { ins { (side(field, after)) } }
                        },
                    }
                }
            }
        }
    }
}

/// `GET …/features/{key}/history`, newest first; `?below=` goes on.
pub async fn history(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    const SHOWN: u64 = 30;
    let here = Here::of(&app, &req, &signed)?;
    let feature = here.find(&req)?;
    let below = Query::of(&req).get("below").and_then(|below| below.parse().ok());
    let target = here.target(&feature.key, None);
    let mut entries = admin::history(&app, &signed.actor(), &target, below, SHOWN + 1)?;
    let more = entries.len() as u64 > SHOWN;
    entries.truncate(SHOWN as usize);
    let id = feature.stored.id.to_string();
    let snapshots = app.read(|conn| crate::store::flagr::snapshot_numbers(conn, &id))?;
    let page = Page::new(&app, &req, &signed, "History").at(&here.place, "features");
    let href = here.feature(&feature.key);
    let main = html! {
        (crumbs(&here, &feature.key))
        div.head { div { h1 { "History" } p.lede { "Every version of this feature. Going back makes a new version; nothing is lost." } } }
        ol.versions { @for entry in &entries { (version_row(&page, &here, &feature, entry, &snapshots, app.now())) } }
        @if entries.is_empty() { (empty("Nothing recorded", "Changes appear here with who made them.", None)) }
        @if let (true, Some(last)) = (more, entries.last()) {
            nav.pager aria-label="Pages" { a.btn.end rel="next" href={ (href) "/history?below=" (last.version) } { "Earlier" (icon("right")) } }
        }
    };
    Ok(page.show(main))
}

fn version_row(
    page: &Page<'_>,
    here: &Here,
    feature: &Feature,
    entry: &HistoryEntry,
    snapshots: &std::collections::HashMap<u64, u32>,
    now: i64,
) -> Markup {
    let at = crate::clock::parse(&entry.at);
    let current = entry.version == feature.stored.version;
    html! {
        li id={ "v" (entry.version) } {
            span.face.sm aria-hidden="true" { (entry.actor.chars().take(2).flat_map(char::to_uppercase).collect::<String>()) }
            div.stack.t.grow {
                p.s {
                    b { "Version " (entry.version) } " " span.m2 { "by " (entry.actor) ", " }
                    @match at { Some(at) => (ago(at, now)), None => (entry.at) }
                    @if let Some(snapshot) = snapshots.get(&entry.version) { " " span.m3 { "Flagr snapshot " span.num { (snapshot) } } }
                    @if current { " " span.note.good { (icon("check")) "current" } }
                }
                @if entry.differences.is_empty() { p.s.m2 { (entry.summary) } }
                @else if entry.differences.iter().all(|difference| difference.before.is_none()) && entry.differences.len() > 3 { p.s.m2 { (entry.summary) } }
                @else { (differences(&entry.differences)) }
            }
            @if here.can_change && !current && !feature.stored.locked {
                form method="post" action={ (here.feature(&feature.key)) "/revert" } {
                    (page.csrf())
                    input type="hidden" name="version" value=(entry.version);
                    button.btn.quiet aria-label={ "Go back to version " (entry.version) } { (icon("undo")) "Go back to this" }
                }
            }
        }
    }
}

/// `POST …/features/{key}/revert`.
pub async fn revert(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let feature = here.find(&req)?;
    let version = edit.form.get("version").parse::<u64>().unwrap_or_default();
    let before = feature.stored.version;
    let key = feature.key.to_string();
    let body = json!({ "version": version }).to_string();
    let (actor, server, target) = (edit.signed.actor(), app.clone(), here.target(&key, None));
    let saved = blocking(move || admin::revert(&server, &actor, &target, &body)).await?;
    let toast = Toast::say(format!(
        "{key} is as it was in version {version}. That is now version {}.",
        saved.version
    ))
    .undo(format!("{}/revert", here.feature(&key)), &[("version", &before.to_string())]);
    Ok(done(&here.feature(&key), toast))
}

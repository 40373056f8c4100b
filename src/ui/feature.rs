//! `…/features/{key}`: one feature as the ladder that is asked, its settings, variants and history.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::form::{Text, Typed, area, summary};
use super::components::ruler::{in_words, ruler, shares, short_value, swatch, variant_class};
use super::components::state::State;
use super::components::{ago, count, empty, icon, sentence};
use super::edit::{Edit, blocking};
use super::failure::Failure;
use super::features::{
    Here, delete_link, gather_tags, json_problem, lock_form, pretty, problems, switch, tags_of, value_json,
    value_text,
};
use super::layout::{Page, Toast, done};
use super::rule_form::{self, NEW, RuleForm, value_field};
use crate::admin::features::{self as admin, HistoryEntry};
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::compile::Feature;
use crate::engine::condition::Condition;
use crate::engine::decode::{Node, Problems};
use crate::engine::diff::Difference;
use crate::engine::feature::{Bucketing, Definition, Rule, StickTo};
use crate::engine::permission::Permission;
use crate::engine::value::{FeatureType, Json};
use crate::error::Error;

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
    let contexts =
        here.snapshot.contexts().filter(|context| context.values.contains_key(&feature.key)).count();
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
                    @match overridden {
                        Some(value) => span.say { "Everyone gets " code { (short_value(value)) } ", whatever stands below." },
                        None => span.say { "None set." },
                    }
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
                    span.say {
                        @if contexts == 0 { "None carries a value of its own." }
                        @else { (count(contexts, "Context carries its own value.", "Contexts carry their own value.")) }
                    }
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
            let value = definition.default_value.as_ref().map(|value| value_text(definition.kind, value));
            view.settings = Some(Typed::with(&[
                ("version", &stored.version.to_string()),
                ("description", &definition.description),
                ("tags", &definition.tags.join(", ")),
                ("defaultValue", &value.unwrap_or_default()),
                (if definition.default_value.is_none() { "noDefault" } else { "" }, "on"),
            ]));
        }
    }
    Ok(show(&app, &req, &signed, &here, &feature, view))
}

fn settings_form(page: &Page<'_>, here: &Here, feature: &Feature, typed: &Typed) -> Markup {
    let definition = feature.definition();
    html! {
        form.panel.stack.settings id="settings" method="post" action={ (here.feature(&definition.key)) "/settings" } {
            (page.csrf())
            input type="hidden" name="version" value=(typed.get("version"));
            h2 { "Settings" }
            (summary(typed, &["description", "tags", "defaultValue"]))
            (Text::new("description", "Description").draw(typed))
            (Text::new("tags", "Tags").hint("By commas.").draw(typed))
            div.stack.t {
                span.lab { "Default value" }
                (value_field("defaultValue", "defaultValue", "Default value", definition.kind, typed))
                label.check { input type="checkbox" name="noDefault" value="on" checked[typed.is_on("noDefault")]; "None: clients use their own" }
            }
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
    let default =
        if typed.is_on("noDefault") { "null".into() } else { value_json(kind, typed.get("defaultValue")) };
    edit.signed.actor().require(Permission::Change)?;
    let problem =
        json_problem(kind, typed.get("defaultValue"), "defaultValue").filter(|_| !typed.is_on("noDefault"));
    if let Some(problem) = problem {
        let view = View { settings: Some(typed.clone().wrong(&[problem])), refused: true, ..View::default() };
        return Ok(show(&app, &req, &edit.signed, &here, &feature, view));
    }
    let body = format!(
        "{{\"description\":{},\"tags\":{},\"defaultValue\":{default}}}",
        json!(typed.get("description").trim()),
        json!(tags_of(typed.get("tags"))),
    );
    let target = here.target(&feature.key, typed.get("version").parse().ok());
    let (actor, server) = (edit.signed.actor(), app.clone());
    match blocking(move || admin::update(&server, &actor, &target, &body, false)).await {
        Ok(saved) => {
            let key = &saved.definition.key;
            Ok(done(
                &here.feature(key),
                Toast::say(format!("The settings of {key} are saved in {}.", here.environment_name())),
            ))
        }
        Err(error) => {
            let stale = matches!(error, Error::VersionConflict(_));
            let mut shown = typed.clone().wrong(&gather_tags(problems(error)?));
            if stale {
                let here = Here::of(&app, &req, &edit.signed)?;
                let current = here.find(&req)?;
                shown = stale_settings(&current, typed, kind);
            }
            let view = View { settings: Some(shown), refused: true, ..View::default() };
            Ok(show(&app, &req, &edit.signed, &here, &feature, view))
        }
    }
}

/// What was typed, with what others saved meanwhile beside each field; sending it again saves it.
fn stale_settings(feature: &Feature, typed: &Typed, kind: FeatureType) -> Typed {
    let (stored, definition) = (&feature.stored, feature.definition());
    let default = definition.default_value.as_ref().map(|value| value_text(kind, value)).unwrap_or_default();
    let theirs = [
        ("description", definition.description.clone()),
        ("tags", definition.tags.join(", ")),
        ("defaultValue", default),
    ];
    let mut fields = vec![("version".to_owned(), stored.version.to_string())];
    let mut notes = vec![crate::engine::decode::FieldError {
        field: String::new(),
        message: format!(
            "{} saved version {} meanwhile, so nothing was changed. Theirs stands beside each field that differs; saving again replaces it.",
            stored.updated_by, stored.version
        ),
    }];
    for (name, theirs) in theirs {
        fields.push((name.to_owned(), typed.get(name).to_owned()));
        if typed.get(name).trim() != theirs {
            let shown = if theirs.is_empty() { "empty".to_owned() } else { theirs };
            notes.push(crate::engine::decode::FieldError {
                field: name.to_owned(),
                message: format!("Theirs: {shown}"),
            });
        }
    }
    if typed.is_on("noDefault") {
        fields.push(("noDefault".into(), "on".into()));
    }
    Typed::posted(fields).wrong(&notes)
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
            input type="hidden" name="version" value=(typed.get("version"));
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

/// `GET …/features/{key}/variants`; `?variant=` opens one.
pub async fn variants(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let feature = here.find(&req)?;
    let (definition, version) = (feature.definition(), feature.stored.version.to_string());
    let query = Query::of(&req);
    let first = if definition.kind == FeatureType::Boolean { "true" } else { "" };
    let form = query.get("variant").filter(|_| here.can_change).and_then(|key| {
        let variant = definition.variants.iter().find(|variant| variant.key == key);
        match variant {
            Some(variant) => Some(VariantForm {
                key: key.to_owned(),
                typed: Typed::with(&[
                    ("version", &version),
                    ("key", key),
                    ("value", &value_text(definition.kind, &variant.value)),
                    ("attachment", &variant.attachment.as_ref().map(pretty).unwrap_or_default()),
                ]),
            }),
            None if key == NEW => Some(VariantForm {
                key: String::new(),
                typed: Typed::with(&[("version", &version), ("value", first)]),
            }),
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
    let target = here.target(&key, typed.get("version").parse().ok());
    let server = app.clone();
    let list = format!("{}/variants", here.feature(&key));
    let removing = typed.get("op") == "delete";
    if !removing {
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
        let body = format!(
            "{{\"key\":{},\"value\":{},\"attachment\":{attachment}}}",
            json!(typed.get("key").trim()),
            value_json(feature.definition().kind, typed.get("value")),
        );
        let name = name.clone();
        let saved = blocking(move || match name.as_str() {
            "" => admin::create_variant(&server, &actor, &target, &body),
            name => admin::update_variant(&server, &actor, &target, name, &body),
        });
        saved.await.map(|(_, variant)| Some(variant.key))
    };
    match result {
        Ok(Some(saved)) => Ok(done(&list, Toast::say(format!("{saved} is saved in {key}.")))),
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

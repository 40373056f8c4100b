//! `…/contexts/{context}`: one Context, or any key that might be one: its values and prototypes, what it resolves to and
//! by which way, and who inherits from it.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::list::try_form;
use super::{control, href, matrix, refusal};
use crate::admin::contexts::{self, View};
use crate::api::request::{Query, segment};
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::lookup::{Lookup, Subject, is_special};
use crate::engine::snapshot::{DEFAULT, OVERRIDE};
use crate::error::{self, Error};
use crate::store;
use crate::ui::components::form::{Text, Typed};
use crate::ui::components::{count, icon};
use crate::ui::failure::Failure;
use crate::ui::features::Here;
use crate::ui::layout::Page;
use crate::ui::url;

/// Own values that get a form each; a Context with more is changed by the API or a document.
const VALUES: usize = 100;
/// Dependants shown.
const CHILDREN: u64 = 20;
/// Keys and features offered while typing.
const OFFERED: u64 = 300;

/// Everything of one key.
pub struct Shown {
    pub key: String,
    /// As it is stored; `None` when it is not.
    pub view: Option<View>,
    children: Vec<String>,
    dependants: u64,
    /// Keys that may be prototypes.
    offered: Vec<String>,
}

impl Shown {
    /// How many inherit from it, and the first of them.
    pub fn dependants(&self) -> (u64, &[String]) {
        (self.dependants, &self.children)
    }
}

/// Reads it.
pub fn load(app: &App, here: &Here, key: &str) -> error::Result<Shown> {
    let environment = here.place.environment()?;
    app.read_consistent(|conn| {
        let view = match contexts::get(conn, &here.place.site.uuid, &environment.name, key) {
            Ok(view) => Some(view),
            Err(Error::Missing(..)) => None,
            Err(error) => return Err(error),
        };
        let filter = store::contexts::Filter { limit: OFFERED, ..Default::default() };
        Ok(Shown {
            key: key.to_owned(),
            view,
            children: store::contexts::children(conn, environment.id, key, None, CHILDREN)?,
            dependants: store::contexts::count_children(conn, environment.id, key)?,
            offered: store::contexts::keys(conn, environment.id, &filter)?,
        })
    })
}

/// `GET …/contexts/{context}`, with `prototypes=` for what is not stored.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let shown = load(&app, &here, &segment(&req, "context")?)?;
    draw(&app, &req, &signed, &here, &shown, &Typed::default(), &[])
}

/// The page; with problems, what was typed is there again.
pub fn draw(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    here: &Here,
    shown: &Shown,
    typed: &Typed,
    problems: &[String],
) -> Result<HttpResponse, Failure> {
    let query = Query::of(req);
    let extra = query.get("prototypes").unwrap_or_default();
    let prototypes: Vec<String> =
        extra.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect();
    let all = query.get("all").is_some();
    let subject = Subject { key: shown.key.clone(), prototypes, ..Subject::default() };
    let lookup = Lookup::new(&here.snapshot, &subject);
    let page = Page::new(app, req, signed, &shown.key).at(&here.place, "contexts");
    let base = here.section("contexts");
    let api =
        format!("/api/v1{}/features?explain=true&prototypes={}", href(here, &shown.key), url::encode(extra));
    let main = html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(base) { "Contexts" } }
        div.head {
            div {
                h1.key { (shown.key) }
                @if let Some(view) = &shown.view { @if !view.description.is_empty() { p.lede { (view.description) } } }
                @if shown.key == OVERRIDE { p.lede { "Asked first, by everyone. What stands here wins over every rule, switch and Context." } }
                @if shown.key == DEFAULT { p.lede { "Asked last. Its values are the features’ own default values." } }
            }
            div.acts {
                a.btn href={ (here.section("test")) "?context=" (url::encode(&json!({"userId": shown.key}).to_string())) } { (icon("test")) "Test as this" }
                @if here.can_change && shown.view.is_some() && !is_special(&shown.key) {
                    a.btn.danger href={ (href(here, &shown.key)) "/delete" } { (icon("trash")) "Delete" }
                }
            }
        }
        (refusal(problems))
        div.stack.l {
            @if shown.view.is_none() { (not_stored(&page, here, shown)) }
            @if let Some(view) = &shown.view { (own(&page, here, shown, view, typed)) }
            section.sect aria-labelledby="res" {
                header {
                    h2 id="res" { "What it resolves to" }
                    span.end.m3 {
                        @if all { a href={ (href(here, &shown.key)) "?prototypes=" (url::encode(extra)) } { "Only own and inherited values" } }
                        @else { a href={ (href(here, &shown.key)) "?all=yes&prototypes=" (url::encode(extra)) } { "All features" } }
                        " · " a href=(api) { "as JSON" }
                    }
                }
                @match &lookup {
                    Ok(lookup) => {
                        div.cols.even.two {
                            @let own: Vec<String> = here.snapshot.context(&shown.key).map(|context| context.prototypes.iter().map(|key| key.to_string()).collect()).unwrap_or_default();
                            @let both: Vec<String> = own.iter().chain(&subject.prototypes).cloned().collect();
                            div.tree { span.s.m3 { "Inherits from" } @if both.is_empty() { p.m2 { "Nobody." } } @else { (matrix::tree(here, &shown.key, &both)) } }
                            div.stack.t { span.s.m3 { "Asked in this order" } (matrix::chain(here, &lookup.order(), &shown.key)) }
                        }
                        @if !lookup.missing().is_empty() { p.note.warn { (icon("warn")) "Not there and passed over: " (lookup.missing().join(", ")) } }
                        (matrix::table(here, lookup, &shown.key, all))
                    },
                    Err(_) => p.note.bad { (icon("error")) "More than 1000 Contexts, or deeper than 32 levels: a look-up of this key is refused." },
                }
            }
            @if shown.dependants > 0 {
                section.sect aria-labelledby="by" {
                    header { h2 id="by" { "Inherited by" } span.end.m3 { (count(shown.dependants as usize, "Context", "Contexts")) } }
                    p.row.wrap { @for child in &shown.children { a.chip href=(href(here, child)) { (child) } } }
                    @if shown.dependants > CHILDREN { div { a.btn.quiet href={ (base) "?prototype=" (url::encode(&shown.key)) } { "All of them" } } }
                    div { a.btn.quiet href={ (base) "?descends_from=" (url::encode(&shown.key)) } { "Those further down too" } }
                }
            }
            section.sect aria-labelledby="try" { header { h2 id="try" { "Try another key" } } (try_form(&base, &shown.key, extra)) }
        }
    };
    Ok(if problems.is_empty() { page.show(main) } else { page.refuse(main) })
}

fn not_stored(page: &Page<'_>, here: &Here, shown: &Shown) -> Markup {
    html! {
        div.banner {
            (icon("info"))
            span.grow { b { "Not stored." } " " span.m2 { "Whoever has this key gets what override and default say, and what the rules do." } }
            @if here.can_change && crate::engine::document::is_context_key(&shown.key) {
                form method="post" action=(here.section("contexts")) {
                    (page.csrf())
                    input type="hidden" name="key" value=(shown.key);
                    button.btn { (icon("plus")) "Store it" }
                }
            }
        }
    }
}

/// What every form of the page carries: who may, and which version it was drawn from.
fn guard(page: &Page<'_>, view: &View) -> Markup {
    html! { (page.csrf()) input type="hidden" name="version" value=(view.version); }
}

fn own(page: &Page<'_>, here: &Here, shown: &Shown, view: &View, typed: &Typed) -> Markup {
    let action = href(here, &view.key);
    let special = is_special(&view.key);
    html! {
        section.sect.stack aria-labelledby="own" {
            header { h2 id="own" { "Own values" } span.end.m3 { (count(view.features.len(), "value", "values")) } }
            @if view.features.is_empty() { p.m2 { @if view.key == OVERRIDE { "None: nobody is overridden." } @else { "None: everything is inherited." } } }
            @else {
                table.tbl.stackable {
                    caption.vh { "Values of " (view.key) }
                    thead { tr { th scope="col" { "Feature" } th scope="col" { "Value" } @if here.can_change { th scope="col" { "Change" } } } }
                    tbody { @for (key, value) in view.features.iter().take(VALUES) { (value_row(page, here, view, key, value)) } }
                }
                @if view.features.len() > VALUES { p.m2 { "And " (count(view.features.len() - VALUES, "more", "more")) ". " @if view.key == DEFAULT { a href=(here.features()) { "Each feature has its own page" } "." } @else { "The API and the document change them all." } } }
            }
            @if here.can_change {
                form.row.wrap method="post" action=(action) {
                    (guard(page, view))
                    input type="hidden" name="op" value="set";
                    input.mono.mid name="feature" list="features" value=(typed.get("feature")) required aria-label="Feature" placeholder="Feature" autocomplete="off" spellcheck="false";
                    datalist id="features" { @for feature in here.snapshot.features().take(OFFERED as usize) { option value=(feature.key) {} } }
                    @let value = typed.get("value");
                    // What was refused comes back whole; a line would lose its breaks.
                    @if value.contains('\n') { textarea.mono.mid name="value" rows="3" aria-label="Value" autocomplete="off" { "\n" (value) } }
                    @else { input.mono.mid name="value" value=(value) aria-label="Value" placeholder="yes, 42, text…" autocomplete="off"; }
                    (reason(view, typed))
                    button.btn { (icon("plus")) "Set a value" }
                }
            }
        }
        @if !special { (prototypes(page, here, shown, view, typed, &action)) }
    }
}

/// Why: asked for where everyone is concerned.
fn reason(view: &View, typed: &Typed) -> Markup {
    html! { @if view.key == OVERRIDE { input.mid name="reason" value=(typed.get("reason")) required aria-label="Reason" placeholder="Reason, for the audit log" autocomplete="off"; } }
}

fn value_row(page: &Page<'_>, here: &Here, view: &View, key: &str, value: &str) -> Markup {
    let action = href(here, &view.key);
    let feature = here.snapshot.feature(key);
    html! {
        tr {
            th scope="row" { a.key href=(here.feature(key)) { (key) } }
            @match (feature, here.can_change) {
                (Some(feature), true) => {
                    td.full {
                        form.row.wrap method="post" action=(action) {
                            (guard(page, view))
                            input type="hidden" name="op" value="set";
                            input type="hidden" name="feature" value=(key);
                            (control(feature, &format!("v-{key}"), "value", &format!("Value of {key}"), value))
                            (reason(view, &Typed::default()))
                            button.btn { "Save" }
                        }
                    }
                    td {
                        form.row.wrap method="post" action=(action) {
                            (guard(page, view))
                            input type="hidden" name="op" value="remove";
                            input type="hidden" name="feature" value=(key);
                            (reason(view, &Typed::default()))
                            button.btn.quiet aria-label={ "Remove the value of " (key) } { (icon("trash")) "Remove" }
                        }
                    }
                },
                _ => td.full { code { (value) } },
            }
        }
    }
}

fn prototypes(
    page: &Page<'_>,
    here: &Here,
    shown: &Shown,
    view: &View,
    typed: &Typed,
    action: &str,
) -> Markup {
    let act = |op: &str, at: usize, label: &str, glyph: &str| {
        html! {
            form method="post" action=(action) {
                (guard(page, view))
                input type="hidden" name="op" value=(op);
                input type="hidden" name="at" value=(at);
                button.icon aria-label=(label) { (icon(glyph)) }
            }
        }
    };
    let last = view.prototypes.len().saturating_sub(1);
    let describing = typed.get("op") == "describe";
    let description = if describing { typed.get("description") } else { &view.description };
    html! {
        section.sect.stack aria-labelledby="protos" {
            header { h2 id="protos" { "Prototypes" } span.end.m3 { "The first is asked first" } }
            @if view.prototypes.is_empty() { p.m2 { "None." } }
            @else {
                ol.list {
                    @for (at, prototype) in view.prototypes.iter().enumerate() {
                        li {
                            a.key href=(href(here, prototype)) { (prototype) }
                            @if here.can_change {
                                span.end.row {
                                    @if at > 0 { (act("up", at, &format!("{prototype} earlier"), "arrow-up")) }
                                    @if at < last { (act("down", at, &format!("{prototype} later"), "arrow-down")) }
                                    (act("drop", at, &format!("{prototype} out of the list"), "cross"))
                                }
                            }
                        }
                    }
                }
            }
            @if here.can_change {
                div.row.wrap {
                    form.row method="post" action=(action) {
                        (guard(page, view))
                        input type="hidden" name="op" value="add";
                        input.mono.mid name="prototype" list="offered" value=(typed.get("prototype")) required aria-label="Key of another Context" placeholder="team:blue" autocomplete="off" spellcheck="false";
                        datalist id="offered" { @for key in shown.offered.iter().filter(|key| **key != view.key) { option value=(key) {} } }
                        button.btn { (icon("plus")) "Add a prototype" }
                    }
                }
                details open[describing] {
                    summary { "Description" }
                    form.stack method="post" action=(action) {
                        (guard(page, view))
                        input type="hidden" name="op" value="describe";
                        (Text::new("description", "Description").draw(&Typed::with(&[("description", description)])))
                        div { button.btn { "Save" } }
                    }
                }
            }
        }
    }
}

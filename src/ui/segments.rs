//! `…/segments`: conditions with a name, shared by the rules of a site. Same builder as a rule's.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::ask::Question;
use super::components::form::{Text, Typed, summary};
use super::components::{ago, count, empty, icon, sentence};
use super::condition_form::{ConditionForm, Drawing};
use super::edit::{Edit, blocking};
use super::failure::Failure;
use super::features::{Here, problems};
use super::layout::{Page, Toast, done};
use super::rule_form::attributes;
use super::url;
use crate::admin::segments as admin;
use crate::api::request::segment;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::condition::Condition;
use crate::engine::permission::Permission;
use crate::error::Error;
use crate::store;
use crate::store::segments::SegmentRow;

/// The path of a segment that is not made yet.
const NEW: &str = "new";

fn users(here: &Here, key: &str) -> (usize, usize) {
    let asks = |condition: &Condition| condition.segments().contains(&key);
    let rules = here
        .snapshot
        .features()
        .flat_map(|feature| &feature.definition().rules)
        .filter(|rule| rule.when.as_ref().is_some_and(asks))
        .count();
    let segments = here.snapshot.segments().iter().filter(|segment| asks(&segment.conditions)).count();
    (rules, segments)
}

fn href(here: &Here, key: &str) -> String {
    format!("{}/{}", here.section("segments"), url::encode(key))
}

/// `GET …/segments`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let rows = app.read(|conn| store::segments::list(conn, here.place.site.id))?;
    let page = Page::new(&app, &req, &signed, "Segments").at(&here.place, "segments");
    let new = html! { a.btn.main href=(href(&here, NEW)) { (icon("plus")) "New segment" } };
    let main = html! {
        div.head {
            div { h1 { "Segments" } p.lede { "Conditions with a name. They hold for the whole site: change one, and every rule that uses it follows." } }
            @if here.can_change && !rows.is_empty() { div.acts { (new) } }
        }
        @if rows.is_empty() {
            (empty("No segments yet", "Name a group of people once, such as staff or beta testers, and use it in any rule.",
                here.can_change.then_some(new)))
        } @else {
            table.tbl.go.stackable {
                caption.vh { "Segments of " (here.place.site.name) }
                thead { tr {
                    th scope="col" { "Segment" } th scope="col" { "Who" }
                    th scope="col" { "Used here by" } th scope="col" { "Changed" }
                } }
                tbody {
                    @for row in &rows { (table_row(&here, row, app.now())) }
                }
            }
        }
    };
    Ok(page.show(main))
}

fn table_row(here: &Here, row: &SegmentRow, now: i64) -> Markup {
    let (rules, segments) = users(here, &row.segment.key);
    html! {
        tr {
            th scope="row" {
                a.in.key href=(href(here, &row.segment.key)) { (row.segment.key) }
                @if row.segment.name != row.segment.key { span.sub { span.xs.m3 { (row.segment.name) } } }
            }
            td.full { span.say { (sentence::condition(Some(&row.segment.conditions))) } }
            td.nowrap.m2 {
                (count(rules, "rule", "rules"))
                @if segments > 0 { ", " (count(segments, "segment", "segments")) }
            }
            td.nowrap.m2.hide-s { (ago(row.updated_at, now)) }
        }
    }
}

/// A segment being edited.
struct SegmentForm {
    key: Option<String>,
    typed: Typed,
    conditions: ConditionForm,
    touched: bool,
    /// How it stands now, where somebody else changed it meanwhile.
    theirs: Option<SegmentRow>,
}

impl SegmentForm {
    /// A segment as it is stored.
    fn of(row: SegmentRow) -> Self {
        Self {
            typed: Typed::with(&[("name", &row.segment.name), ("updated", &row.updated_at.to_string())]),
            conditions: ConditionForm::of(Some(&row.segment.conditions)),
            key: Some(row.segment.key),
            touched: false,
            theirs: None,
        }
    }

    fn body(&self) -> (String, super::condition_form::Read) {
        let read = self.conditions.read("conditions");
        let all = Condition::All(Vec::new());
        let conditions = serde_json::to_string(read.condition.as_ref().unwrap_or(&all)).unwrap_or_default();
        let key = self.key.as_deref().unwrap_or(self.typed.get("key").trim());
        let name = self.typed.get("name").trim();
        (format!("{{\"key\":{},\"name\":{},\"conditions\":{conditions}}}", json!(key), json!(name)), read)
    }
}

fn draw(page: &Page<'_>, here: &Here, form: &SegmentForm) -> Markup {
    let typed = &form.typed;
    let own = form.key.as_deref().unwrap_or(NEW);
    let action = href(here, own);
    let segments: Vec<String> = here
        .snapshot
        .segments()
        .iter()
        .map(|segment| segment.key.clone())
        .filter(|key| Some(key) != form.key.as_ref())
        .collect();
    let names = attributes(&here.snapshot);
    let drawing = Drawing { typed, segments: &segments, attributes: &names, action: &action };
    let nodes: Vec<&str> = typed.all("node").filter_map(|link| Some(link.split_once(':')?.1)).collect();
    let shown: Vec<String> = nodes
        .iter()
        .flat_map(|id| {
            ["", ".attribute", ".operator", ".values", ".segment"].map(|part| format!("{id}{part}"))
        })
        .chain(["key", "name", "g0"].map(str::to_owned))
        .collect();
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    html! {
        div #work {
            nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(here.section("segments")) { "Segments" } }
            div.head {
                div { h1 class=[form.key.as_ref().map(|_| "key")] { (form.key.as_deref().unwrap_or("New segment")) } }
                @if form.key.is_some() {
                    div.acts {
                        form method="post" action={ (action) "/delete" } { (page.csrf()) button.btn.danger { (icon("trash")) "Delete" } }
                    }
                }
            }
            form.stack.l id="segment-form" method="post" action=(action) {
                (page.csrf())
                input type="hidden" name="updated" value=(typed.get("updated"));
                button.vh name="op" value="preview" tabindex="-1" formnovalidate { "Update" }
                @if let Some(theirs) = &form.theirs {
                    div.panel.bad.stack role="alert" {
                        h3 { (icon("error")) " Nothing was saved" }
                        p.s { "Somebody changed this segment meanwhile. Theirs, saved now: " }
                        p.say { b { (theirs.segment.name) } ": " (sentence::condition(Some(&theirs.segment.conditions))) }
                        p.s { "Yours, below: " }
                        p.say { b { (typed.get("name")) } ": " (sentence::condition(form.conditions.read("conditions").condition.as_ref())) }
                        div.row.wrap {
                            button.btn name="op" value="overwrite" { "Save mine over theirs" }
                            a.btn.quiet href=(action) { "Take theirs" }
                        }
                    }
                }
                (summary(typed, &shown))
                @if form.key.is_none() {
                    (Text::new("key", "Key").required().hint("What rules refer to. It stays as it is.").draw(typed))
                }
                (Text::new("name", "Name").hint("For people. Empty: the key.").draw(typed))
                fieldset.part { legend { "Who is in it" } (drawing.draw(&form.conditions)) }
                div.savebar {
                    span.grow {
                        @if typed.has_errors() { b { "Not saved." } " " span.m2 { "Something is to be put right first." } }
                        @else if form.touched { b { "Not saved yet." } " " span.m2 { "It holds in every environment of " (here.place.site.name) "." } }
                        @else { span.m2 { "It holds in every environment of " (here.place.site.name) "." } }
                    }
                    a.btn.quiet href=(here.section("segments")) { "Cancel" }
                    button.btn.main[!here.place.is_production()].prod[here.place.is_production()] name="op" value="save" { "Save" }
                }
            }
        }
    }
}

fn title(form: &SegmentForm) -> &str {
    form.key.as_deref().unwrap_or("New segment")
}

fn answer(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    here: &Here,
    form: &SegmentForm,
    refused: bool,
) -> HttpResponse {
    let page = Page::new(app, req, signed, title(form)).at(&here.place, "segments").narrow();
    let main = draw(&page, here, form);
    if refused { page.refuse(main) } else { page.show(main) }
}

fn find(app: &App, here: &Here, key: &str) -> Result<SegmentRow, Failure> {
    Ok(app.read(|conn| store::segments::find(conn, here.place.site.id, key))?)
}

/// `GET …/segments/{segment}`: its form, or for viewers what it says.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let key = segment(&req, "segment")?;
    if key == NEW {
        signed.actor().require(Permission::Change)?;
        let conditions = ConditionForm::of(None);
        let form =
            SegmentForm { key: None, typed: Typed::default(), conditions, touched: false, theirs: None };
        return Ok(answer(&app, &req, &signed, &here, &form, false));
    }
    let row = find(&app, &here, &key)?;
    if !here.can_change {
        let page = Page::new(&app, &req, &signed, &key).at(&here.place, "segments").narrow();
        let main = html! {
            nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(here.section("segments")) { "Segments" } }
            div.head { div { h1.key { (row.segment.key) } p.lede { (row.segment.name) } } }
            p.say { (sentence::condition(Some(&row.segment.conditions))) }
        };
        return Ok(page.show(main));
    }
    let form = SegmentForm::of(row);
    Ok(answer(&app, &req, &signed, &here, &form, false))
}

/// `POST …/segments/{segment}`: changes the form, or saves it.
pub async fn post(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    edit.signed.actor().require(Permission::Change)?;
    let key = Some(segment(&req, "segment")?).filter(|key| key != NEW);
    let conditions = ConditionForm::posted(&edit.form);
    let mut form = SegmentForm { key, typed: edit.form.clone(), conditions, touched: true, theirs: None };
    let op = edit.form.get("op").to_owned();
    if op == "preview" || form.conditions.apply(&op) {
        return Ok(answer(&app, &req, &edit.signed, &here, &form, false));
    }
    let (body, read) = form.body();
    if !read.problems.is_empty() {
        form.typed = form.typed.wrong(&read.problems);
        return Ok(answer(&app, &req, &edit.signed, &here, &form, true));
    }
    if let Some(key) = &form.key {
        let row = find(&app, &here, key)?;
        if row.updated_at.to_string() != edit.form.get("updated") {
            // Sent once more, the form knows of theirs.
            form.typed = form.typed.set("updated", &row.updated_at.to_string());
            form.theirs = Some(row);
            return Ok(answer(&app, &req, &edit.signed, &here, &form, true));
        }
    }
    save(&app, &req, &edit.signed, &here, form, body).await
}

/// `POST …/segments/{segment}/undo`: puts an earlier version over the one that was saved over it.
pub async fn undo(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    edit.signed.actor().require(Permission::Change)?;
    let row = find(&app, &here, &segment(&req, "segment")?)?;
    let page = href(&here, &row.segment.key);
    if row.updated_at.to_string() != edit.form.get("updated") {
        return Ok(done(&page, Toast::say("Somebody changed the segment since, so nothing was taken back.")));
    }
    let body = edit.form.get("was").to_owned();
    let form = SegmentForm::of(row);
    save(&app, &req, &edit.signed, &here, form, body).await
}

/// Saves what a body says; shows the form again where it is wrong.
async fn save(
    app: &Data<App>,
    req: &HttpRequest,
    signed: &Signed,
    here: &Here,
    mut form: SegmentForm,
    body: String,
) -> Result<HttpResponse, Failure> {
    let before = match &form.key {
        Some(key) => Some(find(app, here, key)?.segment),
        None => None,
    };
    let actor = signed.actor();
    let (server, site, key) = (app.clone(), here.place.site.uuid.clone(), form.key.clone());
    let saved = blocking(move || match key {
        Some(key) => admin::update(&server, &actor, &site, &key, &body),
        None => admin::create(&server, &actor, &site, &body),
    });
    match saved.await {
        Ok(row) => {
            let text =
                format!("The segment {} is saved for all of {}.", row.segment.key, here.place.site.name);
            let mut toast = Toast::say(text);
            if let Some(before) = before {
                let was = json!({ "name": before.name, "conditions": before.conditions }).to_string();
                let fields = [("was", was.as_str()), ("updated", &row.updated_at.to_string())];
                toast = toast.undo(format!("{}/undo", href(here, &row.segment.key)), &fields);
            }
            Ok(done(&here.section("segments"), toast))
        }
        Err(error) => {
            let found = form.conditions.read("conditions").place(problems(error)?);
            form.typed = form.typed.wrong(&found);
            Ok(answer(app, req, signed, here, &form, true))
        }
    }
}

/// `POST …/segments/{segment}/delete`; what still uses it is told.
pub async fn delete(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let key = segment(&req, "segment")?;
    let production = here.place.environments.iter().any(super::layout::is_production);
    let question = Question {
        title: "Delete this segment?",
        name: &key,
        text: html! { "goes from every environment of " (here.place.site.name) ". This is refused while a rule uses it." },
        action: format!("{}/delete", href(&here, &key)),
        verb: "Delete",
        keep: "Keep it",
        back: href(&here, &key),
        typed: production.then_some("key"),
    };
    let page = Page::new(&app, &req, &edit.signed, "Delete segment").at(&here.place, "segments");
    let asked = edit.form.is_on("asked");
    if !asked || !question.is_answered(&edit.form) {
        let hidden = html! { input type="hidden" name="asked" value="yes"; };
        let typed = if asked { edit.form.clone().wrong(&[question.problem()]) } else { Typed::default() };
        let main = question.draw(page.csrf(), &typed, &hidden);
        return Ok(if asked { page.refuse(main) } else { page.show(main) });
    }
    let (server, site, name) = (app.clone(), here.place.site.uuid.clone(), key.clone());
    match blocking(move || admin::delete(&server, &actor, &site, &name)).await {
        Ok(()) => Ok(done(&here.section("segments"), Toast::say(format!("The segment {key} is deleted.")))),
        Err(Error::Conflict("in_use", _, details)) => {
            let main = html! {
                nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(here.section("segments")) { "Segments" } }
                div.head { div { h1 { "Still in use" } p.lede { span.key { (key) } " was not deleted. Take it out of these first." } } }
                ul.list { @for user in details["usedBy"].as_array().into_iter().flatten() { (user_row(&here, user)) } }
            };
            Ok(page.refuse(main))
        }
        Err(error) => Err(error.into()),
    }
}

fn user_row(here: &Here, user: &serde_json::Value) -> Markup {
    let text = |name: &str| user[name].as_str().unwrap_or_default();
    if let Some(key) = user["segment"].as_str() {
        return html! { li { "Segment " a.key href=(href(here, key)) { (key) } } };
    }
    let feature = text("feature");
    let page = format!(
        "{}/environments/{}/features/{}",
        url::site(&here.place.site),
        text("environment"),
        url::encode(feature)
    );
    html! {
        li {
            a.key href=(page) { (feature) }
            span.m2 { "in " (text("environment")) ", rule " (text("rule")) }
        }
    }
}

//! `…/contexts`: all of an environment, `override` and `default` on top, a page at a time.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use rusqlite::Connection;

use super::{href, messages, refusal};
use crate::admin::contexts::list::{Matches, Wanted, page};
use crate::admin::contexts::{self, Edit as Change, Target, View};
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::lookup::is_special;
use crate::engine::permission::Permission;
use crate::engine::snapshot::{DEFAULT, OVERRIDE};
use crate::error::{self, Error};
use crate::store;
use crate::ui::components::form::{Text, Typed};
use crate::ui::components::{count, empty, icon, thin};
use crate::ui::edit::{Edit, blocking};
use crate::ui::failure::{Failure, see_other};
use crate::ui::features::Here;
use crate::ui::layout::{Page, Toast, done};
use crate::ui::url;

/// Rows of one page.
const ROWS: u64 = 50;

/// One row of the table.
struct Row {
    view: View,
    dependants: u64,
}

/// What the list shows.
struct Listed {
    /// `override` and `default`, on the first page of everything.
    pinned: Vec<Row>,
    rows: Vec<Row>,
    /// The key that the next page begins behind.
    next: Option<String>,
}

/// The filters, as the URL carries them.
struct Filter {
    q: String,
    /// Name and value of one that another page links to.
    only: Vec<(&'static str, String)>,
    after: Option<String>,
}

const LINKED: [(&str, &str); 4] = [
    ("prototype", "with this prototype"),
    ("descends_from", "that inherit from"),
    ("feature", "with a value of their own for"),
    ("matches", "for whom it is on, or has this value:"),
];

impl Filter {
    fn of(req: &HttpRequest) -> Self {
        let query = Query::of(req);
        let get = |name: &str| query.get(name).map(str::to_owned);
        let only = LINKED.iter().filter_map(|(name, _)| Some((*name, get(name)?))).collect();
        Self { q: get("q").unwrap_or_default(), only, after: get("after") }
    }

    fn get(&self, name: &str) -> Option<String> {
        self.only.iter().find(|(have, _)| *have == name).map(|(_, value)| value.clone())
    }

    fn is_empty(&self) -> bool {
        self.q.is_empty() && self.only.is_empty() && self.after.is_none()
    }

    /// The address of this list from behind a key on.
    fn behind(&self, here: &Here, key: &str) -> String {
        let mut query = ::url::form_urlencoded::Serializer::new(String::new());
        for (name, value) in &self.only {
            query.append_pair(name, value);
        }
        if !self.q.is_empty() {
            query.append_pair("q", &self.q);
        }
        query.append_pair("after", key);
        format!("{}?{}", here.section("contexts"), query.finish())
    }
}

fn load(conn: &Connection, here: &Here, filter: &Filter) -> error::Result<Listed> {
    let environment = here.place.environment()?;
    let wanted = Wanted {
        q: filter.q.clone(),
        prototype: filter.get("prototype"),
        descends_from: filter.get("descends_from"),
        feature: filter.get("feature"),
        matches: filter.get("matches").map(|text| Matches::parse(&here.snapshot, &text)).transpose()?,
        after: filter.after.clone(),
        // One more than is shown, and the two that are always there.
        limit: ROWS + 3,
    };
    let mut rows = Vec::new();
    for view in page(conn, environment, &here.snapshot, &wanted)? {
        let dependants = store::contexts::count_children(conn, environment.id, &view.key)?;
        rows.push(Row { view, dependants });
    }
    let (mut pinned, mut rows): (Vec<Row>, Vec<Row>) =
        rows.into_iter().partition(|row| is_special(&row.view.key));
    if filter.is_empty() {
        // They stand on top, wherever the alphabet has them.
        let mut found: Vec<View> = pinned.into_iter().map(|row| row.view).collect();
        pinned = Vec::new();
        for key in [OVERRIDE, DEFAULT] {
            let view = match found.iter().position(|view| view.key == key) {
                Some(at) => Some(found.swap_remove(at)),
                None => contexts::some(conn, environment, &[key.to_owned()])?.pop(),
            };
            pinned.extend(view.map(|view| Row { view, dependants: 0 }));
        }
    }
    let more = rows.len() > ROWS as usize;
    rows.truncate(ROWS as usize);
    let next = rows.last().filter(|_| more).map(|row| row.view.key.clone());
    Ok(Listed { pinned, rows, next })
}

/// `GET …/contexts`. With `key` it is the form that asks for one, stored or not.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let query = Query::of(&req);
    if let Some(key) = query.get("key").map(str::trim).filter(|key| !key.is_empty()) {
        let mut address = href(&here, key);
        if let Some(prototypes) = query.get("prototypes") {
            address = format!("{address}?prototypes={}", url::encode(prototypes));
        }
        return Ok(see_other(&address));
    }
    let new = query.get("new").is_some().then(Typed::default);
    draw(&app, &req, &signed, &here, new, &[])
}

fn draw(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    here: &Here,
    new: Option<Typed>,
    problems: &[String],
) -> Result<HttpResponse, Failure> {
    let filter = Filter::of(req);
    let listed = match app.read_consistent(|conn| load(conn, here, &filter)) {
        // A filter that names nothing finds nothing.
        Err(Error::Missing(..)) => Listed { pinned: Vec::new(), rows: Vec::new(), next: None },
        other => other?,
    };
    let page = Page::new(app, req, signed, "Contexts").at(&here.place, "contexts");
    let base = here.section("contexts");
    let main = html! {
        div.head {
            div {
                h1 { "Contexts" }
                p.lede { "Stored people, devices, teams and groups with values of their own. A Context without a value takes it from its prototypes, in their order. " a href="/help/contexts" { "How they work" } }
            }
            @if here.can_change && new.is_none() { div.acts { a.btn.main href={ (base) "?new=yes" } { (icon("plus")) "New Context" } } }
        }
        (refusal(problems))
        @if let Some(typed) = &new { (new_form(&page, &base, typed)) }
        div.row.wrap {
            form.row method="get" action=(base) role="search" {
                div.searchbox {
                    (icon("search"))
                    input id="q" name="q" value=(filter.q) data-filter="" aria-label="Search by key or description" placeholder="Key or description" autocomplete="off" spellcheck="false";
                }
                button.btn { "Find" }
            }
            (try_form(&base, "", Query::of(req).get("prototypes").unwrap_or_default()))
        }
        @for (name, value) in &filter.only {
            @let words = LINKED.iter().find(|(have, _)| have == name).map_or("", |(_, words)| *words);
            p { "Only those " (words) " " code { (value) } ". " a href=(base) { "Show all" } }
        }
        @if listed.pinned.is_empty() && listed.rows.is_empty() {
            (empty("Nothing found", "No Context of this environment is like that.", None))
        } @else {
            (table(here, &listed))
            @if let Some(next) = &listed.next {
                nav.pager aria-label="Pages" { a.btn href=(filter.behind(here, next)) { "Next" } }
            }
        }
    };
    Ok(if problems.is_empty() { page.show(main) } else { page.refuse(main) })
}

/// Asks for any key, with prototypes that are not stored.
pub fn try_form(base: &str, key: &str, prototypes: &str) -> Markup {
    html! {
        form.row.wrap method="get" action=(base) {
            input.mono.mid name="key" value=(key) required aria-label="Context key" placeholder="user-10482" autocomplete="off" spellcheck="false";
            input.mono.mid name="prototypes" value=(prototypes) aria-label="Extra prototypes, by commas" placeholder="with pilots,team:blue" autocomplete="off" spellcheck="false";
            button.btn { "Try it" }
        }
    }
}

fn new_form(page: &Page<'_>, base: &str, typed: &Typed) -> Markup {
    html! {
        form.panel.stack method="post" action=(base) {
            (page.csrf())
            h2 { "New Context" }
            (Text::new("key", "Key").required().hint("A user id, or a name such as team:blue. It stays as it is. A prefix for groups keeps them apart from users.").draw(typed))
            (Text::new("prototypes", "Prototypes").hint("Keys of other Contexts by commas; the first is asked first.").draw(typed))
            (Text::new("description", "Description").draw(typed))
            div.row { button.btn.main[!page.place.is_some_and(|place| place.is_production())].prod[page.place.is_some_and(|place| place.is_production())] { "Create" } a.btn.quiet href=(base) { "Cancel" } }
        }
    }
}

fn table(here: &Here, listed: &Listed) -> Markup {
    let of = |key: &str| format!("{}?prototype={}", here.section("contexts"), url::encode(key));
    let row = |row: &Row, pinned: bool| {
        html! {
            tr {
                th scope="row" {
                    a.in.key href=(href(here, &row.view.key)) { (row.view.key) }
                    @if pinned { span.sub { span.xs.m3 { (if row.view.key == OVERRIDE { "asked first, for everyone" } else { "asked last: the features’ own values" }) } } }
                    @else if !row.view.description.is_empty() { span.sub { span.xs.m3 { (row.view.description) } } }
                }
                td.full data-l="Prototypes" {
                    @for prototype in &row.view.prototypes { a.chip href=(href(here, prototype)) { (prototype) } " " }
                    @if row.view.prototypes.is_empty() { span.m3 { "none" } }
                }
                td.num.nowrap data-l="Own values" { (thin(row.view.features.len())) }
                td.num.nowrap data-l="Inherited by" {
                    @if row.dependants > 0 { a href=(of(&row.view.key)) { (thin(row.dependants as usize)) } } @else { span.m3 { "0" } }
                }
                td.nowrap.m2.hide-s data-l="Changed" { (&row.view.updated_at[..10]) span.vh { " by " (row.view.updated_by) } }
            }
        }
    };
    html! {
        table.tbl.stackable {
            caption.vh { (count(here.snapshot.contexts_len(), "Context", "Contexts")) " of " (here.environment_name()) ", and the two that are always there" }
            thead { tr {
                th scope="col" { "Context" } th scope="col" { "Prototypes" } th scope="col" { "Own values" }
                th scope="col" { "Inherited by" } th scope="col" { "Changed" }
            } }
            tbody {
                @for one in &listed.pinned { (row(one, true)) }
                @for one in &listed.rows { (row(one, false)) }
            }
        }
    }
}

/// `POST …/contexts`: makes one.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let key = edit.form.get("key").trim().to_owned();
    let list = |text: &str| -> Vec<String> {
        text.split(',').map(str::trim).filter(|key| !key.is_empty()).map(str::to_owned).collect()
    };
    let change = Change {
        prototypes: Some(list(edit.form.get("prototypes"))),
        description: Some(edit.form.get("description").trim().to_owned()),
        ..Change::default()
    };
    let target = Target {
        site: here.place.site.uuid.clone(),
        environment: here.environment_name().to_owned(),
        key: key.clone(),
        expected: None,
    };
    let server = app.clone();
    match blocking(move || contexts::make(&server, &actor, &target, &change)).await {
        Ok(_) => Ok(done(&href(&here, &key), Toast::say(format!("The Context {key} is made.")))),
        Err(error) => {
            let problems = messages(error)?;
            draw(&app, &req, &edit.signed, &here, Some(edit.form), &problems)
        }
    }
}

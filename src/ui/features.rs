//! `…/features`: every feature of an environment, from the live snapshot; its switch, lock and deletion; the
//! form for a new one.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;

use super::components::ask::{self, Question};
use super::components::form::{Text, Typed, area, lines, select, summary};
use super::components::ruler::{in_words, ruler, shares, short_value, widest};
use super::components::spark::{short, spark};
use super::components::state::State;
use super::components::{ago, count, empty, icon, thin};
use super::door::safe_next;
use super::edit::{Edit, blocking};
use super::failure::Failure;
use super::layout::{Page, Place, Toast, done};
use super::url;
use crate::admin::analytics::stale::Uses;
use crate::admin::features::{self as admin, Target};
use crate::api::request::{Query, segment};
use crate::app::App;
use crate::auth::browser::{Signed, whereabouts};
use crate::clock::{self, DAY};
use crate::engine::compile::Feature;
use crate::engine::decode::FieldError;
use crate::engine::permission::{Permission, allows};
use crate::engine::snapshot::{Snapshot, Status};
use crate::engine::value::{FeatureType, Json};
use crate::error::Error;
use crate::store::analytics::read;

/// Rows of one page.
const ROWS: usize = 50;
/// Days of a trend.
const DAYS: i64 = 14;

/// Where a page is, with what is served there now, and whether this person may change it.
pub struct Here {
    pub place: Place,
    pub snapshot: Arc<Snapshot>,
    pub can_change: bool,
}

impl Here {
    pub fn of(app: &App, req: &HttpRequest, signed: &Signed) -> Result<Self, Failure> {
        let place = Place::find(app, &segment(req, "site")?, Some(&segment(req, "environment")?))?;
        let environment = place.environment()?;
        let live = app.live.environment(environment.id);
        let live = live.ok_or_else(|| Error::NotFound(format!("environment {}", environment.name)))?;
        let can_change =
            allows(signed.session.role, Permission::Change) && environment.status != Status::Archived;
        Ok(Self { snapshot: live.snapshot(), can_change, place })
    }

    pub fn environment_name(&self) -> &str {
        self.place.environment.as_ref().map(|environment| environment.name.as_str()).unwrap_or_default()
    }

    /// `…/features`.
    pub fn features(&self) -> String {
        self.section("features")
    }

    /// A page of this environment.
    pub fn section(&self, name: &str) -> String {
        self.place
            .environment
            .as_ref()
            .map(|environment| url::section(&self.place.site, environment, name))
            .unwrap_or_default()
    }

    /// `…/features/{key}`.
    pub fn feature(&self, key: &str) -> String {
        format!("{}/{}", self.features(), url::encode(key))
    }

    pub fn target(&self, key: &str, expected: Option<u64>) -> Target {
        Target {
            site: self.place.site.uuid.clone(),
            environment: self.environment_name().to_owned(),
            key: key.to_owned(),
            expected,
        }
    }

    /// The feature of the path.
    pub fn find(&self, req: &HttpRequest) -> Result<Arc<Feature>, Failure> {
        let key = segment(req, "key")?;
        let found = self.snapshot.feature(&key).cloned();
        found.ok_or_else(|| Error::NotFound(format!("feature {key}")).into())
    }

    pub fn overridden(&self, key: &str) -> Option<&Json> {
        self.snapshot.overrides().and_then(|context| context.values.get(key))
    }

    pub fn state(&self, feature: &Feature) -> State {
        State::of(feature, self.overridden(&feature.key).is_some())
    }
}

/// What of an error can be said on the page that was sent; the rest is a page of its own.
pub fn problems(error: Error) -> Result<Vec<FieldError>, Failure> {
    let whole = |message: String| vec![FieldError { field: String::new(), message }];
    match error {
        Error::Invalid(fields) | Error::UnknownField(fields) => Ok(fields),
        Error::Conflict("key_taken", message, _) => Ok(vec![FieldError { field: "key".into(), message }]),
        error @ (Error::BadJson(_)
        | Error::Conflict(..)
        | Error::Unprocessable(..)
        | Error::VersionConflict(_)) => Ok(whole(error.to_string())),
        other => Err(other.into()),
    }
}

/// The filters of the list, as the URL carries them.
struct Filter {
    q: String,
    tag: String,
    kind: String,
    state: String,
    sort: String,
    page: usize,
}

const STATES: [(&str, &str, State); 4] = [
    ("on", "On", State::On),
    ("partial", "Partial", State::Partial(crate::engine::feature::Percent(350_000))),
    ("off", "Off", State::Off),
    ("override", "Overridden", State::Override),
];

impl Filter {
    fn of(req: &HttpRequest) -> Self {
        let query = Query::of(req);
        let get = |name: &str| query.get(name).unwrap_or_default().trim().to_owned();
        let page = query.get("page").and_then(|page| page.parse().ok()).unwrap_or(1).max(1);
        Self { q: get("q"), tag: get("tag"), kind: get("type"), state: get("state"), sort: get("sort"), page }
    }

    fn is_empty(&self) -> bool {
        [&self.q, &self.tag, &self.kind, &self.state].iter().all(|part| part.is_empty())
    }

    /// The address of the same list with one of its parameters changed.
    fn with(&self, base: &str, name: &str, value: &str) -> String {
        let page = if self.page > 1 { self.page.to_string() } else { String::new() };
        let mut query = ::url::form_urlencoded::Serializer::new(String::new());
        let own = [
            ("q", &self.q),
            ("tag", &self.tag),
            ("type", &self.kind),
            ("state", &self.state),
            ("sort", &self.sort),
            ("page", &page),
        ];
        for (have, old) in own {
            // Another filter begins at its first page again.
            let value = match have {
                _ if have == name => value,
                "page" => "",
                _ => old,
            };
            if !value.is_empty() {
                query.append_pair(have, value);
            }
        }
        let query = query.finish();
        if query.is_empty() { base.to_owned() } else { format!("{base}?{query}") }
    }

    fn asks_for(&self, feature: &Feature, words: &[String]) -> bool {
        let definition = feature.definition();
        (self.kind.is_empty() || definition.kind.as_str() == self.kind)
            && (self.tag.is_empty() || definition.tags.contains(&self.tag))
            && words.iter().all(|word| {
                let has = |text: &str| text.to_lowercase().contains(word);
                has(&definition.key)
                    || has(&definition.description)
                    || definition.tags.iter().any(|tag| has(tag))
            })
    }
}

/// How often the features of a page were asked for, and when last.
struct Asked {
    uses: Uses,
    trends: HashMap<String, Vec<u64>>,
}

struct Row {
    feature: Arc<Feature>,
    state: State,
}

/// What the list shows besides its rows.
#[derive(Default)]
struct Totals {
    all: usize,
    states: BTreeMap<&'static str, usize>,
    tags: BTreeMap<String, usize>,
}

fn rows(here: &Here, filter: &Filter) -> (Vec<Row>, Totals) {
    let words: Vec<String> = filter.q.split_whitespace().map(str::to_lowercase).collect();
    let mut totals = Totals::default();
    let mut rows = Vec::new();
    for feature in here.snapshot.features() {
        for tag in &feature.definition().tags {
            *totals.tags.entry(tag.clone()).or_default() += 1;
        }
        if !filter.asks_for(feature, &words) {
            continue;
        }
        let state = here.state(feature);
        totals.all += 1;
        *totals.states.entry(state.name()).or_default() += 1;
        if feature.stored.locked {
            *totals.states.entry("locked").or_default() += 1;
        }
        let wanted = match filter.state.as_str() {
            "" => true,
            "locked" => feature.stored.locked,
            name => state.name() == name,
        };
        if wanted {
            rows.push(Row { feature: feature.clone(), state });
        }
    }
    // Rows come by key, and sorting keeps that among equals.
    match filter.sort.as_str() {
        "key" => {}
        "-key" => rows.reverse(),
        "state" => rows.sort_by_key(|row| rank(row.state)),
        "-state" => rows.sort_by_key(|row| std::cmp::Reverse(rank(row.state))),
        "changed" => rows.sort_by_key(|row| row.feature.stored.updated_at),
        _ => rows.sort_by_key(|row| std::cmp::Reverse(row.feature.stored.updated_at)),
    }
    (rows, totals)
}

fn rank(state: State) -> u32 {
    match state {
        State::Override => 0,
        State::Off => 1,
        State::Partial(share) => 2 + share.0,
        State::On => u32::MAX,
    }
}

/// `GET …/features`.
pub async fn list(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let filter = Filter::of(&req);
    let (rows, totals) = rows(&here, &filter);
    let page = Page::new(&app, &req, &signed, "Features").at(&here.place, "features");
    let base = here.features();
    let new = format!("{base}/new");
    let keys: Vec<&str> = shown(&filter, &rows).map(|row| &*row.feature.key).collect();
    let (site, environment) = (here.place.site.id, here.place.environment()?.id);
    let asked = app.read_consistent(|conn| {
        let now = app.now();
        let days: Vec<String> = (0..DAYS).rev().map(|back| clock::day(now - back * DAY)).collect();
        Ok(Asked {
            uses: Uses::load(&app, conn, site, environment, Some(&keys))?,
            trends: read::sparks(conn, environment, &keys, &days)?,
        })
    })?;
    let main = html! {
        div.head {
            div { h1 { "Features" } }
            @if here.can_change {
                div.acts { a.btn.main href=(new) { (icon("plus")) "New feature" } }
            }
        }
        @if here.snapshot.is_empty() {
            (empty(
                &format!("No features in {} yet", here.environment_name()),
                "A feature is a value that your application asks for by its key: a switch, a text, a number or JSON.",
                here.can_change.then(|| html! { a.btn.main href=(new) { (icon("plus")) "New feature" } }),
            ))
        } @else {
            (filters(&base, &filter, &totals))
            @if rows.is_empty() { (no_match(&here, &base, &filter)) }
            @else {
                (table(&page, &here, &filter, &rows, &asked, app.now()))
                (pager(&base, &filter, rows.len()))
            }
        }
    };
    Ok(page.show(main))
}

fn filters(base: &str, filter: &Filter, totals: &Totals) -> Markup {
    let chip = |name: &str, label: &str, glyph: Option<Markup>, number: usize| {
        html! {
            label.chip {
                input type="radio" name="state" value=(name) checked[filter.state == name];
                @if let Some(glyph) = glyph { (glyph) }
                (label) " " span.n { (thin(number)) }
            }
        }
    };
    let of = |name: &str| totals.states.get(name).copied().unwrap_or_default();
    html! {
        form.filter.filt method="get" action=(base) role="search"
             hx-get=(base) hx-trigger="change, input changed delay:250ms from:#q" hx-target="#list" hx-select="#list" hx-swap="outerHTML" hx-push-url="true" {
            @if !filter.sort.is_empty() { input type="hidden" name="sort" value=(filter.sort); }
            div.row.wrap {
                div.searchbox {
                    (icon("search"))
                    input id="q" name="q" value=(filter.q) data-filter="" aria-label="Search by key, description or tag"
                        placeholder="Key, description or tag" autocomplete="off" spellcheck="false";
                }
                select.auto name="type" aria-label="Type" {
                    option value="" { "Any type" }
                    @for kind in ["BOOLEAN", "STRING", "NUMBER", "JSON"] {
                        option value=(kind) selected[filter.kind == kind] { (kind) }
                    }
                }
                select.auto name="tag" aria-label="Tag" {
                    option value="" { "Any tag" }
                    @for (tag, number) in &totals.tags {
                        option value=(tag) selected[filter.tag == *tag] { (tag) " (" (number) ")" }
                    }
                }
                button.btn { "Filter" }
            }
            fieldset {
                legend.vh { "State" }
                div.chips {
                    (chip("", "All", None, totals.all))
                    @for (name, label, state) in STATES {
                        @if of(name) > 0 || filter.state == name {
                            (chip(name, label, Some(state.glyph(Some("gl"))), of(name)))
                        }
                    }
                    @if of("locked") > 0 || filter.state == "locked" {
                        (chip("locked", "Locked", Some(icon("lock")), of("locked")))
                    }
                }
            }
        }
    }
}

fn no_match(here: &Here, base: &str, filter: &Filter) -> Markup {
    let near = (!filter.q.is_empty()).then(|| nearest(&here.snapshot, &filter.q)).flatten();
    html! {
        div #list .empty {
            (icon("search"))
            h2 { @if filter.q.is_empty() { "Nothing matches" } @else { "Nothing matches “" (filter.q) "”" } }
            p.s {
                @if let Some(near) = near { "Did you mean " a href=(here.feature(&near)) { (near) } "? " }
                (count(here.snapshot.len(), "feature is", "features are")) " in " (here.environment_name()) "."
            }
            @if !filter.is_empty() { a.btn href=(base) { "Clear filters" } }
        }
    }
}

/// The key with the fewest letters to change, unless all are far away.
fn nearest(snapshot: &Snapshot, typed: &str) -> Option<String> {
    let typed = typed.to_lowercase();
    let score =
        |key: &str| similar::TextDiff::from_chars(key.to_lowercase().as_str(), typed.as_str()).ratio();
    snapshot
        .features()
        .take(2000)
        .map(|feature| (score(&feature.key), feature.key.to_string()))
        .filter(|(score, _)| *score > 0.5)
        .max_by(|(a, _), (b, _)| a.total_cmp(b))
        .map(|(_, key)| key)
}

fn heading(base: &str, filter: &Filter, name: &str, label: &str, falls_first: bool) -> Markup {
    let current = if filter.sort.is_empty() { "-changed" } else { &filter.sort };
    let (up, down) = (name.to_owned(), format!("-{name}"));
    let sorted = match current {
        _ if current == up => Some("ascending"),
        _ if current == down => Some("descending"),
        _ => None,
    };
    let next = match sorted {
        Some("ascending") => &down,
        Some(_) => &up,
        None if falls_first => &down,
        None => &up,
    };
    html! {
        th scope="col" aria-sort=[sorted] {
            a href=(filter.with(base, "sort", next)) {
                (label)
                @match sorted {
                    Some("ascending") => { " " (icon("arrow-up")) },
                    Some(_) => { " " (icon("arrow-down")) },
                    None => {},
                }
            }
        }
    }
}

/// The rows of the page that is asked for.
fn shown<'r>(filter: &Filter, rows: &'r [Row]) -> impl Iterator<Item = &'r Row> + use<'r> {
    rows.iter().skip((filter.page - 1) * ROWS).take(ROWS)
}

fn table(page: &Page<'_>, here: &Here, filter: &Filter, rows: &[Row], asked: &Asked, now: i64) -> Markup {
    let base = here.features();
    let shown = shown(filter, rows);
    html! {
        div #list {
            table.tbl.go.stackable.feats {
                caption.vh { "Features in " (here.environment_name()) }
                thead {
                    tr {
                        @if here.can_change { th scope="col" { span.vh { "Switch" } } }
                        (heading(&base, filter, "key", "Feature", false))
                        (heading(&base, filter, "state", "State", false))
                        th scope="col" { "Who gets what" }
                        th scope="col" .hide-m { span.vh { "Trend, " } "14 days" }
                        th scope="col" .r.hide-m { "Per day" }
                        th scope="col" .hide-m { "Last asked" }
                        (heading(&base, filter, "changed", "Changed", true))
                        th scope="col" { span.vh { "More" } }
                    }
                }
                tbody { @for (at, row) in shown.enumerate() { (table_row(page, here, row, asked, at, now)) } }
            }
        }
    }
}

fn table_row(page: &Page<'_>, here: &Here, row: &Row, asked: &Asked, at: usize, now: i64) -> Markup {
    let (stored, definition) = (&row.feature.stored, row.feature.definition());
    let href = here.feature(&definition.key);
    let trend = asked.trends.get(&definition.key);
    let per_day = trend.map_or(0, |days| days.iter().sum::<u64>().div_ceil(DAYS.unsigned_abs()));
    let words = format!("{} evaluations a day, {DAYS} days", short(per_day));
    html! {
        tr {
            @if here.can_change { td.tight.sw1 { (switch(page, here, &row.feature, false)) } }
            th scope="row" .k1 {
                a.in.key href=(href) { (definition.key) }
                span.sub {
                    span.type { (definition.kind) }
                    @for tag in definition.tags.iter().take(4) { span.tag { span { (tag) } } }
                }
            }
            td.full {
                (row.state.badge())
                @if stored.locked { " " span.note { (icon("lock")) "Locked" } }
                @if definition.retired { " " span.note { (icon("pause")) "Retired" } }
                @if let Some(broken) = &row.feature.broken { " " span.note.warn title=(broken) { (icon("warn")) "Broken" } }
                @if let Some(stale) = asked.uses.stale(&row.feature, now) { " " span.note.warn { (icon("stale")) (stale.words()) } }
            }
            td.full.roll { (who_gets_what(here, row)) }
            td.hide-m { @if let Some(days) = trend { (spark(days, &words)) } }
            td.r.num.hide-m { (short(per_day)) }
            td.m2.nowrap.hide-m { @match asked.uses.last(&definition.key) { Some(last) => (ago(last, now)), None => "–" } }
            td.m2.nowrap.hide-s { (ago(stored.updated_at, now)) " " span.m3 { "by " (stored.updated_by) } }
            td.tight.m1 { (menu(page, here, &row.feature, at)) }
        }
    }
}

/// The switch of a feature, a form of its own.
pub fn switch(page: &Page<'_>, here: &Here, feature: &Feature, big: bool) -> Markup {
    let definition = feature.definition();
    let label = format!("{} in {}", definition.key, here.environment_name());
    html! {
        // With the script the page is replaced in place: nothing scrolls, and the switch keeps the focus.
        form method="post" action={ (here.feature(&definition.key)) "/switch" }
             hx-boost="true" hx-push-url="false" hx-swap="innerHTML show:none" {
            (page.csrf())
            input type="hidden" name="to" value=(if definition.enabled { "off" } else { "on" });
            button.switch.big[big] id={ "switch-" (definition.key) } role="switch" aria-checked=(definition.enabled) aria-label=(label)
                disabled[feature.stored.locked || !here.can_change] { span.hit {} }
        }
    }
}

fn who_gets_what(here: &Here, row: &Row) -> Markup {
    let definition = row.feature.definition();
    let plain = |text: String| html! { span.rcell.xs.m2 { span.cut { (text) } } };
    let default = || definition.default_value.as_ref().map_or_else(|| "no value".to_owned(), short_value);
    match row.state {
        State::Override => plain(here.overridden(&definition.key).map(short_value).unwrap_or_default()),
        State::Off if definition.kind == FeatureType::Boolean => plain("Everyone: false".into()),
        State::Off => plain("Everyone: their own default".into()),
        State::On if definition.rules.is_empty() => plain(format!("Everyone: {}", default())),
        State::On | State::Partial(_) => match widest(&row.feature) {
            None => plain(format!("Everyone: {}", default())),
            Some((rule, _)) => {
                let parts = shares(rule, definition);
                let words = in_words(&parts);
                let first = definition.rules.iter().find(|rule| rule.enabled);
                let is_first = first.is_none_or(|first| std::ptr::eq(first, rule));
                html! {
                    @if let State::Partial(_) = row.state {
                        span.rcell { (ruler(&parts, &words, false)) span.xs.m3.cut { (words) } }
                    } @else {
                        (plain(match rule.when {
                            Some(_) => format!("Who matches: {words}"),
                            None if is_first => format!("Everyone: {words}"),
                            None => format!("Everyone else: {words}"),
                        }))
                    }
                }
            }
        },
    }
}

fn menu(page: &Page<'_>, here: &Here, feature: &Feature, at: usize) -> Markup {
    let key = &feature.definition().key;
    let href = here.feature(key);
    html! {
        button type="button" .icon popovertarget={ "row-" (at) } aria-label={ "More for " (key) } { (icon("more")) }
        div popover id={ "row-" (at) } .menu {
            a href=(href) { (icon("layers")) "Open rules" kbd { "Enter" } }
            a href={ (here.section("test")) "?feature=" (url::encode(key)) } { (icon("test")) "Test" }
            a href={ (href) "/history" } { (icon("history")) "History" }
            @if here.can_change { a href={ (href) "?edit=settings#settings" } { (icon("edit")) "Description, tags, default" } }
            button type="button" data-copy={ "key-" (at) } { (icon("copy")) span { "Copy" } "key" }
            span.vh id={ "key-" (at) } { (key) }
            @if here.can_change { hr; (lock_form(page, here, feature)) (delete_link(here, feature)) }
        }
    }
}

/// Lock or unlock, as an entry of a menu.
pub fn lock_form(page: &Page<'_>, here: &Here, feature: &Feature) -> Markup {
    let locked = feature.stored.locked;
    html! {
        form method="post" action={ (here.feature(&feature.key)) "/lock" } {
            (page.csrf())
            input type="hidden" name="to" value=(if locked { "unlocked" } else { "locked" });
            button { (icon("lock")) (if locked { "Unlock" } else { "Lock" }) }
        }
    }
}

/// Delete, as an entry of a menu.
pub fn delete_link(here: &Here, feature: &Feature) -> Markup {
    html! { a.bad href={ (here.feature(&feature.key)) "/delete" } { (icon("trash")) "Delete…" } }
}

fn pager(base: &str, filter: &Filter, all: usize) -> Markup {
    let pages = all.div_ceil(ROWS).max(1);
    let page = filter.page.min(pages);
    let (from, to) = ((page - 1) * ROWS + 1, (page * ROWS).min(all));
    html! {
        @if pages > 1 {
            nav.pager aria-label="Pages" {
                span.num { (thin(from)) "–" (thin(to)) " of " (thin(all)) }
                span.end.row {
                    @if page > 1 {
                        a.btn rel="prev" href=(filter.with(base, "page", &(page - 1).to_string())) { (icon("left")) "Previous" }
                    }
                    @if page < pages {
                        a.btn rel="next" href=(filter.with(base, "page", &(page + 1).to_string())) { "Next" (icon("right")) }
                    }
                }
            }
        }
    }
}

/// Back to where the form stood, if that is a page of this environment.
fn back(req: &HttpRequest, here: &Here, typed: &Typed) -> String {
    let named = safe_next(typed.get("back"));
    let from = if named == "/" { whereabouts(req) } else { named.to_owned() };
    let base = here.features();
    if from == base || from.starts_with(&format!("{base}?")) || from.starts_with(&format!("{base}/")) {
        from
    } else {
        base
    }
}

/// `POST …/features/{key}/switch`. In production, turning off asks for the key.
pub async fn turn(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let feature = here.find(&req)?;
    let key = feature.key.to_string();
    let on = edit.form.get("to") == "on";
    let back = back(&req, &here, &edit.form);
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    if here.place.is_production() && !on && feature.definition().enabled {
        let question = Question {
            title: "Turn off in production?",
            name: &key,
            text: match feature.definition().kind {
                FeatureType::Boolean => {
                    html! { "stops answering by its rules. Everyone gets false from the next request on." }
                }
                _ => {
                    html! { "stops answering by its rules. All of them get their own default from the next request on." }
                }
            },
            action: format!("{}/switch", here.feature(&key)),
            verb: "Turn off",
            keep: "Keep it on",
            back: back.clone(),
            typed: Some("key"),
        };
        if !question.is_answered(&edit.form) {
            let page = Page::new(&app, &req, &edit.signed, "Turn off").at(&here.place, "features");
            let asked = edit.form.is_on(ask::FIELD);
            let typed = if asked { edit.form.wrong(&[question.problem()]) } else { edit.form };
            let carried = html! { input type="hidden" name="to" value="off"; input type="hidden" name="back" value=(back); };
            let main = question.draw(page.csrf(), &typed, &carried);
            return Ok(if asked { page.refuse(main) } else { page.show(main) });
        }
    }
    let body = json!({ "enabled": on }).to_string();
    let target = here.target(&key, None);
    let server = app.clone();
    blocking(move || admin::update(&server, &actor, &target, &body, false)).await?;
    let word = if on { "on" } else { "off" };
    let toast = Toast::say(format!("{key} is now {word} in {}.", here.environment_name()))
        .undo(format!("{}/switch", here.feature(&key)), &[("to", if on { "off" } else { "on" })]);
    Ok(done(&back, toast))
}

/// `POST …/features/{key}/lock`.
pub async fn lock(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let key = here.find(&req)?.key.to_string();
    let locked = edit.form.get("to") == "locked";
    let (actor, target, server) = (edit.signed.actor(), here.target(&key, None), app.clone());
    let body = json!({ "locked": locked }).to_string();
    blocking(move || admin::update(&server, &actor, &target, &body, false)).await?;
    let text = if locked {
        format!("{key} is locked. Nobody can change it until it is unlocked.")
    } else {
        format!("{key} is unlocked.")
    };
    let other = if locked { "unlocked" } else { "locked" };
    let toast = Toast::say(text).undo(format!("{}/lock", here.feature(&key)), &[("to", other)]);
    Ok(done(&back(&req, &here, &edit.form), toast))
}

fn delete_question<'a>(here: &Here, key: &'a str) -> Question<'a> {
    let production = here.place.is_production();
    Question {
        title: if production { "Delete in production?" } else { "Delete this feature?" },
        name: key,
        text: html! {
            "goes with its rules and variants. Whoever asks for it gets their own default from the next request on. "
            "The history stays in the audit log."
        },
        action: format!("{}/delete", here.feature(key)),
        verb: "Delete",
        keep: "Keep it",
        back: here.feature(key),
        typed: production.then_some("key"),
    }
}

/// `GET …/features/{key}/delete`: the question.
pub async fn ask_delete(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    signed.actor().require(Permission::Change)?;
    let feature = here.find(&req)?;
    let page = Page::new(&app, &req, &signed, "Delete").at(&here.place, "features");
    let main = delete_question(&here, &feature.key).draw(page.csrf(), &Typed::default(), &html! {});
    Ok(page.show(main))
}

/// `POST …/features/{key}/delete`.
pub async fn delete(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let key = here.find(&req)?.key.to_string();
    let page = Page::new(&app, &req, &edit.signed, "Delete").at(&here.place, "features");
    let question = delete_question(&here, &key);
    if !question.is_answered(&edit.form) {
        let main = question.draw(page.csrf(), &edit.form.wrong(&[question.problem()]), &html! {});
        return Ok(page.refuse(main));
    }
    let (target, server, force) = (here.target(&key, None), app.clone(), edit.form.is_on("force"));
    match blocking(move || admin::delete(&server, &actor, &target, force)).await {
        Ok(()) => Ok(done(
            &here.features(),
            Toast::say(format!("{key} is deleted from {}.", here.environment_name())),
        )),
        Err(Error::Conflict("feature_in_use", message, _)) => {
            let problem = FieldError { field: String::new(), message };
            let extra = html! {
                label.check { input type="checkbox" name="force" value="on"; " Delete those values too" }
            };
            let main = question.draw(page.csrf(), &edit.form.wrong(&[problem]), &extra);
            Ok(page.refuse(main))
        }
        Err(error) => {
            let typed = edit.form.wrong(&problems(error)?);
            let main = question.draw(page.csrf(), &typed, &html! {});
            Ok(page.refuse(main))
        }
    }
}

/// Text that was typed as a value of a type, as JSON. Text stays text; the rest is what it says.
pub fn value_json(kind: FeatureType, typed: &str) -> String {
    match kind {
        FeatureType::String => json!(typed).to_string(),
        _ if Json::parse(typed.trim()).is_some() => typed.trim().to_owned(),
        // Not JSON: sent as text, which the type refuses with its own message.
        _ => json!(typed).to_string(),
    }
}

/// The same for a field that showed a stored value: line breaks that no form can send stay where nothing else changed.
pub fn edited_json(kind: FeatureType, typed: &str, stored: Option<&Json>) -> String {
    match stored {
        Some(value) if kind == FeatureType::String && lines(&value_text(kind, value)) == typed => {
            value.to_string()
        }
        _ => value_json(kind, typed),
    }
}

/// What is wrong with text that should be JSON. Sent as it is, it would become a JSON string.
pub fn json_problem(kind: FeatureType, typed: &str, field: &str) -> Option<FieldError> {
    if kind != FeatureType::Json {
        return None;
    }
    let error = serde_json::from_str::<&serde_json::value::RawValue>(typed.trim()).err()?;
    let message = match typed.trim() {
        "" => "is required".to_owned(),
        _ => format!("is not JSON: {error}"),
    };
    Some(FieldError { field: field.into(), message })
}

/// A value as its field shows it.
pub fn value_text(kind: FeatureType, value: &Json) -> String {
    match kind {
        FeatureType::String => value.to_text().unwrap_or_default(),
        FeatureType::Json => pretty(value),
        _ => value.to_string(),
    }
}

/// JSON with line breaks, where it fits no line.
pub fn pretty(value: &Json) -> String {
    let text = value.to_string();
    if text.len() <= 72 {
        return text;
    }
    // Through a `Value` numbers would lose how they were written.
    let (mut out, mut depth, mut in_string, mut escaped) =
        (String::with_capacity(text.len() * 2), 0_usize, false, false);
    let newline = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', depth * 2));
    };
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '{' | '[' => {
                out.push(c);
                if matches!(chars.peek(), Some('}' | ']')) {
                    out.extend(chars.next());
                } else {
                    depth += 1;
                    newline(&mut out, depth);
                }
            }
            '}' | ']' => {
                depth = depth.saturating_sub(1);
                newline(&mut out, depth);
                out.push(c);
            }
            ',' => {
                out.push(c);
                newline(&mut out, depth);
            }
            ':' => out.push_str(": "),
            _ => {
                in_string = c == '"';
                out.push(c);
            }
        }
    }
    out
}

/// Tags as they are typed: by commas.
pub fn tags_of(typed: &str) -> Vec<&str> {
    typed.split(',').map(str::trim).filter(|tag| !tag.is_empty()).collect()
}

/// Problems of single tags are those of the one field.
pub fn gather_tags(mut problems: Vec<FieldError>) -> Vec<FieldError> {
    for problem in &mut problems {
        if problem.field.starts_with("tags[") {
            problem.field = "tags".into();
        }
    }
    problems
}

const NEW_FIELDS: [&str; 6] = ["key", "type", "defaultValue", "description", "tags", "bucketing"];

fn new_form(page: &Page<'_>, here: &Here, typed: &Typed) -> Markup {
    html! {
        nav.crumb.s.m3 aria-label="Breadcrumb" { a href=(here.features()) { "Features" } }
        div.head { div { h1 { "New feature" } } }
        form.stack.l method="post" action={ (here.features()) "/new" } {
            (page.csrf())
            (summary(typed, &NEW_FIELDS))
            (Text::new("key", "Key").required()
                .hint("What the application asks for. Letters, digits and _ . : / - only; it stays as it is.").draw(typed))
            (select("type", "Type", &[
                ("BOOLEAN", "BOOLEAN: on or off"), ("STRING", "STRING: a text"),
                ("NUMBER", "NUMBER"), ("JSON", "JSON: anything"),
            ], typed))
            (area("defaultValue", "Default value",
                "Given when no rule answers: true or false, a text, a number, or JSON. Empty for none: clients use their own.", 3, typed))
            (Text::new("description", "Description").hint("What it decides, for the people who read this list.").draw(typed))
            (Text::new("tags", "Tags").hint("By commas.").draw(typed))
            (super::flagr::bucketing_choice(typed.get("bucketing")))
            div.row {
                button.btn.main[!here.place.is_production()].prod[here.place.is_production()] { "Create in " (here.environment_name()) }
                a.btn href=(here.features()) { "Cancel" }
            }
        }
    }
}

/// `GET …/features/new`.
pub async fn show_new(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    signed.actor().require(Permission::Change)?;
    let page = Page::new(&app, &req, &signed, "New feature").at(&here.place, "features").narrow();
    let main = new_form(&page, &here, &Typed::with(&[("type", "BOOLEAN"), ("defaultValue", "false")]));
    Ok(page.show(main))
}

/// `POST …/features/new`.
pub async fn create(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let typed = &edit.form;
    let mut body = json!({
        "key": typed.get("key").trim(),
        "type": typed.get("type"),
        "description": typed.get("description").trim(),
        "tags": tags_of(typed.get("tags")),
        "bucketing": Some(typed.get("bucketing")).filter(|scheme| !scheme.is_empty()),
    })
    .to_string();
    let kind = FeatureType::parse(typed.get("type")).unwrap_or(FeatureType::Boolean);
    if !typed.get("defaultValue").trim().is_empty() {
        body.pop();
        body.push_str(",\"defaultValue\":");
        body.push_str(&value_json(kind, typed.get("defaultValue")));
        body.push('}');
    }
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let default = typed.get("defaultValue");
    let problem = (!default.trim().is_empty()).then(|| json_problem(kind, default, "defaultValue")).flatten();
    if let Some(problem) = problem {
        let typed = typed.clone().wrong(&[problem]);
        let page = Page::new(&app, &req, &edit.signed, "New feature").at(&here.place, "features").narrow();
        let main = new_form(&page, &here, &typed);
        return Ok(page.refuse(main));
    }
    let server = app.clone();
    let (site, environment) = (here.place.site.uuid.clone(), here.environment_name().to_owned());
    match blocking(move || admin::create(&server, &actor, &site, &environment, &body)).await {
        Ok(feature) => {
            let key = &feature.definition.key;
            Ok(done(
                &here.feature(key),
                Toast::say(format!("{key} is made and on in {}.", here.environment_name())),
            ))
        }
        Err(error) => {
            let typed = edit.form.clone().wrong(&gather_tags(problems(error)?));
            let page =
                Page::new(&app, &req, &edit.signed, "New feature").at(&here.place, "features").narrow();
            let main = new_form(&page, &here, &typed);
            Ok(page.refuse(main))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_json_is_broken_into_lines_and_reads_the_same() {
        let value = Json::parse(r#"{"enable":["A","B, C"],"disable":[],"params":{"deep":{"x":1.50,"text":"a \" {b}: c"}},"more":"0123456789"}"#)
            .expect("JSON");
        let text = pretty(&value);
        assert!(text.contains("\n  \"disable\": [],\n"), "{text}");
        assert_eq!(Json::parse(&text).expect("still JSON"), value);
    }

    #[test]
    fn typed_values_become_json_of_their_type() {
        assert_eq!(value_json(FeatureType::String, "a \"b\""), r#""a \"b\"""#);
        assert_eq!(value_json(FeatureType::Number, " 1.50 "), "1.50");
        assert_eq!(value_json(FeatureType::Boolean, "yes"), r#""yes""#);
        assert_eq!(value_json(FeatureType::Json, "{broken"), r#""{broken""#);
    }
}

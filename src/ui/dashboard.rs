//! `/`: the state of things at a glance, and the way to begin.

use std::sync::atomic::Ordering;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::{ago, count, icon, thin};
use super::failure::Failure;
use super::layout::{Page, environment_name};
use super::url;
use crate::admin::analytics::stale::{self, View as Stale};
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::{Permission, Role, allows};
use crate::store;
use crate::store::changes::AuditFilter;
use crate::store::environments::Environment;
use crate::store::sites::Site;

/// Entries of recent activity.
const RECENT: u64 = 10;
/// Stale features that are named.
const STALE: usize = 5;
/// Environments with more features are not searched for stale ones here.
const LARGE: usize = 2000;

/// `GET /`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let (sites, tokens, users, recent) = app.read_consistent(|conn| {
        let sites: Vec<(Site, Vec<Environment>)> = store::sites::all(conn)?
            .into_iter()
            .map(|site| Ok((store::environments::list(conn, site.id)?, site)))
            .map(|pair: crate::error::Result<_>| pair.map(|(environments, site)| (site, environments)))
            .collect::<crate::error::Result<_>>()?;
        let filter = AuditFilter { limit: RECENT, ..AuditFilter::default() };
        Ok((
            sites,
            store::tokens::all(conn)?.len(),
            store::users::count(conn)?,
            store::changes::list(conn, &filter)?,
        ))
    })?;
    let live = app.live.environments();
    let features: usize = live.iter().map(|environment| environment.snapshot().len()).sum();
    let overridden: usize =
        live.iter().map(|e| e.snapshot().overrides().map_or(0, |context| context.values.len())).sum();
    let broken: usize =
        live.iter().map(|e| e.snapshot().features().filter(|feature| feature.broken.is_some()).count()).sum();
    let unwritable = app.unwritable.load(Ordering::Relaxed);
    let stale = stale_features(&app, &sites)?;
    let title = match (unwritable, broken) {
        (true, _) => "Changes cannot be saved at the moment.",
        (_, 1..) => "Something needs a look.",
        _ => "Everything answers.",
    };
    let first = sites.first().and_then(|(site, environments)| environments.first().map(|e| (site, e)));
    let page = Page::new(&app, &req, &signed, "Dashboard");
    let may_change = allows(signed.session.role, Permission::Change);
    let now = app.now();
    let main = html! {
        div.head {
            div { h1 { (title) } p.lede { (lede(overridden, broken, unwritable)) } }
            div.acts {
                @if let Some((site, environment)) = first {
                    a.btn href=(url::section(site, environment, "test")) { (icon("test")) "Test a context" }
                }
                @if may_change { a.btn.main href="/sites#new" { (icon("plus")) "New site" } }
            }
        }
        div.figures {
            a href="/sites" { b { (thin(sites.len())) } span { "sites" } }
            a href="/sites" { b { (thin(live.len())) } span { "environments" } }
            a href=(first.map_or("/sites".into(), |(site, e)| url::features(site, e))) { b { (thin(features)) } span { "features" } }
            @if signed.session.role == Role::Admin {
                a href="/admin/users" { b { (thin(usize::try_from(users).unwrap_or(0))) } span { "users" } }
            } @else {
                span { b { (thin(usize::try_from(users).unwrap_or(0))) } span { "users" } }
            }
            a href=(first.map_or("/sites".into(), |(site, e)| url::section(site, e, "tokens"))) { b { (thin(tokens)) } span { "active tokens" } }
        }
        div.cols.dash {
            div.stack.l {
                @if features == 0 || tokens == 0 { (getting_started(&sites, features, tokens, may_change)) }
                section aria-labelledby="recent-h" {
                    div.subhead { h2 id="recent-h" { "Recent changes" } a.end.s href="/audit" { "Audit log" } }
                    @if recent.is_empty() { p.m2 { "Nothing has changed yet." } }
                    ol.log { @for entry in &recent {
                        li.entry {
                            (ago(entry.at, now))
                            span.face.sm aria-hidden="true" { (entry.actor.chars().take(2).flat_map(char::to_uppercase).collect::<String>()) }
                            div.stack.t { span { b { (entry.actor) } " " span.m2 { (entry.summary) } } }
                        }
                    } }
                }
            }
            aside.stack.l {
                section aria-labelledby="sites-h" {
                    div.subhead { h2 id="sites-h" { "Sites" } }
                    ul.stack.t { @for (site, environments) in sites.iter().take(8) {
                        li.row.wrap {
                            a href=(url::site(site)) { (site.name) }
                            span.chips { @for environment in environments {
                                a.chip href=(url::features(site, environment)) { (environment_name(environment)) }
                            } }
                        }
                    } }
                }
                @if !stale.is_empty() {
                    section aria-labelledby="stale-h" {
                        div.subhead { h2 id="stale-h" { "Stale features" } span.end.num.m3 { (thin(stale.len())) } }
                        ul.stack.t { @for (site, environment, feature) in stale.iter().take(STALE) {
                            li.stack.t {
                                a.key href=(url::feature(site, environment, &feature.feature)) { (feature.feature) }
                                span.xs.m2 { (icon("stale")) " " (feature.words()) ", " (environment_name(environment)) " of " (site.name) }
                            }
                        } }
                    }
                }
                section aria-labelledby="health-h" {
                    div.subhead { h2 id="health-h" { "Health" } }
                    dl.inlinefacts.s {
                        div { dt.m3 { "Database" } dd { @if unwritable { "cannot be written" } @else { "writable" } } }
                        div { dt.m3 { "Answers kept in memory" } dd { (app.live.answers.as_ref().map_or("off".into(), |cache| thin(usize::try_from(cache.entry_count()).unwrap_or(0)))) } }
                        div { dt.m3 { "Open streams" } dd { (app.metrics.streams.get()) } }
                    }
                }
            }
        }
    };
    Ok(page.show(main))
}

/// The stale features of all environments, the longest stale first. Those of very large ones are on their analytics
/// page alone, since finding them takes its time.
fn stale_features<'s>(
    app: &App,
    sites: &'s [(Site, Vec<Environment>)],
) -> crate::error::Result<Vec<(&'s Site, &'s Environment, Stale)>> {
    let mut found = Vec::new();
    app.read(|conn| {
        for (site, environment) in sites.iter().flat_map(|(site, all)| all.iter().map(move |one| (site, one)))
        {
            let small =
                app.live.environment(environment.id).is_some_and(|live| live.snapshot().len() <= LARGE);
            if small {
                let stale = stale::list(app, conn, site.id, environment.id)?;
                found.extend(stale.into_iter().map(|feature| (site, environment, feature)));
            }
        }
        Ok(())
    })?;
    found.sort_by_key(|(_, _, feature)| std::cmp::Reverse(feature.days));
    Ok(found)
}

fn lede(overridden: usize, broken: usize, unwritable: bool) -> String {
    let mut parts = Vec::new();
    if unwritable {
        parts.push("The last write failed; evaluation goes on from memory.".to_owned());
    }
    if broken > 0 {
        let text = count(broken, "feature is served as its default", "features are served as their default");
        parts.push(format!("{text} because a rule cannot be read."));
    }
    if overridden > 0 {
        parts.push(format!(
            "{} active.",
            count(overridden, "emergency override is", "emergency overrides are")
        ));
    }
    parts.join(" ")
}

fn getting_started(
    sites: &[(Site, Vec<Environment>)],
    features: usize,
    tokens: usize,
    may_change: bool,
) -> Markup {
    let first = sites.first().and_then(|(site, environments)| environments.first().map(|e| (site, e)));
    let step = |done: bool, title: &str, text: &str, link: Option<(String, &str)>| {
        html! {
            li.hit[done].unasked[!done] {
                span.rung { @if done { (icon("check")) } @else { (icon("minus")) } }
                div.step {
                    h3 { (title) }
                    span.say { (text) }
                    @if let Some((to, label)) = link.filter(|_| !done && may_change) { a.btn href=(to) { (label) } }
                }
            }
        }
    };
    html! {
        section aria-labelledby="begin-h" {
            div.subhead { h2 id="begin-h" { "Getting started" } }
            ol.ladder {
                (step(!sites.is_empty(), "Make a site", "One application or service; it comes with an environment prod.", Some(("/sites#new".into(), "New site"))))
                (step(features > 0, "Make a feature", "A switch, a text, a number or JSON, with rules for who gets what.",
                    first.map(|(site, e)| (format!("{}/new", url::features(site, e)), "New feature"))))
                (step(tokens > 0, "Make a token", "Your program shows it to ask for values.",
                    first.map(|(site, e)| (format!("{}#new", url::section(site, e, "tokens")), "New token"))))
                (step(false, "Ask from your program", "The help has code to copy, with your own address in it.", Some(("/help/integrate".into(), "How to connect"))))
            }
        }
    }
}

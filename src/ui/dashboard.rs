//! `/`: the state of things at a glance, and the way to begin.

use std::sync::atomic::Ordering;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::{ago, count, icon, thin};
use super::failure::Failure;
use super::layout::{Page, environment_name};
use super::url;
use crate::admin;
use crate::admin::analytics::stale::{self, View as Stale};
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::{Permission, Role, allows};
use crate::store;
use crate::store::changes::{AuditEntry, AuditFilter};
use crate::store::environments::Environment;
use crate::store::sites::Site;

/// Entries of recent activity.
const RECENT: u64 = 10;
/// Stale features that are named.
const STALE: usize = 5;
/// Environments with more features are not searched for stale ones here.
const LARGE: usize = 2000;
/// Sites named on the page.
const SITES: u64 = 8;

/// `GET /`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let now = app.now();
    let known = app.read_consistent(|conn| {
        let filter = AuditFilter { limit: RECENT, ..AuditFilter::default() };
        Ok(Known {
            sites: store::sites::with_environments(conn, SITES)?,
            site_count: store::sites::count(conn)?,
            tokens: store::tokens::count_active(conn, now)?,
            asked: store::tokens::any_used(conn)?,
            users: store::users::count(conn)?,
            recent: store::changes::list(conn, &filter)?,
        })
    })?;
    let Known { sites, site_count, tokens, asked, users, recent } = &known;
    // What opens once opens always; what was lost may have been reset meanwhile.
    let lost =
        if app.seal.lost() == 0 { 0 } else { app.read(|conn| admin::two_factor::count_lost(&app, conn))? };
    let live = app.live.environments();
    let (mut features, mut overridden, mut broken) = (0, 0, 0);
    for environment in &live {
        let snapshot = environment.snapshot();
        features += snapshot.len();
        overridden += snapshot.overrides().map_or(0, |context| context.values.len());
        broken += snapshot.features().filter(|feature| feature.broken.is_some()).count();
    }
    let unwritable = app.unwritable.load(Ordering::Relaxed);
    // What a page has room for is less than what there is.
    let everywhere = app.read(|conn| store::sites::with_environments(conn, 500))?;
    let stale = stale_features(&app, &everywhere)?;
    let title = match (unwritable, broken + lost) {
        (true, _) => "Changes cannot be saved at the moment.",
        (_, 1..) => "Something needs a look.",
        _ => "Everything answers.",
    };
    let first = sites.first().and_then(|(site, environments)| environments.first().map(|e| (site, e)));
    let page = Page::new(&app, &req, &signed, "Dashboard");
    let may_change = allows(signed.session.role, Permission::Change);
    let main = html! {
        // The script asks for this page again when something changed, and takes the board out of it.
        div data-live="/events" hx-get="/" hx-trigger="live" hx-target="#board" hx-select="#board" hx-swap="outerHTML show:none" hx-headers=r#"{"x-live":"1"}"# {
        div #board {
        @if lost > 0 { (lost_key(lost, signed.session.role)) }
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
            a href="/sites" { b { (thin(*site_count)) } span { "sites" } }
            a href="/sites" { b { (thin(live.len())) } span { "environments" } }
            a href=(first.map_or("/sites".into(), |(site, e)| url::features(site, e))) { b { (thin(features)) } span { "features" } }
            @if signed.session.role == Role::Admin {
                a href="/admin/users" { b { (thin(usize::try_from(*users).unwrap_or(0))) } span { "users" } }
            } @else {
                span { b { (thin(usize::try_from(*users).unwrap_or(0))) } span { "users" } }
            }
            a href=(first.map_or("/sites".into(), |(site, e)| url::section(site, e, "tokens"))) { b { (thin(*tokens)) } span { "active tokens" } }
        }
        div.cols.dash {
            div.stack.l {
                @if features == 0 || *tokens == 0 || !asked { (getting_started(sites, features, *tokens, may_change)) }
                section aria-labelledby="recent-h" {
                    div.subhead { h2 id="recent-h" { "Recent changes" } a.end.s href="/audit" { "Audit log" } }
                    @if recent.is_empty() { p.m2 { "Nothing has changed yet." } }
                    ol.log { @for entry in recent {
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
                    div.subhead { h2 id="sites-h" { "Sites" } a.end.s href="/sites" { "All" } }
                    ul.stack.t { @for (site, environments) in sites {
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
                    dl.facts {
                        dt { "Database" } dd { @if unwritable { span.note.bad { (icon("error")) "cannot be written" } } @else { span.note.good { (icon("check")) "writable" } } }
                        dt { "Secrets" } dd { @if lost > 0 { span.note.bad { (icon("error")) (lost) " cannot be opened" } } @else { span.note.good { (icon("check")) "readable" } } }
                        dt { "Answer cache" } dd.num { (app.live.answers.as_ref().map_or("off".into(), |cache| count(usize::try_from(cache.entry_count()).unwrap_or(0), "answer", "answers"))) }
                        dt { "Open streams" } dd.num { (app.metrics.streams.get()) }
                    }
                }
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

/// What the page shows from the database.
struct Known {
    sites: Vec<(Site, Vec<Environment>)>,
    site_count: usize,
    /// Those that still let somebody in.
    tokens: usize,
    /// Whether a program has ever asked.
    asked: bool,
    users: u64,
    recent: Vec<AuditEntry>,
}

/// Secrets were sealed under a key that is gone (a restored backup has none).
fn lost_key(lost: usize, role: Role) -> Markup {
    html! {
        div.banner.bad role="alert" {
            (icon("error"))
            span.grow {
                b { (count(lost, "sealed secret", "sealed secrets")) " cannot be opened: the secret key is not the one they were sealed with." }
                " " span.m2 {
                    "Everything else is served. Put the old key file back beside the database and start again, or set them up anew: "
                    "people who sign in with an app use a backup code and set the app up again."
                }
            }
            @if role == Role::Admin { a href="/admin/two-factor" { "Two-factor sign-in" } }
        }
    }
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

//! `/find`: the palette's list: sites, environments, features and actions by a few letters.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::icon;
use super::failure::Failure;
use super::layout::{ADMIN_PAGES, Page, TABS, environment_name};
use super::url;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::{Permission, allows};
use crate::store;

/// Features shown at most.
const FEATURES: usize = 12;

/// `GET /find?q=&site=&env=`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let query = Query::of(&req);
    let q = query.get("q").unwrap_or_default().to_lowercase();
    let words: Vec<&str> = q.split_whitespace().collect();
    let fits = |text: &str| words.iter().all(|word| text.to_lowercase().contains(word));
    let (here_site, here_env) = (query.get("site"), query.get("env"));
    let role = signed.session.role;
    let mut places = Vec::new();
    let mut features = Vec::new();
    let sites = app.read_consistent(|conn| store::sites::with_environments(conn, u64::from(u32::MAX)))?;
    for (site, environments) in &sites {
        if fits(&format!("{} {}", site.name, site.slug)) {
            places
                .push(html! { a href=(url::site(site)) { (icon("site")) (site.name) span.end { "Site" } } });
        }
        for environment in environments {
            let is_here = here_site == Some(&site.slug) && here_env == Some(&environment.name);
            if !words.is_empty() && fits(&format!("{} {} {}", site.name, site.slug, environment.name)) {
                places.push(html! {
                    a href=(url::features(site, environment)) { (environment_name(environment)) span.end { "Environment of " (site.name) } }
                });
            }
            let wanted = is_here || (here_site.is_none() && !words.is_empty());
            if let Some(live) = app.live.environment(environment.id).filter(|_| wanted) {
                let snapshot = live.snapshot();
                if is_here && !words.is_empty() {
                    for segment in snapshot
                        .segments()
                        .iter()
                        .filter(|segment| fits(&format!("{} {}", segment.key, segment.name)))
                        .take(FEATURES)
                    {
                        places.push(html! {
                            a href={ (url::section(site, environment, "segments")) "/" (url::encode(&segment.key)) } { (icon("group")) code { (segment.key) } span.end { "Segment" } }
                        });
                    }
                }
                for feature in
                    snapshot.features().filter(|f| fits(&format!("{} {}", f.key, f.definition().description)))
                {
                    if features.len() >= FEATURES {
                        break;
                    }
                    features.push(html! {
                        a href=(url::feature(site, environment, &feature.key)) { (icon("flag")) code { (feature.key) } span.end { "Feature in " (environment.name) } }
                    });
                }
            }
        }
    }
    let here = here_site
        .zip(here_env)
        .map(|(site, env)| format!("/sites/{}/environments/{}", url::encode(site), url::encode(env)));
    let mut actions: Vec<(String, &str, &str)> = Vec::new();
    if let Some(here) = &here {
        if allows(role, Permission::Change) {
            actions.push((format!("{here}/features/new"), "plus", "New feature"));
        }
        if allows(role, Permission::Change) {
            actions.push((format!("{here}/segments/new"), "plus", "New segment"));
            actions.push((format!("{here}/tokens#new"), "plus", "New token"));
        }
        actions.push((format!("{here}/test"), "test", "Test a context"));
        for tab in TABS.iter().filter(|tab| tab.name != "test") {
            actions.push((format!("{here}/{}", tab.name), "right", tab.label));
        }
    }
    if allows(role, Permission::Change) {
        actions.push(("/sites#new".into(), "plus", "New site"));
    }
    actions.push(("/".into(), "home", "Dashboard"));
    actions.push(("/sites".into(), "site", "All sites"));
    actions.push(("/audit".into(), "history", "Audit log of everything"));
    actions.push(("/account".into(), "user", "Profile and security"));
    actions.push(("/account#look".into(), "edit", "Appearance: light, dark, dense tables"));
    if role == crate::engine::permission::Role::Admin {
        actions.push(("/admin/users/new".into(), "plus", "New user"));
        actions.extend(ADMIN_PAGES.iter().map(|(to, mark, label)| ((*to).to_owned(), *mark, *label)));
    }
    for page in super::help::PAGES {
        actions.push((format!("/help/{}", page.name), "help", page.title));
    }
    actions.push(("/help".into(), "help", "Help"));
    let actions: Vec<Markup> = actions
        .into_iter()
        .filter(|(to, _, label)| if words.is_empty() { !to.starts_with("/help/") } else { fits(label) })
        .map(|(to, mark, label)| html! { a href=(to) { (icon(mark)) (label) } })
        .collect();
    places.truncate(FEATURES);
    let nothing = features.is_empty() && places.is_empty() && actions.is_empty();
    let found = html! {
        ul #found {
            @for (label, list) in [("Here", &features), ("Do", &actions), ("Go", &places)] {
                @if !list.is_empty() { li.lab { (label) } @for item in list { li { (item) } } }
            }
            @if nothing { li.lab { "Nothing of that name" } }
        }
    };
    let page = Page::new(&app, &req, &signed, "Find").narrow();
    Ok(page.show(html! {
        div.head { div { h1 { "Find" } } }
        form.filter method="get" action="/find" role="search" {
            div.row.wrap {
                div.searchbox { (icon("search")) input name="q" value=(q) aria-label="Find a site, environment, feature or action"; }
                button.btn { "Find" }
            }
        }
        div.palette.inpage { (found) }
    }))
}

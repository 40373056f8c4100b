//! What every page has: the document, the header with where and what, the footer, toasts.

use actix_web::cookie::{Cookie, SameSite, time::Duration};
use actix_web::http::StatusCode;
use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, REFERRER_POLICY};
use actix_web::{HttpRequest, HttpResponse};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use serde::{Deserialize, Serialize};

use super::assets;
use super::components::icon;
use super::url;
use crate::admin;
use crate::api::packed;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::permission::Role;
use crate::engine::snapshot::Status;
use crate::error::Result;
use crate::store;
use crate::store::environments::Environment;
use crate::store::sites::Site;

const CSP: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                   font-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
const TOAST: &str = "featured_toast";

/// Something that happened, told on the next page; with a way to take it back where there is one.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Toast {
    text: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    undo: Option<Undo>,
}

/// A form that takes something back.
#[derive(Debug, Clone, Serialize, Deserialize)]
struct Undo {
    action: String,
    fields: Vec<(String, String)>,
}

impl Toast {
    pub fn say(text: impl Into<String>) -> Self {
        Self { text: text.into(), undo: None }
    }

    /// Adds an Undo button that posts these fields there.
    pub fn undo(mut self, action: impl Into<String>, fields: &[(&str, &str)]) -> Self {
        let fields = fields.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect();
        self.undo = Some(Undo { action: action.into(), fields });
        self
    }

    pub fn cookie(&self) -> Cookie<'static> {
        let json = serde_json::to_string(self).unwrap_or_default();
        let value: String = ::url::form_urlencoded::byte_serialize(json.as_bytes()).collect();
        Cookie::build(TOAST, value)
            .path("/")
            .http_only(true)
            .same_site(SameSite::Lax)
            .max_age(Duration::minutes(1))
            .finish()
    }

    fn take(req: &HttpRequest) -> Option<Self> {
        let value = req.cookie(TOAST)?;
        let encoded = format!("v={}", value.value());
        let (_, json) = ::url::form_urlencoded::parse(encoded.as_bytes()).next()?;
        serde_json::from_str(&json).ok()
    }
}

/// Goes there and says what happened.
pub fn done(location: &str, toast: Toast) -> HttpResponse {
    let mut response = super::failure::see_other(location);
    // A toast too large for a cookie is not worth an error.
    let _ = response.add_cookie(&toast.cookie());
    response
}

/// Site and environment of a page, with what the switchers and tabs show.
pub struct Place {
    pub site: Site,
    pub environment: Option<Environment>,
    pub sites: Vec<Site>,
    pub environments: Vec<Environment>,
    counts: Counts,
}

#[derive(Default)]
struct Counts {
    features: usize,
    contexts: usize,
    segments: usize,
    tokens: usize,
    overridden: usize,
}

impl Place {
    /// Looks a site, and an environment where one is named, up with their surroundings.
    pub fn find(app: &App, site: &str, environment: Option<&str>) -> Result<Self> {
        app.read_consistent(|conn| {
            let site = store::sites::find(conn, site)?;
            let environment = match environment {
                Some(name) => Some(admin::scope(conn, &site.uuid, name)?.1),
                None => None,
            };
            let mut counts =
                Counts { segments: store::segments::list(conn, site.id)?.len(), ..Counts::default() };
            if let Some(environment) = &environment {
                counts.tokens = store::tokens::list(conn, environment.id)?.len();
                if let Some(live) = app.live.environment(environment.id) {
                    let snapshot = live.snapshot();
                    counts.features = snapshot.len();
                    counts.contexts = snapshot.contexts_len();
                    counts.overridden = snapshot.overrides().map_or(0, |context| context.values.len());
                }
            }
            Ok(Self {
                environments: store::environments::list(conn, site.id)?,
                sites: store::sites::all(conn)?,
                site,
                environment,
                counts,
            })
        })
    }

    /// Whether this is production: an environment tagged so.
    pub fn is_production(&self) -> bool {
        self.environment.as_ref().is_some_and(is_production)
    }

    /// The environment of a page that has one.
    pub fn environment(&self) -> Result<&Environment> {
        self.environment.as_ref().ok_or_else(|| crate::error::Error::NotFound("the environment".into()))
    }
}

/// Whether an environment is tagged `production`.
pub fn is_production(environment: &Environment) -> bool {
    environment.tags.iter().any(|tag| tag == "production")
}

/// Everything a page is drawn with besides its own content.
pub struct Page<'a> {
    pub app: &'a App,
    pub req: &'a HttpRequest,
    pub signed: &'a Signed,
    pub title: &'a str,
    pub place: Option<&'a Place>,
    /// The tab of the environment that is current: `features`, `contexts`, `segments`, `test`, `audit`, `tokens`.
    pub tab: &'a str,
    /// A main column for text rather than tables.
    pub narrow: bool,
}

impl<'a> Page<'a> {
    pub fn new(app: &'a App, req: &'a HttpRequest, signed: &'a Signed, title: &'a str) -> Self {
        Self { app, req, signed, title, place: None, tab: "", narrow: false }
    }

    pub fn at(mut self, place: &'a Place, tab: &'a str) -> Self {
        self.place = Some(place);
        self.tab = tab;
        self
    }

    pub fn narrow(mut self) -> Self {
        self.narrow = true;
        self
    }

    /// The page with status 200.
    pub fn show(self, main: Markup) -> HttpResponse {
        self.answer(StatusCode::OK, main)
    }

    /// The page again with what was typed: 422.
    pub fn refuse(self, main: Markup) -> HttpResponse {
        self.answer(StatusCode::UNPROCESSABLE_ENTITY, main)
    }

    fn answer(self, status: StatusCode, main: Markup) -> HttpResponse {
        let toast = Toast::take(self.req);
        let session = &self.signed.session;
        let problem = if status.is_client_error() { "Problem: " } else { "" };
        let mut title = format!("{problem}{}", self.title);
        for part in [
            self.place.and_then(|place| place.environment.as_ref()).map(|e| e.name.as_str()),
            self.place.map(|place| place.site.name.as_str()),
        ]
        .into_iter()
        .flatten()
        {
            title.push_str(" · ");
            title.push_str(part);
        }
        let is_production = self.place.is_some_and(Place::is_production);
        let markup = html! {
            (DOCTYPE)
            html lang="en" data-theme=[(session.theme != "system").then_some(&session.theme)] {
                (head(&title))
                body.is-prod[is_production].dense[session.dense] data-keys=(if session.single_keys { "on" } else { "off" }) {
                    a.skip href="#main" { "Skip to content" }
                    (self.masthead())
                    main #main .narrow[self.narrow] {
                        (self.banners())
                        (main)
                    }
                    (foot())
                    (self.palette())
                    @if let Some(toast) = &toast { (self.toast(toast)) }
                }
            }
        };
        let mut response = html_response(Some(self.req), status, markup);
        if toast.is_some() {
            let _ = response.add_removal_cookie(&Cookie::build(TOAST, "").path("/").finish());
        }
        response
    }

    fn toast(&self, toast: &Toast) -> Markup {
        html! {
            div.toast role="status" {
                span.grow { (toast.text) }
                @if let Some(undo) = &toast.undo {
                    form method="post" action=(undo.action) {
                        (self.csrf())
                        @for (name, value) in &undo.fields { input type="hidden" name=(name) value=(value); }
                        button.btn.quiet { "Undo" }
                    }
                }
                a.icon href=(self.req.path()) data-dismiss="" aria-label="Dismiss" { (icon("cross")) }
            }
        }
    }

    /// The hidden field that every form carries.
    pub fn csrf(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.signed.csrf.0); }
    }

    fn banners(&self) -> Markup {
        let Some(place) = self.place else { return html! {} };
        let Some(environment) = &place.environment else { return html! {} };
        html! {
            @match environment.status {
                Status::Maintenance => div.banner.warn {
                    (icon("warn"))
                    span.grow { b { "In maintenance." } " " span.m2 { "Clients are told to come back later; editing goes on." } }
                },
                Status::Archived => div.banner {
                    (icon("lock"))
                    span.grow { b { "Archived." } " " span.m2 { "Nothing is served and nothing can be changed until it is made active again." } }
                },
                Status::Active => {}
            }
            @if place.counts.overridden > 0 {
                div.banner.prod {
                    svg.gl viewBox="0 0 16 16" aria-hidden="true" { path d="M8 .5L15.5 8 8 15.5 .5 8z" fill="currentColor"; }
                    span.grow {
                        b { (super::components::count(place.counts.overridden, "emergency override is", "emergency overrides are")) " active." }
                        " " span.m2 { "Everyone gets the same answer, whatever the rules say." }
                    }
                    a href={ (url::features(&place.site, environment)) "?state=override" } { "Show" }
                }
            }
        }
    }

    fn masthead(&self) -> Markup {
        let session = &self.signed.session;
        let initials: String = session.username.chars().take(2).flat_map(char::to_uppercase).collect();
        html! {
            header.mast {
                div.where {
                    a.logo href="/" aria-label="featured, dashboard" { (icon("mark")) span { "featured" } }
                    @if let Some(place) = self.place { (self.switchers(place)) }
                    span.grow {}
                    button type="button" .finder popovertarget="palette" aria-keyshortcuts="Control+K" {
                        (icon("search")) span.grow { "Find or do…" } kbd { "Ctrl K" }
                    }
                    a.icon.hide-s href="/help" aria-label="Help" { (icon("help")) }
                    button type="button" .face popovertarget="account-menu" aria-label={ (initials) ", account of " (session.username) } { (initials) }
                    div popover id="account-menu" .menu {
                        span.lab { (session.email) " · " (role_name(session.role)) }
                        a href="/account" { (icon("user")) "Profile and security" }
                        a href="/help" { (icon("help")) "Help" }
                        @if session.role == Role::Admin {
                            hr;
                            span.lab { "Administration" }
                            a href="/admin/users" { (icon("users")) "Users" }
                            a href="/admin/two-factor" { (icon("shield")) "Two-factor sign-in" }
                            a href="/admin/gdpr" { (icon("shield")) "GDPR requests" }
                            a href="/admin/outbox" { (icon("mail")) "Outbox" }
                        }
                        a href="/audit" { (icon("history")) "Audit log" }
                        hr;
                        form method="post" action="/signout" { (self.csrf()) button { (icon("out")) "Sign out" } }
                    }
                }
                @if let Some(place) = self.place { (self.tabs(place)) }
            }
        }
    }

    fn switchers(&self, place: &Place) -> Markup {
        let section = if self.tab.is_empty() { "features" } else { self.tab };
        html! {
            span.slash aria-hidden="true" { "/" }
            button type="button" .pick.site popovertarget="site-menu" {
                span.vh { "Site: " } span.cut { (place.site.name) } (icon("updown"))
            }
            div popover id="site-menu" .menu.l {
                @for site in &place.sites {
                    a href=(url::site(site)) aria-current=[(site.id == place.site.id).then_some("true")] {
                        (site.name) span.end { (site.slug) }
                    }
                }
                hr;
                a href="/sites" { (icon("site")) "All sites" }
            }
            span.slash aria-hidden="true" { "/" }
            @let current = place.environment.as_ref();
            button type="button" .pick popovertarget="environment-menu" {
                span.vh { "Environment: " }
                @match current {
                    Some(environment) => (environment_name(environment)),
                    None => span.m3 { "all" },
                }
                (icon("updown"))
            }
            div popover id="environment-menu" .menu.l {
                @for environment in &place.environments {
                    a href=(url::section(&place.site, environment, section))
                      aria-current=[current.is_some_and(|c| c.id == environment.id).then_some("true")] {
                        (environment_name(environment))
                        span.end {
                            @match environment.status {
                                Status::Active if is_production(environment) => "production",
                                Status::Active => "",
                                Status::Maintenance => "in maintenance",
                                Status::Archived => "archived",
                            }
                        }
                    }
                }
                hr;
                a href=(url::site(&place.site)) { (icon("site")) "All environments" }
            }
            @if place.is_production() { span.live-word.wide { "Production" } }
        }
    }

    fn tabs(&self, place: &Place) -> Markup {
        let Some(environment) = &place.environment else { return html! {} };
        let counts = &place.counts;
        let tabs = [
            ("features", "Features", Some(counts.features)),
            ("segments", "Segments", Some(counts.segments)),
            ("test", "Test", None),
            ("audit", "Audit log", None),
            ("tokens", "Tokens", Some(counts.tokens)),
            ("webhooks", "Webhooks", None),
        ];
        let current =
            tabs.iter().find(|(name, ..)| *name == self.tab).map_or("Environment", |(_, label, _)| label);
        html! {
            div {
                button type="button" .whatbtn popovertarget="what" { (icon("menu")) (current) (icon("down")) }
                nav.what id="what" popover aria-label="Environment" {
                    @for (name, label, count) in tabs {
                        a href=(url::section(&place.site, environment, name)) aria-current=[(name == self.tab).then_some("page")] {
                            (label) @if let Some(count) = count { span.n { (count) } }
                        }
                    }
                }
            }
        }
    }

    /// Sites, environments, features and actions, found by typing. A form, so that it also works unscripted.
    fn palette(&self) -> Markup {
        html! {
            div popover id="palette" .palette aria-label="Find or do" {
                form method="get" action="/find" role="search" {
                    (icon("search"))
                    input name="q" aria-label="Find a site, environment, feature or action" placeholder="Site, environment, feature or action"
                        autocomplete="off" spellcheck="false"
                        hx-get=(self.find_url()) hx-trigger="input changed delay:80ms, palette-open" hx-target="#found" hx-select="#found" hx-swap="outerHTML";
                }
                ul #found {}
            }
        }
    }

    fn find_url(&self) -> String {
        match self.place.and_then(|place| place.environment.as_ref().map(|e| (&place.site, e))) {
            Some((site, environment)) => format!("/find?site={}&env={}", site.slug, environment.name),
            None => "/find".into(),
        }
    }
}

/// An environment's name with the mark of its kind.
pub fn environment_name(environment: &Environment) -> Markup {
    html! { span.env.prod[is_production(environment)] data-status=(environment.status.as_str()) { (environment.name) } }
}

/// A role as people say it.
pub fn role_name(role: Role) -> &'static str {
    match role {
        Role::Admin => "Admin",
        Role::Editor => "Editor",
        Role::Viewer => "Viewer",
    }
}

fn head(title: &str) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " · featured" }
            meta name="htmx-config" content=r#"{"allowEval":false,"includeIndicatorStyles":false,"inlineStyleNonce":"","historyCacheSize":0,"scrollBehavior":"instant","responseHandling":[{"code":"204","swap":false},{"code":"[23]..","swap":true},{"code":"422","swap":true},{"code":"[45]..","swap":false,"error":true}]}"#;
            link rel="icon" href=(assets::path("favicon.svg"));
            link rel="stylesheet" href=(assets::path("theme.css"));
            link rel="stylesheet" href=(assets::path("app.css"));
            script src=(assets::path("htmx.js")) defer {}
            script src=(assets::path("app.js")) defer {}
        }
    }
}

fn foot() -> Markup {
    html! {
        footer.foot {
            span { "featured " (env!("CARGO_PKG_VERSION")) }
            a href="/help" { "Help" }
            a href="/api/docs" { "API reference" }
        }
    }
}

/// A page outside the product: sign-in, first run, errors.
pub fn bare_response(status: StatusCode, title: &str, main: Markup) -> HttpResponse {
    html_response(
        None,
        status,
        html! {
            (DOCTYPE)
            html lang="en" {
                (head(title))
                body {
                    a.skip href="#main" { "Skip to content" }
                    main #main { (main) }
                    (foot())
                }
            }
        },
    )
}

/// The same with the form of a door in the middle.
pub fn door_response(status: StatusCode, title: &str, form: Markup) -> HttpResponse {
    html_response(
        None,
        status,
        html! {
            (DOCTYPE)
            html lang="en" {
                (head(title))
                body {
                    a.skip href="#main" { "Skip to content" }
                    main #main .door { div.door { (form) } }
                    (foot())
                }
            }
        },
    )
}

/// The mark and a heading, as doors have them.
pub fn door_head(title: &str, lede: Option<&str>) -> Markup {
    html! {
        div.stack.t {
            span.logo { (icon("mark")) span { "featured" } }
            h1 { (title) }
            @if let Some(lede) = lede { p.m2.s { (lede) } }
        }
    }
}

fn html_response(req: Option<&HttpRequest>, status: StatusCode, markup: Markup) -> HttpResponse {
    let PreEscaped(text) = markup;
    let mut response = HttpResponse::build(status);
    response
        .insert_header((CONTENT_TYPE, "text/html; charset=utf-8"))
        .insert_header((CONTENT_SECURITY_POLICY, CSP))
        .insert_header((REFERRER_POLICY, "same-origin"))
        .insert_header((CACHE_CONTROL, "no-store"))
        .insert_header(("x-content-type-options", "nosniff"))
        .insert_header(("cross-origin-opener-policy", "same-origin"));
    match req.filter(|req| packed::takes_gzip(req)).and_then(|_| packed::gzip(text.as_bytes())) {
        Some(body) => response
            .insert_header(("content-encoding", "gzip"))
            .insert_header(("vary", "accept-encoding"))
            .body(body),
        None => response.body(text),
    }
}

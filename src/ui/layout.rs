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
/// The longest value of a cookie that every browser keeps, with room for its attributes.
const MAX_COOKIE: usize = 3900;
/// Sites that the switcher names; the page of all sites has a search.
const SITES_IN_MENU: u64 = 30;

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
    let mut cookie = toast.cookie();
    // Browsers keep no larger ones; what happened is worth more than the way back.
    if cookie.value().len() > MAX_COOKIE {
        cookie = Toast { undo: None, ..toast }.cookie();
    }
    let _ = response.add_cookie(&cookie);
    response
}

/// Site and environment of a page, with what the switchers and tabs show.
pub struct Place {
    pub site: Site,
    pub environment: Option<Environment>,
    pub environments: Vec<Environment>,
    brand: Brand,
    /// The sites of the switcher.
    elsewhere: Vec<(Site, Vec<Environment>)>,
    counts: Counts,
}

/// How the pages of a site differ from others.
#[derive(Default)]
struct Brand {
    name: Option<String>,
    stylesheet: Option<String>,
    logo: Option<String>,
    icon: Option<String>,
}

impl Brand {
    fn of(site: &Site, stored: store::branding::Stored) -> Self {
        use store::branding::Kind;
        let image = |kind, version: Option<String>| {
            version.map(|version| admin::branding::image_path(site, kind, &version))
        };
        Self {
            stylesheet: admin::branding::stylesheet(site, &stored.branding).map(|(path, _)| path),
            logo: image(Kind::Logo, stored.logo),
            icon: image(Kind::Favicon, stored.favicon),
            name: stored.branding.company_name,
        }
    }
}

/// Figures beside the tabs.
#[derive(Default)]
pub struct Counts {
    pub features: usize,
    pub contexts: usize,
    pub segments: usize,
    pub tokens: usize,
    pub overridden: usize,
}

/// One tab: its part of the address, its label, its figure, and the key that opens it after `g`.
pub struct Tab {
    pub name: &'static str,
    pub label: &'static str,
    pub count: fn(&Counts) -> Option<usize>,
    pub key: &'static str,
}

const fn tab(
    name: &'static str,
    label: &'static str,
    key: &'static str,
    count: fn(&Counts) -> Option<usize>,
) -> Tab {
    Tab { name, label, count, key }
}

/// The pages of an environment, in the order of their tabs. A page that is added is one line here.
pub const TABS: &[Tab] = &[
    tab("features", "Features", "f", |counts| Some(counts.features)),
    tab("contexts", "Contexts", "c", |counts| Some(counts.contexts)),
    tab("segments", "Segments", "e", |counts| Some(counts.segments)),
    tab("test", "Test", "t", |_| None),
    tab("analytics", "Analytics", "a", |_| None),
    tab("audit", "Audit log", "l", |_| None),
    tab("tokens", "Tokens", "k", |counts| Some(counts.tokens)),
    tab("webhooks", "Webhooks", "w", |_| None),
    tab("settings", "Settings", "o", |_| None),
];

/// The pages of a site, which stand above its environments. The first one has no name in the address.
pub const SITE_TABS: &[Tab] = &[
    tab("", "Environments", "", |_| None),
    tab("branding", "Branding", "", |_| None),
    tab("settings", "Settings", "", |_| None),
];

/// The pages of administrators: address, icon, label.
pub const ADMIN_PAGES: &[(&str, &str, &str)] = &[
    ("/admin/users", "users", "Users"),
    ("/admin/two-factor", "shield", "Two-factor sign-in"),
    ("/admin/gdpr", "shield", "GDPR requests"),
    ("/admin/outbox", "mail", "Outbox"),
];

impl Place {
    /// Looks a site, and an environment where one is named, up with their surroundings.
    pub fn find(app: &App, site: &str, environment: Option<&str>) -> Result<Self> {
        app.read_consistent(|conn| {
            let site = store::sites::find(conn, site)?;
            let environment = match environment {
                Some(name) => Some(admin::scope(conn, &site.uuid, name)?.1),
                None => None,
            };
            let mut counts = Counts::default();
            if let Some(environment) = &environment {
                counts.tokens = store::tokens::count(conn, Some(environment.id))?;
                if let Some(live) = app.live.environment(environment.id) {
                    let snapshot = live.snapshot();
                    counts.features = snapshot.len();
                    counts.segments = snapshot.segments().len();
                    counts.contexts = snapshot.contexts_len();
                    counts.overridden = snapshot.overrides().map_or(0, |context| context.values.len());
                }
            }
            Ok(Self {
                environments: store::environments::list(conn, site.id)?,
                elsewhere: store::sites::with_environments(conn, SITES_IN_MENU)?,
                brand: Brand::of(&site, store::branding::find(conn, site.id)?),
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
    /// The name of the current tab, see [`TABS`] and [`SITE_TABS`].
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
                (head(&title, self.place.map(|place| &place.brand)))
                body.is-prod[is_production].dense[session.dense] data-keys=(if session.single_keys { "on" } else { "off" }) {
                    a.skip href="#main" { "Skip to content" }
                    (self.masthead())
                    main #main .narrow[self.narrow] {
                        (self.banners())
                        (main)
                    }
                    (foot())
                    (self.palette())
                    div #toasts role="status" { @if let Some(toast) = &toast { (self.toast(toast)) } }
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
            div.toast {
                span.grow { (toast.text) }
                @if let Some(undo) = &toast.undo {
                    form method="post" action=(undo.action) hx-boost="true" hx-push-url="false" hx-swap="innerHTML show:none" {
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
                    a href=(url::section(&place.site, environment, "contexts/override")) { "Show" }
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
                    (self.logo())
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
                            @for (to, mark, label) in ADMIN_PAGES { a href=(to) { (icon(mark)) (label) } }
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

    fn logo(&self) -> Markup {
        let brand = self.place.map(|place| &place.brand);
        let name = brand.and_then(|brand| brand.name.as_deref()).unwrap_or("featured");
        html! {
            a.logo href="/" aria-label={ (name) ", dashboard" } {
                @match brand.and_then(|brand| brand.logo.as_deref()) {
                    Some(logo) => img src=(logo) alt="";,
                    None => (icon("mark")),
                }
                span { (name) }
            }
        }
    }

    fn switchers(&self, place: &Place) -> Markup {
        let current = place.environment.as_ref();
        let here = place.elsewhere.iter().any(|(site, _)| site.id == place.site.id);
        html! {
            span.slash aria-hidden="true" { "/" }
            button type="button" .pick.site popovertarget="site-menu" {
                span.vh { "Site: " } span.cut { (place.site.name) } (icon("updown"))
            }
            div popover id="site-menu" .menu.l {
                @if !here { a href=(url::site(&place.site)) aria-current="true" { (place.site.name) span.end { (place.site.slug) } } }
                @for (site, environments) in &place.elsewhere {
                    a href=(self.at_site(place, site, environments)) aria-current=[(site.id == place.site.id).then_some("true")] {
                        (site.name) span.end { (site.slug) }
                    }
                }
                hr;
                a href="/sites" { (icon("site")) "All sites" }
            }
            span.slash aria-hidden="true" { "/" }
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
                    a href=(self.at_environment(place, &place.site, environment))
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

    /// This page in another environment: the same tab with its filters, and the feature where that has one of
    /// the key.
    fn at_environment(&self, place: &Place, site: &Site, to: &Environment) -> String {
        let Some(current) = &place.environment else { return url::features(site, to) };
        let own = url::environment(&place.site, current);
        let rest = self.req.path().strip_prefix(&format!("{own}/")).unwrap_or_default();
        let same_site = site.id == place.site.id;
        let mut parts = rest.splitn(3, '/');
        let (section, below) = (parts.next().unwrap_or_default(), parts.next());
        let base = url::environment(site, to);
        let kept = match (section, below) {
            ("", _) => return url::features(site, to),
            // Segments are the site's.
            ("segments", Some(_)) if same_site => rest,
            ("features", Some("new")) => rest,
            ("features", Some(key)) => {
                let key = percent_encoding::percent_decode_str(key).decode_utf8_lossy();
                let live = self.app.live.environment(to.id);
                let has = live.is_some_and(|live| live.snapshot().feature(&key).is_some());
                if has && self.req.method().is_safe() { rest } else { section }
            }
            (section, _) => section,
        };
        let query = self.req.query_string();
        // What is typed into a form that is open stays behind.
        if kept == rest && !query.is_empty() && below.is_none() && self.req.method().is_safe() {
            format!("{base}/{kept}?{query}")
        } else {
            format!("{base}/{kept}")
        }
    }

    /// This page of another site: in its environment of the same name, else in its first.
    fn at_site(&self, place: &Place, site: &Site, environments: &[Environment]) -> String {
        let Some(current) = &place.environment else {
            let own = url::site(&place.site);
            let rest = self.req.path().strip_prefix(&own).unwrap_or_default();
            let known = SITE_TABS.iter().any(|tab| !tab.name.is_empty() && rest == format!("/{}", tab.name));
            return if known { format!("{}{rest}", url::site(site)) } else { url::site(site) };
        };
        let same = environments.iter().find(|environment| environment.name == current.name);
        match same.or(environments.first()) {
            Some(environment) if site.id == place.site.id => self.at_environment(place, site, environment),
            Some(environment) => {
                let known = TABS.iter().any(|tab| tab.name == self.tab);
                url::section(site, environment, if known { self.tab } else { "features" })
            }
            None => url::site(site),
        }
    }

    fn tabs(&self, place: &Place) -> Markup {
        let (tabs, label) = match &place.environment {
            Some(_) => (TABS, "Environment"),
            None => (SITE_TABS, "Site"),
        };
        let href = |tab: &Tab| match (&place.environment, tab.name) {
            (Some(environment), name) => url::section(&place.site, environment, name),
            (None, "") => url::site(&place.site),
            (None, name) => format!("{}/{name}", url::site(&place.site)),
        };
        let current = tabs.iter().find(|tab| tab.name == self.tab).map_or(label, |tab| tab.label);
        html! {
            div {
                button type="button" .whatbtn popovertarget="what" { (icon("menu")) (current) (icon("down")) }
                nav.what id="what" popover aria-label=(label) {
                    @for tab in tabs {
                        a href=(href(tab)) aria-current=[(tab.name == self.tab).then_some("page")]
                          data-go=[Some(tab.key).filter(|key| !key.is_empty())] {
                            (tab.label) @if let Some(count) = (tab.count)(&place.counts) { span.n { (count) } }
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
                        hx-get=(self.find_url()) hx-trigger="input changed delay:80ms, palette-open" hx-target="#hits" hx-select="#found > li" hx-swap="innerHTML";
                }
                ul #hits {}
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

fn head(title: &str, brand: Option<&Brand>) -> Markup {
    let name = brand.and_then(|brand| brand.name.as_deref()).unwrap_or("featured");
    let icon = brand.and_then(|brand| brand.icon.as_deref()).unwrap_or_else(|| assets::path("favicon.svg"));
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            title { (title) " · " (name) }
            meta name="htmx-config" content=r#"{"allowEval":false,"includeIndicatorStyles":false,"inlineStyleNonce":"","attributesToSettle":["class"],"historyCacheSize":0,"scrollBehavior":"instant","responseHandling":[{"code":"204","swap":false},{"code":"[23]..","swap":true},{"code":"422","swap":true},{"code":"[45]..","swap":false,"error":true}]}"#;
            link rel="icon" href=(icon);
            link rel="stylesheet" href=(assets::path("theme.css"));
            link rel="stylesheet" href=(assets::path("app.css"));
            @if let Some(sheet) = brand.and_then(|brand| brand.stylesheet.as_deref()) { link rel="stylesheet" href=(sheet); }
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
                (head(title, None))
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
                (head(title, None))
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

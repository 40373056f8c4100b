//! `/help`: the product explained in the product, with code that has the reader's own address in it. A page is one
//! line in [`PAGES`] and one function.

mod concepts;
mod doors;
mod guides;
mod pages;
mod running;

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};

use super::components::icon;
use super::failure::Failure;
use super::layout::Page;
use super::url;
use crate::api::request::Query;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::error::Error;
use crate::store;
use crate::store::environments::Environment;
use crate::store::sites::Site;

/// One page of the help.
pub struct HelpPage {
    pub group: &'static str,
    /// In the address.
    pub name: &'static str,
    pub title: &'static str,
    pub lede: &'static str,
    /// Whether it shows the reader's own site and environment, and lets them choose others.
    pub own: bool,
    draw: fn(&Reader) -> Markup,
}

const fn page(
    group: &'static str,
    name: &'static str,
    title: &'static str,
    lede: &'static str,
    draw: fn(&Reader) -> Markup,
) -> HelpPage {
    HelpPage { group, name, title, lede, own: false, draw }
}

/// A page with code of the reader's own.
const fn guide(
    name: &'static str,
    title: &'static str,
    lede: &'static str,
    draw: fn(&Reader) -> Markup,
) -> HelpPage {
    HelpPage { group: "Integrate", name, title, lede, own: true, draw }
}

/// Every page, in the order of the table of contents.
pub const PAGES: &[HelpPage] = &[
    page("Start", "start", "First steps", "From an empty server to a value in your program.", guides::start),
    page(
        "Start",
        "evaluation",
        "How a value is found",
        "The five steps, and what each reason means.",
        concepts::evaluation,
    ),
    page(
        "Concepts",
        "concepts",
        "Concepts",
        "Sites, environments, features, rules, contexts and tokens.",
        concepts::concepts,
    ),
    page(
        "Concepts",
        "rules",
        "Rules and conditions",
        "Operators, groups, segments, rollouts and splits.",
        concepts::rules,
    ),
    page(
        "Concepts",
        "people",
        "People and roles",
        "Who may do what, signing in, the second factor.",
        concepts::people,
    ),
    page(
        "Concepts",
        "pages",
        "Every page",
        "What each page is for and what can be done there.",
        pages::pages,
    ),
    HelpPage {
        group: "Concepts",
        name: "contexts",
        title: "Contexts",
        lede: "Stored people, teams and groups with values of their own, and the emergency override.",
        own: true,
        draw: doors::contexts,
    },
    page("Concepts", "keyboard", "Keyboard", "Everything without a mouse.", pages::keyboard),
    guide("integrate", "Connect a program", "What every way of asking has in common.", guides::integrate),
    guide("browser", "Browser", "One script, no dependencies, live updates.", guides::browser),
    guide("react", "React", "A hook over the same script.", guides::react),
    guide("node", "Node", "A service that asks with fetch.", guides::node),
    guide("python", "Python", "With requests.", guides::python),
    guide("curl", "curl", "Any language: one POST.", guides::curl),
    guide(
        "featurehub",
        "FeatureHub",
        "Its SDKs work here as they are: keys, set-up, differences.",
        doors::featurehub,
    ),
    guide(
        "flagr",
        "Flagr",
        "Its clients and admin API against this server, and how to move here from it.",
        doors::flagr,
    ),
    guide(
        "farfetched",
        "Farfetched",
        "A feature-flag service for effector applications, ready to copy.",
        doors::farfetched,
    ),
    guide(
        "openfeature",
        "OpenFeature",
        "The standard SDKs in ten languages, ready to copy.",
        doors::openfeature,
    ),
    page(
        "Run",
        "analytics",
        "Analytics",
        "What is counted, what the figures mean, A/B tests, stale features.",
        doors::analytics,
    ),
    page(
        "Run",
        "webhooks",
        "Webhooks",
        "Programs and chats that are told of changes, and how they check that it is true.",
        doors::webhooks,
    ),
    page("Run", "gdpr", "GDPR", "What people may ask of their data, and what an erasure does.", doors::gdpr),
    HelpPage {
        group: "Run",
        name: "git",
        title: "Flags in git",
        lede: "Export, import, dry run.",
        own: true,
        draw: running::git,
    },
    page(
        "Run",
        "running",
        "Running the server",
        "Options, health, mail, backups, what happens when the disk is full.",
        running::running,
    ),
];

/// `GET /help`.
pub async fn index(app: Data<App>, req: HttpRequest, signed: Signed) -> HttpResponse {
    let page = Page::new(&app, &req, &signed, "Help");
    page.show(html! {
        div.head { div { h1 { "Help" } p.lede { "What everything is for, and code to copy." } } }
        div.stack.l { @for group in groups() {
            section {
                div.subhead { h2 { (group) } }
                ul.cards { @for page in PAGES.iter().filter(|page| page.group == group) {
                    li { a.b href={ "/help/" (page.name) } { (page.title) } p.s.m2 { (page.lede) } }
                } }
            }
        } }
        p.s.m2.pad { "Every call, parameter and answer of the API stands in the " a href="/api/docs" { "API reference" } "." }
    })
}

fn groups() -> Vec<&'static str> {
    let mut groups: Vec<&str> = PAGES.iter().map(|page| page.group).collect();
    groups.dedup();
    groups
}

/// Where the reader's programs ask.
pub struct Reader {
    pub base: String,
    pub site: String,
    pub environment: String,
    pub feature: String,
    /// The page of the environment's tokens; none before there is a site.
    pub tokens: Option<String>,
    choices: Vec<(Site, Vec<Environment>)>,
}

/// How the reader reaches this server.
pub fn base(app: &App, req: &HttpRequest) -> String {
    match &app.config.base_url {
        Some(url) => url.as_str().trim_end_matches('/').to_owned(),
        None => {
            let host =
                req.headers().get("host").and_then(|host| host.to_str().ok()).unwrap_or("127.0.0.1:8080");
            format!("http://{host}")
        }
    }
}

impl Reader {
    fn of(app: &App, req: &HttpRequest) -> crate::error::Result<Self> {
        let query = Query::of(req);
        let base = base(app, req);
        let choices = app.read_consistent(|conn| store::sites::with_environments(conn, 500))?;
        // `at` is one choice of the form, `site` and `env` come with links.
        let (site, env) = match query.get("at").and_then(|at| at.split_once('/')) {
            Some((site, env)) => (Some(site), Some(env)),
            None => (query.get("site"), query.get("env")),
        };
        let found = choices.iter().find(|(have, _)| Some(have.slug.as_str()) == site).or(choices.first());
        let environment = found
            .and_then(|(_, list)| list.iter().find(|have| Some(have.name.as_str()) == env).or(list.first()));
        let feature = environment
            .and_then(|environment| app.live.environment(environment.id))
            .and_then(|live| live.snapshot().features().next().map(|feature| feature.key.to_string()));
        Ok(Self {
            base,
            site: found.map_or_else(|| "shop".into(), |(site, _)| site.slug.clone()),
            environment: environment.map_or_else(|| "prod".into(), |environment| environment.name.clone()),
            feature: feature.unwrap_or_else(|| "new_checkout".into()),
            tokens: found.zip(environment).map(|((site, _), of)| url::section(site, of, "tokens")),
            choices,
        })
    }

    /// The form that chooses another environment for the code of the page.
    fn picker(&self, page: &str) -> Markup {
        let own = format!("{}/{}", self.site, self.environment);
        html! {
            form.picker method="get" action={ "/help/" (page) } {
                div.field {
                    label for="at" { "The code asks for" }
                    select id="at" name="at" {
                        @for (site, environments) in &self.choices {
                            @for environment in environments {
                                @let value = format!("{}/{}", site.slug, environment.name);
                                option value=(value) selected[value == own] { (site.name) ", " (environment.name) }
                            }
                        }
                    }
                }
                button.btn { "Use" }
                @if let Some(tokens) = &self.tokens { a.btn.quiet href=(tokens) { (icon("key")) "Its tokens" } }
            }
        }
    }

    /// Code with a button that copies it; what is the reader's own stands out.
    pub fn code(&self, id: &str, language: &str, text: &str) -> Markup {
        html! {
            div.code {
                header {
                    span.grow { (language) }
                    button type="button" .btn.quiet data-copy=(id) aria-label={ "Copy: " (language) } { (icon("copy")) span { "Copy" } }
                }
                pre id=(id) tabindex="0" aria-label=(language) {
                    @for (part, own) in self.parts(text) { @if own { span.yours { (part) } } @else { (part) } }
                }
            }
        }
    }

    /// The text in pieces, with those that hold the reader's address marked.
    fn parts<'t>(&self, text: &'t str) -> Vec<(&'t str, bool)> {
        let mut parts = Vec::new();
        let mut rest = text;
        while let Some(at) = rest.find(&self.base) {
            parts.push((&rest[..at], false));
            parts.push((&rest[at..at + self.base.len()], true));
            rest = &rest[at + self.base.len()..];
        }
        parts.push((rest, false));
        parts
    }
}

/// `GET /help/{page}`.
pub async fn show(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    name: Path<String>,
) -> Result<HttpResponse, Failure> {
    let page = PAGES
        .iter()
        .find(|page| page.name == name.as_str())
        .ok_or_else(|| Error::NotFound(format!("the help page {name}")))?;
    let reader = Reader::of(&app, &req)?;
    let own = format!("?site={}&env={}", url::encode(&reader.site), url::encode(&reader.environment));
    let link = |other: &HelpPage| {
        let query = if other.own && page.own { own.as_str() } else { "" };
        format!("/help/{}{query}", other.name)
    };
    let frame = Page::new(&app, &req, &signed, page.title);
    Ok(frame.show(html! {
        div.cols.help {
            nav.toc.sticky aria-label="Help" {
                @for group in groups() {
                    span.lab { (group) }
                    @for other in PAGES.iter().filter(|other| other.group == group) {
                        a href=(link(other)) aria-current=[(other.name == page.name).then_some("page")] { (other.title) }
                    }
                }
            }
            article.prose {
                header.stack.t {
                    nav.crumb.s.m3 aria-label="Breadcrumb" { a href="/help" { "Help" } }
                    h1 { (page.title) } p.m2 { (page.lede) }
                }
                @if page.own && !reader.choices.is_empty() { (reader.picker(page.name)) }
                ((page.draw)(&reader))
            }
        }
    }))
}

/// Code with a button that copies it, without an address of the reader's in it.
pub fn code(id: &str, text: &str) -> Markup {
    html! {
        div.code {
            pre id=(id) tabindex="0" { (text) }
            button type="button" .btn.quiet data-copy=(id) { (icon("copy")) span { "Copy" } }
        }
    }
}

/// A word and what it means.
fn term(word: &str, text: &str) -> Markup {
    html! { div.stack.t { dt.b { (word) } dd.m2 { (text) } } }
}

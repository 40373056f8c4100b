//! `GET /api/docs`: the description of the API as pages, one for each group of operations and one for what is sent and
//! answered. They are made of nothing but that description, need no script, and ask for nothing from elsewhere. What
//! they show of it is made when the tests run, and embedded as `assets/docs.json.gz`.

mod example;
mod operation;
mod schema;
mod text;

use std::collections::HashMap;
use std::sync::Arc;

use actix_web::http::header::{HOST, HeaderName, HeaderValue};
use actix_web::web::{self, Data, Path, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use url::Url;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::SecurityScheme;
use utoipa::openapi::{Components, OpenApi, RefOr, Tag};

use self::operation::Place;
use super::assets;
use super::components::icon;
use super::failure::Failure;
use crate::api::packed::Packed;
use crate::api::rest::openapi;
use crate::app::App;
use crate::error::Error;

/// Where the pages are.
const HERE: &str = "/api/docs";

/// What a page may load: its own style sheet and images, nothing else, and nobody may frame it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

static PAGES: &[u8] = include_bytes!("../../../assets/docs.json.gz");

/// What stands in [`PAGES`] where the reader's address belongs.
const ANY_BASE: &str = "https://featured.invalid";

/// What a page shows.
#[derive(Serialize, Deserialize)]
pub struct Page {
    /// In its address; empty for the first.
    name: String,
    title: String,
    html: String,
}

/// The pages as they were last served: the address they show, and each by its name. Nearly everybody asks under the
/// same one.
#[derive(Default)]
pub struct Last(Mutex<(String, HashMap<String, Arc<Packed>>)>);

/// The routes of the pages.
pub fn routes(cfg: &mut ServiceConfig) {
    let last = Data::new(Last::default());
    cfg.service(web::resource(HERE).app_data(last.clone()).route(web::get().to(page)))
        .service(web::resource("/api/docs/{group}").app_data(last).route(web::get().to(group_page)));
}

/// Shows the page to begin with: how to ask, and what there is.
async fn page(app: Data<App>, last: Data<Last>, req: HttpRequest) -> Result<HttpResponse, Failure> {
    answer(&app, &last, &req, "")
}

/// Shows a group of operations, or everything that is sent and answered.
async fn group_page(
    app: Data<App>,
    last: Data<Last>,
    req: HttpRequest,
    group: Path<String>,
) -> Result<HttpResponse, Failure> {
    answer(&app, &last, &req, &group)
}

fn answer(app: &App, last: &Last, req: &HttpRequest, name: &str) -> Result<HttpResponse, Failure> {
    let base = reader_base(app, req);
    let known = {
        let last = last.0.lock();
        if last.0 == base { last.1.get(name).cloned() } else { None }
    };
    let packed = match known {
        Some(packed) => packed,
        None => {
            let pages = openapi::unpacked(PAGES).map_err(Error::internal)?;
            let pages: Vec<Page> = serde_json::from_str(&pages).map_err(Error::internal)?;
            let page = pages.iter().find(|page| page.name == name);
            let html = view(page.ok_or_else(|| Error::NotFound(format!("the path {}", req.path())))?, &base);
            let packed = Arc::new(Packed::new("text/html; charset=utf-8", html.into_string()));
            let mut last = last.0.lock();
            if last.0 != base {
                *last = (base, HashMap::new());
            }
            last.1.insert(name.to_owned(), packed.clone());
            packed
        }
    };
    // It shows the address that it was asked under, so nobody else shall get it.
    let mut response = packed.respond(req, "private, no-cache");
    let headers = response.headers_mut();
    headers.insert(HeaderName::from_static("content-security-policy"), HeaderValue::from_static(POLICY));
    headers.insert(HeaderName::from_static("referrer-policy"), HeaderValue::from_static("no-referrer"));
    Ok(response)
}

/// How this reader reaches the server: `--base-url`, else the address of the request.
fn reader_base(app: &App, req: &HttpRequest) -> String {
    if let Some(url) = &app.config.base_url {
        return url.as_str().trim_end_matches('/').to_owned();
    }
    let trusted = req.peer_addr().is_some_and(|peer| app.config.trusts(peer.ip()));
    let info = req.connection_info();
    let (scheme, host) = match req.headers().get(HOST).and_then(|host| host.to_str().ok()) {
        _ if trusted => (info.scheme(), info.host()),
        Some(host) => ("http", host),
        None => ("http", app.config.listen.as_str()),
    };
    // Whatever else stands in the header is not shown.
    let url = Url::parse(&format!("{scheme}://{host}")).map(|url| url.origin().ascii_serialization());
    url.unwrap_or_else(|_| format!("http://{}", app.config.listen))
}

/// Every page, for any address.
pub fn pages(openapi: &OpenApi) -> Vec<Page> {
    let nothing = Components::new();
    let components = openapi.components.as_ref().unwrap_or(&nothing);
    let tags = openapi.tags.as_deref().unwrap_or_default();
    let places = places(openapi);
    let page = |name: &str, title: &str, main: Markup| {
        let html = html! {
            div.api {
                (contents(tags, &places, name))
                main id="main" { (main) }
            }
        };
        Page { name: name.into(), title: title.into(), html: html.into_string() }
    };
    let about = html! { (about(openapi, components, ANY_BASE)) (groups(tags, &places)) };
    let of = |tag: &Tag| page(&slug(&tag.name), &tag.name, group(tag, &places, components, ANY_BASE));
    [page("", "API", about)]
        .into_iter()
        .chain(tags.iter().map(of))
        .chain([page("shapes", "Shapes", shapes(components))])
        .collect()
}

fn view(page: &Page, base: &str) -> Markup {
    let shown = page.html.replace(ANY_BASE, &html! { (base) }.into_string());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { (page.title) @if !page.name.is_empty() { " · API" } " · featured" }
                link rel="icon" href=(assets::path("favicon.svg"));
                link rel="stylesheet" href=(assets::path("theme.css"));
                link rel="stylesheet" href=(assets::path("app.css"));
                link rel="stylesheet" href=(assets::path("docs.css"));
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (mast())
                (PreEscaped(shown))
                footer.foot {
                    span { "featured " (env!("CARGO_PKG_VERSION")) }
                    a href="/api/v1/openapi.json" { "OpenAPI 3.1" }
                }
            }
        }
    }
}

fn mast() -> Markup {
    html! {
        header.mast {
            div.where {
                a.logo href="/" aria-label="featured, dashboard" { (icon("mark")) span { "featured" } }
                span.slash aria-hidden="true" { "/" }
                a.b href=(HERE) { "API" }
                span.grow {}
                a.btn href="/api/v1/openapi.json" { "OpenAPI 3.1" }
            }
        }
    }
}

/// Every operation of the description, in its order.
fn places(openapi: &OpenApi) -> Vec<Place<'_>> {
    openapi
        .paths
        .paths
        .iter()
        .flat_map(|(path, item)| {
            methods(item).into_iter().map(move |(method, operation)| Place { method, path, operation })
        })
        .collect()
}

fn methods(item: &PathItem) -> Vec<(&'static str, &utoipa::openapi::path::Operation)> {
    [
        ("GET", &item.get),
        ("POST", &item.post),
        ("PATCH", &item.patch),
        ("PUT", &item.put),
        ("DELETE", &item.delete),
    ]
    .into_iter()
    .filter_map(|(method, operation)| Some((method, operation.as_ref()?)))
    .collect()
}

/// The operations of a group. One that belongs to several is shown in the first and named in the others.
fn of_tag<'p, 'a>(places: &'p [Place<'a>], tag: &str) -> (Vec<&'p Place<'a>>, Vec<&'p Place<'a>>) {
    places
        .iter()
        .filter(|place| place.operation.tags.iter().flatten().any(|name| name == tag))
        .partition(|place| place.operation.tags.iter().flatten().next().is_some_and(|name| name == tag))
}

/// The part of the address that stands for a group.
fn slug(tag: &str) -> String {
    tag.to_lowercase()
}

/// The page that an operation is on, and where on it.
fn href(place: &Place<'_>) -> String {
    let group = place.operation.tags.iter().flatten().next().map(|tag| slug(tag)).unwrap_or_default();
    format!("{HERE}/{group}#{}", place.id())
}

/// All pages, and what is on this one.
fn contents(tags: &[Tag], places: &[Place<'_>], name: &str) -> Markup {
    let here = |at: bool| at.then_some("page");
    html! {
        nav.toc aria-label="Contents" {
            a.lab href=(HERE) aria-current=[here(name.is_empty())] { "About" }
            @if name.is_empty() {
                a href="#credentials" { "Credentials" }
                a href="#refusals" { "Refusals" }
                a href="#groups" { "Operations" }
            }
            @for tag in tags {
                @let current = slug(&tag.name) == name;
                a.lab href={ (HERE) "/" (slug(&tag.name)) } aria-current=[here(current)] { (tag.name) }
                @if current {
                    @for place in of_tag(places, &tag.name).0 { a href={ "#" (place.id()) } { (place.title()) } }
                }
            }
            a.lab href={ (HERE) "/shapes" } aria-current=[here(name == "shapes")] { "Shapes" }
        }
    }
}

/// Everything that can be asked, by name.
fn groups(tags: &[Tag], places: &[Place<'_>]) -> Markup {
    html! {
        section #groups {
            h2 { "Operations" }
            @for tag in tags {
                section.part aria-labelledby={ "group-" (slug(&tag.name)) } {
                    h3 id={ "group-" (slug(&tag.name)) } { a href={ (HERE) "/" (slug(&tag.name)) } { (tag.name) } }
                    (index(of_tag(places, &tag.name).0))
                }
            }
        }
    }
}

fn index<'p, 'a: 'p>(places: impl IntoIterator<Item = &'p Place<'a>>) -> Markup {
    html! {
        ul.index {
            @for place in places {
                li { a href=(href(place)) { (operation::verb(place.method)) span.name { (place.title()) } } }
            }
        }
    }
}

fn about(openapi: &OpenApi, components: &Components, base: &str) -> Markup {
    let description = openapi.info.description.as_deref().unwrap_or_default();
    let (first, rest) = description.split_once("\n\n").unwrap_or((description, ""));
    html! {
        section id="about" {
            h1 { "API" }
            p.lede { (text::line(first)) " This server is " code.yours { (base) } "." }
            div.text.columns { (text::blocks(rest)) }
        }
        section id="credentials" {
            h2 { "Credentials" }
            dl.facts {
                @for name in ["environmentToken", "apiKey", "personalAccessToken", "session", "csrfToken"] {
                    @if let Some(scheme) = components.security_schemes.get(name) {
                        dt id={ "credential-" (name) } { (operation::credential_title(name)) }
                        dd { (text::line(scheme_description(scheme))) }
                    }
                }
            }
        }
        section id="refusals" {
            h2 { "Refusals" }
            p.lede { "What many requests can be answered with. Those that only some can are told with them." }
            dl.refusals {
                @for (name, status, response) in refusals(openapi, components) {
                    dt id={ "refusal-" (name) } { code { (status) } }
                    dd {
                        p { (text::line(&response.description)) }
                        @for content in response.content.values() {
                            @if let Some(example) = example::of_content(content, components) {
                                pre.json { (example::pretty(&example, content.schema.as_ref(), components)) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn scheme_description(scheme: &SecurityScheme) -> &str {
    use utoipa::openapi::security::ApiKey;
    match scheme {
        SecurityScheme::Http(http) => http.description.as_deref().unwrap_or_default(),
        SecurityScheme::ApiKey(ApiKey::Query(key) | ApiKey::Header(key) | ApiKey::Cookie(key)) => {
            key.description.as_deref().unwrap_or_default()
        }
        _ => "",
    }
}

/// The shared responses with the status they are used under.
fn refusals<'a>(
    openapi: &'a OpenApi,
    components: &'a Components,
) -> Vec<(&'a str, &'a str, &'a utoipa::openapi::Response)> {
    let mut found = Vec::new();
    for place in places(openapi) {
        for (status, response) in &place.operation.responses.responses {
            let RefOr::Ref(to) = response else { continue };
            let name = schema::reference(&to.ref_location);
            if let Some((name, RefOr::T(response))) = components.responses.get_key_value(name) {
                found.push((name.as_str(), status.as_str(), response));
            }
        }
    }
    found.sort_by_key(|(name, status, _)| (*status, *name));
    found.dedup_by_key(|(name, ..)| *name);
    found
}

fn group(tag: &Tag, places: &[Place<'_>], components: &Components, base: &str) -> Markup {
    let (own, elsewhere) = of_tag(places, &tag.name);
    html! {
        section.group {
            h1 { (tag.name) }
            @if let Some(description) = &tag.description { p.lede { (text::line(description)) } }
            (index(elsewhere.into_iter().chain(own.iter().copied())))
            @for place in own { (operation::article(place, components, base)) }
        }
    }
}

fn shapes(components: &Components) -> Markup {
    html! {
        section.group {
            h1 { "Shapes" }
            p.lede { "Everything that is sent and answered, by name." }
            @for (name, of) in &components.schemas {
                article.shape id={ "shape-" (name) } {
                    h2 { (schema::link(name)) }
                    div {
                        @if let Some(description) = schema::description(of) { div.text { (text::blocks(description)) } }
                        (schema::body(of, components))
                    }
                }
            }
        }
    }
}

//! `GET /api/docs`: the description of the API as a page. It is made of nothing but that description, needs no script,
//! and asks for nothing from elsewhere. What it shows of the description is made with it, when the tests run, and
//! embedded as `assets/docs.html.gz`.

mod example;
mod operation;
mod schema;
mod text;

use std::sync::Arc;

use actix_web::http::header::{HOST, HeaderName, HeaderValue};
use actix_web::web::{self, Data, ServiceConfig};
use actix_web::{HttpRequest, HttpResponse};
use maud::{DOCTYPE, Markup, PreEscaped, html};
use parking_lot::Mutex;
use url::Url;
use utoipa::openapi::path::PathItem;
use utoipa::openapi::security::SecurityScheme;
use utoipa::openapi::{Components, OpenApi, RefOr, Tag};

use self::operation::Place;
use super::assets;
use super::components::icon;
use crate::api::packed::Packed;
use crate::api::rest::openapi;
use crate::app::App;
use crate::error::{Error, Result};

/// What the page may load: its own style sheet and images, nothing else, and nobody may frame it.
const POLICY: &str = "default-src 'none'; style-src 'self'; img-src 'self'; base-uri 'none'; form-action 'none'; \
                      frame-ancestors 'none'";

static DESCRIBED: &[u8] = include_bytes!("../../../assets/docs.html.gz");

/// What stands in [`DESCRIBED`] where the reader's address belongs.
const ANY_BASE: &str = "https://featured.invalid";

/// The page as it was last served: the address it shows, and itself. Nearly everybody asks under the same one.
#[derive(Default)]
pub struct Last(Mutex<Option<(String, Arc<Packed>)>>);

/// The route of the page.
pub fn routes(cfg: &mut ServiceConfig) {
    cfg.service(web::resource("/api/docs").app_data(Data::new(Last::default())).route(web::get().to(page)));
}

/// Shows the page.
async fn page(app: Data<App>, last: Data<Last>, req: HttpRequest) -> Result<HttpResponse> {
    let base = reader_base(&app, &req);
    let known = last.0.lock().as_ref().filter(|(of, _)| *of == base).map(|(_, packed)| packed.clone());
    let made = || -> std::io::Result<_> {
        let html = view(&base)?.into_string();
        let packed = Arc::new(Packed::new("text/html; charset=utf-8", html));
        *last.0.lock() = Some((base, packed.clone()));
        Ok(packed)
    };
    let packed = known.map_or_else(made, Ok).map_err(Error::internal)?;
    // It shows the address that it was asked under, so nobody else shall get it.
    let mut response = packed.respond(&req, "private, no-cache");
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

/// What the page shows of the description, for any address.
pub fn described(openapi: &OpenApi) -> Markup {
    let nothing = Components::new();
    let components = openapi.components.as_ref().unwrap_or(&nothing);
    let tags = openapi.tags.as_deref().unwrap_or_default();
    let places = places(openapi);
    html! {
        div.api {
            (contents(tags, &places))
            main id="main" {
                (about(openapi, components, ANY_BASE))
                @for tag in tags { (group(tag, &places, components, ANY_BASE)) }
                (shapes(components))
            }
        }
    }
}

fn view(base: &str) -> std::io::Result<Markup> {
    let described = openapi::unpacked(DESCRIBED)?.replace(ANY_BASE, &html! { (base) }.into_string());
    Ok(html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                title { "API · featured" }
                link rel="icon" href=(assets::path("favicon.svg"));
                link rel="stylesheet" href=(assets::path("theme.css"));
                link rel="stylesheet" href=(assets::path("app.css"));
                link rel="stylesheet" href=(assets::path("docs.css"));
            }
            body {
                a.skip href="#main" { "Skip to content" }
                (mast())
                (PreEscaped(described))
                footer.foot {
                    span { "featured " (env!("CARGO_PKG_VERSION")) }
                    a href="/api/v1/openapi.json" { "OpenAPI 3.1" }
                }
            }
        }
    })
}

fn mast() -> Markup {
    html! {
        header.mast {
            div.where {
                a.logo href="/" aria-label="featured, dashboard" { (icon("mark")) span { "featured" } }
                span.slash aria-hidden="true" { "/" }
                span.b { "API" }
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

fn anchor(tag: &str) -> String {
    format!("group-{}", tag.to_lowercase())
}

fn contents(tags: &[Tag], places: &[Place<'_>]) -> Markup {
    html! {
        nav.toc aria-label="Contents" {
            a.lab href="#about" { "About" }
            a href="#credentials" { "Credentials" }
            a href="#refusals" { "Refusals" }
            @for tag in tags {
                a.lab href={ "#" (anchor(&tag.name)) } { (tag.name) }
                @for place in of_tag(places, &tag.name).0 {
                    a href={ "#" (place.id()) } { (place.title()) }
                }
            }
            a.lab href="#shapes" { "Shapes" }
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
        section.group id=(anchor(&tag.name)) {
            h2 { (tag.name) }
            @if let Some(description) = &tag.description { p.lede { (text::line(description)) } }
            ul.index {
                @for place in elsewhere.iter().chain(&own) {
                    li { a href={ "#" (place.id()) } {
                        (operation::verb(place.method)) span.name { (place.title()) }
                    } }
                }
            }
            @for place in own { (operation::article(place, components, base)) }
        }
    }
}

fn shapes(components: &Components) -> Markup {
    html! {
        section.group id="shapes" {
            h2 { "Shapes" }
            p.lede { "Everything that is sent and answered, by name." }
            @for (name, of) in &components.schemas {
                article.shape id={ "shape-" (name) } {
                    h3 { (schema::link(name)) }
                    div {
                        @if let Some(description) = schema::description(of) { div.text { (text::blocks(description)) } }
                        (schema::body(of, components))
                    }
                }
            }
        }
    }
}

//! `/sites/{site}/branding`: how the pages of a site look, with a preview on light and dark paper; and what is served
//! of it: the stylesheet, the logo, the icon, each under an address with its version.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::components::form::{Text, Typed, summary};
use super::components::icon;
use super::components::stale::{self, Fields};
use super::edit::Edit;
use super::failure::Failure;
use super::layout::{Page, Place, Toast, done};
use super::multipart;
use super::{block, url};
use crate::admin;
use crate::admin::branding::{Image, Picture, View};
use crate::api::request::{MAX_BODY, collect};
use crate::app::App;
use crate::auth::browser::Signed;
use crate::branding::{Branding, SLOTS, Warning, sheet};
use crate::engine::permission::{Permission, allows};
use crate::error::{Error, Result};
use crate::store;
use crate::store::branding::Kind;

type Answer = std::result::Result<HttpResponse, Failure>;

/// What never changes under its address.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// How a stylesheet and an image may be used should somebody open them as pages.
const INERT: &str = "default-src 'none'; sandbox";
const TEXTS: [(&str, &str); 3] =
    [("companyName", "Company name"), ("headingFont", "Font of headings"), ("bodyFont", "Font")];
/// Every field of the form with its label.
const SETTINGS: Fields = &{
    let mut all = [("", ""); TEXTS.len() + SLOTS.len()];
    let mut at = 0;
    while at < all.len() {
        all[at] = if at < TEXTS.len() {
            TEXTS[at]
        } else {
            let (_, name, label, _) = SLOTS[at - TEXTS.len()];
            (name, label)
        };
        at += 1;
    }
    all
};

fn fields() -> impl Iterator<Item = &'static str> {
    SETTINGS.iter().map(|(name, _)| *name)
}

/// `GET /branding/{site}/{version}/{file}`: a stylesheet or an image, to anybody, as they say nothing. 404 for any
/// version but the current one.
pub async fn serve(app: Data<App>, path: Path<(String, String, String)>) -> Answer {
    let (site, version, file) = path.into_inner();
    let wanted = format!("/branding/{site}/{version}/{file}");
    let found = block(move || {
        app.read(|conn| {
            let site = store::sites::find(conn, &site)?;
            match Kind::parse(&file) {
                Some(kind) => store::branding::image(conn, site.id, kind, &version),
                None => {
                    let stored = store::branding::find(conn, site.id)?;
                    let sheet = admin::branding::stylesheet(&site, &stored.branding);
                    let path = format!("/branding/{}/{version}/{file}", site.uuid);
                    let current = sheet.filter(|(have, _)| *have == path);
                    Ok(current.map(|(_, text)| ("text/css; charset=utf-8".to_owned(), text.into_bytes())))
                }
            }
        })
    })
    .await?;
    let (content_type, body) = found.ok_or_else(|| Error::NotFound(format!("the path {wanted}")))?;
    Ok(served(content_type, body, FOR_EVER))
}

fn served(content_type: String, body: Vec<u8>, cache: &'static str) -> HttpResponse {
    HttpResponse::Ok()
        .insert_header((CONTENT_TYPE, content_type))
        .insert_header((CACHE_CONTROL, cache))
        .insert_header((CONTENT_SECURITY_POLICY, INERT))
        .insert_header(("x-content-type-options", "nosniff"))
        .body(body)
}

/// `GET /branding/preview.css?accent=…`: the stylesheet of a preview, made of nothing but its address.
pub async fn preview_sheet(req: HttpRequest) -> HttpResponse {
    let typed =
        Typed::posted(::url::form_urlencoded::parse(req.query_string().as_bytes()).into_owned().collect());
    let branding = read(&typed).unwrap_or_default();
    let sheet = sheet::write(&branding, ".brand-preview", true);
    served("text/css; charset=utf-8".into(), sheet.into_bytes(), "private, max-age=300")
}

/// What a form says, as the API would read it.
fn body(typed: &Typed) -> String {
    let mut body = Map::new();
    for name in fields() {
        let text = typed.get(name).trim();
        if !text.is_empty() {
            body.insert(name.into(), Value::from(text));
        }
    }
    Value::Object(body).to_string()
}

fn read(typed: &Typed) -> Result<Branding> {
    admin::read_body(&body(typed), |object, problems| Some(admin::branding::read_settings(object, problems)))
}

fn typed(branding: &Branding) -> Typed {
    let text = |text: &Option<String>| text.clone().unwrap_or_default().replace('"', "");
    let mut values = vec![
        ("companyName".to_owned(), branding.company_name.clone().unwrap_or_default()),
        ("headingFont".to_owned(), text(&branding.heading_font)),
        ("bodyFont".to_owned(), text(&branding.body_font)),
    ];
    values.extend(SLOTS.map(|(slot, name, ..)| (name.to_owned(), branding.colour(slot).to_string())));
    Typed::posted(values)
}

/// `GET /sites/{site}/branding`.
pub async fn show(app: Data<App>, req: HttpRequest, signed: Signed, site: Path<String>) -> Answer {
    let place = Place::find(&app, &site, None)?;
    let (_, stored) = admin::branding::find(&app, &site)?;
    draw(&app, &req, &signed, &place, &typed(&stored.branding), false)
}

/// `POST /sites/{site}/branding`: saves, shows a preview, or goes back to what is usual, by `act`.
pub async fn post(app: Data<App>, req: HttpRequest, edit: Edit, site: Path<String>) -> Answer {
    let place = Place::find(&app, &site, None)?;
    let (signed, act) = (&edit.signed, edit.form.get("act"));
    signed.actor().require(Permission::Change)?;
    let before = typed(&admin::branding::find(&app, &site)?.1.branding);
    let form = if act == "reset" { typed(&Branding::default()) } else { edit.form.clone() };
    if stale::is_stale(&edit.form, &before, SETTINGS) {
        return draw(&app, &req, signed, &place, &form, true);
    }
    if act == "preview" {
        let typed = match read(&form) {
            Err(Error::Invalid(errors)) => form.wrong(&errors),
            _ => form,
        };
        return draw(&app, &req, signed, &place, &typed, false);
    }
    let (server, actor, name, body) = (app.clone(), signed.actor(), site.clone(), body(&form));
    match block(move || admin::branding::set(&server, &actor, &name, &body)).await {
        Ok((site, now)) => {
            let (here, now) = (address(&site), typed(&now.branding));
            let toast = Toast::say(format!("The looks of {} are saved.", site.name));
            Ok(done(&here, stale::undo(toast, &here, &before, &now, SETTINGS)))
        }
        Err(Error::Invalid(errors)) => draw(&app, &req, signed, &place, &form.wrong(&errors), false),
        Err(error) => Err(error.into()),
    }
}

fn address(site: &store::sites::Site) -> String {
    format!("{}/branding", url::site(site))
}

/// `POST /sites/{site}/branding/images`: what was chosen, fetched from an address, or removed; one or both.
pub async fn images(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    site: Path<String>,
    payload: Payload,
) -> Answer {
    // Two images of the largest size, and what stands around them.
    let body = collect(req.head(), payload.into_inner(), MAX_BODY).await?;
    let content_type =
        req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let parts = multipart::parts(content_type, &body)
        .ok_or_else(|| Error::BadRequest("bad_request", "the form cannot be read".into()))?;
    let part = |name: &str| parts.iter().find(|part| part.name == name).map_or(&b""[..], |part| part.bytes);
    let text = |name: &str| String::from_utf8_lossy(part(name)).trim().to_owned();
    if super::edit::is_foreign(&req) || !signed.csrf.matches(&text("csrf")) {
        return Err(Failure::StaleForm(format!("/sites/{}/branding", url::encode(&site))));
    }
    let actor = signed.actor();
    actor.require(Permission::Change)?;
    let wanted = [Kind::Logo, Kind::Favicon].map(|kind| {
        let name = kind.as_str();
        (kind, part(name).to_vec(), text(&format!("{name}Url")), text(&format!("{name}Remove")) == "on")
    });
    let urls = ["logoUrl", "faviconUrl"].map(|name| (name, text(name)));
    let (server, name) = (app.clone(), site.clone());
    let saved = block(move || {
        let mut pictures = [(Kind::Logo, Picture::Keep), (Kind::Favicon, Picture::Keep)];
        for (at, (kind, bytes, url, remove)) in wanted.into_iter().enumerate() {
            pictures[at].1 = match (bytes.is_empty(), url.is_empty(), remove) {
                (false, ..) => Picture::Put(Image::read(kind.as_str(), bytes)?),
                (true, false, _) => Picture::Put(admin::branding::fetch(&server, kind.as_str(), &url)?),
                (true, true, true) => Picture::Remove,
                (true, true, false) => Picture::Keep,
            };
        }
        admin::branding::set_images(&server, &actor, &name, pictures)
    })
    .await;
    match saved {
        Ok((site, _)) => {
            Ok(done(&address(&site), Toast::say(format!("The images of {} are saved.", site.name))))
        }
        Err(Error::Invalid(errors)) => {
            let place = Place::find(&app, &site, None)?;
            let (_, stored) = admin::branding::find(&app, &site)?;
            let shown = urls.iter().fold(typed(&stored.branding), |typed, (name, url)| typed.set(name, url));
            draw(&app, &req, &signed, &place, &shown.wrong(&errors), false)
        }
        Err(error) => Err(error.into()),
    }
}

fn draw(
    app: &App,
    req: &HttpRequest,
    signed: &Signed,
    place: &Place,
    shown: &Typed,
    conflict: bool,
) -> Answer {
    let page = Page::new(app, req, signed, "Branding").at(place, "branding");
    let may_change = allows(signed.session.role, Permission::Change);
    let here = address(&place.site);
    let (_, stored) = admin::branding::find(app, &place.site.uuid)?;
    let view = View::of(&place.site, &stored);
    let saved = typed(&stored.branding);
    let typed = shown;
    let shown: Vec<&str> = fields().chain(["logo", "favicon"]).collect();
    let main = html! {
        div.head { div {
            h1 { "Branding" }
            p.lede { "How every page of this site looks. Colours are chosen for light pages; dark ones get the same hues, made readable there." }
        } }
        div.brand-cols {
            div.stack.l {
                @if may_change {
                    form.stack.l method="post" action=(here) hx-post=(here) hx-trigger="input changed delay:150ms" hx-include="this"
                        hx-vals=(json!({"act": "preview"})) hx-target="#preview" hx-select="#preview" hx-swap="outerHTML" {
                        (page.csrf()) (stale::seen(&saved, SETTINGS))
                        @if conflict { (stale::both(typed, &saved, SETTINGS, &here)) }
                        (summary(typed, &shown))
                        (Text::new("companyName", "Company name").hint("Stands in the header instead of featured.").draw(typed))
                        (Text::new("bodyFont", "Font").hint("Names of fonts that readers have, separated by commas: Georgia, serif").draw(typed))
                        (Text::new("headingFont", "Font of headings").draw(typed))
                        @for (legend, slots) in [("Brand", &SLOTS[..3]), ("Meaning", &SLOTS[3..11]), ("Paper", &SLOTS[11..14]), ("Ink", &SLOTS[14..])] {
                            fieldset.swatches { legend.lab { (legend) }
                                @for (_, name, label, usual) in slots { (swatch(name, label, usual, typed)) }
                            }
                        }
                        div.row.wrap {
                            button.btn.main name="act" value="save" { "Save" }
                            button.btn name="act" value="preview" { "Preview" }
                            button.btn.quiet name="act" value="reset" { "Back to what is usual" }
                        }
                    }
                    section.sect aria-labelledby="images-h" {
                        header { h2 id="images-h" { "Logo and icon" } }
                        form.stack method="post" action={ (here) "/images" } enctype="multipart/form-data" {
                            (page.csrf())
                            (picture("logo", "Logo", view.logo_url.as_deref(), typed))
                            (picture("favicon", "Icon of the tab", view.favicon_url.as_deref(), typed))
                            p.m3.s { "PNG, JPEG, GIF, WebP or ICO, at most 256 KiB. An address is fetched once; the image is kept here." }
                            div.row { button.btn { "Save images" } }
                        }
                    }
                }
            }
            (preview(typed))
        }
    };
    Ok(if conflict || typed.has_errors() { page.refuse(main) } else { page.show(main) })
}

fn swatch(name: &str, label: &str, usual: &str, typed: &Typed) -> Markup {
    let value = Some(typed.get(name)).filter(|value| !value.is_empty()).unwrap_or(usual);
    html! {
        div.field.swatch {
            label for=(name) { (label) }
            input type="color" id=(name) name=(name) value=(value);
            (super::components::form::error(name, typed))
        }
    }
}

fn picture(name: &str, label: &str, current: Option<&str>, typed: &Typed) -> Markup {
    html! {
        fieldset.picture { legend { (label) }
            @if let Some(current) = current { img.brand-image src=(current) alt={ (label) " now" }; }
            div.field { label for=(name) { span.vh { (label) ": " } "File" } input type="file" id=(name) name=(name) accept="image/png,image/jpeg,image/gif,image/webp,image/x-icon"; (super::components::form::error(name, typed)) }
            div.field { label for={ (name) "Url" } { span.vh { (label) ": " } "Or fetch it from" } input type="url" id={ (name) "Url" } name={ (name) "Url" } value=(typed.get(&format!("{name}Url"))) placeholder="https://" autocomplete="off"; }
            @if current.is_some() { label.check { input type="checkbox" name={ (name) "Remove" } value="on"; " Remove" } }
        }
    }
}

/// The preview: both papers with one of everything, and what is hard to read.
fn preview(typed: &Typed) -> Markup {
    let branding = read(typed).unwrap_or_default();
    let mut query = ::url::form_urlencoded::Serializer::new(String::new());
    for name in fields() {
        query.append_pair(name, typed.get(name));
    }
    html! {
        section #preview .stack.l aria-labelledby="preview-h" {
            link rel="stylesheet" href={ "/branding/preview.css?" (query.finish()) };
            h2 id="preview-h" { "Preview" }
            @for (theme, name) in [("light", "Light"), ("dark", "Dark")] {
                div.brand-preview data-theme=(theme) aria-label={ (name) " preview" } role="group" {
                    div.row { strong.grow { (branding.company_name.as_deref().unwrap_or("featured")) } span.m3.s { (name) } }
                    h3 { "Heading" }
                    p { "Text, " span.m2 { "second text" } " and " span.m3 { "muted text" } "." }
                    div.panel { p { "A panel with " code { "code" } "." } }
                    div.row.wrap { span.btn.main { "Main button" } span.btn { "Button" } span.st-on { (icon("check")) b { "Live" } } }
                    div.banner.box-success { span.grow { "Success" } }
                    div.banner { span.grow { "Information" } }
                    div.banner.warn { span.grow { "Warning" } }
                    div.banner.danger { span.grow { "Error" } }
                }
            }
            (warnings(&branding.warnings()))
        }
    }
}

fn warnings(warnings: &[Warning]) -> Markup {
    let label =
        |name: &str| SLOTS.iter().find(|(_, have, ..)| *have == name).map_or("", |(_, _, label, _)| *label);
    html! {
        @if warnings.is_empty() {
            p.m2 role="status" { "Every text stands out enough: 4.5 to 1 or more (WCAG 2.2)." }
        } @else {
            div.banner.warn role="status" { (icon("warn")) div.grow {
                p { b { "Hard to read" } ": below 4.5 to 1 (WCAG 2.2)" }
                ul { @for warning in warnings {
                    li { (label(warning.text)) " on " (label(warning.background)) ": " (format!("{:.2}", warning.ratio)) " to 1. Try " code { (warning.suggested) } "." }
                } }
            } }
        }
    }
}

//! `/sites/{site}/branding`: how the pages of a site look, with a preview on light and dark paper; and what is served
//! of it: the stylesheet, the logo, the icon, each under an address with its version.

use actix_web::http::header::{CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE};
use actix_web::web::{Data, Path, Payload};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::{Map, Value, json};

use super::components::form::{Text, Typed, error, summary};
use super::components::icon;
use super::components::stale::{self, Fields};
use super::edit::is_foreign;
use super::failure::Failure;
use super::layout::{Page, Place, Toast, done};
use super::multipart;
use super::{block, url};
use crate::admin;
use crate::admin::branding::{Image, Picture, View};
use crate::api::request::collect;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::branding::{Branding, SLOTS, Warning, image, sheet};
use crate::engine::decode::FieldError;
use crate::engine::permission::{Permission, allows};
use crate::error::{Error, Result};
use crate::store;
use crate::store::branding::Kind;

type Answer = std::result::Result<HttpResponse, Failure>;

/// What never changes under its address.
const FOR_EVER: &str = "public, max-age=31536000, immutable";
/// How a stylesheet and an image may be used should somebody open them as pages.
const INERT: &str = "default-src 'none'; sandbox";
/// The longest form, in bytes: images that are too large are told beside their fields, with all that was typed.
const MAX_FORM: usize = 8 << 20;
const KINDS: [Kind; 2] = [Kind::Logo, Kind::Favicon];
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
/// version but the current one, and the same for a site that does not exist.
pub async fn serve(app: Data<App>, path: Path<(String, String, String)>) -> Answer {
    let (site, version, file) = path.into_inner();
    let wanted = format!("/branding/{site}/{version}/{file}");
    let found = block(move || {
        app.read(|conn| {
            let site = match store::sites::find(conn, &site) {
                // Said as of any other address, so that nobody learns which sites there are.
                Err(Error::NotFound(_)) => return Ok(None),
                found => found?,
            };
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

/// What the form posted: its fields, and the files that were chosen.
struct Posted {
    form: Typed,
    files: [Vec<u8>; 2],
}

/// The form, as browsers send it with files, or without them; `None` when it is longer than anything that is taken.
async fn posted(req: &HttpRequest, payload: Payload) -> Result<Option<Posted>> {
    let body = match collect(req.head(), payload.into_inner(), MAX_FORM).await {
        Err(Error::TooLarge(_)) => return Ok(None),
        body => body?,
    };
    let content_type =
        req.headers().get(CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    if !content_type.starts_with("multipart/") {
        let fields = ::url::form_urlencoded::parse(&body).into_owned().collect();
        return Ok(Some(Posted { form: Typed::posted(fields), files: Default::default() }));
    }
    let parts = multipart::parts(content_type, &body)
        .ok_or_else(|| Error::BadRequest("bad_request", "the form cannot be read".into()))?;
    let file = |kind: Kind| {
        let part = parts.iter().find(|part| part.name == kind.as_str());
        part.map_or_else(Vec::new, |part| part.bytes.to_vec())
    };
    let files = KINDS.map(file);
    let fields = parts.iter().filter(|part| Kind::parse(&part.name).is_none());
    let fields =
        fields.map(|part| (part.name.clone(), String::from_utf8_lossy(part.bytes).into_owned())).collect();
    Ok(Some(Posted { form: Typed::posted(fields), files }))
}

/// What happens to an image: a file that was chosen comes before an address, and that before the box to remove it.
fn picture_of(app: &App, form: &Typed, kind: Kind, file: Vec<u8>) -> Result<Picture> {
    let name = kind.as_str();
    let from = format!("{name}Url");
    Ok(match form.get(&from).trim() {
        _ if !file.is_empty() => Picture::Put(Image::read(name, file)?),
        "" if form.is_on(&format!("{name}Remove")) => Picture::Remove,
        "" => Picture::Keep,
        url => Picture::Put(admin::branding::fetch(app, &from, url)?),
    })
}

/// `POST /sites/{site}/branding`: saves, shows a preview, or goes back to what is usual, by `act`.
pub async fn post(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    site: Path<String>,
    payload: Payload,
) -> Answer {
    let place = Place::find(&app, &site, None)?;
    let before = typed(&admin::branding::find(&app, &site)?.1.branding);
    let Some(Posted { form: sent, files }) = posted(&req, payload).await? else {
        signed.actor().require(Permission::Change)?;
        let rule = |kind: Kind| FieldError { field: kind.as_str().into(), message: image::RULE.into() };
        return draw(&app, &req, &signed, &place, &before.wrong(&KINDS.map(rule)), false);
    };
    if is_foreign(&req) || !signed.csrf.matches(sent.get("csrf")) {
        return Err(Failure::StaleForm(format!("/sites/{}/branding", url::encode(&site))));
    }
    signed.actor().require(Permission::Change)?;
    let act = sent.get("act").to_owned();
    let stale = stale::is_stale(&sent, &before, SETTINGS);
    let form = if act == "reset" { typed(&Branding::default()) } else { sent };
    if stale {
        return draw(&app, &req, &signed, &place, &form, true);
    }
    if act == "preview" {
        let typed = match read(&form) {
            Err(Error::Invalid(errors)) => form.wrong(&errors),
            _ => form,
        };
        return draw(&app, &req, &signed, &place, &typed, false);
    }
    let (server, actor, name, wanted) = (app.clone(), signed.actor(), site.clone(), form.clone());
    let saved = block(move || {
        let mut pictures = KINDS.map(|kind| (kind, Picture::Keep));
        let mut errors = match read(&wanted) {
            Err(Error::Invalid(errors)) => errors,
            read => read.map(|_| Vec::new())?,
        };
        for ((kind, picture), file) in pictures.iter_mut().zip(files) {
            match picture_of(&server, &wanted, *kind, file) {
                Err(Error::Invalid(more)) => errors.extend(more),
                found => *picture = found?,
            }
        }
        if !errors.is_empty() {
            return Err(Error::Invalid(errors));
        }
        let kept = pictures.iter().all(|(_, picture)| *picture == Picture::Keep);
        Ok((admin::branding::set(&server, &actor, &name, &body(&wanted), pictures)?, kept))
    })
    .await;
    match saved {
        Ok(((site, now), kept)) => {
            let (here, now) = (address(&site), typed(&now.branding));
            let toast = Toast::say(format!("The looks of {} are saved.", site.name));
            // Images that are gone do not come back with an Undo, so none is offered.
            let toast = if kept { stale::undo(toast, &here, &before, &now, SETTINGS) } else { toast };
            Ok(done(&here, toast))
        }
        Err(Error::Invalid(errors)) => draw(&app, &req, &signed, &place, &form.wrong(&errors), false),
        Err(error) => Err(error.into()),
    }
}

fn address(site: &store::sites::Site) -> String {
    format!("{}/branding", url::site(site))
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
    let shown: Vec<&str> = fields().chain(["logo", "logoUrl", "favicon", "faviconUrl"]).collect();
    let main = html! {
        div.head { div {
            h1 { "Branding" }
            p.lede { "How every page of this site looks. Colours are chosen for light pages; dark ones get the same hues, made readable there. An accent too pale for text is made darker." }
        } }
        div.brand-cols {
            div.stack.l {
                @if may_change {
                    form.stack.l method="post" action=(here) enctype="multipart/form-data" hx-post=(here) hx-trigger="input changed delay:150ms"
                        hx-include="this" hx-params="not logo,favicon" hx-vals=(json!({"act": "preview"})) hx-target="#preview" hx-select="#preview"
                        hx-swap="outerHTML" {
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
                        (picture("logo", "Logo", view.logo_url.as_deref(), typed))
                        (picture("favicon", "Icon of the tab", view.favicon_url.as_deref(), typed))
                        p.m3.s id="images-hint" { "PNG, JPEG, GIF, WebP or ICO, at most 256 KiB. An address is fetched once; the image is kept here." }
                        div.row.wrap {
                            button.btn.main name="act" value="save" { "Save" }
                            button.btn name="act" value="preview" { "Preview" }
                            button.btn.quiet name="act" value="reset" { "Back to what is usual" }
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
    let wrong = typed.error(name).is_some();
    html! {
        div.field.swatch {
            label for=(name) { (label) }
            input type="color" id=(name) name=(name) value=(value) aria-invalid=[wrong.then_some("true")]
                aria-describedby=[wrong.then(|| format!("{name}-error"))];
            (error(name, typed))
        }
    }
}

fn picture(name: &str, label: &str, current: Option<&str>, typed: &Typed) -> Markup {
    let (from, remove) = (format!("{name}Url"), format!("{name}Remove"));
    let wrong = |name: &str| typed.error(name).is_some();
    let described = |name: &str| match wrong(name) {
        true => format!("{name}-error images-hint"),
        false => "images-hint".to_owned(),
    };
    html! {
        fieldset.picture { legend { (label) }
            @if let Some(current) = current { img.brand-image src=(current) alt={ (label) " now" }; }
            div.field {
                label for=(name) { span.vh { (label) ": " } "File" }
                input type="file" id=(name) name=(name) accept="image/png,image/jpeg,image/gif,image/webp,image/x-icon"
                    aria-invalid=[wrong(name).then_some("true")] aria-describedby=(described(name));
                (error(name, typed))
            }
            div.field {
                label for=(from) { span.vh { (label) ": " } "Or fetch it from" }
                input type="url" id=(from) name=(from) value=(typed.get(&from)) placeholder="https://" autocomplete="off"
                    aria-invalid=[wrong(&from).then_some("true")] aria-describedby=(described(&from));
                (error(&from, typed))
            }
            @if current.is_some() { label.check { input type="checkbox" name=(remove) value="on" checked[typed.is_on(&remove)]; " Remove" } }
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
                    div.brand-head.row {
                        strong.grow { (branding.company_name.as_deref().unwrap_or("featured")) }
                        span.m2.s { "Features " span.m3 { "12" } }
                        span.live-word { "Production" }
                    }
                    div.row { h3.grow { "Heading" } span.m3.s { (name) } }
                    p { "Text, " span.m2 { "second text" } " and " span.m3 { "muted text" } "." }
                    p.brand-row { "A row under the pointer, " span.m2 { "with second" } " and " span.m3 { "muted text" } }
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

//! How the pages of a site look (feature-config §8, native-api "branding").

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use serde::Serialize;
use sha2::{Digest, Sha256};
use utoipa::ToSchema;

use super::read_body;
use crate::app::{Actor, App, Change, Touched, Written};
use crate::branding::colour::Colour;
use crate::branding::{
    Branding, MAX_FONT, MAX_NAME, SLOTS, Slot, Warning, fonts, image, is_plain_line, sheet,
};
use crate::engine::decode::{Node, Object, Problems};
use crate::engine::permission::Permission;
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::store;
use crate::store::branding::{Kind, Stored};
use crate::store::sites::Site;

macro_rules! shapes {
    ($($colour:ident $slot:ident,)*) => {
        /// How the pages of a site look: the values in effect.
        #[derive(Debug, Serialize, ToSchema)]
        #[serde(rename_all = "camelCase")]
        #[schema(as = Branding, example = json!({
            "companyName": "Shop Inc.", "logoUrl": null, "faviconUrl": null, "headingFont": null,
            "bodyFont": "\"Georgia\", serif", "primary": "#191c1a", "secondary": "#3f9e7f", "accent": "#7a1fa2",
            "success": "#0b6e52", "warning": "#875200", "error": "#b3261e", "info": "#1d5b8f",
            "successText": "#ffffff", "warningText": "#ffffff", "errorText": "#ffffff", "infoText": "#ffffff",
            "backgroundPrimary": "#fafaf7", "backgroundSecondary": "#ffffff", "backgroundTertiary": "#f2f3ee",
            "textPrimary": "#191c1a", "textSecondary": "#4b524d", "textMuted": "#646b66", "contrastWarnings": []
        }))]
        pub struct View {
            /// Stands in the header instead of `featured`.
            #[schema(required)]
            pub company_name: Option<String>,
            /// Where the image is served from here.
            #[schema(required)]
            pub logo_url: Option<String>,
            #[schema(required)]
            pub favicon_url: Option<String>,
            #[schema(required)]
            pub heading_font: Option<String>,
            #[schema(required)]
            pub body_font: Option<String>,
            $(#[schema(pattern = "^#[0-9a-f]{6}$")] pub $colour: String,)*
            /// Texts that are hard to read where they stand: their contrast is below 4.5.
            pub contrast_warnings: Vec<Warning>,
        }

        /// How the pages of a site shall look. What is left out, or `null`, is as it is everywhere.
        #[derive(ToSchema)]
        #[serde(deny_unknown_fields)]
        #[schema(as = BrandingChange, rename_all = "camelCase", example = json!({
            "companyName": "Shop Inc.", "bodyFont": "Georgia, serif", "accent": "#7a1fa2", "textPrimary": "#2a1033"
        }))]
        pub struct NewBranding {
            #[schema(max_length = 60)]
            pub company_name: Option<String>,
            /// An `https` address that is fetched once, an image as a `data:` URL, or what a GET gave, which keeps it.
            /// PNG, JPEG, GIF, WebP or ICO of at most 256 KiB.
            pub logo_url: Option<String>,
            /// The same.
            pub favicon_url: Option<String>,
            /// Names of fonts separated by commas.
            #[schema(max_length = 200)]
            pub heading_font: Option<String>,
            #[schema(max_length = 200)]
            pub body_font: Option<String>,
            $(#[schema(pattern = "^#[0-9a-fA-F]{6}$")] pub $colour: Option<String>,)*
            /// Ignored, so that a branding can be sent as it was read.
            #[schema(value_type = Option<Vec<Object>>)]
            pub contrast_warnings: Option<()>,
        }

        impl View {
            /// What is shown of a site's branding.
            pub fn of(site: &Site, stored: &Stored) -> Self {
                let branding = &stored.branding;
                let url = |kind, version: &Option<String>| {
                    version.as_ref().map(|version| image_path(site, kind, version))
                };
                Self {
                    company_name: branding.company_name.clone(),
                    logo_url: url(Kind::Logo, &stored.logo),
                    favicon_url: url(Kind::Favicon, &stored.favicon),
                    heading_font: branding.heading_font.clone(),
                    body_font: branding.body_font.clone(),
                    $($colour: branding.colour(Slot::$slot).to_string(),)*
                    contrast_warnings: branding.warnings(),
                }
            }
        }
    };
}

shapes! {
    primary Primary, secondary Secondary, accent Accent,
    success Success, warning Warning, error Error, info Info,
    success_text SuccessText, warning_text WarningText, error_text ErrorText, info_text InfoText,
    background_primary BackgroundPrimary, background_secondary BackgroundSecondary,
    background_tertiary BackgroundTertiary,
    text_primary TextPrimary, text_secondary TextSecondary, text_muted TextMuted,
}

/// Where an image is served.
pub fn image_path(site: &Site, kind: Kind, version: &str) -> String {
    format!("/branding/{}/{version}/{}", site.uuid, kind.as_str())
}

/// The stylesheet of a site and where it is served; `None` when it has none.
pub fn stylesheet(site: &Site, branding: &Branding) -> Option<(String, String)> {
    let sheet = sheet::write(branding, ":root", false);
    (!sheet.is_empty())
        .then(|| (format!("/branding/{}/{}/style.css", site.uuid, version(sheet.as_bytes())), sheet))
}

/// The beginning of the SHA-256, in hexadecimal.
fn version(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// An image to keep: version, content type, bytes.
#[derive(PartialEq)]
pub struct Image {
    version: String,
    content_type: &'static str,
    bytes: Vec<u8>,
}

impl Image {
    /// Takes bytes that are an image; `Invalid` for anything else.
    pub fn read(field: &str, bytes: Vec<u8>) -> Result<Self> {
        let content_type = image::content_type(&bytes).ok_or_else(|| Error::invalid(field, image::RULE))?;
        Ok(Self { version: version(&bytes), content_type, bytes })
    }
}

/// What happens to an image.
#[derive(PartialEq)]
pub enum Picture {
    Keep,
    Remove,
    Put(Image),
}

/// What to do with the colours, fonts and name of a body, for the API and the form alike.
pub fn read_settings(object: &mut Object<'_>, problems: &mut Problems) -> Branding {
    let mut branding = Branding::default();
    if let Some(node) = object.take_value("companyName")
        && let Some(name) = node.string(problems)
    {
        let name = name.trim();
        if name.chars().count() > MAX_NAME {
            problems.add(&node.path, format!("must be at most {MAX_NAME} characters"));
        } else if !is_plain_line(name) {
            problems.add(&node.path, "must not have control characters or such that turn text around");
        } else if !name.is_empty() {
            branding.company_name = Some(name.to_owned());
        }
    }
    branding.heading_font = read_fonts(object.take_value("headingFont"), problems);
    branding.body_font = read_fonts(object.take_value("bodyFont"), problems);
    for (slot, name, ..) in SLOTS {
        let Some(node) = object.take_value(name) else { continue };
        match node.string(problems).map(|text| Colour::parse(&text)) {
            Some(Some(colour)) => branding.set(slot, colour),
            Some(None) => problems.add(&node.path, "must be a colour such as #0b6e52"),
            None => {}
        }
    }
    branding
}

fn read_fonts(node: Option<Node<'_>>, problems: &mut Problems) -> Option<String> {
    let node = node?;
    let text = node.string(problems)?;
    if text.trim().is_empty() {
        return None;
    }
    let found = fonts(&text);
    if found.is_none() {
        problems.add(
            &node.path,
            format!("must be names of fonts separated by commas, in at most {MAX_FONT} characters"),
        );
    }
    found
}

/// Where an image is to come from, as a body says it.
enum Source {
    Nothing,
    /// Where it is served from here: it stays.
    Ours(String),
    Data(Image),
    Fetch(String),
}

fn read_source(object: &mut Object<'_>, name: &str, problems: &mut Problems) -> Source {
    let Some(node) = object.take_value(name) else { return Source::Nothing };
    let Some(text) = node.string(problems) else { return Source::Nothing };
    if text.is_empty() {
        return Source::Nothing;
    }
    if text.starts_with('/') {
        return Source::Ours(text);
    }
    let Some(data) = text.strip_prefix("data:") else { return Source::Fetch(text) };
    let bytes = data.split_once(";base64,").and_then(|(_, data)| STANDARD.decode(data).ok());
    match bytes.map(|bytes| Image::read(name, bytes)) {
        Some(Ok(image)) => Source::Data(image),
        _ => {
            problems.add(&node.path, format!("as a data: URL, {}", image::RULE));
            Source::Nothing
        }
    }
}

/// Fetches an image once, under the rules that hold for webhooks.
pub fn fetch(app: &App, field: &str, url: &str) -> Result<Image> {
    let answer = app
        .net
        .get(url, image::MAX_BYTES as u64)
        .map_err(|failure| Error::invalid(field, format!("could not be fetched: {failure}")))?;
    if answer.status != 200 {
        return Err(Error::invalid(
            field,
            format!("could not be fetched: that server answered {}", answer.status),
        ));
    }
    Image::read(field, answer.body)
}

/// Replaces the branding of a site. Body: [`NewBranding`].
pub fn put(app: &App, actor: &Actor, site: &str, body: &str) -> Result<(Site, Stored)> {
    actor.require(Permission::Change)?;
    let (settings, logo, favicon) = read_body(body, |object, problems| {
        let settings = read_settings(object, problems);
        let logo = read_source(object, "logoUrl", problems);
        let favicon = read_source(object, "faviconUrl", problems);
        object.ignore(&["contrastWarnings"]);
        Some((settings, logo, favicon))
    })?;
    let (found, stored) = find(app, site)?;
    let picture = |source, field: &str, kind, current: &Option<String>| match source {
        Source::Nothing => Ok(Picture::Remove),
        Source::Data(image) => Ok(Picture::Put(image)),
        Source::Fetch(url) => fetch(app, field, &url).map(Picture::Put),
        Source::Ours(path) => match current {
            Some(version) if path == image_path(&found, kind, version) => Ok(Picture::Keep),
            _ => Err(Error::invalid(field, "is not the image that is served now")),
        },
    };
    let logo = picture(logo, "logoUrl", Kind::Logo, &stored.logo)?;
    let favicon = picture(favicon, "faviconUrl", Kind::Favicon, &stored.favicon)?;
    save(app, actor, site, settings, [(Kind::Logo, logo), (Kind::Favicon, favicon)])
}

/// Changes colours, fonts and name, and what is said of the images. Body: the same without these.
pub fn set(
    app: &App,
    actor: &Actor,
    site: &str,
    body: &str,
    pictures: [(Kind, Picture); 2],
) -> Result<(Site, Stored)> {
    actor.require(Permission::Change)?;
    let settings = read_body(body, |object, problems| Some(read_settings(object, problems)))?;
    save(app, actor, site, settings, pictures)
}

/// A site and its branding.
pub fn find(app: &App, site: &str) -> Result<(Site, Stored)> {
    app.read_consistent(|conn| {
        let site = store::sites::find(conn, site)?;
        let stored = store::branding::find(conn, site.id)?;
        Ok((site, stored))
    })
}

fn save(
    app: &App,
    actor: &Actor,
    site: &str,
    settings: Branding,
    pictures: [(Kind, Picture); 2],
) -> Result<(Site, Stored)> {
    app.write(actor, |tx| {
        let site = store::sites::find(tx, site)?;
        let before = store::branding::find(tx, site.id)?;
        store::branding::save(tx, site.id, &settings, tx.now)?;
        for (kind, picture) in &pictures {
            match picture {
                Picture::Keep => {}
                Picture::Remove => store::branding::delete_image(tx, site.id, *kind)?,
                Picture::Put(image) => {
                    let parts = (image.version.as_str(), image.content_type, image.bytes.as_slice());
                    store::branding::save_image(tx, site.id, *kind, parts)?;
                }
            }
        }
        let after = store::branding::find(tx, site.id)?;
        let (old, new) = (View::of(&site, &before), View::of(&site, &after));
        let (old, new) = (Json::of(&old), Json::of(&new));
        if old == new {
            return Ok(Written::nothing((site, after)));
        }
        let change = Change {
            site: Some(site.uuid.clone()),
            environment: None,
            entity: "branding",
            entity_id: site.uuid.clone(),
            entity_key: site.slug.clone(),
            action: "updated",
            summary: format!("branding of {} changed", site.slug),
            feature: None,
            touched: Touched::Nothing,
            before: old,
            after: new,
            event: None,
        };
        Ok(Written::one((site, after), change))
    })
}

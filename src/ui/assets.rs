//! What browsers load beside pages: embedded, named by the hash of their content, kept for ever.

use std::sync::LazyLock;

use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};

use super::failure::Failure;
use crate::api::packed::Packed;
use crate::error::Error;

struct Asset {
    name: &'static str,
    packed: Packed,
    path: String,
}

macro_rules! assets {
    ($($name:literal $content_type:literal $file:literal $how:ident,)*) => {
        static ASSETS: &[&LazyLock<Asset>] = &[$({
            static ASSET: LazyLock<Asset> = LazyLock::new(|| {
                Asset::new($name, Packed::$how($content_type, include_bytes!(concat!("../../assets/", $file)).as_slice()))
            });
            &ASSET
        },)*];
    };
}

assets! {
    "theme.css" "text/css; charset=utf-8" "theme.css" new,
    "app.css" "text/css; charset=utf-8" "app.css" new,
    "docs.css" "text/css; charset=utf-8" "docs.css" new,
    "app.js" "text/javascript; charset=utf-8" "app.js" new,
    "icons.svg" "image/svg+xml" "icons.svg" new,
    "favicon.svg" "image/svg+xml" "favicon.svg" new,
    "htmx.js" "text/javascript; charset=utf-8" "vendor/htmx-2.0.11.min.js" new,
    "analytics.js" "text/javascript; charset=utf-8" "analytics.js" new,
    "chart.js" "text/javascript; charset=utf-8" "vendor/chart-4.5.1.umd.min.js.gz" from_gzip,
}

impl Asset {
    fn new(name: &'static str, packed: Packed) -> Self {
        let path = format!("/assets/{}/{name}", packed.hash());
        Self { name, packed, path }
    }
}

/// The path of an asset; an unknown name leads nowhere.
pub fn path(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/none/none", |asset| asset.path.as_str())
}

/// `GET /assets/{hash}/{name}`.
pub async fn serve(req: HttpRequest, path: Path<(String, String)>) -> Result<HttpResponse, Failure> {
    let (hash, name) = path.into_inner();
    let wanted = format!("/assets/{hash}/{name}");
    let asset = ASSETS.iter().find(|asset| asset.path == wanted);
    let asset = asset.ok_or_else(|| Error::NotFound(format!("the path {wanted}")))?;
    Ok(asset.packed.respond(&req, "public, max-age=31536000, immutable"))
}

//! What browsers load beside pages: embedded, named by the hash of their content, kept for ever.

use std::io::Write;
use std::sync::LazyLock;

use actix_web::http::header::{CACHE_CONTROL, CONTENT_TYPE};
use actix_web::web::Path;
use actix_web::{HttpRequest, HttpResponse};
use flate2::Compression;
use flate2::write::GzEncoder;
use sha2::{Digest, Sha256};

use super::failure::Failure;
use crate::error::Error;

struct Asset {
    name: &'static str,
    content_type: &'static str,
    body: &'static [u8],
    path: LazyLock<String>,
    gzipped: LazyLock<Option<Vec<u8>>>,
}

macro_rules! assets {
    ($($name:literal $content_type:literal $file:literal,)*) => {
        static ASSETS: &[&LazyLock<Asset>] = &[$({
            static ASSET: LazyLock<Asset> = LazyLock::new(|| {
                Asset { name: $name, content_type: $content_type, body: include_bytes!(concat!("../../assets/", $file)),
                    path: LazyLock::new(|| hashed($name, include_bytes!(concat!("../../assets/", $file)))),
                    gzipped: LazyLock::new(|| gzip(include_bytes!(concat!("../../assets/", $file)))) }
            });
            &ASSET
        },)*];
    };
}

assets! {
    "theme.css" "text/css; charset=utf-8" "theme.css",
    "app.css" "text/css; charset=utf-8" "app.css",
    "app.js" "text/javascript; charset=utf-8" "app.js",
    "icons.svg" "image/svg+xml" "icons.svg",
    "favicon.svg" "image/svg+xml" "favicon.svg",
    "htmx.js" "text/javascript; charset=utf-8" "vendor/htmx-2.0.11.min.js",
}

/// Whether the browser takes gzip.
pub fn takes_gzip(req: &HttpRequest) -> bool {
    let accepted = req.headers().get("accept-encoding").and_then(|value| value.to_str().ok());
    accepted.is_some_and(|accepted| accepted.split(',').any(|one| one.trim().starts_with("gzip")))
}

/// Compresses; `None` should that fail.
pub fn gzip(body: &[u8]) -> Option<Vec<u8>> {
    let mut encoder = GzEncoder::new(Vec::with_capacity(body.len() / 3), Compression::new(5));
    encoder.write_all(body).ok()?;
    encoder.finish().ok()
}

fn hashed(name: &str, body: &[u8]) -> String {
    let digest = Sha256::digest(body);
    let hex: String = digest.iter().take(6).map(|byte| format!("{byte:02x}")).collect();
    format!("/assets/{hex}/{name}")
}

/// The path of an asset; an unknown name leads nowhere.
pub fn path(name: &str) -> &'static str {
    ASSETS.iter().find(|asset| asset.name == name).map_or("/assets/none/none", |asset| asset.path.as_str())
}

/// `GET /assets/{hash}/{name}`.
pub async fn serve(req: HttpRequest, path: Path<(String, String)>) -> Result<HttpResponse, Failure> {
    let (hash, name) = path.into_inner();
    let wanted = format!("/assets/{hash}/{name}");
    let asset = ASSETS.iter().find(|asset| *asset.path == wanted);
    let asset = asset.ok_or_else(|| Error::NotFound(format!("the path {wanted}")))?;
    let mut response = HttpResponse::Ok();
    response
        .insert_header((CONTENT_TYPE, asset.content_type))
        .insert_header((CACHE_CONTROL, "public, max-age=31536000, immutable"))
        .insert_header(("vary", "accept-encoding"))
        .insert_header(("x-content-type-options", "nosniff"));
    Ok(match asset.gzipped.as_ref().filter(|_| takes_gzip(&req)) {
        Some(body) => response.insert_header(("content-encoding", "gzip")).body(body.as_slice()),
        None => response.body(asset.body),
    })
}

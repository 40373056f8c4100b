//! The description of the native API (OpenAPI 3.1): served as JSON, printed by `featured openapi`. It is embedded as
//! `assets/openapi.json.gz`, which [`super::description`] generated; `tests/openapi.rs` holds it against the code, the
//! routes and the answers of a running server.

use std::io::Read;
use std::sync::OnceLock;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use flate2::read::GzDecoder;
use serde_json::json;
use url::Url;

use crate::api::packed::Packed;
use crate::app::App;
use crate::error::{Error, Result};

static DESCRIPTION: &[u8] = include_bytes!("../../../assets/openapi.json.gz");

/// Where the servers stand in the text: before its paths.
const PATHS: &str = "\n  \"paths\": {";

/// Text that is embedded compressed.
pub fn unpacked(gzip: &[u8]) -> std::io::Result<String> {
    let mut text = String::new();
    GzDecoder::new(gzip).read_to_string(&mut text)?;
    Ok(text)
}

/// The description as JSON text. `base_url` is how the outside reaches the server; without it, clients take the
/// address that they read the description from.
pub fn json(base_url: Option<&Url>) -> std::result::Result<String, String> {
    let text = unpacked(DESCRIPTION).map_err(|error| error.to_string())?;
    Ok(match base_url {
        Some(url) => {
            let servers = json!([{"url": url.as_str().trim_end_matches('/')}]);
            text.replacen(PATHS, &format!("\n  \"servers\": {servers},{PATHS}"), 1)
        }
        None => text,
    })
}

/// The description as it is served, made on first use.
#[derive(Default)]
pub struct Served(OnceLock<std::result::Result<Packed, String>>);

/// Read this description
///
/// As OpenAPI 3.1, for generating clients. Public, and readable by pages of every origin that may use the client API.
#[utoipa::path(
    get,
    path = "/openapi.json",
    operation_id = "getDescription",
    tag = "Server",
    security(()),
    params(super::params::IfNoneMatch),
    responses(
        (status = 200, description = "The description.", body = Object, headers(
            ("ETag" = String, description = "Of this description; send it back as `If-None-Match`."),
        ), example = json!({"openapi": "3.1.0", "info": {"title": "featured", "version": "0.1.0"}, "paths": {}})),
        (status = 304, description = "It is still the one that `If-None-Match` names."),
    ),
)]
pub async fn serve(app: Data<App>, served: Data<Served>, req: HttpRequest) -> Result<HttpResponse> {
    let made = served
        .0
        .get_or_init(|| json(app.config.base_url.as_ref()).map(|text| Packed::new("application/json", text)));
    let packed = made.as_ref().map_err(|error| Error::internal(error.clone()))?;
    Ok(packed.respond(&req, "public, max-age=0, must-revalidate"))
}

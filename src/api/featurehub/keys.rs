//! API keys: `<environment>/<token>`, or `<cache name>/<environment>/<token>` as older ones are written
//! (featurehub.md §1).

use std::sync::Arc;

use percent_encoding::percent_decode_str;
use uuid::Uuid;
use uuid::fmt::Hyphenated;

use crate::app::App;
use crate::live::credentials::Token;
use crate::store::tokens::Kind;

/// What a key says, whether or not it is known.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Key {
    pub environment: Uuid,
    /// As it is stored: in two parts.
    text: String,
}

impl Key {
    /// `None` when it is malformed.
    pub fn parse(text: &str) -> Option<Self> {
        let (environment, token) = text.rsplit_once('/')?;
        // What may stand before it names a cache.
        let environment = match environment.split_once('/') {
            Some((_, environment)) => environment,
            None => environment,
        };
        Self::of(environment, token)
    }

    fn of(environment: &str, token: &str) -> Option<Self> {
        let environment = Uuid::try_parse(environment).ok()?;
        let mut text = String::with_capacity(Hyphenated::LENGTH + 1 + token.len());
        text.push_str(environment.hyphenated().encode_lower(&mut Uuid::encode_buffer()));
        text.push('/');
        text.push_str(token);
        Some(Self { environment, text })
    }

    /// The token, while it is neither revoked nor expired.
    pub fn find(&self, app: &App) -> Option<Arc<Token>> {
        let now = app.now();
        app.credential(|known| known.featurehub(&self.text, now))
    }
}

/// Whether clients with this token evaluate by themselves.
pub fn evaluates(token: &Token) -> bool {
    token.kind == Kind::Server
}

/// Whether the token has a permission.
pub fn may(token: &Token, permission: &str) -> bool {
    token.permissions.iter().any(|one| one == permission)
}

/// What a path below `/features/` names.
#[derive(Debug, PartialEq, Eq)]
pub struct Named {
    pub key: Key,
    /// What stands behind the key; empty in the path of a stream.
    pub feature: String,
}

/// Reads a path below `/features/`, in any of the forms that clients write. A feature's key may have slashes.
/// `None` when it is malformed.
pub fn named(path: &str) -> Option<Named> {
    let segments: Vec<String> = path.split('/').map(decode).collect::<Option<_>>()?;
    let is_environment = |text: &String| Uuid::try_parse(text).is_ok();
    // In one segment, joined by a plus or an encoded slash.
    if let Some((first, rest)) = segments.split_first()
        && let Some(key) = Key::parse(&first.replacen('+', "/", 1))
    {
        return Some(Named { key, feature: rest.join("/") });
    }
    let (environment, token, rest) = match segments.as_slice() {
        [environment, token, rest @ ..] if is_environment(environment) => (environment, token, rest),
        [_, environment, token, rest @ ..] => (environment, token, rest),
        _ => return None,
    };
    let key = Key::of(environment, token)?;
    Some(Named { key, feature: rest.join("/") })
}

/// Decodes a segment. A colon may arrive encoded twice, see `routes`.
fn decode(segment: &str) -> Option<String> {
    let text = percent_decode_str(segment).decode_utf8().ok()?;
    Some(text.replace("%3A", ":").replace("%3a", ":"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ENVIRONMENT: &str = "11111111-2222-4333-8444-555555555555";

    #[test]
    fn keys_have_two_or_three_parts_and_a_uuid() {
        let expected = Key::parse(&format!("{ENVIRONMENT}/ab*c"));
        assert!(expected.is_some());
        for same in [format!("default/{ENVIRONMENT}/ab*c"), format!("{}/ab*c", ENVIRONMENT.to_uppercase())] {
            assert_eq!(Key::parse(&same), expected, "{same}");
        }
        for bad in ["", "x", "x/y", "a/x/y", ENVIRONMENT, &format!("a/b/{ENVIRONMENT}/c")] {
            assert_eq!(Key::parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn paths_are_read_in_every_form() {
        let key = Key::parse(&format!("{ENVIRONMENT}/ab*c")).expect("a key");
        for (path, feature) in [
            (format!("{ENVIRONMENT}/ab*c"), ""),
            (format!("{ENVIRONMENT}/ab%2Ac"), ""),
            (format!("default/{ENVIRONMENT}/ab*c"), ""),
            (format!("{ENVIRONMENT}%2Fab*c"), ""),
            (format!("{ENVIRONMENT}/ab*c/F"), "F"),
            (format!("default/{ENVIRONMENT}/ab*c/F"), "F"),
            (format!("{ENVIRONMENT}+ab*c/F"), "F"),
            (format!("{ENVIRONMENT}%2Bab*c/F"), "F"),
            (format!("{ENVIRONMENT}%2Fab%2Ac/F"), "F"),
            (format!("default%2F{ENVIRONMENT}%2Fab*c/F"), "F"),
            (format!("{ENVIRONMENT}/ab*c/manage%2Fplugins"), "manage/plugins"),
            (format!("{ENVIRONMENT}/ab*c/manage/plugins"), "manage/plugins"),
            (format!("{ENVIRONMENT}/ab*c/a%253Ab"), "a:b"),
        ] {
            assert_eq!(named(&path), Some(Named { key: key.clone(), feature: feature.into() }), "{path}");
        }
        for bad in ["", "x", "x/y", "x/y/z", ENVIRONMENT, "a/b/c/d", "%ff/x/y"] {
            assert_eq!(named(bad), None, "{bad}");
        }
    }
}

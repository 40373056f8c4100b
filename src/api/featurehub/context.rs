//! `x-featurehub`: what a client says about its user (featurehub.md §4).

use percent_encoding::percent_decode_str;
use sha2::{Digest, Sha256};

use crate::engine::context::{Attribute, Context, Members};

/// Attributes beyond this many are not read.
const MAX_ATTRIBUTES: usize = 30;

/// The attributes that were sent, each a list of texts, in the order of their names.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Sent(Vec<(String, Vec<String>)>);

impl Sent {
    /// Reads the lines of the header. Pairs stand between commas, or between ampersands as Python joins them; a
    /// value is a list, joined by commas and then encoded. What cannot be read is passed over.
    pub fn parse<'h>(lines: impl IntoIterator<Item = &'h str>) -> Self {
        let mut attributes: Vec<(String, Vec<String>)> = Vec::new();
        for part in lines.into_iter().flat_map(|line| line.split([',', '&'])) {
            let Some((name, value)) = part.split_once('=') else { continue };
            let (Some(name), Some(value)) = (decode(name), decode(value)) else { continue };
            let values = value.split(',').map(str::to_owned).collect();
            match attributes.iter().position(|(known, _)| *known == name) {
                Some(at) => attributes[at].1 = values,
                None if attributes.len() == MAX_ATTRIBUTES => break,
                None => attributes.push((name, values)),
            }
        }
        attributes.sort();
        Self(attributes)
    }

    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The first value of an attribute that is not empty.
    fn first(&self, name: &str) -> Option<&str> {
        let (_, values) = self.0.iter().find(|(known, _)| known == name)?;
        values.first().map(String::as_str).filter(|value| !value.is_empty())
    }

    /// As the engine takes it (featurehub.md §12): everything is text, `userkey` is also `userId` and names the
    /// stored Context, and rollouts stick to the session where there is one.
    pub fn context(&self) -> Context<'_> {
        let mut members = Members::default();
        for (name, values) in &self.0 {
            let mut texts: Vec<_> = values.iter().map(|value| Attribute::Text(value.into())).collect();
            let value = if texts.len() == 1 { texts.remove(0) } else { Attribute::List(texts) };
            match name.as_str() {
                // That name is taken by the user's key.
                "userId" => continue,
                "userkey" => members.insert("userId", value.clone()),
                _ => {}
            }
            members.insert(name.as_str(), value);
        }
        let user = self.first("userkey");
        let key = self.first("session").or_else(|| self.first("sessionkey")).or(user);
        let mut context = Context::of_user(members, key.map(Into::into), user.map(Into::into));
        context.text_only = true;
        context
    }

    /// Adds what tells this context from any other.
    pub fn add_to(&self, hasher: &mut Sha256) {
        for (name, values) in &self.0 {
            for text in std::iter::once(name).chain(values) {
                hasher.update((text.len() as u64).to_le_bytes());
                hasher.update(text);
            }
            hasher.update(u64::MAX.to_le_bytes());
        }
    }
}

/// Decodes a name or value as a form does. `None` where a percent sequence is none, or no text comes out.
fn decode(text: &str) -> Option<String> {
    let spaced = text.replace('+', " ");
    let bytes = spaced.as_bytes();
    let is_fine =
        |at: usize| bytes.get(at + 1..at + 3).is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit));
    if (0..bytes.len()).any(|at| bytes[at] == b'%' && !is_fine(at)) {
        return None;
    }
    percent_decode_str(&spaced).decode_utf8().ok().map(|text| text.into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::context::Own;

    fn read(lines: &[&str]) -> Vec<(String, Vec<String>)> {
        Sent::parse(lines.iter().copied()).0
    }

    #[test]
    fn headers_are_read_as_the_vectors_say() {
        let path = format!("{}/tests/spec/featurehub.json", env!("CARGO_MANIFEST_DIR"));
        let vectors: serde_json::Value =
            serde_json::from_str(&std::fs::read_to_string(path).expect("vectors")).expect("JSON");
        let rows = vectors["header"].as_array().expect("rows");
        assert!(rows.len() >= 8);
        for row in rows {
            let sent = read(&[row["header"].as_str().expect("a header")]);
            let told: serde_json::Map<_, _> =
                sent.into_iter().map(|(name, values)| (name, serde_json::json!(values))).collect();
            assert_eq!(serde_json::Value::Object(told), row["attributes"], "{row}");
        }
    }

    #[test]
    fn what_cannot_be_read_is_passed_over() {
        assert_eq!(read(&["bad=%zz,a=1,b=%f,c=%ff,%41=2", "a=3"]).len(), 2);
        assert_eq!(read(&["a=1,a=2", "a=3"]), [("a".into(), vec!["3".into()])]);
        let many: Vec<String> = (0..40).map(|n| format!("n{n}={n}")).collect();
        assert_eq!(read(&[&many.join(",")]).len(), MAX_ATTRIBUTES);
        assert_eq!(read(&["=x"]), [(String::new(), vec!["x".into()])]);
    }

    #[test]
    fn the_session_is_what_rollouts_stick_to_and_the_user_who_it_is() {
        for (header, key, user) in [
            ("session=s,userkey=u", Some("s"), Some("u")),
            ("sessionkey=k,userkey=u", Some("k"), Some("u")),
            ("session=,userkey=u", Some("u"), Some("u")),
            ("session=s", Some("s"), None),
            ("userId=x", None, None),
            ("userkey=", None, None),
        ] {
            let sent = Sent::parse([header]);
            let context = sent.context();
            let Own::User(named) = context.own() else { panic!("by the user") };
            assert_eq!((context.targeting_key(), named.as_deref()), (key, user), "{header}");
            let id = context.get("userId").and_then(|id| id.as_key().map(|id| id.into_owned()));
            assert_eq!(id.as_deref(), user, "{header}");
        }
    }

    #[test]
    fn different_contexts_have_different_hashes() {
        let hash = |header: &str| {
            let mut hasher = Sha256::new();
            Sent::parse([header]).add_to(&mut hasher);
            hasher.finalize().to_vec()
        };
        let all = ["", "a=1", "a=1,b=2", "a=1%2C2", "a=12", "a=1&b=2%2C3", "ab=1", "a=b1"];
        for (at, one) in all.iter().enumerate() {
            for other in &all[at + 1..] {
                assert_ne!(hash(one), hash(other), "{one} {other}");
            }
        }
        assert_eq!(hash("a=1,b=2"), hash("b=2&a=1"));
    }
}

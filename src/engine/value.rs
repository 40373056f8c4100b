//! Feature values: JSON kept as text, checked against the feature's type.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};
use serde_json::value::RawValue;

use super::decode::{Node, Problems, compact, is_compact};

/// STRING values hold at most this many bytes (native-api).
pub const MAX_STRING: usize = 64 * 1024;
/// JSON values hold at most this many bytes of text (native-api).
pub const MAX_JSON: usize = 256 * 1024;

/// The type of a feature: what its values may be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, utoipa::ToSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum FeatureType {
    String,
    Number,
    Boolean,
    Json,
}

impl FeatureType {
    /// What is said of a text that is no type.
    pub const NAMES: &'static str = "one of STRING, NUMBER, BOOLEAN, JSON";

    /// Its native name.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::String => "STRING",
            Self::Number => "NUMBER",
            Self::Boolean => "BOOLEAN",
            Self::Json => "JSON",
        }
    }

    /// The type of that native name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::String, Self::Number, Self::Boolean, Self::Json].into_iter().find(|kind| kind.as_str() == text)
    }

    /// The type of either name: the native one, or the one stored Contexts use. `integer` is a NUMBER.
    pub fn named(text: &str) -> Option<Self> {
        match text {
            "string" => Some(Self::String),
            "number" | "integer" => Some(Self::Number),
            "flag" => Some(Self::Boolean),
            "json" => Some(Self::Json),
            _ => Self::parse(text),
        }
    }

    /// The name stored Contexts know the type by (featuresd.md §2.1).
    pub fn context_type(self) -> &'static str {
        match self {
            Self::String => "string",
            Self::Number => "number",
            Self::Boolean => "flag",
            Self::Json => "json",
        }
    }

    /// What a disabled feature answers (feature-config §2): `false` for BOOLEAN, else nothing.
    pub fn disabled_value(self) -> &'static str {
        match self {
            Self::Boolean => "false",
            _ => "null",
        }
    }

    /// Whether a value is of this type.
    pub fn takes(self, value: &Json) -> bool {
        let mut problems = Problems::default();
        Node::parse(value.as_str()).is_ok_and(|node| self.read(&node, &mut problems).is_some())
    }

    /// Checks a value against this type and takes its text, without the space between tokens.
    pub fn read(self, node: &Node<'_>, problems: &mut Problems) -> Option<Json> {
        let text = node.text();
        let mut written = None;
        let problem = match self {
            Self::String if !text.starts_with('"') => Some("must be a string".to_owned()),
            Self::String => match serde_json::from_str::<String>(text) {
                Ok(string) if string.len() > MAX_STRING => Some("must be at most 64 KiB".to_owned()),
                Ok(string) if string.contains('\0') => Some("must not contain NUL".to_owned()),
                Ok(string) => {
                    // One text for one value, however its sender wrote it: what is exported and imported stays the same.
                    written = Json::of(&string).filter(|_| text.contains('\\'));
                    None
                }
                Err(_) => Some("must be a string".to_owned()),
            },
            Self::Number if node.number().is_none() => Some("must be a finite number".to_owned()),
            Self::Boolean if !matches!(text, "true" | "false") => Some("must be true or false".to_owned()),
            Self::Json if text == "null" => Some("must be JSON other than null".to_owned()),
            Self::Json if text.len() > MAX_JSON => Some("must be at most 256 KiB".to_owned()),
            Self::Json if serde_json::from_str::<serde_json::Value>(text).is_err() => {
                Some("must be JSON of valid text and numbers, nested at most 127 deep".to_owned())
            }
            _ => None,
        };
        match problem {
            Some(message) => {
                problems.add(&node.path, message);
                None
            }
            None => Some(written.unwrap_or_else(|| Json::compacted(text))),
        }
    }
}

/// Numbers of `integer` features stay within this, so that every client language holds them exactly
/// (featuresd.md §2.2).
pub const MAX_INTEGER: i64 = 9_007_199_254_740_991;

/// Reads the text of an integer: digits without leading zeros, perhaps with a minus before them; no point, no
/// exponent (featuresd.md §2.2). `-0` is 0.
pub fn read_integer(text: &str) -> Result<Json, &'static str> {
    let digits = text.strip_prefix('-').unwrap_or(text);
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    if !plain || (digits.len() > 1 && digits.starts_with('0')) {
        return Err("must be a whole number, without point or exponent");
    }
    match text.parse::<i64>() {
        Ok(0) => Ok(Json::compacted("0")),
        Ok(number) if number.unsigned_abs() <= MAX_INTEGER.unsigned_abs() => Ok(Json::compacted(text)),
        _ => Err("must be within ±9007199254740991"),
    }
}

impl fmt::Display for FeatureType {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A JSON value as text, compact, numbers as written. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash)]
pub struct Json(Arc<str>);

impl Json {
    /// Takes text that is known to be JSON (from [`Node`] or the database).
    pub fn compacted(text: &str) -> Self {
        Self(if is_compact(text) { text.into() } else { compact(text).into() })
    }

    /// Checks that the text is JSON.
    pub fn parse(text: &str) -> Option<Self> {
        // What most features hold.
        if matches!(text, "true" | "false") {
            return Some(Self(text.into()));
        }
        serde_json::from_str::<&RawValue>(text).ok().map(|raw| Self::compacted(raw.get()))
    }

    /// Takes what is serialised; `None` when it cannot be.
    pub fn of<T: Serialize>(value: &T) -> Option<Self> {
        serde_json::to_string(value).ok().map(|text| Self(text.into()))
    }

    /// The text, without space between its tokens.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// The string inside, when it is one.
    pub fn to_text(&self) -> Option<String> {
        serde_json::from_str(&self.0).ok()
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.0.starts_with('{')
    }
}

impl From<bool> for Json {
    fn from(value: bool) -> Self {
        Self(if value { "true" } else { "false" }.into())
    }
}

impl From<&serde_json::Value> for Json {
    fn from(value: &serde_json::Value) -> Self {
        Self(value.to_string().into())
    }
}

impl fmt::Debug for Json {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for Json {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Serialize for Json {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let raw: &RawValue = serde_json::from_str(&self.0).map_err(serde::ser::Error::custom)?;
        raw.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Json {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Box::<RawValue>::deserialize(deserializer).map(|raw| Self::compacted(raw.get()))
    }
}

impl utoipa::PartialSchema for Json {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::Schema::Object(
            utoipa::openapi::schema::ObjectBuilder::new()
                .schema_type(utoipa::openapi::schema::SchemaType::AnyValue)
                .description(Some("Any JSON value; of the feature's type where it is a feature's."))
                .examples([serde_json::Value::Bool(true)])
                .build(),
        )
        .into()
    }
}

impl utoipa::ToSchema for Json {
    fn name() -> std::borrow::Cow<'static, str> {
        "Value".into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_are_checked_against_the_type_and_kept_as_written() {
        use FeatureType::{Boolean, Json as AnyJson, Number, String as Text};
        let long = format!("\"{}\"", "x".repeat(MAX_STRING));
        let too_long = format!("\"{}\"", "x".repeat(MAX_STRING + 1));
        // Escapes count as what they stand for.
        let escaped = format!("\"{}\"", r"\u0041".repeat(MAX_STRING));
        let unescaped = format!("\"{}\"", "A".repeat(MAX_STRING));
        let large = format!("[\"{}\"]", "x".repeat(MAX_JSON - 4));
        let too_large = format!("[\"{}\"]", "x".repeat(MAX_JSON - 3));
        let deep = |levels: usize| format!("{}{}", "[".repeat(levels), "]".repeat(levels));
        let json = "must be JSON of valid text and numbers, nested at most 127 deep";
        for (kind, text, expected) in [
            (Text, r#""""#, Ok(r#""""#)),
            (Text, r#""a \" b""#, Ok(r#""a \" b""#)),
            (Text, "5", Err("must be a string")),
            (Text, "null", Err("must be a string")),
            (Text, r#""\ud800""#, Err("must be a string")),
            (Text, r#""a\u0000b""#, Err("must not contain NUL")),
            (Text, &long, Ok(&*long)),
            (Text, &escaped, Ok(&*unescaped)),
            (Text, r#""caf\u00e9 \/ \u0009\n""#, Ok(r#""café / \t\n""#)),
            (Text, &too_long, Err("must be at most 64 KiB")),
            (Number, "1.50", Ok("1.50")),
            (Number, "-0", Ok("-0")),
            (Number, "1e3", Ok("1e3")),
            (Number, "123456789012345678901234567890", Ok("123456789012345678901234567890")),
            (Number, "1e999", Err("must be a finite number")),
            (Number, "\"5\"", Err("must be a finite number")),
            (Boolean, "true", Ok("true")),
            (Boolean, "false", Ok("false")),
            (Boolean, "\"true\"", Err("must be true or false")),
            (Boolean, "1", Err("must be true or false")),
            (AnyJson, r#"{ "a" : [ 1.50 , "x y" ] }"#, Ok(r#"{"a":[1.50,"x y"]}"#)),
            (AnyJson, "5", Ok("5")),
            (AnyJson, "false", Ok("false")),
            (AnyJson, "null", Err("must be JSON other than null")),
            (AnyJson, "[null]", Ok("[null]")),
            (AnyJson, "[1e999]", Err(json)),
            (AnyJson, r#"["\ud800"]"#, Err(json)),
            (AnyJson, &large, Ok(&*large)),
            (AnyJson, &too_large, Err("must be at most 256 KiB")),
            (AnyJson, &deep(127), Ok(&*deep(127))),
            (AnyJson, &deep(128), Err(json)),
        ] {
            let mut problems = Problems::default();
            let read = kind.read(&Node::parse(text).expect("JSON"), &mut problems);
            let message = problems.invalid.first().map(|problem| problem.message.as_str());
            let shown: String = text.chars().take(40).collect();
            assert_eq!(
                read.as_ref().map(Json::as_str).ok_or(message.unwrap_or("")),
                expected,
                "{kind} {shown}"
            );
        }
    }

    #[test]
    fn names_of_types_read_back_and_disabled_features_fall_silent() {
        for kind in [FeatureType::String, FeatureType::Number, FeatureType::Boolean, FeatureType::Json] {
            assert_eq!(FeatureType::parse(kind.as_str()), Some(kind));
            assert_eq!(serde_json::to_value(kind).expect("JSON"), kind.as_str());
            assert_eq!(kind.disabled_value(), if kind == FeatureType::Boolean { "false" } else { "null" });
        }
        assert_eq!(FeatureType::parse("string"), None);
    }

    #[test]
    fn json_keeps_numbers_and_reads_the_text_inside() {
        let json = Json::parse(r#" { "n": 1.50 } "#).expect("JSON");
        assert_eq!(serde_json::to_string(&json).expect("JSON"), r#"{"n":1.50}"#);
        assert!(json.is_object());
        assert_eq!(Json::parse(r#""a\nb""#).expect("JSON").to_text().as_deref(), Some("a\nb"));
        assert_eq!(Json::from(true).to_text(), None);
        assert_eq!(Json::parse("{"), None);
        let back: Json = serde_json::from_str("[ 1.0 ]").expect("JSON");
        assert_eq!(back.as_str(), "[1.0]");
    }
}

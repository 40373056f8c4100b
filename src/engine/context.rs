//! The evaluation context: what is known about who asks. Parsed once, borrowed from the request.

use std::borrow::Cow;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasher, BuildHasherDefault, DefaultHasher};

use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};

use super::number::Number;

/// Above this many members a context is looked up through a hash map, below by a scan.
const SCAN_LIMIT: usize = 24;

/// One attribute's value: any JSON.
#[derive(Clone, Debug)]
pub enum Attribute<'a> {
    Null,
    Bool(bool),
    Number(Number),
    Text(Cow<'a, str>),
    List(Vec<Attribute<'a>>),
    Object(Members<'a>),
}

/// The members of a JSON object in the order sent; of a repeated name the last counts.
#[derive(Clone, Debug, Default)]
pub struct Members<'a>(Vec<(Name<'a>, Attribute<'a>)>);

#[derive(Clone, Debug)]
struct Name<'a> {
    tag: u32,
    text: Cow<'a, str>,
}

/// A cheap fingerprint of a name, so that a scan seldom compares text.
fn tag(name: &str) -> u32 {
    let bytes = name.as_bytes();
    match bytes {
        [] => 0,
        [first, .., last] => {
            u32::from(*first)
                | u32::from(*last) << 8
                | u32::from(bytes[bytes.len() / 2]) << 16
                | (bytes.len() as u32) << 24
        }
        [only] => u32::from(*only) | 1 << 24,
    }
}

impl<'a> Members<'a> {
    /// The member of exactly that name, also when it is `null`.
    pub fn get(&self, name: &str) -> Option<&Attribute<'a>> {
        self.tagged(tag(name), name)
    }

    fn tagged(&self, tag: u32, name: &str) -> Option<&Attribute<'a>> {
        self.0.iter().rev().find(|(have, _)| have.tag == tag && have.text == name).map(|(_, value)| value)
    }

    /// Adds a member, which counts before an earlier one of its name.
    pub fn insert(&mut self, name: impl Into<Cow<'a, str>>, value: Attribute<'a>) {
        let text = name.into();
        self.0.push((Name { tag: tag(&text), text }, value));
    }

    /// In the order sent, repeated names included.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &Attribute<'a>)> {
        self.0.iter().map(|(name, value)| (name.text.as_ref(), value))
    }

    /// How many were sent, repeated names included.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether none was sent.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// A dotted path: at each object the whole rest as one member wins, else the part before the
    /// first dot is walked into (feature-config §2).
    fn walk(&self, path: &str) -> Option<&Attribute<'a>> {
        if let Some(found) = self.get(path) {
            return Some(found);
        }
        let (head, rest) = path.split_once('.')?;
        match self.get(head)? {
            Attribute::Object(members) => members.walk(rest),
            _ => None,
        }
    }
}

/// The name of an attribute as a rule writes it, prepared for look-up.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Path {
    name: Box<str>,
    tag: u32,
    hash: u64,
    /// Where the first dot is, and the tag of what stands before it.
    dot: Option<(usize, u32)>,
}

impl Path {
    /// Prepares a name, dots and all.
    pub fn new(name: &str) -> Self {
        let dot = name.find('.').map(|dot| (dot, tag(&name[..dot])));
        let hash = BuildHasherDefault::<DefaultHasher>::default().hash_one(name);
        Self { name: name.into(), tag: tag(name), hash, dot }
    }

    /// A hash of the name.
    pub fn hash(&self) -> u64 {
        self.hash
    }

    /// The name as the rule writes it.
    pub fn as_str(&self) -> &str {
        &self.name
    }
}

/// How a request names the stored Context that it is for.
#[derive(Clone, Debug, Default)]
pub enum Own<'a> {
    /// `contextKey`, else the targeting key; `contextPrototypes` adds more (featuresd.md §5.3).
    #[default]
    Attributes,
    /// The user and nothing else, in protocols that keep user, session and attributes apart.
    User(Option<Cow<'a, str>>),
}

/// Who asks, as a door understood it.
#[derive(Clone, Debug, Default)]
pub struct Context<'a> {
    members: Members<'a>,
    index: HashMap<Cow<'a, str>, usize>,
    /// What rollouts stick to where a rule names nothing else. `None`: no key was given.
    targeting_key: Option<Cow<'a, str>>,
    own: Own<'a>,
    /// `userId` is the targeting key, and no attribute that was sent.
    added_user_id: bool,
    /// The door's wire has only text, so `true` and `false` also compare as booleans.
    pub text_only: bool,
}

impl<'a> Context<'a> {
    /// A context of these attributes whose targeting key is `userId`.
    pub fn new(members: Members<'a>) -> Self {
        let key = match members.get("userId") {
            Some(Attribute::Text(Cow::Borrowed(key))) => Some(Cow::Borrowed(*key)),
            Some(other) => other.as_key().map(|key| Cow::Owned(key.into_owned())),
            None => None,
        };
        Self::with_targeting_key(members, key)
    }

    /// A context whose targeting key a protocol carries apart from the attributes. The key also
    /// becomes `userId` where the attributes have none; an empty key is none.
    pub fn with_targeting_key(mut members: Members<'a>, key: Option<Cow<'a, str>>) -> Self {
        let key = key.filter(|key| !key.is_empty());
        let lacks_user_id = members.get("userId").is_none_or(|value| matches!(value, Attribute::Null));
        if let Some(key) = &key
            && lacks_user_id
        {
            members.insert("userId", Attribute::Text(key.clone()));
        }
        let added_user_id = key.is_some() && lacks_user_id;
        Self::build(members, key, Own::Attributes, added_user_id)
    }

    /// A context of a protocol that keeps user, session and attributes apart: the user alone names a stored
    /// Context, and the targeting key becomes no attribute. Empty keys are none.
    pub fn of_user(members: Members<'a>, key: Option<Cow<'a, str>>, user: Option<Cow<'a, str>>) -> Self {
        let given = |key: Option<Cow<'a, str>>| key.filter(|key| !key.is_empty());
        Self::build(members, given(key), Own::User(given(user)), false)
    }

    fn build(
        members: Members<'a>,
        targeting_key: Option<Cow<'a, str>>,
        own: Own<'a>,
        added_user_id: bool,
    ) -> Self {
        let index = if members.len() > SCAN_LIMIT {
            members.0.iter().enumerate().map(|(at, (name, _))| (name.text.clone(), at)).collect()
        } else {
            HashMap::new()
        };
        Self { members, index, targeting_key, own, added_user_id, text_only: false }
    }

    /// Asks for somebody else with the same attributes, in place of the key that [`Self::with_targeting_key`]
    /// was given.
    pub fn set_targeting_key(&mut self, key: Cow<'a, str>) {
        if self.added_user_id
            && let Some((_, value)) = self.members.0.last_mut()
        {
            *value = Attribute::Text(key.clone());
        }
        self.targeting_key = Some(key);
    }

    /// The attribute, unless it is only the targeting key under its name: Flagr's constraints see what was sent.
    pub fn sent(&self, path: &Path) -> Option<&Attribute<'a>> {
        self.attribute(path).filter(|_| !(self.added_user_id && path.as_str() == "userId"))
    }

    /// Parses a JSON object, nested at most 127 deep.
    pub fn from_json(json: &'a str) -> Result<Self, serde_json::Error> {
        let members: Members<'a> = serde_json::from_str(json)?;
        Ok(Self::new(members))
    }

    /// What rollouts stick to where a rule names nothing else.
    pub fn targeting_key(&self) -> Option<&str> {
        self.targeting_key.as_deref()
    }

    /// How the request names its stored Context.
    pub fn own(&self) -> &Own<'a> {
        &self.own
    }

    /// Every attribute, with the `userId` that a targeting key became.
    pub fn members(&self) -> &Members<'a> {
        &self.members
    }

    /// The attribute a rule names: a member of exactly that name, else the objects on the way are walked.
    /// JSON `null` counts as missing.
    #[inline]
    pub fn attribute(&self, path: &Path) -> Option<&Attribute<'a>> {
        let found = match (self.member(path.tag, &path.name), path.dot) {
            (None, Some((dot, tag))) => match self.member(tag, &path.name[..dot])? {
                Attribute::Object(members) => members.walk(&path.name[dot + 1..]),
                _ => None,
            },
            (exact, _) => exact,
        };
        found.filter(|value| !matches!(value, Attribute::Null))
    }

    #[inline]
    fn member(&self, tag: u32, name: &str) -> Option<&Attribute<'a>> {
        if self.index.is_empty() {
            self.members.tagged(tag, name)
        } else {
            self.index.get(name).map(|&at| &self.members.0[at].1)
        }
    }

    /// A top-level attribute by its exact name; `null` counts as missing.
    pub fn get(&self, name: &str) -> Option<&Attribute<'a>> {
        self.member(tag(name), name).filter(|value| !matches!(value, Attribute::Null))
    }
}

impl Attribute<'_> {
    /// The text a rollout sticks to: text as it is, numbers shortest, booleans as words; missing,
    /// empty, lists and objects are no key (feature-config §2).
    pub fn as_key(&self) -> Option<Cow<'_, str>> {
        match self {
            Self::Text(text) if !text.is_empty() => Some(Cow::Borrowed(text)),
            Self::Number(number) => Some(number.text()),
            Self::Bool(true) => Some(Cow::Borrowed("true")),
            Self::Bool(false) => Some(Cow::Borrowed("false")),
            _ => None,
        }
    }

    /// The value as JSON, for explanations.
    pub fn to_json(&self) -> serde_json::Value {
        use serde_json::Value;
        match self {
            Self::Null => Value::Null,
            Self::Bool(value) => Value::Bool(*value),
            Self::Number(Number::Int(i)) => (*i).into(),
            Self::Number(Number::Uint(u)) => (*u).into(),
            Self::Number(Number::Float(f)) => (*f).into(),
            Self::Text(text) => Value::String(text.to_string()),
            Self::List(items) => items.iter().map(Attribute::to_json).collect(),
            Self::Object(members) => {
                members.iter().map(|(name, value)| (name.to_owned(), value.to_json())).collect()
            }
        }
    }
}

struct AttributeVisitor;

impl<'de> Visitor<'de> for AttributeVisitor {
    type Value = Attribute<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Self::Value, E> {
        Ok(Attribute::Null)
    }

    fn visit_bool<E>(self, value: bool) -> Result<Self::Value, E> {
        Ok(Attribute::Bool(value))
    }

    fn visit_i64<E>(self, value: i64) -> Result<Self::Value, E> {
        Ok(Attribute::Number(Number::Int(value)))
    }

    fn visit_u64<E>(self, value: u64) -> Result<Self::Value, E> {
        Ok(Attribute::Number(match i64::try_from(value) {
            Ok(int) => Number::Int(int),
            Err(_) => Number::Uint(value),
        }))
    }

    fn visit_f64<E: serde::de::Error>(self, value: f64) -> Result<Self::Value, E> {
        if value.is_finite() {
            Ok(Attribute::Number(Number::Float(value)))
        } else {
            Err(E::custom("a number is out of range"))
        }
    }

    fn visit_borrowed_str<E>(self, value: &'de str) -> Result<Self::Value, E> {
        Ok(Attribute::Text(Cow::Borrowed(value)))
    }

    fn visit_str<E>(self, value: &str) -> Result<Self::Value, E> {
        Ok(Attribute::Text(Cow::Owned(value.to_owned())))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
        let mut items = Vec::new();
        while let Some(item) = seq.next_element()? {
            items.push(item);
        }
        Ok(Attribute::List(items))
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
        MembersVisitor.visit_map(map).map(Attribute::Object)
    }
}

impl<'de: 'a, 'a> Deserialize<'de> for Attribute<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AttributeVisitor)
    }
}

struct MembersVisitor;

impl<'de> Visitor<'de> for MembersVisitor {
    type Value = Members<'de>;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut members = Members(Vec::with_capacity(8));
        while let Some(name) = map.next_key::<BorrowedText>()? {
            members.insert(name.0, map.next_value()?);
            if members.len() > MAX_MEMBERS {
                return Err(A::Error::custom(format!("an object has more than {MAX_MEMBERS} members")));
            }
        }
        Ok(members)
    }
}

/// More members than this in one object of a context are refused.
const MAX_MEMBERS: usize = 10_000;

impl<'de: 'a, 'a> Deserialize<'de> for Members<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(MembersVisitor)
    }
}

/// Text that borrows from the input unless it had escapes.
pub struct BorrowedText<'a>(pub Cow<'a, str>);

impl<'de: 'a, 'a> Deserialize<'de> for BorrowedText<'a> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct TextVisitor;
        impl<'de> Visitor<'de> for TextVisitor {
            type Value = BorrowedText<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a string")
            }
            fn visit_borrowed_str<E>(self, text: &'de str) -> Result<Self::Value, E> {
                Ok(BorrowedText(Cow::Borrowed(text)))
            }
            fn visit_str<E>(self, text: &str) -> Result<Self::Value, E> {
                Ok(BorrowedText(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(TextVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(context: &Context, path: &str) -> Option<String> {
        context.attribute(&Path::new(path)).map(|value| value.to_json().to_string())
    }

    #[test]
    fn a_dotted_name_is_a_member_first_and_a_path_second() {
        let context = Context::from_json(
            r#"{"user.plan": "flat", "user": {"plan": "deep", "team": {"size": 3}, "a.b": 1}, "gone": null}"#,
        )
        .expect("JSON");
        assert_eq!(text(&context, "user.plan").as_deref(), Some("\"flat\""));
        assert_eq!(text(&context, "user.team.size").as_deref(), Some("3"));
        assert_eq!(text(&context, "user.a.b").as_deref(), Some("1"));
        assert_eq!(text(&context, "user.team.nobody"), None);
        assert_eq!(text(&context, "gone"), None);
        assert_eq!(text(&context, "user.plan.x"), None);
    }

    #[test]
    fn the_last_of_repeated_members_counts_in_small_and_large_contexts() {
        let context = Context::from_json(r#"{"a": 1, "a": 2}"#).expect("JSON");
        assert_eq!(text(&context, "a").as_deref(), Some("2"));
        let many: String = (0..100).map(|n| format!("\"k{n}\": {n}, ")).collect();
        let json = format!("{{{many} \"k7\": \"again\", \"x\": {{\"y\": 5}}}}");
        let context = Context::from_json(&json).expect("JSON");
        assert_eq!(text(&context, "k7").as_deref(), Some("\"again\""));
        assert_eq!(text(&context, "k99").as_deref(), Some("99"));
        assert_eq!(text(&context, "x.y").as_deref(), Some("5"));
    }

    #[test]
    fn the_targeting_key_is_the_user_id_unless_a_protocol_names_another() {
        let key = |json: &str| Context::from_json(json).expect("JSON").targeting_key().map(str::to_owned);
        assert_eq!(key(r#"{"userId": "u"}"#).as_deref(), Some("u"));
        assert_eq!(key(r#"{"userId": 17.0}"#).as_deref(), Some("17"));
        assert_eq!(key(r#"{"userId": true}"#).as_deref(), Some("true"));
        for none in [r#"{}"#, r#"{"userId": ""}"#, r#"{"userId": null}"#, r#"{"userId": ["u"]}"#] {
            assert_eq!(key(none), None, "{none}");
        }
        let other = Context::with_targeting_key(Members::default(), Some("t".into()));
        assert_eq!(text(&other, "userId").as_deref(), Some("\"t\""));
    }

    #[test]
    fn objects_are_walked_by_the_longest_member_name_first() {
        let context = Context::from_json(
            r#"{"a": {"b": {"c": 1}, "b.c": 2}, "x": {"y": null, "z": []}, "": {"": 3}, "s": "text", "a.b.d": null}"#,
        )
        .expect("JSON");
        for (path, expected) in [
            ("a.b.c", Some("2")),
            ("a.b", Some(r#"{"c":1}"#)),
            ("a.b.d", None),
            ("x.y", None),
            ("x.z", Some("[]")),
            ("x.z.0", None),
            ("s.length", None),
            (".", Some("3")),
            ("", Some(r#"{"":3}"#)),
            ("..", None),
            ("a.", None),
        ] {
            assert_eq!(text(&context, path).as_deref(), expected, "{path:?}");
        }
    }

    #[test]
    fn large_and_small_contexts_answer_alike() {
        let members = [
            ("user", r#"{"plan": "deep", "team": {"size": 3}}"#),
            ("user.plan", r#""flat""#),
            ("k", "1"),
            ("k", "2"),
            ("gone", "null"),
        ];
        let members: Vec<_> = members.iter().map(|(name, value)| format!("{name:?}: {value}")).collect();
        let small = format!("{{{}}}", members.join(", "));
        let filler: String = (0..60).map(|n| format!("\"filler{n}\": {n}, ")).collect();
        let large = format!("{{{filler}{}}}", members.join(", "));
        let (small, large) =
            (Context::from_json(&small).expect("JSON"), Context::from_json(&large).expect("JSON"));
        for path in ["user.plan", "user.team.size", "user.nobody", "k", "gone", "nobody", "nobody.x"] {
            assert_eq!(text(&small, path), text(&large, path), "{path}");
            let by_name = |context: &Context| context.get(path).map(|value| value.to_json().to_string());
            assert_eq!(by_name(&small), by_name(&large), "{path}");
        }
        assert_eq!(text(&large, "k").as_deref(), Some("2"));
        assert_eq!(text(&large, "user.team.size").as_deref(), Some("3"));
    }

    #[test]
    fn only_objects_of_finite_numbers_and_bounded_depth_are_contexts() {
        let nested = |depth: usize| format!("{}1{}", r#"{"a":"#.repeat(depth), "}".repeat(depth));
        let wide = |count: usize| {
            let members: Vec<_> = (0..count).map(|n| format!("\"m{n}\": {n}")).collect();
            format!("{{{}}}", members.join(","))
        };
        for good in [r#"{}"#, r#" {"a": [[1, "x", null], {"b": 1.5e3}]} "#, &nested(127), &wide(10_000)] {
            assert!(Context::from_json(good).is_ok(), "{}", &good[..good.len().min(60)]);
        }
        for bad in [
            "",
            "[]",
            "5",
            "null",
            r#"{"a": 1e999}"#,
            r#"{"a": NaN}"#,
            "{'a': 1}",
            r#"{"a": 1} x"#,
            r#"{"a": "\ud800"}"#,
            &nested(128),
            &nested(100_000),
            &wide(10_001),
        ] {
            assert!(Context::from_json(bad).is_err(), "{}", &bad[..bad.len().min(60)]);
        }
    }

    #[test]
    fn what_can_be_a_key_is_text_a_number_or_a_word() {
        for (value, key) in [
            (r#""u""#, Some("u")),
            (r#"" ""#, Some(" ")),
            (r#""a\u00e9""#, Some("aé")),
            ("17", Some("17")),
            ("17.0", Some("17")),
            ("1.5", Some("1.5")),
            ("-0.0", Some("0")),
            ("18446744073709551615", Some("18446744073709551615")),
            ("true", Some("true")),
            ("false", Some("false")),
            (r#""""#, None),
            ("null", None),
            ("[]", None),
            (r#"["u"]"#, None),
            (r#"{"id": "u"}"#, None),
        ] {
            let json = format!(r#"{{"userId": {value}}}"#);
            let context = Context::from_json(&json).expect("JSON");
            assert_eq!(context.targeting_key(), key, "{value}");
        }
    }

    #[test]
    fn a_key_apart_from_the_attributes_becomes_user_id_where_there_is_none() {
        let with_key = |json: &'static str, key: &'static str| {
            let members: Members<'_> = serde_json::from_str(json).expect("JSON");
            let context = Context::with_targeting_key(members, Some(key.into()));
            (context.targeting_key().map(str::to_owned), text(&context, "userId"))
        };
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(with_key("{}", "t"), (some("t"), some("\"t\"")));
        assert_eq!(with_key(r#"{"userId": null}"#, "t"), (some("t"), some("\"t\"")));
        assert_eq!(with_key(r#"{"userId": "u"}"#, "t"), (some("t"), some("\"u\"")));
        assert_eq!(with_key(r#"{"userId": 5}"#, "t"), (some("t"), some("5")));
        assert_eq!(with_key(r#"{"userId": "u"}"#, ""), (None, some("\"u\"")));
        let members: Members<'_> = serde_json::from_str(r#"{"userId": "u"}"#).expect("JSON");
        assert_eq!(Context::with_targeting_key(members, None).targeting_key(), None);
    }
}

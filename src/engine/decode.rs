//! Reading JSON that people and programs wrote: strict about members, and telling **every** problem
//! with the path of its field, not only the first (native-api: "A validation failure lists every
//! problem"). Values keep their text, so `1.50` stays `1.50`.

use std::borrow::Cow;
use std::collections::HashSet;
use std::fmt;

use serde::Serialize;
use serde::de::{Deserialize, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

use super::context::BorrowedText;
use super::number::Number;

/// What is wrong with one field: its path (`rules[0].rollout.percentage`) and what was expected.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, utoipa::ToSchema)]
#[schema(example = json!({"field": "rules[0].rollout.percentage", "message": "must be between 0 and 100"}))]
pub struct FieldError {
    pub field: String,
    pub message: String,
}

/// All problems of one request. Members that do not exist are kept apart: they are a 400, the rest a 422.
#[derive(Debug, Default)]
pub struct Problems {
    pub unknown: Vec<FieldError>,
    pub invalid: Vec<FieldError>,
    seen: HashSet<String>,
}

impl Problems {
    /// Records a problem; a field keeps the first one found.
    pub fn add(&mut self, field: impl Into<String>, message: impl Into<String>) {
        let field = field.into();
        if self.seen.insert(field.clone()) {
            self.invalid.push(FieldError { field, message: message.into() });
        }
    }

    /// Whether there is none of either kind.
    pub fn is_empty(&self) -> bool {
        self.count() == 0
    }

    /// How many there are, of both kinds.
    pub fn count(&self) -> usize {
        self.unknown.len() + self.invalid.len()
    }
}

/// One JSON value and where it stands.
#[derive(Clone, Debug)]
pub struct Node<'a> {
    pub path: String,
    /// Whether paths are kept at all.
    located: bool,
    text: &'a str,
}

impl<'a> Node<'a> {
    /// Reads a whole body. The error says at which line and column it stops being JSON.
    pub fn parse(text: &'a str) -> Result<Self, serde_json::Error> {
        let raw: &RawValue = serde_json::from_str(text)?;
        Ok(Self { path: String::new(), located: true, text: raw.get() })
    }

    /// The same for an object or a list that was checked before, where problems are not expected: all of them stand
    /// under an empty path. Text that is not JSON is found out when the node is read.
    pub fn unlocated(text: &'a str) -> Result<Self, serde_json::Error> {
        Ok(Self { path: String::new(), located: false, text })
    }

    /// The same, standing under a name.
    pub fn named(self, name: &str) -> Self {
        Self { path: below(self.located, "", name), ..self }
    }

    /// The JSON text as written.
    pub fn text(&self) -> &'a str {
        self.text
    }

    /// Whether it is `null`.
    pub fn is_null(&self) -> bool {
        self.text() == "null"
    }

    /// Whether it is an object.
    pub fn is_object(&self) -> bool {
        self.text().starts_with('{')
    }

    /// Whether it is a list.
    pub fn is_list(&self) -> bool {
        self.text().starts_with('[')
    }

    fn read<T: Deserialize<'a>>(&self, problems: &mut Problems, expected: &str) -> Option<T> {
        let read = serde_json::from_str(self.text()).ok();
        if read.is_none() {
            problems.add(&self.path, expected);
        }
        read
    }

    /// A text; `None` and a problem when it is something else.
    pub fn string(&self, problems: &mut Problems) -> Option<String> {
        self.borrowed(problems).map(Cow::into_owned)
    }

    /// The same, from the text itself where it can be.
    pub fn borrowed(&self, problems: &mut Problems) -> Option<Cow<'a, str>> {
        // Most have nothing in them that stands for something else.
        let plain = self.text.strip_prefix('"').and_then(|rest| rest.strip_suffix('"'));
        match plain.filter(|plain| !plain.contains(['\\', '"'])) {
            Some(plain) => Some(Cow::Borrowed(plain)),
            None => self.read(problems, "must be a string").map(Cow::Owned),
        }
    }

    /// `true` or `false`; `None` and a problem when it is something else.
    pub fn boolean(&self, problems: &mut Problems) -> Option<bool> {
        self.read(problems, "must be true or false")
    }

    /// A whole number within bounds, both included.
    pub fn integer(&self, min: u64, max: u64, problems: &mut Problems) -> Option<u64> {
        let number = serde_json::from_str::<u64>(self.text()).ok().filter(|n| (min..=max).contains(n));
        if number.is_none() {
            problems.add(&self.path, format!("must be a whole number from {min} to {max}"));
        }
        number
    }

    /// A finite number; `None`, and no problem, when it is something else.
    pub fn number(&self) -> Option<Number> {
        Number::parse(self.text())
    }

    /// The members of an object; `None` and a problem when it is something else. A member given twice is a
    /// problem too, and the first one is read.
    pub fn object(&self, problems: &mut Problems) -> Option<Object<'a>> {
        let Entries(mut members) = self.read(problems, "must be an object")?;
        // Looking through a few is quicker than hashing them.
        let mut seen = HashSet::new();
        let mut given_before = |at: usize| match members.len() {
            ..=16 => members[..at].iter().any(|before| before.name == members[at].name),
            _ => !seen.insert(members[at].name.clone()),
        };
        let twice: Vec<usize> = (0..members.len()).filter(|at| given_before(*at)).collect();
        if !twice.is_empty() {
            let (mut twice, mut at) = (twice.into_iter().peekable(), 0..);
            members.retain(|member| {
                let is_new = at.next().is_none_or(|at| twice.next_if_eq(&at).is_none());
                if !is_new {
                    problems.add(child(&self.path, &member.name), "is given twice");
                }
                is_new
            });
        }
        Some(Object { path: self.path.clone(), located: self.located, members })
    }

    /// The elements of a list of at most `max`; `None` and a problem otherwise.
    pub fn list(&self, max: usize, problems: &mut Problems) -> Option<Vec<Node<'a>>> {
        let Items(items) = self.read(problems, "must be a list")?;
        if items.len() > max {
            problems.add(&self.path, format!("must have at most {max} entries"));
            return None;
        }
        Some(
            items
                .into_iter()
                .enumerate()
                .map(|(at, raw)| {
                    let path = if self.located { format!("{}[{at}]", self.path) } else { String::new() };
                    Node { path, located: self.located, text: raw.get() }
                })
                .collect(),
        )
    }

    /// A list of strings.
    pub fn strings(&self, max: usize, problems: &mut Problems) -> Option<Vec<String>> {
        let items = self.list(max, problems)?;
        items.iter().map(|item| item.string(problems)).collect::<Vec<_>>().into_iter().collect()
    }
}

/// The members of an object, taken one by one; what nobody took is unknown.
#[derive(Debug)]
pub struct Object<'a> {
    pub path: String,
    located: bool,
    members: Vec<Member<'a>>,
}

#[derive(Debug)]
struct Member<'a> {
    name: Cow<'a, str>,
    text: &'a str,
    taken: bool,
}

impl<'a> Object<'a> {
    /// A member, also when it is `null`.
    pub fn take(&mut self, name: &str) -> Option<Node<'a>> {
        let member = self.members.iter_mut().find(|member| member.name == name)?;
        member.taken = true;
        Some(Node { path: below(self.located, &self.path, name), located: self.located, text: member.text })
    }

    /// A member that is there and not `null`.
    pub fn take_value(&mut self, name: &str) -> Option<Node<'a>> {
        self.take(name).filter(|node| !node.is_null())
    }

    /// Yes or no; `base` where it is left out.
    pub fn boolean_or(&mut self, name: &str, base: bool, problems: &mut Problems) -> Option<bool> {
        match self.take_value(name) {
            Some(node) => node.boolean(problems),
            None => Some(base),
        }
    }

    /// A member that must be there; a problem when it is not.
    pub fn require(&mut self, name: &str, problems: &mut Problems) -> Option<Node<'a>> {
        let node = self.take_value(name);
        if node.is_none() {
            problems.add(child(&self.path, name), "is required");
        }
        node
    }

    /// Members that are the server's to set: accepted, so that what was read can be sent back, and ignored.
    pub fn ignore(&mut self, names: &[&str]) {
        for name in names {
            self.take(name);
        }
    }

    /// Whether there is a member of that name, taken or not, `null` or not.
    pub fn has(&self, name: &str) -> bool {
        self.members.iter().any(|member| member.name == name)
    }

    /// All members that are left, for maps whose names are data.
    pub fn rest(self) -> Vec<(String, Node<'a>)> {
        let Self { path, located, members } = self;
        let left = members.into_iter().filter(|member| !member.taken);
        left.map(|member| {
            let path = below(located, &path, &member.name);
            (member.name.into_owned(), Node { path, located, text: member.text })
        })
        .collect()
    }

    /// Reports every member that nobody took.
    pub fn finish(self, problems: &mut Problems) {
        for member in self.members.iter().filter(|member| !member.taken) {
            problems.unknown.push(FieldError {
                field: child(&self.path, &member.name),
                message: "is not a known member".into(),
            });
        }
    }
}

fn below(located: bool, path: &str, name: &str) -> String {
    if located { child(path, name) } else { String::new() }
}

/// The path of a member.
pub fn child(path: &str, name: &str) -> String {
    if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") }
}

/// Whether there is nothing for [`compact`] to do, as in what was compacted before; "no" may be wrong.
pub fn is_compact(json: &str) -> bool {
    !json.bytes().any(|byte| matches!(byte, b' ' | b'\n' | b'\r' | b'\t'))
}

/// JSON text without the space between its tokens. The text must be JSON.
pub fn compact(json: &str) -> String {
    let mut out = String::with_capacity(json.len());
    let (mut in_string, mut escaped) = (false, false);
    for c in json.chars() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
        } else if !matches!(c, ' ' | '\n' | '\r' | '\t') {
            out.push(c);
            in_string = c == '"';
        }
    }
    out
}

/// JSON with line breaks; numbers keep their text.
pub fn pretty(json: &str) -> String {
    let mut out = String::with_capacity(json.len() * 2);
    let (mut depth, mut in_string, mut escaped) = (0_usize, false, false);
    let mut chars = json.chars().peekable();
    let line = |out: &mut String, depth: usize| {
        out.push('\n');
        out.extend(std::iter::repeat_n("  ", depth));
    };
    while let Some(c) = chars.next() {
        if in_string {
            out.push(c);
            in_string = escaped || c != '"';
            escaped = !escaped && c == '\\';
            continue;
        }
        match c {
            '"' => {
                in_string = true;
                out.push(c);
            }
            '{' | '[' => {
                out.push(c);
                if chars.peek().is_some_and(|next| matches!(next, '}' | ']')) {
                    continue;
                }
                depth += 1;
                line(&mut out, depth);
            }
            '}' | ']' => {
                if !out.ends_with(['{', '[']) {
                    depth = depth.saturating_sub(1);
                    line(&mut out, depth);
                }
                out.push(c);
            }
            ',' => {
                out.push(c);
                line(&mut out, depth);
            }
            ':' => out.push_str(": "),
            c if c.is_whitespace() => {}
            c => out.push(c),
        }
    }
    out.push('\n');
    out
}

struct Entries<'a>(Vec<Member<'a>>);

impl<'de> Deserialize<'de> for Entries<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct EntriesVisitor;
        impl<'de> Visitor<'de> for EntriesVisitor {
            type Value = Entries<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
                let mut members = Vec::new();
                while let Some((BorrowedText(name), raw)) = map.next_entry::<_, &RawValue>()? {
                    members.push(Member { name, text: raw.get(), taken: false });
                }
                Ok(Entries(members))
            }
        }
        deserializer.deserialize_map(EntriesVisitor)
    }
}

struct Items<'a>(Vec<&'a RawValue>);

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemsVisitor;
        impl<'de> Visitor<'de> for ItemsVisitor {
            type Value = Items<'de>;
            fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
                f.write_str("a list")
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Self::Value, A::Error> {
                let mut items = Vec::new();
                while let Some(item) = seq.next_element()? {
                    items.push(item);
                }
                Ok(Items(items))
            }
        }
        deserializer.deserialize_seq(ItemsVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_problem_is_found_with_its_path() {
        let body =
            r#"{"name": 1, "tags": ["a", 2, 3], "extra": {}, "deep": {"size": -1, "odd": 0}, "name": "x"}"#;
        let mut problems = Problems::default();
        let mut object = Node::parse(body).expect("JSON").object(&mut problems).expect("an object");
        object.require("name", &mut problems).expect("there").string(&mut problems);
        object.require("tags", &mut problems).expect("there").strings(10, &mut problems);
        object.require("missing", &mut problems);
        let mut deep = object.take("deep").expect("there").object(&mut problems).expect("an object");
        deep.take("size").expect("there").integer(0, 9, &mut problems);
        deep.finish(&mut problems);
        object.finish(&mut problems);
        let fields: Vec<_> = problems.invalid.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(fields, ["name", "tags[1]", "tags[2]", "missing", "deep.size"]);
        let unknown: Vec<_> = problems.unknown.iter().map(|p| p.field.as_str()).collect();
        assert_eq!(unknown, ["deep.odd", "extra"]);
    }

    #[test]
    fn compacting_touches_nothing_inside_strings() {
        let json = "{ \"a b\" : [ 1.50 , \"x \\\" y \\\\\" , { } ] }";
        assert_eq!(compact(json), r#"{"a b":[1.50,"x \" y \\",{}]}"#);
    }

    #[test]
    fn each_kind_of_member_says_what_it_expects() {
        type Read = fn(&Node<'_>, &mut Problems) -> bool;
        let string: Read = |node, problems| node.string(problems).is_some();
        let boolean: Read = |node, problems| node.boolean(problems).is_some();
        let integer: Read = |node, problems| node.integer(1, 100, problems).is_some();
        let object: Read = |node, problems| node.object(problems).is_some();
        let list: Read = |node, problems| node.list(2, problems).is_some();
        let strings: Read = |node, problems| node.strings(2, problems).is_some();
        for (text, read, problem) in [
            (r#""x""#, string, None),
            ("5", string, Some("must be a string")),
            ("null", string, Some("must be a string")),
            (r#""\ud800""#, string, Some("must be a string")),
            ("true", boolean, None),
            ("\"true\"", boolean, Some("must be true or false")),
            ("1", integer, None),
            ("100", integer, None),
            ("0", integer, Some("must be a whole number from 1 to 100")),
            ("101", integer, Some("must be a whole number from 1 to 100")),
            ("5.5", integer, Some("must be a whole number from 1 to 100")),
            ("\"5\"", integer, Some("must be a whole number from 1 to 100")),
            ("{}", object, None),
            ("[]", object, Some("must be an object")),
            ("[1, 2]", list, None),
            ("[1, 2, 3]", list, Some("must have at most 2 entries")),
            ("{}", list, Some("must be a list")),
            (r#"["a", "b"]"#, strings, None),
            (r#"[1, "b"]"#, strings, Some("must be a string")),
        ] {
            let mut problems = Problems::default();
            let fine = read(&Node::parse(text).expect(text), &mut problems);
            assert_eq!(fine, problem.is_none(), "{text}");
            assert_eq!(problems.invalid.first().map(|p| p.message.as_str()), problem, "{text}");
        }
    }

    #[test]
    fn nested_paths_name_members_and_places() {
        let body = r#"{"rules": [{}, {"when": {"any": [{"attribute": 1}]}}], "a.b": {"c": 2}}"#;
        let mut problems = Problems::default();
        let mut object = Node::parse(body).expect("JSON").object(&mut problems).expect("an object");
        let rules = object.take("rules").expect("there").list(9, &mut problems).expect("a list");
        let when = rules[1].object(&mut problems).expect("an object").take("when").expect("there");
        let any = when.object(&mut problems).expect("an object").take("any").expect("there");
        let leaf = &any.list(9, &mut problems).expect("a list")[0];
        let attribute = leaf.object(&mut problems).expect("an object").take("attribute").expect("there");
        assert_eq!(attribute.path, "rules[1].when.any[0].attribute");
        let rest: Vec<_> = object.rest().into_iter().map(|(name, node)| (name, node.path)).collect();
        assert_eq!(rest, [("a.b".to_owned(), "a.b".to_owned())]);
    }

    #[test]
    fn a_field_keeps_its_first_problem_and_both_lists_count() {
        let mut problems = Problems::default();
        assert!(problems.is_empty());
        problems.add("a", "first");
        problems.add("a", "second");
        problems.add("b", "other");
        problems.unknown.push(FieldError { field: "c".into(), message: "is not a known member".into() });
        assert_eq!(problems.count(), 3);
        assert!(!problems.is_empty());
        assert_eq!(problems.invalid[0].message, "first");
    }

    #[test]
    fn what_was_read_can_be_sent_back_and_null_is_absent_where_it_may_be() {
        let mut problems = Problems::default();
        let body = r#" { "id": 7, "version": 3, "gone": null, "name": null } "#;
        let mut object = Node::parse(body).expect("JSON").object(&mut problems).expect("an object");
        assert!(object.has("gone") && !object.has("other"));
        assert!(object.take("gone").is_some_and(|node| node.is_null()));
        assert!(object.take_value("gone").is_none());
        assert!(object.require("name", &mut problems).is_none());
        object.ignore(&["id", "version", "createdAt"]);
        object.finish(&mut problems);
        assert!(problems.unknown.is_empty());
        assert_eq!(problems.invalid.len(), 1);
        assert_eq!(problems.invalid[0], FieldError { field: "name".into(), message: "is required".into() });
    }

    #[test]
    fn depth_alone_makes_no_trouble() {
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let node = Node::parse(&deep).expect("JSON");
        assert!(node.is_list() && !node.is_object());
        assert!(Node::parse(&deep[1..]).is_err());
    }
}

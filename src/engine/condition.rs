//! Conditions as people write them: the tree of native-api "Value, condition, rule, feature", its
//! checks on write, and its JSON. What runs at evaluation is [`super::matcher`], compiled from this.

use std::sync::Arc;

use serde::ser::SerializeMap;
use serde::{Serialize, Serializer};
use serde_json::value::RawValue;

use super::decode::{Node, Object, Problems, child};
use super::matcher;
use super::shapes::ConditionShape;

/// Groups nest at most this deep (native-api).
pub const MAX_DEPTH: usize = 8;
/// A rule has at most this many leaves (native-api).
pub const MAX_LEAVES: usize = 500;
/// A leaf lists at most this many values (native-api).
pub const MAX_VALUES: usize = 10_000;
/// Names of attributes hold at most this many bytes.
pub const MAX_ATTRIBUTE: usize = 500;

/// When a rule or a segment holds.
#[derive(Clone, Debug, PartialEq)]
pub enum Condition {
    /// Every one; true when empty.
    All(Vec<Condition>),
    /// At least one; false when empty.
    Any(Vec<Condition>),
    Not(Box<Condition>),
    /// Shared with what is compiled from it.
    Leaf(Arc<Leaf>),
    /// The key of a segment of the site.
    Segment(String),
    /// A constraint of the Flagr door, kept as sent (flagr.md §12).
    Flagr {
        property: String,
        operator: String,
        value: String,
    },
}

/// `attribute operator value(s)`.
#[derive(Clone, Debug, PartialEq)]
pub struct Leaf {
    pub attribute: String,
    pub operator: Operator,
    pub operands: Operands,
    pub ignore_case: bool,
    /// A missing, null or incomparable attribute fails the leaf, also under a negative operator.
    pub strict: bool,
}

/// What a leaf compares with: nothing (`exists`), one `value`, or `values`, any of which will do.
#[derive(Clone, Debug, PartialEq)]
pub enum Operands {
    None,
    One(Scalar),
    Many(Vec<Scalar>),
}

impl Operands {
    /// What it compares with; empty where that is nothing.
    pub fn as_slice(&self) -> &[Scalar] {
        match self {
            Self::None => &[],
            Self::One(one) => std::slice::from_ref(one),
            Self::Many(many) => many,
        }
    }
}

/// A JSON scalar; numbers keep their text.
#[derive(Clone, Debug, PartialEq)]
pub enum Scalar {
    Text(String),
    Number(String),
    Bool(bool),
}

impl Serialize for Scalar {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Self::Text(text) => serializer.serialize_str(text),
            Self::Bool(value) => serializer.serialize_bool(*value),
            Self::Number(text) => {
                let raw: &RawValue = serde_json::from_str(text).map_err(serde::ser::Error::custom)?;
                raw.serialize(serializer)
            }
        }
    }
}

macro_rules! operators {
    ($($variant:ident $name:literal,)*) => {
        /// The operators of feature-config §2.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub enum Operator { $($variant,)* }

        impl Operator {
            /// Every operator.
            pub const ALL: &'static [Operator] = &[$(Operator::$variant,)*];

            /// Its name in JSON.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)* }
            }
        }
    };
}

operators! {
    Equals "equals",
    NotEquals "not_equals",
    Contains "contains",
    NotContains "not_contains",
    StartsWith "starts_with",
    EndsWith "ends_with",
    GreaterThan "greater_than",
    GreaterOrEqual "greater_or_equal",
    LessThan "less_than",
    LessOrEqual "less_or_equal",
    In "in",
    NotIn "not_in",
    Matches "matches",
    Exists "exists",
    NotExists "not_exists",
    SemverEq "semver_eq",
    SemverGt "semver_gt",
    SemverGte "semver_gte",
    SemverLt "semver_lt",
    SemverLte "semver_lte",
    Before "before",
    After "after",
    IpIn "ip_in",
}

impl Operator {
    /// The operator of that name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|operator| operator.as_str() == text)
    }

    /// Exactly the negation of its positive twin.
    pub fn is_negative(self) -> bool {
        matches!(self, Self::NotEquals | Self::NotContains | Self::NotIn | Self::NotExists)
    }

    /// Whether a leaf must say what it compares with.
    pub fn takes_operands(self) -> bool {
        !matches!(self, Self::Exists | Self::NotExists)
    }
}

impl Condition {
    /// Reads and checks a condition; every problem is reported under its path.
    pub fn decode(node: &Node<'_>, problems: &mut Problems) -> Option<Self> {
        let mut leaves = 0;
        let condition = decode(node, 1, &mut leaves, problems);
        if leaves > MAX_LEAVES {
            problems.add(&node.path, format!("must have at most {MAX_LEAVES} leaves, has {leaves}"));
        }
        condition
    }

    /// Calls `f` with every leaf, segment and Flagr constraint of the tree.
    pub fn visit<'c>(&'c self, f: &mut impl FnMut(&'c Condition)) {
        match self {
            Self::All(list) | Self::Any(list) => list.iter().for_each(|condition| condition.visit(f)),
            Self::Not(inner) => inner.visit(f),
            leaf => f(leaf),
        }
    }

    /// The keys of the segments it asks for.
    pub fn segments(&self) -> Vec<&str> {
        let mut keys = Vec::new();
        self.visit(&mut |condition| {
            if let Self::Segment(key) = condition {
                keys.push(key.as_str());
            }
        });
        keys
    }
}

fn decode(node: &Node<'_>, depth: usize, leaves: &mut usize, problems: &mut Problems) -> Option<Condition> {
    let mut object = node.object(problems)?;
    if depth > MAX_DEPTH && ["all", "any", "not"].iter().any(|group| object.has(group)) {
        problems.add(&node.path, format!("groups must be nested at most {MAX_DEPTH} deep"));
        return None;
    }
    let group = |inner: &Node<'_>, leaves: &mut usize, problems: &mut Problems| {
        let items = inner.list(MAX_LEAVES, problems)?;
        let decoded: Vec<_> = items.iter().map(|item| decode(item, depth + 1, leaves, problems)).collect();
        decoded.into_iter().collect::<Option<Vec<_>>>()
    };
    let mut kinds =
        ["all", "any", "not", "attribute", "segment", "flagr"].into_iter().filter(|kind| object.has(kind));
    let only = kinds.next().filter(|_| kinds.next().is_none());
    let condition = match only {
        Some("all") => {
            let inner = object.take("all")?;
            group(&inner, leaves, problems).map(Condition::All)
        }
        Some("any") => {
            let inner = object.take("any")?;
            group(&inner, leaves, problems).map(Condition::Any)
        }
        Some("not") => {
            let inner = object.take("not")?;
            decode(&inner, depth + 1, leaves, problems).map(|inner| Condition::Not(inner.into()))
        }
        Some("segment") => {
            *leaves += 1;
            let key = object.take("segment")?.string(problems);
            key.map(Condition::Segment)
        }
        Some("flagr") => {
            *leaves += 1;
            let inner = object.take("flagr")?;
            flagr(&inner, problems)
        }
        Some("attribute") => {
            *leaves += 1;
            leaf(&mut object, problems).map(|leaf| Condition::Leaf(leaf.into()))
        }
        _ => {
            problems.add(&node.path, "must have exactly one of all, any, not, attribute, segment, flagr");
            object.ignore(&[
                "all",
                "any",
                "not",
                "attribute",
                "segment",
                "flagr",
                "operator",
                "value",
                "values",
            ]);
            None
        }
    };
    object.finish(problems);
    condition
}

fn flagr(node: &Node<'_>, problems: &mut Problems) -> Option<Condition> {
    let mut object = node.object(problems)?;
    let mut text = |name: &str, problems: &mut Problems| {
        object.require(name, problems).and_then(|node| node.string(problems))
    };
    let property = text("property", problems);
    let operator = text("operator", problems);
    let value = text("value", problems);
    object.finish(problems);
    let (property, operator, value) = (property?, operator?, value?);
    if let Err(message) = super::flagr::Constraint::compile(&property, &operator, &value) {
        problems.add(&node.path, message);
        return None;
    }
    Some(Condition::Flagr { property, operator, value })
}

fn leaf(object: &mut Object<'_>, problems: &mut Problems) -> Option<Leaf> {
    let path = object.path.clone();
    let attribute = object.take("attribute").and_then(|node| {
        let name = node.string(problems)?;
        if name.is_empty() || name.len() > MAX_ATTRIBUTE {
            problems.add(&node.path, format!("must be 1 to {MAX_ATTRIBUTE} bytes long"));
            return None;
        }
        Some(name)
    });
    let operator = object.require("operator", problems).and_then(|node| {
        let operator = Operator::parse(&node.borrowed(problems)?);
        if operator.is_none() {
            let known: Vec<_> = Operator::ALL.iter().map(|operator| operator.as_str()).collect();
            problems.add(&node.path, format!("must be one of {}", known.join(", ")));
        }
        operator
    });
    let ignore_case = object.boolean_or("ignoreCase", false, problems);
    let strict = object.boolean_or("strict", false, problems);
    let operands = match (object.take_value("value"), object.take_value("values")) {
        (Some(_), Some(second)) => {
            problems.add(second.path, "cannot stand beside value");
            None
        }
        (Some(one), None) => scalar(&one, problems).map(Operands::One),
        (None, Some(many)) => many.list(MAX_VALUES, problems).and_then(|items| {
            let scalars: Vec<_> = items.iter().map(|item| scalar(item, problems)).collect();
            scalars.into_iter().collect::<Option<Vec<_>>>().map(Operands::Many)
        }),
        (None, None) => Some(Operands::None),
    };
    let leaf = Leaf {
        attribute: attribute?,
        operator: operator?,
        operands: operands?,
        ignore_case: ignore_case?,
        strict: strict?,
    };
    match (leaf.operator.takes_operands(), &leaf.operands) {
        (true, Operands::None) => {
            problems.add(child(&path, "value"), "is required (or values)");
            return None;
        }
        (false, Operands::One(_) | Operands::Many(_)) => {
            let name = if matches!(leaf.operands, Operands::One(_)) { "value" } else { "values" };
            problems.add(child(&path, name), format!("{} takes no value", leaf.operator.as_str()));
            return None;
        }
        _ => {}
    }
    let mut fine = true;
    for (at, operand) in leaf.operands.as_slice().iter().enumerate() {
        if let Err(message) = matcher::check_operand(leaf.operator, operand, leaf.ignore_case) {
            let name = match leaf.operands {
                Operands::Many(_) => format!("values[{at}]"),
                _ => "value".to_owned(),
            };
            problems.add(child(&path, &name), message);
            fine = false;
        }
    }
    if fine && let Err(message) = matcher::check_leaf(&leaf) {
        problems.add(child(&path, "values"), format!("{message} together"));
        fine = false;
    }
    fine.then_some(leaf)
}

fn scalar(node: &Node<'_>, problems: &mut Problems) -> Option<Scalar> {
    let text = node.text();
    match text.as_bytes().first() {
        Some(b'"') => node.string(problems).map(Scalar::Text),
        Some(b't' | b'f') => node.boolean(problems).map(Scalar::Bool),
        Some(b'-' | b'0'..=b'9') if node.number().is_some() => Some(Scalar::Number(text.to_owned())),
        _ => {
            problems.add(&node.path, "must be a string, a finite number, true or false");
            None
        }
    }
}

impl Serialize for Condition {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        #[derive(Serialize)]
        struct Constraint<'a> {
            property: &'a str,
            operator: &'a str,
            value: &'a str,
        }
        let mut map = serializer.serialize_map(None)?;
        match self {
            Self::All(list) => map.serialize_entry("all", list)?,
            Self::Any(list) => map.serialize_entry("any", list)?,
            Self::Not(inner) => map.serialize_entry("not", inner)?,
            Self::Segment(key) => map.serialize_entry("segment", key)?,
            Self::Flagr { property, operator, value } => {
                map.serialize_entry("flagr", &Constraint { property, operator, value })?
            }
            Self::Leaf(leaf) => leaf.entries(&mut map)?,
        }
        map.end()
    }
}

impl Leaf {
    /// Writes the members of this leaf into an object, so that explanations can add theirs.
    pub fn entries<M: SerializeMap>(&self, map: &mut M) -> Result<(), M::Error> {
        map.serialize_entry("attribute", &self.attribute)?;
        map.serialize_entry("operator", self.operator.as_str())?;
        match &self.operands {
            Operands::None => {}
            Operands::One(value) => map.serialize_entry("value", value)?,
            Operands::Many(values) => map.serialize_entry("values", values)?,
        }
        if self.ignore_case {
            map.serialize_entry("ignoreCase", &true)?;
        }
        if self.strict {
            map.serialize_entry("strict", &true)?;
        }
        Ok(())
    }
}

impl utoipa::PartialSchema for Condition {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        ConditionShape::schema()
    }
}

impl utoipa::ToSchema for Condition {
    fn schemas(schemas: &mut Vec<(String, utoipa::openapi::RefOr<utoipa::openapi::schema::Schema>)>) {
        ConditionShape::schemas(schemas);
    }
}

impl utoipa::PartialSchema for Operator {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::schema::Schema> {
        utoipa::openapi::schema::ObjectBuilder::new()
            .schema_type(utoipa::openapi::schema::Type::String)
            .description(Some(
                "How a leaf compares. A negative operator is exactly the negation of its positive twin, so it holds \
                 for a missing attribute; every other one but `not_exists` fails on one.",
            ))
            .enum_values(Some(Self::ALL.iter().map(|operator| operator.as_str())))
            .into()
    }
}

impl utoipa::ToSchema for Operator {}

#[cfg(test)]
mod tests {
    use super::*;

    /// Reads a condition below `when`: what is wrong, by path.
    fn problems(condition: &str) -> Vec<(String, String)> {
        let text = format!(r#"{{"when": {condition}}}"#);
        let mut problems = Problems::default();
        let mut object = Node::parse(&text).expect("JSON").object(&mut problems).expect("an object");
        let read = Condition::decode(&object.take("when").expect("there"), &mut problems);
        assert!(read.is_some() || !problems.is_empty(), "refused without a word: {condition}");
        let all = problems.unknown.into_iter().chain(problems.invalid);
        all.map(|problem| (problem.field, problem.message)).collect()
    }

    fn nested(group: &str, levels: usize, innermost: &str) -> String {
        let (open, close) = if group == "not" { ("", "}") } else { ("[", "]}") };
        format!("{}{innermost}{}", format!(r#"{{"{group}": {open}"#).repeat(levels), close.repeat(levels))
    }

    #[test]
    fn every_problem_is_told_with_its_path() {
        let names: Vec<_> = Operator::ALL.iter().map(|operator| operator.as_str()).collect();
        let operators = format!("must be one of {}", names.join(", "));
        let one_of = "must have exactly one of all, any, not, attribute, segment, flagr";
        let rows: [(&str, &[(&str, &str)]); 24] = [
            ("5", &[("when", "must be an object")]),
            ("{}", &[("when", one_of)]),
            (r#"{"all": [], "any": []}"#, &[("when", one_of)]),
            (r#"{"all": {}}"#, &[("when.all", "must be a list")]),
            (r#"{"all": null}"#, &[("when.all", "must be a list")]),
            (
                r#"{"all": [1, {"any": [{}]}]}"#,
                &[("when.all[0]", "must be an object"), ("when.all[1].any[0]", one_of)],
            ),
            (r#"{"all": [], "extra": 1}"#, &[("when.extra", "is not a known member")]),
            (r#"{"not": []}"#, &[("when.not", "must be an object")]),
            (r#"{"segment": 5}"#, &[("when.segment", "must be a string")]),
            (r#"{"segment": "s", "value": 1}"#, &[("when.value", "is not a known member")]),
            (r#"{"attribute": "a"}"#, &[("when.operator", "is required")]),
            (r#"{"operator": "equals", "value": 1}"#, &[("when", one_of)]),
            (
                r#"{"attribute": "", "operator": "is"}"#,
                &[("when.attribute", "must be 1 to 500 bytes long"), ("when.operator", &operators)],
            ),
            (r#"{"attribute": "a", "operator": "Equals", "value": 1}"#, &[("when.operator", &operators)]),
            (r#"{"attribute": "a", "operator": "equals"}"#, &[("when.value", "is required (or values)")]),
            (
                r#"{"attribute": "a", "operator": "in", "value": null}"#,
                &[("when.value", "is required (or values)")],
            ),
            (
                r#"{"attribute": "a", "operator": "in", "value": 1, "values": [1]}"#,
                &[("when.values", "cannot stand beside value")],
            ),
            (
                r#"{"attribute": "a", "operator": "exists", "value": 1}"#,
                &[("when.value", "exists takes no value")],
            ),
            (
                r#"{"attribute": "a", "operator": "not_exists", "values": []}"#,
                &[("when.values", "not_exists takes no value")],
            ),
            (
                r#"{"attribute": "a", "operator": "in", "values": [1, null, {}, [1], 1e999]}"#,
                &[
                    ("when.values[1]", "must be a string, a finite number, true or false"),
                    ("when.values[2]", "must be a string, a finite number, true or false"),
                    ("when.values[3]", "must be a string, a finite number, true or false"),
                    ("when.values[4]", "must be a string, a finite number, true or false"),
                ],
            ),
            (
                r#"{"attribute": "a", "operator": "contains", "values": ["x", 5, true]}"#,
                &[("when.values[1]", "must be a string"), ("when.values[2]", "must be a string")],
            ),
            (
                r#"{"attribute": "a", "operator": "equals", "value": 1, "strict": "yes", "ignoreCase": 1, "x": 0}"#,
                &[
                    ("when.x", "is not a known member"),
                    ("when.ignoreCase", "must be true or false"),
                    ("when.strict", "must be true or false"),
                ],
            ),
            (
                r#"{"flagr": {"property": 1, "operator": "EQ"}}"#,
                &[("when.flagr.property", "must be a string"), ("when.flagr.value", "is required")],
            ),
            (r#"{"flagr": null}"#, &[("when.flagr", "must be an object")]),
        ];
        for (condition, expected) in rows {
            let expected: Vec<_> =
                expected.iter().map(|(field, message)| (field.to_string(), message.to_string())).collect();
            assert_eq!(problems(condition), expected, "{condition}");
        }
    }

    #[test]
    fn the_limits_are_those_of_the_contract() {
        let leaf = r#"{"attribute": "a", "operator": "exists"}"#;
        let long =
            |bytes: usize| format!(r#"{{"attribute": "{}", "operator": "exists"}}"#, "x".repeat(bytes));
        let values = |count: usize| {
            format!(r#"{{"attribute": "a", "operator": "in", "values": [{}]}}"#, vec!["1"; count].join(","))
        };
        let leaves = |groups: usize, each: usize| {
            let group = format!(r#"{{"any": [{}]}}"#, vec![leaf; each].join(","));
            format!(r#"{{"all": [{}]}}"#, vec![group; groups].join(","))
        };
        for (condition, problem) in [
            (nested("all", 8, leaf), None),
            (nested("not", 8, leaf), None),
            (nested("all", 8, ""), None),
            (nested("all", 9, leaf), Some("groups must be nested at most 8 deep")),
            (nested("not", 9, leaf), Some("groups must be nested at most 8 deep")),
            (nested("all", 10_000, leaf), Some("groups must be nested at most 8 deep")),
            (long(500), None),
            (long(501), Some("must be 1 to 500 bytes long")),
            (values(10_000), None),
            (values(10_001), Some("must have at most 10000 entries")),
            (leaves(5, 100), None),
            (leaves(5, 101), Some("must have at most 500 leaves, has 505")),
            (format!(r#"{{"all": [{}]}}"#, vec![r#"{"segment": "s"}"#; 500].join(",")), None),
        ] {
            let found = problems(&condition);
            let found: Vec<_> = found.iter().map(|(_, message)| message.as_str()).collect();
            assert_eq!(
                found,
                problem.into_iter().collect::<Vec<_>>(),
                "{}",
                &condition[..condition.len().min(60)]
            );
        }
    }

    #[test]
    fn conditions_are_written_as_they_were_read() {
        for condition in [
            r#"{"all":[]}"#,
            r#"{"any":[{"segment":"s"},{"not":{"all":[]}}]}"#,
            r#"{"attribute":"a.b","operator":"in","values":["SE",1.50,true]}"#,
            r#"{"attribute":"a","operator":"equals","value":1e2,"ignoreCase":true,"strict":true}"#,
            r#"{"attribute":"a","operator":"not_exists"}"#,
            r#"{"attribute":"a","operator":"not_in","values":[]}"#,
            r#"{"flagr":{"property":"age","operator":"GT","value":" 18 "}}"#,
        ] {
            let mut problems = Problems::default();
            let read = Condition::decode(&Node::parse(condition).expect("JSON"), &mut problems);
            assert_eq!(serde_json::to_string(&read.expect(condition)).expect("JSON"), condition);
        }
        // What only repeats a default is left out.
        let mut problems = Problems::default();
        let wordy = r#"{"attribute":"a","operator":"exists","value":null,"ignoreCase":false,"strict":null}"#;
        let read = Condition::decode(&Node::parse(wordy).expect("JSON"), &mut problems).expect(wordy);
        assert_eq!(serde_json::to_string(&read).expect("JSON"), r#"{"attribute":"a","operator":"exists"}"#);
    }

    #[test]
    fn operators_read_back_by_name() {
        assert_eq!(Operator::ALL.len(), 23);
        for operator in Operator::ALL {
            assert_eq!(Operator::parse(operator.as_str()), Some(*operator));
        }
        assert_eq!(Operator::parse("is"), None);
    }

    #[test]
    fn visiting_meets_every_leaf_and_segment() {
        let condition = r#"{"all": [{"segment": "a"}, {"not": {"any": [{"segment": "b"},
            {"attribute": "x", "operator": "exists"}]}}, {"segment": "a"}]}"#;
        let mut problems = Problems::default();
        let read =
            Condition::decode(&Node::parse(condition).expect("JSON"), &mut problems).expect("a condition");
        assert_eq!(read.segments(), ["a", "b", "a"]);
        let mut count = 0;
        read.visit(&mut |_| count += 1);
        assert_eq!(count, 4);
    }
}

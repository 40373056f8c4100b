//! Conditions as a form: a tree of groups, conditions and segments that is posted as plain fields, changed by
//! submit buttons (`op` = `add:g3`), and turned back into exactly the condition it was made from.
//!
//! Every node has a hidden field `node` = `parent:id` in the order of the page; the rest hangs on its id:
//! `g3.kind`, `c5.attribute`, `c5.operator`, `c5.values`. What the fields cannot tell apart (`value` from a
//! list of one, `not` with and without `any`) is kept in `….as`.

use maud::{Markup, html};

use super::components::form::Typed;
use super::components::icon;
use super::components::sentence::{operator_name, scalar};
use crate::engine::condition::{Condition, Leaf, Operands, Operator, Scalar};
use crate::engine::decode::FieldError;

/// Operators in the order of the list of choices.
const OPERATORS: [Operator; 23] = [
    Operator::Equals,
    Operator::NotEquals,
    Operator::In,
    Operator::NotIn,
    Operator::Contains,
    Operator::NotContains,
    Operator::StartsWith,
    Operator::EndsWith,
    Operator::GreaterThan,
    Operator::GreaterOrEqual,
    Operator::LessThan,
    Operator::LessOrEqual,
    Operator::Matches,
    Operator::Exists,
    Operator::NotExists,
    Operator::SemverEq,
    Operator::SemverGt,
    Operator::SemverGte,
    Operator::SemverLt,
    Operator::SemverLte,
    Operator::Before,
    Operator::After,
    Operator::IpIn,
];

/// How a group joins its parts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    All,
    Any,
    /// None of these: `{"not": {"any": […]}}`.
    Not,
}

impl Kind {
    const ALL: [(Self, &'static str, &'static str); 3] = [
        (Self::All, "all", "All of these"),
        (Self::Any, "any", "Any of these"),
        (Self::Not, "not", "None of these"),
    ];

    fn parse(text: &str) -> Self {
        Self::ALL.iter().find(|(_, name, _)| *name == text).map_or(Self::All, |(kind, ..)| *kind)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("all", |(_, name, _)| name)
    }

    fn label(self) -> &'static str {
        Self::ALL.iter().find(|(kind, ..)| *kind == self).map_or("", |(.., label)| label)
    }
}

#[derive(Clone, Debug, PartialEq)]
struct Node {
    id: String,
    part: Part,
}

#[derive(Clone, Debug, PartialEq)]
enum Part {
    Group(Group),
    Test(Test),
    Segment(String),
    /// A constraint of the Flagr door: shown, kept, not edited here.
    Flagr {
        property: String,
        operator: String,
        value: String,
    },
}

#[derive(Clone, Debug, PartialEq)]
struct Group {
    kind: Kind,
    /// `bare`: its only part stands without the group around it. `empty`: it was stored without parts.
    kept: Kept,
    parts: Vec<Node>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kept {
    Plain,
    Bare,
    Empty,
}

#[derive(Clone, Debug, PartialEq)]
struct Test {
    attribute: String,
    operator: Operator,
    /// As typed: one value, or several by commas.
    values: String,
    shape: Shape,
    ignore_case: bool,
    strict: bool,
}

/// How the values were stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Shape {
    /// Not stored yet: one is `value`, several are `values`.
    New,
    One,
    Many,
    /// `values` without any.
    Empty,
}

impl Shape {
    const ALL: [(Self, &'static str); 4] =
        [(Self::New, "new"), (Self::One, "one"), (Self::Many, "many"), (Self::Empty, "empty")];

    fn parse(text: &str) -> Self {
        Self::ALL.iter().find(|(_, name)| *name == text).map_or(Self::New, |(shape, _)| *shape)
    }

    fn name(self) -> &'static str {
        Self::ALL.iter().find(|(shape, _)| *shape == self).map_or("new", |(_, name)| name)
    }
}

/// The form of one condition. See the module.
#[derive(Clone, Debug, PartialEq)]
pub struct ConditionForm {
    root: Node,
    next: usize,
    /// The field to begin with after a change.
    focus: Option<String>,
}

/// What a form says: the condition, where in the page each part of it stands, and what is missing.
pub struct Read {
    pub condition: Option<Condition>,
    places: Vec<(String, String)>,
    /// The values of each condition, by its path.
    values: Vec<(String, Operands)>,
    pub problems: Vec<FieldError>,
}

impl Read {
    /// Puts problems of the engine (`when.all[1].values[0]`) beside the fields they belong to.
    pub fn place(&self, problems: Vec<FieldError>) -> Vec<FieldError> {
        problems
            .into_iter()
            .map(|problem| {
                let found = self
                    .places
                    .iter()
                    .filter(|(path, _)| problem.field.starts_with(path.as_str()))
                    .max_by_key(|(path, _)| path.len());
                let Some((path, id)) = found else { return problem };
                let rest = &problem.field[path.len()..];
                let part = match rest {
                    ".attribute" => ".attribute",
                    ".operator" => ".operator",
                    _ if rest.starts_with(".value") => ".values",
                    ".segment" => ".segment",
                    _ => "",
                };
                let message = match self.value_at(path, rest) {
                    Some(value) => format!("{value}: {}", problem.message),
                    None => problem.message,
                };
                FieldError { field: format!("{id}{part}"), message }
            })
            .collect()
    }

    /// The value that `.values[3]` of a condition means.
    fn value_at(&self, path: &str, rest: &str) -> Option<String> {
        let at: usize = rest.strip_prefix(".values[")?.strip_suffix(']')?.parse().ok()?;
        let (_, operands) = self.values.iter().find(|(have, _)| have == path)?;
        operands.as_slice().get(at).map(scalar)
    }
}

fn needs_text(operator: Operator) -> bool {
    use Operator as O;
    !matches!(
        operator,
        O::Equals
            | O::NotEquals
            | O::In
            | O::NotIn
            | O::GreaterThan
            | O::GreaterOrEqual
            | O::LessThan
            | O::LessOrEqual
            | O::Exists
            | O::NotExists
    )
}

/// One value as it is typed; text that could be taken for something else stands in quotes.
fn write_scalar(value: &Scalar, text_only: bool) -> String {
    match value {
        Scalar::Number(text) => text.clone(),
        Scalar::Bool(value) => value.to_string(),
        Scalar::Text(text) => {
            let plain = !text.is_empty()
                && text.trim() == text
                && !text.starts_with('"')
                && !text.contains(|c: char| c == ',' || c.is_control())
                && (text_only || bare(text) == Scalar::Text(text.clone()));
            if plain { text.clone() } else { serde_json::to_string(text).unwrap_or_default() }
        }
    }
}

/// What a word without quotes means where the type is not given.
fn bare(text: &str) -> Scalar {
    match text {
        "true" => Scalar::Bool(true),
        "false" => Scalar::Bool(false),
        _ if crate::engine::number::Number::parse(text).is_some()
            && serde_json::from_str::<&serde_json::value::RawValue>(text).is_ok() =>
        {
            Scalar::Number(text.to_owned())
        }
        _ => Scalar::Text(text.to_owned()),
    }
}

/// Values by commas or lines; quotes keep what is inside together, and make text of it.
fn read_scalars(typed: &str, text_only: bool) -> Vec<Scalar> {
    let mut values = Vec::new();
    let mut rest = typed.trim_start();
    while !rest.is_empty() {
        if rest.starts_with('"') {
            let mut stream = serde_json::Deserializer::from_str(rest).into_iter::<String>();
            if let Some(Ok(text)) = stream.next() {
                let after = rest[stream.byte_offset()..].trim_start_matches([' ', '\t']);
                if after.is_empty() || after.starts_with([',', '\n', '\r']) {
                    values.push(Scalar::Text(text));
                    rest = after.trim_start_matches([',', '\n', '\r']).trim_start();
                    continue;
                }
            }
        }
        let end = rest.find([',', '\n', '\r']).unwrap_or(rest.len());
        let word = rest[..end].trim();
        if !word.is_empty() {
            values.push(if text_only { Scalar::Text(word.to_owned()) } else { bare(word) });
        }
        rest = rest[end..].trim_start_matches([',', '\n', '\r']).trim_start();
    }
    values
}

impl Test {
    fn of(leaf: &Leaf) -> Self {
        let text_only = needs_text(leaf.operator);
        let (values, shape) = match &leaf.operands {
            Operands::None => (String::new(), Shape::New),
            Operands::Many(many) if many.is_empty() => (String::new(), Shape::Empty),
            Operands::Many(many) => {
                let words: Vec<_> = many.iter().map(|value| write_scalar(value, text_only)).collect();
                (words.join(", "), Shape::Many)
            }
            Operands::One(Scalar::Text(text)) if leaf.operator == Operator::Matches && is_whole(text) => {
                (text.clone(), Shape::One)
            }
            Operands::One(one) => (write_scalar(one, text_only), Shape::One),
        };
        Self {
            attribute: leaf.attribute.clone(),
            operator: leaf.operator,
            values,
            shape,
            ignore_case: leaf.ignore_case,
            strict: leaf.strict,
        }
    }

    fn leaf(&self) -> Leaf {
        let whole = self.operator == Operator::Matches && self.shape != Shape::Many && is_whole(&self.values);
        let operands = if !self.operator.takes_operands() {
            Operands::None
        } else if whole {
            // Commas are part of a pattern.
            Operands::One(Scalar::Text(self.values.clone()))
        } else {
            let mut values = read_scalars(&self.values, needs_text(self.operator));
            let lists = matches!(self.operator, Operator::In | Operator::NotIn);
            match (values.len(), self.shape) {
                (0, Shape::Empty) => Operands::Many(Vec::new()),
                (0, _) => Operands::None,
                (1, Shape::One) => Operands::One(values.remove(0)),
                (1, Shape::New) if !lists => Operands::One(values.remove(0)),
                _ => Operands::Many(values),
            }
        };
        Leaf {
            attribute: self.attribute.trim().to_owned(),
            operator: self.operator,
            operands,
            ignore_case: self.ignore_case,
            strict: self.strict,
        }
    }

    fn describe(&self) -> String {
        format!("{} {} {}", self.attribute, operator_name(self.operator), self.values)
    }
}

/// Whether a pattern can stand in a field as it is.
fn is_whole(pattern: &str) -> bool {
    !pattern.is_empty() && !pattern.starts_with('"') && !pattern.contains(char::is_control)
}

impl ConditionForm {
    /// The form of a condition; of none, a group without parts.
    pub fn of(condition: Option<&Condition>) -> Self {
        let mut form =
            Self { root: Node { id: "g0".into(), part: Part::Segment(String::new()) }, next: 1, focus: None };
        let group = match condition {
            None => Group { kind: Kind::All, kept: Kept::Plain, parts: Vec::new() },
            Some(condition) => match form.part(condition) {
                Part::Group(mut group) => {
                    if group.parts.is_empty() {
                        group.kept = Kept::Empty;
                    }
                    group
                }
                part => {
                    let only = form.node(part);
                    Group { kind: Kind::All, kept: Kept::Bare, parts: vec![only] }
                }
            },
        };
        form.root.part = Part::Group(group);
        form
    }

    fn node(&mut self, part: Part) -> Node {
        let letter = if matches!(part, Part::Group(_)) { 'g' } else { 'c' };
        let id = format!("{letter}{}", self.next);
        self.next += 1;
        Node { id, part }
    }

    fn part(&mut self, condition: &Condition) -> Part {
        let group = |kind, parts: &[Condition], form: &mut Self| {
            let parts: Vec<Node> = parts
                .iter()
                .map(|inner| {
                    let part = form.part(inner);
                    form.node(part)
                })
                .collect();
            let kept = if parts.is_empty() { Kept::Empty } else { Kept::Plain };
            Part::Group(Group { kind, kept, parts })
        };
        match condition {
            Condition::All(parts) => group(Kind::All, parts, self),
            Condition::Any(parts) => group(Kind::Any, parts, self),
            Condition::Not(inner) => match inner.as_ref() {
                Condition::Any(parts) => group(Kind::Not, parts, self),
                other => {
                    let part = self.part(other);
                    let parts = vec![self.node(part)];
                    Part::Group(Group { kind: Kind::Not, kept: Kept::Bare, parts })
                }
            },
            Condition::Leaf(leaf) => Part::Test(Test::of(leaf)),
            Condition::Segment(key) => Part::Segment(key.clone()),
            Condition::Flagr { property, operator, value } => {
                Part::Flagr { property: property.clone(), operator: operator.clone(), value: value.clone() }
            }
        }
    }

    /// What was posted. What does not hang together is left out.
    pub fn posted(typed: &Typed) -> Self {
        let mut links: Vec<(&str, &str)> =
            typed.all("node").filter_map(|link| link.split_once(':')).collect();
        links.truncate(2000);
        let next = links
            .iter()
            .filter_map(|(_, id)| id.get(1..).and_then(|number| number.parse::<usize>().ok()))
            .max()
            .map_or(1, |number| number.saturating_add(1));
        let root = read_node("g0", typed, &links, 0).unwrap_or(Part::Group(Group {
            kind: Kind::parse(typed.get("g0.kind")),
            kept: Kept::Plain,
            parts: Vec::new(),
        }));
        Self { root: Node { id: "g0".into(), part: root }, next, focus: None }
    }

    /// Does what a button of the form asks for; false when it is none of ours.
    pub fn apply(&mut self, op: &str) -> bool {
        let Some((verb, id)) = op.split_once(':') else { return false };
        match verb {
            "add" | "group" | "segment" => {
                let part = match verb {
                    "segment" => Part::Segment(String::new()),
                    "group" => {
                        let inner = self.node(Part::Test(new_test()));
                        self.focus = Some(format!("{}.attribute", inner.id));
                        Part::Group(Group { kind: Kind::Any, kept: Kept::Plain, parts: vec![inner] })
                    }
                    _ => Part::Test(new_test()),
                };
                let node = self.node(part);
                match node.part {
                    Part::Test(_) => self.focus = Some(format!("{}.attribute", node.id)),
                    Part::Segment(_) => self.focus = Some(format!("{}.segment", node.id)),
                    _ => {}
                }
                if let Some(group) = group_of(&mut self.root, id) {
                    group.kept = Kept::Plain;
                    group.parts.push(node);
                }
                true
            }
            "remove" => {
                if let Some((group, at)) = parent_of(&mut self.root, id) {
                    group.parts.remove(at);
                }
                true
            }
            "copy" => {
                let copy = parent_of(&mut self.root, id).map(|(group, at)| group.parts[at].part.clone());
                if let Some(part) = copy {
                    let node = self.copied(part);
                    self.focus = Some(format!("{}.values", node.id));
                    if let Some((group, at)) = parent_of(&mut self.root, id) {
                        group.kept = Kept::Plain;
                        group.parts.insert(at + 1, node);
                    }
                }
                true
            }
            _ => false,
        }
    }

    fn copied(&mut self, part: Part) -> Node {
        let part = match part {
            Part::Group(group) => {
                let parts = group.parts.into_iter().map(|node| self.copied(node.part)).collect();
                Part::Group(Group { parts, ..group })
            }
            other => other,
        };
        self.node(part)
    }

    /// The condition that the form says, under this path (`when`, `conditions`).
    pub fn read(&self, path: &str) -> Read {
        let mut read = Read { condition: None, places: Vec::new(), values: Vec::new(), problems: Vec::new() };
        if let Part::Group(group) = &self.root.part
            && group.parts.is_empty()
            && group.kept != Kept::Empty
        {
            return read;
        }
        read.condition = Some(condition(&self.root, path, true, &mut read));
        read
    }
}

fn new_test() -> Test {
    Test {
        attribute: String::new(),
        operator: Operator::In,
        values: String::new(),
        shape: Shape::New,
        ignore_case: false,
        strict: false,
    }
}

fn group_of<'n>(node: &'n mut Node, id: &str) -> Option<&'n mut Group> {
    let own = node.id == id;
    let Part::Group(group) = &mut node.part else { return None };
    if own {
        return Some(group);
    }
    group.parts.iter_mut().find_map(|part| group_of(part, id))
}

fn parent_of<'n>(node: &'n mut Node, id: &str) -> Option<(&'n mut Group, usize)> {
    let Part::Group(group) = &mut node.part else { return None };
    if let Some(at) = group.parts.iter().position(|part| part.id == id) {
        return Some((group, at));
    }
    group.parts.iter_mut().find_map(|part| parent_of(part, id))
}

fn read_node(id: &str, typed: &Typed, links: &[(&str, &str)], depth: usize) -> Option<Part> {
    // Deeper than the engine takes, so that it is the engine that refuses; but not without end.
    if depth > 20 {
        return None;
    }
    let get = |name: &str| typed.get(&format!("{id}.{name}")).to_owned();
    let on = |name: &str| typed.is_on(&format!("{id}.{name}"));
    if on("kind") {
        let parts = links
            .iter()
            .filter(|(parent, child)| *parent == id && *child != id)
            .filter_map(|(_, child)| {
                Some(Node { id: (*child).to_owned(), part: read_node(child, typed, links, depth + 1)? })
            })
            .collect();
        let kept = match get("as").as_str() {
            "bare" => Kept::Bare,
            "empty" => Kept::Empty,
            _ => Kept::Plain,
        };
        return Some(Part::Group(Group { kind: Kind::parse(&get("kind")), kept, parts }));
    }
    if on("segment") {
        return Some(Part::Segment(get("segment")));
    }
    if on("property") {
        return Some(Part::Flagr {
            property: get("property"),
            operator: get("operator"),
            value: get("value"),
        });
    }
    on("operator").then(|| {
        Part::Test(Test {
            attribute: get("attribute"),
            operator: Operator::parse(&get("operator")).unwrap_or(Operator::Equals),
            values: get("values"),
            shape: Shape::parse(&get("as")),
            ignore_case: on("ignoreCase"),
            strict: on("strict"),
        })
    })
}

fn condition(node: &Node, path: &str, is_root: bool, read: &mut Read) -> Condition {
    read.places.push((path.to_owned(), node.id.clone()));
    match &node.part {
        Part::Test(test) => {
            let leaf = test.leaf();
            read.values.push((path.to_owned(), leaf.operands.clone()));
            Condition::Leaf(leaf.into())
        }
        Part::Segment(key) => {
            if key.is_empty() {
                read.problems.push(FieldError {
                    field: format!("{}.segment", node.id),
                    message: "choose a segment".into(),
                });
            }
            Condition::Segment(key.clone())
        }
        Part::Flagr { property, operator, value } => {
            Condition::Flagr { property: property.clone(), operator: operator.clone(), value: value.clone() }
        }
        Part::Group(group) => {
            if group.parts.is_empty() && group.kept != Kept::Empty && !is_root {
                read.problems.push(FieldError {
                    field: node.id.clone(),
                    message: "this group is empty: add a condition, or remove it".into(),
                });
            }
            if let ([only], Kept::Bare) = (group.parts.as_slice(), group.kept) {
                return match group.kind {
                    Kind::Not => {
                        let inner = condition(only, &format!("{path}.not"), false, read);
                        Condition::Not(inner.into())
                    }
                    _ => condition(only, path, false, read),
                };
            }
            let name = match group.kind {
                Kind::All => "all",
                Kind::Any => "any",
                Kind::Not => "not.any",
            };
            let parts = group
                .parts
                .iter()
                .enumerate()
                .map(|(at, part)| condition(part, &format!("{path}.{name}[{at}]"), false, read))
                .collect();
            match group.kind {
                Kind::All => Condition::All(parts),
                Kind::Any => Condition::Any(parts),
                Kind::Not => Condition::Not(Condition::Any(parts).into()),
            }
        }
    }
}

/// What the form is drawn with besides itself.
pub struct Drawing<'a> {
    /// Messages by field.
    pub typed: &'a Typed,
    pub segments: &'a [String],
    /// Attributes that rules ask for already, to choose from.
    pub attributes: &'a [String],
    /// Where the buttons post to.
    pub action: &'a str,
}

impl Drawing<'_> {
    /// A submit button that changes the form and saves nothing; with the script, only the work is replaced.
    pub fn op(&self, class: Option<&str>, value: &str, label: Option<&str>, content: Markup) -> Markup {
        html! {
            button class=[class] name="op" value=(value) formnovalidate aria-label=[label]
                hx-post=(self.action) hx-target="#work" hx-select="#work" hx-swap="outerHTML" { (content) }
        }
    }

    fn error(&self, field: &str) -> Markup {
        super::components::form::error(field, self.typed)
    }

    fn wrong(&self, field: &str) -> Option<&'static str> {
        self.typed.error(field).map(|_| "true")
    }

    /// The whole tree.
    pub fn draw(&self, form: &ConditionForm) -> Markup {
        html! {
            datalist id="attributes" { @for name in self.attributes { option value=(name) {} } }
            (self.node(form, &form.root, 0, 0, ""))
        }
    }

    fn node(&self, form: &ConditionForm, node: &Node, depth: usize, at: usize, parent: &str) -> Markup {
        html! {
            @if !parent.is_empty() { input type="hidden" name="node" value={ (parent) ":" (node.id) }; }
            @match &node.part {
                Part::Group(group) => (self.group(form, &node.id, group, depth, at)),
                Part::Test(test) => (self.test(form, &node.id, test)),
                Part::Segment(key) => (self.segment(form, &node.id, key)),
                Part::Flagr { property, operator, value } => (self.flagr(&node.id, property, operator, value)),
            }
        }
    }

    fn group(&self, form: &ConditionForm, id: &str, group: &Group, depth: usize, at: usize) -> Markup {
        let kept = match group.kept {
            Kept::Bare if group.parts.len() == 1 => Some("bare"),
            Kept::Empty if group.parts.is_empty() => Some("empty"),
            _ => None,
        };
        let name = match depth {
            0 => "Conditions".to_owned(),
            _ => format!("Group {}, level {}", at + 1, depth + 1),
        };
        html! {
            fieldset class={ "grp " (group.kind.name()) } {
                legend.vh { (name) ": " (group.kind.label()) }
                div.gh {
                    select name={ (id) ".kind" } aria-label={ (name) ": how they join" } {
                        @for (kind, value, label) in Kind::ALL {
                            option value=(value) selected[group.kind == kind] { (label) }
                        }
                    }
                    @if let Some(kept) = kept { input type="hidden" name={ (id) ".as" } value=(kept); }
                    @if depth > 0 {
                        (self.op(Some("icon end"), &format!("remove:{id}"), Some(&format!("Remove {name}")), icon("cross")))
                    }
                }
                @if self.typed.error(id).is_some() { div.grp-err { (self.error(id)) } }
                @if !group.parts.is_empty() {
                    ol.stack.t {
                        @for (at, part) in group.parts.iter().enumerate() {
                            @match part.part {
                                Part::Group(_) => li { (self.node(form, part, depth + 1, at, id)) },
                                Part::Test(_) => li.cond { (self.node(form, part, depth + 1, at, id)) },
                                _ => li.cond.seg2 { (self.node(form, part, depth + 1, at, id)) },
                            }
                        }
                    }
                }
                div.adds {
                    @for (verb, word) in [("add", "condition"), ("group", "group"), ("segment", "segment")] {
                        @if verb != "segment" || !self.segments.is_empty() {
                            (self.op(None, &format!("{verb}:{id}"), Some(&format!("Add {word} to {name}")), html! { (icon("plus")) (word) }))
                        }
                    }
                }
            }
        }
    }

    fn test(&self, form: &ConditionForm, id: &str, test: &Test) -> Markup {
        let field = |name: &str| format!("{id}.{name}");
        let focused = |name: &str| form.focus.as_deref() == Some(&field(name));
        let described = |name: &str| self.wrong(&field(name)).map(|_| format!("{}-error", field(name)));
        let what = if test.attribute.is_empty() { "this condition" } else { &test.attribute };
        html! {
            input.mono list="attributes" id=(field("attribute")) name=(field("attribute")) value=(test.attribute)
                aria-label="Attribute" placeholder="attribute" autocomplete="off" autocapitalize="off" spellcheck="false"
                autofocus[focused("attribute")] aria-invalid=[self.wrong(&field("attribute"))] aria-describedby=[described("attribute")];
            select name=(field("operator")) aria-label={ "Operator for " (what) } aria-invalid=[self.wrong(&field("operator"))] {
                @for operator in OPERATORS {
                    option value=(operator.as_str()) selected[operator == test.operator] { (operator_name(operator)) }
                }
            }
            div.field.v {
                input.mono id=(field("values")) name=(field("values")) value=(test.values) aria-label={ "Values for " (what) }
                    placeholder=(if test.operator.takes_operands() { "values, by commas" } else { "no value needed" })
                    autocomplete="off" autocapitalize="off" spellcheck="false" autofocus[focused("values")]
                    aria-invalid=[self.wrong(&field("values")).or_else(|| self.wrong(id))] aria-describedby=[described("values")];
                (self.error(&field("attribute"))) (self.error(&field("operator"))) (self.error(&field("values"))) (self.error(id))
                input type="hidden" name=(field("as")) value=(test.shape.name());
            }
            span.acts {
                details.more open[test.ignore_case || test.strict] {
                    summary.icon aria-label={ "Options of " (test.describe()) } { (icon("more")) }
                    span.opts {
                        label.check { input type="checkbox" name=(field("ignoreCase")) value="on" checked[test.ignore_case]; "Ignore case" }
                        label.check title="A missing attribute fails, also under not equals, is none of …" {
                            input type="checkbox" name=(field("strict")) value="on" checked[test.strict]; "Missing never matches"
                        }
                    }
                }
                (self.op(Some("icon"), &format!("copy:{id}"), Some(&format!("Copy condition: {}", test.describe())), icon("copy")))
                (self.op(Some("icon"), &format!("remove:{id}"), Some(&format!("Remove condition: {}", test.describe())), icon("cross")))
            }
        }
    }

    fn segment(&self, form: &ConditionForm, id: &str, key: &str) -> Markup {
        let field = format!("{id}.segment");
        let known = self.segments.iter().any(|segment| segment == key);
        html! {
            span.s.m2 { "is in segment" }
            div.field.v {
                select.mono id=(field) name=(field) aria-label="Segment" autofocus[form.focus.as_deref() == Some(&field)]
                    aria-invalid=[self.wrong(&field).or_else(|| self.wrong(id))]
                    aria-describedby=[self.wrong(&field).map(|_| format!("{field}-error"))] {
                    @if key.is_empty() { option value="" { "choose…" } }
                    @else if !known { option value=(key) selected { (key) " (gone)" } }
                    @for segment in self.segments { option value=(segment) selected[segment == key] { (segment) } }
                }
                (self.error(&field)) (self.error(id))
            }
            span.acts {
                (self.op(Some("icon"), &format!("remove:{id}"), Some(&format!("Remove condition: in segment {key}")), icon("cross")))
            }
        }
    }

    fn flagr(&self, id: &str, property: &str, operator: &str, value: &str) -> Markup {
        html! {
            span.s.m2 { "Flagr" }
            code { (property) " " (operator) " " (value) }
            input type="hidden" name={ (id) ".property" } value=(property);
            input type="hidden" name={ (id) ".operator" } value=(operator);
            input type="hidden" name={ (id) ".value" } value=(value);
            span.acts {
                (self.op(Some("icon"), &format!("remove:{id}"), Some(&format!("Remove condition: {property} {operator} {value}")), icon("cross")))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::decode::{Node as Json, Problems};

    fn parse(json: &str) -> Condition {
        let mut problems = Problems::default();
        let condition = Condition::decode(&Json::parse(json).expect("JSON"), &mut problems);
        condition.unwrap_or_else(|| panic!("{json}: {:?}", problems.invalid))
    }

    /// What a browser would post for a page.
    fn fields(form: &ConditionForm) -> Typed {
        fn walk(node: &Node, parent: &str, out: &mut Vec<(String, String)>) {
            let mut put =
                |name: &str, value: &str| out.push((format!("{}.{name}", node.id), value.to_owned()));
            match &node.part {
                Part::Group(group) => {
                    put("kind", group.kind.name());
                    match group.kept {
                        Kept::Bare if group.parts.len() == 1 => put("as", "bare"),
                        Kept::Empty if group.parts.is_empty() => put("as", "empty"),
                        _ => {}
                    }
                }
                Part::Test(test) => {
                    put("attribute", &test.attribute);
                    put("operator", test.operator.as_str());
                    put("values", &test.values);
                    put("as", test.shape.name());
                    if test.ignore_case {
                        put("ignoreCase", "on");
                    }
                    if test.strict {
                        put("strict", "on");
                    }
                }
                Part::Segment(key) => put("segment", key),
                Part::Flagr { property, operator, value } => {
                    put("property", property);
                    put("operator", operator);
                    put("value", value);
                }
            }
            if !parent.is_empty() {
                out.push(("node".into(), format!("{parent}:{}", node.id)));
            }
            if let Part::Group(group) = &node.part {
                group.parts.iter().for_each(|part| walk(part, &node.id, out));
            }
        }
        let mut out = Vec::new();
        walk(&form.root, "", &mut out);
        Typed::posted(out)
    }

    fn round(condition: Option<&Condition>) -> Option<Condition> {
        let read = ConditionForm::posted(&fields(&ConditionForm::of(condition))).read("when");
        assert!(read.problems.is_empty(), "{:?}", read.problems);
        read.condition
    }

    #[test]
    fn a_condition_survives_the_form() {
        assert_eq!(round(None), None);
        for json in [
            r#"{"all": []}"#,
            r#"{"any": []}"#,
            r#"{"not": {"any": []}}"#,
            r#"{"not": {"all": []}}"#,
            r#"{"attribute": "country", "operator": "equals", "value": "DE"}"#,
            r#"{"attribute": "country", "operator": "in", "value": "DE"}"#,
            r#"{"attribute": "country", "operator": "equals", "values": ["DE"]}"#,
            r#"{"attribute": "n", "operator": "in", "values": []}"#,
            r#"{"attribute": "n", "operator": "in", "values": [1, "1", 1.50, -2e3, true, "true", "", " a ", "a,b", "\"q\"", "x\ny", "null"]}"#,
            r#"{"attribute": "n", "operator": "greater_than", "value": "10"}"#,
            r#"{"attribute": "v", "operator": "semver_gte", "value": "118"}"#,
            r#"{"attribute": "v", "operator": "contains", "values": ["true", "7", "a\\b"]}"#,
            r#"{"attribute": "t", "operator": "before", "value": "2026-01-31T12:00:00Z"}"#,
            r#"{"attribute": "ip", "operator": "ip_in", "values": ["10.0.0.0/8", "::1"]}"#,
            r#"{"attribute": "u", "operator": "matches", "value": "^a{1,2}, \"b\" $"}"#,
            r#"{"attribute": "u", "operator": "matches", "value": "\"a"}"#,
            r#"{"attribute": "u", "operator": "matches", "values": ["a{1,2}", "b"]}"#,
            r#"{"attribute": "u", "operator": "exists", "ignoreCase": true, "strict": true}"#,
            r#"{"segment": "beta"}"#,
            r#"{"not": {"segment": "beta"}}"#,
            r#"{"not": {"not": {"attribute": "x", "operator": "not_exists"}}}"#,
            r#"{"any": [{"all": [{"segment": "a"}, {"any": [{"segment": "b"}, {"not": {"any": [{"segment": "c"}]}}]}]}, {"all": [{"segment": "d"}]}]}"#,
        ] {
            let condition = parse(json);
            assert_eq!(round(Some(&condition)).as_ref(), Some(&condition), "{json}");
        }
    }

    #[test]
    fn every_study_survives_the_form() {
        fn walk(value: &serde_json::Value, seen: &mut usize) {
            match value {
                serde_json::Value::Object(map) => {
                    if let Some(when) = map.get("when").filter(|when| !when.is_null()) {
                        let condition = parse(&when.to_string());
                        assert_eq!(round(Some(&condition)), Some(condition));
                        *seen += 1;
                    }
                    map.values().for_each(|value| walk(value, seen));
                }
                serde_json::Value::Array(list) => list.iter().for_each(|value| walk(value, seen)),
                _ => {}
            }
        }
        let studies = include_str!("../../tests/data/browser-studies.json");
        let mut seen = 0;
        walk(&serde_json::from_str(studies).expect("JSON"), &mut seen);
        assert!(seen > 100, "{seen}");
    }

    #[test]
    fn buttons_change_the_tree() {
        let mut form = ConditionForm::of(None);
        assert!(form.apply("add:g0") && form.apply("group:g0") && form.apply("segment:g0"));
        let Part::Group(root) = &mut form.root.part else { panic!("a group") };
        let inner = root.parts[1].id.clone();
        if let Part::Test(test) = &mut root.parts[0].part {
            test.attribute = "country".into();
            test.values = "DE, FR".into();
        }
        let first = root.parts[0].id.clone();
        assert!(form.apply(&format!("copy:{first}")) && form.apply(&format!("add:{inner}")));
        let read = ConditionForm::posted(&fields(&form)).read("when");
        assert_eq!(read.problems.len(), 1, "the segment is not chosen: {:?}", read.problems);
        let Some(Condition::All(parts)) = read.condition else { panic!("all") };
        assert_eq!(parts.len(), 4);
        assert_eq!(parts[0], parts[1]);
        assert!(matches!(&parts[2], Condition::Any(inner) if inner.len() == 2));
        form.apply(&format!("remove:{inner}"));
        let Part::Group(root) = &form.root.part else { panic!("a group") };
        assert_eq!(root.parts.len(), 3);
        assert!(!form.apply("even"), "not ours");
    }

    #[test]
    fn removing_everything_is_everyone_and_an_empty_group_is_a_problem() {
        let mut form = ConditionForm::of(Some(&parse(r#"{"any": [{"all": [{"segment": "a"}]}]}"#)));
        form.apply("remove:c1");
        assert_eq!(form.read("when").problems.len(), 1);
        form.apply("remove:g2");
        assert_eq!(form.read("when").condition, None);
    }

    #[test]
    fn problems_stand_beside_their_fields() {
        let json = r#"{"all": [{"segment": "a"}, {"not": {"any": [{"attribute": "ip", "operator": "equals", "values": ["1", "2"]}]}}, {"not": {"attribute": "x", "operator": "exists"}}]}"#;
        let form = ConditionForm::of(Some(&parse(json)));
        let read = form.read("when");
        let at = |path: &str| {
            let problem = FieldError { field: path.into(), message: "m".into() };
            read.place(vec![problem]).remove(0).field
        };
        let id = |id: &str| {
            read.places.iter().find(|(path, _)| path == id).map(|(_, id)| id.clone()).expect("there")
        };
        let leaf = id("when.all[1].not.any[0]");
        assert_eq!(at("when.all[1].not.any[0].values[1]"), format!("{leaf}.values"));
        assert_eq!(at("when.all[1].not.any[0].value"), format!("{leaf}.values"));
        assert_eq!(at("when.all[2].not.attribute"), format!("{}.attribute", id("when.all[2].not")));
        assert_eq!(at("name"), "name");
    }
}

//! Flagr's constraint language (flagr.md §6), compiled once for each rule. Knows nothing of segments or the
//! wire, and shares no operator with the native conditions: types, paths, tolerance and patterns all differ.

use regex::{Regex, RegexBuilder};

use super::context::{Attribute, Context, Path};
use super::number::Number;

/// Numbers nearer than this, also relatively, are equal. Relative to zero nothing is near.
const TOLERANCE: f64 = 1e-6;
/// A compiled pattern stays below this.
const PATTERN_BYTES: usize = 10 << 20;

#[derive(Clone, Copy, Debug)]
enum Test {
    Equal,
    Order(fn(f64, f64) -> bool),
    Regex,
    In,
    Contains,
}

/// One constraint of the Flagr door, compiled. Displays as the expression that was sent.
#[derive(Clone, Debug)]
pub struct Constraint {
    sent: Box<str>,
    property: Property,
    test: Test,
    wanted: bool,
    operand: Operand,
}

/// What a constraint compares with. Lists are sorted; a pattern that did not compile is `None`.
#[derive(Clone, Debug)]
enum Operand {
    One(Attribute<'static>),
    Texts(Box<[String]>),
    Numbers(Box<[f64]>),
    Pattern(Option<Regex>),
    Property(Property),
}

/// Why a constraint has no answer: "no match" to the walk, whatever the operator; a text for the debug log.
#[derive(Clone, Copy, Debug)]
pub enum Unanswered {
    Missing,
    Types,
    Pattern,
}

impl std::fmt::Display for Constraint {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(&self.sent)
    }
}

impl std::fmt::Display for Unanswered {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(match self {
            Self::Missing => "argument not found, or null",
            Self::Types => "types that cannot be compared, or an empty or mixed list",
            Self::Pattern => "invalid regex pattern, or one that is too large",
        })
    }
}

impl Constraint {
    /// Compiles what was sent. The error is a sentence for the person who typed it. A value of the wrong type
    /// for the operator, or a bad regular expression, is no error here but whenever it is asked (§6.2).
    pub fn compile(property: &str, operator: &str, value: &str) -> Result<Self, String> {
        let test = match operator {
            "EQ" | "NEQ" => Test::Equal,
            "LT" => Test::Order(|a, b| a < b),
            "LTE" => Test::Order(|a, b| a < b || near(a, b)),
            "GT" => Test::Order(|a, b| a > b),
            "GTE" => Test::Order(|a, b| a > b || near(a, b)),
            "EREG" | "NEREG" => Test::Regex,
            "IN" | "NOTIN" => Test::In,
            "CONTAINS" | "NOTCONTAINS" => Test::Contains,
            _ => return Err(format!("not supported operator: {operator}")),
        };
        let sent = format!("({{{property}}} {operator} {value})").into();
        let property = Property::parse(property)
            .ok_or_else(|| format!("{property:?} is no property such as country, user.plan or tags[0]"))?;
        let operand = Operand::parse(test, value.trim())
            .map_err(|why| format!("{why}. Note: text and lists of text need quotes, as in \"DE\""))?;
        Ok(Self { sent, property, test, wanted: !operator.starts_with('N'), operand })
    }

    /// Whether the constraint holds for this context.
    pub fn matches(&self, context: &Context<'_>) -> Result<bool, Unanswered> {
        let left = self.property.find(context)?;
        let found = match (&self.operand, left, self.test) {
            (Operand::One(right), ..) => compare(self.test, left, right)?,
            (Operand::Property(other), ..) => compare(self.test, left, other.find(context)?)?,
            (Operand::Pattern(Some(pattern)), Attribute::Text(text), _) => pattern.is_match(text),
            (Operand::Pattern(None), Attribute::Text(_), _) => return Err(Unanswered::Pattern),
            (Operand::Texts(texts), Attribute::Text(text), Test::In) => {
                texts.binary_search_by(|each| each.as_str().cmp(text)).is_ok()
            }
            (Operand::Numbers(numbers), Attribute::Number(number), Test::In) => {
                let at = numbers.partition_point(|each| *each < number.as_f64());
                numbers[at.saturating_sub(1)..].iter().take(2).any(|each| near(*each, number.as_f64()))
            }
            _ => return Err(Unanswered::Types),
        };
        Ok(found == self.wanted)
    }

    /// The attribute it reads: the name of a member of the context, without a path into it.
    pub fn property(&self) -> &str {
        self.property.root.as_str()
    }
}

/// Whether this may be the key of a flag or variant, or an entity type (§3.3).
pub fn valid_key(key: &str) -> bool {
    (1..=63).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_alphanumeric() || b"_-/.:".contains(&b))
}

fn compare(test: Test, left: &Attribute<'_>, right: &Attribute<'_>) -> Result<bool, Unanswered> {
    use Attribute::{Bool, List, Number, Text};
    match (test, left, right) {
        (Test::Equal, Text(left), Text(right)) => Ok(left == right),
        (Test::Equal, Number(left), Number(right)) => Ok(near(left.as_f64(), right.as_f64())),
        (Test::Equal, Bool(left), Bool(right)) => Ok(left == right),
        (Test::Order(holds), Number(left), Number(right)) => Ok(holds(left.as_f64(), right.as_f64())),
        (Test::Regex, Text(text), Text(pattern)) => Ok(sent_regex(pattern)?.is_match(text)),
        (Test::In, one, List(items)) | (Test::Contains, List(items), one)
            if !items.is_empty() && !matches!(one, Bool(_)) =>
        {
            items.iter().try_fold(false, |found, each| Ok(compare(Test::Equal, each, one)? || found))
        }
        _ => Err(Unanswered::Types),
    }
}

fn near(a: f64, b: f64) -> bool {
    let difference = (a - b).abs();
    a == b || difference <= TOLERANCE && difference / a.abs().max(b.abs()) < TOLERANCE
}

impl Operand {
    /// Reads a trimmed value. The error is the beginning of a sentence.
    fn parse(test: Test, value: &str) -> Result<Self, &'static str> {
        let inside = |open, close| value.strip_prefix(open)?.strip_suffix(close);
        let is_regex = matches!(test, Test::Regex);
        let text = if let Some(raw) = inside('"', '"').filter(|raw| is_regex && !raw.contains('/')) {
            raw.to_owned()
        } else if let Some(quoted) = value.strip_prefix('"') {
            unquoted(quoted).ok_or("the text has to end with its closing quote")?
        } else if let Some(raw) = inside('/', '/').filter(|raw| !raw.contains('/')) {
            raw.to_owned()
        } else if let Some(name) = inside('{', '}') {
            let property = Property::parse(name.trim());
            return property.map(Self::Property).ok_or("{ and } have to enclose the name of a property");
        } else if value.starts_with('[') {
            return list(value).ok_or("a list is of texts or of numbers, as in [\"DE\", \"AT\"] or [1, 2.5]");
        } else if value.eq_ignore_ascii_case("true") || value.eq_ignore_ascii_case("false") {
            return Ok(Self::One(Attribute::Bool(value.len() == 4)));
        } else {
            return number(value)
                .map(Self::One)
                .ok_or("the value is no text, number, boolean, list or property");
        };
        Ok(if is_regex {
            Self::Pattern(regex(&text, PATTERN_BYTES))
        } else {
            Self::One(Attribute::Text(text.into()))
        })
    }
}

/// A decimal number as Go reads it: also `.5` and `5.`, but no `inf`.
fn number(text: &str) -> Option<Attribute<'static>> {
    let decimal = text.bytes().all(|b| b.is_ascii_digit() || b"-+.eE".contains(&b)) && !text.starts_with('+');
    let number = text.parse().ok().filter(|number: &f64| decimal && number.is_finite())?;
    Some(Attribute::Number(Number::Float(number)))
}

fn list(text: &str) -> Option<Operand> {
    if let Ok(mut texts) = serde_json::from_str::<Box<[String]>>(text) {
        texts.sort_unstable();
        return (!texts.is_empty()).then_some(Operand::Texts(texts));
    }
    let mut numbers: Box<[f64]> = serde_json::from_str(text).ok()?;
    numbers.sort_unstable_by(f64::total_cmp);
    Some(Operand::Numbers(numbers))
}

/// The text of a quoted value, from after its opening quote. One bad escape, and all of it stays as it is.
fn unquoted(quoted: &str) -> Option<String> {
    let mut escaped = false;
    let (raw, tail) = quoted.split_once(|c| {
        let closing = c == '"' && !escaped;
        escaped = c == '\\' && !escaped;
        closing
    })?;
    let raw = Some(raw).filter(|raw| tail.is_empty() && !raw.contains('\n'))?;
    Some(unescaped(raw).unwrap_or_else(|| raw.to_owned()))
}

/// `None`: an escape that Go does not know. Bytes that are no UTF-8 are replaced: no context has them either.
fn unescaped(raw: &str) -> Option<String> {
    let mut bytes = Vec::with_capacity(raw.len());
    let mut rest = raw;
    while let Some((plain, escape)) = rest.split_once('\\') {
        bytes.extend_from_slice(plain.as_bytes());
        if let Some(at) = escape.chars().next().and_then(|letter| "\"\\abtnvfr".find(letter)) {
            bytes.push(b"\"\\\x07\x08\t\n\x0b\x0c\r"[at]);
            rest = &escape[1..];
            continue;
        }
        let (digits, radix) = match escape.bytes().next()? {
            b'x' => (1..3, 16),
            b'u' => (1..5, 16),
            b'U' => (1..9, 16),
            _ => (0..3, 8),
        };
        rest = escape.get(digits.end..)?;
        let digits = escape.get(digits).filter(|digits| !digits.starts_with('+'))?;
        let code = u32::from_str_radix(digits, radix).ok()?;
        match char::from_u32(code)? {
            c if escape.starts_with(['u', 'U']) => bytes.extend(c.to_string().bytes()),
            _ => bytes.push(u8::try_from(code).ok()?),
        }
    }
    bytes.extend_from_slice(rest.as_bytes());
    Some(String::from_utf8_lossy(&bytes).into_owned())
}

/// Where a value stands in the context: a member, and perhaps a way into it.
#[derive(Clone, Debug)]
struct Property {
    root: Path,
    steps: Box<[Step]>,
}

#[derive(Clone, Debug)]
enum Step {
    Member(Box<str>),
    Item(isize),
}

impl Property {
    fn parse(text: &str) -> Option<Self> {
        let parts = text.replace('[', ".[");
        let mut parts = parts.split('.');
        let root = parts.next()?;
        let step = |part: &str| match part.strip_prefix('[') {
            Some(item) => item.strip_suffix(']')?.parse().ok().map(Step::Item),
            None => is_identifier(part).then(|| Step::Member(part.into())),
        };
        let steps = parts.map(step).collect::<Option<Box<[Step]>>>()?;
        // After a hyphen Flagr also takes a number, as in `plan-2`, and then no path.
        let mut words = root.strip_prefix('@').unwrap_or(root).split('-').enumerate();
        let well_formed = words.all(|(at, word)| {
            let number = at > 0 && !word.is_empty() && word.bytes().all(|b| b.is_ascii_digit());
            (at == 0 || steps.is_empty()) && (number || is_identifier(word))
        });
        well_formed.then(|| Self { root: Path::new(root), steps })
    }

    /// What the context has there. A dot walks into an object and is never part of a name.
    fn find<'c>(&self, context: &'c Context<'_>) -> Result<&'c Attribute<'c>, Unanswered> {
        let step = |value: &'c Attribute<'c>, step: &Step| match (step, value) {
            (Step::Member(name), Attribute::Object(members)) => members.get(name),
            (Step::Item(at), Attribute::List(items)) => {
                let end = if *at < 0 { items.len() } else { 0 };
                items.get(end.checked_add_signed(*at)?)
            }
            _ => None,
        };
        let found = context.attribute(&self.root).and_then(|root| self.steps.iter().try_fold(root, step));
        found.filter(|value| !matches!(value, Attribute::Null)).ok_or(Unanswered::Missing)
    }
}

fn is_identifier(word: &str) -> bool {
    let starts = |c: char| c.is_alphabetic() || c == '_';
    word.starts_with(starts) && word.chars().all(|c| starts(c) || c.is_numeric())
}

/// Compiles a pattern in Go's dialect. `None`: it is none, or too large.
fn regex(pattern: &str, size: usize) -> Option<Regex> {
    RegexBuilder::new(&translated(pattern)?).size_limit(size).build().ok()
}

/// A pattern that the context brings is compiled whenever it is asked, so it has to be short and small, with no
/// flag beside a class: folding the case of a large class takes milliseconds.
fn sent_regex(pattern: &str) -> Result<Regex, Unanswered> {
    let costly = pattern.len() > 256 || pattern.contains("(?") && pattern.contains(['[', '\\']);
    Some(pattern).filter(|_| !costly).and_then(|pattern| regex(pattern, 1 << 16)).ok_or(Unanswered::Pattern)
}

/// Go's pattern in the words of the `regex` crate, whose flags do not suffice: without Unicode `.` is a byte,
/// with it `\d` is more than ten digits; and here `{`, `\<` and, in a class, `[`, `&&`, `--` are more than text.
fn translated(pattern: &str) -> Option<String> {
    let mut out = String::with_capacity(pattern.len() * 2);
    let mut rest = pattern;
    while let Some(c) = rest.chars().next() {
        rest = &rest[c.len_utf8()..];
        match c {
            '\\' if rest.starts_with('Q') => {
                let (quoted, tail) = rest[1..].split_once("\\E").unwrap_or((&rest[1..], ""));
                out.push_str(&regex::escape(quoted));
                rest = tail;
            }
            '\\' if rest.starts_with(['b', 'B']) => {
                out.extend(["(?-u:\\", &rest[..1], ")"]);
                rest = &rest[1..];
            }
            '\\' => (_, rest) = escape(rest, &mut out)?,
            '[' => rest = class(rest, &mut out)?,
            '{' if !rest.starts_with(|c: char| c.is_ascii_digit()) => out.push_str("\\{"),
            _ => out.push(c),
        }
    }
    Some(out)
}

/// What follows a backslash, in and outside a class: whether it is a set of characters, and the rest.
fn escape<'a>(text: &'a str, out: &mut String) -> Option<(bool, &'a str)> {
    let kind = text.chars().next()?;
    let mut tail = &text[kind.len_utf8()..];
    match kind {
        'd' => out.push_str("[0-9]"),
        'D' => out.push_str("[^0-9]"),
        'w' => out.push_str("[0-9A-Za-z_]"),
        'W' => out.push_str("[^0-9A-Za-z_]"),
        's' => out.push_str(r"[\t\n\f\r\x20]"),
        'S' => out.push_str(r"[^\t\n\f\r\x20]"),
        '<' | '>' => out.push(kind),
        'p' | 'P' | 'x' => {
            let braced = tail.starts_with('{').then(|| tail.find('}')).flatten();
            let length = braced.map_or(tail.chars().next()?.len_utf8(), |end| end + 1);
            out.extend(["\\", &text[..1 + length]]);
            tail = &tail[length..];
        }
        _ => out.extend(['\\', kind]),
    }
    Some(("dDwWsSpP".contains(kind), tail))
}

/// What follows `[`: the class up to its end.
fn class<'a>(text: &'a str, out: &mut String) -> Option<&'a str> {
    let (negation, mut rest) = text.split_at(usize::from(text.starts_with('^')));
    out.extend(["[", negation]);
    // Whether a range may begin at the last character, and whether one wants its end.
    let (mut first, mut low, mut high) = (true, false, false);
    while first || !rest.starts_with(']') {
        let c = rest.chars().next()?;
        let (plain, tail) = rest.split_at(c.len_utf8());
        let hyphen = low && c == '-' && !tail.starts_with(']');
        let is_set;
        (is_set, rest) = if c == '\\' {
            escape(tail, out)?
        } else if let Some((name, tail)) = rest.strip_prefix("[:").and_then(|name| name.split_once(":]")) {
            out.extend(["[:", name, ":]"]);
            (true, tail)
        } else {
            out.push_str(&if hyphen { plain.to_owned() } else { regex::escape(plain) });
            (false, tail)
        };
        (!is_set || !high).then_some(())?;
        (first, low, high) = (false, !is_set && !hyphen && !high, hyphen);
    }
    out.push(']');
    Some(&rest[1..])
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;

    fn vectors(section: &str) -> Vec<Value> {
        let file = include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/spec/flagr.json"));
        let file: Value = serde_json::from_str(file).expect("JSON");
        file.pointer(section).and_then(Value::as_array).expect("a section").clone()
    }

    fn compile(row: &Value) -> Result<Constraint, String> {
        let [property, operator, value] = ["property", "operator", "value"].map(|name| row[name].as_str());
        Constraint::compile(property.expect("text"), operator.expect("text"), value.expect("text"))
    }

    #[test]
    fn the_published_constraints_are_answered_or_refused_as_published() {
        for row in [vectors("/constraints"), vectors("/constraint_sets")].concat() {
            let constraints = row["constraints"].as_array().map_or(std::slice::from_ref(&row), Vec::as_slice);
            let json = row["context"].to_string();
            let outcome = Context::from_json(&json).map_or("error", |context| {
                let mut all = constraints.iter().map(|row| compile(row).expect("parses").matches(&context));
                let stop = all.find(|one| !matches!(one, Ok(true)));
                stop.map_or("match", |one| one.map_or("error", |_| "no-match"))
            });
            assert_eq!(outcome, row["outcome"], "{row}");
        }
        for row in vectors("/constraint_syntax_invalid") {
            assert!(compile(&row).is_err(), "{row}");
        }
    }

    #[test]
    fn keys_are_short_and_of_few_characters() {
        for (list, valid) in [("valid", true), ("invalid", false)] {
            let keys = vectors(&format!("/keys/flag_and_variant_key/{list}"));
            assert!(keys.iter().all(|key| valid_key(key.as_str().expect("text")) == valid), "{list}");
        }
    }

    #[test]
    fn patterns_are_read_as_go_reads_them() {
        for (pattern, found, other) in [
            (r"^[^\W\d]$", "a", "é"),
            (r"\s", "\u{c}", "\u{b}\u{a0}"),
            (r"^.\bb", "éb", "ab"),
            (r"^\Qa.b\E+\Q[", "a.bb[", "aabb["),
            (r"^a{,2}{$", "a{,2}{", "aa{"),
            (r"^[[&&~~a]+[+--]$", "&[~a,", "&[~a."),
            (r"^[^]a-]+$", "b", "-"),
            (r"^[[:alpha:]-]+[\d-z]+$", "a-b1-z", "ay"),
            (r"^\x41\x{e9}\pL\p{Lu}\_\<\z", "AéßÉ_<", "Aéßß_<"),
        ] {
            let regex = regex(pattern, PATTERN_BYTES).expect(pattern);
            assert!(regex.is_match(found) && !regex.is_match(other), "{pattern}");
        }
        for refused in ["(", r"(a)\1", r"[A-\d]", "(?=a)", r"[\b]", r"\C", "((a{1000}){1000}){1000}"] {
            assert!(regex(refused, PATTERN_BYTES).is_none(), "{refused}");
        }
    }

    proptest! {
        #[test]
        fn no_input_panics(
            property in r"[a@.\[\]0é-]{0,8}",
            value in r#"["\[/{]?([\\"xuU0-9a-f\[\]{}^:&~,.*?+()QEpdé-]{0,20}|\PC*)["\]/}]?"#,
            text in r#"[\\"xuU0-9a-f\[\]{}^:&~,.*?+()QEpdé-]{0,20}"#,
        ) {
            let context = serde_json::json!({"a": [[text], 0, {"a": -1e300}], "é": text}).to_string();
            let context = Context::from_json(&context).expect("JSON");
            for (operator, property) in [("EQ", &*property), ("EREG", "é"), ("NOTIN", "a[1]"), ("CONTAINS", "a[0]")] {
                let _ = Constraint::compile(property, operator, &value).map(|one| one.matches(&context).is_ok());
            }
        }
    }
}

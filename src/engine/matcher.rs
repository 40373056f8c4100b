//! Conditions as they run: operands parsed once, regular expressions and networks compiled, segments
//! inlined. Matching allocates nothing but where letter case is ignored.

use std::borrow::Cow;
use std::cmp::Ordering;
use std::collections::{HashMap, HashSet};
use std::net::IpAddr;
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net};
use regex::{Regex, RegexBuilder, RegexSet, RegexSetBuilder};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use super::condition::{Condition, Leaf, Operator, Scalar};
use super::context::{Attribute, Context, Path};
use super::flagr::Constraint;
use super::number::Number;
use super::version::{OwnedVersion, Version};

/// The regular expressions of one leaf may take this many bytes, compiled.
const REGEX_SIZE: usize = 1 << 20;
/// Above this many texts a leaf looks them up by hash.
const SCAN_LIMIT: usize = 8;

/// A moment, in nanoseconds since 1970 UTC.
pub type Nanos = i128;

/// Receives how each part of a condition came out, so that the explanation is made by the very code
/// that decides (design §4). [`Silent`] costs nothing.
pub trait Tracer {
    /// Look at every part, also when the result is already known.
    const THOROUGH: bool;
    fn leaf(&mut self, leaf: &Leaf, actual: Option<&Attribute<'_>>, result: bool);
    fn flagr(&mut self, constraint: &Constraint, outcome: &Result<bool, String>);
    fn open(&mut self, group: Group<'_>);
    fn close(&mut self, result: bool);
}

/// What a part of a condition is, for a [`Tracer`].
#[derive(Clone, Copy, Debug)]
pub enum Group<'a> {
    All,
    Any,
    Not,
    Segment(&'a str),
}

/// Traces nothing.
pub struct Silent;

impl Tracer for Silent {
    const THOROUGH: bool = false;
    fn leaf(&mut self, _: &Leaf, _: Option<&Attribute<'_>>, _: bool) {}
    fn flagr(&mut self, _: &Constraint, _: &Result<bool, String>) {}
    fn open(&mut self, _: Group<'_>) {}
    fn close(&mut self, _: bool) {}
}

/// A compiled condition.
#[derive(Debug)]
pub enum Matcher {
    All(Box<[Matcher]>),
    Any(Box<[Matcher]>),
    Not(Box<Matcher>),
    Leaf(Box<LeafMatcher>),
    Segment(Arc<SegmentMatcher>),
    Flagr(Box<Constraint>),
}

/// A compiled segment, shared by the conditions that ask for it.
#[derive(Debug)]
pub struct SegmentMatcher {
    pub key: Box<str>,
    pub matcher: Matcher,
    size: Size,
}

/// How much there is to a condition once its segments are written out.
#[derive(Clone, Copy, Debug)]
pub struct Size {
    pub parts: usize,
    pub depth: usize,
    pub reads_clock: bool,
    /// The answer, when it is the same for every context: `{"all": []}` and the like.
    pub constant: Option<bool>,
}

/// One compiled leaf.
#[derive(Debug)]
pub struct LeafMatcher {
    source: Arc<Leaf>,
    path: Path,
    test: Test,
    /// The attribute is `now` under `before` or `after`: absent, the clock answers.
    clock: bool,
    negative: bool,
    strict: bool,
    ignore_case: bool,
}

/// A positive test of one value.
#[derive(Debug)]
enum Test {
    Exists,
    Equals(Equals),
    Contains(Box<[Box<str>]>),
    StartsWith(Box<[Box<str>]>),
    EndsWith(Box<[Box<str>]>),
    Order(fn(Ordering) -> bool, Box<[Operand]>),
    Matches(Patterns),
    Semver(fn(Ordering) -> bool, Box<[OwnedVersion]>),
    Time(fn(Ordering) -> bool, Box<[Nanos]>),
    Ip(Box<[IpNet]>),
}

/// The operands of `matches`; several share one size limit.
#[derive(Debug)]
enum Patterns {
    One(Regex),
    Many(RegexSet),
}

impl Patterns {
    fn is_match(&self, text: &str) -> bool {
        match self {
            Self::One(pattern) => pattern.is_match(text),
            Self::Many(patterns) => patterns.is_match(text),
        }
    }
}

/// The operands of `equals` and `in`, by type.
#[derive(Debug, Default)]
struct Equals {
    texts: Texts,
    numbers: Vec<Number>,
    /// Operands given as text that are JSON numbers: a number equals them, a text compares as text.
    number_texts: Vec<Number>,
    is_true: bool,
    is_false: bool,
}

#[derive(Debug)]
enum Texts {
    Few(Box<[Box<str>]>),
    Many(HashSet<Box<str>>),
}

impl Default for Texts {
    fn default() -> Self {
        Self::Few(Box::default())
    }
}

impl Texts {
    fn contains(&self, text: &str) -> bool {
        match self {
            Self::Few(few) => few.iter().any(|one| **one == *text),
            Self::Many(many) => many.contains(text),
        }
    }

    fn is_empty(&self) -> bool {
        matches!(self, Self::Few(few) if few.is_empty())
    }
}

/// An operand of an ordering.
#[derive(Debug)]
enum Operand {
    Number(Number),
    /// Text, and the number it is where it is one.
    Text(Box<str>, Option<Number>),
}

/// What comparing one value with the operands says.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Verdict {
    Holds,
    Fails,
    /// The types cannot be compared: false for a positive operator, and for a strict leaf.
    Incomparable,
}

impl From<bool> for Verdict {
    fn from(holds: bool) -> Self {
        if holds { Self::Holds } else { Self::Fails }
    }
}

/// Checks one operand on write. The error says what was expected.
pub fn check_operand(operator: Operator, operand: &Scalar, ignore_case: bool) -> Result<(), String> {
    use Operator::*;
    let text = || text_of(operand).ok_or_else(|| "must be a string".to_owned());
    match operator {
        Equals | NotEquals | In | NotIn => Ok(()),
        Contains | NotContains | StartsWith | EndsWith => text().map(drop),
        GreaterThan | GreaterOrEqual | LessThan | LessOrEqual => ordered(operand, ignore_case).map(drop),
        Matches => text().and_then(|pattern| regex(pattern, ignore_case)).map(drop),
        SemverEq | SemverGt | SemverGte | SemverLt | SemverLte => text().and_then(version).map(drop),
        Before | After => text().and_then(moment).map(drop),
        IpIn => text().and_then(network).map(drop),
        Exists | NotExists => Err(format!("{} takes no value", operator.as_str())),
    }
}

/// Checks what the operands of a leaf, each fine by itself, are together.
pub fn check_leaf(leaf: &Leaf) -> Result<(), String> {
    match (leaf.operator, leaf.operands.as_slice()) {
        (Operator::Matches, operands @ [_, _, ..]) => patterns(operands, leaf.ignore_case).map(drop),
        _ => Ok(()),
    }
}

/// Compiles a condition. `segments` holds what is already compiled; the error names what is missing or
/// broken, and never happens for what was checked on write.
pub fn compile(
    condition: &Condition,
    segments: &HashMap<String, Arc<SegmentMatcher>>,
) -> Result<Matcher, String> {
    let list = |conditions: &[Condition]| each(conditions, |condition| compile(condition, segments));
    Ok(match condition {
        Condition::All(conditions) => Matcher::All(list(conditions)?),
        Condition::Any(conditions) => Matcher::Any(list(conditions)?),
        Condition::Not(inner) => Matcher::Not(compile(inner, segments)?.into()),
        Condition::Leaf(leaf) => Matcher::Leaf(compile_leaf(leaf)?.into()),
        Condition::Segment(key) => match segments.get(key) {
            Some(segment) => Matcher::Segment(segment.clone()),
            None => return Err(format!("segment {key} does not exist")),
        },
        Condition::Flagr { property, operator, value } => {
            Matcher::Flagr(Constraint::compile(property, operator, value)?.into())
        }
    })
}

fn compile_leaf(leaf: &Arc<Leaf>) -> Result<LeafMatcher, String> {
    use Operator::*;
    let operands = leaf.operands.as_slice();
    let folded = |text: &str| -> Box<str> { fold(text, leaf.ignore_case).into() };
    let texts = || read(operands, |text| Ok(folded(text)));
    let test = match leaf.operator {
        Exists | NotExists => Test::Exists,
        Equals | NotEquals | In | NotIn => Test::Equals(compile_equals(operands, folded)),
        Contains | NotContains => Test::Contains(texts()?),
        StartsWith => Test::StartsWith(texts()?),
        EndsWith => Test::EndsWith(texts()?),
        GreaterThan | GreaterOrEqual | LessThan | LessOrEqual => {
            let operands = each(operands, |operand| ordered(operand, leaf.ignore_case))?;
            Test::Order(ordering(leaf.operator), operands)
        }
        Matches => Test::Matches(patterns(operands, leaf.ignore_case)?),
        SemverEq | SemverGt | SemverGte | SemverLt | SemverLte => {
            Test::Semver(ordering(leaf.operator), read(operands, version)?)
        }
        Before | After => Test::Time(ordering(leaf.operator), read(operands, moment)?),
        IpIn => Test::Ip(read(operands, network)?),
    };
    Ok(LeafMatcher {
        path: Path::new(&leaf.attribute),
        clock: matches!(test, Test::Time(..)) && leaf.attribute == "now",
        negative: leaf.operator.is_negative(),
        strict: leaf.strict,
        ignore_case: leaf.ignore_case,
        test,
        source: leaf.clone(),
    })
}

/// Reads every operand as text of some kind.
fn read<T>(operands: &[Scalar], parse: impl Fn(&str) -> Result<T, String>) -> Result<Box<[T]>, String> {
    each(operands, |operand| parse(text_of(operand).ok_or("must be a string")?))
}

/// Makes something of each, in memory that fits from the start.
pub(crate) fn each<T, M, E>(all: &[T], mut make: impl FnMut(&T) -> Result<M, E>) -> Result<Box<[M]>, E> {
    let mut made = Vec::with_capacity(all.len());
    for one in all {
        made.push(make(one)?);
    }
    Ok(made.into())
}

fn ordered(operand: &Scalar, ignore_case: bool) -> Result<Operand, String> {
    let operand = match operand {
        Scalar::Number(text) => Number::parse(text).map(Operand::Number),
        Scalar::Text(text) => Some(Operand::Text(fold(text, ignore_case).into(), Number::parse(text))),
        Scalar::Bool(_) => None,
    };
    operand.ok_or_else(|| "must be a number or a string".to_owned())
}

fn version(text: &str) -> Result<OwnedVersion, String> {
    OwnedVersion::parse(text).ok_or_else(|| "must be a version such as 2.4.0".to_owned())
}

fn moment(text: &str) -> Result<Nanos, String> {
    parse_time(text).ok_or_else(|| "must be an RFC 3339 time such as 2026-01-31T12:00:00Z".to_owned())
}

fn network(text: &str) -> Result<IpNet, String> {
    parse_network(text).ok_or_else(|| "must be an address or a network such as 10.0.0.0/8".to_owned())
}

fn compile_equals(operands: &[Scalar], folded: impl Fn(&str) -> Box<str>) -> Equals {
    let mut equals = Equals::default();
    let mut texts: Vec<Box<str>> =
        Vec::with_capacity(operands.iter().filter(|operand| text_of(operand).is_some()).count());
    for operand in operands {
        match operand {
            Scalar::Text(text) => {
                equals.number_texts.extend(Number::parse(text));
                texts.push(folded(text));
            }
            Scalar::Number(text) => equals.numbers.extend(Number::parse(text)),
            Scalar::Bool(true) => equals.is_true = true,
            Scalar::Bool(false) => equals.is_false = true,
        }
    }
    equals.numbers.sort();
    equals.number_texts.sort();
    equals.texts = if texts.len() > SCAN_LIMIT {
        Texts::Many(texts.into_iter().collect())
    } else {
        Texts::Few(texts.into())
    };
    equals
}

fn ordering(operator: Operator) -> fn(Ordering) -> bool {
    use Operator::*;
    match operator {
        GreaterThan | SemverGt | After => Ordering::is_gt,
        GreaterOrEqual | SemverGte => Ordering::is_ge,
        LessThan | SemverLt | Before => Ordering::is_lt,
        LessOrEqual | SemverLte => Ordering::is_le,
        _ => Ordering::is_eq,
    }
}

fn text_of(operand: &Scalar) -> Option<&str> {
    match operand {
        Scalar::Text(text) => Some(text),
        _ => None,
    }
}

/// Text with its letter case set aside, letter by letter: a `Σ` folds the same wherever it stands, so that
/// what contains a text also contains it without case.
#[inline]
fn fold(text: &str, ignore_case: bool) -> Cow<'_, str> {
    if ignore_case { folded(text) } else { text.into() }
}

fn folded(text: &str) -> Cow<'_, str> {
    if text.is_ascii() {
        let has_upper = text.bytes().any(|byte| byte.is_ascii_uppercase());
        return if has_upper { text.to_ascii_lowercase().into() } else { text.into() };
    }
    let lower = text.chars().flat_map(char::to_lowercase);
    lower.map(|letter| if letter == 'ς' { 'σ' } else { letter }).collect::<String>().into()
}

fn regex(pattern: &str, ignore_case: bool) -> Result<Regex, String> {
    RegexBuilder::new(pattern)
        .case_insensitive(ignore_case)
        .size_limit(REGEX_SIZE)
        .dfa_size_limit(REGEX_SIZE)
        .build()
        .map_err(|error| regex_problem(&error))
}

fn patterns(operands: &[Scalar], ignore_case: bool) -> Result<Patterns, String> {
    if let [Scalar::Text(only)] = operands {
        return regex(only, ignore_case).map(Patterns::One);
    }
    RegexSetBuilder::new(read(operands, |pattern| Ok(pattern.to_owned()))?)
        .case_insensitive(ignore_case)
        .size_limit(REGEX_SIZE)
        .dfa_size_limit(REGEX_SIZE)
        .build()
        .map(Patterns::Many)
        .map_err(|error| regex_problem(&error))
}

fn regex_problem(error: &regex::Error) -> String {
    match error {
        regex::Error::CompiledTooBig(_) => "is too large a regular expression".to_owned(),
        other => format!("must be a regular expression: {}", last_line(&other.to_string())),
    }
}

fn last_line(text: &str) -> &str {
    text.lines().last().unwrap_or(text).trim_start_matches("error: ")
}

/// An RFC 3339 date-time, or a full-date, which is its midnight UTC.
pub fn parse_time(text: &str) -> Option<Nanos> {
    let time = if text.len() == 10 {
        let date = time::Date::parse(text, time::macros::format_description!("[year]-[month]-[day]")).ok()?;
        date.midnight().assume_utc()
    } else {
        // The parser takes any byte for the T.
        text.as_bytes().get(10).filter(|byte| byte.eq_ignore_ascii_case(&b'T'))?;
        OffsetDateTime::parse(text, &Rfc3339).ok()?
    };
    Some(time.unix_timestamp_nanos())
}

/// A network in CIDR form, host bits masked, or a plain address as a network of one. One of IPv4 addresses
/// written as IPv6 (`::ffff:10.0.0.0/104`) is that of the IPv4 addresses.
pub fn parse_network(text: &str) -> Option<IpNet> {
    let network: IpNet = match text.parse() {
        Ok(network) => network,
        Err(_) => text.parse::<IpAddr>().ok()?.into(),
    };
    let mapped = |network: &IpNet| {
        let IpNet::V6(network) = network else { return None };
        let length = network.prefix_len().checked_sub(96)?;
        Ipv4Net::new(network.addr().to_ipv4_mapped()?, length).ok().map(IpNet::V4)
    };
    Some(mapped(&network).unwrap_or(network).trunc())
}

/// Whether an address is in a network. An IPv4 address written as IPv6, as a socket for both families tells
/// it, is in the networks of either spelling.
fn is_in(network: &IpNet, address: &IpAddr) -> bool {
    network.contains(address) || network.contains(&address.to_canonical())
}

impl Matcher {
    /// Whether the condition holds for this context at this moment.
    #[inline]
    pub fn holds<T: Tracer>(&self, context: &Context<'_>, now: Nanos, tracer: &mut T) -> bool {
        // Most parts are leaves: they are worth inlining, the recursion is not.
        match self {
            Self::Leaf(leaf) => leaf.ask(context, now, tracer),
            other => other.decide(context, now, tracer),
        }
    }

    fn decide<T: Tracer>(&self, context: &Context<'_>, now: Nanos, tracer: &mut T) -> bool {
        let group = match self {
            Self::All(_) => Group::All,
            Self::Any(_) => Group::Any,
            Self::Not(_) => Group::Not,
            Self::Segment(segment) => Group::Segment(&segment.key),
            Self::Leaf(leaf) => return leaf.ask(context, now, tracer),
            Self::Flagr(constraint) => return ask_flagr(constraint, context, tracer),
        };
        tracer.open(group);
        let mut ask = |part: &Matcher| part.holds(context, now, tracer);
        let result = match self {
            // Every part is asked when somebody wants to know why, also after the one that decides.
            Self::All(parts) if T::THOROUGH => parts.iter().filter(|part| !ask(part)).count() == 0,
            Self::Any(parts) if T::THOROUGH => parts.iter().filter(|part| ask(part)).count() > 0,
            Self::All(parts) => parts.iter().all(ask),
            Self::Any(parts) => parts.iter().any(ask),
            Self::Not(inner) => !ask(inner),
            Self::Segment(segment) => ask(&segment.matcher),
            Self::Leaf(_) | Self::Flagr(_) => false,
        };
        tracer.close(result);
        result
    }

    /// Tells every attribute that is looked at, those of segments too; some more than once.
    pub fn attributes<'m>(&'m self, tell: &mut impl FnMut(&'m str)) {
        match self {
            Self::All(parts) | Self::Any(parts) => parts.iter().for_each(|part| part.attributes(tell)),
            Self::Not(inner) => inner.attributes(tell),
            Self::Leaf(leaf) => tell(leaf.path.as_str()),
            Self::Segment(segment) => segment.matcher.attributes(tell),
            Self::Flagr(constraint) => tell(constraint.attribute()),
        }
    }

    /// What it amounts to with its segments written out.
    pub fn size(&self) -> Size {
        let leaf = Size { parts: 1, depth: 1, reads_clock: false, constant: None };
        match self {
            Self::All(parts) => Size::group(parts, true),
            Self::Any(parts) => Size::group(parts, false),
            Self::Not(inner) => {
                let inner = inner.size();
                Size { constant: inner.constant.map(|constant| !constant), ..inner.wrapped() }
            }
            Self::Segment(segment) => segment.size.wrapped(),
            Self::Leaf(matcher) => Size { reads_clock: matcher.clock, ..leaf },
            Self::Flagr(_) => leaf,
        }
    }
}

impl Size {
    fn wrapped(self) -> Self {
        Self { parts: self.parts.saturating_add(1), depth: self.depth + 1, ..self }
    }

    /// A group that is `empty` when it has no parts, and when all its parts are.
    fn group(parts: &[Matcher], empty: bool) -> Self {
        let mut size = Self { parts: 1, depth: 1, reads_clock: false, constant: Some(empty) };
        for part in parts {
            let part = part.size();
            size.parts = size.parts.saturating_add(part.parts);
            size.depth = size.depth.max(part.depth + 1);
            size.reads_clock |= part.reads_clock;
            size.constant = match (size.constant, part.constant) {
                (Some(one), Some(other)) if one == other => Some(one),
                (Some(one), _) | (_, Some(one)) if one != empty => Some(one),
                _ => None,
            };
        }
        size
    }
}

impl SegmentMatcher {
    /// A segment with its size, taken once.
    pub fn new(key: &str, matcher: Matcher) -> Self {
        Self { key: key.into(), size: matcher.size(), matcher }
    }

    /// What its condition amounts to with its own segments written out.
    pub fn size(&self) -> Size {
        self.size
    }
}

fn ask_flagr<T: Tracer>(constraint: &Constraint, context: &Context<'_>, tracer: &mut T) -> bool {
    let outcome = constraint.matches(context);
    let result = matches!(outcome, Ok(true));
    if T::THOROUGH {
        tracer.flagr(constraint, &outcome.map_err(|error| error.to_string()));
    }
    result
}

impl LeafMatcher {
    #[inline]
    fn ask<T: Tracer>(&self, context: &Context<'_>, now: Nanos, tracer: &mut T) -> bool {
        let actual = context.attribute(&self.path);
        let result = self.holds(actual, context.text_only, now);
        tracer.leaf(&self.source, actual, result);
        result
    }

    fn holds(&self, actual: Option<&Attribute<'_>>, text_only: bool, now: Nanos) -> bool {
        let (negative, strict) = (self.negative, self.strict);
        match actual {
            None => match &self.test {
                Test::Time(wanted, times) if self.clock => times.iter().any(|time| wanted(now.cmp(time))),
                _ => negative && !strict,
            },
            Some(_) if matches!(self.test, Test::Exists) => !negative,
            Some(Attribute::List(items)) if negative && strict => {
                !items.is_empty() && items.iter().all(|item| self.verdict(item, text_only) == Verdict::Fails)
            }
            Some(Attribute::List(items)) => {
                items.iter().any(|item| self.verdict(item, text_only) == Verdict::Holds) != negative
            }
            Some(one) => match self.verdict(one, text_only) {
                Verdict::Holds => !negative,
                Verdict::Fails => negative,
                Verdict::Incomparable => negative && !strict,
            },
        }
    }

    /// Compares one value with the operands, as the positive twin of the operator.
    fn verdict(&self, actual: &Attribute<'_>, text_only: bool) -> Verdict {
        let text = match actual {
            Attribute::Text(text) => Some(text.as_ref()),
            _ => None,
        };
        match (&self.test, text) {
            (Test::Equals(equals), _) => equals.verdict(actual, text_only, self.ignore_case),
            (Test::Order(wanted, operands), _) => order(*wanted, operands, actual, self.ignore_case),
            (_, None) => Verdict::Incomparable,
            (Test::Contains(parts), Some(text)) => {
                let text = fold(text, self.ignore_case);
                parts.iter().any(|part| text.contains(&**part)).into()
            }
            (Test::StartsWith(parts), Some(text)) => {
                let text = fold(text, self.ignore_case);
                parts.iter().any(|part| text.starts_with(&**part)).into()
            }
            (Test::EndsWith(parts), Some(text)) => {
                let text = fold(text, self.ignore_case);
                parts.iter().any(|part| text.ends_with(&**part)).into()
            }
            (Test::Matches(patterns), Some(text)) => patterns.is_match(text).into(),
            (Test::Semver(wanted, operands), Some(text)) => match Version::parse(text) {
                Some(version) => {
                    operands.iter().any(|operand| wanted(version.compare(&operand.borrowed()))).into()
                }
                None => Verdict::Incomparable,
            },
            (Test::Time(wanted, times), Some(text)) => match parse_time(text) {
                Some(actual) => times.iter().any(|time| wanted(actual.cmp(time))).into(),
                None => Verdict::Incomparable,
            },
            (Test::Ip(networks), Some(text)) => match text.parse::<IpAddr>() {
                Ok(address) => networks.iter().any(|network| is_in(network, &address)).into(),
                Err(_) => Verdict::Incomparable,
            },
            (Test::Exists, Some(_)) => Verdict::Holds,
        }
    }
}

impl Equals {
    /// Without operands there is nothing that a value could not be compared with: none is equal.
    fn is_empty(&self) -> bool {
        self.texts.is_empty() && self.numbers.is_empty() && !self.is_true && !self.is_false
    }

    fn verdict(&self, actual: &Attribute<'_>, text_only: bool, ignore_case: bool) -> Verdict {
        match actual {
            Attribute::Text(text) => {
                if self.texts.contains(&fold(text, ignore_case)) {
                    return Verdict::Holds;
                }
                let mut comparable = !self.texts.is_empty() || self.is_empty();
                if !self.numbers.is_empty()
                    && let Some(number) = Number::parse(text)
                {
                    comparable = true;
                    if self.numbers.binary_search(&number).is_ok() {
                        return Verdict::Holds;
                    }
                }
                if text_only && (self.is_true || self.is_false) {
                    match text.as_ref() {
                        "true" if self.is_true => return Verdict::Holds,
                        "false" if self.is_false => return Verdict::Holds,
                        "true" | "false" => comparable = true,
                        _ => {}
                    }
                }
                if comparable { Verdict::Fails } else { Verdict::Incomparable }
            }
            Attribute::Number(number) => {
                if self.numbers.binary_search(number).is_ok()
                    || self.number_texts.binary_search(number).is_ok()
                {
                    Verdict::Holds
                } else if !self.numbers.is_empty() || !self.number_texts.is_empty() || self.is_empty() {
                    Verdict::Fails
                } else {
                    Verdict::Incomparable
                }
            }
            Attribute::Bool(value) => match (self.is_true, self.is_false) {
                (false, false) if !self.is_empty() => Verdict::Incomparable,
                (is_true, is_false) => (if *value { is_true } else { is_false }).into(),
            },
            Attribute::Null | Attribute::List(_) | Attribute::Object(_) => Verdict::Incomparable,
        }
    }
}

/// Numbers compare as numbers, also where one side is the text of one; two texts by code point.
fn order(
    wanted: fn(Ordering) -> bool,
    operands: &[Operand],
    actual: &Attribute<'_>,
    ignore_case: bool,
) -> Verdict {
    let mut verdict = Verdict::Incomparable;
    for operand in operands {
        let ordering = match (actual, operand) {
            (Attribute::Number(actual), Operand::Number(operand) | Operand::Text(_, Some(operand))) => {
                Some(actual.cmp(operand))
            }
            (Attribute::Text(actual), Operand::Number(operand)) => {
                Number::parse(actual).map(|actual| actual.cmp(operand))
            }
            (Attribute::Text(actual), Operand::Text(operand, _)) => {
                Some(fold(actual, ignore_case).as_ref().cmp(operand))
            }
            _ => None,
        };
        match ordering {
            Some(ordering) if wanted(ordering) => return Verdict::Holds,
            Some(_) => verdict = Verdict::Fails,
            None => {}
        }
    }
    verdict
}

#[cfg(test)]
mod tests;

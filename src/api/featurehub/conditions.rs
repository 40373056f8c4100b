//! Conditions in disjunctive form, each branch a list of attributes that must all match, as FeatureHub's
//! strategies have them (featurehub.md §5.3 and §12).

use super::regex;
use super::strategies::field;
use crate::engine::condition::{Condition, Leaf, Operator, Scalar};
use crate::engine::feature::Segment;
use crate::engine::matcher::{parse_network, parse_time};
use crate::engine::number::Number;

/// Branches of one rule.
const MAX_BRANCHES: usize = 32;
/// Numbers beyond this are not held exactly by clients.
const MAX_EXACT: f64 = 9_007_199_254_740_992.0;
/// Nanoseconds in a second.
const SECOND: i128 = 1_000_000_000;

/// One attribute of a strategy.
#[derive(Clone, Debug, PartialEq, serde::Serialize)]
pub struct Attribute {
    pub conditional: &'static str,
    #[serde(rename = "fieldName")]
    pub field: String,
    pub values: Vec<Scalar>,
    #[serde(rename = "type")]
    pub kind: &'static str,
}

impl Attribute {
    /// The attribute is one of these texts.
    pub fn equals(field: &str, values: Vec<Scalar>) -> Self {
        Self { conditional: "EQUALS", field: field.into(), values, kind: "STRING" }
    }
}

/// Any of these, of which each is all of those: `[]` is false, `[[]]` is true.
pub type Branches = Vec<Vec<Attribute>>;

/// The condition in disjunctive form, or why FeatureHub's clients cannot evaluate it.
pub fn branches(condition: &Condition, segments: &[Segment]) -> Result<Branches, String> {
    write_out(condition, false, segments)
}

fn write_out(condition: &Condition, negated: bool, segments: &[Segment]) -> Result<Branches, String> {
    let parts = |list: &[Condition]| -> Result<Vec<Branches>, String> {
        list.iter().map(|part| write_out(part, negated, segments)).collect()
    };
    match condition {
        Condition::Not(inner) => write_out(inner, !negated, segments),
        Condition::All(list) if negated => any(parts(list)?),
        Condition::All(list) => all(parts(list)?),
        Condition::Any(list) if negated => all(parts(list)?),
        Condition::Any(list) => any(parts(list)?),
        Condition::Segment(key) => {
            let segment = segments.iter().find(|segment| segment.key == *key);
            let segment = segment.ok_or_else(|| format!("the segment {key} does not exist"))?;
            write_out(&segment.conditions, negated, segments)
                .map_err(|why| format!("segment “{}”: {why}", segment.name))
        }
        Condition::Flagr { property, .. } => Err(format!("the condition on “{property}” is one of Flagr's")),
        Condition::Leaf(leaf) => one(leaf, negated),
    }
}

fn too_many() -> String {
    format!("written as alternatives, its condition has more than {MAX_BRANCHES}")
}

fn any(parts: Vec<Branches>) -> Result<Branches, String> {
    let mut branches = Branches::new();
    for branch in parts.into_iter().flatten() {
        if branch.is_empty() {
            return Ok(vec![Vec::new()]);
        }
        if !branches.contains(&branch) {
            branches.push(branch);
        }
    }
    if branches.len() > MAX_BRANCHES { Err(too_many()) } else { Ok(branches) }
}

fn all(parts: Vec<Branches>) -> Result<Branches, String> {
    if parts.iter().any(Vec::is_empty) {
        return Ok(Vec::new());
    }
    let mut branches: Branches = vec![Vec::new()];
    for part in parts {
        if branches.len() * part.len() > MAX_BRANCHES {
            return Err(too_many());
        }
        let joined = branches.iter().flat_map(|before| {
            part.iter().map(move |branch| {
                let mut whole = before.clone();
                whole.extend(branch.iter().filter(|one| !before.contains(one)).cloned());
                whole
            })
        });
        branches = joined.collect();
    }
    Ok(branches)
}

/// One leaf: a branch for each type of its operands.
fn one(leaf: &Leaf, negated: bool) -> Result<Branches, String> {
    use Operator::*;
    let name = format!("“{} {}”", leaf.attribute, leaf.operator.as_str());
    let fail = |why: &str| Err(format!("{name} {why}"));
    if leaf.ignore_case {
        return fail("ignores letter case, which FeatureHub's clients do not");
    }
    let missing = "also holds where the attribute is missing, which FeatureHub's clients never let match";
    // Turned around, an operator that holds for a missing attribute is its positive twin.
    let operator = match (leaf.operator, negated) {
        (Exists | NotExists, _) => return fail("has no counterpart at FeatureHub"),
        (NotEquals | NotIn, true) if !leaf.strict => Equals,
        (NotContains, true) if !leaf.strict => Contains,
        (NotEquals | NotIn | NotContains, false) if !leaf.strict => {
            return fail(&format!("{missing}; make it strict"));
        }
        (_, true) => return fail(&format!("under a NOT {missing}")),
        (operator, false) => operator,
    };
    let operands = leaf.operands.as_slice();
    let attribute = |conditional, kind, values: Vec<Scalar>| {
        let field = field(&leaf.attribute).into_owned();
        (!values.is_empty()).then(|| vec![Attribute { conditional, field, values, kind }])
    };
    let single = |conditional, kind, values| Ok(attribute(conditional, kind, values).into_iter().collect());
    let texts = || operands.to_vec();
    match operator {
        Equals | In => typed(operands, "EQUALS", attribute).map_err(|why| format!("{name} {why}")),
        NotEquals | NotIn => {
            let branches = typed(operands, "NOT_EQUALS", attribute).map_err(|why| format!("{name} {why}"))?;
            match branches.len() {
                1 => Ok(branches),
                0 => fail("has no values, so it holds for whatever is there, which FeatureHub cannot say"),
                _ => fail("has values of several types"),
            }
        }
        Contains => single("INCLUDES", "STRING", texts()),
        NotContains if operands.is_empty() => {
            fail("has no values, so it holds for whatever is there, which FeatureHub cannot say")
        }
        NotContains => single("EXCLUDES", "STRING", texts()),
        StartsWith => single("STARTS_WITH", "STRING", texts()),
        EndsWith => single("ENDS_WITH", "STRING", texts()),
        GreaterThan | GreaterOrEqual | LessThan | LessOrEqual => {
            let conditional = match operator {
                GreaterThan => "GREATER",
                GreaterOrEqual => "GREATER_EQUALS",
                LessThan => "LESS",
                _ => "LESS_EQUALS",
            };
            typed(operands, conditional, attribute).map_err(|why| format!("{name} {why}"))
        }
        Matches => {
            let read = |pattern: &str| regex::shared(pattern).map_err(|why| format!("{name}: {why}"));
            single("REGEX", "STRING", converted(operands, read)?)
        }
        SemverEq | SemverGt | SemverGte | SemverLt | SemverLte => {
            let conditional = match operator {
                SemverEq => "EQUALS",
                SemverGt => "GREATER",
                SemverGte => "GREATER_EQUALS",
                SemverLt => "LESS",
                _ => "LESS_EQUALS",
            };
            let read = |text: &str| {
                three_parts(text)
                    .ok_or_else(|| format!("{name}: {text} is no version of at most three parts"))
            };
            single(conditional, "SEMANTIC_VERSION", converted(operands, read)?)
        }
        Before | After => {
            if leaf.attribute != "now" && leaf.attribute.eq_ignore_ascii_case("now") {
                return fail("reads the clock at FeatureHub, whose clients take any spelling of “now”");
            }
            let read = |text: &str| {
                let why =
                    || format!("{name}: {text} is finer than the seconds that FeatureHub's clients compare");
                parse_time(text).and_then(seconds).ok_or_else(why)
            };
            let conditional = if operator == Before { "LESS" } else { "GREATER" };
            single(conditional, "DATETIME", converted(operands, read)?)
        }
        IpIn => {
            let read = |text: &str| {
                let network = parse_network(text).ok_or_else(|| format!("{name}: {text} is no network"))?;
                let whole = network.prefix_len() == network.max_prefix_len();
                Ok(if whole { network.addr().to_string() } else { network.to_string() })
            };
            single("EQUALS", "IP_ADDRESS", converted(operands, read)?)
        }
        Exists | NotExists => fail("has no counterpart at FeatureHub"),
    }
}

/// A branch for each type among the operands. A BOOLEAN is compared with one value only.
fn typed(
    operands: &[Scalar],
    conditional: &'static str,
    attribute: impl Fn(&'static str, &'static str, Vec<Scalar>) -> Option<Vec<Attribute>>,
) -> Result<Branches, String> {
    let (mut texts, mut numbers, mut words) = (Vec::new(), Vec::new(), Vec::new());
    for operand in operands {
        match operand {
            Scalar::Text(_) => texts.push(operand.clone()),
            Scalar::Number(text) => {
                let size = Number::parse(text).map(|number| number.as_f64().abs());
                if !size.is_some_and(|size| size == 0.0 || (1e-6..MAX_EXACT).contains(&size)) {
                    return Err(format!(
                        "has the number {text}, which FeatureHub's clients cannot hold exactly"
                    ));
                }
                numbers.push(operand.clone());
            }
            Scalar::Bool(_) if words.contains(operand) => {}
            Scalar::Bool(_) => words.push(operand.clone()),
        }
    }
    let words = words.into_iter().map(|word| ("BOOLEAN", vec![word]));
    let all = [("STRING", texts), ("NUMBER", numbers)].into_iter().chain(words);
    Ok(all.filter_map(|(kind, values)| attribute(conditional, kind, values)).collect())
}

fn converted(
    operands: &[Scalar],
    read: impl Fn(&str) -> Result<String, String>,
) -> Result<Vec<Scalar>, String> {
    operands
        .iter()
        .map(|operand| match operand {
            Scalar::Text(text) => read(text).map(Scalar::Text),
            Scalar::Number(_) | Scalar::Bool(_) => Err("a value is no text".into()),
        })
        .collect()
}

/// A version with exactly three numbers, which is what clients compare; build metadata says nothing.
fn three_parts(text: &str) -> Option<String> {
    let text = text.split('+').next()?;
    let (numbers, pre_release) = match text.split_once('-') {
        Some((numbers, pre_release)) => (numbers, Some(pre_release)),
        None => (text, None),
    };
    let mut parts: Vec<u64> = numbers.split('.').map(|part| part.parse().ok()).collect::<Option<_>>()?;
    if parts.len() > 3 {
        return None;
    }
    parts.resize(3, 0);
    let numbers = format!("{}.{}.{}", parts[0], parts[1], parts[2]);
    Some(match pre_release {
        Some(pre_release) => format!("{numbers}-{pre_release}"),
        None => numbers,
    })
}

/// A moment as clients write it. `None` where it has fractions of a second.
fn seconds(nanos: i128) -> Option<String> {
    if nanos % SECOND != 0 {
        return None;
    }
    let moment = time::OffsetDateTime::from_unix_timestamp_nanos(nanos).ok()?;
    let format = time::macros::format_description!("[year]-[month]-[day]T[hour]:[minute]:[second]Z");
    (0..=9999).contains(&moment.year()).then(|| moment.format(&format).ok())?
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;
    use crate::engine::decode::{Node, Problems};

    fn read(condition: &Value) -> Condition {
        let text = condition.to_string();
        let mut problems = Problems::default();
        Condition::decode(&Node::parse(&text).expect("JSON"), &mut problems).expect("a condition")
    }

    fn written(condition: Value) -> Result<Value, String> {
        let segment = Segment {
            key: "nordic".into(),
            name: "Nordic".into(),
            conditions: read(&json!({"attribute": "country", "operator": "in", "values": ["SE", "NO"]})),
        };
        branches(&read(&condition), &[segment]).map(|branches| json!(branches))
    }

    fn leaf(attribute: &str, operator: &str, values: Value) -> Value {
        json!({"attribute": attribute, "operator": operator, "values": values})
    }

    fn strict(operator: &str, values: Value) -> Value {
        json!({"attribute": "a", "operator": operator, "values": values, "strict": true})
    }

    fn told(conditional: &str, field: &str, kind: &str, values: Value) -> Value {
        json!({"conditional": conditional, "fieldName": field, "values": values, "type": kind})
    }

    #[test]
    fn leaves_become_attributes() {
        for (condition, expected) in [
            (leaf("userId", "equals", json!(["u"])), told("EQUALS", "userkey", "STRING", json!(["u"]))),
            (leaf("a", "in", json!([1.50, 2])), told("EQUALS", "a", "NUMBER", json!([1.50, 2]))),
            (leaf("a", "equals", json!([true])), told("EQUALS", "a", "BOOLEAN", json!([true]))),
            (strict("not_in", json!(["x", "y"])), told("NOT_EQUALS", "a", "STRING", json!(["x", "y"]))),
            (leaf("a", "contains", json!(["x"])), told("INCLUDES", "a", "STRING", json!(["x"]))),
            (strict("not_contains", json!(["x"])), told("EXCLUDES", "a", "STRING", json!(["x"]))),
            (leaf("a", "starts_with", json!(["x"])), told("STARTS_WITH", "a", "STRING", json!(["x"]))),
            (leaf("a", "ends_with", json!(["x"])), told("ENDS_WITH", "a", "STRING", json!(["x"]))),
            (leaf("a", "greater_than", json!([5])), told("GREATER", "a", "NUMBER", json!([5]))),
            (leaf("a", "less_or_equal", json!(["m"])), told("LESS_EQUALS", "a", "STRING", json!(["m"]))),
            (
                leaf("now", "after", json!(["2026-01-31T12:00:00+01:00"])),
                told("GREATER", "now", "DATETIME", json!(["2026-01-31T11:00:00Z"])),
            ),
            (
                leaf("a", "before", json!(["2026-01-31"])),
                told("LESS", "a", "DATETIME", json!(["2026-01-31T00:00:00Z"])),
            ),
            (
                leaf("ip", "ip_in", json!(["10.2.3.4/24", "192.168.4.7", "2001:db8::1/32"])),
                told("EQUALS", "ip", "IP_ADDRESS", json!(["10.2.3.0/24", "192.168.4.7", "2001:db8::/32"])),
            ),
            (
                leaf("v", "semver_gte", json!(["2.4", "02.1.0+b"])),
                told("GREATER_EQUALS", "v", "SEMANTIC_VERSION", json!(["2.4.0", "2.1.0"])),
            ),
            (
                leaf("a", "matches", json!(["^go.d$"])),
                told("REGEX", "a", "STRING", json!([r"[\s\S]*(?:^go[^\n]d$)[\s\S]*"])),
            ),
        ] {
            assert_eq!(written(condition.clone()), Ok(json!([[expected]])), "{condition}");
        }
    }

    #[test]
    fn groups_become_alternatives() {
        let a = told("EQUALS", "a", "STRING", json!(["1"]));
        let b = told("EQUALS", "b", "STRING", json!(["1"]));
        let nordic = told("EQUALS", "country", "STRING", json!(["SE", "NO"]));
        let is = |name: &str| leaf(name, "equals", json!(["1"]));
        let not = |name: &str| leaf(name, "not_equals", json!(["1"]));
        for (condition, expected) in [
            (json!({"all": [is("a"), is("b")]}), json!([[a, b]])),
            (json!({"all": [is("a"), is("a")]}), json!([[a]])),
            (json!({"any": [is("a"), is("b"), is("a")]}), json!([[a], [b]])),
            (
                json!({"all": [{"any": [is("a"), is("b")]}, {"segment": "nordic"}]}),
                json!([[a, nordic], [b, nordic]]),
            ),
            (json!({"not": {"any": [not("a"), not("b")]}}), json!([[a, b]])),
            (json!({"not": {"all": [not("a"), not("b")]}}), json!([[a], [b]])),
            (json!({"not": {"not": is("a")}}), json!([[a]])),
            (json!({"all": []}), json!([[]])),
            (json!({"any": []}), json!([])),
            (json!({"all": [is("a"), {"any": []}]}), json!([])),
            (json!({"any": [is("a"), {"all": []}]}), json!([[]])),
            (leaf("a", "in", json!([])), json!([])),
            (
                leaf("a", "in", json!(["x", 1, true, false, true])),
                json!([
                    [told("EQUALS", "a", "STRING", json!(["x"]))],
                    [told("EQUALS", "a", "NUMBER", json!([1]))],
                    [told("EQUALS", "a", "BOOLEAN", json!([true]))],
                    [told("EQUALS", "a", "BOOLEAN", json!([false]))],
                ]),
            ),
        ] {
            assert_eq!(written(condition.clone()), Ok(expected), "{condition}");
        }
    }

    #[test]
    fn what_clients_would_say_otherwise_is_refused_with_the_reason() {
        let two = |name: &str| json!({"any": [leaf(name, "equals", json!(["1"])), leaf(name, "equals", json!([2]))]});
        let product: Vec<_> = (0..6).map(|at| two(&format!("a{at}"))).collect();
        let wide: Vec<_> = (0..33).map(|at| leaf("a", "equals", json!([at.to_string()]))).collect();
        for (condition, part) in [
            (leaf("a", "not_in", json!(["x"])), "make it strict"),
            (leaf("a", "not_contains", json!(["x"])), "make it strict"),
            (json!({"not": leaf("a", "equals", json!(["x"]))}), "under a NOT"),
            (json!({"not": strict("not_equals", json!(["x"]))}), "under a NOT"),
            (json!({"not": {"segment": "nordic"}}), "segment “Nordic”: “country in” under a NOT"),
            (json!({"attribute": "a", "operator": "exists"}), "no counterpart"),
            (json!({"not": {"attribute": "a", "operator": "not_exists"}}), "no counterpart"),
            (
                json!({"attribute": "a", "operator": "equals", "value": "x", "ignoreCase": true}),
                "letter case",
            ),
            (leaf("v", "semver_gt", json!(["1.2.3.4"])), "three parts"),
            (leaf("a", "before", json!(["2026-01-31T12:00:00.5Z"])), "seconds"),
            (leaf("NOW", "before", json!(["2026-01-31"])), "clock"),
            (leaf("a", "matches", json!([r"\d"])), "write [0-9]"),
            (strict("not_in", json!(["x", 1])), "several types"),
            (strict("not_in", json!([])), "no values"),
            (leaf("a", "equals", json!([9007199254740993_i64])), "hold exactly"),
            (json!({"all": product}), "more than 32"),
            (json!({"any": wide}), "more than 32"),
            (json!({"flagr": {"property": "age", "operator": "GT", "value": "18"}}), "Flagr"),
            (json!({"segment": "gone"}), "does not exist"),
        ] {
            let why = written(condition.clone()).expect_err("refused");
            assert!(why.contains(part), "{condition}: {why}");
        }
    }
}

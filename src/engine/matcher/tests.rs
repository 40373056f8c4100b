use super::Verdict::{Fails, Holds, Incomparable};
use std::fmt;

use super::*;
use crate::context::Members;
use crate::decode::{Node, Problems};

/// 2026-01-02T03:04:05Z, what the clock says in these tests.
const NOW: Nanos = 1_767_323_045_000_000_000;

/// Asks everything and keeps nothing.
struct Thorough;

impl Tracer for Thorough {
    const THOROUGH: bool = true;
    fn leaf(&mut self, _: &Leaf, _: Option<&Attribute<'_>>, _: bool) {}
    fn flagr(&mut self, _: &Constraint, _: &Result<bool, String>) {}
    fn open(&mut self, _: Group<'_>) {}
    fn close(&mut self, _: bool) {}
}

fn matcher(condition: &str) -> Matcher {
    let mut problems = Problems::default();
    let node = Node::parse(condition).expect(condition);
    let decoded = Condition::decode(&node, &mut problems);
    assert!(problems.is_empty(), "{condition}: {:?} {:?}", problems.invalid, problems.unknown);
    compile(&decoded.expect(condition), &HashMap::new()).expect(condition)
}

fn ask(matcher: &Matcher, context: &Context<'_>) -> bool {
    let result = matcher.holds(context, NOW, &mut Silent);
    assert_eq!(result, matcher.holds(context, NOW, &mut Thorough), "the trace disagrees");
    result
}

fn holds(condition: &str, context: &str) -> bool {
    ask(&matcher(condition), &Context::from_json(context).expect(context))
}

/// A leaf on `a`. `operands` is `"value": …` or `"values": […]`, `more` further members.
fn leaf(operator: &str, operands: &str, more: &str) -> String {
    let members =
        [operands, more].map(|part| if part.is_empty() { String::new() } else { format!(", {part}") });
    format!(r#"{{"attribute": "a", "operator": "{operator}"{}{}}}"#, members[0], members[1])
}

/// The operators that are exactly the negation of this one.
fn twins(operator: &str) -> &'static [&'static str] {
    match operator {
        "equals" | "in" => &["not_equals", "not_in"],
        "contains" => &["not_contains"],
        _ => &[],
    }
}

/// Checks how `attribute` compares with the operands: under the positive operator, under its negative
/// twins, and under both where the leaf is strict.
#[track_caller]
fn check(operator: &str, operands: &str, more: &str, attribute: &str, verdict: Verdict) {
    let context = format!(r#"{{"a": {attribute}}}"#);
    for strict in [false, true] {
        let more = match (more, strict) {
            ("", true) => r#""strict": true"#.to_owned(),
            (more, true) => format!(r#"{more}, "strict": true"#),
            (more, false) => more.to_owned(),
        };
        let condition = leaf(operator, operands, &more);
        assert_eq!(holds(&condition, &context), verdict == Holds, "{condition} {context}");
        for twin in twins(operator) {
            let condition = leaf(twin, operands, &more);
            let expected = if strict { verdict == Fails } else { verdict != Holds };
            assert_eq!(holds(&condition, &context), expected, "{condition} {context}");
        }
    }
}

impl fmt::Debug for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(match self {
            Holds => "holds",
            Fails => "fails",
            Incomparable => "incomparable",
        })
    }
}

#[test]
fn equality_is_typed_and_numbers_meet_their_texts() {
    for (operand, attribute, verdict) in [
        (r#""SE""#, r#""SE""#, Holds),
        (r#""SE""#, r#""NO""#, Fails),
        (r#""SE""#, r#""se""#, Fails),
        (r#""SE""#, r#""SEX""#, Fails),
        (r#""""#, r#""""#, Holds),
        (r#""""#, r#"" ""#, Fails),
        (r#""\u00e9""#, r#""é""#, Holds),
        (r#""e\u0301""#, r#""é""#, Fails),
        ("30", "30", Holds),
        ("30", "30.0", Holds),
        ("30.0", "3e1", Holds),
        ("30", "31", Fails),
        ("0", "-0.0", Holds),
        ("9007199254740993", "9007199254740993", Holds),
        ("9007199254740993", "9007199254740992", Fails),
        ("18446744073709551615", "18446744073709551615", Holds),
        ("30", r#""30""#, Holds),
        ("30", r#""30.0""#, Holds),
        ("30", r#""31""#, Fails),
        ("30", r#""030""#, Incomparable),
        ("30", r#"" 30""#, Incomparable),
        ("30", r#""+30""#, Incomparable),
        ("30", r#""abc""#, Incomparable),
        ("30", r#""""#, Incomparable),
        ("30", r#""1e999""#, Incomparable),
        (r#""30""#, "30", Holds),
        (r#""30.0""#, "30", Holds),
        (r#""30""#, "31", Fails),
        (r#""30""#, r#""30""#, Holds),
        (r#""30""#, r#""30.0""#, Fails),
        (r#""abc""#, "30", Incomparable),
        ("true", "true", Holds),
        ("true", "false", Fails),
        ("false", "false", Holds),
        ("false", "true", Fails),
        ("true", r#""true""#, Incomparable),
        ("true", "1", Incomparable),
        ("0", "false", Incomparable),
        (r#""true""#, "true", Incomparable),
        ("1", "{}", Incomparable),
        (r#""x""#, r#"{"x": "x"}"#, Incomparable),
    ] {
        for operator in ["equals", "in"] {
            check(operator, &format!(r#""value": {operand}"#), "", attribute, verdict);
            check(operator, &format!(r#""values": [{operand}]"#), "", attribute, verdict);
        }
    }
}

#[test]
fn any_of_several_values_will_do_and_one_comparable_is_enough() {
    let many = (0..40).map(|n| format!(r#""c{n}""#)).collect::<Vec<_>>().join(", ");
    for (operands, attribute, verdict) in [
        (r#"["SE", "NO"]"#, r#""NO""#, Holds),
        (r#"["SE", "NO"]"#, r#""DK""#, Fails),
        (r#"["SE", 5, true]"#, "5", Holds),
        (r#"["SE", 5, true]"#, "6", Fails),
        (r#"["SE", 5, true]"#, "true", Holds),
        (r#"["SE", 5, true]"#, "false", Fails),
        (r#"["SE", 5]"#, "true", Incomparable),
        (r#"[5, true]"#, r#""x""#, Incomparable),
        (r#"[3, 1, 2, "7"]"#, "7", Holds),
        (r#"[3, 1, 2]"#, r#""2""#, Holds),
        ("[true, false]", "false", Holds),
        // With nothing to compare with, nothing is equal and nothing is incomparable.
        ("[]", r#""x""#, Fails),
        ("[]", "5", Fails),
        ("[]", "true", Fails),
        ("[]", "{}", Incomparable),
    ] {
        check("in", &format!(r#""values": {operands}"#), "", attribute, verdict);
    }
    for n in 0..9 {
        let descending = r#""values": [8, 6, 7, 4, 5, 2, 3, 0, 1]"#;
        check("in", descending, "", &n.to_string(), Holds);
        let texts = r#""values": ["8", "6", "7", "4", "5", "2", "3", "0", "1"]"#;
        check("in", texts, "", &n.to_string(), Holds);
    }
    let many = format!(r#""values": [{many}, 7, "8"]"#);
    for (attribute, verdict) in [
        (r#""c0""#, Holds),
        (r#""c39""#, Holds),
        (r#""c40""#, Fails),
        (r#""C0""#, Fails),
        ("7", Holds),
        (r#""7""#, Holds),
        ("8", Holds),
        ("9", Fails),
    ] {
        check("in", &many, "", attribute, verdict);
    }
    check("in", &many, r#""ignoreCase": true"#, r#""C0""#, Holds);
}

#[test]
fn text_operators_take_text_only() {
    for (operator, operands, attribute, verdict) in [
        ("contains", r#""value": "bet""#, r#""a beta b""#, Holds),
        ("contains", r#""value": "Bet""#, r#""a beta b""#, Fails),
        ("contains", r#""value": """#, r#""""#, Holds),
        ("contains", r#""values": ["x", "beta"]"#, r#""beta""#, Holds),
        ("contains", r#""values": ["x", "y"]"#, r#""beta""#, Fails),
        ("contains", r#""values": []"#, r#""beta""#, Fails),
        ("contains", r#""values": []"#, "5", Incomparable),
        ("contains", r#""value": "5""#, "151", Incomparable),
        ("contains", r#""value": "rue""#, "true", Incomparable),
        ("contains", r#""value": "a""#, r#"{"a": "a"}"#, Incomparable),
        ("starts_with", r#""value": "user-""#, r#""user-9""#, Holds),
        ("starts_with", r#""value": "user-""#, r#""a user-9""#, Fails),
        ("starts_with", r#""value": "日""#, r#""日本""#, Holds),
        ("starts_with", r#""value": "1""#, "151", Incomparable),
        ("ends_with", r#""values": [".nz", "@acme.com"]"#, r#""bob@acme.com""#, Holds),
        ("ends_with", r#""values": [".nz", "@acme.com"]"#, r#""bob@acme.co""#, Fails),
        ("ends_with", r#""value": "1""#, "151", Incomparable),
        ("matches", r#""value": "go+gle""#, r#""a google b""#, Holds),
        ("matches", r#""value": "^google$""#, r#""a google b""#, Fails),
        ("matches", r#""value": "(?i)GOOGLE""#, r#""google""#, Holds),
        ("matches", r#""values": ["^x", "(?x) y # a comment"]"#, r#""ay""#, Holds),
        ("matches", r#""values": ["^x", "(?x) y # a comment"]"#, r#""ax""#, Fails),
        ("matches", r#""values": []"#, r#""a""#, Fails),
        ("matches", r#""value": "^$""#, r#""""#, Holds),
        ("matches", r#""value": "1""#, "151", Incomparable),
    ] {
        check(operator, operands, "", attribute, verdict);
    }
}

#[test]
fn ignoring_case_folds_every_letter_alike() {
    for (operator, operand, attribute, with, without) in [
        ("equals", r#""SE""#, r#""se""#, Holds, Fails),
        ("equals", r#""ÅSA""#, r#""åsa""#, Holds, Fails),
        ("equals", r#""ß""#, r#""ss""#, Fails, Fails),
        ("contains", r#""BET""#, r#""a beta b""#, Holds, Fails),
        ("starts_with", r#""User-""#, r#""USER-9""#, Holds, Fails),
        ("ends_with", r#""@Shop.Example""#, r#""mia@SHOP.example""#, Holds, Fails),
        ("matches", r#""^goo""#, r#""GOOGLE""#, Holds, Fails),
        // A sigma that ends a word has its own small letter, and only there.
        ("contains", r#""ΟΔΟΣ""#, r#""ΟΔΟΣΟΙ""#, Holds, Holds),
        ("equals", r#""ΟΔΟΣ""#, r#""οδος""#, Holds, Fails),
        ("less_than", r#""b""#, r#""A""#, Holds, Holds),
        ("greater_than", r#""B""#, r#""a""#, Fails, Holds),
        ("greater_than", "5", r#""6""#, Holds, Holds),
    ] {
        let operands = format!(r#""value": {operand}"#);
        check(operator, &operands, r#""ignoreCase": true"#, attribute, with);
        check(operator, &operands, r#""ignoreCase": false"#, attribute, without);
    }
}

#[test]
fn orderings_are_numeric_where_one_side_is_a_number_and_textual_between_texts() {
    use Ordering::{Equal, Greater, Less};
    // How the attribute stands to the operand; `None`: they cannot be compared.
    for (operand, attribute, ordering) in [
        ("18", "17", Some(Less)),
        ("18", "18.0", Some(Equal)),
        ("18", "18.5", Some(Greater)),
        ("9007199254740992", "9007199254740993", Some(Greater)),
        ("-1", "-1.5", Some(Less)),
        ("9", r#""10""#, Some(Greater)),
        ("9", r#""9.0""#, Some(Equal)),
        (r#""9""#, "10", Some(Greater)),
        (r#""9""#, r#""10""#, Some(Less)),
        (r#""b""#, r#""a""#, Some(Less)),
        (r#""a""#, r#""a""#, Some(Equal)),
        (r#""a""#, r#""Z""#, Some(Less)),
        (r#""a""#, r#""""#, Some(Less)),
        // By code point: UTF-16 would have it the other way round.
        (r#""\uff61""#, r#""😀""#, Some(Greater)),
        ("9", r#""ten""#, None),
        ("9", r#""""#, None),
        (r#""ten""#, "10", None),
        ("9", "true", None),
        (r#""a""#, "true", None),
        ("9", "{}", None),
    ] {
        for (operator, wanted) in [
            ("greater_than", Ordering::is_gt as fn(Ordering) -> bool),
            ("greater_or_equal", Ordering::is_ge),
            ("less_than", Ordering::is_lt),
            ("less_or_equal", Ordering::is_le),
        ] {
            let verdict = ordering.map_or(Incomparable, |ordering| wanted(ordering).into());
            check(operator, &format!(r#""value": {operand}"#), "", attribute, verdict);
            check(operator, &format!(r#""values": [{operand}]"#), "", attribute, verdict);
        }
    }
    check("greater_than", r#""values": [9, 2, "x"]"#, "", "5", Holds);
    check("greater_than", r#""values": [9, 7, "x"]"#, "", "5", Fails);
    check("less_than", r#""values": []"#, "", "5", Incomparable);
}

#[test]
fn versions_compare_by_precedence_and_only_texts_are_versions() {
    for (operator, operands, attribute, verdict) in [
        ("semver_eq", r#""value": "1.2""#, r#""1.2.0+build""#, Holds),
        ("semver_eq", r#""value": "1.2.0""#, r#""1.2.0-rc.1""#, Fails),
        ("semver_gt", r#""value": "143.1.87.77""#, r#""143.1.88""#, Holds),
        ("semver_gt", r#""value": "1.9.0""#, r#""1.10.0""#, Holds),
        ("semver_gt", r#""value": "1.10""#, r#""1.10""#, Fails),
        ("semver_gte", r#""value": "2.0.0-rc.2""#, r#""2.0.0-rc.11""#, Holds),
        ("semver_gte", r#""value": "2.0.0""#, r#""2.0.0-rc.11""#, Fails),
        ("semver_lt", r#""value": "2.0.0""#, r#""2.0.0-rc.11""#, Holds),
        ("semver_lt", r#""values": ["1.0", "3.0"]"#, r#""2.0""#, Holds),
        ("semver_lte", r#""value": "22.04""#, r#""22.4""#, Holds),
        ("semver_gte", r#""value": "151""#, "151", Incomparable),
        ("semver_gte", r#""value": "1.0.0""#, r#""v1.0.0""#, Incomparable),
        ("semver_gte", r#""value": "1.0.0""#, r#""""#, Incomparable),
    ] {
        check(operator, operands, "", attribute, verdict);
    }
}

#[test]
fn times_compare_as_moments() {
    for (operator, operand, attribute, verdict) in [
        ("before", "2026-01-02T10:00:00Z", r#""2026-01-02T09:59:59.999Z""#, Holds),
        ("before", "2026-01-02T10:00:00Z", r#""2026-01-02T10:00:00Z""#, Fails),
        ("after", "2026-01-02T10:00:00Z", r#""2026-01-02T10:00:00Z""#, Fails),
        ("after", "2026-01-02T10:00:00Z", r#""2026-01-02T11:30:00+01:00""#, Holds),
        ("before", "2026-01-02T10:00:00Z", r#""2026-01-02t10:30:00+01:00""#, Holds),
        ("after", "2026-01-02", r#""2026-01-02T00:00:00.000000001z""#, Holds),
        ("after", "2026-01-02", r#""2026-01-02""#, Fails),
        ("after", "2024-02-28", r#""2024-02-29""#, Holds),
        ("after", "2024-01-01", r#""2025-02-29""#, Incomparable),
        ("after", "2024-01-01", r#""2026-01-02 03:04:05Z""#, Incomparable),
        ("after", "2024-01-01", r#""2026-01-02x03:04:05Z""#, Incomparable),
        ("after", "2024-01-01", r#""2026-01-02T03:04:05""#, Incomparable),
        ("after", "2024-01-01", r#""2026-01-02T25:00:00Z""#, Incomparable),
        ("after", "2024-01-01", r#""2026-01-02T03:04Z""#, Incomparable),
        ("after", "2024-01-01", r#""2026-1-2""#, Incomparable),
        ("after", "2024-01-01", r#""yesterday.""#, Incomparable),
        ("after", "2024-01-01", r#""日本日""#, Incomparable),
        ("after", "2024-01-01", "1767323045", Incomparable),
        ("after", "2024-01-01", r#""""#, Incomparable),
    ] {
        check(operator, &format!(r#""value": "{operand}""#), "", attribute, verdict);
    }
}

#[test]
fn networks_hold_addresses_of_their_family() {
    for (operands, attribute, verdict) in [
        (r#"["10.0.0.0/8", "192.168.4.7"]"#, "10.255.1.1", Holds),
        (r#"["10.0.0.0/8", "192.168.4.7"]"#, "192.168.4.7", Holds),
        (r#"["10.0.0.0/8", "192.168.4.7"]"#, "192.168.4.8", Fails),
        (r#"["10.2.3.4/24"]"#, "10.2.3.9", Holds),
        (r#"["10.2.3.4/24"]"#, "10.2.4.9", Fails),
        (r#"["0.0.0.0/0"]"#, "1.2.3.4", Holds),
        (r#"["0.0.0.0/0"]"#, "::1", Fails),
        (r#"["::/0"]"#, "::1", Holds),
        (r#"["::/0"]"#, "1.2.3.4", Fails),
        (r#"["2001:db8::/32"]"#, "2001:DB8:0::1", Holds),
        (r#"["2001:db8::/32"]"#, "2001:db9::1", Fails),
        // One address in two spellings.
        (r#"["10.0.0.0/8"]"#, "::ffff:10.0.0.1", Holds),
        (r#"["10.0.0.0/8"]"#, "::ffff:11.0.0.1", Fails),
        (r#"["::ffff:10.0.0.0/104"]"#, "10.0.0.1", Holds),
        (r#"["::ffff:10.0.0.0/104"]"#, "::ffff:10.0.0.1", Holds),
        (r#"["::/0"]"#, "::ffff:10.0.0.1", Holds),
        (r#"["10.0.0.0/8"]"#, "junk", Incomparable),
        (r#"["10.0.0.0/8"]"#, "", Incomparable),
        (r#"["10.0.0.0/8"]"#, "10.0.0.0/8", Incomparable),
        (r#"["10.0.0.0/8"]"#, "010.0.0.1", Incomparable),
        (r#"["10.0.0.0/8"]"#, " 10.0.0.1", Incomparable),
    ] {
        let attribute = format!("{attribute:?}");
        check("ip_in", &format!(r#""values": {operands}"#), "", &attribute, verdict);
    }
    check("ip_in", r#""value": "10.0.0.0/8""#, "", "10", Incomparable);
}

/// Operands that suit the operator.
fn operands(operator: Operator) -> &'static str {
    use Operator::*;
    match operator {
        Exists | NotExists => "",
        SemverEq | SemverGt | SemverGte | SemverLt | SemverLte => r#""value": "1.2.3""#,
        Before | After => r#""value": "2026-01-02""#,
        IpIn => r#""value": "10.0.0.0/8""#,
        _ => r#""values": ["x", "y"]"#,
    }
}

#[test]
fn a_missing_attribute_fails_all_but_the_negative_operators_and_those_too_when_strict() {
    for &operator in Operator::ALL {
        for context in ["{}", r#"{"a": null}"#, r#"{"b": 1}"#] {
            for strict in [false, true] {
                let condition =
                    leaf(operator.as_str(), operands(operator), &format!(r#""strict": {strict}"#));
                let expected = operator.is_negative() && !strict;
                assert_eq!(holds(&condition, context), expected, "{condition} {context}");
            }
        }
    }
}

#[test]
fn existence_asks_for_anything_but_null() {
    for there in ["0", r#""""#, "false", "[]", "[null]", "{}"] {
        let context = format!(r#"{{"a": {there}}}"#);
        assert!(holds(&leaf("exists", "", ""), &context), "{there}");
        assert!(!holds(&leaf("not_exists", "", ""), &context), "{there}");
    }
}

#[test]
fn of_a_list_any_element_satisfies_and_every_element_must_be_free_of_it() {
    let x = r#""value": "x""#;
    // Elements; equals x; not_equals x; the same, strict.
    for (list, positive, negative, strict) in [
        (r#"["x"]"#, true, false, false),
        (r#"["w", "x"]"#, true, false, false),
        (r#"["w", "y"]"#, false, true, true),
        ("[]", false, true, false),
        (r#"["w", 5]"#, false, true, false),
        (r#"["w", null]"#, false, true, false),
        (r#"["x", null]"#, true, false, false),
        (r#"[["x"]]"#, false, true, false),
        (r#"[{"a": "x"}]"#, false, true, false),
    ] {
        let context = format!(r#"{{"a": {list}}}"#);
        assert_eq!(holds(&leaf("equals", x, ""), &context), positive, "{list}");
        assert_eq!(holds(&leaf("equals", x, r#""strict": true"#), &context), positive, "{list}");
        assert_eq!(holds(&leaf("not_equals", x, ""), &context), negative, "{list}");
        assert_eq!(holds(&leaf("not_equals", x, r#""strict": true"#), &context), strict, "{list}");
    }
    for (operator, operands, list) in [
        ("contains", r#""value": "et""#, r#"["x", "beta"]"#),
        ("starts_with", r#""value": "b""#, r#"[5, "beta"]"#),
        ("greater_than", r#""value": 5"#, r#"[1, "7"]"#),
        ("matches", r#""value": "^b""#, r#"["x", "beta"]"#),
        ("semver_gte", r#""value": "2.0""#, r#"["1.0", "nightly", "2.1"]"#),
        ("after", r#""value": "2026-01-01""#, r#"["2025-01-01", "2027-01-01"]"#),
        ("ip_in", r#""value": "10.0.0.0/8""#, r#"["1.1.1.1", "10.1.1.1"]"#),
    ] {
        assert!(holds(&leaf(operator, operands, ""), &format!(r#"{{"a": {list}}}"#)), "{operator}");
        assert!(!holds(&leaf(operator, operands, ""), r#"{"a": []}"#), "{operator}");
        assert!(!holds(&leaf(operator, operands, ""), r#"{"a": ["0", null, {}]}"#), "{operator}");
    }
}

#[test]
fn where_all_is_text_true_and_false_are_booleans_too() {
    let text_context = |value: &str| {
        let mut members = Members::default();
        members.insert("a", Attribute::Text(value.to_owned().into()));
        let mut context = Context::new(members);
        context.text_only = true;
        context
    };
    for (operator, operand, value, expected) in [
        ("equals", "true", "true", true),
        ("equals", "true", "false", false),
        ("equals", "false", "false", true),
        ("equals", "true", "TRUE", false),
        ("equals", r#""true""#, "true", true),
        ("not_equals", "true", "false", true),
        ("not_equals", "true", "true", false),
        ("not_equals", "true", "yes", false),
        ("equals", "5", "5.0", true),
        ("not_equals", "5", "five", false),
    ] {
        let strict = leaf(operator, &format!(r#""value": {operand}"#), r#""strict": true"#);
        assert_eq!(ask(&matcher(&strict), &text_context(value)), expected, "{strict} {value}");
    }
    let loose = leaf("not_equals", r#""value": true"#, "");
    assert!(ask(&matcher(&loose), &text_context("yes")));
}

#[test]
fn before_and_after_on_now_read_the_clock_unless_the_context_knows_better() {
    let on_now = |operator: &str, operand: &str| {
        format!(r#"{{"attribute": "now", "operator": "{operator}", "value": "{operand}"}}"#)
    };
    for (operator, operand, context, expected) in [
        ("after", "2026-01-02T03:04:04Z", "{}", true),
        ("after", "2026-01-02T03:04:05Z", "{}", false),
        ("before", "2026-01-02T03:04:06Z", "{}", true),
        ("before", "2026-01-02T03:04:05Z", "{}", false),
        ("after", "2026-01-01", r#"{"now": null}"#, true),
        ("after", "2026-01-01", r#"{"now": "2019-05-05"}"#, false),
        ("before", "2020-01-01", r#"{"now": "2019-05-05"}"#, true),
        ("after", "2026-01-01", r#"{"now": "soon"}"#, false),
        ("before", "2026-01-01", r#"{"now": 5}"#, false),
        ("after", "2026-01-01", r#"{"now": []}"#, false),
    ] {
        assert_eq!(holds(&on_now(operator, operand), context), expected, "{operator} {operand} {context}");
    }
    assert!(!holds(r#"{"attribute": "now", "operator": "exists"}"#, "{}"));
    assert!(!holds(r#"{"attribute": "then", "operator": "after", "value": "2000-01-01"}"#, "{}"));
    let reads = |condition: &str| matcher(condition).size().reads_clock;
    let clock = on_now("after", "2026-01-01");
    assert!(reads(&clock));
    assert!(reads(&format!(r#"{{"any": [{{"not": {{"all": [{clock}]}}}}]}}"#)));
    assert!(!reads(r#"{"attribute": "now", "operator": "exists"}"#));
    assert!(!reads(r#"{"attribute": "signup", "operator": "after", "value": "2026-01-01"}"#));
}

#[test]
fn groups_combine_and_empty_ones_are_what_they_are_called() {
    let yes = r#"{"attribute": "a", "operator": "equals", "value": 1}"#;
    let no = r#"{"attribute": "a", "operator": "equals", "value": 2}"#;
    for (condition, expected) in [
        (r#"{"all": []}"#.to_owned(), true),
        (r#"{"any": []}"#.to_owned(), false),
        (r#"{"not": {"all": []}}"#.to_owned(), false),
        (format!(r#"{{"all": [{yes}, {yes}]}}"#), true),
        (format!(r#"{{"all": [{yes}, {no}]}}"#), false),
        (format!(r#"{{"any": [{no}, {yes}]}}"#), true),
        (format!(r#"{{"any": [{no}, {no}]}}"#), false),
        (format!(r#"{{"not": {yes}}}"#), false),
        (format!(r#"{{"all": [{yes}, {{"not": {{"any": [{no}, {{"all": [{no}]}}]}}}}]}}"#), true),
    ] {
        assert_eq!(holds(&condition, r#"{"a": 1}"#), expected, "{condition}");
    }
}

#[test]
fn a_condition_that_no_context_changes_is_known_to_be_constant() {
    let yes = r#"{"attribute": "a", "operator": "exists"}"#;
    for (condition, constant) in [
        (r#"{"all": []}"#.to_owned(), Some(true)),
        (r#"{"any": []}"#.to_owned(), Some(false)),
        (r#"{"not": {"any": []}}"#.to_owned(), Some(true)),
        (r#"{"all": [{"all": []}, {"not": {"any": []}}]}"#.to_owned(), Some(true)),
        (format!(r#"{{"all": [{{"any": []}}, {yes}]}}"#), Some(false)),
        (format!(r#"{{"all": [{yes}, {{"any": []}}]}}"#), Some(false)),
        (format!(r#"{{"any": [{yes}, {{"all": []}}, {yes}]}}"#), Some(true)),
        (format!(r#"{{"all": [{{"all": []}}, {yes}]}}"#), None),
        (format!(r#"{{"any": [{yes}]}}"#), None),
        (yes.to_owned(), None),
    ] {
        assert_eq!(matcher(&condition).size().constant, constant, "{condition}");
    }
}

#[test]
fn operands_are_checked_on_write() {
    for (operator, operand, problem) in [
        ("contains", "5", "must be a string"),
        ("starts_with", "true", "must be a string"),
        ("greater_than", "true", "must be a number or a string"),
        ("semver_gte", r#""v1""#, "must be a version such as 2.4.0"),
        ("semver_gte", "1", "must be a string"),
        ("before", r#""tomorrow""#, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z"),
        ("after", "2026", "must be a string"),
        ("ip_in", r#""10.0.0.0/33""#, "must be an address or a network such as 10.0.0.0/8"),
        ("matches", r#""(""#, "must be a regular expression: unclosed group"),
        ("matches", r#""(a)\\1""#, "must be a regular expression: backreferences are not supported"),
        ("matches", r#""\\w{1000}{1000}""#, "is too large a regular expression"),
    ] {
        let mut problems = Problems::default();
        let condition = leaf(operator, &format!(r#""value": {operand}"#), "");
        let node = Node::parse(&condition).expect("JSON");
        assert!(Condition::decode(&node, &mut problems).is_none(), "{condition}");
        let found: Vec<_> = problems.invalid.iter().map(|p| (p.field.as_str(), p.message.as_str())).collect();
        assert_eq!(found, [("value", problem)], "{condition}");
    }
}

#[test]
fn the_patterns_of_a_leaf_share_one_size_limit() {
    let large = r#""\\w{20}""#;
    assert!(matches!(matcher(&leaf("matches", &format!(r#""value": {large}"#), "")), Matcher::Leaf(_)));
    let many = [large; 10].join(", ");
    let condition = leaf("matches", &format!(r#""values": [{many}]"#), "");
    let mut problems = Problems::default();
    Condition::decode(&Node::parse(&condition).expect("JSON"), &mut problems);
    let found: Vec<_> = problems.invalid.iter().map(|p| (p.field.as_str(), p.message.as_str())).collect();
    assert_eq!(found, [("values", "is too large a regular expression together")]);
}

//! YAML for people, JSON for the machine: site documents pass through here on their way in and out.
//! Knows the two notations, nothing of sites. Numbers stay text: a float would lose `1.50`.

use std::borrow::Cow;
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::ops::Range;

use saphyr_parser::{Event, Marker, Parser, ScalarStyle, StrInput, Tag};
use serde::de::{Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::value::RawValue;

/// Collections may be nested this deep, in either direction.
const MAX_DEPTH: usize = 128;
const TOO_DEEP: &str = "lists and mappings are nested more than 128 deep";
/// What aliases may add to a document. Without them, JSON is never eight times as long as its YAML.
const MAX_GROWTH: usize = if cfg!(test) { 1 << 20 } else { 64 << 20 };
/// A key may share its line with the `:` up to 1024 characters, quotes included; beyond, `?` announces it.
const MAX_SIMPLE_KEY: usize = 1000;

/// Why a document was refused, and where: line and column count from 1.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct YamlError {
    pub line: usize,
    pub column: usize,
    pub message: String,
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.message)
    }
}

impl std::error::Error for YamlError {}

/// One YAML document as compact JSON, by the core schema of YAML 1.2.2 §10.3: `no` and `on` are strings.
/// Members keep their order, numbers in JSON's grammar their text; a scalar key becomes its text.
/// Refuses what JSON cannot say (`.inf`, a list as a key) and what is likely a mistake (a key given
/// twice, a second document, a foreign tag).
pub fn to_json(yaml: &str) -> Result<String, YamlError> {
    let mut reader = Reader {
        events: Parser::new_from_str(yaml),
        at: Marker::default(),
        out: String::new(),
        max_len: MAX_GROWTH + 8 * yaml.len(),
        anchors: HashMap::new(),
    };
    match reader.document() {
        Ok(()) if reader.out.is_empty() => Ok("null".to_owned()),
        Ok(()) => Ok(reader.out),
        Err(message) => Err(YamlError { line: reader.at.line(), column: reader.at.col() + 1, message }),
    }
}

/// Writes JSON while the events arrive. When it fails, the message is about the place `at`.
struct Reader<'a> {
    events: Parser<'a, StrInput<'a>>,
    at: Marker,
    out: String,
    max_len: usize,
    /// By the number of the anchor; 0 stands for none, and no alias asks for it.
    anchors: HashMap<usize, Anchored<'a>>,
}

#[derive(Clone)]
enum Anchored<'a> {
    Scalar(Event<'a>),
    /// Where its JSON stands in `out`, and how many levels it nests.
    Collection(Range<usize>, usize),
}

impl<'a> Reader<'a> {
    fn next(&mut self) -> Result<Event<'a>, String> {
        let next = self.events.next_event().unwrap_or(Ok((Event::StreamEnd, Default::default())));
        self.at = next.as_ref().map_or_else(|e| *e.marker(), |(_, span)| span.start);
        next.map(|(event, _)| event).map_err(|e| e.info().to_owned())
    }

    fn document(&mut self) -> Result<(), String> {
        loop {
            match self.next()? {
                Event::StreamEnd => return Ok(()),
                Event::DocumentStart(_) if !self.out.is_empty() => {
                    return Err("a second document starts here, but only one is expected".to_owned());
                }
                Event::StreamStart | Event::DocumentStart(_) | Event::DocumentEnd => {}
                root => drop(self.node(root, 0)?),
            }
        }
    }

    /// Writes a node that stands inside `depth` collections; returns how many levels it nests itself.
    fn node(&mut self, event: Event<'a>, depth: usize) -> Result<usize, String> {
        let start = self.out.len();
        let (anchor, levels) = match event {
            Event::Scalar(ref text, style, anchor, ref tag) => {
                self.out.push_str(&resolve(text, style, tag.as_deref())?);
                self.anchors.insert(anchor, Anchored::Scalar(event));
                return Ok(0);
            }
            Event::Alias(id) => return self.alias(id, depth),
            _ if depth == MAX_DEPTH => return Err(TOO_DEEP.to_owned()),
            Event::SequenceStart(anchor, tag) => {
                check_tag(tag.as_deref(), &["seq"])?;
                (anchor, self.collection(['[', ']'], depth)?)
            }
            Event::MappingStart(anchor, tag) => {
                check_tag(tag.as_deref(), &["map"])?;
                (anchor, self.collection(['{', '}'], depth)?)
            }
            _ => return Err("a value is missing here".to_owned()),
        };
        self.anchors.insert(anchor, Anchored::Collection(start..self.out.len(), levels));
        Ok(levels)
    }

    fn alias(&mut self, id: usize, depth: usize) -> Result<usize, String> {
        match self.anchors.get(&id).cloned() {
            None => Err("this alias stands inside the collection it refers to".to_owned()),
            Some(Anchored::Scalar(scalar)) => {
                // A million leading zeros add one digit to `out`; reading them again must count as well.
                let read = if let Event::Scalar(text, ..) = &scalar { text.len() } else { 0 };
                self.max_len = self.max_len.saturating_sub(read);
                self.node(scalar, depth)
            }
            Some(Anchored::Collection(_, levels)) if depth + levels > MAX_DEPTH => Err(TOO_DEEP.to_owned()),
            Some(Anchored::Collection(json, levels)) => {
                self.out.extend_from_within(json);
                Ok(levels)
            }
        }
    }

    fn collection(&mut self, brackets: [char; 2], depth: usize) -> Result<usize, String> {
        let (mut levels, mut keys) = (1, HashSet::new());
        self.out.push(brackets[0]);
        let start = self.out.len();
        loop {
            let mut event = self.next()?;
            if matches!(event, Event::SequenceEnd | Event::MappingEnd) {
                self.out.push(brackets[1]);
                return Ok(levels);
            }
            if self.out.len() > start {
                self.out.push(',');
            }
            if brackets[0] == '{' {
                let key = self.key(event)?;
                self.out.push_str(&quote(&key));
                self.out.push(':');
                if let Some(key) = keys.replace(key) {
                    return Err(format!("the key {} is given twice in one mapping", quote(&key)));
                }
                event = self.next()?;
            }
            levels = levels.max(1 + self.node(event, depth + 1)?);
            if self.out.len() > self.max_len {
                return Err(format!("the aliases add more than {} MiB", MAX_GROWTH >> 20));
            }
        }
    }

    fn key(&mut self, mut event: Event<'a>) -> Result<Cow<'a, str>, String> {
        if let Event::Alias(id) = event
            && let Some(Anchored::Scalar(scalar)) = self.anchors.get(&id)
        {
            event = scalar.clone();
        }
        let Event::Scalar(ref text, style, anchor, ref tag) = event else {
            return Err("a mapping key must be a scalar, not a list or a mapping".to_owned());
        };
        if tag.is_some() {
            resolve(text, style, tag.as_deref())?;
        }
        let key = text.clone();
        self.anchors.insert(anchor, Anchored::Scalar(event));
        Ok(key)
    }
}

/// The core tag among `allowed`, or `!`, which forbids guessing and names no type.
fn check_tag<'t>(tag: Option<&Tag>, allowed: &[&'t str]) -> Result<Option<&'t str>, String> {
    let Some(tag) = tag else { return Ok(None) };
    let full = format!("{}{}", tag.handle, tag.suffix).replace("tag:yaml.org,2002:", "!!");
    if full == "!" {
        return Ok(Some("!"));
    }
    let known = allowed.iter().find(|name| full.strip_prefix("!!") == Some(name));
    known.copied().map(Some).ok_or_else(|| format!("the tag {full} is unknown or does not fit this value"))
}

/// The JSON text of a scalar.
fn resolve(text: &str, style: ScalarStyle, tag: Option<&Tag>) -> Result<String, String> {
    let tag = check_tag(tag, &["str", "null", "bool", "int", "float"])?;
    if matches!(tag, Some("!" | "str")) || (tag.is_none() && style != ScalarStyle::Plain) {
        return Ok(quote(text));
    }
    let (kind, json) = match text {
        "" | "~" | "null" | "Null" | "NULL" => ("null", "null".to_owned()),
        "true" | "True" | "TRUE" => ("bool", "true".to_owned()),
        "false" | "False" | "FALSE" => ("bool", "false".to_owned()),
        _ => match number(text)? {
            Some(json) if json.contains(['.', 'e', 'E']) => ("float", json),
            Some(json) => ("int", json),
            None => ("str", quote(text)),
        },
    };
    match tag {
        Some("float") if kind == "int" => Ok(json + ".0"),
        Some(tag) if tag != kind => Err(format!("{} is not a !!{tag}", quote(text))),
        _ => Ok(json),
    }
}

/// A number of the core schema as JSON: one in JSON's own grammar stays as it is, others lose a `+` or
/// leading zeros, gain a digit beside a bare point, or turn decimal.
fn number(text: &str) -> Result<Option<String>, String> {
    for (prefix, radix) in [("0x", 16), ("0o", 8)] {
        let digits = text.strip_prefix(prefix).unwrap_or_default();
        if !digits.is_empty() && digits.chars().all(|c| c.is_digit(radix)) {
            let value = u128::from_str_radix(digits, radix);
            return value.map(|n| Some(n.to_string())).map_err(|_| format!("{text} exceeds 128 bits"));
        }
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    if matches!(unsigned, ".inf" | ".Inf" | ".INF") || matches!(text, ".nan" | ".NaN" | ".NAN") {
        return Err(format!("JSON has no {text}; quote it if a string is meant"));
    }
    let (mantissa, exponent) = unsigned.split_at(unsigned.find(['e', 'E']).unwrap_or(unsigned.len()));
    if !mantissa.contains(|c: char| c.is_ascii_digit()) {
        return Ok(None);
    }
    let mantissa = mantissa.trim_start_matches('0');
    let sign = if text.starts_with('-') { "-" } else { "" };
    let zero = if mantissa.starts_with(|c: char| c.is_ascii_digit()) { "" } else { "0" };
    let tenth = if mantissa.ends_with('.') { "0" } else { "" };
    let json = format!("{sign}{zero}{mantissa}{tenth}{exponent}");
    let valid = serde_json::from_str::<&RawValue>(&json).is_ok_and(|raw| raw.get() == json);
    Ok(valid.then_some(json))
}

fn quote(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// JSON as block-style YAML that any parser of YAML 1.1 or 1.2 reads alike; order and numbers are kept.
/// Refuses what is not JSON, a key given twice, and nesting that [`to_json`] would refuse.
pub fn from_json(json: &str) -> Result<String, YamlError> {
    let error = |line, column, message| YamlError { line, column, message };
    let raw = serde_json::from_str(json).map_err(|e| error(e.line(), e.column(), reason(e)))?;
    let mut writer = Writer { at: raw, out: String::new() };
    writer.node(raw, false, 0).map_err(|message| {
        let before = &json[..writer.at.get().as_ptr() as usize - json.as_ptr() as usize];
        let column = before.chars().rev().take_while(|&c| c != '\n').count() + 1;
        error(before.matches('\n').count() + 1, column, message)
    })?;
    Ok(writer.out + "\n")
}

/// What serde_json says, without the position it appends.
fn reason(error: serde_json::Error) -> String {
    let text = error.to_string();
    text.split(" at line ").next().unwrap_or(&text).to_owned()
}

/// The entries of a JSON object, or of an array (without keys), values unread.
struct Entries<'a>(Vec<(Option<String>, &'a RawValue)>);

impl<'de> Visitor<'de> for Entries<'de> {
    type Value = Self;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object or an array")
    }

    fn visit_map<A: MapAccess<'de>>(mut self, mut map: A) -> Result<Self, A::Error> {
        while let Some((key, value)) = map.next_entry()? {
            self.0.push((Some(key), value));
        }
        Ok(self)
    }

    fn visit_seq<A: SeqAccess<'de>>(mut self, mut list: A) -> Result<Self, A::Error> {
        while let Some(value) = list.next_element()? {
            self.0.push((None, value));
        }
        Ok(self)
    }
}

/// Writes YAML while the JSON unfolds. When it fails, the message is about the value `at`.
struct Writer<'a> {
    at: &'a RawValue,
    out: String,
}

impl<'a> Writer<'a> {
    /// Writes a node without its line end. Entries stand `indent` spaces in, the first of them on the
    /// line of the dash before it, but never on that of its key.
    fn node(&mut self, raw: &'a RawValue, after_key: bool, indent: usize) -> Result<(), String> {
        self.at = raw;
        let is_collection = raw.get().starts_with(['{', '[']);
        if is_collection && indent == 2 * MAX_DEPTH {
            return Err(TOO_DEEP.to_owned());
        }
        let mut json = serde_json::Deserializer::from_str(raw.get());
        let entries = match is_collection {
            true => json.deserialize_any(Entries(Vec::new())).map_err(reason)?.0,
            false => Vec::new(),
        };
        if entries.is_empty() {
            self.out.push_str(if after_key { " " } else { "" });
            self.out.push_str(&leaf(raw.get())?);
        }
        let (mut keys, line_start) = (HashSet::new(), format!("\n{:indent$}", ""));
        for (i, (key, value)) in entries.iter().enumerate() {
            if after_key || i > 0 {
                self.out.push_str(&line_start);
            }
            if let Some(key) = key {
                self.at = value;
                if !keys.insert(key) {
                    return Err(format!("the key {} is given twice in one object", quote(key)));
                }
                match scalar(key) {
                    key if key.chars().count() > MAX_SIMPLE_KEY => self.out.extend(["? ", &key, &line_start]),
                    key => self.out.push_str(&key),
                }
            }
            self.out.push_str(if key.is_some() { ":" } else { "- " });
            self.node(value, key.is_some(), indent + 2)?;
        }
        Ok(())
    }
}

/// A JSON value without entries, as YAML.
fn leaf(json: &str) -> Result<Cow<'_, str>, String> {
    Ok(match json.as_bytes().first() {
        Some(b'{') => "{}".into(),
        Some(b'[') => "[]".into(),
        Some(b'"') => scalar(&serde_json::from_str::<String>(json).map_err(reason)?).into(),
        _ => json.into(),
    })
}

/// A string as YAML: plain where no parser can take it for anything else, else as in JSON, with escapes
/// for what JSON leaves raw but YAML forbids or breaks lines at.
fn scalar(text: &str) -> String {
    const HIDDEN: &[char] = &['\u{2028}', '\u{2029}', '\u{feff}', '\u{fffe}', '\u{ffff}'];
    let hidden = |c: char| c.is_control() || HIDDEN.contains(&c);
    let words = ["y", "n", "yes", "no", "on", "off", "true", "false", "null"];
    if text.starts_with(|c: char| c.is_alphabetic() || c == '_' || c == '/')
        && !text.ends_with(|c: char| c.is_whitespace() || c == ':')
        && !text.contains(": ")
        && !text.contains(" #")
        && !text.contains(hidden)
        && !words.iter().any(|word| text.eq_ignore_ascii_case(word))
    {
        return text.to_owned();
    }
    let escape = |c: char| if hidden(c) { format!("\\u{:04x}", c as u32) } else { c.to_string() };
    quote(text).chars().map(escape).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn yaml_becomes_json_by_the_core_schema() {
        let deepest = format!("{}{}", "[".repeat(128), "]".repeat(128));
        for (yaml, json) in [
            ("", "null"),
            ("# nothing\n---\n", "null"),
            ("[1.50, -0, 1E+05]", "[1.50,-0,1E+05]"),
            ("123456789012345678901234567890", "123456789012345678901234567890"),
            ("[.5, -.5, 1., +1, 007, -01.50e3, 0x1F, 0o17]", "[0.5,-0.5,1.0,1,7,-1.50e3,31,15]"),
            ("[null, Null, NULL, ~, '']", r#"[null,null,null,null,""]"#),
            ("[true, True, TRUE, false, False, FALSE]", "[true,true,true,false,false,false]"),
            ("[NO, no, yes, on, tRUE, 2024-01-01]", r#"["NO","no","yes","on","tRUE","2024-01-01"]"#),
            ("[0b1, 1_0, 0X1F, -0x1F, 0o8, 1e]", r#"["0b1","1_0","0X1F","-0x1F","0o8","1e"]"#),
            ("[., +-1, 1:30, 1.2.3, '1', \"true\"]", r#"[".","+-1","1:30","1.2.3","1","true"]"#),
            ("a: |\n  1\nb: >-\n  x\n  y\n", r#"{"a":"1\n","b":"x y"}"#),
            ("z: 1\na: 2\n1.50: x\nnull: y\n: z\n", r#"{"z":1,"a":2,"1.50":"x","null":"y","":"z"}"#),
            ("a: &x {b: [1.0]}\n<<: *x\n", r#"{"a":{"b":[1.0]},"<<":{"b":[1.0]}}"#),
            ("&k 1.50: *k\nv: &v 7\n*v : 8\n", r#"{"1.50":1.50,"v":7,"7":8}"#),
            ("[!!str 1, !!str , ! 2, !!int '3', !!float 4, !!null '']", r#"["1","","2",3,4.0,null]"#),
            ("!!map {a: !!seq [1], b: !<tag:yaml.org,2002:str> 1}", r#"{"a":[1],"b":"1"}"#),
            ("{\"a\":{\"b\":\t[]},\n\t\"c\":{}}", r#"{"a":{"b":[]},"c":{}}"#),
            (&deepest, &deepest),
        ] {
            assert_eq!(to_json(yaml).as_deref(), Ok(json), "{yaml}");
        }
    }

    #[test]
    fn what_json_cannot_say_or_nobody_means_is_refused_with_its_place() {
        let open = "[".repeat(100_000);
        let (flow, blocks) = (&open[..129], "- ".repeat(100_000));
        let below_alias = format!("- &a {}{}\n- {}*a", &open[..100], "]".repeat(100), &open[..30]);
        let values = (1..40).fold("- &a0 [x]\n".to_owned(), |yaml, i| {
            format!("{yaml}- &a{i} [*a{0}, *a{0}, *a{0}]\n", i - 1)
        });
        let keys = format!("- &a {}\n{}", "k".repeat(1 << 16), "- {*a : 1}\n".repeat(99));
        let zeros = format!("- &a {}\n{}", "0".repeat(1 << 16), "- *a\n".repeat(99));
        for (yaml, line, column, message) in [
            ("a: 1\nb: -.inf", 2, 4, "JSON has no -.inf"),
            (".nan", 1, 1, "JSON has no .nan"),
            ("0x1ffffffffffffffffffffffffffffffff", 1, 1, "exceeds 128 bits"),
            ("x:\n  é: 1\n  é: 2", 3, 3, "the key \"é\" is given twice"),
            ("1: a\n'1': b", 2, 1, "the key \"1\" is given twice"),
            ("? [a]\n: b", 1, 3, "a mapping key must be a scalar"),
            ("- &a [b]\n- *a : c", 2, 3, "a mapping key must be a scalar"),
            ("a: !!int x", 1, 4, "\"x\" is not a !!int"),
            ("!!bool yes", 1, 1, "\"yes\" is not a !!bool"),
            ("- !!set {a}", 1, 3, "the tag !!set is unknown"),
            ("!thing 1", 1, 1, "the tag !thing is unknown"),
            ("!!map [1]", 1, 1, "the tag !!map is unknown or does not fit"),
            ("a: 1\n---\nb: 2", 2, 1, "a second document starts here"),
            ("&a [*a]", 1, 5, "this alias stands inside"),
            ("[*nobody]", 1, 2, "unknown anchor"),
            (flow, 1, 129, "more than 128 deep"),
            (&blocks, 1, 257, "more than 128 deep"),
            (&open, 1, 256, "recursion limit"),
            (&below_alias, 2, 33, "more than 128 deep"),
            (&values, 12, 15, "the aliases add more than 1 MiB"),
            (&zeros, 26, 3, "the aliases add more than 1 MiB"),
            (&keys, 25, 9, "the aliases add more than 1 MiB"),
            ("a: 1\nb: ]", 2, 4, "misplaced bracket"),
            ("a: x\0y", 1, 5, "unprintable"),
        ] {
            let error = to_json(yaml).expect_err(yaml);
            assert!(error.message.contains(message), "{yaml:.60}: {error}");
            assert_eq!((error.line, error.column), (line, column), "{yaml:.60}: {error}");
        }
    }

    #[test]
    fn json_becomes_yaml_a_person_can_read() {
        let long = "k".repeat(1001);
        let json = r#"{"a":[],"b":{ },"c":[{"d":1.50,"e":[[1,"x y"]]},null],"NO":"no","@":{"f":"g: h"},"é":"a:b #c"}"#;
        let yaml = "a: []\nb: {}\nc:\n  - d: 1.50\n    e:\n      - - 1\n        - x y\n  - null\n\
                    \"NO\": \"no\"\n? @\n:\n  f: \"g: h\"\né: \"a:b #c\"\n";
        assert_eq!(from_json(&json.replace('@', &long)), Ok(yaml.replace('@', &long)));
    }

    #[test]
    fn json_that_would_not_come_back_is_refused_with_its_place() {
        for (json, line, column, message) in [
            ("{\n \"é\": 1, \"a\": 2, \"a\": 3}", 2, 23, "the key \"a\" is given twice"),
            ("[1,\n \"\\ud800\"]", 2, 2, "unexpected end of hex escape"),
            ("[01]", 1, 3, "invalid number"),
            (&("[".repeat(129) + &"]".repeat(129)), 1, 129, "more than 128 deep"),
        ] {
            let error = from_json(json).expect_err(json);
            assert!(error.message.contains(message), "{json}: {error}");
            assert_eq!((error.line, error.column), (line, column), "{json}: {error}");
        }
    }

    #[test]
    fn strings_are_quoted_when_any_parser_could_take_them_for_something_else() {
        for text in "plain|two words|a-b_c.d/e|http://x?y=1|it's|say \"hi\"|日本|x#y|_".split('|') {
            assert_eq!(scalar(text), text);
        }
        let words = "no NO Y null ~ 1 1.0 12e3 0x1F 1_0 1:30 .inf 2024-01-01 - --- ? a: # &a *a !a | > % @ ` [a {a 'a = <<";
        let phrases = "| | a|a |- a|a: b|a #b|a\tb|a\nb|a\0|a\u{85}b|a\u{2028}|\u{feff}a|a\u{7f}";
        for text in words.split(' ').chain(phrases.split('|')) {
            assert!(scalar(text).starts_with('"'), "{text:?}");
            assert_eq!(to_json(&scalar(text)), Ok(quote(text)));
        }
    }

    /// Compact JSON as serde_json writes it, so that equal means equal to the letter.
    fn any_json() -> impl Strategy<Value = String> {
        let text = prop_oneof![
            "[\\PC\0-\x1f\x7f-\u{a0}\u{2028}\u{2029}\u{feff}\u{fffe}\u{ffff}]{0,12}",
            "[-~:#?!&*|>%@'\"\\[\\]{}, \t\n.a0e_<=]{0,8}",
            "([yYnNoOfFtT]|[nN]o|[oO]n|null|TRUE|0[xob]|[0-9.:_e+-]){1,6}",
            "(a|é: |\u{1f600}{400}){1,6}",
        ]
        .prop_map(|text| quote(&text))
        .boxed();
        let number = "-?(0|[1-9][0-9]{0,40})(\\.[0-9]{1,9})?([eE][-+]?[0-9]{1,4})?";
        prop_oneof![number, text.clone(), "null|true|false"].prop_recursive(6, 60, 6, move |node| {
            let members = prop::collection::hash_map(text.clone(), node.clone(), 0..6).prop_map(|members| {
                members.into_iter().map(|(key, value)| key + ":" + &value).collect::<Vec<_>>()
            });
            prop_oneof![
                prop::collection::vec(node, 0..6).prop_map(|items| format!("[{}]", items.join(","))),
                members.prop_map(|members| format!("{{{}}}", members.join(","))),
            ]
        })
    }

    proptest! {
        #[test]
        fn json_survives_the_round_trip_to_the_letter(json in any_json()) {
            let yaml = from_json(&json).unwrap();
            prop_assert_eq!(to_json(&yaml), Ok(json), "{}", yaml);
        }

        #[test]
        fn whatever_is_read_as_yaml_is_json(
            yaml in "([-?:,&*!#|>%a1. \n\t'\"\\[\\]{}~]|- |: |\\PC|&a|\\*a|!!int|---\n){0,30}",
        ) {
            if let Ok(json) = to_json(&yaml) {
                prop_assert_eq!(serde_json::from_str::<&RawValue>(&json).unwrap().get(), &json);
            }
        }
    }
}

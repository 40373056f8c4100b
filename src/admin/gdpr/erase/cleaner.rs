//! Takes a person out of texts, see [`super`].

use regex::{Captures, Regex, escape};

use crate::admin::gdpr::NOWHERE;
use crate::error::{Error, Result};
use crate::store::gdpr::{Identity, PEOPLE, WHOSE};

/// Columns that hold prose.
const PROSE: &[&str] = &["summary", "notes", "description", "subject", "body", "error", "disabled_reason"];
/// Those that hold mail, which is nobody's work that could be spoilt.
const MAIL: &[&str] = &["subject", "body"];

/// See the module.
pub struct Cleaner {
    alias: String,
    /// The address that takes the place of theirs.
    pub email: String,
    /// Any of their names and addresses, be it within another word.
    found: Regex,
    /// A member of JSON that holds prose, or the name of whoever did something.
    prose: Regex,
    /// What is replaced in rows that are theirs, or about them.
    theirs: Patterns,
    /// The same in all other rows: there a name that another account has by now means that one, and in prose one of
    /// letters alone may be a word.
    elsewhere: Patterns,
}

struct Patterns {
    /// In small letters.
    names: Vec<String>,
    address: Regex,
    /// A name in prose.
    word: Regex,
    /// A member of JSON that is a name.
    member: Regex,
    /// A stored Context under their name, as the audit trail names it.
    context: Regex,
}

impl Patterns {
    fn new(names: &[&str], words: &[&str], emails: &[&str]) -> Result<Self> {
        let name = any(names);
        Ok(Self {
            names: names.iter().map(|name| name.to_lowercase()).collect(),
            address: regex(&any(emails))?,
            word: regex(&any(words))?,
            member: regex(&format!(
                r#"("(?:username|user|updatedBy|createdBy|requestedBy|actor|owner)"\s*:\s*)"{name}""#
            ))?,
            context: regex(&format!(r#""((?:@|contexts/)?){name}""#))?,
        })
    }
}

impl Cleaner {
    pub fn new(identity: &Identity, alias: &str) -> Result<Self> {
        let names: Vec<&str> = identity.names.iter().map(String::as_str).collect();
        let emails: Vec<&str> = identity.emails.iter().map(String::as_str).collect();
        let certain: Vec<&str> = identity.certain(&identity.names).collect();
        let words: Vec<&str> = certain.iter().copied().filter(|name| !may_be_a_word(name)).collect();
        let certain_emails: Vec<&str> = identity.certain(&identity.emails).collect();
        Ok(Self {
            alias: alias.to_owned(),
            email: format!("{alias}@{NOWHERE}"),
            found: regex(&any(&[names.as_slice(), &emails].concat()))?,
            prose: regex(
                r#"("(?:description|notes|summary|message|text|updatedBy|createdBy|requestedBy|actor)"\s*:\s*)"((?:[^"\\]|\\.)*)""#,
            )?,
            theirs: Patterns::new(&names, &names, &emails)?,
            elsewhere: Patterns::new(&certain, &words, &certain_emails)?,
        })
    }

    /// Whether a text may name them; quick.
    pub fn finds(&self, text: &str) -> bool {
        self.found.is_match(text)
    }

    /// The text of a column without the person; `None` when it does not name them. `theirs`: it is of a row that
    /// they made or changed, or that is about them.
    pub fn clean(&self, column: &str, text: &str, theirs: bool) -> Option<String> {
        let known = if theirs { &self.theirs } else { &self.elsewhere };
        let word = if MAIL.contains(&column) { &self.theirs.word } else { &known.word };
        let words = |text: &str| replace_whole(word, text, "_-@", &self.alias);
        let mut out = replace_whole(&known.address, text, "_-+", &self.email);
        let is_person = PEOPLE.contains(&column);
        if (is_person || column == WHOSE) && known.names.contains(&out.to_lowercase()) {
            out = self.alias.clone();
        } else if is_person || PROSE.contains(&column) {
            out = words(&out);
        } else if out.starts_with(['{', '[']) {
            if column == "contexts" {
                out = known.context.replace_all(&out, format!("\"${{1}}{}\"", self.alias)).into_owned();
            }
            out = known.member.replace_all(&out, format!("${{1}}\"{}\"", self.alias)).into_owned();
            out = self
                .prose
                .replace_all(&out, |found: &Captures<'_>| format!("{}\"{}\"", &found[1], words(&found[2])))
                .into_owned();
        }
        (out != text).then_some(out)
    }
}

/// Whether a user name is of letters alone. Such a one may be a word ("checkout", "test"), and a word that is gone from
/// what others wrote does not come back; one with a digit, dot, dash or underscore hardly is.
fn may_be_a_word(name: &str) -> bool {
    name.chars().all(char::is_alphabetic)
}

fn regex(pattern: &str) -> Result<Regex> {
    Regex::new(&format!("(?i){pattern}")).map_err(Error::internal)
}

/// A pattern of any of these texts: the longest that fits.
fn any(texts: &[&str]) -> String {
    let mut texts = texts.to_vec();
    texts.sort_by_key(|text| std::cmp::Reverse(text.len()));
    match texts.is_empty() {
        true => r"[^\s\S]".into(),
        false => format!("(?:{})", texts.iter().map(|text| spelled(text)).collect::<Vec<_>>().join("|")),
    }
}

/// A pattern of a text whose characters may be written as URLs and JSON escape them.
fn spelled(text: &str) -> String {
    let mut pattern = String::new();
    for c in text.chars() {
        let plain = escape(&c.to_string());
        if c.is_ascii_alphanumeric() || "._-".contains(c) {
            pattern.push_str(&plain);
            continue;
        }
        let mut ways = vec![plain];
        for c in [c.to_lowercase().to_string(), c.to_uppercase().to_string()] {
            ways.push(c.bytes().map(|byte| format!("%{byte:02x}")).collect());
            ways.push(c.encode_utf16().map(|unit| format!(r"\\u{unit:04x}")).collect());
        }
        pattern.push_str(&format!("(?:{})", ways.join("|")));
    }
    pattern
}

/// Replaces what is found and is no part of a longer name or address. `inside`: what names go on with, besides letters
/// and digits.
fn replace_whole(found: &Regex, text: &str, inside: &str, by: &str) -> String {
    let inside = |c: char| c.is_alphanumeric() || inside.contains(c);
    let mut out = String::with_capacity(text.len());
    let mut done = 0;
    for found in found.find_iter(text) {
        let mut after = text[found.end()..].chars();
        let next = after.next();
        // A dot ends a sentence, or goes on with a name such as ana.b.
        let goes_on = next.is_some_and(inside) || (next == Some('.') && after.next().is_some_and(inside));
        if goes_on || last_char(&text[..found.start()]).is_some_and(|c| inside(c) || c == '.') {
            continue;
        }
        out.push_str(&text[done..found.start()]);
        out.push_str(by);
        done = found.end();
    }
    out.push_str(&text[done..]);
    out
}

/// The last character of a text; of an escape of URLs or JSON, what it stands for.
fn last_char(text: &str) -> Option<char> {
    let tail =
        |length: usize| text.len().checked_sub(length).and_then(|at| text.get(at..)).unwrap_or_default();
    let escaped = |length: usize, sign: &str| {
        let code = tail(length).strip_prefix(sign)?;
        u32::from_str_radix(code, 16).ok().and_then(char::from_u32)
    };
    let line = || matches!(tail(2), r"\n" | r"\r" | r"\t").then_some('\n');
    escaped(6, r"\u").or_else(|| escaped(3, "%")).or_else(line).or_else(|| text.chars().next_back())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cleaner(names: &[&str], emails: &[&str]) -> Cleaner {
        let owned = |texts: &[&str]| texts.iter().map(|text| (*text).to_owned()).collect();
        let identity = Identity { names: owned(names), emails: owned(emails), ..Identity::default() };
        Cleaner::new(&identity, "erased-1").unwrap()
    }

    #[test]
    fn a_person_is_taken_out_where_they_are_meant() {
        let cleaner = cleaner(&["ana.b"], &["ana.b@shop.example"]);
        for (column, text, cleaned) in [
            ("actor", "ana.b", Some("erased-1")),
            ("updated_by", "Ana.B", Some("erased-1")),
            ("key", "ana.b", None),
            ("default_value", "\"ana.b\"", None),
            ("default_value", "\"ANA.B@shop.example\"", Some("\"erased-1@erased.invalid\"")),
            ("summary", "user ana.b created", Some("user erased-1 created")),
            ("summary", "given to ana.b.", Some("given to erased-1.")),
            ("summary", "banana.b and ana.bc and ana.b.c and x-ana.b", None),
            (
                "description",
                "Ask Ana.b, or ana.b@shop.example",
                Some("Ask erased-1, or erased-1@erased.invalid"),
            ),
            (
                "payload",
                r#"{"before":null,"after":{"key":"ana.b","defaultValue":1.50,"updatedBy":"ana.b","description":"by ana.b"}}"#,
                Some(
                    r#"{"before":null,"after":{"key":"ana.b","defaultValue":1.50,"updatedBy":"erased-1","description":"by erased-1"}}"#,
                ),
            ),
            (
                "payload",
                r#"{"description":"a \"quoted\" ana.b"}"#,
                Some(r#"{"description":"a \"quoted\" erased-1"}"#),
            ),
            ("payload", r#"{"updatedBy":"ana.bc"}"#, None),
            (
                "contexts",
                r#"["new_checkout","@ana.b","@team"]"#,
                Some(r#"["new_checkout","@erased-1","@team"]"#),
            ),
            (
                "contexts",
                r#"{"created":[{"path":"contexts/ana.b"}]}"#,
                Some(r#"{"created":[{"path":"contexts/erased-1"}]}"#),
            ),
        ] {
            assert_eq!(cleaner.clean(column, text, false).as_deref(), cleaned, "{column}: {text}");
        }
    }
    #[test]
    fn a_name_that_may_be_a_word_goes_from_the_prose_of_their_own_rows_alone() {
        let cleaner = cleaner(&["checkout"], &["co@corp.example"]);
        let clean = |column: &str, text: &str, theirs: bool| cleaner.clean(column, text, theirs);
        let prose = "The new checkout page";
        assert_eq!(clean("description", prose, false), None);
        assert_eq!(clean("description", prose, true).as_deref(), Some("The new erased-1 page"));
        assert_eq!(clean("subject", prose, false).as_deref(), Some("The new erased-1 page"), "of a mail");
        assert_eq!(clean("updated_by", "checkout", false).as_deref(), Some("erased-1"));
        let payload =
            r#"{"after":{"updatedBy":"checkout","description":"The new checkout page, co@corp.example"}}"#;
        assert_eq!(
            clean("payload", payload, false).as_deref(),
            Some(
                r#"{"after":{"updatedBy":"erased-1","description":"The new checkout page, erased-1@erased.invalid"}}"#
            )
        );
    }

    #[test]
    fn names_and_addresses_are_found_however_they_are_written_and_those_of_others_stay() {
        let cleaner = cleaner(&["Åsa.B", "åsa", "old_1"], &["åsa+b@corp.example", "ann@corp.example"]);
        let email = "erased-1@erased.invalid";
        for (column, text, cleaned) in [
            (
                "url",
                "https://h.example/?to=ann%40corp.example",
                Some(format!("https://h.example/?to={email}")),
            ),
            (
                "url",
                "https://h.example/?to%3DANN%40Corp.example&x",
                Some(format!("https://h.example/?to%3D{email}&x")),
            ),
            ("value", "%C3%85sa%2bb%40corp.example", Some(email.to_owned())),
            ("value", r#"["\u00c5sa\u002Bb@corp.example"]"#, Some(format!(r#"["{email}"]"#))),
            ("value", r#""Ann \u003cann@corp.example\u003e""#, Some(format!(r#""Ann \u003c{email}\u003e""#))),
            ("value", r#""\nann@corp.example""#, Some(format!(r#""\n{email}""#))),
            ("contexts", r#"["@ann@corp.example"]"#, Some(format!(r#"["@{email}"]"#))),
            ("value", "mary-ann@corp.example, joann@corp.example, ann@corp.example.org", None),
            ("updated_by", "ÅSA", Some("erased-1".to_owned())),
            ("actor", "program of old_1", Some("program of erased-1".to_owned())),
            ("description", "by åsa.b and OLD_1.", Some("by erased-1 and erased-1.".to_owned())),
            ("payload", r#"{"description":"x\nold_1"}"#, Some(r#"{"description":"x\nerased-1"}"#.to_owned())),
            ("key", "team-old_1", None),
        ] {
            assert!(cleaned.is_none() || cleaner.finds(text), "{text}");
            assert_eq!(cleaner.clean(column, text, false), cleaned, "{column}: {text}");
        }
    }

    #[test]
    fn a_name_that_another_has_by_now_goes_from_their_own_rows_alone() {
        let identity = Identity {
            names: vec!["new_1".into(), "old_1".into()],
            emails: vec!["old@corp.example".into()],
            taken: ["old_1".to_owned(), "old@corp.example".to_owned()].into(),
        };
        let cleaner = Cleaner::new(&identity, "erased-1").unwrap();
        for (text, elsewhere, theirs) in [
            ("by new_1", Some("by erased-1"), Some("by erased-1")),
            ("by old_1, old@corp.example", None, Some("by erased-1, erased-1@erased.invalid")),
        ] {
            assert_eq!(cleaner.clean("summary", text, false).as_deref(), elsewhere);
            assert_eq!(cleaner.clean("summary", text, true).as_deref(), theirs);
        }
    }
}

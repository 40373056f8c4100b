//! Forgetting a person: their account becomes one that says nothing of them, everything that names them is rewritten
//! or deleted, and the file is rewritten so that nothing is left between its pages. References stay whole, and the
//! audit trail stays one that can be checked.
//!
//! The e-mail address goes from wherever it stands. The user name goes where it is known to mean the person (who
//! made, changed or asked for something) and, as a whole word, where people or this server write prose; it stays in
//! values and keys, where the same word may mean something else.

use rand::RngCore;
use regex::{Captures, Regex, escape};
use serde_json::json;

use super::{change, system};
use crate::admin::contexts::person;
use crate::app::{App, Touched, Written};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::jobs::mail::send_now;
use crate::store;
use crate::store::changes::{ERASED, rewrite};
use crate::store::gdpr::{self as rows, Request};

/// The domain of addresses of nobody (RFC 2606).
const NOWHERE: &str = "erased.invalid";

/// Columns that hold the name of whoever did something.
const PEOPLE: &[&str] =
    &["actor", "created_by", "updated_by", "requested_by", "user_name", "username", "updatedBy"];
/// Columns that hold prose.
const PROSE: &[&str] = &["summary", "notes", "description", "subject", "body", "error", "disabled_reason"];

/// Erases the person of a request and tells them. A second run goes on where the first one was cut off.
pub fn run(app: &App, request: &Request) -> Result<()> {
    let user = app.read(|conn| store::users::by_uuid(conn, &request.user_uuid))?;
    let erased = user.email.ends_with(&format!("@{NOWHERE}"));
    if !erased {
        transaction(app, request)?;
    }
    scrub(app)?;
    // Straight from memory: in the outbox it would keep the address.
    let note = match &app.config.smtp_url {
        Some(_) if !erased => told(app, &user.email),
        _ => Some("the person was not mailed, since nothing of them is kept; tell them yourself".to_owned()),
    };
    app.write(&system(), |tx| {
        rows::complete(tx, request.id, None, note.as_deref(), tx.now)?;
        let done = rows::find(tx, &request.uuid)?;
        Ok(Written::one((), change(&done, "completed", None)))
    })
}

fn told(app: &App, email: &str) -> Option<String> {
    let body = "Hello,\n\nyour account was erased, as was asked for: your name and address are gone from it and from \
                everything you changed. This message was not kept.\n";
    // The reason may quote the address.
    send_now(app, email, "Your data was erased", body)
        .err()
        .map(|_| "the mail to the person did not go out".into())
}

/// Removes what deleted rows left in the file and the WAL.
fn scrub(app: &App) -> Result<()> {
    const TRIES: u32 = 20;
    for _ in 0..TRIES {
        if rows::scrub(&app.store.writer())? {
            return Ok(());
        }
        std::thread::sleep(std::time::Duration::from_millis(250));
    }
    Err(Error::Unavailable("the file is being read; it will be cleaned later".into()))
}

fn transaction(app: &App, request: &Request) -> Result<()> {
    let mut random = [0; 4];
    rand::rng().fill_bytes(&mut random);
    let alias = format!("erased-{:08x}", u32::from_be_bytes(random));
    app.write(&system(), |tx| {
        let user = store::users::by_uuid(tx, &request.user_uuid)?;
        super::super::users::require_other_admin(tx, &user)?;
        let addresses = rows::addresses(tx, user.id, &user.uuid)?;
        let cleaner = Cleaner::new(&user.username, &user.email, &alias)?;
        let clean = |column: &str, text: &str| cleaner.clean(column, text);
        let names = [user.username.clone(), user.email.clone()];
        let mut changes = Vec::new();
        for name in &names {
            for key in rows::context_keys(tx, name)? {
                changes.extend(person::erase(app, tx, &key, &alias)?);
            }
        }
        rows::anonymise_user(tx, user.id, &user.uuid, &alias, &cleaner.email)?;
        rows::delete_mentions(tx, &user.email, &names, &addresses)?;
        rows::clean_everywhere(tx, &names, &clean)?;
        let rewritten = rewrite(tx, &user.uuid, &names, &clean, &alias)?;
        let now = rows::find(tx, &request.uuid)?;
        let summary = format!("a person was erased; {} entries were made unrecognisable", rewritten.len());
        let mut change = change(&now, ERASED.1, Some(Json::from(&json!({ "rewritten": rewritten }))));
        change.summary = summary;
        // Who changed a feature last is part of what is held in memory.
        let mut environments = Vec::new();
        for site in store::sites::all(tx)? {
            environments.extend(store::environments::list(tx, site.id)?.into_iter().map(|found| found.id));
        }
        let mut credentials = super::change(&now, "account closed", None);
        credentials.touched = Touched::Credentials;
        change.touched = Touched::Environments(environments);
        for change in &mut changes {
            for side in [&mut change.before, &mut change.after] {
                let cleaned = side.as_ref().and_then(|json| clean("contexts", json.as_str()));
                *side = cleaned.map_or_else(|| side.take(), |text| Json::parse(&text));
            }
            if let Some(cleaned) = clean("summary", &change.summary) {
                change.summary = cleaned;
            }
        }
        changes.extend([change, credentials]);
        Ok(Written { value: (), changes })
    })
}

/// Takes a person out of texts.
struct Cleaner {
    name: String,
    alias: String,
    email: String,
    /// The address, wherever it stands.
    address: Regex,
    /// The name, before it is looked whether it is a whole word.
    word: Regex,
    /// A member of JSON that holds the name of whoever did something.
    member: Regex,
    /// A member of JSON that holds prose.
    prose: Regex,
    /// A stored Context under their name, as the audit trail names it.
    context: Regex,
}

impl Cleaner {
    fn new(name: &str, email: &str, alias: &str) -> Result<Self> {
        let regex = |pattern: String| Regex::new(&pattern).map_err(Error::internal);
        Ok(Self {
            name: name.to_owned(),
            alias: alias.to_owned(),
            email: format!("{alias}@{NOWHERE}"),
            address: regex(format!("(?i){}", escape(email)))?,
            word: regex(format!("(?i){}", escape(name)))?,
            member: regex(format!(
                r#"(?i)("(?:username|user|updatedBy|createdBy|requestedBy|actor|owner)"\s*:\s*)"{}""#,
                escape(name)
            ))?,
            context: regex(format!(r#"(?i)"((?:@|contexts/)?){}""#, escape(name)))?,
            prose: regex(
                r#"("(?:description|notes|summary|message|text)"\s*:\s*)"((?:[^"\\]|\\.)*)""#.into(),
            )?,
        })
    }

    /// The text without the person; `None` when it does not name them.
    fn clean(&self, column: &str, text: &str) -> Option<String> {
        let mut out = self.address.replace_all(text, self.email.as_str()).into_owned();
        if PEOPLE.contains(&column) && out.to_lowercase() == self.name.to_lowercase() {
            out = self.alias.clone();
        } else if PROSE.contains(&column) {
            out = self.words(&out);
        } else if out.starts_with(['{', '[']) {
            if column == "contexts" {
                out = self.context.replace_all(&out, format!("\"${{1}}{}\"", self.alias)).into_owned();
            }
            out = self.member.replace_all(&out, format!("${{1}}\"{}\"", self.alias)).into_owned();
            out = self
                .prose
                .replace_all(&out, |found: &Captures<'_>| {
                    format!("{}\"{}\"", &found[1], self.words(&found[2]))
                })
                .into_owned();
        }
        (out != text).then_some(out)
    }

    /// The name as a whole word, in any case.
    fn words(&self, text: &str) -> String {
        let inside = |c: char| c.is_alphanumeric() || "_-@".contains(c);
        let mut out = String::with_capacity(text.len());
        let mut done = 0;
        for found in self.word.find_iter(text) {
            let before = text[..found.start()].chars().next_back();
            let mut after = text[found.end()..].chars();
            let next = after.next();
            // A dot ends a sentence, or goes on with a name such as ana.b.
            let goes_on = next.is_some_and(inside) || (next == Some('.') && after.next().is_some_and(inside));
            if goes_on || before.is_some_and(|c| inside(c) || c == '.') {
                continue;
            }
            out.push_str(&text[done..found.start()]);
            out.push_str(&self.alias);
            done = found.end();
        }
        out.push_str(&text[done..]);
        out
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_is_taken_out_where_they_are_meant() {
        let cleaner = Cleaner::new("ana.b", "ana.b@shop.example", "erased-1").unwrap();
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
            assert_eq!(cleaner.clean(column, text).as_deref(), cleaned, "{column}: {text}");
        }
    }
}

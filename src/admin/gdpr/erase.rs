//! Forgetting a person: their account becomes one that says nothing of them, everything that names them is rewritten
//! or deleted, and the file is rewritten so that nothing is left between its pages. References stay whole, and the
//! audit trail stays one that can be checked.
//!
//! Their e-mail addresses, the present one and those before it, go from wherever they stand. Their names go where they
//! are known to mean the person (who made, changed or asked for something) and, as whole words, where people or this
//! server write prose; they stay in values and keys, where the same word may mean something else. For the same reason
//! a name of letters alone, such as "checkout", stays in the prose of rows that are neither theirs nor about them.

mod cleaner;

use rand::RngCore;
use serde_json::json;

use super::{change, is_erased, system};
use crate::admin::contexts::person;
use crate::app::{App, Touched, Written};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::jobs;
use crate::jobs::mail::send_now;
use crate::store;
use crate::store::changes::{ERASED, rewrite};
use crate::store::gdpr::{self as rows, Request};
use cleaner::Cleaner;

/// Erases the person of a request and tells them. A second run goes on where the first one was cut off.
pub fn run(app: &App, request: &Request) -> Result<()> {
    let (user, erased) = app.read(|conn| {
        let user = store::users::by_uuid(conn, &request.user_uuid)?;
        let erased = is_erased(conn, &user)?;
        Ok((user, erased))
    })?;
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
    jobs::know_people(app);
    let people = app.write(&system(), |tx| {
        let user = store::users::by_uuid(tx, &request.user_uuid)?;
        super::super::users::require_other_admin(tx, &user)?;
        let addresses = rows::addresses(tx, user.id, &user.uuid)?;
        let identity = rows::identity(tx, &user)?;
        let cleaner = Cleaner::new(&identity, &alias)?;
        let clean = |column: &str, text: &str, theirs: bool| cleaner.clean(column, text, theirs);
        let finds = |text: &str| cleaner.finds(text);
        let names: Vec<&str> = identity.certain(&identity.names).collect();
        let mut changes = Vec::new();
        let mut keys = Vec::new();
        for name in names.iter().copied().chain(identity.certain(&identity.emails)) {
            for key in rows::context_keys(tx, name)? {
                changes.extend(person::erase(app, tx, &key, &alias)?);
                keys.push(key);
            }
            keys.extend([name.to_owned(), name.to_lowercase()]);
        }
        let people: Vec<u64> = keys.iter().map(|key| app.live.counters.hash_of(key)).collect();
        for person in &people {
            store::analytics::forget(tx, *person)?;
        }
        rows::anonymise_user(tx, user.id, &user.uuid, &alias, &cleaner.email)?;
        rows::delete_mentions(tx, &user.uuid, &identity, &addresses, &clean)?;
        rows::clean_everywhere(tx, &user, &names, &finds, &clean)?;
        rows::collect_again(tx, tx.now)?;
        let rewritten = rewrite(tx, &user.uuid, &finds, &clean, &alias)?;
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
                let cleaned = side.as_ref().and_then(|json| clean("contexts", json.as_str(), true));
                *side = cleaned.map_or_else(|| side.take(), |text| Json::parse(&text));
            }
            if let Some(cleaned) = clean("summary", &change.summary, true) {
                change.summary = cleaned;
            }
        }
        changes.extend([change, credentials]);
        Ok(Written { value: people, changes })
    })?;
    // What waits to be written.
    let counters = &app.live.counters;
    let mut pending = counters.take();
    pending.exposures.retain(|exposure, _| !people.contains(&exposure.person));
    pending.conversions.retain(|conversion, _| !people.contains(&conversion.person));
    counters.put_back(pending);
    Ok(())
}

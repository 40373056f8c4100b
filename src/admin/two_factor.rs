//! The second factor: setting it up, giving it, taking it away (feature-config §7).

use rand::Rng;
use rusqlite::Connection;
use totp_rs::{Builder, Secret, Totp};

use super::sign_in::{self, Visitor};
use super::{mail, users};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::auth::browser::new_secret;
use crate::clock::Millis;
use crate::engine::permission::{Permission, Role};
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::live::credentials::hash;
use crate::store::sessions::Session;
use crate::store::tokens::Hash;
use crate::store::two_factor::{self as store_two_factor};
use crate::store::users::User;
use crate::store::{self, settings};

/// Backup codes in a set.
const BACKUP_CODES: usize = 8;
/// A mailed code is sent again at most this often.
const MAIL_PAUSE: Millis = 60_000;
/// The second step must follow the password within this time.
pub const STEP_TIME: Millis = 15 * 60 * 1000;
const ISSUER: &str = "featured";

fn purpose(uuid: &str) -> String {
    format!("totp:{uuid}")
}

/// Looks which seeds the key opens, and gives how many it does not.
pub fn count_lost(app: &App, conn: &Connection) -> Result<usize> {
    let seeds = store_two_factor::seeds(conn)?;
    let lost =
        seeds.iter().filter(|(uuid, sealed)| app.seal.open_sealed(&purpose(uuid), sealed).is_none()).count();
    let lost = lost + super::webhooks::count_lost(app, conn)?;
    app.seal.note_lost(lost);
    Ok(lost)
}

fn totp(seed: Vec<u8>, username: &str) -> Result<Totp> {
    Builder::new()
        .with_secret(Secret::new(seed.into_boxed_slice()))
        .with_account_name(username)
        .with_issuer(Some(ISSUER))
        .build()
        .map_err(|error| Error::internal(error.to_string()))
}

/// A user's authenticator as it is stored: in use, or waiting for its first code.
pub enum Seed {
    None,
    /// Sealed under a key that is gone.
    Lost,
    Known(Totp),
}

/// The authenticator of a user.
pub fn seed(app: &App, conn: &Connection, user: &User) -> Result<Seed> {
    let Some(sealed) = store_two_factor::seed(conn, user.id)? else { return Ok(Seed::None) };
    match app.seal.open_sealed(&purpose(&user.uuid), &sealed) {
        Some(seed) => Ok(Seed::Known(totp(seed, &user.username)?)),
        None => Ok(Seed::Lost),
    }
}

fn change(user: &User, action: &'static str) -> Change {
    users::change(user, action, Touched::Nothing)
}

/// Makes a secret for an authenticator app; it waits for its first code. Another that waits is replaced.
pub fn begin_app(app: &App, actor: &Actor, user: &str) -> Result<()> {
    let secret = Secret::generate();
    let sealed = app.seal.seal(&purpose(user), secret.as_bytes())?;
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        match store_two_factor::put_seed(tx, user.id, &sealed)? {
            true => Ok(Written::nothing(())),
            false => Err(Error::conflict("two_factor_on", "an app is set up already; turn it off first")),
        }
    })
}

/// Drops a secret that waits for its first code.
pub fn cancel_app(app: &App, actor: &Actor, user: &str) -> Result<()> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        store_two_factor::drop_pending_seed(tx, user.id)?;
        Ok(Written::nothing(()))
    })
}

/// Turns the app on with a first code from it, and gives the backup codes. `Invalid` on `code` when it is not
/// the right one.
pub fn confirm_app(
    app: &App,
    actor: &Actor,
    user: &str,
    code: &str,
    visitor: &Visitor<'_>,
) -> Result<Vec<String>> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        if user.two_factor == "totp" {
            return Err(Error::conflict("two_factor_on", "an app is set up already; turn it off first"));
        }
        if let Some(seconds) = sign_in::blocked_on(tx, &subject(&user.uuid), visitor, tx.now)? {
            return Ok(Written::nothing(Err(too_many(seconds))));
        }
        let Seed::Known(totp) = seed(app, tx, &user)? else {
            return Ok(Written::nothing(Err(Error::invalid(
                "code",
                "belongs to a secret that is gone; begin again",
            ))));
        };
        if !use_totp(tx, &user, &totp, code, tx.now)? {
            sign_in::count_failure_on(tx, &subject(&user.uuid), visitor, tx.now)?;
            return Ok(Written::nothing(Err(Error::invalid(
                "code",
                "was not accepted; type the one the app shows now",
            ))));
        }
        sign_in::forgive_on(tx, &subject(&user.uuid), visitor)?;
        turn_on(tx, &user, "totp")
    })?
}

type Attempt<T> = Written<Result<T>>;

/// Turns a factor on with a new set of backup codes.
fn turn_on(tx: &Tx<'_>, user: &User, kind: &str) -> Result<Attempt<Vec<String>>> {
    store_two_factor::set_kind(tx, user.id, kind)?;
    let codes = new_backup_codes();
    put_backup_codes(tx, user, &codes)?;
    let after = store::users::by_uuid(tx, &user.uuid)?;
    Ok(Written::one(Ok(codes), change(&after, "two-factor turned on")))
}

fn too_many(seconds: u64) -> Error {
    Error::invalid(
        "code",
        format!("cannot be tried now: too many tries. The next one is possible in {seconds} s"),
    )
}

/// Failures at the second step are counted apart from those of the password: giving the password again must
/// not buy new tries.
fn subject(uuid: &str) -> String {
    format!("code:{uuid}")
}

/// Mails a code; false when one was mailed less than a minute ago.
pub fn mail_code(app: &App, user: &User) -> Result<bool> {
    let code = format!("{:06}", rand::rng().random_range(0..1_000_000));
    app.write(&Actor::system("sign-in"), |tx| {
        let stored = store_two_factor::put_email_code(
            tx,
            user.id,
            &email_hash(&user.uuid, &code),
            MAIL_PAUSE,
            tx.now,
        )?;
        if stored {
            mail::code(tx, &user.email, &code, tx.now)?;
        }
        Ok(Written::nothing(stored))
    })
}

/// Mails a code to somebody who gave their password.
pub fn mail_code_to(app: &App, user: &str) -> Result<bool> {
    let user = app.read(|conn| store::users::by_uuid(conn, user))?;
    mail_code(app, &user)
}

/// Turns codes by e-mail on with a first one of them, and gives the backup codes.
pub fn confirm_email(
    app: &App,
    actor: &Actor,
    user: &str,
    code: &str,
    visitor: &Visitor<'_>,
) -> Result<Vec<String>> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        if user.two_factor != "none" {
            return Err(Error::conflict(
                "two_factor_on",
                "a second factor is set up already; turn it off first",
            ));
        }
        if let Some(seconds) = sign_in::blocked_on(tx, &subject(&user.uuid), visitor, tx.now)? {
            return Ok(Written::nothing(Err(too_many(seconds))));
        }
        let hash = email_hash(&user.uuid, &digits(code));
        if !store_two_factor::use_email_code(tx, user.id, &hash, tx.now)? {
            sign_in::count_failure_on(tx, &subject(&user.uuid), visitor, tx.now)?;
            return Ok(Written::nothing(Err(Error::invalid(
                "code",
                "was not accepted, or is older than 10 minutes",
            ))));
        }
        sign_in::forgive_on(tx, &subject(&user.uuid), visitor)?;
        store_two_factor::drop_pending_seed(tx, user.id)?;
        turn_on(tx, &user, "email")
    })?
}

fn email_hash(uuid: &str, code: &str) -> Hash {
    hash(&format!("email code:{uuid}:{code}"))
}

fn digits(code: &str) -> String {
    code.chars().filter(|c| !c.is_whitespace()).collect()
}

fn new_backup_codes() -> Vec<String> {
    (0..BACKUP_CODES).map(|_| dashed(&format!("{:016x}", rand::rng().random::<u64>()))).collect()
}

/// `3f9a07c2b81e44d0` as `3f9a-07c2-b81e-44d0`.
fn dashed(hex: &str) -> String {
    let groups: Vec<&str> = (0..hex.len()).step_by(4).filter_map(|at| hex.get(at..at + 4)).collect();
    groups.join("-")
}

/// A typed backup code in its one form; `None` when it is none.
fn backup_form(code: &str) -> Option<String> {
    let hex: String =
        code.chars().filter(|c| !c.is_whitespace() && *c != '-').collect::<String>().to_lowercase();
    (hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit())).then(|| dashed(&hex))
}

fn put_backup_codes(conn: &Connection, user: &User, codes: &[String]) -> Result<()> {
    let hashes: Vec<Hash> = codes.iter().map(|code| hash(code)).collect();
    store_two_factor::put_backup_codes(conn, user.id, &hashes)
}

/// Makes the backup codes anew; the old ones stop working.
pub fn remake_backup_codes(app: &App, actor: &Actor, user: &str) -> Result<Vec<String>> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        if user.two_factor == "none" {
            return Err(Error::conflict("two_factor_off", "there is no second factor to back up"));
        }
        let codes = new_backup_codes();
        put_backup_codes(tx, &user, &codes)?;
        Ok(Written::one(codes, change(&user, "backup codes made anew")))
    })
}

/// Turns a user's own second factor off. The caller has asked for the password.
pub fn turn_off(app: &App, actor: &Actor, user: &str) -> Result<()> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        store_two_factor::reset(tx, user.id)?;
        Ok(Written::one((), change(&user, "two-factor turned off")))
    })
}

fn use_totp(conn: &Connection, user: &User, totp: &Totp, code: &str, now: Millis) -> Result<bool> {
    let seconds = u64::try_from(now / 1000).unwrap_or_default();
    match totp.check(&digits(code), seconds) {
        // Two requests may hold the same code; the step is taken by one of them.
        Some(step) => store_two_factor::use_step(conn, user.id, step),
        None => Ok(false),
    }
}

/// How the second step ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Step {
    /// The cookie of the device, where it is to be trusted.
    In { device: Option<String> },
    /// Wrong; tries left at the code that was mailed, where one was.
    Refused(Option<u32>),
    /// Too many failures: seconds to wait.
    Blocked(u64),
    /// The password was given too long ago.
    Expired,
}

/// Takes a code of any kind: app, e-mail or backup. Everything happens in one transaction, so of two
/// requests with the same code one is refused.
pub fn second_step(
    app: &App,
    actor: &Actor,
    session: &Session,
    code: &str,
    trust: bool,
    visitor: &Visitor<'_>,
) -> Result<Step> {
    app.write(actor, |tx| {
        if tx.now - session.created_at > STEP_TIME {
            store::sessions::delete(tx, session.id)?;
            return Ok(Written::nothing(Step::Expired));
        }
        let user = store::users::by_uuid(tx, &session.user_uuid)?;
        let subject = subject(&user.uuid);
        if let Some(seconds) = sign_in::blocked_on(tx, &subject, visitor, tx.now)? {
            return Ok(Written::nothing(Step::Blocked(seconds)));
        }
        let backup = backup_form(code);
        let right = match &backup {
            Some(code) => store_two_factor::use_backup_code(tx, user.id, &hash(code), tx.now)?,
            None => use_short_code(app, tx, &user, code)?,
        };
        if !right {
            sign_in::count_failure_on(tx, &subject, visitor, tx.now)?;
            let left = store_two_factor::email_code_tries_left(tx, user.id, tx.now)?;
            return Ok(Written::nothing(Step::Refused(left)));
        }
        sign_in::forgive_on(tx, &subject, visitor)?;
        if !store::sessions::confirm(tx, session)? {
            return Ok(Written::nothing(Step::Expired));
        }
        store::users::set_last_login(tx, user.id, tx.now)?;
        let device = trust.then(new_secret);
        if let Some(device) = &device {
            let agent: String = visitor.user_agent.chars().take(300).collect();
            store_two_factor::insert_device(tx, user.id, &hash(device), &agent, tx.now)?;
        }
        let changes = backup.map(|_| change(&user, "backup code used")).into_iter().collect();
        Ok(Written { value: Step::In { device }, changes })
    })
}

fn use_short_code(app: &App, tx: &Tx<'_>, user: &User, code: &str) -> Result<bool> {
    let code = digits(code);
    if code.len() != 6 || !code.bytes().all(|byte| byte.is_ascii_digit()) {
        return Ok(false);
    }
    if user.two_factor == "totp"
        && let Seed::Known(totp) = seed(app, tx, user)?
        && use_totp(tx, user, &totp, &code, tx.now)?
    {
        return Ok(true);
    }
    store_two_factor::use_email_code(tx, user.id, &email_hash(&user.uuid, &code), tx.now)
}

/// Trusts a browser no more.
pub fn forget_device(app: &App, actor: &Actor, user: &str, device: &str) -> Result<()> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        match store_two_factor::delete_device(tx, user.id, device)? {
            true => Ok(Written::one((), change(&user, "trusted device forgotten"))),
            false => Err(Error::NotFound("this device".into())),
        }
    })
}

/// Says for which roles besides admins a second factor is a must.
pub fn enforce(app: &App, actor: &Actor, roles: &[Role]) -> Result<()> {
    actor.require(Permission::Administer)?;
    let names: Vec<String> = roles.iter().map(|role| role.as_str().to_owned()).collect();
    let json = store::list_to_json(&names);
    app.write(actor, |tx| {
        let before = settings::read(tx, settings::ENFORCED)?.unwrap_or_else(|| "[]".into());
        settings::write(tx, settings::ENFORCED, &json)?;
        let whom = if names.is_empty() {
            "admins alone".to_owned()
        } else {
            format!("admins, {}", names.join(", "))
        };
        let mut change = settings_change("updated", format!("two-factor sign-in is a must for {whom}"));
        change.before = Json::parse(&before);
        change.after = Json::parse(&json);
        Ok(Written::one((), change))
    })
}

/// Mails everybody who is active and has no second factor; gives how many that were.
pub fn remind(app: &App, actor: &Actor) -> Result<usize> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| {
        let users = store::users::list(tx)?;
        let without: Vec<_> = users.iter().filter(|user| user.active && user.two_factor == "none").collect();
        for user in &without {
            mail::reminder(app, tx, &user.email, &user.username, tx.now)?;
        }
        let summary = format!("{} users were reminded of two-factor sign-in", without.len());
        Ok(Written::one(without.len(), settings_change("reminded", summary)))
    })
}

fn settings_change(action: &'static str, summary: String) -> Change {
    Change {
        site: None,
        environment: None,
        entity: "settings",
        entity_id: settings::ENFORCED.into(),
        entity_key: "two-factor sign-in".into(),
        action,
        summary,
        feature: None,
        touched: Touched::Nothing,
        before: None,
        after: None,
        event: None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn backup_codes_have_their_form_and_are_read_as_people_type_them() {
        let codes = new_backup_codes();
        assert_eq!(codes.len(), 8);
        for code in &codes {
            assert_eq!(code.len(), 19);
            assert_eq!(backup_form(code).as_ref(), Some(code));
            assert_eq!(
                backup_form(&format!(" {} ", code.to_uppercase().replace('-', ""))).as_ref(),
                Some(code)
            );
        }
        for wrong in ["", "123456", "3f9a-07c2-b81e-44d", "3f9a-07c2-b81e-44dg"] {
            assert_eq!(backup_form(wrong), None);
        }
    }
}

//! Signing in with a password: the same answer in the same time whether the user exists or not, slower and
//! slower for those who guess (feature-config §7).

use rusqlite::Connection;

use crate::app::App;
use crate::auth::browser::new_secret;
use crate::auth::password;
use crate::clock::Millis;
use crate::error::Result;
use crate::live::credentials::hash;
use crate::store;
use crate::store::sessions::{self, Purpose};
use crate::store::users::User;

/// Failures of an account before it is slowed down.
const FREE_ACCOUNT: u32 = 5;
/// Failures from an address before it is slowed down: an office may share one.
const FREE_ADDRESS: u32 = 30;
/// Mails an address may ask for before it is slowed down.
const FREE_MAILS: u32 = 10;
/// Failures further back than this are forgotten.
const WINDOW: Millis = 15 * 60 * 1000;
/// The first pause, doubled with each further failure.
const FIRST_PAUSE: Millis = 5000;
/// How long a setup link works: a day.
const SETUP: Millis = 24 * 3600 * 1000;

/// Who is at the door.
pub struct Visitor<'a> {
    pub address: &'a str,
    pub user_agent: &'a str,
}

/// How it ended.
pub enum Outcome {
    /// The cookie of the new session; `confirmed` unless a second factor is owed.
    In { cookie: String, confirmed: bool },
    /// Wrong name or password; which, nobody is told.
    Refused,
    /// Too many failures: seconds to wait.
    Blocked(u64),
}

fn subjects(name: &str, visitor: &Visitor<'_>) -> [(String, u32); 2] {
    let name: String = name.trim().to_lowercase().chars().take(254).collect();
    [(format!("user:{name}"), FREE_ACCOUNT), (format!("address:{}", visitor.address), FREE_ADDRESS)]
}

/// Seconds until these may try again; `None` when they may.
pub fn blocked(app: &App, name: &str, visitor: &Visitor<'_>) -> Result<Option<u64>> {
    app.read(|conn| blocked_on(conn, name, visitor, app.now()))
}

/// The same on a connection at hand.
pub fn blocked_on(conn: &Connection, name: &str, visitor: &Visitor<'_>, now: Millis) -> Result<Option<u64>> {
    let mut until = 0;
    for (subject, _) in subjects(name, visitor) {
        until = until.max(sessions::blocked_to(conn, &subject)?);
    }
    Ok(seconds_until(until, now))
}

fn seconds_until(until: Millis, now: Millis) -> Option<u64> {
    (until > now).then(|| ((until - now + 999) / 1000) as u64)
}

/// Counts a failure against account and address, and blocks those who fail too often.
pub fn count_failure(app: &App, name: &str, visitor: &Visitor<'_>) -> Result<()> {
    count_failure_on(&app.store.writer(), name, visitor, app.now())
}

/// The same on a connection at hand.
pub fn count_failure_on(conn: &Connection, name: &str, visitor: &Visitor<'_>, now: Millis) -> Result<()> {
    for (subject, free) in subjects(name, visitor) {
        count(conn, &subject, free, now)?;
    }
    Ok(())
}

fn count(conn: &Connection, subject: &str, free: u32, now: Millis) -> Result<()> {
    let failures = sessions::count_failure(conn, subject, WINDOW, now)?;
    if failures > free {
        let pause = FIRST_PAUSE << (failures - free - 1).min(7);
        sessions::block(conn, subject, now + pause.min(WINDOW))?;
    }
    Ok(())
}

/// Forgets the failures of an account, after it succeeded.
pub fn forgive_on(conn: &Connection, name: &str, visitor: &Visitor<'_>) -> Result<()> {
    sessions::forgive(conn, &subjects(name, visitor)[0].0)
}

/// Counts somebody who asks for mail to a name they type; seconds to wait when it was too often. Depends on the
/// address alone, so it tells nothing about accounts.
pub fn count_mail(app: &App, visitor: &Visitor<'_>) -> Result<Option<u64>> {
    let subject = format!("mail:{}", visitor.address);
    let now = app.now();
    let writer = app.store.writer();
    if let Some(seconds) = seconds_until(sessions::blocked_to(&writer, &subject)?, now) {
        return Ok(Some(seconds));
    }
    count(&writer, &subject, FREE_MAILS, now)?;
    Ok(None)
}

/// Takes a name (or e-mail address) and password. It computes a password hash: not on a request thread.
pub fn sign_in(
    app: &App,
    name: &str,
    password: &str,
    visitor: &Visitor<'_>,
    device: Option<&str>,
) -> Result<Outcome> {
    if let Some(seconds) = blocked(app, name, visitor)? {
        return Ok(Outcome::Blocked(seconds));
    }
    let found = app.read(|conn| store::users::find_for_sign_in(conn, name.trim()))?;
    let right = match &found {
        Some((_, stored)) => password::verify(password, stored),
        None => password::verify(password, password::DECOY),
    };
    let Some((user, _)) = found.filter(|(user, _)| right && user.active) else {
        count_failure(app, name, visitor)?;
        return Ok(Outcome::Refused);
    };
    let trusted = match device {
        Some(device) => {
            let writer = app.store.writer();
            store::two_factor::use_device(&writer, user.id, &hash(device), app.now())?
        }
        None => false,
    };
    let confirmed = user.two_factor == "none" || trusted;
    if !confirmed && user.two_factor == "email" {
        super::two_factor::mail_code(app, &user)?;
    }
    let cookie = open_session(app, &user, visitor, confirmed)?;
    Ok(Outcome::In { cookie, confirmed })
}

/// Opens a session and gives its cookie.
pub fn open_session(app: &App, user: &User, visitor: &Visitor<'_>, confirmed: bool) -> Result<String> {
    let cookie = new_secret();
    let now = app.now();
    let agent: String = visitor.user_agent.chars().take(300).collect();
    let writer = app.store.writer();
    sessions::insert(&writer, user.id, &hash(&cookie), confirmed, visitor.address, &agent, now)?;
    sessions::forgive(&writer, &subjects(&user.username, visitor)[0].0)?;
    sessions::forgive(&writer, &subjects(&user.email, visitor)[0].0)?;
    if confirmed {
        store::users::set_last_login(&writer, user.id, now)?;
    }
    Ok(cookie)
}

/// Makes the link with which the first admin is made; `None` when there are users.
pub fn setup_link(app: &App) -> Result<Option<String>> {
    let writer = app.store.writer();
    if store::users::count(&writer)? > 0 {
        return Ok(None);
    }
    let secret = new_secret();
    sessions::put_link(&writer, &hash(&secret), Purpose::Setup, None, app.now() + SETUP)?;
    Ok(Some(secret))
}

//! People who administer: made, changed, taken away. The last admin stays.

use super::mail;
use super::sign_in::{self, Visitor};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::auth::browser::new_secret;
use crate::auth::{password, secret};
use crate::clock::Millis;
use crate::config::FirstAdmin;
use crate::engine::decode::Problems;
use crate::engine::permission::{Permission, Role};
use crate::engine::value::Json;
use crate::error::{self, Error, Result};
use crate::ids::UserId;
use crate::live::credentials::hash;
use crate::store;
use crate::store::sessions::{self, Purpose, Session};
use crate::store::users::{OwnToken, User};

/// How long a link for a new password works: an hour.
const RESET: Millis = 3600 * 1000;
/// Such a link is mailed at most this often.
const RESET_PAUSE: Millis = 60_000;
/// How long a new user has to choose a password: three days.
const INVITATION: Millis = 3 * 24 * 3600 * 1000;

fn json(user: &User) -> Json {
    Json::from(&serde_json::json!({
        "username": user.username, "email": user.email, "role": user.role, "active": user.active,
        "twoFactor": user.two_factor,
    }))
}

pub(super) fn change(user: &User, action: &'static str, touched: Touched) -> Change {
    Change {
        site: None,
        environment: None,
        entity: "user",
        entity_id: user.uuid.clone(),
        entity_key: user.username.clone(),
        action,
        summary: format!("user {} {action}", user.username),
        feature: None,
        touched,
        before: None,
        after: Some(json(user)),
        event: None,
    }
}

/// Adds what is wrong with a name and an address.
pub(super) fn check_identity(name: &str, email: &str, problems: &mut Problems) {
    let fits = (1..=50).contains(&name.chars().count())
        && name.chars().all(|c| c.is_alphanumeric() || "._-".contains(c));
    if !fits {
        problems.add("username", "must be 1 to 50 letters, digits, dots, dashes or underscores");
    }
    let valid_email = email.len() <= 254
        && email.split_once('@').is_some_and(|(local, domain)| !local.is_empty() && domain.contains('.'))
        && !email.contains(|c: char| c.is_whitespace() || c.is_control());
    if !valid_email {
        problems.add("email", "must be an e-mail address");
    } else if email.to_lowercase().ends_with(&format!("@{}", super::gdpr::NOWHERE)) {
        problems.add("email", "must not be one that stands for people who were erased");
    }
}

/// Makes a user. `user_taken` when the name or address is in use.
pub fn create(app: &App, actor: &Actor, name: &str, email: &str, role: Role, password: &str) -> Result<User> {
    actor.require(Permission::Administer)?;
    let hash = checked(name, email, password)?;
    app.write(actor, |tx| insert(tx, name, email, role, &hash))
}

/// Checks what a user is made of and gives the hash of the password.
fn checked(name: &str, email: &str, password: &str) -> Result<String> {
    let mut problems = Problems::default();
    check_identity(name, email, &mut problems);
    password::check(password, "password", &mut problems);
    error::check(problems)?;
    password::hash(password)
}

fn insert(tx: &Tx<'_>, name: &str, email: &str, role: Role, hash: &str) -> Result<Written<User>> {
    let user = store::users::insert(tx, name, email, role, hash, tx.now)?;
    let change = change(&user, "created", Touched::Credentials);
    Ok(Written::one(user, change))
}

/// Makes the first admin when there are no users yet. Gives whether it did.
pub fn create_first(app: &App, first: &FirstAdmin) -> Result<bool> {
    if app.read(store::users::count)? > 0 {
        return Ok(false);
    }
    let hash = checked(&first.username, &first.email, &first.password)?;
    app.write(&Actor::system("setup"), |tx| {
        // Of two servers that start at once, the second finds the work done.
        if store::users::count(tx)? > 0 {
            return Ok(Written::nothing(false));
        }
        let made = insert(tx, &first.username, &first.email, Role::Admin, &hash)?;
        Ok(Written { value: true, changes: made.changes })
    })
}

/// Makes the first admin with the link that the server printed at its start. `NotFound` when the link is unknown, used
/// or expired, or there are users by now.
pub fn set_up(app: &App, link: &str, first: &FirstAdmin, address: Option<String>) -> Result<User> {
    let stored = checked(&first.username, &first.email, &first.password)?;
    let actor = Actor { address, ..Actor::system("setup") };
    app.write(&actor, |tx| {
        let found = sessions::find_link(tx, &hash(link), Purpose::Setup, tx.now)?;
        if found.is_none() || store::users::count(tx)? > 0 {
            return Err(Error::NotFound("this link".into()));
        }
        sessions::delete_link(tx, &hash(link))?;
        insert(tx, &first.username, &first.email, Role::Admin, &stored)
    })
}

/// Whoever was in, or holds a way in, must sign in with the new password.
fn set_new_password(tx: &Tx<'_>, user: UserId, stored: &str) -> Result<()> {
    store::users::set_password(tx, user, stored)?;
    sessions::delete_all(tx, user, None)?;
    sessions::delete_links_of(tx, user)?;
    store::two_factor::delete_devices(tx, user)
}

/// Sets a user's password. Every session ends, links that were mailed stop working, and no device is trusted any more.
pub fn set_password(app: &App, actor: &Actor, name: &str, password: &str) -> Result<()> {
    actor.require(Permission::Administer)?;
    let hash = password::checked(password)?;
    app.write(actor, |tx| {
        let user = store::users::find(tx, name)?;
        set_new_password(tx, user.id, &hash)?;
        Ok(Written::one((), change(&user, "password changed", Touched::Nothing)))
    })
}

/// Makes a user and mails them a welcome. Without a password they get a link to choose one.
pub fn invite(app: &App, actor: &Actor, name: &str, email: &str, role: Role, password: &str) -> Result<User> {
    actor.require(Permission::Administer)?;
    let mut problems = Problems::default();
    check_identity(name, email, &mut problems);
    let invented = password.is_empty().then(new_secret);
    let password = invented.as_deref().unwrap_or(password);
    password::check(password, "password", &mut problems);
    error::check(problems)?;
    let stored = password::hash(password)?;
    let link = invented.as_ref().map(|_| new_secret());
    app.write(actor, |tx| {
        let user = store::users::insert(tx, name, email, role, &stored, tx.now)?;
        if let Some(link) = &link {
            sessions::put_link(tx, &hash(link), Purpose::Reset, Some(user.id), tx.now + INVITATION)?;
        }
        mail::welcome(app, tx, &user.email, &user.username, link.as_deref(), tx.now)?;
        let change = change(&user, "created", Touched::Credentials);
        Ok(Written::one(user, change))
    })
}

/// `Conflict` when this is the last active admin.
pub(super) fn require_other_admin(tx: &Tx<'_>, user: &User) -> Result<()> {
    if user.role == Role::Admin && user.active && store::users::other_active_admins(tx, user.id)? == 0 {
        return Err(Error::conflict("last_admin", "this is the last administrator; make another one first"));
    }
    Ok(())
}

fn require_somebody_else(actor: &Actor, user: &User) -> Result<()> {
    if actor.user == Some(user.id) {
        return Err(Error::conflict("own_account", "this is your own account; ask another administrator"));
    }
    Ok(())
}

/// Changes name, address and role.
pub fn update(app: &App, actor: &Actor, id: &str, name: &str, email: &str, role: Role) -> Result<User> {
    actor.require(Permission::Administer)?;
    let mut problems = Problems::default();
    check_identity(name, email, &mut problems);
    error::check(problems)?;
    app.write(actor, |tx| save(tx, &store::users::by_uuid(tx, id)?, name, email, role))
}

/// Writes a name, an address and a role that were checked.
pub(super) fn save(tx: &Tx<'_>, before: &User, name: &str, email: &str, role: Role) -> Result<Written<User>> {
    if role != Role::Admin {
        require_other_admin(tx, before)?;
    }
    let after = store::users::update(tx, before.id, name, email, role)?;
    if before.email != after.email {
        // A link in the old mailbox must not open the account any more.
        sessions::delete_links_of(tx, before.id)?;
    }
    let mut change = change(&after, "updated", Touched::Credentials);
    change.before = Some(json(before));
    Ok(Written::one(after, change))
}

/// Lets a user in again, or no more: their sessions end and their tokens stop working.
pub fn set_active(app: &App, actor: &Actor, id: &str, active: bool) -> Result<User> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| switch(tx, &store::users::by_uuid(tx, id)?, active))
}

/// Writes whether a user may sign in.
pub(super) fn switch(tx: &Tx<'_>, user: &User, active: bool) -> Result<Written<User>> {
    if !active {
        require_somebody_else(tx.actor, user)?;
        require_other_admin(tx, user)?;
        sessions::delete_all(tx, user.id, None)?;
        sessions::delete_links_of(tx, user.id)?;
        store::two_factor::delete_devices(tx, user.id)?;
    }
    store::users::set_active(tx, user.id, active)?;
    let action = if active { "activated" } else { "deactivated" };
    let after = store::users::by_id(tx, user.id)?;
    let change = change(&after, action, Touched::Credentials);
    Ok(Written::one(after, change))
}

/// Deletes a user. `owns_sites` while sites are theirs: those are handed over first.
pub fn delete(app: &App, actor: &Actor, id: &str) -> Result<User> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, id)?;
        require_somebody_else(actor, &user)?;
        require_other_admin(tx, &user)?;
        let owned = store::users::owned_sites(tx, user.id)?;
        if !owned.is_empty() {
            let message =
                format!("{} owns {}; hand over first, or deactivate", user.username, owned.join(", "));
            return Err(Error::conflict("owns_sites", message));
        }
        store::users::delete(tx, user.id)?;
        let mut change = change(&user, "deleted", Touched::Credentials);
        change.before = change.after.take();
        Ok(Written::one(user, change))
    })
}

/// Whether this is the password of a user; failures count as those at the door do. It computes a password
/// hash: not on a request thread. `field` is where messages stand.
pub fn check_password(
    app: &App,
    user: &User,
    password: &str,
    field: &str,
    visitor: &Visitor<'_>,
) -> Result<()> {
    if let Some(seconds) = sign_in::blocked(app, &user.username, visitor)? {
        return Err(Error::invalid(field, format!("cannot be tried now: too many tries. Wait {seconds} s")));
    }
    let stored = app.read(|conn| store::users::password(conn, user.id))?;
    if !password::verify(password, &stored) {
        sign_in::count_failure(app, &user.username, visitor)?;
        return Err(Error::invalid(field, "is not your password"));
    }
    Ok(())
}

/// Changes one's own password; every other session ends, and links that were mailed stop working.
pub fn change_password(
    app: &App,
    actor: &Actor,
    session: &Session,
    current: &str,
    new: &str,
    visitor: &Visitor<'_>,
) -> Result<()> {
    let user = app.read(|conn| store::users::by_uuid(conn, &session.user_uuid))?;
    check_password(app, &user, current, "current", visitor)?;
    let stored = password::checked(new)?;
    app.write(actor, |tx| {
        store::users::set_password(tx, user.id, &stored)?;
        sessions::delete_all(tx, user.id, Some(session.id))?;
        sessions::delete_links_of(tx, user.id)?;
        Ok(Written::one((), change(&user, "password changed", Touched::Nothing)))
    })
}

/// Mails a link for a new password to whoever has this name or address. Says nothing about whether anybody
/// does.
pub fn forgot(app: &App, name: &str) -> Result<()> {
    let found = app.read(|conn| store::users::find_for_sign_in(conn, name.trim()))?;
    let Some((user, _)) = found.filter(|(user, _)| user.active) else { return Ok(()) };
    let link = new_secret();
    app.write(&Actor::system("password reset"), |tx| {
        if sessions::has_link_within(tx, user.id, (tx.now + RESET - RESET_PAUSE, tx.now + RESET))? {
            return Ok(Written::nothing(()));
        }
        sessions::put_link(tx, &hash(&link), Purpose::Reset, Some(user.id), tx.now + RESET)?;
        mail::reset(app, tx, &user.email, &link, tx.now)?;
        Ok(Written::one((), change(&user, "password reset asked for", Touched::Nothing)))
    })
}

/// Sets a new password with a link that was mailed. The link works once; every session ends and no device is
/// trusted any more. `NotFound` when the link is unknown, used or expired.
pub fn reset_password(app: &App, link: &str, password: &str, address: Option<String>) -> Result<()> {
    let gone = || Error::NotFound("this link".into());
    app.read(|conn| sessions::find_link(conn, &hash(link), Purpose::Reset, app.now()))?.ok_or_else(gone)?;
    let stored = password::checked(password)?;
    let actor = Actor { address, ..Actor::system("password reset") };
    app.write(&actor, |tx| {
        let found = sessions::find_link(tx, &hash(link), Purpose::Reset, tx.now)?.flatten();
        let user = store::users::by_id(tx, found.ok_or_else(gone)?)?;
        if !user.active {
            return Err(gone());
        }
        set_new_password(tx, user.id, &stored)?;
        Ok(Written::one((), change(&user, "password reset", Touched::Nothing)))
    })
}

/// How pages may look.
pub(super) const THEMES: [&str; 3] = ["system", "light", "dark"];
pub(super) const THEME_RULE: &str = "must be system, light or dark";

/// How a user likes the pages.
pub fn set_preferences(
    app: &App,
    actor: &Actor,
    user: UserId,
    theme: &str,
    dense: bool,
    keys: bool,
) -> Result<()> {
    if !THEMES.contains(&theme) {
        return Err(Error::invalid("theme", THEME_RULE));
    }
    app.write(actor, |tx| {
        store::users::set_preferences(tx, user, theme, dense, keys)?;
        Ok(Written::nothing(()))
    })
}

/// Ends one session of a user.
pub fn end_session(app: &App, actor: &Actor, user: &str, session: &str) -> Result<()> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        match sessions::delete_of(tx, user.id, session)? {
            true => Ok(Written::one((), change(&user, "session ended", Touched::Nothing))),
            false => Err(Error::NotFound("this session".into())),
        }
    })
}

/// Makes a personal token of one's own and gives it with its secret, which is not shown again.
pub fn create_own_token(
    app: &App,
    actor: &Actor,
    user: &str,
    description: &str,
    expires_at: Option<Millis>,
) -> Result<(OwnToken, String)> {
    check_description(description)?;
    let secret = secret::personal();
    let token = app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        let description = description.trim();
        let uuid =
            store::users::insert_personal_token(tx, user.id, description, hash(&secret), expires_at, tx.now)?;
        let token = OwnToken {
            uuid,
            description: description.to_owned(),
            expires_at,
            created_at: tx.now,
            last_used_at: None,
        };
        Ok(Written::one(token, change(&user, "personal token created", Touched::Credentials)))
    })?;
    Ok((token, secret))
}

/// Revokes a personal token of one's own.
pub fn revoke_own_token(app: &App, actor: &Actor, user: &str, token: &str) -> Result<()> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, user)?;
        match store::users::delete_personal_token(tx, user.id, token)? {
            true => Ok(Written::one((), change(&user, "personal token revoked", Touched::Credentials))),
            false => Err(Error::NotFound("this token".into())),
        }
    })
}

fn check_description(description: &str) -> Result<()> {
    if description.trim().is_empty() || description.chars().count() > 200 {
        return Err(Error::invalid("description", "must be 1 to 200 characters"));
    }
    Ok(())
}

/// Takes the second factor of the user with this name or id away, for one who lost it.
pub fn reset_two_factor(app: &App, actor: &Actor, name: &str) -> Result<()> {
    let user = app.read(|conn| store::users::find(conn, name))?;
    reset_two_factor_of(app, actor, &user.uuid)
}

/// The same for the user with this id.
pub fn reset_two_factor_of(app: &App, actor: &Actor, id: &str) -> Result<()> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, id)?;
        store::two_factor::reset(tx, user.id)?;
        Ok(Written::one((), change(&user, "two-factor reset", Touched::Nothing)))
    })
}

/// Makes a personal access token and gives its secret, which is not shown again.
pub fn create_personal_token(app: &App, actor: &Actor, name: &str, description: &str) -> Result<String> {
    actor.require(Permission::Administer)?;
    check_description(description)?;
    let secret = secret::personal();
    app.write(actor, |tx| {
        let user = store::users::find(tx, name)?;
        store::users::insert_personal_token(tx, user.id, description, hash(&secret), None, tx.now)?;
        Ok(Written::one((), change(&user, "personal token created", Touched::Credentials)))
    })?;
    Ok(secret)
}

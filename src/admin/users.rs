//! People who administer, as far as the command line makes them.

use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::auth::{password, secret};
use crate::config::FirstAdmin;
use crate::engine::decode::Problems;
use crate::engine::permission::{Permission, Role};
use crate::engine::value::Json;
use crate::error::{self, Result};
use crate::live::credentials::hash;
use crate::store;
use crate::store::users::User;

fn change(user: &User, action: &'static str, touched: Touched) -> Change {
    let json = serde_json::json!({ "username": user.username, "email": user.email, "role": user.role });
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
        after: Some(Json::from(&json)),
        event: None,
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
    }
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

/// Sets a user's password.
pub fn set_password(app: &App, actor: &Actor, name: &str, password: &str) -> Result<()> {
    actor.require(Permission::Administer)?;
    let hash = password::checked(password)?;
    app.write(actor, |tx| {
        let user = store::users::find(tx, name)?;
        store::users::set_password(tx, user.id, &hash)?;
        Ok(Written::one((), change(&user, "password changed", Touched::Nothing)))
    })
}

/// Takes a user's second factor away, for one who lost it.
pub fn reset_two_factor(app: &App, actor: &Actor, name: &str) -> Result<()> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| {
        let user = store::users::find(tx, name)?;
        store::users::reset_two_factor(tx, user.id)?;
        Ok(Written::one((), change(&user, "two-factor reset", Touched::Nothing)))
    })
}

/// Makes a personal access token and gives its secret, which is not shown again.
pub fn create_personal_token(app: &App, actor: &Actor, name: &str, description: &str) -> Result<String> {
    actor.require(Permission::Administer)?;
    if description.trim().is_empty() || description.chars().count() > 200 {
        return Err(error::Error::invalid("description", "must be 1 to 200 characters"));
    }
    let secret = secret::personal();
    app.write(actor, |tx| {
        let user = store::users::find(tx, name)?;
        store::users::insert_personal_token(tx, user.id, description, hash(&secret), None, tx.now)?;
        Ok(Written::one((), change(&user, "personal token created", Touched::Credentials)))
    })?;
    Ok(secret)
}

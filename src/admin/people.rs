//! People as the API shows them, and what it takes: users, for administrators; for everybody, what is their own.

use serde::Serialize;
use utoipa::ToSchema;

use super::read_body;
use super::tokens::{read_description, read_expiry};
use super::users::{self, THEME_RULE, THEMES};
use crate::app::{Actor, App, Written};
use crate::auth::password;
use crate::clock::rfc3339;
use crate::engine::decode::{Object, Problems};
use crate::engine::feature::text;
use crate::engine::permission::{Permission, Role};
use crate::error::{Error, Result};
use crate::store;
use crate::store::sessions::Session;
use crate::store::two_factor::Device;
use crate::store::users::{OwnToken, Preferences, User};

/// Somebody who signs in here. Those whom features are for are not users.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = User, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0009", "username": "ben", "email": "ben@shop.example", "role": "viewer",
    "active": true, "twoFactor": "none", "createdAt": "2026-01-31T12:00:00.000Z", "lastLoginAt": null
}))]
pub struct View {
    #[schema(format = Uuid)]
    pub id: String,
    pub username: String,
    /// Not in lists.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    pub role: Role,
    /// Whether they may sign in.
    pub active: bool,
    #[schema(value_type = TwoFactor)]
    pub two_factor: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(required, format = DateTime)]
    pub last_login_at: Option<String>,
}

/// What somebody is asked for beside the password: nothing, a code of an app, or one by e-mail.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum TwoFactor {
    None,
    Totp,
    Email,
}

impl View {
    /// As in a list: without the address, so that a screen that is shared gives none away.
    pub fn listed(user: &User) -> Self {
        Self {
            id: user.uuid.clone(),
            username: user.username.clone(),
            email: None,
            role: user.role,
            active: user.active,
            two_factor: user.two_factor.clone(),
            created_at: rfc3339(user.created_at),
            last_login_at: user.last_login_at.map(rfc3339),
        }
    }
}

impl From<&User> for View {
    fn from(user: &User) -> Self {
        Self { email: Some(user.email.clone()), ..Self::listed(user) }
    }
}

/// A user to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"username": "cleo", "email": "cleo@shop.example", "role": "editor"}))]
pub struct NewUser {
    /// Letters, digits, dots, dashes and underscores.
    #[schema(min_length = 1, max_length = 50)]
    pub username: String,
    #[schema(max_length = 254)]
    pub email: String,
    pub role: Role,
    /// `null` or left out: they choose one themselves, with a link that is mailed to them.
    #[schema(min_length = 8, max_length = 1000)]
    pub password: Option<String>,
}

/// Makes a user and mails them a welcome. It computes a password hash: not on a request thread. Body: [`NewUser`].
pub fn create(app: &App, actor: &Actor, body: &str) -> Result<User> {
    actor.require(Permission::Administer)?;
    let (name, email, role, password) = read_body(body, |object, problems| {
        let who = read_user(object, None, problems);
        let password = object.take_value("password").map(|node| node.string(problems).unwrap_or_default());
        if let Some(password) = &password {
            password::check(password, "password", problems);
        }
        let (name, email, role) = who?;
        Some((name, email, role, password.unwrap_or_default()))
    })?;
    users::invite(app, actor, &name, &email, role, &password)
}

/// Changes to a user. What is left out stays; what the server keeps may be repeated and is ignored.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"role": "editor"}))]
pub struct UserChange {
    /// Letters, digits, dots, dashes and underscores.
    #[schema(min_length = 1, max_length = 50)]
    pub username: Option<String>,
    /// Links that were mailed to another address stop working.
    #[schema(max_length = 254)]
    pub email: Option<String>,
    pub role: Option<Role>,
    /// `false`: their sessions end, and their tokens work no more until they are let in again.
    pub active: Option<bool>,
}

/// Changes name, address, role, and whether they may sign in. Body: [`UserChange`].
pub fn update(app: &App, actor: &Actor, id: &str, body: &str) -> Result<User> {
    actor.require(Permission::Administer)?;
    app.write(actor, |tx| {
        let before = store::users::by_uuid(tx, id)?;
        let ((name, email, role), active) = read_body(body, |object, problems| {
            let who = read_user(object, Some(&before), problems);
            let active = object.boolean_or("active", before.active, problems);
            object.ignore(&["id", "twoFactor", "createdAt", "lastLoginAt"]);
            Some((who?, active?))
        })?;
        let is_same = (&name, &email, role) == (&before.username, &before.email, before.role);
        let mut written = match is_same {
            true => Written::nothing(before),
            false => users::save(tx, &before, &name, &email, role)?,
        };
        if active != written.value.active {
            let switched = users::switch(tx, &written.value, active)?;
            written.value = switched.value;
            written.changes.extend(switched.changes);
        }
        Ok(written)
    })
}

/// Name, address and role: all of them of a new user, else those that change.
fn read_user(
    object: &mut Object<'_>,
    before: Option<&User>,
    problems: &mut Problems,
) -> Option<(String, String, Role)> {
    if before.is_none() {
        for name in ["username", "email", "role"] {
            object.require(name, problems);
        }
    }
    let mut member = |name: &str, base: Option<&String>| {
        text(object, name, base.map(String::as_str), 254, problems).unwrap_or_default()
    };
    let name = member("username", before.map(|user| &user.username));
    let email = member("email", before.map(|user| &user.email));
    if before.is_none_or(|user| (&user.username, &user.email) != (&name, &email)) {
        users::check_identity(&name, &email, problems);
    }
    let role = before.map(|user| user.role);
    let role = word(object, "role", role, Role::parse, "must be viewer, editor or admin", problems);
    Some((name, email, role?))
}

/// One of some words; as it was where it is left out.
fn word<T>(
    object: &mut Object<'_>,
    name: &str,
    base: Option<T>,
    parse: fn(&str) -> Option<T>,
    rule: &str,
    problems: &mut Problems,
) -> Option<T> {
    let Some(node) = object.take_value(name) else { return base };
    let read = parse(&node.string(problems)?);
    if read.is_none() {
        problems.add(name, rule);
    }
    read
}

/// The id of whoever acts: those who call the API with a role are people.
pub fn own(actor: &Actor) -> Result<&str> {
    actor.id.as_deref().ok_or_else(|| Error::internal("nobody acts"))
}

/// Whoever asks, and how they like the pages.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Me)]
pub struct Own {
    #[serde(flatten)]
    pub user: View,
    #[schema(value_type = Theme)]
    pub theme: String,
    /// Whether the rows of tables stand close.
    pub dense: bool,
    /// Whether single keys are shortcuts.
    pub single_keys: bool,
}

/// Which colours the pages have: those of the system, light or dark ones.
#[derive(ToSchema)]
#[schema(rename_all = "lowercase")]
pub enum Theme {
    System,
    Light,
    Dark,
}

impl Own {
    fn of(user: &User, preferences: Preferences) -> Self {
        let Preferences { theme, dense, single_keys } = preferences;
        Self { user: View::from(user), theme, dense, single_keys }
    }
}

/// Whoever acts, with preferences.
pub fn find_own(app: &App, actor: &Actor) -> Result<Own> {
    app.read_consistent(|conn| {
        let user = store::users::by_uuid(conn, own(actor)?)?;
        Ok(Own::of(&user, store::users::preferences(conn, user.id)?))
    })
}

/// Changes to how one likes the pages. What is left out stays; what an administrator or the server keeps may only be
/// repeated.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = MeChange, rename_all = "camelCase", example = json!({"theme": "dark"}))]
pub struct OwnChange {
    pub theme: Option<Theme>,
    /// Whether the rows of tables stand close.
    pub dense: Option<bool>,
    /// Whether single keys are shortcuts.
    pub single_keys: Option<bool>,
}

/// Changes how one likes the pages. Body: [`OwnChange`].
pub fn update_own(app: &App, actor: &Actor, body: &str) -> Result<Own> {
    app.write(actor, |tx| {
        let user = store::users::by_uuid(tx, own(actor)?)?;
        let before = store::users::preferences(tx, user.id)?;
        let after = read_body(body, |object, problems| {
            let known = |text: &str| THEMES.contains(&text).then(|| text.to_owned());
            let theme = word(object, "theme", Some(before.theme), known, THEME_RULE, problems);
            let dense = object.boolean_or("dense", before.dense, problems);
            let single_keys = object.boolean_or("singleKeys", before.single_keys, problems);
            // What is not theirs to change.
            let kept = [
                ("username", user.username.as_str()),
                ("email", user.email.as_str()),
                ("role", user.role.as_str()),
            ];
            for (name, is) in kept {
                if let Some(node) = object.take_value(name)
                    && node.string(problems).is_some_and(|given| given != is)
                {
                    problems.add(name, "is for an administrator to change");
                }
            }
            object.ignore(&["id", "active", "twoFactor", "createdAt", "lastLoginAt"]);
            Some(Preferences { theme: theme?, dense: dense?, single_keys: single_keys? })
        })?;
        store::users::set_preferences(tx, user.id, &after.theme, after.dense, after.single_keys)?;
        Ok(Written::nothing(Own::of(&user, after)))
    })
}

/// A personal access token: for programs of a person, which may do what that person may. Its secret is shown once, at
/// creation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = PersonalToken, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e000a", "description": "terraform", "expiresAt": null,
    "createdAt": "2026-01-31T12:00:00.000Z"
}))]
pub struct TokenView {
    #[schema(format = Uuid)]
    pub id: String,
    pub description: String,
    /// `null`: never.
    #[schema(required, format = DateTime)]
    pub expires_at: Option<String>,
    #[schema(format = DateTime)]
    pub created_at: String,
}

impl From<&OwnToken> for TokenView {
    fn from(token: &OwnToken) -> Self {
        Self {
            id: token.uuid.clone(),
            description: token.description.clone(),
            expires_at: token.expires_at.map(rfc3339),
            created_at: rfc3339(token.created_at),
        }
    }
}

/// A personal access token together with its secret.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PersonalTokenWithSecret)]
pub struct CreatedToken {
    #[serde(flatten)]
    pub view: TokenView,
    /// Not shown again.
    #[schema(example = "alm_pat_4Zc0vQ2kW9uXy7RtB1mNs8LdPf")]
    pub token: String,
}

/// A personal access token to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = NewPersonalToken, rename_all = "camelCase", example = json!({"description": "terraform"}))]
pub struct NewOwnToken {
    #[schema(min_length = 1, max_length = 200)]
    pub description: String,
    /// In the future; `null` or left out: never.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
}

/// Makes a personal access token of one's own. Body: [`NewOwnToken`].
pub fn create_token(app: &App, actor: &Actor, body: &str) -> Result<CreatedToken> {
    let (description, expires_at) = read_body(body, |object, problems| {
        let description = read_description(object, None, problems);
        let expires_at = match object.take_value("expiresAt") {
            Some(node) => read_expiry(&node, None, app.now(), problems).map(Some),
            None => Some(None),
        };
        Some((description?, expires_at?))
    })?;
    let (made, token) = users::create_own_token(app, actor, own(actor)?, &description, expires_at)?;
    Ok(CreatedToken { view: TokenView::from(&made), token })
}

/// A browser that is trusted: it is not asked for the second factor until then.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TrustedDevice, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e000b", "current": false,
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "createdAt": "2026-01-31T12:00:00.000Z",
    "lastUsedAt": "2026-02-01T08:00:00.000Z", "expiresAt": "2026-03-02T12:00:00.000Z"
}))]
pub struct DeviceView {
    #[schema(format = Uuid)]
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    pub user_agent: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub last_used_at: String,
    #[schema(format = DateTime)]
    pub expires_at: String,
}

impl DeviceView {
    pub fn of(device: &Device, current: bool) -> Self {
        Self {
            id: device.uuid.clone(),
            current,
            user_agent: device.user_agent.clone(),
            created_at: rfc3339(device.created_at),
            last_used_at: rfc3339(device.last_used_at),
            expires_at: rfc3339(device.expires_at),
        }
    }
}

/// A browser that is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Session, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e000c", "current": false, "confirmed": true, "address": "192.0.2.7",
    "userAgent": "Mozilla/5.0 (X11; Linux x86_64) Firefox/140.0", "createdAt": "2026-01-31T12:00:00.000Z",
    "lastSeenAt": "2026-01-31T12:30:00.000Z"
}))]
pub struct SessionView {
    #[schema(format = Uuid)]
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// `false` while the second factor is owed: the password alone was given.
    pub confirmed: bool,
    pub address: String,
    pub user_agent: String,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub last_seen_at: String,
}

impl SessionView {
    pub fn of(session: &Session, current: bool) -> Self {
        Self {
            id: session.uuid.clone(),
            current,
            confirmed: session.confirmed,
            address: session.address.clone(),
            user_agent: session.user_agent.clone(),
            created_at: rfc3339(session.created_at),
            last_seen_at: rfc3339(session.last_seen_at),
        }
    }
}

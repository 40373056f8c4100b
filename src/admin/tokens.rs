//! Environment tokens: made, changed, rotated, revoked.

use serde::Serialize;
use utoipa::openapi::RefOr;
use utoipa::openapi::schema::{ObjectBuilder, Schema, Type};
use utoipa::{PartialSchema, ToSchema};

use super::{read_body, scope};
use crate::app::{Actor, App, Change, Touched, Written};
use crate::auth::secret;
use crate::clock::{self, Millis, rfc3339};
use crate::engine::decode::{Node, Object, Problems};
use crate::engine::feature::text;
use crate::engine::permission::Permission;
use crate::engine::value::Json;
use crate::error::Result;
use crate::store;
use crate::store::environments::Environment;
use crate::store::sites::Site;
use crate::store::tokens::{Kind, PERMISSIONS, Token};

/// The longest that both secrets of a rotated token work: 90 days.
const MAX_GRACE: u64 = 90 * 24 * 3600;

/// An environment token. Its secret is shown once, at creation and rotation.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Token, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0005", "description": "web shop", "kind": "client",
    "permissions": ["READ"], "expiresAt": null, "rateLimit": null, "createdAt": "2026-01-31T12:00:00.000Z",
    "createdBy": "ana", "lastUsedAt": null, "uses": 0, "previousUntil": null
}))]
pub struct View {
    #[schema(format = Uuid)]
    pub id: String,
    pub description: String,
    pub kind: Kind,
    #[schema(value_type = Vec<TokenPermission>)]
    pub permissions: Vec<String>,
    /// `null`: never.
    #[schema(required, format = DateTime)]
    pub expires_at: Option<String>,
    /// Requests a minute; `null`: the server's setting, 0: unlimited.
    #[schema(required)]
    pub rate_limit: Option<u32>,
    #[schema(format = DateTime)]
    pub created_at: String,
    pub created_by: String,
    #[schema(required, format = DateTime)]
    pub last_used_at: Option<String>,
    pub uses: u64,
    /// Until when the secret before the last rotation works.
    #[schema(required, format = DateTime)]
    pub previous_until: Option<String>,
}

impl From<&Token> for View {
    fn from(token: &Token) -> Self {
        Self {
            id: token.uuid.clone(),
            description: token.description.clone(),
            kind: token.kind,
            permissions: token.permissions.clone(),
            expires_at: token.expires_at.map(rfc3339),
            rate_limit: token.rate_limit,
            created_at: rfc3339(token.created_at),
            created_by: token.created_by.clone(),
            last_used_at: token.last_used_at.map(rfc3339),
            uses: token.uses,
            previous_until: token.previous.map(|(_, until)| rfc3339(until)),
        }
    }
}

/// What a token may be used for. Every token may read.
pub struct TokenPermission;

impl PartialSchema for TokenPermission {
    fn schema() -> RefOr<Schema> {
        ObjectBuilder::new()
            .schema_type(Type::String)
            .description(Some("What a token may be used for. Every token may `READ`."))
            .enum_values(Some(PERMISSIONS.iter().copied()))
            .into()
    }
}

impl ToSchema for TokenPermission {}

/// A token together with its secret in both spellings.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = TokenWithSecret)]
pub struct Created {
    #[serde(flatten)]
    pub view: View,
    /// For every door but FeatureHub's. Not shown again.
    #[schema(example = "alm_env_shop_prod_4Zc0vQ2kW9uXy7RtB1mNs8LdPf")]
    pub token: String,
    /// For `/features…`. Not shown again.
    #[schema(example = "0198c0de-7a11-7c3e-9d52-3f1b6c1e0003/4Zc0vQ2kW9uXy7RtB1mNs8LdPf")]
    pub featurehub_key: String,
}

fn change(
    site: &Site,
    environment: &Environment,
    token: &Token,
    action: &'static str,
    before: Option<&Token>,
    after: Option<&Token>,
) -> Change {
    let json = |token: &Token| Json::of(&View::from(token));
    Change {
        site: Some(site.uuid.clone()),
        environment: Some(environment.uuid.clone()),
        entity: "token",
        entity_id: token.uuid.clone(),
        entity_key: token.description.clone(),
        action,
        summary: format!("token {:?} {action}", token.description),
        feature: None,
        touched: Touched::Credentials,
        before: before.and_then(json),
        after: after.and_then(json),
        event: None,
    }
}

/// What a token is for, which must be said.
pub(super) fn read_description(
    object: &mut Object<'_>,
    base: Option<&str>,
    problems: &mut Problems,
) -> Option<String> {
    let description = text(object, "description", base, 200, problems)?;
    if description.trim().is_empty() {
        problems.add("description", "is required");
        return None;
    }
    Some(description)
}

fn read_permissions(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let mut permissions = node.strings(PERMISSIONS.len(), problems)?;
    for (at, permission) in permissions.iter().enumerate() {
        if !PERMISSIONS.contains(&permission.as_str()) {
            problems
                .add(format!("{}[{at}]", node.path), format!("must be one of {}", PERMISSIONS.join(", ")));
        }
    }
    permissions.push("READ".into());
    permissions.sort();
    permissions.dedup();
    Some(permissions)
}

/// When a token ends: in the future, or as it was.
pub(super) fn read_expiry(
    node: &Node<'_>,
    before: Option<Millis>,
    now: Millis,
    problems: &mut Problems,
) -> Option<Millis> {
    let at = clock::parse(&node.string(problems)?);
    match at {
        Some(_) if at == before => {}
        None => problems.add(&node.path, "must be an RFC 3339 time such as 2026-01-31T12:00:00Z"),
        Some(at) if at <= now => problems.add(&node.path, "must be in the future"),
        Some(_) => {}
    }
    at
}

/// A token to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"description": "web shop", "kind": "client"}))]
pub struct NewToken {
    #[schema(min_length = 1, max_length = 200)]
    pub description: String,
    pub kind: Kind,
    /// `READ` when left out; it is always among them.
    pub permissions: Option<Vec<TokenPermission>>,
    /// In the future; `null` or left out: never.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// Requests a minute; `null` or left out: the server's setting, 0: unlimited.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub rate_limit: Option<u32>,
}

/// Makes a token. Body: [`NewToken`].
pub fn create(app: &App, actor: &Actor, site: &str, environment: &str, body: &str) -> Result<Created> {
    actor.require(Permission::Change)?;
    let now = app.now();
    let (description, kind, permissions, expires_at, rate_limit) = read_body(body, |object, problems| {
        let description = read_description(object, None, problems);
        let kind = object.require("kind", problems).and_then(|node| {
            let kind = Kind::parse(&node.string(problems)?);
            if kind.is_none() {
                problems.add(&node.path, "must be client or server");
            }
            kind
        });
        let permissions = match object.take_value("permissions") {
            Some(node) => read_permissions(&node, problems),
            None => Some(vec!["READ".into()]),
        };
        let expires_at = match object.take_value("expiresAt") {
            Some(node) => read_expiry(&node, None, now, problems).map(Some),
            None => Some(None),
        };
        let rate_limit = read_rate_limit(object, None, problems);
        Some((description?, kind?, permissions?, expires_at?, rate_limit?))
    })?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, site, environment)?;
        super::require_writable(&environment)?;
        let secret = secret::NewToken::make(&site.slug, &environment.name, &environment.uuid, kind);
        let new = store::tokens::New {
            description: &description,
            kind,
            permissions: &permissions,
            hashes: secret.hashes(),
            expires_at,
            rate_limit,
            created_by: &actor.name,
        };
        let token = store::tokens::insert(tx, environment.id, &new, tx.now)?;
        let change = change(&site, &environment, &token, "created", None, Some(&token));
        let created =
            Created { view: View::from(&token), token: secret.native, featurehub_key: secret.featurehub };
        Ok(Written::one(created, change))
    })
}

fn read_rate_limit(
    object: &mut Object<'_>,
    base: Option<u32>,
    problems: &mut Problems,
) -> Option<Option<u32>> {
    match object.take("rateLimit") {
        None => Some(base),
        Some(node) if node.is_null() => Some(None),
        Some(node) => node.integer(0, 1_000_000_000, problems).map(|limit| u32::try_from(limit).ok()),
    }
}

/// Changes to a token. What is left out stays; what the server keeps may be repeated and is ignored.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"rateLimit": 600}))]
pub struct TokenChange {
    #[schema(min_length = 1, max_length = 200)]
    pub description: Option<String>,
    /// Fixed once made: may only repeat what it is.
    pub kind: Option<Kind>,
    pub permissions: Option<Vec<TokenPermission>>,
    /// `null`: never.
    #[schema(format = DateTime)]
    pub expires_at: Option<String>,
    /// Requests a minute; `null`: the server's setting, 0: unlimited.
    #[schema(minimum = 0, maximum = 1_000_000_000)]
    pub rate_limit: Option<u32>,
}

/// Changes description, permissions, expiry or rate limit. Body: [`TokenChange`].
pub fn update(
    app: &App,
    actor: &Actor,
    site: &str,
    environment: &str,
    id: &str,
    body: &str,
) -> Result<Token> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, site, environment)?;
        super::require_writable(&environment)?;
        let before = store::tokens::find(tx, environment.id, id)?;
        let mut after = before.clone();
        let () = read_body(body, |object, problems| {
            let description = read_description(object, Some(&before.description), problems);
            let permissions = match object.take_value("permissions") {
                Some(node) => read_permissions(&node, problems),
                None => Some(before.permissions.clone()),
            };
            let expires_at = match object.take("expiresAt") {
                Some(node) if node.is_null() => Some(None),
                Some(node) => read_expiry(&node, before.expires_at, tx.now, problems).map(Some),
                None => Some(before.expires_at),
            };
            let rate_limit = read_rate_limit(object, before.rate_limit, problems);
            if let Some(node) = object.take_value("kind")
                && node.string(problems).is_some_and(|kind| kind != before.kind.as_str())
            {
                problems.add("kind", "is fixed once made");
            }
            object.ignore(&["id", "createdAt", "createdBy", "lastUsedAt", "uses", "previousUntil"]);
            after.description = description?;
            after.permissions = permissions?;
            after.expires_at = expires_at?;
            after.rate_limit = rate_limit?;
            Some(())
        })?;
        if after == before {
            return Ok(Written::nothing(after));
        }
        store::tokens::update(tx, &after)?;
        let change = change(&site, &environment, &after, "updated", Some(&before), Some(&after));
        Ok(Written::one(after, change))
    })
}

/// How to rotate a token.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"graceSeconds": 86400}))]
pub struct Rotation {
    /// How long the old secret goes on working, at most 90 days; 0 when left out.
    #[schema(minimum = 0, maximum = 7_776_000)]
    pub grace_seconds: Option<u64>,
}

/// Gives a token a new secret; the old one works on for a while. Body: [`Rotation`], or none.
pub fn rotate(
    app: &App,
    actor: &Actor,
    site: &str,
    environment: &str,
    id: &str,
    body: &str,
) -> Result<Created> {
    actor.require(Permission::Change)?;
    let grace = match body.trim() {
        "" => 0,
        body => read_body(body, |object, problems| match object.take_value("graceSeconds") {
            Some(node) => node.integer(0, MAX_GRACE, problems),
            None => Some(0),
        })?,
    };
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, site, environment)?;
        super::require_writable(&environment)?;
        let before = store::tokens::find(tx, environment.id, id)?;
        let secret = secret::NewToken::make(&site.slug, &environment.name, &environment.uuid, before.kind);
        let mut after = before.clone();
        after.previous = (grace > 0).then(|| (before.hashes, tx.now + grace as Millis * 1000));
        after.hashes = secret.hashes();
        store::tokens::update(tx, &after)?;
        let change = change(&site, &environment, &after, "rotated", Some(&before), Some(&after));
        let created =
            Created { view: View::from(&after), token: secret.native, featurehub_key: secret.featurehub };
        Ok(Written::one(created, change))
    })
}

/// Revokes a token at once, in every spelling.
pub fn delete(app: &App, actor: &Actor, site: &str, environment: &str, id: &str) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = scope(tx, site, environment)?;
        let token = store::tokens::find(tx, environment.id, id)?;
        store::tokens::delete(tx, token.id)?;
        Ok(Written::one((), change(&site, &environment, &token, "revoked", Some(&token), None)))
    })
}

//! Environments of a site.

use serde::Serialize;
use utoipa::ToSchema;

use super::read_body;
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::clock::rfc3339;
use crate::engine::decode::{Node, Object, Problems};
use crate::engine::document::{ENVIRONMENT_RULE, is_environment_name, read_status};
use crate::engine::feature::{read_tags, text};
use crate::engine::permission::Permission;
use crate::engine::snapshot::Status;
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::store;
use crate::store::environments::{Environment, New};
use crate::store::sites::Site;

/// An environment of a site.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Environment, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0003", "name": "prod", "description": "", "tags": ["production"],
    "status": "active", "userIdIsContextKey": true, "revision": 412,
    "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-01-31T12:00:00.000Z"
}))]
pub struct View {
    #[schema(format = Uuid)]
    pub id: String,
    pub name: String,
    pub description: String,
    pub tags: Vec<String>,
    pub status: Status,
    /// Whether `userId` names a stored Context, or only `contextKey` does.
    pub user_id_is_context_key: bool,
    /// Grows by one with each change that evaluation can see.
    pub revision: u64,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl From<&Environment> for View {
    fn from(environment: &Environment) -> Self {
        Self {
            id: environment.uuid.clone(),
            name: environment.name.clone(),
            description: environment.description.clone(),
            tags: environment.tags.clone(),
            status: environment.status,
            user_id_is_context_key: environment.user_id_is_context,
            revision: environment.revision,
            created_at: rfc3339(environment.created_at),
            updated_at: rfc3339(environment.updated_at),
        }
    }
}

fn change(
    site: &Site,
    environment: &Environment,
    action: &'static str,
    touched: Touched,
    before: Option<&Environment>,
    after: Option<&Environment>,
) -> Change {
    let json = |environment: &Environment| Json::of(&View::from(environment));
    Change {
        site: Some(site.uuid.clone()),
        environment: Some(environment.uuid.clone()),
        entity: "environment",
        entity_id: environment.uuid.clone(),
        entity_key: environment.name.clone(),
        action,
        summary: format!("environment {} {action}", environment.name),
        feature: None,
        touched,
        before: before.and_then(json),
        after: after.and_then(json),
        event: None,
    }
}

fn read_environment_name(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let name = node.string(problems)?;
    if !is_environment_name(&name) {
        problems.add(&node.path, ENVIRONMENT_RULE);
        return None;
    }
    Some(name)
}

/// `limit_reached` when the site has as many environments as it may.
pub(super) fn require_room(app: &App, tx: &Tx<'_>, site: &Site, more: usize) -> Result<()> {
    let max = app.config.max_environments;
    if more > 0 && store::environments::list(tx, site.id)?.len() + more > max {
        return Err(Error::conflict("limit_reached", format!("a site has at most {max} environments")));
    }
    Ok(())
}

/// An environment to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"name": "dev", "description": "For trying things out"}))]
pub struct NewEnvironment {
    /// 1 to 50 of `a-z 0-9 _ -`, unique in the site.
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z0-9_-]+$")]
    pub name: String,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    /// Distinct texts of 1 to 50 characters. `production` marks the environment in the interface.
    #[schema(max_items = 50)]
    pub tags: Option<Vec<String>>,
    /// `active` when left out.
    pub status: Option<Status>,
    /// Whether `userId` names a stored Context, or only `contextKey` does; `true` when left out.
    pub user_id_is_context_key: Option<bool>,
}

/// Makes an environment. Body: [`NewEnvironment`].
pub fn create(app: &App, actor: &Actor, site: &str, body: &str) -> Result<Environment> {
    actor.require(Permission::Change)?;
    let (name, description, tags, status, user_id_is_context) = read_body(body, |object, problems| {
        let name = object.require("name", problems).and_then(|node| read_environment_name(&node, problems));
        let description = text(object, "description", None, 4000, problems);
        let tags = tags(object, &[], problems);
        let status = read_status(object, Status::Active, problems);
        let by_user = object.boolean_or("userIdIsContextKey", true, problems);
        Some((name?, description?, tags?, status?, by_user?))
    })?;
    app.write(actor, |tx| {
        let site = store::sites::find(tx, site)?;
        require_room(app, tx, &site, 1)?;
        let new = New { name: &name, description: &description, tags: &tags, status, user_id_is_context };
        let (environment, change) = insert(tx, &site, &new)?;
        Ok(Written::one(environment, change))
    })
}

fn tags(object: &mut Object<'_>, before: &[String], problems: &mut Problems) -> Option<Vec<String>> {
    match object.take_value("tags") {
        Some(node) => read_tags(&node, problems),
        None => Some(before.to_vec()),
    }
}

/// Inserts an environment.
pub(super) fn insert(tx: &Tx<'_>, site: &Site, new: &New<'_>) -> Result<(Environment, Change)> {
    let mut environment = store::environments::insert(tx, site.id, new, tx.now)?;
    // What is touched gets a new revision with the commit.
    environment.revision += 1;
    let touched = Touched::Environments(vec![environment.id]);
    let change = change(site, &environment, "created", touched, None, Some(&environment));
    Ok((environment, change))
}

/// Changes to an environment. What is left out stays; `id`, `revision` and times may be repeated and are ignored.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"status": "maintenance"}))]
pub struct EnvironmentChange {
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z0-9_-]+$")]
    pub name: Option<String>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
    #[schema(max_items = 50)]
    pub tags: Option<Vec<String>>,
    pub status: Option<Status>,
    pub user_id_is_context_key: Option<bool>,
}

/// Changes name, description, tags, status or how stored Contexts are found. An archived environment takes
/// nothing but a new status.
pub fn update(app: &App, actor: &Actor, site: &str, environment: &str, body: &str) -> Result<Environment> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, before) = super::scope(tx, site, environment)?;
        let mut after = before.clone();
        let () = read_body(body, |object, problems| {
            let name = match object.take_value("name") {
                Some(node) => read_environment_name(&node, problems),
                None => Some(before.name.clone()),
            };
            let description = text(object, "description", Some(&before.description), 4000, problems);
            let tags = tags(object, &before.tags, problems);
            let status = read_status(object, before.status, problems);
            let by_user = object.boolean_or("userIdIsContextKey", before.user_id_is_context, problems);
            object.ignore(&["id", "revision", "createdAt", "updatedAt"]);
            after.name = name?;
            after.description = description?;
            after.tags = tags?;
            after.status = status?;
            after.user_id_is_context = by_user?;
            Some(())
        })?;
        if before.status == Status::Archived && after.status == Status::Archived {
            super::require_writable(&before)?;
        }
        save(tx, &site, &before, after)
    })
}

/// Writes an environment back when it differs.
pub(super) fn save(
    tx: &Tx<'_>,
    site: &Site,
    before: &Environment,
    mut after: Environment,
) -> Result<Written<Environment>> {
    let seen = |e: &Environment| (e.name.clone(), e.status, e.user_id_is_context);
    if seen(before) == seen(&after)
        && (&before.description, &before.tags) == (&after.description, &after.tags)
    {
        return Ok(Written::nothing(after));
    }
    after.updated_at = tx.now;
    store::environments::update(tx, &after, tx.now)?;
    let touched = if seen(before) == seen(&after) {
        Touched::Nothing
    } else {
        after.revision += 1;
        Touched::Environments(vec![after.id])
    };
    let change = change(site, &after, "updated", touched, Some(before), Some(&after));
    Ok(Written::one(after, change))
}

/// Deletes an environment with everything in it.
pub fn delete(app: &App, actor: &Actor, site: &str, environment: &str) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let (site, environment) = super::scope(tx, site, environment)?;
        store::environments::delete(tx, environment.id)?;
        let touched = Touched::Removed(vec![environment.id]);
        Ok(Written::one((), change(&site, &environment, "deleted", touched, Some(&environment), None)))
    })
}

//! Sites: made with an environment `prod`, renamed, handed over, deleted.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::{read_body, read_name};
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::clock::rfc3339;
use crate::engine::document::{SLUG_RULE, is_slug};
use crate::engine::feature::text;
use crate::engine::permission::Permission;
use crate::engine::snapshot::Status;
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::store;
use crate::store::environments::{Environment, New};
use crate::store::sites::Site;

/// A site: one application or service.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Site, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0001", "slug": "shop", "name": "Shop", "description": "Web shop",
    "owner": {"id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0002", "username": "ana"},
    "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-01-31T12:00:00.000Z"
}))]
pub struct View {
    #[schema(format = Uuid)]
    pub id: String,
    pub slug: String,
    pub name: String,
    pub description: String,
    /// Who owns the site; `null` when that user is gone.
    #[schema(required)]
    pub owner: Option<Owner>,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

/// The user who owns a site.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SiteOwner)]
pub struct Owner {
    #[schema(format = Uuid)]
    pub id: String,
    pub username: String,
}

impl From<&Site> for View {
    fn from(site: &Site) -> Self {
        Self {
            id: site.uuid.clone(),
            slug: site.slug.clone(),
            name: site.name.clone(),
            description: site.description.clone(),
            owner: site
                .owner
                .as_ref()
                .map(|owner| Owner { id: owner.uuid.clone(), username: owner.username.clone() }),
            created_at: rfc3339(site.created_at),
            updated_at: rfc3339(site.updated_at),
        }
    }
}

pub(super) fn change(
    site: &Site,
    action: &'static str,
    summary: String,
    before: Option<&Site>,
    after: Option<&Site>,
) -> Change {
    let json = |site: &Site| Json::of(&View::from(site));
    Change {
        site: Some(site.uuid.clone()),
        environment: None,
        entity: "site",
        entity_id: site.uuid.clone(),
        entity_key: site.slug.clone(),
        action,
        summary,
        feature: None,
        touched: Touched::Nothing,
        before: before.and_then(json),
        after: after.and_then(json),
        event: None,
    }
}

/// A slug made from a name: `Web shop` is `web-shop`, and `web-shop-2` where that is taken.
fn free_slug(tx: &Tx<'_>, name: &str) -> Result<String> {
    let mut slug = String::new();
    for c in name.to_lowercase().chars() {
        match c {
            'a'..='z' | '0'..='9' => slug.push(c),
            'å' | 'ä' | 'á' | 'à' | 'â' => slug.push('a'),
            'ö' | 'ø' | 'ó' | 'ô' => slug.push('o'),
            'é' | 'è' | 'ê' | 'ë' => slug.push('e'),
            'ü' | 'ú' | 'û' => slug.push('u'),
            _ if slug.ends_with('-') || slug.is_empty() => {}
            _ => slug.push('-'),
        }
    }
    slug.truncate(40);
    let slug = match slug.trim_matches('-') {
        "" => "site",
        slug => slug,
    };
    let mut free = slug.to_owned();
    let mut number = 2;
    while store::sites::slug_taken(tx, &free)? {
        free = format!("{slug}-{number}");
        number += 1;
    }
    Ok(free)
}

/// A site to make.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"name": "Shop", "description": "Web shop"}))]
pub struct NewSite {
    #[schema(min_length = 1, max_length = 100)]
    pub name: String,
    /// 1 to 50 of `a-z 0-9 -`, and no other site's; made from the name when left out.
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z0-9-]+$")]
    pub slug: Option<String>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
}

/// Makes a site and its environment `prod`. Body: [`NewSite`].
pub fn create(app: &App, actor: &Actor, body: &str) -> Result<Site> {
    actor.require(Permission::Change)?;
    let (name, slug, description) = read_body(body, |object, problems| {
        let name = object.require("name", problems).and_then(|node| read_name(&node, problems));
        let slug = match object.take_value("slug") {
            None => Some(None),
            Some(node) => node.string(problems).and_then(|slug| {
                if !is_slug(&slug) {
                    problems.add(&node.path, SLUG_RULE);
                    return None;
                }
                Some(Some(slug))
            }),
        };
        let description = text(object, "description", None, 4000, problems);
        Some((name?, slug?, description?))
    })?;
    app.write(actor, |tx| {
        let slug = match slug {
            Some(slug) => slug,
            None => free_slug(tx, &name)?,
        };
        let (site, mut changes) = insert(tx, &slug, &name, &description)?;
        let prod = New {
            name: "prod",
            description: "",
            tags: &["production".into()],
            status: Status::Active,
            user_id_is_context: true,
        };
        let (_, change) = super::environments::insert(tx, &site, &prod)?;
        changes.push(change);
        Ok(Written { value: site, changes })
    })
}

/// Inserts a site without environments.
pub(super) fn insert(tx: &Tx<'_>, slug: &str, name: &str, description: &str) -> Result<(Site, Vec<Change>)> {
    let site = store::sites::insert(tx, slug, name, description, tx.actor.user, tx.now)?;
    let created = change(&site, "created", format!("site {slug} created"), None, Some(&site));
    Ok((site, vec![created]))
}

/// Changes to a site. What is left out stays; `id`, `owner` and times may be repeated and are ignored.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(example = json!({"description": "Web shop and app"}))]
pub struct SiteChange {
    #[schema(min_length = 1, max_length = 100)]
    pub name: Option<String>,
    /// Shows in every answer of the site's environments.
    #[schema(min_length = 1, max_length = 50, pattern = "^[a-z0-9-]+$")]
    pub slug: Option<String>,
    #[schema(max_length = 4000)]
    pub description: Option<String>,
}

/// Changes name, slug or description. Body: [`SiteChange`].
pub fn update(app: &App, actor: &Actor, site: &str, body: &str) -> Result<Site> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let before = store::sites::find(tx, site)?;
        let mut after = before.clone();
        let () = read_body(body, |object, problems| {
            if let Some(node) = object.take_value("name") {
                after.name = read_name(&node, problems).unwrap_or_default();
            }
            if let Some(node) = object.take_value("slug") {
                after.slug = node.string(problems).unwrap_or_default();
                if !is_slug(&after.slug) {
                    problems.add(&node.path, SLUG_RULE);
                }
            }
            let description = text(object, "description", Some(&before.description), 4000, problems);
            after.description = description.unwrap_or_default();
            object.ignore(&["id", "owner", "createdAt", "updatedAt"]);
            Some(())
        })?;
        save(tx, &before, after)
    })
}

pub(super) fn save(tx: &Tx<'_>, before: &Site, mut after: Site) -> Result<Written<Site>> {
    let unchanged = (&before.name, &before.slug, &before.description)
        == (&after.name, &after.slug, &after.description)
        && before.owner.as_ref().map(|o| o.id) == after.owner.as_ref().map(|o| o.id);
    if unchanged {
        return Ok(Written::nothing(after));
    }
    after.updated_at = tx.now;
    store::sites::update(tx, &after, tx.now)?;
    let mut change =
        change(&after, "updated", format!("site {} changed", after.slug), Some(before), Some(&after));
    if before.slug != after.slug {
        let environments = store::environments::list(tx, after.id)?;
        change.touched =
            Touched::Environments(environments.iter().map(|environment| environment.id).collect());
    }
    Ok(Written::one(after, change))
}

/// Who shall own a site.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(rename_all = "camelCase", example = json!({"userId": "ana"}))]
pub struct Transfer {
    /// Id or name of the user.
    pub user_id: String,
}

/// Gives a site to another user. Body: [`Transfer`].
pub fn transfer(app: &App, actor: &Actor, site: &str, body: &str) -> Result<Site> {
    actor.require(Permission::Change)?;
    let user = read_body(body, |object, problems| object.require("userId", problems)?.string(problems))?;
    app.write(actor, |tx| {
        let before = store::sites::find(tx, site)?;
        let user = store::users::find(tx, &user).map_err(|error| match error {
            Error::NotFound(_) => Error::invalid("userId", "is not a user"),
            other => other,
        })?;
        let mut after = before.clone();
        after.owner =
            Some(crate::store::sites::Owner { id: user.id, uuid: user.uuid, username: user.username });
        save(tx, &before, after)
    })
}

/// Deletes a site with everything in it.
pub fn delete(app: &App, actor: &Actor, site: &str) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let site = store::sites::find(tx, site)?;
        let environments: Vec<Environment> = store::environments::list(tx, site.id)?;
        store::sites::delete(tx, site.id)?;
        let mut change = change(&site, "deleted", format!("site {} deleted", site.slug), Some(&site), None);
        change.touched = Touched::Removed(environments.iter().map(|environment| environment.id).collect());
        Ok(Written::one((), change))
    })
}

/// Makes a site and an environment of these names where there are none.
pub fn require_place(app: &App, (site, environment): (&str, &str)) -> Result<()> {
    let system = Actor::system("server");
    if !app.read(|conn| store::sites::slug_taken(conn, site))? {
        create(app, &system, &json!({ "name": site, "slug": site }).to_string())?;
    }
    match app.read(|conn| super::scope(conn, site, environment)) {
        Err(Error::NotFound(_)) => {
            let body = json!({ "name": environment }).to_string();
            super::environments::create(app, &system, site, &body).map(drop)
        }
        other => other.map(drop),
    }
}

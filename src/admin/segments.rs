//! Segments: conditions of a site that rules refer to.

use serde::Serialize;
use serde_json::json;
use utoipa::ToSchema;

use super::read_body;
use crate::app::{Actor, App, Change, Touched, Tx, Written};
use crate::clock::rfc3339;
use crate::engine::compile;
use crate::engine::condition::Condition;
use crate::engine::decode::{Node, Problems};
use crate::engine::feature::{Segment, segment_cycle};
use crate::engine::permission::Permission;
use crate::engine::value::Json;
use crate::error::{Error, Result};
use crate::ids::SiteId;
use crate::store;
use crate::store::segments::SegmentRow;
use crate::store::sites::Site;

/// A site has at most this many segments.
pub const MAX: usize = 1000;

/// A condition of a site that rules refer to by key.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = Segment, example = json!({
    "id": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0004", "key": "staff", "name": "Staff",
    "conditions": {"attribute": "email", "operator": "ends_with", "value": "@shop.example"},
    "createdAt": "2026-01-31T12:00:00.000Z", "updatedAt": "2026-01-31T12:00:00.000Z"
}))]
pub struct View {
    #[schema(format = Uuid)]
    pub id: String,
    pub key: String,
    pub name: String,
    pub conditions: Condition,
    #[schema(format = DateTime)]
    pub created_at: String,
    #[schema(format = DateTime)]
    pub updated_at: String,
}

impl From<&SegmentRow> for View {
    fn from(row: &SegmentRow) -> Self {
        Self {
            id: row.uuid.clone(),
            key: row.segment.key.clone(),
            name: row.segment.name.clone(),
            conditions: row.segment.conditions.clone(),
            created_at: rfc3339(row.created_at),
            updated_at: rfc3339(row.updated_at),
        }
    }
}

pub(super) fn change(
    tx: &Tx<'_>,
    site: &Site,
    row: &SegmentRow,
    action: &'static str,
    before: Option<&SegmentRow>,
    after: Option<&SegmentRow>,
) -> Result<Change> {
    let json = |row: &SegmentRow| Json::of(&View::from(row));
    let environments = store::environments::list(tx, site.id)?;
    Ok(Change {
        site: Some(site.uuid.clone()),
        environment: None,
        entity: "segment",
        entity_id: row.uuid.clone(),
        entity_key: row.segment.key.clone(),
        action,
        summary: format!("segment {} {action}", row.segment.key),
        feature: None,
        touched: Touched::Environments(environments.iter().map(|environment| environment.id).collect()),
        before: before.and_then(json),
        after: after.and_then(json),
        event: None,
    })
}

/// Checks the segments of a site as a whole: what they refer to exists, they form no cycle, and none grows
/// too large. `path` leads to the segment at fault.
pub(super) fn check(segments: &[Segment], path: impl Fn(&str) -> String) -> Result<()> {
    let mut problems = Problems::default();
    for segment in segments {
        for key in segment.conditions.segments() {
            if !segments.iter().any(|other| other.key == key) {
                problems.add(path(&segment.key), format!("names the segment {key:?}, which does not exist"));
            }
        }
    }
    crate::error::check(problems)?;
    if let Some(cycle) = segment_cycle(segments) {
        let message = format!("segments form a cycle: {}", cycle.join(" → "));
        return Err(Error::Unprocessable("segment_cycle", message, json!({ "path": cycle })));
    }
    let compiled = compile::segments(segments);
    match segments.iter().find(|segment| !compiled.contains_key(&segment.key)) {
        Some(broken) => Err(Error::invalid(path(&broken.key), "is too large with its segments written out")),
        None => Ok(()),
    }
}

fn all(tx: &Tx<'_>, site: SiteId) -> Result<Vec<Segment>> {
    Ok(store::segments::list(tx, site)?.into_iter().map(|row| row.segment).collect())
}

/// Makes a segment. Body: [`NewSegment`](crate::engine::shapes::NewSegment).
pub fn create(app: &App, actor: &Actor, site: &str, body: &str) -> Result<SegmentRow> {
    actor.require(Permission::Change)?;
    let segment = read_body(body, |object, problems| Segment::decode(object, None, problems))?;
    app.write(actor, |tx| {
        let site = store::sites::find(tx, site)?;
        let row = store::segments::insert(tx, site.id, &segment, tx.now)?;
        let segments = all(tx, site.id)?;
        if segments.len() > MAX {
            return Err(Error::conflict("limit_reached", format!("a site has at most {MAX} segments")));
        }
        check(&segments, |_| "conditions".into())?;
        let change = change(tx, &site, &row, "created", None, Some(&row))?;
        Ok(Written::one(row, change))
    })
}

/// Changes a segment's name or conditions; every rule that uses it follows. Body:
/// [`SegmentChange`](crate::engine::shapes::SegmentChange).
pub fn update(app: &App, actor: &Actor, site: &str, key: &str, body: &str) -> Result<SegmentRow> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let site = store::sites::find(tx, site)?;
        let before = store::segments::find(tx, site.id, key)?;
        let segment =
            read_body(body, |object, problems| Segment::decode(object, Some(&before.segment), problems))?;
        if segment == before.segment {
            return Ok(Written::nothing(before));
        }
        store::segments::update(tx, before.id, &segment, tx.now)?;
        check(&all(tx, site.id)?, |_| "conditions".into())?;
        let after = store::segments::find(tx, site.id, &segment.key)?;
        let change = change(tx, &site, &after, "updated", Some(&before), Some(&after))?;
        Ok(Written::one(after, change))
    })
}

/// Deletes a segment that nothing uses; `in_use` names what does.
pub fn delete(app: &App, actor: &Actor, site: &str, key: &str) -> Result<()> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let site = store::sites::find(tx, site)?;
        let row = store::segments::find(tx, site.id, key)?;
        require_unused(tx, site.id, &row.segment.key)?;
        store::segments::delete(tx, row.id)?;
        let change = change(tx, &site, &row, "deleted", Some(&row), None)?;
        Ok(Written::one((), change))
    })
}

/// `in_use`, naming where, when a segment or a rule refers to this one.
pub(super) fn require_unused(tx: &Tx<'_>, site: SiteId, key: &str) -> Result<()> {
    let used_by = users(tx, site, key)?;
    if used_by.is_empty() {
        return Ok(());
    }
    let message = format!("{} places use the segment {key}", used_by.len());
    Err(Error::Conflict("in_use", message, json!({ "usedBy": used_by })))
}

/// Which segments and rules refer to a segment.
fn users(tx: &Tx<'_>, site: SiteId, key: &str) -> Result<Vec<serde_json::Value>> {
    let mut used_by: Vec<serde_json::Value> = all(tx, site)?
        .iter()
        .filter(|segment| segment.conditions.segments().contains(&key))
        .map(|segment| json!({ "segment": segment.key }))
        .collect();
    for (environment, feature, rule, condition) in store::features::rules_with_conditions(tx, site)? {
        let condition =
            Node::parse(&condition).ok().and_then(|node| Condition::decode(&node, &mut Problems::default()));
        if condition.is_some_and(|condition| condition.segments().contains(&key)) {
            used_by.push(json!({ "environment": environment, "feature": feature, "rule": rule }));
        }
    }
    Ok(used_by)
}

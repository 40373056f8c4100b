//! What a site decides about counting: fields that are never kept, and when a feature is stale.

use serde::Serialize;
use utoipa::ToSchema;

use crate::admin::read_body;
use crate::app::{Actor, App, Change, Touched, Written};
use crate::engine::decode::{Node, Problems};
use crate::engine::permission::Permission;
use crate::engine::value::Json;
use crate::error::Result;
use crate::store;
use crate::store::analytics::Settings;

/// So many fields can be excluded.
const MAX_FIELDS: usize = 200;
/// A feature is stale after so many days at most.
const MAX_DAYS: u32 = 3650;

/// What a site decides about counting.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
#[schema(as = AnalyticsSettings, example = json!({
    "excludedFields": ["userId", "email"], "staleUnchangedDays": 90, "staleUnaskedDays": 30
}))]
pub struct View {
    /// Attributes of contexts whose values are never counted, whichever rules look at them, in any case and wherever they
    /// stand: `email` is also `Email` and `user.email`, and `user` all that is in it.
    #[schema(max_items = 200)]
    pub excluded_fields: Vec<String>,
    /// A feature whose answer is the same for everybody, and has been for so many days, is stale.
    #[schema(minimum = 1, maximum = 3650)]
    pub stale_unchanged_days: u32,
    /// A feature that nobody has asked for in so many days is stale.
    #[schema(minimum = 1, maximum = 3650)]
    pub stale_unasked_days: u32,
}

/// A change of [`View`]; what is left out stays.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = AnalyticsSettingsChange, rename_all = "camelCase", example = json!({"staleUnaskedDays": 60}))]
pub struct ChangeShape {
    #[schema(max_items = 200)]
    pub excluded_fields: Option<Vec<String>>,
    #[schema(minimum = 1, maximum = 3650)]
    pub stale_unchanged_days: Option<u32>,
    #[schema(minimum = 1, maximum = 3650)]
    pub stale_unasked_days: Option<u32>,
}

impl From<&Settings> for View {
    fn from(settings: &Settings) -> Self {
        Self {
            excluded_fields: settings.excluded.clone(),
            stale_unchanged_days: settings.unchanged_days,
            stale_unasked_days: settings.unasked_days,
        }
    }
}

fn read_fields(node: &Node<'_>, problems: &mut Problems) -> Option<Vec<String>> {
    let mut fields = Vec::new();
    for name in node.strings(MAX_FIELDS, problems)? {
        let name = name.trim().to_owned();
        if name.is_empty() || name.len() > 200 || name.chars().any(char::is_control) {
            problems.add(&node.path, "must be names of context fields");
            return None;
        }
        if !fields.contains(&name) {
            fields.push(name);
        }
    }
    Some(fields)
}

/// The settings of a site.
pub fn find(app: &App, actor: &Actor, site: &str) -> Result<Settings> {
    actor.require(Permission::Read)?;
    app.read(|conn| store::analytics::settings(conn, store::sites::find(conn, site)?.id))
}

/// Changes them. What was counted of fields that are excluded now is deleted. Body: [`ChangeShape`].
pub fn update(app: &App, actor: &Actor, site: &str, body: &str) -> Result<Settings> {
    actor.require(Permission::Change)?;
    app.write(actor, |tx| {
        let site = store::sites::find(tx, site)?;
        let before = store::analytics::settings(tx, site.id)?;
        let after = read_body(body, |object, problems| {
            let excluded = match object.take_value("excludedFields") {
                None => Some(before.excluded.clone()),
                Some(node) => read_fields(&node, problems),
            };
            let mut days = |name: &str, have: u32| match object.take_value(name) {
                None => Some(have),
                Some(node) => node.integer(1, u64::from(MAX_DAYS), problems).map(|days| days as u32),
            };
            let unchanged_days = days("staleUnchangedDays", before.unchanged_days);
            let unasked_days = days("staleUnaskedDays", before.unasked_days);
            Some(Settings {
                excluded: excluded?,
                unchanged_days: unchanged_days?,
                unasked_days: unasked_days?,
            })
        })?;
        if after == before {
            return Ok(Written::nothing(after));
        }
        store::analytics::save_settings(tx, site.id, &after)?;
        store::analytics::forget_fields(tx, site.id, &after.excluded)?;
        let environments = store::environments::list(tx, site.id)?;
        let touched = if after.excluded == before.excluded {
            Touched::Nothing
        } else {
            Touched::Environments(environments.iter().map(|environment| environment.id).collect())
        };
        let view = |settings: &Settings| Json::of(&View::from(settings));
        let change = Change {
            site: Some(site.uuid.clone()),
            environment: None,
            entity: "site",
            entity_id: site.uuid.clone(),
            entity_key: site.slug.clone(),
            action: "updated",
            summary: format!("analytics settings of {} updated", site.slug),
            feature: None,
            touched,
            before: view(&before),
            after: view(&after),
            event: None,
        };
        Ok(Written::one(after, change))
    })
}

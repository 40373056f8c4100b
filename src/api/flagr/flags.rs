//! `/flags`: flags as a whole (flagr.md §3.1).

use actix_web::HttpRequest;
use serde::{Deserialize, Serialize};

use super::request::{Query, Sent, not_empty, number, require, require_text};
use super::wire::{FlagView, Tags, is_flag, seconds};
use super::{Manager, Result, done, ok};
use crate::admin::features::read_recorded;
use crate::admin::flagr::{self, FlagChange, NewFlag};
use crate::clock::Millis;
use crate::engine::compile::StoredFeature;
use crate::engine::value::Json;
use crate::store;

impl Manager {
    /// The numbers of the tags.
    pub async fn tags(&self) -> Result<Tags> {
        self.run(|app, _, environment| app.read(|conn| store::flagr::tags(conn, environment)).map(Tags::new))
            .await
    }

    async fn flag(&self, feature: &StoredFeature) -> Result {
        ok(&FlagView::of(feature, &self.tags().await?, true))
    }

    /// The flag with this number, as it is now.
    pub fn find(&self, number: u32) -> Option<std::sync::Arc<crate::engine::compile::Feature>> {
        let snapshot = self.key.token.environment.snapshot();
        snapshot.flags().number(number).filter(|feature| is_flag(feature.definition())).cloned()
    }
}

/// A deleted flag as it was.
struct Gone {
    definition: crate::engine::feature::Definition,
    number: u32,
    at: Millis,
    by: String,
}

pub async fn list(req: HttpRequest, manager: Manager) -> Result {
    let query = Query::of(&req);
    let tags = manager.tags().await?;
    let full = query.flag("preload").unwrap_or(false);
    let enabled = query.flag("enabled");
    let like = query.get("description_like").map(str::to_lowercase);
    let wanted = query.list("tags");
    let fits = |definition: &crate::engine::feature::Definition| {
        is_flag(definition)
            && query.get("key").is_none_or(|key| key == definition.key)
            && query.get("description").is_none_or(|text| text == definition.description)
            && like.as_ref().is_none_or(|like| definition.description.to_lowercase().contains(like))
            && enabled.is_none_or(|enabled| enabled == definition.enabled)
            && (wanted.is_empty() || definition.tags.iter().any(|tag| wanted.contains(&tag.as_str())))
    };
    if query.flag("deleted").unwrap_or(false) {
        let rows = manager
            .run(|app, _, environment| app.read(|conn| store::flagr::deleted(conn, environment)))
            .await?;
        let gone = rows.into_iter().filter_map(|row| {
            let (definition, _) = read_recorded(&row.json)?;
            Some(Gone { definition, number: row.number, at: row.deleted_at, by: row.deleted_by })
        });
        let gone = query.page(gone.filter(|gone| fits(&gone.definition)).collect())?;
        let views = gone
            .iter()
            .map(|gone| FlagView::made(&gone.definition, gone.number, gone.at, &gone.by, &tags, full));
        return ok(&views.collect::<Vec<_>>());
    }
    let snapshot = manager.key.token.environment.snapshot();
    let flags = snapshot.flags().all().filter(|feature| fits(feature.definition())).collect();
    let views = query.page(flags)?.into_iter().map(|feature| FlagView::of(&feature.stored, &tags, full));
    ok(&views.collect::<Vec<_>>())
}

#[derive(Deserialize)]
struct CreateFlag {
    key: Option<String>,
    description: Option<String>,
    template: Option<String>,
}

pub async fn create(manager: Manager, body: Sent) -> Result {
    let sent: CreateFlag = body.read()?;
    require_text(&sent.description, "description")?;
    let feature = manager
        .run(move |app, actor, environment| {
            let description = sent.description.as_deref().unwrap_or_default();
            let new = NewFlag { key: sent.key.as_deref(), description, template: sent.template.as_deref() };
            flagr::create(app, actor, environment, &new)
        })
        .await?;
    manager.flag(&feature).await
}

pub async fn find(req: HttpRequest, manager: Manager) -> Result {
    let number = number(&req, "flagID")?;
    let flag = manager.find(number).ok_or_else(|| flagr::no_flag(number))?;
    manager.flag(&flag.stored).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PutFlag {
    key: Option<String>,
    description: Option<String>,
    notes: Option<String>,
    entity_type: Option<String>,
    data_records_enabled: Option<bool>,
}

pub async fn update(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let number = number(&req, "flagID")?;
    let sent: PutFlag = body.read()?;
    if let Some(description) = &sent.description {
        not_empty(description, "description")?;
    }
    let feature = manager
        .run(move |app, actor, environment| {
            let change = FlagChange {
                key: sent.key.as_deref(),
                description: sent.description.as_deref(),
                notes: sent.notes.as_deref(),
                entity_type: sent.entity_type.as_deref(),
                data_records_enabled: sent.data_records_enabled,
            };
            flagr::update(app, actor, environment, number, &change)
        })
        .await?;
    manager.flag(&feature).await
}

#[derive(Deserialize)]
struct SetEnabled {
    enabled: Option<bool>,
}

pub async fn set_enabled(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let number = number(&req, "flagID")?;
    let enabled = require(body.read::<SetEnabled>()?.enabled, "enabled")?;
    let feature = manager
        .run(move |app, actor, environment| flagr::set_enabled(app, actor, environment, number, enabled))
        .await?;
    manager.flag(&feature).await
}

pub async fn delete(req: HttpRequest, manager: Manager) -> Result {
    let number = number(&req, "flagID")?;
    manager.run(move |app, actor, environment| flagr::delete(app, actor, environment, number)).await?;
    done()
}

pub async fn restore(req: HttpRequest, manager: Manager) -> Result {
    let number = number(&req, "flagID")?;
    let feature =
        manager.run(move |app, actor, environment| flagr::restore(app, actor, environment, number)).await?;
    manager.flag(&feature).await
}

#[derive(Default, Deserialize)]
struct Duplicate {
    key: Option<String>,
    description: Option<String>,
}

pub async fn duplicate(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let number = number(&req, "flagID")?;
    let sent: Option<Duplicate> = body.read_optional()?;
    let sent = sent.unwrap_or_default();
    let feature = manager
        .run(move |app, actor, environment| {
            let (key, description) = (sent.key.as_deref(), sent.description.as_deref());
            flagr::duplicate(app, actor, environment, number, key, description)
        })
        .await?;
    manager.flag(&feature).await
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct SnapshotView {
    id: u32,
    flag: FlagView,
    updated_at: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    updated_by: String,
}

pub async fn snapshots(req: HttpRequest, manager: Manager) -> Result {
    let flag = number(&req, "flagID")?;
    let query = Query::of(&req);
    let ascending = query.choice("sort", ["ASC", "DESC"])? == Some("ASC");
    // SQLite takes -1 for no limit.
    let limit = query.number("limit")?.unwrap_or(-1);
    let offset = query.number("offset")?.unwrap_or_default().max(0);
    let known = manager.find(flag).map(|feature| feature.stored.id.to_string());
    let rows = manager
        .run(move |app, _, environment| {
            app.read(|conn| {
                let deleted = || -> crate::error::Result<Option<String>> {
                    let deleted = store::flagr::deleted(conn, environment)?;
                    Ok(deleted.into_iter().find(|row| row.number == flag).map(|row| row.feature))
                };
                let feature = match known {
                    Some(feature) => Some(feature),
                    None => deleted()?,
                };
                feature.map_or(Ok(Vec::new()), |feature| {
                    store::flagr::snapshots(conn, environment, &feature, ascending, limit, offset)
                })
            })
        })
        .await?;
    let tags = manager.tags().await?;
    let views = rows.into_iter().filter_map(|row| view(row, flag, &tags));
    ok(&views.collect::<Vec<_>>())
}

fn view(row: store::flagr::Snapshot, number: u32, tags: &Tags) -> Option<SnapshotView> {
    let (definition, _) = read_recorded(row.feature.as_ref()?)?;
    Some(SnapshotView {
        id: row.number,
        flag: FlagView::made(&definition, number, updated_at(row.feature.as_ref()?), &row.actor, tags, true),
        updated_at: seconds(row.at),
        updated_by: row.actor,
    })
}

fn updated_at(recorded: &Json) -> Millis {
    #[derive(Deserialize)]
    #[serde(rename_all = "camelCase")]
    struct Recorded {
        updated_at: String,
    }
    let recorded: Option<Recorded> = serde_json::from_str(recorded.as_str()).ok();
    recorded.and_then(|recorded| crate::clock::parse(&recorded.updated_at)).unwrap_or_default()
}

pub async fn max_snapshot(manager: Manager) -> Result {
    #[derive(Serialize)]
    struct Max {
        #[serde(rename = "maxID", skip_serializing_if = "Option::is_none")]
        max: Option<u32>,
    }
    let highest = manager
        .run(|app, _, environment| app.read(|conn| store::flagr::highest(conn, environment, "snapshot")))
        .await?;
    ok(&Max { max: Some(highest).filter(|number| *number > 0) })
}

pub async fn entity_types(manager: Manager) -> Result {
    let types = manager
        .run(|app, _, environment| app.read(|conn| store::flagr::entity_types(conn, environment)))
        .await?;
    ok(&types)
}

//! Below `/flags/{flagID}`: tags, variants, segments, constraints, distributions (flagr.md §3.2).

use actix_web::HttpRequest;
use serde::Deserialize;

use super::request::{Query, Sent, as_number, invalid, number, require, require_percent, require_text};
use super::wire::{self, SegmentView, TagView};
use super::{Failure, Manager, Result, done, ok};
use crate::admin::flagr::{self, Share, segment_of};
use crate::engine::compile::StoredFeature;
use crate::engine::value::Json;
use crate::store;

/// What stands at a place that a change has just written.
fn at<T>(mut list: Vec<T>, at: usize) -> Result<T> {
    if at < list.len() { Ok(list.swap_remove(at)) } else { Err(Failure::handler(404, "record not found")) }
}

fn segment(feature: &StoredFeature, at: usize) -> Result<SegmentView> {
    let parts = segment_of(&feature.definition, at);
    let parts = parts.ok_or_else(|| Failure::handler(404, "record not found"))?;
    Ok(wire::segment(&feature.definition, &parts))
}

pub async fn all_tags(req: HttpRequest, manager: Manager) -> Result {
    let query = Query::of(&req);
    let like = query.get("value_like").map(str::to_lowercase);
    let tags =
        manager.run(|app, _, environment| app.read(|conn| store::flagr::tags(conn, environment))).await?;
    let tags = tags.into_iter().map(|(id, value)| TagView { id, value });
    let tags = tags.filter(|tag| like.as_ref().is_none_or(|like| tag.value.to_lowercase().contains(like)));
    ok(&query.page(tags.collect())?)
}

pub async fn tags(req: HttpRequest, manager: Manager) -> Result {
    let number = number(&req, "flagID")?;
    let tags = manager.tags().await?;
    ok(&manager.find(number).map(|flag| tags.of(&flag.definition().tags)).unwrap_or_default())
}

#[derive(Deserialize)]
struct CreateTag {
    value: Option<String>,
}

pub async fn create_tag(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let flag = number(&req, "flagID")?;
    let sent: CreateTag = body.read()?;
    let value = require_text(&sent.value, "value")?.to_owned();
    let sent = value.clone();
    let id = manager
        .run(move |app, actor, environment| flagr::add_tag(app, actor, environment, flag, &sent))
        .await?;
    ok(&TagView { id, value })
}

pub async fn delete_tag(req: HttpRequest, manager: Manager) -> Result {
    let (flag, tag) = (number(&req, "flagID")?, number(&req, "tagID")?);
    manager.run(move |app, actor, environment| flagr::remove_tag(app, actor, environment, flag, tag)).await?;
    done()
}

pub async fn variants(req: HttpRequest, manager: Manager) -> Result {
    let number = number(&req, "flagID")?;
    ok(&manager.find(number).map(|flag| wire::variants(flag.definition())).unwrap_or_default())
}

#[derive(Deserialize)]
struct VariantBody {
    key: Option<String>,
    attachment: Option<Json>,
}

impl VariantBody {
    /// `null` is as if absent.
    fn attachment(&self) -> Option<&Json> {
        self.attachment.as_ref().filter(|json| json.as_str() != "null")
    }
}

pub async fn create_variant(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let flag = number(&req, "flagID")?;
    let sent: VariantBody = body.read()?;
    let key = require_text(&sent.key, "key")?.to_owned();
    let (feature, place) = manager
        .run(move |app, actor, environment| {
            flagr::create_variant(app, actor, environment, flag, &key, sent.attachment())
        })
        .await?;
    ok(&at(wire::variants(&feature.definition), place)?)
}

pub async fn update_variant(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let (flag, variant) = (number(&req, "flagID")?, number(&req, "variantID")?);
    let sent: VariantBody = body.read()?;
    let key = require_text(&sent.key, "key")?.to_owned();
    let (feature, place) = manager
        .run(move |app, actor, environment| {
            flagr::update_variant(app, actor, environment, flag, variant, &key, sent.attachment())
        })
        .await?;
    ok(&at(wire::variants(&feature.definition), place)?)
}

pub async fn delete_variant(req: HttpRequest, manager: Manager) -> Result {
    let (flag, variant) = (number(&req, "flagID")?, number(&req, "variantID")?);
    manager
        .run(move |app, actor, environment| flagr::delete_variant(app, actor, environment, flag, variant))
        .await?;
    done()
}

pub async fn segments(req: HttpRequest, manager: Manager) -> Result {
    let number = number(&req, "flagID")?;
    ok(&manager.find(number).map(|flag| wire::segments(flag.definition())).unwrap_or_default())
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SegmentBody {
    description: Option<String>,
    rollout_percent: Option<i64>,
}

impl SegmentBody {
    fn check(&self) -> Result<(String, u32)> {
        let description = require_text(&self.description, "description")?;
        Ok((description.to_owned(), require_percent(self.rollout_percent, "rolloutPercent")?))
    }
}

pub async fn create_segment(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let flag = number(&req, "flagID")?;
    let (description, percent) = body.read::<SegmentBody>()?.check()?;
    let (feature, place) = manager
        .run(move |app, actor, environment| {
            flagr::create_segment(app, actor, environment, flag, &description, percent)
        })
        .await?;
    ok(&segment(&feature, place)?)
}

pub async fn update_segment(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let (flag, number) = (number(&req, "flagID")?, number(&req, "segmentID")?);
    let (description, percent) = body.read::<SegmentBody>()?.check()?;
    let (feature, place) = manager
        .run(move |app, actor, environment| {
            flagr::update_segment(app, actor, environment, flag, number, &description, percent)
        })
        .await?;
    ok(&segment(&feature, place)?)
}

pub async fn delete_segment(req: HttpRequest, manager: Manager) -> Result {
    let (flag, number) = (number(&req, "flagID")?, number(&req, "segmentID")?);
    manager
        .run(move |app, actor, environment| flagr::delete_segment(app, actor, environment, flag, number))
        .await?;
    done()
}

#[derive(Deserialize)]
struct Reorder {
    #[serde(rename = "segmentIDs")]
    segments: Option<Vec<i64>>,
}

pub async fn reorder_segments(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let flag = number(&req, "flagID")?;
    let order = require(body.read::<Reorder>()?.segments, "segmentIDs")?;
    if order.is_empty() {
        return Err(invalid(612, "segmentIDs in body should have at least 1 items"));
    }
    if let Some(at) = order.iter().position(|number| *number < 1) {
        return Err(invalid(609, format!("segmentIDs.{at} in body should be greater than or equal to 1")));
    }
    let order: Vec<u32> = order.into_iter().map(as_number).collect();
    manager
        .run(move |app, actor, environment| flagr::reorder_segments(app, actor, environment, flag, &order))
        .await?;
    done()
}

impl Manager {
    /// What a segment has, or nothing where flag or segment are not there.
    fn of_segment<T>(
        &self,
        req: &HttpRequest,
        read: impl Fn(&crate::engine::feature::Definition, &flagr::Parts<'_>) -> Vec<T>,
    ) -> Result<Vec<T>> {
        let (flag, wanted) = (number(req, "flagID")?, number(req, "segmentID")?);
        let Some(flag) = self.find(flag) else { return Ok(Vec::new()) };
        let definition = flag.definition();
        let mut parts = (0..definition.rules.len()).filter_map(|at| segment_of(definition, at));
        Ok(parts
            .find(|parts| parts.segment.number == wanted)
            .map(|parts| read(definition, &parts))
            .unwrap_or_default())
    }
}

pub async fn constraints(req: HttpRequest, manager: Manager) -> Result {
    ok(&manager.of_segment(&req, |_, parts| wire::constraints(parts))?)
}

#[derive(Deserialize)]
struct ConstraintBody {
    property: Option<String>,
    operator: Option<String>,
    value: Option<String>,
}

impl ConstraintBody {
    fn check(&self) -> Result<[String; 3]> {
        // The order in which Flagr's framework looks at them.
        let operator = require_text(&self.operator, "operator")?;
        let property = require_text(&self.property, "property")?;
        let value = require_text(&self.value, "value")?;
        Ok([property, operator, value].map(str::to_owned))
    }
}

pub async fn create_constraint(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let segment_of_flag = (number(&req, "flagID")?, number(&req, "segmentID")?);
    let [property, operator, value] = body.read::<ConstraintBody>()?.check()?;
    let (feature, (place, constraint)) = manager
        .run(move |app, actor, environment| {
            let sent = (property.as_str(), operator.as_str(), value.as_str());
            flagr::create_constraint(app, actor, environment, segment_of_flag, sent)
        })
        .await?;
    ok(&at(segment(&feature, place)?.constraints, constraint)?)
}

pub async fn update_constraint(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let segment_of_flag = (number(&req, "flagID")?, number(&req, "segmentID")?);
    let number = number(&req, "constraintID")?;
    let [property, operator, value] = body.read::<ConstraintBody>()?.check()?;
    let (feature, (place, constraint)) = manager
        .run(move |app, actor, environment| {
            let sent = (property.as_str(), operator.as_str(), value.as_str());
            flagr::update_constraint(app, actor, environment, segment_of_flag, number, sent)
        })
        .await?;
    ok(&at(segment(&feature, place)?.constraints, constraint)?)
}

pub async fn delete_constraint(req: HttpRequest, manager: Manager) -> Result {
    let segment_of_flag = (number(&req, "flagID")?, number(&req, "segmentID")?);
    let number = number(&req, "constraintID")?;
    manager
        .run(move |app, actor, environment| {
            flagr::delete_constraint(app, actor, environment, segment_of_flag, number)
        })
        .await?;
    done()
}

pub async fn distributions(req: HttpRequest, manager: Manager) -> Result {
    ok(&manager.of_segment(&req, wire::distributions)?)
}

#[derive(Deserialize)]
struct PutDistributions {
    distributions: Option<Vec<Distribution>>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Distribution {
    percent: Option<i64>,
    #[serde(rename = "variantID")]
    variant_id: Option<i64>,
    variant_key: Option<String>,
}

pub async fn put_distributions(req: HttpRequest, manager: Manager, body: Sent) -> Result {
    let segment_of_flag = (number(&req, "flagID")?, number(&req, "segmentID")?);
    let sent = require(body.read::<PutDistributions>()?.distributions, "distributions")?;
    let mut shares = Vec::with_capacity(sent.len());
    for (at, one) in sent.into_iter().enumerate() {
        let name = |member: &str| format!("distributions.{at}.{member}");
        let percent = require_percent(one.percent, &name("percent"))?;
        let variant = require(one.variant_id, &name("variantID"))?;
        if variant < 1 {
            let message = format!("{} in body should be greater than or equal to 1", name("variantID"));
            return Err(invalid(609, message));
        }
        let key = require_text(&one.variant_key, &name("variantKey"))?.to_owned();
        shares.push((percent, as_number(variant), key));
    }
    let (feature, place) = manager
        .run(move |app, actor, environment| {
            let shares: Vec<Share<'_>> = shares
                .iter()
                .map(|(percent, variant, key)| Share { percent: *percent, variant: *variant, key })
                .collect();
            flagr::put_distributions(app, actor, environment, segment_of_flag, &shares)
        })
        .await?;
    ok(&segment(&feature, place)?.distributions)
}

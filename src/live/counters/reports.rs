//! What clients evaluated by themselves, as they report it.

use std::collections::BTreeMap;
use std::time::Duration;

use utoipa::ToSchema;

use super::pending::shorten;

use crate::admin::read_body;
use crate::clock::{self, Millis};
use crate::engine::decode::{Node, Problems, compact};
use crate::engine::value::Json;
use crate::error::Result;

/// Reports in one request.
const MAX_REPORTS: usize = 1000;
/// How far ahead a client's clock may be: a day.
const AHEAD: Millis = 24 * 3600 * 1000;

/// What a client evaluated by itself.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Reports, example = json!({"evaluations": [{
    "featureKey": "new_checkout", "value": true, "ruleId": "0198c0de-7a11-7c3e-9d52-3f1b6c1e0a02", "userId": "123",
    "count": 3
}]}))]
pub struct ReportsShape {
    #[schema(max_items = 1000)]
    pub evaluations: Vec<ReportShape>,
}

/// One evaluation, or several equal ones.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Report, rename_all = "camelCase")]
pub struct ReportShape {
    /// Evaluations of features that do not exist are not counted.
    pub feature_key: String,
    /// The value that was given; `null` is one too.
    pub value: Json,
    #[schema(max_length = 128)]
    pub rule_id: Option<String>,
    #[schema(max_length = 128)]
    pub variant: Option<String>,
    /// Not kept.
    pub user_id: Option<String>,
    /// Not kept.
    pub context: Option<BTreeMap<String, Json>>,
    /// At most a day ahead, and not older than counts are kept; the time of the request when left out.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    /// 1 when left out.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub count: Option<u64>,
}

/// One evaluation, or several equal ones, as a client reports it.
#[derive(Debug, PartialEq)]
pub struct Report {
    pub feature: String,
    pub value: String,
    pub rule: Option<String>,
    pub variant: Option<String>,
    pub day: String,
    pub count: u64,
}

impl Report {
    /// Reads [`ReportsShape`].
    pub fn decode(body: &str, now: Millis, retention: Duration) -> Result<Vec<Self>> {
        read_body(body, |object, problems| {
            let items = object.require("evaluations", problems)?.list(MAX_REPORTS, problems)?;
            let oldest = now - Millis::try_from(retention.as_millis()).unwrap_or(Millis::MAX);
            let reports: Vec<_> = items.iter().map(|item| Self::read(item, now, oldest, problems)).collect();
            reports.into_iter().collect()
        })
    }

    fn read(node: &Node<'_>, now: Millis, oldest: Millis, problems: &mut Problems) -> Option<Self> {
        let mut object = node.object(problems)?;
        let feature = object.require("featureKey", problems).and_then(|node| node.string(problems));
        let value = match object.take("value") {
            Some(node) => Some(shorten(&compact(node.text()))),
            None => {
                problems.add(format!("{}.value", node.path), "is required");
                None
            }
        };
        let mut text = |name: &str, problems: &mut Problems| match object.take_value(name) {
            None => Some(None),
            Some(node) => {
                let text = node.string(problems)?;
                if text.len() > 128 {
                    problems.add(&node.path, "must be at most 128 bytes");
                    return None;
                }
                Some(Some(text))
            }
        };
        let rule = text("ruleId", problems);
        let variant = text("variant", problems);
        let at = match object.take_value("timestamp") {
            None => Some(now),
            Some(node) => {
                let at =
                    clock::parse(&node.string(problems)?).filter(|at| (oldest..now + AHEAD).contains(at));
                if at.is_none() {
                    problems.add(
                        &node.path,
                        "must be an RFC 3339 time that is not in the future and not too old",
                    );
                }
                at
            }
        };
        let count = match object.take_value("count") {
            None => Some(1),
            Some(node) => node.integer(1, 1_000_000, problems),
        };
        if let Some(node) = object.take_value("context") {
            node.object(problems);
        }
        // Who it was is not kept here.
        object.ignore(&["userId"]);
        object.finish(problems);
        Some(Self {
            feature: feature?,
            value: value?,
            rule: rule?,
            variant: variant?,
            day: clock::day(at?),
            count: count?,
        })
    }
}

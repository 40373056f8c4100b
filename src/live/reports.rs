//! What clients evaluated by themselves, as they report it.

use std::collections::BTreeMap;
use std::time::Duration;

use utoipa::ToSchema;

use super::counters::{Event, Report, shorten};
use crate::admin::read_body;
use crate::clock::{self, Millis};
use crate::engine::decode::{Node, Object, Problems, compact};
use crate::engine::value::{FeatureType, Json};
use crate::error::Result;

/// Reports in one request.
const MAX_REPORTS: usize = 1000;
/// The longest user key, in bytes.
const MAX_USER: usize = 512;
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
    /// Kept as a hash, to count how many different users there are.
    #[schema(max_length = 512)]
    pub user_id: Option<String>,
    /// Only the values of attributes that the feature's rules look at are counted, but for those that the site
    /// excludes.
    pub context: Option<BTreeMap<String, Json>>,
    /// At most a day ahead, and not older than counts are kept; the time of the request when left out.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
    /// 1 when left out.
    #[schema(minimum = 1, maximum = 1_000_000)]
    pub count: Option<u64>,
}

/// Reads [`ReportsShape`].
pub fn decode(body: &str, now: Millis, retention: Duration) -> Result<Vec<Report>> {
    read_body(body, |object, problems| {
        let items = object.require("evaluations", problems)?.list(MAX_REPORTS, problems)?;
        let oldest = oldest(now, retention);
        let reports: Vec<_> = items.iter().map(|item| read_report(item, now, oldest, problems)).collect();
        reports.into_iter().collect()
    })
}

fn read_report(node: &Node<'_>, now: Millis, oldest: Millis, problems: &mut Problems) -> Option<Report> {
    let mut object = node.object(problems)?;
    let feature = object.require("featureKey", problems).and_then(|node| node.string(problems));
    let value = match object.take("value") {
        Some(node) => {
            // Text as features write it, whatever its sender escaped.
            let text = FeatureType::String.read(&node, &mut Problems::default());
            Some(shorten(text.as_ref().map_or(&*compact(node.text()), Json::as_str)))
        }
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
    let at = read_time(&mut object, now, oldest, problems);
    let count = match object.take_value("count") {
        None => Some(1),
        Some(node) => node.integer(1, 1_000_000, problems),
    };
    let user = match object.take_value("userId") {
        None => Some(None),
        Some(node) => read_user(&node, problems).map(Some),
    };
    let context = object.take_value("context");
    let context = context.and_then(|node| node.object(problems).map(|_| node.text().to_owned()));
    object.finish(problems);
    Some(Report {
        feature: feature?,
        value: value?,
        rule: rule?,
        variant: variant?,
        at: at?,
        count: count?,
        user: user?,
        context,
    })
}

/// A user key: text that is not empty, or a number, as contexts have it.
fn read_user(node: &Node<'_>, problems: &mut Problems) -> Option<String> {
    let text = node.text();
    let key = match text.as_bytes().first() {
        // Written as evaluation writes it (feature-config §2): 17, not 17.0.
        Some(b'0'..=b'9' | b'-') => {
            node.number().map_or_else(|| text.to_owned(), |number| number.text().into_owned())
        }
        _ => node.string(problems)?,
    };
    if key.is_empty() || key.len() > MAX_USER {
        problems.add(&node.path, format!("must be 1 to {MAX_USER} bytes"));
        return None;
    }
    Some(key)
}

/// Something that a user did and that counts as a success, to compare variants by.
#[derive(ToSchema)]
#[serde(deny_unknown_fields)]
#[schema(as = Conversion, rename_all = "camelCase", example = json!({
    "event": "purchase", "userId": "123", "value": 49.9
}))]
pub struct ConversionShape {
    /// The kind of success, such as `purchase`.
    #[schema(min_length = 1, max_length = 100)]
    pub event: String,
    /// The same key as in the contexts that are evaluated. Kept as a hash.
    #[schema(min_length = 1, max_length = 512)]
    pub user_id: String,
    /// What it was worth, added up; 0 when left out.
    pub value: Option<f64>,
    /// At most a day ahead, and not older than counts are kept; the time of the request when left out.
    #[schema(format = DateTime)]
    pub timestamp: Option<String>,
}

/// Reads [`ConversionShape`].
pub fn decode_event(body: &str, now: Millis, retention: Duration) -> Result<Event> {
    read_body(body, |object, problems| {
        let event = object.require("event", problems).and_then(|node| {
            let name = node.string(problems)?;
            if !(1..=100).contains(&name.len()) || name.chars().any(char::is_control) {
                problems.add(&node.path, "must be 1 to 100 bytes");
                return None;
            }
            Some(name)
        });
        let user = object.require("userId", problems).and_then(|node| read_user(&node, problems));
        let value = match object.take_value("value") {
            None => Some(0.0),
            Some(node) => {
                let value = node.text().parse::<f64>().ok().filter(|value| value.abs() <= 1e15);
                if value.is_none() {
                    problems.add(&node.path, "must be a number");
                }
                value
            }
        };
        let at = read_time(object, now, oldest(now, retention), problems);
        Some(Event { event: event?, user: user?, value: value?, at: at? })
    })
}

fn oldest(now: Millis, retention: Duration) -> Millis {
    now.saturating_sub(Millis::try_from(retention.as_millis()).unwrap_or(Millis::MAX))
}

fn is_between(at: Millis, oldest: Millis, now: Millis) -> bool {
    (oldest..now + AHEAD).contains(&at)
}

/// Whether something of this time may be reported: at most a day ahead, and not older than counts are kept.
pub fn may_be(at: Millis, now: Millis, retention: Duration) -> bool {
    is_between(at, oldest(now, retention), now)
}

/// `timestamp`, or now.
fn read_time(
    object: &mut Object<'_>,
    now: Millis,
    oldest: Millis,
    problems: &mut Problems,
) -> Option<Millis> {
    let Some(node) = object.take_value("timestamp") else { return Some(now) };
    let at = clock::parse(&node.string(problems)?).filter(|at| is_between(*at, oldest, now));
    if at.is_none() {
        problems.add(&node.path, "must be an RFC 3339 time that is not in the future and not too old");
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::context::Context;

    #[test]
    fn a_user_of_a_report_is_the_one_of_an_evaluation() {
        for json in ["\"u1\"", "17", "17.0", "1e2", "-0", "1.50", "12345678901234567890", "\"17.0\""] {
            let context = format!("{{\"userId\": {json}}}");
            let context = Context::from_json(&context).expect(json);
            let node = Node::parse(json).expect(json);
            let reported = read_user(&node, &mut Problems::default());
            assert_eq!(reported.as_deref(), context.targeting_key(), "{json}");
        }
    }

    #[test]
    fn a_value_of_a_report_is_written_as_features_write_it() {
        let body = r#"{"evaluations": [{"featureKey": "f", "value": "caf\u00e9"}, {"featureKey": "f", "value": [1, 2]}]}"#;
        let reports = decode(body, 0, Duration::from_secs(60)).expect("reports");
        let values: Vec<_> = reports.iter().map(|report| report.value.as_str()).collect();
        assert_eq!(values, ["\"café\"", "[1,2]"]);
    }
}

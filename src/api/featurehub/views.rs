//! What a key is shown of an environment: lists and differences, with their tags. What is the same for every key
//! whose clients evaluate by themselves is made once per snapshot and shared.

use std::collections::HashMap;
use std::sync::{Arc, OnceLock};

use actix_web::http::header::HeaderValue;
use actix_web::web::Bytes;
use parking_lot::Mutex;
use sha2::{Digest, Sha256};

use super::context::Sent;
use super::keys::{evaluates, may};
use super::wire;
use crate::api::rest::client::nanos;
use crate::clock::Millis;
use crate::engine::compile::Feature;
use crate::engine::context::Context;
use crate::engine::evaluate::{Evaluation, Evaluator};
use crate::engine::snapshot::{ChainTooLarge, Snapshot};
use crate::live::credentials::Token;

/// Which of the views a token has.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Sight {
    /// Its clients evaluate by themselves: strategies, no context.
    pub strategies: bool,
    /// Feature properties are shown (EXTENDED_DATA).
    pub extended: bool,
}

impl Sight {
    pub fn of(token: &Token) -> Self {
        Self { strategies: evaluates(token), extended: may(token, "EXTENDED_DATA") }
    }
}

/// The features of an environment as a JSON list, and what tells it from any other.
#[derive(Clone, Debug)]
pub struct List {
    pub features: Bytes,
    pub tag: Arc<str>,
    /// The body of a request for this list alone, and its entity tag.
    pub alone: Option<(Bytes, HeaderValue)>,
}

/// The features that clients are told of: those that are not retired.
pub fn shown(snapshot: &Snapshot) -> impl Iterator<Item = &Arc<Feature>> {
    snapshot.features().filter(|feature| !feature.definition().retired)
}

/// The feature of that key, unless it is retired.
fn find<'s>(snapshot: &'s Snapshot, key: &str) -> Option<&'s Arc<Feature>> {
    snapshot.feature(key).filter(|feature| !feature.definition().retired)
}

/// What is held for one snapshot.
#[derive(Default)]
struct Ready {
    lists: [OnceLock<List>; 2],
    /// Frames by the revision that they lead on from. Few at a time: most streams are at the one before.
    frames: Mutex<HashMap<(u64, bool), Bytes>>,
}

fn ready(snapshot: &Snapshot) -> Arc<Ready> {
    snapshot.featurehub.get_or_make(Ready::default)
}

/// The list for clients that evaluate by themselves.
pub fn expressed(snapshot: &Snapshot, extended: bool) -> List {
    let ready = ready(snapshot);
    ready.lists[usize::from(extended)].get_or_init(|| make_expressed(snapshot, extended)).clone()
}

fn make_expressed(snapshot: &Snapshot, extended: bool) -> List {
    let mut out = vec![b'['];
    for feature in shown(snapshot) {
        let before = out.len();
        if before > 1 {
            out.push(b',');
        }
        if !wire::push_expressed(&mut out, snapshot, feature, snapshot.revision, extended) {
            out.truncate(before);
        }
    }
    out.push(b']');
    let tag: Arc<str> = hex(&Sha256::digest(&out)).into();
    let features = Bytes::from(out);
    let mut body = vec![b'['];
    push_environment(&mut body, snapshot.info.id, &features);
    body.push(b']');
    let etag = HeaderValue::from_maybe_shared(Bytes::from(format!("\"{tag}\"")));
    List { alone: etag.ok().map(|etag| (body.into(), etag)), features, tag }
}

/// Appends an environment of a body.
pub fn push_environment(out: &mut Vec<u8>, id: uuid::Uuid, features: &[u8]) {
    out.reserve(features.len() + 80);
    out.extend_from_slice(format!("{{\"id\":\"{id}\",\"features\":").as_bytes());
    out.extend_from_slice(features);
    out.push(b'}');
}

/// The first half of a digest.
fn hex(digest: &[u8]) -> String {
    digest.iter().take(16).map(|byte| format!("{byte:02x}")).collect()
}

/// What tells an answer for a context from any other: environment, revision, permissions and context. Where rules
/// read the clock what they say changes with time alone, so there the answer itself must be given too.
pub fn evaluated_tag(snapshot: &Snapshot, extended: bool, sent: &Sent, features: Option<&[u8]>) -> String {
    let mut hasher = Sha256::new();
    hasher.update(snapshot.info.id.as_bytes());
    hasher.update(snapshot.revision.to_le_bytes());
    hasher.update([u8::from(extended)]);
    sent.add_to(&mut hasher);
    hasher.update(features.unwrap_or_default());
    hex(&hasher.finalize())
}

/// The features evaluated for a context, telling `count` of every value.
pub fn evaluated(
    snapshot: &Snapshot,
    extended: bool,
    context: &Context<'_>,
    now: Millis,
    mut count: impl FnMut(&Evaluation<'_>),
) -> Result<Vec<u8>, ChainTooLarge> {
    let evaluator = Evaluator::new(snapshot, context, nanos(now))?;
    let mut out = Vec::with_capacity(snapshot.len() * 180 + 2);
    out.push(b'[');
    for (at, feature) in shown(snapshot).enumerate() {
        if at > 0 {
            out.push(b',');
        }
        let evaluation = evaluator.evaluate(feature);
        count(&evaluation);
        wire::push_evaluated(&mut out, &evaluation, snapshot.revision, extended);
    }
    out.push(b']');
    Ok(out)
}

/// A feature before and after.
type Sides<'s> = (Option<&'s Arc<Feature>>, Option<&'s Arc<Feature>>);

/// The features that may differ between two snapshots: those named, or all of both.
fn candidates<'s>(
    before: &'s Snapshot,
    after: &'s Snapshot,
    changed: Option<&'s [String]>,
) -> Vec<Sides<'s>> {
    match changed {
        Some(keys) => keys.iter().map(|key| (find(before, key), find(after, key))).collect(),
        None => {
            let gone = shown(before).filter(|old| find(after, &old.key).is_none());
            let now = shown(after).map(|new| (find(before, &new.key), Some(new)));
            gone.map(|old| (Some(old), None)).chain(now).collect()
        }
    }
}

/// The events that lead clients which evaluate by themselves from one snapshot to a later one; empty where they
/// would see no difference. Made once for all of them.
pub fn expressed_frames(
    before: &Snapshot,
    after: &Snapshot,
    changed: Option<&[String]>,
    extended: bool,
) -> Bytes {
    let ready = ready(after);
    let mut frames = ready.frames.lock();
    let key = (before.revision, extended);
    frames.entry(key).or_insert_with(|| make_frames(before, after, changed, extended).into()).clone()
}

fn make_frames(before: &Snapshot, after: &Snapshot, changed: Option<&[String]>, extended: bool) -> Vec<u8> {
    let mut out = Vec::new();
    // With the same revision in both, what is left of a difference is one that a client sees.
    let state = |snapshot: &Snapshot, feature: &Arc<Feature>| {
        let mut state = Vec::new();
        wire::push_expressed(&mut state, snapshot, feature, after.revision, extended).then_some(state)
    };
    for (old, new) in candidates(before, after, changed) {
        let was = old.and_then(|old| state(before, old));
        match (was, new.and_then(|new| state(after, new)), old) {
            (was, Some(now), _) if was.as_ref() != Some(&now) => {
                wire::push_event(&mut out, "feature", None, |out| out.extend_from_slice(&now));
            }
            (Some(_), None, Some(old)) => {
                wire::push_event(&mut out, "delete_feature", None, |out| {
                    wire::push_gone(out, old, after.revision);
                });
            }
            _ => {}
        }
    }
    out
}

/// The same for one context. `then` and `now` are when each side is asked.
pub fn evaluated_frames(
    (before, then): (&Snapshot, Millis),
    (after, now): (&Snapshot, Millis),
    changed: Option<&[String]>,
    context: &Context<'_>,
    extended: bool,
    mut count: impl FnMut(&Evaluation<'_>),
) -> Result<Vec<u8>, ChainTooLarge> {
    let (old_ones, new_ones) =
        (Evaluator::new(before, context, nanos(then))?, Evaluator::new(after, context, nanos(now))?);
    let mut out = Vec::new();
    for (old, new) in candidates(before, after, changed) {
        let state = |evaluation: &Evaluation<'_>| {
            let mut state = Vec::new();
            wire::push_evaluated(&mut state, evaluation, after.revision, extended);
            state
        };
        match (old, new) {
            (_, Some(new)) => {
                let evaluation = new_ones.evaluate(new);
                let now = state(&evaluation);
                if old.map(|old| state(&old_ones.evaluate(old))).as_ref() != Some(&now) {
                    count(&evaluation);
                    wire::push_event(&mut out, "feature", None, |out| out.extend_from_slice(&now));
                }
            }
            (Some(old), None) => wire::push_event(&mut out, "delete_feature", None, |out| {
                wire::push_gone(out, old, after.revision);
            }),
            (None, None) => {}
        }
    }
    Ok(out)
}

//! Evaluation (flagr.md §4): one entity and one flag, or a batch of both. Answers are written straight into one
//! buffer; what is the same for every row of an entity or a flag is written once and copied.

use std::borrow::Cow;
use std::sync::Arc;

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse, ResponseError, http::header};
use rand::Rng;
use serde::Deserialize;
use serde_json::json;
use serde_json::value::RawValue;

use super::debug::Log;
use super::injected::Injected;
use super::request::{Sent, invalid};
use super::wire::{attachment, is_flag, push_seconds};
use super::{Door, Failure, Result, ok};
use crate::api::request::{MAX_ANSWER, parameters};
use crate::api::rest::client::nanos;
use crate::app::App;
use crate::engine::compile::Feature;
use crate::engine::context::{BorrowedText, Context, Members};
use crate::engine::evaluate::{Evaluation, Evaluator, Reason};
use crate::engine::snapshot::Snapshot;
use crate::engine::value::FeatureType;
use crate::error::Error;
use crate::ids::EnvironmentId;
use crate::live::counters::{Counting, Tally};

/// The longest query of a GET, in bytes as received (Flagr's default).
const MAX_QUERY: usize = 8192;
/// Evaluations in one batch: above this an answer would take hundreds of megabytes.
const MAX_EVALUATIONS: usize = 100_000;

pub async fn health() -> Result {
    ok(&json!({ "status": "OK" }))
}

type Text<'a> = Option<BorrowedText<'a>>;

fn text<'t>(text: &'t Text<'_>) -> &'t str {
    text.as_ref().map_or("", |text| text.0.as_ref())
}

/// Who is asked for.
#[derive(Default, Deserialize)]
struct Entity<'a> {
    #[serde(borrow, rename = "entityID")]
    id: Text<'a>,
    #[serde(borrow, rename = "entityType")]
    kind: Text<'a>,
    #[serde(borrow, rename = "entityContext")]
    context: Option<&'a RawValue>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct EvalContext<'a> {
    #[serde(borrow, rename = "entityID")]
    entity_id: Text<'a>,
    #[serde(borrow)]
    entity_type: Text<'a>,
    #[serde(borrow)]
    entity_context: Option<&'a RawValue>,
    enable_debug: Option<bool>,
    #[serde(rename = "flagID")]
    flag_id: Option<i64>,
    #[serde(borrow)]
    flag_key: Text<'a>,
    #[serde(borrow)]
    flag_tags: Option<Vec<BorrowedText<'a>>>,
    #[serde(borrow)]
    flag_tags_operator: Text<'a>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct Batch<'a> {
    #[serde(borrow)]
    entities: Option<Vec<Option<Entity<'a>>>>,
    enable_debug: Option<bool>,
    #[serde(rename = "flagIDs")]
    flag_ids: Option<Vec<i64>>,
    #[serde(borrow)]
    flag_keys: Option<Vec<BorrowedText<'a>>>,
    #[serde(borrow)]
    flag_tags: Option<Vec<BorrowedText<'a>>>,
    #[serde(borrow)]
    flag_tags_operator: Text<'a>,
}

fn check_operator(operator: &Text<'_>) -> Result<()> {
    match operator.as_ref().map(|operator| operator.0.as_ref()) {
        None | Some("ANY" | "ALL") => Ok(()),
        Some(_) => Err(invalid(606, "flagTagsOperator in body should be one of [ANY ALL]")),
    }
}

impl EvalContext<'_> {
    fn check(&self) -> Result<()> {
        if self.flag_id.is_some_and(|id| id < 0) {
            return Err(invalid(609, "flagID in body should be greater than or equal to 1"));
        }
        check_operator(&self.flag_tags_operator)
    }
}

impl Batch<'_> {
    fn check(&self) -> Result<()> {
        let Some(entities) = &self.entities else {
            return Err(invalid(602, "entities in body is required"));
        };
        let lengths = [
            ("entities", Some(entities.len())),
            ("flagIDs", self.flag_ids.as_ref().map(Vec::len)),
            ("flagKeys", self.flag_keys.as_ref().map(Vec::len)),
            ("flagTags", self.flag_tags.as_ref().map(Vec::len)),
        ];
        if let Some((name, _)) = lengths.iter().find(|(_, length)| *length == Some(0)) {
            return Err(invalid(612, format!("{name} in body should have at least 1 items")));
        }
        if let Some(at) = self.flag_ids.iter().flatten().position(|id| *id < 1) {
            return Err(invalid(609, format!("flagIDs.{at} in body should be greater than or equal to 1")));
        }
        if let Some(at) = self.flag_keys.iter().flatten().position(|key| key.0.is_empty()) {
            return Err(invalid(604, format!("flagKeys.{at} in body should be at least 1 chars long")));
        }
        check_operator(&self.flag_tags_operator)
    }
}

/// The JSON of a GET: `?json=`. What POST answers with 422 is 400 here.
fn from_query(req: &HttpRequest) -> Result<Cow<'_, str>> {
    let query = req.query_string();
    if query.len() > MAX_QUERY {
        let message =
            format!("the query of {} bytes exceeds maximum allowed size of {MAX_QUERY} bytes", query.len());
        return Err(Failure::handler(400, message));
    }
    let found = parameters(query).find(|(name, _)| name == "json").map(|(_, json)| json);
    found.filter(|json| !json.is_empty()).ok_or_else(|| invalid(602, "json in query is required"))
}

fn read_query<'j, T: Deserialize<'j>>(json: &'j str, what: &str) -> Result<T> {
    let refused = |why: String| Failure::handler(400, format!("json is not valid {what}: {why}"));
    // serde would also read a list as the members in order.
    if !json.trim_start().starts_with('{') {
        return Err(refused("it is no object".into()));
    }
    serde_json::from_str(json).map_err(|error| refused(error.to_string()))
}

fn as_query(checked: Result<()>, what: &str) -> Result<()> {
    checked.map_err(|failure| Failure::handler(400, format!("json is not valid {what}: {failure}")))
}

/// The same for a POST.
fn read_body<'b, T: Deserialize<'b>>(body: &'b Sent) -> Result<T> {
    if body.0.trim_ascii_start().starts_with(b"[") {
        return body.read::<NoList>().and(body.read());
    }
    body.read()
}

/// Refuses a list where an object is wanted.
struct NoList;

impl<'de> Deserialize<'de> for NoList {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> std::result::Result<Self, D::Error> {
        std::collections::BTreeMap::<String, serde::de::IgnoredAny>::deserialize(deserializer).map(|_| Self)
    }
}

pub fn post_one(app: &App, door: &Door, body: &Sent) -> Result {
    let sent: EvalContext<'_> = read_body(body)?;
    sent.check()?;
    respond(door, |snapshot| one(&Asked::by(app, door, snapshot), &sent))
}

pub async fn get_one(app: Data<App>, door: Door, req: HttpRequest) -> Result {
    let json = from_query(&req)?;
    let sent: EvalContext<'_> = read_query(&json, "evalContext")?;
    as_query(sent.check(), "evalContext")?;
    respond(&door, |snapshot| one(&Asked::by(&app, &door, snapshot), &sent))
}

pub fn post_batch(app: &App, door: &Door, body: &Sent) -> Result {
    let sent: Batch<'_> = read_body(body)?;
    sent.check()?;
    respond(door, |snapshot| batch(&Asked::by(app, door, snapshot), &sent))
}

pub async fn get_batch(app: Data<App>, door: Door, req: HttpRequest) -> Result {
    let json = from_query(&req)?;
    let sent: Batch<'_> = read_query(&json, "evaluationBatchRequest")?;
    as_query(sent.check(), "evaluationBatchRequest")?;
    // As Flagr does it: no headers here.
    let injected = door.1.as_ref().map(|_| Injected::at(app.now()));
    respond(&door, |snapshot| {
        batch(&Asked { injected: injected.as_ref(), ..Asked::by(&app, &door, snapshot) }, &sent)
    })
}

/// Where a request is answered from, and whether it counts.
struct Asked<'s> {
    app: &'s App,
    environment: EnvironmentId,
    snapshot: &'s Snapshot,
    injected: Option<&'s Injected>,
    counts: bool,
}

impl<'s> Asked<'s> {
    fn by(app: &'s App, door: &'s Door, snapshot: &'s Snapshot) -> Self {
        let environment = door.0.token.environment.id;
        Self { app, environment, snapshot, injected: door.1.as_ref(), counts: true }
    }
}

fn respond(door: &Door, answer: impl FnOnce(&Snapshot) -> Result<Vec<u8>>) -> Result {
    let body = answer(&*door.0.snapshot()?)?;
    let mut response = HttpResponse::Ok().content_type("application/json").body(body);
    response.headers_mut().insert(header::CACHE_CONTROL, header::HeaderValue::from_static("no-store"));
    door.0.note_limit(&mut response);
    Ok(response)
}

/// What `POST /evaluation`, or `/evaluation/batch`, answers to this body: status and JSON. Nothing is counted.
pub fn console(
    app: &App,
    environment: EnvironmentId,
    snapshot: &Snapshot,
    json: &str,
    as_batch: bool,
) -> (u16, String) {
    let body = Sent(actix_web::web::Bytes::copy_from_slice(json.as_bytes()));
    let injected = app.config.flagr_injected.as_ref().map(|_| Injected::at(app.now()));
    let asked = Asked { app, environment, snapshot, injected: injected.as_ref(), counts: false };
    let answer = if as_batch {
        read_body(&body).and_then(|sent: Batch<'_>| {
            sent.check()?;
            batch(&asked, &sent)
        })
    } else {
        read_body(&body).and_then(|sent: EvalContext<'_>| {
            sent.check()?;
            one(&asked, &sent)
        })
    };
    match answer {
        Ok(body) => (200, String::from_utf8_lossy(&body).into_owned()),
        Err(failure) => {
            (failure.status_code().as_u16(), json!({ "message": failure.to_string() }).to_string())
        }
    }
}

/// A flag by number, else by key; what is a number may also be a key, and the other way round (flagr.md §4.1).
pub fn look_up<'s>(snapshot: &'s Snapshot, id: impl Into<i64>, key: &str) -> Option<&'s Arc<Feature>> {
    let id = id.into();
    let by_text = |text: &str| {
        let number = text.parse().ok().filter(|number: &u32| *number > 0 && number.to_string() == text);
        number.and_then(|number| snapshot.flags().number(number)).or_else(|| snapshot.feature(text))
    };
    let by_id = || {
        // Beyond what numbers go to it may still be a key.
        let found = u32::try_from(id).ok().and_then(|number| snapshot.flags().number(number));
        found.or_else(|| snapshot.feature(itoa::Buffer::new().format(id)))
    };
    let found = if id > 0 { by_id() } else { None };
    found.or_else(|| if key.is_empty() { None } else { by_text(key) })
}

fn one(asked: &Asked<'_>, sent: &EvalContext<'_>) -> Result<Vec<u8>> {
    let snapshot = asked.snapshot;
    let (id, key) = (sent.flag_id.unwrap_or_default(), text(&sent.flag_key));
    let mut selector = Vec::with_capacity(64);
    let mut members = Fields::new(&mut selector);
    members.number(r#""flagID":"#, id);
    members.text(r#""flagKey":"#, key);
    if let Some(tags) = sent.flag_tags.as_ref().filter(|tags| !tags.is_empty()) {
        push_tags(&mut selector, tags);
    }
    if let Some(operator) = &sent.flag_tags_operator {
        Fields::new(&mut selector).text(r#""flagTagsOperator":"#, &operator.0);
    }
    let target = Target { id, key, selector, feature: look_up(snapshot, id, key) };
    let entity = Entity {
        id: sent.entity_id.as_ref().map(|text| BorrowedText(Cow::Borrowed(text.0.as_ref()))),
        kind: sent.entity_type.as_ref().map(|text| BorrowedText(Cow::Borrowed(text.0.as_ref()))),
        context: sent.entity_context,
    };
    let debug = sent.enable_debug.unwrap_or(false);
    let mut writer = Writer::new(asked, debug, 1024);
    writer.entity(&entity, std::slice::from_ref(&target))?;
    Ok(writer.finish())
}

fn batch(asked: &Asked<'_>, sent: &Batch<'_>) -> Result<Vec<u8>> {
    let snapshot = asked.snapshot;
    let mut targets = Vec::new();
    if let Some(tags) = &sent.flag_tags {
        let operator = text(&sent.flag_tags_operator);
        let wanted: Vec<&str> = tags.iter().map(|tag| tag.0.as_ref()).collect();
        let mut selector = Vec::new();
        push_tags(&mut selector, tags);
        if !operator.is_empty() {
            Fields::new(&mut selector).text(r#""flagTagsOperator":"#, operator);
        }
        for feature in snapshot.flags().tagged(&wanted, operator == "ALL") {
            targets.push(Target { id: 0, key: "", selector: selector.clone(), feature: Some(feature) });
        }
    }
    let mut seen = std::collections::HashSet::new();
    for id in sent.flag_ids.iter().flatten().copied().filter(|id| seen.insert(*id)) {
        let mut selector = Vec::new();
        Fields::new(&mut selector).number(r#""flagID":"#, id);
        targets.push(Target { id, key: "", selector, feature: look_up(snapshot, id, "") });
    }
    let mut seen = std::collections::HashSet::new();
    for key in sent.flag_keys.iter().flatten().map(|key| key.0.as_ref()).filter(|key| seen.insert(*key)) {
        let mut selector = Vec::new();
        Fields::new(&mut selector).text(r#""flagKey":"#, key);
        targets.push(Target { id: 0, key, selector, feature: look_up(snapshot, 0, key) });
    }
    let entities = sent.entities.as_deref().unwrap_or_default();
    let size = entities.len() * targets.len();
    if size > MAX_EVALUATIONS {
        let message =
            format!("batch evaluation size {size} exceeds maximum allowed size of {MAX_EVALUATIONS}");
        return Err(Failure::handler(400, message));
    }
    // Not more than 16 MiB at once: rows may turn out shorter than thought.
    let room = (size * 512).min(16 << 20) + 64;
    let mut writer = Writer::new(asked, sent.enable_debug.unwrap_or(false), room);
    writer.out.extend_from_slice(b"{\"evaluationResults\":[");
    for entity in entities {
        writer.entity(entity.as_ref().unwrap_or(&Entity::default()), &targets)?;
    }
    writer.out.extend_from_slice(b"]}");
    Ok(writer.finish())
}

/// A flag that is asked for, and how.
struct Target<'t> {
    /// As it was sent, which may be more than numbers go to.
    id: i64,
    key: &'t str,
    /// What of the request named it, as members of the echo, each with a comma behind.
    selector: Vec<u8>,
    feature: Option<&'t Arc<Feature>>,
}

/// Writes members of an object, each with a comma behind; what is zero or empty is left out. Names come with their quotes
/// and colon.
struct Fields<'o>(&'o mut Vec<u8>);

impl<'o> Fields<'o> {
    fn new(out: &'o mut Vec<u8>) -> Self {
        Self(out)
    }

    fn number(&mut self, name: &str, number: impl Into<i64>) {
        let number = number.into();
        if number > 0 {
            self.0.extend_from_slice(name.as_bytes());
            self.0.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
            self.0.push(b',');
        }
    }

    fn text(&mut self, name: &str, text: &str) {
        if !text.is_empty() {
            self.0.extend_from_slice(name.as_bytes());
            push_text(self.0, text);
            self.0.push(b',');
        }
    }

    fn raw(&mut self, name: &str, json: &str) {
        self.0.extend_from_slice(name.as_bytes());
        self.0.extend_from_slice(json.as_bytes());
        self.0.push(b',');
    }
}

fn push_text(out: &mut Vec<u8>, text: &str) {
    let plain = text.bytes().all(|byte| byte >= 0x20 && byte != b'"' && byte != b'\\');
    if plain {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing text to a vector does not fail.
        let _ = serde_json::to_writer(&mut *out, text);
    }
}

fn push_tags(out: &mut Vec<u8>, tags: &[BorrowedText<'_>]) {
    push_list(out, r#""flagTags":"#, tags.iter().map(|tag| tag.0.as_ref()));
}

fn push_list<'t>(out: &mut Vec<u8>, name: &str, texts: impl Iterator<Item = &'t str>) {
    out.extend_from_slice(name.as_bytes());
    out.push(b'[');
    for (at, text) in texts.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        push_text(out, text);
    }
    out.extend_from_slice(b"],");
}

/// Puts rows into one buffer.
struct Writer<'s> {
    asked: &'s Asked<'s>,
    out: Vec<u8>,
    debug: bool,
    /// `"recordSource":"evaluation","timestamp":"…"}`
    tail: Vec<u8>,
    now: i128,
    rows: u64,
    /// What is counted once nothing can be refused any more.
    tallies: Vec<Tally>,
    /// The echo of an entity, without its id, type and selector.
    echo: Vec<u8>,
}

impl<'s> Writer<'s> {
    fn new(asked: &'s Asked<'s>, debug: bool, room: usize) -> Self {
        let now = asked.app.now();
        let mut tail = Vec::with_capacity(80);
        tail.extend_from_slice(br#""recordSource":"evaluation","timestamp":""#);
        push_seconds(&mut tail, now);
        tail.extend_from_slice(b"\"}");
        Self {
            asked,
            out: Vec::with_capacity(room),
            debug,
            tail,
            now: nanos(now),
            rows: 0,
            tallies: Vec::with_capacity(1),
            echo: Vec::new(),
        }
    }

    fn finish(self) -> Vec<u8> {
        if self.asked.counts {
            let app = self.asked.app;
            app.metrics.evaluations.inc_by(self.rows);
            let now = app.now();
            for tally in &self.tallies {
                app.live.counters.count(tally, now);
            }
        }
        self.out
    }

    /// All rows of one entity.
    fn entity(&mut self, entity: &Entity<'_>, targets: &[Target<'_>]) -> Result<()> {
        let asked = self.asked;
        let unreadable = |error| Failure::handler(400, format!("entityContext cannot be read: {error}"));
        let mut sent = Cow::Borrowed(entity.context.map(RawValue::get).unwrap_or_default());
        if let Some(injected) = asked.injected {
            sent = injected.into_context(&sent).map_err(unreadable)?.into();
        }
        self.echo.clear();
        self.echo.reserve(sent.len() + 48);
        let mut members = Fields::new(&mut self.echo);
        if !sent.is_empty() {
            members.raw(r#""entityContext":"#, &sent);
        }
        if self.debug {
            members.raw(r#""enableDebug":"#, "true");
        }
        let is_object = sent.starts_with('{');
        let attributes: Members<'_> =
            if is_object { serde_json::from_str(&sent).map_err(unreadable)? } else { Members::default() };
        let id = text(&entity.id);
        if !id.is_empty() {
            let context = Context::with_targeting_key(attributes, Some(Cow::Borrowed(id)));
            let evaluator = Evaluator::new(asked.snapshot, &context, self.now).map_err(Error::from)?;
            let mut counting = asked.app.live.counters.begin(asked.environment.0, asked.snapshot, &context);
            for target in targets {
                self.row(entity, id, is_object, target, &evaluator, &mut counting);
                self.require_room()?;
            }
            self.tallies.push(counting.finish());
            return Ok(());
        }
        // Nobody in particular: somebody new for each row.
        let first = generated_id();
        let mut context = Context::with_targeting_key(attributes, Some(first.clone().into()));
        let mut id = first;
        for target in targets {
            context.set_targeting_key(id.clone().into());
            let evaluator = Evaluator::new(asked.snapshot, &context, self.now).map_err(Error::from)?;
            let mut counting = asked.app.live.counters.begin(asked.environment.0, asked.snapshot, &context);
            self.row(entity, &id, is_object, target, &evaluator, &mut counting);
            self.require_room()?;
            self.tallies.push(counting.finish());
            id = generated_id();
        }
        Ok(())
    }

    /// Each row repeats its entity's context, which may be long.
    fn require_room(&self) -> Result<()> {
        if self.out.len() <= MAX_ANSWER {
            return Ok(());
        }
        let message =
            format!("the answer would be larger than {MAX_ANSWER} bytes: ask for fewer entities or flags");
        Err(Failure::handler(400, message))
    }

    fn row(
        &mut self,
        entity: &Entity<'_>,
        id: &str,
        is_object: bool,
        target: &Target<'_>,
        evaluator: &Evaluator<'_, '_>,
        counting: &mut Counting,
    ) {
        self.rows += 1;
        let asked = text(&entity.id);
        if self.out.last() == Some(&b'}') {
            self.out.push(b',');
        }
        self.out.push(b'{');
        let Some(feature) = target.feature else {
            let mut members = Fields::new(&mut self.out);
            members.number(r#""flagID":"#, target.id);
            members.text(r#""flagKey":"#, target.key);
            self.blank(entity, asked, target, "not found or deleted", target.id);
            return;
        };
        let definition = feature.definition();
        let number = i64::from(feature.stored.number);
        let mut members = Fields::new(&mut self.out);
        members.number(r#""flagID":"#, number);
        members.text(r#""flagKey":"#, &definition.key);
        members.number(r#""flagSnapshotID":"#, feature.stored.snapshot);
        if !definition.tags.is_empty() {
            push_list(&mut self.out, r#""flagTags":"#, definition.tags.iter().map(String::as_str));
        }
        if definition.flagr.as_ref().is_some_and(|flagr| flagr.data_records_enabled) {
            Fields::new(&mut self.out).raw(r#""dataRecordsEnabled":"#, "true");
        }
        let (evaluation, log) = if self.debug {
            let mut log = Log::new(feature, is_object);
            (evaluator.traced(feature, &mut log), Some(log.finish()))
        } else {
            (evaluator.evaluate(feature), None)
        };
        counting.add(&evaluation);
        if evaluation.reason == Reason::Disabled {
            return self.blank(entity, asked, target, "is not enabled", number);
        }
        let assigned = push_assigned(&mut self.out, &evaluation);
        if !assigned && definition.rules.is_empty() {
            return self.blank(entity, asked, target, "has no segments", number);
        }
        let kind = definition.flagr.as_ref().map(|flagr| flagr.entity_type.as_str());
        let kind = kind.filter(|kind| !kind.is_empty()).unwrap_or(text(&entity.kind));
        self.echo(id, kind, target);
        self.out.extend_from_slice(b"\"evalDebugLog\":{\"segmentDebugLogs\":");
        match log {
            Some(log) => {
                let _ = serde_json::to_writer(&mut self.out, &log);
            }
            None => self.out.extend_from_slice(b"null"),
        }
        self.out.extend_from_slice(b"},");
        self.out.extend_from_slice(&self.tail);
    }

    fn echo(&mut self, id: &str, kind: &str, target: &Target<'_>) {
        self.out.extend_from_slice(b"\"evalContext\":{");
        self.out.extend_from_slice(&self.echo);
        let mut members = Fields::new(&mut self.out);
        members.text(r#""entityID":"#, id);
        members.text(r#""entityType":"#, kind);
        self.out.extend_from_slice(&target.selector);
        if self.out.last() == Some(&b',') {
            self.out.pop();
        }
        self.out.extend_from_slice(b"},");
    }

    /// The rest of a row in which nothing was evaluated, with the reason.
    fn blank(&mut self, entity: &Entity<'_>, id: &str, target: &Target<'_>, why: &str, number: i64) {
        self.echo(id, text(&entity.kind), target);
        self.out.extend_from_slice(b"\"evalDebugLog\":{\"msg\":\"flagID ");
        self.out.extend_from_slice(itoa::Buffer::new().format(number).as_bytes());
        self.out.push(b' ');
        self.out.extend_from_slice(why.as_bytes());
        self.out.extend_from_slice(b"\",\"segmentDebugLogs\":null},");
        self.out.extend_from_slice(&self.tail);
    }
}

fn generated_id() -> String {
    format!("randomly_generated_{}", rand::rng().random_range(0..=i32::MAX))
}

/// Which variant an evaluation gives: its members, each with a comma behind. False for Flagr's blank answer. A
/// feature made elsewhere is told as near as Flagr's words come (flagr.md §12).
fn push_assigned(out: &mut Vec<u8>, evaluation: &Evaluation<'_>) -> bool {
    let definition = evaluation.feature.definition();
    let flagr = definition.flagr.as_ref();
    let flag = is_flag(definition);
    if matches!(evaluation.value, "null" | "\"\"") && evaluation.variant.is_none() {
        return false;
    }
    let mut members = Fields::new(out);
    if let (Some((rule, variant)), Some(flagr)) = (evaluation.place, flagr) {
        members.number(r#""segmentID":"#, flagr.segments.get(rule).map_or(0, |segment| segment.number));
        let at = variant.and_then(|at| flagr.variants.get(at));
        members.number(r#""variantID":"#, at.copied().unwrap_or_default());
    }
    match evaluation.variant {
        Some(variant) => {
            members.text(r#""variantKey":"#, &variant.key);
            match &variant.attachment {
                Some(json) if json.is_object() => members.raw(r#""variantAttachment":"#, json.as_str()),
                Some(_) => members.raw(r#""variantAttachment":"#, &attachment(variant).to_string()),
                None if flag => members.raw(r#""variantAttachment":"#, "{}"),
                None => push_value(out, evaluation.value),
            }
        }
        None => {
            let key = match (definition.kind, evaluation.value) {
                (FeatureType::Boolean, "true") => "on",
                (FeatureType::Boolean, _) => "off",
                _ => "value",
            };
            members.text(r#""variantKey":"#, key);
            push_value(out, evaluation.value);
        }
    }
    true
}

fn push_value(out: &mut Vec<u8>, value: &str) {
    out.extend_from_slice(b"\"variantAttachment\":{\"value\":");
    out.extend_from_slice(value.as_bytes());
    out.extend_from_slice(b"},");
}

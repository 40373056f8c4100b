//! Everything one environment needs to answer, immutable. A new one shares what did not change with the
//! one before, so a toggle among 100 000 features costs about one feature (design §3).

use std::any::Any;
use std::collections::HashSet;
use std::sync::{Arc, OnceLock};

use imbl::{HashMap as SharedMap, OrdMap};
use uuid::Uuid;

use super::compile::{self, Feature, Mark, Segments, StoredFeature};
use super::context::{Attribute, Context, Own, Path};
use super::feature::Segment;
use super::value::Json;

/// A look-up visits at most this many stored Contexts (featuresd.md §3.7).
pub const MAX_VISITED: usize = 1000;
/// A look-up descends at most this many levels (featuresd.md §3.7).
pub const MAX_LEVELS: usize = 32;

/// Whether an environment serves (feature-config §1): `active` does, `maintenance` answers evaluation with 503,
/// `archived` with 410 and is read-only.
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EnvironmentStatus)]
pub enum Status {
    Active,
    Archived,
    Maintenance,
}

impl Status {
    /// Its name in JSON and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Maintenance => "maintenance",
        }
    }

    /// The status of that name.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Archived, Self::Maintenance].into_iter().find(|status| status.as_str() == text)
    }
}

/// Which environment a snapshot is of.
#[derive(Clone, Debug)]
pub struct Info {
    pub site_id: Uuid,
    pub site: Arc<str>,
    pub id: Uuid,
    pub name: Arc<str>,
    pub status: Status,
    /// Whether `userId` names a stored Context, or only `contextKey` does (featuresd.md §5.3).
    pub user_id_is_context: bool,
    /// Attributes whose values are never counted, though rules look at them.
    pub uncounted: Arc<[String]>,
}

/// A stored Context (featuresd.md §2.3).
#[derive(Clone, Debug, PartialEq)]
pub struct StoredContext {
    pub key: Arc<str>,
    pub prototypes: Box<[Arc<str>]>,
    pub values: Values,
}

/// What a stored Context says, by feature key: sorted, and no larger than it must be, since there may be 100 000
/// of them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Values(Box<[(Arc<str>, Json)]>);

impl Values {
    /// The value for this feature.
    pub fn get(&self, key: &str) -> Option<&Json> {
        self.0.binary_search_by(|(have, _)| (**have).cmp(key)).ok().map(|at| &self.0[at].1)
    }

    /// Whether there is a value for this feature.
    pub fn contains_key(&self, key: &str) -> bool {
        self.get(key).is_some()
    }

    /// How many values there are.
    pub fn len(&self) -> usize {
        self.0.len()
    }

    /// Whether there is no value.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// By feature key.
    pub fn iter(&self) -> impl Iterator<Item = (&Arc<str>, &Json)> {
        self.0.iter().map(|(key, value)| (key, value))
    }
}

impl FromIterator<(Arc<str>, Json)> for Values {
    /// Of a key given twice the first value counts.
    fn from_iter<I: IntoIterator<Item = (Arc<str>, Json)>>(values: I) -> Self {
        let mut values: Vec<_> = values.into_iter().collect();
        values.sort_by(|(a, _), (b, _)| a.cmp(b));
        values.dedup_by(|(a, _), (b, _)| a == b);
        Self(values.into())
    }
}

/// What an environment is made from.
#[derive(Debug)]
pub struct Source {
    pub info: Info,
    pub revision: u64,
    pub features: Vec<StoredFeature>,
    pub segments: Vec<Segment>,
    /// `override` among them when it holds anything; never `default`, which is the features' own values.
    pub contexts: Vec<StoredContext>,
}

/// Something that a door makes from a snapshot on first use, such as its ready-made body. One slot holds one
/// type.
#[derive(Clone, Default)]
pub struct Made(Arc<OnceLock<Arc<dyn Any + Send + Sync>>>);

impl Made {
    /// What is held, made now if need be.
    pub fn get_or_make<T: Any + Send + Sync>(&self, make: impl Fn() -> T) -> Arc<T> {
        let held = self.0.get_or_init(|| Arc::new(make())).clone();
        held.downcast().unwrap_or_else(|_| Arc::new(make()))
    }
}

impl std::fmt::Debug for Made {
    fn fmt(&self, f: &mut std::fmt::Formatter) -> std::fmt::Result {
        f.write_str(if self.0.get().is_some() { "Made(…)" } else { "Made" })
    }
}

/// Stored Contexts by key.
type Contexts = SharedMap<Arc<str>, Arc<StoredContext>>;

/// See the module.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub info: Info,
    pub revision: u64,
    features: OrdMap<Arc<str>, Arc<Feature>>,
    segments: Arc<[Segment]>,
    compiled_segments: Arc<Segments>,
    contexts: Contexts,
    overrides: Option<Arc<StoredContext>>,
    /// How many features may change their answer with time alone.
    clock_readers: usize,
    /// The attributes at which rules look, and of how many features.
    attributes: SharedMap<Arc<str>, usize>,
    /// Those of them whose values may be counted.
    counted: Arc<[Path]>,
    /// No feature was made later than this (milliseconds since 1970).
    newest: i64,
    /// Room for whoever counts, see [`Mark`].
    pub mark: Arc<Mark>,
    /// The ruleset body, made on first use.
    pub ruleset: Arc<OnceLock<Arc<[u8]>>>,
    /// What the FeatureHub door makes of it.
    pub featurehub: Made,
    /// What follows from the stored Contexts alone: kept over changes that leave them as they are.
    pub from_contexts: Made,
    /// Made on first use, and from then on carried along.
    flags: Arc<OnceLock<Flags>>,
}

/// The features of an environment as Flagr's programs name them: by number and by tag.
#[derive(Clone, Debug, Default)]
pub struct Flags {
    numbers: OrdMap<u32, Arc<Feature>>,
    tags: SharedMap<Arc<str>, OrdMap<u32, Arc<Feature>>>,
}

impl Flags {
    fn insert(&mut self, feature: &Arc<Feature>) {
        let number = feature.stored.number;
        self.numbers.insert(number, feature.clone());
        for tag in &feature.definition().tags {
            self.tags.entry(tag.as_str().into()).or_default().insert(number, feature.clone());
        }
    }

    fn remove(&mut self, feature: &Feature) {
        self.numbers.remove(&feature.stored.number);
        for tag in &feature.definition().tags {
            if let Some(tagged) = self.tags.get_mut(tag.as_str()) {
                tagged.remove(&feature.stored.number);
            }
        }
    }

    /// The feature with this number.
    pub fn number(&self, number: u32) -> Option<&Arc<Feature>> {
        self.numbers.get(&number)
    }

    /// Every feature, by number.
    pub fn all(&self) -> impl Iterator<Item = &Arc<Feature>> {
        self.numbers.values()
    }

    /// The features with any of these tags, or with all of them, by number.
    pub fn tagged<'f>(&'f self, tags: &[&str], all: bool) -> Vec<&'f Arc<Feature>> {
        let mut found: std::collections::BTreeMap<u32, &Arc<Feature>> = Default::default();
        for tag in tags {
            for (number, feature) in self.tags.get(*tag).into_iter().flatten() {
                found.insert(*number, feature);
            }
        }
        let has = |feature: &Feature, tag: &str| feature.definition().tags.iter().any(|have| have == tag);
        found.into_values().filter(|f| !all || tags.iter().all(|tag| has(f, tag))).collect()
    }
}

/// The key of the stored Context that comes before everything.
pub const OVERRIDE: &str = "override";
/// The key of the Context whose values are the features' own: it names no stored one.
pub const DEFAULT: &str = "default";

/// A snapshot to which features are still added, one by one.
pub struct Builder {
    source: Source,
    segments: compile::Segments,
    features: OrdMap<Arc<str>, Arc<Feature>>,
}

impl Builder {
    /// Takes all of an environment; features that it does not have yet are added.
    pub fn new(mut source: Source) -> Self {
        let features = std::mem::take(&mut source.features);
        let mut builder =
            Self { segments: compile::segments(&source.segments), source, features: OrdMap::new() };
        features.into_iter().for_each(|feature| builder.add(feature));
        builder
    }

    /// Compiles a feature.
    pub fn add(&mut self, stored: StoredFeature) {
        let feature = Arc::new(Feature::compile(stored, &self.segments));
        self.features.insert(feature.key.clone(), feature);
    }

    /// The environment with the features that were added.
    pub fn build(self) -> Snapshot {
        let Self { source, segments, features } = self;
        let (contexts, overrides) = collect(source.contexts);
        let mut attributes = SharedMap::new();
        features.values().for_each(|feature| note_attributes(&mut attributes, feature));
        Snapshot {
            counted: counted(&attributes, &source.info.uncounted),
            attributes,
            newest: features.values().map(|feature| feature.stored.created_at).max().unwrap_or_default(),
            mark: Arc::default(),
            clock_readers: features.values().filter(|feature| feature.reads_clock).count(),
            info: source.info,
            revision: source.revision,
            features,
            segments: source.segments.into(),
            compiled_segments: Arc::new(segments),
            contexts,
            overrides,
            ruleset: Arc::default(),
            featurehub: Made::default(),
            from_contexts: Made::default(),
            flags: Arc::default(),
        }
    }
}

impl Snapshot {
    /// Compiles a whole environment.
    pub fn compile(source: Source) -> Self {
        Builder::new(source).build()
    }

    /// A later snapshot in which only these features differ; `None` deletes one.
    pub fn with_features(&self, revision: u64, changed: Vec<(String, Option<StoredFeature>)>) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        next.ruleset = Arc::default();
        next.featurehub = Made::default();
        next.mark = Arc::default();
        let mut flags = self.flags.get().cloned();
        let mut made = Vec::new();
        for (key, stored) in changed {
            let before = match stored {
                Some(stored) => {
                    let feature = Arc::new(Feature::compile(stored, &self.compiled_segments));
                    next.clock_readers += usize::from(feature.reads_clock);
                    next.newest = next.newest.max(feature.stored.created_at);
                    note_attributes(&mut next.attributes, &feature);
                    made.push(feature.clone());
                    next.features.insert(feature.key.clone(), feature)
                }
                None => next.features.remove(key.as_str()),
            };
            if let Some(before) = before {
                next.clock_readers -= usize::from(before.reads_clock);
                forget_attributes(&mut next.attributes, &before);
                if let Some(flags) = &mut flags {
                    flags.remove(&before);
                }
            }
        }
        if next.attributes != self.attributes {
            next.counted = counted(&next.attributes, &next.info.uncounted);
        }
        next.flags = Arc::default();
        if let Some(mut flags) = flags {
            // After all removals: a flag may have got another key under its number.
            made.iter().for_each(|feature| flags.insert(feature));
            next.flags = Arc::new(OnceLock::from(flags));
        }
        next
    }

    /// A later snapshot in which only these stored Contexts differ; `None` deletes one. Also which features' answers
    /// may differ by that; `None`: any, since somebody inherits otherwise.
    pub fn with_contexts(
        &self,
        revision: u64,
        changed: Vec<(String, Option<StoredContext>)>,
    ) -> (Self, Option<Vec<String>>) {
        let mut next = self.clone();
        next.revision = revision;
        next.ruleset = Arc::default();
        next.featurehub = Made::default();
        next.from_contexts = Made::default();
        let mut touched = Some(Vec::new());
        for (key, stored) in changed {
            let stored = stored.map(Arc::new);
            let before = match (key.as_str(), &stored) {
                (DEFAULT, _) => None,
                (OVERRIDE, _) => {
                    let held = stored.clone().filter(|context| !context.values.is_empty());
                    std::mem::replace(&mut next.overrides, held)
                }
                (_, Some(context)) => next.contexts.insert(context.key.clone(), context.clone()),
                (key, None) => next.contexts.remove(key),
            };
            note_differences(before.as_deref(), stored.as_deref(), &mut touched);
        }
        (next, touched)
    }

    /// A later snapshot with these stored Contexts in place of all.
    pub fn with_all_contexts(&self, revision: u64, contexts: Vec<StoredContext>) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        next.ruleset = Arc::default();
        next.featurehub = Made::default();
        next.from_contexts = Made::default();
        (next.contexts, next.overrides) = collect(contexts);
        next
    }

    /// The feature of that key.
    pub fn feature(&self, key: &str) -> Option<&Arc<Feature>> {
        self.features.get(key)
    }

    /// All features, by key.
    pub fn features(&self) -> impl Iterator<Item = &Arc<Feature>> {
        self.features.values()
    }

    /// The attributes whose values may be counted: at which rules look, but for those that are not to be.
    pub fn counted(&self) -> &[Path] {
        &self.counted
    }

    /// No feature was made later than this (milliseconds since 1970).
    pub fn newest(&self) -> i64 {
        self.newest
    }

    /// The features by number and tag.
    pub fn flags(&self) -> &Flags {
        self.flags.get_or_init(|| {
            let mut flags = Flags::default();
            self.features.values().for_each(|feature| flags.insert(feature));
            flags
        })
    }

    /// How many features there are.
    pub fn len(&self) -> usize {
        self.features.len()
    }

    /// Whether there is no feature.
    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    /// The segments of the site, also those that could not be compiled.
    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The emergency overrides, when there are any.
    pub fn overrides(&self) -> Option<&StoredContext> {
        self.overrides.as_deref()
    }

    /// One stored Context that is neither `override` nor `default`.
    pub fn context(&self, key: &str) -> Option<&Arc<StoredContext>> {
        self.contexts.get(key)
    }

    /// How many stored Contexts there are beside `override` and `default`.
    pub fn contexts_len(&self) -> usize {
        self.contexts.len()
    }

    /// The stored Contexts but `override` and `default`, in no order.
    pub fn contexts(&self) -> impl Iterator<Item = &Arc<StoredContext>> {
        self.contexts.values()
    }

    /// Whether the same question may be answered otherwise later.
    pub fn reads_clock(&self) -> bool {
        self.clock_readers > 0
    }

    /// The stored Contexts this request looks at, in visiting order: its own, then its prototypes depth
    /// first, then those it brings along (featuresd.md §3).
    pub fn chain<'s>(&'s self, context: &Context<'_>) -> Result<Vec<&'s StoredContext>, ChainTooLarge> {
        let mut walk = Walk::new(self, ());
        let by_user = self.info.user_id_is_context;
        if let Own::User(user) = context.own() {
            if let Some(own) = user.as_deref().filter(|_| by_user).and_then(|key| self.contexts.get(key)) {
                walk.visit(own, 0, NO_PARENT)?;
            }
            return Ok(walk.order);
        }
        let own = match context.get("contextKey").and_then(Attribute::as_key) {
            Some(key) => self.contexts.get(key.as_ref()),
            None if self.contexts.is_empty() || !by_user => None,
            None => context.targeting_key().and_then(|key| self.contexts.get(key)),
        };
        if let Some(own) = own {
            walk.visit(own, 0, NO_PARENT)?;
        }
        if let Some(Attribute::List(prototypes)) = context.get("contextPrototypes") {
            for prototype in prototypes {
                if let Some(key) = prototype.as_key()
                    && let Some(stored) = self.contexts.get(key.as_ref())
                {
                    walk.visit(stored, 1, NO_PARENT)?;
                }
            }
        }
        Ok(walk.order)
    }

    /// The same for a subject by key, and by which way each stored Context was first reached.
    pub fn lineage<'s>(&'s self, key: &str, prototypes: &[String]) -> Result<Lineage<'s>, ChainTooLarge> {
        let mut walk = Walk::new(self, Ways::default());
        if let Some(own) = self.contexts.get(key) {
            walk.visit(own, 0, NO_PARENT)?;
        }
        for prototype in prototypes {
            match self.contexts.get(prototype.as_str()) {
                Some(stored) => walk.visit(stored, 1, NO_PARENT)?,
                None => walk.noted.missing.push(prototype.clone()),
            }
        }
        Ok(Lineage { order: walk.order, parents: walk.noted.parents, missing: walk.noted.missing })
    }
}

/// Contexts by key, and apart from them `override` when it holds something. `default` is the features' own values.
fn collect(contexts: Vec<StoredContext>) -> (Contexts, Option<Arc<StoredContext>>) {
    let mut contexts: Contexts =
        contexts.into_iter().map(|context| (context.key.clone(), Arc::new(context))).collect();
    let overrides = contexts.remove(OVERRIDE).filter(|context| !context.values.is_empty());
    contexts.remove(DEFAULT);
    (contexts, overrides)
}

/// Adds the features whose values differ between two states of a Context; takes the list away where who inherits
/// from whom does.
fn note_differences(
    before: Option<&StoredContext>,
    after: Option<&StoredContext>,
    touched: &mut Option<Vec<String>>,
) {
    let prototypes = |context: Option<&StoredContext>| {
        context.map(|context| context.prototypes.clone()).unwrap_or_default()
    };
    if prototypes(before) != prototypes(after) {
        *touched = None;
    }
    let Some(touched) = touched else { return };
    let value = |context: Option<&StoredContext>, key: &str| {
        context.and_then(|context| context.values.get(key)).cloned()
    };
    let both = [before, after].into_iter().flatten().flat_map(|context| context.values.iter());
    for (key, _) in both {
        if value(before, key) != value(after, key) && !touched.iter().any(|have| **have == **key) {
            touched.push(key.to_string());
        }
    }
}

impl Snapshot {
    /// What a stored Context resolves to: itself and those it inherits from, in visiting order.
    pub fn inherited(&self, context: &StoredContext) -> Result<Vec<&StoredContext>, ChainTooLarge> {
        let mut walk = Walk::new(self, ());
        if let Some(own) = self.contexts.get(&context.key) {
            walk.visit(own, 0, NO_PARENT)?;
        }
        Ok(walk.order)
    }
}

/// So many attributes of an environment are counted at most.
pub const MAX_COUNTED: usize = 32;

fn note_attributes(all: &mut SharedMap<Arc<str>, usize>, feature: &Feature) {
    for name in &feature.attributes {
        match all.get_mut(&**name) {
            Some(features) => *features += 1,
            None => drop(all.insert(Arc::from(&**name), 1)),
        }
    }
}

fn forget_attributes(all: &mut SharedMap<Arc<str>, usize>, feature: &Feature) {
    for name in &feature.attributes {
        match all.get(&**name).copied() {
            Some(2..) => *all.entry(Arc::from(&**name)).or_insert(0) -= 1,
            _ => {
                all.remove(&**name);
            }
        }
    }
}

/// Whether the values of an attribute are not to be counted: a name that is left out stands somewhere in its path, in
/// whichever case. `email` leaves out `Email` and `user.email`, `user` all that is in it.
pub fn is_uncounted(uncounted: &[String], path: &str) -> bool {
    let path = format!(".{}.", path.to_ascii_lowercase());
    uncounted.iter().any(|out| path.contains(&format!(".{}.", out.to_ascii_lowercase())))
}

fn counted(all: &SharedMap<Arc<str>, usize>, uncounted: &[String]) -> Arc<[Path]> {
    let mut names: Vec<&str> = all.keys().map(|name| &**name).collect();
    names.retain(|name| !is_uncounted(uncounted, name));
    names.sort_unstable();
    names.into_iter().take(MAX_COUNTED).map(Path::new).collect()
}

/// A look-up would visit more than [`MAX_VISITED`] Contexts or descend more than [`MAX_LEVELS`] levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainTooLarge;

/// See [`Snapshot::lineage`].
#[derive(Debug)]
pub struct Lineage<'s> {
    /// In visiting order, without `override` and `default`.
    pub order: Vec<&'s StoredContext>,
    /// For each of them the position of whose prototype it is; `None`: the subject's own, or one it brings along.
    pub parents: Vec<Option<usize>>,
    /// Prototypes that are named and not there.
    pub missing: Vec<String>,
}

/// What a walk remembers beside the order; nothing for evaluation.
trait Notes {
    fn reached(&mut self, parent: usize);
    fn missing(&mut self, key: &str);
}

impl Notes for () {
    fn reached(&mut self, _: usize) {}
    fn missing(&mut self, _: &str) {}
}

#[derive(Default)]
struct Ways {
    parents: Vec<Option<usize>>,
    missing: Vec<String>,
}

impl Notes for Ways {
    fn reached(&mut self, parent: usize) {
        self.parents.push((parent != NO_PARENT).then_some(parent));
    }

    fn missing(&mut self, key: &str) {
        self.missing.push(key.to_owned());
    }
}

const NO_PARENT: usize = usize::MAX;

struct Walk<'s, N> {
    snapshot: &'s Snapshot,
    visited: HashSet<&'s str>,
    order: Vec<&'s StoredContext>,
    noted: N,
}

impl<'s, N: Notes> Walk<'s, N> {
    fn new(snapshot: &'s Snapshot, noted: N) -> Self {
        Self { snapshot, visited: HashSet::new(), order: Vec::new(), noted }
    }

    fn visit(
        &mut self,
        context: &'s StoredContext,
        level: usize,
        parent: usize,
    ) -> Result<(), ChainTooLarge> {
        if !self.visited.insert(&context.key) {
            return Ok(());
        }
        if level > MAX_LEVELS || self.order.len() >= MAX_VISITED {
            return Err(ChainTooLarge);
        }
        let own = self.order.len();
        self.order.push(context);
        self.noted.reached(parent);
        for prototype in &context.prototypes {
            match self.snapshot.contexts.get(prototype) {
                Some(next) => self.visit(next, level + 1, own)?,
                None => self.noted.missing(prototype),
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::testing::{answer, environment, stored};

    fn clock_feature(key: &str, reads: bool) -> StoredFeature {
        let attribute = if reads { "now" } else { "then" };
        let when = json!({"attribute": attribute, "operator": "after", "value": "2026-01-01"});
        stored(json!({"key": key, "type": "BOOLEAN", "defaultValue": false,
            "rules": [{"name": "r", "when": when, "outcome": {"value": true}}]}))
    }

    #[test]
    fn a_later_snapshot_differs_in_what_changed_and_shares_the_rest() {
        let feature = |key: &str, value: &str| json!({"key": key, "type": "STRING", "defaultValue": value});
        let before = environment(
            json!([feature("a", "1"), feature("b", "1"), feature("c", "1")]),
            json!([]),
            json!([]),
        );
        let changed = vec![
            ("b".to_owned(), Some(stored(feature("b", "2")))),
            ("c".to_owned(), None),
            ("d".to_owned(), Some(stored(feature("d", "2")))),
            ("gone".to_owned(), None),
        ];
        let after = before.with_features(7, changed);
        let told = |snapshot: &Snapshot| -> Vec<String> {
            snapshot
                .features()
                .map(|f| format!("{} {}", f.key, answer(snapshot, &f.key, &json!({}))))
                .collect()
        };
        assert_eq!(told(&before), ["a \"1\" STATIC", "b \"1\" STATIC", "c \"1\" STATIC"]);
        assert_eq!(told(&after), ["a \"1\" STATIC", "b \"2\" STATIC", "d \"2\" STATIC"]);
        assert_eq!((before.revision, after.revision), (0, 7));
        assert_eq!((before.len(), after.len(), after.is_empty()), (3, 3, false));
        let shared = |key: &str| match (before.feature(key), after.feature(key)) {
            (Some(one), Some(other)) => Arc::ptr_eq(one, other),
            _ => false,
        };
        assert!(shared("a") && !shared("b"));
    }

    #[test]
    fn a_ready_made_body_belongs_to_its_snapshot_alone() {
        let before = environment(json!([]), json!([]), json!([]));
        before.ruleset.get_or_init(|| Arc::from(*b"old"));
        assert!(before.clone().ruleset.get().is_some());
        assert!(before.with_features(1, Vec::new()).ruleset.get().is_none());
    }

    #[test]
    fn who_reads_the_clock_is_counted_over_every_change() {
        let mut snapshot = environment(json!([]), json!([]), json!([]));
        let steps: [(&str, Option<bool>, bool); 8] = [
            ("a", Some(false), false),
            ("a", Some(true), true),
            ("a", Some(true), true),
            ("b", Some(true), true),
            ("a", Some(false), true),
            ("gone", None, true),
            ("b", None, false),
            ("a", None, false),
        ];
        for (key, reads, expected) in steps {
            let changed = reads.map(|reads| clock_feature(key, reads));
            snapshot = snapshot.with_features(snapshot.revision + 1, vec![(key.to_owned(), changed)]);
            assert_eq!(snapshot.reads_clock(), expected, "{key} {reads:?}");
        }
    }

    #[test]
    fn changes_may_use_the_segments_of_the_site() {
        let segments = json!([{"key": "staff", "conditions": {"attribute": "staff", "operator": "equals", "value": true}}]);
        let before = environment(json!([]), segments.clone(), json!([]));
        let feature = json!({"key": "f", "type": "BOOLEAN", "rules": [
            {"name": "r", "when": {"segment": "staff"}, "outcome": {"value": true}}]});
        let with_segment = environment(json!([feature]), segments, json!([]));
        let changed = with_segment.feature("f").expect("the feature").stored.clone();
        let after = before.with_features(1, vec![("f".to_owned(), Some(changed))]);
        assert_eq!(answer(&after, "f", &json!({"staff": true})), "true TARGETING_MATCH rule=r");
        assert_eq!(after.segments().len(), 1);
    }

    #[test]
    fn features_come_in_the_order_of_their_keys() {
        let keys = ["b", "a/c", "B", "a", "a.b", "10", "9"];
        let features: Vec<_> = keys.iter().map(|key| json!({"key": key, "type": "JSON"})).collect();
        let snapshot = environment(json!(features), json!([]), json!([]));
        let found: Vec<_> = snapshot.features().map(|feature| feature.key.to_string()).collect();
        assert_eq!(found, ["10", "9", "B", "a", "a.b", "a/c", "b"]);
    }

    #[test]
    fn override_stands_apart_and_counts_only_when_it_holds_something() {
        let feature = json!({"key": "f", "type": "BOOLEAN"});
        let of = |contexts| environment(json!([feature]), json!([]), contexts);
        let empty = of(json!([{"key": "override"}, {"key": "mia"}]));
        assert!(empty.overrides().is_none());
        let held = of(json!([{"key": "override", "features": {"f": true}}, {"key": "mia"}]));
        assert_eq!(held.overrides().map(|context| context.values.len()), Some(1));
        for snapshot in [empty, held] {
            assert_eq!(snapshot.contexts().map(|context| &*context.key).collect::<Vec<_>>(), ["mia"]);
        }
    }

    #[test]
    fn names_of_a_status_read_back() {
        for status in [Status::Active, Status::Archived, Status::Maintenance] {
            assert_eq!(Status::parse(status.as_str()), Some(status));
            assert_eq!(serde_json::to_value(status).expect("JSON"), status.as_str());
        }
        assert_eq!(Status::parse("Active"), None);
    }
}

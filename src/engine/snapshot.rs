//! Everything one environment needs to answer, immutable. A new one shares what did not change with the
//! one before, so a toggle among 100 000 features costs about one feature (design §3).

use std::collections::{HashMap, HashSet};
use std::sync::{Arc, OnceLock};

use imbl::{HashMap as SharedMap, OrdMap};
use uuid::Uuid;

use super::compile::{self, Feature, Segments, StoredFeature};
use super::context::{Attribute, Context};
use super::feature::Segment;
use super::value::Json;

/// A look-up visits at most this many stored Contexts (featuresd.md §3.7).
pub const MAX_VISITED: usize = 1000;
/// A look-up descends at most this many levels (featuresd.md §3.7).
pub const MAX_LEVELS: usize = 32;

/// Whether an environment serves (feature-config §1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    Active,
    Archived,
    Maintenance,
}

impl Status {
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Archived => "archived",
            Self::Maintenance => "maintenance",
        }
    }

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
}

/// A stored Context (featuresd.md §2.3).
#[derive(Clone, Debug, PartialEq)]
pub struct StoredContext {
    pub key: Arc<str>,
    pub prototypes: Vec<Arc<str>>,
    pub values: HashMap<Arc<str>, Json>,
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

/// See the module.
#[derive(Clone, Debug)]
pub struct Snapshot {
    pub info: Info,
    pub revision: u64,
    features: OrdMap<Arc<str>, Arc<Feature>>,
    segments: Arc<[Segment]>,
    compiled_segments: Arc<Segments>,
    contexts: SharedMap<Arc<str>, Arc<StoredContext>>,
    overrides: Option<Arc<StoredContext>>,
    /// How many features may change their answer with time alone.
    clock_readers: usize,
    /// The ruleset body, made on first use.
    pub ruleset: Arc<OnceLock<Arc<[u8]>>>,
}

/// The key of the stored Context that comes before everything.
pub const OVERRIDE: &str = "override";
/// The key of the Context whose values are the features' own: it names no stored one.
pub const DEFAULT: &str = "default";

impl Snapshot {
    /// Compiles a whole environment.
    pub fn compile(source: Source) -> Self {
        let compiled_segments = compile::segments(&source.segments);
        let features: OrdMap<Arc<str>, Arc<Feature>> = source
            .features
            .into_iter()
            .map(|stored| Feature::compile(stored, &compiled_segments))
            .map(|feature| (feature.key.clone(), Arc::new(feature)))
            .collect();
        let mut contexts: SharedMap<Arc<str>, Arc<StoredContext>> =
            source.contexts.into_iter().map(|context| (context.key.clone(), Arc::new(context))).collect();
        let overrides = contexts.remove(OVERRIDE).filter(|context| !context.values.is_empty());
        contexts.remove(DEFAULT);
        Self {
            clock_readers: features.values().filter(|feature| feature.reads_clock).count(),
            info: source.info,
            revision: source.revision,
            features,
            segments: source.segments.into(),
            compiled_segments: Arc::new(compiled_segments),
            contexts,
            overrides,
            ruleset: Arc::default(),
        }
    }

    /// A later snapshot in which only these features differ; `None` deletes one.
    pub fn with_features(&self, revision: u64, changed: Vec<(String, Option<StoredFeature>)>) -> Self {
        let mut next = self.clone();
        next.revision = revision;
        next.ruleset = Arc::default();
        for (key, stored) in changed {
            let before = match stored {
                Some(stored) => {
                    let feature = Arc::new(Feature::compile(stored, &self.compiled_segments));
                    next.clock_readers += usize::from(feature.reads_clock);
                    next.features.insert(feature.key.clone(), feature)
                }
                None => next.features.remove(key.as_str()),
            };
            next.clock_readers -= before.map_or(0, |feature| usize::from(feature.reads_clock));
        }
        next
    }

    pub fn feature(&self, key: &str) -> Option<&Arc<Feature>> {
        self.features.get(key)
    }

    /// All features, by key.
    pub fn features(&self) -> impl Iterator<Item = &Arc<Feature>> {
        self.features.values()
    }

    pub fn len(&self) -> usize {
        self.features.len()
    }

    pub fn is_empty(&self) -> bool {
        self.features.is_empty()
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// The emergency overrides, when there are any.
    pub fn overrides(&self) -> Option<&StoredContext> {
        self.overrides.as_deref()
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
        let own = match context.get("contextKey").and_then(Attribute::as_key) {
            Some(key) => self.contexts.get(key.as_ref()),
            None if self.contexts.is_empty() || !self.info.user_id_is_context => None,
            None => context.targeting_key().and_then(|key| self.contexts.get(key)),
        };
        let mut walk = Walk { snapshot: self, visited: HashSet::new(), order: Vec::new() };
        if let Some(own) = own {
            walk.visit(own, 0)?;
        }
        if let Some(Attribute::List(prototypes)) = context.get("contextPrototypes") {
            for prototype in prototypes {
                if let Some(key) = prototype.as_key()
                    && let Some(stored) = self.contexts.get(key.as_ref())
                {
                    walk.visit(stored, 1)?;
                }
            }
        }
        Ok(walk.order)
    }
}

/// A look-up would visit more than [`MAX_VISITED`] Contexts or descend more than [`MAX_LEVELS`] levels.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ChainTooLarge;

struct Walk<'s> {
    snapshot: &'s Snapshot,
    visited: HashSet<&'s str>,
    order: Vec<&'s StoredContext>,
}

impl<'s> Walk<'s> {
    fn visit(&mut self, context: &'s StoredContext, level: usize) -> Result<(), ChainTooLarge> {
        if !self.visited.insert(&context.key) {
            return Ok(());
        }
        if level > MAX_LEVELS || self.order.len() >= MAX_VISITED {
            return Err(ChainTooLarge);
        }
        self.order.push(context);
        for prototype in &context.prototypes {
            if let Some(next) = self.snapshot.contexts.get(prototype) {
                self.visit(next, level + 1)?;
            }
        }
        Ok(())
    }
}

//! Looking a subject up among the stored Contexts alone: `override`, its own, its prototypes depth first, `default`
//! (featuresd.md §3). Evaluation ([`super::evaluate`]) walks the same way; this one also says what was hidden, takes
//! values that a subject brings along, and leaves switch and rules out unless they are asked for.

use super::compile::Feature;
use super::context::Context;
use super::document::context_text;
use super::evaluate::{Evaluator, Reason};
use super::matcher::Nanos;
use super::snapshot::{ChainTooLarge, DEFAULT, Lineage, OVERRIDE, Snapshot, Values};
use super::value::Json;

/// Whom to look up.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Subject {
    pub key: String,
    /// Visited after those of the stored Context (featuresd.md §3.6).
    pub prototypes: Vec<String>,
    /// Values of its own, behind those of the stored Context.
    pub values: Values,
}

/// One subject in one snapshot.
#[derive(Debug)]
pub struct Lookup<'s, 'q> {
    snapshot: &'s Snapshot,
    subject: &'q Subject,
    lineage: Lineage<'s>,
    /// Whether the key names a stored Context, `override` and `default` included.
    pub exists: bool,
    /// Whether the first of the lineage is the subject itself.
    own: bool,
}

/// What gave a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Source<'a> {
    Context(&'a str),
    /// The id of a rule; only where rules were asked for.
    Rule(String),
    /// Nothing: no Context has a value, or the feature is switched off.
    None,
}

/// The value of one feature.
#[derive(Debug, Clone, PartialEq)]
pub struct Found<'a> {
    /// JSON of the feature's type.
    pub value: Option<&'a str>,
    pub source: Source<'a>,
}

/// The same with the way to it and what it hides.
#[derive(Debug)]
pub struct Explained<'a> {
    pub found: Found<'a>,
    /// From the subject to the source, each a prototype of the one before.
    pub path: Vec<&'a str>,
    /// Values further down the order: Context and JSON.
    pub shadowed: Vec<(&'a str, &'a Json)>,
}

/// One place that has a value.
struct Entry<'a> {
    key: &'a str,
    value: &'a Json,
    /// Its position in the lineage; `None` for `override`, `default` and what the subject brings along.
    at: Option<usize>,
}

impl<'s: 'a, 'q: 'a, 'a> Lookup<'s, 'q> {
    /// Finds the stored Contexts that concern the subject.
    pub fn new(snapshot: &'s Snapshot, subject: &'q Subject) -> Result<Self, ChainTooLarge> {
        let lineage = snapshot.lineage(&subject.key, &subject.prototypes)?;
        let own = snapshot.context(&subject.key).is_some();
        let exists = own || is_special(&subject.key);
        Ok(Self { snapshot, subject, lineage, exists, own })
    }

    /// The keys visited, in order.
    pub fn order(&self) -> Vec<&str> {
        let mut order = Vec::with_capacity(self.lineage.order.len() + 3);
        order.push(OVERRIDE);
        if !self.own && !self.subject.values.is_empty() {
            order.push(&self.subject.key);
        }
        order.extend(self.lineage.order.iter().map(|context| &*context.key));
        order.push(DEFAULT);
        order
    }

    /// Prototypes that are named and not there.
    pub fn missing(&self) -> &[String] {
        &self.lineage.missing
    }

    /// Everything with a value for the feature, in the order of the look-up.
    fn entries(&'a self, feature: &'s Feature) -> impl Iterator<Item = Entry<'a>> {
        let key: &'a str = &feature.key;
        let overrides = self.snapshot.overrides().and_then(|context| context.values.get(key));
        let overrides = overrides.map(|value| Entry { key: OVERRIDE, value, at: None });
        // A stored Context of the subject comes first; what the subject brings along only fills its gaps.
        let own = self.own.then(|| self.lineage.order[0]).and_then(|context| context.values.get(key));
        let own = match own {
            Some(value) => Some(Entry { key: &self.subject.key, value, at: Some(0) }),
            None => {
                self.subject.values.get(key).map(|value| Entry { key: &self.subject.key, value, at: None })
            }
        };
        let first = usize::from(self.own);
        let inherited = self.lineage.order.iter().enumerate().skip(first).filter_map(move |(at, context)| {
            context.values.get(key).map(|value| Entry { key: &context.key, value, at: Some(at) })
        });
        let default = feature.definition().default_value.as_ref();
        let default = default.map(|value| Entry { key: DEFAULT, value, at: None });
        overrides.into_iter().chain(own).chain(inherited).chain(default)
    }

    /// Every value that a Context of the order has for the feature: the first counts, the rest are hidden.
    pub fn values(&'a self, feature: &'s Feature) -> Vec<(&'a str, &'a Json)> {
        self.entries(feature).map(|entry| (entry.key, entry.value)).collect()
    }

    /// The value of one feature in the documented order.
    pub fn find(&'a self, feature: &'s Feature) -> Found<'a> {
        match self.entries(feature).next() {
            Some(entry) => Found { value: Some(entry.value.as_str()), source: Source::Context(entry.key) },
            None => Found { value: None, source: Source::None },
        }
    }

    /// The same in the order of evaluation: with the feature's switch and its rules (featuresd.md §5.3).
    pub fn find_with_rules(&'a self, feature: &'s Feature, rules: &Rules<'s, '_>) -> Found<'a> {
        let entry = self.entries(feature).next();
        let source = entry.as_ref().map_or(DEFAULT, |entry| entry.key);
        if source == OVERRIDE {
            return self.find(feature);
        }
        let definition = feature.definition();
        if !definition.enabled {
            let value = Some(definition.kind.disabled_value()).filter(|value| *value != "null");
            return Found { value, source: Source::None };
        }
        if source != DEFAULT {
            return self.find(feature);
        }
        let evaluation = rules.evaluator.evaluate(feature);
        match (evaluation.reason, evaluation.rule_id) {
            (Reason::TargetingMatch | Reason::Split, Some(id)) => {
                Found { value: Some(evaluation.value), source: Source::Rule(id.to_owned()) }
            }
            _ => self.find(feature),
        }
    }

    /// The value of one feature, how it was reached and what it hides. `rules` as in [`Self::find_with_rules`].
    pub fn explain(&'a self, feature: &'s Feature, rules: Option<&Rules<'s, '_>>) -> Explained<'a> {
        let found = match rules {
            Some(rules) => self.find_with_rules(feature, rules),
            None => self.find(feature),
        };
        let mut path = Vec::new();
        let mut shadowed = Vec::new();
        for entry in self.entries(feature) {
            if path.is_empty() && found.source == Source::Context(entry.key) {
                path = self.path(&entry);
            } else {
                shadowed.push((entry.key, entry.value));
            }
        }
        Explained { found, path, shadowed }
    }

    fn path(&'a self, entry: &Entry<'a>) -> Vec<&'a str> {
        let Some(mut at) = entry.at else { return vec![entry.key] };
        let mut path = vec![&*self.lineage.order[at].key];
        while let Some(parent) = self.lineage.parents[at] {
            path.push(&*self.lineage.order[parent].key);
            at = parent;
        }
        if path.last() != Some(&self.subject.key.as_str()) {
            path.push(&self.subject.key);
        }
        path.reverse();
        path
    }
}

/// What asking the rules needs: the subject as an evaluation context.
pub struct Rules<'s, 'c> {
    evaluator: Evaluator<'s, 'c>,
}

impl<'s, 'c> Rules<'s, 'c> {
    /// `context` is [`Subject::context`].
    pub fn new(snapshot: &'s Snapshot, context: &'c Context<'c>, now: Nanos) -> Result<Self, ChainTooLarge> {
        Ok(Self { evaluator: Evaluator::new(snapshot, context, now)? })
    }
}

impl Subject {
    /// Somebody of that key, with nothing sent along.
    pub fn of(key: impl Into<String>) -> Self {
        Self { key: key.into(), ..Self::default() }
    }

    /// The evaluation context that names this subject as the user.
    pub fn context(&self) -> Context<'_> {
        Context::with_targeting_key(Default::default(), Some(self.key.as_str().into()))
    }
}

/// Whether this names one of the two Contexts that take part in every look-up.
pub fn is_special(key: &str) -> bool {
    matches!(key, OVERRIDE | DEFAULT)
}

/// A value as stored Contexts show it (featuresd.md §1).
pub fn text(feature: &Feature, value: &str) -> String {
    context_text(feature.definition().kind, value)
}

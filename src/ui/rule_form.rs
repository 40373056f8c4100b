//! The rule builder: a rule as a form, back again, and what it would do to a sample context. Every button
//! that changes the form posts it and gets it back, unsaved; only `op=save` writes.

use actix_web::web::Data;
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use serde_json::json;
use sha2::{Digest, Sha256};

use super::components::ask::{self, Question};
use super::components::form::{Text, Typed, error, summary};
use super::components::ruler::{self, Share, percent, swatch, variant_class};
use super::components::{icon, sentence};
use super::condition_form::{ConditionForm, Drawing};
use super::edit::{Edit, blocking};
use super::failure::{Failure, see_other};
use super::feature::{View, show};
use super::features::{Here, edited_json, problems, value_text};
use super::layout::{Page, Toast, done};
use crate::admin::features as admin;
use crate::api::request::segment;
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::compile::{self, Feature, StoredFeature};
use crate::engine::condition::{Condition, Operator, Scalar};
use crate::engine::context::Context;
use crate::engine::decode::{FieldError, Node, Problems};
use crate::engine::evaluate::Evaluator;
use crate::engine::explain::{Explanation, Why, explain};
use crate::engine::feature::{self, Definition, Otherwise, Outcome, Percent, Rule, Segment, StickTo};
use crate::engine::permission::Permission;
use crate::engine::snapshot::{Snapshot, Source};
use crate::engine::value::{FeatureType, Json};
use crate::error::Error;

/// The path of a rule that is not made yet.
pub const NEW: &str = "new";

/// A rule being edited.
pub struct RuleForm {
    /// The rule's id, or [`NEW`].
    pub id: String,
    pub typed: Typed,
    when: ConditionForm,
    is_split: bool,
    arms: Vec<(String, String)>,
    rollout: String,
    /// What somebody else saved meanwhile, and how this form differs from it.
    pub conflict: Option<Conflict>,
    /// Whether there is something to save.
    pub touched: bool,
}

/// Two versions of one rule.
pub struct Conflict {
    pub version: u64,
    pub by: String,
    pub theirs: Option<Rule>,
    pub yours: Option<Rule>,
}

/// What stands for a rule, to see whether somebody else changed it.
fn fingerprint(rule: &Rule) -> String {
    let json = serde_json::to_string(rule).unwrap_or_default();
    Sha256::digest(json.as_bytes()).iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

fn stick_text(by: &StickTo) -> String {
    match by {
        StickTo::Attribute(name) => name.clone(),
        StickTo::Attributes(names) => names.join(", "),
    }
}

impl RuleForm {
    /// The form of a rule as it is stored; of none, a new one.
    pub fn of(definition: &Definition, rule: Option<&Rule>, version: u64, segments: &[Segment]) -> Self {
        let rollout = rule.and_then(|rule| rule.rollout.as_ref());
        let mut fields: Vec<(&str, String)> = vec![
            ("version", version.to_string()),
            ("name", rule.map(|rule| rule.name.clone()).unwrap_or_default()),
            ("priority", rule.map_or(feature::DEFAULT_PRIORITY, |rule| rule.priority).to_string()),
            ("by", rollout.and_then(|rollout| rollout.by.as_ref()).map(stick_text).unwrap_or_default()),
            ("salt", rollout.map(|rollout| rollout.salt.clone()).unwrap_or_default()),
            (
                "otherwise",
                match rollout.and_then(|rollout| rollout.otherwise) {
                    None => "",
                    Some(Otherwise::Next) => "next",
                    Some(Otherwise::Stop) => "stop",
                }
                .to_owned(),
            ),
        ];
        if rule.is_none_or(|rule| rule.enabled) {
            fields.push(("enabled", "on".into()));
        }
        if rollout.is_some() {
            fields.push(("rolloutKept", "on".into()));
        }
        if let Some(rule) = rule {
            fields.push(("fingerprint", fingerprint(rule)));
        }
        let (is_split, arms) = match rule.map(|rule| &rule.outcome) {
            Some(Outcome::Split(arms)) => {
                (true, arms.iter().map(|arm| (arm.variant.clone(), arm.weight.to_string())).collect())
            }
            _ => (false, Vec::new()),
        };
        let value = match rule.map(|rule| &rule.outcome) {
            Some(Outcome::Value(value)) => value_text(definition.kind, value),
            None if definition.kind == FeatureType::Boolean => "true".into(),
            _ => String::new(),
        };
        fields.push(("value", value));
        let when = rule.and_then(|rule| rule.when.as_ref());
        fields.push(("sample", sample(when, segments)));
        Self {
            id: rule.map_or_else(|| NEW.to_owned(), |rule| rule.id.to_string()),
            typed: Typed::posted(fields.into_iter().map(|(name, value)| (name.to_owned(), value)).collect()),
            when: ConditionForm::of(when),
            is_split,
            arms,
            rollout: rollout.map_or(Percent::FULL, |rollout| rollout.percentage).to_string(),
            conflict: None,
            touched: false,
        }
    }

    /// What was posted.
    pub fn posted(id: &str, typed: Typed) -> Self {
        let arms = typed
            .all("variant")
            .zip(typed.all("weight"))
            .map(|(variant, weight)| (variant.to_owned(), weight.trim().to_owned()))
            .collect();
        let rollout = chosen(typed.get("rolloutBase"), typed.get("rollout"), typed.get("rolloutExact"));
        Self {
            id: id.to_owned(),
            when: ConditionForm::posted(&typed),
            is_split: typed.get("outcome") == "split",
            arms,
            rollout,
            typed,
            conflict: None,
            touched: true,
        }
    }

    /// Does what a button asks for; false when it is not one that changes the form.
    fn apply(&mut self, op: &str, definition: &Definition) -> bool {
        match op {
            "even" => {
                let parts = even(self.arms.len());
                for ((_, weight), part) in self.arms.iter_mut().zip(parts) {
                    *weight = part.to_string();
                }
            }
            "add-arm" => {
                self.is_split = true;
                let used = |key: &str| self.arms.iter().any(|(variant, _)| variant == key);
                let next = definition.variants.iter().find(|variant| !used(&variant.key));
                let weight = if self.arms.is_empty() { "100" } else { "0" };
                if let Some(variant) = next.or(definition.variants.first()) {
                    self.arms.push((variant.key.clone(), weight.into()));
                }
            }
            "preview" => {}
            _ => match op.strip_prefix("remove-arm:").map(str::parse::<usize>) {
                Some(Ok(at)) if at < self.arms.len() => {
                    self.arms.remove(at);
                }
                Some(_) => {}
                None => return self.when.apply(op),
            },
        }
        true
    }

    /// The rule as a body for the API, and where its problems belong.
    fn body(&self, definition: &Definition) -> (String, super::condition_form::Read) {
        let read = self.when.read("when");
        let text = |name: &str| match name {
            // Spaces make another salt, which takes other people.
            "salt" => self.typed.get(name),
            _ => self.typed.get(name).trim(),
        };
        let number = |typed: &str| match Node::parse(typed) {
            Ok(node) if node.number().is_some() => typed.to_owned(),
            _ => json!(typed).to_string(),
        };
        let when = serde_json::to_string(&read.condition).unwrap_or_else(|_| "null".into());
        let stored = definition.rules.iter().find(|rule| rule.id.to_string() == self.id);
        let plain = ["by", "salt", "otherwise"].iter().all(|name| text(name).is_empty());
        let everyone = Percent::FULL.to_string() == self.rollout;
        let rollout = if everyone && plain && !self.typed.is_on("rolloutKept") {
            "null".to_owned()
        } else {
            let mut rollout = format!("{{\"percentage\":{}", number(&self.rollout));
            if !text("by").is_empty() {
                let kept = stored.and_then(|rule| rule.rollout.as_ref()?.by.as_ref());
                let names: Vec<&str> = text("by").split(',').map(str::trim).collect();
                let by = match (kept, names.as_slice()) {
                    // A name may hold spaces and commas; read anew it would be another.
                    (Some(by), _) if stick_text(by) == self.typed.get("by") => json!(by),
                    (_, [one]) => json!(one),
                    (_, names) => json!(names),
                };
                rollout.push_str(&format!(",\"by\":{by}"));
            }
            for name in ["salt", "otherwise"] {
                if !text(name).is_empty() {
                    rollout.push_str(&format!(",\"{name}\":{}", json!(text(name))));
                }
            }
            rollout + "}"
        };
        let outcome = if self.is_split {
            let arms: Vec<String> = self
                .arms
                .iter()
                .map(|(variant, weight)| {
                    format!("{{\"variant\":{},\"weight\":{}}}", json!(variant), number(weight))
                })
                .collect();
            format!("{{\"split\":[{}]}}", arms.join(","))
        } else {
            let stored = stored.and_then(|rule| match &rule.outcome {
                Outcome::Value(value) => Some(value),
                Outcome::Split(_) => None,
            });
            format!("{{\"value\":{}}}", edited_json(definition.kind, self.typed.get("value"), stored))
        };
        let body = format!(
            "{{\"name\":{},\"priority\":{},\"enabled\":{},\"when\":{when},\"rollout\":{rollout},\"outcome\":{outcome}}}",
            json!(text("name")),
            number(text("priority")),
            self.typed.is_on("enabled"),
        );
        (body, read)
    }

    /// The rule as it is typed, or everything that is wrong with it.
    fn rule(&self, definition: &Definition) -> Result<Rule, Vec<FieldError>> {
        let (body, read) = self.body(definition);
        let mut found = Problems::default();
        let rule = match Node::parse(&body) {
            Ok(node) => feature::read_rule(&node, Some(definition.kind), None, &mut found),
            Err(error) => {
                found.add("", error.to_string());
                None
            }
        };
        if let Some(rule) = &rule {
            let alone = Definition { rules: vec![rule.clone()], ..definition.clone() };
            let mut more = Problems::default();
            alone.check(&mut more);
            for problem in more.invalid {
                found.add(problem.field.trim_start_matches("rules[0].").to_owned(), problem.message);
            }
        }
        let mut all = read.problems.clone();
        if !self.is_split {
            all.extend(super::features::json_problem(
                definition.kind,
                self.typed.get("value"),
                "outcome.value",
            ));
        }
        let places = found.invalid.into_iter().chain(found.unknown).collect();
        all.extend(read.place(places));
        match rule {
            Some(rule) if all.is_empty() => Ok(rule),
            _ => Err(all),
        }
    }

    fn conflicting(mut self, feature: &Feature) -> Self {
        let stored = &feature.stored;
        let theirs = stored.definition.rules.iter().find(|rule| rule.id.to_string() == self.id).cloned();
        self.conflict = Some(Conflict {
            version: stored.version,
            by: stored.updated_by.clone(),
            yours: self.rule(&stored.definition).ok(),
            theirs,
        });
        self
    }
}

/// Slider and number are both sent; the one that differs from what the page showed wins, the number if both do.
fn chosen(base: &str, slider: &str, exact: &str) -> String {
    let number = |text: &str| text.trim().replace(',', ".").parse::<f64>().ok();
    let (base_number, slider_number) = (number(base), number(slider));
    let exact = exact.trim().replace(',', ".");
    if number(&exact) != base_number && !exact.is_empty() {
        return exact;
    }
    match (base_number, slider_number) {
        // The slider knows whole percents only.
        (Some(base), Some(slider)) if slider != base.round() => slider.to_string(),
        (None, Some(slider)) if exact.is_empty() => slider.to_string(),
        _ => exact,
    }
}

/// 100 in equal parts of two decimals at most; the last ones get what is left over.
fn even(parts: usize) -> Vec<Percent> {
    let each =
        if parts == 0 || 100 % parts == 0 { 100 / parts.max(1) * 10_000 } else { 10_000 / parts * 100 };
    let left = 1_000_000_usize.saturating_sub(each * parts);
    (0..parts).map(|at| Percent((each + if at + 1 == parts { left } else { 0 }) as u32)).collect()
}

/// A context that these conditions are likely to hold for, to begin with.
fn sample(when: Option<&Condition>, segments: &[Segment]) -> String {
    let mut fields: Vec<(String, String)> = vec![("userId".into(), "\"user-1\"".into())];
    if let Some(when) = when {
        likely(when, segments, &mut fields, 0);
    }
    let lines: Vec<String> = fields.iter().map(|(name, value)| format!("{}: {value}", json!(name))).collect();
    format!("{{{}}}", lines.join(",\n "))
}

fn likely(when: &Condition, segments: &[Segment], fields: &mut Vec<(String, String)>, depth: u8) {
    match when {
        Condition::All(parts) => parts.iter().for_each(|part| likely(part, segments, fields, depth)),
        Condition::Any(parts) => parts.iter().take(1).for_each(|part| likely(part, segments, fields, depth)),
        // Segments may use segments; a sample needs no depth.
        Condition::Segment(key) if depth < 4 => {
            if let Some(segment) = segments.iter().find(|segment| segment.key == *key) {
                likely(&segment.conditions, segments, fields, depth + 1);
            }
        }
        Condition::Leaf(leaf) => {
            let known = fields.iter().any(|(name, _)| *name == leaf.attribute);
            let fits = matches!(
                leaf.operator,
                Operator::Equals
                    | Operator::In
                    | Operator::Contains
                    | Operator::StartsWith
                    | Operator::EndsWith
                    | Operator::GreaterOrEqual
                    | Operator::LessOrEqual
                    | Operator::SemverEq
                    | Operator::SemverGte
                    | Operator::SemverLte
            );
            if let (Some(value), true, false) = (leaf.operands.as_slice().first(), fits, known) {
                let value = match value {
                    Scalar::Text(text) => json!(text).to_string(),
                    other => sentence::scalar(other),
                };
                fields.push((leaf.attribute.clone(), value));
            }
        }
        _ => {}
    }
}

/// Names of attributes that the rules of an environment ask for.
pub fn attributes(snapshot: &Snapshot) -> Vec<String> {
    let mut names = std::collections::BTreeSet::from(["userId".to_owned()]);
    let conditions = snapshot
        .features()
        .flat_map(|feature| feature.definition().rules.iter().filter_map(|rule| rule.when.as_ref()))
        .chain(snapshot.segments().iter().map(|segment| &segment.conditions));
    for condition in conditions {
        condition.visit(&mut |part| {
            if let Condition::Leaf(leaf) = part
                && !names.contains(&leaf.attribute)
            {
                names.insert(leaf.attribute.clone());
            }
        });
    }
    names.into_iter().take(200).collect()
}

/// The form that stands in an open rule.
pub fn draw(page: &Page<'_>, here: &Here, definition: &Definition, form: &RuleForm) -> Markup {
    let typed = &form.typed;
    let action = format!("{}/rules/{}", here.feature(&definition.key), form.id);
    let segments: Vec<String> = here.snapshot.segments().iter().map(|segment| segment.key.clone()).collect();
    let names = attributes(&here.snapshot);
    let drawing = Drawing { typed, segments: &segments, attributes: &names, action: &action };
    let shown = shown_fields(form);
    let shown: Vec<&str> = shown.iter().map(String::as_str).collect();
    html! {
        form.rulebody id="rule-form" method="post" action=(action) {
            (page.csrf())
            input type="hidden" name="version" value=(typed.get("version"));
            input type="hidden" name="fingerprint" value=(typed.get("fingerprint"));
            // Enter in a field looks at the preview; it never saves and never removes.
            button.vh name="op" value="preview" tabindex="-1" formnovalidate { "Update the preview" }
            @if let Some(conflict) = &form.conflict { (both(page, here, definition, form, conflict)) }
            (summary(typed, &shown))
            div.row.wrap.top {
                div.grow { (Text::new("name", "Name").draw(typed)) }
                div.field {
                    label for="priority" { "Priority" }
                    input.short id="priority" name="priority" inputmode="numeric" value=(typed.get("priority"))
                        autocomplete="off" aria-invalid=[wrong(typed, "priority")] aria-describedby="priority-hint";
                    (error("priority", typed))
                    span.hint id="priority-hint" { "1–100, high first" }
                }
                label.check.ron { input type="checkbox" name="enabled" value="on" checked[typed.is_on("enabled")]; "Rule is on" }
            }
            fieldset.part {
                legend { "When" }
                (drawing.draw(&form.when))
            }
            (rollout_part(form, definition.bucketing == feature::Bucketing::Murmur3))
            (outcome_part(here, definition, form, &drawing))
            div.savebar {
                span.grow {
                    @if typed.has_errors() { b { "Not saved." } " " span.m2 { "Something is to be put right first." } }
                    @else if form.touched { b { "Not saved yet." } }
                    @else { span.m2 { "Nothing is saved until you say so." } }
                }
                a.btn.quiet href=(here.feature(&definition.key)) { @if form.touched { "Discard" } @else { "Cancel" } }
                (drawing.op(Some("btn"), "preview", None, html! { "Preview" }))
                button.btn.main[!here.place.is_production()].prod[here.place.is_production()] name="op" value="save" {
                    "Save to " (here.environment_name())
                }
            }
        }
    }
}

fn wrong(typed: &Typed, field: &str) -> Option<&'static str> {
    typed.error(field).map(|_| "true")
}

/// Fields whose messages stand beside them; others are told at the top.
fn shown_fields(form: &RuleForm) -> Vec<String> {
    let mut fields: Vec<String> = [
        "name",
        "priority",
        "rollout.percentage",
        "rollout.by",
        "rollout.salt",
        "outcome.value",
        "outcome.split",
        "g0",
    ]
    .iter()
    .map(|name| (*name).to_owned())
    .collect();
    for at in 0..form.arms.len() {
        fields.push(format!("outcome.split[{at}].weight"));
        fields.push(format!("outcome.split[{at}].variant"));
    }
    for link in form.typed.all("node") {
        let Some((_, id)) = link.split_once(':') else { continue };
        fields.push(id.to_owned());
        fields
            .extend(["attribute", "operator", "values", "segment"].iter().map(|name| format!("{id}.{name}")));
    }
    fields
}

fn both(
    page: &Page<'_>,
    here: &Here,
    definition: &Definition,
    form: &RuleForm,
    conflict: &Conflict,
) -> Markup {
    let side = |rule: &Rule| {
        html! {
            p { b { (rule.name) } " " span.m3.num { "priority " (rule.priority) @if !rule.enabled { ", off" } } }
            p.say { (sentence::condition(rule.when.as_ref())) }
            p.s { "They get: " (ruler::in_words(&ruler::shares(rule, definition))) }
        }
    };
    let _ = page;
    html! {
        div.panel.bad.stack role="alert" {
            h3 { (icon("error")) " Nothing was saved" }
            p.s {
                (conflict.by) " changed this feature meanwhile (version " (conflict.version) "). Yours began from version "
                (form.typed.get("version")) "."
            }
            div.cols.even {
                section.stack.t { h4 { "Theirs, saved now" }
                    @match &conflict.theirs { Some(rule) => (side(rule)), None => p.s { "The rule is deleted." } }
                }
                section.stack.t { h4 { "Yours, below" }
                    @match &conflict.yours { Some(rule) => (side(rule)), None => p.s { "Not complete yet." } }
                }
            }
            div.row.wrap {
                @if conflict.theirs.is_some() || form.id == NEW {
                    button.btn name="op" value="overwrite" { "Save mine over theirs" }
                    input type="hidden" name="current" value=(conflict.version);
                }
                a.btn.quiet href={ (here.feature(&definition.key)) "?rule=" (form.id) "#rule-form" } { "Take theirs" }
            }
        }
    }
}

/// The share of a rule; `murmur3` buckets by what FeatureHub calls percentage attributes.
fn rollout_part(form: &RuleForm, murmur3: bool) -> Markup {
    let typed = &form.typed;
    let slider = form.rollout.parse::<f64>().map_or(100.0, f64::round);
    let more = !typed.get("salt").is_empty() || !typed.get("otherwise").is_empty();
    html! {
        fieldset.part {
            legend { "For how many of them" }
            input type="hidden" name="rolloutBase" value=(form.rollout);
            @if typed.is_on("rolloutKept") { input type="hidden" name="rolloutKept" value="on"; }
            div.slide {
                div.track {
                    input type="range" id="rollout" name="rollout" min="0" max="100" step="1" value=(slider)
                        data-twin="rollout-exact" aria-label="Rollout, percent";
                    (ruler::scale())
                }
                div.field {
                    span.unit {
                        input id="rollout-exact" name="rolloutExact" inputmode="decimal" value=(form.rollout) data-twin="rollout"
                            autocomplete="off" aria-label="Rollout, exact percent" aria-invalid=[wrong(typed, "rollout.percentage")]
                            aria-describedby=[wrong(typed, "rollout.percentage").map(|_| "rollout.percentage-error")];
                    }
                    (error("rollout.percentage", typed))
                }
            }
            div.row.wrap.s.m2 {
                span { "Raising it adds people and removes nobody." }
                span.row.end {
                    label for="by" { "Stick to" }
                    span.field {
                        input.mono.mid id="by" name="by" value=(typed.get("by")) list="attributes" placeholder="userId" autocomplete="off"
                            autocapitalize="off" spellcheck="false" aria-invalid=[wrong(typed, "rollout.by")]
                            aria-describedby=[wrong(typed, "rollout.by").map(|_| "rollout.by-error").or(murmur3.then_some("by-hint"))];
                        (error("rollout.by", typed))
                        @if murmur3 { span.hint id="by-hint" { "FeatureHub: percentage attributes; several by commas" } }
                    }
                }
            }
            details.s open[more] {
                summary { "Salt, and what happens to the others" }
                div.row.wrap.top.opts2 {
                    div.field {
                        label for="salt" { "Salt" }
                        input.mono.mid id="salt" name="salt" value=(typed.get("salt")) autocomplete="off"
                            aria-invalid=[wrong(typed, "rollout.salt")]
                            aria-describedby=[wrong(typed, "rollout.salt").map(|_| "rollout.salt-error")];
                        (error("rollout.salt", typed))
                        span.hint { "Another salt, other people. Empty: the feature’s own." }
                    }
                    div.field {
                        label for="otherwise" { "Who is left out" }
                        select.auto id="otherwise" name="otherwise" {
                            @for (value, label) in [("", "as this feature’s scheme says"), ("next", "goes on to the next rule"), ("stop", "gets the default")] {
                                option value=(value) selected[typed.get("otherwise") == value] { (label) }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn outcome_part(here: &Here, definition: &Definition, form: &RuleForm, drawing: &Drawing<'_>) -> Markup {
    html! {
        fieldset.part.outcome {
            legend { "They get" }
            div.row.wrap {
                span.seg {
                    label { input type="radio" name="outcome" value="value" checked[!form.is_split]; "One value" }
                    label { input type="radio" name="outcome" value="split" checked[form.is_split]; "A split" }
                }
            }
            div.one { (value_field("value", "outcome.value", "Value", definition.kind, &form.typed)) }
            div.many.stack { (split_editor(here, definition, form, drawing)) }
        }
    }
}

/// The editor of one value by its type.
pub fn value_field(name: &str, error_name: &str, label: &str, kind: FeatureType, typed: &Typed) -> Markup {
    let value = typed.get(name);
    let invalid = wrong(typed, error_name);
    let described = invalid.map(|_| format!("{error_name}-error"));
    html! {
        div.field {
            @match kind {
                FeatureType::Boolean => {
                    span.seg role="radiogroup" aria-label=(label) {
                        @for (choice, word) in [("true", "true"), ("false", "false")] {
                            label { input type="radio" name=(name) value=(choice) checked[value == choice]; (word) }
                        }
                    }
                },
                FeatureType::Number => {
                    input.mono.mid id=(name) name=(name) value=(value) inputmode="decimal" autocomplete="off" aria-label=(label)
                        aria-invalid=[invalid] aria-describedby=[described];
                },
                FeatureType::String => {
                    textarea id=(name) name=(name) rows="2" aria-label=(label) aria-invalid=[invalid] aria-describedby=[described] { "\n" (value) }
                },
                FeatureType::Json => {
                    textarea id=(name) name=(name) rows=(value.lines().count().clamp(3, 14)) spellcheck="false" aria-label={ (label) " as JSON" }
                        aria-invalid=[invalid] aria-describedby=[described] { "\n" (value) }
                },
            }
            (error(error_name, typed))
        }
    }
}

fn split_editor(here: &Here, definition: &Definition, form: &RuleForm, drawing: &Drawing<'_>) -> Markup {
    let typed = &form.typed;
    let weights: Vec<f64> = form.arms.iter().map(|(_, weight)| weight.parse().unwrap_or(0.0)).collect();
    let sum: f64 = weights.iter().sum();
    let units = |weight: f64| Percent((weight.clamp(0.0, 100.0) * 10_000.0).round() as u32);
    let bars: Vec<Share> = form
        .arms
        .iter()
        .zip(&weights)
        .map(|((variant, _), weight)| Share {
            class: variant_class(definition, variant),
            percent: units(*weight),
            label: variant.clone(),
        })
        .collect();
    let rollout = form.rollout.parse::<f64>().unwrap_or(100.0);
    let variants = format!("{}/variants", here.feature(&definition.key));
    html! {
        @if definition.variants.is_empty() {
            p.s.m2 { "This feature has no variants to split over yet. " a href=(variants) { "Add some" } " first." }
        } @else {
            div { (ruler::ruler(&bars, &format!("Split: {}", ruler::in_words(&bars)), true)) (ruler::scale()) }
            @if !form.arms.is_empty() {
                table.tbl.dense.bare {
                    caption.vh { "Split over variants" }
                    thead.vh { tr {
                        th scope="col" { "Colour" } th scope="col" { "Variant" } th scope="col" { "Weight" }
                        th scope="col" { "Of all" } th scope="col" { "Remove" }
                    } }
                    tbody {
                        @for (at, (variant, weight)) in form.arms.iter().enumerate() {
                            @let known = definition.variants.iter().any(|have| have.key == *variant);
                            @let (field, of) = (format!("outcome.split[{at}].weight"), format!("outcome.split[{at}].variant"));
                            tr {
                                td.tight { (swatch(variant_class(definition, variant))) }
                                th scope="row" {
                                    div.field {
                                        select.mono name="variant" aria-label={ "Variant " (at + 1) } aria-invalid=[wrong(typed, &of)] {
                                            @if !known { option value=(variant) selected { (variant) " (gone)" } }
                                            @for have in &definition.variants {
                                                option value=(have.key) selected[have.key == *variant] { (have.key) }
                                            }
                                        }
                                        (error(&of, typed))
                                    }
                                }
                                td.tight {
                                    div.field {
                                        span.unit.short {
                                            input name="weight" inputmode="decimal" value=(weight) autocomplete="off"
                                                aria-label={ "Weight of " (variant) } aria-invalid=[wrong(typed, &field)];
                                        }
                                        (error(&field, typed))
                                    }
                                }
                                td.num.m3.xs.r.hide-s { (percent(units(weights[at] * rollout / 100.0))) " of all" }
                                td.tight {
                                    (drawing.op(Some("icon"), &format!("remove-arm:{at}"), Some(&format!("Remove {variant} from the split")), icon("cross")))
                                }
                            }
                        }
                    }
                }
            }
            div.row.wrap {
                (sum_line(sum, form.arms.is_empty()))
                span.end.row {
                    @if form.arms.len() > 1 { (drawing.op(Some("btn quiet"), "even", None, html! { "Make equal" })) }
                    (drawing.op(Some("btn quiet"), "add-arm", None, html! { (icon("plus")) "Variant" }))
                }
            }
            @if let Some(message) = typed.error("outcome.split") {
                @if (sum - 100.0).abs() < 1e-6 { span.sum.note.bad { (icon("error")) (message) } }
            }
        }
    }
}

fn sum_line(sum: f64, is_empty: bool) -> Markup {
    let shown = |number: f64| ((number * 10_000.0).round() / 10_000.0).to_string();
    let off = (sum - 100.0).abs();
    html! {
        @if is_empty { span.sum.note { "No variants in the split yet" } }
        @else if off < 1e-6 { span.sum.note.good { (icon("check")) "Adds up to 100\u{a0}%" } }
        @else {
            span.sum.note.bad role="status" {
                (icon("error")) "Adds up to " (shown(sum)) "\u{a0}%, " (shown(off)) (if sum < 100.0 { " missing" } else { " too many" })
            }
        }
    }
}

/// What a rule being edited, or the whole feature, does with a sample context.
pub fn preview(app: &App, here: &Here, feature: &Feature, form: &RuleForm) -> Markup {
    let action = format!("{}/rules/{}", here.feature(&feature.key), form.id);
    let sample = form.typed.get("sample");
    let rows = sample.lines().count().clamp(4, 14);
    html! {
        aside.sticky.stack.l aria-labelledby="who-title" {
            section.panel.stack {
                div.row { h2 id="who-title" { "Who gets this" } @if form.touched { span.end.note { "with unsaved changes" } } }
                div.field {
                    label for="sample" { "Sample context, as JSON" }
                    textarea id="sample" name="sample" form="rule-form" rows=(rows) spellcheck="false"
                        hx-post=(action) hx-trigger="input changed delay:250ms, input delay:400ms from:#rule-form"
                        hx-include="#rule-form" hx-vals=r#"{"op":"preview"}"# hx-target="#who" hx-select="#who" hx-swap="outerHTML" { "\n" (sample) }
                }
                button.btn form="rule-form" name="op" value="preview" formnovalidate
                    hx-post=(action) hx-include="#rule-form" hx-target="#who" hx-select="#who" hx-swap="outerHTML" { (icon("test")) "Try" }
                div #who .stack aria-live="polite" { (verdict(app, here, feature, form)) }
            }
        }
    }
}

/// A field of the form as people call it.
fn place_name(field: &str) -> &'static str {
    let part = field.rsplit_once('.').map_or(field, |(_, part)| part);
    match (field, part) {
        ("name", _) => "Name:",
        ("priority", _) => "Priority:",
        ("outcome.value", _) => "Value:",
        (field, _) if field.starts_with("outcome.split") => "Split:",
        (field, _) if field.starts_with("rollout") => "Rollout:",
        (_, "attribute") => "Attribute:",
        (_, "values") => "Values:",
        (_, "segment") => "Segment:",
        _ => "Condition:",
    }
}

fn verdict(app: &App, here: &Here, feature: &Feature, form: &RuleForm) -> Markup {
    let definition = feature.definition();
    let rule = match form.rule(definition) {
        Ok(rule) => rule,
        // Nothing was typed yet.
        Err(_) if form.id == NEW && !form.touched => {
            return html! { p.s.m2 { "Fill in the rule, and see here what a context like this one gets." } };
        }
        Err(problems) => {
            return html! {
                p.note.warn { (icon("warn")) "The rule is not complete" }
                ul.stack.t.s.m2 { @for problem in problems.iter().take(4) { li { (place_name(&problem.field)) " " (problem.message) } } }
            };
        }
    };
    let context = match Context::from_json(form.typed.get("sample")) {
        Ok(context) => context,
        Err(error) => return html! { p.note.warn { (icon("warn")) "Not a JSON object: " (error) } },
    };
    let now = i128::from(app.now()) * 1_000_000;
    let segments = compile::segments(here.snapshot.segments());
    let with = |rules: Vec<Rule>, enabled: bool| {
        let mut definition = Definition { rules, enabled, ..definition.clone() };
        feature::sort_rules(&mut definition.rules);
        Feature::compile(StoredFeature { definition, damage: None, ..feature.stored.clone() }, &segments)
    };
    // The rule alone, asked of nothing but the context: that is what its conditions say.
    let blank = Snapshot::compile(Source {
        info: here.snapshot.info.clone(),
        revision: 0,
        features: Vec::new(),
        segments: Vec::new(),
        contexts: Vec::new(),
    });
    let alone = with(vec![Rule { enabled: true, ..rule.clone() }], true);
    let mut rules: Vec<Rule> = definition.rules.clone();
    match rules.iter_mut().find(|other| other.id.to_string() == form.id) {
        Some(other) => *other = Rule { id: other.id, ..rule.clone() },
        None => rules.push(rule.clone()),
    }
    let whole = with(rules, definition.enabled);
    let (Ok(asked), Ok(real)) =
        (Evaluator::new(&blank, &context, now), Evaluator::new(&here.snapshot, &context, now))
    else {
        return html! { p.note.warn { (icon("warn")) "The sample looks up too many Contexts" } };
    };
    let explained = explain(&asked, &alone);
    let answer = real.evaluate(&whole);
    let value = Json::parse(answer.value).unwrap_or_else(|| Json::from(false));
    html! {
        div.stack.t {
            span.s.m3 { "Gets" }
            span.row.wrap {
                @match answer.variant {
                    Some(variant) => span.tagv { (swatch(variant_class(definition, &variant.key))) b.key { (variant.key) } },
                    None => b.key { @if answer.value == "null" { "their own default" } @else { (ruler::short_value(&value)) } },
                }
                @match (answer.rule, answer.reason.as_str()) {
                    (Some(rule), _) => span.note.good { (icon("check")) "by " (rule.name) },
                    (None, "DISABLED") => span.note { "the feature is off" },
                    (None, "OVERRIDE") => span.note { "by the emergency override" },
                    (None, "CONTEXT") => span.note { "by the stored Context " (answer.context.unwrap_or_default()) },
                    _ => span.note { "the default; no rule answered" },
                }
            }
        }
        (this_rule(definition, &rule, &explained))
        @if let Some(broken) = &whole.broken { p.note.warn { (icon("warn")) (broken) } }
    }
}

fn this_rule(definition: &Definition, rule: &Rule, explained: &Explanation<'_>) -> Markup {
    let Some(trace) = explained.rules.first() else { return html! {} };
    html! {
        div.stack.t {
            span.s.m3 { "This rule alone" }
            @if trace.matched { span.note.good { (icon("check")) "answers" } }
            @else { span.note { (icon("cross")) "does not answer" } }
            @if let Some(why) = &trace.why { ul.whys { (why_row(why)) } }
        }
        @if let Some(rollout) = trace.rollout.as_ref().filter(|rollout| rollout.percentage < Percent::FULL || rollout.bucket.is_none()) {
            @match rollout.bucket {
                Some(at) => {
                    @let scale = match definition.bucketing {
                        feature::Bucketing::Sha256 => 100,
                        feature::Bucketing::Murmur3 => 1,
                        feature::Bucketing::Crc32 => 1000,
                    };
                    div {
                        span.s.m3 { "Bucket, rollout " (percent(rollout.percentage)) }
                        (ruler::bucket(Percent(at * scale), rollout.percentage, rollout.included))
                    }
                },
                None => p.note.warn { (icon("warn")) (rollout.note.unwrap_or("no bucket")) },
            }
        }
        @if !rule.enabled { p.note { "The rule is off, so the feature does not ask it." } }
    }
}

/// One part of a condition with how it came out.
pub fn why_row(why: &Why) -> Markup {
    let mark = |result: bool| {
        html! { @if result { span.yes { (icon("check")) span.vh { "holds: " } } } @else { span.no { (icon("cross")) span.vh { "fails: " } } } }
    };
    match why {
        Why::Group { kind, segment, parts, result } => html! {
            li {
                span.row {
                    (mark(*result))
                    span { @match (segment, *kind) {
                        (Some(key), _) => { "segment " code { (key) } },
                        (None, "all") => "all of these",
                        (None, "any") => "any of these",
                        _ => "not",
                    } }
                }
                @if !parts.is_empty() { ul.whys { @for part in parts { (why_row(part)) } } }
            }
        },
        Why::Leaf { leaf, actual, result } => html! {
            li {
                span.row.top {
                    (mark(*result))
                    span.grow {
                        (sentence::condition(Some(&Condition::Leaf(leaf.clone().into()))))
                        @if !*result {
                            " " span.m3 { "Is " code { @match actual { Some(actual) => (actual.to_string()), None => "missing" } } "." }
                        }
                    }
                }
            }
        },
        Why::Flagr { constraint, result, problem } => html! {
            li { span.row { (mark(*result)) code { (constraint) } @if let Some(problem) = problem { " " span.m3 { (problem) } } } }
        },
    }
}

/// `GET …/features/{key}/rules/{rule}`: where a form was posted to; its page is the feature's.
pub async fn reload(app: Data<App>, req: HttpRequest, signed: Signed) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &signed)?;
    let key = segment(&req, "key")?;
    let rule = segment(&req, "rule")?;
    Ok(see_other(&format!("{}?rule={}#rule-form", here.feature(&key), super::url::encode(&rule))))
}

/// `POST …/features/{key}/rules/{rule}`: changes the form, or saves it.
pub async fn post(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let feature = here.find(&req)?;
    let definition = feature.definition();
    let id = segment(&req, "rule")?;
    let op = edit.form.get("op").to_owned();
    let mut form = RuleForm::posted(&id, edit.form.clone());
    let view = |form: RuleForm, refused: bool| {
        show(&app, &req, &edit.signed, &here, &feature, View { rule: Some(form), refused, ..View::default() })
    };
    if form.apply(&op, definition) {
        return Ok(view(form, false));
    }
    if let Err(problems) = form.rule(definition) {
        form.typed = form.typed.wrong(&problems);
        return Ok(view(form, true));
    }
    let current = definition.rules.iter().find(|rule| rule.id.to_string() == id);
    // Another rule or the switch may have changed meanwhile; only this rule matters.
    let same = match current {
        Some(rule) => fingerprint(rule) == form.typed.get("fingerprint"),
        None => id == NEW,
    };
    let overwrite = op == "overwrite" && form.typed.get("current") == feature.stored.version.to_string();
    if !same && !overwrite {
        return Ok(view(form.conflicting(&feature), true));
    }
    let (body, read) = form.body(definition);
    let target = here.target(&feature.key, Some(feature.stored.version));
    let (server, rule, before) = (app.clone(), id.clone(), feature.clone());
    let saved = blocking(move || match rule.as_str() {
        NEW => admin::create_rule(&server, &actor, &target, &body),
        rule => admin::update_rule(&server, &actor, &target, rule, &body),
    })
    .await;
    match saved {
        Ok((feature, rule)) => {
            let key = &feature.definition.key;
            let verb = if id == NEW { "added to" } else { "saved in" };
            let toast = Toast::say(format!("{} is {verb} {key}, {}.", rule.name, here.environment_name()));
            let toast = super::feature::back_to(toast, &here, &before, feature.version);
            Ok(done(&format!("{}#rule-{}", here.feature(key), rule.id), toast))
        }
        Err(Error::VersionConflict(_)) => {
            let here = Here::of(&app, &req, &edit.signed)?;
            let feature = here.find(&req)?;
            let form = form.conflicting(&feature);
            let view = View { rule: Some(form), refused: true, ..View::default() };
            Ok(show(&app, &req, &edit.signed, &here, &feature, view))
        }
        Err(error) => {
            let mut found = problems(error)?;
            for problem in &mut found {
                if let Some((_, rest)) = problem.field.split_once("].")
                    && problem.field.starts_with("rules[")
                {
                    problem.field = rest.to_owned();
                }
            }
            form.typed = form.typed.wrong(&read.place(found));
            Ok(view(form, true))
        }
    }
}

/// `POST …/features/{key}/rules/{rule}/{act}`: `up`, `down`, `delete`, `on`, `off`.
pub async fn act(app: Data<App>, req: HttpRequest, edit: Edit) -> Result<HttpResponse, Failure> {
    let here = Here::of(&app, &req, &edit.signed)?;
    let feature = here.find(&req)?;
    let (id, act) = (segment(&req, "rule")?, segment(&req, "act")?);
    let actor = edit.signed.actor();
    actor.require(Permission::Change)?;
    let rules = &feature.definition().rules;
    let at = rules.iter().position(|rule| rule.id.to_string() == id);
    let at = at.ok_or_else(|| Error::NotFound("the rule".into()))?;
    let name = rules[at].name.clone();
    let key = feature.key.to_string();
    let target = here.target(&key, Some(feature.stored.version));
    let server = app.clone();
    let page = here.feature(&key);
    let rule_page = format!("{page}#rule-{id}");
    let undo = |text: String, act: &str| {
        done(&rule_page, Toast::say(text).undo(format!("{page}/rules/{id}/{act}"), &[]))
    };
    if here.place.is_production() && matches!(act.as_str(), "off" | "delete") {
        let (title, verb, text) = match act.as_str() {
            "off" => (
                "Turn the rule off in production?",
                "Turn off",
                "is not asked any more, from the next request on.",
            ),
            _ => (
                "Delete the rule in production?",
                "Delete",
                "is not asked any more, from the next request on.",
            ),
        };
        let question = Question {
            title,
            name: &name,
            text: html! { "of " span.key { (key) } " " (text) },
            action: format!("{page}/rules/{id}/{act}"),
            verb,
            keep: "Keep it",
            back: rule_page.clone(),
            typed: Some("name of the rule"),
        };
        if !question.is_answered(&edit.form) {
            let page = Page::new(&app, &req, &edit.signed, verb).at(&here.place, "features");
            let asked = edit.form.is_on(ask::FIELD);
            let typed = if asked { edit.form.wrong(&[question.problem()]) } else { edit.form };
            let main = question.draw(page.csrf(), &typed, &html! {});
            return Ok(if asked { page.refuse(main) } else { page.show(main) });
        }
    }
    match act.as_str() {
        "up" | "down" => {
            let to = if act == "up" { at.saturating_sub(1) } else { (at + 1).min(rules.len() - 1) };
            let mut ids: Vec<String> = rules.iter().map(|rule| rule.id.to_string()).collect();
            ids.swap(at, to);
            let (place, of) = (to + 1, ids.len());
            let body = json!({ "ids": ids }).to_string();
            blocking(move || admin::reorder_rules(&server, &actor, &target, &body)).await?;
            Ok(undo(
                format!("{name} is now number {place} of {of}."),
                if act == "up" { "down" } else { "up" },
            ))
        }
        "on" | "off" => {
            let body = json!({ "enabled": act == "on" }).to_string();
            let rule = id.clone();
            blocking(move || admin::update_rule(&server, &actor, &target, &rule, &body)).await?;
            Ok(undo(format!("{name} is now {act}."), if act == "on" { "off" } else { "on" }))
        }
        "copy" => {
            let mut copy = rules[at].clone();
            copy.id = uuid::Uuid::nil();
            copy.name.push_str(" (copy)");
            copy.enabled = false;
            let body = serde_json::to_string(&copy).map_err(Error::internal)?;
            let (_, made) = blocking(move || admin::create_rule(&server, &actor, &target, &body)).await?;
            let toast = Toast::say(format!("{} is made, switched off.", made.name));
            Ok(done(&format!("{page}?rule={}#rule-form", made.id), toast))
        }
        "delete" => {
            let before = feature.stored.version;
            let rule = id.clone();
            blocking(move || admin::delete_rule(&server, &actor, &target, &rule)).await?;
            let toast = Toast::say(format!("{name} is deleted from {key}."))
                .undo(format!("{page}/revert"), &[("version", &before.to_string())]);
            Ok(done(&page, toast))
        }
        _ => Err(Error::NotFound(format!("the path {}", req.path())).into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slider_and_number_agree_on_one() {
        assert_eq!(chosen("35", "35", "35"), "35");
        assert_eq!(chosen("35", "40", "35"), "40");
        assert_eq!(chosen("35", "35", "37.5"), "37.5");
        assert_eq!(chosen("35", "40", "37.5"), "37.5");
        assert_eq!(chosen("33.33", "33", "33.33"), "33.33", "the slider only rounds");
        assert_eq!(chosen("35", "35", "12,5"), "12.5");
        assert_eq!(chosen("35", "35", "many"), "many", "for the engine to refuse");
    }

    #[test]
    fn equal_parts_add_up() {
        for parts in 1..=40 {
            let weights = even(parts);
            assert_eq!(weights.iter().map(|weight| weight.0).sum::<u32>(), 1_000_000, "{parts}");
            assert!(weights.iter().all(|weight| weight.0 % 100 == 0));
        }
    }

    #[test]
    fn every_study_rule_survives_the_form() {
        let studies = include_str!("../../tests/data/browser-studies.json");
        let document: serde_json::Value = serde_json::from_str(studies).expect("JSON");
        let mut seen = 0;
        for json in document["environments"][0]["features"].as_array().expect("features") {
            let text = json.to_string();
            let mut problems = Problems::default();
            let mut object = Node::parse(&text).expect("JSON").object(&mut problems).expect("object");
            let definition =
                Definition::decode(&mut object, None, &mut problems).definition.expect("a feature");
            for rule in &definition.rules {
                // What the form shows is what it would post, but for the tree, which has its own test.
                let form = RuleForm::of(&definition, Some(rule), 1, &[]);
                let back = form.rule(&definition).expect("complete");
                assert_eq!(Rule { id: rule.id, ..back }, *rule);
                seen += 1;
            }
        }
        assert!(seen > 100, "{seen}");
    }
}

//! `…/test`: asks for a feature as an application would, and shows why it answers as it does.

use actix_web::web::{Data, Path};
use actix_web::{HttpRequest, HttpResponse};
use maud::{Markup, html};
use std::collections::BTreeSet;

use super::components::{empty, icon, ruler};
use super::failure::Failure;
use super::layout::{Page, Place};
use super::url;
use crate::api::request::Query;
use crate::api::rest::explain::{View, cached, view};
use crate::app::App;
use crate::auth::browser::Signed;
use crate::engine::condition::Condition;
use crate::engine::context::Context;
use crate::engine::evaluate::{Evaluator, Reason};
use crate::engine::explain::{Rollout, RuleTrace, Why, explain};
use crate::engine::feature::{Bucketing, Percent};
use crate::engine::snapshot::Snapshot;
use crate::engine::value::Json;
use crate::error::Error;

/// The attributes that the rules of a feature look at, segments included.
fn attributes(snapshot: &Snapshot, key: &str) -> Vec<String> {
    fn collect(condition: &Condition, snapshot: &Snapshot, names: &mut BTreeSet<String>, depth: usize) {
        condition.visit(&mut |part| match part {
            Condition::Leaf(leaf) => {
                names.insert(leaf.attribute.clone());
            }
            Condition::Flagr { property, .. } => {
                let end = property.find(['.', '[']).unwrap_or(property.len());
                names.insert(property[..end].to_owned());
            }
            Condition::Segment(key) if depth < 8 => {
                if let Some(segment) = snapshot.segments().iter().find(|segment| segment.key == *key) {
                    collect(&segment.conditions, snapshot, names, depth + 1);
                }
            }
            _ => {}
        });
    }
    let mut names = BTreeSet::new();
    if let Some(feature) = snapshot.feature(key) {
        for when in feature.definition().rules.iter().filter_map(|rule| rule.when.as_ref()) {
            collect(when, snapshot, &mut names, 0);
        }
    }
    names.into_iter().collect()
}

/// `GET …/test?feature=&context=&userId=`.
pub async fn show(
    app: Data<App>,
    req: HttpRequest,
    signed: Signed,
    path: Path<(String, String)>,
) -> Result<HttpResponse, Failure> {
    let place = Place::find(&app, &path.0, Some(&path.1))?;
    let environment = place.environment()?;
    let live = app
        .live
        .environment(environment.id)
        .ok_or_else(|| Error::NotFound(format!("environment {}", environment.name)))?;
    let snapshot = live.snapshot();
    let query = Query::of(&req);
    let key = query.get("feature").unwrap_or_default().trim().to_owned();
    let mut context_text = query.get("context").unwrap_or("{}").to_owned();
    let names = attributes(&snapshot, &key);
    // Fields beside the JSON win over it.
    if let Ok(serde_json::Value::Object(mut object)) = serde_json::from_str(&context_text) {
        for name in names.iter().map(String::as_str).chain(["userId"]) {
            if let Some(value) = query.get(&format!("a.{name}")) {
                let value = serde_json::from_str::<serde_json::Value>(value)
                    .ok()
                    .filter(|value| !value.is_string())
                    .unwrap_or_else(|| value.into());
                object.insert(name.to_owned(), value);
            }
        }
        context_text = serde_json::Value::Object(object).to_string();
    }
    let parsed = Context::from_json(&context_text);
    // As a program with these values would send them.
    let compact = serde_json::from_str::<serde_json::Value>(&context_text).map(|value| value.to_string());
    let names_here = [Some(place.site.slug.as_str()), Some(environment.name.as_str())];
    let cache = cached(&app, &snapshot, live.id.0, names_here, compact.as_deref().unwrap_or(&context_text));
    let shown = Json::parse(&context_text)
        .map_or_else(|| context_text.clone(), |json| super::features::pretty(&json));
    let answer: Option<Result<View, String>> = if key.is_empty() {
        None
    } else {
        Some(match (&parsed, snapshot.feature(&key)) {
            (Err(error), _) => Err(format!("The context is not a JSON object: {error}.")),
            (_, None) => Err(format!("There is no feature {key} in {}.", environment.name)),
            (Ok(context), Some(feature)) => {
                let evaluator = Evaluator::new(&snapshot, context, i128::from(app.now()) * 1_000_000)
                    .map_err(Error::from)?;
                view(explain(&evaluator, feature), cache).map_err(|error| error.to_string())
            }
        })
    };
    let object: serde_json::Value = serde_json::from_str(&context_text).unwrap_or_default();
    let value_of = |name: &str| match object.get(name) {
        Some(serde_json::Value::String(text)) => text.clone(),
        Some(other) => other.to_string(),
        None => String::new(),
    };
    let fields: Vec<&str> = ["userId"]
        .into_iter()
        .chain(names.iter().map(String::as_str).filter(|name| *name != "userId" && *name != "now"))
        .collect();
    let page = Page::new(&app, &req, &signed, "Test").at(&place, "test");
    let main = html! {
        div.head { div { h1 { "Test" } p.lede { "Ask for a feature as an application would, and see why it answers as it does. Nothing is counted. " a href=(url::section(&place.site, environment, "flagr")) { "Ask as Flagr's programs do" } "." } } }
        div.cols.rev {
            form.stack.l method="get" action=(url::section(&place.site, environment, "test")) {
                div.field {
                    label for="feature" { "Feature" }
                    input.mono id="feature" name="feature" list="features" value=(key) autocomplete="off" spellcheck="false" required;
                    datalist id="features" { @for feature in snapshot.features().take(500) { option value=(feature.key) {} } }
                }
                fieldset.part {
                    legend { "Context " span.hint { "fields that its rules look at" } }
                    div.stack.ctxf { @for name in &fields {
                        div.field {
                            label for={ "a-" (name) } { code { (name) } }
                            input.mono id={ "a-" (name) } name={ "a." (name) } value=(value_of(name)) autocomplete="off" spellcheck="false";
                        }
                    } }
                }
                div.field {
                    label for="context" { "As JSON" }
                    textarea.mono id="context" name="context" rows="6" spellcheck="false" { "\n" (shown) }
                    span.hint { "Fields above win over what stands here." }
                }
                div.row { button.btn.main { "Ask" } }
                p.hint { "The address of this page holds the context, so it can be shared." }
            }
            div.stack.l {
                @match &answer {
                    None => { (empty("Nothing asked yet", "Choose a feature, say something about who asks, and press Ask. The answer comes with every step that led to it.", None)) }
                    Some(Err(problem)) => { div.banner.danger role="alert" { (icon("error")) span.grow { (problem) } } }
                    Some(Ok(view)) => {
                        @let scheme = snapshot.feature(&key).map_or(Bucketing::Sha256, |feature| feature.definition().bucketing);
                        (show_answer(view, snapshot.revision)) (show_why(view, scheme))
                    }
                }
            }
        }
    };
    Ok(page.show(main))
}

fn show_answer(view: &View, revision: u64) -> Markup {
    html! {
        section.answer aria-labelledby="answer-h" {
            h2.s.m3 id="answer-h" { "Answer" }
            div.code { pre tabindex="0" aria-label="Value" { (view.value) } }
            div.inlinefacts.s {
                span { span.m3 { "Reason" } " " code { (view.reason.as_str()) } }
                @if let Some(rule) = &view.matched_rule { span { span.m3 { "Rule" } " " (rule.priority) ", " (rule.name) } }
                @if let Some(variant) = &view.variant { span { span.m3 { "Variant" } " " code { (variant) } } }
                @if let Some(context) = &view.context { span { span.m3 { "Context" } " " code { (context) } } }
                span { span.m3 { "Cache" } " " code { (view.cache) } }
                span { span.m3 { "Revision" } " " span.num { (revision) } }
                span { span.m3 { "Decision" } " " code id="decision" { (view.decision_id) }
                    " " button.icon type="button" data-copy="decision" aria-label="Copy decision id" { (icon("copy")) span.vh { "Copy" } } }
            }
            @if let Some(problem) = &view.problem { p.note { (icon("warn")) (problem) } }
        }
    }
}

/// One rung of the ladder.
fn rung(hit: bool, asked: bool, title: &str, say: &str, more: Option<Markup>) -> Markup {
    let mark = if hit {
        "check"
    } else if asked {
        "cross"
    } else {
        "minus"
    };
    html! {
        li.hit[hit].unasked[!hit && !asked] {
            span.rung { (icon(mark)) }
            div.step { h3 { (title) } span.say { (say) } @if hit { span.note.good.end { (icon("check")) "answered here" } } }
            @if let Some(more) = more { (more) }
        }
    }
}

fn show_why(view: &View, scheme: Bucketing) -> Markup {
    let reason = view.reason;
    let past_override = reason != Reason::Override;
    let past_switch = past_override && reason != Reason::Disabled;
    let past_contexts = past_switch && reason != Reason::Context;
    html! {
        section.sect aria-labelledby="why-h" {
            header { h2 id="why-h" { "Why" } span.end.m3 { "asked from the top, the first answer wins" } }
            ol.ladder {
                (rung(!past_override, true, "Emergency override", if past_override { "No value for this feature." } else { "The same answer for everyone." }, None))
                (rung(past_override && !past_switch, past_override, "Switch", if view.enabled { "On, so the search goes on." } else { "Off: the search ends here." }, None))
                (rung(past_switch && !past_contexts, past_switch, "Stored Contexts", view.context.as_deref().unwrap_or("None of this request has a value."), None))
                @for rule in &view.rules {
                    (rung(rule.matched, rule.skipped.is_none(), &format!("Rule {}, {}", rule.priority, rule.name), &say(rule), Some(details(rule, scheme))))
                }
                (rung(matches!(reason, Reason::Default | Reason::Static), past_contexts && view.matched_rule.is_none(), "Default value", "What everybody else gets.", None))
            }
        }
    }
}

fn say(rule: &RuleTrace) -> String {
    match (rule.skipped, &rule.rollout) {
        (Some(why), _) => format!("Not asked: {why}."),
        (None, Some(rollout)) if !rollout.included => match rollout.note {
            Some(note) => format!("Conditions hold, but {note}."),
            None => "Conditions hold, the rollout leaves this user out.".into(),
        },
        (None, Some(_)) => "Conditions hold, the rollout includes this user.".into(),
        (None, None) if rule.matched => "Conditions hold.".into(),
        (None, None) => "Conditions fail.".into(),
    }
}

fn details(rule: &RuleTrace, scheme: Bucketing) -> Markup {
    html! {
        @if let Some(why) = &rule.why { ul.why { (part(why)) } }
        @if let Some(rollout) = &rule.rollout { (bucket(rollout, scheme)) }
    }
}

fn bucket(rollout: &Rollout, scheme: Bucketing) -> Markup {
    let units = match scheme {
        Bucketing::Sha256 => 100,
        Bucketing::Murmur3 => 1,
        Bucketing::Crc32 => 1000,
    };
    let by = rollout.by.as_str().map_or_else(|| rollout.by.to_string(), str::to_owned);
    html! {
        p.s.m2 {
            "Rollout " (rollout.percentage) " % by " code { (by) }
            @if let (Some(bucket), Some(key)) = (rollout.bucket, &rollout.key) { ", bucket " span.num { (bucket) } " of " code { (key) } }
            ": " b { @if rollout.included { "in" } @else { "out" } } "."
        }
        @if let Some(at) = rollout.bucket { div.mid2 { (ruler::bucket(Percent(at * units), rollout.percentage, rollout.included)) } }
    }
}

fn word(result: bool) -> Markup {
    html! { span.word { @if result { "holds" } @else { "fails" } } }
}

fn part(why: &Why) -> Markup {
    let line = |result: bool, text: Markup, got: Markup, inner: Markup| {
        html! {
            li.ok[result].no[!result] {
                div.w { (icon(if result { "check" } else { "cross" })) span { (text) " " (word(result)) } span.got { (got) } }
                (inner)
            }
        }
    };
    match why {
        Why::Leaf { leaf, actual, result } => {
            let operator = leaf.operator.as_str().replace('_', " ");
            let operands = leaf.operands.as_slice();
            let text = html! {
                b { (leaf.attribute) } " " (operator) " "
                @for operand in operands.iter().take(5) { code { (serde_json::to_string(operand).unwrap_or_default()) } " " }
                @if operands.len() > 5 { "and " (operands.len() - 5) " more " }
            };
            let got = match actual {
                Some(actual) => html! { "is " b { (actual) } },
                None => html! { "is missing" },
            };
            line(*result, text, got, html! {})
        }
        Why::Group { kind, segment, parts, result } => {
            let text = match (segment, *kind) {
                (Some(segment), _) => html! { "in segment " code { (segment) } },
                (None, "all") => html! { b { "All of" } },
                (None, "any") => html! { b { "Any of" } },
                (None, _) => html! { b { "Not" } },
            };
            line(*result, text, html! {}, html! { ul { @for inner in parts { (part(inner)) } } })
        }
        Why::Flagr { constraint, result, problem } => {
            let got = html! { @if let Some(problem) = problem { (problem) } };
            line(*result, html! { "Flagr constraint " code { (constraint) } }, got, html! {})
        }
    }
}

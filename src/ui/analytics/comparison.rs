//! The comparison of a feature's variants.

use maud::{Markup, html};

use super::Asked;
use super::view::{file, percent, short};
use crate::admin::analytics::comparison::{VariantDifference, VariantFigures, View};
use crate::ui::components::icon;
use crate::ui::features::Here;

/// `+4.0 points`: a difference of shares.
fn points(difference: f64) -> String {
    format!("{:+.1}", difference * 100.0)
}

fn verdict(difference: &VariantDifference) -> Markup {
    let p =
        difference.p_value.map(|p| if p < 0.001 { "p < 0.001".to_owned() } else { format!("p = {p:.3}") });
    html! {
        @match (&p, difference.enough) {
            (None, _) => span.m3 { "nothing to test yet" },
            (Some(p), false) => { span.m3 { "too few people" } span.xs.m3 { " " (p) } },
            (Some(p), true) if difference.significant => {
                b { @if difference.difference > 0.0 { "better" } @else { "worse" } } span.xs.m3 { " " (p) }
            },
            (Some(p), true) => { span.m2 { "no clear difference" } span.xs.m3 { " " (p) } },
        }
    }
}

pub fn section(here: &Here, asked: &Asked, found: &View) -> Markup {
    let event = found.event.as_deref().unwrap_or_default();
    let control = found.variants.first().map(|variant| variant.variant.as_str()).unwrap_or_default();
    html! {
        section.sect #variants aria-labelledby="vc" {
            header {
                h2 id="vc" { "Variants" }
                span.m3.grow { "people who were first given one in these days, and what they did afterwards" }
                span.end { (file(asked, "variants", here, &[("event", event), ("control", control)], "the variants")) }
            }
            form.filter method="get" action={ (here.section("analytics")) "#variants" } {
                input type="hidden" name="range" value=(asked.range);
                @if let Some(feature) = &asked.feature { input type="hidden" name="feature" value=(feature); }
                div.row.wrap {
                    @if !found.events.is_empty() {
                        select.auto name="event" aria-label="Event" {
                            @for name in &found.events { option value=(name) selected[name == event] { (name) } }
                        }
                    }
                    select.auto name="control" aria-label="Compared with" {
                        @for variant in &found.variants {
                            option value=(variant.variant) selected[variant.control] { "against " (variant.variant) }
                        }
                    }
                    button.btn { "Compare" }
                }
            }
            @if let Some(ratio) = found.sample_ratio.as_ref().filter(|ratio| ratio.mismatch) {
                div.banner.warn role="alert" {
                    (icon("warn"))
                    span.grow {
                        b { "People are not split as the weights say." } " "
                        span.m2 {
                            "A split this far off comes by chance once in "
                            (if ratio.p_value > 0.0 { short((1.0 / ratio.p_value).min(1e15) as u64) } else { "countless".into() })
                            " times. Something loses or favours people, or the weights were changed in these days; do not trust the rates."
                        }
                    }
                }
            }
            table.tbl.dense.stackable {
                caption.vh { "Variants of " (found.feature) }
                thead { tr {
                    th scope="col" { "Variant" } th scope="col" .r { "People" } th scope="col" .r { "Did it" }
                    th scope="col" { "Rate, 95 % interval" } th scope="col" { "Difference in points" } th scope="col" { "Verdict" }
                } }
                tbody { @for variant in &found.variants { (row(variant)) } }
            }
            @if found.event.is_none() {
                p.s.m2 { "No event was reported yet. " a href="/help/analytics#events" { "How to report one" } }
            }
            p.xs.m3 {
                @if found.mixed > 0 { (short(found.mixed)) " were given several variants and are left out. " }
                @if found.sampled < 1.0 { "Of many people, " (percent(found.sampled)) " take part, chosen by chance. " }
                "Look when the test has run as long as you planned, not before: who looks often finds differences that are none."
            }
        }
    }
}

fn row(variant: &VariantFigures) -> Markup {
    let [low, high] = variant.interval;
    html! {
        tr {
            th scope="row" { code { (variant.variant) } @if variant.control { " " span.xs.m3 { "control" } } }
            td.r.num data-l="People" { (short(variant.people)) @if let Some(expected) = variant.expected { span.xs.m3 { " of " (percent(expected)) " planned" } } }
            td.r.num data-l="Did it" { (short(variant.converted)) }
            td.full { b { (percent(variant.rate)) } span.xs.m3 { " " (percent(low)) " to " (percent(high)) } }
            @match &variant.comparison {
                Some(difference) => {
                    td.full { b { (points(difference.difference)) } span.xs.m3 { " " (points(difference.interval[0])) " to " (points(difference.interval[1])) } }
                    td.full { (verdict(difference)) }
                },
                None => { td.hide-s { span.m3 { "–" } } td.hide-s {} },
            }
        }
    }
}

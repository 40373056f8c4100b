//! The page: figures, trend, rules, context values, stale features, settings.

use maud::{Markup, html};

use super::{Asked, Figures, RANGES, SETTINGS, comparison, stored};
use crate::admin::analytics::{Day, FieldFigures, RuleFigures, Summary, value_of};
use crate::app::App;
use crate::engine::feature::Percent;
use crate::engine::snapshot::MAX_COUNTED;
use crate::store::analytics::OTHERS;
use crate::ui::assets;
use crate::ui::components::form::{Text, Typed, area, summary as form_summary};
use crate::ui::components::ruler::{Share, ruler, short_value};
use crate::ui::components::stale as versions;
use crate::ui::components::{empty, icon, thin};
use crate::ui::features::Here;
use crate::ui::layout::Page;

/// Rows of the table of rules.
const RULES: usize = 50;
/// Values of one context field.
const VALUES: usize = 5;

/// `9 841`, `314.4 M`: a large number, short.
pub fn short(number: u64) -> String {
    match number {
        0..=99_999 => thin(usize::try_from(number).unwrap_or(usize::MAX)),
        100_000..=999_999 => format!("{:.0}\u{2009}k", number as f64 / 1e3),
        1_000_000..=999_999_999 => format!("{:.2}\u{2009}M", number as f64 / 1e6),
        _ => format!("{:.2}\u{2009}G", number as f64 / 1e9),
    }
}

/// `35.2 %`.
pub fn percent(share: f64) -> String {
    format!("{:.1}\u{a0}%", share * 100.0)
}

/// A share on the ruler, with its number.
fn meter(share: f64) -> Markup {
    html! { span.meter { (bar(share, &percent(share))) span.num { (percent(share)) } } }
}

fn bar(share: f64, label: &str) -> Markup {
    let part = Share {
        class: "f",
        percent: Percent((share * 1e6).round().clamp(0.0, 1e6) as u32),
        label: String::new(),
    };
    ruler(&[part], label, false)
}

fn link(asked: &Asked, what: &str, here: &Here, more: &[(&str, &str)]) -> String {
    let mut query = ::url::form_urlencoded::Serializer::new(String::new());
    query.append_pair("site", &here.place.site.slug).append_pair("env", here.environment_name());
    query.append_pair("from", &asked.days.first).append_pair("to", &asked.days.last);
    if let Some(feature) = &asked.feature {
        query.append_pair("feature", feature);
    }
    query.extend_pairs(more).append_pair("format", "csv");
    format!("/api/v1/analytics/{what}?{}", query.finish())
}

/// A link to the same figures as a file.
pub fn file(asked: &Asked, what: &str, here: &Here, more: &[(&str, &str)], label: &str) -> Markup {
    html! {
        a.btn.quiet href=(link(asked, what, here, more)) download { (icon("download")) "CSV" span.vh { " of " (label) } }
    }
}

/// The page; `typed` is what was refused of the settings, `conflict` whether others were saved meanwhile.
pub fn page(
    page: &Page<'_>,
    app: &App,
    here: &Here,
    asked: &Asked,
    figures: &Figures,
    typed: Option<&Typed>,
    conflict: bool,
) -> Markup {
    let nothing = figures.summary.evaluations == 0 && figures.before.evaluations == 0;
    let kept = app.config.retention.as_secs() / (24 * 3600);
    html! {
        div.head {
            div { h1 { "Analytics" } }
            div.acts { (file(asked, "daily", here, &[], "the days")) }
        }
        (filters(here, asked))
        @if !app.live.counters.is_on() {
            div.banner { (icon("warn")) span.grow { b { "Nothing is counted." } " " span.m2 { "This server was started with --sampling 0." } } }
        }
        @if nothing && figures.ever {
            @let what = asked.feature.as_ref().map_or_else(|| "Nothing was".to_owned(), |key| format!("{key} was not"));
            @let longest = RANGES[RANGES.len() - 1];
            @let is_narrow = asked.feature.is_some() || asked.range < longest;
            @let wider = format!("{}?range={longest}", here.section("analytics"));
            (empty(
                &format!("{what} evaluated in these {} days", asked.range),
                "There are evaluations of other features or of other days.",
                is_narrow.then(|| html! { a.btn href=(wider) { "All features, " (longest) " days" } }),
            ))
        } @else if nothing {
            (empty("Nothing was evaluated yet", "Figures appear here a few seconds after the first client asks for values.", None))
        } @else {
            (cards(app, figures))
            (trend(asked, &figures.days))
            (rules(here, asked, &figures.rules))
            (contexts(here, asked, &figures.fields))
            @if let Some(found) = &figures.comparison { (comparison::section(here, asked, found)) }
        }
        (stale(here, figures))
        p.xs.m3.pad {
            "Only context fields that a rule looks at are counted (the first " (MAX_COUNTED) " by name), people by a hash. Kept " (kept) " days. "
            (thin(usize::try_from(app.metrics.analytics_dropped.get()).unwrap_or(usize::MAX))) " evaluations dropped since start."
            @if app.live.counters.sampling() < 1.0 && app.live.counters.is_on() { " A sample of " (percent(app.live.counters.sampling())) " is counted and scaled up." }
            " " a href="/help/analytics" { "What the figures mean" }
        }
        (settings(page, here, &stored(&figures.settings), typed, conflict))
        script src=(assets::path("chart.js")) defer {}
        script src=(assets::path("analytics.js")) defer {}
    }
}

fn filters(here: &Here, asked: &Asked) -> Markup {
    html! {
        form.filter method="get" action=(here.section("analytics")) {
            div.row.wrap {
                span.seg role="group" aria-label="Range" {
                    @for range in RANGES {
                        label { input type="radio" name="range" value=(range) checked[asked.range == range]; (range) " days" }
                    }
                }
                select.auto name="feature" aria-label="Feature" {
                    option value="" { "All features" }
                    @for feature in here.snapshot.features().take(1000) {
                        option value=(feature.key) selected[asked.feature.as_deref() == Some(&*feature.key)] { (feature.key) }
                    }
                }
                button.btn { "Show" }
            }
        }
    }
}

/// How a figure has moved against the days before; nothing where there is nothing to compare with.
fn moved(now: u64, before: u64) -> Markup {
    if before == 0 || now == before {
        return html! {};
    }
    let change = (now as f64 - before as f64) / before as f64 * 100.0;
    let up = change > 0.0;
    html! {
        " " span.note title="against as many days before" {
            (icon(if up { "arrow-up" } else { "arrow-down" }))
            span.vh { (if up { "up " } else { "down " }) }
            (format!("{:.0}\u{a0}%", change.abs()))
        }
    }
}

fn cards(app: &App, figures: &Figures) -> Markup {
    let Figures { summary, before, .. } = figures;
    let Summary { evaluations, unique_users, average_per_user, .. } = summary;
    let (hits, misses) = (app.metrics.cache_hits.get(), app.metrics.cache_misses.get());
    html! {
        div.figures.fig4 {
            div { b { (short(*evaluations)) } span { "evaluations" (moved(*evaluations, before.evaluations)) } }
            div { b { (short(*unique_users)) } span { "people" (moved(*unique_users, before.unique_users)) } }
            div { b { (format!("{average_per_user:.1}")) } span { "evaluations per person" } }
            div {
                b { @if hits + misses == 0 { "–" } @else { (percent(hits as f64 / (hits + misses) as f64)) } }
                span { "answered from cache, since start" }
            }
        }
    }
}

/// The smallest of 1, 2, 5, 10, 20, … that is not less.
fn round_up(number: u64) -> u64 {
    let mut power = 1_u64;
    loop {
        for step in [1, 2, 5] {
            if power.saturating_mul(step) >= number {
                return power.saturating_mul(step).max(1);
            }
        }
        power = power.saturating_mul(10);
    }
}

const WIDTH: f64 = 950.0;
const LEFT: f64 = 50.0;
const HEIGHT: f64 = 190.0;
const TOP: f64 = 20.0;

fn trend(asked: &Asked, days: &[Day]) -> Markup {
    let most = days.iter().map(|day| day.evaluations).max().unwrap_or_default();
    let top = round_up(most.max(4));
    let step = WIDTH / (days.len().saturating_sub(1).max(1)) as f64;
    let at = |index: usize| LEFT + step * index as f64;
    let height = |value: u64| TOP + HEIGHT - HEIGHT * value as f64 / top as f64;
    let points: Vec<String> = days
        .iter()
        .enumerate()
        .map(|(index, day)| format!("{:.1} {:.1}", at(index), height(day.evaluations)))
        .collect();
    let line = format!("M{}", points.join("L"));
    let base = TOP + HEIGHT;
    let area = format!("{line}L{:.1} {base}L{LEFT} {base}z", at(days.len().saturating_sub(1)));
    let label = format!(
        "Evaluations a day, {} to {}: at most {}. The table below holds the numbers.",
        asked.days.first,
        asked.days.last,
        short(most)
    );
    let marks = (days.len() / 6).max(1);
    html! {
        section.stack.chartbox aria-labelledby="ch" {
            div.subhead { h2 id="ch" { "Evaluations a day" } }
            div.scroll.latest tabindex="0" role="group" aria-label="Chart, scrolls sideways" {
                div.minw #chart {
                    svg.chart viewBox="0 0 1000 240" role="img" aria-labelledby="chl" {
                        title id="chl" { (label) }
                        @for quarter in 0..=4_u64 {
                            @let value = top * quarter / 4;
                            @let y = height(value);
                            line class=(if quarter == 0 { "base" } else { "grid" }) x1="44" x2="1000" y1=(y) y2=(y) {}
                            text x="40" y=(y + 4.0) text-anchor="end" { (short(value)) }
                        }
                        path.soft d=(area) {}
                        path.ln d=(line) {}
                        @for (index, day) in days.iter().enumerate().filter(|(index, _)| index % marks == 0) {
                            text x=(at(index)) y="228" text-anchor=(if index == 0 { "start" } else if index + 1 == days.len() { "end" } else { "middle" }) { (&day.day[5..]) }
                        }
                    }
                }
            }
            details {
                summary.s.m2 { "The same numbers as a table" }
                table.tbl.dense #daily {
                    caption.vh { "Evaluations and people by day" }
                    thead { tr { th scope="col" { "Day" } th scope="col" .r { "Evaluations" } th scope="col" .r { "People" } } }
                    tbody { @for day in days.iter().rev() {
                        tr {
                            th scope="row" { (day.day) }
                            td.r.num data-n=(day.evaluations) { (short(day.evaluations)) }
                            td.r.num data-n=(day.unique_users) { (short(day.unique_users)) }
                        }
                    } }
                }
            }
        }
    }
}

fn rules(here: &Here, asked: &Asked, rules: &[RuleFigures]) -> Markup {
    html! {
        section.sect aria-labelledby="rp" {
            header {
                h2 id="rp" { "Rules" }
                span.m3.grow { "share of its feature’s evaluations that the rule answered" }
                span.end { (file(asked, "rules", here, &[], "the rules")) }
            }
            @if rules.is_empty() { p.m2.pad { "No evaluations in these days." } }
            @else {
                table.tbl.dense.stackable.go {
                    caption.vh { "Rule performance" }
                    thead { tr {
                        th scope="col" { "Rule" } th scope="col" { "Feature" } th scope="col" { "Gave" } th scope="col" { "Share" }
                        th scope="col" .r { "Evaluations" }
                    } }
                    tbody { @for rule in rules.iter().take(RULES) { (rule_row(here, rule)) } }
                }
                @if rules.len() > RULES { p.s.m3 { "The " (RULES) " busiest of " (thin(rules.len())) ". The file has all." } }
            }
        }
    }
}

fn rule_row(here: &Here, rule: &RuleFigures) -> Markup {
    let exists = here.snapshot.feature(&rule.feature).is_some();
    let href = match &rule.rule_id {
        Some(id) if rule.rule.is_some() => format!("{}#rule-{id}", here.feature(&rule.feature)),
        _ => here.feature(&rule.feature),
    };
    let name = match (&rule.rule, &rule.rule_id) {
        (Some(name), _) => {
            html! { @if let Some(priority) = rule.priority { span.m3 { (priority) } " " } (name) }
        }
        (None, Some(_)) => html! { "A rule that is gone" },
        (None, None) => html! { "No rule: default, off or a Context" },
    };
    let gave: Vec<String> =
        rule.outcomes
            .iter()
            .take(3)
            .map(|outcome| match &outcome.variant {
                Some(variant) => variant.clone(),
                None if outcome.value == OTHERS => OTHERS.to_owned(),
                None => value_of(&outcome.value)
                    .map_or_else(|| "a long value".into(), |value| short_value(&value)),
            })
            .collect();
    let more = if rule.outcomes.len() > 3 { ", …" } else { "" };
    html! {
        tr {
            th scope="row" { @if exists { a.in href=(href) { (name) } } @else { (name) } }
            td.full { code.m2 { (rule.feature) } }
            td.hide-s { span.cut.xs.m3 { (gave.join(", ")) (more) } }
            td.full { (meter(rule.share)) }
            td.r.num data-l="Evaluations" { (short(rule.evaluations)) }
        }
    }
}

fn contexts(here: &Here, asked: &Asked, fields: &[FieldFigures]) -> Markup {
    html! {
        section.sect aria-labelledby="cv" {
            header {
                h2 id="cv" { "Context values" }
                span.m3.grow { "of the fields that rules look at" }
                span.end { (file(asked, "contexts", here, &[], "context values")) }
            }
            @if fields.is_empty() { p.m2.pad { "No rule looked at a field that clients sent." } }
            div.cols.three.tops { @for field in fields {
                section {
                    div.subhead { h3 { (field.field) } }
                    div.bars {
                        @for value in field.values.iter().take(VALUES) {
                            code.cut { (value.value) }
                            (bar(value.share, &format!("{}: {}", value.value, percent(value.share))))
                            span.num.m2.r { (percent(value.share)) }
                        }
                    }
                    @let shown: u64 = field.values.iter().take(VALUES).map(|value| value.count).sum();
                    @if shown < field.count { p.xs.m3 { "Others: " (percent((field.count - shown) as f64 / field.count as f64)) } }
                }
            } }
        }
    }
}

fn stale(here: &Here, figures: &Figures) -> Markup {
    html! {
        @if !figures.stale.is_empty() {
            section.sect #stale aria-labelledby="st" {
                header { h2 id="st" { "Stale features" } span.m3.grow { "that nobody may miss" } }
                ul.list { @for feature in figures.stale.iter().take(50) {
                    li {
                        (icon("stale"))
                        div.stack.t.grow {
                            a.key href=(here.feature(&feature.feature)) { (feature.feature) }
                            span.s.m2 { (feature.words()) }
                        }
                    }
                } }
                @if figures.stale.len() > 50 { p.s.m3 { "And " (thin(figures.stale.len() - 50)) " more." } }
            }
        }
    }
}

fn settings(page: &Page<'_>, here: &Here, stored: &Typed, typed: Option<&Typed>, conflict: bool) -> Markup {
    let shown = ["excludedFields", "staleUnchangedDays", "staleUnaskedDays"];
    html! {
        @if here.can_change {
            details.s #settings open[typed.is_some()] {
                summary { "What is counted, and what is stale" }
                form.stack.settings method="post" action={ (here.section("analytics")) "/settings" } {
                    (page.csrf()) (versions::seen(stored, SETTINGS))
                    @let typed = typed.unwrap_or(stored);
                    @if conflict { (versions::both(typed, stored, SETTINGS, &here.section("analytics"))) }
                    (form_summary(typed, &shown))
                    (area("excludedFields", "Context fields that are never counted", "One a line; email is also Email and user.email. What was counted of them is deleted. They hold for the whole site.", 6, typed))
                    (Text::new("staleUnchangedDays", "Stale when the same for everybody for so many days").kind("number").required().draw(typed))
                    (Text::new("staleUnaskedDays", "Stale when not asked for in so many days").kind("number").required().draw(typed))
                    div.row { button.btn { "Save" } }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_a_round_number() {
        for (number, end) in
            [(0, 1), (1, 1), (3, 5), (10, 10), (11, 20), (999, 1000), (1001, 2000), (u64::MAX, u64::MAX)]
        {
            assert_eq!(round_up(number), end, "{number}");
        }
    }

    #[test]
    fn large_numbers_are_short() {
        assert_eq!(short(9841), "9\u{2009}841");
        assert_eq!(short(123_456), "123\u{2009}k");
        assert_eq!(short(314_390_000), "314.39\u{2009}M");
    }
}

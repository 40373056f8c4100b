//! The stylesheet of a site: the variables of `theme.css` with other values, for light pages as they were chosen, for
//! dark pages with the same hues made readable there. What was not chosen follows where it would not be readable, or
//! not be seen, beside what was.

use std::fmt::Write;
use std::sync::LazyLock;

use super::colour::{Colour, READABLE};
use super::{Branding, Slot};

const PAPERS: [Slot; 3] = [Slot::BackgroundPrimary, Slot::BackgroundSecondary, Slot::BackgroundTertiary];
/// The least contrast of the edges of controls (WCAG 2.2, success criterion 1.4.11).
const SEEN: f64 = 3.0;
/// How much of its colour is in the soft background of a meaning.
const TINT: f64 = 0.1;

/// What `theme.css` says where a site says nothing: name, light, dark.
static USUAL: LazyLock<Vec<(&str, [Colour; 2])>> = LazyLock::new(|| {
    let line = |line: &'static str| {
        let (name, values) = line.trim().strip_prefix("--")?.split_once(':')?;
        let (light, rest) = values.trim().strip_prefix("light-dark(")?.split_once(", ")?;
        let (dark, _) = rest.split_once(')')?;
        Some((name, [Colour::parse(light)?, Colour::parse(dark)?]))
    };
    include_str!("../../assets/theme.css").lines().filter_map(line).collect()
});

#[derive(Clone, Copy, PartialEq)]
enum Theme {
    Light,
    Dark,
}

impl Theme {
    fn usual(self, name: &str) -> Colour {
        let found = USUAL.iter().find(|(have, _)| *have == name);
        found.map_or(Colour::BLACK, |(_, values)| values[self as usize])
    }
}

/// A stylesheet for everything beneath a selector; empty when nothing is set. `preview`: every variable, so that it
/// takes back what the sheet of the site says.
pub fn write(branding: &Branding, selector: &str, preview: bool) -> String {
    if branding.is_plain() && !preview {
        return String::new();
    }
    let mut sheet = Sheet { branding, preview, variables: String::new(), rules: String::new() };
    sheet.colours();
    sheet.marks();
    sheet.boxes();
    sheet.fonts();
    let Sheet { variables, rules, .. } = sheet;
    format!("{selector} {{\n{variables}{rules}}}\n")
}

/// Every colour of the pages with its name in `theme.css`.
fn palette(branding: &Branding, theme: Theme) -> Vec<(&'static str, Colour)> {
    let usual = |name| theme.usual(name);
    let chosen = |slot| branding.is_set(slot).then(|| branding.colour(slot));
    // On another paper, everything between paper and text is mixed anew.
    let papered = PAPERS.iter().any(|paper| branding.is_set(*paper));
    let mixed = |name, mixed: Colour| if papered { mixed } else { usual(name) };

    let light = PAPERS.map(|paper| branding.colour(paper));
    let mut papers = light;
    if theme == Theme::Dark {
        for ((colour, paper), name) in papers.iter_mut().zip(PAPERS).zip(["bg", "surface", "sunken"]) {
            *colour = chosen(paper).map_or_else(|| usual(name), Colour::darkened);
        }
    }
    let [bg, surface, sunken] = papers;
    let hover = mixed("hover", bg.towards(sunken, 0.7));
    let mut under = vec![bg, surface, sunken, hover];

    // On light pages the texts are as chosen, so the tints must leave them readable; on dark ones they come later.
    let texts = [(Slot::TextPrimary, "text"), (Slot::TextSecondary, "text-2"), (Slot::TextMuted, "text-3")];
    let fixed: Vec<(Colour, f64)> = match theme {
        Theme::Light => texts.map(|(slot, _)| branding.colour(slot)).to_vec(),
        Theme::Dark => Vec::new(),
    }
    .into_iter()
    .map(|text| (text, text.least_contrast(&papers).min(READABLE)))
    .collect();
    let tint = |colour: Colour| {
        let stands_out = |paper: Colour| fixed.iter().all(|(text, least)| text.contrast(paper) >= *least);
        let mut tints = (0..=10).map(|less| surface.towards(colour, TINT * f64::from(10 - less) / 10.0));
        tints.find(|paper| stands_out(*paper)).unwrap_or(surface)
    };
    // A colour that is also a text, and the same as a background, on which that text is readable too.
    let meaning = |name, soft, slot: Option<Slot>, under: &mut Vec<Colour>| {
        let chosen = slot.and_then(chosen);
        if chosen.is_none() && !papered {
            under.push(usual(soft));
            return (usual(name), usual(soft));
        }
        let colour = chosen.unwrap_or_else(|| usual(name));
        let soft = tint(colour.readable_on(under));
        under.push(soft);
        (colour.readable_on(under), soft)
    };
    let (prod, prod_soft) = meaning("prod", "prod-soft", None, &mut under);
    let (accent, accent_soft) = meaning("accent", "accent-soft", Some(Slot::Accent), &mut under);
    let (danger, danger_soft) = meaning("danger", "danger-soft", Some(Slot::Error), &mut under);
    let (warn, warn_soft) = meaning("warn", "warn-soft", Some(Slot::Warning), &mut under);
    let edge = |name, soft_name, soft: Colour, colour: Colour| {
        if soft == usual(soft_name) { usual(name) } else { surface.towards(colour, 0.4) }
    };

    // What a person chose for light pages says how strong a text is: as strong on dark ones, as far as that goes.
    let [text, text_2, text_3] = texts.map(|(slot, name)| match (theme, chosen(slot)) {
        (Theme::Light, _) => branding.colour(slot),
        (Theme::Dark, Some(colour)) => colour.at_least(colour.least_contrast(&light).max(READABLE), &under),
        (Theme::Dark, None) => usual(name).readable_on(&under),
    });
    let there = |colour: Colour| if theme == Theme::Dark { colour.readable_on(&papers) } else { colour };
    let ink = chosen(Slot::Primary).map_or_else(|| mixed("ink", text.readable_on(&papers)), there);
    let v2 = chosen(Slot::Secondary).map_or_else(|| usual("v2"), there);
    let on = |name, colour: Colour, on| if colour == usual(name) { usual(on) } else { colour.ink() };
    vec![
        ("bg", bg),
        ("surface", surface),
        ("sunken", sunken),
        ("hover", hover),
        ("line", mixed("line", bg.towards(bg.ink(), 0.12))),
        ("line-strong", mixed("line-strong", bg.towards(bg.ink(), 0.5).at_least(SEEN, &papers))),
        ("text", text),
        ("text-2", text_2),
        ("text-3", text_3),
        ("ink", ink),
        ("on-ink", on("ink", ink, "on-ink")),
        ("accent", accent),
        ("on-accent", on("accent", accent, "on-accent")),
        ("accent-soft", accent_soft),
        ("accent-edge", edge("accent-edge", "accent-soft", accent_soft, accent)),
        ("v1", accent),
        ("v2", v2),
        ("v3", if papered || v2 != usual("v2") { v2.towards(surface, 0.4) } else { usual("v3") }),
        ("v0", mixed("v0", bg.towards(bg.ink(), 0.22))),
        ("danger", danger),
        ("danger-soft", danger_soft),
        ("on-danger", on("danger", danger, "on-danger")),
        ("warn", warn),
        ("warn-soft", warn_soft),
        ("prod", prod),
        ("on-prod", on("prod", prod, "on-prod")),
        ("prod-soft", prod_soft),
        ("prod-edge", edge("prod-edge", "prod-soft", prod_soft, prod)),
    ]
}

struct Sheet<'b> {
    branding: &'b Branding,
    preview: bool,
    variables: String,
    rules: String,
}

impl Sheet<'_> {
    // Writing to text cannot fail.
    fn rule(&mut self, selector: &str, declarations: &str) {
        // The preview shows what is typed, not what is saved.
        let elsewhere = if self.preview { "" } else { ":not(.brand-preview *)" };
        let _ = writeln!(self.rules, "  {selector}{elsewhere} {{ {declarations} }}");
    }

    /// The variables that differ from the usual.
    fn colours(&mut self) {
        let [lights, darks] = [Theme::Light, Theme::Dark].map(|theme| palette(self.branding, theme));
        for ((name, light), (_, dark)) in lights.into_iter().zip(darks) {
            if self.preview || (light, dark) != (Theme::Light.usual(name), Theme::Dark.usual(name)) {
                let _ = writeln!(self.variables, "  --{name}: light-dark({light}, {dark});");
            }
        }
    }

    /// What has another colour in `app.css`.
    fn marks(&mut self) {
        if self.branding.is_set(Slot::Primary) {
            let lighter = "background: var(--ink); border-color: var(--ink); filter: brightness(1.1)";
            self.rule(".btn.main:hover", lighter);
        }
        if self.branding.is_set(Slot::Secondary) {
            let _ = writeln!(self.rules, "  .mast {{ border-bottom-color: var(--v2) }}");
        }
    }

    /// Success, warning, error and information: a box in the colour with its text in it, the same on light and dark
    /// pages.
    fn boxes(&mut self) {
        for (slot, text, boxes) in [
            (Slot::Success, Slot::SuccessText, ".toast, .box-success"),
            (Slot::Warning, Slot::WarningText, ".banner.warn"),
            (Slot::Error, Slot::ErrorText, ".banner.danger"),
            (Slot::Info, Slot::InfoText, ".banner:not(.warn, .danger, .prod, .box-success)"),
        ] {
            if self.branding.is_set(slot) || self.branding.is_set(text) {
                let (colour, ink) = (self.branding.colour(slot), self.branding.colour(text));
                let inside = ":is(a, b, .m2, .m3, .i, .btn) { color: inherit } .btn { background: none; border-color: currentColor }";
                self.rule(
                    &format!(":is({boxes})"),
                    &format!("background: {colour}; border-color: {colour}; color: {ink}; {inside}"),
                );
            }
        }
    }

    fn fonts(&mut self) {
        if let Some(fonts) = &self.branding.body_font {
            let _ = writeln!(self.variables, "  --sans: {fonts}, system-ui, sans-serif;");
            self.variables.push_str("  font-family: var(--sans);\n");
        }
        if let Some(fonts) = &self.branding.heading_font {
            self.rule(":is(h1, h2, h3)", &format!("font-family: {fonts}, system-ui, sans-serif"));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::branding::SLOTS;

    const DARK_PAPER: [(Slot, &str); 6] = [
        (Slot::BackgroundPrimary, "#101418"),
        (Slot::BackgroundSecondary, "#181c20"),
        (Slot::BackgroundTertiary, "#202428"),
        (Slot::TextPrimary, "#f0f0f0"),
        (Slot::TextSecondary, "#d0d0d0"),
        (Slot::TextMuted, "#b0b0b0"),
    ];

    fn with(colours: &[(Slot, &str)]) -> Branding {
        let mut branding = Branding::default();
        for (slot, colour) in colours {
            branding.set(*slot, Colour::parse(colour).expect("a colour"));
        }
        branding
    }

    /// The value of a variable on light and on dark pages.
    fn values(sheet: &str, name: &str) -> (Colour, Colour) {
        let line = sheet.lines().find_map(|line| line.trim().strip_prefix(&format!("--{name}: light-dark(")));
        let (light, dark) =
            line.and_then(|line| line.trim_end_matches(");").split_once(", ")).expect("a value");
        (Colour::parse(light).expect("a colour"), Colour::parse(dark).expect("a colour"))
    }

    #[test]
    fn what_is_usual_is_what_the_theme_says() {
        let usual: Vec<_> = USUAL.iter().map(|(name, _)| *name).collect();
        for theme in [Theme::Light, Theme::Dark] {
            let made = palette(&Branding::default(), theme);
            for (name, colour) in &made {
                assert!(usual.contains(name), "{name} stands in the theme");
                assert_eq!(*colour, theme.usual(name), "{name}: as it was");
            }
            assert_eq!(made.len(), usual.len(), "every colour of the theme follows");
        }
        let names = ["ink", "v2", "accent", "accent", "warn", "danger"];
        for ((_, name, _, colour), variable) in SLOTS.iter().zip(names) {
            assert_eq!(*colour, Theme::Light.usual(variable).to_string(), "{name}");
        }
    }

    #[test]
    fn nothing_set_is_no_sheet_and_a_preview_says_everything() {
        assert_eq!(write(&Branding::default(), ":root", false), "");
        let named = Branding { company_name: Some("Shop".into()), ..Branding::default() };
        assert_eq!(write(&named, ":root", false), "");
        let all = write(&Branding::default(), ".preview", true);
        for (name, _) in &*USUAL {
            assert!(all.contains(&format!("  --{name}: light-dark(#")), "{name}: {all}");
        }
        assert!(!all.contains("banner"), "boxes that the pages do not have: {all}");
        let some = write(&with(&[(Slot::Warning, "#ffb020")]), ".preview", true);
        assert!(some.contains(".banner.warn") && !some.contains(".banner.danger"), "{some}");
    }

    #[test]
    fn chosen_colours_stand_in_the_light_and_readable_ones_in_the_dark() {
        let sheet =
            write(&with(&[(Slot::Accent, "#7a1fa2"), (Slot::BackgroundPrimary, "#fff4e0")]), ":root", false);
        assert!(sheet.starts_with(":root {\n"));
        let (page, dark_page) = values(&sheet, "bg");
        assert_eq!(page.to_string(), "#fff4e0");
        let (accent, dark_accent) = values(&sheet, "accent");
        assert_eq!(accent.to_string(), "#7a1fa2");
        assert_ne!(dark_accent, accent, "too dark for dark pages");
        assert!(dark_accent.contrast(dark_page) >= 4.5);
        assert!(!sheet.contains("--text"), "what is readable is left alone: {sheet}");
    }

    #[test]
    fn every_text_is_readable_wherever_it_may_stand() {
        let grey = [(Slot::BackgroundPrimary, "#3c3c3c")];
        let cream = [(Slot::BackgroundPrimary, "#fff4e0"), (Slot::BackgroundSecondary, "#fffaf0")];
        let (yellow, black) = ([(Slot::Accent, "#ffee00")], [(Slot::TextPrimary, "#000000")]);
        let meanings = [(Slot::Error, "#ff8800"), (Slot::Warning, "#ffee88"), (Slot::Accent, "#000000")];
        for chosen in [&[][..], &DARK_PAPER, &grey, &cream, &yellow, &black, &meanings] {
            for theme in [Theme::Light, Theme::Dark] {
                let colours = palette(&with(chosen), theme);
                let find = |name| colours.iter().find(|(have, _)| *have == name).expect("a colour").1;
                for paper in ["bg", "surface", "sunken", "hover", "prod-soft"] {
                    for text in ["text", "text-2", "text-3", "accent", "danger", "warn", "prod"] {
                        // The texts of light pages are as they were chosen; these are told of in warnings.
                        if theme == Theme::Light && text.starts_with("text") && chosen == grey {
                            continue;
                        }
                        let (text_colour, paper_colour) = (find(text), find(paper));
                        let contrast = text_colour.contrast(paper_colour);
                        // Two sets of papers, dark and light on one page, leave no colour that suits both.
                        let possible = chosen != grey || theme == Theme::Dark;
                        assert!(
                            contrast >= READABLE || !possible,
                            "{chosen:?}: {text} {text_colour} on {paper} {paper_colour}: {contrast}"
                        );
                    }
                }
                for (text, paper) in [
                    ("accent", "accent-soft"),
                    ("danger", "danger-soft"),
                    ("warn", "warn-soft"),
                    ("text-2", "danger-soft"),
                    ("text-2", "warn-soft"),
                    ("on-ink", "ink"),
                    ("on-accent", "accent"),
                    ("on-danger", "danger"),
                    ("on-prod", "prod"),
                ] {
                    let contrast = find(text).contrast(find(paper));
                    let possible = chosen != grey || theme == Theme::Dark;
                    assert!(contrast >= READABLE || !possible, "{chosen:?}: {text} on {paper}: {contrast}");
                }
                let edge = find("line-strong").contrast(find("surface"));
                assert!(edge >= 2.9, "{chosen:?}: edges of controls: {edge}");
            }
        }
    }

    #[test]
    fn a_text_is_as_strong_on_dark_pages_as_on_light_ones() {
        let sheet = write(&with(&[(Slot::TextPrimary, "#000000")]), ":root", false);
        let (_, text) = values(&sheet, "text");
        let on_dark = |colour: Colour| colour.contrast(Theme::Dark.usual("bg"));
        assert!(on_dark(text) >= on_dark(Theme::Dark.usual("text")), "{text}");
        let sheet = write(&with(&[(Slot::TextSecondary, "#30506a")]), ":root", false);
        let (light, dark) = values(&sheet, "text-2");
        let aim = light.least_contrast(&PAPERS.map(|paper| Branding::default().colour(paper)));
        assert!(dark.contrast(Theme::Dark.usual("sunken")) >= aim - 0.01, "{dark}");
        assert!(on_dark(dark) < on_dark(Theme::Dark.usual("text")), "{dark} is still the second text");
    }

    #[test]
    fn braces_match_whatever_is_set() {
        let mut branding =
            with(&[(Slot::Warning, "#ffb020"), (Slot::ErrorText, "#000000"), (Slot::Primary, "#123456")]);
        branding.heading_font = super::super::fonts("Georgia, serif");
        branding.body_font = super::super::fonts("Verdana");
        let sheet = write(&branding, ":root", false);
        assert_eq!(sheet.matches('{').count(), sheet.matches('}').count(), "{sheet}");
        assert!(sheet.contains("--sans: \"Verdana\", system-ui, sans-serif;"));
        assert!(sheet.contains(":is(h1, h2, h3):not(.brand-preview *) { font-family: \"Georgia\", serif,"));
    }
}

//! The stylesheet of a site: the variables of `theme.css` with other values, for light pages as they were chosen, for
//! dark pages with the same hues made readable there.

use std::fmt::Write;

use super::colour::Colour;
use super::{Branding, Slot};

/// Dark pages where a site says nothing (`theme.css`): page, panels, sunken.
const DARK: [Colour; 3] =
    [Colour([0x0f, 0x12, 0x10]), Colour([0x16, 0x1a, 0x17]), Colour([0x1d, 0x22, 0x1e])];

/// A stylesheet for everything beneath a selector; empty when nothing is set. `all`: also of what is not set, so that
/// it takes back what another sheet says.
pub fn write(branding: &Branding, selector: &str, all: bool) -> String {
    let pages = [Slot::BackgroundPrimary, Slot::BackgroundSecondary, Slot::BackgroundTertiary];
    let light = pages.map(|page| branding.colour(page));
    let mut dark = DARK;
    for (colour, page) in dark.iter_mut().zip(pages) {
        if branding.is_set(page) {
            *colour = branding.colour(page).darkened();
        }
    }
    let mut sheet = Sheet { branding, all, light, dark, variables: String::new(), rules: String::new() };
    sheet.backgrounds(pages);
    sheet.texts();
    sheet.accents();
    sheet.meanings();
    sheet.fonts();
    let Sheet { variables, rules, .. } = sheet;
    if variables.is_empty() && rules.is_empty() {
        return String::new();
    }
    format!("{selector} {{\n{variables}{rules}}}\n")
}

struct Sheet<'b> {
    branding: &'b Branding,
    all: bool,
    light: [Colour; 3],
    dark: [Colour; 3],
    variables: String,
    rules: String,
}

impl Sheet<'_> {
    fn wanted(&self, slot: Slot) -> bool {
        self.all || self.branding.is_set(slot)
    }

    // Writing to text cannot fail.
    fn variable(&mut self, name: &str, light: Colour, dark: Colour) {
        let _ = writeln!(self.variables, "  --{name}: light-dark({light}, {dark});");
    }

    fn rule(&mut self, selector: &str, declarations: &str) {
        let _ = writeln!(self.rules, "  {selector} {{ {declarations} }}");
    }

    fn backgrounds(&mut self, pages: [Slot; 3]) {
        for (at, (page, name)) in pages.into_iter().zip(["bg", "surface", "sunken"]).enumerate() {
            if self.wanted(page) {
                self.variable(name, self.light[at], self.dark[at]);
            }
        }
    }

    fn texts(&mut self) {
        for (slot, name) in
            [(Slot::TextPrimary, "text"), (Slot::TextSecondary, "text-2"), (Slot::TextMuted, "text-3")]
        {
            if self.wanted(slot) {
                let colour = self.branding.colour(slot);
                // What a person chose for a light page says how strong it is: as strong on a dark one.
                let dark = match name {
                    "text" => Colour([0xe8, 0xeb, 0xe7]),
                    "text-2" => Colour([0xb4, 0xbb, 0xb5]),
                    _ => Colour([0x94, 0x9c, 0x96]),
                };
                let dark = if self.branding.is_set(slot) { colour.readable_on(&self.dark) } else { dark };
                self.variable(name, colour, dark);
            }
        }
    }

    fn accents(&mut self) {
        let dark = self.dark;
        let both = |slot: Slot, branding: &Branding| {
            let colour = branding.colour(slot);
            let usual = match slot {
                Slot::Primary => Colour([0xe8, 0xeb, 0xe7]),
                Slot::Secondary => Colour([0x2f, 0x93, 0x72]),
                _ => Colour([0x4c, 0xcb, 0x9d]),
            };
            (colour, if branding.is_set(slot) { colour.readable_on(&dark) } else { usual })
        };
        if self.wanted(Slot::Primary) {
            let (light, dark) = both(Slot::Primary, self.branding);
            self.variable("ink", light, dark);
            self.variable("on-ink", light.ink(), dark.ink());
            self.rule(
                ".btn.main:hover",
                "background: var(--ink); border-color: var(--ink); filter: brightness(1.1)",
            );
        }
        if self.wanted(Slot::Secondary) {
            let (light, dark) = both(Slot::Secondary, self.branding);
            self.variable("v2", light, dark);
            self.rule(".mast", "border-bottom-color: var(--v2)");
        }
        if self.wanted(Slot::Accent) {
            let (light, dark) = both(Slot::Accent, self.branding);
            self.variable("accent", light, dark);
            self.variable("on-accent", light.ink(), dark.ink());
            self.variable("v1", light, dark);
            self.variables
                .push_str("  --accent-soft: color-mix(in srgb, var(--accent) 10%, var(--surface));\n");
            self.variables
                .push_str("  --accent-edge: color-mix(in srgb, var(--accent) 40%, var(--surface));\n");
        }
    }

    /// Success, warning, error and information: a box in the colour with its text in it, the same on light and dark
    /// pages; and where the colour itself is a text, the nearest readable one.
    fn meanings(&mut self) {
        for (slot, text, boxes, variable) in [
            (Slot::Success, Slot::SuccessText, ".toast, .box-success", None),
            (Slot::Warning, Slot::WarningText, ".banner.warn", Some("warn")),
            (Slot::Error, Slot::ErrorText, ".banner.danger", Some("danger")),
            (Slot::Info, Slot::InfoText, ".banner:not(.warn, .danger, .prod, .box-success)", None),
        ] {
            if !self.wanted(slot) && !self.wanted(text) {
                continue;
            }
            let (colour, ink) = (self.branding.colour(slot), self.branding.colour(text));
            self.rule(
                &format!(":is({boxes})"),
                &format!("background: {colour}; border-color: {colour}; color: {ink}; :is(a, b, .m2, .m3, .i, .btn) {{ color: inherit }}"),
            );
            if let Some(variable) = variable.filter(|_| self.wanted(slot)) {
                let (light, dark) = (colour.readable_on(&self.light), colour.readable_on(&self.dark));
                self.variable(variable, light, dark);
                self.variable(&format!("on-{variable}"), light.ink(), dark.ink());
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

    fn with(colours: &[(Slot, &str)]) -> Branding {
        let mut branding = Branding::default();
        for (slot, colour) in colours {
            branding.set(*slot, Colour::parse(colour).expect("a colour"));
        }
        branding
    }

    #[test]
    fn nothing_set_is_no_sheet_and_a_preview_says_everything() {
        assert_eq!(write(&Branding::default(), ":root", false), "");
        let all = write(&Branding::default(), ".preview", true);
        for name in
            ["--bg", "--surface", "--sunken", "--text", "--text-2", "--text-3", "--ink", "--accent", "--v2"]
        {
            assert!(all.contains(&format!("  {name}: light-dark(#")), "{name}: {all}");
        }
    }

    #[test]
    fn chosen_colours_stand_in_the_light_and_readable_ones_in_the_dark() {
        let sheet =
            write(&with(&[(Slot::Accent, "#7a1fa2"), (Slot::BackgroundPrimary, "#fff4e0")]), ":root", false);
        assert!(sheet.starts_with(":root {\n"));
        let value = |name: &str| {
            let line =
                sheet.lines().find_map(|line| line.trim().strip_prefix(&format!("--{name}: light-dark(")));
            let (light, dark) =
                line.and_then(|line| line.trim_end_matches(");").split_once(", ")).expect("a value");
            (Colour::parse(light).expect("a colour"), Colour::parse(dark).expect("a colour"))
        };
        let (page, dark_page) = value("bg");
        assert_eq!(page.to_string(), "#fff4e0");
        let (accent, dark_accent) = value("accent");
        assert_eq!(accent.to_string(), "#7a1fa2");
        assert_ne!(dark_accent, accent, "too dark for dark pages");
        assert!(dark_accent.contrast(dark_page) >= 4.5);
        assert!(!sheet.contains("--text"), "what was not chosen is left alone: {sheet}");
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
        assert!(sheet.contains(":is(h1, h2, h3) { font-family: \"Georgia\", serif, system-ui, sans-serif }"));
    }
}

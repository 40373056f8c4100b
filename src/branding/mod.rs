//! How the pages of a site look: its colours, fonts and name (feature-config §8). Pure: what is stored, what is wrong
//! with it, and the stylesheet made of it.

pub mod colour;
pub mod image;
pub mod sheet;

use serde::{Deserialize, Serialize};

use colour::{Colour, READABLE};

/// The longest list of fonts, in characters.
pub const MAX_FONT: usize = 200;
/// The longest name of a company, in characters.
pub const MAX_NAME: usize = 60;

/// One colour of a site's pages.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    Primary,
    Secondary,
    Accent,
    Success,
    Warning,
    Error,
    Info,
    SuccessText,
    WarningText,
    ErrorText,
    InfoText,
    BackgroundPrimary,
    BackgroundSecondary,
    BackgroundTertiary,
    TextPrimary,
    TextSecondary,
    TextMuted,
}

/// Every slot with its name in the API, its label and what it is where a site says nothing: the light theme.
pub const SLOTS: [(Slot, &str, &str, &str); 17] = [
    (Slot::Primary, "primary", "Primary: the main button", "#191c1a"),
    (Slot::Secondary, "secondary", "Secondary: the line under the header, second shares", "#3f9e7f"),
    (Slot::Accent, "accent", "Accent: what is live, focus", "#0b6e52"),
    (Slot::Success, "success", "Success", "#0b6e52"),
    (Slot::Warning, "warning", "Warning", "#875200"),
    (Slot::Error, "error", "Error", "#b3261e"),
    (Slot::Info, "info", "Information", "#1d5b8f"),
    (Slot::SuccessText, "successText", "Text on success", "#ffffff"),
    (Slot::WarningText, "warningText", "Text on warning", "#ffffff"),
    (Slot::ErrorText, "errorText", "Text on error", "#ffffff"),
    (Slot::InfoText, "infoText", "Text on information", "#ffffff"),
    (Slot::BackgroundPrimary, "backgroundPrimary", "Page", "#fafaf7"),
    (Slot::BackgroundSecondary, "backgroundSecondary", "Panels and fields", "#ffffff"),
    (Slot::BackgroundTertiary, "backgroundTertiary", "Sunken: code, badges", "#f2f3ee"),
    (Slot::TextPrimary, "textPrimary", "Text", "#191c1a"),
    (Slot::TextSecondary, "textSecondary", "Second text", "#4b524d"),
    (Slot::TextMuted, "textMuted", "Muted text", "#646b66"),
];

impl Slot {
    pub fn name(self) -> &'static str {
        SLOTS[self as usize].1
    }

    fn usual(self) -> Colour {
        Colour::parse(SLOTS[self as usize].3).unwrap_or(Colour::BLACK)
    }

    /// The slot of that name in the API.
    pub fn named(name: &str) -> Option<Self> {
        SLOTS.iter().find(|(_, have, ..)| *have == name).map(|(slot, ..)| *slot)
    }
}

/// See the module. What is not set is as it is everywhere.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Branding {
    pub company_name: Option<String>,
    /// Names of fonts, separated by commas, as [`fonts`] writes them.
    pub heading_font: Option<String>,
    pub body_font: Option<String>,
    colours: [Option<Colour>; SLOTS.len()],
}

impl Branding {
    /// The colour that is in effect on light pages.
    pub fn colour(&self, slot: Slot) -> Colour {
        self.colours[slot as usize].unwrap_or_else(|| slot.usual())
    }

    /// Sets a colour. The one that is usual counts as none.
    pub fn set(&mut self, slot: Slot, colour: Colour) {
        self.colours[slot as usize] = (colour != slot.usual()).then_some(colour);
    }

    /// Whether everything looks as it does everywhere, but for the name.
    fn is_plain(&self) -> bool {
        *self == Self { company_name: self.company_name.clone(), ..Self::default() }
    }

    fn is_set(&self, slot: Slot) -> bool {
        self.colours[slot as usize].is_some()
    }

    /// Every text that does not stand out enough from where it stands.
    pub fn warnings(&self) -> Vec<Warning> {
        use Slot::{
            BackgroundPrimary, BackgroundSecondary, BackgroundTertiary, Error, ErrorText, Info, InfoText,
            Success, SuccessText, TextMuted, TextPrimary, TextSecondary, Warning as Warn, WarningText,
        };
        let pages = [BackgroundPrimary, BackgroundSecondary, BackgroundTertiary];
        let texts = [TextPrimary, TextSecondary, TextMuted].into_iter();
        let on_pages = texts.flat_map(|text| pages.map(|page| (text, page)));
        let on_meanings = [(SuccessText, Success), (WarningText, Warn), (ErrorText, Error), (InfoText, Info)];
        on_pages
            .chain(on_meanings)
            .filter_map(|(text, background)| {
                let ratio = self.colour(text).contrast(self.colour(background));
                // A text stands on all its backgrounds in one colour, so that must suit every one.
                let all: Vec<Colour> = match pages.contains(&background) {
                    true => pages.map(|page| self.colour(page)).to_vec(),
                    false => vec![self.colour(background)],
                };
                (ratio < READABLE).then(|| Warning {
                    text: text.name(),
                    background: background.name(),
                    // Rounded down: 4.499 is not enough and must not look so.
                    ratio: (ratio * 100.0).floor() / 100.0,
                    suggested: self.colour(text).readable_on(&all).to_string(),
                })
            })
            .collect()
    }
}

/// A text that is hard to read where it stands.
#[derive(Clone, Debug, PartialEq, Serialize, utoipa::ToSchema)]
#[schema(as = ContrastWarning)]
pub struct Warning {
    /// Which text, by the member's name.
    #[schema(value_type = String)]
    pub text: &'static str,
    /// Where it stands.
    #[schema(value_type = String)]
    pub background: &'static str,
    /// The contrast ratio of WCAG 2.2, 1 to 21; 4.5 is enough.
    pub ratio: f64,
    /// The nearest colour for the text that would do, `#rrggbb`.
    pub suggested: String,
}

/// What is stored: the values that were set.
#[derive(Default, Serialize, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Stored {
    #[serde(skip_serializing_if = "Option::is_none")]
    company_name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    heading_font: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    body_font: Option<String>,
    colours: std::collections::BTreeMap<String, String>,
}

impl Branding {
    /// As it is stored.
    pub fn to_json(&self) -> String {
        let set = SLOTS.iter().filter(|(slot, ..)| self.is_set(*slot));
        let stored = Stored {
            company_name: self.company_name.clone(),
            heading_font: self.heading_font.clone(),
            body_font: self.body_font.clone(),
            colours: set.map(|(slot, name, ..)| ((*name).into(), self.colour(*slot).to_string())).collect(),
        };
        serde_json::to_string(&stored).unwrap_or_else(|_| "{}".into())
    }

    /// What was stored; damaged parts count as not set.
    pub fn from_json(text: &str) -> Self {
        let stored: Stored = serde_json::from_str(text).unwrap_or_default();
        let mut branding = Self {
            company_name: stored.company_name,
            heading_font: stored.heading_font.and_then(|text| fonts(&text)),
            body_font: stored.body_font.and_then(|text| fonts(&text)),
            colours: [None; SLOTS.len()],
        };
        for (name, colour) in stored.colours {
            if let (Some(slot), Some(colour)) = (Slot::named(&name), Colour::parse(&colour)) {
                branding.set(slot, colour);
            }
        }
        branding
    }
}

/// Whether a name is one line that reads in one direction: no control characters, and none of those that turn the
/// text behind them around (Unicode's embeddings, overrides and isolates).
pub fn is_plain_line(name: &str) -> bool {
    let turns = |c| matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}');
    !name.chars().any(|c| c.is_control() || turns(c) || matches!(c, '\u{2028}' | '\u{2029}'))
}

/// A list of fonts, as it may stand in a stylesheet: names of letters, digits, spaces and dashes, quoted unless they
/// are generic: those mean nothing in quotes. `None` when it is no such list.
pub fn fonts(text: &str) -> Option<String> {
    const GENERIC: [&str; 13] = [
        "serif",
        "sans-serif",
        "monospace",
        "cursive",
        "fantasy",
        "math",
        "emoji",
        "system-ui",
        "ui-serif",
        "ui-sans-serif",
        "ui-monospace",
        "ui-rounded",
        "-apple-system",
    ];
    if text.chars().count() > MAX_FONT {
        return None;
    }
    let names: Option<Vec<String>> = text
        .split(',')
        .map(|name| {
            let name = name.trim().trim_matches(['"', '\'']).trim();
            let plain = |c: char| c.is_alphanumeric() || c == ' ' || c == '-';
            (!name.is_empty() && name.chars().all(plain)).then(|| {
                let generic = GENERIC.iter().find(|generic| generic.eq_ignore_ascii_case(name));
                generic.map_or_else(|| format!("\"{name}\""), |generic| (*generic).to_owned())
            })
        })
        .collect();
    names.map(|names| names.join(", "))
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
    fn slots_stand_in_their_order() {
        for (at, (slot, name, ..)) in SLOTS.iter().enumerate() {
            assert_eq!((*slot as usize, slot.name(), Slot::named(name)), (at, *name, Some(*slot)));
        }
    }

    #[test]
    fn what_is_usual_is_readable_and_what_is_not_is_told_with_a_remedy() {
        assert_eq!(Branding::default().warnings(), []);
        let branding = with(&[(Slot::TextMuted, "#aaaaaa"), (Slot::Warning, "#ffb020")]);
        let warnings = branding.warnings();
        let told: Vec<_> = warnings.iter().map(|warning| (warning.text, warning.background)).collect();
        let muted = |page| ("textMuted", page);
        let expected = [
            muted("backgroundPrimary"),
            muted("backgroundSecondary"),
            muted("backgroundTertiary"),
            ("warningText", "warning"),
        ];
        assert_eq!(told, expected);
        assert_eq!(warnings[1].ratio, 2.32, "#aaaaaa on white");
        let mut better = branding;
        for warning in warnings {
            let slot = Slot::named(warning.text).expect("a slot");
            better.set(slot, Colour::parse(&warning.suggested).expect("a colour"));
        }
        assert_eq!(better.warnings(), [], "taking every suggestion leaves nothing to say");
    }

    #[test]
    fn what_is_stored_reads_back_and_damage_counts_as_nothing() {
        let mut branding = with(&[(Slot::Accent, "#7a1fa2"), (Slot::TextPrimary, "#191c1a")]);
        branding.company_name = Some("Blå Butik".into());
        branding.body_font = fonts("Georgia, serif");
        let text = branding.to_json();
        assert!(!text.contains("textPrimary"), "as everywhere, so not set: {text}");
        assert_eq!(Branding::from_json(&text), branding);
        assert_eq!(Branding::from_json("{"), Branding::default());
        let damaged = r##"{"bodyFont":"}","colours":{"accent":"red","other":"#000000","error":"#000000"}}"##;
        assert_eq!(Branding::from_json(damaged), with(&[(Slot::Error, "#000000")]));
    }

    #[test]
    fn fonts_are_names_and_nothing_that_could_leave_its_place() {
        assert_eq!(
            fonts("Georgia, 'Times New Roman',serif").as_deref(),
            Some("\"Georgia\", \"Times New Roman\", serif")
        );
        assert_eq!(fonts(&fonts("A-B 2, system-ui").expect("fonts")), fonts("A-B 2, system-ui"));
        for (typed, written) in [
            ("ui-monospace, -apple-system, Serif", "ui-monospace, -apple-system, serif"),
            ("'SYSTEM-UI', Fantasy, Serifa", "system-ui, fantasy, \"Serifa\""),
        ] {
            assert_eq!(fonts(typed).as_deref(), Some(written));
            assert_eq!(fonts(written).as_deref(), Some(written), "what is stored is read as it is");
        }
        for wrong in ["", ",", "a,,b", "a;b", "a}b{", "url(x)", "a\"b", "a\\b", "a/*", "a\nb", "@import"] {
            assert_eq!(fonts(wrong), None, "{wrong:?}");
        }
        assert_eq!(fonts(&"a".repeat(MAX_FONT + 1)), None);
    }
}

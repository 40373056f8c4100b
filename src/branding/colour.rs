//! Colours and how well one reads on another (WCAG 2.2, "relative luminance" and "contrast ratio").

use std::fmt;

/// The least contrast of text in normal size (WCAG 2.2, success criterion 1.4.3).
pub const READABLE: f64 = 4.5;

/// A colour of sRGB, written `#rrggbb`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Colour(pub [u8; 3]);

impl Colour {
    pub const BLACK: Self = Self([0; 3]);
    pub const WHITE: Self = Self([255; 3]);

    /// Reads `#rrggbb`, in letters of either case; nothing else.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.strip_prefix('#').filter(|digits| digits.len() == 6 && digits.is_ascii())?;
        let part = |at: usize| u8::from_str_radix(digits.get(at..at + 2)?, 16).ok();
        digits.bytes().all(|digit| digit.is_ascii_hexdigit()).then_some(())?;
        Some(Self([part(0)?, part(2)?, part(4)?]))
    }

    /// Relative luminance: 0 for black, 1 for white.
    pub fn luminance(self) -> f64 {
        let [r, g, b] = self.0.map(|part| {
            let part = f64::from(part) / 255.0;
            if part <= 0.04045 { part / 12.92 } else { ((part + 0.055) / 1.055).powf(2.4) }
        });
        0.2126 * r + 0.7152 * g + 0.0722 * b
    }

    /// The contrast ratio of two colours: 1 for equal ones, 21 for black and white.
    pub fn contrast(self, other: Self) -> f64 {
        let (a, b) = (self.luminance(), other.luminance());
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    /// Black or white, whichever reads better on this.
    pub fn ink(self) -> Self {
        if self.contrast(Self::WHITE) >= self.contrast(Self::BLACK) { Self::WHITE } else { Self::BLACK }
    }

    /// The contrast with whichever of these it stands out from least.
    pub fn least_contrast(self, backgrounds: &[Self]) -> f64 {
        backgrounds.iter().map(|background| self.contrast(*background)).fold(f64::INFINITY, f64::min)
    }

    /// A share (0 to 1) of the way to another colour.
    pub fn towards(self, other: Self, share: f64) -> Self {
        let mut parts = self.0;
        for (part, goal) in parts.iter_mut().zip(other.0) {
            let way = f64::from(goal) - f64::from(*part);
            *part = (f64::from(*part) + way * share).round().clamp(0.0, 255.0) as u8;
        }
        Self(parts)
    }

    /// The colour nearest to this one that is readable on all of these: the same hue, darker or lighter. Black or
    /// white where no colour is readable on all.
    pub fn readable_on(self, backgrounds: &[Self]) -> Self {
        self.at_least(READABLE, backgrounds)
    }

    /// The same for another contrast than that of readable text.
    pub fn at_least(self, contrast: f64, backgrounds: &[Self]) -> Self {
        let luminances: Vec<f64> = backgrounds.iter().map(|background| background.luminance()).collect();
        let worst = |colour: Self| {
            let own = colour.luminance();
            let with = |other: &f64| (own.max(*other) + 0.05) / (own.min(*other) + 0.05);
            luminances.iter().map(with).fold(f64::INFINITY, f64::min)
        };
        if worst(self) >= contrast {
            return self;
        }
        let steps = |goal: Self| {
            (1..=100).find_map(|step| {
                let colour = self.towards(goal, f64::from(step) / 100.0);
                (worst(colour) >= contrast).then_some((step, colour))
            })
        };
        match (steps(Self::BLACK), steps(Self::WHITE)) {
            (Some((dark, darker)), Some((light, lighter))) => {
                if dark <= light {
                    darker
                } else {
                    lighter
                }
            }
            (Some((_, only)), None) | (None, Some((_, only))) => only,
            (None, None) => {
                if worst(Self::BLACK) >= worst(Self::WHITE) {
                    Self::BLACK
                } else {
                    Self::WHITE
                }
            }
        }
    }

    /// A background for dark pages made from one for light pages: as far from black as that was from white, but never
    /// so light that text would not stand out. What is dark already stays.
    pub fn darkened(self) -> Self {
        if self.luminance() < 0.05 {
            return self;
        }
        // Keeps the hue: mixed with black until no part is above the mirrored distance and a floor.
        let lightest = self.0.iter().copied().max().unwrap_or(0);
        let goal = (255 - lightest).clamp(18, 48);
        let share = 1.0 - f64::from(goal) / f64::from(lightest.max(1));
        self.towards(Self::BLACK, share.max(0.0))
    }
}

impl fmt::Display for Colour {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let [r, g, b] = self.0;
        write!(f, "#{r:02x}{g:02x}{b:02x}")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn colour(text: &str) -> Colour {
        Colour::parse(text).expect("a colour")
    }

    #[test]
    fn only_six_digits_behind_a_hash_are_a_colour() {
        assert_eq!(colour("#0b6E52"), Colour([0x0b, 0x6e, 0x52]));
        assert_eq!(colour("#0b6E52").to_string(), "#0b6e52");
        for wrong in ["", "#", "#fff", "0b6e52", "#0b6e5", "#0b6e522", "#0b6e5g", "#+1+1+1", "#ööö", "red"]
        {
            assert_eq!(Colour::parse(wrong), None, "{wrong}");
        }
    }

    #[test]
    fn contrast_is_that_of_wcag() {
        // Known values: the greys on white from the understanding document of 1.4.3, the rest from its definition.
        for (text, background, ratio) in [
            ("#000000", "#ffffff", 21.0),
            ("#ffffff", "#ffffff", 1.0),
            ("#777777", "#ffffff", 4.478),
            ("#767676", "#ffffff", 4.542),
            ("#949494", "#ffffff", 3.033),
            ("#595959", "#ffffff", 7.005),
            ("#ff0000", "#ffffff", 3.998),
            ("#00ff00", "#ffffff", 1.372),
            ("#0000ff", "#ffffff", 8.592),
            ("#ffff00", "#000000", 19.556),
            ("#ff0000", "#0000ff", 2.149),
            ("#0b6e52", "#ffffff", 6.243),
        ] {
            let found = colour(text).contrast(colour(background));
            assert!((found - ratio).abs() < 0.01, "{text} on {background}: {found}");
            assert!((colour(background).contrast(colour(text)) - found).abs() < 1e-12);
        }
    }

    #[test]
    fn a_suggestion_is_readable_keeps_the_hue_and_is_the_nearest() {
        for (text, backgrounds) in [
            ("#999999", vec!["#ffffff"]),
            ("#ffb020", vec!["#ffffff", "#f2f3ee"]),
            ("#335577", vec!["#101418"]),
            ("#808080", vec!["#000000"]),
            ("#e0e0e0", vec!["#fafaf7", "#ffffff", "#f2f3ee"]),
        ] {
            let backgrounds: Vec<_> = backgrounds.into_iter().map(colour).collect();
            let before = colour(text);
            let found = before.readable_on(&backgrounds);
            for background in &backgrounds {
                assert!(found.contrast(*background) >= READABLE, "{text}: {found} on {background}");
            }
            let order = |colour: Colour| {
                let [r, g, b] = colour.0;
                (r.cmp(&g), g.cmp(&b))
            };
            assert_eq!(order(found), order(before), "{text}: {found}");
        }
        assert_eq!(colour("#191c1a").readable_on(&[Colour::WHITE]), colour("#191c1a"), "good as it is");
        // Between white and black there is just room for one that is readable on both.
        let between = colour("#123456").readable_on(&[Colour::WHITE, Colour::BLACK]);
        for background in [Colour::WHITE, Colour::BLACK] {
            assert!(between.contrast(background) >= READABLE, "{between} on {background}");
        }
    }

    #[test]
    fn every_colour_can_be_made_readable_on_any_one_background() {
        let some: Vec<Colour> =
            (0..216).map(|n: u32| Colour([n / 36, n / 6 % 6, n % 6].map(|part| (part * 51) as u8))).collect();
        for background in &some {
            assert!(background.contrast(background.ink()) >= READABLE, "{background}");
            for text in &some {
                let found = text.readable_on(&[*background]);
                assert!(found.contrast(*background) >= READABLE, "{text} on {background}: {found}");
            }
        }
    }

    #[test]
    fn dark_backgrounds_are_dark_and_keep_their_hue() {
        for light in ["#ffffff", "#fafaf7", "#fff4e0", "#e0f0ff", "#808080", "#ff0000"] {
            let dark = colour(light).darkened();
            assert!(dark.luminance() < 0.05, "{light}: {dark}");
            assert!(dark.contrast(Colour::WHITE) > 12.0, "{light}: {dark}");
        }
        assert_eq!(colour("#0f1210").darkened(), colour("#0f1210"));
    }
}

//! A trend as one line, drawn by the server: a value a day, oldest first.

use maud::{Markup, html};

const WIDTH: f64 = 88.0;
/// Of the lowest value and of the highest, from the top.
const LOW: f64 = 20.0;
const HIGH: f64 = 2.0;

/// The line, with what it shows in words.
pub fn spark(values: &[u64], words: &str) -> Markup {
    let highest = values.iter().copied().max().unwrap_or_default().max(1) as f64;
    let step = WIDTH / values.len().saturating_sub(1).max(1) as f64;
    let mut path = String::with_capacity(values.len() * 12);
    let mut last = LOW;
    for (at, value) in values.iter().enumerate() {
        last = LOW - (LOW - HIGH) * *value as f64 / highest;
        let letter = if at == 0 { 'M' } else { 'L' };
        path += &format!("{letter}{:.0} {last:.1}", step * at as f64);
    }
    html! {
        svg.spark viewBox="0 0 88 22" role="img" aria-label=(words) {
            path d=(path) {}
            circle cx=(WIDTH) cy=(format!("{last:.1}")) r="1.75" {}
        }
    }
}

/// A number in few characters: `950`, `9.1 k`, `184 k`, `1.2 M`; a dash for none.
pub fn short(number: u64) -> String {
    let scaled = |unit: u64, letter: &str| match number as f64 / unit as f64 {
        small if small < 9.95 => format!("{small:.1}\u{a0}{letter}"),
        large => format!("{large:.0}\u{a0}{letter}"),
    };
    match number {
        0 => "–".into(),
        1..=999 => number.to_string(),
        1000..=999_499 => scaled(1000, "k"),
        999_500..=999_499_999 => scaled(1_000_000, "M"),
        _ => scaled(1_000_000_000, "G"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_short() {
        for (number, text) in [
            (0, "–"),
            (7, "7"),
            (999, "999"),
            (1000, "1.0\u{a0}k"),
            (9_949, "9.9\u{a0}k"),
            (9_951, "10\u{a0}k"),
            (184_321, "184\u{a0}k"),
            (999_499, "999\u{a0}k"),
            (999_500, "1.0\u{a0}M"),
            (1_234_567, "1.2\u{a0}M"),
            (2_000_000_000, "2.0\u{a0}G"),
        ] {
            assert_eq!(short(number), text);
        }
    }

    #[test]
    fn a_line_goes_from_low_to_high() {
        let drawn = spark(&[0, 5, 10], "10 a day").into_string();
        assert!(drawn.contains("d=\"M0 20.0L44 11.0L88 2.0\""), "{drawn}");
        assert!(drawn.contains("aria-label=\"10 a day\"") && drawn.contains("cy=\"2.0\""), "{drawn}");
        let flat = spark(&[0, 0], "none").into_string();
        assert!(flat.contains("M0 20.0L88 20.0"), "{flat}");
    }
}

//! Parts that pages share. A view takes values and returns markup; it loads nothing.

pub mod ask;
pub mod form;
pub mod ruler;
pub mod sentence;
pub mod spark;
pub mod stale;
pub mod state;

use maud::{Markup, html};

use super::assets;
use crate::clock::{Millis, rfc3339};

/// An icon of the sprite; it says nothing to screen readers, the word beside it does.
pub fn icon(name: &str) -> Markup {
    html! { svg.i aria-hidden="true" { use href={ (assets::path("icons.svg")) "#" (name) } {} } }
}

/// `1 site`, `2 sites`, `1 014 features`: a number with its word.
pub fn count(number: usize, one: &str, many: &str) -> String {
    format!("{} {}", thin(number), if number == 1 { one } else { many })
}

/// A number with thin spaces between thousands.
pub fn thin(number: usize) -> String {
    let digits = number.to_string();
    let mut out = String::with_capacity(digits.len() + digits.len() / 3 * 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push('\u{2009}');
        }
        out.push(digit);
    }
    out
}

/// How long ago, in words below 30 days, then the date; the full time as title.
pub fn ago(at: Millis, now: Millis) -> Markup {
    let seconds = (now - at).max(0) / 1000;
    let words = match seconds {
        0..=44 => "just now".to_owned(),
        45..=3599 => format!("{} min ago", (seconds / 60).max(1)),
        3600..=86_399 => format!("{} h ago", seconds / 3600),
        86_400..=2_591_999 => format!("{} d ago", seconds / 86_400),
        _ => rfc3339(at)[..10].to_owned(),
    };
    let full = rfc3339(at);
    html! { time.num datetime=(full) title=(full) { (words) } }
}

/// In how long, in words; the full time as title.
pub fn ahead(at: Millis, now: Millis) -> Markup {
    let minutes = (at - now).max(0).unsigned_abs().div_ceil(60_000);
    let words = match minutes {
        0..=1 => "within a minute".to_owned(),
        2..=119 => format!("in {minutes} min"),
        _ => format!("in {} h", minutes / 60),
    };
    let full = rfc3339(at);
    html! { time.num datetime=(full) title=(full) { (words) } }
}

/// What a place is for and how to fill it, where there is nothing yet.
pub fn empty(title: &str, text: &str, action: Option<Markup>) -> Markup {
    html! {
        div.empty {
            h2 { (title) }
            p.m2 { (text) }
            @if let Some(action) = action { (action) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_have_thin_spaces_and_their_word() {
        assert_eq!(thin(0), "0");
        assert_eq!(thin(999), "999");
        assert_eq!(thin(1014), "1\u{2009}014");
        assert_eq!(thin(1_234_567), "1\u{2009}234\u{2009}567");
        assert_eq!(count(1, "site", "sites"), "1 site");
        assert_eq!(count(2, "site", "sites"), "2 sites");
    }
}

//! A QR code as an inline SVG, black on white paper in light and dark alike.

use std::fmt::Write;

use maud::{Markup, html};
use qrcodegen::{QrCode, QrCodeEcc};

/// White around the code, in modules, as the standard wants it.
const QUIET: i32 = 4;

/// Draws a text; nothing when it is too long for a code.
pub fn draw(text: &str, label: &str) -> Markup {
    let Ok(code) = QrCode::encode_text(text, QrCodeEcc::Medium) else { return html! {} };
    let size = code.size();
    let mut path = String::new();
    for y in 0..size {
        let mut x = 0;
        while x < size {
            let start = x;
            while x < size && code.get_module(x, y) {
                x += 1;
            }
            if x > start {
                let run = x - start;
                // Writing into a String does not fail.
                let _ = write!(path, "M{start} {y}h{run}v1h-{run}z");
            }
            x += 1;
        }
    }
    let whole = size + 2 * QUIET;
    html! {
        svg.qr viewBox={ "-" (QUIET) " -" (QUIET) " " (whole) " " (whole) } role="img" aria-label=(label) shape-rendering="crispEdges" {
            rect x={ "-" (QUIET) } y={ "-" (QUIET) } width=(whole) height=(whole) fill="#fff" {}
            path fill="#000" d=(path) {}
        }
    }
}

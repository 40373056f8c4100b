//! The little of Markdown that descriptions use: paragraphs, lists, `code`, **bold**.

use maud::{Markup, html};

/// Paragraphs and lists.
pub fn blocks(text: &str) -> Markup {
    html! {
        @for block in text.split("\n\n").map(str::trim).filter(|block| !block.is_empty()) {
            @if block.starts_with("- ") {
                ul { @for item in block.split("\n- ") { li { (line(item.trim_start_matches("- "))) } } }
            } @else {
                p { (line(block)) }
            }
        }
    }
}

/// One line, or a paragraph without its own element.
pub fn line(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (bold(part)) }
        }
    }
}

fn bold(text: &str) -> Markup {
    html! {
        @for (at, part) in text.split("**").enumerate() {
            @if at % 2 == 1 { b { (part) } } @else { (part) }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn markup_is_escaped_and_marked() {
        assert_eq!(line("a `b<c` **d** & e").into_string(), "a <code>b&lt;c</code> <b>d</b> &amp; e");
        let blocks = blocks("One\ntwo.\n\n- `a` b,\n- c\n  d\n\nEnd").into_string();
        assert_eq!(blocks, "<p>One\ntwo.</p><ul><li><code>a</code> b,</li><li>c\n  d</li></ul><p>End</p>");
    }
}

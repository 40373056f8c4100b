//! Two tabs, one form: a form carries what its fields held when it was opened. Where the stored values are others by
//! then, nothing is saved; both versions are shown, and sending the form once more means it.

use maud::{Markup, html};
use sha2::{Digest, Sha256};

use super::form::{Typed, lines};
use super::icon;
use crate::ui::layout::Toast;

/// The hidden field.
const SEEN: &str = "seen";

/// Name and label of each field that counts.
pub type Fields = &'static [(&'static str, &'static str)];

fn value(of: &Typed, name: &str) -> String {
    of.all(name).map(|text| lines(text.trim())).collect::<Vec<_>>().join(", ")
}

/// What stands for these values.
pub fn digest(stored: &Typed, fields: Fields) -> String {
    let mut all = Sha256::new();
    for (name, _) in fields {
        all.update(value(stored, name));
        all.update([0]);
    }
    all.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The hidden field of a form over these stored values.
pub fn seen(stored: &Typed, fields: Fields) -> Markup {
    html! { input type="hidden" name=(SEEN) value=(digest(stored, fields)); }
}

/// The toast with an Undo that posts the values of before over those of now.
pub fn undo(toast: Toast, action: &str, before: &Typed, now: &Typed, fields: Fields) -> Toast {
    let seen = digest(now, fields);
    let values = fields.iter().flat_map(|(name, _)| before.all(name).map(|value| (*name, value)));
    toast.undo(action, &values.chain([(SEEN, seen.as_str())]).collect::<Vec<_>>())
}

/// Whether somebody else saved other values since this form was opened.
pub fn is_stale(form: &Typed, stored: &Typed, fields: Fields) -> bool {
    form.get(SEEN) != digest(stored, fields)
}

/// Both versions, field by field, with the way to take theirs.
pub fn both(form: &Typed, stored: &Typed, fields: Fields, take_theirs: &str) -> Markup {
    let shown = |text: &str| {
        html! { @if text.is_empty() { span.m3 { "empty" } } @else { span.prewrap { (text) } } }
    };
    html! {
        div.panel.bad.stack role="alert" {
            h2 { (icon("error")) " Nothing was saved" }
            p.s { "Somebody else saved this while you had it open. Save again to put yours over theirs." }
            table.tbl.dense {
                caption.vh { "Both versions" }
                thead { tr { th scope="col" { "Field" } th scope="col" { "Theirs, saved now" } th scope="col" { "Yours, below" } } }
                tbody {
                    @for (name, label) in fields {
                        @let (theirs, yours) = (value(stored, name), value(form, name));
                        @if theirs != yours {
                            tr { th scope="row" { (label) } td { (shown(&theirs)) } td { (shown(&yours)) } }
                        }
                    }
                }
            }
            div.row { a.btn href=(take_theirs) { "Take theirs" } }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIELDS: Fields = &[("name", "Name"), ("tag", "Tags")];

    #[test]
    fn a_form_is_stale_when_a_field_that_counts_differs() {
        let stored = Typed::with(&[("name", "a"), ("tag", "x"), ("tag", "y"), ("other", "1")]);
        let mut form = Typed::with(&[("name", "mine"), ("seen", &digest(&stored, FIELDS))]);
        assert!(!is_stale(&form, &stored, FIELDS));
        assert!(!is_stale(&form, &stored.clone().set("other", "2"), FIELDS));
        assert!(is_stale(&form, &stored.clone().set("name", "theirs"), FIELDS));
        form = form.set("seen", "");
        assert!(is_stale(&form, &stored, FIELDS), "a form without it was not ours");
    }
}

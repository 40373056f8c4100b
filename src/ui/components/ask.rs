//! The question before something that cannot be taken back, as a page of its own. In production it is answered by
//! typing the name of what is meant.

use maud::{Markup, html};

use super::form::{Text, Typed, summary};
use crate::engine::decode::FieldError;

/// The field that the name is typed into.
pub const FIELD: &str = "confirm";

/// See the module.
pub struct Question<'a> {
    pub title: &'a str,
    /// What it is about, as the person knows it; also what is to be typed.
    pub name: &'a str,
    /// What will happen, after the name.
    pub text: Markup,
    /// Where the form goes.
    pub action: String,
    /// The word on the button; the same as in the title.
    pub verb: &'a str,
    pub keep: &'a str,
    /// Where "keep" leads.
    pub back: String,
    /// What kind of name is to be typed ("key", "name"); `None` where a click is enough.
    pub typed: Option<&'a str>,
}

impl Question<'_> {
    /// Whether the form answers it.
    pub fn is_answered(&self, form: &Typed) -> bool {
        match self.typed {
            Some(_) => form.get(FIELD).trim() == self.name,
            None => true,
        }
    }

    /// The message for a form that does not.
    pub fn problem(&self) -> FieldError {
        FieldError {
            field: FIELD.into(),
            message: format!("That is not the {}.", self.typed.unwrap_or("name")),
        }
    }

    /// The panel. `more` stands above the button: hidden fields, further choices.
    pub fn draw(&self, csrf: Markup, form: &Typed, more: &Markup) -> Markup {
        let label = format!("Type the {} to confirm", self.typed.unwrap_or("name"));
        html! {
            div.ask-page {
                form.panel.stack method="post" action=(self.action) {
                    (csrf)
                    h1 { (self.title) }
                    (summary(form, &[FIELD]))
                    p { span.key.b { (self.name) } " " (self.text) }
                    (more)
                    @if self.typed.is_some() { (Text::new(FIELD, &label).required().draw(form)) }
                    div.row {
                        button.btn.danger.main { (self.verb) }
                        a.btn href=(self.back) { (self.keep) }
                    }
                }
            }
        }
    }
}

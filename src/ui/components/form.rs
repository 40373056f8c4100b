//! Fields of forms: label, control, hint, and the message beside the field when it was wrong.

use std::collections::HashMap;

use maud::{Markup, html};

use super::icon;
use crate::engine::decode::FieldError;

/// Text with the line breaks that pages show. Browsers post each of them as CRLF, whatever it was in the page.
pub fn lines(text: &str) -> String {
    text.replace("\r\n", "\n").replace('\r', "\n")
}

/// What was typed, and what was wrong with it.
#[derive(Debug, Default, Clone)]
pub struct Typed {
    values: Vec<(String, String)>,
    errors: HashMap<String, String>,
    /// The field that the page begins in.
    focus: Option<String>,
}

impl Typed {
    /// What a form posted.
    pub fn posted(values: Vec<(String, String)>) -> Self {
        Self { values, ..Self::default() }
    }

    /// What a form shows at first.
    pub fn with(values: &[(&str, &str)]) -> Self {
        Self::posted(values.iter().map(|(name, value)| ((*name).into(), (*value).into())).collect())
    }

    /// The same with messages for its fields.
    pub fn wrong(mut self, errors: &[FieldError]) -> Self {
        for error in errors {
            self.errors.entry(error.field.clone()).or_insert_with(|| error.message.clone());
        }
        self
    }

    /// The same; the page begins in the first of these fields that is wrong.
    pub fn focused(mut self, fields: &[&str]) -> Self {
        let wrong = fields.iter().find(|field| self.errors.contains_key(**field));
        self.focus = wrong.map(|field| (*field).to_owned());
        self
    }

    /// Whether the page begins in this field.
    pub fn has_focus(&self, name: &str) -> bool {
        self.focus.as_deref() == Some(name)
    }

    /// The same with another value for one field.
    pub fn set(mut self, name: &str, value: &str) -> Self {
        self.values.retain(|(have, _)| have != name);
        self.values.push((name.to_owned(), value.to_owned()));
        self
    }

    /// A field's value; empty when there is none.
    pub fn get(&self, name: &str) -> &str {
        self.values.iter().find(|(have, _)| have == name).map(|(_, value)| value.as_str()).unwrap_or_default()
    }

    /// Every value of a field that may stand several times.
    pub fn all<'t>(&'t self, name: &'t str) -> impl Iterator<Item = &'t str> {
        self.values.iter().filter(move |(have, _)| have == name).map(|(_, value)| value.as_str())
    }

    /// Whether a checkbox was ticked.
    pub fn is_on(&self, name: &str) -> bool {
        self.values.iter().any(|(have, _)| have == name)
    }

    /// The message of a field.
    pub fn error(&self, name: &str) -> Option<&str> {
        self.errors.get(name).map(String::as_str)
    }

    pub fn has_errors(&self) -> bool {
        !self.errors.is_empty()
    }

    /// Messages of fields that the form does not show.
    pub fn other_errors(&self, shown: &[&str]) -> Vec<String> {
        let mut others: Vec<String> = self
            .errors
            .iter()
            .filter(|(field, _)| !shown.contains(&field.as_str()))
            .map(|(field, message)| format!("{field} {message}"))
            .collect();
        others.sort();
        others
    }
}

/// A field's message.
pub fn error(name: &str, typed: &Typed) -> Markup {
    html! {
        @if let Some(message) = typed.error(name) {
            span.err id={ (name) "-error" } { (icon("error")) (message) }
        }
    }
}

/// One line of text.
pub struct Text<'a> {
    pub name: &'a str,
    pub label: &'a str,
    pub hint: &'a str,
    pub kind: &'a str,
    pub autocomplete: &'a str,
    pub required: bool,
}

impl<'a> Text<'a> {
    pub fn new(name: &'a str, label: &'a str) -> Self {
        Self { name, label, hint: "", kind: "text", autocomplete: "off", required: false }
    }

    pub fn hint(mut self, hint: &'a str) -> Self {
        self.hint = hint;
        self
    }

    pub fn kind(mut self, kind: &'a str) -> Self {
        self.kind = kind;
        self
    }

    pub fn autocomplete(mut self, autocomplete: &'a str) -> Self {
        self.autocomplete = autocomplete;
        self
    }

    pub fn required(mut self) -> Self {
        self.required = true;
        self
    }

    pub fn draw(&self, typed: &Typed) -> Markup {
        let wrong = typed.error(self.name).is_some();
        let described = match (wrong, self.hint.is_empty()) {
            (true, true) => Some(format!("{}-error", self.name)),
            (true, false) => Some(format!("{0}-error {0}-hint", self.name)),
            (false, false) => Some(format!("{}-hint", self.name)),
            (false, true) => None,
        };
        // A password is never sent back.
        let value = if self.kind == "password" { "" } else { typed.get(self.name) };
        html! {
            div.field {
                label for=(self.name) { (self.label) }
                input id=(self.name) name=(self.name) type=(self.kind) value=(value) autocomplete=(self.autocomplete)
                    autocapitalize="off" spellcheck="false" required[self.required] autofocus[typed.has_focus(self.name)]
                    aria-invalid=[wrong.then_some("true")] aria-describedby=[described];
                (error(self.name, typed))
                @if !self.hint.is_empty() { span.hint id={ (self.name) "-hint" } { (self.hint) } }
            }
        }
    }
}

/// Several lines of text.
pub fn area(name: &str, label: &str, hint: &str, rows: u8, typed: &Typed) -> Markup {
    let wrong = typed.error(name).is_some();
    html! {
        div.field {
            label for=(name) { (label) }
            textarea id=(name) name=(name) rows=(rows) autofocus[typed.has_focus(name)] aria-invalid=[wrong.then_some("true")]
                aria-describedby=[wrong.then(|| format!("{name}-error"))] { "\n" (typed.get(name)) }
            (error(name, typed))
            @if !hint.is_empty() { span.hint { (hint) } }
        }
    }
}

/// A choice from a list of value and label.
pub fn select(name: &str, label: &str, choices: &[(&str, &str)], typed: &Typed) -> Markup {
    let wrong = typed.error(name).is_some();
    html! {
        div.field {
            label for=(name) { (label) }
            select id=(name) name=(name) autofocus[typed.has_focus(name)] aria-invalid=[wrong.then_some("true")] {
                @for (value, label) in choices {
                    option value=(value) selected[typed.get(name) == *value] { (label) }
                }
            }
            (error(name, typed))
        }
    }
}

/// A box to tick.
pub fn check(name: &str, label: &str, typed: &Typed) -> Markup {
    html! { label.check { input type="checkbox" name=(name) value="on" checked[typed.is_on(name)]; " " (label) } }
}

/// Messages that belong to no field of the form.
pub fn summary(typed: &Typed, shown: &[&str]) -> Markup {
    let others = typed.other_errors(shown);
    html! {
        @if !others.is_empty() {
            div.banner.danger role="alert" { (icon("error")) div.grow { @for line in &others { p { (line) } } } }
        }
    }
}

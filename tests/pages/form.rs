//! The forms of a page, read off its HTML as a browser does.

use std::sync::LazyLock;

use regex::Regex;

/// One control.
#[derive(Clone, Debug)]
pub struct Field {
    pub name: String,
    /// `text`, `textarea`, `hidden`, `checkbox`, …
    pub kind: String,
    pub value: String,
    /// Whether a browser would send it as it stands.
    pub sent: bool,
}

/// One form.
#[derive(Clone, Debug)]
pub struct Form {
    pub method: String,
    pub action: String,
    pub fields: Vec<Field>,
}

impl Form {
    /// What a browser would send, with other values for some fields.
    pub fn with(&self, changes: &[(&str, &str)]) -> Vec<(String, String)> {
        let mut fields: Vec<(String, String)> = self
            .fields
            .iter()
            .filter(|field| field.sent && !changes.iter().any(|(name, _)| *name == field.name))
            .map(|field| (field.name.clone(), field.value.clone()))
            .collect();
        fields.extend(changes.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())));
        fields
    }

    /// Whether it is the same form, on the page as it is later. A page may have several that go to one place.
    pub fn is_like(&self, other: &Self) -> bool {
        let shape = |form: &Self| -> Vec<(String, Option<String>)> {
            let op =
                |field: &Field| (field.kind == "hidden" && field.name == "op").then(|| field.value.clone());
            form.fields.iter().map(|field| (field.name.clone(), op(field))).collect()
        };
        (&self.method, &self.action) == (&other.method, &other.action) && shape(self) == shape(other)
    }

    /// Those that a person types into.
    pub fn typed(&self) -> impl Iterator<Item = &Field> {
        let typed =
            ["text", "email", "url", "number", "password", "search", "date", "color", "range", "textarea"];
        self.fields.iter().filter(move |field| typed.contains(&field.kind.as_str()))
    }
}

fn unescape(text: &str) -> String {
    text.replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&quot;", "\"")
        .replace("&#39;", "'")
        .replace("&amp;", "&")
}

fn attribute(tag: &str, name: &str) -> Option<String> {
    static ATTRIBUTE: LazyLock<Regex> =
        LazyLock::new(|| Regex::new(r#"([a-zA-Z-]+)(?:="([^"]*)")?"#).unwrap());
    let mut all = ATTRIBUTE.captures_iter(tag);
    let found = all.find(|attribute| &attribute[1] == name)?;
    Some(found.get(2).map_or(String::new(), |value| unescape(value.as_str())))
}

fn controls(html: &str) -> Vec<(Option<String>, Field)> {
    static TAGS: LazyLock<Regex> = LazyLock::new(|| {
        let tags =
            r"(?s)<(input)([^>]*)>|<(textarea)([^>]*)>(.*?)</textarea>|<(select)([^>]*)>(.*?)</select>";
        Regex::new(tags).unwrap()
    });
    static OPTIONS: LazyLock<Regex> = LazyLock::new(|| Regex::new("<option([^>]*)>").unwrap());
    let mut found = Vec::new();
    for tag in TAGS.captures_iter(html) {
        let part = |at: usize| tag.get(at).map(|text| text.as_str());
        let (attributes, kind, value) = if let Some(attributes) = part(2) {
            let kind = attribute(attributes, "type").filter(|kind| !kind.is_empty()).unwrap_or("text".into());
            let value = attribute(attributes, "value").unwrap_or_default();
            (attributes, kind, value)
        } else if let Some(attributes) = part(4) {
            let text = unescape(part(5).unwrap_or_default());
            (attributes, "textarea".into(), text.strip_prefix('\n').unwrap_or(&text).to_owned())
        } else {
            let all: Vec<&str> = OPTIONS
                .captures_iter(part(8).unwrap_or_default())
                .map(|one| one.get(1).unwrap().as_str())
                .collect();
            let chosen = all.iter().find(|one| attribute(one, "selected").is_some()).or(all.first());
            let value = chosen.and_then(|one| attribute(one, "value")).unwrap_or_default();
            (part(7).unwrap_or_default(), "select".into(), value)
        };
        let Some(name) = attribute(attributes, "name") else { continue };
        let boxed = kind == "checkbox" || kind == "radio";
        let sent = (!boxed || attribute(attributes, "checked").is_some())
            && attribute(attributes, "disabled").is_none();
        found.push((attribute(attributes, "form"), Field { name, kind, value, sent }));
    }
    found
}

/// Every form of a page, in its order.
pub fn forms(page: &str) -> Vec<Form> {
    static FORMS: LazyLock<Regex> = LazyLock::new(|| Regex::new(r"(?s)<form([^>]*)>(.*?)</form>").unwrap());
    let mut outside = FORMS.replace_all(page, "").into_owned();
    let mut forms = Vec::new();
    for form in FORMS.captures_iter(page) {
        let (head, body) = (&form[1], &form[2]);
        let id = attribute(head, "id");
        let mut fields: Vec<Field> = controls(body).into_iter().map(|(_, field)| field).collect();
        if let Some(id) = &id {
            fields.extend(
                controls(&outside).into_iter().filter(|(of, _)| of.as_ref() == Some(id)).map(|(_, f)| f),
            );
            outside = outside.replace(&format!("form=\"{id}\""), "");
        }
        forms.push(Form {
            method: attribute(head, "method").unwrap_or("get".into()),
            action: attribute(head, "action").unwrap_or_default(),
            fields,
        });
    }
    forms
}

/// The form of a page that goes there.
pub fn form(page: &str, action: &str) -> Form {
    let found = forms(page).into_iter().find(|form| form.action == action);
    found.unwrap_or_else(|| panic!("no form to {action} in {page}"))
}

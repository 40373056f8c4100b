//! One operation of the page: what it takes, what it answers, how to ask.

use maud::{Markup, html};
use serde_json::Value;
use utoipa::openapi::path::{Operation, Parameter, ParameterIn};
use utoipa::openapi::schema::Schema;
use utoipa::openapi::{Components, Content, RefOr, Required, Response};

use super::{HERE, example, schema, text};

/// An operation and where it is.
pub struct Place<'a> {
    /// `GET`, in capitals.
    pub method: &'static str,
    /// The path with its parameters in braces.
    pub path: &'a str,
    /// What the description says of it.
    pub operation: &'a Operation,
}

impl Place<'_> {
    /// Its anchor.
    pub fn id(&self) -> &str {
        self.operation.operation_id.as_deref().unwrap_or_default()
    }

    /// Its name.
    pub fn title(&self) -> &str {
        self.operation.summary.as_deref().unwrap_or(self.path)
    }

    fn parameters(&self, of: &ParameterIn) -> Vec<&Parameter> {
        let all = self.operation.parameters.as_deref().unwrap_or_default();
        all.iter().filter(|parameter| parameter.parameter_in == *of).collect()
    }

    /// Names of the credentials of which it takes one; what must stand beside one is told with it.
    pub fn credentials(&self) -> Vec<String> {
        let requirements = serde_json::to_value(&self.operation.security).unwrap_or_default();
        let names =
            |requirement: &Value| requirement.as_object()?.keys().find(|name| *name != "csrfToken").cloned();
        requirements.as_array().map(|all| all.iter().filter_map(names).collect()).unwrap_or_default()
    }
}

/// The method as a mark.
pub fn verb(method: &str) -> Markup {
    let class = match method {
        "GET" => "verb",
        "DELETE" => "verb drop",
        _ => "verb change",
    };
    html! { span class=(class) { (method) } }
}

/// The path, its parameters set apart, with room to break.
pub fn path(path: &str) -> Markup {
    html! {
        code.path {
            @for (at, segment) in path.split('/').enumerate() {
                @if at > 0 { "/" wbr; }
                @match (segment.find('{'), segment.find('}')) {
                    (Some(from), Some(to)) if from < to => {
                        (segment[..from]) span.param { (segment[from..=to]) } (segment[to + 1..])
                    }
                    _ => (segment),
                }
            }
        }
    }
}

/// The whole operation.
pub fn article(place: &Place<'_>, components: &Components, base: &str) -> Markup {
    let operation = place.operation;
    html! {
        article.op id=(place.id()) {
            header {
                h2 { a href={ "#" (place.id()) } { (place.title()) } }
                p.place { (verb(place.method)) (path(place.path)) }
                p.who { (who(&place.credentials())) }
            }
            div.told {
                @if let Some(description) = &operation.description { div.text { (text::blocks(description)) } }
                (parameters(place))
                (request(operation, components))
                (answers(operation))
            }
            div.shown {
                (curl(place, components, base))
                (shown_answers(operation, components))
            }
        }
    }
}

fn who(credentials: &[String]) -> Markup {
    html! {
        @if credentials.is_empty() { "Public" }
        @for (at, name) in credentials.iter().enumerate() {
            @if at > 0 { " or " }
            a href={ (HERE) "#credential-" (name) } { (credential_title(name)) }
        }
    }
}

/// A credential's name in words.
pub fn credential_title(name: &str) -> &str {
    match name {
        "environmentToken" => "Environment token",
        "personalAccessToken" => "Personal access token",
        "apiKey" => "Token in the query",
        "session" => "Session",
        "csrfToken" => "CSRF token",
        other => other,
    }
}

fn parameters(place: &Place<'_>) -> Markup {
    let groups = [
        ("Path", place.parameters(&ParameterIn::Path)),
        ("Query", place.parameters(&ParameterIn::Query)),
        ("Headers", place.parameters(&ParameterIn::Header)),
    ];
    html! {
        @for (title, parameters) in groups.iter().filter(|(_, parameters)| !parameters.is_empty()) {
            h3 { (title) }
            table.tbl.members {
                thead { tr { th scope="col" { "Name" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
                tbody { @for parameter in parameters { (parameter_row(parameter)) } }
            }
        }
    }
}

fn parameter_row(parameter: &Parameter) -> Markup {
    let example = example_of(parameter);
    html! {
        tr {
            th scope="row" {
                code { (parameter.name) }
                @if !matches!(parameter.required, Required::True) { span.opt { "optional" } }
            }
            td.kind { @if let Some(of) = &parameter.schema { (schema::phrase(of)) } }
            td.say {
                @if let Some(description) = &parameter.description { (text::line(description)) }
                @if let (Some(example), ParameterIn::Query | ParameterIn::Header) = (example, &parameter.parameter_in) {
                    " " span.eg { "Such as " code { (schema::plain(&example)) } }
                }
            }
        }
    }
}

fn example_of(parameter: &Parameter) -> Option<Value> {
    serde_json::to_value(parameter).ok()?.get("example").cloned()
}

/// The schema of JSON content, else of whatever there is.
fn main_content<'a>(
    content: impl IntoIterator<Item = (&'a String, &'a Content)> + Copy,
) -> Option<(&'a String, &'a Content)> {
    content.into_iter().find(|(name, _)| *name == "application/json").or_else(|| content.into_iter().next())
}

fn request(operation: &Operation, components: &Components) -> Markup {
    let Some(body) = &operation.request_body else { return html! {} };
    let Some((_, content)) = main_content(&body.content) else { return html! {} };
    let kinds: Vec<&str> = body.content.keys().map(String::as_str).collect();
    html! {
        h3 {
            "Body"
            @if let Some(of) = &content.schema { " " span.of { (schema::phrase(of)) } }
            @if !matches!(body.required, Some(Required::True)) { span.opt { "optional" } }
        }
        @if kinds != ["application/json"] {
            p.s.m2 { "As " (kinds.join(" or ")) "." }
        }
        @if let Some(of) = &content.schema { (schema::body(of, components)) }
    }
}

fn answers(operation: &Operation) -> Markup {
    let (mut own, mut refusals) = (Vec::new(), Vec::new());
    for (status, response) in &operation.responses.responses {
        match response {
            RefOr::T(response) => own.push((status, response)),
            RefOr::Ref(to) => refusals.push((status, schema::reference(&to.ref_location))),
        }
    }
    html! {
        h3 { "Answers" }
        dl.answers {
            @for (status, response) in own { (answer(status, response)) }
            @if !refusals.is_empty() {
                dt.refused { "or" }
                dd.refused {
                    @for (status, name) in refusals {
                        a href={ (HERE) "#refusal-" (name) } { (status) }
                    }
                }
            }
        }
    }
}

fn answer(status: &str, response: &Response) -> Markup {
    let content = main_content(&response.content);
    html! {
        dt { code { (status) } }
        dd {
            p {
                (text::line(&response.description))
                @if let Some((kind, content)) = content {
                    @if kind.as_str() == "application/json" && let Some(of) = &content.schema {
                        " " span.of { (schema::phrase(of)) }
                    } @else {
                        " " span.of { code { (kind) } }
                    }
                }
            }
            @if !response.headers.is_empty() {
                ul.headers {
                    @for (name, header) in &response.headers {
                        li {
                            code { (name) } " "
                            @if let Some(description) = &header.description { (text::line(description)) }
                        }
                    }
                }
            }
        }
    }
}

/// A path that may be broken behind its slashes.
fn breakable(path: &str) -> Markup {
    html! { @for (at, segment) in path.split('/').enumerate() { @if at > 0 { "/" wbr; } (segment) } }
}

/// A request of this operation for a shell, for the reader's own server.
fn curl(place: &Place<'_>, components: &Components, base: &str) -> Markup {
    let body = place.operation.request_body.as_ref().and_then(|body| main_content(&body.content));
    let query: Vec<(&str, String)> = place
        .parameters(&ParameterIn::Query)
        .into_iter()
        .filter(|parameter| parameter.name == "context" || parameter.name == "dryRun")
        .map(|parameter| {
            let example = example_of(parameter).map_or_else(|| "true".into(), |value| schema::plain(&value));
            (parameter.name.as_str(), example)
        })
        .collect();
    let mut url = place.path.to_owned();
    for parameter in place.parameters(&ParameterIn::Path) {
        let example = example_of(parameter).map(|value| schema::plain(&value)).unwrap_or_default();
        url = url.replace(&format!("{{{}}}", parameter.name), &example);
    }
    let mut options = Vec::new();
    let versioned = place.parameters(&ParameterIn::Header).into_iter().find(|p| p.name == "If-Match");
    if let Some(example) = versioned.and_then(example_of) {
        options.push(format!("-H {}", example::quoted(&format!("If-Match: {}", schema::plain(&example)))));
    }
    if let Some((kind, content)) = body {
        options.push(format!("-H {}", example::quoted(&format!("Content-Type: {kind}"))));
        if let Some(value) = example::of_content(content, components) {
            let text = example::pretty(&value, content.schema.as_ref(), components);
            options.push(format!("-d {}", example::quoted(&text).replace('\n', "\n  ")));
        }
    }
    for (name, value) in &query {
        if place.method == "GET" {
            options.push(format!("--data-urlencode {}", example::quoted(&format!("{name}={value}"))));
        } else {
            url = format!("{url}?{name}={value}");
        }
    }
    let streams = place.operation.responses.responses.values().any(|response| {
        matches!(response, RefOr::T(response) if response.content.contains_key("text/event-stream"))
    });
    let flags = match (place.method, query.is_empty(), streams) {
        (_, _, true) => " -N -G",
        ("GET", false, _) => " -G",
        ("GET", true, _) => "",
        // With a body, curl posts.
        ("POST", ..) if body.is_some() => "",
        ("POST", ..) => " -X POST",
        ("PUT", ..) => " -X PUT",
        ("PATCH", ..) => " -X PATCH",
        _ => " -X DELETE",
    };
    let secret = match place.credentials().first().map(String::as_str) {
        Some("personalAccessToken") => Some("alm_pat_…"),
        Some(_) => Some("alm_env_…"),
        None => None,
    };
    html! {
        figure.code {
            figcaption { "Shell" }
            pre {
                "curl" (flags) " '" span.yours { (base) } (breakable(&url)) "'"
                @if let Some(secret) = secret {
                    " \\\n  -H 'Authorization: Bearer " span.yours { (secret) } "'"
                }
                @for option in &options { " \\\n  " (option) }
            }
        }
    }
}

/// An answer as an example, and whom it is for where that matters.
struct Shown<'a> {
    whom: &'a str,
    schema: Option<&'a RefOr<Schema>>,
    value: Option<Value>,
}

fn shown_answers(operation: &Operation, components: &Components) -> Markup {
    let first = operation.responses.responses.iter().find_map(|(status, response)| match response {
        RefOr::T(response) if status.starts_with('2') => Some((status, response)),
        _ => None,
    });
    let Some((status, response)) = first else { return html! {} };
    let Some((_, content)) = main_content(&response.content) else {
        return html! {};
    };
    // Where the body depends on who asks, each gets an example.
    let bodies: Vec<Shown> = match &content.schema {
        Some(RefOr::T(Schema::OneOf(one))) if content.example.is_none() => one
            .items
            .iter()
            .map(|item| Shown {
                whom: schema::description(item).unwrap_or_default(),
                schema: Some(item),
                value: example::of(item, components, 0),
            })
            .collect(),
        schema => {
            let value = example::of_content(content, components);
            vec![Shown { whom: "", schema: schema.as_ref(), value }]
        }
    };
    html! {
        @for Shown { whom, schema, value } in &bodies {
            @if let Some(value) = value {
                figure.code {
                    figcaption { (status) @if !whom.is_empty() { " " (whom.trim_end_matches('.')) } }
                    pre {
                        @match value.as_str() {
                            Some(text) => (text.trim_end()),
                            None => (example::pretty(value, *schema, components)),
                        }
                    }
                }
            }
        }
    }
}

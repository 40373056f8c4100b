//! How the description's schemas look: a type as a phrase, its members as a table.

use std::borrow::Cow;

use maud::{Markup, html};
use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Object, Schema, SchemaType, Type};
use utoipa::openapi::{Components, RefOr};

use super::text;

/// The name behind a reference to a shared schema.
pub fn reference(location: &str) -> &str {
    location.rsplit('/').next().unwrap_or_default()
}

/// Follows references to the schema itself.
pub fn resolve<'a>(schema: &'a RefOr<Schema>, components: &'a Components) -> Option<&'a Schema> {
    match schema {
        RefOr::T(schema) => Some(schema),
        RefOr::Ref(to) => match components.schemas.get(reference(&to.ref_location))? {
            RefOr::T(schema) => Some(schema),
            RefOr::Ref(_) => None,
        },
    }
}

/// Whether this is the schema of `null` alone.
pub fn is_null(schema: &RefOr<Schema>) -> bool {
    matches!(schema, RefOr::T(Schema::Object(object)) if types(&object.schema_type) == [Type::Null])
}

/// The types that a schema allows; none: any.
pub fn types(of: &SchemaType) -> &[Type] {
    match of {
        SchemaType::Type(one) => std::slice::from_ref(one),
        SchemaType::Array(many) => many,
        SchemaType::AnyValue => &[],
    }
}

/// What the description says of a schema.
pub fn description(schema: &RefOr<Schema>) -> Option<&str> {
    let own = match schema {
        RefOr::Ref(to) => return Some(to.description.as_str()).filter(|text| !text.is_empty()),
        RefOr::T(schema) => schema,
    };
    match own {
        Schema::Object(object) => object.description.as_deref(),
        Schema::Array(array) => array.description.as_deref(),
        Schema::OneOf(one) => one.description.as_deref(),
        Schema::AllOf(all) => all.description.as_deref(),
        Schema::AnyOf(any) => any.description.as_deref(),
        _ => None,
    }
}

/// What a schema means in its place, or else what it refers to in general, in a sentence.
fn meaning<'a>(schema: &'a RefOr<Schema>, components: &'a Components) -> Option<&'a str> {
    description(schema).or_else(|| match schema {
        RefOr::Ref(to) => {
            let text = description(components.schemas.get(reference(&to.ref_location))?)?;
            Some(text.find(". ").map_or(text, |end| &text[..=end]))
        }
        RefOr::T(Schema::OneOf(one)) => {
            meaning(one.items.iter().find(|item| matches!(item, RefOr::Ref(_)))?, components)
        }
        RefOr::T(_) => None,
    })
}

/// The type of a member or parameter as a phrase. One that may be left out may also be `null`, which says the same.
pub fn member_phrase(schema: &RefOr<Schema>, optional: bool) -> Markup {
    if !optional {
        return phrase(schema);
    }
    match schema {
        RefOr::T(Schema::OneOf(one)) => {
            let items: Vec<_> = one.items.iter().filter(|item| !is_null(item)).cloned().collect();
            alternatives(&items)
        }
        RefOr::T(Schema::Object(object)) => {
            let mut object = object.clone();
            object.schema_type = not_null(&object.schema_type);
            phrase(&RefOr::T(Schema::Object(object)))
        }
        RefOr::T(Schema::Array(array)) => {
            let mut array = array.clone();
            array.schema_type = not_null(&array.schema_type);
            phrase(&RefOr::T(Schema::Array(array)))
        }
        _ => phrase(schema),
    }
}

fn not_null(of: &SchemaType) -> SchemaType {
    match types(of) {
        [one, Type::Null] | [Type::Null, one] => SchemaType::Type(one.clone()),
        _ => of.clone(),
    }
}

/// A type as a phrase: `list of Rule`, `integer, 1 to 100`, `string or null`. Shared ones are links.
pub fn phrase(schema: &RefOr<Schema>) -> Markup {
    match schema {
        RefOr::Ref(to) => link(reference(&to.ref_location)),
        RefOr::T(Schema::Array(array)) => html! {
            "list"
            @if let ArrayItems::RefOrSchema(items) = &array.items { " of " (plural(items)) }
            @if types(&array.schema_type).contains(&Type::Null) { " or null" }
        },
        RefOr::T(Schema::Object(object)) => object_phrase(object),
        RefOr::T(Schema::OneOf(one)) => alternatives(&one.items),
        RefOr::T(Schema::AnyOf(any)) => alternatives(&any.items),
        RefOr::T(Schema::AllOf(all)) => html! {
            @for (at, item) in all.items.iter().enumerate() { @if at > 0 { " and " } (phrase(item)) }
        },
        RefOr::T(_) => html! { "any" },
    }
}

/// Several of a type.
fn plural(schema: &RefOr<Schema>) -> Markup {
    let simple = match schema {
        RefOr::T(Schema::Object(object)) if object.enum_values.is_none() => {
            match types(&object.schema_type) {
                [Type::String | Type::Integer | Type::Number | Type::Boolean] => true,
                [Type::Object] => object.additional_properties.is_none(),
                _ => false,
            }
        }
        _ => false,
    };
    html! { (phrase(schema)) @if simple { "s" } }
}

/// A link to where a shared schema is shown.
pub fn link(name: &str) -> Markup {
    html! {
        a href={ (super::HERE) "/shapes#shape-" (name) } {
            @match name.strip_prefix("Page_") { Some(of) => { "page of " (of) } None => (name) }
        }
    }
}

fn alternatives(items: &[RefOr<Schema>]) -> Markup {
    // `null` is last, whatever the order in the description.
    let (nulls, others): (Vec<_>, Vec<_>) = items.iter().partition(|item| is_null(item));
    html! {
        @for (at, item) in others.into_iter().chain(nulls).enumerate() { @if at > 0 { " or " } (phrase(item)) }
    }
}

fn object_phrase(object: &Object) -> Markup {
    let types = types(&object.schema_type);
    let nullable = types.len() > 1 && types.contains(&Type::Null);
    if let Some(values) = &object.enum_values {
        return html! {
            @for (at, value) in values.iter().enumerate() { @if at > 0 { ", " } code { (plain(value)) } }
            @if nullable { " or null" }
        };
    }
    let word = match types.iter().find(|one| !matches!(one, Type::Null)) {
        Some(Type::String) => format(object),
        Some(Type::Integer) => "integer",
        Some(Type::Number) => "number",
        Some(Type::Boolean) => "boolean",
        Some(Type::Array) => "list",
        Some(Type::Object) => return map_phrase(object, nullable),
        Some(Type::Null) => "null",
        None if types.is_empty() => "any",
        None => "null",
    };
    html! { (word) @if nullable { " or null" } (bounds(object)) }
}

fn map_phrase(object: &Object, nullable: bool) -> Markup {
    html! {
        @match object.additional_properties.as_deref() {
            Some(AdditionalProperties::RefOr(of)) => { "map of " (phrase(of)) }
            _ => "object",
        }
        @if nullable { " or null" }
    }
}

fn format(object: &Object) -> &'static str {
    let format = object.format.as_ref().and_then(|format| serde_json::to_value(format).ok());
    match format.as_ref().and_then(Value::as_str) {
        Some("date-time") => "time",
        Some("uuid") => "UUID",
        _ => "string",
    }
}

/// The limits of a string or number, as text behind its type.
fn bounds(object: &Object) -> Cow<'static, str> {
    let number = |limit: &Option<utoipa::Number>| limit.as_ref().and_then(|n| serde_json::to_string(n).ok());
    // A bound that a whole number has anyway says nothing.
    let minimum = number(&object.minimum).filter(|minimum| minimum != "0" || object.maximum.is_some());
    match (minimum, number(&object.maximum)) {
        (Some(min), Some(max)) if min == max => return format!(", {min}").into(),
        (Some(min), Some(max)) => return format!(", {min} to {max}").into(),
        (Some(min), None) => return format!(", from {min}").into(),
        (None, Some(max)) => return format!(", up to {max}").into(),
        (None, None) => {}
    }
    match (object.min_length, object.max_length) {
        (Some(min), Some(max)) => format!(", {min} to {max} characters").into(),
        (None, Some(max)) => format!(", at most {max} characters").into(),
        _ => "".into(),
    }
}

/// A JSON value as people write it: strings without quotes.
pub fn plain(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}

/// What a shared schema or a body is: its members, its alternatives, or its values.
pub fn body(schema: &RefOr<Schema>, components: &Components) -> Markup {
    let Some(schema) = resolve(schema, components) else { return html! {} };
    match schema {
        Schema::Object(object) if !object.properties.is_empty() => members(object, components),
        Schema::Object(object) if object.enum_values.is_some() => html! {
            ul.values {
                @for value in object.enum_values.iter().flatten() { li { code { (plain(value)) } } }
            }
        },
        Schema::AllOf(all) => html! {
            @for item in &all.items {
                @match item {
                    RefOr::Ref(to) => p { "Everything of " (link(reference(&to.ref_location))) ", and:" },
                    inline => (body(inline, components)),
                }
            }
        },
        Schema::OneOf(one) => one_of(&one.items, components),
        Schema::AnyOf(any) => one_of(&any.items, components),
        Schema::Object(_) | Schema::Array(_) => html! { p.m2 { (phrase(&RefOr::T(schema.clone()))) } },
        _ => html! {},
    }
}

fn one_of(items: &[RefOr<Schema>], components: &Components) -> Markup {
    let inline =
        |item: &RefOr<Schema>| matches!(item, RefOr::T(Schema::Object(o)) if !o.properties.is_empty());
    html! {
        @if items.iter().any(inline) {
            @for (at, item) in items.iter().enumerate() { @if at > 0 { p.alternative { "or" } } (body(item, components)) }
        } @else {
            p.m2 { "One of:" }
            ul.alternatives {
                @for item in items {
                    li { (phrase(item)) @if let Some(text) = meaning(item, components) { ": " (text::line(text)) } }
                }
            }
        }
    }
}

fn members(object: &Object, components: &Components) -> Markup {
    html! {
        table.tbl.members {
            thead { tr { th scope="col" { "Member" } th scope="col" { "Type" } th scope="col" { "Meaning" } } }
            tbody {
                @for (name, schema) in &object.properties {
                    tr {
                        th scope="row" {
                            code { (name) }
                            @if !object.required.contains(name) { span.opt { "optional" } }
                        }
                        td.kind { (member_phrase(schema, !object.required.contains(name))) }
                        td.say { @if let Some(text) = meaning(schema, components) { (text::line(text)) } }
                    }
                }
            }
        }
    }
}

//! Worked examples as text: JSON in the order of its schema, and requests for curl.

use serde_json::Value;
use utoipa::openapi::schema::{AdditionalProperties, ArrayItems, Object, Schema, Type};
use utoipa::openapi::{Components, Content, RefOr};

use super::schema::{is_null, resolve, types};

/// Lines of examples are at most this long, where they can be broken.
const WIDTH: usize = 54;

/// The example of a body: its own, its schema's, or one put together from its parts.
pub fn of_content(content: &Content, components: &Components) -> Option<Value> {
    content.example.clone().or_else(|| content.schema.as_ref().and_then(|schema| of(schema, components, 0)))
}

/// The example of a schema.
pub fn of(schema: &RefOr<Schema>, components: &Components, depth: usize) -> Option<Value> {
    if depth > 6 {
        return None;
    }
    let own =
        |example: &Option<Value>, examples: &[Value]| example.clone().or_else(|| examples.first().cloned());
    match resolve(schema, components)? {
        Schema::Object(object) => {
            own(&object.example, &object.examples).or_else(|| of_object(object, components, depth))
        }
        Schema::Array(array) => own(&array.example, &array.examples).or_else(|| match &array.items {
            ArrayItems::RefOrSchema(items) => Some(Value::Array(vec![of(items, components, depth + 1)?])),
            ArrayItems::False => Some(Value::Array(Vec::new())),
        }),
        Schema::OneOf(one) => own(&one.example, &one.examples).or_else(|| {
            let first = one.items.iter().find(|item| !is_null(item))?;
            of(first, components, depth + 1)
        }),
        Schema::AllOf(all) => own(&all.example, &all.examples).or_else(|| {
            let mut members = serde_json::Map::new();
            for part in all.items.iter().filter_map(|item| of(item, components, depth + 1)) {
                if let Value::Object(part) = part {
                    members.extend(part);
                }
            }
            Some(Value::Object(members))
        }),
        _ => None,
    }
}

fn of_object(object: &Object, components: &Components, depth: usize) -> Option<Value> {
    if let Some(value) = object.enum_values.as_ref().and_then(|values| values.first()) {
        return Some(value.clone());
    }
    let types = types(&object.schema_type);
    if types.contains(&Type::Null) {
        return Some(Value::Null);
    }
    Some(match types.first()? {
        Type::Object => {
            let required = object.properties.iter().filter(|(name, _)| object.required.contains(name));
            let members = required
                .filter_map(|(name, schema)| Some((name.clone(), of(schema, components, depth + 1)?)))
                .collect();
            Value::Object(members)
        }
        Type::Array => Value::Array(Vec::new()),
        Type::String => "…".into(),
        Type::Integer | Type::Number => 1.into(),
        Type::Boolean => true.into(),
        Type::Null => Value::Null,
    })
}

/// JSON as text, its members in the order of the schema, its lines short.
pub fn pretty(value: &Value, schema: Option<&RefOr<Schema>>, components: &Components) -> String {
    let mut out = String::new();
    Writer { components }.write(&mut out, value, schema, 0, 0);
    out
}

struct Writer<'a> {
    components: &'a Components,
}

/// An element or a member with its schema.
struct Part<'v, 'a> {
    /// Of a member.
    name: Option<&'v str>,
    value: &'v Value,
    schema: Option<&'a RefOr<Schema>>,
}

impl Part<'_, '_> {
    /// `"name": ` before the value of a member.
    fn label(&self) -> String {
        self.name.map(|name| format!("{}: ", Value::from(name))).unwrap_or_default()
    }
}

impl<'a> Writer<'a> {
    /// Writes a value that begins at `column`, on one line where it fits.
    fn write(
        &self,
        out: &mut String,
        value: &Value,
        schema: Option<&'a RefOr<Schema>>,
        indent: usize,
        column: usize,
    ) {
        let line = self.line(value, schema);
        let parts = self.parts(value, schema);
        if parts.is_empty() || column + line.chars().count() <= WIDTH {
            out.push_str(&line);
            return;
        }
        let (open, close) = if value.is_array() { ('[', ']') } else { ('{', '}') };
        out.push(open);
        for (at, part) in parts.iter().enumerate() {
            out.push_str(if at > 0 { ",\n" } else { "\n" });
            let inner = indent + 2;
            out.extend(std::iter::repeat_n(' ', inner));
            let label = part.label();
            out.push_str(&label);
            self.write(out, part.value, part.schema, inner, inner + label.chars().count() + 1);
        }
        out.push('\n');
        out.extend(std::iter::repeat_n(' ', indent));
        out.push(close);
    }

    fn line(&self, value: &Value, schema: Option<&'a RefOr<Schema>>) -> String {
        let parts = self.parts(value, schema);
        let text = |part: &Part| format!("{}{}", part.label(), self.line(part.value, part.schema));
        let inner = || parts.iter().map(text).collect::<Vec<_>>().join(", ");
        match value {
            Value::Array(_) => format!("[{}]", inner()),
            Value::Object(_) => format!("{{{}}}", inner()),
            scalar => scalar.to_string(),
        }
    }

    /// The elements or members of a value, members in the order of their schema.
    fn parts<'v>(&self, value: &'v Value, schema: Option<&'a RefOr<Schema>>) -> Vec<Part<'v, 'a>> {
        let resolved = schema.and_then(|schema| resolve(schema, self.components));
        match value {
            Value::Array(items) => {
                let schema = items_of(resolved);
                items.iter().map(|value| Part { name: None, value, schema }).collect()
            }
            Value::Object(members) => {
                let known = self.properties(value, resolved);
                let place = |name: &str| known.iter().position(|(have, _)| *have == name);
                let mut parts: Vec<_> = members
                    .iter()
                    .map(|(name, value)| {
                        let schema = place(name).map(|at| known[at].1).or_else(|| additional(resolved));
                        Part { name: Some(name), value, schema }
                    })
                    .collect();
                parts.sort_by_key(|part| part.name.and_then(place).unwrap_or(usize::MAX));
                parts
            }
            _ => Vec::new(),
        }
    }

    fn properties(&self, value: &Value, schema: Option<&'a Schema>) -> Vec<(&'a str, &'a RefOr<Schema>)> {
        let inside = |items: &'a [RefOr<Schema>]| {
            items
                .iter()
                .filter_map(|item| resolve(item, self.components))
                .map(|item| self.properties(value, Some(item)))
                .collect::<Vec<_>>()
        };
        match schema {
            Some(Schema::Object(object)) => {
                object.properties.iter().map(|(name, schema)| (name.as_str(), schema)).collect()
            }
            Some(Schema::AllOf(all)) => inside(&all.items).concat(),
            // The alternative that knows most of the members.
            Some(Schema::OneOf(one)) => inside(&one.items)
                .into_iter()
                .max_by_key(|known| known.iter().filter(|(name, _)| value.get(name).is_some()).count())
                .unwrap_or_default(),
            _ => Vec::new(),
        }
    }
}

fn items_of(schema: Option<&Schema>) -> Option<&RefOr<Schema>> {
    match schema? {
        Schema::Array(array) => match &array.items {
            ArrayItems::RefOrSchema(items) => Some(items),
            ArrayItems::False => None,
        },
        _ => None,
    }
}

fn additional(schema: Option<&Schema>) -> Option<&RefOr<Schema>> {
    match schema? {
        Schema::Object(object) => match object.additional_properties.as_deref() {
            Some(AdditionalProperties::RefOr(schema)) => Some(schema),
            _ => None,
        },
        _ => None,
    }
}

/// Text between single quotes for a shell.
pub fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', "'\\''"))
}

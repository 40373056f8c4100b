//! The part of JSON Schema that the description uses, checked strictly: a member that is not described is an error.

use serde_json::Value;

/// Everything about `value` that is not as `schema` says, with where.
pub fn problems(document: &Value, schema: &Value, value: &Value) -> Vec<String> {
    let mut found = Vec::new();
    check(document, schema, value, "", &mut found);
    found
}

/// Follows `$ref`s.
pub fn resolve<'d>(document: &'d Value, schema: &'d Value) -> &'d Value {
    match schema.get("$ref").and_then(Value::as_str) {
        Some(to) => {
            let pointer = to.strip_prefix('#').expect("a reference into the document");
            resolve(document, document.pointer(pointer).unwrap_or_else(|| panic!("{to} is not there")))
        }
        None => schema,
    }
}

fn check(document: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    let schema = resolve(document, schema);
    if let Some(all) = schema["allOf"].as_array() {
        // The parts know some of the members each; together they know all.
        let mut known = Vec::new();
        for part in all {
            let part = resolve(document, part);
            known.extend(part["properties"].as_object().into_iter().flatten().map(|(name, _)| name.clone()));
            members(document, part, value, path, found);
        }
        unknown(value, &known, path, found);
        return;
    }
    if let Some(one) = schema["oneOf"].as_array() {
        let tried: Vec<Vec<String>> = one.iter().map(|item| problems(document, item, value)).collect();
        let fits = tried.iter().filter(|problems| problems.is_empty()).count();
        if fits != 1 {
            found.push(format!("{path}: fits {fits} alternatives instead of one: {tried:?} for {value}"));
        }
        return;
    }
    if let Some(values) = schema["enum"].as_array()
        && !values.contains(value)
        && !value.is_null()
    {
        found.push(format!("{path}: {value} is none of {values:?}"));
    }
    let types: Vec<&str> = match &schema["type"] {
        Value::String(one) => vec![one],
        Value::Array(many) => many.iter().filter_map(Value::as_str).collect(),
        _ => return,
    };
    let has = match value {
        Value::Null => "null",
        Value::Bool(_) => "boolean",
        Value::Number(number) if number.is_f64() => "number",
        Value::Number(_) if types.contains(&"number") => "number",
        Value::Number(_) => "integer",
        Value::String(_) => "string",
        Value::Array(_) => "array",
        Value::Object(_) => "object",
    };
    if !types.contains(&has) {
        found.push(format!("{path}: {value} is a {has}, not {types:?}"));
        return;
    }
    match value {
        Value::String(text) => string(schema, text, path, found),
        Value::Number(number) => {
            let number = number.as_f64().expect("a number");
            let inside = schema["minimum"].as_f64().is_none_or(|min| min <= number)
                && schema["maximum"].as_f64().is_none_or(|max| number <= max);
            if !inside {
                found.push(format!("{path}: {number} is out of bounds"));
            }
        }
        Value::Array(items) => {
            for (at, item) in items.iter().enumerate() {
                check(document, &schema["items"], item, &format!("{path}[{at}]"), found);
            }
        }
        Value::Object(_) => {
            members(document, schema, value, path, found);
            if let Some(properties) = schema["properties"].as_object() {
                let known: Vec<String> = properties.keys().cloned().collect();
                unknown(value, &known, path, found);
            }
        }
        _ => {}
    }
}

fn members(document: &Value, schema: &Value, value: &Value, path: &str, found: &mut Vec<String>) {
    for name in schema["required"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        if value.get(name).is_none() {
            found.push(format!("{path}.{name}: is missing"));
        }
    }
    for (name, part) in value.as_object().into_iter().flatten() {
        let of = match schema["properties"].get(name) {
            Some(of) => of,
            None if schema["additionalProperties"].is_object() => &schema["additionalProperties"],
            None => continue,
        };
        check(document, of, part, &format!("{path}.{name}"), found);
    }
}

fn unknown(value: &Value, known: &[String], path: &str, found: &mut Vec<String>) {
    for name in value.as_object().into_iter().flatten().map(|(name, _)| name) {
        if !known.contains(name) {
            found.push(format!("{path}.{name}: is not described"));
        }
    }
}

fn string(schema: &Value, text: &str, path: &str, found: &mut Vec<String>) {
    let fits = match schema["format"].as_str() {
        Some("uuid") => uuid::Uuid::parse_str(text).is_ok(),
        Some("date") => featured::clock::parse(&format!("{text}T00:00:00Z")).is_some(),
        Some("date-time") => featured::clock::parse(text).is_some(),
        Some(other) => panic!("{path}: the format {other} is not checked here"),
        None => true,
    };
    let length = text.chars().count() as u64;
    let fits = fits
        && schema["minLength"].as_u64().is_none_or(|min| min <= length)
        && schema["maxLength"].as_u64().is_none_or(|max| length <= max)
        && schema["pattern"].as_str().is_none_or(|p| regex::Regex::new(p).expect("a pattern").is_match(text));
    if !fits {
        found.push(format!("{path}: {text:?} is not as {schema} says"));
    }
}

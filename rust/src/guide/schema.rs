//! A JSON schema checked before it is compiled: its size, and that every keyword in it will be obeyed.
//!
//! llguidance refuses keywords of the standard that it lacks and passes over those that it has never heard of. A schema
//! that is silently obeyed in part is worse than an error, so both are refused here, with the place.

use serde_json::{Map, Value};

use crate::ffi::{Code, Failure};

const MAX_BYTES: usize = 256 << 10;
const MAX_DEPTH: usize = 64;
const MAX_PROPERTIES: usize = 1000;
const MAX_ENUM_VALUES: usize = 5000;
const MAX_BRANCHES: usize = 1000;
const MAX_PATTERN_BYTES: usize = 4 << 10;
/// Where one text may have to match several of them: whether any text does may take 2^n steps to find out.
const MAX_JOINED_PATTERNS: usize = 12;

/// What a keyword holds.
enum Holds {
    /// A value that no schema stands in.
    Value,
    Schema,
    SchemaOrList,
    Branches,
    SchemasByName,
    Enum,
    Pattern,
    Reference,
}

/// Keywords that are obeyed, or say nothing about the text.
fn keyword(name: &str) -> Option<Holds> {
    Some(match name {
        "additionalProperties" | "additionalItems" => Holds::Schema,
        "items" => Holds::SchemaOrList,
        "anyOf" | "oneOf" | "allOf" | "prefixItems" => Holds::Branches,
        "properties" | "patternProperties" | "$defs" | "definitions" => Holds::SchemasByName,
        "enum" => Holds::Enum,
        "pattern" => Holds::Pattern,
        "$ref" => Holds::Reference,
        "type" | "const" | "format" | "required" | "minLength" | "maxLength" | "minItems"
        | "maxItems" | "minProperties" | "maxProperties" | "minimum" | "maximum"
        | "exclusiveMinimum" | "exclusiveMaximum" | "multipleOf" => Holds::Value,
        "$schema" | "$id" | "id" | "$comment" | "title" | "description" | "default"
        | "examples" | "readOnly" | "writeOnly" | "deprecated" | "contentMediaType"
        | "contentEncoding" => Holds::Value,
        _ => return None,
    })
}

#[derive(Default)]
struct Counts {
    properties: usize,
    enum_values: usize,
    branches: usize,
    patterns: usize,
    joins: bool,
}

/// The schema as an object, whatever it came as.
pub fn parse(source: &str) -> Result<Value, Failure> {
    if source.len() > MAX_BYTES {
        let bytes = source.len();
        return Err(too_large(format!("it has {bytes} bytes; at most {MAX_BYTES} are possible")));
    }
    let schema: Value = serde_json::from_str(source)
        .map_err(|e| Failure::argument(format!("it is not JSON: {e}")))?;
    let mut counts = Counts::default();
    counts.check(&schema, "", 0)?;
    if counts.joins && counts.patterns > MAX_JOINED_PATTERNS {
        let message = format!(
            "it joins schemas (allOf, or $ref, anyOf or oneOf beside others) and has {} patterns and formats; then at \
             most {MAX_JOINED_PATTERNS} are possible",
            counts.patterns
        );
        return Err(too_large(message));
    }
    match schema {
        Value::Bool(true) => Ok(Value::Object(Map::new())),
        Value::Bool(false) => Err(Failure::argument("the schema false allows nothing")),
        schema => Ok(schema),
    }
}

impl Counts {
    /// `place` is the JSON pointer of `schema`, `depth` its level.
    fn check(&mut self, schema: &Value, place: &str, depth: usize) -> Result<(), Failure> {
        if depth > MAX_DEPTH {
            return Err(too_large(format!("schemas nest deeper than {MAX_DEPTH} levels")));
        }
        let object = match schema {
            Value::Bool(_) => return Ok(()),
            Value::Object(object) => object,
            _ => return Err(at(place, "a schema is an object, true or false")),
        };
        self.count_patterns(object);
        for (name, value) in object {
            let inside = format!("{place}/{name}");
            match keyword(name) {
                Some(holds) => self.check_keyword(holds, value, &inside, depth)?,
                None => return Err(at(place, &format!("the keyword \"{name}\" is not supported"))),
            }
        }
        check_bounds(object, place)
    }

    fn count_patterns(&mut self, object: &Map<String, Value>) {
        let has = |names: &[&str]| names.iter().filter(|name| object.contains_key(**name)).count();
        let own = has(&["pattern", "format"]);
        self.patterns += own;
        let others = has(&["anyOf", "oneOf", "$ref"]);
        self.joins |= object.contains_key("allOf") || others + own.min(1) > 1;
    }

    fn check_keyword(
        &mut self,
        holds: Holds,
        value: &Value,
        place: &str,
        depth: usize,
    ) -> Result<(), Failure> {
        match holds {
            Holds::Value => Ok(()),
            Holds::Schema => self.check(value, place, depth + 1),
            Holds::SchemaOrList if !value.is_array() => self.check(value, place, depth + 1),
            Holds::SchemaOrList | Holds::Branches => self.check_branches(value, place, depth),
            Holds::SchemasByName => self.check_named(value, place, depth),
            Holds::Enum => self.check_enum(value, place),
            Holds::Pattern => check_pattern(value, place),
            Holds::Reference => check_reference(value, place),
        }
    }

    fn check_branches(&mut self, value: &Value, place: &str, depth: usize) -> Result<(), Failure> {
        let branches = value.as_array().ok_or_else(|| at(place, "it must be a list of schemas"))?;
        count(&mut self.branches, branches.len(), MAX_BRANCHES, "branches")?;
        for (index, branch) in branches.iter().enumerate() {
            self.check(branch, &format!("{place}/{index}"), depth + 1)?;
        }
        Ok(())
    }

    fn check_named(&mut self, value: &Value, place: &str, depth: usize) -> Result<(), Failure> {
        let named =
            value.as_object().ok_or_else(|| at(place, "it must be an object of schemas"))?;
        count(&mut self.properties, named.len(), MAX_PROPERTIES, "properties and definitions")?;
        for (name, schema) in named {
            self.check(schema, &format!("{place}/{name}"), depth + 1)?;
        }
        Ok(())
    }

    fn check_enum(&mut self, value: &Value, place: &str) -> Result<(), Failure> {
        let values = value.as_array().ok_or_else(|| at(place, "it must be a list of values"))?;
        if values.is_empty() {
            return Err(at(place, "it is empty, so nothing is allowed"));
        }
        count(&mut self.enum_values, values.len(), MAX_ENUM_VALUES, "values of enums")
    }
}

fn count(counter: &mut usize, more: usize, most: usize, things: &str) -> Result<(), Failure> {
    *counter += more;
    if *counter <= most {
        return Ok(());
    }
    Err(too_large(format!("it has more than {most} {things}")))
}

fn check_pattern(value: &Value, place: &str) -> Result<(), Failure> {
    let bytes = value.as_str().ok_or_else(|| at(place, "it must be a text"))?.len();
    if bytes <= MAX_PATTERN_BYTES {
        return Ok(());
    }
    Err(too_large(format!("{place}: {bytes} bytes; at most {MAX_PATTERN_BYTES} are possible")))
}

fn check_reference(value: &Value, place: &str) -> Result<(), Failure> {
    let reference = value.as_str().ok_or_else(|| at(place, "it must be a text"))?;
    if reference.starts_with('#') {
        return Ok(());
    }
    Err(at(place, "only references into the schema itself (#/...) are followed"))
}

/// Bounds that exclude everything.
fn check_bounds(object: &Map<String, Value>, place: &str) -> Result<(), Failure> {
    let bounds = [
        ("minLength", "maxLength"),
        ("minItems", "maxItems"),
        ("minProperties", "maxProperties"),
        ("minimum", "maximum"),
    ];
    for (low, high) in bounds {
        let number = |name: &str| object.get(name).and_then(Value::as_f64);
        if let (Some(least), Some(most)) = (number(low), number(high)) {
            if least > most {
                return Err(at(
                    place,
                    &format!("{low} is more than {high}, so nothing is allowed"),
                ));
            }
        }
    }
    Ok(())
}

fn at(place: &str, what: &str) -> Failure {
    let place = if place.is_empty() { "the schema" } else { place };
    Failure::argument(format!("{place}: {what}"))
}

fn too_large(message: String) -> Failure {
    Failure::new(Code::ResourceLimit, message)
}

//! What a request may ask of a grammar, checked for size and nesting, as llguidance takes it.

use llguidance::api::TopLevelGrammar;
use llguidance::JsonCompileOptions;
use serde_json::{json, Value};

use super::schema;
use crate::ffi::{Code, Failure};

/// The numbers are those of `StrataGrammarKind` in ffi.h.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    JsonSchema,
    JsonObject,
    Regex,
    Choice,
    Lark,
    LarkWithSchemas,
}

impl Kind {
    pub fn from_number(number: i32) -> Option<Kind> {
        let all = [
            Kind::JsonSchema,
            Kind::JsonObject,
            Kind::Regex,
            Kind::Choice,
            Kind::Lark,
            Kind::LarkWithSchemas,
        ];
        usize::try_from(number).ok().and_then(|index| all.get(index).copied())
    }
}

const MAX_REGEX_BYTES: usize = 16 << 10;
const MAX_LARK_BYTES: usize = 64 << 10;
const MAX_LARK_NESTING: usize = 64;
const MAX_SCHEMAS_BYTES: usize = 256 << 10;
const MAX_CHOICES: usize = 1024;
const MAX_CHOICE_BYTES: usize = 64 << 10;

/// What stands between the parts of a JSON text that people read: a space, or a new line and its indent. No more: small
/// models fill whatever is allowed with blank lines, and nothing else would ever end a run of them.
const BLANKS: &str = r"\x20|\x0D?\x0A(\x20{0,32}|\x09{0,16})";

pub fn grammar(kind: Kind, source: &str) -> Result<TopLevelGrammar, Failure> {
    match kind {
        Kind::JsonSchema => Ok(of_schema(schema::parse(source)?)),
        Kind::JsonObject => Ok(of_schema(json!({"type": "object"}))),
        Kind::Regex => of_regex(source),
        Kind::Choice => of_choices(source),
        Kind::Lark => of_lark(source),
        Kind::LarkWithSchemas => of_lark_with_schemas(source),
    }
}

fn of_schema(schema: Value) -> TopLevelGrammar {
    TopLevelGrammar::from_json_schema(with_blanks(schema))
}

fn with_blanks(mut schema: Value) -> Value {
    let options = JsonCompileOptions {
        whitespace_pattern: Some(BLANKS.to_string()),
        ..JsonCompileOptions::default()
    };
    options.apply_to(&mut schema);
    schema
}

fn of_regex(regex: &str) -> Result<TopLevelGrammar, Failure> {
    check_bytes(regex.len(), MAX_REGEX_BYTES)?;
    if regex.is_empty() {
        return Err(Failure::argument("it is empty"));
    }
    Ok(TopLevelGrammar::from_regex(without_anchors(regex)))
}

/// The whole text must match in any case, so anchors around the whole expression say nothing.
fn without_anchors(regex: &str) -> &str {
    if regex.contains('|') {
        return regex;
    }
    let inner = regex.strip_prefix('^').unwrap_or(regex);
    match inner.strip_suffix('$') {
        Some(rest) if (rest.len() - rest.trim_end_matches('\\').len()) % 2 == 0 => rest,
        _ => inner,
    }
}

fn of_choices(source: &str) -> Result<TopLevelGrammar, Failure> {
    check_bytes(source.len(), MAX_CHOICE_BYTES)?;
    let choices: Vec<String> = serde_json::from_str(source)
        .map_err(|_| Failure::argument("it must be a list of texts"))?;
    if choices.is_empty() || choices.len() > MAX_CHOICES {
        let count = choices.len();
        return Err(Failure::argument(format!("{count} choices; 1 to {MAX_CHOICES} are possible")));
    }
    if choices.iter().any(String::is_empty) {
        return Err(Failure::argument("one of the choices is empty"));
    }
    let schema = json!({"enum": choices});
    let literals: Vec<String> =
        schema["enum"].as_array().into_iter().flatten().map(Value::to_string).collect();
    Ok(TopLevelGrammar::from_lark(format!("start: CHOICE\nCHOICE: {}\n", literals.join(" | "))))
}

fn of_lark(source: &str) -> Result<TopLevelGrammar, Failure> {
    check_bytes(source.len(), MAX_LARK_BYTES)?;
    if source.contains("::=") {
        return Err(Failure::argument("it is not Lark: write rules as `start: \"a\" | other`"));
    }
    if lark_nesting(source) > MAX_LARK_NESTING {
        let message = format!("brackets nest deeper than {MAX_LARK_NESTING} levels");
        return Err(Failure::new(Code::ResourceLimit, message));
    }
    Ok(TopLevelGrammar::from_lark(source.to_string()))
}

/// Rules in Lark, and under "schemas" pairs of a name for errors and a schema, which the rules call `schema_0` and so on.
/// The schemas are held to what schemas alone are held to.
fn of_lark_with_schemas(source: &str) -> Result<TopLevelGrammar, Failure> {
    let parts: Value = serde_json::from_str(source)
        .map_err(|_| Failure::argument("it must be an object with rules and schemas"))?;
    let mut lark = parts["lark"].as_str().unwrap_or_default().to_string();
    check_bytes(lark.len(), MAX_LARK_BYTES)?;
    let mut bytes = 0;
    for (index, pair) in parts["schemas"].as_array().into_iter().flatten().enumerate() {
        let name = pair[0].as_str().unwrap_or_default();
        let text = pair[1].to_string();
        bytes += text.len();
        check_bytes(bytes, MAX_SCHEMAS_BYTES)?;
        let checked = schema::parse(&text)
            .map_err(|e| Failure::new(e.code, format!("{name}: {}", e.message)))?;
        lark.push_str(&format!("schema_{index}: %json {}\n", with_blanks(checked)));
    }
    Ok(TopLevelGrammar::from_lark(lark))
}

fn check_bytes(bytes: usize, most: usize) -> Result<(), Failure> {
    if bytes <= most {
        return Ok(());
    }
    Err(Failure::new(
        Code::ResourceLimit,
        format!("it has {bytes} bytes; at most {most} are possible"),
    ))
}

/// The deepest nesting of brackets outside of texts; the parser recurses over these.
fn lark_nesting(source: &str) -> usize {
    let (mut depth, mut deepest) = (0usize, 0);
    let mut quote = None;
    let mut escaped = false;
    for c in source.chars() {
        if let Some(end) = quote {
            // A slash may be a regular expression's or a comment's: neither goes beyond its line.
            if (c == end && !escaped) || c == '\n' {
                quote = None;
            }
            escaped = c == '\\' && !escaped;
            continue;
        }
        match c {
            '"' | '/' => quote = Some(c),
            '(' | '[' | '{' => depth += 1,
            ')' | ']' | '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        deepest = deepest.max(depth);
    }
    deepest
}

//! Values as text, the three ways Python has: str(), repr() and json.dumps().

use super::fault::{budget, runtime, Budget, Res, MAX_OUTPUT_BYTES};
use super::value::{Key, Kind, V};

/// Text under construction that cannot outgrow what a render may produce.
pub struct Writer<'a> {
    pub text: String,
    limits: &'a mut Budget,
}

impl<'a> Writer<'a> {
    pub fn new(limits: &'a mut Budget) -> Self {
        Writer { text: String::new(), limits }
    }

    pub fn push(&mut self, part: &str) -> Res<()> {
        self.limits.step(1)?;
        if self.text.len() + part.len() > MAX_OUTPUT_BYTES {
            return Err(too_long());
        }
        self.limits.grow(part.len())?;
        self.text.push_str(part);
        Ok(())
    }
}

pub fn too_long() -> Box<super::fault::Fault> {
    budget(format!("text grows beyond {MAX_OUTPUT_BYTES} bytes"))
}

/// str(value); a string is returned as it is, an undefined value is empty.
pub fn to_str(value: &V, limits: &mut Budget) -> Res<std::rc::Rc<str>> {
    if let V::Str(text) = value {
        return Ok(text.clone());
    }
    let mut out = Writer::new(limits);
    write_str(value, &mut out)?;
    Ok(out.text.into())
}

pub fn write_str(value: &V, out: &mut Writer) -> Res<()> {
    match value {
        V::Str(text) => out.push(text),
        V::Undefined(_) => Ok(()),
        other => write_repr(other, out),
    }
}

pub fn write_repr(value: &V, out: &mut Writer) -> Res<()> {
    match value {
        V::Undefined(_) => out.push("Undefined"),
        V::None => out.push("None"),
        V::Bool(true) => out.push("True"),
        V::Bool(false) => out.push("False"),
        V::Int(i) => out.push(&i.to_string()),
        V::Float(f) => out.push(&float_repr(*f)),
        V::Str(text) => write_quoted(text, out),
        V::List(list) => match list.kind {
            Kind::List => write_items(&list.items, "[", "]", out),
            Kind::Tuple if list.items.len() == 1 => write_items(&list.items, "(", ",)", out),
            Kind::Tuple => write_items(&list.items, "(", ")", out),
            Kind::Iterator => out.push("<generator object>"),
        },
        V::Map(map) => {
            out.push("{")?;
            for (index, (key, item)) in map.items.iter().enumerate() {
                out.push(if index > 0 { ", " } else { "" })?;
                write_repr(&key.value(), out)?;
                out.push(": ")?;
                write_repr(item, out)?;
            }
            out.push("}")
        }
        other => out.push(&format!("<{}>", other.type_name())),
    }
}

fn write_items(items: &[V], open: &str, close: &str, out: &mut Writer) -> Res<()> {
    out.push(open)?;
    for (index, item) in items.iter().enumerate() {
        out.push(if index > 0 { ", " } else { "" })?;
        write_repr(item, out)?;
    }
    out.push(close)
}

fn write_quoted(text: &str, out: &mut Writer) -> Res<()> {
    let quote = if text.contains('\'') && !text.contains('"') { '"' } else { '\'' };
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push(quote);
    for c in text.chars() {
        match c {
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\\' => quoted.push_str("\\\\"),
            c if c == quote => quoted.extend(['\\', c]),
            c if printable(c) => quoted.push(c),
            c if (c as u32) < 0x100 => quoted.push_str(&format!("\\x{:02x}", c as u32)),
            c if (c as u32) < 0x10000 => quoted.push_str(&format!("\\u{:04x}", c as u32)),
            c => quoted.push_str(&format!("\\U{:08x}", c as u32)),
        }
    }
    quoted.push(quote);
    out.push(&quoted)
}

/// Rust's notion of printable agrees with Python's, once combining marks stand behind a letter.
fn printable(c: char) -> bool {
    if c.is_ascii() {
        return !c.is_ascii_control();
    }
    format!("{:?}", format!("a{c}")).chars().nth(2) == Some(c)
}

/// The shortest digits that read back as the same number, laid out as Python lays them out.
pub fn float_repr(f: f64) -> String {
    if f.is_nan() {
        return "nan".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "inf".into() } else { "-inf".into() };
    }
    let scientific = format!("{f:e}");
    let (mantissa, exponent) = scientific.split_once('e').unwrap_or((&scientific, "0"));
    let exponent: i32 = exponent.parse().unwrap_or(0);
    if (-4..16).contains(&exponent) {
        return if f.fract() == 0.0 { format!("{f:.1}") } else { format!("{f}") };
    }
    let sign = if exponent < 0 { '-' } else { '+' };
    format!("{mantissa}e{sign}{:02}", exponent.abs())
}

/// The arguments of json.dumps that templates use.
pub struct JsonStyle {
    pub indent: Option<String>,
    pub item_separator: String,
    pub key_separator: String,
    pub sort_keys: bool,
    pub ensure_ascii: bool,
}

pub fn write_json(value: &V, style: &JsonStyle, level: usize, out: &mut Writer) -> Res<()> {
    match value {
        V::None => out.push("null"),
        V::Bool(b) => out.push(if *b { "true" } else { "false" }),
        V::Int(i) => out.push(&i.to_string()),
        V::Float(f) => out.push(&json_float(*f)),
        V::Str(text) => write_json_string(text, style.ensure_ascii, out),
        V::List(list) if list.kind != Kind::Iterator => {
            let write = |item: &V, out: &mut Writer| write_json(item, style, level + 1, out);
            write_json_items(&list.items, ["[", "]"], style, level, out, write)
        }
        V::Map(map) => {
            let mut pairs: Vec<(String, &V)> =
                map.items.iter().map(|(key, item)| (json_key(key), item)).collect();
            if style.sort_keys {
                pairs.sort_by(|a, b| a.0.cmp(&b.0));
            }
            let write = |(key, item): &(String, &V), out: &mut Writer| {
                write_json_string(key, style.ensure_ascii, out)?;
                out.push(&style.key_separator)?;
                write_json(item, style, level + 1, out)
            };
            write_json_items(&pairs, ["{", "}"], style, level, out, write)
        }
        other => {
            Err(runtime(format!("Object of type {} is not JSON serializable", other.type_name())))
        }
    }
}

fn write_json_items<T>(
    items: &[T],
    brackets: [&str; 2],
    style: &JsonStyle,
    level: usize,
    out: &mut Writer,
    write: impl Fn(&T, &mut Writer) -> Res<()>,
) -> Res<()> {
    out.push(brackets[0])?;
    for (index, item) in items.iter().enumerate() {
        out.push(if index > 0 { &style.item_separator } else { "" })?;
        new_line(style, level + 1, out)?;
        write(item, out)?;
    }
    if !items.is_empty() {
        new_line(style, level, out)?;
    }
    out.push(brackets[1])
}

fn new_line(style: &JsonStyle, level: usize, out: &mut Writer) -> Res<()> {
    if let Some(indent) = &style.indent {
        out.push("\n")?;
        for _ in 0..level {
            out.push(indent)?;
        }
    }
    Ok(())
}

fn json_float(f: f64) -> String {
    if f.is_nan() {
        return "NaN".into();
    }
    if f.is_infinite() {
        return if f > 0.0 { "Infinity".into() } else { "-Infinity".into() };
    }
    float_repr(f)
}

fn json_key(key: &Key) -> String {
    match key {
        Key::None => "null".into(),
        Key::Bool(b) => b.to_string(),
        Key::Int(i) => i.to_string(),
        Key::Float(bits) => json_float(f64::from_bits(*bits)),
        Key::Str(text) => text.to_string(),
    }
}

fn write_json_string(text: &str, ensure_ascii: bool, out: &mut Writer) -> Res<()> {
    let mut quoted = String::with_capacity(text.len() + 2);
    quoted.push('"');
    for c in text.chars() {
        match c {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '\n' => quoted.push_str("\\n"),
            '\r' => quoted.push_str("\\r"),
            '\t' => quoted.push_str("\\t"),
            '\u{8}' => quoted.push_str("\\b"),
            '\u{c}' => quoted.push_str("\\f"),
            c if (c as u32) < 0x20 || (ensure_ascii && !c.is_ascii()) => {
                for unit in c.encode_utf16(&mut [0; 2]) {
                    quoted.push_str(&format!("\\u{unit:04x}"));
                }
            }
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    out.push(&quoted)
}

//! Jinja's filters on single values; filters over sequences are in sequences.rs.

use super::args::{flag, int_or, required, text_or, Args};
use super::fault::{runtime, Budget, Res};
use super::format::percent_format;
use super::methods::{call_method, is_space, replace, split_lines, strip};
use super::sequences;
use super::text::{to_str, too_long, write_json, JsonStyle, Writer};
use super::value::{Kind, Number, V};

/// Indentation wider than this is an attack, not a layout.
const MAX_INDENT: i64 = 256;

const NAMES: &[&str] = &[
    "abs",
    "capitalize",
    "center",
    "count",
    "d",
    "default",
    "e",
    "escape",
    "float",
    "forceescape",
    "format",
    "indent",
    "int",
    "length",
    "lower",
    "replace",
    "round",
    "safe",
    "string",
    "title",
    "tojson",
    "trim",
    "truncate",
    "upper",
    "urlencode",
    "wordcount",
];

pub fn exists(name: &str) -> bool {
    NAMES.contains(&name) || sequences::NAMES.contains(&name) || sequences::CALLING.contains(&name)
}

pub fn apply(name: &str, value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    if sequences::NAMES.contains(&name) {
        return sequences::apply(name, value, args, limits);
    }
    match name {
        "default" | "d" => {
            let [other, boolean] = args.bind(name, ["default_value", "boolean"])?;
            let absent = value.is_undefined() || (flag(boolean, false)? && !value.truthy()?);
            Ok(if absent { other.unwrap_or_else(|| V::str("")) } else { value.clone() })
        }
        "length" | "count" => value.len(limits).map(|length| V::Int(length as i128)),
        "tojson" => to_json(value, args, limits),
        "abs" => match value.number() {
            Some(Number::Int(i)) => Ok(V::Int(i.abs())),
            Some(Number::Float(f)) => Ok(V::Float(f.abs())),
            None => Err(runtime(format!("bad operand type for abs(): '{}'", value.type_name()))),
        },
        "int" => to_int(value, args, limits),
        "float" => to_float(value, args, limits),
        "round" => round(value, args),
        _ => {
            let text = to_str(value, limits)?;
            limits.step(text.len() / 16)?;
            on_text(name, &text, args, limits)
        }
    }
}

fn on_text(name: &str, text: &std::rc::Rc<str>, args: &Args, limits: &mut Budget) -> Res<V> {
    match name {
        "string" | "safe" => Ok(V::Str(text.clone())),
        "upper" | "lower" | "capitalize" => {
            call_method(&V::Str(text.clone()), name, &Args::default(), limits)
        }
        "title" => title(text, limits),
        "trim" => {
            let [chars] = args.bind(name, ["chars"])?;
            strip(text, "strip", chars, limits)
        }
        "replace" => {
            let [old, new, count] = args.bind(name, ["s", "new", "count"])?;
            let old = to_str(&required(old, "s")?, limits)?;
            let new = to_str(&required(new, "new")?, limits)?;
            replace(text, &old, &new, int_or(count, -1)?, limits)
        }
        "indent" => indent(text, args, limits),
        "center" => {
            let [width] = args.bind(name, ["width"])?;
            let width =
                Args { positional: vec![width.unwrap_or(V::Int(80))], keywords: Vec::new() };
            call_method(&V::Str(text.clone()), name, &width, limits)
        }
        "format" => {
            let values = V::list(args.positional.clone(), Kind::Tuple, limits)?;
            percent_format(text, &values, limits)
        }
        "truncate" => truncate(text, args, limits),
        "wordcount" => {
            let words = text.split(|c: char| !(c.is_alphanumeric() || c == '_'));
            Ok(V::Int(words.filter(|word| !word.is_empty()).count() as i128))
        }
        "escape" | "e" | "forceescape" => escape(text, limits),
        "urlencode" => url_encode(text, limits),
        _ => Err(runtime(format!("No filter named '{name}'."))),
    }
}

/// json.dumps with the defaults Transformers gives it.
fn to_json(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let names = ["ensure_ascii", "indent", "separators", "sort_keys"];
    let [ascii, indent, separators, sort] = args.bind("tojson", names)?;
    let indent = match indent {
        None | Some(V::None) => None,
        Some(V::Str(text)) => Some(text.to_string()),
        Some(number) => {
            Some(" ".repeat(int_or(Some(number), 0)?.clamp(0, MAX_INDENT + 1) as usize))
        }
    };
    if indent.as_ref().is_some_and(|indent| indent.len() > MAX_INDENT as usize) {
        return Err(too_long());
    }
    let mut pair = [if indent.is_some() { "," } else { ", " }.to_string(), ": ".to_string()];
    if let Some(V::List(list)) = &separators {
        for (place, given) in pair.iter_mut().zip(&list.items) {
            *place = text_or(Some(given.clone()), "")?;
        }
    }
    let [item_separator, key_separator] = pair;
    let style = JsonStyle {
        indent,
        item_separator,
        key_separator,
        sort_keys: flag(sort, false)?,
        ensure_ascii: flag(ascii, false)?,
    };
    let mut out = Writer::new(limits);
    write_json(value, &style, 0, &mut out)?;
    Ok(V::Str(out.text.into()))
}

fn to_int(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let [default, base] = args.bind("int", ["default", "base"])?;
    let default = default.unwrap_or(V::Int(0));
    let base = int_or(base, 10)?;
    match value {
        V::Undefined(message) => return Err(runtime(message.to_string())),
        V::Str(_) => {}
        other => {
            return Ok(match other.number() {
                Some(Number::Int(i)) => V::Int(i),
                Some(Number::Float(f)) if f.is_finite() => V::Int(f as i128),
                _ => default,
            });
        }
    }
    let text = to_str(value, limits)?;
    let digits = text.trim_matches(is_space).replace('_', "");
    let prefix = match base {
        16 => digits.strip_prefix("0x"),
        8 => digits.strip_prefix("0o"),
        2 => digits.strip_prefix("0b"),
        _ => None,
    };
    let radix = u32::try_from(base).ok().filter(|base| (2..=36).contains(base));
    let radix = radix.ok_or_else(|| runtime("int() base must be >= 2 and <= 36"))?;
    if let Ok(i) = i128::from_str_radix(prefix.unwrap_or(&digits), radix) {
        return Ok(V::Int(i));
    }
    let float = digits.parse::<f64>().ok().filter(|f| f.is_finite());
    Ok(float.map_or(default, |f| V::Int(f as i128)))
}

fn to_float(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let [default] = args.bind("float", ["default"])?;
    if let Some(number) = value.number() {
        return Ok(V::Float(number.float()));
    }
    if let V::Undefined(message) = value {
        return Err(runtime(message.to_string()));
    }
    let text = to_str(value, limits)?;
    let parsed = text.trim_matches(is_space).parse::<f64>().ok();
    Ok(parsed.map_or(default.unwrap_or(V::Float(0.0)), V::Float))
}

fn round(value: &V, args: &Args) -> Res<V> {
    let [precision, method] = args.bind("round", ["precision", "method"])?;
    let precision = int_or(precision, 0)?;
    let method = text_or(method, "common")?;
    let number = value.number().ok_or_else(|| runtime("round needs a number"))?;
    if !(0..=300).contains(&precision) {
        return Err(runtime("round: precision must be between 0 and 300"));
    }
    let (float, scale) = (number.float(), 10f64.powi(precision as i32));
    match (method.as_str(), number) {
        ("common", Number::Int(i)) => Ok(V::Int(i)),
        ("common", _) => {
            let text = format!("{float:.*}", precision as usize);
            Ok(V::Float(text.parse().unwrap_or(float)))
        }
        ("ceil", _) => Ok(V::Float((float * scale).ceil() / scale)),
        ("floor", _) => Ok(V::Float((float * scale).floor() / scale)),
        _ => Err(runtime("method must be common, ceil or floor")),
    }
}

/// Unlike str.title, Jinja's filter splits at spaces and opening brackets only.
fn title(text: &str, limits: &mut Budget) -> Res<V> {
    limits.grow(text.len() * 3)?;
    limits.step(text.len() / 4)?;
    let mut titled = String::with_capacity(text.len());
    let mut start = true;
    for c in text.chars() {
        if start {
            titled.extend(c.to_uppercase());
        } else {
            titled.extend(c.to_lowercase());
        }
        start = is_space(c) || "-({[<".contains(c);
    }
    Ok(V::str(titled))
}

fn indent(text: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    let [width, first, blank] = args.bind("indent", ["width", "first", "blank"])?;
    let indention = match width {
        Some(V::Str(text)) => text.to_string(),
        other => " ".repeat(int_or(other, 4)?.clamp(0, MAX_INDENT + 1) as usize),
    };
    if indention.len() > MAX_INDENT as usize {
        return Err(too_long());
    }
    let blank = flag(blank, false)?;
    let text = format!("{text}\n");
    let lines = split_lines(&text, false);
    let mut out = Writer::new(limits);
    if flag(first, false)? {
        out.push(&indention)?;
    }
    for (index, line) in lines.iter().enumerate() {
        if index > 0 {
            out.push("\n")?;
            out.push(if blank || !line.is_empty() { &indention } else { "" })?;
        }
        out.push(line)?;
    }
    Ok(V::Str(out.text.into()))
}

fn truncate(text: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    let [length, kill, end, leeway] =
        args.bind("truncate", ["length", "killwords", "end", "leeway"])?;
    let length = int_or(length, 255)?.max(0) as usize;
    let leeway = int_or(leeway, 5)?.max(0) as usize;
    let end = text_or(end, "...")?;
    limits.grow(text.len() + end.len())?;
    if text.chars().count() <= length.saturating_add(leeway) {
        return Ok(V::str(text));
    }
    let keep = length.saturating_sub(end.chars().count());
    let cut: String = text.chars().take(keep).collect();
    let cut = if flag(kill, false)? {
        cut
    } else {
        cut.rsplit_once(' ').map_or(cut.clone(), |(head, _)| head.to_string())
    };
    Ok(V::str(cut + &end))
}

fn escape(text: &str, limits: &mut Budget) -> Res<V> {
    let mut out = Writer::new(limits);
    for c in text.chars() {
        match c {
            '&' => out.push("&amp;")?,
            '<' => out.push("&lt;")?,
            '>' => out.push("&gt;")?,
            '"' => out.push("&#34;")?,
            '\'' => out.push("&#39;")?,
            c => out.push(c.encode_utf8(&mut [0; 4]))?,
        }
    }
    Ok(V::Str(out.text.into()))
}

fn url_encode(text: &str, limits: &mut Budget) -> Res<V> {
    let mut out = Writer::new(limits);
    for &byte in text.as_bytes() {
        if byte.is_ascii_alphanumeric() || b"_.-~/".contains(&byte) {
            out.push((byte as char).encode_utf8(&mut [0; 4]))?;
        } else {
            out.push(&format!("%{byte:02X}"))?;
        }
    }
    Ok(V::Str(out.text.into()))
}

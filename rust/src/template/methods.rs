//! Methods of strings, dicts and lists, as Python has them.

use std::rc::Rc;

use super::args::{flag, int_or, required, text_or, Args};
use super::fault::{runtime, Budget, Res, MAX_OUTPUT_BYTES};
use super::format::str_format;
use super::text::{to_str, too_long, Writer};
use super::value::{equal, Key, Kind, List, Map, V};

pub const STRING_METHODS: &[&str] = &[
    "upper",
    "lower",
    "capitalize",
    "title",
    "casefold",
    "strip",
    "lstrip",
    "rstrip",
    "split",
    "rsplit",
    "splitlines",
    "replace",
    "startswith",
    "endswith",
    "find",
    "rfind",
    "index",
    "count",
    "join",
    "format",
    "isdigit",
    "isalpha",
    "isalnum",
    "isspace",
    "isupper",
    "islower",
    "isnumeric",
    "isdecimal",
    "removeprefix",
    "removesuffix",
    "zfill",
    "ljust",
    "rjust",
    "center",
    "partition",
    "rpartition",
];

/// Padding wider than this is an attack, not a layout.
const MAX_WIDTH: i64 = 4096;

pub fn call_method(object: &V, name: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    match object {
        V::Str(text) => {
            limits.step(text.len() / 16)?;
            string_method(text, name, args, limits)
        }
        V::Map(map) => map_method(map, name, args, limits),
        V::List(list) => list_method(list, name, args, limits),
        other => Err(runtime(format!("'{}' object has no method '{name}'", other.type_name()))),
    }
}

fn map_method(map: &Rc<Map>, name: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    match name {
        "get" => {
            let [key, default] = args.bind("get", ["key", "default"])?;
            let key = Key::of(&required(key, "key")?, limits)?;
            Ok(map.items.get(&key).cloned().or(default).unwrap_or(V::None))
        }
        "keys" => V::list(map.items.keys().map(Key::value).collect(), Kind::List, limits),
        "values" => V::list(map.items.values().cloned().collect(), Kind::List, limits),
        "items" => V::list(pairs(map, limits)?, Kind::List, limits),
        _ => Ok(V::Map(map.clone())),
    }
}

pub fn pairs(map: &Map, limits: &mut Budget) -> Res<Vec<V>> {
    limits.grow(map.items.len() * 128)?;
    let pair = |(key, value): (&Key, &V)| vec![key.value(), value.clone()];
    map.items.iter().map(|entry| V::list(pair(entry), Kind::Tuple, limits)).collect()
}

fn list_method(list: &Rc<List>, name: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    if name == "copy" {
        return Ok(V::List(list.clone()));
    }
    let [item] = args.bind(name, ["value"])?;
    let item = required(item, "value")?;
    let mut count = 0;
    for (index, candidate) in list.items.iter().enumerate() {
        if equal(candidate, &item, limits)? {
            if name == "index" {
                return Ok(V::Int(index as i128));
            }
            count += 1;
        }
    }
    if name == "index" {
        return Err(runtime("the value is not in the list"));
    }
    Ok(V::Int(count))
}

fn string_method(text: &Rc<str>, name: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    let s: &str = text;
    match name {
        "upper" | "lower" | "casefold" | "capitalize" | "title" => {
            limits.grow(s.len() * 3)?;
            limits.step(s.len() / 4)?;
            Ok(V::str(change_case(s, name)))
        }
        "strip" | "lstrip" | "rstrip" => {
            let [chars] = args.bind(name, ["chars"])?;
            strip(s, name, chars, limits)
        }
        "split" | "rsplit" => {
            let [separator, limit] = args.bind(name, ["sep", "maxsplit"])?;
            split(s, name == "rsplit", separator, int_or(limit, -1)?, limits)
        }
        "splitlines" => {
            let [keep] = args.bind(name, ["keepends"])?;
            let lines = split_lines(s, flag(keep, false)?);
            texts(lines.into_iter(), Kind::List, limits)
        }
        "replace" => {
            let [old, new, count] = args.bind(name, ["old", "new", "count"])?;
            replace(s, &text_or(old, "")?, &text_or(new, "")?, int_or(count, -1)?, limits)
        }
        "startswith" | "endswith" | "removeprefix" | "removesuffix" => affix(text, name, args),
        "find" | "rfind" | "index" | "count" => search(s, name, args),
        "join" => {
            let [items] = args.bind(name, ["iterable"])?;
            let items = required(items, "iterable")?.iterate(limits)?;
            if let Some(other) = items.iter().find(|item| item.as_str().is_none()) {
                return Err(runtime(format!(
                    "join: expected str instance, {} found",
                    other.type_name()
                )));
            }
            join(s, &items, limits)
        }
        "format" => str_format(s, args, limits),
        "zfill" | "ljust" | "rjust" | "center" => pad(s, name, args),
        "partition" | "rpartition" => partition(s, name, args, limits),
        _ => Ok(V::Bool(classify(s, name))),
    }
}

pub fn is_space(c: char) -> bool {
    c.is_whitespace() || ('\u{1c}'..='\u{1f}').contains(&c)
}

fn capitalized(word: &str) -> String {
    let mut chars = word.chars();
    let first = chars.next().map(|c| c.to_uppercase().to_string()).unwrap_or_default();
    first + &chars.as_str().to_lowercase()
}

fn change_case(s: &str, name: &str) -> String {
    match name {
        "upper" => s.to_uppercase(),
        "capitalize" => capitalized(s),
        "title" => {
            let mut titled = String::with_capacity(s.len());
            let mut inside = false;
            for c in s.chars() {
                if inside {
                    titled.extend(c.to_lowercase());
                } else {
                    titled.extend(c.to_uppercase());
                }
                inside = c.is_alphabetic();
            }
            titled
        }
        _ => s.to_lowercase(),
    }
}

pub fn strip(s: &str, name: &str, chars: Option<V>, limits: &mut Budget) -> Res<V> {
    let set: Option<Vec<char>> = match chars {
        None | Some(V::None) => None,
        given => Some(text_or(given, "")?.chars().collect()),
    };
    limits.step(s.len() / 16 * set.as_ref().map_or(1, |set| set.len().max(1)))?;
    let drop = |c: char| set.as_ref().map_or_else(|| is_space(c), |set| set.contains(&c));
    let mut rest = s;
    if name != "rstrip" {
        rest = rest.trim_start_matches(drop);
    }
    if name != "lstrip" {
        rest = rest.trim_end_matches(drop);
    }
    limits.grow(rest.len())?;
    Ok(V::str(rest))
}

pub fn texts<'a>(parts: impl Iterator<Item = &'a str>, kind: Kind, limits: &mut Budget) -> Res<V> {
    let mut items = Vec::new();
    for part in parts {
        limits.grow(part.len() + 96)?;
        limits.step(1)?;
        items.push(V::str(part));
    }
    V::list(items, kind, limits)
}

fn split(s: &str, from_end: bool, separator: Option<V>, limit: i64, limits: &mut Budget) -> Res<V> {
    let limit = usize::try_from(limit).map_or(usize::MAX, |limit| limit.saturating_add(1));
    let mut parts: Vec<&str> = match separator {
        None | Some(V::None) => split_space(s, limit, from_end),
        given => {
            let separator = text_or(given, "")?;
            if separator.is_empty() {
                return Err(runtime("empty separator"));
            }
            if from_end {
                s.rsplitn(limit, separator.as_str()).map(|p| locate(s, p)).collect()
            } else {
                s.splitn(limit, separator.as_str()).map(|p| locate(s, p)).collect()
            }
        }
    };
    if from_end {
        parts.reverse();
    }
    texts(parts.into_iter(), Kind::List, limits)
}

/// `part`, tied to the lifetime of `s` rather than to that of the separator.
fn locate<'a>(s: &'a str, part: &str) -> &'a str {
    let start = part.as_ptr() as usize - s.as_ptr() as usize;
    &s[start..start + part.len()]
}

/// Words between runs of white space; the last of `limit` parts keeps its inner spaces. Reversed if `from_end`.
fn split_space(s: &str, limit: usize, from_end: bool) -> Vec<&str> {
    let mut parts = Vec::new();
    let mut rest = s;
    loop {
        rest = if from_end {
            rest.trim_end_matches(is_space)
        } else {
            rest.trim_start_matches(is_space)
        };
        if rest.is_empty() {
            return parts;
        }
        let cut = if from_end { rest.rfind(is_space) } else { rest.find(is_space) };
        let Some(cut) = cut.filter(|_| parts.len() + 1 < limit) else {
            parts.push(rest);
            return parts;
        };
        let width = rest[cut..].chars().next().map_or(1, char::len_utf8);
        let (before, after) = (&rest[..cut], &rest[cut + width..]);
        parts.push(if from_end { after } else { before });
        rest = if from_end { before } else { after };
    }
}

pub fn split_lines(s: &str, keep: bool) -> Vec<&str> {
    let is_break = |c: char| {
        matches!(
            c,
            '\n' | '\r' | '\u{b}' | '\u{c}' | '\u{1c}'
                ..='\u{1e}' | '\u{85}' | '\u{2028}' | '\u{2029}'
        )
    };
    let mut lines = Vec::new();
    let mut rest = s;
    while let Some(at) = rest.find(is_break) {
        let width = rest[at..].chars().next().map_or(1, char::len_utf8);
        let width = if rest[at..].starts_with("\r\n") { 2 } else { width };
        lines.push(&rest[..if keep { at + width } else { at }]);
        rest = &rest[at + width..];
    }
    if !rest.is_empty() {
        lines.push(rest);
    }
    lines
}

pub fn replace(s: &str, old: &str, new: &str, count: i64, limits: &mut Budget) -> Res<V> {
    limits.step(s.len() / 16)?;
    let limit = usize::try_from(count).unwrap_or(usize::MAX);
    let matches = s.matches(old).take(limit).count();
    let length =
        s.len().saturating_add(matches.saturating_mul(new.len().saturating_sub(old.len())));
    if length > MAX_OUTPUT_BYTES {
        return Err(too_long());
    }
    limits.grow(length)?;
    Ok(V::str(s.replacen(old, new, limit)))
}

fn affix(text: &Rc<str>, name: &str, args: &Args) -> Res<V> {
    let [part] = args.bind(name, ["part"])?;
    let part = required(part, "part")?;
    let parts = match &part {
        V::List(list) if list.kind == Kind::Tuple => list.items.clone(),
        _ => vec![part],
    };
    let mut found = false;
    for part in parts {
        let part =
            part.as_str().ok_or_else(|| runtime(format!("{name}: expected a string")))?.to_string();
        match name {
            "startswith" => found |= text.starts_with(&part),
            "endswith" => found |= text.ends_with(&part),
            "removeprefix" => return Ok(V::str(text.strip_prefix(part.as_str()).unwrap_or(text))),
            _ => return Ok(V::str(text.strip_suffix(part.as_str()).unwrap_or(text))),
        }
    }
    Ok(V::Bool(found))
}

fn search(s: &str, name: &str, args: &Args) -> Res<V> {
    let [part] = args.bind(name, ["sub"])?;
    let part = required(part, "sub")?;
    let part = part.as_str().ok_or_else(|| runtime(format!("{name}: expected a string")))?;
    if name == "count" {
        return Ok(V::Int(s.matches(part).count() as i128));
    }
    let found = if name == "rfind" { s.rfind(part) } else { s.find(part) };
    match found {
        Some(at) => Ok(V::Int(s[..at].chars().count() as i128)),
        None if name == "index" => Err(runtime("substring not found")),
        None => Ok(V::Int(-1)),
    }
}

pub fn join(separator: &str, items: &[V], limits: &mut Budget) -> Res<V> {
    let mut parts = Vec::with_capacity(items.len());
    for item in items {
        parts.push(to_str(item, limits)?);
    }
    let mut out = Writer::new(limits);
    for (index, part) in parts.iter().enumerate() {
        out.push(if index > 0 { separator } else { "" })?;
        out.push(part)?;
    }
    Ok(V::Str(out.text.into()))
}

fn pad(s: &str, name: &str, args: &Args) -> Res<V> {
    let [width, fill] = args.bind(name, ["width", "fillchar"])?;
    let width = int_or(width, 0)?;
    if width > MAX_WIDTH {
        return Err(too_long());
    }
    let fill = text_or(fill, if name == "zfill" { "0" } else { " " })?;
    let missing = (width.max(0) as usize).saturating_sub(s.chars().count());
    let before = match name {
        "ljust" => 0,
        "center" => missing / 2 + (missing & width as usize & 1),
        _ => missing,
    };
    let sign = if name == "zfill" && s.starts_with(['+', '-']) { &s[..1] } else { "" };
    let body = &s[sign.len()..];
    let fill = fill.chars().next().unwrap_or(' ').to_string();
    Ok(V::str(format!("{sign}{}{body}{}", fill.repeat(before), fill.repeat(missing - before))))
}

fn partition(s: &str, name: &str, args: &Args, limits: &mut Budget) -> Res<V> {
    let [separator] = args.bind(name, ["sep"])?;
    let separator = text_or(separator, "")?;
    if separator.is_empty() {
        return Err(runtime("empty separator"));
    }
    let last = name == "rpartition";
    let found =
        if last { s.rsplit_once(separator.as_str()) } else { s.split_once(separator.as_str()) };
    let parts = match found {
        Some((before, after)) => [before, separator.as_str(), after],
        None if last => ["", "", s],
        None => [s, "", ""],
    };
    texts(parts.into_iter(), Kind::Tuple, limits)
}

fn classify(s: &str, name: &str) -> bool {
    let cased = |upper: bool| {
        let letters = || s.chars().filter(|c| c.is_lowercase() || c.is_uppercase());
        letters().next().is_some() && letters().all(|c| c.is_uppercase() == upper)
    };
    let all = |test: fn(char) -> bool| !s.is_empty() && s.chars().all(test);
    match name {
        "isupper" => cased(true),
        "islower" => cased(false),
        "isspace" => all(is_space),
        "isalpha" => all(char::is_alphabetic),
        "isalnum" => all(char::is_alphanumeric),
        "isdecimal" => all(|c| c.is_ascii_digit()),
        _ => all(char::is_numeric),
    }
}

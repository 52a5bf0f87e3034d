//! Jinja's filters over sequences. Those that call another filter or test (CALLING) are driven by eval.rs.

use std::cmp::Ordering;

use indexmap::IndexMap;

use super::args::{flag, int_or, required, text_or, Args};
use super::fault::{runtime, Budget, Res};
use super::methods::{join, pairs};
use super::ops::{binary, item, MAX_ITEMS};
use super::text::to_str;
use super::value::{equal, order, Key, Kind, V};
use minijinja::machinery::ast::BinOpKind;

pub const NAMES: &[&str] = &[
    "batch", "dictsort", "first", "groupby", "items", "join", "last", "list", "max", "min",
    "reverse", "slice", "sort", "sum", "unique",
];

pub const CALLING: &[&str] = &["map", "reject", "rejectattr", "select", "selectattr"];

pub fn apply(name: &str, value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    match name {
        "first" | "last" => {
            let items = value.iterate(limits)?;
            let found = if name == "first" { items.first() } else { items.last() };
            Ok(found.cloned().unwrap_or_else(|| V::Undefined("the sequence was empty".into())))
        }
        "list" => V::list(value.iterate(limits)?, Kind::List, limits),
        "items" => match value {
            V::Map(map) => V::list(pairs(map, limits)?, Kind::Iterator, limits),
            V::Undefined(_) => V::list(Vec::new(), Kind::Iterator, limits),
            _ => Err(runtime("Can only get item pairs from a mapping.")),
        },
        "reverse" => match value {
            V::Str(text) => {
                limits.grow(text.len())?;
                Ok(V::Str(text.chars().rev().collect::<String>().into()))
            }
            other => {
                let items = other.iterate(limits)?.into_iter().rev().collect();
                V::list(items, Kind::Iterator, limits)
            }
        },
        "join" => {
            let [separator, attribute] = args.bind(name, ["d", "attribute"])?;
            let separator = separator.map_or(Ok("".into()), |s| to_str(&s, limits))?;
            let items = keys_of(&value.iterate(limits)?, attribute, limits)?;
            join(&separator, &items, limits)
        }
        "sum" => {
            let [attribute, start] = args.bind(name, ["attribute", "start"])?;
            let mut total = start.unwrap_or(V::Int(0));
            for item in keys_of(&value.iterate(limits)?, attribute, limits)? {
                total = binary(BinOpKind::Add, &total, &item, limits)?;
            }
            Ok(total)
        }
        "sort" => {
            let [reverse, case, attribute] =
                args.bind(name, ["reverse", "case_sensitive", "attribute"])?;
            let items = sorted(
                value.iterate(limits)?,
                attribute,
                flag(case, false)?,
                flag(reverse, false)?,
                limits,
            )?;
            V::list(items, Kind::List, limits)
        }
        "min" | "max" => {
            let [case, attribute] = args.bind(name, ["case_sensitive", "attribute"])?;
            // sorted() is stable, so ties give the first item, as Python's min and max do.
            let items = sorted(
                value.iterate(limits)?,
                attribute,
                flag(case, false)?,
                name == "max",
                limits,
            )?;
            Ok(items
                .into_iter()
                .next()
                .unwrap_or_else(|| V::Undefined("the sequence was empty".into())))
        }
        "unique" => unique(value, args, limits),
        "groupby" => group_by(value, args, limits),
        "dictsort" => dict_sort(value, args, limits),
        "batch" => batch(value, args, limits),
        _ => slices(value, args, limits),
    }
}

/// The value that `attribute` ("a.b.0") names in each item, or the items themselves.
pub fn keys_of(items: &[V], attribute: Option<V>, limits: &mut Budget) -> Res<Vec<V>> {
    let Some(path) = attribute.filter(|path| !matches!(path, V::None)) else {
        return Ok(items.to_vec());
    };
    items.iter().map(|value| follow(value, &path, limits)).collect()
}

pub fn follow(value: &V, path: &V, limits: &mut Budget) -> Res<V> {
    let V::Str(path) = path else {
        return item(value, path, limits);
    };
    let mut value = value.clone();
    for part in path.split('.') {
        let key = part.parse::<u32>().map_or_else(|_| V::str(part), |index| V::Int(index.into()));
        value = item(&value, &key, limits)?;
    }
    Ok(value)
}

fn folded(value: V, case_sensitive: bool) -> V {
    match value {
        V::Str(text) if !case_sensitive => V::str(text.to_lowercase()),
        other => other,
    }
}

fn sorted(
    items: Vec<V>,
    attribute: Option<V>,
    case: bool,
    reverse: bool,
    limits: &mut Budget,
) -> Res<Vec<V>> {
    // Jinja sorts by several attributes if a comma separates them.
    let paths: Vec<V> = match &attribute {
        Some(V::Str(list)) => list.split(',').map(V::str).collect(),
        Some(V::None) | None => Vec::new(),
        Some(other) => vec![other.clone()],
    };
    let mut keyed = Vec::with_capacity(items.len());
    for value in items {
        let mut key = Vec::new();
        for path in &paths {
            key.push(folded(follow(&value, path, limits)?, case));
        }
        if paths.is_empty() {
            key.push(folded(value.clone(), case));
        }
        keyed.push((key, value));
    }
    let mut fault = None;
    keyed.sort_by(|(a, _), (b, _)| {
        let ordering = if fault.is_some() { Ok(Ordering::Equal) } else { order_keys(a, b, limits) };
        let ordering = ordering.unwrap_or_else(|error| {
            fault = Some(error);
            Ordering::Equal
        });
        if reverse {
            ordering.reverse()
        } else {
            ordering
        }
    });
    fault.map_or_else(|| Ok(keyed.into_iter().map(|(_, value)| value).collect()), Err)
}

fn order_keys(a: &[V], b: &[V], limits: &mut Budget) -> Res<Ordering> {
    for (x, y) in a.iter().zip(b) {
        let ordering = order(x, y, limits)?;
        if ordering.is_ne() {
            return Ok(ordering);
        }
    }
    Ok(Ordering::Equal)
}

fn unique(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let [case, attribute] = args.bind("unique", ["case_sensitive", "attribute"])?;
    let case = flag(case, false)?;
    let items = value.iterate(limits)?;
    let keys = keys_of(&items, attribute, limits)?;
    let mut seen = indexmap::IndexSet::new();
    let mut kept = Vec::new();
    for (value, key) in items.into_iter().zip(keys) {
        if seen.insert(Key::of(&folded(key, case), limits)?) {
            kept.push(value);
        }
    }
    V::list(kept, Kind::Iterator, limits)
}

fn group_by(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let [attribute, default, case] =
        args.bind("groupby", ["attribute", "default", "case_sensitive"])?;
    let path = required(attribute, "attribute")?;
    let case = flag(case, false)?;
    let items = sorted(value.iterate(limits)?, Some(path.clone()), case, false, limits)?;
    let mut groups: Vec<(V, Vec<V>)> = Vec::new();
    for value in items {
        let mut key = follow(&value, &path, limits)?;
        if key.is_undefined() {
            key = default.clone().unwrap_or(key);
        }
        match groups.last_mut() {
            Some((last, members))
                if equal(&folded(last.clone(), case), &folded(key.clone(), case), limits)? =>
            {
                members.push(value);
            }
            _ => groups.push((key, vec![value])),
        }
    }
    let mut pairs = Vec::new();
    for (key, members) in groups {
        let members = V::list(members, Kind::List, limits)?;
        pairs.push(V::list(vec![key, members], Kind::Tuple, limits)?);
    }
    V::list(pairs, Kind::List, limits)
}

fn dict_sort(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let [case, by, reverse] = args.bind("dictsort", ["case_sensitive", "by", "reverse"])?;
    let V::Map(map) = value else {
        return Err(runtime("dictsort needs a mapping"));
    };
    let index = if text_or(by, "key")? == "value" { 1 } else { 0 };
    let items = pairs(map, limits)?;
    let items =
        sorted(items, Some(V::Int(index)), flag(case, false)?, flag(reverse, false)?, limits)?;
    V::list(items, Kind::List, limits)
}

fn count_of(value: Option<V>) -> Res<usize> {
    let count = int_or(value, 0)?;
    if !(1..=MAX_ITEMS as i64).contains(&count) {
        return Err(runtime(format!("the count must be between 1 and {MAX_ITEMS}")));
    }
    Ok(count as usize)
}

fn batch(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let [count, fill] = args.bind("batch", ["linecount", "fill_with"])?;
    let count = count_of(count)?;
    let mut rows = Vec::new();
    for chunk in value.iterate(limits)?.chunks(count) {
        let mut row = chunk.to_vec();
        if let Some(fill) = fill.as_ref().filter(|fill| !matches!(fill, V::None)) {
            limits.grow(count * 32)?;
            row.resize(count, fill.clone());
        }
        rows.push(V::list(row, Kind::List, limits)?);
    }
    V::list(rows, Kind::Iterator, limits)
}

fn slices(value: &V, args: &Args, limits: &mut Budget) -> Res<V> {
    let [count, fill] = args.bind("slice", ["slices", "fill_with"])?;
    let count = count_of(count)?;
    let items = value.iterate(limits)?;
    let (base, extra) = (items.len() / count, items.len() % count);
    let mut columns = Vec::new();
    let mut rest = items.as_slice();
    for index in 0..count {
        let (column, tail) = rest.split_at(base + usize::from(index < extra));
        rest = tail;
        let mut column = column.to_vec();
        match &fill {
            Some(fill) if !matches!(fill, V::None) && extra > 0 && index >= extra => {
                column.push(fill.clone())
            }
            _ => {}
        }
        columns.push(V::list(column, Kind::List, limits)?);
    }
    V::list(columns, Kind::Iterator, limits)
}

/// dict(...) and namespace(...): a mapping or pairs, then keywords.
pub fn build_map(args: &Args, limits: &mut Budget) -> Res<IndexMap<Key, V>> {
    let mut items = IndexMap::new();
    for source in &args.positional {
        if let V::Map(map) = source {
            limits.grow(map.items.len() * 96)?;
            items.extend(map.items.iter().map(|(k, v)| (k.clone(), v.clone())));
            continue;
        }
        for pair in source.iterate(limits)? {
            match pair.iterate(limits)?.as_slice() {
                [key, value] => items.insert(Key::of(key, limits)?, value.clone()),
                _ => return Err(runtime("dict() needs pairs")),
            };
        }
    }
    items.extend(args.keywords.iter().map(|(k, v)| (Key::Str(k.as_str().into()), v.clone())));
    Ok(items)
}

//! Operators, subscripts and attributes with Python's meaning.

use std::rc::Rc;

use minijinja::machinery::ast::{BinOpKind, CompareOpKind};

use super::fault::{runtime, Budget, Res, MAX_OUTPUT_BYTES};
use super::format::percent_format;
use super::text::{to_str, too_long};
use super::value::{equal, order, Key, Kind, Number, V};

/// Elements a list may have: as many as Jinja's own range() gives.
pub const MAX_ITEMS: usize = 100_000;

pub fn concat(left: &str, right: &str, limits: &mut Budget) -> Res<V> {
    if left.len() + right.len() > MAX_OUTPUT_BYTES {
        return Err(too_long());
    }
    limits.grow(left.len() + right.len())?;
    Ok(V::Str([left, right].concat().into()))
}

pub fn binary(op: BinOpKind, a: &V, b: &V, limits: &mut Budget) -> Res<V> {
    match op {
        BinOpKind::Concat => {
            let (left, right) = (to_str(a, limits)?, to_str(b, limits)?);
            concat(&left, &right, limits)
        }
        BinOpKind::Eq => compare(CompareOpKind::Eq, a, b, limits).map(V::Bool),
        BinOpKind::Ne => compare(CompareOpKind::Ne, a, b, limits).map(V::Bool),
        BinOpKind::Lt => compare(CompareOpKind::Lt, a, b, limits).map(V::Bool),
        BinOpKind::Lte => compare(CompareOpKind::Lte, a, b, limits).map(V::Bool),
        BinOpKind::Gt => compare(CompareOpKind::Gt, a, b, limits).map(V::Bool),
        BinOpKind::Gte => compare(CompareOpKind::Gte, a, b, limits).map(V::Bool),
        BinOpKind::In => contains(b, a, limits).map(V::Bool),
        _ => {
            for operand in [a, b] {
                if let V::Undefined(message) = operand {
                    return Err(runtime(message.to_string()));
                }
            }
            arithmetic(op, a, b, limits)
        }
    }
}

fn arithmetic(op: BinOpKind, a: &V, b: &V, limits: &mut Budget) -> Res<V> {
    if let (Some(x), Some(y)) = (a.number(), b.number()) {
        return match (&x, &y) {
            (Number::Int(x), Number::Int(y)) => integers(op, *x, *y),
            _ => floats(op, x.float(), y.float()),
        };
    }
    match (op, a, b) {
        (BinOpKind::Add, V::Str(x), V::Str(y)) => concat(x, y, limits),
        (BinOpKind::Add, V::List(x), V::List(y))
            if x.kind == y.kind && x.kind != Kind::Iterator =>
        {
            bounded(x.items.len() + y.items.len())?;
            limits.grow((x.items.len() + y.items.len()) * 32)?;
            V::list([x.items.as_slice(), y.items.as_slice()].concat(), x.kind, limits)
        }
        (BinOpKind::Mul, V::Str(text), n) | (BinOpKind::Mul, n, V::Str(text))
            if n.as_int().is_some() =>
        {
            let length = times(text.len(), n);
            if length > MAX_OUTPUT_BYTES {
                return Err(too_long());
            }
            limits.grow(length)?;
            Ok(V::str(text.repeat(times(1, n))))
        }
        (BinOpKind::Mul, V::List(list), n) | (BinOpKind::Mul, n, V::List(list))
            if n.as_int().is_some() =>
        {
            let length = times(list.items.len(), n);
            bounded(length)?;
            limits.grow(length * 32)?;
            let items = list.items.iter().cycle().take(length).cloned().collect();
            V::list(items, list.kind, limits)
        }
        (BinOpKind::Rem, V::Str(format), _) => percent_format(format, b, limits),
        _ => Err(runtime(format!(
            "unsupported operand type(s) for {}: '{}' and '{}'",
            symbol(op),
            a.type_name(),
            b.type_name()
        ))),
    }
}

/// count x n, negative n meaning none and anything huge staying huge.
fn times(count: usize, n: &V) -> usize {
    let n = n.as_int().unwrap_or(0).clamp(0, u32::MAX.into()) as usize;
    count.saturating_mul(n)
}

fn bounded(items: usize) -> Res<()> {
    if items > MAX_ITEMS {
        return Err(super::fault::budget(format!("a list grows beyond {MAX_ITEMS} items")));
    }
    Ok(())
}

fn symbol(op: BinOpKind) -> &'static str {
    match op {
        BinOpKind::Add => "+",
        BinOpKind::Sub => "-",
        BinOpKind::Mul => "*",
        BinOpKind::Div => "/",
        BinOpKind::FloorDiv => "//",
        BinOpKind::Rem => "%",
        _ => "**",
    }
}

fn integers(op: BinOpKind, x: i128, y: i128) -> Res<V> {
    let division = matches!(op, BinOpKind::Div | BinOpKind::FloorDiv | BinOpKind::Rem);
    if division && y == 0 {
        return Err(runtime("division by zero"));
    }
    let floor_rem = |x: i128, y: i128| {
        x.checked_rem(y).map(|r| if r != 0 && (r < 0) != (y < 0) { r + y } else { r })
    };
    let value = match op {
        BinOpKind::Add => x.checked_add(y),
        BinOpKind::Sub => x.checked_sub(y),
        BinOpKind::Mul => x.checked_mul(y),
        BinOpKind::Div => return Ok(V::Float(x as f64 / y as f64)),
        BinOpKind::Rem => floor_rem(x, y),
        BinOpKind::FloorDiv => floor_rem(x, y).and_then(|r| (x - r).checked_div(y)),
        _ if y < 0 => return Ok(V::Float((x as f64).powf(y as f64))),
        _ => u32::try_from(y).ok().and_then(|y| x.checked_pow(y)),
    };
    value.map(V::Int).ok_or_else(|| runtime("integer too large"))
}

fn floats(op: BinOpKind, x: f64, y: f64) -> Res<V> {
    let division = matches!(op, BinOpKind::Div | BinOpKind::FloorDiv | BinOpKind::Rem);
    if division && y == 0.0 {
        return Err(runtime("float division by zero"));
    }
    Ok(V::Float(match op {
        BinOpKind::Add => x + y,
        BinOpKind::Sub => x - y,
        BinOpKind::Mul => x * y,
        BinOpKind::Div => x / y,
        BinOpKind::FloorDiv => (x / y).floor(),
        BinOpKind::Rem => x - y * (x / y).floor(),
        _ => x.powf(y),
    }))
}

pub fn compare(op: CompareOpKind, a: &V, b: &V, limits: &mut Budget) -> Res<bool> {
    Ok(match op {
        CompareOpKind::Eq => equal(a, b, limits)?,
        CompareOpKind::Ne => !equal(a, b, limits)?,
        CompareOpKind::Lt => order(a, b, limits)?.is_lt(),
        CompareOpKind::Lte => order(a, b, limits)?.is_le(),
        CompareOpKind::Gt => order(a, b, limits)?.is_gt(),
        CompareOpKind::Gte => order(a, b, limits)?.is_ge(),
        CompareOpKind::In => contains(b, a, limits)?,
        CompareOpKind::NotIn => !contains(b, a, limits)?,
    })
}

pub fn contains(container: &V, item: &V, limits: &mut Budget) -> Res<bool> {
    match container {
        V::Str(text) => match item {
            V::Str(part) => {
                limits.step((text.len() + part.len()) / 16)?;
                Ok(text.contains(part.as_ref()))
            }
            other => Err(runtime(format!(
                "'in <string>' requires string as left operand, not {}",
                other.type_name()
            ))),
        },
        V::Map(_) if item.is_undefined() => Ok(false),
        V::Map(map) => Ok(map.items.contains_key(&Key::of(item, limits)?)),
        other => {
            for candidate in other.iterate(limits)? {
                if equal(&candidate, item, limits)? {
                    return Ok(true);
                }
            }
            Ok(false)
        }
    }
}

pub fn negate(value: &V) -> Res<V> {
    match value.number() {
        Some(Number::Int(i)) => Ok(V::Int(-i)),
        Some(Number::Float(f)) => Ok(V::Float(-f)),
        None => Err(runtime(format!("bad operand type for unary -: '{}'", value.type_name()))),
    }
}

/// A list index or slice border as Python resolves it: negative counts from the end.
fn position(index: i128, length: usize) -> i128 {
    if index < 0 {
        index.saturating_add(length as i128)
    } else {
        index
    }
}

pub fn item(base: &V, key: &V, limits: &mut Budget) -> Res<V> {
    let missing =
        || V::Undefined(format!("'{} object' has no such element", base.type_name()).into());
    match base {
        V::Undefined(message) => return Err(runtime(message.to_string())),
        V::Map(map) => {
            let key = match key {
                V::Undefined(_) | V::List(_) | V::Map(_) => None, // never a key
                other => Some(Key::of(other, limits)?),
            };
            if let Some(found) = key.and_then(|key| map.items.get(&key)) {
                return Ok(found.clone());
            }
        }
        V::List(list) if list.kind != Kind::Iterator => {
            if let Some(index) = key.as_int() {
                let index = usize::try_from(position(index, list.items.len())).ok();
                return Ok(index.and_then(|i| list.items.get(i).cloned()).unwrap_or_else(missing));
            }
        }
        V::Str(text) => {
            if let Some(index) = key.as_int() {
                limits.step(text.len() / 16)?;
                let index = if index < 0 { position(index, text.chars().count()) } else { index };
                let found = usize::try_from(index).ok().and_then(|i| text.chars().nth(i));
                return Ok(found.map_or_else(missing, |c| V::str(c.to_string())));
            }
        }
        _ => {}
    }
    match key.as_str() {
        Some(name) => attribute(base, name),
        None => Ok(missing()),
    }
}

/// Methods that exist on a Python object, whether or not its items have the same name; "!" marks those the sandbox hides.
fn methods(value: &V) -> &'static [&'static str] {
    match value {
        V::Map(_) => &[
            "items",
            "keys",
            "values",
            "get",
            "copy",
            "!clear",
            "!pop",
            "!popitem",
            "!setdefault",
            "!update",
        ],
        V::List(list) if list.kind == Kind::List => &[
            "index", "count", "copy", "!append", "!clear", "!extend", "!insert", "!pop", "!remove",
            "!reverse", "!sort",
        ],
        V::List(_) => &["index", "count"],
        V::Str(_) => super::methods::STRING_METHODS,
        _ => &[],
    }
}

pub fn attribute(base: &V, name: &str) -> Res<V> {
    match base {
        V::Undefined(message) => return Err(runtime(message.to_string())),
        V::Namespace(space) => {
            if let Some(value) = space.0.borrow().get(name) {
                return Ok(value.clone());
            }
        }
        V::Loop(state) => return super::exec::loop_attribute(state, name),
        _ => {}
    }
    for method in methods(base) {
        if *method == name {
            return Ok(V::Method(Rc::new((base.clone(), name.to_string()))));
        }
        if method.strip_prefix('!') == Some(name) {
            return Ok(hidden(base, name));
        }
    }
    if let V::Map(map) = base {
        if let Some(value) = map.get(name) {
            return Ok(value.clone());
        }
    }
    if name.starts_with("__") {
        return Ok(hidden(base, name));
    }
    Ok(V::Undefined(format!("'{} object' has no attribute '{name}'", base.type_name()).into()))
}

fn hidden(base: &V, name: &str) -> V {
    V::Undefined(
        format!("access to attribute '{name}' of '{}' object is unsafe", base.type_name()).into(),
    )
}

/// value[start:stop:step]
pub fn slice(value: &V, borders: [&V; 3], limits: &mut Budget) -> Res<V> {
    let mut numbers = [None; 3];
    for (number, border) in numbers.iter_mut().zip(borders) {
        *number = match border {
            V::None => None,
            other => Some(
                other.as_int().ok_or_else(|| runtime("slice indices must be integers or None"))?,
            ),
        };
    }
    match value {
        V::Str(text) => {
            limits.grow(text.len() * 5)?;
            limits.step(text.len() / 8)?;
            let chars: Vec<char> = text.chars().collect();
            let picked = indices(numbers, chars.len())?.map(|i| chars[i]);
            Ok(V::Str(picked.collect::<String>().into()))
        }
        V::List(list) if list.kind != Kind::Iterator => {
            limits.grow(list.items.len() * 32)?;
            let picked = indices(numbers, list.items.len())?.map(|i| list.items[i].clone());
            V::list(picked.collect(), list.kind, limits)
        }
        V::Undefined(message) => Err(runtime(message.to_string())),
        other => Err(runtime(format!("'{}' object is not subscriptable", other.type_name()))),
    }
}

fn indices(
    [start, stop, step]: [Option<i128>; 3],
    length: usize,
) -> Res<impl Iterator<Item = usize>> {
    let step = step.unwrap_or(1);
    if step == 0 {
        return Err(runtime("slice step cannot be zero"));
    }
    let n = length as i128;
    let (low, high) = if step > 0 { (0, n) } else { (-1, n - 1) };
    let border = |index: Option<i128>, default: i128| match index {
        Some(index) => position(index, length).clamp(low, high),
        None => default,
    };
    let (first, last) = if step > 0 { (low, high) } else { (high, low) };
    let (mut at, end) = (border(start, first), border(stop, last));
    Ok(std::iter::from_fn(move || {
        let inside = if step > 0 { at < end } else { at > end };
        let index = at;
        at = at.saturating_add(step);
        inside.then_some(index as usize)
    }))
}

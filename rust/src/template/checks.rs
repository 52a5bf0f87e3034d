//! Jinja's tests: what stands behind `is`.

use super::args::{required, Args};
use super::fault::{runtime, Budget, Res};
use super::ops::{compare, contains};
use super::value::{Kind, V};
use minijinja::machinery::ast::CompareOpKind;

pub fn check(name: &str, value: &V, args: &Args, limits: &mut Budget) -> Res<bool> {
    if let Some(op) = comparison(name) {
        let [other] = args.bind(name, ["other"])?;
        return compare(op, value, &required(other, "other")?, limits);
    }
    Ok(match name {
        "defined" => !value.is_undefined(),
        "undefined" => value.is_undefined(),
        "none" => matches!(value, V::None),
        "boolean" => matches!(value, V::Bool(_)),
        "true" => matches!(value, V::Bool(true)),
        "false" => matches!(value, V::Bool(false)),
        "integer" => matches!(value, V::Int(_)),
        "float" => matches!(value, V::Float(_)),
        "number" => value.number().is_some(),
        "string" => matches!(value, V::Str(_)),
        "mapping" => matches!(value, V::Map(_)),
        "sequence" => match value {
            V::List(list) => list.kind != Kind::Iterator,
            other => matches!(other, V::Str(_) | V::Map(_) | V::Undefined(_)),
        },
        "iterable" => matches!(value, V::Str(_) | V::List(_) | V::Map(_) | V::Undefined(_)),
        "callable" => matches!(value, V::Macro(_) | V::Method(_) | V::Function(_)),
        "sameas" => same(value, args)?,
        "escaped" => false,
        "even" | "odd" | "divisibleby" => divisible(name, value, args)?,
        "lower" | "upper" => {
            let text = super::text::to_str(value, limits)?;
            let changed = if name == "lower" { text.to_lowercase() } else { text.to_uppercase() };
            limits.grow(changed.len())?;
            changed == *text && text.chars().any(char::is_alphabetic)
        }
        "filter" => value.as_str().is_some_and(super::filters::exists),
        "in" => {
            let [container] = args.bind(name, ["seq"])?;
            contains(&required(container, "seq")?, value, limits)?
        }
        _ => return Err(runtime(format!("No test named '{name}'"))),
    })
}

fn comparison(name: &str) -> Option<CompareOpKind> {
    Some(match name {
        "eq" | "equalto" | "==" => CompareOpKind::Eq,
        "ne" | "!=" => CompareOpKind::Ne,
        "lt" | "lessthan" | "<" => CompareOpKind::Lt,
        "le" | "<=" => CompareOpKind::Lte,
        "gt" | "greaterthan" | ">" => CompareOpKind::Gt,
        "ge" | ">=" => CompareOpKind::Gte,
        _ => return None,
    })
}

fn same(value: &V, args: &Args) -> Res<bool> {
    let [other] = args.bind("sameas", ["other"])?;
    Ok(match (value, required(other, "other")?) {
        (V::None, V::None) => true,
        (V::Bool(a), V::Bool(b)) => *a == b,
        (V::Int(a), V::Int(b)) => *a == b,
        (V::Str(a), V::Str(b)) => *a == b,
        (V::List(a), V::List(b)) => std::rc::Rc::ptr_eq(a, &b),
        (V::Map(a), V::Map(b)) => std::rc::Rc::ptr_eq(a, &b),
        _ => false,
    })
}

fn divisible(name: &str, value: &V, args: &Args) -> Res<bool> {
    let number =
        value.as_int().ok_or_else(|| runtime(format!("test '{name}' needs an integer")))?;
    let (divisor, rest) = match name {
        "even" => (2, 0),
        "odd" => (2, 1),
        _ => {
            let [divisor] = args.bind(name, ["num"])?;
            (required(divisor, "num")?.as_int().unwrap_or(0), 0)
        }
    };
    if divisor == 0 {
        return Err(runtime("integer modulo by zero"));
    }
    Ok(number.checked_rem_euclid(divisor) == Some(rest))
}

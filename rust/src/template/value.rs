//! Values of a template as Python has them: what is true, equal, ordered, and how JSON becomes values.
//!
//! Immutable except for namespaces, as in the sandbox that Transformers renders in. Every container knows how deep it
//! nests, so that no recursion over a value can exhaust the stack.

use std::cell::{Cell, RefCell};
use std::cmp::Ordering;
use std::hash::{Hash, Hasher};
use std::rc::Rc;

use indexmap::IndexMap;

use super::fault::{budget, runtime, Budget, Res};
use super::scope::{LoopState, Macro};

/// Levels a value may nest; JSON input brings at most 128.
const MAX_DEPTH: u32 = 200;

#[derive(Clone)]
pub enum V {
    /// The message of the error that a use of it raises.
    Undefined(Rc<str>),
    None,
    Bool(bool),
    Int(i128),
    Float(f64),
    Str(Rc<str>),
    List(Rc<List>),
    Map(Rc<Map>),
    Namespace(Rc<Namespace>),
    Macro(Rc<Macro>),
    Loop(Rc<LoopState>),
    /// A method bound to its object ("x.items" without a call).
    Method(Rc<(V, String)>),
    Function(&'static str),
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    List,
    Tuple,
    /// What Python's generators are: true, without a length, empty once iterated.
    Iterator,
}

pub struct List {
    pub items: Vec<V>,
    pub kind: Kind,
    depth: u32,
    spent: Cell<bool>,
}

/// A dict key. As in Python 1, 1.0 and True are one key, written as the first of them that came.
#[derive(Clone)]
pub enum Key {
    None,
    Bool(bool),
    Int(i128),
    Float(u64),
    Str(Rc<str>),
}

pub struct Map {
    pub items: IndexMap<Key, V>,
    depth: u32,
}

#[derive(Default)]
pub struct Namespace(pub RefCell<IndexMap<Rc<str>, V>>);

impl V {
    pub fn str(text: impl AsRef<str>) -> V {
        V::Str(Rc::from(text.as_ref()))
    }

    pub fn undefined(name: &str) -> V {
        V::Undefined(format!("'{name}' is undefined").into())
    }

    pub fn list(items: Vec<V>, kind: Kind, limits: &mut Budget) -> Res<V> {
        limits.grow(items.len() * 32)?;
        let depth = nested(items.iter())?;
        Ok(V::List(Rc::new(List { items, kind, depth, spent: Cell::new(false) })))
    }

    pub fn map(items: IndexMap<Key, V>, limits: &mut Budget) -> Res<V> {
        limits.grow(items.len() * 96)?;
        let depth = nested(items.values())?;
        Ok(V::Map(Rc::new(Map { items, depth })))
    }

    pub fn as_str(&self) -> Option<&str> {
        match self {
            V::Str(text) => Some(text),
            _ => None,
        }
    }

    pub fn is_undefined(&self) -> bool {
        matches!(self, V::Undefined(_))
    }

    /// Python's name of the type, as error messages show it.
    pub fn type_name(&self) -> &'static str {
        match self {
            V::Undefined(_) => "Undefined",
            V::None => "NoneType",
            V::Bool(_) => "bool",
            V::Int(_) => "int",
            V::Float(_) => "float",
            V::Str(_) => "str",
            V::List(list) => match list.kind {
                Kind::List => "list",
                Kind::Tuple => "tuple",
                Kind::Iterator => "generator",
            },
            V::Map(_) => "dict",
            V::Namespace(_) => "Namespace",
            V::Macro(_) => "Macro",
            V::Loop(_) => "LoopContext",
            V::Method(_) | V::Function(_) => "function",
        }
    }

    pub fn truthy(&self) -> Res<bool> {
        Ok(match self {
            V::Undefined(_) | V::None => false,
            V::Bool(b) => *b,
            V::Int(i) => *i != 0,
            V::Float(f) => *f != 0.0,
            V::Str(s) => !s.is_empty(),
            V::List(list) => list.kind == Kind::Iterator || !list.items.is_empty(),
            V::Map(map) => !map.items.is_empty(),
            _ => true,
        })
    }

    /// Numbers as Python computes with them; booleans are integers.
    pub fn number(&self) -> Option<Number> {
        match self {
            V::Bool(b) => Some(Number::Int(i128::from(*b))),
            V::Int(i) => Some(Number::Int(*i)),
            V::Float(f) => Some(Number::Float(*f)),
            _ => None,
        }
    }

    pub fn as_int(&self) -> Option<i128> {
        match self.number() {
            Some(Number::Int(i)) => Some(i),
            _ => None,
        }
    }

    /// The elements a for loop would see.
    pub fn iterate(&self, limits: &mut Budget) -> Res<Vec<V>> {
        let items: Vec<V> = match self {
            V::Undefined(_) => Vec::new(),
            V::List(list) if list.kind == Kind::Iterator && list.spent.replace(true) => Vec::new(),
            V::List(list) => list.items.clone(),
            V::Map(map) => map.items.keys().map(Key::value).collect(),
            V::Str(text) => {
                limits.grow(text.len() * 32)?;
                let mut buffer = [0; 4];
                text.chars().map(|c| V::str(c.encode_utf8(&mut buffer))).collect()
            }
            other => {
                return Err(runtime(format!("'{}' object is not iterable", other.type_name())))
            }
        };
        limits.grow(items.len() * 32)?;
        Ok(items)
    }

    pub fn len(&self, limits: &mut Budget) -> Res<usize> {
        match self {
            V::Undefined(_) => Ok(0),
            V::Str(text) => {
                limits.step(text.len() / 16)?;
                Ok(text.chars().count())
            }
            V::List(list) if list.kind != Kind::Iterator => Ok(list.items.len()),
            V::Map(map) => Ok(map.items.len()),
            other => Err(runtime(format!("object of type '{}' has no len()", other.type_name()))),
        }
    }
}

fn depth_of(value: &V) -> u32 {
    match value {
        V::List(list) => list.depth,
        V::Map(map) => map.depth,
        V::Method(bound) => 1 + depth_of(&bound.0),
        V::Namespace(_) | V::Macro(_) | V::Loop(_) => 1,
        _ => 0,
    }
}

fn nested<'a>(items: impl Iterator<Item = &'a V>) -> Res<u32> {
    let depth = 1 + items.map(depth_of).max().unwrap_or(0);
    if depth > MAX_DEPTH {
        return Err(budget(format!("values nest more than {MAX_DEPTH} levels deep")));
    }
    Ok(depth)
}

pub enum Number {
    Int(i128),
    Float(f64),
}

impl Number {
    pub fn float(&self) -> f64 {
        match self {
            Number::Int(i) => *i as f64,
            Number::Float(f) => *f,
        }
    }
}

impl PartialEq for Key {
    fn eq(&self, other: &Key) -> bool {
        match (self, other) {
            (Key::None, Key::None) => true,
            (Key::Str(a), Key::Str(b)) => a == b,
            _ => match (self.integer(), other.integer()) {
                (Some(a), Some(b)) => a == b,
                (None, None) => matches!((self, other), (Key::Float(a), Key::Float(b)) if a == b),
                _ => false,
            },
        }
    }
}

impl Eq for Key {}

impl Hash for Key {
    fn hash<H: Hasher>(&self, state: &mut H) {
        match (self, self.integer()) {
            (Key::Str(text), _) => text.hash(state),
            (_, Some(integer)) => integer.hash(state),
            (Key::Float(bits), _) => bits.hash(state),
            _ => {}
        }
    }
}

impl Key {
    fn integer(&self) -> Option<i128> {
        match self {
            Key::Bool(b) => Some(i128::from(*b)),
            Key::Int(i) => Some(*i),
            Key::Float(bits) => {
                let f = f64::from_bits(*bits);
                (f.fract() == 0.0 && f.abs() < 1e30).then_some(f as i128)
            }
            _ => None,
        }
    }

    pub fn of(value: &V, limits: &mut Budget) -> Res<Key> {
        if let V::Str(text) = value {
            limits.step(text.len() / 16)?; // hashing reads all of it
        }
        Ok(match value {
            V::None => Key::None,
            V::Bool(b) => Key::Bool(*b),
            V::Int(i) => Key::Int(*i),
            V::Float(f) => Key::Float(f.to_bits()),
            V::Str(s) => Key::Str(s.clone()),
            V::Undefined(message) => return Err(runtime(message.to_string())),
            other => return Err(runtime(format!("unhashable type: '{}'", other.type_name()))),
        })
    }

    pub fn value(&self) -> V {
        match self {
            Key::None => V::None,
            Key::Bool(b) => V::Bool(*b),
            Key::Int(i) => V::Int(*i),
            Key::Float(bits) => V::Float(f64::from_bits(*bits)),
            Key::Str(s) => V::Str(s.clone()),
        }
    }
}

impl Map {
    pub fn get(&self, key: &str) -> Option<&V> {
        self.items.get(&Key::Str(key.into()))
    }
}

pub fn equal(a: &V, b: &V, limits: &mut Budget) -> Res<bool> {
    limits.step(1)?;
    if let (Some(a), Some(b)) = (a.number(), b.number()) {
        return Ok(match (&a, &b) {
            (Number::Int(a), Number::Int(b)) => a == b,
            _ => a.float() == b.float(),
        });
    }
    Ok(match (a, b) {
        (V::Undefined(_), V::Undefined(_)) | (V::None, V::None) => true,
        (V::Str(a), V::Str(b)) => {
            limits.step(a.len().min(b.len()) / 64)?;
            a == b
        }
        (V::List(a), V::List(b)) => {
            Rc::ptr_eq(a, b) || (a.kind == b.kind && same_items(&a.items, &b.items, limits)?)
        }
        (V::Map(a), V::Map(b)) => Rc::ptr_eq(a, b) || same_pairs(a, b, limits)?,
        (V::Namespace(a), V::Namespace(b)) => Rc::ptr_eq(a, b),
        (V::Macro(a), V::Macro(b)) => Rc::ptr_eq(a, b),
        _ => false,
    })
}

fn same_items(a: &[V], b: &[V], limits: &mut Budget) -> Res<bool> {
    if a.len() != b.len() {
        return Ok(false);
    }
    for (a, b) in a.iter().zip(b) {
        if !equal(a, b, limits)? {
            return Ok(false);
        }
    }
    Ok(true)
}

fn same_pairs(a: &Map, b: &Map, limits: &mut Budget) -> Res<bool> {
    if a.items.len() != b.items.len() {
        return Ok(false);
    }
    for (key, value) in &a.items {
        match b.items.get(key) {
            Some(other) if equal(value, other, limits)? => {}
            _ => return Ok(false),
        }
    }
    Ok(true)
}

/// The order of two values, or the error Python raises where there is none.
pub fn order(a: &V, b: &V, limits: &mut Budget) -> Res<Ordering> {
    limits.step(1)?;
    if let (Some(x), Some(y)) = (a.number(), b.number()) {
        return Ok(match (&x, &y) {
            (Number::Int(x), Number::Int(y)) => x.cmp(y),
            // A NaN is unordered; calling it equal makes < and > false, as in Python.
            _ => x.float().partial_cmp(&y.float()).unwrap_or(Ordering::Equal),
        });
    }
    match (a, b) {
        (V::Str(a), V::Str(b)) => {
            limits.step(a.len().min(b.len()) / 64)?;
            Ok(a.cmp(b))
        }
        (V::List(a), V::List(b)) if a.kind == b.kind && a.kind != Kind::Iterator => {
            for (x, y) in a.items.iter().zip(&b.items) {
                if !equal(x, y, limits)? {
                    return order(x, y, limits);
                }
            }
            Ok(a.items.len().cmp(&b.items.len()))
        }
        (V::Undefined(message), _) | (_, V::Undefined(message)) => {
            Err(runtime(message.to_string()))
        }
        _ => Err(runtime(format!(
            "'<' not supported between instances of '{}' and '{}'",
            a.type_name(),
            b.type_name()
        ))),
    }
}

/// JSON as values; its own limits keep it shallow.
pub fn from_json(json: &serde_json::Value, limits: &mut Budget) -> Res<V> {
    use serde_json::Value;
    Ok(match json {
        Value::Null => V::None,
        Value::Bool(b) => V::Bool(*b),
        Value::Number(n) => match (n.as_i64(), n.as_u64()) {
            (Some(i), _) => V::Int(i.into()),
            (_, Some(u)) => V::Int(u.into()),
            _ => V::Float(n.as_f64().unwrap_or(f64::NAN)),
        },
        Value::String(s) => V::str(s),
        Value::Array(items) => {
            let items = items.iter().map(|item| from_json(item, limits));
            let items = items.collect::<Res<Vec<_>>>()?;
            V::list(items, Kind::List, limits)?
        }
        Value::Object(items) => {
            let pairs =
                items.iter().map(|(k, v)| Ok((Key::Str(k.as_str().into()), from_json(v, limits)?)));
            let items = pairs.collect::<Res<IndexMap<_, _>>>()?;
            V::map(items, limits)?
        }
    })
}

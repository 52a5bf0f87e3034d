//! Arguments of a call, filter or test, and how Python binds them to parameters.

use super::fault::{runtime, Res};
use super::value::V;

#[derive(Default)]
pub struct Args {
    pub positional: Vec<V>,
    pub keywords: Vec<(String, V)>,
}

impl Args {
    pub fn named(&self, name: &str) -> Option<V> {
        self.keywords.iter().find(|(key, _)| key == name).map(|(_, value)| value.clone())
    }

    /// The values of `names` in order, each given by position or by name; what was not given is None.
    pub fn bind<const N: usize>(&self, what: &str, names: [&str; N]) -> Res<[Option<V>; N]> {
        if self.positional.len() > N {
            return Err(runtime(format!("{what} takes at most {N} arguments")));
        }
        for (key, _) in &self.keywords {
            let place = names.iter().position(|name| name == key);
            if place.is_none_or(|place| place < self.positional.len()) {
                return Err(runtime(format!("{what} got an unexpected argument '{key}'")));
            }
        }
        let mut bound = [const { None }; N];
        for (index, name) in names.iter().enumerate() {
            bound[index] = self.positional.get(index).cloned().or_else(|| self.named(name));
        }
        Ok(bound)
    }
}

pub fn text_or(value: Option<V>, default: &str) -> Res<String> {
    match value {
        None | Some(V::None) => Ok(default.to_string()),
        Some(V::Str(text)) => Ok(text.to_string()),
        Some(other) => Err(runtime(format!("expected a string, got '{}'", other.type_name()))),
    }
}

pub fn int_or(value: Option<V>, default: i64) -> Res<i64> {
    match value {
        None | Some(V::None) => Ok(default),
        Some(other) => other
            .as_int()
            .and_then(|i| i64::try_from(i).ok())
            .ok_or_else(|| runtime(format!("expected an integer, got '{}'", other.type_name()))),
    }
}

pub fn flag(value: Option<V>, default: bool) -> Res<bool> {
    value.map_or(Ok(default), |value| value.truthy())
}

pub fn required(value: Option<V>, what: &str) -> Res<V> {
    value.ok_or_else(|| runtime(format!("missing argument: {what}")))
}

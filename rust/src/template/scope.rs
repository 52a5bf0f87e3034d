//! Variables while a template runs: lexical scopes, macros that remember theirs, the state of a loop.

use std::borrow::Cow;
use std::cell::{Cell, RefCell};
use std::collections::HashMap;
use std::rc::Rc;

use minijinja::machinery::ast;

use super::value::V;

/// Names are borrowed from the template's source or, in the outermost scope, owned.
pub type Name = Cow<'static, str>;

/// Jinja's rule: an assignment goes to the innermost scope, a look-up sees all outer ones.
#[derive(Default)]
pub struct Scope {
    pub names: RefCell<HashMap<Name, V>>,
    pub parent: Option<Rc<Scope>>,
}

impl Scope {
    pub fn inside(parent: &Rc<Scope>) -> Rc<Scope> {
        Rc::new(Scope { names: RefCell::default(), parent: Some(parent.clone()) })
    }

    pub fn set(&self, name: impl Into<Name>, value: V) {
        self.names.borrow_mut().insert(name.into(), value);
    }

    pub fn get(&self, name: &str) -> Option<V> {
        let mut scope = self;
        loop {
            if let Some(value) = scope.names.borrow().get(name) {
                return Some(value.clone());
            }
            scope = scope.parent.as_deref()?;
        }
    }
}

pub struct Macro {
    pub decl: &'static ast::Macro<'static>,
    pub scope: Rc<Scope>,
}

pub struct LoopState {
    pub items: Rc<Vec<V>>,
    pub index: Cell<usize>,
    pub depth: usize,
    pub changed: RefCell<Option<Vec<V>>>,
    /// The loop and the scope around it, if `loop(...)` may be called.
    pub recursive: Option<(&'static ast::ForLoop<'static>, Rc<Scope>)>,
}

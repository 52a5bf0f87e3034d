//! Executing statements: output, loops, conditions, assignments, macros.

use std::cell::{Cell, RefCell};
use std::rc::Rc;

use minijinja::machinery::ast::{self, Expr, Stmt};

use super::args::Args;
use super::fault::{runtime, Budget, Fault, Res, MAX_OUTPUT_BYTES};
use super::scope::{LoopState, Macro, Scope};
use super::text::{to_str, too_long};
use super::value::{equal, Namespace, V};

/// One render. What could form cycles (namespaces, scopes that macros remember) is listed, to be emptied at the end.
pub struct Vm<'a> {
    pub limits: Budget,
    pub source: &'a str,
    pub now_s: i64,
    pub depth: u32,
    pub calls: u32,
    /// What `{% filter %}` and `{% set x | filter %}` pass to their filter.
    pub captured: Option<V>,
    pub namespaces: Vec<Rc<Namespace>>,
    pub scopes: Vec<Rc<Scope>>,
}

/// How a list of statements ended.
#[derive(PartialEq, Eq)]
pub enum Flow {
    Next,
    Break,
    Continue,
}

impl Drop for Vm<'_> {
    fn drop(&mut self) {
        for space in &self.namespaces {
            space.0.take();
        }
        for scope in &self.scopes {
            scope.names.take();
        }
    }
}

impl Vm<'_> {
    pub fn run(
        &mut self,
        body: &'static [Stmt<'static>],
        scope: &Rc<Scope>,
        out: &mut String,
    ) -> Res<Flow> {
        for stmt in body {
            let flow = self.exec(stmt, scope, out)?;
            if flow != Flow::Next {
                return Ok(flow);
            }
        }
        Ok(Flow::Next)
    }

    fn exec(
        &mut self,
        stmt: &'static Stmt<'static>,
        scope: &Rc<Scope>,
        out: &mut String,
    ) -> Res<Flow> {
        self.descend()?;
        let flow = self.exec_inner(stmt, scope, out);
        self.depth -= 1;
        flow
    }

    fn exec_inner(
        &mut self,
        stmt: &'static Stmt<'static>,
        scope: &Rc<Scope>,
        out: &mut String,
    ) -> Res<Flow> {
        match stmt {
            Stmt::Template(node) => return self.run(&node.children, scope, out),
            Stmt::EmitRaw(node) => self.emit(node.raw, out)?,
            Stmt::EmitExpr(node) => {
                let value = self.eval(&node.expr, scope)?;
                self.emit_value(&value, out).map_err(at(node.span()))?;
            }
            Stmt::IfCond(node) => {
                let taken = self.eval(&node.expr, scope)?.truthy()?;
                let body = if taken { &node.true_body } else { &node.false_body };
                return self.run(body, scope, out);
            }
            Stmt::ForLoop(node) => {
                let iter = self.eval(&node.iter, scope)?;
                self.run_loop(node, &iter, scope, 0, out).map_err(at(node.span()))?;
            }
            Stmt::WithBlock(node) => {
                let inner = Scope::inside(scope);
                for (target, expr) in &node.assignments {
                    let value = self.eval(expr, scope)?;
                    self.assign(target, value, &inner)?;
                }
                return self.run(&node.body, &inner, out);
            }
            Stmt::Set(node) => {
                let value = self.eval(&node.expr, scope)?;
                self.assign(&node.target, value, scope).map_err(at(node.span()))?;
            }
            Stmt::SetBlock(node) => {
                let text = self.capture(&node.body, &Scope::inside(scope))?;
                let value = self.filtered(node.filter.as_ref(), text, scope)?;
                self.assign(&node.target, value, scope).map_err(at(node.span()))?;
            }
            Stmt::FilterBlock(node) => {
                let text = self.capture(&node.body, &Scope::inside(scope))?;
                let value = self.filtered(Some(&node.filter), text, scope)?;
                self.emit_value(&value, out)?;
            }
            Stmt::Macro(node) => {
                let value = self.make_macro(node, scope)?;
                scope.set(node.name, value);
            }
            Stmt::CallBlock(node) => {
                self.run_call_block(node, scope, out).map_err(at(node.span()))?
            }
            Stmt::Do(node) => self.run_do(node, scope)?,
            Stmt::Break(_) => return Ok(Flow::Break),
            Stmt::Continue(_) => return Ok(Flow::Continue),
            Stmt::AutoEscape(node) => return self.run(&node.body, scope, out),
        }
        Ok(Flow::Next)
    }

    fn emit(&mut self, text: &str, out: &mut String) -> Res<()> {
        if out.len() + text.len() > MAX_OUTPUT_BYTES {
            return Err(too_long());
        }
        self.limits.grow(text.len())?;
        out.push_str(text);
        Ok(())
    }

    fn emit_value(&mut self, value: &V, out: &mut String) -> Res<()> {
        let text = to_str(value, &mut self.limits)?;
        self.emit(&text, out)
    }

    fn capture(&mut self, body: &'static [Stmt<'static>], scope: &Rc<Scope>) -> Res<V> {
        let mut text = String::new();
        self.run(body, scope, &mut text)?;
        Ok(V::Str(text.into()))
    }

    fn filtered(
        &mut self,
        filter: Option<&'static Expr<'static>>,
        text: V,
        scope: &Rc<Scope>,
    ) -> Res<V> {
        let Some(filter) = filter else {
            return Ok(text);
        };
        let before = self.captured.replace(text);
        let value = self.eval(filter, scope);
        self.captured = before;
        value
    }

    fn assign(&mut self, target: &'static Expr<'static>, value: V, scope: &Rc<Scope>) -> Res<()> {
        match target {
            Expr::Var(var) => {
                self.limits.grow(64)?;
                scope.set(var.id, value);
                Ok(())
            }
            Expr::GetAttr(node) => match self.eval(&node.expr, scope)? {
                V::Namespace(space) => {
                    self.limits.grow(64)?;
                    space.0.borrow_mut().insert(node.name.into(), value);
                    Ok(())
                }
                _ => Err(runtime("cannot assign attribute on non-namespace object")),
            },
            Expr::List(node) => {
                let items = value.iterate(&mut self.limits)?;
                if items.len() != node.items.len() {
                    let wanted = node.items.len();
                    return Err(runtime(format!(
                        "expected {wanted} values to unpack, got {}",
                        items.len()
                    )));
                }
                for (target, item) in node.items.iter().zip(items) {
                    self.assign(target, item, scope)?;
                }
                Ok(())
            }
            _ => Err(runtime("cannot assign to this expression")),
        }
    }

    fn run_loop(
        &mut self,
        node: &'static ast::ForLoop<'static>,
        iter: &V,
        scope: &Rc<Scope>,
        depth: usize,
        out: &mut String,
    ) -> Res<()> {
        let mut items = iter.iterate(&mut self.limits)?;
        if let Some(filter) = &node.filter_expr {
            let mut kept = Vec::new();
            for item in items {
                let inner = Scope::inside(scope);
                self.assign(&node.target, item.clone(), &inner)?;
                if self.eval(filter, &inner)?.truthy()? {
                    kept.push(item);
                }
            }
            items = kept;
        }
        if items.is_empty() {
            return self.run(&node.else_body, &Scope::inside(scope), out).map(|_| ());
        }
        let state = Rc::new(LoopState {
            items: Rc::new(items),
            index: Cell::new(0),
            depth,
            changed: RefCell::new(None),
            recursive: node.recursive.then(|| (node, scope.clone())),
        });
        for (index, item) in state.items.iter().enumerate() {
            self.limits.step(1)?;
            state.index.set(index);
            let inner = Scope::inside(scope);
            inner.set("loop", V::Loop(state.clone()));
            self.assign(&node.target, item.clone(), &inner)?;
            if self.run(&node.body, &inner, out)? == Flow::Break {
                break;
            }
        }
        Ok(())
    }

    /// loop(items) inside a recursive loop: its output as a string.
    pub fn recurse_loop(&mut self, state: &Rc<LoopState>, args: Args) -> Res<V> {
        let Some((node, scope)) = &state.recursive else {
            return Err(runtime(
                "The loop must have the 'recursive' marker to be called recursively.",
            ));
        };
        let [items] = args.bind("loop", ["iterable"])?;
        let items = super::args::required(items, "iterable")?;
        self.descend()?;
        let mut text = String::new();
        self.run_loop(node, &items, scope, state.depth + 1, &mut text)?;
        self.depth -= 1;
        Ok(V::Str(text.into()))
    }

    pub fn call_loop_method(&mut self, state: &Rc<LoopState>, name: &str, args: Args) -> Res<V> {
        if name == "cycle" {
            let count = args.positional.len();
            let index = state.index.get();
            let value = args.positional.into_iter().nth(index % count.max(1));
            return value.ok_or_else(|| runtime("no items for cycling given"));
        }
        let before = state.changed.replace(Some(args.positional.clone()));
        let Some(before) = before.filter(|before| before.len() == args.positional.len()) else {
            return Ok(V::Bool(true));
        };
        for (old, new) in before.iter().zip(&args.positional) {
            if !equal(old, new, &mut self.limits)? {
                return Ok(V::Bool(true));
            }
        }
        Ok(V::Bool(false))
    }

    fn make_macro(&mut self, decl: &'static ast::Macro<'static>, scope: &Rc<Scope>) -> Res<V> {
        self.limits.grow(256)?;
        self.scopes.push(scope.clone());
        Ok(V::Macro(Rc::new(Macro { decl, scope: scope.clone() })))
    }

    pub fn call_macro(&mut self, target: &Rc<Macro>, mut args: Args) -> Res<V> {
        let decl = target.decl;
        let scope = Scope::inside(&target.scope);
        self.limits.grow(512)?;
        if let Some(at) = args.keywords.iter().position(|(name, _)| name == "caller") {
            scope.set("caller", args.keywords.swap_remove(at).1);
        }
        if args.positional.len() > decl.args.len() {
            return Err(runtime(format!(
                "macro '{}' takes not more than {} argument(s)",
                decl.name,
                decl.args.len()
            )));
        }
        let first_default = decl.args.len() - decl.defaults.len();
        for (index, target) in decl.args.iter().enumerate() {
            let Expr::Var(parameter) = target else {
                return Err(runtime("macro parameters must be names"));
            };
            let given = args.positional.get(index).cloned();
            let named = args.keywords.iter().position(|(name, _)| name == parameter.id);
            let value = match (given, named, index.checked_sub(first_default)) {
                (Some(value), _, _) => value,
                (None, Some(at), _) => args.keywords.swap_remove(at).1,
                (None, None, Some(at)) => self.eval(&decl.defaults[at], &scope)?,
                (None, None, None) => {
                    V::Undefined(format!("parameter '{}' was not provided", parameter.id).into())
                }
            };
            scope.set(parameter.id, value);
        }
        if let Some((name, _)) = args.keywords.first() {
            return Err(runtime(format!(
                "macro '{}' takes no keyword argument '{name}'",
                decl.name
            )));
        }
        self.capture(&decl.body, &scope)
    }

    fn run_call_block(
        &mut self,
        node: &'static ast::CallBlock<'static>,
        scope: &Rc<Scope>,
        out: &mut String,
    ) -> Res<()> {
        let caller = self.make_macro(&node.macro_decl, scope)?;
        let callee = self.eval(&node.call.expr, scope)?;
        let mut args = self.eval_call_args(&node.call, scope)?;
        args.keywords.push(("caller".to_string(), caller));
        let value = self.call(&callee, args)?;
        self.emit_value(&value, out)
    }

    fn run_do(&mut self, node: &'static ast::Do<'static>, scope: &Rc<Scope>) -> Res<()> {
        let callee = self.eval(&node.call.expr, scope)?;
        let args = self.eval_call_args(&node.call, scope)?;
        self.call(&callee, args).map(|_| ())
    }
}

/// Marks a fault that has no place yet with that of its statement.
fn at(span: minijinja::machinery::Span) -> impl Fn(Box<Fault>) -> Box<Fault> {
    move |mut fault| {
        fault.at.get_or_insert(span.start_offset);
        fault
    }
}

pub fn loop_attribute(state: &Rc<LoopState>, name: &str) -> Res<V> {
    let (index, length) = (state.index.get(), state.items.len());
    let neighbour = |at: Option<usize>| {
        let found = at.and_then(|at| state.items.get(at).cloned());
        found.unwrap_or_else(|| V::Undefined("there is no neighbouring item".into()))
    };
    let number = |value: usize| V::Int(value as i128);
    Ok(match name {
        "index" => number(index + 1),
        "index0" => number(index),
        "revindex" => number(length - index),
        "revindex0" => number(length - index - 1),
        "first" => V::Bool(index == 0),
        "last" => V::Bool(index + 1 == length),
        "length" => number(length),
        "depth" => number(state.depth + 1),
        "depth0" => number(state.depth),
        "previtem" => neighbour(index.checked_sub(1)),
        "nextitem" => neighbour(Some(index + 1)),
        "cycle" | "changed" => V::Method(Rc::new((V::Loop(state.clone()), name.to_string()))),
        _ => V::Undefined(format!("'LoopContext' object has no attribute '{name}'").into()),
    })
}

//! Evaluating expressions.

use std::rc::Rc;

use minijinja::machinery::ast::{self, BinOpKind, CallArg, Expr, UnaryOpKind};
use minijinja::value::ValueKind;

use super::args::{required, Args};
use super::checks::check;
use super::exec::Vm;
use super::fault::{budget, runtime, Res};
use super::filters;
use super::methods::call_method;
use super::ops::{attribute, binary, compare, item, negate, slice, MAX_ITEMS};
use super::scope::Scope;
use super::sequences::{build_map, follow};
use super::value::{Key, Kind, Namespace, V};

/// Nested expressions, statements and macro calls. Each level takes under 4 KB of a stack of 128 MB (mod.rs).
const MAX_DEPTH: u32 = 20_000;
/// Macros calling macros: Python stops at about this many too.
const MAX_CALLS: u32 = 200;

const FUNCTIONS: &[&str] = &["range", "dict", "namespace", "raise_exception", "strftime_now"];

impl Vm<'_> {
    pub fn descend(&mut self) -> Res<()> {
        self.limits.step(1)?;
        self.depth += 1;
        if self.depth > MAX_DEPTH {
            return Err(budget("template nests too deep"));
        }
        Ok(())
    }

    /// Value of an expression; a failure is marked with the innermost expression's place in the source.
    pub fn eval(&mut self, expr: &'static Expr<'static>, scope: &Rc<Scope>) -> Res<V> {
        self.descend()?;
        let value = self.eval_inner(expr, scope).map_err(|mut fault| {
            fault.at.get_or_insert(expr.span().start_offset);
            fault
        });
        self.depth -= 1;
        value
    }

    fn eval_inner(&mut self, expr: &'static Expr<'static>, scope: &Rc<Scope>) -> Res<V> {
        match expr {
            Expr::Var(var) => Ok(self.look_up(var.id, scope)),
            Expr::Const(constant) => self.constant(&constant.value),
            Expr::Slice(node) => self.eval_slice(node, scope),
            Expr::UnaryOp(node) => {
                let value = self.eval(&node.expr, scope)?;
                match node.op {
                    UnaryOpKind::Not => Ok(V::Bool(!value.truthy()?)),
                    UnaryOpKind::Neg => negate(&value),
                }
            }
            Expr::BinOp(node) => self.eval_binary(node, scope),
            Expr::Compare(node) => self.eval_compare(node, scope),
            Expr::IfExpr(node) => {
                if self.eval(&node.test_expr, scope)?.truthy()? {
                    return self.eval(&node.true_expr, scope);
                }
                match &node.false_expr {
                    Some(other) => self.eval(other, scope),
                    None => Ok(V::Undefined("the inline if-expression has no else".into())),
                }
            }
            Expr::Filter(node) => self.eval_filter(node, scope),
            Expr::Test(node) => {
                let value = self.eval(&node.expr, scope)?;
                let args = self.eval_args(&node.args, scope)?;
                check(node.name, &value, &args, &mut self.limits).map(V::Bool)
            }
            Expr::GetAttr(node) => {
                let base = self.eval(&node.expr, scope)?;
                attribute(&base, node.name)
            }
            Expr::GetItem(node) => {
                let base = self.eval(&node.expr, scope)?;
                let key = self.eval(&node.subscript_expr, scope)?;
                item(&base, &key, &mut self.limits)
            }
            Expr::Call(node) => self.eval_call(node, scope),
            Expr::List(node) => {
                let items = self.eval_all(&node.items, scope)?;
                // The parser has one node for both; a tuple does not start with a bracket.
                let tuple =
                    self.source.as_bytes().get(node.span().start_offset as usize) != Some(&b'[');
                let kind = if tuple { Kind::Tuple } else { Kind::List };
                V::list(items, kind, &mut self.limits)
            }
            Expr::Map(node) => {
                let mut items = indexmap::IndexMap::new();
                for (key, value) in node.keys.iter().zip(&node.values) {
                    let key = self.eval(key, scope)?;
                    let key = Key::of(&key, &mut self.limits)?;
                    items.insert(key, self.eval(value, scope)?);
                }
                V::map(items, &mut self.limits)
            }
        }
    }

    fn look_up(&self, name: &str, scope: &Rc<Scope>) -> V {
        if let Some(value) = scope.get(name) {
            return value;
        }
        match FUNCTIONS.iter().find(|function| **function == name) {
            Some(function) => V::Function(function),
            None => V::undefined(name),
        }
    }

    fn constant(&mut self, value: &minijinja::Value) -> Res<V> {
        Ok(match value.kind() {
            ValueKind::None => V::None,
            ValueKind::Bool => V::Bool(value.is_true()),
            ValueKind::Number if value.is_integer() => {
                V::Int(i128::try_from(value.clone()).map_err(|e| runtime(e.to_string()))?)
            }
            ValueKind::Number => {
                V::Float(f64::try_from(value.clone()).map_err(|e| runtime(e.to_string()))?)
            }
            ValueKind::String => {
                let text = value.as_str().unwrap_or_default();
                self.limits.grow(text.len())?;
                V::str(text)
            }
            _ => return Err(runtime("unexpected constant")),
        })
    }

    fn eval_all(&mut self, exprs: &'static [Expr<'static>], scope: &Rc<Scope>) -> Res<Vec<V>> {
        exprs.iter().map(|expr| self.eval(expr, scope)).collect()
    }

    fn eval_slice(&mut self, node: &'static ast::Slice<'static>, scope: &Rc<Scope>) -> Res<V> {
        let base = self.eval(&node.expr, scope)?;
        let mut borders = [V::None, V::None, V::None];
        for (border, expr) in borders.iter_mut().zip([&node.start, &node.stop, &node.step]) {
            if let Some(expr) = expr {
                *border = self.eval(expr, scope)?;
            }
        }
        slice(&base, [&borders[0], &borders[1], &borders[2]], &mut self.limits)
    }

    fn eval_binary(&mut self, node: &'static ast::BinOp<'static>, scope: &Rc<Scope>) -> Res<V> {
        let left = self.eval(&node.left, scope)?;
        match node.op {
            BinOpKind::ScAnd if !left.truthy()? => return Ok(left),
            BinOpKind::ScOr if left.truthy()? => return Ok(left),
            BinOpKind::ScAnd | BinOpKind::ScOr => return self.eval(&node.right, scope),
            _ => {}
        }
        let right = self.eval(&node.right, scope)?;
        binary(node.op, &left, &right, &mut self.limits)
    }

    fn eval_compare(&mut self, node: &'static ast::Compare<'static>, scope: &Rc<Scope>) -> Res<V> {
        let mut left = self.eval(&node.expr, scope)?;
        for op in &node.ops {
            let right = self.eval(&op.expr, scope)?;
            if !compare(op.op, &left, &right, &mut self.limits)? {
                return Ok(V::Bool(false));
            }
            left = right;
        }
        Ok(V::Bool(true))
    }

    fn eval_filter(&mut self, node: &'static ast::Filter<'static>, scope: &Rc<Scope>) -> Res<V> {
        let value = match &node.expr {
            Some(expr) => self.eval(expr, scope)?,
            None => self.captured.clone().unwrap_or(V::None),
        };
        let args = self.eval_args(&node.args, scope)?;
        self.apply_filter(node.name, &value, args)
    }

    fn apply_filter(&mut self, name: &str, value: &V, args: Args) -> Res<V> {
        match name {
            "attr" => {
                let [name] = args.bind(name, ["name"])?;
                match required(name, "name")?.as_str() {
                    Some(name) => attribute(value, name),
                    None => Err(runtime("attr needs a name")),
                }
            }
            "map" => self.map_filter(value, args),
            "select" | "reject" | "selectattr" | "rejectattr" => {
                self.select_filter(name, value, args)
            }
            _ => filters::apply(name, value, &args, &mut self.limits),
        }
    }

    fn map_filter(&mut self, value: &V, mut args: Args) -> Res<V> {
        let items = value.iterate(&mut self.limits)?;
        let mut mapped = Vec::with_capacity(items.len());
        if let Some(path) = args.named("attribute").filter(|_| args.positional.is_empty()) {
            for item in &items {
                let found = follow(item, &path, &mut self.limits)?;
                let default = args.named("default").filter(|_| found.is_undefined());
                mapped.push(default.unwrap_or(found));
            }
        } else {
            if args.positional.is_empty() {
                return Err(runtime("map requires a filter argument"));
            }
            let name = args.positional.remove(0);
            let name = name.as_str().ok_or_else(|| runtime("map requires a filter argument"))?;
            for item in &items {
                self.limits.step(1)?;
                let args =
                    Args { positional: args.positional.clone(), keywords: args.keywords.clone() };
                mapped.push(self.apply_filter(name, item, args)?);
            }
        }
        V::list(mapped, Kind::Iterator, &mut self.limits)
    }

    fn select_filter(&mut self, name: &str, value: &V, mut args: Args) -> Res<V> {
        let wanted = name.starts_with("select");
        let path = if name.ends_with("attr") {
            if args.positional.is_empty() {
                return Err(runtime(format!("{name} requires an attribute")));
            }
            Some(args.positional.remove(0))
        } else {
            None
        };
        let test = if args.positional.is_empty() { None } else { Some(args.positional.remove(0)) };
        let mut kept = Vec::new();
        for item in value.iterate(&mut self.limits)? {
            self.limits.step(1)?;
            let subject = match &path {
                Some(path) => follow(&item, path, &mut self.limits)?,
                None => item.clone(),
            };
            let passes = match test.as_ref().map(V::as_str) {
                None => subject.truthy()?,
                Some(Some(test)) => check(test, &subject, &args, &mut self.limits)?,
                Some(None) => return Err(runtime(format!("{name} requires the name of a test"))),
            };
            if passes == wanted {
                kept.push(item);
            }
        }
        V::list(kept, Kind::Iterator, &mut self.limits)
    }

    pub fn eval_call_args(
        &mut self,
        call: &'static ast::Call<'static>,
        scope: &Rc<Scope>,
    ) -> Res<Args> {
        self.eval_args(&call.args, scope)
    }

    fn eval_args(&mut self, nodes: &'static [CallArg<'static>], scope: &Rc<Scope>) -> Res<Args> {
        let mut args = Args::default();
        for node in nodes {
            match node {
                CallArg::Pos(expr) => args.positional.push(self.eval(expr, scope)?),
                CallArg::Kwarg(name, expr) => {
                    let value = self.eval(expr, scope)?;
                    args.keywords.push((name.to_string(), value));
                }
                CallArg::PosSplat(expr) => {
                    let items = self.eval(expr, scope)?.iterate(&mut self.limits)?;
                    args.positional.extend(items);
                }
                CallArg::KwargSplat(expr) => {
                    let V::Map(map) = self.eval(expr, scope)? else {
                        return Err(runtime("argument after ** must be a mapping"));
                    };
                    self.limits.grow(map.items.len() * 96)?;
                    for (key, value) in &map.items {
                        let key = key.value();
                        let name =
                            key.as_str().ok_or_else(|| runtime("keywords must be strings"))?;
                        args.keywords.push((name.to_string(), value.clone()));
                    }
                }
            }
        }
        Ok(args)
    }

    fn eval_call(&mut self, node: &'static ast::Call<'static>, scope: &Rc<Scope>) -> Res<V> {
        let callee = self.eval(&node.expr, scope)?;
        let args = self.eval_args(&node.args, scope)?;
        self.call(&callee, args)
    }

    pub fn call(&mut self, callee: &V, args: Args) -> Res<V> {
        match callee {
            V::Macro(target) => {
                self.calls += 1;
                if self.calls > MAX_CALLS {
                    return Err(budget("macros call each other too deep"));
                }
                let value = self.call_macro(target, args);
                self.calls -= 1;
                value
            }
            V::Method(bound) => match &bound.0 {
                V::Loop(state) => self.call_loop_method(state, &bound.1, args),
                object => call_method(object, &bound.1, &args, &mut self.limits),
            },
            V::Loop(state) => self.recurse_loop(state, args),
            V::Function(name) => self.call_function(name, &args),
            V::Undefined(message) => Err(runtime(message.to_string())),
            other => Err(runtime(format!("'{}' object is not callable", other.type_name()))),
        }
    }

    fn call_function(&mut self, name: &str, args: &Args) -> Res<V> {
        match name {
            "range" => self.range(args),
            "dict" => {
                let items = build_map(args, &mut self.limits)?;
                V::map(items, &mut self.limits)
            }
            "namespace" => {
                let space = Rc::new(Namespace::default());
                for (key, value) in build_map(args, &mut self.limits)? {
                    if let Key::Str(name) = key {
                        space.0.borrow_mut().insert(name, value);
                    }
                }
                self.limits.grow(512)?;
                self.limits.step(16)?;
                self.namespaces.push(space.clone());
                Ok(V::Namespace(space))
            }
            "raise_exception" => {
                let [message] = args.bind(name, ["message"])?;
                let message = super::text::to_str(&message.unwrap_or(V::None), &mut self.limits)?;
                Err(runtime(message.to_string()))
            }
            _ => {
                let [format] = args.bind(name, ["format"])?;
                let format = required(format, "format")?;
                let format =
                    format.as_str().ok_or_else(|| runtime("strftime_now needs a format"))?;
                super::clock::strftime(self.now_s, format).map(V::str)
            }
        }
    }

    fn range(&mut self, args: &Args) -> Res<V> {
        let numbers: Option<Vec<i128>> = args.positional.iter().map(V::as_int).collect();
        let numbers = numbers.filter(|_| args.keywords.is_empty());
        let (start, stop, step) = match numbers.as_deref() {
            Some([stop]) => (0, *stop, 1),
            Some([start, stop]) => (*start, *stop, 1),
            Some([start, stop, step]) if *step != 0 => (*start, *stop, *step),
            _ => return Err(runtime("range() needs one to three integers, the third not zero")),
        };
        let span = if step > 0 { stop.saturating_sub(start) } else { start.saturating_sub(stop) };
        let width = step.unsigned_abs();
        let count = (span.max(0) as u128).div_ceil(width);
        if count > MAX_ITEMS as u128 {
            return Err(budget(format!(
                "Range too big. The sandbox blocks ranges larger than {MAX_ITEMS}."
            )));
        }
        self.limits.grow(count as usize * 32)?;
        let items = (0..count as i128).map(|index| V::Int(start + index * step)).collect();
        V::list(items, Kind::List, &mut self.limits)
    }
}

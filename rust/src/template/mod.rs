//! Chat templates: Jinja as Transformers sets it up, under a budget.
//!
//! minijinja supplies the lexer and the parser. Its virtual machine is not used: a template comes with a model file, and
//! there one instruction may double a string or nest a list without end, which no count of instructions bounds. Here a
//! tree walk over the same syntax tree charges every byte and every level before it spends them. The values follow
//! Python rather than minijinja where the two differ (value.rs, text.rs).

mod abi;
mod args;
mod checks;
mod clock;
mod eval;
mod exec;
mod fault;
mod filters;
mod format;
mod methods;
mod ops;
mod scope;
mod sequences;
mod source;
mod text;
mod value;

use std::rc::Rc;

use minijinja::machinery::{ast::Stmt, parse};
use serde_json::Value;

use crate::ffi::{Code, Failure};
use exec::Vm;
use fault::{Budget, Fault, Kind};
use scope::Scope;

/// Deepest recursion (eval.rs) times the largest frame; untouched pages of it cost nothing.
const STACK_BYTES: usize = 128 << 20;
const MAX_CHAT_BYTES: usize = 64 << 20;

/// A parsed template. Field order matters: the tree borrows from the source and must go first.
pub struct Template {
    tree: Tree,
    source: Box<str>,
}

/// The syntax tree, dropped on a deep stack like everything that recurses over it.
struct Tree(Option<Stmt<'static>>);

impl Drop for Tree {
    fn drop(&mut self) {
        let tree = self.0.take();
        // If no thread can be had, leaking the tree is better than overflowing the caller's stack.
        let moved = std::mem::ManuallyDrop::new(tree);
        let _ = on_deep_stack(move || drop(std::mem::ManuallyDrop::into_inner(moved)));
    }
}

/// Runs `body` on a thread of its own with a stack for the deepest recursion; a panic there becomes a failure.
fn on_deep_stack<T: Send>(body: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let worker = builder.spawn_scoped(scope, body).map_err(|e| {
            Failure::new(Code::ResourceLimit, format!("no thread for the chat template: {e}"))
        })?;
        worker.join().map_err(|_| Failure::data("the chat template engine gave up"))
    })
}

impl Template {
    pub fn new(source: &str) -> Result<Template, Failure> {
        let source: Box<str> = source::prepare(source)?.into();
        let tree = on_deep_stack(|| -> Result<Tree, Failure> {
            source::check(&source)?;
            // Safe: the tree lives beside the boxed source, which neither moves nor changes, and is dropped first.
            let text: &'static str = unsafe { &*(source.as_ref() as *const str) };
            let tree = parse(text, "template", Default::default(), source::WHITESPACE)
                .map_err(|e| source::syntax_error(&source, &e))?;
            Ok(Tree(Some(tree)))
        })??;
        Ok(Template { tree, source })
    }

    pub fn render(&self, chat: &Chat) -> Result<String, Failure> {
        let parts = [chat.messages, chat.tools, chat.documents, chat.variables];
        let bytes = parts.iter().map(|part| part.len()).sum();
        if bytes > MAX_CHAT_BYTES {
            let message = format!("the chat has {bytes} bytes of JSON, more than {MAX_CHAT_BYTES}");
            return Err(Failure::new(Code::ResourceLimit, message));
        }
        on_deep_stack(|| self.render_here(chat, bytes))?
    }

    fn render_here(&self, chat: &Chat, bytes: usize) -> Result<String, Failure> {
        let mut vm = Vm {
            limits: Budget::for_input(bytes),
            source: &self.source,
            now_s: chat.now_s,
            depth: 0,
            calls: 0,
            captured: None,
            namespaces: Vec::new(),
            scopes: Vec::new(),
        };
        let given = Rc::new(Scope::default());
        vm.scopes.push(given.clone());
        for (name, value) in chat.variables()? {
            let value = value::from_json(&value, &mut vm.limits).map_err(|e| self.failure(*e))?;
            given.set(name, value);
        }
        let mut out = String::new();
        let body = std::slice::from_ref(self.tree.0.as_ref().expect("taken only by drop"));
        // Safe: nothing that borrows from the tree outlives this call.
        let body: &'static [Stmt<'static>] = unsafe { &*(body as *const _) };
        vm.run(body, &Scope::inside(&given), &mut out).map_err(|e| self.failure(*e))?;
        Ok(out)
    }

    fn failure(&self, fault: Fault) -> Failure {
        let code = match fault.kind {
            Kind::Runtime => Code::InvalidArgument,
            Kind::Budget => Code::ResourceLimit,
        };
        let place = fault.at.map(|at| source::place(&self.source, at as usize) + ": ");
        Failure::new(code, format!("chat template: {}{}", place.unwrap_or_default(), fault.message))
    }
}

/// What a template sees; ChatInput of src/text/chat_template.h. JSON texts are empty if not given.
pub struct Chat<'a> {
    messages: &'a str,
    tools: &'a str,
    documents: &'a str,
    variables: &'a str,
    bos_token: Option<&'a str>,
    eos_token: Option<&'a str>,
    now_s: i64,
    add_generation_prompt: bool,
}

impl Chat<'_> {
    fn variables(&self) -> Result<serde_json::Map<String, Value>, Failure> {
        let mut all = serde_json::Map::new();
        all.insert("messages".into(), parse_list("messages", self.messages)?);
        all.insert("tools".into(), parse_list("tools", self.tools)?);
        all.insert("documents".into(), parse_list("documents", self.documents)?);
        all.insert("add_generation_prompt".into(), self.add_generation_prompt.into());
        for (name, token) in [("bos_token", self.bos_token), ("eos_token", self.eos_token)] {
            if let Some(token) = token {
                all.insert(name.into(), token.into());
            }
        }
        match parse_json("template variables", self.variables)? {
            Value::Null => {}
            Value::Object(more) => all.extend(more),
            _ => return Err(Failure::argument("template variables must be a JSON object")),
        }
        Ok(all)
    }
}

fn parse_json(what: &str, text: &str) -> Result<Value, Failure> {
    if text.is_empty() {
        return Ok(Value::Null);
    }
    serde_json::from_str(text)
        .map_err(|e| Failure::argument(format!("{what}: not valid JSON: {e}")))
}

fn parse_list(what: &str, text: &str) -> Result<Value, Failure> {
    match parse_json(what, text)? {
        list @ (Value::Null | Value::Array(_)) => Ok(list),
        _ => Err(Failure::argument(format!("{what} must be a JSON array"))),
    }
}

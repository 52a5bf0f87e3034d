//! A template's source before and around parsing: normal form, limits, and where an error is.

use minijinja::machinery::{tokenize, Token, WhitespaceConfig};

use crate::ffi::{Code, Failure};

/// As Transformers sets Jinja up.
pub const WHITESPACE: WhitespaceConfig =
    WhitespaceConfig { keep_trailing_newline: false, lstrip_blocks: true, trim_blocks: true };

const MAX_SOURCE_BYTES: usize = 1 << 20;
/// The parser and all recursion over its tree go as deep as one tag has tokens (a + b + c + ...) or as an if has branches.
const MAX_TAG_TOKENS: usize = 8192;
const MAX_ELIFS: usize = 2048;

/// The source as Jinja's lexer reads it: one kind of line break, and the tags of Transformers' `generation` block as a
/// `with` block, which has the same scoping. Lengths stay, so that columns do.
pub fn prepare(source: &str) -> Result<String, Failure> {
    if source.len() > MAX_SOURCE_BYTES {
        return Err(Failure::new(
            Code::ResourceLimit,
            format!("chat template has {} bytes, more than {MAX_SOURCE_BYTES}", source.len()),
        ));
    }
    let source = source.replace("\r\n", "\n").replace('\r', "\n");
    let mut prepared = String::with_capacity(source.len());
    let mut rest = source.as_str();
    while let Some(at) = rest.find("{%") {
        let (before, tag) = rest.split_at(at + 2);
        prepared.push_str(before);
        let name = tag.trim_start_matches(['-', '+']).trim_start();
        prepared.push_str(&tag[..tag.len() - name.len()]);
        rest = name;
        for (block, replacement) in [("generation", "with"), ("endgeneration", "endwith")] {
            let Some(tail) = name.strip_prefix(block) else { continue };
            let end = tail.trim_start();
            if end.starts_with("%}") || end.starts_with("-%}") || end.starts_with("+%}") {
                prepared.push_str(&format!("{replacement:width$}", width = block.len()));
                rest = tail;
            }
        }
    }
    prepared.push_str(rest);
    Ok(prepared)
}

/// Refuses sources that would recurse too deep. Errors of the lexer are left to the parser, which places them better.
pub fn check(source: &str) -> Result<(), Failure> {
    let too_deep = |offset: u32| {
        let place = place(source, offset as usize);
        Err(Failure::data(format!("chat template: {place}: the tag is too long or nests too deep")))
    };
    let (mut tokens, mut elifs) = (0, 0);
    for token in tokenize(source, false, Default::default(), WHITESPACE) {
        let Ok((token, span)) = token else { break };
        match token {
            Token::TemplateData(_) => tokens = 0,
            Token::VariableStart | Token::BlockStart => tokens = 0,
            Token::Ident("elif") => elifs += 1,
            _ => tokens += 1,
        }
        if tokens > MAX_TAG_TOKENS || elifs > MAX_ELIFS {
            return too_deep(span.start_offset);
        }
    }
    Ok(())
}

pub fn syntax_error(source: &str, error: &minijinja::Error) -> Failure {
    let detail = error.detail().map_or_else(|| error.to_string(), str::to_string);
    let place = match (error.range(), error.line()) {
        (Some(range), _) => place(source, range.start),
        (None, Some(line)) => format!("line {line}"),
        (None, None) => "syntax error".to_string(),
    };
    Failure::data(format!("chat template: {place}: {detail}"))
}

/// "line 3, column 5" of a byte offset.
pub fn place(source: &str, offset: usize) -> String {
    let mut end = offset.min(source.len());
    while !source.is_char_boundary(end) {
        end -= 1;
    }
    let before = &source[..end];
    let line = 1 + before.matches('\n').count();
    let column = 1 + before.rsplit('\n').next().map_or(0, |last| last.chars().count());
    format!("line {line}, column {column}")
}

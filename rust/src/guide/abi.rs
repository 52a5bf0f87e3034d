//! The exported functions of structured output; each is described in src/text/ffi.h.

use super::{Factory, Grammar, Guide, Kind};
use crate::ffi::{guard, Bytes, Failure, Str};
use crate::tokenizer::Tokenizer;

/// # Safety
/// Every exported function here trusts its pointers, as ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_factory_new(
    tokenizer: &Tokenizer,
    vocab: usize,
    out: *mut *mut Factory,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        out.write(Box::into_raw(Box::new(Factory::new(tokenizer, vocab)?)));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_factory_free(factory: *mut Factory) {
    drop(Box::from_raw(factory));
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_grammar_new(
    factory: &Factory,
    kind: i32,
    source: Str,
    out: *mut *mut Grammar,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let kind = Kind::from_number(kind)
            .ok_or_else(|| Failure::argument("there is no such kind of grammar"))?;
        out.write(Box::into_raw(Box::new(factory.compile(kind, source.text("the grammar")?)?)));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_grammar_free(grammar: *mut Grammar) {
    drop(Box::from_raw(grammar));
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_factory_bytes(factory: &Factory) -> usize {
    factory.bytes()
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_grammar_bytes(grammar: &Grammar) -> usize {
    grammar.bytes()
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_grammar_guide_bytes(grammar: &Grammar, tokens: usize) -> usize {
    grammar.guide_bytes(tokens)
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_bytes(guide: &Guide) -> usize {
    guide.bytes()
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_new(
    grammar: &Grammar,
    out: *mut *mut Guide,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        out.write(Box::into_raw(Box::new(grammar.guide())));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_fork(
    guide: &Guide,
    out: *mut *mut Guide,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        out.write(Box::into_raw(Box::new(guide.fork())));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_free(guide: *mut Guide) {
    drop(Box::from_raw(guide));
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_mask(
    guide: &mut Guide,
    words: *mut u32,
    count: usize,
    may_end: *mut bool,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        may_end.write(guide.mask(std::slice::from_raw_parts_mut(words, count))?);
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_guide_commit(
    guide: &mut Guide,
    token: i32,
    complete: *mut bool,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let token =
            u32::try_from(token).map_err(|_| Failure::argument("a token id is not negative"))?;
        guide.commit(token)?;
        complete.write(guide.complete());
        Ok(())
    })
}

//! The exported functions of the tokenizer; each is described in src/text/ffi.h.

use super::Tokenizer;
use crate::ffi::{guard, Bytes, Ids, Str};

/// # Safety
/// Every exported function here trusts its pointers, as ffi.h says.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_new(
    json: Str,
    out: *mut *mut Tokenizer,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let tokenizer = Tokenizer::from_json(json.bytes())?;
        out.write(Box::into_raw(Box::new(tokenizer)));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_free(tokenizer: *mut Tokenizer) {
    drop(Box::from_raw(tokenizer));
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_encode(
    tokenizer: &Tokenizer,
    text: Str,
    add_special: bool,
    parse_special: bool,
    out: *mut Ids,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let ids = tokenizer.encode(text.text("text")?, add_special, parse_special)?;
        out.write(Ids::from_vec(ids));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_hide(
    tokenizer: &Tokenizer,
    text: Str,
    changed: *mut bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let hidden = tokenizer.hide(text.text("text")?);
        changed.write(hidden.is_some());
        out.write(Bytes::from_string(hidden.unwrap_or_default()));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_decode(
    tokenizer: &Tokenizer,
    ids: *const i32,
    count: usize,
    skip_special: bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let ids = if count == 0 { &[] } else { std::slice::from_raw_parts(ids, count) };
        out.write(Bytes::from_string(tokenizer.decode(ids, skip_special)?));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_token_to_id(
    tokenizer: &Tokenizer,
    token: Str,
    out: *mut i32,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        out.write(tokenizer.token_to_id(token.text("token")?).unwrap_or(-1));
        Ok(())
    })
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_id_to_token(
    tokenizer: &Tokenizer,
    id: i32,
    found: *mut bool,
    out: *mut Bytes,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let token = tokenizer.id_to_token(id);
        found.write(token.is_some());
        out.write(Bytes::from_string(token.unwrap_or_default()));
        Ok(())
    })
}

/// Borrowed from the tokenizer; StrataPieces in ffi.h.
#[repr(C)]
pub struct PiecesView {
    text: *const u8,
    offsets: *const u32,
    flags: *const u8,
    count: usize,
    kind: i32,
    strip_count: i32,
    strip_char: u32,
}

/// # Safety
/// See ffi.h.
#[no_mangle]
pub unsafe extern "C" fn strata_tokenizer_pieces(
    tokenizer: &Tokenizer,
    out: *mut PiecesView,
    error: *mut Bytes,
) -> i32 {
    guard(error, || {
        let pieces = tokenizer.pieces();
        out.write(PiecesView {
            text: pieces.text.as_ptr(),
            offsets: pieces.offsets.as_ptr(),
            flags: pieces.flags.as_ptr(),
            count: pieces.flags.len(),
            kind: pieces.kind as i32,
            strip_count: pieces.strip_count as i32,
            strip_char: pieces.strip_char as u32,
        });
        Ok(())
    })
}

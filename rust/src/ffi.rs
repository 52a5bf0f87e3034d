//! The C ABI: plain structs, the codes that functions return, and the wrapper that turns results and panics into them.
//!
//! Memory: what Rust returns as `Bytes` or `Ids` is owned by the caller and given back with `strata_text_free_*`;
//! a `Str` is borrowed for the duration of the call.

use std::panic::{catch_unwind, AssertUnwindSafe};
use std::sync::Once;

/// What went wrong; the numbers are those of `StrataTextCode` in ffi.h.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i32)]
pub enum Code {
    Ok = 0,
    InvalidData = 1,
    InvalidArgument = 2,
    ResourceLimit = 3,
}

#[derive(Debug)]
pub struct Failure {
    pub code: Code,
    pub message: String,
}

impl Failure {
    pub fn new(code: Code, message: impl Into<String>) -> Self {
        Failure { code, message: message.into() }
    }
    pub fn data(message: impl Into<String>) -> Self {
        Failure::new(Code::InvalidData, message)
    }
    pub fn argument(message: impl Into<String>) -> Self {
        Failure::new(Code::InvalidArgument, message)
    }
}

#[repr(C)]
pub struct Str {
    data: *const u8,
    size: usize,
}

impl Str {
    /// # Safety
    /// The caller passes a range that lives for the whole call.
    pub unsafe fn bytes<'a>(&self) -> &'a [u8] {
        if self.size == 0 {
            return &[];
        }
        std::slice::from_raw_parts(self.data, self.size)
    }

    /// # Safety
    /// As `bytes`.
    pub unsafe fn text<'a>(&self, what: &str) -> Result<&'a str, Failure> {
        std::str::from_utf8(self.bytes()).map_err(|e| {
            Failure::argument(format!("{what} is not UTF-8 (byte {})", e.valid_up_to()))
        })
    }
}

#[repr(C)]
pub struct Bytes {
    data: *mut u8,
    size: usize,
    capacity: usize,
}

impl Bytes {
    pub fn from_string(text: String) -> Self {
        let mut bytes = std::mem::ManuallyDrop::new(text.into_bytes());
        Bytes { data: bytes.as_mut_ptr(), size: bytes.len(), capacity: bytes.capacity() }
    }
}

#[repr(C)]
pub struct Ids {
    data: *mut i32,
    size: usize,
    capacity: usize,
}

impl Ids {
    pub fn from_vec(ids: Vec<i32>) -> Self {
        let mut ids = std::mem::ManuallyDrop::new(ids);
        Ids { data: ids.as_mut_ptr(), size: ids.len(), capacity: ids.capacity() }
    }
}

/// Runs `body`; an error or a panic becomes a code, with its message in `error`.
///
/// # Safety
/// `error` points to a place for one `Bytes`.
pub unsafe fn guard(error: *mut Bytes, body: impl FnOnce() -> Result<(), Failure>) -> i32 {
    silence_panics();
    let outcome = catch_unwind(AssertUnwindSafe(body)).unwrap_or_else(|panic| {
        let text = panic
            .downcast_ref::<String>()
            .map(String::as_str)
            .or_else(|| panic.downcast_ref::<&str>().copied())
            .unwrap_or("no message");
        Err(Failure::data(format!("the text library gave up: {text}")))
    });
    match outcome {
        Ok(()) => Code::Ok as i32,
        Err(failure) => {
            error.write(Bytes::from_string(failure.message));
            failure.code as i32
        }
    }
}

/// A panic is reported through the return code; its text must not reach stderr as well.
fn silence_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| std::panic::set_hook(Box::new(|_| {})));
}

/// # Safety
/// `bytes` came from this library and was not freed before.
#[no_mangle]
pub unsafe extern "C" fn strata_text_free_bytes(bytes: Bytes) {
    drop(Vec::from_raw_parts(bytes.data, bytes.size, bytes.capacity));
}

/// # Safety
/// `ids` came from this library and was not freed before.
#[no_mangle]
pub unsafe extern "C" fn strata_text_free_ids(ids: Ids) {
    drop(Vec::from_raw_parts(ids.data, ids.size, ids.capacity));
}

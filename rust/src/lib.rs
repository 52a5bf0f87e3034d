//! Tokenizers, chat templates and grammars behind a C ABI of our own (declared in src/text/ffi.h).
//!
//! What a string means enters and leaves the C++ program here. Every exported function catches panics, so that no input
//! can unwind into C++ or abort the process; failures come back as a code and an owned message.

mod ffi;
mod guide;
mod memory;
mod template;
mod tokenizer;

//! A tokenizer's vocabulary as the trie of bytes that grammars walk.

use std::sync::Arc;

use toktrie::{ApproximateTokEnv, TokEnv, TokRxInfo, TokTrie, INVALID_TOKEN};

use crate::ffi::{Code, Failure};
use crate::tokenizer::pieces::{Kind, HAS_TOKEN, SPECIAL};
use crate::tokenizer::Tokenizer;

/// The trie counts the levels of a node in ten bits.
const MAX_TOKEN_BYTES: usize = 1000;

/// A token is the bytes that it adds to the text. Special tokens add none: they stand behind a byte that no text has,
/// where only a grammar that names them finds them. What cannot be written this way is never allowed.
pub fn environment(tokenizer: &Tokenizer, vocab: usize) -> Result<TokEnv, Failure> {
    let pieces = tokenizer.pieces();
    if pieces.kind == Kind::Window {
        return Err(Failure::new(
            Code::InvalidArgument,
            "this tokenizer's decoder looks at several tokens at once, so single tokens have no text",
        ));
    }
    let words: Vec<Vec<u8>> = (0..vocab).map(|id| bytes_of(tokenizer, id)).collect();
    let info = TokRxInfo::new(vocab as u32, INVALID_TOKEN);
    Ok(Arc::new(ApproximateTokEnv::new(TokTrie::from(&info, &words))))
}

fn bytes_of(tokenizer: &Tokenizer, id: usize) -> Vec<u8> {
    let pieces = tokenizer.pieces();
    let flags = pieces.flags.get(id).copied().unwrap_or(0);
    if flags & HAS_TOKEN == 0 {
        return Vec::new();
    }
    let bytes = if flags & SPECIAL != 0 {
        let name = tokenizer.id_to_token(id as i32).unwrap_or_default();
        [&[TokTrie::SPECIAL_TOKEN_MARKER], name.as_bytes()].concat()
    } else {
        let bytes =
            pieces.text[pieces.offsets[id] as usize..pieces.offsets[id + 1] as usize].to_vec();
        if bytes.contains(&TokTrie::SPECIAL_TOKEN_MARKER) {
            return Vec::new();
        }
        bytes
    };
    if bytes.len() > MAX_TOKEN_BYTES {
        return Vec::new();
    }
    bytes
}

//! Text that spells special tokens and must not become them: what users, tools and documents say inside a chat.
//!
//! `Specials::hide` puts a mark behind the first character of every special token that a text spells. The mark keeps the
//! crate from finding the token there, and `reveal` takes it out again right after special tokens were looked for, so the
//! text is split and merged as if nothing had ever stood there. The mark is a noncharacter, U+FDD0; one that the text
//! itself has is doubled.

use std::cell::Cell;
use std::collections::HashMap;

use tokenizers::pattern::Pattern;
use tokenizers::{Offsets, PreTokenizedString};

pub const MARK: char = '\u{FDD0}';

thread_local! {
    static HAS_MARKS: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, which tokenizes `text` with its special tokens parsed; marks in the text hide what they stand in.
pub fn with_marks_of<T>(text: &str, body: impl FnOnce() -> T) -> T {
    HAS_MARKS.set(text.contains(MARK));
    let value = body();
    HAS_MARKS.set(false);
    value
}

/// To be called once a text, between the search for special tokens and everything else.
pub fn reveal(text: &mut PreTokenizedString) -> tokenizers::Result<()> {
    if !HAS_MARKS.replace(false) {
        return Ok(());
    }
    text.normalize(|part| part.replace(Marks, ""))
}

/// Matches every mark but the second of two.
struct Marks;

impl Pattern for Marks {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if inside.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let mut splits = Vec::new();
        let mut kept = 0;
        let mut from = 0;
        while let Some(at) = inside[from..].find(MARK).map(|at| from + at) {
            let behind = at + MARK.len_utf8();
            if kept != at {
                splits.push(((kept, at), false));
            }
            splits.push(((at, behind), true));
            kept = behind;
            from = behind + if inside[behind..].starts_with(MARK) { MARK.len_utf8() } else { 0 };
        }
        if kept != inside.len() {
            splits.push(((kept, inside.len()), false));
        }
        Ok(splits)
    }
}

/// The special tokens of a tokenizer, as a tree of their bytes.
pub struct Specials {
    children: HashMap<(u32, u8), u32>,
    ends: Vec<bool>,
}

impl Specials {
    pub fn new<'a>(tokens: impl Iterator<Item = &'a str>) -> Self {
        let mut made = Specials { children: HashMap::new(), ends: vec![false] };
        for token in tokens.filter(|token| !token.is_empty()) {
            let mut node = 0;
            for &byte in token.as_bytes() {
                let fresh = made.ends.len() as u32;
                node = *made.children.entry((node, byte)).or_insert(fresh);
                if node == fresh {
                    made.ends.push(false);
                }
            }
            made.ends[node as usize] = true;
        }
        made
    }

    fn starts(&self, text: &[u8]) -> bool {
        let mut node = 0;
        for &byte in text {
            match self.children.get(&(node, byte)) {
                Some(&child) => node = child,
                None => return false,
            }
            if self.ends[node as usize] {
                return true;
            }
        }
        false
    }

    /// The text with marks; None where it needs none.
    pub fn hide(&self, text: &str) -> Option<String> {
        let mut hidden: Option<String> = None;
        for (at, c) in text.char_indices() {
            let needs = c == MARK || self.starts(&text.as_bytes()[at..]);
            if needs && hidden.is_none() {
                hidden = Some(text[..at].to_string());
            }
            if let Some(hidden) = &mut hidden {
                hidden.push(c);
                if needs {
                    hidden.push(MARK);
                }
            }
        }
        hidden
    }
}

//! Regular expressions of a tokenizer.json under a work budget.
//!
//! A tokenizer file is not trusted and Oniguruma backtracks, so a pattern like `(a+)+$` could hold a thread for hours.
//! Split and Replace nodes with a regular expression are rebuilt here with the same matches but counted work; every
//! other node stays the crate's own.

use std::cell::Cell;
use std::time::Duration;

use onig::{MatchParam, Regex, Region, SearchOptions};
use serde::{Deserialize, Deserializer};
use serde_json::Value;
use tokenizers::normalizer::{NormalizedString, SplitDelimiterBehavior};
use tokenizers::pattern::{Invert, Pattern};
use tokenizers::{
    Normalizer, NormalizerWrapper, Offsets, PreTokenizedString, PreTokenizer, PreTokenizerWrapper,
};

use super::hidden;
use crate::ffi::{Code, Failure};

/// Backtracking steps: real patterns need about one per byte, and a long run of spaces a few per byte of the run.
const STEPS_PER_BYTE: u64 = 16;
const STEPS_BASE: u64 = 1 << 18;
/// A search that needs fewer steps than this costs nothing; the ladder then rises by 8 up to what is left.
const FREE_STEPS: u64 = 64;
/// Entries of the backtracking stack (some 50 bytes each); also the longest run one repetition may match.
const STACK_LIMIT: u32 = 4 << 20;
/// Work that is not backtracking (atomic groups, lookaround) is bounded by this thread's processor time instead: eight
/// times what real patterns take, and more for short texts, so that no honest text meets it.
const TIME_BASE: Duration = Duration::from_millis(500);
const TIME_PER_BYTE: Duration = Duration::from_micros(2);

thread_local! {
    static STEPS_LEFT: Cell<u64> = const { Cell::new(u64::MAX) };
    static DEADLINE: Cell<Duration> = const { Cell::new(Duration::MAX) };
    static EXHAUSTED: Cell<bool> = const { Cell::new(false) };
}

/// Runs `body`, which tokenizes `bytes` of text, under the budget for that many.
pub fn with_budget<T>(bytes: usize, body: impl FnOnce() -> T) -> Result<T, Failure> {
    STEPS_LEFT.set(STEPS_BASE + STEPS_PER_BYTE * bytes as u64);
    DEADLINE.set(thread_time() + TIME_BASE + TIME_PER_BYTE * bytes.min(u32::MAX as usize) as u32);
    EXHAUSTED.set(false);
    let value = body();
    STEPS_LEFT.set(u64::MAX);
    DEADLINE.set(Duration::MAX);
    if EXHAUSTED.get() {
        return Err(exhausted());
    }
    Ok(value)
}

fn exhausted() -> Failure {
    Failure::new(
        Code::ResourceLimit,
        "a regular expression of the tokenizer needs too many steps on this text",
    )
}

fn thread_time() -> Duration {
    let mut now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
    // Safe: the clock exists on every Linux and the pointer is ours.
    unsafe { libc::clock_gettime(libc::CLOCK_THREAD_CPUTIME_ID, &mut now) };
    Duration::new(now.tv_sec as u64, now.tv_nsec as u32)
}

pub struct GuardedRegex {
    source: String,
    regex: Regex,
}

impl GuardedRegex {
    fn new(source: &str) -> Result<Self, String> {
        let regex = Regex::new(source).map_err(|e| format!("bad regular expression: {e}"))?;
        Ok(GuardedRegex { source: source.to_string(), regex })
    }

    /// The next match at or after `from`, with its cost taken from the budget.
    fn search(&self, text: &str, from: usize, region: &mut Region) -> Result<bool, ()> {
        let mut limit = FREE_STEPS;
        loop {
            region.clear();
            let mut param = MatchParam::default();
            param.set_match_stack_limit(STACK_LIMIT);
            // Safe: the parameter object is alive.
            unsafe {
                onig_sys::onig_set_retry_limit_in_search_of_match_param(param.as_raw(), limit as _);
            }
            let options = SearchOptions::SEARCH_OPTION_NONE;
            let found =
                self.regex.search_with_param(text, from, text.len(), options, Some(region), param);
            match found {
                Ok(position) => return Ok(position.is_some()),
                Err(e) if e.code() != onig_sys::ONIGERR_RETRY_LIMIT_IN_SEARCH_OVER => {
                    return Err(())
                }
                Err(_) => {
                    let left = STEPS_LEFT.get();
                    if left < limit {
                        return Err(());
                    }
                    STEPS_LEFT.set(left - limit);
                    limit *= 8;
                }
            }
        }
    }

    /// Start and end of every match, as onig's own iterator yields them.
    fn matches(&self, text: &str) -> Result<Vec<(usize, usize)>, ()> {
        let mut matches = Vec::new();
        let mut region = Region::new();
        let mut from = 0;
        let mut last_end = None;
        let mut searches = 0u32;
        while from <= text.len() {
            searches += 1;
            if searches % 64 == 0 && thread_time() > DEADLINE.get() {
                return Err(());
            }
            if !self.search(text, from, &mut region)? {
                break;
            }
            let (start, end) = region.pos(0).ok_or(())?;
            if start == end && last_end == Some(end) {
                // An empty match right behind the last one: step over a character, or this never ends.
                from += text[from..].chars().next().map_or(1, char::len_utf8);
                continue;
            }
            from = end;
            last_end = Some(end);
            matches.push((start, end));
        }
        Ok(matches)
    }
}

impl Clone for GuardedRegex {
    fn clone(&self) -> Self {
        GuardedRegex::new(&self.source).expect("compiled before")
    }
}

impl Pattern for &GuardedRegex {
    fn find_matches(&self, inside: &str) -> tokenizers::Result<Vec<(Offsets, bool)>> {
        if inside.is_empty() {
            return Ok(vec![((0, 0), false)]);
        }
        let matches = self.matches(inside).map_err(|()| {
            EXHAUSTED.set(true);
            exhausted().message
        })?;
        let mut splits = Vec::with_capacity(matches.len() * 2 + 1);
        let mut previous = 0;
        for (start, end) in matches {
            if previous != start {
                splits.push(((previous, start), false));
            }
            splits.push(((start, end), true));
            previous = end;
        }
        if previous != inside.len() {
            splits.push(((previous, inside.len()), false));
        }
        Ok(splits)
    }
}

/// The regular expression of a Split or Replace node, if that is what it holds.
fn regex_of(node: &Value, kind: &str) -> Option<String> {
    if node.get("type")?.as_str()? != kind {
        return None;
    }
    Some(node.get("pattern")?.get("Regex")?.as_str()?.to_string())
}

fn sequence_of<'a>(node: &'a Value, list: &str) -> Option<&'a Vec<Value>> {
    if node.get("type")?.as_str()? != "Sequence" {
        return None;
    }
    node.get(list)?.as_array()
}

#[derive(Clone)]
pub enum GuardedNormalizer {
    Sequence(Vec<GuardedNormalizer>),
    Replace(GuardedRegex, String),
    Plain(NormalizerWrapper),
}

impl GuardedNormalizer {
    fn from_json(node: Value) -> Result<Self, String> {
        if let Some(list) = sequence_of(&node, "normalizers") {
            let parts = list.iter().map(|part| Self::from_json(part.clone()));
            return Ok(Self::Sequence(parts.collect::<Result<_, _>>()?));
        }
        if let Some(source) = regex_of(&node, "Replace") {
            let content = node.get("content").and_then(Value::as_str);
            let content = content.ok_or("normalizer Replace lacks content")?;
            return Ok(Self::Replace(GuardedRegex::new(&source)?, content.to_string()));
        }
        let plain = serde_json::from_value(node).map_err(|e| format!("normalizer: {e}"))?;
        Ok(Self::Plain(plain))
    }
}

impl<'de> Deserialize<'de> for GuardedNormalizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl Normalizer for GuardedNormalizer {
    fn normalize(&self, text: &mut NormalizedString) -> tokenizers::Result<()> {
        match self {
            Self::Sequence(parts) => parts.iter().try_for_each(|part| part.normalize(text)),
            Self::Replace(regex, content) => text.replace(regex, content),
            Self::Plain(plain) => plain.normalize(text),
        }
    }
}

#[derive(Clone)]
pub enum GuardedPreTokenizer {
    Sequence(Vec<GuardedPreTokenizer>),
    Split(GuardedRegex, SplitDelimiterBehavior, bool),
    Plain(PreTokenizerWrapper),
}

impl GuardedPreTokenizer {
    /// Splits nothing.
    pub fn none() -> Self {
        Self::Sequence(Vec::new())
    }

    fn from_json(node: Value) -> Result<Self, String> {
        if let Some(list) = sequence_of(&node, "pretokenizers") {
            let parts = list.iter().map(|part| Self::from_json(part.clone()));
            return Ok(Self::Sequence(parts.collect::<Result<_, _>>()?));
        }
        if let Some(source) = regex_of(&node, "Split") {
            let behavior = node.get("behavior").cloned().unwrap_or_default();
            let behavior = serde_json::from_value(behavior)
                .map_err(|e| format!("pre_tokenizer Split: behavior: {e}"))?;
            let invert = node.get("invert").and_then(Value::as_bool);
            let invert = invert.ok_or("pre_tokenizer Split lacks invert")?;
            return Ok(Self::Split(GuardedRegex::new(&source)?, behavior, invert));
        }
        let plain = serde_json::from_value(node).map_err(|e| format!("pre_tokenizer: {e}"))?;
        Ok(Self::Plain(plain))
    }
}

impl<'de> Deserialize<'de> for GuardedPreTokenizer {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::from_json(Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

impl PreTokenizer for GuardedPreTokenizer {
    fn pre_tokenize(&self, text: &mut PreTokenizedString) -> tokenizers::Result<()> {
        hidden::reveal(text)?;
        match self {
            Self::Sequence(parts) => parts.iter().try_for_each(|part| part.pre_tokenize(text)),
            Self::Split(regex, behavior, false) => {
                text.split(|_, part| part.split(regex, *behavior))
            }
            Self::Split(regex, behavior, true) => {
                text.split(|_, part| part.split(Invert(regex), *behavior))
            }
            Self::Plain(plain) => plain.pre_tokenize(text),
        }
    }
}

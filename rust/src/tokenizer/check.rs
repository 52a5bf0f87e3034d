//! What is checked about a tokenizer.json before and after the `tokenizers` crate reads it.
//!
//! The crate accepts files that would give wrong ids later (two tokens with one id, an added token whose id is taken) and
//! reports others as "data did not match any variant", or panics. The first pass reads the file once without building a
//! tree of it.

use std::collections::hash_map::{DefaultHasher, Entry};
use std::collections::{HashMap, HashSet};
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::de::{DeserializeSeed, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::Value;

use super::Inner;
use crate::ffi::Failure;

const MAX_FILE_BYTES: usize = 256 << 20;
const MAX_ADDED: usize = 1 << 20;
/// Twice the most in use.
const MAX_MERGES: usize = 1 << 20;
const MAX_IDS: u32 = 1 << 24;
/// Nodes of normalizer, pre_tokenizer, post_processor and decoder: real ones have fewer than a hundred levels and parts.
const MAX_DEPTH: usize = 16;
const MAX_PARTS: usize = 512;
/// How many times longer than its input a normalized text may get (Llama's " " to "▁" needs 3).
const MAX_GROWTH: f64 = 64.0;
const MAX_PREPEND_BYTES: usize = 1024;

pub struct Facts {
    pub vocab_size: u32,
    added: Vec<Added>,
}

#[derive(Deserialize)]
struct Added {
    id: u32,
    content: String,
}

#[derive(Deserialize)]
struct File {
    #[serde(default)]
    added_tokens: AddedTokens,
    model: Option<Model>,
    normalizer: Option<Value>,
    pre_tokenizer: Option<Value>,
    post_processor: Option<Value>,
    decoder: Option<Value>,
}

#[derive(Default)]
struct AddedTokens(Vec<Added>);

#[derive(Default)]
struct Model {
    kind: Option<String>,
    vocab: Option<Vocab>,
}

/// Ids by the hash of their token: the tokens themselves would double the memory.
struct Vocab {
    ids: HashMap<u64, u32>,
    count: u32,
    listed: bool,
}

fn hash_of(token: &str) -> u64 {
    let mut hasher = DefaultHasher::new();
    token.hash(&mut hasher);
    hasher.finish()
}

struct AddedVisitor;

impl<'de> Visitor<'de> for AddedVisitor {
    type Value = AddedTokens;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of added tokens")
    }
    fn visit_unit<E: Error>(self) -> Result<AddedTokens, E> {
        Ok(AddedTokens::default())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<AddedTokens, A::Error> {
        let mut tokens = Vec::new();
        while let Some(token) = seq.next_element::<Added>()? {
            if token.content.is_empty() {
                return Err(A::Error::custom(format!("added token {} is empty", token.id)));
            }
            if tokens.len() == MAX_ADDED {
                return Err(A::Error::custom(format!("more than {MAX_ADDED} added tokens")));
            }
            tokens.push(token);
        }
        Ok(AddedTokens(tokens))
    }
}

impl<'de> Deserialize<'de> for AddedTokens {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(AddedVisitor)
    }
}

struct VocabVisitor;

impl<'de> Visitor<'de> for VocabVisitor {
    type Value = Vocab;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a vocabulary: an object of ids or a list of [token, score]")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Vocab, A::Error> {
        let mut ids = HashMap::new();
        while let Some((token, id)) = map.next_entry::<String, u32>()? {
            if id >= MAX_IDS {
                return Err(A::Error::custom(format!(
                    "token {token:?} has the impossible id {id}"
                )));
            }
            match ids.entry(hash_of(&token)) {
                Entry::Vacant(place) => place.insert(id),
                Entry::Occupied(_) => {
                    return Err(A::Error::custom(format!("token {token:?} is listed twice")));
                }
            };
        }
        Ok(Vocab { count: ids.len() as u32, ids, listed: false })
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vocab, A::Error> {
        let mut ids = HashMap::new();
        let mut count = 0;
        while let Some((token, score)) = seq.next_element::<(String, f64)>()? {
            if !score.is_finite() || count == MAX_IDS {
                return Err(A::Error::custom(format!("token {token:?} has no usable score")));
            }
            ids.insert(hash_of(&token), count);
            count += 1;
        }
        Ok(Vocab { ids, count, listed: true })
    }
}

impl<'de> Deserialize<'de> for Vocab {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(VocabVisitor)
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Merge {
    Pair(String, String),
    Line(String),
}

impl Merge {
    /// The two parts; None for the line with a version that old files begin with.
    fn parts(&self, index: usize) -> Result<Option<(&str, &str)>, String> {
        let parts = match self {
            Merge::Pair(left, right) => Some((left.as_str(), right.as_str())),
            Merge::Line(line) if index == 0 && line.starts_with("#version") => return Ok(None),
            Merge::Line(line) => line.split_once(' ').filter(|(_, right)| !right.contains(' ')),
        };
        match parts {
            Some((left, right)) if !left.is_empty() && !right.is_empty() => Ok(parts),
            _ => Err(format!("merge {index} does not join two tokens")),
        }
    }
}

/// Reads merges without keeping them, and holds them to the vocabulary where that stands before them, as it does in
/// every file that the crate writes. The crate's own check comes after it has built everything.
struct Merges<'a> {
    vocab: Option<&'a Vocab>,
    /// With a prefix a merge joins less than its two parts.
    prefixed: bool,
}

impl Merges<'_> {
    fn check(&self, index: usize, merge: &Merge) -> Result<(), String> {
        let Some((left, right)) = merge.parts(index)? else {
            return Ok(());
        };
        let Some(vocab) = self.vocab else {
            return Ok(());
        };
        let joined = if self.prefixed { String::new() } else { format!("{left}{right}") };
        for token in [left, right, joined.as_str()] {
            if !token.is_empty() && !vocab.ids.contains_key(&hash_of(token)) {
                return Err(format!(
                    "merge {index} needs {token:?}, which is not in the vocabulary"
                ));
            }
        }
        Ok(())
    }
}

impl<'de> DeserializeSeed<'de> for Merges<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Merges<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a list of merges")
    }
    fn visit_unit<E: Error>(self) -> Result<(), E> {
        Ok(())
    }
    fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<(), A::Error> {
        let mut index = 0;
        while let Some(merge) = seq.next_element::<Merge>()? {
            if index == MAX_MERGES {
                return Err(A::Error::custom(format!("more than {MAX_MERGES} merges")));
            }
            self.check(index, &merge).map_err(A::Error::custom)?;
            index += 1;
        }
        Ok(())
    }
}

struct ModelVisitor;

impl<'de> Visitor<'de> for ModelVisitor {
    type Value = Model;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("a model")
    }
    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Model, A::Error> {
        let mut model = Model::default();
        let mut prefixed = false;
        let mut seen = HashSet::new();
        while let Some(key) = map.next_key::<String>()? {
            match key.as_str() {
                "type" => model.kind = map.next_value()?,
                "vocab" => model.vocab = map.next_value()?,
                "continuing_subword_prefix" => {
                    prefixed = map.next_value::<Option<String>>()?.is_some_and(|p| !p.is_empty());
                }
                "merges" => {
                    map.next_value_seed(Merges { vocab: model.vocab.as_ref(), prefixed })?
                }
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
            if !seen.insert(key.clone()) {
                return Err(A::Error::custom(format!("model: {key} is there twice")));
            }
        }
        Ok(model)
    }
}

impl<'de> Deserialize<'de> for Model {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(ModelVisitor)
    }
}

/// Everything that can be said before the crate builds its tokenizer.
pub fn check(json: &str) -> Result<Facts, Failure> {
    if json.len() > MAX_FILE_BYTES {
        return Err(Failure::data(format!("{} bytes, more than {MAX_FILE_BYTES}", json.len())));
    }
    let file: File = serde_json::from_str(json).map_err(|e| Failure::data(format!("{e}")))?;
    let model = file.model.ok_or_else(|| Failure::data("no model"))?;
    check_type(model.kind.as_deref())?;
    let vocab = model.vocab.ok_or_else(|| Failure::data("model has no vocab"))?;
    let vocab_size = check_ids(&vocab, &file.added_tokens.0)?;
    check_part("normalizer", &file.normalizer)?;
    check_part("pre_tokenizer", &file.pre_tokenizer)?;
    check_part("post_processor", &file.post_processor)?;
    check_part("decoder", &file.decoder)?;
    check_growth(file.normalizer.as_ref())?;
    Ok(Facts { vocab_size, added: file.added_tokens.0 })
}

fn check_type(kind: Option<&str>) -> Result<(), Failure> {
    match kind {
        None | Some("BPE" | "WordPiece" | "WordLevel" | "Unigram") => Ok(()),
        Some(other) => Err(Failure::data(format!(
            "model type {other:?} is unknown; known are BPE, Unigram, WordPiece and WordLevel"
        ))),
    }
}

/// Ids must be distinct and nearly without gaps; the result is the highest one plus one.
fn check_ids(vocab: &Vocab, added: &[Added]) -> Result<u32, Failure> {
    let mut ids: Vec<u32> = if vocab.listed {
        (0..vocab.count).collect()
    } else {
        vocab.ids.values().copied().collect()
    };
    let mut seen: HashMap<&str, u32> = HashMap::new();
    for token in added {
        let twice = seen.insert(&token.content, token.id).is_some_and(|id| id != token.id);
        let known = vocab.ids.get(&hash_of(&token.content));
        if twice || known.is_some_and(|&id| id != token.id) {
            let content = &token.content;
            return Err(Failure::data(format!("token {content:?} has two ids")));
        }
        if known.is_none() {
            ids.push(token.id);
        }
    }
    ids.sort_unstable();
    if let Some(pair) = ids.windows(2).find(|pair| pair[0] == pair[1]) {
        return Err(Failure::data(format!("two tokens have the id {}", pair[0])));
    }
    let Some(&last) = ids.last() else {
        return Err(Failure::data("the vocabulary is empty"));
    };
    // A few released vocabularies leave out reserved ids; more than one in a hundred is damage.
    let gaps = u64::from(last) + 1 - ids.len() as u64;
    if gaps * 100 > ids.len() as u64 {
        return Err(Failure::data(format!(
            "ids go up to {last} but there are {} tokens",
            ids.len()
        )));
    }
    Ok(last + 1)
}

fn check_part(name: &str, part: &Option<Value>) -> Result<(), Failure> {
    let mut count = 0;
    match part {
        Some(node) if !within_limits(node, 0, &mut count) => Err(Failure::data(format!(
            "{name} has more than {MAX_DEPTH} levels or {MAX_PARTS} parts"
        ))),
        _ => Ok(()),
    }
}

fn within_limits(node: &Value, depth: usize, count: &mut usize) -> bool {
    *count += 1;
    if depth > MAX_DEPTH || *count > MAX_PARTS {
        return false;
    }
    match node {
        Value::Array(items) => items.iter().all(|item| within_limits(item, depth + 1, count)),
        Value::Object(items) => items.values().all(|item| within_limits(item, depth + 1, count)),
        _ => true,
    }
}

fn check_growth(normalizer: Option<&Value>) -> Result<(), Failure> {
    match normalizer {
        Some(node) if growth(node) > MAX_GROWTH => {
            Err(Failure::data("the normalizer makes text too long"))
        }
        _ => Ok(()),
    }
}

fn growth(node: &Value) -> f64 {
    let text = |key: &str| node.get(key).and_then(Value::as_str).unwrap_or("");
    match text("type") {
        "Sequence" => {
            let parts = node.get("normalizers").and_then(Value::as_array);
            parts.map_or(1.0, |parts| parts.iter().map(growth).product())
        }
        "Prepend" if text("prepend").len() > MAX_PREPEND_BYTES => f64::INFINITY,
        "Replace" => {
            let content = text("content").len() as f64;
            let pattern = node.get("pattern").and_then(|p| p.get("String")).and_then(Value::as_str);
            match pattern {
                Some(pattern) if !pattern.is_empty() => (content / pattern.len() as f64).max(1.0),
                _ => content.max(1.0),
            }
        }
        _ => 1.0,
    }
}

/// What only the built tokenizer can tell: that ids are the ones the file states.
pub fn check_loaded(facts: &Facts, inner: &Inner) -> Result<(), Failure> {
    for token in &facts.added {
        let id = inner.token_to_id(&token.content);
        if id != Some(token.id) {
            return Err(Failure::data(format!(
                "added token {:?} states id {} but would get {id:?}",
                token.content, token.id
            )));
        }
    }
    let frame = inner.encode("", true).map_err(|e| Failure::data(format!("{e}")))?;
    match frame.get_ids().iter().find(|&&id| id >= facts.vocab_size) {
        Some(id) => Err(Failure::data(format!(
            "post_processor adds id {id}, but ids end at {}",
            facts.vocab_size - 1
        ))),
        None => Ok(()),
    }
}

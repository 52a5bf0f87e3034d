//! A tokenizer.json, loaded and checked: text to ids and back.
//!
//! Encoding and decoding are the `tokenizers` crate's, so ids equal those of Transformers by construction. Around it:
//! checks before loading (check.rs), regular expressions under a work budget (regex.rs) and a table that lets C++ decode
//! one id at a time (pieces.rs). What a chat's members say is kept from spelling special tokens (hidden.rs). The two
//! tokenizers inside differ only in whether special tokens are parsed; they share the model.

mod abi;
mod check;
mod hidden;
pub(crate) mod pieces;
mod regex;

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::sync::{Arc, OnceLock};

use serde::{Deserialize, Deserializer};
use tokenizers::models::TrainerWrapper;
use tokenizers::{DecoderWrapper, Model, ModelWrapper, PostProcessorWrapper, Token, TokenizerImpl};

use crate::ffi::Failure;
use hidden::Specials;
use pieces::Pieces;
use regex::{GuardedNormalizer, GuardedPreTokenizer};

/// The model behind a shared pointer: the two tokenizers below would otherwise hold the vocabulary twice.
#[derive(Clone)]
pub(crate) struct SharedModel(Arc<ModelWrapper>);

impl<'de> Deserialize<'de> for SharedModel {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut model = ModelWrapper::deserialize(deserializer)?;
        if let ModelWrapper::BPE(bpe) = &mut model {
            bpe.dropout = None; // a training-time setting: inference never drops merges
        }
        Ok(SharedModel(Arc::new(model)))
    }
}

impl Model for SharedModel {
    type Trainer = TrainerWrapper;

    fn tokenize(&self, sequence: &str) -> tokenizers::Result<Vec<Token>> {
        self.0.tokenize(sequence)
    }
    fn token_to_id(&self, token: &str) -> Option<u32> {
        self.0.token_to_id(token)
    }
    fn id_to_token(&self, id: u32) -> Option<String> {
        self.0.id_to_token(id)
    }
    fn get_vocab(&self) -> HashMap<String, u32> {
        self.0.get_vocab()
    }
    fn get_vocab_size(&self) -> usize {
        self.0.get_vocab_size()
    }
    fn save(&self, folder: &Path, prefix: Option<&str>) -> tokenizers::Result<Vec<PathBuf>> {
        self.0.save(folder, prefix)
    }
    fn get_trainer(&self) -> Self::Trainer {
        self.0.get_trainer()
    }
}

pub(crate) type Inner = TokenizerImpl<
    SharedModel,
    GuardedNormalizer,
    GuardedPreTokenizer,
    PostProcessorWrapper,
    DecoderWrapper,
>;

pub struct Tokenizer {
    parsing: Inner,
    literal: Inner,
    vocab_size: u32,
    specials: Specials,
    pieces: OnceLock<Pieces>,
}

impl Tokenizer {
    pub fn from_json(json: &[u8]) -> Result<Self, Failure> {
        let json = std::str::from_utf8(json)
            .map_err(|e| Failure::data(format!("not UTF-8 (byte {})", e.valid_up_to())))?;
        let facts = check::check(json)?;
        let mut parsing: Inner =
            serde_json::from_str(json).map_err(|e| Failure::data(format!("{e}")))?;
        parsing.with_truncation(None).map_err(|e| Failure::data(e.to_string()))?;
        parsing.with_padding(None);
        check::check_loaded(&facts, &parsing)?;
        let mut literal = parsing.clone();
        literal.set_encode_special_tokens(true);
        if parsing.get_pre_tokenizer().is_none() {
            parsing.with_pre_tokenizer(Some(GuardedPreTokenizer::none()));
        }
        let added = parsing.get_added_vocabulary().get_added_tokens_decoder();
        let special = added.values().filter(|token| token.special);
        let specials = Specials::new(special.map(|token| token.content.as_str()));
        let vocab_size = facts.vocab_size;
        Ok(Tokenizer { parsing, literal, vocab_size, specials, pieces: OnceLock::new() })
    }

    pub fn encode(&self, text: &str, add: bool, parse: bool) -> Result<Vec<i32>, Failure> {
        let inner = if parse { &self.parsing } else { &self.literal };
        let shown = if parse { text } else { "" };
        let encoding = hidden::with_marks_of(shown, || {
            regex::with_budget(text.len(), || inner.encode_fast(text, add))
        });
        let encoding = encoding?.map_err(|e| Failure::argument(format!("tokenize: {e}")))?;
        Ok(encoding.get_ids().iter().map(|&id| id as i32).collect())
    }

    /// The text with every special token that it spells hidden from `encode` with `parse`; None where it spells none.
    pub fn hide(&self, text: &str) -> Option<String> {
        self.specials.hide(text)
    }

    pub fn decode(&self, ids: &[i32], skip_special: bool) -> Result<String, Failure> {
        let known: Vec<u32> = ids.iter().filter_map(|&id| u32::try_from(id).ok()).collect();
        self.parsing
            .decode(&known, skip_special)
            .map_err(|e| Failure::data(format!("detokenize: {e}")))
    }

    pub fn token_to_id(&self, token: &str) -> Option<i32> {
        self.parsing.token_to_id(token).map(|id| id as i32)
    }

    pub fn id_to_token(&self, id: i32) -> Option<String> {
        let id = u32::try_from(id).ok()?;
        let added = self.parsing.get_added_vocabulary().get_added_tokens_decoder();
        added
            .get(&id)
            .map(|token| token.content.clone())
            .or_else(|| self.parsing.get_model().id_to_token(id))
    }

    pub fn pieces(&self) -> &Pieces {
        self.pieces.get_or_init(|| Pieces::build(&self.parsing, self.vocab_size))
    }
}

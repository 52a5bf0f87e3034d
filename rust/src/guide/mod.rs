//! Structured output: which tokens may come next, given a grammar and the tokens so far.
//!
//! The grammar engine is llguidance's. Around it: checks before compiling (source.rs, schema.rs), budgets for compiling
//! and for each mask, and one parser per sequence that shares nothing that changes, so that what a sequence may say never
//! depends on another. What they hold is counted and bounded. End tokens are not its business: whether the text may end is
//! said beside the mask.

mod abi;
mod schema;
mod source;
mod vocabulary;

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use llguidance::api::{GrammarInit, ParserLimits, StopReason};
use llguidance::{Logger, ParserFactory, TokenParser};
use toktrie::InferenceCapabilities;

use crate::ffi::{Code, Failure};
use crate::memory::measured;
use crate::tokenizer::Tokenizer;
pub use source::Kind;

/// Compiling recurses over the grammar, a level for each rule that names another; untouched pages cost nothing.
const STACK_BYTES: usize = 512 << 20;
const MAX_MESSAGE: usize = 300;

/// What a guide may hold beyond twice what it begins with: states of the lexer, which it finds again where they are
/// dropped, and for every token rows of the parser, which it cannot do without.
const MAX_GROWTH: usize = 2 << 20;
const MAX_TOKEN_BYTES: usize = 512;

/// A mask spends at most about 15 ms on the lexer and 3 ms on the parser (14,000 and 20,000 units of these a millisecond
/// by llguidance's own figures). Of 55 hostile sources none took more than 44 MB to compile: 900 bounded numbers.
fn limits() -> ParserLimits {
    ParserLimits {
        initial_lexer_fuel: 500_000,
        step_lexer_fuel: 200_000,
        step_max_items: 50_000,
        max_items_in_row: 5_000,
        max_lexer_states: 20_000,
        max_grammar_size: 100_000,
        precompute_large_lexemes: true,
        verbose_errors: false,
    }
}

// Factories and grammars are used on many threads at once, a guide goes from one to another.
const _: fn() = || {
    fn shared<T: Send + Sync>() {}
    fn sent<T: Send>() {}
    shared::<Factory>();
    shared::<Grammar>();
    sent::<Guide>();
};

/// A vocabulary as grammars see it.
pub struct Factory {
    parsers: ParserFactory,
    vocab: usize,
    bytes: usize,
}

impl Factory {
    /// For the ids below `vocab`, the rows of the model's logits.
    pub fn new(tokenizer: &Tokenizer, vocab: usize) -> Result<Self, Failure> {
        let (made, bytes) = measured(|| Factory::create(tokenizer, vocab));
        Ok(Factory { bytes: positive(bytes), ..made? })
    }

    /// What it takes; all grammars share it.
    pub fn bytes(&self) -> usize {
        self.bytes
    }

    fn create(tokenizer: &Tokenizer, vocab: usize) -> Result<Self, Failure> {
        let env = vocabulary::environment(tokenizer, vocab)?;
        let slices = llguidance::earley::SlicedBiasComputer::general_slices();
        let mut parsers = ParserFactory::new(&env, InferenceCapabilities::default(), &slices)
            .map_err(|e| Failure::data(brief(&e.to_string())))?;
        *parsers.limits_mut() = limits();
        parsers.quiet();
        Ok(Factory { parsers, vocab, bytes: 0 })
    }

    pub fn compile(&self, kind: Kind, source: &str) -> Result<Grammar, Failure> {
        on_deep_stack(|| {
            let (start, bytes) = measured(|| self.start_of(kind, source));
            let start = Arc::new(start?);
            let (guide, guide_bytes) = measured(|| start.deep_clone());
            drop(guide);
            let (bytes, guide_bytes) = (positive(bytes), positive(guide_bytes));
            let grammar = Grammar { start, bytes, guide_bytes };
            self.look_at_start(grammar.guide())?;
            Ok(grammar)
        })?
    }

    fn start_of(&self, kind: Kind, source: &str) -> Result<TokenParser, Failure> {
        let grammar = GrammarInit::Serialized(source::grammar(kind, source)?);
        let mut start = self
            .parsers
            .create_parser_from_init_ext(
                grammar,
                Logger::new(0, 0),
                InferenceCapabilities::default(),
                limits(),
            )
            .map_err(|e| refusal(&e.to_string()))?;
        start.start_without_prompt();
        Ok(start)
    }

    /// A grammar that allows no text is refused before anyone asks for some.
    fn look_at_start(&self, mut first: Guide) -> Result<(), Failure> {
        let may_end =
            first.mask(&mut vec![0; self.vocab.div_ceil(32)]).map_err(|e| match e.code {
                Code::InvalidArgument => {
                    Failure::argument("no text of this model's tokens matches it")
                }
                _ => e,
            })?;
        if may_end && first.complete() {
            return Err(Failure::argument("it allows no text but the empty one"));
        }
        Ok(())
    }
}

/// Compiled, before its first token; immutable.
pub struct Grammar {
    start: Arc<TokenParser>,
    bytes: usize,
    guide_bytes: usize,
}

impl Grammar {
    pub fn guide(&self) -> Guide {
        let start = self.start.clone();
        let (parser, bytes) = measured(|| start.deep_clone());
        Guide { start, parser, tokens: Vec::new(), bytes, first_bytes: positive(bytes), passed: 0 }
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }

    /// The most that a guide holds which is asked for a mask before each of so many tokens, but for the moment of a mask.
    pub fn guide_bytes(&self, tokens: usize) -> usize {
        most_bytes(self.guide_bytes, tokens)
    }
}

fn most_bytes(first: usize, tokens: usize) -> usize {
    2 * first + MAX_GROWTH + tokens.saturating_mul(MAX_TOKEN_BYTES)
}

/// Of one sequence.
pub struct Guide {
    start: Arc<TokenParser>,
    parser: TokenParser,
    tokens: Vec<u32>,
    bytes: isize,
    first_bytes: usize,
    /// Of `bytes`, what came with tokens, not with masks.
    passed: isize,
}

impl Guide {
    pub fn fork(&self) -> Guide {
        let (parser, bytes) = measured(|| self.parser.deep_clone());
        let (start, tokens) = (self.start.clone(), self.tokens.clone());
        let (first_bytes, passed) = (self.first_bytes, self.passed);
        Guide { start, parser, tokens, bytes, first_bytes, passed }
    }

    pub fn bytes(&self) -> usize {
        positive(self.bytes) + self.tokens.capacity() * size_of::<u32>()
    }

    /// Sets the bits of the ids that may come next, all others to 0; true if the text may end here.
    pub fn mask(&mut self, words: &mut [u32]) -> Result<bool, Failure> {
        let (may_end, grown) = measured(|| self.look(words));
        self.bytes += grown;
        let may_end = may_end?;
        self.shrink()?;
        Ok(may_end)
    }

    pub fn commit(&mut self, token: u32) -> Result<(), Failure> {
        self.tokens.push(token);
        self.pass(token)
    }

    /// Drops the states that masks have found, where the guide holds too much. Half of the growth must be free afterwards,
    /// or it would come to this again and again.
    fn shrink(&mut self) -> Result<(), Failure> {
        let most = most_bytes(self.first_bytes, self.tokens.len());
        if self.bytes() <= most || self.complete() {
            return Ok(());
        }
        let enough = most - MAX_GROWTH / 2;
        // Passing them again would take it again, and as long.
        if self.first_bytes + positive(self.passed) > enough {
            return Err(too_many_ways());
        }
        let (parser, bytes) = measured(|| self.start.deep_clone());
        self.parser = parser;
        (self.bytes, self.passed) = (bytes, 0);
        for token in self.tokens.clone() {
            self.pass(token)?;
            if self.bytes() > enough {
                return Err(too_many_ways());
            }
        }
        Ok(())
    }

    fn pass(&mut self, token: u32) -> Result<(), Failure> {
        let (passed, grown) =
            measured(|| self.parser.consume_token(token).and_then(|_| self.parser.check_stop()));
        self.bytes += grown;
        self.passed += grown;
        passed.map(|_| ()).map_err(|e| self.failure(&e.to_string()))
    }

    fn look(&mut self, words: &mut [u32]) -> Result<bool, Failure> {
        words.fill(0);
        if self.complete() {
            return Ok(true);
        }
        let accepting = self.parser.is_accepting();
        match self.parser.compute_mask() {
            Ok(allowed) => {
                for (word, allowed) in words.iter_mut().zip(allowed.as_slice()) {
                    *word = *allowed;
                }
                Ok(accepting)
            }
            Err(_) if self.parser.stop_reason() == StopReason::NoExtensionBias => {
                if accepting {
                    return Ok(true);
                }
                Err(Failure::argument("no token of this model continues the text so far"))
            }
            Err(error) => Err(self.failure(&error.to_string())),
        }
    }

    /// Nothing may follow.
    pub fn complete(&self) -> bool {
        let reason = self.parser.stop_reason();
        matches!(reason, StopReason::NoExtension | StopReason::NoExtensionBias)
    }

    fn failure(&self, message: &str) -> Failure {
        let code = match self.parser.stop_reason() {
            StopReason::LexerTooComplex | StopReason::ParserTooComplex => Code::ResourceLimit,
            _ => Code::InvalidArgument,
        };
        Failure::new(code, brief(message))
    }
}

fn positive(bytes: isize) -> usize {
    bytes.max(0) as usize
}

fn too_many_ways() -> Failure {
    Failure::new(Code::ResourceLimit, "the grammar has too many ways to read the text so far")
}

/// Why a grammar was not compiled, in our words where llguidance's speak of its settings.
fn refusal(message: &str) -> Failure {
    if message.contains("coerce_one_of") {
        return Failure::argument("oneOf with branches that may overlap: use anyOf");
    }
    let spent = ["too large", "too complex", "too many", "fuel", "limit", "exceeded"];
    let code = match spent.iter().any(|word| message.contains(word)) {
        true => Code::ResourceLimit,
        false => Code::InvalidArgument,
    };
    Failure::new(code, brief(message))
}

/// The first line, or what a regular expression's error says, shortened: the rest is backtraces and excerpts.
fn brief(message: &str) -> String {
    let line = regex_error(message)
        .unwrap_or_else(|| message.lines().next().unwrap_or_default().trim_end().to_string());
    match line.char_indices().nth(MAX_MESSAGE) {
        Some((end, _)) => format!("{}...", &line[..end]),
        None => line,
    }
}

/// The regex crate shows the expression, indented, marks the place in the line below and says what is wrong in a third.
fn regex_error(message: &str) -> Option<String> {
    let lines: Vec<&str> = message.lines().collect();
    let said = lines.iter().position(|line| line.starts_with("error: "))?;
    let what = lines[said].trim_start_matches("error: ");
    let mark = lines.get(said.checked_sub(1)?)?.find('^')?;
    Some(format!("regular expression, character {}: {what}", mark.saturating_sub(4) + 1))
}

fn on_deep_stack<T: Send>(body: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    std::thread::scope(|scope| {
        let builder = std::thread::Builder::new().stack_size(STACK_BYTES);
        let worker = builder
            .spawn_scoped(scope, AssertUnwindSafe(body))
            .map_err(|e| Failure::new(Code::ResourceLimit, format!("no thread for it: {e}")))?;
        worker.join().map_err(|_| Failure::data("the grammar engine gave up"))
    })
}

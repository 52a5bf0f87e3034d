//! What each id adds to the decoded text, for decoding one id at a time.
//!
//! The C++ Detokenizer reads this table and needs no call into Rust per token. `kind` says how pieces join; the joint
//! effects of a decoder (bytes that make characters, a leading space stripped once) are left to the reader.

use tokenizers::{Decoder, DecoderWrapper};

use super::Inner;

#[derive(Clone, Copy, PartialEq, Eq)]
#[repr(i32)]
pub enum Kind {
    /// Pieces are bytes; the text is their concatenation read as UTF-8, broken sequences replaced.
    Bytes = 0,
    /// Pieces are text, except byte tokens: a run of those is one string, or one U+FFFD each if it is not UTF-8.
    Runs = 1,
    /// Pieces are text; the first one of a stream is whatever decode() says of that id alone.
    Words = 2,
    /// No table: the decoder looks at its neighbours in a way not known here.
    Window = 3,
}

pub const HAS_TOKEN: u8 = 1;
pub const SPECIAL: u8 = 2;
pub const BYTE: u8 = 4;

pub struct Pieces {
    pub kind: Kind,
    pub text: Vec<u8>,
    pub offsets: Vec<u32>,
    pub flags: Vec<u8>,
    /// Up to this many leading `strip_char` are removed from the text (Kind::Runs).
    pub strip_count: usize,
    pub strip_char: char,
}

/// How one token becomes a piece.
enum PieceOf<'a> {
    ByteLevel(Vec<Option<u8>>),
    /// Decoders that look at one token at a time, in order; `bool`: byte tokens stand for bytes.
    Each(Vec<&'a DecoderWrapper>, bool),
    /// One decoder that treats all but the first token alike.
    Rest(&'a DecoderWrapper),
    /// No decoder: tokens are joined with a space.
    Spaced,
    Nothing,
}

struct Plan<'a> {
    kind: Kind,
    piece: PieceOf<'a>,
    strip: (char, usize),
}

impl Pieces {
    pub fn build(inner: &Inner, vocab_size: u32) -> Self {
        let plan = plan_of(inner.get_decoder());
        let mut pieces = Pieces {
            kind: plan.kind,
            text: Vec::new(),
            offsets: vec![0],
            flags: Vec::with_capacity(vocab_size as usize),
            strip_count: plan.strip.1,
            strip_char: plan.strip.0,
        };
        let added = inner.get_added_vocabulary();
        for id in 0..vocab_size {
            let mut flags = 0;
            if let Some(token) = inner.id_to_token(id) {
                flags |= HAS_TOKEN;
                if added.is_special_token(&token) {
                    flags |= SPECIAL;
                }
                flags |= plan.piece.append(token, &mut pieces.text);
            }
            pieces.flags.push(flags);
            pieces.offsets.push(pieces.text.len() as u32);
        }
        pieces
    }
}

impl PieceOf<'_> {
    /// Appends the token's piece to `out`; BYTE if it is a byte token.
    fn append(&self, token: String, out: &mut Vec<u8>) -> u8 {
        match self {
            PieceOf::ByteLevel(map) => {
                let bytes: Option<Vec<u8>> =
                    token.chars().map(|c| *map.get(c as usize).unwrap_or(&None)).collect();
                out.extend(bytes.unwrap_or_else(|| token.into_bytes()));
            }
            PieceOf::Each(steps, bytes) => {
                let text = steps.iter().fold(token, |text, step| one(step, text));
                if let Some(byte) = byte_token(&text).filter(|_| *bytes) {
                    out.push(byte);
                    return BYTE;
                }
                out.extend(text.bytes());
            }
            PieceOf::Rest(decoder) => {
                let pair = decoder.decode_chain(vec![String::new(), token]).unwrap_or_default();
                out.extend(pair.into_iter().nth(1).unwrap_or_default().bytes());
            }
            PieceOf::Spaced => {
                out.push(b' ');
                out.extend(token.bytes());
            }
            PieceOf::Nothing => {}
        }
        0
    }
}

fn one(decoder: &DecoderWrapper, text: String) -> String {
    decoder.decode_chain(vec![text]).unwrap_or_default().concat()
}

/// The byte that a token like `<0x0A>` stands for.
fn byte_token(token: &str) -> Option<u8> {
    if token.len() != 6 || !token.starts_with("<0x") || !token.ends_with('>') {
        return None;
    }
    u8::from_str_radix(token.get(3..5)?, 16).ok()
}

fn plan_of(decoder: Option<&DecoderWrapper>) -> Plan<'_> {
    let no_strip = (' ', 0);
    match decoder {
        None => Plan { kind: Kind::Words, piece: PieceOf::Spaced, strip: no_strip },
        Some(DecoderWrapper::ByteLevel(_)) => {
            Plan { kind: Kind::Bytes, piece: PieceOf::ByteLevel(byte_level_map()), strip: no_strip }
        }
        Some(d @ (DecoderWrapper::Metaspace(_) | DecoderWrapper::WordPiece(_))) => {
            Plan { kind: Kind::Words, piece: PieceOf::Rest(d), strip: no_strip }
        }
        Some(DecoderWrapper::Sequence(sequence)) => match sequence.get_decoders() {
            [single] => plan_of(Some(single)),
            steps => plan_of_steps(steps),
        },
        Some(single) => plan_of_steps(std::slice::from_ref(single)),
    }
}

/// Sequences as SentencePiece models have them: steps on single tokens, then byte tokens, then Fuse, then a leading strip.
fn plan_of_steps(steps: &[DecoderWrapper]) -> Plan<'_> {
    let window = Plan { kind: Kind::Window, piece: PieceOf::Nothing, strip: (' ', 0) };
    let single =
        |d: &DecoderWrapper| matches!(d, DecoderWrapper::Replace(_) | DecoderWrapper::Strip(_));
    let count = steps.iter().take_while(|d| single(d)).count();
    let mut rest = &steps[count..];
    let mut bytes = false;
    if let [DecoderWrapper::ByteFallback(_), tail @ ..] = rest {
        bytes = true;
        rest = tail;
    }
    let fused = matches!(rest, [DecoderWrapper::Fuse(_), ..]);
    if fused {
        rest = &rest[1..];
    }
    let strip = match rest {
        [] => (' ', 0),
        [DecoderWrapper::Strip(s)] if fused && s.stop == 0 => (s.content, s.start),
        _ => return window,
    };
    let piece = PieceOf::Each(steps[..count].iter().collect(), bytes);
    Plan { kind: Kind::Runs, piece, strip }
}

/// GPT-2's table from characters back to bytes: printable Latin-1 stands for itself, the other bytes for U+0100 onwards.
fn byte_level_map() -> Vec<Option<u8>> {
    let mut map = vec![None; 0x144];
    let mut next = 0x100;
    for byte in 0..=255u8 {
        let printable = matches!(byte, 0x21..=0x7e | 0xa1..=0xac | 0xae..=0xff);
        let position = if printable { byte as usize } else { next };
        next += usize::from(!printable);
        map[position] = Some(byte);
    }
    map
}

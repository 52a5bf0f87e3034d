// The C ABI of the Rust crate in rust/: tokenizers, chat templates, grammars. Written by hand;
// rust/src/ffi.rs is its other side. Only tokenizer.cc, detokenizer.cc, chat_template.cc and
// guide.cc include it. No function throws, aborts or prints; all may be called from many threads at
// once, but for what changes a guide. A failure returns its code and leaves a message in `error`,
// to be freed by the caller.
#pragma once

#include <cstddef>
#include <cstdint>

namespace strata::text::ffi {

extern "C" {

enum StrataTextCode : int32_t {
  kStrataTextOk = 0,
  kStrataTextInvalidData = 1,
  kStrataTextInvalidArgument = 2,
  kStrataTextResourceLimit = 3,
};

/// Borrowed bytes; the callee keeps no pointer to them. `data` may be null if `size` is 0.
struct StrataStr {
  const char* data;
  size_t size;
};

/// Bytes owned by the caller, to be given back with strata_text_free_bytes.
struct StrataBytes {
  char* data;
  size_t size;
  size_t capacity;
};

/// Token ids owned by the caller, to be given back with strata_text_free_ids.
struct StrataIds {
  int32_t* data;
  size_t size;
  size_t capacity;
};

void strata_text_free_bytes(StrataBytes bytes);
void strata_text_free_ids(StrataIds ids);

struct StrataTokenizer;

int32_t strata_tokenizer_new(StrataStr json, StrataTokenizer** out, StrataBytes* error);
void strata_tokenizer_free(StrataTokenizer* tokenizer);
int32_t strata_tokenizer_encode(const StrataTokenizer* tokenizer, StrataStr text, bool add_special,
                                bool parse_special, StrataIds* out, StrataBytes* error);
/// Marks in a text every special token that it spells: encoding with `parse_special` then takes it
/// for what it is, text. `out` is always to be freed; it is empty unless `changed`.
int32_t strata_tokenizer_hide(const StrataTokenizer* tokenizer, StrataStr text, bool* changed,
                              StrataBytes* out, StrataBytes* error);
int32_t strata_tokenizer_decode(const StrataTokenizer* tokenizer, const int32_t* ids, size_t count,
                                bool skip_special, StrataBytes* out, StrataBytes* error);
/// `out` is -1 if there is no such token.
int32_t strata_tokenizer_token_to_id(const StrataTokenizer* tokenizer, StrataStr token,
                                     int32_t* out, StrataBytes* error);
/// `out` is always to be freed; it is empty unless `found`.
int32_t strata_tokenizer_id_to_token(const StrataTokenizer* tokenizer, int32_t id, bool* found,
                                     StrataBytes* out, StrataBytes* error);

/// How pieces join into text.
enum StrataPieceKind : int32_t {
  kStrataPieceBytes = 0,  // concatenated bytes, read as UTF-8 with broken sequences replaced
  kStrataPieceRuns =
      1,  // text; a run of byte tokens is one string, or one U+FFFD per byte if it is not UTF-8
  kStrataPieceWords = 2,   // text; the first piece of a stream is decode() of its id alone
  kStrataPieceWindow = 3,  // no pieces: the decoder must be asked
};

enum StrataPieceFlag : uint8_t {
  kStrataPieceHasToken = 1,
  kStrataPieceSpecial = 2,
  kStrataPieceByte = 4,  // one byte of a run (kStrataPieceRuns)
};

/// What each id adds to the decoded text: id i is text[offsets[i]] up to text[offsets[i + 1]].
/// Lives as long as the tokenizer; built at the first call.
struct StrataPieces {
  const char* text;
  const uint32_t* offsets;
  const uint8_t* flags;
  size_t count;
  int32_t kind;
  int32_t strip_count;  // leading characters to remove from the text if they are strip_char
  uint32_t strip_char;
};

int32_t strata_tokenizer_pieces(const StrataTokenizer* tokenizer, StrataPieces* out,
                                StrataBytes* error);

struct StrataTemplate;

int32_t strata_template_new(StrataStr source, StrataTemplate** out, StrataBytes* error);
void strata_template_free(StrataTemplate* chat_template);
/// ChatInput, field by field: JSON texts, empty if not given; null for a token that is undefined.
struct StrataChat {
  StrataStr messages;
  StrataStr tools;
  StrataStr documents;
  StrataStr variables;
  const StrataStr* bos_token;
  const StrataStr* eos_token;
  int64_t now_s;  // what strftime_now shows, in seconds since 1970
  bool add_generation_prompt;
};

int32_t strata_template_render(const StrataTemplate* chat_template, const StrataChat* chat,
                               StrataBytes* out, StrataBytes* error);

struct StrataGuideFactory;
struct StrataGrammar;
struct StrataGuide;  // one thread at a time

enum StrataGrammarKind : int32_t {
  kStrataGrammarJsonSchema = 0,
  kStrataGrammarJsonObject = 1,  // the source is not read
  kStrataGrammarRegex = 2,
  kStrataGrammarChoice = 3,  // a JSON list of texts
  kStrataGrammarLark = 4,
  kStrataGrammarLarkWithSchemas = 5,  // {"lark": rules, "schemas": [[name for errors, schema]]}
};

/// None of these keeps a pointer to what it was made from.
int32_t strata_guide_factory_new(const StrataTokenizer* tokenizer, size_t vocab,
                                 StrataGuideFactory** out, StrataBytes* error);
void strata_guide_factory_free(StrataGuideFactory* factory);
/// Bytes held, as allocated. The second: the most that a guide holds which is asked for a mask
/// before each of `tokens` tokens, but for the moment of a mask.
size_t strata_guide_factory_bytes(const StrataGuideFactory* factory);
size_t strata_grammar_guide_bytes(const StrataGrammar* grammar, size_t tokens);
size_t strata_grammar_bytes(const StrataGrammar* grammar);
size_t strata_guide_bytes(const StrataGuide* guide);
int32_t strata_grammar_new(const StrataGuideFactory* factory, int32_t kind, StrataStr source,
                           StrataGrammar** out, StrataBytes* error);
void strata_grammar_free(StrataGrammar* grammar);
int32_t strata_guide_new(const StrataGrammar* grammar, StrataGuide** out, StrataBytes* error);
int32_t strata_guide_fork(const StrataGuide* guide, StrataGuide** out, StrataBytes* error);
void strata_guide_free(StrataGuide* guide);
/// Bit id % 32 of words[id / 32]: whether the id may come next; none of them ends the text, which
/// `may_end` is about. After a failure the guide may only be freed.
int32_t strata_guide_mask(StrataGuide* guide, uint32_t* words, size_t count, bool* may_end,
                          StrataBytes* error);
/// `complete`: no text may follow. After a failure the guide may only be freed.
int32_t strata_guide_commit(StrataGuide* guide, int32_t token, bool* complete, StrataBytes* error);
}

}  // namespace strata::text::ffi

// Strings to token ids and back, exactly as a model's tokenizer.json defines it.
// Between what a user typed (or a chat template rendered) and the ids a request carries. The work
// is done by the Rust crate (ffi.h); this class owns the handle and turns its errors into Status.
// It reads no files and knows no model.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/status.h"

namespace strata::text {

struct EncodeOptions {
  /// Run the file's post-processor: BOS, EOS and the like around the text.
  bool add_special_tokens = true;
  /// Let special tokens written out in the text ("<|im_end|>") become their ids. Off for whatever a
  /// user typed: then they are ordinary characters. Added tokens that the file does not mark as
  /// special are matched either way.
  bool parse_special_tokens = false;
};

/// An immutable tokenizer; copies share it. All methods may run on many threads at once.
class Tokenizer {
 public:
  /// Parses the content of a tokenizer.json (at most 256 MB). Truncation, padding and BPE dropout
  /// settings in it are ignored, as inference does. Errors: kInvalidData naming the file and
  /// what is broken in it.
  static Result<Tokenizer> from_json(std::string_view json);

  /// Ids of UTF-8 `text`. Errors: kInvalidArgument for text that is not UTF-8.
  Result<std::vector<int32_t>> encode(std::string_view text, EncodeOptions options = {}) const;
  /// Each text as encode() would, in order; the first failure fails all.
  Result<std::vector<std::vector<int32_t>>> encode_batch(std::span<const std::string> texts,
                                                         EncodeOptions options = {}) const;

  /// `text` for a place among special tokens that are parsed: every one that it spells itself is
  /// marked (with U+FDD0), and encode() with `parse_special_tokens` then makes of it what it makes
  /// of plain text. Errors: kInvalidArgument for text that is not UTF-8.
  Result<std::string> hide_special_tokens(std::string text) const;

  /// Text of `ids`; valid UTF-8 always (broken byte sequences become U+FFFD). Ids without a token,
  /// negative ones included, are skipped, as is every special token if `skip_special`. Nothing is
  /// cleaned up afterwards.
  Result<std::string> decode(std::span<const int32_t> ids, bool skip_special = false) const;

  std::optional<int32_t> token_to_id(std::string_view token) const;
  /// The token as the vocabulary spells it ("Ġworld"), not its text.
  std::optional<std::string> id_to_token(int32_t id) const;
  /// Highest id plus one (ids may have gaps below it).
  int32_t vocab_size() const;
  /// True for added tokens that the file marks as special; false for ids without a token.
  bool is_special(int32_t id) const;

 private:
  friend class Detokenizer;
  friend class GuideFactory;
  struct Impl;
  explicit Tokenizer(std::shared_ptr<const Impl> impl) : impl_(std::move(impl)) {}
  std::shared_ptr<const Impl> impl_;
};

}  // namespace strata::text

// Structured output: which tokens a grammar lets come next. Between a request's schema, regular
// expression or grammar and the sampler, which bans all others. The grammar engine is the Rust
// crate's (ffi.h). It knows no end tokens: beside the ids it says whether the text may end.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string_view>
#include <vector>

#include "base/status.h"
#include "text/tokenizer.h"

namespace strata::text {

namespace ffi {
struct StrataGuide;
}

enum class GrammarKind {
  kJsonSchema,       // the source is the schema
  kJsonObject,       // any JSON object; no source
  kRegex,            // the whole text matches
  kChoice,           // one of a JSON list of texts
  kLark,             // a grammar as llguidance's dialect of Lark
  kLarkWithSchemas,  // {"lark": such a grammar, "schemas": [[name in errors, schema], ...]}; its
                     // rules call the schemas schema_0, schema_1, ...
};

/// Compiled and immutable; copies share it. May be used on many threads at once.
class Grammar {
 public:
  /// Ids below it have bits in masks.
  int64_t vocab() const { return vocab_; }
  /// What it holds.
  int64_t bytes() const;
  /// The most that a Guide of it holds between its masks, until so many tokens were committed.
  int64_t guide_bytes(int64_t tokens) const;
  /// The same grammar; `owned`, a charge of so many bytes, lives as long as any copy of this one.
  Grammar owning(std::shared_ptr<const void> owned, int64_t bytes) const;
  /// As owning() was told; 0 before.
  int64_t owned_bytes() const { return owned_bytes_; }

 private:
  friend class GuideFactory;
  friend class Guide;
  struct Impl;
  Grammar(std::shared_ptr<const Impl> impl, int64_t vocab)
      : impl_(std::move(impl)), vocab_(vocab) {}
  std::shared_ptr<const Impl> impl_;
  int64_t vocab_;
  int64_t owned_bytes_ = 0;
};

/// A tokenizer's vocabulary as grammars see it: the bytes that each token adds to the text. Special
/// tokens add none, so only a grammar that names them allows them. Copies share it.
class GuideFactory {
 public:
  /// `vocab`: columns of the model's logits; ids that the tokenizer lacks are never allowed. Takes
  /// about half a second for 100,000 tokens. kInvalidArgument where the tokenizer's decoder gives
  /// single tokens no text.
  static Result<GuideFactory> create(const Tokenizer& tokenizer, int64_t vocab);

  /// kInvalidArgument or kResourceLimit, saying what in the source cannot be obeyed and where;
  /// never does one that is too large or too intricate take more than the limits of rust/src/guide.
  Result<Grammar> compile(GrammarKind kind, std::string_view source) const;
  /// What it holds.
  int64_t bytes() const;

 private:
  struct Impl;
  GuideFactory(std::shared_ptr<const Impl> impl, int64_t vocab)
      : impl_(std::move(impl)), vocab_(vocab) {}
  std::shared_ptr<const Impl> impl_;
  int64_t vocab_;
};

/// Where one sequence stands in its grammar. A value: a copy forks it and shares nothing with it.
/// One thread at a time.
class Guide {
 public:
  /// Before the first token.
  explicit Guide(const Grammar& grammar);
  Guide(const Guide& other);
  Guide(Guide&& other) noexcept = default;
  Guide& operator=(const Guide& other);
  Guide& operator=(Guide&& other) noexcept = default;
  ~Guide() = default;

  /// Makes the mask, unless it is made. A failure is final: see failure().
  void compute_mask();
  /// Made since the last commit, or failed.
  bool has_mask() const { return has_mask_; }
  /// Bit id % 32 of word id / 32: the id may come next.
  std::span<const uint32_t> mask() const { return mask_; }
  bool allows(int32_t id) const {
    return ((mask_[static_cast<size_t>(id) / 32] >> (id % 32)) & 1) != 0;
  }
  /// As of the mask: the text so far is whole.
  bool may_end() const { return may_end_; }

  /// The next token; one that the mask allows.
  void commit(int32_t token);
  /// What it holds.
  int64_t bytes() const;
  /// The text so far is whole, and nothing may follow.
  bool complete() const { return complete_; }
  /// Why there is no mask: kResourceLimit where the grammar took more work or memory than it may,
  /// kInvalidArgument where no token fits. Null where all is well.
  const Status* failure() const { return failure_ ? &*failure_ : nullptr; }

 private:
  struct Deleter {
    void operator()(ffi::StrataGuide* handle) const;
  };
  void fail_with(std::unexpected<Status> status);
  void fork_of(const Guide& other);

  std::unique_ptr<ffi::StrataGuide, Deleter> handle_;  // null after a failure
  std::vector<uint32_t> mask_;
  bool has_mask_ = false;
  bool may_end_ = false;
  bool complete_ = false;
  std::optional<Status> failure_;
};

}  // namespace strata::text

// A model's text side in one place: tokenizer, chat template and their special tokens. A folder
// without tokenizer files gives a codec without text: ids still work.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"
#include "checkpoint/model_folder.h"
#include "frontend/grammar_cache.h"
#include "model/config.h"
#include "text/chat_template.h"
#include "text/detokenizer.h"
#include "text/guide.h"
#include "text/tokenizer.h"

namespace strata::frontend {

/// What a chat template is given, besides the model's special tokens.
struct ChatPrompt {
  Json messages = {};   // as read_messages() makes them
  Json tools = {};      // definitions; null for none
  Json variables = {};  // an object of the template's further variables; null for none
};

class TextCodec {
 public:
  /// `vocab`: rows of the model's embedding. A tokenizer may know more ids (added tokens that the
  /// model was not resized for); text that needs them is refused when it is encoded.
  static Result<TextCodec> create(const checkpoint::ModelDocuments& documents, int64_t vocab);

  bool has_tokenizer() const { return tokenizer_.has_value(); }
  bool has_chat_template() const { return template_.has_value(); }
  /// One sentence if the tokenizer knows ids that the model has no row for.
  std::optional<std::string> warning() const;
  /// Ids of plain text, with the tokenizer's own BOS. kUnsupported without a tokenizer.
  Result<std::vector<int32_t>> encode(std::string_view prompt) const;
  /// The template's text; empty without one.
  std::string_view template_text() const { return template_text_; }
  /// The template names this variable.
  bool template_names(std::string_view variable) const;
  /// The id of a special token with this text.
  std::optional<int32_t> special_id(std::string_view text) const;
  /// A conversation as the model's template writes it, for encode_rendered(): special tokens that
  /// anyone but the model spells are marked. kUnsupported without a template.
  Result<std::string> render_chat(const ChatPrompt& prompt) const;
  /// Ids of what a template wrote.
  Result<std::vector<int32_t>> encode_rendered(std::string_view rendered) const;
  /// Both, for messages alone.
  Result<std::vector<int32_t>> encode_chat(const Json& messages) const;
  /// Text of ids without special tokens; empty without a tokenizer.
  Result<std::string> decode(const std::vector<int32_t>& ids) const;
  /// Text of one token, also a special one; where it is a part of a character, with U+FFFD.
  Result<std::string> token_text(int32_t id) const;
  /// The token sequences that write a word at the start of a text and after a space, for bad_words.
  Result<std::vector<std::vector<int32_t>>> spellings(std::string_view word) const;
  /// A grammar over the model's ids, compiled or found (grammar_cache.h). The first call makes the
  /// vocabulary's factory, half a second for 100,000 ids. kUnsupported without a tokenizer.
  Result<text::Grammar> compile(text::GrammarKind kind, std::string_view source) const;
  /// Memory of grammars is counted from now on. `text` must outlive this, its copies and grammars.
  void charge_grammars_to(engine::TextBudget& text);
  /// For the ids that follow; nullopt without a tokenizer. `continues`: they complete a shown text.
  /// `shown`: special tokens that are written out.
  std::optional<text::Detokenizer> detokenizer(bool continues,
                                               const std::vector<int32_t>& shown = {}) const;
  /// Ids that end a sequence: the model's and the tokenizer's EOS.
  std::vector<int32_t> stop_ids(const model::GenerationDefaults& defaults) const;

 private:
  Result<std::vector<int32_t>> known_to_model(std::vector<int32_t> ids) const;

  int64_t vocab_ = 0;
  std::optional<text::Tokenizer> tokenizer_;
  std::optional<text::ChatTemplate> template_;
  std::string template_text_;
  std::optional<std::string> bos_token_;
  std::optional<std::string> eos_token_;
  std::shared_ptr<GrammarCache> grammars_;  // shared by copies; null without a tokenizer
};

}  // namespace strata::frontend

// Reads the special tokens out of their two possible files and forms.
#include "frontend/text_codec.h"

#include <fmt/core.h>

#include <algorithm>
#include <cctype>
#include <utility>

#include "text/special.h"

namespace strata::frontend {
namespace {

// A special token is a text, or an object with the text in "content" (the form of an added token).
Result<std::optional<std::string>> token_text(const Json& object, std::string_view key) {
  const Json* value = find_member(object, key);
  if (value != nullptr && value->is_object()) return optional_string(*value, "content");
  return optional_string(object, key);
}

Result<Json> parse_document(const std::optional<std::string>& text, std::string_view name) {
  if (!text) return Json::object();
  return parse_json_object(*text, name,
                           {.max_bytes = 64 << 20, .max_depth = 64, .max_values = 4'000'000});
}

Result<std::optional<std::string>> special_token(const checkpoint::ModelDocuments& documents,
                                                 std::string_view key) {
  const Json config = TRY(parse_document(documents.tokenizer_config, "tokenizer_config.json"));
  auto token = TRY(in_file("tokenizer_config.json", token_text(config, key)));
  if (token) return token;
  const Json map = TRY(parse_document(documents.special_tokens_map, "special_tokens_map.json"));
  return in_file("special_tokens_map.json", token_text(map, key));
}

// Every string of a message but its role: nothing that a user or a tool says may end a turn or
// begin another. The model's own words are left as they are: marks of its format are written in
// them.
Result<void> hide_special_tokens(const text::Tokenizer& tokenizer, Json& value) {
  if (value.is_string()) {
    auto& said = value.get_ref<std::string&>();
    said = TRY(tokenizer.hide_special_tokens(std::move(said)));
  }
  if (!value.is_structured()) return {};
  for (Json& part : value) TRY(hide_special_tokens(tokenizer, part));
  return {};
}

Result<Json> as_text(const text::Tokenizer& tokenizer, Json messages) {
  for (Json& message : messages) {
    if (!message.is_object() || message.value("role", "") == "assistant") continue;
    for (auto& [name, value] : message.items()) {
      if (name != "role") TRY(hide_special_tokens(tokenizer, value));
    }
  }
  return messages;
}

Result<void> needs(bool there, const char* what, const char* hint) {
  if (there) return {};
  return fail(Code::kUnsupported, what, {}, {}, hint);
}

}  // namespace

Result<TextCodec> TextCodec::create(const checkpoint::ModelDocuments& documents, int64_t vocab) {
  TextCodec codec;
  codec.vocab_ = vocab;
  if (!documents.tokenizer) return codec;
  codec.tokenizer_ = TRY(text::Tokenizer::from_json(*documents.tokenizer));
  codec.grammars_ = std::make_shared<GrammarCache>(*codec.tokenizer_, vocab);
  codec.bos_token_ = TRY(special_token(documents, "bos_token"));
  codec.eos_token_ = TRY(special_token(documents, "eos_token"));
  if (!documents.chat_templates.empty()) {
    const checkpoint::ChatTemplateSource& source = documents.chat_templates.front();
    codec.template_ = TRY(in_file(source.origin, text::ChatTemplate::compile(source.text)));
    codec.template_text_ = source.text;
  }
  return codec;
}

Result<std::vector<int32_t>> TextCodec::encode(std::string_view prompt) const {
  TRY(needs(has_tokenizer(), "this model has no tokenizer.json, so it cannot read text",
            "give token ids: --prompts FILE with rows {\"id\", \"ids\"}"));
  // A BOS alone would make an answer to nothing.
  if (prompt.empty()) return fail(Code::kInvalidArgument, "empty prompt", {}, "some text");
  return known_to_model(TRY(text::encode_prompt(*tokenizer_, prompt)));
}

bool TextCodec::template_names(std::string_view variable) const {
  const std::string_view text = template_text_;
  const auto in_word = [&](size_t at) {
    return at < text.size() &&
           (std::isalnum(static_cast<unsigned char>(text[at])) != 0 || text[at] == '_');
  };
  for (size_t at = text.find(variable); at != std::string_view::npos && !variable.empty();
       at = text.find(variable, at + 1)) {
    if (!in_word(at - 1) && !in_word(at + variable.size())) return true;
  }
  return false;
}

std::optional<int32_t> TextCodec::special_id(std::string_view text) const {
  if (!tokenizer_) return std::nullopt;
  const auto id = tokenizer_->token_to_id(text);
  return id && tokenizer_->is_special(*id) ? id : std::nullopt;
}

Result<std::string> TextCodec::render_chat(const ChatPrompt& prompt) const {
  TRY(needs(has_tokenizer(), "this model has no tokenizer.json, so it cannot read text",
            "give token ids: --prompts FILE with rows {\"id\", \"ids\"}"));
  TRY(needs(has_chat_template(), "this model has no chat template",
            "it may be a base model: give a plain prompt, without --chat or messages"));
  text::ChatInput input;
  const auto text_of = [](const Json& json) { return json.is_null() ? "" : json.dump(); };
  input.messages = text_of(TRY(as_text(*tokenizer_, prompt.messages)));
  Json tools = prompt.tools;
  TRY(hide_special_tokens(*tokenizer_, tools));
  input.tools = text_of(tools);
  input.variables = text_of(prompt.variables);
  input.bos_token = bos_token_;
  input.eos_token = eos_token_;
  return template_->render(input);
}

Result<std::vector<int32_t>> TextCodec::encode_rendered(std::string_view rendered) const {
  return known_to_model(TRY(text::encode_chat(*tokenizer_, rendered)));
}

Result<std::vector<int32_t>> TextCodec::encode_chat(const Json& messages) const {
  return encode_rendered(TRY(render_chat({.messages = messages})));
}

std::optional<std::string> TextCodec::warning() const {
  if (!tokenizer_ || tokenizer_->vocab_size() <= vocab_) return std::nullopt;
  return fmt::format(
      "tokenizer.json has ids up to {}, the model has rows for 0 to {}: text that needs the others "
      "is refused",
      tokenizer_->vocab_size() - 1, vocab_ - 1);
}

Result<std::vector<int32_t>> TextCodec::known_to_model(std::vector<int32_t> ids) const {
  const auto beyond = std::ranges::find_if(ids, [&](int32_t id) { return id >= vocab_; });
  if (beyond == ids.end()) return ids;
  return fail(
      Code::kInvalidData,
      fmt::format("tokenizer.json: token \"{}\"", tokenizer_->id_to_token(*beyond).value_or("?")),
      fmt::format("id {}", *beyond), fmt::format("below vocab_size = {} of config.json", vocab_),
      "tokenizer and weights are of two models, or tokens were added without resizing the "
      "embedding");
}

Result<std::string> TextCodec::decode(const std::vector<int32_t>& ids) const {
  if (!tokenizer_) return std::string();
  return tokenizer_->decode(ids, true);
}

Result<std::string> TextCodec::token_text(int32_t id) const {
  if (!tokenizer_) return fmt::format("token_id:{}", id);
  return tokenizer_->decode(std::span(&id, 1));
}

Result<std::vector<std::vector<int32_t>>> TextCodec::spellings(std::string_view word) const {
  TRY(needs(has_tokenizer(), "this model has no tokenizer.json, so it cannot read bad_words",
            "give lists of token ids"));
  const size_t start = word.find_first_not_of(' ');
  if (start == std::string_view::npos) {
    return fail(Code::kInvalidArgument, "bad_words", "no text", "some text");
  }
  const text::EncodeOptions plain{.add_special_tokens = false};
  std::vector<std::vector<int32_t>> made;
  for (const std::string& spelling : {std::string(word), " " + std::string(word.substr(start))}) {
    std::vector<int32_t> ids = TRY(tokenizer_->encode(spelling, plain));
    if (!ids.empty() && std::ranges::find(made, ids) == made.end()) made.push_back(std::move(ids));
  }
  return made;
}

Result<text::Grammar> TextCodec::compile(text::GrammarKind kind, std::string_view source) const {
  TRY(needs(has_tokenizer(), "this model has no tokenizer.json, so its tokens have no text",
            "leave out structured_outputs and response_format"));
  return grammars_->compile(kind, source);
}

void TextCodec::charge_grammars_to(engine::TextBudget& text) {
  if (grammars_) grammars_->charge_to(text);
}

std::optional<text::Detokenizer> TextCodec::detokenizer(bool continues,
                                                        const std::vector<int32_t>& shown) const {
  if (!tokenizer_) return std::nullopt;
  return text::Detokenizer(*tokenizer_,
                           {.skip_special = true, .continues = continues, .shown = shown});
}

std::vector<int32_t> TextCodec::stop_ids(const model::GenerationDefaults& defaults) const {
  std::vector<int32_t> ids;
  for (const int64_t id : defaults.eos_ids) ids.push_back(static_cast<int32_t>(id));
  if (tokenizer_ && eos_token_) {
    if (const auto id = tokenizer_->token_to_id(*eos_token_)) ids.push_back(*id);
  }
  std::ranges::sort(ids);
  ids.erase(std::ranges::unique(ids).begin(), ids.end());
  return ids;
}

}  // namespace strata::frontend

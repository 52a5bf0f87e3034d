// One token at a time; what JSON cannot say is said as clients expect it.
#include "frontend/logprobs_json.h"

#include <algorithm>
#include <utility>

#include "text/utf8.h"

namespace strata::frontend {
namespace {

// What clients take for "never": JSON has no infinity.
constexpr double kLeastLogprob = -9999;

int64_t characters(std::string_view text) {
  return std::ranges::count_if(text, [](char c) { return (c & 0xc0) != 0x80; });
}

Json logprob_value(const sampling::TokenLogprob& token) {
  return std::max<double>(token.logprob, kLeastLogprob);
}

// A token that is a part of a character has no text of its own, hence no bytes that we could name.
Json text_bytes(const std::string& text) {
  if (text.contains(text::kReplacement)) return {};
  Json bytes = Json::array();
  for (const char c : text) bytes.push_back(static_cast<unsigned char>(c));
  return bytes;
}

Result<Json> chat_logprob(const sampling::TokenLogprob& token, const TextCodec& codec) {
  const std::string text = TRY(codec.token_text(token.id));
  return Json{{"token", text}, {"logprob", logprob_value(token)}, {"bytes", text_bytes(text)}};
}

}  // namespace

Result<Json> chat_logprob_entry(const sampling::TokenLogprobs& of, const TextCodec& codec) {
  Json entry = TRY(chat_logprob(of.chosen, codec));
  Json& top = entry["top_logprobs"] = Json::array();
  for (const sampling::TokenLogprob& token : of.top) {
    top.push_back(TRY(chat_logprob(token, codec)));
  }
  return entry;
}

void CompletionLogprobs::add_text(const std::string& text) {
  tokens.push_back(text);
  offsets.push_back(offset);
  offset += characters(text);
}

Result<void> CompletionLogprobs::add(const sampling::TokenLogprobs& of, const TextCodec& codec) {
  const std::string chosen = TRY(codec.token_text(of.chosen.id));
  add_text(chosen);
  values.push_back(logprob_value(of.chosen));
  // The chosen token first: another one with the same text must not hide it.
  Json top = {{chosen, logprob_value(of.chosen)}};
  for (const sampling::TokenLogprob& token : of.top) {
    const std::string text = TRY(codec.token_text(token.id));
    if (!top.contains(text)) top[text] = logprob_value(token);
  }
  tops.push_back(std::move(top));
  return {};
}

Json take_lists(CompletionLogprobs& lists) {
  return {{"tokens", std::exchange(lists.tokens, Json::array())},
          {"token_logprobs", std::exchange(lists.values, Json::array())},
          {"top_logprobs", std::exchange(lists.tops, Json::array())},
          {"text_offset", std::exchange(lists.offsets, Json::array())}};
}

}  // namespace strata::frontend

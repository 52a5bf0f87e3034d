// See test_support.h.
#include "text/test_support.h"

#include <fmt/format.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

namespace strata::text {
namespace {

using Json = nlohmann::ordered_json;

std::string environment(const char* name, std::string fallback) {
  const char* value = std::getenv(name);
  return value != nullptr && *value != '\0' ? value : std::move(fallback);
}

Json added(int id, std::string_view content, bool special) {
  return {{"id", id},        {"content", content},  {"single_word", false}, {"lstrip", false},
          {"rstrip", false}, {"normalized", false}, {"special", special}};
}

Json bos_in_front(std::string_view token, int id) {
  const std::string bos(token);
  const Json first = {{"SpecialToken", {{"id", bos}, {"type_id", 0}}}};
  const Json text = {{"Sequence", {{"id", "A"}, {"type_id", 0}}}};
  const Json other = {{"Sequence", {{"id", "B"}, {"type_id", 1}}}};
  return {{"type", "TemplateProcessing"},
          {"single", Json::array({first, text})},
          {"pair", Json::array({first, text, other})},
          {"special_tokens", {{bos, {{"id", bos}, {"ids", {id}}, {"tokens", {bos}}}}}}};
}

Json bpe(const Json& vocab, const Json& merges, bool byte_fallback) {
  return {{"type", "BPE"},
          {"dropout", nullptr},
          {"unk_token", byte_fallback ? Json("<unk>") : Json(nullptr)},
          {"continuing_subword_prefix", nullptr},
          {"end_of_word_suffix", nullptr},
          {"fuse_unk", byte_fallback},
          {"byte_fallback", byte_fallback},
          {"ignore_merges", false},
          {"vocab", vocab},
          {"merges", merges}};
}

std::string utf8(int code) {
  if (code < 0x80) return std::string(1, static_cast<char>(code));
  return {static_cast<char>(0xC0 | (code >> 6)), static_cast<char>(0x80 | (code & 0x3F))};
}

/// Numbers the tokens in the order they come, merges' results behind the single ones.
struct VocabBuilder {
  Json vocab = Json::object();
  Json merges = Json::array();

  void token(const std::string& text) { vocab[text] = static_cast<int>(vocab.size()); }
  void merge(const std::string& left, const std::string& right) {
    merges.push_back({left, right});
    if (!vocab.contains(left + right)) token(left + right);
  }
  void pad_to(size_t count) {
    while (vocab.size() < count) token(fmt::format("[PAD{}]", vocab.size()));
  }
};

}  // namespace

std::string byte_level_json() {
  VocabBuilder builder;
  int moved = 0x100;
  for (int byte = 0; byte < 256; ++byte) {
    const bool printable = (byte >= 0x21 && byte <= 0x7E) || (byte >= 0xA1 && byte != 0xAD);
    builder.token(utf8(printable ? byte : moved++));
  }
  builder.merge("h", "e");
  builder.merge("l", "l");
  builder.merge("he", "ll");
  builder.merge("hell", "o");
  builder.merge("Ġ", "w");
  builder.merge("ð", "Ł");  // the first two bytes of an emoji
  builder.pad_to(300);
  const Json byte_level = {{"type", "ByteLevel"},
                           {"add_prefix_space", false},
                           {"trim_offsets", true},
                           {"use_regex", true}};
  const Json all = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens",
       {added(300, "<|bos|>", true), added(301, "<|im_end|>", true), added(302, "<tool>", false)}},
      {"normalizer", nullptr},
      {"pre_tokenizer", byte_level},
      {"post_processor", bos_in_front("<|bos|>", 300)},
      {"decoder", byte_level},
      {"model", bpe(builder.vocab, builder.merges, false)}};
  return all.dump();
}

std::string sentencepiece_json() {
  VocabBuilder builder;
  for (const char* token : {"<unk>", "<s>", "</s>"}) builder.token(token);
  for (int byte = 0; byte < 256; ++byte) builder.token(fmt::format("<0x{:02X}>", byte));
  for (const char* token : {"▁", "h", "e", "l", "o", "w", "r", "d", "é"}) builder.token(token);
  builder.merge("▁", "h");
  builder.merge("l", "l");
  builder.merge("▁", "▁");
  builder.merge("▁h", "e");
  builder.merge("▁", "w");
  const Json space = {{"String", " "}};
  const Json mark = {{"String", "▁"}};
  const Json normalizers = {{{"type", "Prepend"}, {"prepend", "▁"}},
                            {{"type", "Replace"}, {"pattern", space}, {"content", "▁"}}};
  const Json decoders = {{{"type", "Replace"}, {"pattern", mark}, {"content", " "}},
                         Json{{"type", "ByteFallback"}},
                         Json{{"type", "Fuse"}},
                         {{"type", "Strip"}, {"content", " "}, {"start", 1}, {"stop", 0}}};
  const Json all = {
      {"version", "1.0"},
      {"truncation", nullptr},
      {"padding", nullptr},
      {"added_tokens", {added(0, "<unk>", true), added(1, "<s>", true), added(2, "</s>", true)}},
      {"normalizer", {{"type", "Sequence"}, {"normalizers", normalizers}}},
      {"pre_tokenizer", nullptr},
      {"post_processor", bos_in_front("<s>", 1)},
      {"decoder", {{"type", "Sequence"}, {"decoders", decoders}}},
      {"model", bpe(builder.vocab, builder.merges, true)}};
  return all.dump();
}

std::string edited(std::string json, std::string_view from, std::string_view to) {
  const size_t at = json.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  if (at != std::string::npos) json.replace(at, from.size(), to);
  return json;
}

std::optional<std::string> read_file(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::ostringstream content;
  content << file.rdbuf();
  return content.str();
}

std::string shared_path(std::string_view below) {
  return fmt::format("{}/../shared/data/{}", environment("STRATA_SOURCE_DIR", "."), below);
}

bool on_ci() { return environment("CI", "") == "true"; }

std::optional<Tokenizer> vocabulary(std::string_view name) {
  const std::string source = shared_path(fmt::format("vocab/{}.gguf", name));
  if (access(source.c_str(), R_OK) != 0) return std::nullopt;
  const std::string target = scratch_path(fmt::format("{}.json", name));
  EXPECT_EQ(run_python("tools/gguf_vocab_to_tokenizer.py", {source, target}), 0);
  auto tokenizer = Tokenizer::from_json(read_file(target).value_or(""));
  std::remove(target.c_str());
  EXPECT_TRUE(tokenizer) << tokenizer.error().message();
  if (!tokenizer) return std::nullopt;
  return *tokenizer;
}

int run_python(std::string_view script, const std::vector<std::string>& arguments) {
  std::string command = fmt::format("'{}' '{}/{}'", environment("STRATA_PYTHON", "python3"),
                                    environment("STRATA_SOURCE_DIR", "."), script);
  for (const std::string& argument : arguments) command += fmt::format(" '{}'", argument);
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

std::string scratch_path(std::string_view name) {
  return fmt::format("{}/text_test_{}_{}", environment("STRATA_BINARY_DIR", "/tmp"), getpid(),
                     name);
}

}  // namespace strata::text

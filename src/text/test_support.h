// What the tests of this folder share: tiny tokenizers built in memory, the vocabularies of the
// shared test data, and running a Python script. No product target links it.
#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "text/tokenizer.h"

namespace strata::text {

/// A byte-level BPE as GPT-2 has: 256 bytes, a few merges, BOS added in front; special tokens
/// <|bos|> (300),
/// <|im_end|> (301) and the added but not special <tool> (302).
std::string byte_level_json();
/// A BPE with byte fallback as Llama 2 has: "▁" for spaces, <s> added in front, a leading space
/// stripped by the decoder.
std::string sentencepiece_json();
/// `json` with `from` replaced by `to` once; the test fails if `from` is not in it.
std::string edited(std::string json, std::string_view from, std::string_view to);

std::optional<std::string> read_file(const std::string& path);
/// A path below the shared test data, whether or not it exists.
std::string shared_path(std::string_view below);
/// True where a missing tool or file must fail the test.
bool on_ci();

inline constexpr std::string_view kVocabularies[] = {"gpt-2", "falcon", "deepseek-llm", "llama-spm",
                                                     "phi-3"};
/// One of kVocabularies as our converter turns it into a tokenizer; nothing if the shared data is
/// absent.
std::optional<Tokenizer> vocabulary(std::string_view name);

/// Runs `$STRATA_PYTHON` (python3) with a script below the source folder and arguments; its exit
/// status.
int run_python(std::string_view script, const std::vector<std::string>& arguments);

/// A fresh path in the build folder for a test's output.
std::string scratch_path(std::string_view name);

}  // namespace strata::text

/// Skips the test, or fails it under CI=true, unless `condition` holds.
#define REQUIRE_OR_SKIP(condition, message)           \
  if (!(condition)) {                                 \
    if (::strata::text::on_ci()) FAIL() << (message); \
    GTEST_SKIP() << (message);                        \
  }

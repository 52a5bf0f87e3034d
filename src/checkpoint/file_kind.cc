// First bytes of the files that people mistake for safetensors.
#include "checkpoint/file_kind.h"

#include <algorithm>
#include <cctype>
#include <string>

namespace strata::checkpoint {
namespace {

constexpr std::string_view kConvertHint =
    "it can hold code and is not read; load it with transformers and save_pretrained() it as "
    "safetensors";
constexpr std::string_view kHtmlHint =
    "the download gave an error page instead of the file; download it again";

struct Kind {
  std::string_view start;
  std::string_view what;
  std::string_view hint;
};

constexpr Kind kKinds[] = {
    {"version https://git-lfs", "a Git LFS pointer",
     "LFS pointer: weights not downloaded; run `git lfs pull` in the folder"},
    {"<!doctype html", "an HTML page", kHtmlHint},
    {"<html", "an HTML page", kHtmlHint},
    {"PK\x03\x04", "a zip archive, as PyTorch writes", kConvertHint},
    {"\x80\x02", "a Python pickle", kConvertHint},
    {"\x80\x03", "a Python pickle", kConvertHint},
    {"\x80\x04", "a Python pickle", kConvertHint},
    {"\x80\x05", "a Python pickle", kConvertHint},
};

std::string first_bytes(const ReadableFile& file) {
  std::string start(std::min<uint64_t>(file.size(), 256), '\0');
  if (!file.read_at(0, std::as_writable_bytes(std::span(start)))) return {};
  return start;
}

// Lower case, without leading white space: how HTML pages vary.
std::string folded(std::string_view text) {
  const auto is_space = [](unsigned char c) { return std::isspace(c) != 0; };
  std::string out(std::find_if_not(text.begin(), text.end(), is_space), text.end());
  for (char& c : out) c = static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  return out;
}

}  // namespace

bool is_gguf(const ReadableFile& file) { return first_bytes(file).starts_with("GGUF"); }

Status gguf_not_supported(std::string_view name) {
  return {Code::kUnsupported, std::string(name), "a GGUF file",
          "a Hugging Face folder with safetensors",
          "GGUF is not read yet; use the original model's folder"};
}

Status wrong_kind_of_file(const ReadableFile& file, std::string_view name, Status otherwise) {
  const std::string start = first_bytes(file);
  if (start.starts_with("GGUF")) return gguf_not_supported(name);
  const std::string lower = folded(start);
  for (const Kind& kind : kKinds) {
    if (start.starts_with(kind.start) || lower.starts_with(kind.start)) {
      return {Code::kInvalidData, std::string(name), std::string(kind.what), "a safetensors file",
              std::string(kind.hint)};
    }
  }
  return otherwise;
}

}  // namespace strata::checkpoint

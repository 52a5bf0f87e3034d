// Rows of a table, and draws from a generator of fixed definition.
#include "apps/bench/lengths.h"

#include <fmt/core.h>

#include <algorithm>
#include <charconv>
#include <optional>
#include <random>
#include <utility>

namespace strata::apps {
namespace {

constexpr uint64_t kMaxFileBytes = 64 << 20;
constexpr int64_t kMostTokens = 1 << 24;

std::optional<int64_t> length_of(std::string_view text) {
  int64_t length = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), length);
  const bool whole = error == std::errc() && end == text.data() + text.size();
  if (!whole || length < 1 || length > kMostTokens) return {};
  return length;
}

Result<sched::ModelRequest> read_row(std::string_view row, const std::string& where) {
  const size_t comma = row.find(',');
  const auto prompt = length_of(row.substr(0, comma));
  const auto answer =
      comma == std::string_view::npos ? std::nullopt : length_of(row.substr(comma + 1));
  if (prompt && answer) return sched::ModelRequest{*prompt, *answer};
  return fail(Code::kInvalidData, where, std::string(row.substr(0, 60)),
              "two numbers of tokens >= 1 with a comma between");
}

int64_t draw(std::mt19937_64& generator, LengthRange range) {
  const auto span = static_cast<uint64_t>(range.most - range.least + 1);
  // The remainder's bias is below 2^-40; a distribution of the library would differ by library.
  return range.least + static_cast<int64_t>(generator() % span);
}

}  // namespace

Result<std::vector<sched::ModelRequest>> read_lengths(Env& env, const std::string& path,
                                                      int64_t requests, int64_t max_model_len) {
  const std::string text = TRY(env.read_small_file(path, kMaxFileBytes));
  std::vector<sched::ModelRequest> read;
  int64_t line = 0;
  for (size_t at = 0; at < text.size() && std::cmp_less(read.size(), requests);) {
    const size_t end = std::min(text.find('\n', at), text.size());
    const std::string_view row = std::string_view(text).substr(at, end - at);
    at = end + 1;
    line++;
    if (row.empty() || row.starts_with('#')) continue;
    const std::string where = fmt::format("{}:{}", path, line);
    const sched::ModelRequest request = TRY(read_row(row, where));
    const int64_t tokens = request.prompt_tokens + request.max_tokens;
    if (tokens > max_model_len) {
      return fail(Code::kInvalidData, where, fmt::format("{} tokens", tokens),
                  fmt::format("at most {}", max_model_len), "raise --max-model-len");
    }
    read.push_back(request);
  }
  if (std::cmp_equal(read.size(), requests)) return read;
  return fail(Code::kInvalidData, path, fmt::format("{} rows", read.size()),
              fmt::format("{} or more", requests), "lower --requests");
}

Result<LengthRange> parse_length_range(const std::string& flag, std::string_view text) {
  const size_t colon = text.find(':');
  const auto least = length_of(text.substr(0, colon));
  const auto most = colon == std::string_view::npos ? least : length_of(text.substr(colon + 1));
  if (least && most && *least <= *most) return LengthRange{*least, *most};
  return fail(Code::kInvalidArgument, flag, std::string(text),
              "two numbers of tokens like 32:512, or one");
}

std::vector<sched::ModelRequest> draw_lengths(int64_t requests, LengthRange prompt,
                                              LengthRange answer, uint64_t seed) {
  std::mt19937_64 generator(seed);
  std::vector<sched::ModelRequest> drawn;
  for (int64_t i = 0; i < requests; i++) {
    const int64_t prompt_tokens = draw(generator, prompt);
    drawn.push_back({.prompt_tokens = prompt_tokens, .max_tokens = draw(generator, answer)});
  }
  return drawn;
}

}  // namespace strata::apps

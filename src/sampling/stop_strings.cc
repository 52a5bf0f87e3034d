// One automaton per stop, stepped byte by byte.
#include "sampling/stop_strings.h"

#include <algorithm>
#include <utility>

namespace strata::sampling {
namespace {

std::vector<uint32_t> fallback_table(const std::string& text) {
  std::vector<uint32_t> table(text.size() + 1, 0);
  for (size_t i = 1, matched = 0; i < text.size(); i++) {
    while (matched > 0 && text[i] != text[matched]) matched = table[matched];
    if (text[i] == text[matched]) matched++;
    table[i + 1] = static_cast<uint32_t>(matched);
  }
  return table;
}

}  // namespace

StopStrings::StopStrings(std::vector<std::string> wanted) : texts(std::move(wanted)) {
  for (const std::string& text : texts) fallback.push_back(fallback_table(text));
}

StopMatcher::StopMatcher(std::shared_ptr<const StopStrings> stops)
    : stops_(std::move(stops)), matched_(stops_->texts.size(), 0) {}

// Whether this byte completes the stop.
bool StopMatcher::advance(size_t which, char byte) {
  const std::string& text = stops_->texts[which];
  const std::vector<uint32_t>& fallback = stops_->fallback[which];
  uint32_t& matched = matched_[which];
  if (matched == text.size()) matched = fallback[matched];
  while (matched > 0 && text[matched] != byte) matched = fallback[matched];
  if (text[matched] == byte) matched++;
  return matched == text.size();
}

StopMatcher::Found StopMatcher::append(std::string_view piece, bool armed) {
  Found found;
  if (matched_.empty()) {
    found.text = piece;
    return found;
  }
  held_ += piece;
  size_t seen = held_.size() - piece.size();
  for (const char byte : piece) {
    seen++;
    const std::string* longest = nullptr;
    for (size_t i = 0; i < matched_.size(); i++) {
      if (!advance(i, byte)) continue;
      const std::string& text = stops_->texts[i];
      if (longest == nullptr || text.size() > longest->size()) longest = &text;
    }
    if (longest == nullptr || !armed) continue;
    found.stop = longest;
    found.text = held_.substr(0, seen - longest->size());
    held_.clear();
    return found;
  }
  size_t keep = 0;
  for (size_t i = 0; i < matched_.size(); i++) {
    // A complete one that did not count may still begin another occurrence of itself.
    const bool complete = matched_[i] == stops_->texts[i].size();
    keep = std::max<size_t>(keep, complete ? stops_->fallback[i][matched_[i]] : matched_[i]);
  }
  found.text = held_.substr(0, held_.size() - keep);
  held_.erase(0, held_.size() - keep);
  return found;
}

std::string StopMatcher::flush() {
  std::ranges::fill(matched_, 0);
  return std::exchange(held_, {});
}

}  // namespace strata::sampling

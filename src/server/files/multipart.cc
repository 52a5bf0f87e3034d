// A state for each thing that may come next; whatever else comes is refused.
#include "server/files/multipart.h"

#include <fmt/core.h>

#include <algorithm>
#include <utility>

#include "server/http_types.h"

namespace strata::server {
namespace {

constexpr std::string_view kLineEnd = "\r\n";
constexpr std::string_view kHeadEnd = "\r\n\r\n";
constexpr size_t kMostBoundary = 70;

std::unexpected<Status> bad(std::string what) {
  return fail(Code::kInvalidData, "the form: " + std::move(what));
}

bool is_boundary(char c) {
  const bool letter = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
  const bool digit = c >= '0' && c <= '9';
  return letter || digit || std::string_view("'()+_,-./:=? ").contains(c);
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
}

struct Parameter {
  std::string name;
  std::string value;
};

// `; name=value` or `; name="value"` from the front of `text`.
Result<Parameter> take_parameter(std::string_view& text) {
  const size_t equals = text.find('=');
  if (!text.starts_with(';') || equals == std::string_view::npos) {
    return bad("a parameter is not ; NAME=VALUE");
  }
  Parameter made{std::string(trimmed(text.substr(1, equals - 1))), {}};
  text = text.substr(equals + 1);
  if (!text.starts_with('"')) {
    const size_t end = std::min(text.find(';'), text.size());
    made.value = trimmed(text.substr(0, end));
    text.remove_prefix(end);
    return made;
  }
  size_t at = 1;
  for (; at < text.size() && text[at] != '"'; at++) {
    if (text[at] == '\\' && at + 1 < text.size()) at++;
    made.value += text[at];
  }
  if (at >= text.size()) return bad("a quoted value has no end");
  text = trimmed(text.substr(at + 1));
  return made;
}

Result<PartHead> read_disposition(std::string_view value) {
  const size_t end = std::min(value.find(';'), value.size());
  if (!same_name(trimmed(value.substr(0, end)), "form-data")) {
    return bad("a part is not Content-Disposition: form-data");
  }
  std::string_view rest = value.substr(end);
  std::optional<std::string> name;
  PartHead head;
  while (!rest.empty()) {
    Parameter one = TRY(take_parameter(rest));
    const bool is_name = same_name(one.name, "name");
    if (!is_name && !same_name(one.name, "filename")) continue;
    std::optional<std::string>& place = is_name ? name : head.filename;
    if (place) return bad("a part has two names");
    place = std::move(one.value);
  }
  if (!name || name->empty()) return bad("a part has no name");
  head.name = std::move(*name);
  return head;
}

Result<PartHead> read_part_head(std::string_view text) {
  std::optional<PartHead> found;
  while (!text.empty()) {
    const size_t end = std::min(text.find(kLineEnd), text.size());
    const std::string_view line = text.substr(0, end);
    text.remove_prefix(std::min(end + kLineEnd.size(), text.size()));
    const auto control = [](char c) { return static_cast<unsigned char>(c) < 0x20 && c != '\t'; };
    const size_t colon = line.find(':');
    if (colon == std::string_view::npos || std::ranges::any_of(line, control)) {
      return bad("a part's head has a line that is not NAME: VALUE");
    }
    const std::string_view name = line.substr(0, colon);
    if (same_name(name, "content-transfer-encoding") &&
        !same_name(trimmed(line.substr(colon + 1)), "binary")) {
      return bad("parts must not be encoded");
    }
    if (!same_name(name, "content-disposition")) continue;
    if (found) return bad("a part has two Content-Dispositions");
    found = TRY(read_disposition(trimmed(line.substr(colon + 1))));
  }
  if (!found) return bad("a part has no Content-Disposition");
  return std::move(*found);
}

}  // namespace

Result<std::string> multipart_boundary(std::string_view content_type) {
  std::string_view rest =
      content_type.substr(std::min(content_type.find(';'), content_type.size()));
  std::optional<std::string> found;
  while (!rest.empty()) {
    Parameter one = TRY(take_parameter(rest));
    if (!same_name(one.name, "boundary")) continue;
    if (found) return bad("Content-Type names two boundaries");
    found = std::move(one.value);
  }
  if (!found) return bad("Content-Type names no boundary");
  const bool right = !found->empty() && found->size() <= kMostBoundary &&
                     std::ranges::all_of(*found, is_boundary) && found->back() != ' ';
  if (!right) return bad("the boundary is not 1 to 70 of the characters that RFC 2046 allows");
  return std::move(*found);
}

MultipartReader::MultipartReader(const std::string& boundary, PartEvents events)
    : mark_(std::string(kLineEnd) + "--" + boundary), events_(std::move(events)) {}

Result<void> MultipartReader::push(std::string_view bytes) {
  held_ += bytes;
  while (TRY(advance())) {
  }
  return {};
}

Result<void> MultipartReader::finish() const {
  if (state_ == State::kEnd) return {};
  return bad("it is cut short: its last boundary is missing");
}

Result<bool> MultipartReader::advance() {
  switch (state_) {
    case State::kStart:
      return take_start();
    case State::kBehindMark:
      return take_mark_end();
    case State::kHead:
      return take_head();
    case State::kData:
      return take_data();
    case State::kEnd:
      break;
  }
  if (held_.empty() || std::string_view(kLineEnd).starts_with(held_)) return false;
  return bad("something follows its last boundary");
}

// The first mark needs no line break before it.
Result<bool> MultipartReader::take_start() {
  const std::string_view first = std::string_view(mark_).substr(kLineEnd.size());
  const std::string_view seen = std::string_view(held_).substr(0, first.size());
  if (!first.starts_with(seen)) return bad("it does not begin with its boundary");
  if (seen.size() < first.size()) return false;
  held_.erase(0, first.size());
  state_ = State::kBehindMark;
  return true;
}

Result<bool> MultipartReader::take_mark_end() {
  if (held_.size() < 2) return false;
  const bool last = held_.starts_with("--");
  if (!last && !held_.starts_with(kLineEnd)) return bad("a boundary does not end its line");
  // The line break stays: a head without fields ends with it.
  if (last) held_.erase(0, 2);
  state_ = last ? State::kEnd : State::kHead;
  if (!last && ++parts_ > kMostParts) return bad(fmt::format("more than {} parts", kMostParts));
  return true;
}

Result<bool> MultipartReader::take_head() {
  const size_t end = held_.find(kHeadEnd);
  if (std::min(end, held_.size()) > kMostHeadBytes) {
    return bad(fmt::format("a part's head is larger than {} bytes", kMostHeadBytes));
  }
  if (end == std::string::npos) return false;
  const std::string text = end == 0 ? "" : held_.substr(kLineEnd.size(), end - kLineEnd.size());
  const PartHead head = TRY(read_part_head(text));
  held_.erase(0, end + kHeadEnd.size());
  TRY(events_.begin(head));
  state_ = State::kData;
  return true;
}

Result<bool> MultipartReader::take_data() {
  const size_t end = held_.find(mark_);
  const bool ended = end != std::string::npos;
  const size_t certain = ended ? end : held_.size() - std::min(held_.size(), mark_.size() - 1);
  if (certain > 0) TRY(events_.data(std::string_view(held_).substr(0, certain)));
  held_.erase(0, ended ? end + mark_.size() : certain);
  if (!ended) return false;
  TRY(events_.end());
  state_ = State::kBehindMark;
  return true;
}

}  // namespace strata::server

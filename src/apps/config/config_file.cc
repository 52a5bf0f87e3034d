// The library's events, collected into entries. Events instead of its nodes: those drop lines of
// values, keep one of two equal keys, and share what aliases name.
#include "apps/config/config_file.h"

#include <fmt/core.h>
#include <yaml-cpp/eventhandler.h>
#include <yaml-cpp/exceptions.h>
#include <yaml-cpp/parser.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <sstream>

namespace strata::apps {
namespace {

constexpr size_t kMaxDepth = 32;

template <class T>
std::optional<T> whole(std::string_view text) {
  T value{};
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) return std::nullopt;
  return value;
}

Json typed(const std::string& plain) {
  if (plain.empty() || plain == "~" || plain == "null") return Json();
  if (plain == "true" || plain == "false") return Json(plain == "true");
  if (const auto integer = whole<int64_t>(plain)) return Json(*integer);
  if (const auto number = whole<double>(plain); number && std::isfinite(*number)) {
    return Json(*number);
  }
  return Json(plain);
}

// Goes on after a fault without taking anything: the library ends where the document does.
class Collector : public YAML::EventHandler {
 public:
  explicit Collector(std::string_view name) : name_(name) {}

  void OnDocumentStart(const YAML::Mark& mark) override {
    if (++documents_ > 1) fault(mark, "a second document");
  }
  void OnDocumentEnd() override {}
  void OnNull(const YAML::Mark& mark, YAML::anchor_t) override {
    if (open_.empty() || open_.size() > 1) return take(mark, Json());
    if (entries_.empty() || !key_) return fault(mark, "a key without a name");
    fault(entries_.back().line, fmt::format("{}: no value", entries_.back().key));
  }
  void OnAlias(const YAML::Mark& mark, YAML::anchor_t) override {
    fault(mark, "an alias (*name): write the value out");
  }
  void OnScalar(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                const std::string& value) override {
    check_tag(mark, tag);
    if (fault_) return;
    if (open_.size() == 1 && !key_) return take_key(mark, value);
    if (open_.size() == 1) {
      entries_.back().text = value;
      key_ = false;
      return;
    }
    take(mark, tag == "?" ? typed(value) : Json(value));
  }
  void OnSequenceStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                       YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, Json::array());
  }
  void OnSequenceEnd() override { close(); }
  void OnMapStart(const YAML::Mark& mark, const std::string& tag, YAML::anchor_t,
                  YAML::EmitterStyle::value) override {
    check_tag(mark, tag);
    open(mark, Json::object());
  }
  void OnMapEnd() override { close(); }

  Result<std::vector<ConfigEntry>> finish() {
    if (fault_) return std::unexpected(std::move(*fault_));
    return std::move(entries_);
  }

 private:
  // An open list or map, and the key in it that waits for its value.
  struct Level {
    Json value;
    std::optional<std::string> key = {};
  };

  void fault(const YAML::Mark& mark, const std::string& what) { fault(mark.line + 1, what); }

  void fault(int line, const std::string& what) {
    if (fault_) return;
    fault_ =
        Status{Code::kInvalidArgument, fmt::format("{}:{}: {}", name_, line, what), {}, {}, {}};
  }

  void check_tag(const YAML::Mark& mark, const std::string& tag) {
    if (tag.empty() || tag == "?" || tag == "!") return;
    fault(mark, fmt::format("a tag ({}): values are what stands behind the flag", tag));
  }

  void take_key(const YAML::Mark& mark, std::string key) {
    std::ranges::replace(key, '_', '-');
    const int line = mark.line + 1;
    for (const ConfigEntry& entry : entries_) {
      if (entry.key != key) continue;
      return fault(mark, fmt::format("{}: stands twice, first in line {}", key, entry.line));
    }
    entries_.push_back({.key = std::move(key), .line = line});
    key_ = true;
  }

  void open(const YAML::Mark& mark, Json value) {
    if (open_.empty() && !value.is_object()) fault(mark, "a list, where \"flag: value\" belongs");
    if (open_.size() == 1 && !key_) fault(mark, "a key that is a list or a map");
    if (open_.size() > 1 && open_.back().value.is_object() && !open_.back().key) {
      fault(mark, "a key that is a list or a map");
    }
    if (open_.size() >= kMaxDepth) fault(mark, fmt::format("over {} levels deep", kMaxDepth));
    if (!fault_) open_.push_back({std::move(value)});
  }

  void close() {
    if (fault_ || open_.empty()) return;
    Json value = std::move(open_.back().value);
    open_.pop_back();
    if (open_.empty()) return;
    if (open_.size() > 1) return take(YAML::Mark(), std::move(value));
    entries_.back().nested = std::move(value);
    key_ = false;
  }

  // A value, or a key, within an entry's list or map.
  void take(const YAML::Mark& mark, Json value) {
    if (fault_) return;
    if (open_.empty()) return fault(mark, "no \"flag: value\"");
    Level& level = open_.back();
    if (level.value.is_array()) {
      level.value.push_back(std::move(value));
    } else if (!level.key) {
      std::string key = value.is_string() ? value.get<std::string>() : value.dump();
      if (level.value.contains(key)) fault(mark, fmt::format("{}: stands twice", key));
      level.key = std::move(key);
    } else {
      level.value[*level.key] = std::move(value);
      level.key.reset();
    }
  }

  std::string name_;
  std::vector<ConfigEntry> entries_;
  std::vector<Level> open_;
  bool key_ = false;  // the last entry waits for its value
  int documents_ = 0;
  std::optional<Status> fault_;
};

bool only_blank(const std::string& text) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    const size_t first = line.find_first_not_of(" \t\r");
    if (first != std::string::npos && line[first] != '#') return false;
  }
  return true;
}

}  // namespace

Result<std::vector<ConfigEntry>> parse_config(const std::string& text, std::string_view name) {
  if (only_blank(text)) return std::vector<ConfigEntry>();
  Collector collector(name);
  try {
    std::istringstream stream(text);
    YAML::Parser parser(stream);
    while (parser.HandleNextDocument(collector)) continue;
  } catch (const YAML::Exception& error) {
    return fail(Code::kInvalidData,
                fmt::format("{}:{}: no YAML: {}", name, error.mark.line + 1, error.msg), {}, {},
                "lines of \"flag: value\"");
  }
  return collector.finish();
}

}  // namespace strata::apps

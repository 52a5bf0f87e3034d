// For tests: a strict reader of Prometheus' text format. What a lenient scraper would let pass is a
// fault here. No product code links it.
#pragma once

#include <gtest/gtest.h>

#include <cctype>
#include <cmath>
#include <cstdlib>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <utility>

namespace strata::server::testing {

class Exposition {
 public:
  explicit Exposition(std::string_view text) {
    EXPECT_TRUE(text.ends_with('\n'));
    while (!text.empty()) {
      const size_t end = std::min(text.find('\n'), text.size() - 1);
      line_ = text.substr(0, end);
      text.remove_prefix(end + 1);
      read_line();
    }
    end_metric();
  }

  /// The value of `name{more}`, where `more` follows the labels that every sample has.
  double value(const std::string& name, const std::string& more = "") const {
    for (const auto& [sample, value] : values_) {
      if (sample.first == name && (more.empty() || sample.second.ends_with(more))) return value;
    }
    ADD_FAILURE() << "no sample " << name << " " << more;
    return NAN;
  }
  bool has(const std::string& name) const { return kinds_.contains(name); }
  size_t metrics() const { return kinds_.size(); }
  const std::map<std::pair<std::string, std::string>, double>& values() const { return values_; }

 private:
  void read_line() {
    if (line_.starts_with("# HELP ")) return begin_metric();
    if (line_.starts_with("# TYPE ")) return read_type();
    read_sample();
  }
  void begin_metric() {
    end_metric();
    std::string_view rest = std::string_view(line_).substr(7);
    name_ = take_name(rest, true);
    EXPECT_TRUE(rest.starts_with(' ') && rest.size() > 1) << line_;
    EXPECT_FALSE(kinds_.contains(name_)) << "twice: " << line_;
  }
  void read_type() {
    const std::string kind = line_.substr(std::min(line_.size(), 8 + name_.size()));
    EXPECT_EQ(line_, "# TYPE " + name_ + " " + kind);
    EXPECT_TRUE(kind == "gauge" || kind == "counter" || kind == "histogram") << line_;
    if (kind == "counter") {
      EXPECT_TRUE(name_.ends_with("_total")) << line_;
    }
    kinds_[name_] = kind;
  }
  void read_sample() {
    std::string_view rest = line_;
    const std::string name = take_name(rest, true);
    EXPECT_TRUE(kinds_.contains(name_)) << "before its type: " << line_;
    const bool histogram = kinds_[name_] == "histogram";
    if (!histogram) {
      EXPECT_EQ(name, name_) << line_;
    }
    std::string bound;
    const std::string labels = take_labels(rest, bound);
    ASSERT_TRUE(rest.starts_with(' ')) << line_;
    const std::string number(rest.substr(1));
    char* end = nullptr;
    const double value = std::strtod(number.c_str(), &end);
    EXPECT_TRUE(!number.empty() && *end == '\0') << line_;
    EXPECT_TRUE(values_.try_emplace({name, labels}, value).second) << "twice: " << line_;
    if (kinds_[name_] == "counter") {
      EXPECT_GE(value, 0) << line_;
    }
    if (histogram) read_part(name, bound, value);
  }
  void read_part(const std::string& name, const std::string& bound, double value) {
    if (name == name_ + "_bucket") {
      const double limit = bound == "+Inf" ? INFINITY : std::strtod(bound.c_str(), nullptr);
      EXPECT_FALSE(bound.empty()) << line_;
      EXPECT_GT(limit, limit_) << "borders ascend: " << line_;
      EXPECT_GE(value, below_) << "counts add up: " << line_;
      limit_ = limit;
      below_ = value;
    } else {
      EXPECT_TRUE(name == name_ + "_sum" || name == name_ + "_count") << line_;
      EXPECT_EQ(limit_, INFINITY) << "the last border is +Inf: " << line_;
      if (name == name_ + "_count") {
        EXPECT_EQ(value, below_) << line_;
      }
      parts_++;
    }
  }
  void end_metric() {
    if (name_.empty()) return;
    EXPECT_TRUE(kinds_.contains(name_)) << name_ << " has no type";
    if (kinds_[name_] == "histogram") {
      EXPECT_EQ(parts_, 2) << name_;
    }
    limit_ = -INFINITY;
    below_ = 0;
    parts_ = 0;
  }
  static std::string take_name(std::string_view& rest, bool colons) {
    size_t end = 0;
    while (end < rest.size() && (std::isalnum(static_cast<unsigned char>(rest[end])) != 0 ||
                                 rest[end] == '_' || (colons && rest[end] == ':'))) {
      end++;
    }
    std::string name(rest.substr(0, end));
    EXPECT_TRUE(!name.empty() && std::isdigit(static_cast<unsigned char>(name[0])) == 0) << rest;
    rest.remove_prefix(end);
    return name;
  }
  std::string take_labels(std::string_view& rest, std::string& bound) {
    const std::string_view start = rest;
    if (!rest.starts_with('{')) return "";
    std::set<std::string> names;
    do {
      rest.remove_prefix(1);
      const std::string name = take_name(rest, false);
      EXPECT_TRUE(names.insert(name).second) << line_;
      EXPECT_TRUE(rest.starts_with("=\"")) << line_;
      rest.remove_prefix(std::min<size_t>(2, rest.size()));
      const std::string value = take_quoted(rest);
      if (name == "le") bound = value;
    } while (rest.starts_with(','));
    EXPECT_TRUE(rest.starts_with('}')) << line_;
    std::string labels(start.substr(1, start.size() - rest.size() - 1));
    if (!rest.empty()) rest.remove_prefix(1);
    return labels;
  }
  std::string take_quoted(std::string_view& rest) const {
    std::string value;
    while (!rest.empty() && rest[0] != '"') {
      if (rest[0] == '\\') {
        rest.remove_prefix(1);
        EXPECT_TRUE(rest.starts_with('n') || rest.starts_with('"') || rest.starts_with('\\'))
            << line_;
        if (rest.empty()) break;
      }
      value += rest[0];
      rest.remove_prefix(1);
    }
    EXPECT_FALSE(rest.empty()) << "no end: " << line_;
    if (!rest.empty()) rest.remove_prefix(1);
    return value;
  }

  std::string line_;
  std::string name_;  // of the metric whose samples follow
  std::map<std::string, std::string> kinds_;
  std::map<std::pair<std::string, std::string>, double> values_;
  double limit_ = -INFINITY;
  double below_ = 0;
  int parts_ = 0;
};

}  // namespace strata::server::testing

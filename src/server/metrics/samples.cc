// The format: https://prometheus.io/docs/instrumenting/exposition_formats/
#include "server/metrics/samples.h"

#include <fmt/core.h>

#include <cmath>
#include <limits>

namespace strata::server {
namespace {

std::string number(double value) {
  if (std::isinf(value)) return value > 0 ? "+Inf" : "-Inf";
  if (std::isnan(value)) return "NaN";
  constexpr double kExact = 9007199254740992.0;  // 2^53
  const bool whole = std::trunc(value) == value && std::abs(value) < kExact;
  return whole ? fmt::format("{}", static_cast<int64_t>(value)) : fmt::format("{}", value);
}

std::string escaped(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '\n') {
      made += "\\n";
      continue;
    }
    if (c == '\\' || c == '"') made += '\\';
    made += c;
  }
  return made;
}

void append(std::string& text, const std::vector<Label>& labels) {
  for (const Label& label : labels) {
    text += fmt::format("{}{}=\"{}\"", text.empty() ? "" : ",", label.name, escaped(label.value));
  }
}

}  // namespace

std::string_view kind_name(MetricKind kind) {
  constexpr std::string_view kNames[] = {"gauge", "counter", "histogram"};
  return kNames[static_cast<size_t>(kind)];
}

void Samples::begin(std::string_view name, MetricKind kind, std::string_view help) {
  name_ = name;
  text_ += fmt::format("# HELP {} {}\n# TYPE {} {}\n", name, help, name, kind_name(kind));
}

void Samples::add(const engine::Histogram& histogram) {
  int64_t below = 0;
  for (size_t i = 0; i < histogram.counts().size(); i++) {
    below += histogram.counts()[i];
    const bool last = i == histogram.bounds().size();
    const double bound = last ? std::numeric_limits<double>::infinity() : histogram.bounds()[i];
    line("_bucket", static_cast<double>(below), {{"le", number(bound)}});
  }
  line("_sum", histogram.sum(), {});
  line("_count", static_cast<double>(histogram.count()), {});
}

void Samples::line(std::string_view suffix, double value, const std::vector<Label>& labels) {
  std::string listed;
  append(listed, common_);
  append(listed, labels);
  text_ += fmt::format("{}{}{{{}}} {}\n", name_, suffix, listed, number(value));
}

}  // namespace strata::server

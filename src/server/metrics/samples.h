// Numbers as lines of Prometheus' text format, version 0.0.4. Between the table of metrics, which
// says what there is, and the body of an answer; knows no metric.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "engine/meter/histogram.h"

namespace strata::server {

struct Label {
  std::string_view name;
  std::string value;
};

enum class MetricKind : uint8_t { kGauge, kCounter, kHistogram };
std::string_view kind_name(MetricKind kind);

/// The samples of one metric after another.
class Samples {
 public:
  /// `common`: labels of every sample.
  explicit Samples(std::vector<Label> common) : common_(std::move(common)) {}

  /// What follows belongs to this metric.
  void begin(std::string_view name, MetricKind kind, std::string_view help);
  void add(double value, const std::vector<Label>& labels = {}) { line("", value, labels); }
  void add(int64_t value, const std::vector<Label>& labels = {}) {
    line("", static_cast<double>(value), labels);
  }
  void add(const engine::Histogram& histogram);

  std::string take() { return std::move(text_); }

 private:
  void line(std::string_view suffix, double value, const std::vector<Label>& labels);

  const std::vector<Label> common_;
  std::string_view name_;
  std::string text_;
};

}  // namespace strata::server

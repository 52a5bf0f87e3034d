// Plots of shares (how many answers were at least so fast) and of tokens over time.
#include "apps/bench/serve/load_page.h"

#include <fmt/core.h>

#include <algorithm>
#include <iterator>
#include <string_view>
#include <vector>

#include "apps/bench/serve/load_report.h"

namespace strata::apps {
namespace {

constexpr double kWidth = 420, kHeight = 240, kLeft = 56, kBottom = 36, kTop = 12, kRight = 12;
constexpr size_t kMostPoints = 400;

constexpr std::string_view kStyle = R"(<style>
:root { color-scheme: light dark; --line: #2563eb; --faint: #8884; }
@media (prefers-color-scheme: dark) { :root { --line: #7aa2ff; } }
body { font: 15px/1.5 system-ui, sans-serif; margin: 2rem auto; max-width: 60rem; padding: 0 1rem; }
pre { overflow-x: auto; }
.plots { display: flex; flex-wrap: wrap; gap: 1.5rem; }
figure { margin: 0; }
svg text { fill: currentColor; font-size: 11px; }
svg path { fill: none; stroke: var(--line); stroke-width: 2; }
svg line { stroke: var(--faint); }
</style>
)";

std::string escaped(std::string_view text) {
  std::string made;
  for (const char c : text) {
    if (c == '<') {
      made += "&lt;";
    } else if (c == '&') {
      made += "&amp;";
    } else if (c == '"') {
      made += "&quot;";
    } else {
      made += c;
    }
  }
  return made;
}

struct Point {
  double x = 0;
  double y = 0;
};

std::vector<double> numbers(const Json& list) {
  std::vector<double> values;
  for (const Json& item : list) {
    if (item.is_number()) values.push_back(item.get<double>());
    if (item.is_array()) std::ranges::copy(numbers(item), std::back_inserter(values));
  }
  return values;
}

// Shares over milliseconds.
std::vector<Point> shares(std::vector<double> seconds) {
  std::ranges::sort(seconds);
  std::vector<Point> points;
  const size_t count = std::min(seconds.size(), kMostPoints);
  for (size_t i = 0; i < count; i++) {
    const double share = count == 1 ? 1 : static_cast<double>(i) / static_cast<double>(count - 1);
    points.push_back({percentile(seconds, share) * 1e3, 100 * share});
  }
  return points;
}

// Events with text in each fortieth of the run, a second.
std::vector<Point> rates(const Json& report) {
  constexpr size_t kParts = 40;
  const double all = report.value("duration", 0.0), part = all / kParts;
  if (part <= 0) return {};
  std::vector<Point> points(kParts);
  for (size_t i = 0; i < kParts; i++) points[i].x = (static_cast<double>(i) + 0.5) * part;
  const Json& starts = report["start_times"];
  for (size_t i = 0; i < starts.size(); i++) {
    double at = starts[i].get<double>() + report["ttfts"][i].get<double>();
    std::vector<double> gaps = numbers(report["itls"][i]);
    gaps.push_back(0);
    for (const double gap : gaps) {
      points[std::min(kParts - 1, static_cast<size_t>(at / part))].y += 1 / part;
      at += gap;
    }
  }
  return points;
}

std::string tick(double value) {
  return value >= 100 || value == 0 ? fmt::format("{:.0f}", value) : fmt::format("{:.3g}", value);
}

std::string plot(const char* title, const char* x_label, const std::vector<Point>& points) {
  double most_x = 1e-9, most_y = 1e-9;
  for (const Point& point : points) {
    most_x = std::max(most_x, point.x);
    most_y = std::max(most_y, point.y);
  }
  const double wide = kWidth - kLeft - kRight, high = kHeight - kTop - kBottom;
  const auto x_of = [&](double x) { return kLeft + x / most_x * wide; };
  const auto y_of = [&](double y) { return kTop + high - y / most_y * high; };
  std::string text = fmt::format(
      "<figure><figcaption>{}</figcaption><svg viewBox=\"0 0 {} {}\" width=\"{}\" role=\"img\" "
      "aria-label=\"{}\">",
      title, kWidth, kHeight, kWidth, title);
  for (int i = 0; i <= 4; i++) {
    const double x = most_x * i / 4, y = most_y * i / 4;
    text += fmt::format(
        "<line x1=\"{0:.1f}\" x2=\"{0:.1f}\" y1=\"{1}\" y2=\"{2}\"/><text x=\"{0:.1f}\" "
        "y=\"{3}\" text-anchor=\"middle\">{4}</text>",
        x_of(x), kTop, kTop + high, kTop + high + 14, tick(x));
    text += fmt::format(
        "<line x1=\"{0}\" x2=\"{1}\" y1=\"{2:.1f}\" y2=\"{2:.1f}\"/><text x=\"{3}\" y=\"{4:.1f}\" "
        "text-anchor=\"end\">{5}</text>",
        kLeft, kLeft + wide, y_of(y), kLeft - 6, y_of(y) + 4, tick(y));
  }
  text += "<path d=\"";
  for (size_t i = 0; i < points.size(); i++) {
    text +=
        fmt::format("{}{:.1f} {:.1f}", i == 0 ? "M" : "L", x_of(points[i].x), y_of(points[i].y));
  }
  return text + fmt::format(
                    "\"/><text x=\"{}\" y=\"{}\" text-anchor=\"middle\">{}</text></svg>"
                    "</figure>\n",
                    kLeft + wide / 2, kHeight - 6, x_label);
}

std::vector<double> per_token(const Json& report) {
  std::vector<double> made;
  const std::vector<double> first = numbers(report["ttfts"]), whole = numbers(report["e2els"]),
                            tokens = numbers(report["output_lens"]);
  for (size_t i = 0; i < tokens.size(); i++) {
    if (tokens[i] > 1) made.push_back((whole[i] - first[i]) / (tokens[i] - 1));
  }
  return made;
}

}  // namespace

std::string report_page(const Json& report, const std::string& command) {
  const std::string model = escaped(report.value("model_id", ""));
  std::string page = "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">\n<title>" +
                     model + "</title>\n" + std::string(kStyle) + "</head><body>\n<h1>" + model +
                     "</h1>\n<p><code>" + escaped(command) + "</code></p>\n<pre>" +
                     escaped(report_table(report)) + "</pre>\n<div class=\"plots\">\n";
  page += plot("First token: % of answers", "ms", shares(numbers(report["ttfts"])));
  page += plot("Per token: % of answers", "ms", shares(per_token(report)));
  page += plot("Between tokens: % of gaps", "ms", shares(numbers(report["itls"])));
  page += plot("End to end: % of answers", "ms", shares(numbers(report["e2els"])));
  page += plot("Pieces of text a second", "seconds since the start", rates(report));
  return page + "</div>\n</body></html>\n";
}

}  // namespace strata::apps

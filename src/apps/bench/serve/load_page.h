// A report as one HTML page with its plots drawn in SVG: nothing is fetched to show it. Between a
// report and a file.
#pragma once

#include <string>

#include "base/json.h"

namespace strata::apps {

/// `report`: of report_json(); `command`: what was run, for the heading.
std::string report_page(const Json& report, const std::string& command);

}  // namespace strata::apps

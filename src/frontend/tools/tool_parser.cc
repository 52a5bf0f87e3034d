// Looking for markers at the end of a text that goes on.
#include "frontend/tools/tool_parser.h"

#include <algorithm>

namespace strata::frontend {

size_t leading_blanks(std::string_view text) {
  return static_cast<size_t>(std::ranges::find_if_not(text, is_blank) - text.begin());
}

size_t without_blanks(std::string_view text) {
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text.size();
}

bool may_become(std::string_view text, std::string_view marker) {
  return text.size() < marker.size() && marker.starts_with(text);
}

size_t certain_bytes(std::string_view text, std::string_view marker) {
  size_t part = marker.empty() ? 0 : std::min(text.size(), marker.size() - 1);
  while (!text.ends_with(marker.substr(0, part))) part--;
  return without_blanks(text.substr(0, text.size() - part));
}

}  // namespace strata::frontend

// The page at `/`: web/dist/index.html as it lies in the program, and what is said of it in
// headers. Sources of the page are in web/; no socket here.
#pragma once

#include <string>
#include <string_view>

namespace strata::server {

struct WebPage {
  std::string_view html;  // of the program, for as long as it runs
  std::string etag;       // of its bytes, in quotes
  /// Content-Security-Policy: this script and these styles alone, known by their hashes; nothing
  /// from elsewhere, no frame around it, no text that becomes markup.
  std::string policy;
};

/// Made on the first call; any thread.
const WebPage& web_page();

/// Whether a client that sent this If-None-Match has the page already (RFC 9110, section 13.1.2).
bool has_page(std::string_view if_none_match);

}  // namespace strata::server

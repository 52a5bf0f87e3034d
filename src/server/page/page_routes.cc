// GET /: the page, which any browser may have; what it shows comes from routes that ask for a key.
#include <utility>

#include "server/api_routes.h"
#include "server/page/web_page.h"

namespace strata::server {
namespace {

Reply page_reply(const Head& head) {
  const WebPage& page = web_page();
  Reply reply{.content_type = "text/html; charset=utf-8",
              .fields = {{"ETag", page.etag},
                         {"Cache-Control", "no-cache"},
                         {"Content-Security-Policy", page.policy},
                         {"Cross-Origin-Opener-Policy", "same-origin"},
                         {"Referrer-Policy", "no-referrer"},
                         {"X-Content-Type-Options", "nosniff"}}};
  const std::string* known = head.field("if-none-match");
  if (known != nullptr && has_page(*known)) {
    reply.status = 304;
  } else {
    reply.body = page.html;
  }
  return reply;
}

}  // namespace

asio::awaitable<void> show_page(Service& /*service*/, Exchange& exchange) {
  Reply reply = page_reply(exchange.request().head);
  co_await exchange.reply(std::move(reply));
}

}  // namespace strata::server

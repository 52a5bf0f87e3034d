// Beast frames the body from the same bytes that the head was read from: two readers must agree.
#include "server/body_reader.h"

#include <fmt/core.h>

#include <boost/asio/buffer.hpp>
#include <boost/beast/core/buffers_range.hpp>
#include <boost/beast/http/parser.hpp>
#include <cstdint>
#include <utility>

namespace strata::server {
namespace {

namespace http = boost::beast::http;
using Failure = boost::system::error_code;

// A body type of Beast's: what has come and was not taken yet. Nothing is set aside for a length
// that a client only claims.
struct PieceBody {
  using value_type = std::string;

  class reader {
   public:
    template <bool kIsRequest, class Fields>
    reader(http::header<kIsRequest, Fields>&, value_type& body) : body_(body) {}
    void init(const boost::optional<uint64_t>&, Failure& failure) { failure = {}; }
    template <class Buffers>
    size_t put(const Buffers& buffers, Failure& failure) {
      failure = {};
      size_t count = 0;
      for (const auto buffer : boost::beast::buffers_range_ref(buffers)) {
        body_.append(static_cast<const char*>(buffer.data()), buffer.size());
        count += buffer.size();
      }
      return count;
    }
    void finish(Failure& failure) { failure = {}; }

   private:
    value_type& body_;
  };
};

HttpError bad_body(std::string why) { return {400, "bad_request", std::move(why)}; }

HttpError too_slow() { return {408, "request_timeout", "the body took too long"}; }

HttpError body_error(const Failure& failure, size_t most_bytes) {
  if (failure == http::error::body_limit) {
    return {413, "body_too_large", fmt::format("the body is larger than {} bytes", most_bytes)};
  }
  return bad_body(fmt::format("the body is not framed right: {}", failure.message()));
}

}  // namespace

struct BodyReader::Parser : http::request_parser<PieceBody> {};

BodyReader::BodyReader(Link& link, const HttpLimits& limits, const Sizes& sizes)
    : link_(link), limits_(limits), sizes_(sizes), parser_(std::make_unique<Parser>()) {
  parser_->eager(true);
  parser_->header_limit(static_cast<uint32_t>(limits.head_bytes));
  parser_->body_limit(sizes.most_bytes);
}

BodyReader::~BodyReader() = default;

bool BodyReader::done() const { return parser_->is_done(); }

asio::awaitable<std::expected<std::string, HttpError>> BodyReader::next() {
  std::string& input = link_.input();
  std::string& piece = parser_->get().body();
  while (!done()) {
    Failure failure;
    if (!input.empty()) input.erase(0, parser_->put(asio::buffer(input), failure));
    if (failure && failure != http::error::need_more) {
      co_return std::unexpected(body_error(failure, sizes_.most_bytes));
    }
    if (done() || piece.size() >= sizes_.piece_bytes) break;
    if (input.size() > limits_.head_bytes) {
      co_return std::unexpected(bad_body("a chunk is not framed right"));
    }
    const Received got = co_await link_.receive();
    if (got == Received::kTimeout) co_return std::unexpected(too_slow());
    if (got != Received::kData) {
      co_return std::unexpected(bad_body("the body ends before its length"));
    }
  }
  co_return std::exchange(piece, {});
}

asio::awaitable<std::expected<std::string, HttpError>> BodyReader::timed_piece() {
  link_.arm(limits_.body_timeout);
  auto piece = co_await next();
  link_.disarm();
  co_return piece;
}

}  // namespace strata::server

// One request and the answer that a handler makes to it, whole or as a stream of events. Between
// routes and the link; it writes HTTP and knows no API.
#pragma once

#include <boost/asio/awaitable.hpp>
#include <cstdint>
#include <expected>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "server/body_reader.h"
#include "server/http_types.h"
#include "server/link.h"

namespace strata::server {

/// Lives as long as its handler runs. A handler replies once, or begins and ends one stream.
class Exchange {
 public:
  /// `fields` go out with the answer, whichever it is.
  Exchange(std::shared_ptr<Link> link, Request request, std::vector<Field> fields);

  const Request& request() const { return request_; }
  /// Gives up the body, which may be large, once it has been read.
  std::string take_body() { return std::move(request_.body); }
  /// The rest of the path where the route ends in "{id}".
  const std::string& id() const { return path_rest_; }
  void set_id(std::string rest) { path_rest_ = std::move(rest); }
  /// Which of the server's keys was given; nothing where the route needs none.
  std::optional<size_t> key() const { return key_; }
  void set_key(std::optional<size_t> key) { key_ = key; }
  ErrorForm error_form() const { return error_form_; }
  void set_error_form(ErrorForm form) { error_form_ = form; }
  void add_field(Field field) { fields_.push_back(std::move(field)); }

  /// Where the route takes its body piece by piece: the next piece, empty at the end.
  asio::awaitable<std::expected<std::string, HttpError>> next_piece();
  void set_body(BodyReader* body) { body_ = body; }

  asio::awaitable<void> reply(Reply reply);
  /// A body of so many bytes, which send_bytes() sends. False where the client has gone, or asked
  /// for the head alone.
  asio::awaitable<bool> begin_bytes(std::string content_type, uint64_t length);
  asio::awaitable<bool> send_bytes(std::string_view bytes);
  /// Server-sent events from now on. These return false where the client has gone.
  asio::awaitable<bool> begin_stream();
  asio::awaitable<bool> send(std::string_view events);
  asio::awaitable<bool> end_stream();

  std::shared_ptr<Signal> make_signal() { return std::make_shared<Signal>(link_->executor()); }
  /// kSignal, kTimeout or kGone.
  asio::awaitable<Wake> wait(Signal& signal, std::chrono::milliseconds limit);

  bool streaming() const { return streaming_; }
  bool answered() const { return status_ != 0; }
  bool keep_alive() const { return keep_alive_; }
  /// After this answer there is no other: the client still sends what nobody will read.
  void close_after() { keep_alive_ = false; }
  asio::any_io_executor executor() { return link_->executor(); }
  /// For the access log: 499 where the client went away before an answer.
  int status() const { return status_ != 0 ? status_ : 499; }
  int64_t sent_bytes() const { return sent_bytes_; }

 private:
  std::string head_text(int status, std::string_view content_type, std::string_view framing);
  asio::awaitable<bool> probe();

  std::shared_ptr<Link> link_;
  Request request_;
  std::string path_rest_;
  std::optional<size_t> key_;
  ErrorForm error_form_ = ErrorForm::kOpenAi;
  BodyReader* body_ = nullptr;  // null: the request holds it
  std::vector<Field> fields_;
  int status_ = 0;
  int64_t sent_bytes_ = 0;
  bool keep_alive_;
  bool streaming_ = false;
};

}  // namespace strata::server

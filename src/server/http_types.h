// One HTTP request and its answer as plain values, and the limits that both are held to. What the
// parser makes, handlers read and connections write; no sockets, no JSON.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace strata::server {

struct HttpLimits {
  size_t head_bytes = 16 << 10;  // request line and all fields
  size_t line_bytes = 8 << 10;   // one field
  size_t target_bytes = 8 << 10;
  size_t fields = 100;
  size_t body_bytes = 16 << 20;
  size_t upload_bytes = 0;              // of routes that take their body piece by piece
  int64_t all_bodies_bytes = 64 << 20;  // received and not yet handled, of all connections
  int64_t connections = 16384;
  std::chrono::milliseconds head_timeout{10'000};
  std::chrono::milliseconds body_timeout{60'000};   // or for a piece of an upload
  std::chrono::milliseconds idle_timeout{75'000};   // between requests
  std::chrono::milliseconds write_timeout{30'000};  // for a piece of kWritePiece bytes
  std::chrono::milliseconds ping_interval{15'000};  // of a stream that has nothing to say
};

struct Field {
  std::string name;  // as given; compare with same_name()
  std::string value;
};

bool same_name(std::string_view a, std::string_view b);

/// What stands before a body, checked.
struct Head {
  std::string method;
  std::string target;  // as sent
  std::string path;    // decoded: what routes and keys are looked up by
  bool http11 = true;
  bool keep_alive = true;
  bool chunked = false;
  bool expects_continue = false;
  size_t content_length = 0;
  std::vector<Field> fields;

  /// The first one of that name, or nullptr.
  const std::string* field(std::string_view name) const;
};

struct Request {
  Head head;
  std::string body;
  std::string id;  // the client's x-request-id, or one of ours
};

struct Reply {
  int status = 200;
  std::string content_type = "application/json";
  std::string body = {};
  std::vector<Field> fields = {};
};

/// A refusal by HTTP itself, before or instead of a handler.
struct HttpError {
  int status = 400;
  std::string code;  // "header_too_large"
  std::string message;
  std::vector<Field> fields = {};
};

/// Whose shape errors have: each API's clients know one.
enum class ErrorForm : uint8_t { kOpenAi, kAnthropic };

Reply error_reply(const HttpError& error, ErrorForm form = ErrorForm::kOpenAi);
std::string_view reason_phrase(int status);

}  // namespace strata::server

// Server-sent events out of the pieces that a body comes in. Between a client's socket and whoever
// reads the events; knows nothing of what they say.
#pragma once

#include <functional>
#include <string>
#include <string_view>

namespace strata::server {

using EventSink = std::function<void(std::string_view data)>;

class SseReader {
 public:
  /// `sink` gets the data of each event that is whole; comments and other fields are passed over.
  void feed(std::string_view piece, const EventSink& sink);

  static constexpr size_t kMaxEvent = 16 << 20;
  /// An event was longer than any may be: no further one comes.
  bool too_long() const { return too_long_; }

 private:
  void take_line(std::string_view line, const EventSink& sink);

  std::string line_;
  std::string data_;
  bool has_data_ = false;
  bool too_long_ = false;
};

}  // namespace strata::server

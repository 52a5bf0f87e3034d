// https://html.spec.whatwg.org/multipage/server-sent-events.html, without the bare carriage return
// as an end of line, which no server sends.
#include "server/client/sse_reader.h"

#include <algorithm>

namespace strata::server {

void SseReader::feed(std::string_view piece, const EventSink& sink) {
  while (!piece.empty() && !too_long_) {
    const size_t end = std::min(piece.find('\n'), piece.size());
    line_ += piece.substr(0, end);
    too_long_ = line_.size() + data_.size() > kMaxEvent;
    if (end == piece.size()) return;
    piece.remove_prefix(end + 1);
    if (line_.ends_with('\r')) line_.pop_back();
    take_line(line_, sink);
    line_.clear();
  }
}

void SseReader::take_line(std::string_view line, const EventSink& sink) {
  constexpr std::string_view kData = "data:";
  if (line.empty()) {
    if (has_data_) sink(data_);
    data_.clear();
    has_data_ = false;
    return;
  }
  if (!line.starts_with(kData)) return;
  line.remove_prefix(kData.size());
  if (line.starts_with(' ')) line.remove_prefix(1);
  if (has_data_) data_ += '\n';
  data_ += line;
  has_data_ = true;
}

}  // namespace strata::server

// The buffer is cut into places of one size, a read each: a place whose rows have been handed over
// takes the next read, so any number of rows go through it, in whatever order reads end.
#include "memory/row_reader.h"

#include <algorithm>
#include <utility>

#include "base/check.h"

namespace strata::memory {
namespace {

// Small reads need many under way: each takes a disk about as long as 64 KiB of a large one.
constexpr size_t kPlaces = 16;
constexpr int64_t kLeastPlace = 64 << 10;
constexpr int64_t kHugePage = 2 << 20;
constexpr int64_t kBlock = kDirectBlock;

int64_t round_up(int64_t bytes, int64_t step) { return (bytes + step - 1) / step * step; }

uint64_t block_floor(uint64_t offset) { return offset / kDirectBlock * kDirectBlock; }
uint64_t block_ceil(uint64_t offset) { return block_floor(offset + kDirectBlock - 1); }

int64_t place_bytes(int64_t row_bytes) {
  return std::max(kLeastPlace, RowReader::read_bytes(row_bytes));
}

}  // namespace

// A row may begin and end anywhere in a block.
int64_t RowReader::read_bytes(int64_t row_bytes) { return round_up(row_bytes, kBlock) + kBlock; }

int64_t RowReader::buffer_bytes(int64_t row_bytes) {
  return round_up(place_bytes(row_bytes) * static_cast<int64_t>(kPlaces), kHugePage);
}

RowReader::RowReader(RowTable table, device::Buffer buffer, Charge charge)
    : table_(std::move(table)),
      place_bytes_(place_bytes(table_.row_bytes)),
      buffer_(std::move(buffer)),
      charge_(std::move(charge)),
      places_(kPlaces) {}

Result<std::unique_ptr<RowReader>> RowReader::create(Env& env, device::Device& device,
                                                     MemoryAccount& account,
                                                     const std::vector<std::string>& paths,
                                                     RowTable table, IoKind io) {
  device::Buffer buffer = TRY(device.allocate(buffer_bytes(table.row_bytes)));
  Charge charge(account, MemoryTag::kRing, buffer.bytes());
  std::unique_ptr<RowReader> reader(
      new RowReader(std::move(table), std::move(buffer), std::move(charge)));
  reader->queue_ =
      TRY(env.open_read_queue({.paths = paths, .io = io, .depth = static_cast<int>(kPlaces)}));
  return reader;
}

RowReader::~RowReader() { forget(); }

uint64_t RowReader::begin_of(int64_t row) const {
  return table_.offset + static_cast<uint64_t>(row * table_.row_bytes);
}

std::span<std::byte> RowReader::memory_of(size_t place) const {
  const auto bytes = static_cast<size_t>(place_bytes_);
  return buffer_.span().subspan(place * bytes, bytes);
}

// What is under way writes into the buffer until its outcome.
void RowReader::forget() {
  std::vector<ReadOutcome> outcomes;
  while (under_way_ > 0) {
    outcomes.clear();
    queue_->wait(outcomes);
    under_way_ -= static_cast<int64_t>(outcomes.size());
  }
  asked_.clear();
  next_ = 0;
}

void RowReader::ask(std::vector<int64_t> rows) {
  forget();
  CHECK(std::ranges::adjacent_find(rows, std::greater_equal<>()) == rows.end(), "rows ascend");
  CHECK(rows.empty() || (rows.front() >= 0 && rows.back() < table_.rows), "rows of the table");
  asked_ = std::move(rows);
  stats_.rows += static_cast<int64_t>(asked_.size());
  for (size_t place = 0; place < kPlaces; place++) submit_next(place);
}

// As many rows as lie together within a place, and one at least.
void RowReader::submit_next(size_t place) {
  if (next_ == asked_.size()) return;
  const uint64_t begin = block_floor(begin_of(asked_[next_]));
  const auto row_bytes = static_cast<uint64_t>(table_.row_bytes);
  Place& filled = places_[place];
  filled = {.offset = begin, .first = next_, .count = 0};
  uint64_t end = begin;
  for (; next_ < asked_.size(); next_++, filled.count++) {
    const uint64_t from = begin_of(asked_[next_]), to = from + row_bytes;
    const bool near = filled.count == 0 || block_floor(from) <= block_ceil(end);
    if (!near || block_ceil(to) - begin > static_cast<uint64_t>(place_bytes_)) break;
    end = to;
  }
  const auto bytes = static_cast<size_t>(block_ceil(end) - begin);
  queue_->submit({.id = place,
                  .file = table_.file,
                  .offset = begin,
                  .out = memory_of(place).first(bytes),
                  .needed = static_cast<size_t>(end - begin)});
  under_way_++;
  stats_.reads++;
  stats_.read_bytes += static_cast<int64_t>(bytes);
}

Result<void> RowReader::hand_over(const Place& place, const std::byte* data,
                                  const Sink& sink) const {
  for (size_t i = place.first; i < place.first + place.count; i++) {
    const std::byte* row = data + (begin_of(asked_[i]) - place.offset);
    TRY(sink(asked_[i], {row, static_cast<size_t>(table_.row_bytes)}));
  }
  return {};
}

Result<void> RowReader::take(const Sink& sink, const StopCheck& stop) {
  std::vector<ReadOutcome> outcomes;
  Result<void> result;
  while (under_way_ > 0 && result) {
    outcomes.clear();
    queue_->wait(outcomes);
    under_way_ -= static_cast<int64_t>(outcomes.size());
    for (ReadOutcome& outcome : outcomes) {
      if (!result) break;
      const auto place = static_cast<size_t>(outcome.id);
      if (!outcome.status) {
        result = std::unexpected(
            std::move(outcome.status).error().with_context(table_.name + ": its rows"));
        break;
      }
      result = hand_over(places_[place], memory_of(place).data(), sink);
      if (result) submit_next(place);
    }
    if (result && stop && stop(true)) result = fail(Code::kCancelled, "reading rows: stopped");
  }
  forget();
  return result;
}

}  // namespace strata::memory

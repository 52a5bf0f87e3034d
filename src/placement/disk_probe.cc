// The queue is kept full for a stretch of time; bytes over time is the speed.
#include "placement/disk_probe.h"

#include <algorithm>

namespace strata::placement {
namespace {

// Files smaller than what the time reads are read around: so often is enough.
constexpr int64_t kRounds = 4;

struct Piece {
  size_t file = 0;
  uint64_t offset = 0;
  size_t bytes = 0;   // whole blocks
  size_t needed = 0;  // that the file has
};

Result<std::vector<Piece>> cut_files(Env& env, const std::vector<std::string>& paths) {
  std::vector<Piece> pieces;
  for (size_t file = 0; file < paths.size(); file++) {
    const uint64_t size = TRY(env.open_readable(paths[file]))->size();
    for (uint64_t at = 0; at < size; at += kProbeRequest) {
      const size_t needed = std::min<uint64_t>(kProbeRequest, size - at);
      const size_t blocks = (needed + kDirectBlock - 1) / kDirectBlock;
      pieces.push_back({file, at, blocks * kDirectBlock, needed});
    }
  }
  if (!pieces.empty()) return pieces;
  return fail(Code::kInvalidData, "measuring the disk", "files without a byte",
              "a model's weights");
}

class Reading {
 public:
  Reading(Env& env, ReadQueue& queue, std::span<std::byte> buffer, std::vector<Piece> pieces)
      : env_(env), queue_(queue), buffer_(buffer), pieces_(std::move(pieces)) {
    for (uint64_t slot = 0; slot < kProbeDepth; slot++) free_.push_back(slot);
    under_way_.resize(kProbeDepth);
    for (const Piece& piece : pieces_) all_bytes_ += static_cast<int64_t>(piece.needed);
  }

  Result<DiskSpeed> run(const DiskProbeArgs& args) {
    DiskSpeed speed{.how = queue_.description()};
    const int64_t start = env_.now_ns();
    while (true) {
      fill();
      outcomes_.clear();
      queue_.wait(outcomes_);
      for (const ReadOutcome& outcome : outcomes_) {
        TRY(Result<void>(outcome.status));
        free_.push_back(outcome.id);
        speed.read_bytes += static_cast<int64_t>(under_way_[outcome.id]);
      }
      speed.seconds = static_cast<double>(env_.now_ns() - start) * 1e-9;
      const bool around = speed.read_bytes >= kRounds * all_bytes_;
      if (speed.seconds >= args.most_s || (around && speed.seconds >= args.least_s)) break;
    }
    speed.bytes_per_s = static_cast<double>(speed.read_bytes) / std::max(speed.seconds, 1e-9);
    return speed;
  }

 private:
  // Ids are places in the buffer.
  void fill() {
    for (; !free_.empty(); free_.pop_back()) {
      const uint64_t slot = free_.back();
      const Piece& piece = pieces_[next_++ % pieces_.size()];
      under_way_[slot] = piece.needed;
      queue_.submit({.id = slot,
                     .file = piece.file,
                     .offset = piece.offset,
                     .out = buffer_.subspan(slot * kProbeRequest, piece.bytes),
                     .needed = piece.needed});
    }
  }

  Env& env_;
  ReadQueue& queue_;
  std::span<std::byte> buffer_;
  std::vector<Piece> pieces_;
  size_t next_ = 0;
  int64_t all_bytes_ = 0;
  std::vector<uint64_t> free_;
  std::vector<size_t> under_way_;  // bytes, by place
  std::vector<ReadOutcome> outcomes_;
};

}  // namespace

Result<DiskSpeed> probe_disk(Env& env, device::Device& device, const DiskProbeArgs& args) {
  std::vector<Piece> pieces = TRY(cut_files(env, args.paths));
  const auto buffer = TRY(device.allocate(kProbeDepth * kProbeRequest));
  const auto queue = TRY(env.open_read_queue({.paths = args.paths,
                                              .io = args.io,
                                              .depth = static_cast<int>(kProbeDepth),
                                              .buffer = buffer.span()}));
  return Reading(env, *queue, buffer.span(), std::move(pieces)).run(args);
}

}  // namespace strata::placement

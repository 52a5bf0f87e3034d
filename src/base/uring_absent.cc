// In place of uring_queue.cc where the build has no liburing: the portable layers need nothing but
// a compiler.
#include "base/direct_file.h"

namespace strata {

Result<std::unique_ptr<ReadQueue>> open_uring_queue(const ReadQueueConfig&) {
  return fail(Code::kUnavailable, "io_uring: this build has none", {}, {}, "use --io pread");
}

}  // namespace strata

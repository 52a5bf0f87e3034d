// For tests: an Env that ends the process in the midst of its Nth call that changes a disk, as a
// kill does; half of what is written may be there. No product code links it.
#pragma once

#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "base/fault_env.h"

namespace strata::server::testing {

class KillEnv : public FaultEnv {
 public:
  static constexpr int kKilled = 9;

  explicit KillEnv(int64_t call) : FaultEnv(real_env()), left_(call) {}

  Result<std::unique_ptr<WritableFile>> open_writable(const std::string& path,
                                                      WriteMode mode) override {
    if (last()) ::_exit(kKilled);
    return std::make_unique<Writable>(*this, TRY(FaultEnv::open_writable(path, mode)));
  }
  Result<void> rename_file(const std::string& from, const std::string& to) override {
    if (last()) ::_exit(kKilled);
    return FaultEnv::rename_file(from, to);
  }

 private:
  class Writable : public WritableFile {
   public:
    Writable(KillEnv& env, std::unique_ptr<WritableFile> inner)
        : env_(env), inner_(std::move(inner)) {}
    Result<void> write(std::span<const std::byte> data) override {
      if (!env_.last()) return inner_->write(data);
      (void)inner_->write(data.first(data.size() / 2));
      ::_exit(kKilled);
    }
    Result<void> write_at(uint64_t offset, std::span<const std::byte> data) override {
      return inner_->write_at(offset, data);
    }
    Result<void> flush_range(uint64_t offset, uint64_t bytes) override {
      return inner_->flush_range(offset, bytes);
    }
    Result<void> drop_cached(uint64_t offset, uint64_t bytes) override {
      return inner_->drop_cached(offset, bytes);
    }
    Result<void> lock() override { return inner_->lock(); }
    Result<void> sync() override {
      if (env_.last()) ::_exit(kKilled);
      return inner_->sync();
    }
    Result<void> close() override { return inner_->close(); }

   private:
    KillEnv& env_;
    std::unique_ptr<WritableFile> inner_;
  };

  bool last() { return left_-- == 0; }

  int64_t left_;
};

}  // namespace strata::server::testing

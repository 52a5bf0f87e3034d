// What the micro-benchmarks share: flags, memory on huge pages, the end of main, the median.
#pragma once

#include <sys/mman.h>

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <exception>
#include <map>
#include <string>
#include <vector>

namespace strata::bench {

/// Flags as `--name value` pairs; what is not given keeps the fallback that its reader names.
class Options {
 public:
  Options(int argc, char** argv) {
    for (int i = 1; i + 1 < argc; i += 2) values_[std::string(argv[i]).substr(2)] = argv[i + 1];
  }

  std::string get(const std::string& name, const std::string& fallback) const {
    const auto it = values_.find(name);
    return it == values_.end() ? fallback : it->second;
  }
  double number(const std::string& name, double fallback) const {
    const auto it = values_.find(name);
    return it == values_.end() ? fallback : std::atof(it->second.c_str());
  }
  /// Whole numbers, separated by commas.
  std::vector<int64_t> list(const std::string& name, const std::string& fallback) const {
    std::vector<int64_t> numbers;
    const std::string text = get(name, fallback);
    for (size_t at = 0; at < text.size(); at = std::min(text.find(',', at), text.size() - 1) + 1) {
      numbers.push_back(std::atoll(text.c_str() + at));
    }
    return numbers;
  }

 private:
  std::map<std::string, std::string> values_;
};

/// Memory of `bytes`, zeroed at first touch, on huge pages where the system has them.
struct HugePages {
  std::byte* data;
  size_t bytes;

  explicit HugePages(size_t size) : bytes(size) {
    void* map = mmap(nullptr, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (map == MAP_FAILED) std::abort();
    madvise(map, size, MADV_HUGEPAGE);
    data = static_cast<std::byte*>(map);
  }
  ~HugePages() { munmap(data, bytes); }
  HugePages(const HugePages&) = delete;
  HugePages& operator=(const HugePages&) = delete;
};

/// The exit status of `run`; what it throws (no memory, a bad flag) becomes one line.
template <class F>
int guarded(F&& run) {
  try {
    return run();
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
  } catch (...) {
    std::fputs("an unknown exception\n", stderr);
  }
  return 1;
}

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values[values.size() / 2];
}

}  // namespace strata::bench

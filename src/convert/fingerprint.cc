// See fingerprint.h. Each part is preceded by its length, so that no two lists read the same.
#include "convert/fingerprint.h"

#include <algorithm>
#include <array>
#include <string_view>

#include "base/checksum.h"
#include "tensor/exponent_coding.h"

namespace strata::convert {
namespace {

constexpr uint64_t kSampleBytes = 4096;

void add_number(Checksum& sum, uint64_t value) { sum.add(std::as_bytes(std::span(&value, 1))); }

void add_text(Checksum& sum, std::string_view text) {
  add_number(sum, text.size());
  sum.add(std::as_bytes(std::span(text)));
}

Result<void> add_samples(Checksum& sum, const checkpoint::Checkpoint& checkpoint,
                         const checkpoint::TensorEntry& entry) {
  const uint64_t size = std::min(kSampleBytes, entry.bytes), last = entry.bytes - size;
  std::array<std::byte, kSampleBytes> sample{};
  for (const uint64_t at : {uint64_t{0}, last / 2, last}) {
    const auto piece = std::span(sample).first(size);
    TRY(checkpoint.read(entry, at, piece));
    sum.add(piece);
  }
  return {};
}

}  // namespace

Result<uint64_t> fingerprint_of(const std::vector<checkpoint::NamedDocument>& documents,
                                const checkpoint::Checkpoint& checkpoint,
                                const model::WeightPlan& plan, bool compress) {
  Checksum sum;
  add_text(sum, compress ? tensor::kCodedLayout : tensor::kPackedLayout);
  add_text(sum, tensor::product_kind_name(plan.kind));
  for (const checkpoint::NamedDocument& document : documents) {
    add_text(sum, document.name);
    add_text(sum, document.text);
  }
  for (const model::WeightPlan::Item& item : plan.items) {
    add_text(sum, item.entry->name);
    add_number(sum, static_cast<uint64_t>(item.entry->dtype));
    add_text(sum, checkpoint.file_name(item.entry->file));
    add_number(sum, item.entry->offset);
    for (const int64_t size : item.entry->shape) add_number(sum, static_cast<uint64_t>(size));
    TRY(add_samples(sum, checkpoint, *item.entry));
  }
  return sum.value();
}

}  // namespace strata::convert

// Merging, numbering, and ids.
#include "frontend/tools/deltas.h"

#include <random>
#include <utility>

namespace strata::frontend {
namespace {

std::string random_call_id(bool short_id) {
  constexpr std::string_view kSigns =
      "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
  constexpr int kShort = 9, kLong = 24;
  std::random_device device;
  std::uniform_int_distribution<size_t> draw(0, kSigns.size() - 1);
  std::string id = short_id ? "" : "call_";
  for (int sign = 0; sign < (short_id ? kShort : kLong); sign++) id += kSigns[draw(device)];
  return id;
}

}  // namespace

bool begins_part(std::optional<DeltaKind> last, const Delta& next) {
  if (next.kind == DeltaKind::kArguments) return false;
  return next.kind == DeltaKind::kCall || last != next.kind;
}

void Deltas::add(DeltaKind kind, std::string_view text) {
  if (text.empty()) return;
  if (list_.empty() || list_.back().kind != kind) list_.push_back({.kind = kind});
  list_.back().text += text;
}

void Deltas::call(std::string name) {
  begun_++;
  if (dropped()) return;
  list_.push_back({.kind = DeltaKind::kCall,
                   .text = std::move(name),
                   .call = calls_++,
                   .id = random_call_id(short_ids_)});
}

void Deltas::arguments(std::string_view text) {
  if (text.empty() || dropped()) return;
  add(DeltaKind::kArguments, text);
  list_.back().call = calls_ - 1;
}

std::vector<Delta> Deltas::take() { return std::exchange(list_, {}); }

}  // namespace strata::frontend

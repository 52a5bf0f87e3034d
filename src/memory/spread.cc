// Error diffusion: each unit adds its share to a credit, and one that the credit covers stays. The
// share is the greatest whose residents fit; what the budget has left over then goes to the units
// in the middle of the longest streamed runs.
#include "memory/spread.h"

#include <algorithm>

namespace strata::memory {
namespace {

std::vector<bool> diffuse(std::span<const int64_t> units, double share) {
  std::vector<bool> resident;
  double credit = 0;
  for (const int64_t unit : units) {
    const auto bytes = static_cast<double>(unit);
    credit += bytes * share;
    const bool stays = credit >= bytes;
    if (stays) credit -= bytes;
    resident.push_back(stays);
  }
  return resident;
}

int64_t bytes_of(std::span<const int64_t> units, const std::vector<bool>& resident) {
  int64_t bytes = 0;
  for (size_t i = 0; i < units.size(); i++) bytes += resident[i] ? units[i] : 0;
  return bytes;
}

// Streamed bytes on the shorter side of a unit's run: what its residency would part it into.
int64_t depth_in_run(std::span<const int64_t> units, const std::vector<bool>& resident,
                     size_t unit) {
  int64_t before = 0, behind = 0;
  for (size_t i = unit; i-- > 0 && !resident[i];) before += units[i];
  for (size_t i = unit + 1; i < units.size() && !resident[i]; i++) behind += units[i];
  return std::min(before, behind);
}

// The unit that fits and parts the most; units.size() where none fits.
size_t best_addition(std::span<const int64_t> units, const std::vector<bool>& resident,
                     int64_t left) {
  size_t best = units.size();
  int64_t most = -1;
  for (size_t i = 0; i < units.size(); i++) {
    if (resident[i] || units[i] > left) continue;
    const int64_t parted = units[i] + depth_in_run(units, resident, i);
    if (parted > most) {
      most = parted;
      best = i;
    }
  }
  return best;
}

}  // namespace

std::vector<bool> spread_residents(std::span<const int64_t> units, int64_t budget) {
  std::vector<bool> all(units.size(), true);
  if (bytes_of(units, all) <= budget) return all;
  double low = 0, high = 1;
  for (int i = 0; i < 40; i++) {
    const double middle = (low + high) / 2;
    (bytes_of(units, diffuse(units, middle)) <= budget ? low : high) = middle;
  }
  std::vector<bool> resident = diffuse(units, low);
  int64_t left = budget - bytes_of(units, resident);
  for (size_t unit; (unit = best_addition(units, resident, left)) != units.size();) {
    resident[unit] = true;
    left -= units[unit];
  }
  return resident;
}

}  // namespace strata::memory

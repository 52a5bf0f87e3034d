// A small pack as bytes, whole or forged, for the tests of this layer and of those above it.
#pragma once

#include <cstring>
#include <functional>
#include <string>

#include "base/checksum.h"
#include "checkpoint/pack_format.h"

namespace strata::checkpoint {

inline uint64_t sum_of(std::string_view bytes) {
  return checksum_of(std::as_bytes(std::span(bytes)));
}

/// Two units of one tensor each, 5000 and 100 bytes, and two documents.
inline PackContents small_contents() {
  return {.layout = "test",
          .weights = "bf16",
          .numerics = 1,
          .fingerprint = 0x1234,
          .alignment = 4096,
          .units = {{.name = "first",
                     .offset = 0,
                     .bytes = 5000,
                     .padded_bytes = 8192,
                     .tensors = {{"a", {50, 50}, 0, 4000}, {"b", {10}, 4032, 968}}},
                    {.name = "second",
                     .offset = 8192,
                     .bytes = 100,
                     .padded_bytes = 4096,
                     .tensors = {{"c", {50}, 0, 100}}}},
          .documents = {{"config.json", "{}"}, {"tokenizer.json", "words"}}};
}

/// The finished pack: unit i of small_contents() is full of the byte 'a' + i. `contents` may lie;
/// `forge` changes the header. The checksums of front and header are right all the same.
inline std::string pack_bytes(const PackContents& contents,
                              const std::function<void(PackHeader&)>& forge = {}) {
  PackFront front = encode_front(contents);
  std::string data(front.header.file_bytes - front.header.data_offset, '\0');
  uint64_t at = front.header.checksums_offset();
  const PackContents honest = small_contents();
  for (size_t i = 0; i < honest.units.size(); i++) {
    const PackUnit& unit = honest.units[i];
    std::string bytes(unit.bytes, static_cast<char>('a' + i));
    bytes.resize(unit.padded_bytes, '\0');
    if (unit.offset + bytes.size() <= data.size()) data.replace(unit.offset, bytes.size(), bytes);
    const uint64_t sum = sum_of(bytes);
    std::memcpy(front.bytes.data() + at, &sum, sizeof sum);
    at += sizeof sum;
  }
  PackHeader header = front.header;
  header.finished = true;
  header.front_checksum = sum_of(std::string_view(front.bytes).substr(kPackHeaderBytes));
  if (forge) forge(header);
  return encode_header(header) + front.bytes.substr(kPackHeaderBytes) + data;
}

}  // namespace strata::checkpoint

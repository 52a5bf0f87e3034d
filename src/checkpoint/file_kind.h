// What a file is that is not what its name says: the specific sentence for the user who renamed,
// half downloaded or mixed up weight files. Looks at the first bytes only; decides nothing about
// files that are fine.
#pragma once

#include <string_view>

#include "base/env.h"
#include "base/status.h"

namespace strata::checkpoint {

/// The failure for a file that does not begin like safetensors: named and with a hint where its
/// kind is known (Git LFS pointer, HTML page, zip, pickle, GGUF), else `otherwise`.
Status wrong_kind_of_file(const ReadableFile& file, std::string_view name, Status otherwise);

/// Whether the file begins with GGUF's magic number.
bool is_gguf(const ReadableFile& file);

/// The failure for GGUF input, which is not read yet.
Status gguf_not_supported(std::string_view name);

}  // namespace strata::checkpoint

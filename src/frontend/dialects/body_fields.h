// The list of fields that an API's bodies may have, and what each one's presence means. What is
// known and not supported is refused by name; names that nobody knows come back to be told.
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/json.h"
#include "base/status.h"

namespace strata::frontend {

/// What a field means, besides null, which never means anything.
enum class Use : uint8_t {
  kRead,    // by a reader of its own
  kPass,    // as a chat has it
  kInform,  // says nothing about the answer
  kOnly,    // understood; only these values are supported
  kStream,  // read where answers can be streamed, elsewhere as kOnly
};

inline constexpr unsigned kAnyBody = ~0U;

struct BodyField {
  std::string_view name;
  unsigned kinds = kAnyBody;  // of bodies that have it, where several kinds share a list
  Use use = Use::kRead;
  std::string_view only = "";  // kOnly: a JSON list
};

/// nullptr where the list has no such name.
const BodyField* find_field(std::span<const BodyField> fields, std::string_view name);

/// kUnsupported where a field of limited use has another value.
Result<void> check_only(const BodyField& field, const Json& value);

/// A body of another API, sorted: what a chat has by the same names, and what nobody knows.
struct SortedBody {
  Json chat = Json::object();
  std::vector<std::string> ignored = {};
};

/// `fields`: an API's own; those that every API has by the chat's names (model, sampling, ...) pass
/// without standing there. Refuses what check_only() refuses.
Result<SortedBody> sort_body(const Json& body, std::span<const BodyField> fields);

/// Turns the chat template's thoughts on or off, unless the client's own chat_template_kwargs do;
/// kInvalidData where these are no object.
Result<void> set_thinking(const Json& body, bool thinks, SortedBody& made);

/// That `ignored`, a name which the template does not know, is set_thinking()'s and not the
/// client's.
bool is_set_thinking(const Json& body, std::string_view ignored);

}  // namespace strata::frontend

// /v1/batches: batches are created, told of and cancelled here, and run elsewhere.
#include <utility>

#include "server/api_routes.h"
#include "server/files/files_service.h"
#include "server/files/list_page.h"

namespace strata::server {
namespace {

constexpr int64_t kMostListed = 100;
constexpr int64_t kListed = 20;

}  // namespace

Result<Json> created_batch(FilesService& files, Exchange& exchange) {
  const Json body = TRY(read_json(exchange));
  TRY(files.ready());
  BatchRecord asked = TRY(read_batch_request(body));
  asked.owner = files.owner(exchange.key());
  const auto input = files.files().find(asked.owner, asked.input_file);
  if (!input || input->purpose != "batch") {
    return fail(Code::kInvalidArgument, "input_file_id", json_excerpt(asked.input_file),
                "the id of a file of yours with the purpose batch");
  }
  const BatchRecord made = TRY(files.batches().create(std::move(asked)));
  files.runner().wake();
  return batch_json(made);
}

Result<Json> all_batches(FilesService& files, Exchange& exchange) {
  TRY(files.usable());
  const ListQuery query =
      TRY(read_list_query(exchange.request().head.target, kMostListed, kListed));
  return list_page(files.batches().list(files.owner(exchange.key())), query, batch_json);
}

Result<Json> one_batch(FilesService& files, Exchange& exchange) {
  TRY(files.usable());
  return batch_json(TRY(files.batches().find(files.owner(exchange.key()), exchange.id())));
}

Result<Json> cancelled_batch(FilesService& files, Exchange& exchange) {
  TRY(files.usable());
  const BatchRecord made = TRY(files.batches().cancel(files.owner(exchange.key()), exchange.id()));
  files.runner().wake();
  return batch_json(made);
}

}  // namespace strata::server

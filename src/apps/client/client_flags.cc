// Names as curl has them.
#include "apps/client/client_flags.h"

#include <fmt/core.h>

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "cacert",
     .unit = "FILE",
     .help = "with https: who may sign the server's certificate, in PEM; default: whom this system "
             "trusts"},
    {.name = "insecure",
     .kind = FieldKind::kSwitch,
     .help = "with https: take any certificate; whoever is in between can then read along"},
};

Result<void> check_combination(const FieldValues& values, const server::ApiUrl& url) {
  for (const ConfigField& field : kFields) {
    if (!values.typed(field.name) || url.tls) continue;
    return fail(Code::kInvalidArgument, fmt::format("--{} without https", field.name), {}, {},
                "it is about the certificate of a server at https://HOST:PORT");
  }
  if (!values.given("cacert") || !values.is_on("insecure")) return {};
  return fail(Code::kInvalidArgument, "--cacert with --insecure", {}, {}, "give one of them");
}

}  // namespace

FieldList client_fields() { return kFields; }

Result<server::ApiClient::Config> make_client_config(Env& env, const FieldValues& values) {
  server::ApiClient::Config config;
  config.url = TRY(server::parse_api_url(values.text("url")));
  TRY(check_combination(values, config.url));
  config.key = values.text("api-key");
  if (!config.url.tls) return config;
  config.tls = TRY(server::TlsContext::for_client(
      env, {.authorities_file = values.text("cacert"), .verify = !values.is_on("insecure")}));
  return config;
}

}  // namespace strata::apps

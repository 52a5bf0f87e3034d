// Names as uvicorn and vLLM have them.
#include "apps/serve/tls_flags.h"

#include <fmt/core.h>

#include <string>
#include <utility>

namespace strata::apps {
namespace {

constexpr ConfigField kFields[] = {
    {.name = "ssl-certfile",
     .unit = "FILE",
     .help = "serve https with this certificate in PEM, followed by those that signed it; read "
             "again at SIGHUP"},
    {.name = "ssl-keyfile", .unit = "FILE", .help = "the certificate's private key in PEM"},
    {.name = "ssl-keyfile-password-file",
     .unit = "FILE",
     .help = "where the key is encrypted: its password"},
    {.name = "ssl-keyfile-password",
     .unit = "TEXT",
     .help = "the password itself; other users see flags, but not STRATA_SSL_KEYFILE_PASSWORD",
     .secret = true},
    {.name = "ssl-ca-certs",
     .unit = "FILE",
     .help = "with --ssl-cert-reqs: who may sign certificates of clients, in PEM"},
    {.name = "ssl-cert-reqs",
     .kind = FieldKind::kChoice,
     .fallback = "0",
     .choices = "0|1|2",
     .help = "certificates of clients: 0 none is asked for, 1 one that is shown must be good, 2 "
             "nobody comes in without"},
};

std::unexpected<Status> lacks(const char* flag, const char* other, const char* hint) {
  return fail(Code::kInvalidArgument, fmt::format("--{} without --{}", flag, other), {}, {}, hint);
}

Result<void> check_combination(const FieldValues& values) {
  const bool asks_clients = values.text("ssl-cert-reqs") != "0";
  if (values.given("ssl-certfile") && !values.given("ssl-keyfile")) {
    return lacks("ssl-certfile", "ssl-keyfile", "give the certificate's private key too");
  }
  for (const char* name :
       {"ssl-keyfile", "ssl-keyfile-password-file", "ssl-keyfile-password", "ssl-ca-certs"}) {
    if (!values.given(name) || values.given("ssl-certfile")) continue;
    return lacks(name, "ssl-certfile", "give the certificate too");
  }
  if (asks_clients && !values.given("ssl-ca-certs")) {
    return lacks("ssl-cert-reqs", "ssl-ca-certs", "say who may sign certificates of clients");
  }
  if (!asks_clients && values.given("ssl-ca-certs")) {
    return lacks("ssl-ca-certs", "ssl-cert-reqs",
                 "0 asks no client for a certificate: give 1 or 2");
  }
  if (!values.given("ssl-certfile") || !values.given("uds")) return {};
  return fail(Code::kInvalidArgument, "--ssl-certfile with --uds", {}, {},
              "a Unix socket is this user's alone: it needs no TLS");
}

}  // namespace

FieldList tls_fields() { return kFields; }

Result<std::optional<server::ServerTls>> make_tls_files(const FieldValues& values) {
  TRY(check_combination(values));
  if (!values.given("ssl-certfile")) return std::nullopt;
  const int clients = values.text("ssl-cert-reqs").front() - '0';
  std::optional<std::string> password;
  if (values.given("ssl-keyfile-password")) password = values.text("ssl-keyfile-password");
  return server::ServerTls{.certificate_file = values.text("ssl-certfile"),
                           .key_file = values.text("ssl-keyfile"),
                           .password_file = values.text("ssl-keyfile-password-file"),
                           .password = std::move(password),
                           .client_authorities_file = values.text("ssl-ca-certs"),
                           .clients = static_cast<server::ClientCertificates>(clients)};
}

}  // namespace strata::apps

// Certificates and keys from files: what is taken, what is warned of, and what each refusal says.
#include "server/tls/tls_context.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <vector>

#include "base/log.h"
#include "server/tls/test_tls.h"

namespace strata::server {
namespace {

namespace fs = std::filesystem;
using testing::issue;
using testing::Issued;

class TlsContextTest : public ::testing::Test {
 protected:
  void SetUp() override {
    folder_ = fs::path(::testing::TempDir()) / ("strata_pem_" + std::to_string(::getpid()));
    fs::create_directories(folder_);
    write("cert.pem", identity_.certificate);
    write("key.pem", identity_.key);
  }
  void TearDown() override { fs::remove_all(folder_); }

  std::string path(const std::string& name) const { return folder_ / name; }
  std::string write(const std::string& name, const std::string& text) const {
    std::ofstream(path(name), std::ios::binary) << text;
    return path(name);
  }
  ServerTls files() const {
    return {.certificate_file = path("cert.pem"), .key_file = path("key.pem")};
  }
  std::string refusal(const ServerTls& tls) const {
    const auto made = TlsContext::for_server(real_env(), tls);
    return made ? "taken" : made.error().message();
  }

  const Issued identity_ = issue();
  fs::path folder_;
};

TEST_F(TlsContextTest, SaysWhatIsWrongWithFiles) {
  const Issued other = issue();
  const auto with = [&](const std::string& certificate, const std::string& key) {
    return refusal({.certificate_file = certificate, .key_file = key});
  };
  const std::string cert = path("cert.pem"), key = path("key.pem");
  EXPECT_EQ(with(cert, key), "taken");
  const auto expect = [](const std::string& message, std::vector<std::string> parts) {
    for (const std::string& part : parts) EXPECT_TRUE(message.contains(part)) << message;
  };
  expect(with(path("none.pem"), key), {"--ssl-certfile", "none.pem", "No such file"});
  expect(with(cert, path("none.pem")), {"--ssl-keyfile", "none.pem", "No such file"});
  expect(with(folder_, key), {"--ssl-certfile", "regular file"});
  expect(with(write("junk", "junk"), key), {"--ssl-certfile", "no certificate", "PEM", "DER"});
  expect(with(key, key), {"--ssl-certfile", "a private key", "--ssl-keyfile"});
  expect(with(cert, cert), {"--ssl-keyfile", "a certificate", "--ssl-certfile"});
  expect(with(cert, path("junk")), {"--ssl-keyfile", "no private key", "PEM"});
  std::string damaged = identity_.certificate;
  damaged[100] = '!';
  expect(with(write("damaged", damaged), key), {"--ssl-certfile", "damaged"});
  expect(with(cert, write("other", other.key)), {"--ssl-keyfile", "another certificate's key"});
}

TEST_F(TlsContextTest, OpensEncryptedKeysWithTheirPasswordAlone) {
  ServerTls tls = files();
  tls.key_file = write("secret.pem", identity_.encrypted_key("swordfish"));
  EXPECT_TRUE(refusal(tls).contains("STRATA_SSL_KEYFILE_PASSWORD")) << refusal(tls);
  tls.password = "tuna";
  EXPECT_TRUE(refusal(tls).contains("another password")) << refusal(tls);
  tls.password_file = write("password", "swordfish\n");
  EXPECT_EQ(refusal(tls), "taken");
  tls.password_file.clear();
  tls.password = "swordfish";
  EXPECT_EQ(refusal(tls), "taken");
  tls.password_file = path("none");
  EXPECT_TRUE(refusal(tls).contains("--ssl-keyfile-password-file")) << refusal(tls);
}

std::string& last_warning() {
  static std::string text;
  return text;
}

TEST_F(TlsContextTest, WarnsOfCertificatesThatAreNotValidToday) {
  const auto warning = [&](long first, long last) {
    const Issued one = issue({.first_day = first, .last_day = last});
    last_warning().clear();
    const LogSink before =
        set_log_sink([](LogLevel, std::string_view line) { last_warning() = std::string(line); });
    const std::string taken = refusal({.certificate_file = write("dated.pem", one.certificate),
                                       .key_file = write("dated.key", one.key)});
    set_log_sink(before);
    EXPECT_EQ(taken, "taken");
    return last_warning();
  };
  EXPECT_TRUE(warning(-20, -10).contains("expired on")) << last_warning();
  EXPECT_TRUE(warning(10, 20).contains("not valid before")) << last_warning();
  EXPECT_EQ(warning(-1, 1), "");
}

TEST_F(TlsContextTest, NamesAHostThatItsCertificateHas) {
  const auto name = [&](const std::string& names, const std::string& host) {
    const Issued one = issue({.names = names});
    const auto made = TlsContext::for_server(
        real_env(),
        {.certificate_file = write("n.pem", one.certificate), .key_file = write("n.key", one.key)});
    return made ? (*made)->name_for(host) : made.error().message();
  };
  EXPECT_EQ(name("DNS:localhost,IP:127.0.0.1", "127.0.0.1"), "127.0.0.1");
  EXPECT_EQ(name("DNS:localhost", "127.0.0.1"), "localhost");
  EXPECT_EQ(name("DNS:*.example,DNS:api.example", "0.0.0.0"), "api.example");
  EXPECT_EQ(name("DNS:*.example", "0.0.0.0"), "0.0.0.0");
}

}  // namespace
}  // namespace strata::server

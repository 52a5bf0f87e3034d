// A server whose disk hangs under it: /health says so while it lasts, everything else that needs no
// engine goes on, and what was asked for is answered once the disk is back.
#include <filesystem>
#include <fstream>

#include "api/serve_fixture.h"
#include "server/metrics/test_exposition.h"

namespace strata::testing {
namespace {

class HealthFault : public ServeCli {
 protected:
  void TearDown() override {
    fs::remove(gate());
    for (const char* name : {"STRATA_FAULT", "STRATA_FAULT_FILE", "STRATA_FAULT_GATE"})
      ::unsetenv(name);
    ServeCli::TearDown();
  }
  static fs::path gate() { return file("gate"); }
  void start_streaming() {
    const fs::path library = fs::path(environment("STRATA_BINARY_DIR")) / "libfault_preload.so";
    ASSERT_TRUE(fs::exists(library));
    ASSERT_EQ(strata({"convert", model(), "--out", file("tiny.pack")}).exit_code, 0);
    ::setenv("STRATA_FAULT", "hang:", 1);
    ::setenv("STRATA_FAULT_FILE", "tiny.pack", 1);
    ::setenv("STRATA_FAULT_GATE", gate().c_str(), 1);
    ::setenv("LD_PRELOAD", library.c_str(), 1);
    start_server({"--weights-on", "disk", "--io", "pread", "--stall-timeout", "0.3"},
                 file("tiny.pack"));
    ::unsetenv("LD_PRELOAD");
  }
};

TEST_F(HealthFault, SaysThatTheEngineStallsUntilItGoesOn) {
  start_streaming();
  ASSERT_GT(port_, 0) << errors();
  expect_canary();
  EXPECT_EQ(ask(get("/health")).status, 200);
  std::ofstream(gate()) << "";
  Client client(port_);
  client.send(post(
      kText, text_body("a", {{"max_tokens", 300}, {"ignore_eos", true}, {"stream", true}}).dump()));
  Answer health = ask(get("/health"));
  while (health.status == 200) health = ask(get("/health"));
  EXPECT_EQ(health.status, 503);
  EXPECT_EQ(parsed(health.body)["status"], "stalled");
  EXPECT_EQ(ask(get("/readyz")).status, 503);
  EXPECT_EQ(ask(get("/livez")).status, 200);
  const server::testing::Exposition at(ask(get("/metrics")).body);
  EXPECT_GT(at.value("strata:engine_silent_seconds"), 0.3);

  fs::remove(gate());
  EXPECT_TRUE(client.read_until("data: [DONE]").ends_with("[DONE]"));
  while (ask(get("/health")).status != 200) {
  }
  expect_canary();
}

}  // namespace
}  // namespace strata::testing

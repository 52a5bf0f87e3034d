// A socket of ours in the manager's place: what comes, and what is said where nothing can.
#include "apps/serve/service_manager.h"

#include <gtest/gtest.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <string>

namespace strata::apps {
namespace {

namespace fs = std::filesystem;

class ServiceManager : public ::testing::Test {
 protected:
  void SetUp() override {
    std::string name = (fs::temp_directory_path() / "strata_manager_XXXXXX").string();
    ASSERT_NE(mkdtemp(name.data()), nullptr);
    folder_ = name;
  }
  void TearDown() override {
    if (socket_ >= 0) close(socket_);
    unsetenv("NOTIFY_SOCKET");
    fs::remove_all(folder_);
  }

  // Listens at `name`, whose first character is @ for an abstract one.
  void listen(const std::string& name) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, name.data(), name.size());
    if (name.front() == '@') address.sun_path[0] = '\0';
    socket_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
    const auto length = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + name.size());
    ASSERT_EQ(bind(socket_, reinterpret_cast<const sockaddr*>(&address), length), 0);
    setenv("NOTIFY_SOCKET", name.c_str(), 1);
  }
  std::string heard() const {
    std::array<char, 256> text = {};
    const ssize_t got = recv(socket_, text.data(), text.size(), 0);
    return got < 0 ? "nothing" : std::string(text.data(), static_cast<size_t>(got));
  }

  std::string folder_;
  int socket_ = -1;
};

TEST_F(ServiceManager, HearsEachStateOnce) {
  listen(folder_ + "/notify");
  EXPECT_TRUE(tell_service_manager(real_env(), kServiceReady));
  EXPECT_TRUE(tell_service_manager(real_env(), kServiceStopping));
  EXPECT_EQ(heard(), "READY=1");
  EXPECT_EQ(heard(), "STOPPING=1");
  EXPECT_EQ(heard(), "nothing");
}

TEST_F(ServiceManager, MayHaveAnAbstractName) {
  listen("@strata-test" + folder_);
  EXPECT_TRUE(tell_service_manager(real_env(), kServiceReady));
  EXPECT_EQ(heard(), "READY=1");
}

TEST_F(ServiceManager, IsNotToldWhereItDidNotAsk) {
  unsetenv("NOTIFY_SOCKET");
  EXPECT_TRUE(tell_service_manager(real_env(), kServiceReady));
  setenv("NOTIFY_SOCKET", "", 1);
  EXPECT_TRUE(tell_service_manager(real_env(), kServiceReady));
}

TEST_F(ServiceManager, ThatIsNotThereIsNamed) {
  setenv("NOTIFY_SOCKET", (folder_ + "/gone").c_str(), 1);
  const auto told = tell_service_manager(real_env(), kServiceReady);
  ASSERT_FALSE(told);
  EXPECT_EQ(told.error().code, Code::kUnavailable);
  EXPECT_NE(told.error().message().find(folder_ + "/gone"), std::string::npos);
}

TEST_F(ServiceManager, WithAnAddressOfAnotherKindIsRefused) {
  for (const std::string& address : {std::string("vsock:2:1234"), "/" + std::string(200, 'a')}) {
    setenv("NOTIFY_SOCKET", address.c_str(), 1);
    const auto told = tell_service_manager(real_env(), kServiceReady);
    ASSERT_FALSE(told);
    EXPECT_EQ(told.error().code, Code::kInvalidArgument);
  }
}

}  // namespace
}  // namespace strata::apps

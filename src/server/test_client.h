// For tests: a plain blocking socket that says exactly what it is told, and reads answers whole or
// as they come. No product code links it.
#pragma once

#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include <algorithm>
#include <charconv>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

namespace strata::server::testing {

struct Answer {
  int status = 0;  // 0: the connection ended without one
  std::string head;
  std::string body;

  bool has(std::string_view text) const { return head.contains(text); }
};

class Client {
 public:
  /// A port of this machine, or the path of a Unix socket.
  explicit Client(int port) : socket_(open(AF_INET)) {
    sockaddr_in address = {};
    address.sin_family = AF_INET;
    address.sin_port = htons(static_cast<uint16_t>(port));
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  explicit Client(const std::string& path) : socket_(open(AF_UNIX)) {
    sockaddr_un address = {};
    address.sun_family = AF_UNIX;
    std::memcpy(address.sun_path, path.c_str(), std::min(path.size(), sizeof(address.sun_path)));
    connect(reinterpret_cast<const sockaddr*>(&address), sizeof(address));
  }
  Client(Client&& other) noexcept
      : socket_(std::exchange(other.socket_, -1)), rest_(std::move(other.rest_)) {}
  virtual ~Client() { close(); }

  bool connected() const { return connected_; }
  bool send(std::string_view text) {
    while (!text.empty()) {
      const ssize_t count = send_some(text);
      if (count <= 0) return false;
      text.remove_prefix(static_cast<size_t>(count));
    }
    return true;
  }
  void end_sending() { ::shutdown(socket_, SHUT_WR); }
  /// Something came, or the end.
  bool readable() const {
    pollfd waits = {.fd = socket_, .events = POLLIN, .revents = 0};
    return ::poll(&waits, 1, 0) > 0;
  }
  void close() {
    if (socket_ >= 0) ::close(std::exchange(socket_, -1));
  }
  /// As little as possible is buffered for a client that does not read.
  void shrink_buffer() {
    const int bytes = 4096;
    ::setsockopt(socket_, SOL_SOCKET, SO_RCVBUF, &bytes, sizeof(bytes));
  }
  /// Up to and with `end`; what was there where the connection ends before.
  std::string read_until(std::string_view end) {
    size_t found = std::string::npos;
    while ((found = rest_.find(end)) == std::string::npos && fill()) {
    }
    const size_t size = found == std::string::npos ? rest_.size() : found + end.size();
    return take(size);
  }
  std::string read_all() {
    while (fill()) {
    }
    return take(rest_.size());
  }
  /// One answer: by its length, by chunks, or to the end. Interim answers are passed over.
  Answer read() {
    Answer answer;
    do {
      answer.head = read_until("\r\n\r\n");
      answer.status = answer.head.size() < 12 ? 0 : number(answer.head.substr(9, 3), 10);
    } while (answer.status >= 100 && answer.status < 200);
    if (answer.has("Transfer-Encoding: chunked")) {
      answer.body = read_chunks();
    } else if (const size_t at = answer.head.find("Content-Length: "); at != std::string::npos) {
      answer.body = read_bytes(static_cast<size_t>(number(answer.head.substr(at + 16), 10)));
    } else if (answer.status != 204 && answer.status != 304) {
      answer.body = read_all();
    }
    return answer;
  }
  std::string read_bytes(size_t count) {
    while (rest_.size() < count && fill()) {
    }
    return take(std::min(count, rest_.size()));
  }
  /// One chunk; empty at the end.
  std::string read_chunk() {
    const int size = number(read_until("\r\n"), 16);
    std::string data = read_bytes(static_cast<size_t>(size));
    read_bytes(2);
    return data;
  }
  std::string read_chunks() {
    std::string all;
    for (std::string piece = read_chunk(); !piece.empty(); piece = read_chunk()) all += piece;
    return all;
  }

 protected:
  int socket() const { return socket_; }
  virtual ssize_t send_some(std::string_view text) {
    return ::send(socket_, text.data(), text.size(), MSG_NOSIGNAL);
  }
  virtual ssize_t receive_some(char* to, size_t size) { return ::recv(socket_, to, size, 0); }

 private:
  static int open(int family) { return ::socket(family, SOCK_STREAM | SOCK_CLOEXEC, 0); }
  void connect(const sockaddr* address, socklen_t size) {
    connected_ = ::connect(socket_, address, size) == 0;
  }
  static int number(std::string_view text, int base) {
    int value = 0;
    std::from_chars(text.data(), text.data() + text.size(), value, base);
    return value;
  }
  bool fill() {
    char piece[16384];
    const ssize_t count = receive_some(piece, sizeof(piece));
    if (count <= 0) return false;
    rest_.append(piece, static_cast<size_t>(count));
    return true;
  }
  std::string take(size_t count) {
    std::string taken = rest_.substr(0, count);
    rest_.erase(0, count);
    return taken;
  }

  int socket_;
  bool connected_ = false;
  std::string rest_;
};

/// A POST of JSON.
inline std::string post(const std::string& path, const std::string& body,
                        const std::string& fields = "") {
  return "POST " + path + " HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n" +
         "Content-Length: " + std::to_string(body.size()) + "\r\n" + fields + "\r\n" + body;
}

inline std::string get(const std::string& path, const std::string& fields = "") {
  return "GET " + path + " HTTP/1.1\r\nHost: localhost\r\n" + fields + "\r\n";
}

}  // namespace strata::server::testing

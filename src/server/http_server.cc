// One io_context, a few threads, a strand for each connection. What the library throws while it is
// set up ends in start().
#include "server/http_server.h"

#include <fmt/core.h>

#include <algorithm>
#include <atomic>
#include <boost/asio/as_tuple.hpp>
#include <boost/asio/co_spawn.hpp>
#include <boost/asio/detached.hpp>
#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/signal_set.hpp>
#include <boost/asio/strand.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <condition_variable>
#include <csignal>
#include <exception>
#include <map>
#include <mutex>
#include <ranges>
#include <set>
#include <thread>
#include <tuple>
#include <utility>

#include "base/log.h"
#include "base/thread_name.h"
#include "server/connection.h"
#include "server/listen.h"

#include <unistd.h>

namespace strata::server {
namespace {

constexpr auto kResult = asio::as_tuple(asio::use_awaitable);
constexpr int64_t kSpareDescriptors = 64;  // for the model's files and everything else
constexpr std::chrono::milliseconds kAcceptPause{50};
// Connections that were told to go and have not gone yet: within the spare descriptors.
constexpr int64_t kMostLeaving = 16;

}  // namespace

struct HttpServer::Impl {
  class Presence;
  Impl(HttpConfig given, std::span<const Route> routes, Service& service)
      : config(std::move(given)),
        tls(config.tls),
        context{.config = config, .routes = routes, .service = service} {}

  Result<void> open();
  Result<void> start_threads();
  asio::awaitable<void> accept_all();
  asio::awaitable<void> serve(std::shared_ptr<Link> link, std::string peer);
  int64_t enter(const std::shared_ptr<Link>& link);
  void leave(int64_t number);
  void make_room();
  bool full() const { return std::ssize(links) - std::ssize(leaving) >= config.limits.connections; }
  void each_link(void (Link::*call)());
  void stop_listening();
  void take_signal();
  void take_hangup();

  HttpConfig config;
  std::shared_ptr<const TlsContext> tls;  // of the next connection: changed where they are accepted
  ConnectionContext context;
  asio::io_context io;
  asio::executor_work_guard<asio::io_context::executor_type> work{io.get_executor()};
  asio::strand<asio::io_context::executor_type> accepting{asio::make_strand(io)};
  Acceptor acceptor{accepting};
  asio::signal_set signals{accepting};
  std::function<void()> on_signal;
  asio::signal_set hangups{accepting};
  MakeTls make_tls;
  std::string url;
  std::vector<std::thread> threads;

  std::mutex mutex;
  std::condition_variable emptied;
  std::map<int64_t, std::weak_ptr<Link>> links;
  std::set<int64_t> leaving;  // of the links: they were told to make room
  int64_t last_link = 0;
  bool draining = false;
  bool closing = false;
};

// Counts a connection for as long as it is served, whatever ends it.
class HttpServer::Impl::Presence {
 public:
  Presence(Impl& impl, const std::shared_ptr<Link>& link) : impl_(impl), number_(impl.enter(link)) {
    if (impl_.config.counts != nullptr) impl_.config.counts->open();
  }
  Presence(const Presence&) = delete;
  Presence& operator=(const Presence&) = delete;
  ~Presence() {
    impl_.leave(number_);
    if (impl_.config.counts != nullptr) impl_.config.counts->close();
  }
  int64_t number() const { return number_; }

 private:
  Impl& impl_;
  int64_t number_;
};

Result<void> HttpServer::Impl::open() {
  const int64_t descriptors = raise_descriptor_limit();
  config.limits.connections = std::clamp<int64_t>(
      config.limits.connections, 1, std::max<int64_t>(1, descriptors - kSpareDescriptors));
  if (!config.uds.empty()) {
    TRY(listen_uds(acceptor, config.uds));
    url = "unix:" + config.uds;
    context.any_host = true;
    return {};
  }
  TRY(listen_tcp(acceptor, config.host, config.port));
  const bool bare_ipv6 = config.host.contains(':') && !config.host.starts_with('[');
  url = fmt::format(fmt::runtime(bare_ipv6 ? "{}://[{}]:{}" : "{}://{}:{}"),
                    tls == nullptr ? "http" : "https", config.host, local_port(acceptor));
  // Whoever may reach this machine from elsewhere calls it what they like; a browser on this one
  // must not be led here by a name of somebody else's.
  context.any_host = !is_loopback(config.host) && config.allowed_hosts.empty();
  return {};
}

Result<void> HttpServer::Impl::start_threads() {
  asio::co_spawn(accepting, accept_all(), asio::detached);
  for (int i = 0; i < config.threads; i++) {
    threads.emplace_back([this] { io.run(); });
    name_thread(threads.back(), "strata-http");
  }
  return {};
}

asio::awaitable<void> HttpServer::Impl::accept_all() {
  asio::steady_timer pause(accepting);
  for (;;) {
    asio::generic::stream_protocol::endpoint remote;
    auto [failure, socket] = co_await acceptor.async_accept(
        asio::any_io_executor(asio::make_strand(io)), remote, kResult);
    if (!acceptor.is_open()) co_return;
    if (failure) {  // descriptors are gone, most likely: some will come back
      pause.expires_after(kAcceptPause);
      co_await pause.async_wait(kResult);
      continue;
    }
    std::string peer = peer_name(remote);
    const asio::any_io_executor strand = socket.get_executor();
    auto link = std::make_shared<Link>(std::move(socket), config.limits.write_timeout);
    if (tls != nullptr) link->use_tls(tls);
    asio::co_spawn(strand, serve(std::move(link), std::move(peer)), asio::detached);
  }
}

asio::awaitable<void> HttpServer::Impl::serve(std::shared_ptr<Link> link, std::string peer) {
  const Presence presence(*this, link);
  if (presence.number() > 0) {
    co_await serve_connection(link, std::move(peer), context);
  } else {
    co_await refuse_connection(link);
  }
}

// 0 where there are too many.
int64_t HttpServer::Impl::enter(const std::shared_ptr<Link>& link) {
  const std::lock_guard lock(mutex);
  if (closing) link->close_soon();
  if (draining) link->drain();
  if (full()) make_room();
  if (full()) return 0;
  links[++last_link] = link;
  return last_link;
}

void HttpServer::Impl::leave(int64_t number) {
  const std::lock_guard lock(mutex);
  links.erase(number);
  leaving.erase(number);
  if (links.empty()) emptied.notify_all();
}

// Those that have been between requests for longest go first. Some at a time where many are open: a
// look at all of them is not for every newcomer.
void HttpServer::Impl::make_room() {
  const int64_t most = std::clamp<int64_t>(config.limits.connections / 64, 1, kMostLeaving);
  std::vector<std::tuple<int64_t, int64_t, std::shared_ptr<Link>>> idle;
  for (const auto& [number, weak] : links) {
    const auto link = leaving.contains(number) ? nullptr : weak.lock();
    const int64_t since = link ? link->idle_since_ns() : 0;
    if (since != 0) idle.emplace_back(since, number, link);
  }
  const int64_t wanted = std::min(most - std::ssize(leaving), std::ssize(idle));
  if (wanted <= 0) return;
  std::ranges::nth_element(idle, idle.begin() + wanted - 1);
  for (const auto& [since, number, link] : idle | std::views::take(wanted)) {
    leaving.insert(number);
    link->close_if_idle();
  }
}

void HttpServer::Impl::each_link(void (Link::*call)()) {
  const std::lock_guard lock(mutex);
  for (const auto& [number, weak] : links) {
    if (const auto link = weak.lock()) ((*link).*call)();
  }
}

void HttpServer::Impl::stop_listening() {
  asio::post(accepting, [this] {
    boost::system::error_code ignored;
    acceptor.close(ignored);
    if (!config.uds.empty()) ::unlink(config.uds.c_str());
  });
}

void HttpServer::Impl::take_signal() {
  signals.async_wait([this](boost::system::error_code failure, int) {
    if (failure) return;
    boost::system::error_code ignored;
    signals.clear(ignored);  // the second one ends the process
    std::signal(SIGINT, SIG_DFL);
    std::signal(SIGTERM, SIG_DFL);
    on_signal();
  });
}

void HttpServer::Impl::take_hangup() {
  hangups.async_wait([this](boost::system::error_code failure, int) {
    if (failure) return;
    auto made = make_tls();
    if (made) {
      tls = std::move(*made);
      log_info("SIGHUP: new connections have the certificate as it is now");
    } else {
      log_warning("SIGHUP: the certificate stays as it was: {}", made.error().message());
    }
    take_hangup();
  });
}

HttpServer::HttpServer(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}

Result<std::unique_ptr<HttpServer>> HttpServer::start(HttpConfig config,
                                                      std::span<const Route> routes,
                                                      Service& service) {
  try {  // the library throws where the system lacks descriptors or threads
    auto impl = std::make_unique<Impl>(std::move(config), routes, service);
    TRY(impl->open());
    std::unique_ptr<HttpServer> made(new HttpServer(std::move(impl)));
    TRY(made->impl_->start_threads());
    return made;
  } catch (const std::exception& error) {
    return fail(Code::kResourceLimit, "the server cannot start", error.what());
  }
}

HttpServer::~HttpServer() {
  if (impl_->threads.empty()) return;
  impl_->stop_listening();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->closing = true;
  }
  impl_->each_link(&Link::close_soon);
  asio::post(impl_->accepting, [impl = impl_.get()] {
    boost::system::error_code ignored;
    impl->signals.cancel(ignored);
    impl->hangups.cancel(ignored);
  });
  impl_->work.reset();
  for (std::thread& thread : impl_->threads) thread.join();
}

const std::string& HttpServer::url() const { return impl_->url; }

int64_t HttpServer::connections() const {
  const std::lock_guard lock(impl_->mutex);
  return std::ssize(impl_->links);
}

void HttpServer::drain() {
  impl_->stop_listening();
  {
    const std::lock_guard lock(impl_->mutex);
    impl_->draining = true;
  }
  impl_->each_link(&Link::drain);
}

bool HttpServer::wait_until_empty(std::chrono::milliseconds patience) {
  std::unique_lock lock(impl_->mutex);
  return impl_->emptied.wait_for(lock, patience, [this] { return impl_->links.empty(); });
}

void HttpServer::on_signal(std::function<void()> call) {
  impl_->on_signal = std::move(call);
  boost::system::error_code ignored;
  impl_->signals.add(SIGINT, ignored);
  impl_->signals.add(SIGTERM, ignored);
  asio::post(impl_->accepting, [impl = impl_.get()] { impl->take_signal(); });
}

void HttpServer::renew_tls_at_hangup(MakeTls make) {
  impl_->make_tls = std::move(make);
  boost::system::error_code ignored;
  impl_->hangups.add(SIGHUP, ignored);
  asio::post(impl_->accepting, [impl = impl_.get()] { impl->take_hangup(); });
}

bool is_loopback(std::string_view host) {
  constexpr std::string_view kNames[] = {"localhost", "::1", "[::1]"};
  const auto same = [&](std::string_view name) { return same_name(name, host); };
  if (std::ranges::any_of(kNames, same)) return true;
  // An address, not a name that begins like one: whoever owns 127.0.0.1.example may say where it
  // is.
  boost::system::error_code fault;
  const auto address = asio::ip::make_address_v4(std::string(host), fault);
  return !fault && address.is_loopback();
}

}  // namespace strata::server

// The hashes are made here, not when the page is built, so that headers and bytes cannot disagree.
#include "server/page/web_page.h"

#include <fmt/core.h>
#include <openssl/evp.h>
#include <openssl/sha.h>

#include <array>

#include "base/check.h"

extern "C" {
// Defined in web_page.S.
extern const char strata_web_page_begin[];
extern const char strata_web_page_end[];
}

namespace strata::server {
namespace {

constexpr std::string_view kScript = "<script type=\"module\">";
constexpr std::string_view kStyles = "<style>";

std::string hash_of(std::string_view text) {
  std::array<unsigned char, SHA256_DIGEST_LENGTH> hash{};
  SHA256(reinterpret_cast<const unsigned char*>(text.data()), text.size(), hash.data());
  std::string base64(4 * ((hash.size() + 2) / 3) + 1, '\0');
  const int size = EVP_EncodeBlock(reinterpret_cast<unsigned char*>(base64.data()), hash.data(),
                                   static_cast<int>(hash.size()));
  base64.resize(static_cast<size_t>(size));
  return base64;
}

// What stands between this tag and the next closing one.
std::string_view inside(std::string_view html, std::string_view tag, std::string_view closing) {
  const size_t begin = html.find(tag);
  CHECK(begin != std::string_view::npos, "the built page has this tag");
  const std::string_view rest = html.substr(begin + tag.size());
  return rest.substr(0, rest.find(closing));
}

WebPage make_page() {
  const std::string_view html(strata_web_page_begin,
                              static_cast<size_t>(strata_web_page_end - strata_web_page_begin));
  return {
      .html = html,
      .etag = fmt::format("\"{}\"", hash_of(html)),
      .policy = fmt::format(
          "default-src 'none'; script-src 'sha256-{}'; style-src 'sha256-{}'; "
          "connect-src 'self'; img-src data:; base-uri 'none'; form-action 'none'; "
          "frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'",
          hash_of(inside(html, kScript, "</script>")), hash_of(inside(html, kStyles, "</style>")))};
}

}  // namespace

const WebPage& web_page() {
  static const WebPage kPage = make_page();
  return kPage;
}

// A tag holds no comma: base64 has none.
bool has_page(std::string_view if_none_match) {
  return if_none_match == "*" || if_none_match.contains(web_page().etag);
}

}  // namespace strata::server

#include "io/sha256.h"

#include <openssl/evp.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <vector>

#include "io/file_descriptor.h"

namespace mxdit {

struct Sha256::State {
  EVP_MD_CTX* context = EVP_MD_CTX_new();
  ~State() { EVP_MD_CTX_free(context); }
};

Sha256::Sha256() : state_(std::make_unique<State>()) {
  if (state_->context == nullptr || EVP_DigestInit_ex(state_->context, EVP_sha256(), nullptr) != 1)
    fail(ErrorKind::internal, "[io] sha256: libcrypto could not start a digest");
}

Sha256::~Sha256() = default;

void Sha256::update(const void* data, size_t bytes) {
  MXDIT_CHECK(EVP_DigestUpdate(state_->context, data, bytes) == 1, "[io] sha256: update failed");
}

std::string Sha256::hex_digest() {
  std::array<unsigned char, EVP_MAX_MD_SIZE> digest;
  unsigned int size = 0;
  MXDIT_CHECK(EVP_DigestFinal_ex(state_->context, digest.data(), &size) == 1,
              "[io] sha256: digest taken twice");
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  for (unsigned int i = 0; i < size; ++i) {
    text += kDigits[digest[i] >> 4];
    text += kDigits[digest[i] & 15];
  }
  return text;
}

void update_with_file(Sha256& hash, const std::filesystem::path& path) {
  const OpenFile file = open_for_reading(path);
  std::vector<char> buffer(size_t{1} << 18);
  while (true) {
    const ssize_t got = ::read(file.fd.get(), buffer.data(), buffer.size());
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(path, "reading", errno);
    if (got == 0) return;
    hash.update(buffer.data(), static_cast<size_t>(got));
  }
}

std::string sha256_of_file(const std::filesystem::path& path) {
  Sha256 hash;
  update_with_file(hash, path);
  return hash.hex_digest();
}

}  // namespace mxdit

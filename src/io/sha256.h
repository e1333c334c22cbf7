// SHA-256, for manifests and model fingerprints.
#pragma once

#include <cstddef>
#include <filesystem>
#include <memory>
#include <string>
#include <string_view>

namespace mxdit {

class Sha256 {
 public:
  Sha256();
  ~Sha256();
  Sha256(const Sha256&) = delete;
  Sha256& operator=(const Sha256&) = delete;

  void update(const void* data, size_t bytes);
  void update(std::string_view text) { update(text.data(), text.size()); }
  // 64 lower case hex digits of everything so far. Ends the computation: call once.
  std::string hex_digest();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

// Adds the whole content of a file, read in pieces. Errors: not_found, bad_input, io.
void update_with_file(Sha256& hash, const std::filesystem::path& path);
std::string sha256_of_file(const std::filesystem::path& path);

}  // namespace mxdit

// The identity of files by content and relative name; ModelFolder::fingerprint() says what counts.
#pragma once

#include <filesystem>
#include <string>

#include "core/tensor.h"
#include "io/sha256.h"

namespace mxdit {

// Files up to this size are hashed completely.
constexpr uint64_t kFingerprintWholeFile = uint64_t{64} << 20;

class Fingerprint {
 public:
  // `whole_file` is for tests; results with another value are not comparable.
  explicit Fingerprint(uint64_t whole_file = kFingerprintWholeFile) : whole_file_(whole_file) {}

  // All files below `folder`, as "prefix/relative/name", sorted.
  void add_folder(const std::string& prefix, const std::filesystem::path& folder);
  void add_file(const std::string& name, const std::filesystem::path& file);
  // Call once, at the end.
  std::string hex_digest() { return hash_.hex_digest(); }

 private:
  void add_sampled(const std::filesystem::path& file);
  void add_ends(const Storage& content, uint64_t begin, uint64_t end, uint64_t sample);

  uint64_t whole_file_;
  Sha256 hash_;
};

}  // namespace mxdit

// Reading large files in pieces, so that memory does not grow with them.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>

#include "core/cancel.h"
#include "io/file_descriptor.h"

namespace mxdit::conversion {

constexpr size_t kPieceBytes = size_t{4} << 20;

// Called with the next bytes of a range; all pieces but the last have kPieceBytes.
using PieceSink = std::function<void(const uint8_t* data, size_t bytes)>;

// Holds one buffer of kPieceBytes. What was read is given back to the system at once (the page
// cache keeps nothing of it), and nothing is mapped.
class PieceReader {
 public:
  // Errors: not_found, bad_input (not a regular file), io.
  explicit PieceReader(const std::filesystem::path& file);

  uint64_t file_bytes() const noexcept { return file_.bytes; }
  // Before each piece `cancel` (may be null) is asked. Errors: io, also for a file that is shorter
  // now than its header said; cancelled; those of `sink`.
  void read(uint64_t offset, uint64_t bytes, const PieceSink& sink, const CancelToken* cancel);

 private:
  void fill(uint64_t offset, size_t bytes);

  std::filesystem::path path_;
  OpenFile file_;
  std::unique_ptr<uint8_t[]> buffer_;
};

// Copies one file, completely or not at all, with its modification time; `progress` gets the bytes
// of each piece. Errors: as above and of AtomicFile.
void copy_file_in_pieces(const std::filesystem::path& from, const std::filesystem::path& to,
                         const std::function<void(size_t)>& progress, const CancelToken* cancel);

}  // namespace mxdit::conversion

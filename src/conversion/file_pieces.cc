#include "conversion/file_pieces.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>

#include "core/error.h"
#include "io/atomic_file.h"

namespace mxdit::conversion {

namespace fs = std::filesystem;

PieceReader::PieceReader(const fs::path& file)
    : path_(file),
      file_(open_for_reading(file)),
      buffer_(std::make_unique_for_overwrite<uint8_t[]>(kPieceBytes)) {}

void PieceReader::fill(uint64_t offset, size_t bytes) {
  for (size_t done = 0; done < bytes;) {
    const ssize_t got = ::pread(file_.fd.get(), buffer_.get() + done, bytes - done,
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) fail_errno(path_, "reading", errno);
    if (got == 0)
      fail(ErrorKind::io, "[conversion] ", path_.string(), ": expected ", bytes, " bytes at ",
           offset, ", got ", done, " (was the file changed meanwhile?)");
    done += static_cast<size_t>(got);
  }
}

void PieceReader::read(uint64_t offset, uint64_t bytes, const PieceSink& sink,
                       const CancelToken* cancel) {
  while (bytes > 0) {
    check_cancelled(cancel);
    const size_t piece = static_cast<size_t>(std::min<uint64_t>(bytes, kPieceBytes));
    fill(offset, piece);
    // Only a hint: a system that keeps the pages is slower for others, not wrong.
    (void)::posix_fadvise(file_.fd.get(), static_cast<off_t>(offset), static_cast<off_t>(piece),
                          POSIX_FADV_DONTNEED);
    sink(buffer_.get(), piece);
    offset += piece;
    bytes -= piece;
  }
}

void copy_file_in_pieces(const fs::path& from, const fs::path& to,
                         const std::function<void(size_t)>& progress, const CancelToken* cancel) {
  PieceReader reader(from);
  AtomicFile output(to);
  output.reserve(reader.file_bytes());
  uint64_t offset = 0;
  const auto write = [&](const uint8_t* data, size_t bytes) {
    output.write_at(offset, data, bytes);
    offset += bytes;
    progress(bytes);
  };
  reader.read(0, reader.file_bytes(), write, cancel);
  output.commit();
  std::error_code ignored;  // some file systems keep no times
  fs::last_write_time(to, fs::last_write_time(from, ignored), ignored);
}

}  // namespace mxdit::conversion

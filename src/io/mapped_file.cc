#include "io/mapped_file.h"

#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>

#include "io/file_descriptor.h"

namespace mxdit {

std::shared_ptr<Storage> map_file(const std::filesystem::path& path, FileIdentity* identity) {
  const OpenFile file = open_for_reading(path);
  if (identity != nullptr) *identity = file.identity;
  if (file.bytes == 0) {
    // mmap refuses empty ranges; a real address spares callers the null pointer.
    alignas(64) static char nothing[64];
    return std::make_shared<Storage>(nothing, 0, nullptr);
  }
  void* data = ::mmap(nullptr, file.bytes, PROT_READ, MAP_SHARED, file.fd.get(), 0);
  if (data == MAP_FAILED) fail_errno(path, "mapping", errno);
  return std::make_shared<Storage>(data, file.bytes,
                                   [data, bytes = file.bytes] { ::munmap(data, bytes); });
}

void release_pages(const Storage& file, size_t offset, size_t bytes) noexcept {
  const auto page = static_cast<size_t>(::sysconf(_SC_PAGESIZE));
  const size_t begin = (offset + page - 1) / page * page;
  const size_t end = (offset + bytes) / page * page;
  // Only a hint: a failure leaves the pages where they are.
  if (begin < end) (void)::madvise(static_cast<char*>(file.data()) + begin, end - begin, MADV_DONTNEED);
}

}  // namespace mxdit

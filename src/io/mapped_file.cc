#include "io/mapped_file.h"

#include <sys/mman.h>

#include <cerrno>

#include "io/file_descriptor.h"

namespace mxdit {

std::shared_ptr<Storage> map_file(const std::filesystem::path& path) {
  const OpenFile file = open_for_reading(path);
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

}  // namespace mxdit

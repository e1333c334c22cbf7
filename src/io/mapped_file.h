// A file mapped into memory, read-only.
//
// The returned block owns the mapping: it stays valid while any copy of the pointer lives, also
// after the file was deleted or replaced by a rename. A file that another process makes *shorter*
// in place while it is mapped ends this process with SIGBUS on the next access to the lost part;
// nothing here can turn that into an error, so weight files must be replaced, never truncated.
#pragma once

#include <filesystem>
#include <memory>

#include "core/tensor.h"
#include "io/file_descriptor.h"

namespace mxdit {

// Maps the whole file. An empty file gives a block of zero bytes.
// Errors: not_found (no such file), bad_input (a folder, a device), io (everything else; with the
// text of errno). `identity`, unless null, becomes that of the mapped file.
std::shared_ptr<Storage> map_file(const std::filesystem::path& path,
                                  FileIdentity* identity = nullptr);

// Gives the memory of the whole pages within [offset, offset + bytes) of a mapped file back to the
// system: the next access reads them again. `file` must come from map_file: of other memory the
// content would be lost.
void release_pages(const Storage& file, size_t offset, size_t bytes) noexcept;

}  // namespace mxdit

// Moving and filling bytes, on a host thread (aclrtMemcpy) or on a queue thread (aclrtMemcpyAsync).
#pragma once

#include <cstddef>
#include <memory>

namespace ascend_emulator {

struct Copy {
  void* dst = nullptr;
  const void* src = nullptr;
  size_t bytes = 0;
  bool dst_on_device = false;
  bool src_on_device = false;
};

// FRACTAL_NZ that is copied whole from device to device stays what it is; every other write ends
// it. Throws KernelFault when device memory is not there (any more). Called without the state's
// mutex.
void run_copy(const Copy& copy);
void run_fill(void* pointer, int value, size_t bytes);

}  // namespace ascend_emulator

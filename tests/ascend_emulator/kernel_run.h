// A kernel on the queue thread, and the memory that it may touch.
#pragma once

#include <cstdint>
#include <memory>

#include "ascend_emulator/executor.h"

namespace ascend_emulator {

struct Launch {
  std::shared_ptr<const Executor> executor;
  void* workspace = nullptr;
  int device = 0;
};

// Why a tensor's memory cannot be used: "" or a text ("out: a host pointer"). With the state's
// mutex held.
std::string problem_of_memory(const Argument& argument, int device);
// Why the workspace cannot be used, likewise.
std::string problem_of_workspace(const Launch& launch, uint64_t bytes);

// Throws KernelFault. Called without the state's mutex.
void run_kernel(const Launch& launch);

}  // namespace ascend_emulator

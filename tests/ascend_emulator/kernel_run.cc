#include "ascend_emulator/kernel_run.h"

#include <algorithm>
#include <cstring>
#include <map>
#include <vector>

#include "ascend_emulator/view_bytes.h"

namespace ascend_emulator {

namespace {

// Bytes around an output that are compared before and after.
constexpr uint64_t kFence = 128;
constexpr uint64_t kAddressUnit = 32;

uint64_t number_of(const void* address) {
  return reinterpret_cast<uint64_t>(address);
}

// The memory of a launch, found and locked.
class Footprint {
 public:
  explicit Footprint(const Launch& launch) : launch_(launch) {}
  void find();
  void lock();
  std::byte* storage(size_t argument) const { return storages_[argument]; }
  const std::vector<std::byte*>& storages() const { return storages_; }
  std::byte* workspace() const { return workspace_; }
  std::byte* limit(size_t argument, bool end) const;
  void require_alive() const;
  void check_nz() const;
  // After the kernel; `broken` names the output beside whose view something was written.
  void finish(const std::string& broken) const;

 private:
  void update_nz() const;
  [[noreturn]] void fault(const std::string& text) const;
  void use(const std::shared_ptr<Allocation>& allocation, bool writes);

  const Launch& launch_;
  std::vector<std::shared_ptr<Allocation>> allocations_;  // of each argument, nullptr when empty
  std::vector<std::byte*> storages_;
  std::byte* workspace_ = nullptr;
  // By address, so that two kernels never wait for each other.
  std::map<uint64_t, std::pair<std::shared_ptr<Allocation>, bool>> used_;
  std::vector<std::shared_lock<std::shared_mutex>> readers_;
  std::vector<std::unique_lock<std::shared_mutex>> writers_;
};

// A broken rule ends as the device's own error: an exception of the core, seen at the next wait.
void Footprint::fault(const std::string& text) const {
  const std::string message = std::string(launch_.executor->info().name) + ": " + text;
  state().broken(message);
  throw KernelFault{ACL_ERROR_RT_AICORE_EXCEPTION, message};
}

void Footprint::use(const std::shared_ptr<Allocation>& allocation, bool writes) {
  auto& entry = used_[allocation->address];
  entry.first = allocation;
  entry.second = entry.second || writes;
}

void Footprint::find() {
  const State& all = state();
  const Executor& executor = *launch_.executor;
  for (const Argument& argument : executor.arguments) {
    if (all.tensors.fate(argument.handle) != HandleFate::alive) {
      fault(argument.name + ": the tensor was destroyed before the kernel ran");
    }
    if (const std::string problem = problem_of_memory(argument, launch_.device); !problem.empty()) {
      fault(problem);
    }
    const Tensor& tensor = *argument.tensor;
    const bool empty = tensor.elements() == 0;
    auto allocation = empty ? nullptr : all.memory.find(tensor.address, tensor.storage_bytes());
    allocations_.push_back(allocation);
    storages_.push_back(
        empty ? nullptr : allocation->bytes + (number_of(tensor.address) - allocation->address));
    if (allocation) use(allocation, argument.writes);
  }
  if (executor.workspace == 0) return;
  if (const std::string problem = problem_of_workspace(launch_, executor.workspace);
      !problem.empty()) {
    fault(problem);
  }
  const auto allocation = all.memory.find(launch_.workspace, executor.workspace);
  workspace_ = allocation->bytes + (number_of(launch_.workspace) - allocation->address);
  use(allocation, true);
}

void Footprint::lock() {
  for (const auto& [address, entry] : used_) {
    if (entry.second) {
      writers_.emplace_back(entry.first->running);
    } else {
      readers_.emplace_back(entry.first->running);
    }
  }
}

// First or last byte of the argument's allocation.
std::byte* Footprint::limit(size_t argument, bool end) const {
  const Allocation& allocation = *allocations_[argument];
  return allocation.bytes + (end ? allocation.size : 0);
}

void Footprint::require_alive() const {
  for (const auto& [address, entry] : used_) {
    if (entry.first->freed) fault("memory was freed before the kernel ended");
  }
}

void Footprint::check_nz() const {
  const Executor& executor = *launch_.executor;
  for (size_t i = 0; i < executor.arguments.size(); ++i) {
    const Argument& argument = executor.arguments[i];
    if (!argument.reads || allocations_[i] == nullptr) continue;
    const Tensor& tensor = *argument.tensor;
    const auto& regions = allocations_[i]->nz;
    const uint64_t base = number_of(tensor.address) - allocations_[i]->address;
    if (is_nz(tensor.format)) {
      const auto region = regions.find(base);
      const bool known = region != regions.end() &&
                         region->second.bytes == tensor.storage_bytes() &&
                         region->second.storage_shape == tensor.storage_shape &&
                         region->second.bits == bits_per_element(tensor.dtype);
      if (known) continue;
      if (region == regions.end() && state().settings.host_nz) continue;
      fault(argument.name + ": the bytes are not FRACTAL_NZ of storage " +
            to_text(tensor.storage_shape) + " that NpuFormatCast wrote");
    }
    for (const auto& [offset, region] : regions) {
      if (offset < base + tensor.view_end() && base + tensor.view_begin() < offset + region.bytes) {
        fault(argument.name + ": FRACTAL_NZ bytes are read as ND");
      }
    }
  }
}

void Footprint::update_nz() const {
  const Executor& executor = *launch_.executor;
  for (size_t i = 0; i < executor.arguments.size(); ++i) {
    const Argument& argument = executor.arguments[i];
    if (!argument.writes || allocations_[i] == nullptr) continue;
    const Tensor& tensor = *argument.tensor;
    const uint64_t base = number_of(tensor.address) - allocations_[i]->address;
    allocations_[i]->erase_nz(base + tensor.view_begin(), base + tensor.view_end());
    if (is_nz(tensor.format)) {
      allocations_[i]->nz[base] = {tensor.storage_bytes(), tensor.storage_shape,
                                   bits_per_element(tensor.dtype)};
    }
  }
  if (executor.workspace == 0) return;
  const auto allocation = state().memory.find(launch_.workspace, executor.workspace);
  const uint64_t base = number_of(launch_.workspace) - allocation->address;
  allocation->erase_nz(base, base + executor.workspace);
}

void Footprint::finish(const std::string& broken) const {
  if (!broken.empty()) fault(broken + ": bytes outside of its view were written");
  require_alive();
  update_nz();
}

// Copies of what an output's view does not cover, next to it and in its gaps.
class Fences {
 public:
  Fences(const Executor& executor, const Footprint& footprint)
      : executor_(executor), footprint_(footprint) {
    for (size_t i = 0; i < executor.arguments.size(); ++i) {
      if (executor.arguments[i].writes && footprint.storage(i) != nullptr) watch(i);
    }
  }
  // Name of an output outside of whose view something was written, or "".
  std::string broken();

 private:
  struct Copy {
    size_t argument;
    std::byte* begin;
    std::vector<std::byte> bytes;
  };

  void watch(size_t i) {
    const Tensor& tensor = *executor_.arguments[i].tensor;
    std::byte* first = footprint_.storage(i) + tensor.view_begin();
    std::byte* last = footprint_.storage(i) + tensor.view_end();
    std::byte* low = first - std::min<uint64_t>(kFence, first - footprint_.limit(i, false));
    std::byte* high = last + std::min<uint64_t>(kFence, footprint_.limit(i, true) - last);
    if (tensor.contiguous()) {
      copies_.push_back({i, low, {low, first}});
      copies_.push_back({i, last, {last, high}});
    } else {
      copies_.push_back({i, low, {low, high}});
    }
  }

  const Executor& executor_;
  const Footprint& footprint_;
  std::vector<Copy> copies_;
};

std::string Fences::broken() {
  for (Copy& copy : copies_) {
    std::byte* end = copy.begin + copy.bytes.size();
    // What the outputs' views cover may change: take it over, then all must be equal.
    for (size_t i = 0; i < executor_.arguments.size(); ++i) {
      std::byte* storage = footprint_.storage(i);
      if (!executor_.arguments[i].writes || storage == nullptr) continue;
      for_each_run(*executor_.arguments[i].tensor, [&](uint64_t first, uint64_t last) {
        std::byte* from = std::max(copy.begin, storage + first);
        std::byte* to = std::min(end, storage + last);
        if (from < to) std::memcpy(copy.bytes.data() + (from - copy.begin), from, to - from);
      });
    }
    if (!copy.bytes.empty() && std::memcmp(copy.bytes.data(), copy.begin, copy.bytes.size()) != 0) {
      return executor_.arguments[copy.argument].name;
    }
  }
  return "";
}

}  // namespace

std::string problem_of_memory(const Argument& argument, int device) {
  const Tensor& tensor = *argument.tensor;
  if (tensor.elements() == 0) return "";
  const DeviceMemory& memory = state().memory;
  const std::string prefix = argument.name + ": ";
  if (tensor.address == nullptr) return prefix + "the tensor has no memory";
  if (!memory.is_device(tensor.address)) return prefix + "a host pointer is no tensor data";
  if (number_of(tensor.address) % kAddressUnit != 0) {
    return prefix + "the address is not a multiple of 32 bytes";
  }
  const auto allocation = memory.find(tensor.address, tensor.storage_bytes());
  if (!allocation) {
    return prefix + "storage " + to_text(tensor.storage_shape) + " of " + dtype_name(tensor.dtype) +
           " lies in " + memory.describe(tensor.address, tensor.storage_bytes());
  }
  if (allocation->device != device) {
    return prefix + "the memory belongs to device " + std::to_string(allocation->device);
  }
  return "";
}

std::string problem_of_workspace(const Launch& launch, uint64_t bytes) {
  const DeviceMemory& memory = state().memory;
  if (launch.workspace == nullptr)
    return "workspace: expected " + std::to_string(bytes) + " bytes, got none";
  if (!memory.is_device(launch.workspace)) return "workspace: a host pointer";
  if (number_of(launch.workspace) % kAddressUnit != 0) {
    return "workspace: the address is not a multiple of 32 bytes";
  }
  const auto allocation = memory.find(launch.workspace, bytes);
  if (!allocation) return "workspace: lies in " + memory.describe(launch.workspace, bytes);
  if (allocation->device != launch.device) return "workspace: the memory belongs to another device";
  const uint64_t begin = number_of(launch.workspace);
  for (const Argument& argument : launch.executor->arguments) {
    if (argument.tensor->elements() == 0) continue;
    const uint64_t storage = number_of(argument.tensor->address);
    if (begin < storage + argument.tensor->view_end() &&
        storage + argument.tensor->view_begin() < begin + bytes) {
      return "workspace: overlaps " + argument.name;
    }
  }
  return "";
}

void run_kernel(const Launch& launch) {
  State& all = state();
  const Executor& executor = *launch.executor;
  Footprint footprint(launch);
  {
    Lock lock(all.mutex);
    all.count("kernels");
    if (all.settings.kernel_fails.strikes(executor.info().name)) {
      throw KernelFault{ACL_ERROR_RT_AICORE_EXCEPTION,
                        std::string(executor.info().name) + ": the AI core raised an exception"};
    }
    footprint.find();
  }
  footprint.lock();
  {
    Lock lock(all.mutex);
    footprint.require_alive();
    footprint.check_nz();
  }
  if (executor.workspace > 0) std::memset(footprint.workspace(), 0xFF, executor.workspace);
  Fences fences(executor, footprint);
  Run run = RunAccess::make(footprint.storages());
  executor.kernel(run);
  const std::string broken = fences.broken();
  Lock lock(all.mutex);
  footprint.finish(broken);
}

}  // namespace ascend_emulator

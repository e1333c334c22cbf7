// libacl_rt.so: memory, copies.
#include <cstdlib>

#include "ascend_emulator/acl_abi.h"
#include "ascend_emulator/copies.h"
#include "ascend_emulator/operator.h"
#include "ascend_emulator/state.h"

using namespace ascend_emulator;

namespace {

aclError invalid(const char* function, const std::string& text) {
  return fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": " + text);
}

// Also kept for aclFinalize: a device would corrupt memory or read garbage.
aclError break_rule(const char* function, const std::string& text) {
  state().broken(std::string(function) + ": " + text);
  return invalid(function, text);
}

// The pinned block that holds this address, or nullptr.
HostBlock* find_pinned(const void* pointer, uint64_t& offset) {
  const auto address = reinterpret_cast<uint64_t>(pointer);
  auto after = state().pinned.upper_bound(address);
  if (after == state().pinned.begin()) return nullptr;
  auto& [start, block] = *std::prev(after);
  offset = address - start;
  return offset < block.size ? &block : nullptr;
}

// Checks what both copies check, and says which sides are on the device.
aclError read_copy(const char* function, void* dst, size_t dst_max, const void* src, size_t count,
                   aclrtMemcpyKind kind, int device, Copy& copy) {
  const DeviceMemory& memory = state().memory;
  if (dst == nullptr || src == nullptr)
    return invalid(function, "dst, src: expected pointers, got null");
  if (kind < ACL_MEMCPY_HOST_TO_HOST || kind > ACL_MEMCPY_DEFAULT) {
    return invalid(function, "kind: expected 0 to 4, got " + std::to_string(kind));
  }
  if (count > dst_max) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, std::string(function) + ": count " +
                                                std::to_string(count) + " is more than destMax " +
                                                std::to_string(dst_max));
  }
  copy = {dst, src, count, memory.is_device(dst), memory.is_device(src)};
  if (kind != ACL_MEMCPY_DEFAULT) {
    const bool to = kind == ACL_MEMCPY_HOST_TO_DEVICE || kind == ACL_MEMCPY_DEVICE_TO_DEVICE;
    const bool from = kind == ACL_MEMCPY_DEVICE_TO_HOST || kind == ACL_MEMCPY_DEVICE_TO_DEVICE;
    if (to != copy.dst_on_device)
      return break_rule(function, "dst lies on the other side than kind says");
    if (from != copy.src_on_device)
      return break_rule(function, "src lies on the other side than kind says");
  }
  if (count == 0) return ACL_SUCCESS;
  for (const auto& [name, pointer, on_device] :
       {std::tuple{"dst: ", static_cast<const void*>(dst), copy.dst_on_device},
        std::tuple{"src: ", src, copy.src_on_device}}) {
    uint64_t offset = 0;
    if (on_device) {
      const auto allocation = memory.find(pointer, count);
      if (!allocation) return break_rule(function, name + memory.describe(pointer, count));
      if (allocation->device != device)
        return break_rule(function, std::string(name) + "another device's");
    } else if (const HostBlock* block = find_pinned(pointer, offset);
               block != nullptr && count > block->size - offset) {
      return break_rule(function, std::string(name) + "past the end of a block of aclrtMallocHost");
    }
  }
  return ACL_SUCCESS;
}

// A device whose core raised an exception answers nothing else until it is reset.
aclError sticky_failure(const Context& context) {
  if (context.failure == ACL_SUCCESS) return ACL_SUCCESS;
  return fail(context.failure, context.failure_message);
}

aclError run_now(Lock& lock, const char* function, const std::function<void()>& work) {
  lock.unlock();
  try {
    work();
  } catch (const KernelFault& fault) {
    return invalid(function, fault.message);
  }
  return ACL_SUCCESS;
}

void add_access(std::vector<Access>& accesses, const void* pointer, size_t bytes, bool writes) {
  const auto allocation = state().memory.find(pointer, bytes);
  if (!allocation || bytes == 0) return;
  const uint64_t begin = reinterpret_cast<uint64_t>(pointer) - allocation->address;
  accesses.push_back({allocation, begin, begin + bytes, writes});
}

std::vector<Access> accesses_of(const Copy& copy) {
  std::vector<Access> accesses;
  if (copy.dst_on_device) add_access(accesses, copy.dst, copy.bytes, true);
  if (copy.src_on_device) add_access(accesses, copy.src, copy.bytes, false);
  return accesses;
}

void note_uses(const char* function, const Place& place, const std::vector<Access>& accesses) {
  for (const Access& access : accesses) access.allocation->uses->add(place);
  note_accesses(function, place, accesses);
}

}  // namespace

aclError aclrtMalloc(void** pointer, size_t size, aclrtMemMallocPolicy policy) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtMalloc", context)) return error;
  if (pointer == nullptr) return invalid("aclrtMalloc", "pointer is null");
  if (size == 0) return invalid("aclrtMalloc", "size is 0");
  if (policy < ACL_MEM_MALLOC_HUGE_FIRST || policy > ACL_MEM_MALLOC_NORMAL_ONLY) {
    return invalid("aclrtMalloc", "policy: expected 0 to 2, got " + std::to_string(policy));
  }
  all.count("mallocs");
  std::shared_ptr<Allocation> allocation;
  if (!all.settings.malloc_fails.strikes("*")) {
    allocation = all.memory.allocate(size, context->device, all.settings.memory);
  }
  if (!allocation) {
    return fail(ACL_ERROR_RT_MEMORY_ALLOCATION,
                "aclrtMalloc: no memory for " + std::to_string(size) + " bytes, " +
                    std::to_string(all.memory.used(context->device)) + " of " +
                    std::to_string(all.settings.memory) + " are used");
  }
  *pointer = reinterpret_cast<void*>(allocation->address);
  return ACL_SUCCESS;
}

// Never waits. Memory of work that was not waited for is gone all the same: its kernels fail.
aclError aclrtFree(void* pointer) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtFree", context)) return error;
  if (pointer == nullptr) return invalid("aclrtFree", "pointer is null");
  const auto allocation = all.memory.find_start(pointer);
  if (!allocation)
    return break_rule("aclrtFree",
                      "expected the start of a block, got " + all.memory.describe(pointer, 1));
  if (allocation->device != context->device) {
    return break_rule("aclrtFree", "the memory belongs to another device");
  }
  all.count("frees");
  if (allocation->uses->pending()) {
    all.broken("aclrtFree: " + std::to_string(allocation->size) +
               " bytes were freed before the work that uses them was waited for");
  }
  all.memory.free(allocation);
  return ACL_SUCCESS;
}

aclError aclrtMallocHost(void** pointer, size_t size) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtMallocHost", context)) return error;
  if (pointer == nullptr) return invalid("aclrtMallocHost", "pointer is null");
  if (size == 0) return invalid("aclrtMallocHost", "size is 0");
  all.count("host_mallocs");
  void* block = std::aligned_alloc(64, (size + 63) / 64 * 64);
  if (block == nullptr) return fail(ACL_ERROR_RT_MEMORY_ALLOCATION, "aclrtMallocHost: no memory");
  all.pinned[reinterpret_cast<uint64_t>(block)].size = size;
  *pointer = block;
  return ACL_SUCCESS;
}

aclError aclrtFreeHost(void* pointer) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtFreeHost", context)) return error;
  if (pointer == nullptr) return invalid("aclrtFreeHost", "pointer is null");
  const auto block = all.pinned.find(reinterpret_cast<uint64_t>(pointer));
  if (block == all.pinned.end()) return break_rule("aclrtFreeHost", "no block of aclrtMallocHost");
  if (block->second.uses.pending()) {
    // A copy may still run: the block stays, so that only the caller's rule is broken.
    return break_rule("aclrtFreeHost", "freed before the copy that uses it was waited for");
  }
  all.pinned.erase(block);
  std::free(pointer);
  return ACL_SUCCESS;
}

aclError aclrtMemcpy(void* dst, size_t dst_max, const void* src, size_t count,
                     aclrtMemcpyKind kind) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtMemcpy", context)) return error;
  Copy copy;
  if (const aclError error =
          read_copy("aclrtMemcpy", dst, dst_max, src, count, kind, context->device, copy)) {
    return error;
  }
  if (const aclError error = sticky_failure(*context)) return error;
  all.count("copies");
  check_host_accesses("aclrtMemcpy", accesses_of(copy));
  return run_now(lock, "aclrtMemcpy", [&] { run_copy(copy); });
}

aclError aclrtMemcpyAsync(void* dst, size_t dst_max, const void* src, size_t count,
                          aclrtMemcpyKind kind, aclrtStream handle) {
  const char* name = "aclrtMemcpyAsync";
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context(name, context)) return error;
  std::shared_ptr<Stream> stream;
  if (const aclError error = require_stream(name, *context, handle, stream)) return error;
  Copy copy;
  if (const aclError error =
          read_copy(name, dst, dst_max, src, count, kind, context->device, copy)) {
    return error;
  }
  if (!copy.dst_on_device && !copy.src_on_device) {
    return fail(ACL_ERROR_RT_FEATURE_NOT_SUPPORT, std::string(name) + ": host to host");
  }
  uint64_t offset = 0;
  const void* host = copy.dst_on_device ? copy.src : copy.dst;
  const bool pageable =
      copy.dst_on_device != copy.src_on_device && find_pinned(host, offset) == nullptr;
  const Place place = submit(*stream, {name, [copy] { run_copy(copy); }, nullptr, nullptr});
  note_uses(name, place, accesses_of(copy));
  for (const void* side : {static_cast<const void*>(dst), src}) {
    if (HostBlock* block = find_pinned(side, offset)) block->uses.add(place);
  }
  all.count(pageable ? "blocking_copies" : "async_copies");
  return pageable ? wait_for(lock, place) : ACL_SUCCESS;
}

namespace {

aclError read_fill(const char* function, void* pointer, size_t max, size_t count, int device) {
  const DeviceMemory& memory = state().memory;
  if (pointer == nullptr) return invalid(function, "pointer is null");
  if (count > max) {
    return fail(ACL_ERROR_RT_PARAM_INVALID, std::string(function) + ": count " +
                                                std::to_string(count) + " is more than maxCount " +
                                                std::to_string(max));
  }
  const auto allocation = memory.find(pointer, count);
  if (!allocation) return break_rule(function, memory.describe(pointer, count));
  if (allocation->device != device) return break_rule(function, "another device's memory");
  return ACL_SUCCESS;
}

}  // namespace

aclError aclrtMemset(void* pointer, size_t max, int32_t value, size_t count) {
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtMemset", context)) return error;
  if (const aclError error = read_fill("aclrtMemset", pointer, max, count, context->device))
    return error;
  if (const aclError error = sticky_failure(*context)) return error;
  all.count("fills");
  std::vector<Access> accesses;
  add_access(accesses, pointer, count, true);
  check_host_accesses("aclrtMemset", accesses);
  return run_now(lock, "aclrtMemset", [&] { run_fill(pointer, value, count); });
}

aclError aclrtMemsetAsync(void* pointer, size_t max, int32_t value, size_t count,
                          aclrtStream handle) {
  const char* name = "aclrtMemsetAsync";
  State& all = state();
  Lock lock(all.mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context(name, context)) return error;
  std::shared_ptr<Stream> stream;
  if (const aclError error = require_stream(name, *context, handle, stream)) return error;
  if (const aclError error = read_fill(name, pointer, max, count, context->device)) return error;
  const auto work = [=] { run_fill(pointer, value, count); };
  const Place place = submit(*stream, {name, work, nullptr, nullptr});
  std::vector<Access> accesses;
  add_access(accesses, pointer, count, true);
  note_uses(name, place, accesses);
  all.count("async_fills");
  return ACL_SUCCESS;
}

aclError aclrtGetMemInfo(aclrtMemAttr attribute, size_t* free, size_t* total) {
  const State& all = state();
  Lock lock(state().mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtGetMemInfo", context)) return error;
  if (free == nullptr || total == nullptr)
    return invalid("aclrtGetMemInfo", "free, total: got null");
  if (attribute != ACL_DDR_MEM && attribute != ACL_HBM_MEM) {
    return invalid("aclrtGetMemInfo",
                   "attribute: expected 0 or 1, got " + std::to_string(attribute));
  }
  // An Ascend 950 has HBM only.
  *total = attribute == ACL_HBM_MEM ? all.settings.memory : 0;
  *free = *total - (attribute == ACL_HBM_MEM ? all.memory.used(context->device) : 0);
  return ACL_SUCCESS;
}

// libacl_rt.so: start and end, devices, contexts.
#include <unistd.h>

#include "ascend_emulator/acl_abi.h"
#include "ascend_emulator/state.h"

using namespace ascend_emulator;

namespace {

aclError invalid(const char* function, const std::string& text) {
  return fail(ACL_ERROR_INVALID_PARAM, std::string(function) + ": " + text);
}

aclError require_init(const char* function) {
  if (state().initialized) return ACL_SUCCESS;
  return fail(ACL_ERROR_UNINITIALIZE, std::string(function) + ": aclInit was not called");
}

aclError require_device(const char* function, int32_t device) {
  const uint32_t count = state().settings.devices;
  if (device >= 0 && static_cast<uint32_t>(device) < count) return ACL_SUCCESS;
  return fail(ACL_ERROR_RT_INVALID_DEVICEID, std::string(function) + ": expected a device below " +
                                                 std::to_string(count) + ", got " +
                                                 std::to_string(device));
}

std::shared_ptr<Context> make_context(int device, bool is_default) {
  State& all = state();
  auto context = std::make_shared<Context>();
  context->device = device;
  context->is_default = is_default;
  context->default_stream = std::make_shared<Stream>();
  context->default_stream->context = context;
  context->default_stream->seed = ++all.streams_made;
  context->handle = all.contexts.add(context);
  return context;
}

// Ends a context with all that was made in it; own streams that are left are a broken rule.
void end_context(Lock& lock, const std::shared_ptr<Context>& context) {
  State& all = state();
  std::vector<std::shared_ptr<Stream>> streams{context->default_stream};
  for (const auto& [number, stream] : all.streams.objects()) {
    if (stream->context == context) streams.push_back(stream);
  }
  if (streams.size() > 1) all.broken("a context was ended before its streams were destroyed");
  for (const auto& stream : streams) {
    if (has_unobserved_work(*stream))
      all.broken("a context was ended before its work was waited for");
    stop_stream(lock, stream);
    if (stream->handle != nullptr) all.streams.remove(stream->handle);
  }
  context->default_stream = nullptr;
  all.contexts.remove(context->handle);
}

}  // namespace

aclError aclInit(const char* config_path) {
  State& all = state();
  Lock lock(all.mutex);
  if (all.initialized) return fail(ACL_ERROR_REPEAT_INITIALIZE, "aclInit: called before");
  if (config_path != nullptr && access(config_path, R_OK) != 0) {
    return invalid("aclInit", std::string("cannot read ") + config_path);
  }
  if (const std::string problem = all.settings.read_environment(); !problem.empty()) {
    return invalid("aclInit", problem);
  }
  if (all.settings.init_fails != 0) {
    return fail(all.settings.init_fails, "aclInit: the driver did not answer");
  }
  all.initialized = true;
  all.finalized = false;
  return ACL_SUCCESS;
}

// Returns 500000 with a line for each leak and broken rule; everything is forgotten in any case.
aclError aclFinalize() {
  State& all = state();
  Lock lock(all.mutex);
  if (!all.initialized) {
    if (all.finalized) return fail(ACL_ERROR_REPEAT_FINALIZE, "aclFinalize: called before");
    return require_init("aclFinalize");
  }
  std::vector<std::string> lines = all.broken_rules;
  for (std::string& leak : leaks()) lines.push_back(std::move(leak));
  write_report(lines);
  clear(lock);
  all.finalized = true;
  if (lines.empty()) return ACL_SUCCESS;
  std::string text = "aclFinalize:";
  for (const std::string& line : lines) text += "\n  " + line;
  return fail(ACL_ERROR_INTERNAL_ERROR, text);
}

const char* aclGetRecentErrMsg() {
  thread_local std::string returned;
  returned = take_message();
  return returned.empty() ? nullptr : returned.c_str();
}

const char* aclrtGetSocName() {
  thread_local std::string name;
  Lock lock(state().mutex);
  name = state().settings.soc;
  return name.empty() ? nullptr : name.c_str();
}

aclError aclrtGetDeviceCount(uint32_t* count) {
  Lock lock(state().mutex);
  if (const aclError error = require_init("aclrtGetDeviceCount")) return error;
  if (count == nullptr) return invalid("aclrtGetDeviceCount", "count is null");
  *count = state().settings.devices;
  return ACL_SUCCESS;
}

aclError aclrtSetDevice(int32_t device) {
  State& all = state();
  Lock lock(all.mutex);
  if (const aclError error = require_init("aclrtSetDevice")) return error;
  if (const aclError error = require_device("aclrtSetDevice", device)) return error;
  DeviceState& set = all.devices[device];
  if (++set.references == 1) set.context = make_context(device, true);
  current_context_handle() = set.context->handle;
  return ACL_SUCCESS;
}

aclError aclrtResetDevice(int32_t device) {
  State& all = state();
  Lock lock(all.mutex);
  if (const aclError error = require_init("aclrtResetDevice")) return error;
  if (const aclError error = require_device("aclrtResetDevice", device)) return error;
  const auto set = all.devices.find(device);
  if (set == all.devices.end()) {
    return fail(ACL_ERROR_RT_CONTEXT_NULL, "aclrtResetDevice: the device was not set");
  }
  if (--set->second.references > 0) return ACL_SUCCESS;
  std::vector<std::shared_ptr<Context>> contexts;
  for (const auto& [number, context] : all.contexts.objects()) {
    if (context->device == device) contexts.push_back(context);
  }
  for (const auto& context : contexts) {
    if (!context->is_default) all.broken("a device was reset before its contexts were destroyed");
    end_context(lock, context);
  }
  if (all.memory.used(device) > 0) {
    all.broken("a device was reset with " + std::to_string(all.memory.used(device)) +
               " bytes of its memory not freed");
    all.memory.free_all(device);
  }
  all.devices.erase(device);
  return ACL_SUCCESS;
}

aclError aclrtGetDevice(int32_t* device) {
  Lock lock(state().mutex);
  std::shared_ptr<Context> context;
  if (const aclError error = require_context("aclrtGetDevice", context)) return error;
  if (device == nullptr) return invalid("aclrtGetDevice", "device is null");
  *device = context->device;
  return ACL_SUCCESS;
}

aclError aclrtCreateContext(aclrtContext* context, int32_t device) {
  State& all = state();
  Lock lock(all.mutex);
  if (const aclError error = require_init("aclrtCreateContext")) return error;
  if (context == nullptr) return invalid("aclrtCreateContext", "context is null");
  if (const aclError error = require_device("aclrtCreateContext", device)) return error;
  *context = make_context(device, false)->handle;
  current_context_handle() = *context;
  return ACL_SUCCESS;
}

aclError aclrtDestroyContext(aclrtContext handle) {
  State& all = state();
  Lock lock(all.mutex);
  if (const aclError error = require_init("aclrtDestroyContext")) return error;
  if (handle == nullptr) return invalid("aclrtDestroyContext", "context is null");
  const auto context = all.contexts.find(handle);
  if (!context)
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtDestroyContext: the handle is no context");
  if (context->is_default) {
    return invalid("aclrtDestroyContext", "a default context ends with aclrtResetDevice");
  }
  end_context(lock, context);
  return ACL_SUCCESS;
}

aclError aclrtSetCurrentContext(aclrtContext handle) {
  State& all = state();
  Lock lock(all.mutex);
  if (const aclError error = require_init("aclrtSetCurrentContext")) return error;
  if (handle == nullptr) return invalid("aclrtSetCurrentContext", "context is null");
  if (!all.contexts.find(handle)) {
    return fail(ACL_ERROR_RT_INVALID_HANDLE, "aclrtSetCurrentContext: the handle is no context");
  }
  current_context_handle() = handle;
  return ACL_SUCCESS;
}

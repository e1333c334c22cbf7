#include "ascend_emulator/state.h"

#include <cstdlib>
#include <fstream>
#include <utility>

#include "ascend_emulator/executor.h"
#include "ascend_emulator/operator.h"

namespace ascend_emulator {

namespace {

constexpr size_t kLongestMessage = 4096;
// A rule that is broken in a loop says no more the thousandth time.
constexpr size_t kMostBrokenRules = 200;

std::string& message_of_thread() {
  thread_local std::string message;
  return message;
}

// A program that never reaches aclFinalize leaves its broken rules in the report all the same.
void report_at_exit() {
  State& all = state();
  Lock lock(all.mutex);
  if (!all.initialized) return;
  std::vector<std::string> lines = all.broken_rules;
  lines.emplace_back("the process ended without aclFinalize");
  write_report(lines);
}

}  // namespace

State& state() {
  static State* all = [] {
    auto* made = new State;
    std::atexit(report_at_exit);
    return made;
  }();
  return *all;
}

void State::broken(const std::string& rule) {
  if (broken_rules.size() < kMostBrokenRules) broken_rules.push_back(rule);
}

int fail(int status, const std::string& message) {
  std::string& text = message_of_thread();
  const std::string line = "E" + std::to_string(status) + ": " + message;
  if (text.size() < kLongestMessage && !text.ends_with(line)) {
    if (!text.empty()) text += '\n';
    text += line;
  }
  return status;
}

std::string take_message() {
  return std::exchange(message_of_thread(), {});
}

void*& current_context_handle() {
  thread_local void* handle = nullptr;
  return handle;
}

std::shared_ptr<Context> current_context() {
  return state().contexts.find(current_context_handle());
}

int require_context(const char* function, std::shared_ptr<Context>& context) {
  if (!state().initialized) {
    return fail(ACL_ERROR_UNINITIALIZE, std::string(function) + ": aclInit was not called");
  }
  context = current_context();
  if (context) return ACL_SUCCESS;
  return fail(
      ACL_ERROR_RT_CONTEXT_NULL,
      std::string(function) + ": this thread has no context, aclrtSetDevice was not called in it");
}

int require_stream(const char* function, const Context& context, const void* handle,
                   std::shared_ptr<Stream>& stream) {
  const std::string name = function;
  if (handle == nullptr) {
    stream = context.default_stream;
    return ACL_SUCCESS;
  }
  stream = state().streams.find(handle);
  if (!stream) {
    const bool gone = state().streams.fate(handle) == HandleFate::gone;
    return fail(ACL_ERROR_RT_INVALID_HANDLE,
                name + (gone ? ": the stream was destroyed" : ": the handle is no stream"));
  }
  if (stream->context.get() == &context) return ACL_SUCCESS;
  return fail(ACL_ERROR_RT_STREAM_CONTEXT,
              name + ": the stream belongs to another context than the thread's current one");
}

std::vector<std::string> leaks() {
  const State& all = state();
  std::map<std::string, size_t> found;
  for (const auto& [address, allocation] : all.memory.live()) {
    ++found["device memory of " + std::to_string(allocation->size) + " bytes on device " +
            std::to_string(allocation->device)];
  }
  for (const auto& [address, block] : all.pinned) {
    ++found["host memory of " + std::to_string(block.size) + " bytes"];
  }
  for (const auto& [number, executor] : all.executors.objects()) {
    ++found[std::string("executor of ") + executor->info().name + ", " + executor->state_name()];
  }
  for (const auto& [number, object] : all.tensors.objects()) {
    ++found["tensor " + dtype_name(object->tensor->dtype) + to_text(object->tensor->shape)];
  }
  for (const auto& [number, context] : all.contexts.objects()) {
    if (!context->is_default) ++found["context of device " + std::to_string(context->device)];
  }
  found["scalar"] = all.scalars.objects().size();
  found["integer array"] = all.int_arrays.objects().size();
  found["tensor list"] = all.tensor_lists.objects().size();
  found["stream"] = all.streams.objects().size();
  found["event"] = all.events.objects().size();
  std::vector<std::string> lines;
  for (const auto& [what, count] : found) {
    if (count > 0) lines.push_back("leak: " + std::to_string(count) + " x " + what);
  }
  for (const auto& [id, device] : all.devices) {
    lines.push_back("leak: device " + std::to_string(id) + " was set " +
                    std::to_string(device.references) + " times more than reset");
  }
  return lines;
}

void clear(Lock& lock) {
  State& all = state();
  std::vector<std::shared_ptr<Stream>> streams;
  for (const auto& [number, stream] : all.streams.objects()) streams.push_back(stream);
  for (const auto& [number, context] : all.contexts.objects())
    streams.push_back(context->default_stream);
  for (const auto& stream : streams) stop_stream(lock, stream);
  for (const auto& [number, context] : all.contexts.objects()) context->default_stream = nullptr;
  for (const auto& [address, block] : all.pinned) std::free(reinterpret_cast<void*>(address));
  all.pinned.clear();
  for (const auto& [id, device] : all.devices) all.memory.free_all(id);
  all.devices.clear();
  all.streams.clear();
  all.events.clear();
  all.contexts.clear();
  all.executors.clear();
  all.tensor_lists.clear();
  all.tensors.clear();
  all.scalars.clear();
  all.int_arrays.clear();
  all.broken_rules.clear();
  all.initialized = false;
}

void write_report(const std::vector<std::string>& lines) {
  const std::string& path = state().settings.report;
  if (path.empty() || lines.empty()) return;
  std::ofstream file(path, std::ios::app);
  for (const std::string& line : lines) file << line << '\n';
}

}  // namespace ascend_emulator

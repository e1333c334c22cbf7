#include "ascend_emulator/control.h"

#include <string>

#include "ascend_emulator/operator.h"
#include "ascend_emulator/state.h"

using namespace ascend_emulator;

namespace {

void reset() {
  State& all = state();
  Lock lock(all.mutex);
  clear(lock);
  all.finalized = false;
  all.settings = {};
  all.counters.clear();
  all.memory.reset_peak();
  current_context_handle() = nullptr;
  take_message();
}

int set(const char* name, const char* value) {
  State& all = state();
  Lock lock(all.mutex);
  const bool ok = name != nullptr && value != nullptr && all.settings.set(name, value).empty();
  all.changed.notify_all();
  return ok ? 0 : -1;
}

uint64_t total(const std::map<std::string, uint64_t>& counters, bool first_phases) {
  uint64_t sum = 0;
  for (const auto& [name, count] : counters) {
    if (name.starts_with("aclnn") && name.ends_with("GetWorkspaceSize") == first_phases)
      sum += count;
  }
  return sum;
}

uint64_t counter(const char* name) {
  State& all = state();
  Lock lock(all.mutex);
  const std::string wanted = name == nullptr ? "" : name;
  if (wanted == "operators" || wanted == "plans") return total(all.counters, wanted == "plans");
  if (wanted == "peak_bytes") return all.memory.peak();
  if (wanted == "bytes") {
    uint64_t bytes = 0;
    for (const auto& [address, allocation] : all.memory.live()) bytes += allocation->size;
    return bytes;
  }
  const auto found = all.counters.find(wanted);
  return found == all.counters.end() ? 0 : found->second;
}

void reset_counters() {
  Lock lock(state().mutex);
  state().counters.clear();
  state().memory.reset_peak();
}

const char* broken_rules() {
  thread_local std::string text;
  Lock lock(state().mutex);
  text.clear();
  for (const std::string& rule : state().broken_rules) text += rule + "\n";
  return text.c_str();
}

void clear_broken_rules() {
  Lock lock(state().mutex);
  state().broken_rules.clear();
}

bool operator_at(size_t index, const char** name, const char** library, const char** since) {
  static constexpr const char* kLibraries[] = {"libopapi_nn.so", "libopapi_math.so",
                                               "libopapi_transformer.so"};
  Lock lock(state().mutex);
  if (index >= state().operators.size()) return false;
  const OperatorInfo& info = *state().operators[index];
  *name = info.name;
  *library = kLibraries[static_cast<int>(info.library)];
  *since = info.since;
  return true;
}

}  // namespace

const AscendEmulator* ascendEmulator() {
  static constexpr AscendEmulator kTable{
      reset, set, counter, reset_counters, broken_rules, clear_broken_rules, operator_at};
  return &kTable;
}

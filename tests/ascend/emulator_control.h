// Settings, counters and findings of the emulator that this process has loaded.
#pragma once

#include <dlfcn.h>

#include <stdexcept>
#include <string>

#include "ascend_emulator/control.h"

namespace mxdit::ascend {

class EmulatorControl {
 public:
  EmulatorControl() {
    void* library = dlopen("libacl_rt.so", RTLD_LAZY | RTLD_LOCAL);
    void* entry = library == nullptr ? nullptr : dlsym(library, "ascendEmulator");
    if (entry == nullptr) throw std::runtime_error("the emulator's libacl_rt.so is not loaded");
    emulator_ = reinterpret_cast<AscendEmulatorEntry>(entry)();
  }

  void reset() { emulator_->reset(); }
  // See tests/ascend_emulator/settings.h.
  void set(const char* name, const char* value) {
    if (emulator_->set(name, value) != 0)
      throw std::runtime_error(std::string("no such setting: ") + name);
  }
  uint64_t counter(const char* name) { return emulator_->counter(name); }
  // Leaks at aclFinalize among them; empty: none.
  std::string broken_rules() { return emulator_->broken_rules(); }

 private:
  const AscendEmulator* emulator_;
};

}  // namespace mxdit::ascend

// What computes here: the kernels of the build, which of them run on this machine, and what each
// kind of product will take.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mxdit {

struct EngineOptions;

// One set of kernels, for one extension of the instruction set.
struct KernelsReport {
  std::string name;  // as of EngineOptions::isa
  bool runs_here = false;
  bool chosen = false;
  std::string why_absent;  // empty when it runs
};

struct ProductReport {
  std::string product;  // "linear, bf16 weights"
  std::string kernel;
  std::vector<std::string> passed_over;  // faster kernels, with what forbids them
};

struct CacheReport {
  int level = 0;
  std::string type;  // "Data", "Instruction", "Unified"
  uint64_t bytes = 0;
  std::string processors;  // that share it, as the system lists them: "0-1"
};

// A shared library of a device's maker, opened at run time.
struct LibraryReport {
  std::string name;
  std::string path;        // where it was found; empty when it is not open
  std::string why_absent;  // empty when it is open
};

// A function of these libraries.
struct SymbolReport {
  std::string name;
  std::string since;       // first version of the maker's software that has it
  std::string needed_for;
  std::string library;     // where it was found; empty: missing
  bool required = false;   // nothing runs without it
};

// What a device with memory of its own was asked to do so far; zeros for the CPU.
struct DeviceCounters {
  uint64_t operator_calls = 0;
  uint64_t synchronizations = 0;  // the host waited for the device
  uint64_t allocations = 0;       // of device memory, from the system
  uint64_t allocated_bytes = 0;   // by these
  uint64_t copied_bytes = 0;      // between host and device

  // What was done since `before`.
  DeviceCounters since(const DeviceCounters& before) const {
    return {operator_calls - before.operator_calls, synchronizations - before.synchronizations,
            allocations - before.allocations, allocated_bytes - before.allocated_bytes,
            copied_bytes - before.copied_bytes};
  }
};

struct DeviceReport {
  std::string device;     // "cpu"
  std::string processor;  // its maker's name for it; empty where the system does not tell
  std::string chosen_by;  // "the best that runs here", "--isa", "MXDIT_ISA"
  std::vector<KernelsReport> kernels;  // best first
  std::vector<ProductReport> products;
  int threads = 0;                  // in use
  int processors = 0;               // that the process may use
  std::vector<CacheReport> caches;  // of the first processor; empty where the system does not tell
  // Of the device where it has memory of its own, else of the machine.
  std::optional<uint64_t> memory_bytes, available_bytes;
  // Devices whose maker's libraries are opened at run time.
  std::vector<LibraryReport> libraries;
  std::vector<SymbolReport> symbols;  // all that mxdit may call
  std::string problem;                // why the device cannot be used; empty: it can
};

// Of options.device, with options.isa and options.threads; the rest is not looked at. Error{usage}
// for a device that mxdit does not know; one that cannot be used is reported with its problem.
DeviceReport inspect_device(const EngineOptions& options);

}  // namespace mxdit

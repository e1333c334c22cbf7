// What a run will take in memory and on disk, stage by stage, known before anything is loaded.
//
// Memory here is what has to stay while a stage runs: weights that were quantized or reordered at
// load, activations, results. Files that are used where they lie (mapped) are listed beside it,
// since the system may drop and reread their pages. On a device with memory of its own it is that
// memory, to which mapped weights are copied; what the host needs for the video is not planned then.
// All figures are upper estimates, but for the
// size of the video file, which depends on what it shows.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace mxdit {

struct PlannedBytes {
  std::string what;  // "quantized weights of transformer"
  uint64_t bytes = 0;
};

struct StagePlan {
  // "LoadingStage", then the names of RunReport, then "SavingStage"; a model with two experts has
  // one "DenoisingStage" for each.
  std::string name;
  std::string component;             // the expert of a DenoisingStage, else empty
  std::vector<PlannedBytes> memory;  // at its peak
  uint64_t mapped_bytes = 0;         // of files in use, beside that memory
  uint64_t read_bytes = 0;           // from disk, when nothing of it is in memory yet
  uint64_t written_bytes = 0;        // to disk

  uint64_t memory_bytes() const {
    uint64_t sum = 0;
    for (const PlannedBytes& part : memory) sum += part.bytes;
    return sum;
  }
  std::string label() const { return component.empty() ? name : name + " (" + component + ")"; }
};

struct RunPlan {
  std::vector<StagePlan> stages;  // in the order in which they run first
  uint64_t loaded_bytes = 0;      // of the memory, what the engine has taken already
  bool on_device = false;         // the memory is the device's own, not the machine's

  // EngineOptions::max_memory_bytes, or what the machine (the device) has available now; nothing
  // where neither is known.
  std::optional<uint64_t> available_bytes;
  bool is_limit = false;  // the former

  bool fits = true;
  std::string refusal;  // the text of generate()'s Error{out_of_memory}; empty when it fits
  std::string warning;  // of generate()'s log; may be empty

  // The first of those that take most. Never empty: a plan has at least one stage.
  const StagePlan& widest_stage() const {
    const StagePlan* widest = &stages.front();
    for (const StagePlan& stage : stages)
      if (stage.memory_bytes() > widest->memory_bytes()) widest = &stage;
    return *widest;
  }
  uint64_t peak_bytes() const { return widest_stage().memory_bytes(); }
  // What has to be available: against a limit all of the peak, else what is not taken yet.
  uint64_t needed_bytes() const { return peak_bytes() - (is_limit ? 0 : loaded_bytes); }
  uint64_t read_bytes() const { return total(&StagePlan::read_bytes); }
  uint64_t written_bytes() const { return total(&StagePlan::written_bytes); }

 private:
  uint64_t total(uint64_t StagePlan::*bytes) const {
    uint64_t sum = 0;
    for (const StagePlan& stage : stages) sum += stage.*bytes;
    return sum;
  }
};

}  // namespace mxdit

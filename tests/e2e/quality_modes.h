// The modes whose quality is measured: online keys, and checkpoints that mxdit quantize makes.
#pragma once

#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "mxdit/engine.h"

namespace mxdit {

struct QualityMode {
  std::string name;
  // Options that run `model` in this mode; `work` is a folder for what has to be made first.
  std::function<EngineOptions(const std::string& model, const std::filesystem::path& work)> prepare;
};

// The first one is bf16, what the others are compared with.
std::vector<QualityMode> quality_modes();
// bf16 again, and bf16 with scores of self-attention in int8.
std::vector<QualityMode> attention_modes();

}  // namespace mxdit

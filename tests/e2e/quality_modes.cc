#include "e2e/quality_modes.h"

namespace mxdit {
namespace {

QualityMode online(const std::string& key) {
  return {"`" + key + "`", [key](const std::string& model, const std::filesystem::path&) {
            EngineOptions options;
            options.model_path = model;
            options.quantization = key;
            return options;
          }};
}

QualityMode plain(const std::string& dtype) {
  return {dtype, [dtype](const std::string& model, const std::filesystem::path&) {
            EngineOptions options;
            options.model_path = model;
            options.dtype = dtype;
            return options;
          }};
}

}  // namespace

std::vector<QualityMode> quality_modes() {
  return {plain("bf16"),  plain("fp32"),   online("fp8"),
          online("mxfp8"), online("mxfp4"), online("mxfp4_npu")};
}

}  // namespace mxdit

#include "reference_flags.h"

#include <algorithm>
#include <array>
#include <string_view>

namespace mxdit::cli {
namespace {

constexpr std::array<std::string_view, 67> kFlags{"adjust-frames",
                                                  "attention-backend",
                                                  "backend",
                                                  "cache-dit-config",
                                                  "cache-dit-params",
                                                  "cfg-gate-step",
                                                  "cfg-normalization",
                                                  "cfg-parallel-size",
                                                  "component-attention-backends",
                                                  "component-residency",
                                                  "debug",
                                                  "diffusers-kwargs",
                                                  "dit-cpu-offload",
                                                  "dit-layerwise-offload",
                                                  "dit-offload-prefetch-size",
                                                  "dp-size",
                                                  "enable-cache-dit",
                                                  "enable-cfg-parallel",
                                                  "enable-frame-interpolation",
                                                  "enable-svdquant",
                                                  "enable-teacache",
                                                  "enable-torch-compile",
                                                  "enable-upscaling",
                                                  "generator-device",
                                                  "guidance-rescale",
                                                  "host",
                                                  "image-encoder-cpu-offload",
                                                  "image-path",
                                                  "input-save-path",
                                                  "layerwise-offload-components",
                                                  "lora-merge-mode",
                                                  "lora-nickname",
                                                  "lora-path",
                                                  "lora-scale",
                                                  "lora-weight-name",
                                                  "master-port",
                                                  "model-id",
                                                  "num-frames-round-down",
                                                  "num-gpus",
                                                  "num-profiled-timesteps",
                                                  "performance-mode",
                                                  "pin-cpu-memory",
                                                  "port",
                                                  "profile",
                                                  "profile-all-stages",
                                                  "quantization-act-unsigned",
                                                  "quantization-precision",
                                                  "quantization-rank",
                                                  "revision",
                                                  "ring-degree",
                                                  "scheduler-port",
                                                  "server-warmup",
                                                  "sp-degree",
                                                  "strict-ports",
                                                  "text-encoder-cpu-offload",
                                                  "tp-size",
                                                  "true-cfg-scale",
                                                  "trust-remote-code",
                                                  "ulysses-degree",
                                                  "use-fsdp-inference",
                                                  "vae-cpu-offload",
                                                  "video-path",
                                                  "warmup",
                                                  "warmup-mode",
                                                  "warmup-resolutions",
                                                  "warmup-steps",
                                                  "webui"};

}  // namespace

bool is_reference_flag(const std::string& name) {
  return !name.empty() && std::find(kFlags.begin(), kFlags.end(), name) != kFlags.end();
}

}  // namespace mxdit::cli

// Values a request takes when the user states none: those of the model's own mxdit.json, else those
// of its family as the reference system has them, else diffusers'.
#pragma once

#include <optional>
#include <string>

#include <nlohmann/json_fwd.hpp>

namespace mxdit {

struct SamplingDefaults {
  std::string family;  // "Wan2.2-T2V-A14B"; "Wan" when the sizes are not those of a known model
  int width = 832, height = 480, num_frames = 81;
  double fps = 16;
  int num_inference_steps = 50;
  double guidance_scale = 5.0;
  std::optional<double> guidance_scale_2;  // unset: guidance_scale
  std::optional<double> boundary_ratio;    // unset: what model_index.json says
  std::optional<double> flow_shift;        // unset: what the scheduler's configuration says
  std::string negative_prompt;
};

// What tells the members of the Wan family apart.
struct ModelTraits {
  int64_t num_layers = 0, num_attention_heads = 0, in_channels = 0;
  bool two_experts = false;
};

SamplingDefaults family_defaults(const ModelTraits& traits);

// Overlays the object "defaults" of a model's mxdit.json. Error{bad_input} naming file and key for
// a value of the wrong type or out of range.
void apply_model_defaults(const nlohmann::json& mxdit_json, const std::string& file,
                          SamplingDefaults& defaults);

}  // namespace mxdit

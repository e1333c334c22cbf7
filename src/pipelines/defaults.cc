#include "pipelines/defaults.h"

#include "core/error.h"
#include "io/json_file.h"

namespace mxdit {
namespace {

// Negative prompts that Wan's authors publish with their models.
constexpr const char* kNegativeChinese =
    "色调艳丽，过曝，静态，细节模糊不清，字幕，风格，作品，画作，画面，静止，整体发灰，最差质量，低质量，"
    "JPEG压缩残留，丑陋的，残缺的，多余的手指，画得不好的手部，画得不好的脸部，畸形的，毁容的，"
    "形态畸形的肢体，手指融合，静止不动的画面，杂乱的背景，三条腿，背景人很多，倒着走";
constexpr const char* kNegativeEnglish =
    "Bright tones, overexposed, static, blurred details, subtitles, style, works, paintings, "
    "images, static, overall gray, worst quality, low quality, JPEG compression residue, ugly, "
    "incomplete, extra fingers, poorly drawn hands, poorly drawn faces, deformed, disfigured, "
    "misshapen limbs, fused fingers, still picture, messy background, three legs, many people in "
    "the background, walking backwards";

struct Family {
  ModelTraits traits;
  SamplingDefaults defaults;
};

// Reference system, section "Wan defaults" (docs/cli.md repeats the table).
const Family kFamilies[] = {
    {{30, 12, 16, false},
     {"Wan2.1-T2V-1.3B", 832, 480, 81, 16, 50, 3.0, {}, {}, 3.0, kNegativeEnglish}},
    {{40, 40, 16, false},
     {"Wan2.1-T2V-14B", 1280, 720, 81, 16, 50, 5.0, {}, {}, 5.0, kNegativeEnglish}},
    {{40, 40, 16, true},
     {"Wan2.2-T2V-A14B", 1280, 720, 81, 16, 40, 4.0, 3.0, 0.875, 12.0, kNegativeChinese}},
};

bool same(const ModelTraits& a, const ModelTraits& b) {
  return a.num_layers == b.num_layers && a.num_attention_heads == b.num_attention_heads &&
         a.in_channels == b.in_channels && a.two_experts == b.two_experts;
}

template <typename T>
T in_range(T value, T low, T high, const char* key, const std::string& file) {
  if (!(value >= low && value <= high))
    fail(ErrorKind::bad_input, "[pipelines] ", file, ": defaults.", key, ": expected ", low, "..",
         high, ", got ", value);
  return value;
}

}  // namespace

SamplingDefaults family_defaults(const ModelTraits& traits) {
  for (const Family& family : kFamilies)
    if (same(family.traits, traits)) return family.defaults;
  SamplingDefaults defaults;
  defaults.family = "Wan";
  return defaults;
}

void apply_model_defaults(const nlohmann::json& mxdit_json, const std::string& file,
                          SamplingDefaults& d) {
  if (mxdit_json.is_object() && mxdit_json.contains("name"))
    d.family = required<std::string>(mxdit_json, "name", file);
  if (!mxdit_json.is_object() || !mxdit_json.contains("defaults")) return;
  const nlohmann::json& json = mxdit_json["defaults"];
  const auto integer = [&](const char* key, int& value, int64_t low, int64_t high) {
    const int64_t read = optional_or<int64_t>(json, key, value, file);
    value = static_cast<int>(in_range(read, low, high, key, file));
  };
  const auto number = [&](const char* key, double fallback, double low, double high) {
    return in_range(optional_or<double>(json, key, fallback, file), low, high, key, file);
  };
  integer("width", d.width, 1, 1 << 16);
  integer("height", d.height, 1, 1 << 16);
  integer("num_frames", d.num_frames, 1, 1 << 20);
  integer("num_inference_steps", d.num_inference_steps, 1, 1000);
  d.fps = number("fps", d.fps, 0.01, 1000);
  d.guidance_scale = number("guidance_scale", d.guidance_scale, 0, 1000);
  if (json.contains("guidance_scale_2"))
    d.guidance_scale_2 = number("guidance_scale_2", d.guidance_scale, 0, 1000);
  if (json.contains("boundary_ratio")) d.boundary_ratio = number("boundary_ratio", 0, 0, 1);
  if (json.contains("flow_shift")) d.flow_shift = number("flow_shift", 1, 1e-3, 1000);
  d.negative_prompt = optional_or<std::string>(json, "negative_prompt", d.negative_prompt, file);
}

}  // namespace mxdit

#include "models/wan_vae/config.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "io/json_file.h"

namespace mxdit::wan_vae {
namespace {

// Far beyond any published model, and small enough that no product of extents overflows.
constexpr int64_t kMaxWidth = 8192;
constexpr int64_t kMaxLatentChannels = 1024;
constexpr int64_t kMaxStages = 8;
constexpr int64_t kMaxBlocks = 32;

// The statistics diffusers assumes when the file states none; they belong to z_dim 16.
const std::vector<double> kDefaultMean = {-0.7571, -0.7089, -0.9113, 0.1075,  -0.1745, 0.9653,
                                          -0.1517, 1.5508,  0.4134,  -0.0715, 0.5517,  -0.3632,
                                          -0.1922, -0.9497, 0.2503,  -0.2921};
const std::vector<double> kDefaultStd = {2.8184, 1.4541, 2.3275, 2.6558, 1.2196, 1.7708,
                                         2.6052, 2.0743, 3.2687, 2.1526, 2.8652, 1.5579,
                                         1.6382, 1.1253, 2.8251, 1.9160};

template <typename... Parts>
[[noreturn]] void bad_value(const std::string& file, const char* key, const Parts&... parts) {
  fail(ErrorKind::bad_input, "[models] ", file, " ", key, ": expected ", parts...);
}

template <typename... Parts>
[[noreturn]] void not_supported(const std::string& file, const char* key, const Parts&... parts) {
  fail(ErrorKind::unsupported, "[models] ", file, " ", key, ": expected ", parts...);
}

int64_t integer_in(const Json& json, const char* key, int64_t fallback, int64_t low, int64_t high,
                   const std::string& file) {
  const int64_t value = optional_or<int64_t>(json, key, fallback, file);
  if (value < low || value > high)
    bad_value(file, key, "an integer from ", low, " to ", high, ", got ", value);
  return value;
}

void refuse_other_layouts(const Json& json, const std::string& file) {
  if (optional_or<bool>(json, "is_residual", false, file))
    not_supported(file, "is_residual",
                  "false, got true: the Wan2.2 VAE (residual layout, of TI2V-5B) is not supported, "
                  "only the Wan2.1 layout");
  const auto patch = json.find("patch_size");
  if (patch != json.end() && !patch->is_null())
    not_supported(file, "patch_size", "null (Wan2.1 layout), got ", describe(*patch));
  const auto scales = optional_or<std::vector<double>>(json, "attn_scales", {}, file);
  if (!scales.empty())
    not_supported(file, "attn_scales", "no attention outside the middle block, got ", scales.size(),
                  " scales");
}

void read_stages(const Json& json, const std::string& file, Config& config) {
  config.dim_mult = optional_or(json, "dim_mult", config.dim_mult, file);
  const auto stages = static_cast<int64_t>(config.dim_mult.size());
  if (stages < 1 || stages > kMaxStages)
    bad_value(file, "dim_mult", "1 to ", kMaxStages, " multipliers, got ", stages);
  for (const int64_t mult : config.dim_mult)
    if (mult < 1 || mult > kMaxWidth / std::max(config.base_dim, config.decoder_base_dim))
      bad_value(file, "dim_mult", "multipliers from 1 on that keep layers within ", kMaxWidth,
                " channels, got ", mult);
  config.temporal_downsample =
      optional_or(json, "temperal_downsample", config.temporal_downsample, file);
  if (static_cast<int64_t>(config.temporal_downsample.size()) != stages - 1)
    bad_value(file, "temperal_downsample", stages - 1, " flags, one less than dim_mult, got ",
              config.temporal_downsample.size());
}

// Every upsampling halves the channels (rounding down, as diffusers does).
void check_halves(const std::string& file, const Config& config) {
  for (size_t i = 1; i < config.dim_mult.size(); ++i)
    if (config.decoder_base_dim * config.dim_mult[i] < 2)
      bad_value(file, "dim_mult", "decoder widths of at least 2 after the first, got ",
                config.decoder_base_dim * config.dim_mult[i]);
}

// The factors follow from the layers; a file that states others would misplace every frame.
void check_factors(const Json& json, const std::string& file, Config& config) {
  const int64_t spatial = int64_t{1} << (config.dim_mult.size() - 1);
  const int64_t temporal = int64_t{1} << std::count(config.temporal_downsample.begin(),
                                                    config.temporal_downsample.end(), true);
  config.scale_spatial = optional_or<int64_t>(json, "scale_factor_spatial", spatial, file);
  config.scale_temporal = optional_or<int64_t>(json, "scale_factor_temporal", temporal, file);
  if (config.scale_spatial != spatial)
    bad_value(file, "scale_factor_spatial", spatial, " as dim_mult implies, got ",
              config.scale_spatial);
  if (config.scale_temporal != temporal)
    bad_value(file, "scale_factor_temporal", temporal, " as temperal_downsample implies, got ",
              config.scale_temporal);
}

std::vector<float> read_statistics(const Json& json, const char* key, const std::string& file,
                                   int64_t z_dim, const std::vector<double>& fallback,
                                   bool positive) {
  const auto values = optional_or<std::vector<double>>(json, key, fallback, file);
  if (static_cast<int64_t>(values.size()) != z_dim)
    bad_value(file, key, z_dim, " numbers (z_dim), got ", values.size());
  std::vector<float> result;
  for (const double value : values) {
    const auto rounded = static_cast<float>(value);
    if (!std::isfinite(rounded) || (positive && !(rounded > 0)))
      bad_value(file, key, positive ? "finite numbers above 0" : "finite numbers", ", got ", value);
    result.push_back(rounded);
  }
  return result;
}

void read_frame_channels(const Json& json, const std::string& file, Config& config) {
  config.in_channels = optional_or<int64_t>(json, "in_channels", 3, file);
  config.out_channels = optional_or<int64_t>(json, "out_channels", 3, file);
  if (config.in_channels != 3) not_supported(file, "in_channels", "3, got ", config.in_channels);
  if (config.out_channels != 3) not_supported(file, "out_channels", "3, got ", config.out_channels);
}

}  // namespace

Config parse_config(const nlohmann::json& json, const std::string& file) {
  refuse_other_layouts(json, file);
  Config config;
  config.base_dim = integer_in(json, "base_dim", 96, 1, kMaxWidth, file);
  config.decoder_base_dim =
      integer_in(json, "decoder_base_dim", config.base_dim, 1, kMaxWidth, file);
  config.z_dim = integer_in(json, "z_dim", 16, 1, kMaxLatentChannels, file);
  config.num_res_blocks = integer_in(json, "num_res_blocks", 2, 1, kMaxBlocks, file);
  optional_or<double>(json, "dropout", 0.0, file);
  optional_or<bool>(json, "clip_output", true, file);
  read_stages(json, file, config);
  check_halves(file, config);
  check_factors(json, file, config);
  read_frame_channels(json, file, config);
  config.latents_mean =
      read_statistics(json, "latents_mean", file, config.z_dim, kDefaultMean, false);
  config.latents_std = read_statistics(json, "latents_std", file, config.z_dim, kDefaultStd, true);
  return config;
}

std::vector<StageSpec> Config::encoder_stages() const {
  std::vector<StageSpec> stages;
  int64_t width = base_dim;
  for (size_t i = 0; i < dim_mult.size(); ++i) {
    StageSpec stage;
    stage.in_channels = width;
    stage.out_channels = width = base_dim * dim_mult[i];
    stage.blocks = num_res_blocks;
    stage.resample = i + 1 < dim_mult.size();
    stage.temporal = stage.resample && temporal_downsample[i];
    stage.next_channels = width;
    stages.push_back(stage);
  }
  return stages;
}

std::vector<StageSpec> Config::decoder_stages() const {
  std::vector<StageSpec> stages;
  int64_t width = decoder_width();
  for (size_t i = 0; i < dim_mult.size(); ++i) {
    const size_t mirrored = dim_mult.size() - 1 - i;
    StageSpec stage;
    stage.in_channels = width;
    stage.out_channels = decoder_base_dim * dim_mult[mirrored];
    stage.blocks = num_res_blocks + 1;
    stage.resample = mirrored > 0;
    stage.temporal = stage.resample && temporal_downsample[mirrored - 1];
    stage.next_channels = width = stage.resample ? stage.out_channels / 2 : stage.out_channels;
    stages.push_back(stage);
  }
  return stages;
}

}  // namespace mxdit::wan_vae

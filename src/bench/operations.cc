#include "bench/operations.h"

namespace mxdit::bench {
namespace {

// A convolution that makes `positions` outputs.
double convolution(double positions, int64_t in, int64_t out, int64_t kernel) {
  return 2.0 * positions * static_cast<double>(in) * static_cast<double>(out) *
         static_cast<double>(kernel);
}

double residual_block(double positions, int64_t in, int64_t out) {
  const double shortcut = in == out ? 0 : convolution(positions, in, out, 1);
  return convolution(positions, in, out, 27) + convolution(positions, out, out, 27) + shortcut;
}

// Two residual blocks and attention among the positions of each frame.
double middle(double frames, int64_t plane, int64_t width) {
  const double positions = frames * static_cast<double>(plane);
  return 2 * residual_block(positions, width, width) +
         frames * (linear_operations(plane, width, 4 * width) +
                   attention_operations(plane, plane, width));
}

}  // namespace

double linear_operations(int64_t rows, int64_t in_features, int64_t out_features) {
  return 2.0 * static_cast<double>(rows) * static_cast<double>(in_features) *
         static_cast<double>(out_features);
}

double attention_operations(int64_t queries, int64_t keys, int64_t width) {
  return 4.0 * static_cast<double>(queries) * static_cast<double>(keys) *
         static_cast<double>(width);
}

double forward_operations(const wan_dit::Config& config, int64_t tokens, int64_t text_tokens,
                          bool encode_text) {
  const int64_t width = config.inner(), patch = config.patch_volume();
  double layer = linear_operations(tokens, width, 6 * width) +
                 2 * linear_operations(tokens, width, config.ffn_dim) +
                 attention_operations(tokens, tokens, width) +
                 attention_operations(tokens, text_tokens, width);
  double ends = linear_operations(tokens, patch * config.in_channels, width) +
                linear_operations(tokens, width, patch * config.out_channels) +
                linear_operations(1, config.freq_dim, width) +
                linear_operations(1, width, 7 * width);
  if (encode_text) {
    layer += linear_operations(text_tokens, width, 2 * width);
    ends += linear_operations(text_tokens, config.text_dim, width) +
            linear_operations(text_tokens, width, width);
  }
  return ends + static_cast<double>(config.num_layers) * layer;
}

double decode_operations(const wan_vae::Config& config, int64_t frames, int64_t height,
                         int64_t width) {
  int64_t channels = config.decoder_width(), plane = height * width;
  double times = static_cast<double>(frames);
  const auto positions = [&] { return times * static_cast<double>(plane); };
  double sum = convolution(positions(), config.z_dim, config.z_dim, 1) +
               convolution(positions(), config.z_dim, channels, 27) +
               middle(times, plane, channels);
  for (const wan_vae::StageSpec& stage : config.decoder_stages()) {
    sum += residual_block(positions(), stage.in_channels, stage.out_channels);
    for (int64_t i = 1; i < stage.blocks; ++i)
      sum += residual_block(positions(), stage.out_channels, stage.out_channels);
    channels = stage.out_channels;
    if (!stage.resample) continue;
    if (stage.temporal) {  // the first frame stays alone and is not convolved
      sum += convolution((times - 1) * static_cast<double>(plane), channels, 2 * channels, 3);
      times = 2 * times - 1;
    }
    plane *= 4;
    sum += convolution(positions(), channels, stage.next_channels, 9);
    channels = stage.next_channels;
  }
  return sum + convolution(positions(), channels, config.out_channels, 27);
}

}  // namespace mxdit::bench

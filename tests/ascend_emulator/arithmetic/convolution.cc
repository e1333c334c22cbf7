#include "ascend_emulator/arithmetic/convolution.h"

#include <algorithm>

#include "ascend_emulator/arithmetic/dot_products.h"

namespace ascend_emulator::arithmetic {
namespace {

// A copy of the input with the zeros of the padding: every tap is then a fixed offset away.
struct Padded {
  std::vector<float> values;
  Dims dims;
  Dims strides;
};

Padded pad(const View& input, const Convolution& convolution) {
  Padded padded;
  padded.dims = input.dims;
  for (int axis = 0; axis < 3; ++axis) padded.dims[2 + axis] += 2 * convolution.padding[axis];
  padded.strides = dense_strides(padded.dims);
  padded.values.assign(static_cast<size_t>(product(padded.dims)), 0.0f);
  const std::vector<float> values = widened(input);
  int64_t first = 0;
  for (int axis = 0; axis < 3; ++axis) {
    first += convolution.padding[axis] * padded.strides[2 + axis];
  }
  const View inner{padded.values.data() + first, Element::kFloat32, input.dims, padded.strides};
  copy_elements(dense_view(const_cast<float*>(values.data()), Element::kFloat32, input.dims),
                inner);
  return padded;
}

// Offsets of the taps of one output, in the order of the weight's elements.
std::vector<int64_t> tap_offsets(const Dims& kernel, const Dims& strides,
                                 const Convolution& convolution) {
  std::vector<int64_t> offsets;
  for (int64_t c = 0; c < kernel[1]; ++c) {
    for (int64_t d = 0; d < kernel[2]; ++d) {
      for (int64_t h = 0; h < kernel[3]; ++h) {
        for (int64_t w = 0; w < kernel[4]; ++w) {
          offsets.push_back(c * strides[1] + d * convolution.dilation[0] * strides[2] +
                            h * convolution.dilation[1] * strides[3] +
                            w * convolution.dilation[2] * strides[4]);
        }
      }
    }
  }
  return offsets;
}

std::vector<int64_t> position_offsets(const Dims& out, const Dims& strides,
                                      const Convolution& convolution) {
  std::vector<int64_t> offsets;
  for (int64_t d = 0; d < out[2]; ++d) {
    for (int64_t h = 0; h < out[3]; ++h) {
      for (int64_t w = 0; w < out[4]; ++w) {
        offsets.push_back(d * convolution.stride[0] * strides[2] +
                          h * convolution.stride[1] * strides[3] +
                          w * convolution.stride[2] * strides[4]);
      }
    }
  }
  return offsets;
}

PanelSource weights_of(const float* weight, int64_t depth) {
  return [weight, depth](const PanelRequest& request) {
    for (int64_t i = 0; i < request.width; ++i) {
      const float* from = weight + (request.first + i) * depth + request.k0;
      for (int64_t k = 0; k < request.count; ++k) {
        request.out[k * request.width + i] = i < request.vectors ? from[k] : 0.0;
      }
    }
  };
}

PanelSource taps_of(const float* input, const std::vector<int64_t>& taps,
                    const std::vector<int64_t>& positions) {
  return [input, &taps, &positions](const PanelRequest& request) {
    const int64_t* position = positions.data() + request.first;
    for (int64_t k = 0; k < request.count; ++k) {
      const float* from = input + taps[request.k0 + k];
      double* out = request.out + k * request.width;
      for (int64_t i = 0; i < request.vectors; ++i) out[i] = from[position[i]];
      for (int64_t i = request.vectors; i < request.width; ++i) out[i] = 0;
    }
  };
}

}  // namespace

int64_t Convolution::out_dim(int axis, int64_t in, int64_t kernel) const {
  const int64_t span = in + 2 * padding[axis] - dilation[axis] * (kernel - 1) - 1;
  return span < 0 ? 0 : span / stride[axis] + 1;
}

void convolve(const View& input, const View& weight, const View* bias,
              const Convolution& convolution, const View& out) {
  const Padded padded = pad(input, convolution);
  const std::vector<float> kernel = widened(weight);
  const std::vector<float> added = bias ? widened(*bias) : std::vector<float>();
  const std::vector<int64_t> taps = tap_offsets(weight.dims, padded.strides, convolution);
  const std::vector<int64_t> positions = position_offsets(out.dims, padded.strides, convolution);
  const auto depth = static_cast<int64_t>(taps.size());
  const auto places = static_cast<int64_t>(positions.size());
  const int64_t channels = out.dims[1] / convolution.groups;
  std::vector<float> results(static_cast<size_t>(out.count()));
  for (int64_t index = 0; index < out.dims[0] * convolution.groups; ++index) {
    const int64_t batch = index / convolution.groups, group = index % convolution.groups;
    const int64_t channel0 = group * channels;
    const float* from = padded.values.data() + batch * padded.strides[0] +
                        group * weight.dims[1] * padded.strides[1];
    float* to = results.data() + (batch * out.dims[1] + channel0) * places;
    dot_products({channels, places, depth, 0}, weights_of(kernel.data() + channel0 * depth, depth),
                 taps_of(from, taps, positions), [&](const DotTile& tile) {
                   for (int64_t i = 0; i < tile.rows; ++i) {
                     const double start = added.empty() ? 0.0 : added[channel0 + tile.row0 + i];
                     float* line = to + (tile.row0 + i) * places + tile.col0;
                     for (int64_t j = 0; j < tile.cols; ++j) {
                       line[j] = static_cast<float>(start + tile.sums[i * tile.stride + j]);
                     }
                   }
                 });
  }
  store(results.data(), out);
}

}  // namespace ascend_emulator::arithmetic

#include "models/wan_dit/quantizable_layers.h"

#include <string_view>

#include "models/wan_dit/tensor_names.h"

namespace mxdit::wan_dit {

namespace {

constexpr std::string_view kBlocks = "blocks.";
constexpr std::string_view kWeight = ".weight";

}  // namespace

std::vector<QuantizableLayer> quantizable_layers(const Config& config) {
  std::vector<QuantizableLayer> layers;
  for (const ModelTensor& tensor : tensors_of(config)) {
    const bool in_block = tensor.name.starts_with(kBlocks);
    if (!tensor.linear || (!in_block && tensor.name != "proj_out.weight")) continue;
    QuantizableLayer layer;
    layer.name = tensor.name.substr(0, tensor.name.size() - kWeight.size());
    layer.out_features = tensor.shape[0];
    layer.in_features = tensor.shape[1];
    if (in_block) layer.block = std::stoll(layer.name.substr(kBlocks.size()));
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace mxdit::wan_dit

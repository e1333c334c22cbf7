#include "conversion/quantize/recipe.h"

#include <algorithm>

#include "core/error.h"
#include "quantization/online_method.h"

namespace mxdit::conversion {

namespace {

const WeightType& type_by_recipe(const wan_dit::QuantizableLayer& layer, const Recipe& recipe,
                                 int64_t mxfp8_blocks) {
  if (recipe.type != nullptr) return *recipe.type;
  return layer.block && *layer.block < mxfp8_blocks ? kW8A8Mxfp8 : kW4A4Mxfp4Dualscale;
}

void fall_back(LayerChoice& choice) {
  const int64_t in = choice.layer.in_features;
  while (in % choice.type->multiple != 0) choice.type = choice.type->fallback;
  choice.unfit = choice.type != choice.wanted;
  if (choice.unfit)
    choice.reason =
        detail::concat("in_features ", in, " is no multiple of ", choice.wanted->multiple);
}

}  // namespace

int64_t default_mxfp8_blocks(int64_t num_layers) {
  return std::min<int64_t>(5, (num_layers + 7) / 8);
}

std::vector<LayerChoice> choose_types(const wan_dit::Config& config, const Recipe& recipe) {
  const int64_t mxfp8_blocks =
      recipe.mxfp8_blocks.value_or(default_mxfp8_blocks(config.num_layers));
  std::vector<LayerChoice> choices;
  for (wan_dit::QuantizableLayer& layer : wan_dit::quantizable_layers(config)) {
    LayerChoice choice;
    choice.layer = std::move(layer);
    choice.wanted = choice.type = &type_by_recipe(choice.layer, recipe, mxfp8_blocks);
    if (is_ignored(choice.layer.name, recipe.keep)) {
      choice.type = &kFloat;
      choice.reason = "--keep names it";
    } else if (!choice.layer.block && !recipe.proj_out) {
      choice.type = &kFloat;
      choice.reason = "stays plain without --proj-out";
    } else {
      fall_back(choice);
    }
    choices.push_back(std::move(choice));
  }
  return choices;
}

}  // namespace mxdit::conversion

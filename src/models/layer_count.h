// Agreement of a config's number of layers with the checkpoint.
#pragma once

#include <cstdint>
#include <string>

#include "layers/model_source.h"

namespace mxdit {

// The checkpoint's tensors `<prefix>.<i>.*` must be numbered 0..layers-1 and no further: too many
// layers would read what is not there, too few would silently compute another model.
// Errors: bad_input naming config file, key and checkpoint.
void check_layer_count(const ModelSource& source, const std::string& key, const std::string& prefix,
                       int64_t layers);

}  // namespace mxdit

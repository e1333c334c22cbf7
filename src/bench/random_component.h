// One network of random weights, opened as a stored one is.
#pragma once

#include <string>
#include <vector>

#include "checkpoint/weight_store.h"
#include "core/cancel.h"
#include "io/json_file.h"
#include "random_models/wan_shapes.h"

namespace mxdit::bench {

// Written to a temporary folder, mapped, and removed again: a process that is killed while it
// measures leaves nothing behind (one killed while it writes does), and the file's space is given
// back with the last mapping. Errors: io; cancelled.
WeightStore random_weights(const std::vector<random_models::RandomTensor>& tensors,
                           const CancelToken* cancel);

// A network's configuration and weights, wherever they come from.
struct ComponentFiles {
  std::string class_name;
  Json config;
  std::string config_file;  // for messages
  std::filesystem::path folder;
  WeightStore weights;
};

// `shape` is one of wan_shape_names(), empty: wan2.1-t2v-1.3b. Error{usage} for others.
random_models::WanShape shape_called(const std::string& shape);

template <typename ComponentShape>
ComponentFiles random_component(const ComponentShape& shape, const CancelToken* cancel) {
  const Json config = Json::parse(random_models::config_of(shape).dump());
  return {config["_class_name"],
          config,
          "random weights",
          {},
          random_weights(random_models::tensors_of(shape), cancel)};
}

// A component of a model folder.
ComponentFiles stored_component(const std::string& model_path, const std::string& name);

}  // namespace mxdit::bench

// For tests: a component folder of tests/goldens with all a ModelSource points to.
#pragma once

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>
#include <vector>

#include "backend/registry.h"
#include "io/json_file.h"
#include "layers/model_source.h"
#include "ops/ops.h"
#include "quantization/configs/plain/config.h"

namespace mxdit::golden {

inline std::filesystem::path folder(const std::string& name) {
  return std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/goldens" / name;
}

// How a golden is run: kernels ("" for the best of the machine), threads, dtype of activations.
struct Run {
  std::string isa;
  int threads = 2;
  DType compute = DType::f32;
};

struct Model {
  Model(const std::string& name, const Run& run)
      : backend(make_backend("cpu", {run.threads, run.isa})),
        weights(WeightStore::open(folder(name))),
        cases(WeightStore::open(folder(name) / "cases.safetensors")),
        config(read_json_file(folder(name) / "config.json")),
        compute(run.compute) {}

  ModelSource source() {
    ModelSource source;
    source.backend = backend.get();
    source.weights = &weights;
    source.config = &config;
    source.config_file = "config.json";
    source.quantization = quantization.get();
    source.compute = compute;
    return source;
  }
  std::vector<std::string> case_names() const {
    std::vector<std::string> names;
    for (const Json& entry : parse_json(cases.metadata().at("cases"), "cases"))
      names.push_back(entry.at("name").get<std::string>());
    return names;
  }
  std::vector<float> host(const Tensor& t) const {
    const Tensor values = backend->to_host(ops::cast(*backend, t, DType::f32));
    return {values.as<float>(), values.as<float>() + values.elements()};
  }

  std::unique_ptr<Backend> backend;
  WeightStore weights, cases;
  Json config;
  std::unique_ptr<QuantConfig> quantization = plain_config();
  DType compute;
};

// max |got - expected| / max |expected|
inline double relative_error(const std::vector<float>& got, const std::vector<float>& expected) {
  EXPECT_EQ(got.size(), expected.size());
  double difference = 0, largest = 0;
  for (size_t i = 0; i < std::min(got.size(), expected.size()); ++i) {
    if (!std::isfinite(got[i])) return INFINITY;
    difference = std::max(difference, std::abs(static_cast<double>(got[i]) - expected[i]));
    largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
  }
  return difference / largest;
}

}  // namespace mxdit::golden

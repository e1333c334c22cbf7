// How one linear layer stores its weight and computes: the seam between models and quantization.
//
// A QuantConfig looks at a layer and answers with a LinearPlan; the plan's LinearMethod turns the
// weight into a PreparedLinear, which is what a layer keeps. Layers never ask which method it is.
// encode and apply are split so that layers that share an input (q, k, v) encode it once.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "backend/backend.h"
#include "checkpoint/weight_store.h"

namespace mxdit {

// An activation in the form a method multiplies: the tensor itself for plain methods, bytes and
// scales for quantized ones. Only its method looks inside.
class EncodedActivation {
 public:
  virtual ~EncodedActivation() = default;
};

class PreparedLinear {
 public:
  virtual ~PreparedLinear() = default;
  virtual int64_t out_features() const noexcept = 0;
  virtual int64_t in_features() const noexcept = 0;

  // Two layers with equal keys accept each other's encoded activations.
  virtual std::string encoding_key() const = 0;
  // x [M, K] in the compute dtype.
  virtual std::unique_ptr<EncodedActivation> encode(const Tensor& x) const = 0;
  // act(x w^T + bias), [M, N] in the compute dtype of the encoded tensor.
  virtual Tensor apply(const EncodedActivation& x, const Tensor* bias, Activation act) const = 0;
};

// Where a weight comes from: stored tensors of the checkpoint, or encoded from a plain one at load.
struct LinearSource {
  const WeightStore* weights = nullptr;
  std::string layer;  // name without ".weight"
};

class LinearMethod {
 public:
  virtual ~LinearMethod() = default;
  virtual std::string name() const = 0;
  // Throws Error naming file and tensor when the source does not hold what the method needs.
  virtual std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                                  int64_t out_features,
                                                  int64_t in_features) const = 0;
};

struct LinearPlan {
  std::shared_ptr<const LinearMethod> method;
  std::string reason;  // for `mxdit inspect`: why this method
};

class QuantConfig {
 public:
  virtual ~QuantConfig() = default;
  virtual std::string name() const = 0;
  virtual LinearPlan plan(const std::string& layer, int64_t out_features,
                          int64_t in_features) const = 0;
};

}  // namespace mxdit

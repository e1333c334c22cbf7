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
#include "ops/linear_input.h"

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

  // Two layers with equal keys accept each other's encoded activations. May change from step to
  // step (timestep policies), never within one.
  virtual std::string encoding_key() const = 0;
  // x [..., K] in the compute dtype, as rows [M, K].
  virtual std::unique_ptr<EncodedActivation> encode(const LinearInput& x) const = 0;
  // Whether the stored weight brings a bias of its own, which takes the place of the layer's: apply()
  // then looks at none.
  virtual bool replaces_bias() const noexcept { return false; }
  // act(x w^T + bias), [M, N] in the compute dtype of the encoded tensor.
  virtual Tensor apply(const EncodedActivation& x, const Tensor* bias, Activation act) const = 0;
  // The same, encoded for `next`.
  virtual std::unique_ptr<EncodedActivation> apply_for(const PreparedLinear& next,
                                                       const EncodedActivation& x,
                                                       const Tensor* bias, Activation act) const {
    return next.encode(apply(x, bias, act));
  }
};

// Where a weight comes from: stored tensors of the checkpoint, or encoded from a plain one at load.
struct LinearSource {
  const WeightStore* weights = nullptr;
  std::string layer;  // name without ".weight"
  bool bias = false;  // the layer adds one of its own
};

// What a method would make of a layer, found without reading or encoding its weight.
struct LinearInfo {
  std::string type;     // of the stored form: "BF16", "W4A4_MXFP4_DUALSCALE"
  KernelChoice kernel;
  uint64_t resident_bytes = 0;  // memory beside the mapped checkpoint
  uint64_t mapped_bytes = 0;    // of the checkpoint's files that stay in use
  uint64_t working_bytes = 0;   // memory while it is prepared, given back afterwards
  bool replaces_bias = false;   // as of the prepared layer
};

class LinearMethod {
 public:
  virtual ~LinearMethod() = default;
  virtual std::string name() const = 0;
  // Throws Error naming file and tensor when the source does not hold what the method needs.
  virtual std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                                  int64_t out_features,
                                                  int64_t in_features) const = 0;
  // Errors as of prepare(), but for the values of tensors.
  virtual LinearInfo describe(const Backend& backend, const LinearSource& source,
                              int64_t out_features, int64_t in_features) const = 0;
};

struct LinearPlan {
  std::shared_ptr<const LinearMethod> method;
  std::string reason;  // for `mxdit inspect`: why this method
};

class QuantConfig {
 public:
  virtual ~QuantConfig() = default;
  virtual std::string name() const = 0;
  // Errors: bad_input or unsupported naming the layer, what is declared for it and where.
  virtual LinearPlan plan(const std::string& layer, int64_t out_features,
                          int64_t in_features) const = 0;
};

}  // namespace mxdit

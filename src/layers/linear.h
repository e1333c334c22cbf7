// A linear layer by its scope name, computed by whatever method the checkpoint's config plans.
#pragma once

#include <memory>
#include <string>

#include "layers/model_source.h"

namespace mxdit {

enum class Bias { none, required, optional };

class Linear {
 public:
  // Loads `<scope>.weight` [out, in] through the planned method and `<scope>.bias` [out] as f32,
  // unless the stored weight replaces it.
  Linear(const ModelSource& source, const std::string& scope, int64_t out_features,
         int64_t in_features, Bias bias);

  // act(x w^T + bias): x [..., in] in f32 or bf16 -> [..., out] in the same dtype.
  Tensor operator()(const LinearInput& x, Activation act = Activation::none) const;

  // The two halves of the above, for layers that share an input; x [..., in] -> [M, out].
  std::string encoding_key() const { return prepared_->encoding_key(); }
  std::unique_ptr<EncodedActivation> encode(const LinearInput& x) const {
    return prepared_->encode(x);
  }
  Tensor apply(const EncodedActivation& x, Activation act = Activation::none) const;
  // The same, encoded for `next`.
  std::unique_ptr<EncodedActivation> apply_for(const Linear& next, const EncodedActivation& x,
                                               Activation act) const;

  int64_t out_features() const noexcept { return prepared_->out_features(); }
  int64_t in_features() const noexcept { return prepared_->in_features(); }

 private:
  std::string scope_;
  std::unique_ptr<PreparedLinear> prepared_;
  Tensor bias_;  // undefined: none
};

// y [M, N] with the leading extents of an input [..., K].
Tensor unflatten_rows(const Tensor& y, const Shape& like);

}  // namespace mxdit

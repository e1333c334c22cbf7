// WanTransformer3DModel: the denoiser of Wan2.1 and Wan2.2.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "models/model.h"
#include "models/wan_dit/block.h"
#include "models/wan_dit/config.h"
#include "models/wan_dit/patches.h"
#include "models/wan_dit/time_text_embedding.h"

namespace mxdit::wan_dit {

class Transformer final : public Denoiser {
 public:
  // Errors: those of the config, of missing or misshapen tensors, and bad_input when the number of
  // blocks differs from the checkpoint's.
  explicit Transformer(const ModelSource& source);

  int64_t in_channels() const override { return config_.in_channels; }
  int64_t out_channels() const override { return config_.out_channels; }
  int64_t text_width() const override { return config_.text_dim; }
  std::array<int64_t, 3> patch_size() const override { return config_.patch_size; }

  // Keys and values of all blocks: 2 * blocks * B * L * D elements of the compute dtype.
  std::shared_ptr<const TextContext> encode_context(const Tensor& text,
                                                    const Tensor& image) const override;
  bool is_current(const TextContext& context) const override;
  Tensor forward(const DenoiserInput& input, const CancelToken* cancel) const override;
  std::vector<std::string> unused_tensors() const override { return unused_; }

 private:
  void load(const ModelSource& source);
  void check_input(const DenoiserInput& input) const;
  std::string context_key() const;
  Tensor embed_image(const Tensor& image, int64_t batch) const;
  Tensor output(Residual& x, const Conditioning& conditioning) const;

  Backend& backend_;
  DType compute_;
  Config config_;
  std::unique_ptr<PatchEmbedding> patch_embedding_;
  std::unique_ptr<TimeTextEmbedding> embedding_;
  std::vector<Block> blocks_;
  Tensor output_modulation_;  // f32 [2, D]
  std::unique_ptr<Linear> projection_;
  std::vector<std::string> unused_;
};

}  // namespace mxdit::wan_dit

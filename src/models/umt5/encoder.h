// UMT5EncoderModel: the text encoder of Wan.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layers/linear.h"
#include "layers/linear_group.h"
#include "layers/norms.h"
#include "models/model.h"
#include "models/umt5/config.h"
#include "models/umt5/position_bias.h"

namespace mxdit::umt5 {

// The real tokens of all prompts of a batch, one after the other.
struct Prompts {
  std::vector<int64_t> begin;  // first token of each prompt, and the end of the last
  int64_t count() const { return static_cast<int64_t>(begin.size()) - 1; }
  int64_t length(int64_t i) const {
    return begin[static_cast<size_t>(i) + 1] - begin[static_cast<size_t>(i)];
  }
};

// One encoder layer. The residual stream is f32 whatever the compute dtype: T5's grows to values
// where bf16 would lose what the last layers add, and it is small beside the weights.
class EncoderLayer {
 public:
  EncoderLayer(const ModelSource& source, const std::string& scope, const Config& config);

  // x f32 [tokens, d_model] -> the same.
  Tensor operator()(const Tensor& x, const Prompts& prompts) const;

 private:
  Tensor attend(const Tensor& x, const Prompts& prompts) const;
  Tensor feed_forward(const Tensor& x) const;

  Backend& backend_;
  DType compute_;
  int64_t heads_, head_size_;
  RmsNorm attention_norm_;
  LinearGroup qkv_;
  Linear out_;
  PositionBias bias_;
  RmsNorm feed_forward_norm_;
  LinearGroup gate_and_up_;
  Linear down_;
};

class Encoder final : public TextEncoder {
 public:
  // Errors: those of the config, of missing or misshapen tensors, and bad_input when the number of
  // layers differs from the checkpoint's.
  explicit Encoder(const ModelSource& source);
  ~Encoder() override;

  int64_t width() const override { return config_.d_model; }
  int64_t vocabulary() const override { return config_.vocab_size; }
  Tensor encode(const Tensor& ids, std::span<const int64_t> lengths,
                const CancelToken* cancel) const override;
  std::vector<std::string> unused_tensors() const override { return unused_; }

 private:
  void check_ids(const Tensor& ids, std::span<const int64_t> lengths) const;
  Tensor embed(const Tensor& ids, const Prompts& prompts) const;
  Tensor scatter(const Tensor& rows, const Prompts& prompts, int64_t length) const;

  Backend& backend_;
  DType compute_;
  Config config_;
  Tensor embedding_;  // [vocab_size, d_model] as stored: mapped, never copied on the CPU
  std::vector<EncoderLayer> layers_;
  std::unique_ptr<RmsNorm> final_norm_;
  std::vector<std::string> unused_;
};

}  // namespace mxdit::umt5

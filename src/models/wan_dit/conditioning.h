// What the timesteps say to every block.
#pragma once

#include <span>
#include <vector>

#include "backend/backend.h"

namespace mxdit::wan_dit {

// Which row of a table each batch row or token takes. Videos that are conditioned on a frame give
// every token a timestep, but only two values occur: everything derived from timesteps is computed
// once per distinct value and spread over the tokens where it is used.
class TimestepRows {
 public:
  // per_row timesteps for each of `batch` rows (1, or the number of tokens).
  TimestepRows(Backend& backend, std::span<const float> timesteps, int64_t batch);

  const std::vector<float>& distinct() const noexcept { return distinct_; }
  // table f32 [distinct, D] -> [batch, per_row, D].
  Tensor spread(const Tensor& table) const;

 private:
  Backend& backend_;
  int64_t batch_;
  std::vector<float> distinct_;
  Tensor ids_;  // i32 [batch * per_row]; undefined when row i takes row i
  int64_t count_;
};

struct Conditioning {
  const TimestepRows* rows;
  Tensor embedding;  // f32 [distinct, D]
  Tensor projected;  // f32 [6, distinct, D]: shift, scale, gate of attention and of feed-forward

  // part i of a block's modulation: projected[i] + table[i]; table f32 [6, D].
  Tensor modulation(Backend& backend, const Tensor& table, int64_t i) const;
  // part i of the output's: embedding + table[i]; table f32 [2, D].
  Tensor output_modulation(Backend& backend, const Tensor& table, int64_t i) const;
};

}  // namespace mxdit::wan_dit

// softmax(scale * q k^T + bias) v, one query at a time, rounded to fp32 where a device that computes
// it in steps has fp32: the product, the scaled logit, the logit with its bias, the weight.
#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/exact/elements.h"
#include "backend/cpu/exact/exact_backend.h"

namespace mxdit::cpu::exact {
namespace {

// Turns logits into weights; rows of infinities only give zeros.
void softmax(std::vector<float>& logits, std::vector<double>& weights) {
  float largest = -INFINITY;
  for (const float logit : logits) largest = std::max(largest, logit);
  double sum = 0.0;
  for (size_t i = 0; i < logits.size(); ++i) {
    weights[i] = largest == -INFINITY ? 0.0
                                      : std::exp(static_cast<double>(logits[i]) -
                                                 static_cast<double>(largest));
    sum += weights[i];
  }
  for (double& weight : weights)
    weight = sum == 0.0 ? 0.0 : static_cast<double>(static_cast<float>(weight / sum));
}

// The rows of one head: [positions, D] of [B, S, H, D].
std::vector<double> head_of(const Tensor& x, int64_t batch, int64_t head, int64_t positions) {
  const int64_t heads = x.dim(2), dim = x.dim(3);
  std::vector<double> rows(static_cast<size_t>(positions * dim));
  for (int64_t s = 0; s < positions; ++s)
    load(x, ((batch * x.dim(1) + s) * heads + head) * dim, dim, rows.data() + s * dim);
  return rows;
}

double dot(const double* a, const double* b, int64_t count) {
  double sum = 0.0;
  for (int64_t i = 0; i < count; ++i) sum += a[i] * b[i];
  return sum;
}

class Head {
 public:
  Head(const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
       int64_t batch, int64_t head, Tensor& out)
      : params_(params), q_(q), out_(out), batch_(batch), head_(head), keys_(k.dim(1)),
        all_keys_(k.dim(1)) {
    if (!params.kv_length.empty())
      keys_ = std::clamp<int64_t>(params.kv_length[static_cast<size_t>(batch)], 0, keys_);
    queries_rows_ = head_of(q, batch, head, q.dim(1));
    key_rows_ = head_of(k, batch, head, keys_);
    value_rows_ = head_of(v, batch, head, keys_);
    logits_.resize(static_cast<size_t>(keys_));
    weights_.resize(logits_.size());
  }

  void run(int64_t query) {
    const int64_t dim = q_.dim(3);
    const float* bias = nullptr;
    if (params_.bias != nullptr)
      bias = params_.bias->as<float>() + (head_ * q_.dim(1) + query) * all_keys_;
    for (int64_t key = 0; key < keys_; ++key) {
      const double product =
          dot(queries_rows_.data() + query * dim, key_rows_.data() + key * dim, dim);
      const float logit = static_cast<float>(product) * params_.scale;
      logits_[static_cast<size_t>(key)] = bias == nullptr ? logit : logit + bias[key];
    }
    softmax(logits_, weights_);
    std::vector<double> sums(static_cast<size_t>(dim), 0.0);
    for (int64_t key = 0; key < keys_; ++key)
      for (int64_t d = 0; d < dim; ++d)
        sums[static_cast<size_t>(d)] += weights_[static_cast<size_t>(key)] *
                                        value_rows_[static_cast<size_t>(key * dim + d)];
    const int64_t first = ((batch_ * q_.dim(1) + query) * q_.dim(2) + head_) * dim;
    for (int64_t d = 0; d < dim; ++d)
      store(static_cast<float>(sums[static_cast<size_t>(d)]), out_, first + d);
  }

 private:
  const AttentionParams& params_;
  const Tensor& q_;
  Tensor& out_;
  int64_t batch_, head_, keys_, all_keys_;
  std::vector<double> queries_rows_, key_rows_, value_rows_, weights_;
  std::vector<float> logits_;
};

}  // namespace

void ExactBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v,
                             const AttentionParams& params, Tensor& out) {
  const int64_t heads = q.dim(2), queries = q.dim(1);
  threads().parallel_for(q.dim(0) * heads, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      Head head(q, k, v, params, i / heads, i % heads, out);
      for (int64_t query = 0; query < queries; ++query) head.run(query);
    }
  });
}

KernelChoice ExactBackend::attention_kernel(DType, bool, AttentionPrecision precision) const {
  KernelChoice choice{"double", {}};
  if (precision == AttentionPrecision::int8)
    choice.passed_over.push_back("int8 scores: only in place of bf16 ones, which AMX has");
  return choice;
}

}  // namespace mxdit::cpu::exact

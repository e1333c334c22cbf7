// Attention: CANN's fused operator, or step by step in fp32 where there is a bias or keys are left
// out.
#include <algorithm>

#include "backend/ascend/ascend_backend.h"

namespace mxdit::ascend {
namespace {

// Limits of FlashAttentionScore.
constexpr int64_t kMostHeads = 256, kMostHeadSize = 768, kMostPositions = int64_t{1} << 20;
constexpr int8_t kKeepType = 0;

// [B, S, H, D] -> [B, H, S, D]
const IntArray& heads_first() {
  static const IntArray axes = {0, 2, 1, 3};
  return axes;
}

}  // namespace

bool AscendBackend::is_fusable(const Tensor& q, const Tensor& k) const {
  return device_.has(op::flash_attention_score_v4) && q.dim(2) <= kMostHeads &&
         q.dim(3) <= kMostHeadSize && std::max(q.dim(1), k.dim(1)) <= kMostPositions;
}

void AscendBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v,
                              const AttentionParams& params, Tensor& out) {
  if (k.elements() == 0) return device_.clear(out.mutable_data(), out.bytes());
  if (params.bias == nullptr && params.kv_length.empty() && is_fusable(q, k))
    return attend_fused(q, k, v, params.scale, out);
  if (params.kv_length.empty())
    return attend_in_steps(q, k, v, params.scale, params.bias, out);
  for (int64_t b = 0; b < q.dim(0); ++b) {
    const int64_t keys = params.kv_length[static_cast<size_t>(b)];
    Tensor rows = out.slice(b, b + 1);
    if (keys == 0) {
      device_.clear(rows.mutable_data(), rows.bytes());
      continue;
    }
    const auto first_keys = [&](const Tensor& t) {
      return t.reshape({t.dim(0) * t.dim(1), t.dim(2), t.dim(3)})
          .slice(b * t.dim(1), b * t.dim(1) + keys)
          .reshape({1, keys, t.dim(2), t.dim(3)});
    };
    attend_in_steps(q.slice(b, b + 1), first_keys(k), first_keys(v), params.scale, params.bias,
                    rows);
  }
}

void AscendBackend::attend_fused(const Tensor& q, const Tensor& k, const Tensor& v, float scale,
                                 Tensor& out) {
  constexpr int64_t kAllTokens = 2147483647, kNoMask = 0, kAddAfterScale = 1, kLanes = 8;
  constexpr double kKeepAll = 1.0;
  const TensorView none = TensorView::none();
  const IntArray no_list = IntArray::none();
  const Shape statistics = {q.dim(0), q.dim(2), q.dim(1), kLanes};
  const Tensor maximum = fresh(DType::f32, statistics), sum = fresh(DType::f32, statistics);
  device_.call(op::flash_attention_score_v4, TensorView::of(q), TensorView::of(k),
               TensorView::of(v), none, none, none, none, none, none, none, none, none, none,
               no_list, no_list, no_list, no_list, no_list, static_cast<double>(scale), kKeepAll,
               kAllTokens, kAllTokens, q.dim(2), Text{"BSND"}, int64_t{0}, kNoMask, int64_t{0},
               kAddAfterScale, Text{""}, int64_t{0}, int64_t{0}, TensorView::of(maximum),
               TensorView::of(sum), none, TensorView::of(out));
}

// Logits in fp32, then times scale, then plus bias; weights in fp32. A bias for more keys than there
// are is cut.
void AscendBackend::attend_in_steps(const Tensor& q, const Tensor& k, const Tensor& v, float scale,
                                    const Tensor* bias, Tensor& out) {
  const int64_t batch = q.dim(0), queries = q.dim(1), heads = q.dim(2), size = q.dim(3);
  const int64_t keys = k.dim(1);
  const auto by_heads = [&](const Tensor& t) {
    Tensor turned = fresh(DType::f32, {batch, heads, t.dim(1), size});
    device_.call(op::permute, TensorView::of(widened(t)), heads_first(), TensorView::of(turned));
    return turned.reshape({batch * heads, t.dim(1), size});
  };
  const Extents scores = {batch, heads, queries, keys};
  const Tensor logits = fresh(DType::f32, {batch * heads, queries, keys});
  device_.call(op::batch_mat_mul, TensorView::of(by_heads(q)),
               TensorView::of(by_heads(k)).transposed(), TensorView::of(logits), kKeepType);
  if (scale != 1.0f)
    device_.call(op::muls, TensorView::of(logits), ScalarValue(scale), TensorView::of(logits));
  if (bias != nullptr) {
    const int64_t row = bias->dim(2);
    device_.call(op::add, TensorView::of(logits, scores),
                 TensorView::strided(*bias, 0, {heads, queries, keys}, {queries * row, row, 1}),
                 ScalarValue(1.0f), TensorView::of(logits, scores));
  }
  const Tensor weights = fresh(DType::f32, logits.shape());
  device_.call(op::softmax, TensorView::of(logits), int64_t{-1}, TensorView::of(weights));
  const Tensor mixed = fresh(DType::f32, {batch * heads, queries, size});
  device_.call(op::batch_mat_mul, TensorView::of(weights), TensorView::of(by_heads(v)),
               TensorView::of(mixed), kKeepType);
  Tensor wide = wide_result(out);
  device_.call(op::permute, TensorView::of(mixed, {batch, heads, queries, size}), heads_first(),
               TensorView::of(wide));
  round_into(wide, out);
}

KernelChoice AscendBackend::attention_kernel(DType activation, bool bias,
                                             AttentionPrecision precision) const {
  const std::string fused = "aclnnFlashAttentionScoreV4";
  KernelChoice choice;
  if (bias || !device_.has(op::flash_attention_score_v4)) {
    choice.kernel = "aclnnBatchMatMul fp32 and aclnnSoftmax";
    choice.passed_over.push_back(fused + (bias ? ": it takes no fp32 bias" : ": the libraries lack it"));
  } else {
    choice.kernel = fused + (activation == DType::bf16 ? " bf16" : " fp32");
  }
  if (precision == AttentionPrecision::int8)
    choice.passed_over.push_back("int8 scores: only of the CPU");
  return choice;
}

}  // namespace mxdit::ascend

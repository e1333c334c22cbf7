// Attention with an online softmax (Milakov & Gimelshein 2018; the loop order of FlashAttention).
//
// One task is a block of queries of one head. Everything is kept transposed: scores are
// [keys, queries], so that a vector holds as many queries, maxima and sums need no horizontal step,
// and the exponentials are already the right operand of the product with V.
#include <algorithm>
#include <cstring>
#include <limits>

#include "backend/cpu/attention_dots.h"
#include "backend/cpu/cpu_backend.h"
#include "backend/cpu/isa.h"
#include "backend/cpu/tile_product.h"
#include "backend/cpu/rounding.h"

namespace mxdit::cpu {
namespace {

constexpr int64_t kKeyBlock = 192;
constexpr int64_t kQueryPanels = 12;  // column panels of queries per task, at most
constexpr int64_t kTasksPerThread = 3;

// One attention call.
struct Problem {
  const MatrixKernels& kernels;
  const char *q, *k, *v;
  char* out;
  const float* bias;
  Element type;
  int64_t queries, keys, heads, head_dim;
  float scale;

  int64_t row_bytes() const { return heads * head_dim * element_bytes(type); }
  int64_t offset(int64_t batch, int64_t positions, int64_t position, int64_t head) const {
    return ((batch * positions + position) * heads + head) * head_dim * element_bytes(type);
  }
};

// Fills `rows` with the addresses of `count` rows, `stride` bytes apart.
const void* const* row_pointers(const void** rows, const char* first, int64_t stride,
                                int64_t count) {
  for (int64_t i = 0; i < count; ++i) rows[i] = first + i * stride;
  return rows;
}

class QueryBlock {
 public:
  QueryBlock(const Problem& problem, MemoryPool& memory, int64_t most_queries)
      : p_(problem), nr_(problem.kernels.nr), mr_(problem.kernels.mr) {
    const int64_t panels = round_up(most_queries, nr_) / nr_, d = p_.head_dim;
    const int64_t key_floats = round_up(round_up(kKeyBlock, mr_) * d, 16);
    const int64_t value_floats = round_up(round_up(d, mr_) * kKeyBlock, 16);
    const int64_t floats =
        key_floats + value_floats + 2 * nr_ * kKeyBlock + 2 * panels * nr_ + 2 * panels * nr_ * d;
    const int64_t pointers = std::max(most_queries, kKeyBlock);
    storage_ = memory.allocate(static_cast<size_t>(floats) * sizeof(float) +
                               static_cast<size_t>(pointers) * sizeof(void*));
    float* next = static_cast<float*>(storage_->data());
    const auto take = [&next](int64_t count) { return std::exchange(next, next + count); };
    scores_ = take(nr_ * kKeyBlock);
    bias_ = take(nr_ * kKeyBlock);
    maximum_ = take(panels * nr_);
    sum_ = take(panels * nr_);
    queries_ = take(panels * nr_ * d);
    result_ = take(panels * nr_ * d);
    keys_ = take(key_floats);
    values_ = take(value_floats);
    rows_ = reinterpret_cast<const void**>(next);
  }

  void run(int64_t batch, int64_t head, int64_t first, int64_t count, int64_t keys) {
    pack_queries(batch, head, first, count);
    for (int64_t key = 0; key < keys; key += kKeyBlock) {
      const int64_t block = std::min(kKeyBlock, keys - key);
      pack_keys_and_values(batch, head, key, block);
      for (int64_t i = 0; i < count; i += nr_)
        add_keys(i, head, first + i, std::min(nr_, count - i), key, block);
    }
    for (int64_t i = 0; i < count; i += nr_)
      p_.kernels.store_transposed({.product = result_ + i * p_.head_dim,
                                   .rows = p_.head_dim,
                                   .columns = std::min(nr_, count - i),
                                   .divisor = sum_ + i,
                                   .bias = nullptr,
                                   .out = p_.out + p_.offset(batch, p_.queries, first + i, head),
                                   .out_type = p_.type,
                                   .out_stride = p_.heads * p_.head_dim});
  }

 private:
  void pack_queries(int64_t batch, int64_t head, int64_t first, int64_t count) {
    const int64_t lanes = round_up(count, nr_);
    std::fill_n(maximum_, lanes, -std::numeric_limits<float>::infinity());
    std::fill_n(sum_, lanes, 0.0f);
    std::fill_n(result_, lanes * p_.head_dim, 0.0f);
    const char* data = p_.q + p_.offset(batch, p_.queries, first, head);
    p_.kernels.pack({.rows = row_pointers(rows_, data, p_.row_bytes(), count),
                     .count = count,
                     .offset = 0,
                     .k = p_.head_dim,
                     .type = p_.type,
                     .scale = p_.scale,
                     .width = nr_,
                     .panel_stride = nr_ * p_.head_dim,
                     .out = queries_});
  }

  void pack_keys_and_values(int64_t batch, int64_t head, int64_t key, int64_t block) {
    const int64_t at = p_.offset(batch, p_.keys, key, head);
    p_.kernels.pack({.rows = row_pointers(rows_, p_.k + at, p_.row_bytes(), block),
                     .count = block,
                     .offset = 0,
                     .k = p_.head_dim,
                     .type = p_.type,
                     .scale = 1.0f,
                     .width = mr_,
                     .panel_stride = mr_ * p_.head_dim,
                     .out = keys_});
    p_.kernels.pack_columns({.rows = row_pointers(rows_, p_.v + at, p_.row_bytes(), block),
                             .count = p_.head_dim,
                             .offset = 0,
                             .k = block,
                             .type = p_.type,
                             .scale = 1.0f,
                             .width = mr_,
                             .panel_stride = mr_ * block,
                             .out = values_});
  }

  // Adds one block of keys to the panel of queries that starts at query `i` of this block.
  void add_keys(int64_t i, int64_t head, int64_t query, int64_t count, int64_t key, int64_t block) {
    float* result = result_ + i * p_.head_dim;
    p_.kernels.multiply({.left = keys_,
                         .rows = block,
                         .left_stride = mr_ * p_.head_dim,
                         .right = queries_ + i * p_.head_dim,
                         .panels = 1,
                         .right_stride = 0,
                         .k = p_.head_dim,
                         .product = scores_,
                         .product_stride = 0,
                         .accumulate = false});
    p_.kernels.softmax({.scores = scores_,
                        .bias = pack_bias(head, query, count, key, block),
                        .keys = block,
                        .maximum = maximum_ + i,
                        .sum = sum_ + i,
                        .accumulated = result,
                        .rows = p_.head_dim});
    p_.kernels.multiply({.left = values_,
                         .rows = p_.head_dim,
                         .left_stride = mr_ * block,
                         .right = scores_,
                         .panels = 1,
                         .right_stride = 0,
                         .k = block,
                         .product = result,
                         .product_stride = 0,
                         .accumulate = true});
  }

  const float* pack_bias(int64_t head, int64_t query, int64_t count, int64_t key, int64_t block) {
    if (p_.bias == nullptr) return nullptr;
    const float* first = p_.bias + (head * p_.queries + query) * p_.keys + key;
    const int64_t stride = p_.keys * static_cast<int64_t>(sizeof(float));
    p_.kernels.pack(
        {.rows = row_pointers(rows_, reinterpret_cast<const char*>(first), stride, count),
         .count = count,
         .offset = 0,
         .k = block,
         .type = Element::f32,
         .scale = 1.0f,
         .width = nr_,
         .panel_stride = nr_ * block,
         .out = bias_});
    return bias_;
  }

  const Problem& p_;
  const int64_t nr_, mr_;
  std::shared_ptr<Storage> storage_;
  float *scores_, *bias_, *maximum_, *sum_, *queries_, *result_, *keys_, *values_;
  const void** rows_;
};

}  // namespace

void CpuBackend::attention(const Tensor& q, const Tensor& k, const Tensor& v,
                           const AttentionParams& params, Tensor& out) {
  if (takes_dots(kernels_, q.dtype(), params.bias != nullptr))
    return attend_dots(kernels_, threads_, *memory_, q, k, v, params, out);
  const Problem problem = {.kernels = kernels_.matrix,
                           .q = static_cast<const char*>(q.data()),
                           .k = static_cast<const char*>(k.data()),
                           .v = static_cast<const char*>(v.data()),
                           .out = static_cast<char*>(out.mutable_data()),
                           .bias = params.bias == nullptr ? nullptr : params.bias->as<float>(),
                           .type = element_of(q.dtype()),
                           .queries = q.dim(1),
                           .keys = k.dim(1),
                           .heads = q.dim(2),
                           .head_dim = q.dim(3),
                           .scale = params.scale};
  const int64_t nr = kernels_.matrix.nr, pairs = q.dim(0) * problem.heads;
  const auto blocks = [&](int64_t panels) {
    return (problem.queries + panels * nr - 1) / (panels * nr);
  };
  int64_t panels = kQueryPanels;
  while (panels > 1 && pairs * blocks(panels) < kTasksPerThread * threads_.size()) panels /= 2;
  const int64_t block = panels * nr, per_pair = blocks(panels);
  threads_.parallel_for(pairs * per_pair, 1, [&](int64_t begin, int64_t end) {
    QueryBlock task(problem, *memory_, std::min(block, problem.queries));
    for (int64_t i = begin; i < end; ++i) {
      const int64_t pair = i / per_pair, first = i % per_pair * block;
      const int64_t batch = pair / problem.heads, head = pair % problem.heads;
      int64_t keys = problem.keys;
      if (!params.kv_length.empty())
        keys = std::clamp<int64_t>(params.kv_length[static_cast<size_t>(batch)], 0, keys);
      task.run(batch, head, first, std::min(block, problem.queries - first), keys);
    }
  });
}

KernelChoice CpuBackend::attention_kernel(DType activation, bool bias,
                                          AttentionPrecision precision) const {
  const std::string table = kernels_.name;
  const bool dots = takes_dots(kernels_, activation, bias);
  KernelChoice choice = {(dots ? "bf16 " : "fp32 ") + table, passed_over(kernels_)};
  if (kernels_.attention.attend != nullptr && !dots)
    choice.passed_over.push_back(
        "bf16 " + table + (bias ? ": it takes no bias" : ": activations are not bf16"));
  if (precision == AttentionPrecision::bf16) return choice;
  if (dots && kernels_.attention.pack_int8 != nullptr)
    choice.kernel = "int8 scores, bf16 " + table;
  else
    choice.passed_over.push_back("int8 scores: only in place of bf16 ones, which AMX has");
  return choice;
}

}  // namespace mxdit::cpu

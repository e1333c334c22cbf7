#include "backend/cpu/attention_dots.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "backend/cpu/rounding.h"

namespace mxdit::cpu {
namespace {

constexpr int64_t kPackedBytes = int64_t{64} << 20;
constexpr int64_t kPanelsPerTask = 24;
constexpr int64_t kTasksPerThread = 4;
constexpr double kLog2E = 1.4426950408889634;

// Sums of products in int8 stay below 2^24, where fp32 has every whole number.
constexpr int64_t kLargestInt8Dim = 1024;
// Above this, scales of int8 may overflow. As bits of bf16, and as the scale of logits.
constexpr uint16_t kLargestBits = 0x4f80;  // 2^32
constexpr float kLargestScale = 0x1p32f;
constexpr int64_t kScaleBytes = kDotRows * sizeof(float);  // of a panel of queries

// A head of one row of the batch is a lane; lanes are attended to by themselves.
class Attention {
 public:
  Attention(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory, const Tensor& q,
            const Tensor& k, const Tensor& v, const AttentionParams& params, Tensor& out)
      : kernels_(kernels),
        threads_(threads),
        memory_(memory),
        q_(static_cast<const uint16_t*>(q.data())),
        k_(static_cast<const uint16_t*>(k.data())),
        v_(static_cast<const uint16_t*>(v.data())),
        out_(static_cast<uint16_t*>(out.mutable_data())),
        params_(params),
        queries_(q.dim(1)),
        keys_(k.dim(1)),
        heads_(q.dim(2)),
        dim_(q.dim(3)),
        steps_(blocks(dim_, 32)),
        lanes_(q.dim(0) * heads_),
        scale_(static_cast<float>(params_.scale * kLog2E)),
        int8_(params.precision == AttentionPrecision::int8 && takes_int8_scores(kernels, dim_) &&
              std::fabs(scale_) <= kLargestScale) {}

  void run() {
    const int64_t lane_bytes = 2 * chunks_of(keys_) * chunk_bytes();
    if (lane_bytes == 0) return clear(0, lanes_);
    const int64_t together = std::clamp<int64_t>(kPackedBytes / lane_bytes, 1, lanes_);
    const auto packed = memory_.allocate(static_cast<size_t>(together * lane_bytes));
    packed_ = static_cast<uint8_t*>(packed->data());
    if (int8_) smoothed_.resize(static_cast<size_t>(together));
    for (int64_t first = 0; first < lanes_; first += together)
      run_lanes(first, std::min(together, lanes_ - first));
  }

 private:
  // What a lane needs for scores in int8. It has them unless a query or a key is not finite or
  // huge.
  struct Smoothed {
    bool holds = false;
    std::vector<float> mean, key_scales;
  };

  // Chunks of keys in bf16 and of values have the same size; in int8 keys use a part of it.
  int64_t chunk_bytes() const { return steps_ * kChunkSteps * kDotStepBytes; }
  static int64_t chunks_of(int64_t keys) { return blocks(keys, kChunkKeys); }
  uint8_t* keys_of(int64_t lane) const {
    return packed_ + (lane - first_lane_) * 2 * chunks_of(keys_) * chunk_bytes();
  }
  uint8_t* values_of(int64_t lane) const {
    return keys_of(lane) + chunks_of(keys_) * chunk_bytes();
  }
  int64_t score_steps(int64_t lane) const {
    return smoothed(lane) != nullptr ? blocks(dim_, kDotStep) : steps_;
  }
  int64_t key_count(int64_t lane) const {
    if (params_.kv_length.empty()) return keys_;
    return std::clamp<int64_t>(params_.kv_length[static_cast<size_t>(lane / heads_)], 0, keys_);
  }
  int64_t offset(int64_t lane, int64_t positions, int64_t position) const {
    return ((lane / heads_ * positions + position) * heads_ + lane % heads_) * dim_;
  }
  const void* const* row_pointers(const void** rows, const uint16_t* first, int64_t count) const {
    for (int64_t i = 0; i < count; ++i) rows[i] = first + i * heads_ * dim_;
    return rows;
  }

  const Smoothed* smoothed(int64_t lane) const {
    if (!int8_) return nullptr;
    const Smoothed& found = smoothed_[static_cast<size_t>(lane - first_lane_)];
    return found.holds ? &found : nullptr;
  }

  // Raises `largest` to that of `count` positions of a lane, and adds up `sums` unless null.
  void survey(const uint16_t* x, int64_t lane, int64_t positions, int64_t count, float* sums,
              uint16_t* largest) const {
    const void* rows[kChunkKeys];
    for (int64_t i = 0; i < count; i += kChunkKeys) {
      const int64_t some = std::min(kChunkKeys, count - i);
      kernels_.attention.survey_rows(
          {.rows = row_pointers(rows, x + offset(lane, positions, i), some),
           .count = some,
           .dim = dim_,
           .sums = sums,
           .largest = largest});
    }
  }
  void smooth(int64_t lane) {
    Smoothed& out = smoothed_[static_cast<size_t>(lane - first_lane_)];
    const int64_t keys = key_count(lane);
    uint16_t largest = 0;
    out.mean.assign(static_cast<size_t>(dim_), 0.0f);
    survey(k_, lane, keys_, keys, out.mean.data(), &largest);
    survey(q_, lane, queries_, queries_, nullptr, &largest);
    for (float& sum : out.mean) sum /= static_cast<float>(keys);
    out.key_scales.resize(static_cast<size_t>(chunks_of(keys_) * kChunkSteps));
    out.holds = keys > 0 && largest <= kLargestBits;
  }

  void run_lanes(int64_t first, int64_t count) {
    first_lane_ = first;
    if (int8_)
      threads_.parallel_for(count, 1, [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i) smooth(first + i);
      });
    const int64_t chunks = chunks_of(keys_);
    threads_.parallel_for(count * chunks, 1, [&](int64_t begin, int64_t end) {
      for (int64_t i = begin; i < end; ++i) pack_chunk(first + i / chunks, i % chunks);
    });
    const int64_t all = blocks(queries_, kDotRows);
    int64_t panels = std::min(all, kPanelsPerTask);
    while (panels > 1 && count * blocks(all, panels) < kTasksPerThread * threads_.size())
      panels /= 2;
    const int64_t tasks = blocks(all, panels);
    threads_.parallel_for(count * tasks, 1, [&](int64_t begin, int64_t end) {
      const int64_t query_bytes = panels * (steps_ * kDotStepBytes + kScaleBytes);
      const auto scratch = memory_.allocate(
          static_cast<size_t>(query_bytes + kernels_.attention.workspace_bytes(panels, steps_)));
      for (int64_t i = begin; i < end; ++i)
        run_task(first + i / tasks, i % tasks * panels, std::min(panels, all - i % tasks * panels),
                 static_cast<uint8_t*>(scratch->data()), query_bytes);
    });
  }

  void pack_chunk(int64_t lane, int64_t chunk) {
    const int64_t first = chunk * kChunkKeys, count = key_count(lane) - first;
    if (count <= 0) return;
    const void* rows[kChunkKeys];
    const int64_t at = offset(lane, keys_, first);
    const int64_t step_bytes = score_steps(lane) * kDotStepBytes;
    for (int64_t key = first; key < std::min(first + count, first + kChunkKeys); key += kKeyStep) {
      const int64_t some = std::min(kKeyStep, first + count - key), step = key / kKeyStep;
      const auto* pointers = row_pointers(rows, k_ + offset(lane, keys_, key), some);
      pack(lane, pointers, some, Side::right, step, keys_of(lane) + step * step_bytes, nullptr);
    }
    const int64_t some = std::min(kChunkKeys, count);
    kernels_.attention.pack_values({.rows = row_pointers(rows, v_ + at, some),
                                    .count = some,
                                    .dim = dim_,
                                    .steps = steps_,
                                    .out = values_of(lane) + chunk * chunk_bytes()});
  }

  // A left panel with its `scales`, or the right panel of a step of keys.
  void pack(int64_t lane, const void* const* rows, int64_t count, Side side, int64_t step,
            uint8_t* out, float* scales) {
    if (smoothed(lane) != nullptr) {
      Smoothed& state = smoothed_[static_cast<size_t>(lane - first_lane_)];
      const bool left = side == Side::left;
      return kernels_.attention.pack_int8(
          {.rows = rows,
           .count = count,
           .dim = dim_,
           .steps = score_steps(lane),
           .mean = left ? nullptr : state.mean.data(),
           .factor = left ? scale_ : 1.0f,
           .side = side,
           .scales = left ? scales : &state.key_scales[static_cast<size_t>(step)],
           .out = out});
    }
    kernels_.dots.pack({.rows = rows,
                        .count = count,
                        .offset = 0,
                        .k = dim_,
                        .type = Element::bf16,
                        .side = side,
                        .out = out});
  }

  void run_task(int64_t lane, int64_t panel, int64_t panels, uint8_t* scratch,
                int64_t query_bytes) {
    const int64_t first = panel * kDotRows;
    const int64_t count = std::min(panels * kDotRows, queries_ - first);
    const int64_t keys = key_count(lane);
    if (keys == 0) return clear_rows(lane, first, count);
    const void* rows[kDotRows];
    const int64_t step_bytes = score_steps(lane) * kDotStepBytes;
    auto* const scales = reinterpret_cast<float*>(scratch + panels * steps_ * kDotStepBytes);
    for (int64_t query = 0; query < count; query += kDotRows) {
      const int64_t some = std::min(kDotRows, count - query);
      const auto* pointers = row_pointers(rows, q_ + offset(lane, queries_, first + query), some);
      pack(lane, pointers, some, Side::left, 0, scratch + query / kDotRows * step_bytes,
           scales + query);
    }
    const Smoothed* int8 = smoothed(lane);
    kernels_.attention.attend({.queries = scratch,
                               .panels = panels,
                               .keys = keys_of(lane),
                               .values = values_of(lane),
                               .key_count = keys,
                               .steps = steps_,
                               .score_steps = score_steps(lane),
                               .scale = scale_,
                               .query_scales = int8 == nullptr ? nullptr : scales,
                               .key_scales = int8 == nullptr ? nullptr : int8->key_scales.data(),
                               .workspace = scratch + query_bytes,
                               .out = out_ + offset(lane, queries_, first),
                               .out_stride = heads_ * dim_,
                               .query_count = count,
                               .dim = dim_});
  }

  void clear(int64_t lane, int64_t count) const {
    for (int64_t i = lane; i < lane + count; ++i) clear_rows(i, 0, queries_);
  }
  void clear_rows(int64_t lane, int64_t first, int64_t count) const {
    for (int64_t i = 0; i < count; ++i)
      std::fill_n(out_ + offset(lane, queries_, first + i), dim_, uint16_t{0});
  }

  const KernelTable& kernels_;
  ThreadPool& threads_;
  MemoryPool& memory_;
  const uint16_t *q_, *k_, *v_;
  uint16_t* out_;
  const AttentionParams& params_;
  const int64_t queries_, keys_, heads_, dim_, steps_, lanes_;
  const float scale_;  // of products to logits in base 2
  const bool int8_;    // scores are to be in int8
  std::vector<Smoothed> smoothed_;
  uint8_t* packed_ = nullptr;  // lane by lane, keys and then values
  int64_t first_lane_ = 0;
};

}  // namespace

bool takes_dots(const KernelTable& kernels, DType type, bool bias) noexcept {
  return kernels.attention.attend != nullptr && type == DType::bf16 && !bias;
}

bool takes_int8_scores(const KernelTable& kernels, int64_t head_dim) noexcept {
  return kernels.attention.pack_int8 != nullptr && head_dim <= kLargestInt8Dim;
}

void attend_dots(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory,
                 const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                 Tensor& out) {
  Attention(kernels, threads, memory, q, k, v, params, out).run();
}

}  // namespace mxdit::cpu

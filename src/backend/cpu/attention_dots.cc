#include "backend/cpu/attention_dots.h"

#include <algorithm>

namespace mxdit::cpu {
namespace {

constexpr int64_t kPackedBytes = int64_t{64} << 20;
constexpr int64_t kPanelsPerTask = 24;
constexpr int64_t kTasksPerThread = 4;
constexpr double kLog2E = 1.4426950408889634;

int64_t blocks(int64_t count, int64_t block) {
  return (count + block - 1) / block;
}

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
        lanes_(q.dim(0) * heads_) {}

  void run() {
    const int64_t lane_bytes = 2 * chunks_of(keys_) * chunk_bytes();
    if (lane_bytes == 0) return clear(0, lanes_);
    const int64_t together = std::clamp<int64_t>(kPackedBytes / lane_bytes, 1, lanes_);
    const auto packed = memory_.allocate(static_cast<size_t>(together * lane_bytes));
    packed_ = static_cast<uint8_t*>(packed->data());
    for (int64_t first = 0; first < lanes_; first += together)
      run_lanes(first, std::min(together, lanes_ - first));
  }

 private:
  // Chunks of keys and of values have the same size.
  int64_t chunk_bytes() const { return steps_ * kChunkSteps * kDotStepBytes; }
  static int64_t chunks_of(int64_t keys) { return blocks(keys, kChunkKeys); }
  uint8_t* keys_of(int64_t lane) const {
    return packed_ + (lane - first_lane_) * 2 * chunks_of(keys_) * chunk_bytes();
  }
  uint8_t* values_of(int64_t lane) const {
    return keys_of(lane) + chunks_of(keys_) * chunk_bytes();
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

  void run_lanes(int64_t first, int64_t count) {
    first_lane_ = first;
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
      const int64_t query_bytes = panels * steps_ * kDotStepBytes;
      const auto scratch = memory_.allocate(
          static_cast<size_t>(query_bytes + kernels_.attention.workspace_bytes(panels, steps_)));
      for (int64_t i = begin; i < end; ++i)
        run_task(first + i / tasks, i % tasks * panels, std::min(panels, all - i % tasks * panels),
                 static_cast<uint8_t*>(scratch->data()), query_bytes);
    });
  }

  void pack_chunk(int64_t lane, int64_t chunk) const {
    const int64_t first = chunk * kChunkKeys, count = key_count(lane) - first;
    if (count <= 0) return;
    const void* rows[kChunkKeys];
    const int64_t at = offset(lane, keys_, first);
    uint8_t* out = keys_of(lane) + chunk * chunk_bytes();
    for (int64_t key = 0; key < std::min(count, kChunkKeys); key += kKeyStep) {
      const int64_t some = std::min(kKeyStep, count - key);
      pack(row_pointers(rows, k_ + at + key * heads_ * dim_, some), some, Side::right, out);
      out += steps_ * kDotStepBytes;
    }
    const int64_t some = std::min(kChunkKeys, count);
    kernels_.attention.pack_values({.rows = row_pointers(rows, v_ + at, some),
                                    .count = some,
                                    .dim = dim_,
                                    .steps = steps_,
                                    .out = values_of(lane) + chunk * chunk_bytes()});
  }

  void pack(const void* const* rows, int64_t count, Side side, uint8_t* out) const {
    kernels_.dots.pack({.rows = rows,
                        .count = count,
                        .offset = 0,
                        .k = dim_,
                        .type = Element::bf16,
                        .side = side,
                        .out = out});
  }

  void run_task(int64_t lane, int64_t panel, int64_t panels, uint8_t* scratch,
                int64_t query_bytes) const {
    const int64_t first = panel * kDotRows;
    const int64_t count = std::min(panels * kDotRows, queries_ - first);
    const int64_t keys = key_count(lane);
    if (keys == 0) return clear_rows(lane, first, count);
    const void* rows[kDotRows];
    for (int64_t query = 0; query < count; query += kDotRows) {
      const int64_t some = std::min(kDotRows, count - query);
      pack(row_pointers(rows, q_ + offset(lane, queries_, first + query), some), some, Side::left,
           scratch + query / kDotRows * steps_ * kDotStepBytes);
    }
    kernels_.attention.attend({.queries = scratch,
                               .panels = panels,
                               .keys = keys_of(lane),
                               .values = values_of(lane),
                               .key_count = keys,
                               .steps = steps_,
                               .scale = static_cast<float>(params_.scale * kLog2E),
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
  uint8_t* packed_ = nullptr;  // lane by lane, keys and then values
  int64_t first_lane_ = 0;
};

}  // namespace

bool takes_dots(const KernelTable& kernels, DType type, bool bias) noexcept {
  return kernels.attention.attend != nullptr && type == DType::bf16 && !bias;
}

void attend_dots(const KernelTable& kernels, ThreadPool& threads, MemoryPool& memory,
                 const Tensor& q, const Tensor& k, const Tensor& v, const AttentionParams& params,
                 Tensor& out) {
  Attention(kernels, threads, memory, q, k, v, params, out).run();
}

}  // namespace mxdit::cpu

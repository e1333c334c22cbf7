// Attention on AMX: one panel of queries (32 rows) against one chunk of keys (256) at a time. First
// come the scores (in bf16 or in int8), key step by key step; behind every tile product the vector
// units turn rows of the step before into weights. Then come the products of all weights with the
// values, in bf16. As in kernels.cc, sums leave the tiles behind the first loads of the product
// that follows.
//
// Tile stores that miss L1 cost most (keys streaming from L2 leave 92 % of the peak as long as the
// stores hit), so what is written in between is small: sums of products go to memory once per
// chunk, scores are used up at once, weights are 16 KiB.
//
// The softmax needs no running maximum. Weights are bf16, which has fp32's range, so a reference r
// for each row that is merely near its maximum serves as well: it starts as the maximum over the
// first 32 keys. Where a weight passes 2^32, the chunk is done again with the row's maximum as its
// reference, and what was summed before is scaled.
#include "backend/cpu/amx/attention.h"

#include <cmath>
#include <cstring>

#include "backend/cpu/amx/attention_products.h"
#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/kernel_table.h"

namespace mxdit::cpu::amx {
namespace {

constexpr int kLargestExponent = 32;  // of weights
constexpr float kHugeLogit = 0x1p18f;  // fp32 has 6 bits of fraction left

// Sums of weights, 16 lanes a row.
struct alignas(64) Sums {
  float lanes[kRows * 16];
};

// What a query panel keeps from chunk to chunk; its sums of products follow all of them.
struct alignas(64) PanelState {
  float reference[kRows];
  bool huge;  // a reference is beyond kHugeLogit: every chunk goes through repeat()
  Sums sums;  // of weights
};

struct alignas(64) Scratch {
  float scores[2][kDotBlock];                    // of one key step and of the one before
  uint8_t weights[kChunkSteps * kDotStepBytes];  // left panel of a chunk
  float all_scores[kChunkSteps][kDotBlock];      // of a chunk that is done again
  __m512i largest;                               // words of a chunk's weights
};

// ---- one task ----

__mmask16 keys_from(int64_t first, int64_t count) {
  const int64_t left = count - first;
  return static_cast<__mmask16>(left >= 16 ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

// One panel of queries and one chunk of keys.
struct Chunk {
  const uint8_t* queries;
  const uint8_t *keys, *values;
  int64_t key_count;  // 1 .. kChunkKeys
  int64_t panel, first_step;
  PanelState* state;
  float* products;  // [steps] blocks

  int64_t key_steps() const { return (key_count + kKeyStep - 1) / kKeyStep; }
};

template <typename Scores>
class Task {
 public:
  explicit Task(const AttendArgs& args)
      : args_(args),
        scratch_(*static_cast<Scratch*>(args.workspace)),
        states_(reinterpret_cast<PanelState*>(&scratch_ + 1)),
        products_(reinterpret_cast<float*>(states_ + args.panels)),
        before_(scratch_.scores[0]) {}

  void run() {
    std::memset(states_, 0, static_cast<size_t>(args_.panels) * sizeof(PanelState));
    std::memset(products_, 0,
                static_cast<size_t>(args_.panels * args_.steps * kDotBlock) * sizeof(float));
    configure_tiles();
    for (int64_t panel = 0; panel < args_.panels; ++panel) find_reference(panel);
    const int64_t chunks = (args_.key_count + kChunkKeys - 1) / kChunkKeys;
    for (int64_t first = 0; first < chunks; first += kCachedChunks)
      for (int64_t panel = 0; panel < args_.panels; ++panel)
        for (int64_t c = first; c < chunks && c < first + kCachedChunks; ++c)
          run_chunk(chunk_of(panel, c));
    store_tiles(before_);
    release_tiles();
    for (int64_t panel = 0; panel < args_.panels; ++panel) finish(panel);
  }

 private:
  // Keys and values of this many chunks serve all queries before the next ones come: they stay in
  // L2.
  static constexpr int64_t kCachedChunks = 1536 / kChunkKeys;

  static constexpr Factors kFactors = Scores::kFactors;

  // Of queries and of keys.
  int64_t panel_bytes() const { return args_.score_steps * kDotStepBytes; }
  float* products_of(int64_t panel) const { return products_ + panel * args_.steps * kDotBlock; }

  Chunk chunk_of(int64_t panel, int64_t c) const {
    const int64_t left = args_.key_count - c * kChunkKeys;
    return {.queries = args_.queries + panel * panel_bytes(),
            .keys = args_.keys + c * kChunkSteps * panel_bytes(),
            .values = args_.values + c * kChunkSteps * args_.steps * kDotStepBytes,
            .key_count = left < kChunkKeys ? left : kChunkKeys,
            .panel = panel,
            .first_step = c * kChunkSteps,
            .state = states_ + panel,
            .products = products_of(panel)};
  }

  Scores kind_of(int64_t panel, int64_t key_step) const {
    if constexpr (kFactors == Factors::int8)
      return {args_.query_scales + panel * kRows, _mm512_set1_ps(args_.key_scales[key_step])};
    else
      return {_mm512_set1_ps(args_.scale)};
  }

  Softmax<Scores> softmax_of(const Chunk& chunk, int64_t k, const float* scores) const {
    return {.kind = kind_of(chunk.panel, chunk.first_step + k),
            .scores = scores,
            .weights = scratch_.weights + k * kDotStepBytes,
            .reference = chunk.state->reference,
            .low = keys_from(k * kKeyStep, chunk.key_count),
            .high = keys_from(k * kKeyStep + 16, chunk.key_count)};
  }

  Product scores_of(const Chunk& chunk, int64_t k) const {
    return {chunk.queries, chunk.keys + k * panel_bytes(), args_.score_steps, nullptr, before_};
  }
  Product values_of(const Chunk& chunk, int64_t d) const {
    return {scratch_.weights, chunk.values + d * kChunkSteps * kDotStepBytes, chunk.key_steps(),
            chunk.products + d * kDotBlock, before_};
  }

  void run_chunk(const Chunk& chunk) {
    scratch_.largest = _mm512_setzero_si512();
    run_product<kFactors, false, false, Scores::kUsualSteps>(scores_of(chunk, 0), Nothing{});
    before_ = scratch_.scores[0];
    const int64_t last = chunk.key_steps() - 1;
    for (int64_t k = 1; k <= last; ++k) run_scores(chunk, k);
    run_first_values(chunk, last);
    if (chunk.state->huge || has_large_weights()) {
      repeat(chunk);
      run_product<Factors::bf16, true, false, kChunkSteps>(values_of(chunk, 0), Nothing{});
    }
    before_ = chunk.products;
    if (args_.steps == 1) sum_weights(chunk, 0, kRows).finish();
    for (int64_t d = 1; d < args_.steps; ++d) run_values(chunk, d);
  }

  Rows<Scores> rows_of(const Chunk& chunk, int64_t k, int end, int at_once, int fast_end) const {
    const int64_t earlier = k > 0 ? k - 1 : 0;  // where there is none, it is not looked at
    return {.before = softmax_of(chunk, earlier, scratch_.scores[earlier & 1]),
            .now = softmax_of(chunk, k, scratch_.scores[k & 1]),
            .any_before = k > 0,
            .end = end,
            .at_once = at_once,
            .fast_end = fast_end,
            .total = &scratch_.largest};
  }
  __attribute__((noinline)) void run_scores(const Chunk& chunk, int64_t k) {
    run_product<kFactors, false, false, Scores::kUsualSteps>(
        scores_of(chunk, k), rows_of(chunk, k - 1, kEarlyRows, Scores::kRowsAtOnce, kEarlyRows));
    before_ = scratch_.scores[k & 1];
  }
  __attribute__((noinline)) void run_first_values(const Chunk& chunk, int64_t last) {
    run_product<Factors::bf16, true, true, kChunkSteps>(values_of(chunk, 0),
                                                        rows_of(chunk, last, kRows, 2, 16));
  }
  __attribute__((noinline)) void run_values(const Chunk& chunk, int64_t d) {
    const int64_t behind = args_.steps - 1;  // the first product comes too early
    run_product<Factors::bf16, true, false, kChunkSteps>(
        values_of(chunk, d), sum_weights(chunk, static_cast<int>((d - 1) * kRows / behind),
                                         static_cast<int>(d * kRows / behind)));
    before_ = chunk.products + d * kDotBlock;
  }
  SumRows sum_weights(const Chunk& chunk, int row, int end) const {
    return {.sums = {scratch_.weights, chunk.key_steps(), chunk.state->sums.lanes},
            .row = row,
            .end = end,
            .every = 2};
  }

  // ---- references ----

  void multiply_scores(const uint8_t* queries, const uint8_t* keys, float* scores) const {
    const int64_t steps = args_.score_steps;
    run_product<kFactors, false, false>({queries, keys, steps, nullptr, scores}, steps, Nothing{});
    store_tiles(scores);
  }

  void find_reference(int64_t panel) {
    float* scores = scratch_.scores[0];
    multiply_scores(args_.queries + panel * panel_bytes(), args_.keys, scores);
    const __mmask16 low = keys_from(0, args_.key_count), high = keys_from(16, args_.key_count);
    const Scores kind = kind_of(panel, 0);
    for (int r = 0; r < kRows; ++r)
      set_reference(states_[panel], r, largest_logit(kind, scores, r, low, high));
  }
  static void set_reference(PanelState& state, int r, float value) {
    state.reference[r] = value;
    state.huge |= value != -FLT_MAX && std::fabs(value) > kHugeLogit;
  }

  // Words of bf16 that are not negative compare like whole numbers; a NaN may count as large.
  bool has_large_weights() const {
    const __m512i most = _mm512_set1_epi16((127 + kLargestExponent) << 7);
    return _mm512_cmp_epi16_mask(scratch_.largest, most, _MM_CMPINT_NLE) != 0;
  }

  // Does the weights of a chunk again; none of its products with values has left the tiles.
  __attribute__((noinline)) void repeat(const Chunk& chunk) {
    const int64_t steps = chunk.key_steps();
    for (int64_t k = 0; k < steps; ++k)
      multiply_scores(chunk.queries, chunk.keys + k * panel_bytes(), scratch_.all_scores[k]);
    for (int r = 0; r < kRows; ++r) {
      float maximum = -FLT_MAX;
      for (int64_t k = 0; k < steps; ++k) {
        const __mmask16 low = keys_from(k * kKeyStep, chunk.key_count);
        const __mmask16 high = keys_from(k * kKeyStep + 16, chunk.key_count);
        const Scores kind = kind_of(chunk.panel, chunk.first_step + k);
        maximum = std::fmax(maximum, largest_logit(kind, scratch_.all_scores[k], r, low, high));
      }
      raise_reference(chunk, r, maximum);
    }
    for (int64_t k = 0; k < steps; ++k) {
      const Softmax<Scores> softmax = softmax_of(chunk, k, scratch_.all_scores[k]);
      for (int r = 0; r < kRows; ++r) softmax.template row<true>(r, scratch_.largest);
    }
    before_ = scratch_.scores[0];
  }

  // Scales what row r has summed to its new reference, where it needs one: it must not matter that
  // another row does.
  void raise_reference(const Chunk& chunk, int r, float maximum) const {
    const float old = chunk.state->reference[r];
    if (!(maximum - old > kLargestExponent)) return;
    set_reference(*chunk.state, r, maximum);
    const __m512 factor = _mm512_set1_ps(std::exp2(old - maximum));
    const auto scale = [factor](float* lanes) {
      _mm512_store_ps(lanes, _mm512_mul_ps(_mm512_load_ps(lanes), factor));
    };
    scale(chunk.state->sums.lanes + r * 16);
    for (int64_t d = 0; d < args_.steps; ++d) {
      scale(chunk.products + d * kDotBlock + r * kDotRows);
      scale(chunk.products + d * kDotBlock + r * kDotRows + 16);
    }
  }

  // ---- results ----

  void finish(int64_t panel) const {
    const Sums& sums = states_[panel].sums;
    const int64_t first = panel * kRows;
    for (int r = 0; r < kRows && first + r < args_.query_count; ++r) {
      const float sum = _mm512_reduce_add_ps(_mm512_load_ps(sums.lanes + r * 16));
      const __m512 factor = _mm512_set1_ps(sum == 0.0f ? 0.0f : 1.0f / sum);
      const float* row = products_of(panel) + r * kDotRows;
      uint16_t* out = static_cast<uint16_t*>(args_.out) + (first + r) * args_.out_stride;
      for (int64_t d = 0; d < args_.dim; d += 32, row += kDotBlock) {
        const __m512 low = _mm512_mul_ps(_mm512_load_ps(row), factor);
        const __m512 high = _mm512_mul_ps(_mm512_load_ps(row + 16), factor);
        _mm512_mask_storeu_epi16(out + d, first_elements(args_.dim - d),
                                 (__m512i)_mm512_cvtne2ps_pbh(high, low));
      }
    }
  }

  const AttendArgs& args_;
  Scratch& scratch_;
  PanelState* states_;
  float* products_;  // [panels][steps] blocks
  float* before_;    // where the sums in the tiles belong
};

}  // namespace

int64_t attend_workspace(int64_t panels, int64_t steps) noexcept {
  return static_cast<int64_t>(sizeof(Scratch)) +
         panels * (static_cast<int64_t>(sizeof(PanelState)) + steps * kDotBlock * 4);
}

void attend(const AttendArgs& args) noexcept {
  if (args.query_scales == nullptr)
    Task<Bf16Scores>(args).run();
  else
    Task<Int8Scores>(args).run();
}

}  // namespace mxdit::cpu::amx

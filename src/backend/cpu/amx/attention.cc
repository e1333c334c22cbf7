// Attention on AMX in bf16: one panel of queries (32 rows) against one chunk of keys (256) at a
// time. First come the scores, key step by key step; behind every tile product the vector units
// turn two rows of the step before into weights. Then come the products of all weights with the
// values. As in kernels.cc, sums leave the tiles behind the first loads of the product that
// follows.
//
// Tile stores that miss L1 cost most (keys streaming from L2 leave 92 % of the peak as long as the
// stores hit), so what is written in between is small: sums of products go to memory once per
// chunk, scores are used up at once, weights are 16 KiB.
//
// The softmax needs no running maximum. Weights are bf16, which has fp32's range, so a reference r
// for each row that is merely near its maximum serves as well: it starts as the maximum over the
// first 32 keys. Where the sum of a row's weights passes 2^40, the chunk is done again with the
// row's maximum as its reference, and what was summed before is scaled.
#include "backend/cpu/amx/attention.h"

#include <immintrin.h>

#include <cfloat>
#include <cmath>
#include <cstring>

#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/kernel_table.h"

#define MXDIT_INLINE inline __attribute__((always_inline))

namespace mxdit::cpu::amx {
namespace {

constexpr int64_t kTileBytes = kDotStepBytes / 2;
constexpr int kRows = 32;
constexpr float kLargestSum = 0x1p40f;
constexpr float kHugeLogit = 0x1p18f;  // fp32 has 6 bits of fraction left

MXDIT_INLINE __mmask32 first_elements(int64_t count) {
  return count >= 32 ? ~0u : (1u << count) - 1u;
}

// Sums of weights, 16 lanes a row.
struct alignas(64) Sums {
  float lanes[kRows * 16];
};

// What a query panel keeps from chunk to chunk; its sums of products follow all of them.
struct alignas(64) PanelState {
  float reference[kRows];
  bool huge;     // a reference is beyond kHugeLogit: every chunk goes through repeat()
  Sums sums[2];  // before the chunk and with it, in turn, so that a chunk can be done again
};

struct alignas(64) Scratch {
  float scores[2][kDotBlock];                    // of one key step and of the one before
  uint8_t weights[kChunkSteps * kDotStepBytes];  // left panel of a chunk
  float all_scores[kChunkSteps][kDotBlock];      // of a chunk that is done again
};

// ---- weights ----

// Scores of one key step of one panel, to weights.
struct Softmax {
  const float* scores;
  uint8_t* weights;  // left panel step
  const float* reference;
  const float* before;
  float* sums;
  __m512 scale;
  __mmask16 low, high;  // keys there are

  // 2^f on [0, 1] by the minimax cubic, within 2^-13.7 relative, and half an ulp of bf16 more, so
  // that cutting the low half off rounds to nearest; a weight is within 2^-8 + 2^-13.6 of exact.
  // vreduceps gives f = t - floor(t), and vscalefps takes 2^floor(t), both with the right results
  // at infinity and NaN.
  static MXDIT_INLINE __m512 exp2_for_cut(__mmask16 mask, __m512 t) {
    const __m512 f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.07802452264f), f, _mm512_set1_ps(0.22606715543f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69583354049f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.99992521856f + 0x1p-8f));
    return _mm512_maskz_scalef_ps(mask, p, t);
  }

  // The reference is a product rounded; what an exact product differs from it by is negligible in a
  // logit unless that is huge.
  template <bool huge>
  static MXDIT_INLINE __m512 logit(const float* score, __m512 scale, __m512 origin) {
    const __m512 s = _mm512_load_ps(score);
    if constexpr (huge) return _mm512_sub_ps(_mm512_mul_ps(s, scale), origin);
    return _mm512_fmsub_ps(s, scale, origin);
  }

  template <bool huge = false>
  MXDIT_INLINE void row(int r) const {
    const float* s = scores + r * kDotRows;
    const __m512 origin = _mm512_set1_ps(reference[r]);
    const __m512 t0 = logit<huge>(s, scale, origin), t1 = logit<huge>(s + 16, scale, origin);
    const __m512i w0 = _mm512_castps_si512(exp2_for_cut(low, t0));
    const __m512i w1 = _mm512_castps_si512(exp2_for_cut(high, t1));
    // (w1 & 0xffff0000) | (w0 >> 16)
    const __m512i dots =
        _mm512_ternarylogic_epi32(_mm512_srli_epi32(w0, 16), w1, _mm512_set1_epi32(~0xffff), 0xf8);
    _mm512_store_si512(weights + r * kDotStep, dots);
    const __m512i ones = _mm512_set1_epi32(0x3f803f80);
    // The divisor is the sum of the rounded weights: then they add up to 1.
    const __m512 sum =
        _mm512_dpbf16_ps(_mm512_load_ps(before + r * 16), (__m512bh)dots, (__m512bh)ones);
    _mm512_store_ps(sums + r * 16, sum);
  }
};

// ---- products ----

// Tiles 0 to 3 hold the quarters of a block.
MXDIT_INLINE constexpr int64_t quarter(int tile) {
  return (tile >> 1) * 16 * kDotRows + (tile & 1) * 16;
}
#define MXDIT_STORE_TILE(tile, block) _tile_stored(tile, (block) + quarter(tile), kDotRows * 4)
#define MXDIT_LOAD_TILE(tile, block) _tile_loadd(tile, (block) + quarter(tile), kDotRows * 4)

MXDIT_INLINE void store_tiles(float* block) {
  MXDIT_STORE_TILE(0, block);
  MXDIT_STORE_TILE(1, block);
  MXDIT_STORE_TILE(2, block);
  MXDIT_STORE_TILE(3, block);
}

// left right^T of packed steps, onto `start` unless that is null; the sums stay in tiles 0 to 3,
// and those of the product before go to `before`.
struct Product {
  const uint8_t *left, *right;
  int64_t steps;
  const float* start;
  float* before;
};

#define MXDIT_TURN_OVER(tile)       \
  MXDIT_STORE_TILE(tile, p.before); \
  if constexpr (accumulate)         \
    MXDIT_LOAD_TILE(tile, p.start); \
  else                              \
    _tile_zero(tile)

// What is done behind tile products.
struct Nothing {
  MXDIT_INLINE void behind_first(int) {}
  MXDIT_INLINE void behind_later() {}
  MXDIT_INLINE void run_all() {}
  MXDIT_INLINE void finish() {}
};

// Rows of weights. The scores of step `now` leave the tiles during the first step of a product, so
// the rest of the rows of the step before come first.
constexpr int kEarlyRows = kRows - 8;
struct Rows {
  const Softmax before, now;
  bool any_before;
  const int end;       // kEarlyRows, or all
  const int fast_end;  // up to here two rows at a time
  int row = 0;

  MXDIT_INLINE void behind_first(int product) {
    if (!any_before) return;
    before.row(kEarlyRows + 2 * product);
    before.row(kEarlyRows + 2 * product + 1);
  }
  MXDIT_INLINE void behind_later() {
    if (row >= end) return;
    now.row(row++);
    if (row < fast_end) now.row(row++);
  }
  MXDIT_INLINE void run_all() {
    if (any_before)
      for (int r = kEarlyRows; r < kRows; ++r) before.row(r);
    any_before = false;
    finish();
  }
  MXDIT_INLINE void finish() {
    for (; row < end; ++row) now.row(row);
    __asm__ volatile("" ::: "memory");  // weights are in memory
  }
};

// With `all`, the last step of the product needs the rows of weights.
template <bool accumulate, bool all, typename Work>
MXDIT_INLINE void run_product(const Product& p, int64_t steps, Work work) {
  const uint8_t *a = p.left, *b = p.right;
  __asm__ volatile("" ::: "memory");
  if (all && steps <= 2) {  // the first step needs rows of the step before already
    store_tiles(p.before);
    work.run_all();
  }
  _tile_loadd(4, a, kDotStep);
  _tile_loadd(6, b, kDotStep);
  _tile_loadd(7, b + kTileBytes, kDotStep);
  _tile_loadd(5, a + kTileBytes, kDotStep);
  MXDIT_TURN_OVER(0);
  _tile_dpbf16ps(0, 4, 6);
  work.behind_first(0);
  MXDIT_TURN_OVER(1);
  _tile_dpbf16ps(1, 4, 7);
  work.behind_first(1);
  MXDIT_TURN_OVER(2);
  _tile_dpbf16ps(2, 5, 6);
  work.behind_first(2);
  MXDIT_TURN_OVER(3);
  _tile_dpbf16ps(3, 5, 7);
  work.behind_first(3);
  __asm__ volatile("" ::: "memory");  // so are these weights
#pragma GCC unroll 8
  for (int64_t s = 1; s < steps; ++s) {
    a += kDotStepBytes;
    b += kDotStepBytes;
    if (all && s == steps - 1) work.finish();
    _tile_loadd(4, a, kDotStep);
    _tile_loadd(6, b, kDotStep);
    _tile_dpbf16ps(0, 4, 6);
    work.behind_later();
    _tile_loadd(7, b + kTileBytes, kDotStep);
    _tile_dpbf16ps(1, 4, 7);
    work.behind_later();
    _tile_loadd(5, a + kTileBytes, kDotStep);
    _tile_dpbf16ps(2, 5, 6);
    work.behind_later();
    _tile_dpbf16ps(3, 5, 7);
    work.behind_later();
  }
  if (!all) work.finish();
}

// The usual number of steps is unrolled.
template <bool accumulate, bool all, int usual, typename Work>
MXDIT_INLINE void run_product(const Product& p, Work work) {
  if (p.steps == usual) return run_product<accumulate, all>(p, usual, work);
  run_product<accumulate, all>(p, p.steps, work);
}

// ---- one task ----

__mmask16 keys_from(int64_t first, int64_t count) {
  const int64_t left = count - first;
  return static_cast<__mmask16>(left >= 16 ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

float maximum_of(const float* scores, __m512 scale, __mmask16 low, __mmask16 high) {
  const __m512 none = _mm512_set1_ps(-FLT_MAX);
  const __m512 t0 = _mm512_mask_mul_ps(none, low, _mm512_load_ps(scores), scale);
  const __m512 t1 = _mm512_mask_mul_ps(none, high, _mm512_load_ps(scores + 16), scale);
  return _mm512_reduce_max_ps(_mm512_max_ps(none, _mm512_max_ps(t0, t1)));
}

// One panel of queries and one chunk of keys.
struct Chunk {
  const uint8_t* queries;
  const uint8_t *keys, *values;
  int64_t key_count;  // 1 .. kChunkKeys
  PanelState* state;
  float *sums_before, *sums;
  float* products;  // [steps] blocks

  int64_t key_steps() const { return (key_count + kKeyStep - 1) / kKeyStep; }
};

class Task {
 public:
  explicit Task(const AttendArgs& args)
      : args_(args),
        scratch_(*static_cast<Scratch*>(args.workspace)),
        states_(reinterpret_cast<PanelState*>(&scratch_ + 1)),
        products_(reinterpret_cast<float*>(states_ + args.panels)),
        scale_(_mm512_set1_ps(args.scale)),
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
    for (int64_t panel = 0; panel < args_.panels; ++panel) finish(panel, chunks & 1);
  }

 private:
  // Keys and values of this many chunks serve all queries before the next ones come: they stay in
  // L2.
  static constexpr int64_t kCachedChunks = 1536 / kChunkKeys;

  int64_t panel_bytes() const { return args_.steps * kDotStepBytes; }
  float* products_of(int64_t panel) const { return products_ + panel * args_.steps * kDotBlock; }

  Chunk chunk_of(int64_t panel, int64_t c) const {
    const int64_t left = args_.key_count - c * kChunkKeys;
    return {.queries = args_.queries + panel * panel_bytes(),
            .keys = args_.keys + c * kChunkSteps * panel_bytes(),
            .values = args_.values + c * kChunkSteps * panel_bytes(),
            .key_count = left < kChunkKeys ? left : kChunkKeys,
            .state = states_ + panel,
            .sums_before = states_[panel].sums[c & 1].lanes,
            .sums = states_[panel].sums[~c & 1].lanes,
            .products = products_of(panel)};
  }

  Softmax softmax_of(const Chunk& chunk, int64_t k, const float* scores) const {
    return {.scores = scores,
            .weights = scratch_.weights + k * kDotStepBytes,
            .reference = chunk.state->reference,
            .before = k == 0 ? chunk.sums_before : chunk.sums,
            .sums = chunk.sums,
            .scale = scale_,
            .low = keys_from(k * kKeyStep, chunk.key_count),
            .high = keys_from(k * kKeyStep + 16, chunk.key_count)};
  }

  Product scores_of(const Chunk& chunk, int64_t k) const {
    return {chunk.queries, chunk.keys + k * panel_bytes(), args_.steps, nullptr, before_};
  }
  Product values_of(const Chunk& chunk, int64_t d) const {
    return {scratch_.weights, chunk.values + d * kChunkSteps * kDotStepBytes, chunk.key_steps(),
            chunk.products + d * kDotBlock, before_};
  }

  void run_chunk(const Chunk& chunk) {
    run_product<false, false, 4>(scores_of(chunk, 0), Nothing{});
    before_ = scratch_.scores[0];
    const int64_t last = chunk.key_steps() - 1;
    for (int64_t k = 1; k <= last; ++k) run_scores(chunk, k);
    run_first_values(chunk, last);
    if (!sums_fit(chunk)) {
      repeat(chunk);
      run_product<true, false, kChunkSteps>(values_of(chunk, 0), Nothing{});
    }
    before_ = chunk.products;
    for (int64_t d = 1; d < args_.steps; ++d) run_values(chunk, d);
  }

  Rows rows_of(const Chunk& chunk, int64_t k, int end, int fast_end) const {
    return {.before = softmax_of(chunk, k - 1, scratch_.scores[(k - 1) & 1]),
            .now = softmax_of(chunk, k, scratch_.scores[k & 1]),
            .any_before = k > 0,
            .end = end,
            .fast_end = fast_end};
  }
  __attribute__((noinline)) void run_scores(const Chunk& chunk, int64_t k) {
    run_product<false, false, 4>(scores_of(chunk, k),
                                 rows_of(chunk, k - 1, kEarlyRows, kEarlyRows));
    before_ = scratch_.scores[k & 1];
  }
  __attribute__((noinline)) void run_first_values(const Chunk& chunk, int64_t last) {
    run_product<true, true, kChunkSteps>(values_of(chunk, 0), rows_of(chunk, last, kRows, 16));
  }
  __attribute__((noinline)) void run_values(const Chunk& chunk, int64_t d) {
    run_product<true, false, kChunkSteps>(values_of(chunk, d), Nothing{});
    before_ = chunk.products + d * kDotBlock;
  }

  // ---- references ----

  void multiply_scores(const uint8_t* queries, const uint8_t* keys, float* scores) const {
    run_product<false, false>({queries, keys, args_.steps, nullptr, scores}, args_.steps,
                              Nothing{});
    store_tiles(scores);
  }

  void find_reference(int64_t panel) {
    float* scores = scratch_.scores[0];
    multiply_scores(args_.queries + panel * panel_bytes(), args_.keys, scores);
    const __mmask16 low = keys_from(0, args_.key_count), high = keys_from(16, args_.key_count);
    for (int r = 0; r < kRows; ++r)
      set_reference(states_[panel], r, maximum_of(scores + r * kDotRows, scale_, low, high));
  }
  static void set_reference(PanelState& state, int r, float value) {
    state.reference[r] = value;
    state.huge |= value != -FLT_MAX && std::fabs(value) > kHugeLogit;
  }

  static bool sums_fit(const Chunk& chunk) {
    if (chunk.state->huge) return false;
    __m512 largest = _mm512_setzero_ps();  // the second operand wins over NaN
#pragma GCC unroll 8
    for (int r = 0; r < kRows; ++r)
      largest = _mm512_max_ps(_mm512_load_ps(chunk.sums + r * 16), largest);
    return _mm512_cmp_ps_mask(largest, _mm512_set1_ps(kLargestSum), _CMP_GT_OQ) == 0;
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
        maximum = std::fmax(maximum,
                            maximum_of(scratch_.all_scores[k] + r * kDotRows, scale_, low, high));
      }
      raise_reference(chunk, r, maximum);
    }
    for (int64_t k = 0; k < steps; ++k) {
      const Softmax softmax = softmax_of(chunk, k, scratch_.all_scores[k]);
      for (int r = 0; r < kRows; ++r) softmax.row<true>(r);
    }
    before_ = scratch_.scores[0];
  }

  // Scales what row r has summed to its new reference.
  void raise_reference(const Chunk& chunk, int r, float maximum) const {
    const float old = chunk.state->reference[r];
    if (!(maximum > old)) return;
    set_reference(*chunk.state, r, maximum);
    const __m512 factor = _mm512_set1_ps(std::exp2(old - maximum));
    const auto scale = [factor](float* lanes) {
      _mm512_store_ps(lanes, _mm512_mul_ps(_mm512_load_ps(lanes), factor));
    };
    scale(chunk.sums_before + r * 16);
    for (int64_t d = 0; d < args_.steps; ++d) {
      scale(chunk.products + d * kDotBlock + r * kDotRows);
      scale(chunk.products + d * kDotBlock + r * kDotRows + 16);
    }
  }

  // ---- results ----

  void finish(int64_t panel, int turn) const {
    const Sums& sums = states_[panel].sums[turn];
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
  const __m512 scale_;
  float* before_;  // where the sums in the tiles belong
};

}  // namespace

int64_t attend_workspace(int64_t panels, int64_t steps) noexcept {
  return static_cast<int64_t>(sizeof(Scratch)) +
         panels * (static_cast<int64_t>(sizeof(PanelState)) + steps * kDotBlock * 4);
}

void attend(const AttendArgs& args) noexcept {
  Task(args).run();
}

void pack_values(const PackValuesArgs& args) noexcept {
  std::memset(args.out, 0, static_cast<size_t>(args.steps * kChunkSteps * kDotStepBytes));
  for (int64_t first = 0; first < args.count; first += kKeyStep)
    for (int64_t dot = 0; dot < 16 && first + dot < args.count; ++dot) {
      const bool both = first + dot + 16 < args.count;
      const uint16_t* row = static_cast<const uint16_t*>(args.rows[first + dot]);
      const uint16_t* other =
          both ? static_cast<const uint16_t*>(args.rows[first + dot + 16]) : row;
      uint8_t* out = args.out + first / kKeyStep * kDotStepBytes + dot * kDotStep;
      for (int64_t d = 0; d < args.dim; d += 32, out += kChunkSteps * kDotStepBytes) {
        const __mmask32 mask = first_elements(args.dim - d);
        const __m512i a = _mm512_maskz_loadu_epi16(mask, row + d);
        const __m512i b = _mm512_maskz_loadu_epi16(both ? mask : 0, other + d);
        for (int half = 0; half < 2; ++half) {
          const auto part = [half](__m512i v) {
            return _mm512_cvtepu16_epi32(half == 0 ? _mm512_castsi512_si256(v)
                                                   : _mm512_extracti64x4_epi64(v, 1));
          };
          _mm512_store_si512(out + half * kTileBytes,
                             _mm512_or_si512(part(a), _mm512_slli_epi32(part(b), 16)));
        }
      }
    }
}

}  // namespace mxdit::cpu::amx

// Attention on AMX in bf16, one pair of query panels (64 rows) against one chunk of keys (128) at a
// time. The multiplier works on the scores of one chunk and on the values of the chunk before,
// turn by turn, while the vector units turn the scores just made into weights: a row of 32 of them
// behind every tile product. As in kernels.cc, sums leave the tiles behind the first loads of the
// product that follows.
//
// The softmax needs no running maximum. Weights are bf16, which has fp32's range, so a reference r
// for each row that is merely near its maximum serves as well: it starts as the maximum over the first
// 32 keys. Where the sum of a row's weights passes 2^40, the chunk is done again with the row's
// maximum as its reference, and what was summed before is scaled by a power of two.
#include "backend/cpu/amx/attention.h"

#include <immintrin.h>

#include <cfloat>
#include <cmath>
#include <cstring>

#include "backend/cpu/amx/tiles.h"
#include "backend/cpu/dot_kernels.h"

#define MXDIT_INLINE inline __attribute__((always_inline))

namespace mxdit::cpu::amx {
namespace {

constexpr int64_t kTileBytes = kDotStepBytes / 2;
constexpr int64_t kTileFloats = 256;
constexpr int kRows = 32;
constexpr float kLargestSum = 0x1p40f;

// Sums of weights, 16 lanes a row.
struct Sums {
  float lanes[kRows * 16];
};

// What a query panel keeps from chunk to chunk; its sums of products follow all of them.
struct alignas(64) PanelState {
  float reference[kRows];
  Sums sums[2];  // before the chunk and with it, in turn, so that a chunk can be done again
};

struct alignas(64) Shared {
  float scores[2][4 * kTileFloats];                         // of one key step, per panel
  uint8_t weights[2][2][kChunkSteps * kDotStepBytes];       // of two chunks, per panel
  float all_scores[kChunkSteps][4 * kTileFloats];           // of a chunk that is done again
};

// ---- weights ----

// Scores of one key step of one panel, to weights. Scores lie tile by tile, as products leave them.
struct Softmax {
  const float* scores;
  uint8_t* weights;  // left panel step
  const float* reference;
  const float* before;
  float* sums;
  __m512 scale;
  __mmask16 low, high;  // keys there are

  // 2^f on [0, 1] by the minimax cubic, within 2^-13.7 relative, and half an ulp of bf16 more, so that
  // cutting the low half off rounds to nearest; a weight is within 2^-8 + 2^-13.6 of exact.
  // vreduceps gives f = t - floor(t), and vscalefps takes 2^floor(t), both with the right results at
  // infinity and NaN.
  static MXDIT_INLINE __m512 exp2_for_cut(__mmask16 mask, __m512 t) {
    const __m512 f = _mm512_reduce_ps(t, _MM_FROUND_TO_NEG_INF | _MM_FROUND_NO_EXC);
    __m512 p = _mm512_fmadd_ps(_mm512_set1_ps(0.07802452264f), f, _mm512_set1_ps(0.22606715543f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.69583354049f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(0.99992521856f + 0x1p-8f));
    return _mm512_maskz_scalef_ps(mask, p, t);
  }

  MXDIT_INLINE void row(int r) const {
    const float* s = scores + (r >> 4) * 2 * kTileFloats + (r & 15) * 16;
    const __m512 origin = _mm512_set1_ps(reference[r]);
    const __m512 t0 = _mm512_fmsub_ps(_mm512_load_ps(s), scale, origin);
    const __m512 t1 = _mm512_fmsub_ps(_mm512_load_ps(s + kTileFloats), scale, origin);
    const __m512i w0 = _mm512_castps_si512(exp2_for_cut(low, t0));
    const __m512i w1 = _mm512_castps_si512(exp2_for_cut(high, t1));
    // (w1 & 0xffff0000) | (w0 >> 16)
    const __m512i dots = _mm512_ternarylogic_epi32(_mm512_srli_epi32(w0, 16), w1,
                                                   _mm512_set1_epi32(~0xffff), 0xf8);
    _mm512_store_si512(weights + r * kDotStep, dots);
    const __m512i ones = _mm512_set1_epi32(0x3f803f80);
    // The divisor is the sum of the rounded weights: then they add up to 1.
    const __m512 sum = _mm512_dpbf16_ps(_mm512_load_ps(before + r * 16), (__m512bh)dots, (__m512bh)ones);
    _mm512_store_ps(sums + r * 16, sum);
  }
  MXDIT_INLINE void rows(int first, int count) const {
    for (int r = first; r < first + count; ++r) row(r);
  }
};

// ---- products ----

#define MXDIT_STORE_TILE(tile, block) _tile_stored(tile, (block) + (tile) * kTileFloats, 64)
#define MXDIT_LOAD_TILE(tile, block) _tile_loadd(tile, (block) + (tile) * kTileFloats, 64)

MXDIT_INLINE void store_tiles(float* block) {
  MXDIT_STORE_TILE(0, block);
  MXDIT_STORE_TILE(1, block);
  MXDIT_STORE_TILE(2, block);
  MXDIT_STORE_TILE(3, block);
}
MXDIT_INLINE void load_tiles(const float* block) {
  MXDIT_LOAD_TILE(0, block);
  MXDIT_LOAD_TILE(1, block);
  MXDIT_LOAD_TILE(2, block);
  MXDIT_LOAD_TILE(3, block);
}

// left right^T of packed steps, onto `start` unless that is null; the sums stay in tiles 0 to 3, and
// those of the product before go to `before`.
struct Product {
  const uint8_t *left, *right;
  int64_t steps;
  const float* start;
  float* before;
};

#define MXDIT_TURN_OVER(tile)         \
  MXDIT_STORE_TILE(tile, p.before);   \
  if constexpr (accumulate)           \
    MXDIT_LOAD_TILE(tile, p.start);   \
  else                                \
    _tile_zero(tile)

// Sixteen rows of weights from `row` on are made in between, if `busy`; with `four` there are four
// steps, as many tile products as rows.
template <bool accumulate, bool busy, bool four>
MXDIT_INLINE void run_product(const Product& p, const Softmax& softmax, int row) {
  const int end = row + 16;
  const uint8_t *a = p.left, *b = p.right;
  __asm__ volatile("" ::: "memory");
#define MXDIT_WORK \
  if (busy && (four || row < end)) softmax.row(row++)
  _tile_loadd(4, a, kDotStep);
  _tile_loadd(6, b, kDotStep);
  _tile_loadd(7, b + kTileBytes, kDotStep);
  _tile_loadd(5, a + kTileBytes, kDotStep);
  MXDIT_TURN_OVER(0);
  _tile_dpbf16ps(0, 4, 6);
  MXDIT_WORK;
  MXDIT_TURN_OVER(1);
  _tile_dpbf16ps(1, 4, 7);
  MXDIT_WORK;
  MXDIT_TURN_OVER(2);
  _tile_dpbf16ps(2, 5, 6);
  MXDIT_WORK;
  MXDIT_TURN_OVER(3);
  _tile_dpbf16ps(3, 5, 7);
  MXDIT_WORK;
  const int64_t steps = four ? 4 : p.steps;
#pragma GCC unroll 3
  for (int64_t s = 1; s < steps; ++s) {
    a += kDotStepBytes;
    b += kDotStepBytes;
    _tile_loadd(4, a, kDotStep);
    _tile_loadd(6, b, kDotStep);
    MXDIT_WORK;
    _tile_dpbf16ps(0, 4, 6);
    _tile_loadd(7, b + kTileBytes, kDotStep);
    MXDIT_WORK;
    _tile_dpbf16ps(1, 4, 7);
    _tile_loadd(5, a + kTileBytes, kDotStep);
    MXDIT_WORK;
    _tile_dpbf16ps(2, 5, 6);
    MXDIT_WORK;
    _tile_dpbf16ps(3, 5, 7);
  }
#undef MXDIT_WORK
  if (busy && !four)
    while (row < end) softmax.row(row++);
}

// ---- the pipeline ----

struct Chunk {
  const uint8_t* queries;  // two panels
  const uint8_t *keys, *values;
  int64_t key_count;  // 1 .. kChunkKeys
  int turn;           // which of PanelState::sums it starts from
  int buffer;         // which of Shared::weights it makes
  PanelState* state;  // two panels
  float* products;    // [2][steps][4 tiles]

  int64_t key_steps() const { return (key_count + kKeyStep - 1) / kKeyStep; }
};

__mmask16 keys_from(int64_t first, int64_t count) {
  const int64_t left = count - first;
  return static_cast<__mmask16>(left >= 16 ? 0xffff : left <= 0 ? 0 : (1 << left) - 1);
}

float maximum_of(const float* scores, int row, __m512 scale, __mmask16 low, __mmask16 high) {
  const float* s = scores + (row >> 4) * 2 * kTileFloats + (row & 15) * 16;
  const __m512 none = _mm512_set1_ps(-FLT_MAX);
  const __m512 t0 = _mm512_mask_mul_ps(none, low, _mm512_load_ps(s), scale);
  const __m512 t1 = _mm512_mask_mul_ps(none, high, _mm512_load_ps(s + kTileFloats), scale);
  return _mm512_reduce_max_ps(_mm512_max_ps(none, _mm512_max_ps(t0, t1)));
}

class Pipeline {
 public:
  explicit Pipeline(const AttendArgs& args)
      : args_(args),
        shared_(*static_cast<Shared*>(args.workspace)),
        scale_(_mm512_set1_ps(args.scale)),
        before_(shared_.scores[0]) {
    states_ = reinterpret_cast<PanelState*>(&shared_ + 1);
    products_ = reinterpret_cast<float*>(states_ + 2 * args.pairs);
  }

  void run() {
    std::memset(states_, 0, static_cast<size_t>(2 * args_.pairs) * sizeof(PanelState));
    std::memset(products_, 0, static_cast<size_t>(2 * args_.pairs * args_.steps) * 4 * kTileBytes);
    configure_tiles();
    for (int64_t panel = 0; panel < 2 * args_.pairs; ++panel) find_reference(panel);
    const int64_t chunks = (args_.key_count + kChunkKeys - 1) / kChunkKeys;
    Chunk chunk[2];
    int buffer = 0;
    const Chunk* last = nullptr;
    for (int64_t first = 0; first < chunks; first += kCachedChunks)
      for (int64_t pair = 0; pair < args_.pairs; ++pair)
        for (int64_t c = first; c < chunks && c < first + kCachedChunks; ++c) {
          chunk[buffer] = chunk_of(pair, c, buffer);
          advance(&chunk[buffer], last);
          last = &chunk[buffer];
          buffer ^= 1;
        }
    advance(nullptr, last);
    store_tiles(before_);
    release_tiles();
    for (int64_t panel = 0; panel < 2 * args_.pairs; ++panel) finish(panel, chunks & 1);
  }

 private:
  // Keys and values of this many chunks serve all queries before the next ones come: they stay in L2.
  static constexpr int64_t kCachedChunks = 12;

  Chunk chunk_of(int64_t pair, int64_t c, int buffer) const {
    const int64_t panel_bytes = args_.steps * kDotStepBytes;
    const int64_t left = args_.key_count - c * kChunkKeys;
    return {.queries = args_.queries + 2 * pair * panel_bytes,
            .keys = args_.keys + c * kChunkSteps * panel_bytes,
            .values = args_.values + c * kChunkSteps * panel_bytes,
            .key_count = left < kChunkKeys ? left : kChunkKeys,
            .turn = static_cast<int>(c & 1),
            .buffer = buffer,
            .state = states_ + 2 * pair,
            .products = products_of(2 * pair)};
  }
  float* products_of(int64_t panel) const {
    return products_ + panel * args_.steps * 4 * kTileFloats;
  }

  // Runs the scores of `next` and the values of `last`; either may be null.
  void advance(const Chunk* next, const Chunk* last) {
    const int64_t key_steps = next == nullptr ? 0 : next->key_steps();
    const int64_t value_steps = last == nullptr ? 0 : args_.steps;
    for (int64_t k = 0; k == 0 || k < key_steps || k < value_steps; ++k) {
      for (int panel = 0; panel < 2; ++panel) {
        if (k < key_steps)
          run_scores(*next, k, panel, 16 * panel);
        else if (waiting_[1])
          softmax_[1].rows(16 * panel, 16);
      }
      waiting_[1] = false;
      if (k == 0 && last != nullptr) check(*last);
      if (k < key_steps) wait_for_weights(*next, k);
      if (k >= value_steps) store_tiles(before_);  // the next rows need them at once
      for (int panel = 0; panel < 2; ++panel) {
        if (k < value_steps)
          run_values(*last, k, panel, 16 * panel);
        else if (waiting_[0])
          softmax_[0].rows(16 * panel, 16);
      }
      waiting_[0] = false;
    }
  }

  void wait_for_weights(const Chunk& chunk, int64_t k) {
    for (int panel = 0; panel < 2; ++panel) {
      softmax_[panel] = softmax_of(chunk, k, panel, shared_.scores[panel]);
      waiting_[panel] = true;
    }
  }

  Softmax softmax_of(const Chunk& chunk, int64_t k, int panel, const float* scores) const {
    PanelState& state = chunk.state[panel];
    return {.scores = scores,
            .weights = shared_.weights[chunk.buffer][panel] + k * kDotStepBytes,
            .reference = state.reference,
            .before = state.sums[k == 0 ? chunk.turn : chunk.turn ^ 1].lanes,
            .sums = state.sums[chunk.turn ^ 1].lanes,
            .scale = scale_,
            .low = keys_from(k * kKeyStep, chunk.key_count),
            .high = keys_from(k * kKeyStep + 16, chunk.key_count)};
  }

  template <bool accumulate>
  void run(const Product& product, const Softmax& softmax, bool busy, int row) {
    if (busy && product.steps == 4)
      run_product<accumulate, true, true>(product, softmax, row);
    else if (busy)
      run_product<accumulate, true, false>(product, softmax, row);
    else
      run_product<accumulate, false, false>(product, softmax, row);
  }

  void run_scores(const Chunk& chunk, int64_t k, int panel, int row) {
    const int64_t panel_bytes = args_.steps * kDotStepBytes;
    const Product product = {.left = chunk.queries + panel * panel_bytes,
                             .right = chunk.keys + k * panel_bytes,
                             .steps = args_.steps,
                             .start = nullptr,
                             .before = before_};
    run<false>(product, softmax_[1], waiting_[1], row);
    before_ = shared_.scores[panel];
  }

  void run_values(const Chunk& chunk, int64_t d, int panel, int row) {
    float* products = chunk.products + (panel * args_.steps + d) * 4 * kTileFloats;
    const Product product = {.left = shared_.weights[chunk.buffer][panel],
                             .right = chunk.values + d * kChunkSteps * kDotStepBytes,
                             .steps = chunk.key_steps(),
                             .start = products,
                             .before = before_};
    run<true>(product, softmax_[0], waiting_[0], row);
    before_ = products;
  }

  // ---- references ----

  void multiply_scores(const uint8_t* queries, const uint8_t* keys, float* scores) {
    const Product product = {queries, keys, args_.steps, nullptr, scores};
    run_product<false, false, false>(product, Softmax{}, 0);
    store_tiles(scores);
  }

  void find_reference(int64_t panel) {
    float* scores = shared_.scores[0];
    multiply_scores(args_.queries + panel * args_.steps * kDotStepBytes, args_.keys, scores);
    const __mmask16 low = keys_from(0, args_.key_count), high = keys_from(16, args_.key_count);
    for (int r = 0; r < kRows; ++r)
      states_[panel].reference[r] = maximum_of(scores, r, scale_, low, high);
  }

  void check(const Chunk& chunk) {
    for (int panel = 0; panel < 2; ++panel) {
      const float* sums = chunk.state[panel].sums[chunk.turn ^ 1].lanes;
      __m512 largest = _mm512_setzero_ps();  // the second operand wins over NaN
#pragma GCC unroll 8
      for (int r = 0; r < kRows; ++r) largest = _mm512_max_ps(_mm512_load_ps(sums + r * 16), largest);
      if (_mm512_cmp_ps_mask(largest, _mm512_set1_ps(kLargestSum), _CMP_GT_OQ) != 0)
        repeat(chunk, panel);
    }
  }

  // Does the weights of a chunk again, its products with values being still to come.
  __attribute__((noinline)) void repeat(const Chunk& chunk, int panel) {
    float* const before = before_;
    store_tiles(before);
    const int64_t panel_bytes = args_.steps * kDotStepBytes, steps = chunk.key_steps();
    for (int64_t k = 0; k < steps; ++k)
      multiply_scores(chunk.queries + panel * panel_bytes, chunk.keys + k * panel_bytes,
                      shared_.all_scores[k]);
    for (int r = 0; r < kRows; ++r) {
      float maximum = -FLT_MAX;
      for (int64_t k = 0; k < steps; ++k) {
        const __mmask16 low = keys_from(k * kKeyStep, chunk.key_count);
        const __mmask16 high = keys_from(k * kKeyStep + 16, chunk.key_count);
        maximum = std::fmax(maximum, maximum_of(shared_.all_scores[k], r, scale_, low, high));
      }
      raise_reference(chunk, panel, r, maximum);
    }
    for (int64_t k = 0; k < steps; ++k)
      softmax_of(chunk, k, panel, shared_.all_scores[k]).rows(0, kRows);
    __asm__ volatile("" ::: "memory");
    load_tiles(before);
  }

  // Scales what row r has summed to its new reference: exactly, or to zero.
  void raise_reference(const Chunk& chunk, int panel, int r, float maximum) {
    PanelState& state = chunk.state[panel];
    const float old = state.reference[r];
    if (!(maximum > old)) return;
    const float rise = std::ceil(maximum - old);
    const bool far = !(rise < 1024.0f);
    state.reference[r] = far ? maximum : old + rise;
    const __m512 power = _mm512_set1_ps(far ? -1024.0f : -rise);
    const auto scale = [power](float* lanes) {
      _mm512_store_ps(lanes, _mm512_scalef_ps(_mm512_load_ps(lanes), power));
    };
    scale(state.sums[chunk.turn].lanes + r * 16);
    float* products = chunk.products + panel * args_.steps * 4 * kTileFloats;
    for (int64_t d = 0; d < args_.steps; ++d, products += 4 * kTileFloats)
      for (int half = 0; half < 2; ++half)
        scale(products + ((r >> 4) * 2 + half) * kTileFloats + (r & 15) * 16);
  }

  // ---- results ----

  void finish(int64_t panel, int turn) const {
    const float* products = products_of(panel);
    const int64_t first = panel * kRows;
    for (int r = 0; r < kRows && first + r < args_.query_count; ++r) {
      const float sum = _mm512_reduce_add_ps(_mm512_load_ps(states_[panel].sums[turn].lanes + r * 16));
      const __m512 factor = _mm512_set1_ps(sum == 0.0f ? 0.0f : 1.0f / sum);
      uint16_t* out = static_cast<uint16_t*>(args_.out) + (first + r) * args_.out_stride;
      const float* row = products + (r >> 4) * 2 * kTileFloats + (r & 15) * 16;
      for (int64_t d = 0; d < args_.dim; d += 32, row += 4 * kTileFloats) {
        const __m512 low = _mm512_mul_ps(_mm512_load_ps(row), factor);
        const __m512 high = _mm512_mul_ps(_mm512_load_ps(row + kTileFloats), factor);
        const int64_t left = args_.dim - d;
        const __mmask32 mask = left >= 32 ? ~0u : (1u << left) - 1u;
        _mm512_mask_storeu_epi16(out + d, mask, (__m512i)_mm512_cvtne2ps_pbh(high, low));
      }
    }
  }

  const AttendArgs& args_;
  Shared& shared_;
  const __m512 scale_;
  float* before_;  // where the sums in the tiles belong
  PanelState* states_;
  float* products_;
  Softmax softmax_[2] = {};
  bool waiting_[2] = {false, false};  // softmax_ has scores to turn into weights
};

}  // namespace

int64_t attend_workspace(int64_t pairs, int64_t steps) noexcept {
  return static_cast<int64_t>(sizeof(Shared)) +
         2 * pairs * (static_cast<int64_t>(sizeof(PanelState)) + steps * 4 * kTileBytes);
}

void attend(const AttendArgs& args) noexcept {
  Pipeline(args).run();
}

void pack_values(const PackValuesArgs& args) noexcept {
  std::memset(args.out, 0, static_cast<size_t>(args.steps * kChunkSteps * kDotStepBytes));
  for (int64_t first = 0; first < args.count; first += kKeyStep)
    for (int64_t dot = 0; dot < 16 && first + dot < args.count; ++dot) {
      const bool both = first + dot + 16 < args.count;
      const uint16_t* row = static_cast<const uint16_t*>(args.rows[first + dot]);
      const uint16_t* other = both ? static_cast<const uint16_t*>(args.rows[first + dot + 16]) : row;
      uint8_t* out = args.out + first / kKeyStep * kDotStepBytes + dot * kDotStep;
      for (int64_t d = 0; d < args.dim; d += 32, out += kChunkSteps * kDotStepBytes) {
        const int64_t left = args.dim - d;
        const __mmask32 mask = left >= 32 ? ~0u : (1u << left) - 1u;
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

// Number formats in which matrices are stored with scales: plain values that describe themselves.
//
// A format stores a matrix [rows, columns] as elements of few bits and up to two levels of scales
// along the columns:
//   value(r, c) = element(r, c) * block_scale(r, c / block) * scale(r, c / group)
// where a missing level counts as 1. Sources: OCP MX 1.0 (mxfp4, mxfp8), CANN's
// DynamicDualLevelMxQuant (mxfp4_dual), NVFP4 as modelopt exports it; docs/numerics.md has the rules.
#pragma once

#include <cstdint>
#include <span>
#include <string_view>

#include "core/dtype.h"
#include "core/shape.h"
#include "formats/element.h"

namespace mxdit {

// The code of one element.
struct ElementFormat {
  std::string_view name;  // "E2M1"
  int bits;               // 4: two a byte, element 2i in the low nibble; 8: one a byte
  DType storage;          // u8 for packed elements
  float max;              // largest magnitude
  int max_exponent;       // floor(log2(max)): what the OCP scale rule subtracts
  float (*decode)(uint8_t code) noexcept;
  uint8_t (*encode)(float value, RoundMode mode) noexcept;
};

extern const ElementFormat kE2m1, kE4m3, kE5m2, kInt8;
// Integers of 4 bits in bytes of their own, as int4 checkpoints store them.
extern const ElementFormat kInt4;

// How scales are found when numbers are encoded.
enum class ScaleRule : uint8_t {
  dual_level,  // fp32 amax / 6 per group, then an exponent per block: docs/numerics.md, dual level
  shared_exponent,  // OCP: the block's largest exponent less the element's
  row_maximum,      // amax / max per row
  nv_block          // E4M3 of amax / 6 per block, relative to a given fp32 scale
};

struct QuantFormat {
  std::string_view name;  // "mxfp4_dual"
  const ElementFormat* element;
  int64_t block;           // columns of one block scale; 0: no block scales
  DType block_scale_type;  // u8: E8M0 codes; f8_e4m3
  int64_t group;           // columns of one fp32 scale; 0: none; kWholeRow: one for each row
  ScaleRule rule;
  float least_scale = 0.0f;  // row_maximum: no row's scale is smaller

  static constexpr int64_t kWholeRow = INT64_MAX;

  bool has_scale() const noexcept { return group != 0; }
  int64_t groups(int64_t columns) const noexcept;  // fp32 scales of one row
  // The shapes of the parts of a matrix [rows, columns]. Block scales in E8M0 are padded to pairs,
  // [rows, ceil(columns / 64), 2], unused codes 0, as CANN's operators have them; others are
  // [rows, ceil(columns / block)].
  Shape elements_shape(int64_t rows, int64_t columns) const;
  Shape block_scale_shape(int64_t rows, int64_t columns) const;
  Shape scale_shape(int64_t rows, int64_t columns) const;
  // Bytes of all parts together.
  uint64_t bytes(int64_t rows, int64_t columns) const;
};

extern const QuantFormat kMxfp4Dual;  // E2M1, E8M0 per 32, fp32 per 512
extern const QuantFormat kMxfp4;      // E2M1, E8M0 per 32
extern const QuantFormat kMxfp8;      // E4M3, E8M0 per 32
extern const QuantFormat kMxfp8E5m2;  // E5M2, E8M0 per 32
extern const QuantFormat kNvfp4;      // E2M1, E4M3 per 16, fp32 per row (equal in all rows)
extern const QuantFormat kFp8Row;     // E4M3, fp32 per row
extern const QuantFormat kInt8Row;    // int8, fp32 per row
extern const QuantFormat kInt4Row;    // int4 in bytes, fp32 per row

std::span<const QuantFormat* const> quant_formats();
// Null when no format has that name.
const QuantFormat* find_quant_format(std::string_view name);

}  // namespace mxdit

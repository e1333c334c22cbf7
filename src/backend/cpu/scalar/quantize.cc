// Encoding to quantized formats, as formats/reference.h defines it: one loop for each step.
#include <cmath>
#include <cstring>

#include "backend/cpu/scalar/elements.h"
#include "backend/cpu/scalar/kernels.h"

namespace mxdit::cpu::scalar {
namespace {

constexpr int64_t kChunk = 512;

struct Chunk {
  float values[kChunk];
  int64_t count;
};

float from_bits(uint32_t bits) noexcept {
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}

int exponent_field(float value) noexcept {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<int>(bits >> 23 & 0xffu);
}

float round_to(Element type, float value) noexcept {
  uint16_t bits;
  store(&bits, type, 0, value);
  return load(&bits, type, 0);
}

void load_chunk(const QuantizeArgs& args, int64_t row, int64_t begin, Chunk& chunk) noexcept {
  chunk.count = args.columns - begin < kChunk ? args.columns - begin : kChunk;
  for (int64_t i = 0; i < chunk.count; ++i) {
    float value = load(args.x, args.type, row * args.columns + begin + i);
    if (args.smooth != nullptr)
      value = round_to(args.type, value * load(args.smooth, args.type, begin + i));
    chunk.values[i] = value;
  }
}

// Largest magnitude; what is not finite counts as zero.
float finite_maximum(const float* values, int64_t count) noexcept {
  float maximum = 0.0f;
  for (int64_t i = 0; i < count; ++i)
    if (std::isfinite(values[i]) && std::fabs(values[i]) > maximum) maximum = std::fabs(values[i]);
  return maximum;
}

// Brings a block to the elements' range by its power of two and returns the scale's code. A block
// that holds Inf or NaN becomes zeros. `keep_least`: numbers whose code came out as 0 stay.
int scale_block(const QuantizeArgs& args, float* values, int64_t count, bool keep_least) noexcept {
  int exponent = 0;
  for (int64_t i = 0; i < count; ++i)
    if (exponent_field(values[i]) > exponent) exponent = exponent_field(values[i]);
  const bool special = exponent == 0xff;
  const int least = exponent - args.max_exponent;
  const int code = special ? 0xff : least < 0 ? 0 : least;
  const bool is_zero = exponent == 0 || (code == 0 && !keep_least);
  const float factor =
      is_zero || special ? 0.0f : from_bits(static_cast<uint32_t>(254 - code) << 23);
  for (int64_t i = 0; i < count; ++i) {
    const float value = values[i] * factor;
    values[i] = special                      ? 0.0f
                : args.type == Element::bf16 ? round_to(Element::bf16, value)
                                             : value;
  }
  return code;
}

void scale_blocks(const QuantizeArgs& args, Chunk& chunk, bool keep_least,
                  uint8_t* codes) noexcept {
  for (int64_t i = 0; i < chunk.count; i += args.block) {
    const int64_t count = chunk.count - i < args.block ? chunk.count - i : args.block;
    *codes++ = static_cast<uint8_t>(scale_block(args, chunk.values + i, count, keep_least));
  }
}

void dual_level_scales(const QuantizeArgs& args, Chunk& chunk, uint8_t* codes,
                       float* scale) noexcept {
  *scale = finite_maximum(chunk.values, chunk.count) * from_bits(0x3e2aaaabu);  // 1 / 6
  if (*scale < 0x1p-126f) *scale = 0.0f;
  for (int64_t i = 0; i < chunk.count; ++i)
    if (chunk.values[i] != 0.0f) chunk.values[i] = round_to(args.type, chunk.values[i] / *scale);
  scale_blocks(args, chunk, true, codes);
}

void nv_block_scales(const QuantizeArgs& args, Chunk& chunk, uint8_t* codes) noexcept {
  for (int64_t begin = 0; begin < chunk.count; begin += args.block) {
    const int64_t left = chunk.count - begin, count = left < args.block ? left : args.block;
    float* values = chunk.values + begin;
    const float wanted = finite_maximum(values, count) / args.largest;
    const uint8_t code = encode(wanted / args.static_scale, Code::e4m3, Rounding::rint);
    *codes++ = code;
    const float step = load(&code, Element::f8_e4m3, 0) * args.static_scale;
    for (int64_t i = 0; i < count; ++i) values[i] = step == 0.0f ? 0.0f : values[i] / step;
  }
}

float row_scale(const QuantizeArgs& args, int64_t row, Chunk& chunk) noexcept {
  if (args.static_scale != 0.0f) return args.static_scale;
  float maximum = 0.0f;
  for (int64_t begin = 0; begin < args.columns; begin += kChunk) {
    load_chunk(args, row, begin, chunk);
    maximum = std::fmax(maximum, finite_maximum(chunk.values, chunk.count));
  }
  const float scale = std::fmax(maximum / args.largest, args.least_scale);
  return scale == 0.0f ? 1.0f : scale;
}

void scale_by_row(const QuantizeArgs& args, Chunk& chunk, float scale) noexcept {
  const float factor = 1.0f / scale;
  for (int64_t i = 0; i < chunk.count; ++i)
    chunk.values[i] = args.static_scale == 0.0f ? chunk.values[i] / scale
                                                : chunk.values[i] * factor + args.static_offset;
}

void encode_chunk(const QuantizeArgs& args, const Chunk& chunk, uint8_t* out) noexcept {
  for (int64_t i = 0; i < chunk.count; ++i) {
    const uint8_t code = encode(chunk.values[i], args.code, args.rounding);
    if (args.code != Code::e2m1)
      out[i] = code;
    else if (i % 2 == 0)
      out[i / 2] = code;
    else
      out[i / 2] = static_cast<uint8_t>(out[i / 2] | code << 4);
  }
}

void quantize_row(const QuantizeArgs& args, int64_t row) noexcept {
  Chunk chunk;
  uint8_t* elements = args.elements + row * args.element_stride;
  uint8_t* codes = args.block_scale + row * args.block_stride;
  float* scales = args.scale + row * args.scale_stride;
  if (args.origin == ScaleOrigin::row_maximum) *scales = row_scale(args, row, chunk);
  if (args.origin == ScaleOrigin::nv_block) *scales = args.static_scale;
  for (int64_t begin = 0; begin < args.columns; begin += kChunk) {
    load_chunk(args, row, begin, chunk);
    switch (args.origin) {
      case ScaleOrigin::dual_level:
        dual_level_scales(args, chunk, codes + begin / args.block, scales + begin / kChunk);
        break;
      case ScaleOrigin::shared_exponent:
        scale_blocks(args, chunk, false, codes + begin / args.block);
        break;
      case ScaleOrigin::row_maximum:
        scale_by_row(args, chunk, *scales);
        break;
      case ScaleOrigin::nv_block:
        nv_block_scales(args, chunk, codes + begin / args.block);
        break;
    }
    encode_chunk(args, chunk, elements + (args.code == Code::e2m1 ? begin / 2 : begin));
  }
  if (args.block == 0) return;
  for (int64_t i = (args.columns + args.block - 1) / args.block; i < args.block_count; ++i)
    codes[i] = 0;
}

}  // namespace

void quantize(const QuantizeArgs& args, int64_t begin, int64_t end) noexcept {
  for (int64_t row = begin; row < end; ++row) quantize_row(args, row);
}

}  // namespace mxdit::cpu::scalar

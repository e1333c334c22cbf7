// Loops over registers for `mxdit bench peak`, of the instruction sets that need flags.
#pragma once

#include <cstdint>

namespace mxdit::cpu {

// What a loop multiplies: four tiles of 16 rows of 64 bytes. Their values matter: the more bits
// change from one product to the next, the lower the clock.
inline constexpr int64_t kPeakOperandBytes = 4 * 1024;

// Multiply-adds of one round.
inline constexpr int64_t kTileSteps = 64;
inline constexpr int64_t kTileInt8Products = kTileSteps * 4 * 16 * 16 * 64;
inline constexpr int64_t kTileBf16Products = kTileSteps * 4 * 16 * 16 * 32;
inline constexpr int64_t kVnniChains = 12;  // two ports, a latency of five cycles
inline constexpr int64_t kVnniProducts = kVnniChains * 64;

// Run on the calling thread; `operands` is aligned to 64 bytes. The result only keeps the compiler
// from leaving the work out.
namespace amx {
float int8_peak(int64_t rounds, const uint8_t* operands) noexcept;
float bf16_peak(int64_t rounds, const uint8_t* operands) noexcept;
}  // namespace amx
namespace avx512_vnni {
float int8_peak(int64_t rounds, const uint8_t* operands) noexcept;
}  // namespace avx512_vnni

}  // namespace mxdit::cpu

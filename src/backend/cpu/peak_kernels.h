// Loops over registers or factors in L1 for `mxdit bench peak`, of the instruction sets that need flags.
#pragma once

#include <cstdint>

namespace mxdit::cpu {

// What a loop multiplies: sets of four tiles of 16 rows of 64 bytes, which it goes through again and
// again. The clock sinks with the bits that change from one product to the next: the same tiles over
// and over are as fast as zeros, in any loop over real data the multiplier is slower.
inline constexpr int64_t kPeakSetBytes = 4 * 1024, kPeakSets = 8;
inline constexpr int64_t kPeakOperandBytes = kPeakSets * kPeakSetBytes;

// Multiply-adds of one round.
inline constexpr int64_t kTilePasses = 8;  // over all sets
inline constexpr int64_t kTileInt8Products = kTilePasses * kPeakSets * 4 * 16 * 16 * 64;
inline constexpr int64_t kTileBf16Products = kTileInt8Products / 2;
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

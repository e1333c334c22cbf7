// Packing MXFP4 weights that older exporters keep in a float8 container, and the way back.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>

namespace mxdit {

// The E2M1 code (0..15) of an E4M3FN code whose value lies on the E2M1 grid
// (+-0, 0.5, 1, 1.5, 2, 3, 4, 6; OCP MX 1.0); nothing for every other code.
std::optional<uint8_t> e2m1_of_e4m3(uint8_t code) noexcept;

// Packs `count` codes (even) to count / 2 bytes, element 2i in the low nibble. Returns the index of
// the first code off the grid, or `count`.
size_t pack_e2m1(const uint8_t* e4m3, size_t count, uint8_t* packed) noexcept;

// The way back: `count` codes (even) from count / 2 bytes.
void unpack_e2m1(const uint8_t* packed, size_t count, uint8_t* e4m3) noexcept;

}  // namespace mxdit

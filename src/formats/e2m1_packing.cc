#include "formats/e2m1_packing.h"

#include <array>

namespace mxdit {

namespace {

constexpr uint8_t kOffGrid = 0xFF;

// E4M3FN codes (bias 7) of the magnitudes 0, 0.5, 1, 1.5, 2, 3, 4, 6, by E2M1 code.
constexpr uint8_t kMagnitudes[8] = {0x00, 0x30, 0x38, 0x3C, 0x40, 0x44, 0x48, 0x4C};

constexpr std::array<uint8_t, 256> make_table() {
  std::array<uint8_t, 256> table{};
  for (uint8_t& entry : table) entry = kOffGrid;
  for (uint8_t code = 0; code < 8; ++code) {
    table[kMagnitudes[code]] = code;
    table[kMagnitudes[code] | 0x80] = static_cast<uint8_t>(code | 8);
  }
  return table;
}

constexpr std::array<uint8_t, 256> kTable = make_table();

}  // namespace

std::optional<uint8_t> e2m1_of_e4m3(uint8_t code) noexcept {
  if (kTable[code] == kOffGrid) return std::nullopt;
  return kTable[code];
}

size_t pack_e2m1(const uint8_t* e4m3, size_t count, uint8_t* packed) noexcept {
  for (size_t i = 0; i + 1 < count; i += 2) {
    const uint8_t low = kTable[e4m3[i]], high = kTable[e4m3[i + 1]];
    if (low == kOffGrid) return i;
    if (high == kOffGrid) return i + 1;
    packed[i / 2] = static_cast<uint8_t>(low | high << 4);
  }
  return count;
}

void unpack_e2m1(const uint8_t* packed, size_t count, uint8_t* e4m3) noexcept {
  for (size_t i = 0; i < count; ++i) {
    const int code = i % 2 == 0 ? packed[i / 2] & 0xF : packed[i / 2] >> 4;
    e4m3[i] = static_cast<uint8_t>(kMagnitudes[code & 7] | (code & 8) << 4);
  }
}

}  // namespace mxdit

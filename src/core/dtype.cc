#include "core/dtype.h"

#include <array>

namespace mxdit {
namespace {

struct Row {
  DType dtype;
  std::string_view name;
  size_t size;
};

constexpr std::array<Row, 16> kRows{{{DType::f64, "F64", 8},
                                     {DType::f32, "F32", 4},
                                     {DType::f16, "F16", 2},
                                     {DType::bf16, "BF16", 2},
                                     {DType::f8_e4m3, "F8_E4M3", 1},
                                     {DType::f8_e5m2, "F8_E5M2", 1},
                                     {DType::f8_e8m0, "F8_E8M0", 1},
                                     {DType::i64, "I64", 8},
                                     {DType::i32, "I32", 4},
                                     {DType::i16, "I16", 2},
                                     {DType::i8, "I8", 1},
                                     {DType::u64, "U64", 8},
                                     {DType::u32, "U32", 4},
                                     {DType::u16, "U16", 2},
                                     {DType::u8, "U8", 1},
                                     {DType::boolean, "BOOL", 1}}};

}  // namespace

size_t element_size(DType dtype) noexcept { return kRows[static_cast<size_t>(dtype)].size; }

std::string_view name(DType dtype) noexcept { return kRows[static_cast<size_t>(dtype)].name; }

std::optional<DType> parse_dtype(std::string_view text) noexcept {
  for (const Row& row : kRows)
    if (row.name == text) return row.dtype;
  return std::nullopt;
}

}  // namespace mxdit

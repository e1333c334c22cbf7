// Storage types of single elements, as safetensors names them. Block formats (MXFP4 and the like)
// are not here: they are values in formats/, stored in tensors of these types.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>

namespace mxdit {

enum class DType : uint8_t { f64, f32, f16, bf16, f8_e4m3, f8_e5m2, f8_e8m0, i64, i32, i16, i8, u64, u32, u16, u8, boolean };

// Bytes of one element.
size_t element_size(DType dtype) noexcept;

// The safetensors name: "F32", "BF16", "F8_E4M3", ...
std::string_view name(DType dtype) noexcept;

// Inverse of name(); nothing for a name that is not known.
std::optional<DType> parse_dtype(std::string_view name) noexcept;

}  // namespace mxdit

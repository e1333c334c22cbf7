// Tensors compared bit by bit, for tests.
#pragma once

#include <gtest/gtest.h>

#include <cstring>
#include <sstream>
#include <string>

#include "core/tensor.h"
#include "formats/element.h"

namespace mxdit::ascend {

inline std::string show(const Tensor& tensor, int64_t i) {
  std::ostringstream out;
  const size_t size = element_size(tensor.dtype());
  const auto* byte = static_cast<const uint8_t*>(tensor.data()) + static_cast<size_t>(i) * size;
  if (tensor.dtype() == DType::f32) out << tensor.as<float>()[i];
  if (tensor.dtype() == DType::bf16) out << to_float(tensor.as<bf16>()[i]);
  if (tensor.dtype() == DType::f16) out << to_float(tensor.as<f16>()[i]);
  out << " 0x" << std::hex;
  for (size_t b = size; b-- > 0;) out << (byte[b] >> 4) << (byte[b] & 15);
  return out.str();
}

// Host tensors. How many elements differ, and the first that does.
inline ::testing::AssertionResult equal_bytes(const Tensor& expected, const Tensor& got) {
  if (expected.dtype() != got.dtype() || !(expected.shape() == got.shape()))
    return ::testing::AssertionFailure()
           << "expected " << name(expected.dtype()) << " " << expected.shape() << ", got "
           << name(got.dtype()) << " " << got.shape();
  const size_t size = element_size(expected.dtype());
  int64_t different = 0, first = -1;
  for (int64_t i = 0; i < expected.elements(); ++i) {
    const auto at = [&](const Tensor& t) {
      return static_cast<const char*>(t.data()) + static_cast<size_t>(i) * size;
    };
    if (std::memcmp(at(expected), at(got), size) == 0) continue;
    if (different++ == 0) first = i;
  }
  if (different == 0) return ::testing::AssertionSuccess();
  return ::testing::AssertionFailure()
         << different << " of " << expected.elements() << " elements differ, the first at " << first
         << ": expected " << show(expected, first) << ", got " << show(got, first);
}

}  // namespace mxdit::ascend

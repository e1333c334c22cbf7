#include "ascend_emulator/arithmetic/movement.h"

namespace ascend_emulator::arithmetic {
namespace {

// The part of `out` that starts at `start` and has the dims of a source.
View part(const View& out, const Dims& start, const Dims& dims) {
  int64_t offset = 0;
  for (size_t i = 0; i < start.size(); ++i) offset += start[i] * out.strides[i];
  char* data = static_cast<char*>(out.data) + offset * element_bits(out.element) / 8;
  return {data, out.element, dims, out.strides};
}

}  // namespace

void permute(const View& self, const Dims& axes, const View& out) {
  View moved = self;
  for (size_t i = 0; i < axes.size(); ++i) {
    moved.dims[i] = self.dims[axes[i]];
    moved.strides[i] = self.strides[axes[i]];
  }
  copy_elements(moved, out);
}

void concatenate(const std::vector<View>& parts, int64_t axis, const View& out) {
  Dims start(out.dims.size(), 0);
  for (const View& piece : parts) {
    copy_elements(piece, part(out, start, piece.dims));
    start[axis] += piece.dims[axis];
  }
}

void pad_constant(const View& self, const Dims& pads, const void* fill, const View& out) {
  const View repeated{const_cast<void*>(fill), out.element, out.dims, Dims(out.dims.size(), 0)};
  copy_elements(repeated, out);
  Dims start(out.dims.size(), 0);
  for (size_t i = 0; 2 * i < pads.size(); ++i) start[start.size() - 1 - i] = pads[2 * i];
  copy_elements(self, part(out, start, self.dims));
}

}  // namespace ascend_emulator::arithmetic

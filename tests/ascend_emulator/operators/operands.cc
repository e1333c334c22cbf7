#include "ascend_emulator/operators/operands.h"

#include <algorithm>

namespace ascend_emulator {

arithmetic::View memory(const Run& run, const Operand& operand) {
  const View view = run.view(operand);
  return {view.data(), static_cast<arithmetic::Element>(view.dtype), view.shape, view.strides};
}

bool is_one_of(aclDataType dtype, std::initializer_list<aclDataType> dtypes) {
  return std::ranges::find(dtypes, dtype) != dtypes.end();
}

std::string format_name(aclFormat format) {
  switch (format) {
    case ACL_FORMAT_NCHW:
      return "NCHW";
    case ACL_FORMAT_NHWC:
      return "NHWC";
    case ACL_FORMAT_ND:
      return "ND";
    case ACL_FORMAT_NDHWC:
      return "NDHWC";
    case ACL_FORMAT_FRACTAL_NZ:
      return "FRACTAL_NZ";
    case ACL_FORMAT_NCDHW:
      return "NCDHW";
    case ACL_FORMAT_NCL:
      return "NCL";
    default:
      return "format " + std::to_string(format);
  }
}

void Checks::dtype(const char* argument, const Operand& operand,
                   std::initializer_list<aclDataType> dtypes) const {
  if (!operand || is_one_of(operand->dtype, dtypes)) return;
  std::string names;
  for (const aclDataType dtype : dtypes) names += (names.empty() ? "" : ", ") + dtype_name(dtype);
  call.refuse(status, argument, ": expected dtype ", names, ", got ", dtype_name(operand->dtype));
}

void Checks::same_dtype(const char* argument, const Operand& operand, aclDataType dtype) const {
  if (!operand) return;
  call.require(operand->dtype == dtype, status, argument, ": expected dtype ", dtype_name(dtype),
               ", got ", dtype_name(operand->dtype));
}

void Checks::shape(const char* argument, const Operand& operand, const Dims& expected) const {
  if (!operand) return;
  call.require(operand->shape == expected, status, argument, ": expected shape ", to_text(expected),
               ", got ", to_text(operand->shape));
}

void Checks::storage(const char* argument, const Operand& operand, const Dims& expected) const {
  call.require(operand->storage_shape == expected && operand->offset == 0, status, argument,
               ": expected storage ", to_text(expected), " from its start, got ",
               to_text(operand->storage_shape), " at ", operand->offset);
}

void Checks::rank(const char* argument, const Operand& operand, int64_t least, int64_t most) const {
  if (!operand) return;
  call.require(operand->rank() >= least && operand->rank() <= most, status, argument,
               ": expected a rank of ", least, " to ", most, ", got shape ",
               to_text(operand->shape));
}

void Checks::no_empty_dim(const char* argument, const Operand& operand) const {
  if (!operand) return;
  call.require(operand->elements() > 0, status, argument, ": expected dims of at least 1, got ",
               to_text(operand->shape));
}

void Checks::contiguous(const char* argument, const Operand& operand) const {
  if (!operand) return;
  call.require(operand->contiguous(), status, argument,
               ": expected a contiguous tensor, got strides ", to_text(operand->strides),
               " of shape ", to_text(operand->shape));
  call.require(bits_per_element(operand->dtype) >= 8 || operand->offset % 2 == 0, status, argument,
               ": expected fp4 from a whole byte on, got offset ", operand->offset);
}

void Checks::format(const char* argument, const Operand& operand,
                    std::initializer_list<aclFormat> formats) const {
  if (!operand || std::ranges::find(formats, operand->format) != formats.end()) return;
  std::string names;
  for (const aclFormat format : formats) names += (names.empty() ? "" : ", ") + format_name(format);
  call.refuse(status, argument, ": expected format ", names, ", got ",
              format_name(operand->format));
}

void Checks::not_nz(const char* argument, const Operand& operand) const {
  if (!operand) return;
  call.require(!is_nz(operand->format), status, argument, ": expected a format other than ",
               format_name(operand->format));
}

int64_t axis_from_front(int64_t axis, int64_t rank) {
  if (axis < -rank || axis >= rank) return -1;
  return axis < 0 ? axis + rank : axis;
}

Dims nz_storage(const Dims& shape, int64_t c0) {
  Dims storage(shape.begin(), shape.end() - 2);
  storage.push_back((shape.back() + c0 - 1) / c0);
  storage.push_back((shape[shape.size() - 2] + 15) / 16);
  storage.push_back(16);
  storage.push_back(c0);
  return storage;
}

uint64_t workspace_for(int64_t elements) {
  return 1024 + static_cast<uint64_t>(std::min<int64_t>(elements, 1 << 14)) / 32 * 32;
}

}  // namespace ascend_emulator

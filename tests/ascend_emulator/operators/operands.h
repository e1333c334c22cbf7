// What the checks of operators have in common: types, shapes and layouts of operands, and the way
// from an operand to the arithmetic's view of its memory.
#pragma once

#include <initializer_list>

#include "ascend_emulator/aclnn_abi.h"
#include "ascend_emulator/arithmetic/view.h"
#include "ascend_emulator/operator.h"

namespace ascend_emulator {

// The view of an operand in memory. `run` is that of the kernel.
arithmetic::View memory(const Run& run, const Operand& operand);
template <class T>
T* bytes_of(const Run& run, const Operand& operand) {
  return reinterpret_cast<T*>(run.view(operand).data());
}

inline constexpr std::initializer_list<aclDataType> kReals = {ACL_FLOAT, ACL_FLOAT16, ACL_BF16};
inline constexpr std::initializer_list<aclDataType> kHalves = {ACL_FLOAT16, ACL_BF16};

bool is_one_of(aclDataType dtype, std::initializer_list<aclDataType> dtypes);

// Each throws with `status` and a text naming the argument, if the operand is not as said. Operands
// that are absent pass.
struct Checks {
  Call& call;
  aclnnStatus status = ACLNN_ERR_PARAM_INVALID;

  void dtype(const char* argument, const Operand& operand,
             std::initializer_list<aclDataType> dtypes) const;
  void same_dtype(const char* argument, const Operand& operand, aclDataType dtype) const;
  void shape(const char* argument, const Operand& operand, const Dims& expected) const;
  void storage(const char* argument, const Operand& operand, const Dims& expected) const;
  void rank(const char* argument, const Operand& operand, int64_t least, int64_t most) const;
  void no_empty_dim(const char* argument, const Operand& operand) const;
  void contiguous(const char* argument, const Operand& operand) const;
  // One of these formats exactly, or any that is not FRACTAL_NZ.
  void format(const char* argument, const Operand& operand,
              std::initializer_list<aclFormat> formats) const;
  void not_nz(const char* argument, const Operand& operand) const;
};

std::string format_name(aclFormat format);
// Axis counted from the front, or -1 if outside of [-rank, rank).
int64_t axis_from_front(int64_t axis, int64_t rank);
// [.., ceil(cols/c0), ceil(rows/16), 16, c0] for [.., rows, cols].
Dims nz_storage(const Dims& shape, int64_t c0);
// A size that grows with the work, up to a bound: workspace is poisoned before each run.
uint64_t workspace_for(int64_t elements);

}  // namespace ascend_emulator

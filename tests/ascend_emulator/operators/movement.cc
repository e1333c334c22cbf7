// aclnnPermute, Cat, InplaceCopy, ConstantPadNd: elements of 1, 2, 4 or 8 bytes are moved.
#include "ascend_emulator/arithmetic/movement.h"

#include <array>

#include "ascend_emulator/arithmetic/elementwise.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

constexpr int64_t kMostDims = 8;

const OperatorInfo kPermute{.name = "aclnnPermute", .library = Library::math};
const OperatorInfo kCat{.name = "aclnnCat", .library = Library::math};
const OperatorInfo kInplaceCopy{.name = "aclnnInplaceCopy", .library = Library::math};
const OperatorInfo kConstantPadNd{.name = "aclnnConstantPadNd", .library = Library::math};
const Registration registrations[] = {Registration(kPermute), Registration(kCat),
                                      Registration(kInplaceCopy), Registration(kConstantPadNd)};

void check_movable(const Checks& checks, const char* argument, const Operand& operand) {
  const bool whole_bytes = bits_per_element(operand->dtype) >= 8;
  checks.call.require(whole_bytes, checks.status, argument,
                      ": expected elements of whole bytes, got ", dtype_name(operand->dtype));
  checks.not_nz(argument, operand);
  checks.rank(argument, operand, 0, kMostDims);
}

// Types without an arithmetic of their own travel as bytes of their size.
arithmetic::View as_bits(const Run& run, const Operand& operand) {
  arithmetic::View view = memory(run, operand);
  switch (bits_per_element(operand->dtype)) {
    case 8:
      view.element = arithmetic::Element::kUint8;
      break;
    case 16:
      view.element = arithmetic::Element::kBfloat16;
      break;
    case 32:
      view.element = arithmetic::Element::kInt32;
      break;
    default:
      view.element = arithmetic::Element::kInt64;
      break;
  }
  return view;
}

void check_axes(Call& call, const Dims& axes, int64_t rank, Dims* from_front) {
  call.require(static_cast<int64_t>(axes.size()) == rank, ACLNN_ERR_PARAM_INVALID,
               "dims: expected ", rank, " axes, got ", to_text(axes));
  std::vector<bool> seen(axes.size(), false);
  for (const int64_t given : axes) {
    const int64_t axis = axis_from_front(given, rank);
    call.require(axis >= 0 && !seen[axis], ACLNN_ERR_PARAM_INVALID,
                 "dims: expected each axis once, got ", to_text(axes));
    seen[axis] = true;
    from_front->push_back(axis);
  }
}

Dims concatenated_shape(Call& call, const std::vector<Operand>& parts, int64_t axis) {
  const Checks checks{call};
  Dims shape = parts[0]->shape;
  shape[axis] = 0;
  for (const Operand& part : parts) {
    check_movable(checks, "tensors", part);
    checks.same_dtype("tensors", part, parts[0]->dtype);
    Dims expected = shape;
    if (part->rank() == parts[0]->rank()) expected[axis] = part->shape[axis];
    checks.shape("tensors", part, expected);
    shape[axis] += part->shape[axis];
  }
  return shape;
}

Dims padded_shape(Call& call, const Dims& shape, const Dims& pads) {
  call.require(pads.size() % 2 == 0 && pads.size() <= 2 * shape.size(), ACLNN_ERR_PARAM_INVALID,
               "pad: expected pairs for at most ", shape.size(), " axes, got ", to_text(pads));
  Dims padded = shape;
  for (size_t i = 0; i < pads.size(); ++i) {
    call.require(pads[i] >= 0, ACLNN_ERR_PARAM_INVALID, "pad: expected no negative number, got ",
                 to_text(pads));
    padded[padded.size() - 1 - i / 2] += pads[i];
  }
  return padded;
}

// The scalar as one element of a type.
std::array<std::byte, 8> element_of(const Scalar& scalar, aclDataType dtype) {
  std::array<std::byte, 8> bytes{};
  double value = scalar.as_double();
  arithmetic::cast({&value, arithmetic::Element::kFloat64, {1}, {1}},
                   {bytes.data(), static_cast<arithmetic::Element>(dtype), {1}, {1}});
  return bytes;
}

}  // namespace

aclnnStatus aclnnPermuteGetWorkspaceSize(const aclTensor* self, const aclIntArray* dims,
                                         aclTensor* out, uint64_t* workspace_size,
                                         aclOpExecutor** executor) {
  return plan(kPermute, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("self", self);
    const Dims given = call.int_array("dims", dims);
    const Operand y = call.output("out", out);
    const Checks checks{call};
    check_movable(checks, "self", x);
    check_movable(checks, "out", y);
    checks.same_dtype("out", y, x->dtype);
    Dims axes, shape;
    check_axes(call, given, x->rank(), &axes);
    for (const int64_t axis : axes) shape.push_back(x->shape[axis]);
    checks.shape("out", y, shape);
    call.run([=](Run& run) { arithmetic::permute(as_bits(run, x), axes, as_bits(run, y)); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnPermute, kPermute)

aclnnStatus aclnnCatGetWorkspaceSize(const aclTensorList* tensors, int64_t dim, aclTensor* out,
                                     uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kCat, workspace_size, executor, [&](Call& call) {
    const std::vector<Operand> parts = call.inputs("tensors", tensors);
    const Operand y = call.output("out", out);
    const Checks checks{call};
    call.require(!parts.empty(), ACLNN_ERR_PARAM_INVALID, "tensors: expected at least one");
    const int64_t axis = axis_from_front(dim, parts[0]->rank());
    call.require(axis >= 0, ACLNN_ERR_PARAM_INVALID, "dim: expected an axis of ",
                 to_text(parts[0]->shape), ", got ", dim);
    const Dims shape = concatenated_shape(call, parts, axis);
    check_movable(checks, "out", y);
    checks.same_dtype("out", y, parts[0]->dtype);
    checks.shape("out", y, shape);
    call.run([=](Run& run) {
      std::vector<arithmetic::View> views;
      for (const Operand& part : parts) views.push_back(as_bits(run, part));
      arithmetic::concatenate(views, axis, as_bits(run, y));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnCat, kCat)

aclnnStatus aclnnInplaceCopyGetWorkspaceSize(aclTensor* self, const aclTensor* src,
                                             uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kInplaceCopy, workspace_size, executor, [&](Call& call) {
    const Operand y = call.output("selfRef", self);
    const Operand x = call.input("src", src);
    const Checks checks{call};
    check_movable(checks, "selfRef", y);
    check_movable(checks, "src", x);
    // The device would convert; here a conversion is a Cast.
    checks.same_dtype("src", x, y->dtype);
    Dims shape;
    call.require(arithmetic::broadcast_dims(y->shape, x->shape, &shape) && shape == y->shape,
                 ACLNN_ERR_PARAM_INVALID, "src: expected a shape that broadcasts to ",
                 to_text(y->shape), ", got ", to_text(x->shape));
    call.run([=](Run& run) {
      const arithmetic::View target = as_bits(run, y);
      const arithmetic::View source = as_bits(run, x);
      arithmetic::copy_elements(
          x->shape == y->shape ? source : arithmetic::broadcast_to(source, y->shape), target);
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnInplaceCopy, kInplaceCopy)

aclnnStatus aclnnConstantPadNdGetWorkspaceSize(const aclTensor* self, const aclIntArray* pad,
                                               const aclScalar* value, aclTensor* out,
                                               uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kConstantPadNd, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("self", self);
    const Dims pads = call.int_array("pad", pad);
    const Scalar given = call.scalar("value", value);
    const Operand y = call.output("out", out);
    const Checks checks{call};
    checks.dtype("self", x,
                 {ACL_FLOAT, ACL_FLOAT16, ACL_BF16, ACL_INT8, ACL_INT32, ACL_UINT8, ACL_INT64,
                  ACL_DOUBLE, ACL_BOOL});
    check_movable(checks, "self", x);
    check_movable(checks, "out", y);
    checks.same_dtype("out", y, x->dtype);
    checks.shape("out", y, padded_shape(call, x->shape, pads));
    const auto fill = element_of(given, x->dtype);
    call.run([=](Run& run) {
      arithmetic::pad_constant(as_bits(run, x), pads, fill.data(), as_bits(run, y));
    });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnConstantPadNd, kConstantPadNd)

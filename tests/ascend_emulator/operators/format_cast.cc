// aclnnNpuFormatCast: ND to FRACTAL_NZ and back.
#include <algorithm>

#include "ascend_emulator/arithmetic/matrix.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kFormatCast{
    .name = "aclnnNpuFormatCast", .library = Library::math, .soc = Soc::any, .writes_nz = true};
const OperatorInfo kCalculate{.name = "aclnnNpuFormatCastCalculateSizeAndFormat",
                              .library = Library::math};
const Registration registrations[] = {Registration(kFormatCast), Registration(kCalculate)};

constexpr std::initializer_list<aclDataType> kDtypes = {
    ACL_INT8, ACL_FLOAT8_E4M3FN, ACL_HIFLOAT8, ACL_FLOAT16, ACL_BF16, ACL_FLOAT4_E2M1};
constexpr std::initializer_list<aclFormat> kPlainFormats = {ACL_FORMAT_ND, ACL_FORMAT_NCL,
                                                            ACL_FORMAT_NCHW, ACL_FORMAT_NCDHW};

bool is_plain(aclFormat format) {
  return std::ranges::find(kPlainFormats, format) != kPlainFormats.end();
}

// A fractal's row is 32 bytes.
int64_t c0_of(aclDataType dtype) {
  return 256 / bits_per_element(dtype);
}

void check_source(Call& call, const Operand& src) {
  const Checks checks{call};
  checks.dtype("src", src, kDtypes);
  checks.rank("src", src, 2, 6);
  checks.no_empty_dim("src", src);
  checks.contiguous("src", src);
  const int64_t rows = src->shape[src->shape.size() - 2];
  call.require(rows != 1 || !is_one_of(src->dtype, kHalves), ACLNN_ERR_PARAM_INVALID,
               "src: expected a second-last dim above 1 for ", dtype_name(src->dtype), ", got ",
               to_text(src->shape));
  call.require(
      src->dtype != ACL_FLOAT4_E2M1 || (src->shape.back() % 2 == 0 && src->offset % 2 == 0),
      ACLNN_ERR_PARAM_INVALID, "src: expected an even last dim for fp4, got ", to_text(src->shape));
}

void check_formats(Call& call, aclFormat from, aclFormat to) {
  const bool to_nz = is_plain(from) && to == ACL_FORMAT_FRACTAL_NZ;
  const bool from_nz = from == ACL_FORMAT_FRACTAL_NZ && is_plain(to);
  call.require(to_nz || from_nz, ACLNN_ERR_PARAM_INVALID,
               "format: expected ND, NCL, NCHW or NCDHW to FRACTAL_NZ or back, got ",
               format_name(from), " to ", format_name(to));
}

Dims storage_for(const Operand& src, aclFormat format) {
  return format == ACL_FORMAT_FRACTAL_NZ ? nz_storage(src->shape, c0_of(src->dtype)) : src->shape;
}

// Rows in bytes: two fp4 elements travel as one byte.
arithmetic::NzLayout layout_of(const Tensor& tensor) {
  const int64_t bytes = tensor.shape.back() * bits_per_element(tensor.dtype) / 8;
  return {tensor.shape[tensor.shape.size() - 2], bytes, 32};
}

void move(const Run& run, const Operand& from, const Operand& to) {
  const arithmetic::NzLayout layout = layout_of(*from);
  const int64_t batch =
      from->elements() / (from->shape.back() * from->shape[from->shape.size() - 2]);
  const auto* source = bytes_of<const uint8_t>(run, from);
  auto* target = bytes_of<uint8_t>(run, to);
  if (to->format == ACL_FORMAT_FRACTAL_NZ) {
    arithmetic::nd_to_nz(source, layout, batch, 1, target);
  } else {
    arithmetic::nz_to_nd(source, layout, batch, 1, target);
  }
}

}  // namespace

aclnnStatus aclnnNpuFormatCastCalculateSizeAndFormat(const aclTensor* src, int dst_format,
                                                     int additional_dtype, int64_t** dst_shape,
                                                     uint64_t* dst_rank, int* actual_format) {
  return direct(kCalculate, [&](Call& call) {
    const Operand x = call.input("src", src, ACLNN_ERR_PARAM_INVALID);
    call.require(dst_shape && dst_rank && actual_format, ACLNN_ERR_PARAM_INVALID,
                 "dstShape, dstShapeSize, actualFormat: expected pointers, got null");
    check_source(call, x);
    call.require(additional_dtype == -1 || additional_dtype == x->dtype, ACLNN_ERR_PARAM_INVALID,
                 "additionalDtype: expected -1 or that of src, ", dtype_name(x->dtype), ", got ",
                 dtype_name(additional_dtype));
    check_formats(call, x->format, dst_format);
    const Dims storage = storage_for(x, dst_format);
    *dst_shape = new int64_t[storage.size()];
    std::ranges::copy(storage, *dst_shape);
    *dst_rank = storage.size();
    *actual_format = dst_format;
  });
}

aclnnStatus aclnnNpuFormatCastGetWorkspaceSize(const aclTensor* src, aclTensor* dst,
                                               uint64_t* workspace_size, aclOpExecutor** executor) {
  return plan(kFormatCast, workspace_size, executor, [&](Call& call) {
    const Operand x = call.input("src", src, ACLNN_ERR_INNER_NULLPTR);
    const Operand y = call.output("dst", dst, ACLNN_ERR_INNER_NULLPTR);
    check_source(call, x);
    check_formats(call, x->format, y->format);
    const Checks checks{call};
    checks.same_dtype("dst", y, x->dtype);
    checks.shape("dst", y, x->shape);
    checks.storage("dst", y, storage_for(x, y->format));
    if (x->format == ACL_FORMAT_FRACTAL_NZ) {
      checks.storage("src", x, storage_for(x, ACL_FORMAT_FRACTAL_NZ));
    }
    call.require(y->strides == contiguous_strides(y->shape) && y->offset == 0,
                 ACLNN_ERR_PARAM_INVALID,
                 "dst: expected contiguous strides without an offset, got ", to_text(y->strides),
                 " and ", y->offset);
    call.run([=](Run& run) { move(run, x, y); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnNpuFormatCast, kFormatCast)

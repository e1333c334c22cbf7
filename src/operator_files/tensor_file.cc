#include "operator_files/tensor_file.h"

#include <algorithm>

#include "core/error.h"

namespace mxdit::operator_files {

std::string TensorFile::where(const std::string& name) const {
  return file_.path().string() + " tensor " + name;
}

Tensor TensorFile::take(const std::string& name, std::initializer_list<DType> dtypes) {
  if (!has(name))
    fail(ErrorKind::not_found, "[operator_files] ", file_.path().string(), ": expected a tensor ",
         name, ", got none of that name");
  const Tensor tensor = file_.get(name);
  taken_.insert(name);
  if (std::find(dtypes.begin(), dtypes.end(), tensor.dtype()) != dtypes.end()) return tensor;
  std::string expected;
  for (const DType dtype : dtypes)
    expected += (expected.empty() ? "" : " or ") + std::string(mxdit::name(dtype));
  fail(ErrorKind::bad_input, "[operator_files] ", where(name), ": expected ", expected, ", got ",
       mxdit::name(tensor.dtype()));
}

Tensor TensorFile::take(const std::string& name, std::initializer_list<DType> dtypes,
                        const Shape& shape) {
  const Tensor tensor = take(name, dtypes);
  if (tensor.shape() != shape)
    fail(ErrorKind::bad_input, "[operator_files] ", where(name), ": expected shape ", shape,
         ", got ", tensor.shape());
  return tensor;
}

Tensor TensorFile::take_rows(const std::string& name, std::initializer_list<DType> dtypes) {
  const Tensor tensor = take(name, dtypes);
  if (tensor.shape().rank() < 1 || tensor.elements() == 0)
    fail_shape(name, "at least one axis, none of them empty");
  return tensor;
}

void TensorFile::fail_shape(const std::string& name, const std::string& expected) const {
  fail(ErrorKind::bad_input, "[operator_files] ", where(name), ": expected shape ", expected,
       ", got ", file_.header().tensors.at(name).shape);
}

void TensorFile::refuse_others(const std::string& operation) const {
  for (const auto& [name, entry] : file_.header().tensors)
    if (!taken_.contains(name))
      fail(ErrorKind::bad_input, "[operator_files] ", where(name),
           ": expected only tensors that ", operation, " takes, got another");
}

Tensor as_rows(const Tensor& x) {
  const int64_t columns = x.dim(-1);
  return x.reshape({x.elements() / columns, columns});
}

Shape with_last(const Shape& like, std::initializer_list<int64_t> last) {
  std::vector<int64_t> dims = like.dims();
  dims.pop_back();
  dims.insert(dims.end(), last.begin(), last.end());
  return Shape(std::move(dims));
}

DType parse_out_type(const std::string& name) {
  if (name == "fp32") return DType::f32;
  if (name == "bf16") return DType::bf16;
  if (name == "fp16") return DType::f16;
  fail(ErrorKind::usage, "[operator_files] --out: expected fp32, bf16 or fp16, got ", name);
}

}  // namespace mxdit::operator_files

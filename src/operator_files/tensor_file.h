// The tensors of one operator's input file, taken by name with their dtypes and shapes checked.
#pragma once

#include <initializer_list>
#include <map>
#include <set>
#include <string>

#include "core/tensor.h"
#include "io/safetensors.h"

namespace mxdit::operator_files {

class TensorFile {
 public:
  explicit TensorFile(const std::string& path) : file_(SafetensorsFile::open(path)) {}

  bool has(const std::string& name) const { return file_.header().tensors.contains(name); }
  // Errors: not_found; bad_input naming file, tensor, expected and got.
  Tensor take(const std::string& name, std::initializer_list<DType> dtypes);
  Tensor take(const std::string& name, std::initializer_list<DType> dtypes, const Shape& shape);
  // At least one axis, none of them empty.
  Tensor take_rows(const std::string& name, std::initializer_list<DType> dtypes);
  // Error{bad_input} naming a tensor that nobody took.
  void refuse_others(const std::string& operation) const;
  [[noreturn]] void fail_shape(const std::string& name, const std::string& expected) const;

  const SafetensorsFile& file() const { return file_; }

 private:
  std::string where(const std::string& name) const;
  SafetensorsFile file_;
  std::set<std::string> taken_;
};

// x [..., C] as [rows, C], and a result's shape: the leading axes of `like`, then `last`.
Tensor as_rows(const Tensor& x);
Shape with_last(const Shape& like, std::initializer_list<int64_t> last);

// "fp32", "bf16" or "fp16". Error{usage} naming the flag --out.
DType parse_out_type(const std::string& name);

}  // namespace mxdit::operator_files

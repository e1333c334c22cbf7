#include "stages/trace.h"

#include <cstring>

#include "io/safetensors.h"
#include "ops/ops.h"

namespace mxdit {
namespace {

bool is_activation(DType dtype) { return dtype == DType::bf16 || dtype == DType::f16; }

// A copy that nothing else writes to.
Tensor own_copy(const Tensor& host) {
  Tensor copy = Tensor::host(host.dtype(), host.shape());
  std::memcpy(copy.mutable_data(), host.data(), host.bytes());
  return copy;
}

Tensor own_copy(Backend& backend, const Tensor& tensor) {
  return own_copy(backend.to_host(
      is_activation(tensor.dtype()) ? ops::cast(backend, tensor, DType::f32) : tensor));
}

}  // namespace

Tensor join_rows(const std::vector<Tensor>& rows) {
  if (rows.size() == 1) return rows.front();
  std::vector<int64_t> dims = rows.front().shape().dims();
  dims[0] = 0;
  for (const Tensor& row : rows) dims[0] += row.dim(0);
  Tensor joined = Tensor::host(rows.front().dtype(), Shape(dims));
  char* to = static_cast<char*>(joined.mutable_data());
  for (const Tensor& row : rows) {
    std::memcpy(to, row.data(), row.bytes());
    to += row.bytes();
  }
  return joined;
}

void Trace::record(Backend& backend, const std::string& name, const Tensor& tensor) {
  rows_[name] = {own_copy(backend, tensor)};
}

void Trace::append(Backend& backend, const std::string& name, const Tensor& row) {
  rows_[name].push_back(own_copy(backend, row));
}

void Trace::record_host(const std::string& name, const Tensor& tensor) {
  rows_[name] = {own_copy(tensor)};
}

void Trace::append_host(const std::string& name, const Tensor& row) {
  rows_[name].push_back(own_copy(row));
}

void Trace::write(const std::filesystem::path& path,
                  const std::map<std::string, std::string>& metadata) const {
  std::map<std::string, Tensor> tensors;
  for (const auto& [name, rows] : rows_) tensors.emplace(name, join_rows(rows));
  write_safetensors(path, tensors, metadata);
}

}  // namespace mxdit

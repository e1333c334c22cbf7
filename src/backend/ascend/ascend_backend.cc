#include "backend/ascend/ascend_backend.h"

#include <cstdlib>
#include <cstring>
#include <string_view>

namespace mxdit::ascend {
namespace {

bool asks_for_host_nz() {
  const char* choice = std::getenv("MXDIT_ASCEND_NZ");
  if (choice == nullptr || *choice == '\0' || std::string_view(choice) == "device") return false;
  if (std::string_view(choice) == "host") return true;
  fail(ErrorKind::usage, "[backend] MXDIT_ASCEND_NZ: expected device or host, got ", choice);
}

}  // namespace

AscendBackend::AscendBackend(const DeviceOptions& options)
    : device_(options), nz_on_host_(asks_for_host_nz()) {}

AscendBackend::~AscendBackend() = default;

std::string AscendBackend::name() const {
  return "ascend:" + std::to_string(device_.index());
}

std::string AscendBackend::description() const {
  return name() + ": " + device_.soc();
}

Tensor AscendBackend::fresh(DType dtype, const Shape& shape, Use use) {
  Tensor tensor = device_.empty(dtype, shape, use);
  derived_.handed_out(tensor);
  return tensor;
}

// Ids are read on the host only.
Tensor AscendBackend::empty(DType dtype, const Shape& shape) {
  return dtype == DType::i32 ? Tensor::host(dtype, shape) : fresh(dtype, shape);
}

Tensor AscendBackend::from_host(const Tensor& host) {
  if (host.dtype() == DType::i32) return host;
  // What is large is a weight, mostly: it takes its exact size.
  constexpr size_t kLarge = size_t{1} << 20;
  Tensor tensor = fresh(host.dtype(), host.shape(),
                        host.bytes() >= kLarge ? Use::weight : Use::activation);
  if (host.bytes() > 0) device_.upload(host.data(), host.bytes(), tensor.mutable_data());
  return tensor;
}

Tensor AscendBackend::to_host(const Tensor& tensor) {
  if (tensor.dtype() != DType::i32) return device_.download(tensor);
  Tensor copy = Tensor::host(tensor.dtype(), tensor.shape());
  if (copy.bytes() > 0) std::memcpy(copy.mutable_data(), tensor.data(), tensor.bytes());
  return copy;
}

void AscendBackend::synchronize() {
  device_.synchronize();
}

std::optional<DeviceMemory> AscendBackend::memory() {
  const BlockSource::Memory memory = device_.memory();
  if (memory.total == 0) return std::nullopt;  // it does not tell
  return DeviceMemory{memory.free, memory.total};
}

void AscendBackend::release_idle() noexcept {
  derived_.clear();
  device_.release_idle();
}

Tensor AscendBackend::as_type(const Tensor& x, DType dtype, Use use) {
  if (x.dtype() == dtype) return x;
  Tensor result = fresh(dtype, x.shape(), use);
  cast(x, result);
  return result;
}

Tensor AscendBackend::wide_result(const Tensor& out) {
  return out.dtype() == DType::f32 ? out : fresh(DType::f32, out.shape());
}

void AscendBackend::round_into(const Tensor& wide, Tensor& out) {
  if (wide.dtype() != out.dtype()) cast(wide, out);
}

Tensor AscendBackend::parameter_as(const Tensor& parameter, DType dtype) {
  if (parameter.dtype() == dtype) return parameter;
  using Form = DerivedTensors::Form;
  const Form form = dtype == DType::bf16 ? Form::bf16 : dtype == DType::f16 ? Form::f16 : Form::f32;
  if (const Tensor* known = derived_.find(parameter, form)) return *known;
  Tensor made = as_type(parameter, dtype);
  derived_.keep(parameter, form, made);
  return made;
}

void AscendBackend::copy_view(const TensorView& from, const TensorView& to) {
  device_.call(op::inplace_copy, to, from);
}

}  // namespace mxdit::ascend

#include "backend/cpu/cpu_backend.h"

#include <cstring>

#include "backend/cpu/isa.h"

namespace mxdit::cpu {

CpuBackend::CpuBackend(const BackendOptions& options)
    : kernels_(choose_table(options.isa)),
      forced_(options.isa),
      threads_(options.threads),
      memory_(MemoryPool::create()) {}

std::string CpuBackend::description() const {
  return std::string("cpu: ") + kernels_.name + " kernels, " + std::to_string(threads_.size()) +
         (threads_.size() == 1 ? " thread" : " threads");
}

Tensor CpuBackend::empty(DType dtype, const Shape& shape) {
  const size_t bytes = static_cast<size_t>(shape.elements()) * element_size(dtype);
  return Tensor(dtype, shape, memory_->allocate(bytes));
}

Tensor CpuBackend::to_host(const Tensor& device) {
  Tensor host = Tensor::host(device.dtype(), device.shape());
  if (device.bytes() > 0) std::memcpy(host.mutable_data(), device.data(), device.bytes());
  return host;
}

Element element_of(DType dtype) {
  switch (dtype) {
    case DType::f32:
      return Element::f32;
    case DType::bf16:
      return Element::bf16;
    case DType::f16:
      return Element::f16;
    case DType::f8_e4m3:
      return Element::f8_e4m3;
    case DType::f8_e5m2:
      return Element::f8_e5m2;
    default:
      fail(ErrorKind::unsupported, "[backend] element type: expected F32, BF16, F16, F8_E4M3 or ",
           "F8_E5M2, got ", mxdit::name(dtype));
  }
}

Function function_of(Activation activation) noexcept {
  switch (activation) {
    case Activation::none:
      return Function::none;
    case Activation::silu:
      return Function::silu;
    case Activation::gelu_tanh:
      return Function::gelu_tanh;
    case Activation::gelu_erf:
      return Function::gelu_erf;
  }
  return Function::none;
}

}  // namespace mxdit::cpu

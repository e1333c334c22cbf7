#include "layers/parameters.h"

#include "core/error.h"
#include "layers/tensor_use.h"
#include "ops/ops.h"

namespace mxdit {

Tensor load_stored(const ModelSource& source, const std::string& name, const Shape& shape) {
  const Tensor stored = source.weights->get(name, shape);
  const DType dtype = stored.dtype();
  const bool known = dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16 ||
                     dtype == DType::f8_e4m3 || dtype == DType::f8_e5m2;
  if (!known)
    fail(ErrorKind::unsupported, "[layers] ", source.weights->file_of(name).string(), " tensor ",
         name, ": expected F32, F16, BF16, F8_E4M3 or F8_E5M2, got ", mxdit::name(dtype));
  if (source.use != nullptr) source.use->add_tensor(name);
  return source.backend->from_host(stored);
}

Tensor load_parameter(const ModelSource& source, const std::string& name, const Shape& shape) {
  const Tensor stored = load_stored(source, name, shape);
  // A vector here and there: reading it would bring megabytes around it from disk.
  if (source.surveyed) return source.backend->empty(DType::f32, shape);
  return ops::cast(*source.backend, stored, DType::f32);
}

}  // namespace mxdit

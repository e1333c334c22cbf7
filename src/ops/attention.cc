#include "ops/checks.h"
#include "ops/ops.h"

namespace mxdit::ops {

namespace {

void check_keys(const char* what, const Tensor& q, const Tensor& t) {
  check_activation("attention", t);
  check_rank("attention", t, 4);
  const bool fits = t.dtype() == q.dtype() && t.dim(0) == q.dim(0) && t.dim(2) == q.dim(2) &&
                    t.dim(3) == q.dim(3);
  MXDIT_CHECK(fits, "[ops] attention: expected ", what, " ", name(q.dtype()),
              " [B, Sk, H, D] for q ", q.shape(), ", got ", name(t.dtype()), " ", t.shape());
}

void check_angles(const char* op, const Shape& shape, const Tensor& cos, const Tensor& sin) {
  check_parameter(op, "cos", cos, shape);
  check_parameter(op, "sin", sin, shape);
}

}  // namespace

Tensor attention(Backend& backend, const Tensor& q, const Tensor& k, const Tensor& v,
                 const AttentionParams& params) {
  check_activation("attention", q);
  check_rank("attention", q, 4);
  check_keys("k", q, k);
  check_keys("v", q, v);
  MXDIT_CHECK(k.shape() == v.shape(), "[ops] attention: expected v ", k.shape(), " like k, got ",
              v.shape());
  if (params.bias != nullptr)
    check_parameter("attention", "bias", *params.bias, {q.dim(2), q.dim(1), k.dim(1)});
  const auto& lengths = params.kv_length;
  MXDIT_CHECK(lengths.empty() || static_cast<int64_t>(lengths.size()) == q.dim(0),
              "[ops] attention: expected ", q.dim(0), " key lengths for q ", q.shape(), ", got ",
              lengths.size());
  for (const int64_t length : lengths)
    MXDIT_CHECK(length >= 0 && length <= k.dim(1), "[ops] attention: expected a key length of ",
                "at most ", k.dim(1), " for k ", k.shape(), ", got ", length);
  Tensor out = backend.empty(q.dtype(), q.shape());
  if (q.elements() > 0) backend.attention(q, k, v, params, out);
  return out;
}

Tensor rope(Backend& backend, const Tensor& x, const Tensor& cos, const Tensor& sin) {
  check_activation("rope", x);
  check_rank("rope", x, 4);
  MXDIT_CHECK(x.dim(3) % 2 == 0, "[ops] rope: expected an even head size, got ", x.shape());
  check_angles("rope", {x.dim(1), x.dim(3) / 2}, cos, sin);
  Tensor out = backend.empty(x.dtype(), x.shape());
  if (x.elements() > 0) backend.rope(x, cos, sin, out);
  return out;
}

Tensor rms_norm_rope(Backend& backend, const Tensor& x, const Tensor& gain, float eps,
                     const Tensor& cos, const Tensor& sin) {
  check_activation("rms_norm_rope", x);
  check_rank("rms_norm_rope", x, 3);
  check_parameter("rms_norm_rope", "gain", gain, {x.dim(2)});
  const int64_t head = cos.defined() && cos.shape().rank() == 2 ? 2 * cos.dim(1) : 0;
  MXDIT_CHECK(head > 0 && x.dim(2) % head == 0, "[ops] rms_norm_rope: expected cos F32 [", x.dim(1),
              ", D / 2] for heads of D in ", x.shape(), ", got ", cos.shape());
  check_angles("rms_norm_rope", {x.dim(1), head / 2}, cos, sin);
  Tensor out = backend.empty(x.dtype(), {x.dim(0), x.dim(1), x.dim(2) / head, head});
  if (x.elements() > 0) backend.rms_norm_rope(x, gain, eps, cos, sin, out);
  return out;
}

}  // namespace mxdit::ops

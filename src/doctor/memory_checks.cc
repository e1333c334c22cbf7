// Copies both ways, and that memory is found again.
#include <cmath>

#include "doctor/check.h"
#include "doctor/values.h"
#include "ops/ops.h"

namespace mxdit::doctor {
namespace {

// One byte, odd sizes, and more than any staging buffer holds.
std::string copies(Backend& backend) {
  uint64_t bytes = 0;
  for (const int64_t elements : {1, 15, 4097, 1 << 20, (24 << 20) + 3}) {
    const Tensor host = random_values(DType::f32, {elements}, 7);
    expect_equal_bytes("a copy to the device and back", backend.to_host(backend.from_host(host)),
                       host);
    bytes += host.bytes();
  }
  return std::to_string(bytes >> 20) + " MiB there and back";
}

std::string copies_in_order(Backend& backend) {
  const Tensor host = random_values(DType::f32, {1 << 16}, 8);
  Tensor sum = backend.from_host(host);
  for (int i = 0; i < 8; ++i) sum = ops::add(backend, sum, backend.from_host(host));
  std::vector<double> expected = values_of(host);
  const std::vector<double> got = values_of(backend.to_host(sum));
  for (size_t i = 0; i < got.size(); ++i)
    if (!(std::abs(got[i] - 9.0 * expected[i]) <= 0x1p-20 * std::abs(9.0 * expected[i])))
      fail(ErrorKind::internal, "[doctor] sums of nine copies, element ", i, ": expected ",
           9.0 * expected[i], ", got ", got[i]);
  return "copies and operators keep their order";
}

std::string reuse(Backend& backend) {
  const Tensor x = backend.from_host(random_values(DType::bf16, {512, 256}, 9));
  const auto step = [&] {
    const DeviceCounters before = backend.counters();
    Tensor y = x;
    for (int i = 0; i < 20; ++i) y = ops::add(backend, y, x);
    return backend.counters().since(before);
  };
  for (int i = 0; i < 2; ++i) {
    step();
    backend.synchronize();
  }
  const DeviceCounters later = step();
  backend.synchronize();
  if (later.allocations != 0 || later.synchronizations != 0)
    fail(ErrorKind::internal,
         "[doctor] work that repeats: expected no allocation and no synchronization, got ",
         later.allocations, " and ", later.synchronizations);
  return std::to_string(later.operator_calls) + " operator calls without any allocation";
}

}  // namespace

std::vector<Check> memory_checks() {
  return {{"memory", "copies to the device and back", copies},
          {"memory", "order of copies and operators", copies_in_order},
          {"memory", "reuse of memory", reuse}};
}

}  // namespace mxdit::doctor

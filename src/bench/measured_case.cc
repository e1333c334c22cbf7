#include "bench/measured_case.h"

#include <algorithm>

#include "backend/registry.h"
#include "core/error.h"
#include "core/thread_pool.h"
#include "engine/checkpoint_options.h"
#include "pipelines/memory_use.h"
#include "random_models/random_weights.h"

namespace mxdit::bench {
namespace {

// The kernel table inside "cpu: avx512 kernels, 2 threads"; empty for devices that have none.
std::string table_of(const std::string& description) {
  const std::string before = "cpu: ", behind = " kernels";
  const size_t begin = description.find(before), end = description.find(behind);
  if (begin != 0 || end == std::string::npos) return "";
  return description.substr(before.size(), end - before.size());
}

}  // namespace

double timed(Backend& backend, const std::function<void()>& work) {
  const auto begin = std::chrono::steady_clock::now();
  work();
  backend.synchronize();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

Tensor random_tensor(Backend& backend, DType dtype, const Shape& shape, uint64_t seed) {
  Tensor values = Tensor::host(dtype, shape);
  random_models::fill_random(values, 0.0f, 1.0f, seed);
  return backend.from_host(values);
}

void check_size(const char* flag, int64_t value, int64_t least, int64_t most) {
  if (value < least || value > most)
    fail(ErrorKind::usage, "[bench] ", flag, ": expected ", least, "..", most, ", got ", value);
}

MeasuredCase::MeasuredCase(const std::string& command, const BenchOptions& options)
    : backend_(make_backend(options.device, {options.threads, options.isa})),
      compute_(parse_compute(options.dtype)),
      quantization_key_(options.quantization == "none" ? "" : options.quantization) {
  facts_.command = command;
  facts_.device = backend_->description();
  facts_.isa = table_of(facts_.device);
  facts_.dtype = options.dtype;
  facts_.quantization = quantization_key_.empty() ? "none" : quantization_key_;
  facts_.threads = ThreadPool(options.threads).size();
}

BenchSample MeasuredCase::run(const CancelToken* cancel) {
  check_cancelled(cancel);
  BenchSample sample = measure(cancel);
  RunReport memory;
  memory.peak_resident_bytes = facts_.peak_resident_bytes;
  memory.peak_anonymous_bytes = facts_.peak_anonymous_bytes;
  record_memory_use(memory);
  facts_.peak_resident_bytes = memory.peak_resident_bytes;
  facts_.peak_anonymous_bytes = memory.peak_anonymous_bytes;
  return sample;
}

BenchFacts MeasuredCase::facts() const {
  return facts_;
}

}  // namespace mxdit::bench

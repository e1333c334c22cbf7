// What all cases share: a back end, the clock, and the facts that a report names.
#pragma once

#include <chrono>
#include <functional>
#include <string>

#include "backend/backend.h"
#include "mxdit/bench.h"

namespace mxdit::bench {

// Seconds of `work`, its operators done.
double timed(Backend& backend, const std::function<void()>& work);

// Between -1 and 1 mostly, on the device.
Tensor random_tensor(Backend& backend, DType dtype, const Shape& shape, uint64_t seed);

// Error{usage} naming the flag unless least <= value <= most.
void check_size(const char* flag, int64_t value, int64_t least, int64_t most);

class MeasuredCase : public Benchmark {
 public:
  MeasuredCase(const std::string& command, const BenchOptions& options);
  BenchSample run(const CancelToken* cancel) final;
  BenchFacts facts() const final;

 protected:
  virtual BenchSample measure(const CancelToken* cancel) = 0;

  Backend& backend() { return *backend_; }
  DType compute() const { return compute_; }
  // As the registry of methods knows it: empty for "none".
  const std::string& quantization_key() const { return quantization_key_; }
  BenchFacts& own_facts() { return facts_; }
  void parameter(const std::string& name, BenchValue value) {
    facts_.parameters.emplace_back(name, std::move(value));
  }

 private:
  std::unique_ptr<Backend> backend_;
  DType compute_;
  std::string quantization_key_;
  BenchFacts facts_;
};

}  // namespace mxdit::bench

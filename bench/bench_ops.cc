// Times the operators on shapes of Wan2.2 with the case builders of the conformance test.
//
//   bench_ops --isa=avx2 --threads=1 [flags of Google Benchmark, e.g. --benchmark_filter=linear]
//
// Counters: GFLOP/s of useful operations and GB/s of the least traffic the operator needs. On a
// machine that does other work, run repetitions and take the best.
#include <benchmark/benchmark.h>

#include <cstdlib>
#include <memory>
#include <string>

#include "backend/registry.h"
#include "conformance/cases.h"

namespace mxdit::conformance {
namespace {

void add_linears(std::vector<Case>& cases) {
  constexpr int64_t kTokens = 4680;  // 480 x 832, 9 frames
  for (const DType weight : {DType::f32, DType::bf16, DType::f8_e4m3}) {
    for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1536, 1536}, {8960, 1536}, {1536, 8960}})
      cases.push_back(linear_case({kTokens, n, k, DType::f32, weight}));
    cases.push_back(linear_case({1, 9216, 1536, DType::f32, weight}));
  }
  cases.push_back(
      linear_case({kTokens, 8960, 1536, DType::bf16, DType::bf16, true, Activation::gelu_tanh}));
  for (const auto& [n, k] :
       {std::pair<int64_t, int64_t>{3072, 3072}, {14336, 3072}, {5120, 5120}, {13824, 5120}})
    cases.push_back(linear_case({512, n, k, DType::bf16, DType::bf16}));
}

void add_quantized(std::vector<Case>& cases) {
  for (const QuantFormat* format : quant_formats())
    cases.push_back(quantize_case(4680, 1536, *format, DType::bf16));
  cases.push_back(quantize_case(4680, 1536, kMxfp4Dual, DType::f16));
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{1536, 1536}, {8960, 1536}, {1536, 8960}})
    cases.push_back(
        quantized_linear_case({4680, n, k, &kMxfp4Dual, &kMxfp4Dual, DType::bf16, true}));
  for (const QuantFormat* format : {&kMxfp4, &kMxfp8, &kNvfp4, &kFp8Row, &kInt8Row})
    cases.push_back(quantized_linear_case({4680, 1536, 1536, format, format, DType::bf16}));
  cases.push_back(linear_case({4680, 1536, 1536, DType::bf16, DType::bf16}));
  cases.push_back(linear_case({1, 9216, 1536, DType::bf16, DType::bf16}));
  cases.push_back(quantized_linear_case({1, 9216, 1536, &kMxfp4Dual, &kMxfp4Dual, DType::bf16}));
}

void add_convs(std::vector<Case>& cases) {
  const Conv3dParams same = {.pad_top = 1, .pad_bottom = 1, .pad_left = 1, .pad_right = 1};
  cases.push_back(conv_case({1, 60, 104, 384, 384, 3, 3, 3, DType::f32, DType::f32, 2, same}));
  cases.push_back(conv_case({1, 240, 416, 192, 192, 3, 3, 3, DType::f32, DType::f32, 2, same}));
  cases.push_back(conv_case({1, 240, 416, 96, 3, 3, 3, 3, DType::f32, DType::f32, 2, same}));
  cases.push_back(conv_case({1, 60, 104, 16, 384, 3, 3, 3, DType::f32, DType::f32, 2, same}));
  cases.push_back(conv_case({1, 60, 104, 16, 16, 1, 1, 1, DType::f32, DType::f32, 0, {}}));
  cases.push_back(conv_case({2, 60, 104, 384, 384, 3, 1, 1, DType::f32, DType::f32, 2, {}}));
}

std::vector<Case> wan_cases() {
  std::vector<Case> cases;
  add_linears(cases);
  add_quantized(cases);
  cases.push_back(attention_case({1, 4680, 4680, 12, 128, DType::f32}));
  cases.push_back(attention_case({1, 4680, 4680, 12, 128, DType::bf16}));
  cases.push_back(attention_case({1, 4680, 512, 12, 128, DType::f32}));
  cases.push_back(attention_case({1, 6240, 6240, 1, 384, DType::f32}));
  add_convs(cases);
  for (const DType type : {DType::f32, DType::bf16})
    for (Case& row : row_cases(4680, 1536, type)) cases.push_back(std::move(row));
  return cases;
}

void run_case(benchmark::State& state, const Case& c, Backend* backend) {
  const Instance instance = c.make(*backend);
  instance.run();
  for (auto _ : state) {
    instance.run();
    backend->synchronize();
  }
  using benchmark::Counter;
  state.counters["GFLOP/s"] = Counter(c.flops * 1e-9, Counter::kIsIterationInvariantRate);
  state.counters["GB/s"] = Counter(c.bytes * 1e-9, Counter::kIsIterationInvariantRate);
}

// Takes --name=value out of the arguments, so that Google Benchmark does not see it.
std::string take_flag(int& argc, char** argv, const std::string& name) {
  const std::string prefix = "--" + name + "=";
  std::string value;
  int kept = 1;
  for (int i = 1; i < argc; ++i) {
    if (std::string(argv[i]).starts_with(prefix))
      value = argv[i] + prefix.size();
    else
      argv[kept++] = argv[i];
  }
  argc = kept;
  return value;
}

}  // namespace
}  // namespace mxdit::conformance

int main(int argc, char** argv) {
  using namespace mxdit;
  using namespace mxdit::conformance;
  const std::string isa = take_flag(argc, argv, "isa"), threads = take_flag(argc, argv, "threads");
  const auto backend = make_backend(
      "cpu", {.threads = threads.empty() ? 0 : std::atoi(threads.c_str()), .isa = isa});
  benchmark::AddCustomContext("back end", backend->description());
  for (const Case& c : wan_cases())
    benchmark::RegisterBenchmark(c.name.c_str(), run_case, c, backend.get())
        ->Unit(benchmark::kMillisecond)
        ->UseRealTime();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 2;
  benchmark::RunSpecifiedBenchmarks();
  return 0;
}

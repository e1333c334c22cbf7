// Measuring one part of a model: a matrix product, attention, a decode, a denoising forward.
//
//   auto benchmark = mxdit::make_benchmark(mxdit::DitCase{}, options);
//   benchmark->run();                           // warm up
//   double seconds = benchmark->run().seconds;  // as often as wanted
//
// Making a benchmark does everything that is not to be measured: random weights and inputs, and
// loading through the path that generate takes. Weights of random values are written to a temporary
// folder ($TMPDIR), which is removed as soon as they are mapped. Everything throws mxdit::Error.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "mxdit/cancel.h"

namespace mxdit {

struct BenchOptions {
  std::string device = "cpu";
  std::string isa;             // CPU: force a kernel table; empty: best
  std::string dtype = "bf16";  // of activations: "fp32" or "bf16"
  // Of attention and dit: as EngineOptions has it. Of a dit, of its self-attention.
  std::string attention_precision = "bf16";
  // A key of quantization_methods(). Empty or "none": as the model is stored, random weights bf16.
  std::string quantization;
  int threads = 0;  // 0: all processors the process may use
};

// x [tokens, in] times a weight [out, in], with bias. Quantized: the activation is quantized in
// each run, the weight before.
struct LinearCase {
  int64_t tokens = 4680, in_features = 1536, out_features = 1536;
};
// The sizes of Wan's linears: dim to dim, dim to ffn and ffn to dim, at 1536/8960, 3072/14336 and
// 5120/13824.
std::vector<LinearCase> wan_linear_cases(int64_t tokens);

// Without mask, batch 1.
struct AttentionCase {
  int64_t tokens = 4680;
  int64_t keys = 0;  // 0: as many as tokens
  int64_t heads = 12, head_dim = 128;
};

// Latents to frames.
struct VaeCase {
  std::string model_path;  // folder in diffusers' layout; empty: random weights
  std::string shape;       // of random weights: one of bench_shape_names(); empty: wan2.1-t2v-1.3b
  int64_t num_frames = 9, height = 240, width = 416;
};

// One forward of a transformer, batch 1, without guidance.
struct DitCase {
  std::string model_path;  // as above; of two experts the one with high noise
  std::string shape;
  int64_t layers = 0;  // of random weights; 0: those of the shape
  int64_t tokens = 0;  // 0: as height, width and num_frames say
  int64_t num_frames = 9, height = 480, width = 832;
  int64_t text_tokens = 512;
  // Keys and values of the text in every run. Otherwise once before, as in a denoising loop.
  bool encode_text = false;
};
std::vector<std::string> bench_shape_names();

using BenchValue = std::variant<bool, int64_t, std::string>;

struct BenchFacts {
  std::string command;                                         // "linear"
  std::vector<std::pair<std::string, BenchValue>> parameters;  // of the case
  // Multiplications and additions of matrix products, convolutions and attention in one run.
  double operations = 0;
  std::string device, isa, dtype, quantization;
  std::string kernel;  // of a linear or of attention, else empty
  int threads = 0;
  uint64_t peak_resident_bytes = 0, peak_anonymous_bytes = 0;  // of the process so far; 0: unknown
};

struct BenchSample {
  double seconds = 0;
  // What `seconds` consists of, where it is measured by itself: "quantize", "product".
  std::vector<std::pair<std::string, double>> parts;
};

// One thread at a time may use it.
class Benchmark {
 public:
  virtual ~Benchmark() = default;
  // One run; its work is done on return. Error{cancelled} once the token is raised.
  virtual BenchSample run(const CancelToken* cancel) = 0;
  virtual BenchFacts facts() const = 0;
};

// Errors: usage for sizes that cannot be, naming the flag; those of loading a model otherwise.
std::unique_ptr<Benchmark> make_benchmark(const LinearCase& subject, const BenchOptions& options,
                                          const CancelToken* cancel = nullptr);
std::unique_ptr<Benchmark> make_benchmark(const AttentionCase& subject, const BenchOptions& options,
                                          const CancelToken* cancel = nullptr);
std::unique_ptr<Benchmark> make_benchmark(const VaeCase& subject, const BenchOptions& options,
                                          const CancelToken* cancel = nullptr);
std::unique_ptr<Benchmark> make_benchmark(const DitCase& subject, const BenchOptions& options,
                                          const CancelToken* cancel = nullptr);

// What a multiplier of the machine does at most, with nothing further away than L1.
struct MachinePeak {
  std::string isa, type;             // "avx512", "fp32"; "bf16, zeros" where the factors are zeros
  double operations_per_second = 0;  // all threads together
  int threads = 0;
};
// Of every multiplier that the device's kernels may use; about half a second for each.
std::vector<MachinePeak> measure_machine_peaks(const BenchOptions& options);

}  // namespace mxdit

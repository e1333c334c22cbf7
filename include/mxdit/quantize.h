// Making a quantized checkpoint from a plain one, in msmodelslim's format.
//
//   mxdit::QuantizeModelOptions options;
//   options.model_path = "Wan2.2-T2V-A14B-Diffusers";
//   options.output_path = "Wan2.2-T2V-A14B-MXFP4";
//   mxdit::quantize_model(options);
//
// docs/formats.md describes what is written. Everything throws mxdit::Error.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "mxdit/cancel.h"
#include "mxdit/engine.h"

namespace mxdit {

struct QuantizeModelOptions {
  std::string model_path;  // a plain model in diffusers' layout
  std::string output_path;

  // One of quantize_types() for all layers. Empty: the default recipe, W8A8_MXFP8 for the first
  // blocks and W4A4_MXFP4_DUALSCALE for the rest.
  std::string type;
  // Blocks of the default recipe in W8A8_MXFP8, at least 0; more than the model has are all. None:
  // one eighth of them, rounded up, and at most 5.
  std::optional<int> mxfp8_blocks;
  std::string rule = "operator";  // one of quantize_rules()
  std::vector<std::string> keep;  // layers that stay plain: whole dotted segments of their names
  bool proj_out = false;          // quantize the last projection as well

  bool container = false;  // E2M1 weights as E4M3 values, one a byte, instead of packed
  // Original names and an exporter's folders (what mxdit::repack reads), without the components
  // that are not quantized. Else a whole model in diffusers' layout.
  bool original_names = false;
  uint64_t max_shard_bytes = 5'000'000'000;  // tensor data per file
  bool force = false;  // replace the output of an earlier run or of one that was killed

  std::string device = "cpu";
  std::string isa;  // CPU: force a kernel table; empty: best
  int threads = 0;  // 0: all processors the process may use
};

struct QuantizedLayerReport {
  std::string name;    // "blocks.0.attn1.to_q"
  std::string type;    // "W8A8_MXFP8", "FLOAT"
  std::string reason;  // why it is not the type of the recipe; empty: it is
  // |W - decoded| / |W|, Frobenius norms of the weight as stored and as it is decoded; 0 for FLOAT.
  double relative_error = 0;
};

// All layers of one type. FLOAT: also every tensor that is never quantized, which no layer counts.
struct QuantizedTypeReport {
  std::string type;
  int64_t layers = 0;
  uint64_t bytes_before = 0, bytes_after = 0;  // weights, scales and biases
  double mean_relative_error = 0;              // over the layers
  double largest_relative_error = 0;
};

struct QuantizedComponentReport {
  std::string name;  // "transformer"; original names: "high_noise_model", or "." for a single one
  int64_t tensors = 0, files = 0;
  std::vector<QuantizedTypeReport> types;    // sorted; FLOAT is last
  std::vector<QuantizedLayerReport> layers;  // in the order of the network
  std::vector<std::string> warnings;
};

struct QuantizeModelSummary {
  std::string output_path;
  std::vector<QuantizedComponentReport> components;
  int64_t copied_files = 0;  // of the other components
  uint64_t copied_bytes = 0;
  double seconds = 0;
};

// Layer after layer: memory holds one weight, its quantized form and a few MiB. The output appears
// complete or not at all; its bytes depend on the model and these options alone, not on threads,
// instruction set, device or time. Stages of progress: "copy", then the components; the unit is one
// MiB of the model.
// Errors: usage (options that cannot be meant, an output that exists), bad_input (a model that is
// quantized already, a weight that is not finite), unsupported (a rule that does not encode a
// type), those of opening a model, io, cancelled.
QuantizeModelSummary quantize_model(const QuantizeModelOptions& options,
                                    const ProgressSink& progress = {},
                                    const CancelToken* cancel = nullptr);

// "W8A8_MXFP8", ...
std::vector<std::string> quantize_types();

struct QuantizeRule {
  std::string name, summary;
};
std::vector<QuantizeRule> quantize_rules();

}  // namespace mxdit

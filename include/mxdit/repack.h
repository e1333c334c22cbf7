// Turning what a quantizer exported for Wan's original checkpoint into a folder in diffusers'
// layout, and back.
//
//   mxdit::RepackOptions options;
//   options.model_type = "Wan2.2-T2V-A14B";
//   options.original_model_path = "Wan2.2-T2V-A14B-Diffusers";
//   options.quant_path = "exported";
//   options.output_path = "Wan2.2-T2V-A14B-MXFP4";
//   mxdit::repack(options);
//
// docs/formats.md describes names and files. Everything throws mxdit::Error.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "mxdit/cancel.h"
#include "mxdit/engine.h"

namespace mxdit {

struct RepackOptions {
  std::string model_type;           // one of repack_model_types()
  std::string original_model_path;  // diffusers folder: everything but the quantized weights
  // The exporter's folder; with two experts it holds high_noise_model/ and low_noise_model/.
  // With `reverse`: a folder in diffusers' layout, and original_model_path has to be empty.
  std::string quant_path;
  std::string output_path;
  uint64_t max_shard_bytes = 5'000'000'000;  // tensor data per file
  bool pack = false;     // MXFP4 weights in E4M3 containers become packed E2M1, two a byte
  bool reverse = false;  // diffusers' names to original ones
  bool force = false;    // replace the output of an earlier run; resume one that was killed
};

struct RepackedComponent {
  std::string name;     // "transformer"; reversed: "high_noise_model", or "." for a single one
  int64_t tensors = 0;
  int64_t renamed = 0;
  int64_t packed = 0;
  uint64_t bytes = 0;   // of tensors, as written
  int64_t shards = 0;
  int64_t kept_shards = 0;  // of these, complete ones of a run that was killed
  std::vector<std::string> warnings;
};

struct RepackSummary {
  std::string output_path;
  std::vector<RepackedComponent> components;
  int64_t copied_files = 0;  // of the original model
  uint64_t copied_bytes = 0;
  double seconds = 0;
};

// The output appears complete or not at all: failure and cancellation leave nothing behind, and
// nothing is written before names, types and shapes of every tensor were checked. Memory does not
// depend on the size of the model. Stages of progress: "copy", then the components; the unit is
// one MiB.
RepackSummary repack(const RepackOptions& options, const ProgressSink& progress = {},
                     const CancelToken* cancel = nullptr);

// "Wan2.2-T2V-A14B", ...
std::vector<std::string> repack_model_types();

}  // namespace mxdit

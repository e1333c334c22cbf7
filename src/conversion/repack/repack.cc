// Implements mxdit/repack.h: options, the order of work, progress.
#include "mxdit/repack.h"

#include <algorithm>
#include <filesystem>
#include <set>

#include "checkpoint/model_folder.h"
#include "checkpoint/weight_store.h"
#include "conversion/model_files.h"
#include "conversion/output_folder.h"
#include "conversion/repack/component_plan.h"
#include "conversion/repack/component_writer.h"
#include "conversion/repack/resume_record.h"
#include "conversion/stage_progress.h"
#include "core/cancel.h"
#include "core/error.h"

namespace mxdit {

namespace {

namespace fs = std::filesystem;
using namespace conversion;

constexpr const char* kDiffusersStem = "diffusion_pytorch_model";
constexpr const char* kExportStem = "quant_model_weight";
constexpr const char* kSame = ".";  // an exporter's folder with one transformer has no subfolder

struct ModelType {
  const char* name;
  bool two_experts;
};
constexpr ModelType kModelTypes[] = {{"Wan2.2-T2V-A14B", true}, {"Wan2.2-I2V-A14B", true},
                                     {"Wan2.2-TI2V-5B", false}, {"Wan2.1-T2V-1.3B", false},
                                     {"Wan2.1-T2V-14B", false}, {"Wan2.1-I2V-14B", false}};

const ModelType& find_model_type(const std::string& name) {
  std::string known;
  for (const ModelType& type : kModelTypes) {
    if (name == type.name) return type;
    known += (known.empty() ? "" : ", ") + std::string(type.name);
  }
  fail(ErrorKind::usage, "[conversion] --model-type: expected one of ", known, ", got \"", name,
       "\"");
}

// One transformer on its way from one layout to the other.
struct Part {
  std::string source, target;  // folder names: "high_noise_model" and "transformer"
  WeightStore weights;
  Description description;
  ComponentPlan plan;
};

class Repack {
 public:
  Repack(const RepackOptions& options, const ProgressSink& progress, const CancelToken* cancel)
      : options_(options),
        type_(find_model_type(options.model_type)),
        progress_(progress),
        cancel_(cancel) {}

  RepackSummary run() {
    const auto begin = std::chrono::steady_clock::now();
    check_options();
    open_parts();
    if (!options_.reverse)
      files_ = list_model_files(options_.original_model_path, {"transformer", "transformer_2"},
                                options_.quant_path);
    OutputFolder output(options_.output_path, {options_.force, marks()});
    prepare(output);
    RepackSummary summary;
    summary.output_path = options_.output_path;
    if (!options_.reverse) copy_files(output.working(), summary);
    for (const Part& part : parts_) summary.components.push_back(write(part, output.working()));
    check_cancelled(cancel_);
    remove_note(output.working());
    output.commit();
    summary.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return summary;
  }

 private:
  // Names by which an earlier output is recognised.
  std::vector<std::string> marks() const {
    if (!options_.reverse) return {"model_index.json"};
    return {"quant_model_description.json", "high_noise_model"};
  }

  // The folder in diffusers' layout.
  const std::string& model_path() const {
    return options_.reverse ? options_.quant_path : options_.original_model_path;
  }

  void check_options() const {
    const auto require = [](const std::string& path, const char* flag) {
      if (path.empty())
        fail(ErrorKind::usage, "[conversion] ", flag, ": expected a folder, got none");
    };
    require(options_.quant_path, "--quant-path");
    require(options_.output_path, "--output-path");
    check_apart(options_.output_path, options_.quant_path, "--quant-path");
    if (options_.max_shard_bytes == 0)
      fail(ErrorKind::usage, "[conversion] --max-shard-size: expected at least one byte, got 0");
    if (!options_.reverse) {
      require(options_.original_model_path, "--original-model-path");
      check_apart(options_.output_path, options_.original_model_path, "--original-model-path");
      std::error_code ignored;
      if (fs::equivalent(options_.original_model_path, options_.quant_path, ignored))
        fail(ErrorKind::usage, "[conversion] --quant-path: expected another folder than ",
             "--original-model-path, got ", options_.quant_path, " for both");
    } else if (!options_.original_model_path.empty()) {
      fail(ErrorKind::usage, "[conversion] --original-model-path: expected not to stand beside ",
           "--reverse, which reads --quant-path alone, got ", options_.original_model_path);
    }
  }

  void open_parts() {
    const ModelFolder model = ModelFolder::open(model_path());
    if (model.has("transformer_2") != type_.two_experts)
      fail(ErrorKind::bad_input, "[conversion] ", model.index_file(), ": expected ",
           type_.two_experts ? "transformer and transformer_2" : "transformer alone", " for ",
           type_.name, ", got ", type_.two_experts ? "transformer alone" : "both");
    open_part(model, "transformer", type_.two_experts ? "high_noise_model" : kSame);
    if (type_.two_experts) open_part(model, "transformer_2", "low_noise_model");
  }

  void open_part(const ModelFolder& model, const std::string& component,
                 const std::string& exported) {
    check_cancelled(cancel_);
    const Component settings = model.component(component);
    if (settings.class_name != "WanTransformer3DModel")
      fail(ErrorKind::unsupported, "[conversion] ", model.index_file(), ": component \"", component,
           "\": expected WanTransformer3DModel, got ", settings.class_name);
    const auto config = wan_dit::parse_config(settings.config, settings.config_file);
    Part part;
    part.source = options_.reverse ? component : exported;
    part.target = options_.reverse ? exported : component;
    const fs::path folder = part.source == kSame ? fs::path(options_.quant_path)
                                                 : fs::path(options_.quant_path) / part.source;
    check_folder(folder);
    part.weights = options_.reverse ? WeightStore::open(folder)
                                    : WeightStore::open_shards(folder, kExportStem);
    part.description = Description::read(folder);
    part.plan = plan_component(part.weights, part.description, config,
                               options_.reverse ? Direction::to_original : Direction::to_diffusers,
                               options_.pack);
    parts_.push_back(std::move(part));
  }

  void check_folder(const fs::path& folder) const {
    std::error_code ignored;
    if (!fs::is_directory(folder, ignored))
      fail(ErrorKind::not_found, "[conversion] ", folder.string(), ": expected a folder with the ",
           "weights of a transformer, got none");
  }

  // Makes the working folder ready: empty, or with what a killed run made of the same inputs.
  void prepare(OutputFolder& output) const {
    std::string settings = detail::concat("repack 1 ", type_.name, " ", options_.pack,
                                          options_.reverse, " ", options_.max_shard_bytes);
    // A file that left the original model must not stay in the output.
    for (const ModelFile& file : files_) settings += "\n" + file.name;
    std::vector<const WeightStore*> weights;
    std::vector<fs::path> descriptions;
    for (const Part& part : parts_) {
      weights.push_back(&part.weights);
      descriptions.emplace_back(part.description.file());
    }
    const std::string digest = digest_of_inputs(settings, weights, descriptions, cancel_);
    if (output.taken_over() && was_made_from(output.working(), digest)) {
      remove_unfinished_files(output.working());
      return;
    }
    if (output.taken_over()) output.clear();
    note_inputs(output.working(), digest);
  }

  void copy_files(const fs::path& working, RepackSummary& summary) const {
    for (const ModelFile& file : files_) summary.copied_bytes += file.bytes;
    summary.copied_files = static_cast<int64_t>(files_.size());
    copy_model_files(files_, working, progress_, cancel_);
  }

  RepackedComponent write(const Part& part, const fs::path& working) const {
    const fs::path folder = part.target == kSame ? working : working / part.target;
    make_folder(folder);
    uint64_t total = 0;
    for (const TensorPlan& tensor : part.plan.tensors) total += tensor.place.bytes;
    StageProgress progress(progress_, part.target == kSame ? "transformer" : part.target, total);
    const WrittenComponent written =
        write_component(part.plan, {folder, options_.reverse ? kExportStem : kDiffusersStem,
                                    options_.max_shard_bytes,
                                    [&](uint64_t bytes) { progress.add(bytes); }, cancel_});
    progress.end();
    RepackedComponent result;
    result.name = part.target;
    result.tensors = static_cast<int64_t>(part.plan.tensors.size());
    result.renamed = part.plan.renamed;
    result.packed = part.plan.packed;
    result.bytes = written.bytes;
    result.shards = written.shards;
    result.kept_shards = written.kept;
    result.warnings = part.plan.warnings;
    return result;
  }

  const RepackOptions& options_;
  const ModelType& type_;
  const ProgressSink& progress_;
  const CancelToken* cancel_;
  std::vector<Part> parts_;
  std::vector<ModelFile> files_;  // to be copied
};

}  // namespace

RepackSummary repack(const RepackOptions& options, const ProgressSink& progress,
                     const CancelToken* cancel) {
  return Repack(options, progress, cancel).run();
}

std::vector<std::string> repack_model_types() {
  std::vector<std::string> names;
  for (const ModelType& type : kModelTypes) names.emplace_back(type.name);
  return names;
}

}  // namespace mxdit

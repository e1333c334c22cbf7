// Implements mxdit/quantize.h: options, the order of work, the report.
#include "mxdit/quantize.h"

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <map>

#include "backend/registry.h"
#include "checkpoint/model_folder.h"
#include "conversion/model_files.h"
#include "conversion/output_folder.h"
#include "conversion/quantize/quantization_writer.h"
#include "conversion/shards.h"
#include "conversion/stage_progress.h"
#include "core/error.h"
#include "quantization/online_method.h"

namespace mxdit {

namespace {

namespace fs = std::filesystem;
using namespace conversion;

constexpr const char* kHere = ".";  // an exporter's folder with one transformer has no subfolder

// One transformer.
struct Part {
  std::string source, target;  // "transformer" and the folder in the output
  QuantizationPlan plan;
};

Recipe make_recipe(const QuantizeModelOptions& options) {
  Recipe recipe;
  if (!options.type.empty()) recipe.type = &find_weight_type(options.type);
  if (options.mxfp8_blocks) {
    if (recipe.type != nullptr)
      fail(ErrorKind::usage, "[conversion] --mxfp8-blocks: expected not to stand beside --type, ",
           "which gives all blocks one type, got ", *options.mxfp8_blocks);
    if (*options.mxfp8_blocks < 0)
      fail(ErrorKind::usage, "[conversion] --mxfp8-blocks: expected at least 0, got ",
           *options.mxfp8_blocks);
    recipe.mxfp8_blocks = *options.mxfp8_blocks;
  }
  recipe.keep = options.keep;
  recipe.proj_out = options.proj_out;
  return recipe;
}

void check_options(const QuantizeModelOptions& options) {
  const auto require = [](const std::string& path, const char* flag) {
    if (path.empty())
      fail(ErrorKind::usage, "[conversion] ", flag, ": expected a folder, got none");
  };
  require(options.model_path, "--model-path");
  require(options.output_path, "--output-path");
  check_apart(options.output_path, options.model_path, "--model-path");
  if (options.max_shard_bytes == 0)
    fail(ErrorKind::usage, "[conversion] --max-shard-size: expected at least one byte, got 0");
}

void refuse_declared(const Component& component) {
  if (component.config.contains("quantization_config"))
    fail(ErrorKind::bad_input, "[conversion] ", component.config_file,
         " quantization_config: expected none (a plain checkpoint), got one: it is quantized "
         "already");
  std::error_code ignored;
  const fs::path description = component.folder / "quant_model_description.json";
  if (fs::exists(description, ignored))
    fail(ErrorKind::bad_input, "[conversion] ", description.string(),
         ": expected none (a plain checkpoint), got one: it is quantized already");
}

class QuantizeModel {
 public:
  QuantizeModel(const QuantizeModelOptions& options, const ProgressSink& progress,
                const CancelToken* cancel)
      : options_(options),
        rule_(find_weight_rule(options.rule)),
        recipe_(make_recipe(options)),
        progress_(progress),
        cancel_(cancel) {}

  QuantizeModelSummary run() {
    const auto begin = std::chrono::steady_clock::now();
    check_options(options_);
    backend_ = make_backend(options_.device, {options_.threads, options_.isa});
    plan_parts();
    check_keep();
    OutputFolder output(options_.output_path, {options_.force, marks()});
    if (output.taken_over()) output.clear();
    QuantizeModelSummary summary;
    summary.output_path = options_.output_path;
    if (!options_.original_names) copy_files(output.working(), summary);
    ThreadPool threads(options_.threads);
    for (const Part& part : parts_)
      summary.components.push_back(write(part, output.working(), threads));
    check_cancelled(cancel_);
    output.commit();
    summary.seconds =
        std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    return summary;
  }

 private:
  // Names by which an earlier output is recognised.
  std::vector<std::string> marks() const {
    if (!options_.original_names) return {"model_index.json"};
    return {"quant_model_description.json", "high_noise_model"};
  }

  void plan_parts() {
    const ModelFolder model = ModelFolder::open(options_.model_path);
    const bool two = model.has("transformer_2");
    plan_part(model, "transformer", two ? "high_noise_model" : kHere);
    if (two) plan_part(model, "transformer_2", "low_noise_model");
  }

  void plan_part(const ModelFolder& model, const std::string& name, const std::string& exported) {
    check_cancelled(cancel_);
    const Component component = model.component(name);
    if (component.class_name != "WanTransformer3DModel")
      fail(ErrorKind::unsupported, "[conversion] ", model.index_file(), ": component \"", name,
           "\": expected WanTransformer3DModel, got ", component.class_name);
    const WeightStore weights = WeightStore::open(component.folder);
    const auto config = wan_dit::parse_config(component.config, component.config_file);
    Part part;
    part.source = name;
    part.target = options_.original_names ? exported : name;
    part.plan = plan_quantization(weights, config, recipe_, rule_,
                                  {options_.container, options_.original_names});
    refuse_declared(component);
    parts_.push_back(std::move(part));
  }

  // A name that matches nothing is a mistake that would cost hours.
  void check_keep() const {
    for (const std::string& name : options_.keep) {
      const bool found = std::any_of(parts_.begin(), parts_.end(), [&](const Part& part) {
        return std::any_of(
            part.plan.layers.begin(), part.plan.layers.end(),
            [&](const LayerChoice& choice) { return is_ignored(choice.layer.name, {name}); });
      });
      if (!found)
        fail(ErrorKind::usage, "[conversion] --keep: expected whole dotted segments of a layer's ",
             "name, such as blocks.0 or attn1.to_q, got \"", name, "\", which is in none");
    }
  }

  void copy_files(const fs::path& working, QuantizeModelSummary& summary) const {
    const auto files = list_model_files(options_.model_path, {"transformer", "transformer_2"}, {});
    for (const ModelFile& file : files) summary.copied_bytes += file.bytes;
    summary.copied_files = static_cast<int64_t>(files.size());
    copy_model_files(files, working, progress_, cancel_);
  }

  QuantizedComponentReport write(const Part& part, const fs::path& working,
                                 ThreadPool& threads) const {
    const fs::path folder = part.target == kHere ? working : working / part.target;
    make_folder(folder);
    StageProgress progress(progress_, part.target == kHere ? part.source : part.target,
                           source_bytes(part.plan));
    const WrittenQuantization written = write_quantized(
        part.plan,
        {*backend_, threads, rule_, folder,
         options_.original_names ? "quant_model_weight" : "diffusion_pytorch_model",
         options_.max_shard_bytes, [&](uint64_t bytes) { progress.add(bytes); }, cancel_});
    progress.end();
    return report(part, written);
  }

  static QuantizedComponentReport report(const Part& part, const WrittenQuantization& written) {
    QuantizedComponentReport result;
    result.name = part.target;
    result.tensors = static_cast<int64_t>(part.plan.tensors.size());
    result.files = written.files;
    result.warnings = part.plan.warnings;
    for (size_t i = 0; i < part.plan.layers.size(); ++i) {
      const LayerChoice& choice = part.plan.layers[i];
      result.layers.push_back({choice.layer.name, std::string(choice.type->name), choice.reason,
                               written.relative_errors[i]});
    }
    result.types = type_reports(part.plan, result.layers);
    return result;
  }

  static std::vector<QuantizedTypeReport> type_reports(
      const QuantizationPlan& plan, const std::vector<QuantizedLayerReport>& layers) {
    std::map<std::string, QuantizedTypeReport> types;
    types[std::string(kFloat.name)] = {};
    for (const QuantizedLayerReport& layer : layers) {
      QuantizedTypeReport& type = types[layer.type];
      ++type.layers;
      type.mean_relative_error += layer.relative_error;
      type.largest_relative_error = std::max(type.largest_relative_error, layer.relative_error);
    }
    for (const OutputTensor& tensor : plan.tensors) {
      const bool plain = tensor.layer == OutputTensor::kNoLayer;
      QuantizedTypeReport& type =
          types[std::string(plain ? kFloat.name : plan.layers[tensor.layer].type->name)];
      type.bytes_before += tensor.source_bytes;
      type.bytes_after += data_bytes({tensor.target, tensor.dtype, tensor.shape});
    }
    std::vector<QuantizedTypeReport> result;
    for (auto& [name, type] : types) {
      type.type = name;
      if (type.layers > 0) type.mean_relative_error /= static_cast<double>(type.layers);
      result.push_back(type);
    }
    std::stable_partition(result.begin(), result.end(),
                          [](const auto& type) { return type.type != kFloat.name; });
    return result;
  }

  const QuantizeModelOptions& options_;
  const WeightRule& rule_;
  const Recipe recipe_;
  const ProgressSink& progress_;
  const CancelToken* cancel_;
  std::unique_ptr<Backend> backend_;
  std::vector<Part> parts_;
};

}  // namespace

QuantizeModelSummary quantize_model(const QuantizeModelOptions& options,
                                    const ProgressSink& progress, const CancelToken* cancel) {
  return QuantizeModel(options, progress, cancel).run();
}

std::vector<std::string> quantize_types() {
  std::vector<std::string> names;
  for (const WeightType* type : weight_types()) names.emplace_back(type->name);
  return names;
}

std::vector<QuantizeRule> quantize_rules() {
  std::vector<QuantizeRule> rules;
  for (const WeightRule* rule : weight_rules()) rules.push_back({rule->name, rule->summary});
  return rules;
}

}  // namespace mxdit

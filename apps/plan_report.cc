#include "plan_report.h"

#include <algorithm>
#include <cmath>
#include <nlohmann/json.hpp>

#include "generate_arguments.h"
#include "text_table.h"

namespace mxdit::cli {
namespace {

bool holds(const StagePlan& stage, const PlannedBytes& part) {
  return std::any_of(stage.memory.begin(), stage.memory.end(), [&](const PlannedBytes& other) {
    return other.what == part.what && other.bytes == part.bytes;
  });
}

// What every stage has in memory, the same in all.
std::vector<PlannedBytes> common_parts(const RunPlan& plan) {
  std::vector<PlannedBytes> common;
  for (const PlannedBytes& part : plan.stages.front().memory)
    if (std::all_of(plan.stages.begin(), plan.stages.end(),
                    [&](const StagePlan& stage) { return holds(stage, part); }))
      common.push_back(part);
  return common;
}

// Empty cells read better than zeros.
std::string disk_text(uint64_t bytes) {
  return bytes == 0 ? "" : bytes_text(bytes);
}

std::string stages_text(const RunPlan& plan) {
  TextTable table({"stage", ">memory", ">mapped files", ">disk read", ">disk written"});
  StagePlan every;
  every.memory = common_parts(plan);
  table.row({"in every stage", bytes_text(every.memory_bytes())});
  for (const PlannedBytes& part : every.memory)
    table.row({"  " + part.what, bytes_text(part.bytes)});
  for (const StagePlan& stage : plan.stages) {
    table.row({stage.label(), bytes_text(stage.memory_bytes()), disk_text(stage.mapped_bytes),
               disk_text(stage.read_bytes), disk_text(stage.written_bytes)});
    for (const PlannedBytes& part : stage.memory)
      if (!holds(every, part)) table.row({"  " + part.what, bytes_text(part.bytes)});
  }
  return table.text(2);
}

// In percent of what is available, rounded up: 100 only fits when it is exact.
std::string share_text(uint64_t needed, uint64_t available) {
  if (available == 0) return "all of nothing";
  const double share = static_cast<double>(needed) / static_cast<double>(available);
  return std::to_string(static_cast<int64_t>(std::ceil(std::min(share, 1e6) * 100))) + " % of it";
}

std::string verdict_text(const RunPlan& plan) {
  if (!plan.available_bytes) return "the system does not tell what is available\n";
  const uint64_t needed = plan.needed_bytes(), available = *plan.available_bytes;
  const char* where = plan.is_limit    ? " (--max-memory)"
                      : plan.on_device ? " on the device now"
                                       : " now";
  return bytes_text(available) + where + ": " +
         (plan.fits ? "fits, " : "does not fit, ") + share_text(needed, available) + ", " +
         (plan.fits ? bytes_text(available - needed) + " left"
                    : bytes_text(needed - available) + " too much") +
         "\n";
}

nlohmann::ordered_json stage_json(const StagePlan& stage) {
  nlohmann::ordered_json json = {{"name", stage.name},
                                 {"component", stage.component},
                                 {"memory_bytes", stage.memory_bytes()},
                                 {"memory", nlohmann::ordered_json::array()},
                                 {"mapped_bytes", stage.mapped_bytes},
                                 {"read_bytes", stage.read_bytes},
                                 {"written_bytes", stage.written_bytes}};
  if (stage.component.empty()) json["component"] = nullptr;
  for (const PlannedBytes& part : stage.memory)
    json["memory"].push_back({{"what", part.what}, {"bytes", part.bytes}});
  return json;
}

template <typename T>
nlohmann::ordered_json or_null(const std::optional<T>& value) {
  return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json();
}

nlohmann::ordered_json settings_json(const GenerateRequest& request) {
  return {{"width", or_null(request.width)},
          {"height", or_null(request.height)},
          {"num_frames", or_null(request.num_frames)},
          {"num_inference_steps", or_null(request.num_inference_steps)},
          {"guidance_scale", or_null(request.guidance_scale)},
          {"prompts", request.prompts.size()},
          {"num_outputs_per_prompt", request.num_outputs_per_prompt},
          {"max_sequence_length", request.max_sequence_length},
          {"vae_tiling", request.vae_tiling}};
}

}  // namespace

std::string plan_text(const PlannedRun& run) {
  const RunPlan& plan = run.plan;
  std::string text = run.info.model_name + ", " + run.info.dtype + ", " + run.info.quantization;
  text += "\n  path      " + run.info.model_path + "\n  device    " + run.info.device;
  text += "\n  settings  " + settings_text(run.request) + "\n\n" + stages_text(plan);
  text += "\npeak       " + bytes_text(plan.peak_bytes()) + " (" +
          std::to_string(plan.peak_bytes()) + " bytes), in " + plan.widest_stage().label();
  text += "\navailable  " + verdict_text(plan);
  text += "disk       at most " + bytes_text(plan.read_bytes()) + " read, about " +
          bytes_text(plan.written_bytes()) + " written\n";
  return text;
}

std::string plan_json(const PlannedRun& run) {
  const RunPlan& plan = run.plan;
  nlohmann::ordered_json json = {{"model", run.info.model_name},
                                 {"path", run.info.model_path},
                                 {"device", run.info.device},
                                 {"dtype", run.info.dtype},
                                 {"quantization", run.info.quantization},
                                 {"settings", settings_json(run.request)},
                                 {"stages", nlohmann::ordered_json::array()}};
  for (const StagePlan& stage : plan.stages) json["stages"].push_back(stage_json(stage));
  json["peak_bytes"] = plan.peak_bytes();
  json["peak_stage"] = plan.widest_stage().label();
  json["read_bytes"] = plan.read_bytes();
  json["written_bytes"] = plan.written_bytes();
  json["available_bytes"] = or_null(plan.available_bytes);
  json["available_is_limit"] = plan.is_limit;
  json["on_device"] = plan.on_device;
  json["fits"] = plan.fits;
  json["refusal"] = plan.fits ? nlohmann::ordered_json() : nlohmann::ordered_json(plan.refusal);
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace mxdit::cli

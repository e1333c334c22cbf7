#include "inspect_report.h"

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <optional>

#include "text_table.h"

namespace mxdit::cli {
namespace {

// "blocks.12.ffn.net.2" is block 12 of "blocks.*.ffn.net.2".
struct BlockName {
  std::string pattern;
  int64_t block = -1;  // none
};

BlockName split_name(const std::string& name) {
  size_t begin = 0;
  while (begin < name.size()) {
    const size_t end = std::min(name.find('.', begin), name.size());
    const std::string part = name.substr(begin, end - begin);
    const bool number = !part.empty() && part.size() < 10 &&
                        std::all_of(part.begin(), part.end(),
                                    [](unsigned char c) { return c >= '0' && c <= '9'; });
    if (number) return {name.substr(0, begin) + "*" + name.substr(end), std::atoll(part.c_str())};
    begin = end + 1;
  }
  return {name, -1};
}

// Layers that agree in everything but the block.
struct LayerRun {
  LayerReport layer;  // of the first block; bytes are sums
  std::string pattern;
  std::vector<int64_t> blocks;
};

bool same_line(const LayerRun& run, const LayerReport& layer, const std::string& pattern) {
  const LayerReport& first = run.layer;
  return run.pattern == pattern && first.component == layer.component &&
         first.out_features == layer.out_features && first.in_features == layer.in_features &&
         first.type == layer.type && first.method == layer.method &&
         first.kernel == layer.kernel && first.passed_over == layer.passed_over &&
         first.reason == layer.reason;
}

std::vector<LayerRun> merge_layers(const ModelReport& report, bool every_layer) {
  std::vector<LayerRun> runs;
  for (const LayerReport& layer : report.layers) {
    const BlockName name = split_name(layer.name);
    const auto found = every_layer ? runs.end()
                                   : std::find_if(runs.begin(), runs.end(), [&](const auto& run) {
                                       return same_line(run, layer, name.pattern);
                                     });
    if (found == runs.end()) {
      runs.push_back({layer, name.pattern, {name.block}});
      continue;
    }
    found->blocks.push_back(name.block);
    found->layer.resident_bytes += layer.resident_bytes;
    found->layer.mapped_bytes += layer.mapped_bytes;
  }
  return runs;
}

// 0, 1, 2, 5 as "0-2,5".
std::string ranges_text(const std::vector<int64_t>& numbers) {
  std::string text;
  for (size_t i = 0; i < numbers.size();) {
    size_t last = i;
    while (last + 1 < numbers.size() && numbers[last + 1] == numbers[last] + 1) ++last;
    text += (text.empty() ? "" : ",") + std::to_string(numbers[i]);
    if (last > i) text += "-" + std::to_string(numbers[last]);
    i = last + 1;
  }
  return text;
}

std::string run_name(const LayerRun& run) {
  if (run.blocks.front() < 0 || run.blocks.size() == 1) return run.layer.name;
  std::string name = run.pattern;
  return name.replace(name.find('*'), 1, ranges_text(run.blocks));
}

std::string extents_text(const LayerReport& layer) {
  return std::to_string(layer.out_features) + "x" + std::to_string(layer.in_features);
}

std::string dtypes_text(const ComponentReport& component) {
  std::string text;
  for (const auto& [dtype, tensors] : component.dtypes)
    text += (text.empty() ? "" : ", ") + std::to_string(tensors.count) + " " + dtype;
  return text;
}

std::string components_text(const ModelReport& report) {
  TextTable table({"component", "class", ">stored", ">in memory", ">mapped", "tensors"});
  for (const ComponentReport& component : report.components)
    table.row({component.name, component.class_name, bytes_text(component.stored_bytes),
               bytes_text(component.resident_bytes), bytes_text(component.mapped_bytes),
               dtypes_text(component)});
  return table.text(2);
}

std::string quantization_text(const ModelReport& report) {
  std::string text;
  for (const ComponentReport& component : report.components) {
    if (component.quantization.empty()) continue;
    text += "  " + component.name + ": " + component.quantization + ", by " +
            component.quantization_source + "\n";
    for (const std::string& line : component.considered) text += "    " + line + "\n";
  }
  return text;
}

std::string layers_text(const ModelReport& report, bool every_layer) {
  TextTable table({"component", "layer", ">out x in", "type", "method", "kernel", ">in memory",
                   ">mapped"});
  std::vector<std::string> notes;
  for (const LayerRun& run : merge_layers(report, every_layer)) {
    const LayerReport& layer = run.layer;
    table.row({layer.component, run_name(run), extents_text(layer), layer.type, layer.method,
               layer.kernel, bytes_text(layer.resident_bytes), bytes_text(layer.mapped_bytes)});
    std::vector<std::string> reasons = layer.passed_over;
    reasons.insert(reasons.begin(), layer.method + ": " + layer.reason);
    for (const std::string& reason : reasons)
      if (std::find(notes.begin(), notes.end(), reason) == notes.end()) notes.push_back(reason);
  }
  std::string text = table.text(2);
  if (!notes.empty()) text += "\nwhy these methods and kernels:\n";
  for (const std::string& note : notes) text += "  " + note + "\n";
  return text;
}

nlohmann::ordered_json component_json(const ComponentReport& component) {
  nlohmann::ordered_json json = {{"name", component.name},
                                 {"class", component.class_name},
                                 {"path", component.path},
                                 {"stored_bytes", component.stored_bytes},
                                 {"resident_bytes", component.resident_bytes},
                                 {"mapped_bytes", component.mapped_bytes}};
  for (const auto& [dtype, tensors] : component.dtypes)
    json["dtypes"][dtype] = {{"tensors", tensors.count}, {"bytes", tensors.bytes}};
  if (!component.quantization.empty())
    json["quantization"] = {{"config", component.quantization},
                            {"source", component.quantization_source},
                            {"considered", component.considered}};
  return json;
}

nlohmann::ordered_json layer_json(const LayerReport& layer) {
  return {{"component", layer.component},       {"name", layer.name},
          {"out_features", layer.out_features}, {"in_features", layer.in_features},
          {"type", layer.type},                 {"method", layer.method},
          {"reason", layer.reason},             {"kernel", layer.kernel},
          {"passed_over", layer.passed_over},   {"resident_bytes", layer.resident_bytes},
          {"mapped_bytes", layer.mapped_bytes}};
}

}  // namespace

std::string report_text(const ModelReport& report, bool every_layer) {
  std::string text = report.info.model_name + ", " + report.class_name + "\n";
  text += "  path    " + report.info.model_path + "\n";
  text += "  hash    " + report.info.model_hash + "\n";
  text += "  device  " + report.info.device + ", " + report.info.dtype + "\n\n";
  text += components_text(report) + "\nquantization\n" + quantization_text(report);
  text += "\nlinear layers\n" + layers_text(report, every_layer);
  text += "\nafter load: " + bytes_text(report.resident_bytes) + " in memory, " +
          bytes_text(report.mapped_bytes) + " of linear weights mapped from files; while loading " +
          bytes_text(report.working_bytes) + " more\n";
  return text;
}

std::string report_json(const ModelReport& report) {
  nlohmann::ordered_json json = {
      {"model", report.info.model_name},        {"class", report.class_name},
      {"path", report.info.model_path},         {"hash", report.info.model_hash},
      {"device", report.info.device},           {"dtype", report.info.dtype},
      {"resident_bytes", report.resident_bytes}, {"mapped_bytes", report.mapped_bytes},
      {"working_bytes", report.working_bytes}};
  for (const ComponentReport& component : report.components)
    json["components"].push_back(component_json(component));
  json["layers"] = nlohmann::ordered_json::array();
  for (const LayerReport& layer : report.layers) json["layers"].push_back(layer_json(layer));
  return json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n";
}

}  // namespace mxdit::cli

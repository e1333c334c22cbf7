#include "quantize_report.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "progress_display.h"
#include "text_table.h"

namespace mxdit::cli {
namespace {

using Json = nlohmann::ordered_json;

// 0.1147 as "11.5 %".
std::string percent(double part) {
  char text[40];
  std::snprintf(text, sizeof text, "%.3g %%", 100.0 * part);
  return text;
}

std::string ratio(uint64_t before, uint64_t after) {
  if (after == 0) return "-";
  char text[40];
  std::snprintf(text, sizeof text, "%.2f",
                static_cast<double>(before) / static_cast<double>(after));
  return text;
}

QuantizedTypeReport total(const QuantizedComponentReport& part) {
  QuantizedTypeReport sum;
  sum.type = "all";
  for (const QuantizedTypeReport& type : part.types) {
    sum.layers += type.layers;
    sum.bytes_before += type.bytes_before;
    sum.bytes_after += type.bytes_after;
  }
  return sum;
}

void add_row(TextTable& table, const std::string& component, const QuantizedTypeReport& type,
             bool has_error) {
  table.row({component, type.type, std::to_string(type.layers), bytes_text(type.bytes_before),
             bytes_text(type.bytes_after), ratio(type.bytes_before, type.bytes_after),
             has_error ? percent(type.mean_relative_error) : "",
             has_error ? percent(type.largest_relative_error) : ""});
}

Json type_json(const QuantizedTypeReport& type) {
  return {{"type", type.type},
          {"layers", type.layers},
          {"bytes_before", type.bytes_before},
          {"bytes_after", type.bytes_after},
          {"mean_relative_error", type.mean_relative_error},
          {"largest_relative_error", type.largest_relative_error}};
}

Json component_json(const QuantizedComponentReport& part) {
  Json types = Json::array(), layers = Json::array();
  for (const QuantizedTypeReport& type : part.types) types.push_back(type_json(type));
  for (const QuantizedLayerReport& layer : part.layers)
    layers.push_back({{"name", layer.name},
                      {"type", layer.type},
                      {"reason", layer.reason},
                      {"relative_error", layer.relative_error}});
  return {{"name", part.name}, {"tensors", part.tensors}, {"files", part.files},
          {"types", types},    {"layers", layers},        {"warnings", part.warnings}};
}

Json summary_json(const QuantizeModelSummary& summary) {
  Json json = {{"event", "summary"}, {"path", summary.output_path}, {"components", Json::array()}};
  for (const QuantizedComponentReport& part : summary.components)
    json["components"].push_back(component_json(part));
  json["copied_files"] = summary.copied_files;
  json["copied_bytes"] = summary.copied_bytes;
  json["seconds"] = summary.seconds;
  return json;
}

}  // namespace

std::string quantize_text(const QuantizeModelSummary& summary) {
  TextTable table(
      {"component", "type", ">layers", ">before", ">after", ">ratio", ">error", ">largest"});
  for (const QuantizedComponentReport& part : summary.components) {
    const std::string name = part.name == "." ? "transformer" : part.name;
    for (const QuantizedTypeReport& type : part.types)
      add_row(table, name, type, type.layers > 0 && type.type != "FLOAT");
    add_row(table, name, total(part), false);
  }
  std::string text = table.text(0);
  text +=
      "error: |W - decoded| / |W| of a layer's weight, the mean over the layers of a type; "
      "largest: "
      "of one layer.\nFLOAT counts every other tensor in its bytes.\n";
  if (summary.copied_files > 0)
    text += "copied: " + std::to_string(summary.copied_files) + " files, " +
            bytes_text(summary.copied_bytes) + "\n";
  return text + "done in " + duration_text(summary.seconds) + ": " + summary.output_path + "\n";
}

std::string quantize_json(const QuantizeModelSummary& summary) {
  Json json = summary_json(summary);
  json.erase("event");
  return json.dump(2, ' ', false, Json::error_handler_t::replace);
}

std::string quantize_json_line(const QuantizeModelSummary& summary) {
  return summary_json(summary).dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace mxdit::cli

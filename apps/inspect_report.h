// A model's report as text and as JSON.
#pragma once

#include <string>

#include "mxdit/inspect.h"

namespace mxdit::cli {

// Layers of consecutive blocks that agree in everything share a line, unless `every_layer`.
std::string report_text(const ModelReport& report, bool every_layer);
std::string report_json(const ModelReport& report);

}  // namespace mxdit::cli

// What `mxdit quantize` says in the end.
#pragma once

#include <string>

#include "mxdit/quantize.h"

namespace mxdit::cli {

// A table: a row for each component and type.
std::string quantize_text(const QuantizeModelSummary& summary);
// All of it, indented.
std::string quantize_json(const QuantizeModelSummary& summary);
// The same as one line with "event": "summary", to follow the lines of --progress json.
std::string quantize_json_line(const QuantizeModelSummary& summary);

}  // namespace mxdit::cli

#include "models/layer_count.h"

#include <algorithm>
#include <charconv>

#include "core/error.h"
#include "models/config_values.h"

namespace mxdit {

void check_layer_count(const ModelSource& source, const std::string& key, const std::string& prefix,
                       int64_t layers) {
  const std::string start = prefix + ".";
  int64_t found = 0;
  for (const std::string& name : source.weights->names()) {
    if (!name.starts_with(start)) continue;
    int64_t index = 0;
    const auto [end, error] =
        std::from_chars(name.data() + start.size(), name.data() + name.size(), index);
    const bool numbered = error == std::errc() && end != name.data() + name.size() && *end == '.';
    if (numbered && index >= 0 && index < kMaxExtent) found = std::max(found, index + 1);
  }
  if (found != layers)
    fail(ErrorKind::bad_input, "[models] ", source.config_file, " ", key, ": expected ", found,
         ", the number of ", prefix, ".* in ", source.weights->path().string(), ", got ", layers);
}

}  // namespace mxdit

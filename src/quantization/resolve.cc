#include "quantization/resolve.h"

#include "quantization/configs/plain/config.h"
#include "quantization/registry.h"

namespace mxdit {

ResolvedQuantization resolve_quantization(const QuantizationRequest& request,
                                          const QuantizationSubject& subject) {
  ResolvedQuantization resolved;
  if (!request.key.empty()) {
    ConfigArguments arguments;
    arguments.weights = subject.weights;
    arguments.ignored_layers = request.ignored_layers;
    arguments.cache_folder = request.cache_folder;
    arguments.clock = subject.clock;
    const QuantizationKey& key = find_quantization_key(request.key, "--quantization");
    resolved.config = key.make(arguments);
    resolved.source = "--quantization " + request.key;
    return resolved;
  }
  resolved.config = plain_config();
  resolved.source = "nothing declares any";
  return resolved;
}

}  // namespace mxdit

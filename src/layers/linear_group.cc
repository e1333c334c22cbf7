#include "layers/linear_group.h"

#include <map>

namespace mxdit {

LinearGroup::LinearGroup(const ModelSource& source, const std::vector<std::string>& scopes,
                         int64_t out_features, int64_t in_features, Bias bias) {
  for (const std::string& scope : scopes)
    layers_.emplace_back(source, scope, out_features, in_features, bias);
}

std::vector<Tensor> LinearGroup::operator()(const Tensor& x) const {
  const Tensor rows = flatten_rows(x);
  std::map<std::string, std::unique_ptr<EncodedActivation>> encoded;
  std::vector<Tensor> results;
  for (const Linear& layer : layers_) {
    std::unique_ptr<EncodedActivation>& input = encoded[layer.encoding_key()];
    if (input == nullptr) input = layer.encode(rows);
    results.push_back(unflatten_rows(layer.apply(*input), x.shape()));
  }
  return results;
}

std::string LinearGroup::encoding_keys() const {
  std::string keys;
  for (const Linear& layer : layers_) keys += (keys.empty() ? "" : " ") + layer.encoding_key();
  return keys;
}

}  // namespace mxdit

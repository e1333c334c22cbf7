#include "layers/linear_group.h"

#include <algorithm>
#include <map>

namespace mxdit {

LinearGroup::LinearGroup(const ModelSource& source, const std::vector<std::string>& scopes,
                         int64_t out_features, int64_t in_features, Bias bias) {
  for (const std::string& scope : scopes)
    layers_.emplace_back(source, scope, out_features, in_features, bias);
}

std::vector<Tensor> LinearGroup::operator()(const LinearInput& x) const {
  // What is encoded in several ways is normed once.
  const bool is_shared = std::all_of(layers_.begin(), layers_.end(), [&](const Linear& layer) {
    return layer.encoding_key() == layers_.front().encoding_key();
  });
  const LinearInput rows = is_shared ? x : LinearInput(x.rows());
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

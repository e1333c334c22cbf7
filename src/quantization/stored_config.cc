#include "quantization/stored_config.h"

#include "core/error.h"
#include "quantization/layer_names.h"
#include "quantization/plain_method.h"

namespace mxdit {
namespace {

class DeclaredConfig final : public QuantConfig {
 public:
  DeclaredConfig(StoredConfig config, const ConfigArguments& arguments)
      : config_(std::move(config)),
        declared_in_(arguments.declared_in),
        ignored_(arguments.ignored_layers),
        excluded_(make_plain_method(declared_in_ + " leaves the layer plain")) {}
  std::string name() const override { return config_.method->name(); }

  LinearPlan plan(const std::string& layer, int64_t out_features,
                  int64_t in_features) const override {
    if (config_.excludes(layer)) return {excluded_, declared_in_ + " leaves the layer plain"};
    if (is_ignored(layer, ignored_)) return {named_, kIgnored};
    if (config_.refuses != nullptr) {
      const std::string reason = config_.refuses(out_features, in_features);
      if (!reason.empty())
        fail(ErrorKind::unsupported, "[quantization] layer ", layer, " (", name(), " as of ",
             declared_in_, "): ", reason);
    }
    return {config_.method, declared_in_ + " declares " + name()};
  }

 private:
  static constexpr const char* kIgnored = "--quantization-ignored-layers names it";

  StoredConfig config_;
  std::string declared_in_;
  std::vector<std::string> ignored_;
  std::shared_ptr<const LinearMethod> excluded_;
  std::shared_ptr<const LinearMethod> named_ = make_plain_method(kIgnored);
};

}  // namespace

std::unique_ptr<QuantConfig> make_stored_config(StoredConfig config,
                                                const ConfigArguments& arguments) {
  return std::make_unique<DeclaredConfig>(std::move(config), arguments);
}

const Json& required_declaration(const ConfigArguments& arguments, const std::string& key) {
  if (arguments.declaration == nullptr)
    fail(ErrorKind::usage, "[quantization] ", key,
         ": expected a checkpoint that declares it, got none: this key reads quantized checkpoints "
         "and cannot quantize");
  return *arguments.declaration;
}

}  // namespace mxdit

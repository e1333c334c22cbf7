#include "engine/layer_survey.h"

#include "core/error.h"
#include "models/registry.h"
#include "quantization/quantized_tensors.h"

namespace mxdit {
namespace {

// Knows its extents and nothing else: the network is built, never run.
class SurveyedLinear final : public PreparedLinear {
 public:
  SurveyedLinear(int64_t out, int64_t in, bool replaces_bias)
      : out_(out), in_(in), replaces_bias_(replaces_bias) {}
  int64_t out_features() const noexcept override { return out_; }
  int64_t in_features() const noexcept override { return in_; }
  bool replaces_bias() const noexcept override { return replaces_bias_; }
  std::string encoding_key() const override { return "surveyed"; }
  std::unique_ptr<EncodedActivation> encode(const LinearInput&) const override { not_loaded(); }
  Tensor apply(const EncodedActivation&, const Tensor*, Activation) const override { not_loaded(); }

 private:
  [[noreturn]] static void not_loaded() {
    fail(ErrorKind::internal, "[engine] survey: expected a loaded layer, got one without weight");
  }
  int64_t out_, in_;
  bool replaces_bias_;
};

class SurveyMethod final : public LinearMethod {
 public:
  SurveyMethod(LinearPlan plan, std::vector<SurveyedLayer>& found)
      : plan_(std::move(plan)), found_(found) {}
  std::string name() const override { return plan_.method->name(); }
  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source,
                                          int64_t out_features,
                                          int64_t in_features) const override {
    found_.push_back({source.layer, out_features, in_features, name(), plan_.reason,
                      describe(backend, source, out_features, in_features)});
    return std::make_unique<SurveyedLinear>(out_features, in_features,
                                            found_.back().info.replaces_bias);
  }
  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out_features,
                      int64_t in_features) const override {
    return plan_.method->describe(backend, source, out_features, in_features);
  }

 private:
  LinearPlan plan_;
  std::vector<SurveyedLayer>& found_;
};

class SurveyConfig final : public QuantConfig {
 public:
  SurveyConfig(const QuantConfig& inner, std::vector<SurveyedLayer>& found)
      : inner_(inner), found_(found) {}
  std::string name() const override { return inner_.name(); }
  LinearPlan plan(const std::string& layer, int64_t out_features,
                  int64_t in_features) const override {
    const LinearPlan plan = inner_.plan(layer, out_features, in_features);
    MXDIT_CHECK(plan.method != nullptr, "[engine] survey of ", layer,
                ": expected a method, got none");
    return {std::make_shared<SurveyMethod>(plan, found_), plan.reason};
  }

 private:
  const QuantConfig& inner_;
  std::vector<SurveyedLayer>& found_;
};

}  // namespace

LayerSurvey survey_layers(const Checkpoint& checkpoint, Backend& backend, DType compute,
                          const std::string& component) {
  LayerSurvey found;
  ModelSource source = checkpoint.source(component, backend, compute);
  source.surveyed = true;
  const SurveyConfig config(*source.quantization, found.layers);
  const SurveyConfig fixed(*source.unquantized_config, found.fixed);
  source.quantization = &config;
  source.unquantized_config = &fixed;
  const std::string& class_name = checkpoint.component(component).class_name;
  if (component == "text_encoder") {
    make_text_encoder(class_name, source);
  } else {
    MXDIT_CHECK(component == "transformer" || component == "transformer_2",
                "[engine] survey: expected a text encoder or transformer, got ", component);
    const auto network = make_denoiser(class_name, source);
    refuse_unread_quantized(*source.weights, network->unused_tensors());
  }
  return found;
}

}  // namespace mxdit

#include "models/wan_dit/transformer.h"

#include <gmock/gmock.h>

#include "models/golden_model.h"
#include "models/registry.h"
#include "quantization/methods/unquantized/method.h"
#include "quantization/step_clock.h"

namespace mxdit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

constexpr const char* kVariants[] = {"t2v", "nonorm", "i2v", "tokens", "patch2"};

DenoiserInput read_input(golden::Model& files, const std::string& name) {
  const auto tensor = [&](const std::string& key) {
    return files.backend->from_host(files.cases.get(name + key));
  };
  DenoiserInput input;
  input.latents = tensor(".hidden_states");
  input.text = tensor(".encoder_hidden_states");
  if (files.cases.contains(name + ".encoder_hidden_states_image"))
    input.image = tensor(".encoder_hidden_states_image");
  const Tensor timestep = files.cases.get(name + ".timestep");
  input.timesteps.assign(timestep.as<float>(), timestep.as<float>() + timestep.elements());
  input.timestep_per_token = timestep.shape().rank() == 2;
  return input;
}

std::string variant_folder(const std::string& variant) {
  return "dit/" + variant;
}

double worst_error(const std::string& variant, const golden::Run& run) {
  golden::Model files(variant_folder(variant), run);
  const auto model = make_denoiser("WanTransformer3DModel", files.source());
  EXPECT_THAT(model->unused_tensors(), IsEmpty());
  double worst = 0;
  for (const std::string& name : files.case_names()) {
    const Tensor out = model->forward(read_input(files, name), nullptr);
    const Tensor expected = files.cases.get(name + ".output");
    EXPECT_EQ(out.shape(), expected.shape());
    EXPECT_EQ(out.dtype(), run.compute);
    const double error = golden::relative_error(files.host(out), files.host(expected));
    std::printf("  dit/%s %-12s %-7s %s %.2e\n", variant.c_str(), name.c_str(),
                run.isa.empty() ? "best" : run.isa.c_str(),
                std::string(mxdit::name(run.compute)).c_str(), error);
    worst = std::max(worst, error);
  }
  return worst;
}

TEST(WanTransformer, MatchesDiffusers) {
  for (const char* variant : kVariants) {
    EXPECT_LT(worst_error(variant, {"scalar"}), 1e-5) << variant;
    EXPECT_LT(worst_error(variant, {""}), 1e-5) << variant;
  }
}

// Every operator rounds its output to 8 bits. diffusers in bf16 is 6e-3 to 8e-3 away from its own
// f32 on these cases, with its roundings at the same places.
TEST(WanTransformer, Bf16StaysClose) {
  for (const char* variant : kVariants) {
    EXPECT_LT(worst_error(variant, {"scalar", 2, DType::bf16}), 1.5e-2) << variant;
    EXPECT_LT(worst_error(variant, {"", 2, DType::bf16}), 1.5e-2) << variant;
  }
}

TEST(WanTransformer, ThreadsDoNotMatter) {
  for (const DType compute : {DType::f32, DType::bf16}) {
    for (const char* variant : kVariants) {
      golden::Model one(variant_folder(variant), {"", 1, compute});
      golden::Model two(variant_folder(variant), {"", 2, compute});
      const wan_dit::Transformer a(one.source()), b(two.source());
      for (const std::string& name : one.case_names())
        EXPECT_EQ(one.host(a.forward(read_input(one, name), nullptr)),
                  two.host(b.forward(read_input(two, name), nullptr)))
            << variant << " " << name;
    }
  }
}

TEST(WanTransformer, ContextReplacesTextAndImage) {
  golden::Model files("dit/i2v", {});
  const wan_dit::Transformer model(files.source());
  DenoiserInput input = read_input(files, "image");
  const std::vector<float> expected = files.host(model.forward(input, nullptr));
  input.context = model.encode_context(input.text, input.image);
  input.text = input.image = Tensor();
  EXPECT_EQ(files.host(model.forward(input, nullptr)), expected);
  const wan_dit::Transformer other(files.source());
  EXPECT_THROW(other.forward(input, nullptr), Error);
}

// The plain method, with an encoding that changes between steps as a timestep policy makes it.
class SteppedMethod final : public LinearMethod {
 public:
  explicit SteppedMethod(const StepClock& clock) : clock_(clock) {}
  std::string name() const override { return "stepped"; }
  std::unique_ptr<PreparedLinear> prepare(Backend& backend, const LinearSource& source, int64_t out,
                                          int64_t in) const override {
    return std::make_unique<Layer>(plain_->prepare(backend, source, out, in), clock_);
  }
  LinearInfo describe(const Backend& backend, const LinearSource& source, int64_t out,
                      int64_t in) const override {
    return plain_->describe(backend, source, out, in);
  }

 private:
  class Layer final : public PreparedLinear {
   public:
    Layer(std::unique_ptr<PreparedLinear> inner, const StepClock& clock)
        : inner_(std::move(inner)), clock_(clock) {}
    int64_t out_features() const noexcept override { return inner_->out_features(); }
    int64_t in_features() const noexcept override { return inner_->in_features(); }
    std::string encoding_key() const override { return clock_.step() == 0 ? "first" : "later"; }
    std::unique_ptr<EncodedActivation> encode(const LinearInput& x) const override {
      return inner_->encode(x);
    }
    Tensor apply(const EncodedActivation& x, const Tensor* bias, Activation act) const override {
      return inner_->apply(x, bias, act);
    }

   private:
    std::unique_ptr<PreparedLinear> inner_;
    const StepClock& clock_;
  };

  std::shared_ptr<const LinearMethod> plain_ = unquantized::make_method();
  const StepClock& clock_;
};

class SteppedConfig final : public QuantConfig {
 public:
  // `suffix`: end of the names of the layers whose encoding changes.
  SteppedConfig(const StepClock& clock, std::string suffix)
      : method_(std::make_shared<SteppedMethod>(clock)), suffix_(std::move(suffix)) {}
  std::string name() const override { return "stepped"; }
  LinearPlan plan(const std::string& layer, int64_t out, int64_t in) const override {
    if (layer.ends_with(suffix_)) return {method_, "test"};
    return plain_quantization().plan(layer, out, in);
  }

 private:
  std::shared_ptr<const LinearMethod> method_;
  std::string suffix_;
};

TEST(WanTransformer, ContextAgesWithItsPrecision) {
  for (const char* suffix : {"attn2.to_k", "attn2.to_q"}) {
    golden::Model files("dit/t2v", {});
    StepClock clock;
    const SteppedConfig config(clock, suffix);
    ModelSource source = files.source();
    source.quantization = &config;
    const wan_dit::Transformer model(source), other(source);
    const auto context = model.encode_context(read_input(files, "f3_4x6").text, Tensor());
    EXPECT_TRUE(model.is_current(*context));
    EXPECT_FALSE(other.is_current(*context));
    clock.set(1);
    // Queries are no part of what the context holds.
    EXPECT_EQ(model.is_current(*context), suffix == std::string("attn2.to_q"));
    clock.set(0);
    EXPECT_TRUE(model.is_current(*context));
  }
}

template <typename Call>
std::string refusal(ErrorKind kind, Call call) {
  try {
    call();
  } catch (const Error& error) {
    EXPECT_EQ(error.kind(), kind) << error.what();
    return error.what();
  }
  return "accepted";
}

TEST(WanTransformer, RefusesWrongInput) {
  golden::Model files("dit/t2v", {});
  const wan_dit::Transformer model(files.source());
  const auto refuse = [&](ErrorKind kind, auto change) {
    DenoiserInput input = read_input(files, "f3_4x6");
    change(input);
    return refusal(kind, [&] { model.forward(input, nullptr); });
  };
  EXPECT_THAT(refuse(ErrorKind::usage,
                     [](auto& in) {
                       in.latents = in.latents.reshape({2, 16, 4, 3, 6});
                     }),
              HasSubstr("multiple of 2"));
  EXPECT_THAT(refuse(ErrorKind::usage,
                     [](auto& in) {
                       in.latents = in.latents.reshape({2, 12, 4, 4, 6});
                     }),
              HasSubstr("16 channels"));
  EXPECT_THAT(refuse(ErrorKind::internal, [](auto& in) { in.timesteps.pop_back(); }),
              HasSubstr("timesteps"));
  EXPECT_THAT(refuse(ErrorKind::usage,
                     [](auto& in) {
                       in.text = in.text.reshape({2, 48, 33});
                     }),
              HasSubstr("text"));
  EXPECT_THAT(refuse(ErrorKind::usage, [](auto& in) { in.image = in.text; }), HasSubstr("image"));
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THAT(
      refusal(ErrorKind::cancelled, [&] { model.forward(read_input(files, "f3_4x6"), &cancel); }),
      HasSubstr("stopped"));
}

TEST(WanTransformer, LimitsPositions) {
  golden::Model files("dit/t2v", {});
  files.config["rope_max_seq_len"] = 2;
  const wan_dit::Transformer model(files.source());
  EXPECT_THAT(
      refusal(ErrorKind::usage, [&] { model.forward(read_input(files, "f3_4x6"), nullptr); }),
      HasSubstr("rope_max_seq_len"));
}

TEST(WanTransformer, NamesWhatDoesNotFit) {
  const auto message = [](const char* key, const Json& value) {
    golden::Model files("dit/t2v", {});
    files.config[key] = value;
    return refusal(ErrorKind::bad_input, [&] { wan_dit::Transformer model(files.source()); });
  };
  EXPECT_THAT(message("num_layers", 3), HasSubstr("num_layers: expected 2"));
  EXPECT_THAT(message("num_layers", 1), HasSubstr("num_layers: expected 2"));
  EXPECT_THAT(message("in_channels", 8), HasSubstr("patch_embedding.weight"));
  EXPECT_THAT(message("ffn_dim", 80), HasSubstr("blocks.0.ffn.net.0.proj.weight"));
  EXPECT_THAT(message("out_channels", 8), HasSubstr("proj_out.weight"));
}

TEST(WanTransformer, ReportsTensorsItDoesNotUse) {
  golden::Model files("dit/t2v", {});
  files.config["cross_attn_norm"] = false;
  const wan_dit::Transformer model(files.source());
  EXPECT_THAT(model.unused_tensors(),
              ::testing::ElementsAre("blocks.0.norm2.bias", "blocks.0.norm2.weight",
                                     "blocks.1.norm2.bias", "blocks.1.norm2.weight"));
}

TEST(ModelRegistry, NamesKnownClasses) {
  golden::Model files("dit/t2v", {});
  EXPECT_THAT(refusal(ErrorKind::unsupported, [&] { make_denoiser("X", files.source()); }),
              HasSubstr("WanTransformer3DModel"));
}

}  // namespace
}  // namespace mxdit

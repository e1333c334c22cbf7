#include "models/umt5/encoder.h"

#include <gmock/gmock.h>

#include "models/golden_model.h"
#include "models/registry.h"

namespace mxdit {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

struct Prompt {
  Tensor ids;
  std::vector<int64_t> lengths;
};

Prompt read_prompt(const WeightStore& cases, const std::string& name) {
  const Tensor ids = cases.get(name + ".input_ids"), mask = cases.get(name + ".attention_mask");
  Prompt prompt{Tensor::host(DType::i32, ids.shape()), {}};
  for (int64_t i = 0; i < ids.elements(); ++i)
    prompt.ids.as_mutable<int32_t>()[i] = static_cast<int32_t>(ids.as<int64_t>()[i]);
  for (int64_t row = 0; row < ids.dim(0); ++row) {
    const int64_t* begin = mask.as<int64_t>() + row * ids.dim(1);
    prompt.lengths.push_back(std::count(begin, begin + ids.dim(1), 1));
  }
  return prompt;
}

// transformers' output with the rows of padding set to zero, as the pipeline passes it on.
std::vector<float> expected_output(const WeightStore& cases, const std::string& name,
                                   const std::vector<int64_t>& lengths) {
  const Tensor output = cases.get(name + ".output");
  std::vector<float> values(output.as<float>(), output.as<float>() + output.elements());
  const int64_t rows = output.dim(1), width = output.dim(2);
  for (size_t b = 0; b < lengths.size(); ++b)
    std::fill_n(values.data() + (static_cast<int64_t>(b) * rows + lengths[b]) * width,
                (rows - lengths[b]) * width, 0.0f);
  return values;
}

double worst_error(const golden::Run& run) {
  golden::Model files("umt5", run);
  const auto model = make_text_encoder("UMT5EncoderModel", files.source());
  EXPECT_THAT(model->unused_tensors(), IsEmpty());
  double worst = 0;
  for (const std::string& name : files.case_names()) {
    const Prompt prompt = read_prompt(files.cases, name);
    const Tensor out = model->encode(prompt.ids, prompt.lengths, nullptr);
    EXPECT_EQ(out.dtype(), run.compute);
    const double error =
        golden::relative_error(files.host(out), expected_output(files.cases, name, prompt.lengths));
    std::printf("  umt5 %-12s %-7s %s %.2e\n", name.c_str(),
                run.isa.empty() ? "best" : run.isa.c_str(),
                std::string(mxdit::name(run.compute)).c_str(), error);
    worst = std::max(worst, error);
  }
  return worst;
}

TEST(Umt5Encoder, MatchesTransformers) {
  EXPECT_LT(worst_error({"scalar"}), 1e-5);
  EXPECT_LT(worst_error({""}), 1e-5);
}

// transformers in bf16 is 1e-2 to 1.6e-2 away from its own f32 on these cases; the f32 residual
// stream halves that.
TEST(Umt5Encoder, Bf16StaysClose) {
  EXPECT_LT(worst_error({"scalar", 2, DType::bf16}), 1.2e-2);
  EXPECT_LT(worst_error({"", 2, DType::bf16}), 1.2e-2);
}

TEST(Umt5Encoder, ThreadsDoNotMatter) {
  for (const DType compute : {DType::f32, DType::bf16}) {
    golden::Model one("umt5", {"", 1, compute}), two("umt5", {"", 2, compute});
    const Prompt prompt = read_prompt(one.cases, "batch");
    EXPECT_EQ(one.host(umt5::Encoder(one.source()).encode(prompt.ids, prompt.lengths, nullptr)),
              two.host(umt5::Encoder(two.source()).encode(prompt.ids, prompt.lengths, nullptr)));
  }
}

TEST(Umt5Encoder, AcceptsEmptyPrompts) {
  golden::Model files("umt5", {});
  const umt5::Encoder model(files.source());
  const Prompt prompt = read_prompt(files.cases, "batch");
  const std::vector<int64_t> none(3, 0), middle = {0, 39, 0};
  EXPECT_THAT(files.host(model.encode(prompt.ids, none, nullptr)), ::testing::Each(0.0f));
  const auto expected = expected_output(files.cases, "batch", middle);
  EXPECT_LT(golden::relative_error(files.host(model.encode(prompt.ids, middle, nullptr)), expected),
            1e-5);
}

TEST(Umt5Encoder, RefusesForeignTokensAndStops) {
  golden::Model files("umt5", {});
  const umt5::Encoder model(files.source());
  Prompt prompt = read_prompt(files.cases, "short");
  CancelToken cancel;
  cancel.cancel();
  EXPECT_THROW(model.encode(prompt.ids, prompt.lengths, &cancel), Error);
  prompt.ids.as_mutable<int32_t>()[3] = 875;
  try {
    model.encode(prompt.ids, prompt.lengths, nullptr);
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("vocab_size"));
  }
}

TEST(Umt5Encoder, NamesWhatDoesNotFit) {
  const auto message = [](const char* key, int64_t value) -> std::string {
    golden::Model files("umt5", {});
    files.config[key] = value;
    try {
      umt5::Encoder model(files.source());
    } catch (const Error& error) {
      EXPECT_EQ(error.kind(), ErrorKind::bad_input);
      return error.what();
    }
    return "accepted";
  };
  EXPECT_THAT(message("num_layers", 3), HasSubstr("num_layers: expected 2"));
  EXPECT_THAT(message("num_layers", 1), HasSubstr("num_layers: expected 2"));
  EXPECT_THAT(message("vocab_size", 876), HasSubstr("shared.weight"));
  EXPECT_THAT(message("d_ff", 81), HasSubstr("wi_0.weight"));
}

TEST(Umt5Bias, BucketsOfBothDirections) {
  EXPECT_EQ(umt5::position_bucket(0, 32, 128), 0);
  EXPECT_EQ(umt5::position_bucket(-7, 32, 128), 7);
  EXPECT_EQ(umt5::position_bucket(7, 32, 128), 23);
  EXPECT_EQ(umt5::position_bucket(-8, 32, 128), 8);
  EXPECT_EQ(umt5::position_bucket(-16, 32, 128), 10);
  EXPECT_EQ(umt5::position_bucket(500, 32, 128), 31);
}

}  // namespace
}  // namespace mxdit

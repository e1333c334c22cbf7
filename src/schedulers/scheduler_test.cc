#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstring>
#include <filesystem>
#include <string>

#include "backend/registry.h"
#include "core/error.h"
#include "io/json_file.h"
#include "io/safetensors.h"
#include "schedulers/registry.h"

namespace mxdit {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const std::filesystem::path& golden_folder() {
  static const std::filesystem::path folder =
      std::filesystem::path(MXDIT_SOURCE_DIR) / "tests/goldens/schedulers";
  return folder;
}

std::unique_ptr<Backend> cpu() {
  return make_backend("cpu", BackendOptions{.threads = 1, .isa = ""});
}

Json unipc_config() {
  return Json{{"_class_name", "UniPCMultistepScheduler"},
              {"use_flow_sigmas", true},
              {"prediction_type", "flow_prediction"},
              {"flow_shift", 3.0}};
}

double relative_distance(const Tensor& got, const Tensor& expected) {
  double worst = 0, largest = 0;
  for (int64_t i = 0; i < expected.elements(); ++i) {
    const double e = expected.as<float>()[i];
    const double distance = std::fabs(got.as<float>()[i] - e);
    worst = std::isnan(distance) ? INFINITY : std::max(worst, distance);
    largest = std::max(largest, std::fabs(e));
  }
  return worst / largest;
}

void expect_schedule(const Scheduler& scheduler, const SafetensorsFile& file,
                     const std::string& name) {
  const Tensor timesteps = file.get(name + ".timesteps");
  ASSERT_EQ(timesteps.elements(), static_cast<int64_t>(scheduler.timesteps().size()));
  for (int64_t i = 0; i < timesteps.elements(); ++i) {
    const float got = scheduler.timesteps()[static_cast<size_t>(i)];
    const float expected = timesteps.dtype() == DType::i64
                               ? static_cast<float>(timesteps.as<int64_t>()[i])
                               : timesteps.as<float>()[i];
    EXPECT_EQ(got, expected) << name << " timestep " << i;
  }
  const Tensor sigmas = file.get(name + ".sigmas");
  ASSERT_EQ(sigmas.elements(), static_cast<int64_t>(scheduler.sigmas().size()));
  for (int64_t i = 0; i < sigmas.elements(); ++i) {
    EXPECT_NEAR(scheduler.sigmas()[static_cast<size_t>(i)], sigmas.as<float>()[i], 1e-6) << name;
  }
}

// The largest relative distance of any stored sample, each step continuing from our own sample.
double run_golden(Scheduler& scheduler, const SafetensorsFile& file, const std::string& name,
                  int steps) {
  const auto backend = cpu();
  Tensor sample = file.get(name + ".sample0");
  double worst = 0;
  for (int i = 0; i < steps; ++i) {
    const Tensor output = file.get(name + ".model_output" + std::to_string(i));
    sample = scheduler.step(*backend, output, i, sample);
    const std::string after = name + ".sample" + std::to_string(i + 1);
    if (!file.header().tensors.contains(after)) continue;
    worst = std::max(worst, relative_distance(backend->to_host(sample), file.get(after)));
  }
  return worst;
}

TEST(Schedulers, MatchDiffusersStepByStep) {
  const SafetensorsFile file = SafetensorsFile::open(golden_folder() / "cases.safetensors");
  const std::string json_name = (golden_folder() / "cases.json").string();
  const Json cases = read_json_file(golden_folder() / "cases.json").at("cases");
  ASSERT_GT(cases.size(), 40u);
  for (const Json& item : cases) {
    const auto name = required<std::string>(item, "name", json_name);
    const auto steps = static_cast<int>(required<int64_t>(item, "num_inference_steps", json_name));
    // Fewer where diffusers' last step is not finite; ours has to be.
    const auto recorded = static_cast<int>(required<int64_t>(item, "steps_recorded", json_name));
    const auto scheduler = make_scheduler(item.at("config"), name);
    for (int round = 0; round < 2; ++round) {  // the second round proves that nothing is left over
      scheduler->set_timesteps(steps);
      expect_schedule(*scheduler, file, name);
      EXPECT_LE(run_golden(*scheduler, file, name, recorded), 1e-5) << name;
    }
  }
}

TEST(Schedulers, FlowShiftCanBeOverridden) {
  Json config = unipc_config();
  const auto overridden = make_scheduler(config, "s.json", {.flow_shift = 12.0});
  config["flow_shift"] = 12.0;
  const auto configured = make_scheduler(config, "s.json");
  overridden->set_timesteps(7);
  configured->set_timesteps(7);
  EXPECT_EQ(overridden->sigmas(), configured->sigmas());
  EXPECT_THROW(make_scheduler(config, "s.json", {.flow_shift = -1.0}), Error);
}

TEST(Schedulers, ReferenceSystemsNameIsUniPc) {
  const Json config{{"_class_name", "FlowUniPCMultistepScheduler"}, {"shift", 5.0}};
  const auto reference = make_scheduler(config, "s.json");
  const auto plain = make_scheduler(unipc_config(), "s.json", {.flow_shift = 5.0});
  reference->set_timesteps(4);
  plain->set_timesteps(4);
  EXPECT_EQ(reference->timesteps(), plain->timesteps());
  EXPECT_EQ(reference->name(), "UniPCMultistepScheduler");
}

TEST(Schedulers, AreFiniteWhereDiffusersIsNot) {
  const auto backend = cpu();
  for (const Json& option : {Json{{"solver_type", "bh1"}}, Json{{"lower_order_final", false}},
                             Json{{"lower_order_final", false},
                                  {"solver_order", 3},
                                  {"final_sigmas_type", "sigma_min"}}}) {
    Json config = unipc_config();
    config.update(option);
    const auto scheduler = make_scheduler(config, "s.json");
    scheduler->set_timesteps(5);
    Tensor sample = Tensor::host(DType::f32, {4});
    std::fill_n(sample.as_mutable<float>(), 4, 2.0f);
    for (int i = 0; i < 5; ++i) sample = scheduler->step(*backend, sample, i, sample);
    for (int i = 0; i < 4; ++i) EXPECT_TRUE(std::isfinite(sample.as<float>()[i])) << config;
  }
}

TEST(Schedulers, TakeBf16Outputs) {
  const auto backend = cpu();
  const auto scheduler = make_scheduler(unipc_config(), "s.json");
  Tensor sample = Tensor::host(DType::f32, {2, 3});
  Tensor output = Tensor::host(DType::f32, {2, 3});
  Tensor rounded = Tensor::host(DType::bf16, {2, 3});
  for (int i = 0; i < 6; ++i) {
    sample.as_mutable<float>()[i] = 0.25f * static_cast<float>(i);
    const float value = 1.0f - 0.5f * static_cast<float>(i);  // exact in bf16
    output.as_mutable<float>()[i] = value;
    uint32_t bits;
    std::memcpy(&bits, &value, sizeof bits);
    rounded.as_mutable<uint16_t>()[i] = static_cast<uint16_t>(bits >> 16);
  }
  Tensor a = sample, b = sample;
  for (int i = 0; i < 2; ++i) {
    if (i == 0) scheduler->set_timesteps(2);
    a = scheduler->step(*backend, output, i, a);
  }
  scheduler->reset();
  for (int i = 0; i < 2; ++i) b = scheduler->step(*backend, rounded, i, b);
  const Tensor host_a = backend->to_host(a), host_b = backend->to_host(b);
  EXPECT_EQ(std::memcmp(host_a.data(), host_b.data(), host_a.bytes()), 0);
}

TEST(Schedulers, RefuseStepsOutOfOrder) {
  const auto backend = cpu();
  const auto scheduler = make_scheduler(unipc_config(), "s.json");
  Tensor sample = Tensor::host(DType::f32, {4});
  std::fill_n(sample.as_mutable<float>(), 4, 1.0f);
  EXPECT_THROW(scheduler->step(*backend, sample, 0, sample), Error);  // no schedule yet
  scheduler->set_timesteps(2);
  EXPECT_THROW(scheduler->step(*backend, sample, 1, sample), Error);
  scheduler->step(*backend, sample, 0, sample);
  EXPECT_THROW(scheduler->step(*backend, sample, 0, sample), Error);
  EXPECT_THROW(scheduler->step(*backend, Tensor::host(DType::f32, {5}), 1, sample), Error);
  scheduler->step(*backend, sample, 1, sample);
  EXPECT_THROW(scheduler->step(*backend, sample, 2, sample), Error);
  EXPECT_THROW(scheduler->set_timesteps(0), Error);
  EXPECT_THROW(scheduler->set_timesteps(-3), Error);
}

// Kind and text of what make_scheduler throws.
std::pair<ErrorKind, std::string> refusal(const Json& config) {
  try {
    make_scheduler(config, "folder/scheduler_config.json");
  } catch (const Error& error) {
    return {error.kind(), error.what()};
  }
  return {ErrorKind::internal, "accepted"};
}

TEST(SchedulerRegistry, NamesUnknownClasses) {
  const auto [kind, text] = refusal(Json{{"_class_name", "DDIMScheduler"}});
  EXPECT_EQ(kind, ErrorKind::unsupported);
  EXPECT_THAT(text, AllOf(HasSubstr("folder/scheduler_config.json"), HasSubstr("DDIMScheduler"),
                          HasSubstr("FlowMatchEulerDiscreteScheduler")));
  EXPECT_EQ(refusal(Json::object()).first, ErrorKind::unsupported);
  EXPECT_EQ(refusal(Json::array()).first, ErrorKind::bad_input);
  EXPECT_EQ(refusal(Json{{"_class_name", 3}}).first, ErrorKind::bad_input);
}

TEST(SchedulerRegistry, RefusesOptionsItDoesNotHave) {
  const Json options{{"thresholding", true},
                     {"use_karras_sigmas", true},
                     {"use_beta_sigmas", true},
                     {"use_exponential_sigmas", true},
                     {"predict_x0", false},
                     {"use_dynamic_shifting", true},
                     {"prediction_type", "epsilon"},
                     {"solver_p", "DDIMScheduler"},
                     {"solver_order", 4},
                     {"solver_type", "rk4"},
                     {"final_sigmas_type", "one"},
                     {"use_flow_sigmas", false},
                     {"flow_shift", 0},
                     {"brand_new_option", 1},
                     {"shift_terminal", 1.5}};
  for (const auto& [key, value] : options.items()) {
    Json config = unipc_config();
    config[key] = value;
    const auto [kind, text] = refusal(config);
    EXPECT_EQ(kind, ErrorKind::unsupported) << key;
    EXPECT_THAT(text, AllOf(HasSubstr(key), HasSubstr("folder/scheduler_config.json")));
  }
  for (const char* key : {"use_dynamic_shifting", "stochastic_sampling", "use_karras_sigmas"}) {
    const auto [kind, text] =
        refusal(Json{{"_class_name", "FlowMatchEulerDiscreteScheduler"}, {key, true}});
    EXPECT_EQ(kind, ErrorKind::unsupported) << key;
    EXPECT_THAT(text, HasSubstr(key));
  }
}

TEST(SchedulerRegistry, RefusesWrongTypes) {
  const std::vector<std::pair<std::string, Json>> options = {
      {"num_train_timesteps", 0},  {"num_train_timesteps", "x"},
      {"solver_order", 1.5},       {"flow_shift", "three"},
      {"disable_corrector", 1},    {"disable_corrector", Json::array({0.5})},
      {"lower_order_final", "no"}, {"solver_order", 9000000000}};
  for (const auto& [key, value] : options) {
    Json config = unipc_config();
    config[key] = value;
    EXPECT_EQ(refusal(config).first, ErrorKind::bad_input) << key;
  }
}

}  // namespace
}  // namespace mxdit

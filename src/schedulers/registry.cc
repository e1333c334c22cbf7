#include "schedulers/registry.h"

#include <array>

#include "core/error.h"
#include "schedulers/flow_euler.h"
#include "schedulers/options.h"
#include "schedulers/unipc.h"

namespace mxdit {
namespace {

constexpr int kMaxTrainTimesteps = 1'000'000;

double positive(SchedulerOptions& options, const char* key, double fallback) {
  const double value = options.number(key, fallback);
  if (!(value > 0)) options.refuse(key, "above 0");
  return value;
}

double shift_terminal(SchedulerOptions& options) {
  const double value = options.number("shift_terminal", 0.0);
  if (!(value >= 0 && value < 1)) options.refuse("shift_terminal", "from 0 to below 1");
  return value;
}

double checked_override(const SchedulerOverrides& overrides, double configured) {
  if (!overrides.flow_shift) return configured;
  const double shift = *overrides.flow_shift;
  if (!(shift > 0 && shift < 1e6)) {
    fail(ErrorKind::usage, "[schedulers] flow shift: expected above 0 and below 1e6, got ", shift);
  }
  return shift;
}

void refuse_other_solvers(SchedulerOptions& options) {
  options.require_off({"thresholding", "solver_p", "use_karras_sigmas", "use_exponential_sigmas",
                       "use_beta_sigmas", "use_dynamic_shifting"});
  if (!options.boolean("predict_x0", true)) options.refuse("predict_x0", "true");
  // Read by diffusers only without flow noise levels or with the options refused above.
  options.accept_without_effect({"beta_start", "beta_end", "beta_schedule", "trained_betas",
                                 "rescale_betas_zero_snr", "timestep_spacing", "steps_offset",
                                 "dynamic_thresholding_ratio", "sample_max_value",
                                 "time_shift_type", "sigma_min", "sigma_max"});
}

// `flow_class`: the reference system's class, which is always on the flow-matching path and calls
// the shift `shift`.
std::unique_ptr<Scheduler> make_unipc(SchedulerOptions& options, bool flow_class,
                                      const SchedulerOverrides& overrides) {
  UniPcConfig config;
  config.num_train_timesteps = options.integer("num_train_timesteps", 1000, 1, kMaxTrainTimesteps);
  if (!options.boolean("use_flow_sigmas", flow_class)) options.refuse("use_flow_sigmas", "true");
  if (options.text("prediction_type", flow_class ? "flow_prediction" : "epsilon") !=
      "flow_prediction") {
    options.refuse("prediction_type", "\"flow_prediction\"");
  }
  config.solver_order = options.integer("solver_order", 2, 1, 1000);
  if (config.solver_order > 3) options.refuse("solver_order", "1, 2 or 3");
  const std::string type = options.text("solver_type", "bh2");
  // diffusers reads the names of DPM-Solver's variants as bh2.
  config.bh2 = type == "bh2" || type == "midpoint" || type == "heun" || type == "logrho";
  if (!config.bh2 && type != "bh1") options.refuse("solver_type", "\"bh1\" or \"bh2\"");
  config.lower_order_final = options.boolean("lower_order_final", true);
  const std::string final_type = options.text("final_sigmas_type", "zero");
  config.final_sigma_zero = final_type == "zero";
  if (!config.final_sigma_zero && final_type != "sigma_min") {
    options.refuse("final_sigmas_type", "\"zero\" or \"sigma_min\"");
  }
  config.disable_corrector = options.integers("disable_corrector");
  config.flow_shift = positive(options, "flow_shift", 1.0);
  if (flow_class) config.flow_shift = positive(options, "shift", config.flow_shift);
  config.flow_shift = checked_override(overrides, config.flow_shift);
  config.shift_terminal = shift_terminal(options);
  refuse_other_solvers(options);
  options.finish();
  return std::make_unique<UniPcScheduler>(std::move(config));
}

std::unique_ptr<Scheduler> make_diffusers_unipc(SchedulerOptions& options,
                                                const SchedulerOverrides& overrides) {
  return make_unipc(options, false, overrides);
}

std::unique_ptr<Scheduler> make_reference_unipc(SchedulerOptions& options,
                                                const SchedulerOverrides& overrides) {
  return make_unipc(options, true, overrides);
}

std::unique_ptr<Scheduler> make_flow_euler(SchedulerOptions& options,
                                           const SchedulerOverrides& overrides) {
  FlowEulerConfig config;
  config.num_train_timesteps = options.integer("num_train_timesteps", 1000, 1, kMaxTrainTimesteps);
  config.shift = checked_override(overrides, positive(options, "shift", 1.0));
  config.shift_terminal = shift_terminal(options);
  config.invert_sigmas = options.boolean("invert_sigmas", false);
  options.require_off({"use_dynamic_shifting", "use_karras_sigmas", "use_exponential_sigmas",
                       "use_beta_sigmas", "stochastic_sampling"});
  // Read only with dynamic shifting.
  options.accept_without_effect(
      {"base_shift", "max_shift", "base_image_seq_len", "max_image_seq_len", "time_shift_type"});
  options.finish();
  return std::make_unique<FlowEulerScheduler>(config);
}

struct Entry {
  const char* name;
  std::unique_ptr<Scheduler> (*make)(SchedulerOptions&, const SchedulerOverrides&);
};

constexpr std::array kEntries = {
    Entry{"UniPCMultistepScheduler", make_diffusers_unipc},
    Entry{"FlowUniPCMultistepScheduler", make_reference_unipc},
    Entry{"FlowMatchEulerDiscreteScheduler", make_flow_euler},
};

std::string known_names() {
  std::string text;
  for (const Entry& entry : kEntries) text += (text.empty() ? "" : ", ") + std::string(entry.name);
  return text;
}

}  // namespace

std::unique_ptr<Scheduler> make_scheduler(const Json& config, const std::string& file,
                                          const SchedulerOverrides& overrides) {
  SchedulerOptions options(config, file);
  const std::string name = options.text("_class_name", "");
  for (const Entry& entry : kEntries) {
    if (name == entry.name) return entry.make(options, overrides);
  }
  fail(ErrorKind::unsupported, "[schedulers] ", file, ": expected a class out of ", known_names(),
       ", got ", name.empty() ? "no _class_name" : name);
}

std::vector<std::string> scheduler_names() {
  std::vector<std::string> names;
  for (const Entry& entry : kEntries) names.emplace_back(entry.name);
  return names;
}

}  // namespace mxdit

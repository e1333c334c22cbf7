#include "fake_engine.h"

#include "mxdit/inspect.h"

namespace mxdit {

namespace cli {
FakeEngine& fake_engine() {
  static FakeEngine instance;
  return instance;
}
}  // namespace cli

struct Engine::State {};

namespace {

void emit(const ProgressSink& sink, Progress::Event event, const char* stage, int64_t step,
          int64_t total) {
  if (sink) sink({event, stage, step, total, 0.5, 0.5 * static_cast<double>(step), 0, 1});
}

GeneratedVideo paint(const GenerateRequest& request, size_t index) {
  const size_t outputs = static_cast<size_t>(request.num_outputs_per_prompt);
  GeneratedVideo result;
  result.video = {*request.width, *request.height, *request.num_frames, *request.fps, {}};
  result.video.rgb.assign(
      size_t{3} * *request.width * *request.height * static_cast<size_t>(*request.num_frames), 90);
  if (!request.prompts.empty()) result.prompt = request.prompts[index / outputs];
  result.seed = *request.seed + index;
  result.metadata = {{"prompt", result.prompt}, {"seed", std::to_string(result.seed)}};
  return result;
}

}  // namespace

Engine::Engine(const EngineOptions& options) : state_(std::make_unique<State>()) {
  cli::fake_engine().options = options;
  if (options.log) options.log(LogLevel::debug, "the fake engine loads");
  if (cli::fake_engine().in_load) cli::fake_engine().in_load();
}
Engine::~Engine() = default;
Engine::Engine(Engine&&) noexcept = default;
Engine& Engine::operator=(Engine&&) noexcept = default;

EngineInfo Engine::info(bool) const {
  const bool embedded = cli::fake_engine().options.model_path.empty();
  return {embedded ? "fake (embedded)" : "fake", "models/fake", "abc", embedded, "CPU: fake",
          cli::fake_engine().options.dtype, "plain",
          cli::fake_engine().options.attention_precision};
}

GenerateRequest Engine::resolve(const GenerateRequest& request) const {
  GenerateRequest resolved = request;
  resolved.width = request.width.value_or(32);
  resolved.height = request.height.value_or(32);
  resolved.num_frames = request.num_frames.value_or(5);
  resolved.fps = request.fps.value_or(8);
  resolved.seed = request.seed.value_or(42);
  resolved.num_inference_steps = request.num_inference_steps.value_or(4);
  return resolved;
}

RunPlan Engine::plan(const GenerateRequest& request, const VideoEncoding& encoding) const {
  cli::fake_engine().request = request;
  cli::fake_engine().planned_encoding = encoding;
  return cli::fake_engine().plan;
}

GenerateResult Engine::generate(const GenerateRequest& request, const ProgressSink& progress,
                                const CancelToken* cancel) {
  const GenerateRequest resolved = resolve(request);
  cli::fake_engine().request = request;
  ++cli::fake_engine().generated;
  const int64_t steps = *resolved.num_inference_steps;
  emit(progress, Progress::Event::stage_begin, "load", 0, 1);
  emit(progress, Progress::Event::stage_end, "load", 1, 1);
  emit(progress, Progress::Event::stage_begin, "denoise", 0, steps);
  for (int64_t i = 1; i <= steps; ++i) {
    const Progress step{Progress::Event::step,        "denoise", i, steps, 0.5,
                        0.5 * static_cast<double>(i), 0,         1};
    if (cli::fake_engine().in_step) cli::fake_engine().in_step(step);
    if (cancel != nullptr && cancel->cancelled())
      throw Error(ErrorKind::cancelled, "[engine] run: stopped on request");
    if (progress) progress(step);
  }
  emit(progress, Progress::Event::stage_end, "denoise", steps, steps);
  GenerateResult result;
  const size_t videos = std::max<size_t>(1, request.prompts.size()) *
                        static_cast<size_t>(request.num_outputs_per_prompt);
  for (size_t i = 0; i < videos; ++i) result.videos.push_back(paint(resolved, i));
  result.report = {{{"TextEncodingStage", 0.25}, {"DenoisingStage", 2}},
                   {0.5, 0.5, 0.5, 0.5},
                   cli::fake_engine().step_counters,
                   2.5,
                   uint64_t{64} << 20,
                   0};
  return result;
}

RepackSummary repack(const RepackOptions& options, const ProgressSink& progress,
                     const CancelToken* cancel) {
  cli::fake_engine().repack_options = options;
  for (const char* stage : {"copy", "transformer"}) {
    emit(progress, Progress::Event::stage_begin, stage, 0, 1);
    if (cli::fake_engine().in_repack) cli::fake_engine().in_repack();
    if (cancel != nullptr && cancel->cancelled())
      throw Error(ErrorKind::cancelled, "[engine] run: stopped on request");
    emit(progress, Progress::Event::stage_end, stage, 1, 1);
  }
  RepackSummary summary = cli::fake_engine().repack_summary;
  summary.output_path = options.output_path;
  return summary;
}
std::vector<std::string> repack_model_types() {
  return {"T", "U"};
}

namespace {

void note(const char* operation, const std::string& in, const std::string& out,
          const std::string& how) {
  cli::fake_engine().operations.push_back(std::string(operation) + " " + in + " " + out + " " + how);
}

}  // namespace

ModelReport inspect_model(const EngineOptions& options) {
  cli::fake_engine().options = options;
  cli::fake_engine().inspected_model = true;
  return {};
}

DoctorReport examine_device(const EngineOptions& options, const CheckSink& each) {
  cli::fake_engine().options = options;
  for (const DoctorCheck& check : cli::fake_engine().doctor.checks) each(check);
  return cli::fake_engine().doctor;
}

DeviceReport inspect_device(const EngineOptions& options) {
  cli::fake_engine().options = options;
  return cli::fake_engine().device;
}

std::vector<std::string> operator_formats() { return {"mxfp4_dual", "mxfp8"}; }
void quantize_file(const std::string& in, const std::string& out, const std::string& format,
                   const std::string& round, const OperatorOptions& options) {
  note("quantize", in, out, format + " " + round + " " + options.isa);
}
void dequantize_file(const std::string& in, const std::string& out, const std::string& format,
                     const std::string& out_type, const OperatorOptions&) {
  note("dequantize", in, out, format + " " + out_type);
}
void matmul_file(const std::string& in, const std::string& out, const std::string& format,
                 const std::string& out_type, const OperatorOptions&) {
  note("matmul", in, out, format + " " + out_type);
}
void linear_file(const std::string& in, const std::string& out, const std::string& quantization,
                 const std::string& type, const std::string& out_type, const OperatorOptions&) {
  note("linear", in, out, quantization + " " + type + " " + out_type);
}

std::vector<QuantizationMethod> quantization_methods() {
  return {{"fake4", "four fake bits", true, false, "cpu"}};
}
QuantizeModelSummary quantize_model(const QuantizeModelOptions& options,
                                    const ProgressSink& progress, const CancelToken* cancel) {
  cli::fake_engine().quantize_options = options;
  emit(progress, Progress::Event::stage_begin, "transformer", 0, 1);
  if (cli::fake_engine().in_quantize) cli::fake_engine().in_quantize();
  if (cancel != nullptr && cancel->cancelled())
    throw Error(ErrorKind::cancelled, "[engine] run: stopped on request");
  emit(progress, Progress::Event::stage_end, "transformer", 1, 1);
  QuantizeModelSummary summary = cli::fake_engine().quantize_summary;
  summary.output_path = options.output_path;
  return summary;
}
std::vector<std::string> quantize_types() {
  return {"A", "B"};
}
std::vector<QuantizeRule> quantize_rules() {
  return {{"operator", "the rule"}, {"other", "another rule"}};
}

namespace {

class FakeBenchmark final : public Benchmark {
 public:
  explicit FakeBenchmark(BenchFacts facts) : facts_(std::move(facts)) {}
  BenchSample run(const CancelToken*) override {
    const double seconds = ++cli::fake_engine().bench_runs;
    return {seconds, {{"first", 0.25 * seconds}, {"second", 0.75 * seconds}}};
  }
  BenchFacts facts() const override { return facts_; }

 private:
  BenchFacts facts_;
};

std::unique_ptr<Benchmark> fake_benchmark(
    const std::string& command, std::vector<std::pair<std::string, BenchValue>> parameters,
    const BenchOptions& options) {
  std::string note = command;
  for (const auto& [name, value] : parameters) {
    note += " " + name + "=";
    if (const auto* number = std::get_if<int64_t>(&value)) note += std::to_string(*number);
    if (const auto* text = std::get_if<std::string>(&value)) note += *text;
    if (const auto* truth = std::get_if<bool>(&value)) note += *truth ? "true" : "false";
  }
  cli::fake_engine().benchmarks.push_back(note);
  cli::fake_engine().bench_options = options;
  BenchFacts facts;
  facts.command = command;
  facts.parameters = std::move(parameters);
  facts.operations = 6e12;
  facts.device = "fake device";
  facts.isa = "fake";
  facts.dtype = options.dtype;
  facts.quantization = options.quantization.empty() ? "none" : options.quantization;
  facts.threads = options.threads;
  facts.peak_resident_bytes = uint64_t{64} << 20;
  return std::make_unique<FakeBenchmark>(facts);
}

}  // namespace

std::vector<LinearCase> wan_linear_cases(int64_t tokens) {
  return {{tokens, 1, 2}, {tokens, 3, 4}};
}
std::vector<std::string> bench_shape_names() { return {"small", "large"}; }
std::unique_ptr<Benchmark> make_benchmark(const LinearCase& c, const BenchOptions& options,
                                          const CancelToken*) {
  return fake_benchmark(
      "linear", {{"tokens", c.tokens}, {"in", c.in_features}, {"out", c.out_features}}, options);
}
std::unique_ptr<Benchmark> make_benchmark(const AttentionCase& c, const BenchOptions& options,
                                          const CancelToken*) {
  return fake_benchmark(
      "attention",
      {{"tokens", c.tokens}, {"keys", c.keys}, {"heads", c.heads}, {"head_dim", c.head_dim}},
      options);
}
std::unique_ptr<Benchmark> make_benchmark(const VaeCase& c, const BenchOptions& options,
                                          const CancelToken*) {
  return fake_benchmark("vae",
                        {{"model_path", c.model_path},
                         {"shape", c.shape},
                         {"num_frames", c.num_frames},
                         {"height", c.height},
                         {"width", c.width}},
                        options);
}
std::unique_ptr<Benchmark> make_benchmark(const DitCase& c, const BenchOptions& options,
                                          const CancelToken*) {
  return fake_benchmark("dit",
                        {{"model_path", c.model_path},
                         {"shape", c.shape},
                         {"layers", c.layers},
                         {"tokens", c.tokens},
                         {"num_frames", c.num_frames},
                         {"height", c.height},
                         {"width", c.width},
                         {"text_tokens", c.text_tokens},
                         {"encode_text", c.encode_text}},
                        options);
}
std::vector<MachinePeak> measure_machine_peaks(const BenchOptions& options) {
  return {{"fake", "fp32", 2e12, options.threads}};
}

std::string embedded_model_path() {
  return "models/fake";
}
std::string embedded_model_prompt_help() {
  return "colours: red, blue\nshapes: stripes";
}
std::string version() {
  return "9.8.7";
}

}  // namespace mxdit

#include "bench_arguments.h"

#include <algorithm>

#include "app_error.h"
#include "flag_help.h"
#include "mxdit/engine.h"
#include "nearest_name.h"

namespace mxdit::cli {
namespace {

constexpr int64_t kLargest = int64_t{1} << 40;  // the library knows what a case can be

// The flags' targets; each subject takes from them what it needs.
struct Sizes {
  std::string shape, model_path;
  std::optional<int64_t> tokens, keys, in, out, heads, head_dim, num_frames, height, width,
      text_tokens, layers;
  bool encode_text = false;
};

struct Declared {
  const char* names;
  const char* value;
  const char* help;
  const char* standard;
  std::optional<int64_t> Sizes::*target;
  std::vector<std::string> subjects;
};

const std::vector<Declared>& size_flags() {
  static const std::vector<Declared> flags = {
      {"--tokens",
       "N",
       "Rows of the input; dit: in place of the video's size.",
       "4680",
       &Sizes::tokens,
       {"linear", "attention", "dit"}},
      {"--keys",
       "N",
       "attention: keys, 512 of a text.",
       "as many as tokens",
       &Sizes::keys,
       {"attention"}},
      {"--in", "K", "linear: inputs.", "1536", &Sizes::in, {"linear"}},
      {"--out", "N", "linear: outputs.", "1536", &Sizes::out, {"linear"}},
      {"--heads", "N", "attention: heads.", "12", &Sizes::heads, {"attention"}},
      {"--head-dim", "N", "attention: their size.", "128", &Sizes::head_dim, {"attention"}},
      {"--num-frames",
       "N",
       "vae, dit: frames of the video.",
       "9",
       &Sizes::num_frames,
       {"vae", "dit"}},
      {"--height", "N", "vae, dit: of the video.", "240; dit: 480", &Sizes::height, {"vae", "dit"}},
      {"--width", "N", "vae, dit: of the video.", "416; dit: 832", &Sizes::width, {"vae", "dit"}},
      {"--text-tokens", "N", "dit: tokens of the prompt.", "512", &Sizes::text_tokens, {"dit"}},
      {"--layers", "N", "dit: layers of random weights.", "of the shape", &Sizes::layers, {"dit"}}};
  return flags;
}

const std::vector<std::string>& subjects() {
  static const std::vector<std::string> names = {"attention", "dit", "linear", "peak", "vae"};
  return names;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

std::string quantization_help() {
  std::string help = "dit, linear: none, or at load";
  for (const QuantizationMethod& method : quantization_methods())
    if (method.online) help += (help.ends_with("load") ? " " : ", ") + method.key;
  return help + ".";
}

bool one_of(const std::string& subject, const std::vector<std::string>& names) {
  return subject.empty() || std::find(names.begin(), names.end(), subject) != names.end();
}

// An empty subject declares all flags, for the help.
void declare_sizes(FlagSet* flags, Sizes* sizes, const std::string& subject) {
  flags->group("Case");
  for (const Declared& flag : size_flags())
    if (one_of(subject, flag.subjects))
      flags->integer({flag.names, flag.value, flag.help, flag.standard}, 1, kLargest,
                     [sizes, target = flag.target](int64_t value) { sizes->*target = value; });
  if (one_of(subject, {"linear", "vae", "dit"}))
    flags->string({"--shape", "NAME",
                   "linear: wan, the nine sizes of all Wan models; vae, dit: random weights of " +
                       joined(bench_shape_names()) + ".",
                   "wan2.1-t2v-1.3b"},
                  &sizes->shape);
  if (one_of(subject, {"vae", "dit"}))
    flags->string(
        {"--model-path", "DIR", "vae, dit: a model folder in diffusers' layout.", "random weights"},
        &sizes->model_path);
  if (one_of(subject, {"dit"}))
    flags->boolean({"--encode-text", "[true|false]",
                    "dit: keys and values of the text in every run, not once before.", "false"},
                   [sizes](bool value) { sizes->encode_text = value; });
}

void declare_measuring(FlagSet* flags, BenchArguments* arguments, const std::string& subject) {
  flags->group("Measuring");
  if (subject != "peak") {
    flags->integer({"--repeat", "N", "Measured runs.", "5"}, 1, 1000000,
                   [arguments](int64_t value) { arguments->repeat = static_cast<int>(value); });
    flags->integer({"--warmup", "N", "Runs before them.", "1"}, 0, 1000000,
                   [arguments](int64_t value) { arguments->warmup = static_cast<int>(value); });
    flags->boolean(
        {"--paced", "[true|false]",
         "One run for each line of standard input, answered by a line of JSON.", "false"},
        [arguments](bool value) { arguments->paced = value; });
  }
  flags->optional_string(
      {"--json", "[FILE]", "The report as JSON, to standard output or FILE.", ""},
      [arguments](const std::string& value) {
        arguments->json = true;
        arguments->json_path = value;
      });
}

void declare_machine(FlagSet* flags, BenchOptions* options, const std::string& subject) {
  flags->group("Machine");
  if (one_of(subject, {"linear", "dit"}))
    flags->string({"--quantization", "KEY", quantization_help(), "none"}, &options->quantization);
  if (one_of(subject, {"attention", "dit"}))
    flags->choice({"--attention-precision", "TYPE",
                   "attention, dit: scores of (self-)attention: bf16, or int8 where there are kernels.",
                   "bf16"},
                  {"bf16", "int8"},
                  [options](const std::string& value) { options->attention_precision = value; });
  if (subject != "peak") {
    flags->choice({"--dtype", "TYPE", "Type of activations: fp32 or bf16.", "bf16"},
                  {"fp32", "bf16"},
                  [options](const std::string& value) { options->dtype = value; });
    flags->string(
        {"--isa", "NAME", "Force the processor's kernels, as generate does.", "the best one"},
        &options->isa);
  }
  flags->string({"--device", "NAME", "Where to compute: cpu, exact, ascend or ascend:N.", "cpu"}, &options->device);
  flags->integer({"--threads", "N", "Threads; 0 is one per processor.", "0"}, 0, 4096,
                 [options](int64_t value) { options->threads = static_cast<int>(value); });
}

void declare(FlagSet* flags, BenchArguments* arguments, Sizes* sizes, const std::string& subject) {
  if (subject != "peak") declare_sizes(flags, sizes, subject);
  declare_measuring(flags, arguments, subject);
  declare_machine(flags, &arguments->options, subject);
}

template <typename Case>
void add_case(BenchArguments* arguments, const Case& subject) {
  arguments->cases.push_back([subject, options = arguments->options](const CancelToken* cancel) {
    return make_benchmark(subject, options, cancel);
  });
}

void add_linears(BenchArguments* arguments, const Sizes& sizes) {
  LinearCase subject;
  subject.tokens = sizes.tokens.value_or(subject.tokens);
  subject.in_features = sizes.in.value_or(subject.in_features);
  subject.out_features = sizes.out.value_or(subject.out_features);
  if (sizes.shape.empty()) return add_case(arguments, subject);
  if (sizes.shape != "wan")
    fail(ErrorKind::usage, "--shape: expected wan, got ", shown_text(sizes.shape));
  if (sizes.in || sizes.out)
    fail(ErrorKind::usage, "--shape: expected neither --in nor --out beside it, got one");
  for (const LinearCase& linear : wan_linear_cases(subject.tokens)) add_case(arguments, linear);
}

void add_attention(BenchArguments* arguments, const Sizes& sizes) {
  AttentionCase subject;
  subject.tokens = sizes.tokens.value_or(subject.tokens);
  subject.keys = sizes.keys.value_or(subject.keys);
  subject.heads = sizes.heads.value_or(subject.heads);
  subject.head_dim = sizes.head_dim.value_or(subject.head_dim);
  add_case(arguments, subject);
}

template <typename Case>
Case video_case(const Sizes& sizes) {
  Case subject;
  subject.model_path = sizes.model_path;
  subject.shape = sizes.shape;
  subject.num_frames = sizes.num_frames.value_or(subject.num_frames);
  subject.height = sizes.height.value_or(subject.height);
  subject.width = sizes.width.value_or(subject.width);
  return subject;
}

void add_forward(BenchArguments* arguments, const Sizes& sizes) {
  if (sizes.tokens && (sizes.num_frames || sizes.height || sizes.width))
    fail(ErrorKind::usage,
         "--tokens: expected none of --num-frames, --height and --width beside it, got one");
  DitCase subject = video_case<DitCase>(sizes);
  subject.tokens = sizes.tokens.value_or(0);
  subject.layers = sizes.layers.value_or(0);
  subject.text_tokens = sizes.text_tokens.value_or(subject.text_tokens);
  subject.encode_text = sizes.encode_text;
  add_case(arguments, subject);
}

void check_subject(const std::vector<std::string>& arguments) {
  if (arguments.empty())
    fail(ErrorKind::usage, "bench: expected one of ", joined(subjects()), ", got none");
  const std::string& name = arguments.front();
  if (std::find(subjects().begin(), subjects().end(), name) != subjects().end()) return;
  const std::string nearest = nearest_name(name, subjects());
  fail(ErrorKind::usage, "bench: expected one of ", joined(subjects()), ", got ", shown_text(name),
       nearest.empty() ? "" : "; the nearest known one is " + nearest);
}

}  // namespace

BenchArguments parse_bench(const std::vector<std::string>& arguments) {
  check_subject(arguments);
  BenchArguments parsed;
  parsed.subject = arguments.front();
  Sizes sizes;
  FlagSet flags("bench " + parsed.subject);
  declare(&flags, &parsed, &sizes, parsed.subject);
  flags.parse({arguments.begin() + 1, arguments.end()});
  if (parsed.subject == "linear") add_linears(&parsed, sizes);
  if (parsed.subject == "attention") add_attention(&parsed, sizes);
  if (parsed.subject == "vae") add_case(&parsed, video_case<VaeCase>(sizes));
  if (parsed.subject == "dit") add_forward(&parsed, sizes);
  if (parsed.paced && parsed.cases.size() != 1)
    fail(ErrorKind::usage, "--paced: expected one case, got ", parsed.cases.size());
  if (parsed.paced && flags.given("repeat"))
    fail(ErrorKind::usage, "--paced: expected no --repeat beside it, got one");
  return parsed;
}

std::string bench_flag_help() {
  BenchArguments arguments;
  Sizes sizes;
  FlagSet flags("bench");
  declare(&flags, &arguments, &sizes, "");
  return flag_help(flags);
}

}  // namespace mxdit::cli

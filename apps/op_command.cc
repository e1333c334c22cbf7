#include "op_command.h"

#include <algorithm>
#include <functional>

#include "app_error.h"
#include "flag_help.h"
#include "mxdit/operators.h"
#include "nearest_name.h"

namespace mxdit::cli {
namespace {

constexpr char kUsage[] =
    "usage: mxdit op quantize|dequantize|matmul|linear IN OUT [flags]\n\n"
    "Runs one operator on the tensors of the safetensors file IN and writes OUT, for\n"
    "checking any implementation against any other.\n\n"
    "  quantize    x [..., K] bf16 or fp16, smooth [K] -> y, l0, l1; single level: y, scale\n"
    "  dequantize  the way back: -> x\n"
    "  matmul      x1, x1_l0, x1_l1, x2, x2_l0, x2_l1 (single level: x1_scale,\n"
    "              x2_scale), bias -> out\n"
    "  linear      x and w, or x and a checkpoint layer's tensors (weight, weight_scale,\n"
    "              weight_dual_scale, mul_scale, ...), bias -> out\n\n";

constexpr char kExamples[] =
    "\nExamples:\n"
    "  mxdit op quantize x.safetensors y.safetensors --format mxfp4_dual\n"
    "  mxdit op matmul in.safetensors out.safetensors --format mxfp8 --out bf16\n"
    "  mxdit op linear layer.safetensors out.safetensors --quantization modelslim \\\n"
    "      --type W4A4_MXFP4_DUALSCALE --isa scalar\n";

// Everything that the operators' flags set.
struct OpArguments {
  std::vector<std::string> files;
  std::string format = "mxfp4_dual", round = "rint", out, quantization, type;
  OperatorOptions options;
};

struct Operation {
  const char* name;
  std::vector<std::string> flags;  // beside those that all take
  void (*run)(const OpArguments& arguments);
};

const std::string& in_of(const OpArguments& a) { return a.files[0]; }
const std::string& out_of(const OpArguments& a) { return a.files[1]; }
std::string or_fp32(const std::string& type) { return type.empty() ? "fp32" : type; }

const std::vector<Operation>& operations() {
  static const std::vector<Operation> list = {
      {"quantize",
       {"format", "round"},
       [](const OpArguments& a) {
         quantize_file(in_of(a), out_of(a), a.format, a.round, a.options);
       }},
      {"dequantize",
       {"format", "out"},
       [](const OpArguments& a) {
         dequantize_file(in_of(a), out_of(a), a.format, or_fp32(a.out), a.options);
       }},
      {"matmul",
       {"format", "out"},
       [](const OpArguments& a) {
         matmul_file(in_of(a), out_of(a), a.format, or_fp32(a.out), a.options);
       }},
      {"linear", {"quantization", "type", "out"}, [](const OpArguments& a) {
         linear_file(in_of(a), out_of(a), a.quantization, a.type, a.out, a.options);
       }}};
  return list;
}

std::string joined(const std::vector<std::string>& names) {
  std::string text;
  for (const std::string& name : names) text += (text.empty() ? "" : ", ") + name;
  return text;
}

void declare_flags(FlagSet* flags, OpArguments* arguments, const Operation* only) {
  const auto wanted = [&](const std::string& name) {
    return only == nullptr ||
           std::find(only->flags.begin(), only->flags.end(), name) != only->flags.end();
  };
  flags->positional({"FILES", "IN OUT", "The safetensors files.", ""}, &arguments->files);
  flags->group("Operator");
  if (wanted("format"))
    flags->choice({"--format", "NAME", "One of " + joined(operator_formats()) + ".", "mxfp4_dual"},
                  operator_formats(),
                  [arguments](const std::string& value) { arguments->format = value; });
  if (wanted("round"))
    flags->choice({"--round", "MODE", "rint, round or floor; 8-bit formats: rint.", "rint"},
                  {"rint", "round", "floor"},
                  [arguments](const std::string& value) { arguments->round = value; });
  if (wanted("out"))
    flags->choice({"--out", "TYPE", "Type of the result: fp32, bf16 or fp16.", "fp32; linear: x's"},
                  {"fp32", "bf16", "fp16"},
                  [arguments](const std::string& value) { arguments->out = value; });
  if (wanted("quantization"))
    flags->string({"--quantization", "KEY", "linear: the method, as mxdit generate takes it.",
                   "a plain product"},
                  &arguments->quantization);
  if (wanted("type"))
    flags->string({"--type", "TYPE", "linear with modelslim: the layer's type.", ""},
                  &arguments->type);
  flags->group("Machine");
  flags->string({"--device", "NAME", "Where to compute: cpu, exact, ascend or ascend:N.", "cpu"}, &arguments->options.device);
  flags->string(
      {"--isa", "NAME", "Force the processor's kernels: scalar, avx2, avx512, avx512_vnni, amx.", "the best one"},
      &arguments->options.isa);
  flags->integer({"--threads", "N", "Threads; 0 is one per processor.", "0"}, 0, 4096,
                 [arguments](int64_t value) {
                   arguments->options.threads = static_cast<int>(value);
                 });
}

const Operation& find_operation(const std::string& name) {
  std::vector<std::string> known;
  for (const Operation& operation : operations()) {
    if (name == operation.name) return operation;
    known.emplace_back(operation.name);
  }
  const std::string nearest = nearest_name(name, known);
  fail(ErrorKind::usage, "op: expected one of ", joined(known), ", got ", name,
       nearest.empty() ? "" : "; the nearest known one is " + nearest);
}

}  // namespace

int run_op(const std::vector<std::string>& arguments, const Console& console) {
  const bool help = std::any_of(arguments.begin(), arguments.end(),
                                [](const auto& a) { return a == "--help" || a == "-h"; });
  OpArguments parsed;
  if (help) {
    FlagSet flags("op");
    declare_flags(&flags, &parsed, nullptr);
    console.out << kUsage << flag_help(flags) << kExamples;
    return 0;
  }
  if (arguments.empty())
    fail(ErrorKind::usage, "op: expected an operator (mxdit op --help lists them), got none");
  const Operation& operation = find_operation(arguments.front());
  FlagSet flags("op " + arguments.front());
  declare_flags(&flags, &parsed, &operation);
  flags.parse({arguments.begin() + 1, arguments.end()});
  if (parsed.files.size() != 2)
    fail(ErrorKind::usage, "op ", operation.name, ": expected two files, IN and OUT, got ",
         parsed.files.size());
  operation.run(parsed);
  return 0;
}

}  // namespace mxdit::cli

#include "model_flags.h"

#include <algorithm>

namespace mxdit::cli {
namespace {

std::string quantization_help() {
  std::string help = "Quantize the transformers at load, or say how they are stored:";
  for (const QuantizationMethod& method : quantization_methods())
    help += "\n  " + method.key + ": " + method.summary + " (" +
            (method.online ? "at load" : "") + (method.online && method.offline ? ", " : "") +
            (method.offline ? "stored" : "") + "; " + method.where + ")";
  return help + "\n";
}

}  // namespace

void declare_model_flags(FlagSet* flags, EngineOptions* engine) {
  flags->string(
      {"--model-path", "DIR", "A model folder in diffusers' layout.", "the embedded model"},
      &engine->model_path);
  for (const char* component :
       {"transformer", "transformer-2", "vae", "text-encoder", "tokenizer", "scheduler"}) {
    const std::string flag = component;
    std::string folder = flag;
    std::replace(folder.begin(), folder.end(), '-', '_');
    flags->string({"--" + flag + "-path", "DIR", "Replaces the model's folder " + folder + ".", ""},
                  &engine->component_paths[folder]);
  }
  flags->string({"--quantization", "KEY",
                 quantization_help(), "as the model declares"},
                &engine->quantization);
  flags->list({"--quantization-ignored-layers", "NAME...",
               "Layers to leave plain: whole dotted segments of their names.", ""},
              &engine->quantization_ignored_layers);
  flags->string({"--quantization-cache", "DIR",
                 "Keep what was quantized at load, for the next start.", "off"},
                &engine->quantization_cache);
  for (const char* component : {"transformer", "transformer-2"}) {
    std::string name = component;
    std::replace(name.begin(), name.end(), '-', '_');
    flags->string({std::string("--") + component + "-weights-path", "PATH",
                   "Weights in place of those in " + name + ": a file or a folder.", ""},
                  &engine->weights_paths[name]);
  }
}

void declare_machine_flags(FlagSet* flags, EngineOptions* engine) {
  flags->choice({"--dtype", "TYPE", "Compute type: fp32 or bf16.", "bf16"}, {"fp32", "bf16"},
                [engine](const std::string& value) { engine->dtype = value; });
  flags->choice({"--attention-precision", "TYPE",
                 "Scores of the transformers' self-attention: bf16, or int8 where there are kernels.",
                 "bf16"},
                {"bf16", "int8"},
                [engine](const std::string& value) { engine->attention_precision = value; });
  flags->string({"--device", "NAME", "Where to compute: cpu, exact, ascend or ascend:N.", "cpu"},
                &engine->device);
  flags->string(
      {"--isa", "NAME", "Force the processor's kernels: scalar, avx2, avx512, avx512_vnni, amx.", "the best one"},
      &engine->isa);
  flags->integer({"--threads", "N", "Threads; 0 is one per processor.", "0"}, 0, 4096,
                 [engine](int64_t value) { engine->threads = static_cast<int>(value); });
}

void settle_model_flags(EngineOptions* engine) {
  for (auto* paths : {&engine->component_paths, &engine->weights_paths})
    std::erase_if(*paths, [](const auto& entry) { return entry.second.empty(); });
}

}  // namespace mxdit::cli

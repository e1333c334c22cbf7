#include "random_checkpoint.h"

#include "core/error.h"
#include "io/atomic_file.h"
#include "io/json_file.h"
#include "random_models/random_weights.h"
#include "text/tokenizer.h"

namespace mxdit::tools {
namespace {

namespace fs = std::filesystem;
using namespace random_models;

class FolderWriter {
 public:
  FolderWriter(const RandomCheckpoint& checkpoint,
               const std::function<void(const std::string&)>& report)
      : checkpoint_(checkpoint), report_(report) {}

  void json(const std::string& name, const nlohmann::ordered_json& value) const {
    const fs::path file = checkpoint_.output / name;
    fs::create_directories(file.parent_path());
    write_file_atomically(file, value.dump(2) + "\n");
  }

  void weights(const std::string& name, const std::vector<RandomTensor>& tensors) const {
    write_random_weights(checkpoint_.output / name, name, tensors, checkpoint_.seed);
    uint64_t elements = 0;
    for (const RandomTensor& tensor : tensors)
      elements += static_cast<uint64_t>(tensor.shape.elements());
    report_(detail::concat(name, ": ", tensors.size(), " tensors, ", elements, " elements"));
  }

  template <typename ComponentShape>
  void component(const std::string& name, const std::string& file,
                 const ComponentShape& shape) const {
    json(name + "/config.json", config_of(shape));
    weights(name + "/" + file, tensors_of(shape));
  }

 private:
  const RandomCheckpoint& checkpoint_;
  const std::function<void(const std::string&)>& report_;
};

void check_output(const fs::path& output) {
  if (fs::exists(output) && !(fs::is_directory(output) && fs::is_empty(output)))
    fail(ErrorKind::usage, "[tools] ", output.string(),
         ": expected a folder that is new or empty, got something in it");
}

std::string tokenizer_class_of(const fs::path& tokenizer) {
  const fs::path config = tokenizer / "tokenizer_config.json";
  if (!fs::exists(config)) return "T5TokenizerFast";
  return optional_or<std::string>(read_json_file(config), "tokenizer_class", "T5TokenizerFast",
                                  config.string());
}

void copy_tokenizer(const fs::path& from, const fs::path& to) {
  fs::create_directories(to);
  for (const auto& item : fs::directory_iterator(from))
    if (item.is_regular_file()) fs::copy_file(item.path(), to / item.path().filename());
}

TextEncoderShape with_vocabulary(TextEncoderShape shape, const RandomCheckpoint& checkpoint) {
  const int64_t pieces = Tokenizer(checkpoint.tokenizer).vocabulary_size();
  shape.vocabulary = checkpoint.vocabulary == 0 ? pieces : checkpoint.vocabulary;
  if (shape.vocabulary < pieces)
    fail(ErrorKind::bad_input, "[tools] vocabulary: expected at least the tokenizer's ", pieces,
         " pieces, got ", shape.vocabulary);
  return shape;
}

}  // namespace

void write_random_checkpoint(const RandomCheckpoint& checkpoint,
                             const std::function<void(const std::string&)>& report) try {
  check_output(checkpoint.output);
  const WanShape& shape = checkpoint.shape;
  const TextEncoderShape text_encoder = with_vocabulary(shape.text_encoder, checkpoint);
  const FolderWriter folder(checkpoint, report);
  copy_tokenizer(checkpoint.tokenizer, checkpoint.output / "tokenizer");
  folder.json("scheduler/scheduler_config.json", scheduler_config());
  folder.component("text_encoder", "model.safetensors", text_encoder);
  folder.component("vae", "diffusion_pytorch_model.safetensors", shape.vae);
  folder.component("transformer", "diffusion_pytorch_model.safetensors", shape.transformer);
  if (shape.boundary_ratio)
    folder.component("transformer_2", "diffusion_pytorch_model.safetensors", shape.transformer);
  folder.json("model_index.json", model_index_of(shape, tokenizer_class_of(checkpoint.tokenizer)));
} catch (const fs::filesystem_error& error) {
  fail(ErrorKind::io, "[tools] ", checkpoint.output.string(), ": ", error.what());
}

}  // namespace mxdit::tools

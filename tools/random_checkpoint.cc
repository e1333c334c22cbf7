#include "random_checkpoint.h"

#include <algorithm>
#include <cmath>

#include "core/error.h"
#include "formats/element.h"
#include "io/atomic_file.h"
#include "io/json_file.h"
#include "io/safetensors.h"
#include "text/tokenizer.h"

namespace mxdit::tools {
namespace {

namespace fs = std::filesystem;

uint64_t mix(uint64_t value) {  // splitmix64
  value += 0x9e3779b97f4a7c15u;
  value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
  value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
  return value ^ (value >> 31);
}

// Seeded by name, so that a tensor does not depend on the others.
uint64_t seed_of(const std::string& name, uint64_t seed) {
  for (const char c : name) seed = mix(seed ^ static_cast<unsigned char>(c));
  return seed;
}

// Nearly normal, mean 0 and deviation 1: the sum of four uniform 16-bit numbers.
float bell(uint64_t bits) {
  const auto sum = static_cast<int64_t>((bits & 0xffff) + (bits >> 16 & 0xffff) +
                                        (bits >> 32 & 0xffff) + (bits >> 48));
  return static_cast<float>(sum - 2 * 0xffff) * static_cast<float>(1.7320508 / 65536.0);
}

void write_tensor(SafetensorsWriter& writer, const std::string& file_name,
                  const RandomTensor& tensor, uint64_t seed) {
  constexpr int64_t kPiece = int64_t{1} << 20;
  const int64_t count = tensor.shape.elements();
  const uint64_t start = seed_of(file_name + "/" + tensor.name, seed);
  std::vector<bf16> piece(static_cast<size_t>(std::min(count, kPiece)));
  for (int64_t done = 0; done < count; done += kPiece) {
    const int64_t size = std::min(kPiece, count - done);
    for (int64_t i = 0; i < size; ++i)
      piece[static_cast<size_t>(i)] = to_bf16(
          tensor.mean + tensor.deviation * bell(mix(start + static_cast<uint64_t>(done + i))));
    writer.write(tensor.name, piece.data(), static_cast<size_t>(size) * sizeof(bf16));
  }
}

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
    std::vector<SafetensorsWriter::Declaration> declarations;
    uint64_t elements = 0;
    for (const RandomTensor& tensor : tensors) {
      declarations.push_back({tensor.name, DType::bf16, tensor.shape});
      elements += static_cast<uint64_t>(tensor.shape.elements());
    }
    SafetensorsWriter writer(checkpoint_.output / name, declarations, {{"format", "pt"}});
    for (const RandomTensor& tensor : tensors) write_tensor(writer, name, tensor, checkpoint_.seed);
    writer.finish();
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

#include "sparse_checkpoint.h"

#include <fstream>
#include <nlohmann/json.hpp>

namespace mxdit {
namespace {

namespace fs = std::filesystem;
using nlohmann::ordered_json;

void write_text(const fs::path& file, const std::string& text) {
  fs::create_directories(file.parent_path());
  std::ofstream(file, std::ios::binary) << text;
}

bool write_weights(const fs::path& file, const std::vector<random_models::RandomTensor>& tensors) {
  ordered_json header;
  uint64_t end = 0;
  for (const random_models::RandomTensor& tensor : tensors) {
    const uint64_t begin = end;
    end += static_cast<uint64_t>(tensor.shape.elements()) * 2;
    header[tensor.name] = {
        {"dtype", "BF16"}, {"shape", tensor.shape.dims()}, {"data_offsets", {begin, end}}};
  }
  std::string text = header.dump();
  text.resize((text.size() + 7) / 8 * 8, ' ');
  const uint64_t length = text.size();
  std::string start(8, '\0');
  for (size_t i = 0; i < 8; ++i) start[i] = static_cast<char>(length >> (8 * i) & 0xff);
  write_text(file, start + text);
  std::error_code error;
  fs::resize_file(file, 8 + length + end, error);  // ftruncate: the rest is a hole
  return !error;
}

template <typename Part>
bool write_component(const fs::path& folder, const char* file, const Part& shape) {
  write_text(folder / "config.json", config_of(shape).dump());
  return write_weights(folder / file, tensors_of(shape));
}

}  // namespace

bool write_sparse_checkpoint(const fs::path& folder, const random_models::WanShape& shape) {
  constexpr const char* kFile = "diffusion_pytorch_model.safetensors";
  write_text(folder / "scheduler/scheduler_config.json", random_models::scheduler_config().dump());
  write_text(folder / "model_index.json", random_models::model_index_of(shape, "T5TokenizerFast").dump());
  fs::create_directories(folder / "tokenizer");
  bool whole = write_component(folder / "text_encoder", "model.safetensors", shape.text_encoder) &&
               write_component(folder / "vae", kFile, shape.vae) &&
               write_component(folder / "transformer", kFile, shape.transformer);
  if (shape.boundary_ratio)
    whole = whole && write_component(folder / "transformer_2", kFile, shape.transformer);
  return whole;
}

}  // namespace mxdit

#include "bench/random_component.h"

#include <stdlib.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "checkpoint/model_folder.h"
#include "core/error.h"
#include "random_models/random_weights.h"

namespace mxdit::bench {
namespace {

namespace fs = std::filesystem;

class ScratchFolder {
 public:
  ScratchFolder() {
    std::error_code error;
    const fs::path parent = fs::temp_directory_path(error);
    if (error) fail(ErrorKind::io, "[bench] TMPDIR: expected a folder, got: ", error.message());
    std::string name = (parent / "mxdit_bench_XXXXXX").string();
    if (::mkdtemp(name.data()) == nullptr)
      fail(ErrorKind::io, "[bench] ", parent.string(),
           ": expected to be writable, got: ", std::strerror(errno));
    path_ = name;
  }
  ~ScratchFolder() {
    std::error_code ignored;
    fs::remove_all(path_, ignored);
  }
  ScratchFolder(const ScratchFolder&) = delete;
  ScratchFolder& operator=(const ScratchFolder&) = delete;
  const fs::path& path() const { return path_; }

 private:
  fs::path path_;
};

}  // namespace

WeightStore random_weights(const std::vector<random_models::RandomTensor>& tensors,
                           const CancelToken* cancel) {
  const ScratchFolder folder;
  const fs::path file = folder.path() / "model.safetensors";
  random_models::write_random_weights(file, "bench", tensors, 0, cancel);
  return WeightStore::open(file);
}

random_models::WanShape shape_called(const std::string& shape) {
  const auto found = random_models::find_wan_shape(shape.empty() ? "wan2.1-t2v-1.3b" : shape);
  if (found) return *found;
  std::string known;
  for (const std::string& name : random_models::wan_shape_names())
    known += (known.empty() ? "" : ", ") + name;
  fail(ErrorKind::usage, "[bench] --shape: expected one of ", known, ", got ", shape);
}

ComponentFiles stored_component(const std::string& model_path, const std::string& name) {
  const ModelFolder model = ModelFolder::open(model_path);
  const Component component = model.component(name);
  return {component.class_name, component.config, component.config_file, component.folder,
          WeightStore::open(component.folder)};
}

}  // namespace mxdit::bench

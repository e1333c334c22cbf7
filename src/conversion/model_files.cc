#include "conversion/model_files.h"

#include <algorithm>

#include "conversion/file_pieces.h"
#include "conversion/stage_progress.h"
#include "core/error.h"

namespace mxdit::conversion {

namespace fs = std::filesystem;

namespace {

constexpr int kDeepest = 16;

class Lister {
 public:
  Lister(const std::set<std::string>& transformers, const fs::path& without)
      : transformers_(transformers), without_(without) {}

  void list(const fs::path& folder, const std::string& prefix, int depth) {
    if (depth > kDeepest)
      fail(ErrorKind::bad_input, "[conversion] ", folder.string(), ": expected at most ", kDeepest,
           " levels of folders, got more (a link to a folder above?)");
    std::error_code error, ignored;
    for (fs::directory_iterator it(folder, error), end; !error && it != end; it.increment(error)) {
      const std::string name = it->path().filename().string();
      if (name.front() == '.') continue;
      if (!it->is_directory(ignored))
        add_file(it->path(), prefix + name);
      else if (depth == 0 && transformers_.count(name) != 0)
        add_config(it->path(), prefix + name);
      else if (!fs::equivalent(it->path(), without_, ignored))
        list(it->path(), prefix + name + "/", depth + 1);
    }
    if (error)
      fail(ErrorKind::io, "[conversion] ", folder.string(), ": listing failed: ", error.message());
  }
  std::vector<ModelFile> take() {
    std::sort(files_.begin(), files_.end(),
              [](const ModelFile& a, const ModelFile& b) { return a.name < b.name; });
    return std::move(files_);
  }

 private:
  void add_file(const fs::path& path, const std::string& name) {
    std::error_code error;
    const uint64_t bytes = fs::file_size(path, error);
    if (error)
      fail(ErrorKind::io, "[conversion] ", path.string(),
           ": reading the size failed: ", error.message());
    files_.push_back({path, name, bytes});
  }
  void add_config(const fs::path& folder, const std::string& name) {
    std::error_code ignored;
    if (fs::exists(folder / "config.json", ignored))
      add_file(folder / "config.json", name + "/config.json");
  }

  const std::set<std::string>& transformers_;
  const fs::path& without_;
  std::vector<ModelFile> files_;
};

}  // namespace

std::vector<ModelFile> list_model_files(const fs::path& model,
                                        const std::set<std::string>& transformers,
                                        const fs::path& without) {
  Lister lister(transformers, without);
  lister.list(model, "", 0);
  return lister.take();
}

namespace {

// Copies carry the time of their source, and appear complete only.
bool is_copy(const ModelFile& file, const fs::path& target) {
  std::error_code error;
  return fs::is_regular_file(target, error) && fs::file_size(target, error) == file.bytes &&
         fs::last_write_time(target, error) == fs::last_write_time(file.path, error) && !error;
}

}  // namespace

void copy_model_files(const std::vector<ModelFile>& files, const fs::path& target,
                      const ProgressSink& sink, const CancelToken* cancel) {
  uint64_t total = 0;
  for (const ModelFile& file : files) total += file.bytes;
  StageProgress progress(sink, "copy", total);
  for (const ModelFile& file : files) {
    check_cancelled(cancel);
    const fs::path copy = target / file.name;
    make_folder(copy.parent_path());
    if (is_copy(file, copy))
      progress.add(file.bytes);
    else
      copy_file_in_pieces(file.path, copy, [&](size_t bytes) { progress.add(bytes); }, cancel);
  }
  progress.end();
}

void make_folder(const fs::path& folder) {
  std::error_code error;
  fs::create_directories(folder, error);
  if (error)
    fail(ErrorKind::io, "[conversion] ", folder.string(),
         ": making the folder failed: ", error.message());
}

}  // namespace mxdit::conversion

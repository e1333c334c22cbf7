#include "conversion/repack/component_writer.h"

#include <memory>

#include "formats/e2m1_packing.h"
#include "conversion/file_pieces.h"
#include "conversion/shards.h"
#include "core/error.h"
#include "formats/element.h"

namespace mxdit::conversion {

namespace {

class TensorCopier {
 public:
  explicit TensorCopier(const WriteOptions& options) : options_(options) {}

  void copy(const TensorPlan& tensor, SafetensorsWriter& writer) {
    uint64_t done = 0;
    const auto sink = [&](const uint8_t* data, size_t bytes) {
      if (tensor.pack)
        write_packed(tensor, done, data, bytes, writer);
      else
        writer.write(tensor.target, data, bytes);
      done += bytes;
      options_.progress(bytes);
    };
    reader_of(tensor.place.file)
        .read(tensor.place.offset, tensor.place.bytes, sink, options_.cancel);
  }

 private:
  // Only one file is open at a time: its buffer is what copying costs.
  PieceReader& reader_of(const std::filesystem::path& file) {
    if (!reader_ || file != open_file_) {
      reader_.reset();
      reader_ = std::make_unique<PieceReader>(file);
      open_file_ = file;
    }
    return *reader_;
  }

  // Pieces have an even length, since rows and kPieceBytes have.
  void write_packed(const TensorPlan& tensor, uint64_t done, const uint8_t* data, size_t bytes,
                    SafetensorsWriter& writer) {
    packed_.resize(bytes / 2);
    const size_t good = pack_e2m1(data, bytes, packed_.data());
    if (good != bytes) {
      const uint64_t index = done + good, width = static_cast<uint64_t>(tensor.place.shape[1]);
      fail(ErrorKind::bad_input, "[conversion] ", tensor.place.file.string(), ": tensor \"",
           tensor.source, "\" at [", index / width, ", ", index % width,
           "]: expected 0, 0.5, 1, 1.5, 2, 3, 4 or 6 with a sign, got ", e4m3_to_float(data[good]));
    }
    writer.write(tensor.target, packed_.data(), packed_.size());
  }

  const WriteOptions& options_;
  std::filesystem::path open_file_;
  std::unique_ptr<PieceReader> reader_;
  std::vector<uint8_t> packed_;
};

}  // namespace

WrittenComponent write_component(const ComponentPlan& plan, const WriteOptions& options) {
  std::vector<SafetensorsWriter::Declaration> declarations;
  for (const TensorPlan& tensor : plan.tensors)
    declarations.push_back({tensor.target, tensor.dtype, tensor.shape});
  const std::vector<Shard> shards =
      plan_shards(declarations, options.max_shard_bytes, options.stem);
  TensorCopier copier(options);
  WrittenComponent written;
  written.shards = static_cast<int64_t>(shards.size());
  auto next = plan.tensors.begin();
  for (const Shard& shard : shards) {
    const auto end = next + static_cast<std::ptrdiff_t>(shard.tensors.size());
    for (const auto& tensor : shard.tensors) written.bytes += data_bytes(tensor);
    const std::filesystem::path file = options.folder / shard.file;
    if (holds_exactly(file, shard, plan.metadata)) {
      ++written.kept;
      for (; next != end; ++next) options.progress(next->place.bytes);
      continue;
    }
    SafetensorsWriter writer(file, shard.tensors, plan.metadata);
    for (; next != end; ++next) copier.copy(*next, writer);
    writer.finish();
  }
  write_shard_index(options.folder, options.stem, shards);
  write_file_atomically(options.folder / "quant_model_description.json", plan.description);
  return written;
}

}  // namespace mxdit::conversion

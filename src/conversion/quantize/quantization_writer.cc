#include "conversion/quantize/quantization_writer.h"

#include "conversion/file_pieces.h"
#include "conversion/quantize/layer_encoder.h"
#include "conversion/shards.h"
#include "core/error.h"

namespace mxdit::conversion {

namespace {

bool is_weight(const OutputTensor& tensor) {
  return tensor.layer != OutputTensor::kNoLayer && tensor.part != LayerPart::bias;
}

class Writing {
 public:
  Writing(const QuantizationPlan& plan, const QuantizationWriter& settings)
      : plan_(plan), settings_(settings) {
    result_.relative_errors.resize(plan.layers.size(), 0.0);
  }

  WrittenQuantization run() {
    std::vector<SafetensorsWriter::Declaration> declarations;
    for (const OutputTensor& tensor : plan_.tensors)
      declarations.push_back({tensor.target, tensor.dtype, tensor.shape});
    const auto shards = plan_shards(declarations, settings_.max_shard_bytes, settings_.stem);
    auto next = plan_.tensors.begin();
    for (const Shard& shard : shards) {
      SafetensorsWriter writer(settings_.folder / shard.file, shard.tensors, {{"format", "pt"}});
      for (size_t i = 0; i < shard.tensors.size(); ++i, ++next) write(*next, writer);
      writer.finish();
    }
    write_shard_index(settings_.folder, settings_.stem, shards);
    write_file_atomically(settings_.folder / "quant_model_description.json", plan_.description);
    result_.files = static_cast<int64_t>(shards.size());
    return std::move(result_);
  }

 private:
  void write(const OutputTensor& tensor, SafetensorsWriter& writer) {
    check_cancelled(settings_.cancel);
    if (is_weight(tensor)) {
      encode(tensor);
      return write_part(encoded_.matrix, tensor.part, tensor.target, writer);
    }
    if (tensor.layer != OutputTensor::kNoLayer) {
      writer.write(tensor.target, widened(read_tensor(tensor.place, settings_.cancel)));
      return settings_.progress(tensor.place.bytes);
    }
    const auto copy = [&](const uint8_t* data, size_t bytes) {
      writer.write(tensor.target, data, bytes);
      settings_.progress(bytes);
    };
    PieceReader(tensor.place.file)
        .read(tensor.place.offset, tensor.place.bytes, copy, settings_.cancel);
  }

  // Unless the layer before was the same.
  void encode(const OutputTensor& tensor) {
    if (tensor.layer == current_) return;
    encoded_ = {};  // before the next one needs memory
    const LayerChoice& choice = plan_.layers[tensor.layer];
    const Tensor weight = read_tensor(tensor.place, settings_.cancel);
    check_weight(settings_.threads, weight, tensor.place, choice.layer.name + ".weight");
    // Every row counts twice: encoded, then compared.
    const uint64_t row_bytes = tensor.place.bytes / static_cast<uint64_t>(weight.dim(0));
    const auto rows_done = [&](int64_t rows) {
      check_cancelled(settings_.cancel);
      settings_.progress(static_cast<uint64_t>(rows) * row_bytes / 2);
    };
    encoded_ = encode_layer({settings_.backend, settings_.threads, rows_done}, settings_.rule,
                            weight, *choice.type->format);
    result_.relative_errors[tensor.layer] = encoded_.relative_error;
    current_ = tensor.layer;
  }

  const QuantizationPlan& plan_;
  const QuantizationWriter& settings_;
  WrittenQuantization result_;
  EncodedLayer encoded_;
  size_t current_ = OutputTensor::kNoLayer;
};

}  // namespace

WrittenQuantization write_quantized(const QuantizationPlan& plan,
                                    const QuantizationWriter& writer) {
  return Writing(plan, writer).run();
}

uint64_t source_bytes(const QuantizationPlan& plan) {
  uint64_t bytes = 0;
  for (const OutputTensor& tensor : plan.tensors) bytes += tensor.source_bytes;
  return bytes;
}

}  // namespace mxdit::conversion

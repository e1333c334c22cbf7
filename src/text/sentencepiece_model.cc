#include "text/sentencepiece_model.h"

#include <bit>
#include <cmath>
#include <unordered_set>

#include "core/error.h"
#include "text/unicode.h"

namespace mxdit::text {
namespace {

// Field numbers and values of sentencepiece_model.proto.
constexpr uint32_t kModelPieces = 1, kModelTrainer = 2, kModelNormalizer = 3;
constexpr uint32_t kPieceText = 1, kPieceScore = 2, kPieceType = 3;
constexpr uint32_t kTrainerModelType = 3;
constexpr uint32_t kNormalizerCharsmap = 2;
constexpr uint64_t kTypeUnknown = 2, kTypeByte = 6;
constexpr uint64_t kUnigram = 1;

// One field of a message: a number, or the bytes of a string or message.
struct Field {
  uint32_t number = 0;
  uint64_t value = 0;
  std::string_view bytes;
};

// Walks the fields of one message.
class Message {
 public:
  Message(std::string_view bytes, const std::string& file) : rest_(bytes), file_(file) {}

  bool next(Field* field) {
    if (rest_.empty()) return false;
    const uint64_t key = varint();
    *field = Field{static_cast<uint32_t>(key >> 3), 0, {}};
    switch (key & 7) {
      case 0:
        field->value = varint();
        return true;
      case 1:
        field->value = little_endian(8);
        return true;
      case 2:
        field->bytes = take(varint());
        return true;
      case 5:
        field->value = little_endian(4);
        return true;
      default:
        broken("a known wire type");
    }
  }

  [[noreturn]] void broken(const char* expected) const {
    fail(ErrorKind::bad_input, "[text] ", file_, ": expected ", expected,
         ", got a damaged sentencepiece model");
  }

 private:
  std::string_view take(uint64_t count) {
    if (count > rest_.size()) broken("a field inside its message");
    const std::string_view taken = rest_.substr(0, count);
    rest_.remove_prefix(count);
    return taken;
  }

  uint64_t little_endian(int bytes) {
    const std::string_view taken = take(static_cast<uint64_t>(bytes));
    uint64_t value = 0;
    for (int i = bytes - 1; i >= 0; --i) {
      value = value << 8 | static_cast<unsigned char>(taken[static_cast<size_t>(i)]);
    }
    return value;
  }

  uint64_t varint() {
    uint64_t value = 0;
    for (int shift = 0; shift < 64; shift += 7) {
      const auto byte = static_cast<unsigned char>(take(1)[0]);
      value |= uint64_t{byte & 0x7Fu} << shift;
      if (byte < 0x80) return value;
    }
    broken("a number of at most 10 bytes");
  }

  std::string_view rest_;
  const std::string& file_;
};

// Appends a piece; true when it is the unknown one.
bool read_piece(std::string_view bytes, const std::string& file, SentencePieceModel* model) {
  Message message(bytes, file);
  SentencePieceModel::Piece piece;
  uint64_t type = 1;
  for (Field field; message.next(&field);) {
    if (field.number == kPieceText) piece.text = field.bytes;
    if (field.number == kPieceScore) {
      piece.score = std::bit_cast<float>(static_cast<uint32_t>(field.value));
    }
    if (field.number == kPieceType) type = field.value;
  }
  if (piece.text.empty() || !decode_utf8(piece.text)) message.broken("pieces of UTF-8");
  if (!std::isfinite(piece.score)) message.broken("finite scores");
  piece.is_byte = type == kTypeByte;
  model->pieces.push_back(std::move(piece));
  return type == kTypeUnknown;
}

void check_model_type(std::string_view trainer, const std::string& file) {
  Message message(trainer, file);
  uint64_t type = kUnigram;
  for (Field field; message.next(&field);) {
    if (field.number == kTrainerModelType) type = field.value;
  }
  if (type != kUnigram) {
    fail(ErrorKind::unsupported, "[text] ", file, ": expected a Unigram model (type 1), got type ",
         type);
  }
}

std::string read_charsmap(std::string_view normalizer, const std::string& file) {
  Message message(normalizer, file);
  std::string charsmap;
  for (Field field; message.next(&field);) {
    if (field.number == kNormalizerCharsmap) charsmap = field.bytes;
  }
  return charsmap;
}

}  // namespace

SentencePieceModel parse_sentencepiece_model(std::string_view bytes, const std::string& file) {
  Message message(bytes, file);
  SentencePieceModel model;
  int unknown_pieces = 0;
  for (Field field; message.next(&field);) {
    if (field.number == kModelPieces && read_piece(field.bytes, file, &model)) {
      model.unknown_id = static_cast<int32_t>(model.pieces.size()) - 1;
      ++unknown_pieces;
    }
    if (field.number == kModelTrainer) check_model_type(field.bytes, file);
    if (field.number == kModelNormalizer) model.charsmap = read_charsmap(field.bytes, file);
  }
  if (unknown_pieces != 1) message.broken("one piece for unknown text");
  std::unordered_set<std::string_view> seen;
  for (const auto& piece : model.pieces) {
    if (!seen.insert(piece.text).second) message.broken("distinct pieces");
  }
  return model;
}

}  // namespace mxdit::text

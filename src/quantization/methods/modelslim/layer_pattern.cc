#include "quantization/methods/modelslim/layer_pattern.h"

#include <regex.h>

#include <cctype>
#include <vector>

#include "core/error.h"

namespace mxdit::modelslim {
namespace {

constexpr size_t kLongestExpression = 200;

// A backslash and what follows, as POSIX has it; empty when it has not.
std::string translated_escape(char c) {
  if (c == 'd') return "[0-9]";
  if (c == 'w') return "[A-Za-z0-9_]";
  // A bracket quotes all punctuation alike, where a backslash before some is undefined in POSIX.
  if (c == '^' || c == '\\') return std::string("\\") + c;
  if (std::ispunct(static_cast<unsigned char>(c)) != 0) return std::string("[") + c + "]";
  return "";
}

bool is_repeat(char c) { return c == '*' || c == '+' || c == '?'; }

// Whether groups hold repeats, from the outermost to the present one. A repeat of a group that holds
// one already makes compiling an expression take time exponential in the depth.
class Groups {
 public:
  // Takes the next character outside of brackets; false for a repeat of repeats.
  bool accepts(char c, char next) {
    if (c == '(') holds_repeat_.push_back(false);
    if (is_repeat(c)) holds_repeat_.back() = true;
    if (c != ')' || holds_repeat_.size() == 1) return true;  // regcomp refuses a lone one
    const bool inner = holds_repeat_.back();
    holds_repeat_.pop_back();
    if (inner) holds_repeat_.back() = true;
    return !(inner && is_repeat(next));
  }

 private:
  std::vector<bool> holds_repeat_ = {false};
};

// The expression as POSIX has it; what POSIX has not is an error.
std::string translated(const std::string& text, const std::string& where) {
  std::string posix;
  bool in_brackets = false;
  Groups groups;
  for (size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    const char next = i + 1 < text.size() ? text[i + 1] : '\0';
    std::string piece(1, c);
    bool known = static_cast<unsigned char>(c) >= 0x20;
    if (c == '\\') {
      piece = in_brackets ? "" : translated_escape(next);
      known = !piece.empty();
      ++i;
    } else if (in_brackets) {
      // [: [= [. begin classes of POSIX, which Python does not know.
      known = known && c != '[';
      if (c == ']') in_brackets = false;
    } else if (c == '[') {
      in_brackets = true;
      // A bracket that closes at once is one of its own members.
      known = next != ']' && text.compare(i, 3, "[^]") != 0;
    } else {
      // Two repeats in a row are lazy or possessive in Python and something else in POSIX.
      const bool doubled = is_repeat(c) && is_repeat(next);
      known = known && c != '{' && c != '}' && !doubled && !(c == '(' && next == '?') &&
              groups.accepts(c, next);
    }
    if (!known)
      fail(ErrorKind::unsupported, where, ": expected a regular expression without counted and nested ",
           "repeats, references and other extensions, got ", text);
    posix += piece;
  }
  return posix;
}

}  // namespace

struct LayerPattern::Expression {
  explicit Expression(const std::string& posix)
      : status(::regcomp(&compiled, posix.c_str(), REG_EXTENDED | REG_NOSUB)) {}
  ~Expression() {
    if (status == 0) ::regfree(&compiled);
  }
  Expression(const Expression&) = delete;
  Expression& operator=(const Expression&) = delete;

  regex_t compiled{};
  int status;
};

LayerPattern::LayerPattern(const std::string& text, const std::string& where) : text_(text) {
  if (text.rfind("re:", 0) != 0) return;
  const std::string expression = text.substr(3);
  if (expression.empty() || expression.size() > kLongestExpression)
    fail(ErrorKind::bad_input, where, ": expected a regular expression of 1..", kLongestExpression,
         " characters, got ", expression.size());
  expression_ =
      std::make_shared<const Expression>("^(" + translated(expression, where) + ")");
  if (expression_->status != 0)
    fail(ErrorKind::bad_input, where, ": expected a regular expression, got ", expression);
}

bool LayerPattern::matches(const std::string& layer) const {
  if (expression_ != nullptr)
    return ::regexec(&expression_->compiled, layer.c_str(), 0, nullptr, 0) == 0;
  if (text_.empty()) return false;
  if (layer == text_) return true;
  const std::string end = "." + text_;
  return layer.size() > end.size() &&
         layer.compare(layer.size() - end.size(), end.size(), end) == 0;
}

}  // namespace mxdit::modelslim

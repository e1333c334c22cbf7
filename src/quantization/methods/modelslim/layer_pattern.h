// How a description's `ignore` names layers: the whole name, its end from a dot on, or `re:` and a
// regular expression that matches from the name's beginning.
#pragma once

#include <memory>
#include <string>

namespace mxdit::modelslim {

class LayerPattern {
 public:
  // Of Python's regular expressions those that POSIX has too, with \d, \w and escaped punctuation: no
  // counted or nested repeats, references, classes by escape inside brackets, or groups that begin
  // with (?. So compiling and every match take linear time. Error{unsupported} for others, bad_input for
  // what is none or longer than 200 characters; `where` begins the message.
  LayerPattern(const std::string& text, const std::string& where);

  bool matches(const std::string& layer) const;

 private:
  struct Expression;
  std::string text_;
  std::shared_ptr<const Expression> expression_;  // null: text_ is a name
};

}  // namespace mxdit::modelslim

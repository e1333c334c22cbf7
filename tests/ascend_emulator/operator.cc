#include "ascend_emulator/operator.h"

namespace ascend_emulator {

class Executor {};

Registration::Registration(const OperatorInfo& info) : info_(&info) {}
Registration::~Registration() = default;

std::byte* View::data() const { return storage + offset * bits_per_element(dtype) / 8; }
View Run::view(const Operand&) const { return {}; }

Call::Call(const OperatorInfo& info) : info_(info) {}
Operand Call::input(const char*, const aclTensor*, aclnnStatus) { return {}; }
Operand Call::output(const char*, const aclTensor*, aclnnStatus) { return {}; }
Operand Call::updated(const char*, const aclTensor*) { return {}; }
Operand Call::optional_input(const char*, const aclTensor*) { return {}; }
Operand Call::optional_output(const char*, const aclTensor*) { return {}; }
std::vector<Operand> Call::inputs(const char*, const aclTensorList*) { return {}; }
Dims Call::int_array(const char*, const aclIntArray*) { return {}; }
std::optional<Dims> Call::optional_int_array(const char*, const aclIntArray*) { return {}; }
Scalar Call::scalar(const char*, const aclScalar*) { return {}; }
std::optional<Scalar> Call::optional_scalar(const char*, const aclScalar*) { return {}; }
void Call::workspace(uint64_t) {}
void Call::run(std::function<void(Run&)>) {}
void Call::throw_refusal(aclnnStatus status, std::string text) const { throw Refusal{status, text}; }

aclnnStatus plan(const OperatorInfo&, uint64_t*, aclOpExecutor**, const std::function<void(Call&)>&) {
  return ACLNN_ERR_INNER;
}
aclnnStatus launch(const OperatorInfo&, void*, uint64_t, aclOpExecutor*, aclrtStream) {
  return ACLNN_ERR_INNER;
}
aclnnStatus direct(const OperatorInfo&, const std::function<void(Call&)>&) { return ACLNN_ERR_INNER; }

}  // namespace ascend_emulator

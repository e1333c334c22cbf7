// aclnnFlashAttentionScoreV4: attention without dropout, positions or windows.
#include <string_view>

#include "ascend_emulator/arithmetic/row_functions.h"
#include "ascend_emulator/operators/operands.h"

using namespace ascend_emulator;

namespace {

const OperatorInfo kInfo{.name = "aclnnFlashAttentionScoreV4", .library = Library::transformer};
const Registration registered(kInfo);

constexpr int64_t kAllTokens = 2147483647;
constexpr int64_t kMostChannels = 768;
constexpr int64_t kMostHeads = 256;
constexpr int64_t kMostTokens = 1'000'000;
constexpr int64_t kStatistics = 8;

enum class Layout { bsnd, bnsd, bsh, sbh };

Layout layout_of(Call& call, const char* name) {
  call.require(name != nullptr, ACLNN_ERR_PARAM_NULLPTR, "inputLayout: null");
  const std::string_view layout = name;
  if (layout == "BSND") return Layout::bsnd;
  if (layout == "BNSD") return Layout::bnsd;
  if (layout == "BSH") return Layout::bsh;
  call.require(layout == "SBH", ACLNN_ERR_PARAM_INVALID,
               "inputLayout: expected BSND, BNSD, BSH or SBH, got ", layout);
  return Layout::sbh;
}

// A tensor seen as [B, N, S, D]; `heads` divides H where heads and channels share a dim.
void to_heads(Layout layout, int64_t heads, Dims* shape, Dims* strides) {
  const Dims s = *shape, t = *strides;
  if (layout == Layout::bnsd) return;
  if (layout == Layout::bsnd) {
    *shape = {s[0], s[2], s[1], s[3]};
    *strides = {t[0], t[2], t[1], t[3]};
    return;
  }
  const int64_t channels = s[2] / heads;
  const size_t batch = layout == Layout::bsh ? 0 : 1;
  *shape = {s[batch], heads, s[1 - batch], channels};
  *strides = {t[batch], channels * t[2], t[1 - batch], t[2]};
}

struct Shape {
  int64_t batch, heads, tokens, channels;
};

Shape shape_of(Call& call, const char* argument, const Operand& operand, Layout layout,
               int64_t heads) {
  const Checks checks{call};
  const int64_t rank = layout == Layout::bsh || layout == Layout::sbh ? 3 : 4;
  checks.rank(argument, operand, rank, rank);
  checks.no_empty_dim(argument, operand);
  call.require(rank == 4 || operand->shape[2] % heads == 0, ACLNN_ERR_PARAM_INVALID, argument,
               ": expected a last dim of ", heads, " heads, got ", to_text(operand->shape));
  Dims shape = operand->shape, strides = operand->strides;
  to_heads(layout, heads, &shape, &strides);
  return {shape[0], shape[1], shape[2], shape[3]};
}

struct Operands {
  Operand q, k, v, mask, maximum, sum, out;
  Layout layout = Layout::bnsd;
  int64_t heads = 0;
  int64_t kv_heads = 0;
};

void check_types(Call& call, const Operands& operands) {
  const Checks checks{call};
  checks.dtype("query", operands.q, kReals);
  checks.same_dtype("key", operands.k, operands.q->dtype);
  checks.same_dtype("value", operands.v, operands.q->dtype);
  checks.same_dtype("attentionOut", operands.out, operands.q->dtype);
  checks.dtype("attenMaskOptional", operands.mask, {ACL_BOOL, ACL_UINT8});
  checks.dtype("softmaxMaxOut", operands.maximum, {ACL_FLOAT});
  checks.dtype("softmaxSumOut", operands.sum, {ACL_FLOAT});
  checks.not_nz("query", operands.q);
  checks.not_nz("key", operands.k);
  checks.not_nz("value", operands.v);
  checks.not_nz("attenMaskOptional", operands.mask);
  checks.not_nz("attentionOut", operands.out);
}

void check_mask(Call& call, const Operand& mask, const Shape& q, const Shape& k) {
  if (!mask) return;
  const Dims plane{q.tokens, k.tokens};
  Dims whole{q.batch, q.heads, q.tokens, k.tokens}, one_head = whole, one = whole;
  one_head[1] = 1;
  one[0] = one[1] = 1;
  const bool known =
      mask->shape == plane || mask->shape == whole || mask->shape == one_head || mask->shape == one;
  call.require(known, ACLNN_ERR_PARAM_INVALID, "attenMaskOptional: expected ", to_text(plane), ", ",
               to_text(one), ", ", to_text(one_head), " or ", to_text(whole), ", got ",
               to_text(mask->shape));
}

void check_shapes(Call& call, Operands* operands) {
  const Checks checks{call};
  const Shape q = shape_of(call, "query", operands->q, operands->layout, operands->heads);
  call.require(q.heads == operands->heads, ACLNN_ERR_PARAM_INVALID, "headNum: expected ", q.heads,
               " of query, got ", operands->heads);
  call.require(q.channels <= kMostChannels && q.heads <= kMostHeads && q.tokens <= kMostTokens,
               ACLNN_ERR_PARAM_INVALID, "query: expected D <= 768, N <= 256, S <= 1000000, got ",
               to_text(operands->q->shape));
  const bool joined = operands->layout == Layout::bsh || operands->layout == Layout::sbh;
  if (joined) {
    // Fewer heads of keys show in H alone: D is the queries'.
    checks.rank("key", operands->k, 3, 3);
    call.require(operands->k->shape[2] % q.channels == 0 && operands->k->shape[2] > 0,
                 ACLNN_ERR_PARAM_INVALID, "key: expected a last dim of heads of ", q.channels,
                 ", got ", to_text(operands->k->shape));
  }
  operands->kv_heads = joined ? operands->k->shape[2] / q.channels : 0;
  const int64_t divisor = joined ? operands->kv_heads : 1;
  const Shape k = shape_of(call, "key", operands->k, operands->layout, divisor);
  operands->kv_heads = k.heads;
  call.require(k.batch == q.batch && k.channels == q.channels && q.heads % k.heads == 0 &&
                   k.tokens <= kMostTokens,
               ACLNN_ERR_PARAM_INVALID, "key: expected B and D of query ",
               to_text(operands->q->shape), " and heads that divide its own, got ",
               to_text(operands->k->shape));
  checks.shape("value", operands->v, operands->k->shape);
  check_mask(call, operands->mask, q, k);
  checks.shape("attentionOut", operands->out, operands->q->shape);
  const Dims statistics{q.batch, q.heads, q.tokens, kStatistics};
  checks.shape("softmaxMaxOut", operands->maximum, statistics);
  checks.shape("softmaxSumOut", operands->sum, statistics);
  checks.contiguous("softmaxMaxOut", operands->maximum);
  checks.contiguous("softmaxSumOut", operands->sum);
}

void run_attention(const Run& run, const Operands& operands, double scale) {
  const auto view = [&](const Operand& operand, int64_t heads) {
    arithmetic::View result = memory(run, operand);
    to_heads(operands.layout, heads, &result.dims, &result.strides);
    return result;
  };
  arithmetic::Attention attention;
  attention.q = view(operands.q, operands.heads);
  attention.k = view(operands.k, operands.kv_heads);
  attention.v = view(operands.v, operands.kv_heads);
  attention.out = view(operands.out, operands.heads);
  attention.scale = static_cast<float>(scale);
  arithmetic::View mask;
  if (operands.mask) attention.mask = &(mask = memory(run, operands.mask));
  attention.maximum = bytes_of<float>(run, operands.maximum);
  attention.sum = bytes_of<float>(run, operands.sum);
  arithmetic::attention(attention);
}

}  // namespace

aclnnStatus aclnnFlashAttentionScoreV4GetWorkspaceSize(
    const aclTensor* query, const aclTensor* key, const aclTensor* value,
    const aclTensor* real_shift, const aclTensor* drop_mask, const aclTensor* padding_mask,
    const aclTensor* atten_mask, const aclTensor* query_rope, const aclTensor* key_rope,
    const aclTensor* dscale_q, const aclTensor* dscale_k, const aclTensor* dscale_v,
    const aclTensor* sink, const aclIntArray* prefix, const aclIntArray* actual_seq_q,
    const aclIntArray* actual_seq_kv, const aclIntArray* q_start, const aclIntArray* kv_start,
    double scale, double keep_prob, int64_t pre_tokens, int64_t next_tokens, int64_t head_num,
    char* layout, int64_t inner_precise, int64_t sparse_mode, int64_t out_dtype, int64_t pse_type,
    char* softmax_layout, int64_t seed, int64_t offset, aclTensor* softmax_max,
    aclTensor* softmax_sum, aclTensor* softmax_out, aclTensor* out, uint64_t* workspace_size,
    aclOpExecutor** executor) {
  // What picks a kernel, or belongs to dropout, changes no result here.
  (void)inner_precise, (void)out_dtype, (void)softmax_layout, (void)seed, (void)offset;
  return plan(kInfo, workspace_size, executor, [&](Call& call) {
    Operands operands;
    operands.q = call.input("query", query);
    operands.k = call.input("key", key);
    operands.v = call.input("value", value);
    operands.mask = call.optional_input("attenMaskOptional", atten_mask);
    operands.maximum = call.output("softmaxMaxOut", softmax_max);
    operands.sum = call.output("softmaxSumOut", softmax_sum);
    call.optional_output("softmaxOutOut", softmax_out);
    operands.out = call.output("attentionOut", out);
    operands.layout = layout_of(call, layout);
    operands.heads = head_num;
    call.require(
        !real_shift && !drop_mask && !padding_mask && !query_rope && !key_rope && !dscale_q &&
            !dscale_k && !dscale_v && !sink,
        ACLNN_ERR_PARAM_INVALID,
        "pse, dropMask, padMask, qRope, kRope, dScaleQ, dScaleK, dScaleV, sink: expected null");
    call.require(!prefix && !actual_seq_q && !actual_seq_kv && !q_start && !kv_start,
                 ACLNN_ERR_PARAM_INVALID,
                 "prefix, actualSeqQ, actualSeqKv, qStart, kvStart: expected null");
    check_types(call, operands);
    call.require(keep_prob == 1, ACLNN_ERR_PARAM_INVALID, "keepProb: expected 1, got ", keep_prob);
    call.require(pre_tokens == kAllTokens && next_tokens == kAllTokens, ACLNN_ERR_PARAM_INVALID,
                 "preTokens, nextTokens: expected 2147483647, got ", pre_tokens, " and ",
                 next_tokens);
    call.require(head_num > 0, ACLNN_ERR_PARAM_INVALID, "headNum: expected at least 1, got ",
                 head_num);
    call.require(sparse_mode == 0, ACLNN_ERR_PARAM_INVALID, "sparseMode: expected 0, got ",
                 sparse_mode);
    call.require(pse_type == 1, ACLNN_ERR_PARAM_INVALID, "pseType: expected 1, got ", pse_type);
    check_shapes(call, &operands);
    call.workspace(workspace_for(operands.q->elements()));
    call.run([=](Run& run) { run_attention(run, operands, scale); });
  });
}
ASCEND_OPERATOR_LAUNCH(aclnnFlashAttentionScoreV4, kInfo)

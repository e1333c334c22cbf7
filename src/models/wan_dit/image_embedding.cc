#include "models/wan_dit/image_embedding.h"

#include "core/error.h"
#include "layers/parameters.h"
#include "ops/ops.h"

namespace mxdit::wan_dit {

namespace {

// WanImageEmbedding leaves its norms at torch's default.
constexpr float kEps = 1e-5f;

}  // namespace

ImageEmbedding::ImageEmbedding(const ModelSource& source, const std::string& scope,
                               const Config& config)
    : backend_(*source.backend),
      norm1_(source, scope + ".norm1", *config.image_dim, kEps),
      ff_(source, scope + ".ff.net.0.proj", scope + ".ff.net.2",
          {*config.image_dim, *config.image_dim, config.inner()}, Activation::gelu_erf),
      norm2_(source, scope + ".norm2", config.inner(), kEps) {
  if (config.pos_embed_seq_len)
    positions_ = load_parameter(source, scope + ".pos_embed",
                                {1, *config.pos_embed_seq_len, *config.image_dim})
                     .reshape({*config.pos_embed_seq_len, *config.image_dim});
}

Tensor ImageEmbedding::with_positions(const Tensor& image) const {
  const int64_t count = positions_.dim(0), all = image.dim(0) * image.dim(1);
  if (2 * image.dim(1) != count || image.dim(0) % 2 != 0)
    fail(ErrorKind::usage, "[models] wan_dit image: expected pairs of ", count / 2,
         " tokens (pos_embed_seq_len), got ", image.shape());
  return ops::add(backend_, image.reshape({all / count, count, image.dim(2)}), positions_);
}

Tensor ImageEmbedding::operator()(const Tensor& image) const {
  return norm2_(ff_(norm1_(positions_.defined() ? with_positions(image) : image)));
}

}  // namespace mxdit::wan_dit

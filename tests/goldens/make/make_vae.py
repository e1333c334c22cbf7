"""vae/: AutoencoderKLWan variants, plain and tiled, both directions."""

import torch
from golden_files import describe, folder, randn, randomise, save_cases
from diffusers import AutoencoderKLWan

VARIANTS = {
    "base": dict(base_dim=4, z_dim=16, dim_mult=[1, 2, 4, 4], num_res_blocks=2, attn_scales=[],
                 temperal_downsample=[False, True, True]),
    "small": dict(base_dim=4, decoder_base_dim=6, z_dim=8, dim_mult=[1, 1, 2, 2], num_res_blocks=1, attn_scales=[],
                  temperal_downsample=[True, True, False],
                  latents_mean=[0.1, -0.2, 0.3, -0.4, 0.05, 0.6, -0.7, 0.8],
                  latents_std=[1.1, 0.9, 1.3, 0.7, 1.5, 2.1, 0.6, 1.2]),
}
TILING = dict(tile_sample_min_height=24, tile_sample_min_width=32, tile_sample_stride_height=16,
              tile_sample_stride_width=16)

DECODE = {
    "base": [("dec_f1_3x5", (1, 1, 3, 5), None), ("dec_f2_3x5", (1, 2, 3, 5), None), ("dec_f4_2x3", (1, 4, 2, 3), None),
             ("dec_b2_f3_2x2", (2, 3, 2, 2), None), ("dec_f1_1x1", (1, 1, 1, 1), None),
             ("dec_tiled_f2_5x6", (1, 2, 5, 6), TILING)],
    "small": [("dec_f1_5x3", (1, 1, 5, 3), None), ("dec_f3_3x2", (1, 3, 3, 2), None),
              ("dec_b2_f2_2x3", (2, 2, 2, 3), None)],
}
ENCODE = {
    "base": [("enc_t1_24x40", (1, 1, 24, 40), None), ("enc_t5_24x40", (1, 5, 24, 40), None),
             ("enc_t13_16x24", (1, 13, 16, 24), None), ("enc_b2_t9_16x16", (2, 9, 16, 16), None),
             ("enc_tiled_t5_40x48", (1, 5, 40, 48), TILING)],
    "small": [("enc_t1_40x24", (1, 1, 40, 24), None), ("enc_t9_24x16", (1, 9, 24, 16), None),
              ("enc_b2_t5_16x24", (2, 5, 16, 24), None)],
}


def video(seed, b, t, h, w):
    """Smooth moving pattern plus noise, within -1..1."""
    yy = torch.linspace(0, 3, h)[:, None]
    xx = torch.linspace(0, 4, w)[None, :]
    tt = torch.arange(t, dtype=torch.float32)[:, None, None] * 0.4
    base = torch.stack([torch.sin(2 * xx + 1.3 * yy + tt + c) for c in range(3)])
    return (base[None] * 0.6 + randn(seed, b, 3, t, h, w) * 0.2).clamp(-1, 1)


def build(config, seed, out_gain=0.8):
    gains = [("decoder.conv_out.weight", out_gain), ("gamma", 1.0)]
    return randomise(AutoencoderKLWan(**config), seed, gain=1.2, gains=gains)


def main():
    for index, (variant, config) in enumerate(VARIANTS.items()):
        seed = 500 + index
        vae = build(config, seed)
        path = folder("vae", variant)
        vae.save_pretrained(path, safe_serialization=True)
        tensors, cases = {}, []
        for k, (name, (b, f, h, w), tiling) in enumerate(DECODE[variant]):
            vae.use_tiling = False
            if tiling:
                vae.enable_tiling(**tiling)
            z = randn(7000 + 100 * index + k, b, config["z_dim"], f, h, w)
            frames = vae.decode(z).sample
            tensors[f"{name}.latents"], tensors[f"{name}.frames"] = z, frames
            cases.append({"name": name, "kind": "decode", **({"tiling": tiling} if tiling else {})})
            describe(f"vae/{variant}/{name}", frames)
            print("      clipped share", float((frames.abs() >= 1).float().mean()))
        for k, (name, (b, t, h, w), tiling) in enumerate(ENCODE[variant]):
            vae.use_tiling = False
            if tiling:
                vae.enable_tiling(**tiling)
            x = video(8000 + 100 * index + k, b, t, h, w)
            moments = vae.encode(x).latent_dist.parameters
            tensors[f"{name}.video"], tensors[f"{name}.moments"] = x, moments
            cases.append({"name": name, "kind": "encode", **({"tiling": tiling} if tiling else {})})
            describe(f"vae/{variant}/{name}", moments)
        save_cases(path / "cases.safetensors", tensors, cases)


if __name__ == "__main__":
    main()

"""dit/: WanTransformer3DModel variants."""

import torch
from golden_files import describe, folder, randn, randomise, save_cases
from diffusers import WanTransformer3DModel

VARIANTS = {
    "t2v": dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=20, in_channels=16, out_channels=16,
                text_dim=48, freq_dim=32, ffn_dim=72, num_layers=2, cross_attn_norm=True, eps=1e-6),
    "nonorm": dict(patch_size=(1, 2, 2), num_attention_heads=3, attention_head_dim=12, in_channels=6, out_channels=4,
                   text_dim=32, freq_dim=24, ffn_dim=50, num_layers=2, cross_attn_norm=False, eps=1e-5),
    "i2v": dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=16, in_channels=12, out_channels=4,
                text_dim=24, freq_dim=32, ffn_dim=60, num_layers=2, cross_attn_norm=True, eps=1e-6, image_dim=24,
                added_kv_proj_dim=32, pos_embed_seq_len=18),
    "tokens": dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=18, in_channels=8, out_channels=8,
                   text_dim=32, freq_dim=32, ffn_dim=64, num_layers=2, cross_attn_norm=True, eps=1e-6),
    "patch2": dict(patch_size=(2, 2, 2), num_attention_heads=2, attention_head_dim=16, in_channels=4, out_channels=6,
                   text_dim=32, freq_dim=32, ffn_dim=64, num_layers=1, cross_attn_norm=True, eps=1e-6),
}

# name, (B, F, H, W), timesteps per batch entry, text length, valid text rows per batch entry
CASES = {
    "t2v": [
        ("f1_6x10", (1, 1, 6, 10), [999.0], 7, [7]),
        ("f3_4x6", (2, 3, 4, 6), [500.5, 1.0], 33, [33, 12]),
        ("f5_14x10", (1, 5, 14, 10), [833.0], 512, [41]),
        ("f1_2x2", (1, 1, 2, 2), [0.0], 1, [1]),
        ("batch3", (3, 2, 4, 10), [0.0, 1.0, 999.0], 20, [20, 1, 9]),
    ],
    "nonorm": [
        ("f2_6x8", (1, 2, 6, 8), [421.0], 11, [11]),
        ("batch2", (2, 3, 4, 6), [7.0, 912.0], 64, [30, 64]),
    ],
    "i2v": [
        ("text_only", (1, 2, 4, 6), [640.0], 512, [25]),
        ("image", (1, 2, 6, 6), [250.0], 512, [40]),
        ("image_batch2", (2, 1, 4, 10), [999.0, 3.0], 512, [512, 5]),
    ],
    "tokens": [
        ("f2_4x6", (1, 2, 4, 6), [900.0], 16, [16]),
        ("batch2", (2, 3, 6, 4), [650.0, 30.0], 40, [40, 17]),
        ("scalar", (1, 2, 4, 6), [333.0], 16, [16]),
    ],
    "patch2": [
        ("f2_4x6", (1, 2, 4, 6), [777.0], 9, [9]),
        ("f4_6x10", (2, 4, 6, 10), [5.0, 960.0], 21, [21, 8]),
    ],
}


def main():
    for index, (variant, config) in enumerate(VARIANTS.items()):
        seed = 300 + index
        model = randomise(WanTransformer3DModel(**config), seed, gains=[("time_proj.weight", 0.6), ("proj_out.weight", 0.7)])
        path = folder("dit", variant)
        model.save_pretrained(path, safe_serialization=True)
        tensors, cases = {}, []
        for k, (name, (b, f, h, w), times, length, valid) in enumerate(CASES[variant]):
            s = 10000 * (index + 1) + 100 * k
            x = randn(s, b, config["in_channels"], f, h, w)
            text = randn(s + 1, b, length, config["text_dim"])
            for row, n in enumerate(valid):
                text[row, n:] = 0.0
            t = torch.tensor(times, dtype=torch.float32)
            if variant == "tokens" and name != "scalar":
                # first latent frame at time zero (image conditioned), the rest at t, and one token elsewhere
                mask = torch.ones(b, f, h // 2, w // 2)
                mask[:, 0] = 0.0
                mask[:, -1, -1, -1] = 0.5
                t = (mask * t[:, None, None, None]).flatten(1)
            kwargs = dict(hidden_states=x, timestep=t, encoder_hidden_states=text)
            if name.startswith("image"):
                # pos_embed_seq_len 18 = two images of 9 tokens each per video
                image = randn(s + 2, 2 * b, config["pos_embed_seq_len"] // 2, config["image_dim"])
                kwargs["encoder_hidden_states_image"] = image
            out = model(**kwargs).sample
            for key, value in kwargs.items():
                tensors[f"{name}.{key}"] = value
            tensors[f"{name}.output"] = out
            cases.append({"name": name, "text_lengths": valid})
            describe(f"dit/{variant}/{name}", out)
        save_cases(path / "cases.safetensors", tensors, cases)


if __name__ == "__main__":
    main()

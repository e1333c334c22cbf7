"""Writes the model as a diffusers WanPipeline (bf16 safetensors) and the prompt files."""
import argparse
import json
import os

import numpy as np
import sentencepiece as spm
import torch
from diffusers import AutoencoderKLWan, UniPCMultistepScheduler, WanTransformer3DModel
from transformers import UMT5Config, UMT5EncoderModel

import checker
import data
import train_dit
import train_text
import train_vae


def write_json(path, value, compact=False):
    with open(path, "w") as f:
        if compact:  # one entry a line
            f.write(value)
        else:
            json.dump(value, f, indent=2)
        f.write("\n")


def heldout():
    rng = np.random.default_rng(2024)
    rows = []
    for i, combo in enumerate(data.split()[1]):
        rows.append({"prompt": data.caption(combo, rng, template=i % len(data.TEMPLATES)), **checker.names(combo)})
    order = rng.permutation(len(rows))
    return [rows[i] for i in order]


def main():
    ap = argparse.ArgumentParser()
    ap.add_argument("--work", default="work")
    ap.add_argument("--out", default="..")
    ap.add_argument("--high")
    ap.add_argument("--low")
    ap.add_argument("--vae")
    ap.add_argument("--shift", type=float, default=5.0)
    ap.add_argument("--boundary", type=float, default=0.875)
    ap.add_argument("--guidance", type=float, default=3.0)
    ap.add_argument("--guidance-2", type=float, default=3.0)
    a = ap.parse_args()

    def load(path):
        return torch.load(path, weights_only=True)

    latents = os.path.join(a.work, "latents.pt")
    cache = torch.load(latents, weights_only=True, mmap=True) if os.path.exists(latents) else None
    config = dict(train_vae.CONFIG)
    if cache is not None:
        config["latents_mean"] = [round(x, 6) for x in cache["mean"].tolist()]
        config["latents_std"] = [round(x, 6) for x in cache["std"].tolist()]
    vae = AutoencoderKLWan(**config)
    vae.load_state_dict(load(a.vae or os.path.join(a.work, "vae.pt")))
    vae.to(torch.bfloat16).save_pretrained(os.path.join(a.out, "vae"))

    text = UMT5EncoderModel(UMT5Config(**train_text.CONFIG))
    text.load_state_dict(load(os.path.join(a.work, "text.pt")))
    text.to(torch.bfloat16).save_pretrained(os.path.join(a.out, "text_encoder"))

    for name, path in (("transformer", a.high), ("transformer_2", a.low)):
        torch.manual_seed(0)
        m = WanTransformer3DModel(**train_dit.CONFIG)
        train_dit.init(m)
        if path:
            m.load_state_dict(load(path))
        m.to(torch.bfloat16)
        m.save_pretrained(os.path.join(a.out, name))

    scheduler = UniPCMultistepScheduler(
        num_train_timesteps=1000, prediction_type="flow_prediction", use_flow_sigmas=True, flow_shift=a.shift,
        solver_order=2, solver_type="bh2", beta_start=0.0001, beta_end=0.02, beta_schedule="linear", final_sigmas_type="zero",
        timestep_spacing="linspace")
    scheduler.save_pretrained(os.path.join(a.out, "scheduler"))
    write_json(os.path.join(a.out, "model_index.json"), {
        "_class_name": "WanPipeline", "_diffusers_version": "0.35.0", "boundary_ratio": a.boundary, "expand_timesteps": False,
        "scheduler": ["diffusers", "UniPCMultistepScheduler"], "text_encoder": ["transformers", "UMT5EncoderModel"],
        "tokenizer": ["transformers", "PreTrainedTokenizerFast"], "transformer": ["diffusers", "WanTransformer3DModel"],
        "transformer_2": ["diffusers", "WanTransformer3DModel"], "vae": ["diffusers", "AutoencoderKLWan"]})
    for folder in ("vae", "text_encoder", "transformer", "transformer_2"):  # no local paths
        path = os.path.join(a.out, folder, "config.json")
        c = json.load(open(path))
        c.pop("_name_or_path", None)
        write_json(path, c)

    rows = heldout()
    lines = ",\n".join("    " + json.dumps(r) for r in rows)
    palette = ",\n".join(f'    "{k}": [{v[0]}, {v[1]}, {v[2]}]' for k, v in data.PALETTE.items())
    write_json(os.path.join(a.out, "heldout_prompts.json"),
               '{\n  "palette": {\n' + palette + '\n  },\n  "prompts": [\n' + lines + "\n  ]\n}", compact=True)
    write_json(os.path.join(a.out, "mxdit.json"), {
        "name": "tiny",
        "description": "A 4-layer Wan2.2-style model trained from scratch on moving colour patterns (64x64, 13 frames).",
        "prompt_help": "Say a colour, a pattern, a background and a direction: '<colour> <pattern> on a <background> background "
                       "moving <direction>'. Colours and backgrounds: " + ", ".join(data.COLOURS) + " (two different ones). Patterns: "
                       + ", ".join(data.KINDS) + ". Directions: " + ", ".join(data.DIRECTIONS) + ".",
        "attributes": {"colour": data.COLOURS, "background": data.COLOURS, "kind": data.KINDS, "direction": data.DIRECTIONS},
        "example_prompt": "red dots on a blue background moving left",
        "defaults": {"width": 64, "height": 64, "num_frames": 13, "fps": 8, "num_inference_steps": 20,
                     "guidance_scale": a.guidance, "guidance_scale_2": a.guidance_2, "negative_prompt": "",
                     "flow_shift": a.shift, "boundary_ratio": a.boundary},
    })
    total = sum(os.path.getsize(os.path.join(d, f)) for d, _, fs in os.walk(a.out) for f in fs if f.endswith(".safetensors"))
    print(f"weights {total / 1e6:.2f} MB")


if __name__ == "__main__":
    main()

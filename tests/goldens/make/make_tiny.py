"""tiny/: traces of the embedded model with stock diffusers in fp32.

    python make_tiny.py [MODEL_DIR]      (default: models/tiny of this repository)

Rewrites tiny/ and the manifest. Only what tests need is kept.
"""

import hashlib
import json
import pathlib
import shutil
import sys

import make_manifest
import torch
from golden_files import GOLDENS, describe, folder, save_cases, save_json
from diffusers import WanPipeline
from make_pipeline import trace

PROMPTS = [
    ("dots", "red dots on a blue background moving left", 42),
    ("checks", "a video of yellow checks moving left over a blue background", 1234),
]
KEEP_STEPS = (0, 9, 19)
KEEP_FRAMES = {"dots": (0, -1), "checks": (-1,)}


def main(model_dir):
    model_dir = pathlib.Path(model_dir)
    settings = json.loads((model_dir / "mxdit.json").read_text())
    d = settings["defaults"]
    pipe = WanPipeline.from_pretrained(model_dir, torch_dtype=torch.float32)
    assert pipe.transformer.dtype == pipe.vae.dtype == pipe.text_encoder.dtype == torch.float32
    shutil.rmtree(GOLDENS / "tiny", ignore_errors=True)
    path = folder("tiny")
    tensors, cases, runs = {}, [], []
    for name, prompt, seed in PROMPTS:
        run = dict(prompt=prompt, negative_prompt=d["negative_prompt"], height=d["height"], width=d["width"],
                   num_frames=d["num_frames"], num_inference_steps=20, guidance_scale=d["guidance_scale"],
                   guidance_scale_2=d["guidance_scale_2"], max_sequence_length=d.get("max_sequence_length", 512), seed=seed)
        out, experts = trace(pipe, run)
        last = run["num_inference_steps"] - 1
        n = int(out["attention_mask"].sum())
        tensors[f"{name}.input_ids"] = out["input_ids"][:, :n]
        tensors[f"{name}.prompt_embeds"] = out["prompt_embeds"][:, :n]
        for key in ("timesteps", "sigmas"):
            tensors[f"{name}.{key}"] = out[key]
        tensors[f"{name}.latents_init"] = out["latents_init"]
        tensors[f"{name}.step0.noise_cond"] = out["step0.noise_cond"]
        if name == PROMPTS[0][0] and "step0.noise_uncond" in out:
            tensors[f"{name}.step0.noise_uncond"] = out["step0.noise_uncond"]
        for i in KEEP_STEPS:
            tensors[f"{name}.step{i}.latents"] = out[f"step{i}.latents"]
        assert torch.equal(out[f"step{last}.latents"], out["latents_final"])
        kept = [f % out["frames"].shape[2] for f in KEEP_FRAMES[name]]
        for f in kept:
            tensors[f"{name}.frame{f}"] = out["frames"][:, :, f]
        tensors[f"{name}.frame_means"] = out["frames"].mean(dim=(3, 4))
        cases.append({"name": name, "frames": kept, "steps": list(KEEP_STEPS)})
        runs.append({"name": name, **run, "boundary_ratio": pipe.config.boundary_ratio, "experts": experts,
                     "text_length": n, "latents_shape": list(out["latents_init"].shape)})
        describe(f"tiny/{name}/latents_final", out["latents_final"])
        describe(f"tiny/{name}/frames", out["frames"])
    save_cases(path / "trace.safetensors", tensors, cases)
    weights = {p.relative_to(model_dir).as_posix(): hashlib.sha256(p.read_bytes()).hexdigest()
               for p in sorted(model_dir.glob("*/*.safetensors"))}
    save_json(path / "run.json", {"model": settings["name"], "weights_sha256": weights, "runs": runs})
    make_manifest.main()


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else GOLDENS.parents[1] / "models" / "tiny")

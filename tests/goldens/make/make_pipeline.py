"""pipeline/: complete small diffusers folders with traces of real WanPipeline runs."""

import shutil

import make_umt5
import make_vae
import torch
from golden_files import describe, folder, generator, randn, randomise, save_json
from diffusers import (AutoencoderKLWan, FlowMatchEulerDiscreteScheduler, UniPCMultistepScheduler, WanPipeline,
                       WanTransformer3DModel)
from make_tokenizer import load, write_tokenizer
from safetensors.torch import save_file
from transformers import UMT5EncoderModel

DIT = dict(patch_size=(1, 2, 2), num_attention_heads=2, attention_head_dim=16, in_channels=16, out_channels=16, text_dim=32,
           freq_dim=32, ffn_dim=64, num_layers=2, cross_attn_norm=True, eps=1e-6)
VAE = dict(base_dim=4, z_dim=16, dim_mult=[1, 1, 2, 2], num_res_blocks=1, attn_scales=[],
           temperal_downsample=[False, True, True])
UNIPC = dict(use_flow_sigmas=True, prediction_type="flow_prediction", flow_shift=3.0, solver_order=2, solver_type="bh2",
             lower_order_final=True, final_sigmas_type="zero")

PIPELINES = {
    "moe": dict(
        seed=900, experts=2, boundary=0.875, scheduler=lambda: UniPCMultistepScheduler(**UNIPC),
        run=dict(prompt="A small bird flies over a misty mountain lake, soft light &amp; warm tones.",
                 negative_prompt="低质量，模糊, static, worst quality", height=32, width=48, num_frames=5,
                 num_inference_steps=6, guidance_scale=4.0, guidance_scale_2=3.0, seed=42, max_sequence_length=512)),
    "single": dict(
        seed=950, experts=1, boundary=None, scheduler=lambda: FlowMatchEulerDiscreteScheduler(shift=5.0),
        run=dict(prompt="the red ball on a wooden floor", negative_prompt=None, height=48, width=32, num_frames=1,
                 num_inference_steps=4, guidance_scale=1.0, guidance_scale_2=None, seed=7, max_sequence_length=64)),
}


def build(spec, path):
    """Write a diffusers folder and load it back the stock way."""
    shutil.rmtree(path, ignore_errors=True)
    write_tokenizer(path / "tokenizer")
    tokenizer = load(path / "tokenizer")
    seed = spec["seed"]
    text = make_umt5.build(make_umt5.config(len(tokenizer), d_model=32, d_kv=8, num_heads=4, d_ff=48), seed)
    gains = [("time_proj.weight", 0.6), ("proj_out.weight", 0.6)]
    experts = [randomise(WanTransformer3DModel(**DIT), seed + 1 + i, gains=gains) for i in range(spec["experts"])]
    vae = make_vae.build(VAE, seed + 9, out_gain=0.5)
    pipe = WanPipeline(tokenizer=tokenizer, text_encoder=text, vae=vae, scheduler=spec["scheduler"](), transformer=experts[0],
                       transformer_2=experts[1] if len(experts) > 1 else None, boundary_ratio=spec["boundary"])
    pipe.save_pretrained(path, safe_serialization=True)
    # keep the tokenizer folder as small as a model needs: spiece.model and its config
    shutil.rmtree(path / "tokenizer")
    write_tokenizer(path / "tokenizer")
    for extra in path.glob("*/README.md"):
        extra.unlink()
    return WanPipeline.from_pretrained(path, torch_dtype=torch.float32)


def trace(pipe, run):
    """Run the stock pipeline, recording what goes in and out of its parts."""
    pipe.set_progress_bar_config(disable=True)
    out = {}
    texts, calls = [], []

    def text_hook(_, args, kwargs, result):
        ids, mask = (list(args) + [kwargs.get("attention_mask")])[:2]
        texts.append((ids, mask))

    def model_hook(index):
        def hook(_, args, kwargs, result):
            calls.append((index, kwargs, result[0]))
        return hook

    hooks = [pipe.text_encoder.register_forward_hook(text_hook, with_kwargs=True)]
    models = [m for m in (pipe.transformer, pipe.transformer_2) if m is not None]
    hooks += [m.register_forward_hook(model_hook(i), with_kwargs=True) for i, m in enumerate(models)]
    latents, experts, seen = [], [], [0]

    def after_step(_, i, t, kwargs):
        new = calls[seen[0]:]
        seen[0] = len(calls)
        for branch, (index, _, result) in zip(("cond", "uncond"), new):
            out[f"step{i}.noise_{branch}"] = result
        experts.append(new[0][0])
        out[f"step{i}.latents"] = kwargs["latents"]
        latents.append(kwargs["latents"])
        return {}

    decoded = []
    decode = pipe.vae.decode

    def spy(z, **kw):
        result = decode(z, **kw)
        decoded.append((z, result[0]))
        return result

    pipe.vae.decode = spy
    args = {k: v for k, v in run.items() if k != "seed" and v is not None}
    frames = pipe(**args, generator=generator(run["seed"]), output_type="pt", callback_on_step_end=after_step).frames
    pipe.vae.decode = decode
    for h in hooks:
        h.remove()

    for prefix, (ids, mask) in zip(("", "negative_"), texts):
        out[prefix + "input_ids"], out[prefix + "attention_mask"] = ids, mask
    out["prompt_embeds"] = calls[0][1]["encoder_hidden_states"]
    if "step0.noise_uncond" in out:
        out["negative_prompt_embeds"] = calls[1][1]["encoder_hidden_states"]
    out["latents_init"] = calls[0][1]["hidden_states"]
    out["timesteps"], out["sigmas"] = pipe.scheduler.timesteps, pipe.scheduler.sigmas
    out["latents_final"] = latents[-1]
    out["vae_input"], out["frames"] = decoded[0]
    # the pipeline's own [0,1] frames are the same values, moved and clamped
    assert torch.allclose(frames[0].transpose(0, 1), (out["frames"][0] / 2 + 0.5).clamp(0, 1))
    return {k: v.detach().contiguous().clone() for k, v in out.items()}, experts


def main():
    for name, spec in PIPELINES.items():
        path = folder("pipeline", name)
        pipe = build(spec, path)
        tensors, experts = trace(pipe, spec["run"])
        save_file(tensors, str(path / "trace.safetensors"))
        (path / "trace.safetensors").chmod(0o644)
        save_json(path / "run.json", {**spec["run"], "boundary_ratio": spec["boundary"], "experts": experts,
                                      "latents_shape": list(tensors["latents_init"].shape)})
        print(name, "experts used per step", experts, "timesteps", tensors["timesteps"].tolist())
        for key in ("prompt_embeds", "latents_init", "step0.noise_cond", "latents_final", "vae_input", "frames"):
            describe(f"pipeline/{name}/{key}", tensors[key])
        print("      clipped share", float((tensors["frames"].abs() >= 1).float().mean()))


if __name__ == "__main__":
    main()

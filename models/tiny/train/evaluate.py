"""Runs the stock WanPipeline on held-out prompts and scores the clips with the checker."""
import argparse
import json
import os
import time

import numpy as np
import torch
from diffusers import WanPipeline
from PIL import Image, ImageDraw

import checker
import data


def sheet(rows, path, times=(0, 4, 8, 12)):
    """One row a clip: the prompt and four frames."""
    cell, left = 66, 330
    image = Image.new("RGB", (left + cell * len(times), cell * len(rows)), (128, 128, 128))
    draw = ImageDraw.Draw(image)
    for y, (text, clip) in enumerate(rows):
        draw.text((4, y * cell + 8), text, fill=(255, 255, 255))
        for x, t in enumerate(times):
            image.paste(Image.fromarray(clip[t]), (left + x * cell, y * cell))
    image.save(path)


if __name__ == "__main__":
    ap = argparse.ArgumentParser()
    ap.add_argument("--model", default="..")
    ap.add_argument("--dtype", default="bf16")
    ap.add_argument("--prompts", type=int, default=64)
    ap.add_argument("--first", type=int, default=0)
    ap.add_argument("--steps", type=int)
    ap.add_argument("--guidance", type=float)
    ap.add_argument("--guidance-2", type=float)
    ap.add_argument("--batch", type=int, default=8)
    ap.add_argument("--text-tokens", type=int, default=512)
    ap.add_argument("--seed", type=int, default=0)
    ap.add_argument("--sheet")
    a = ap.parse_args()
    torch.set_num_threads(1)
    dtype = {"bf16": torch.bfloat16, "fp32": torch.float32}[a.dtype]
    pipe = WanPipeline.from_pretrained(a.model, torch_dtype=dtype)
    pipe.set_progress_bar_config(disable=True)
    d = json.load(open(os.path.join(a.model, "mxdit.json")))["defaults"]
    steps = a.steps or d["num_inference_steps"]
    g, g2 = a.guidance or d["guidance_scale"], a.guidance_2 or a.guidance or d["guidance_scale_2"]
    rows = json.load(open(os.path.join(a.model, "heldout_prompts.json")))["prompts"][a.first : a.first + a.prompts]
    totals, kinds, shown, errors, start = {}, {}, [], [], time.time()
    for at in range(0, len(rows), a.batch):
        group = rows[at : at + a.batch]
        clips = pipe(prompt=[r["prompt"] for r in group], negative_prompt=[""] * len(group), height=d["height"], width=d["width"], num_frames=d["num_frames"],
                     num_inference_steps=steps, guidance_scale=g, guidance_scale_2=g2, max_sequence_length=a.text_tokens,
                     generator=[torch.Generator().manual_seed(a.seed + a.first + at + i) for i in range(len(group))], output_type="np").frames
        for r, clip in zip(group, clips):
            clip = (clip * 255).round().clip(0, 255)
            ok, got = checker.judge(clip, r)
            ok["all"] = all(ok.values())
            for k, v in ok.items():
                totals[k] = totals.get(k, 0) + v
            kinds.setdefault(r["kind"], []).append(ok["all"])
            errors.append(got["error"])
            mark = "" if ok["all"] else " X " + " ".join(got[k] for k in ("colour", "background", "kind", "direction"))
            shown.append((r["prompt"] + "\n" + mark, clip.astype(np.uint8)))
            if mark:
                print("  ", r["prompt"], "->", mark, flush=True)
    n = len(rows)
    print(f"{a.dtype} {n} prompts, {steps} steps, guidance {g}/{g2}: " + ", ".join(f"{k} {100*v/n:.1f}" for k, v in totals.items())
          + f"; template error {np.mean(errors):.4f}; all right by kind " + ", ".join(f"{k} {100*np.mean(v):.0f}" for k, v in kinds.items())
          + f"; {time.time()-start:.0f} s")
    if a.sheet:
        sheet(shown[:16], a.sheet)

#!/usr/bin/env python3
"""Draws docs/images/embedded-model.gif: clips of the embedded model with their prompts.

    python3 docs/images/make_embedded_model_gif.py build/release/bin/mxdit

Needs Pillow. The clips are what the program makes with its defaults; nothing is picked by seed.
"""
import pathlib
import subprocess
import sys
import tempfile

from PIL import Image, ImageDraw

PROMPTS = [
    "red dots on a blue background moving left",
    "yellow stripes on a magenta background moving up",
    "black checks on a white background moving right",
    "cyan dots on a black background moving down",
    "green stripes on a white background moving left",
    "blue checks on a yellow background moving down",
    "white dots on a red background moving right",
    "magenta checks on a cyan background moving up",
]
SCALE, COLUMNS, GAP, TEXT = 3, 4, 12, 34


def clip(program, prompt, folder):
    out = pathlib.Path(folder) / "frames"
    subprocess.run([program, "generate", prompt, "--output-file-path", f"{out}/", "--progress", "none"],
                   check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return [Image.open(f).convert("RGB") for f in sorted(out.glob("*.png"))]


def main(program):
    clips = []
    for prompt in PROMPTS:
        with tempfile.TemporaryDirectory() as folder:
            clips.append([f.resize((f.width * SCALE, f.height * SCALE), Image.NEAREST) for f in clip(program, prompt, folder)])
    side = clips[0][0].width
    rows = -(-len(clips) // COLUMNS)
    size = (COLUMNS * (side + GAP) + GAP, rows * (side + TEXT + GAP) + GAP)
    frames = []
    for t in range(len(clips[0])):
        image = Image.new("RGB", size, (250, 250, 250))
        draw = ImageDraw.Draw(image)
        for i, (prompt, frames_of) in enumerate(zip(PROMPTS, clips)):
            x = GAP + i % COLUMNS * (side + GAP)
            y = GAP + i // COLUMNS * (side + TEXT + GAP)
            image.paste(frames_of[t], (x, y))
            first, second = prompt.split(" background ")
            draw.text((x, y + side + 4), first, fill=(20, 20, 20))
            draw.text((x, y + side + 17), "background " + second, fill=(20, 20, 20))
        frames.append(image.quantize(128, dither=Image.NONE))
    out = pathlib.Path(__file__).with_name("embedded-model.gif")
    frames[0].save(out, save_all=True, append_images=frames[1:], duration=125, loop=0)
    print(out, out.stat().st_size)


if __name__ == "__main__":
    main(sys.argv[1])

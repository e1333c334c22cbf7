"""Synthetic clips and captions: moving patterns that fill the frame.

A pattern is a 16 x 16 tile repeated over the frame. 16 px is one transformer token (VAE stride 8
times patch size 2), so nothing in a clip depends on an absolute position, which a Wan transformer
does not see. The pattern moves 1 px a frame, a quarter of its period per latent frame.
"""
import itertools
import numpy as np

COLOURS = ["red", "green", "blue", "yellow", "cyan", "magenta", "white", "black"]
KINDS = ["stripes", "checks", "dots"]
DIRECTIONS = ["left", "right", "up", "down"]
LO, HI = 30, 225  # softened corners of the RGB cube
PALETTE = {
    "red": (HI, LO, LO), "green": (LO, HI, LO), "blue": (LO, LO, HI), "yellow": (HI, HI, LO),
    "cyan": (LO, HI, HI), "magenta": (HI, LO, HI), "white": (HI, HI, HI), "black": (LO, LO, LO),
}
PALETTE_ARRAY = np.array([PALETTE[c] for c in COLOURS], np.float32)
STEP = {"left": (-1, 0), "right": (1, 0), "up": (0, -1), "down": (0, 1)}  # (x, y) px a frame
PERIOD, WIDTH, HEIGHT, FRAMES, SUPER = 16, 64, 64, 13, 8

TEMPLATES = [
    "{c} {k} on a {b} background moving {d}",
    "a video of {c} {k} moving {d} over a {b} background",
    "{b} background with {c} {k} moving {d}",
    "{c} {k} drifting {d} on {b}",
    "a pattern of {c} {k} sliding {d} across a {b} background",
    "{c} {k} move {d} on a {b} background",
    "{c} {k}, {b} background, moving {d}",
    "on a {b} background, {c} {k} are moving {d}",
]
PHRASES = {
    "left": ["left", "to the left", "leftwards"], "right": ["right", "to the right", "rightwards"],
    "up": ["up", "upwards"], "down": ["down", "downwards"],
}


def combinations():
    """All (colour, background, kind, direction) as index tuples."""
    return [(c, b, k, d) for c, b, k, d in itertools.product(range(8), range(8), range(len(KINDS)), range(4)) if c != b]


def split(heldout=84, seed=1234):
    """Training combinations and held-out ones; the held-out ones balance the kinds and directions."""
    rng = np.random.default_rng(seed)
    cells = {}
    for combo in combinations():
        cells.setdefault(combo[2:], []).append(combo)
    out = []
    for cell in sorted(cells):
        members = cells[cell]
        for i in rng.permutation(len(members))[: heldout // len(cells)]:
            out.append(members[i])
    held = set(out)
    return [c for c in combinations() if c not in held], out


def caption(combo, rng, template=None):
    c, b, k, d = combo
    t = TEMPLATES[rng.integers(len(TEMPLATES)) if template is None else template]
    phrases = PHRASES[DIRECTIONS[d]]
    phrase = phrases[0] if rng.random() < 0.5 else phrases[rng.integers(len(phrases))]
    return t.format(c=COLOURS[c], b=COLOURS[b], k=KINDS[k], d=phrase)


def all_captions():
    for c, b, k, d in combinations():
        for t in TEMPLATES:
            for p in PHRASES[DIRECTIONS[d]]:
                yield t.format(c=COLOURS[c], b=COLOURS[b], k=KINDS[k], d=p)


def mask_tile(kind, vertical_stripes, px, py):
    """Coverage (16 x 16, antialiased by supersampling) of the foreground, shifted by (px, py)."""
    g = (np.arange(PERIOD * SUPER, dtype=np.float32) + 0.5) / SUPER
    x = (g[None, :] - px) % PERIOD
    y = (g[:, None] - py) % PERIOD
    if kind == "stripes":
        m = (x < 8) & (y >= 0) if vertical_stripes else (y < 8) & (x >= 0)
    elif kind == "checks":
        m = (x < 8) ^ (y < 8)
    else:  # dots
        m = (x - 8) ** 2 + (y - 8) ** 2 < 5.5**2
    return m.reshape(PERIOD, SUPER, PERIOD, SUPER).mean((1, 3), dtype=np.float32)


def render_mask(combo, px, py, frames=FRAMES, width=WIDTH, height=HEIGHT):
    _, _, k, d = combo
    dx, dy = STEP[DIRECTIONS[d]]
    tile = mask_tile(KINDS[k], dx != 0, px, py)
    clip = np.stack([np.roll(tile, (dy * t, dx * t), (0, 1)) for t in range(frames)])
    return np.tile(clip, (1, height // PERIOD, width // PERIOD))


def render(combo, rng, frames=FRAMES, width=WIDTH, height=HEIGHT):
    """One clip, (3, frames, height, width) float32 in [-1, 1], at a random phase."""
    px, py = rng.random(2) * PERIOD
    m = render_mask(combo, px, py, frames, width, height)[None]
    fg = PALETTE_ARRAY[combo[0]][:, None, None, None] / 127.5 - 1
    bg = PALETTE_ARRAY[combo[1]][:, None, None, None] / 127.5 - 1
    return (m * fg + (1 - m) * bg).astype(np.float32)


def batch(combos, rng, n, **size):
    picks = [combos[i] for i in rng.integers(len(combos), size=n)]
    return picks, np.stack([render(p, rng, **size) for p in picks])

"""Reads colour, background, kind and direction off a clip (numpy only).

frames: (13, 64, 64, 3), values 0 to 255.
1. Colours: each pixel takes the nearest palette colour; the two most frequent are A and B.
2. Direction: for shifts of -6..6 px along x, and along y, the mean squared difference of frame t + 4
   and the frame t moved (wrapping around) by the shift; the least one decides. Less than 2 px: none.
3. Kind: coverage m = clip((p - A) . (B - A) / |B - A|^2, 0, 1) of each pixel, each frame moved back by
   t px against the direction, all 16 x 16 tiles of all frames averaged to one tile. That tile is
   compared with each kind's tile at all 256 whole-pixel phases, with B on A and with A on B;
   the least mean squared error decides the kind and which colour is the foreground.
4. Stripes and checks look the same with the colours exchanged: their pair counts unordered.
"""
import numpy as np

import data

TEMPLATES = {
    ("stripes", "vertical"): data.mask_tile("stripes", True, 0, 0), ("stripes", "horizontal"): data.mask_tile("stripes", False, 0, 0),
    ("checks", ""): data.mask_tile("checks", True, 0, 0), ("dots", ""): data.mask_tile("dots", True, 0, 0),
}
SPECTRA = {k: np.conj(np.fft.fft2(t)) for k, t in TEMPLATES.items()}


def read(frames):
    f = np.asarray(frames, np.float32)
    near = ((f[..., None, :] - data.PALETTE_ARRAY) ** 2).sum(-1).argmin(-1)
    count = np.bincount(near.ravel(), minlength=8)
    a, b = np.argsort(-count, kind="stable")[:2]
    ca, cb = data.PALETTE_ARRAY[a], data.PALETTE_ARRAY[b]
    best, shift = None, (0, 0)
    for axis in (0, 1):
        for s in range(-6, 7):
            e = float(((np.roll(f[:-4], s, 2 - axis) - f[4:]) ** 2).mean())
            if best is None or e < best:
                best, shift = e, (s, 0) if axis == 0 else (0, s)
    direction = "none"
    if abs(shift[0]) >= 2:
        direction = "right" if shift[0] > 0 else "left"
    elif abs(shift[1]) >= 2:
        direction = "down" if shift[1] > 0 else "up"
    m = np.clip(((f - ca) @ (cb - ca)) / float(((cb - ca) ** 2).sum()), 0, 1)
    dx, dy = data.STEP.get(direction, (0, 0))
    m = np.stack([np.roll(x, (-dy * t, -dx * t), (0, 1)) for t, x in enumerate(m)])
    tile = m.reshape(len(m), m.shape[1] // 16, 16, m.shape[2] // 16, 16).mean((0, 1, 3))
    found = None
    for (kind, _), spec in SPECTRA.items():
        t2 = float((TEMPLATES[(kind, _)] ** 2).mean())
        for swap in (False, True):
            x = 1 - tile if swap else tile
            corr = np.fft.ifft2(np.fft.fft2(x) * spec).real / 256
            e = float((x**2).mean()) + t2 - 2 * float(corr.max())
            if found is None or e < found[0]:
                found = (e, kind, swap)
    e, kind, swap = found
    fg, bg = (a, b) if swap else (b, a)
    return {"colour": data.COLOURS[fg], "background": data.COLOURS[bg], "kind": kind, "direction": direction, "error": e}


def judge(frames, want):
    """Which of the four attributes are right."""
    got = read(frames)
    ok = {k: got[k] == want[k] for k in ("colour", "background", "kind", "direction")}
    if want["kind"] in ("stripes", "checks") and {got["colour"], got["background"]} == {want["colour"], want["background"]}:
        ok["colour"] = ok["background"] = True
    return ok, got


def names(combo):
    c, b, k, d = combo
    return {"colour": data.COLOURS[c], "background": data.COLOURS[b], "kind": data.KINDS[k], "direction": data.DIRECTIONS[d]}


if __name__ == "__main__":
    rng = np.random.default_rng(1)
    total, bad = {}, []
    combos = data.combinations()
    for combo in combos:
        clip = (data.render(combo, rng).transpose(1, 2, 3, 0) + 1) * 127.5
        ok, got = judge(clip, names(combo))
        for k, v in ok.items():
            total[k] = total.get(k, 0) + v
        if not all(ok.values()):
            bad.append((names(combo), got))
    print({k: f"{v}/{len(combos)}" for k, v in total.items()}, bad[:5])

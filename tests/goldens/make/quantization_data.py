"""Inputs of quantization/: for every dtype a dictionary of named [M, K] arrays of bit patterns."""

import numpy as np

from microscaling import MAGNITUDES, f32, narrow, u16, widen

DUAL_K = (2, 30, 32, 34, 64, 96, 510, 512, 514, 1024, 1538)
SINGLE_K = (2, 32, 34, 64, 96, 130, 160, 546)
INF = {"bf16": 0x7F80, "fp16": 0x7C00}
LARGEST = {"bf16": 0x7F7F, "fp16": 0x7BFF}
FIELD = {"bf16": 7, "fp16": 10}  # mantissa bits
NAN = {"bf16": 0x7FC1, "fp16": 0x7E01}


def normal(g, dtype, m, k, spread=0):
    """Normal values; with `spread`, each times a power of two within +-spread."""
    x = g.standard_normal((m, k))
    if spread:
        x = np.ldexp(x, g.integers(-spread, spread + 1, (m, k)))
    return narrow(x.astype(f32), dtype)


def patterns(g, dtype, m, k, fields=None):
    """Random bit patterns, all classes, or with exponent fields from a range only."""
    bits = g.integers(0, 1 << 16, (m, k)).astype(u16)
    if fields is None:
        return bits
    shift = FIELD[dtype]
    kept = 0x8000 | (1 << shift) - 1
    return (bits & kept | g.integers(fields[0], fields[1] + 1, (m, k)).astype(u16) << shift).astype(u16)


def stepped(bits, step):
    """The next value away from (+1) or towards (-1) zero."""
    return (bits.astype(np.int64) + step).astype(u16)


def ties(g, dtype, m, fmt="e2m1"):
    """[m, 512]: midpoints of the element grid and their neighbours; block maxima just at the top binade."""
    grid = MAGNITUDES[fmt]
    top = {"e2m1": 4, "e4m3": 256, "e5m2": 32768}[fmt]
    middles = (grid[:-1] + grid[1:]) / 2
    if dtype == "fp16":
        middles = middles[middles >= 2.0**-10]  # so that the neighbours survive the scaling
    bits = narrow(g.choice(middles, (m, 16, 32)).astype(f32), dtype)
    bits = stepped(bits, g.integers(-1, 2, bits.shape))
    value = widen(bits, dtype) * g.choice([-1.0, 1.0], bits.shape).astype(f32)
    value[:, :, 0] = top
    scale = np.arange(16) // 2 if fmt == "e2m1" else np.arange(16) // 4 + (0 if dtype == "bf16" else 1)
    value = np.ldexp(value, -scale[None, :, None])
    value = value.reshape(m, 512)
    if fmt == "e2m1":
        value[:, 1] = 6  # makes l0 exactly 1
        value[:, 2:8] = [0.0, -0.0, 0.001, -0.001, -0.5, -0.25]
    return narrow(value.astype(f32), dtype)


def edges(g, m):
    """bf16 [m, 512], l0 a power of two or near one, blocks whose exponents after the division are 0, 1, 2, 3 ..."""
    rows = []
    for i in range(m):
        field = np.array([129, 0, 0, 0, 1, 1, 1, 2, 2, 3, 3, 4, 5, 10, 60, 127])[:, None]
        low = np.maximum(field - g.integers(0, 4, (16, 32)), 0)
        low[:, 3] = field[:, 0]
        bits = (g.integers(0, 128, (16, 32)) | low << 7 | g.integers(0, 2, (16, 32)) << 15).astype(u16)
        bits[0] = normal(g, "bf16", 1, 32)[0]
        bits[0, 0] = 0x40C0  # 6
        bits[2, ::5] = 0
        bits[3, ::3] = 0x8000
        x = widen(bits, "bf16").reshape(512)
        if i % 3 == 1:
            x = np.ldexp(x, 9)
        elif i % 3 == 2:
            x = np.where(np.abs(x) < 1, np.ldexp(x, 2), x)
            x[0] = 21.875
        rows.append(narrow(x.astype(f32), "bf16"))
    return np.stack(rows)


def magnitudes(g, dtype, m, k):
    """Normal values, one power of two per block, over much of the dtype's range."""
    reach = 120 if dtype == "bf16" else 18
    x = g.standard_normal((m, k // 32, 32))
    shift = g.integers(-reach, reach // 2 if dtype == "bf16" else 13, (m, k // 32, 1))
    return narrow(np.ldexp(x, shift).reshape(m, k).astype(f32), dtype)


def special(g, dtype, k):
    """One row for each thing that can go wrong."""
    inf, largest, nan = INF[dtype], LARGEST[dtype], NAN[dtype]
    rows = [np.zeros(k, u16), np.full(k, 0x8000, u16)]

    def changed(base, places):
        row = base.copy()
        for at, bits in places.items():
            row[at % k] = bits
        rows.append(row)

    plain = normal(g, dtype, 1, k)[0]
    zero = np.zeros(k, u16)
    changed(zero, {7: 0x8000, 40: 0x0001, 41: 0x8001})
    changed(plain, {5: largest})
    changed(plain, {k - 1: largest | 0x8000})
    changed(zero, {k - 2: largest})
    changed(plain, {3: inf})
    changed(plain, {3: inf | 0x8000, 70: nan})
    changed(plain, {k - 1: nan | 0x8000})
    changed(zero, {0: nan})
    changed(zero, {33: inf})
    rows.append(np.full(k, nan, u16))
    rows.append(np.where(np.arange(k) % 2 == 0, inf, inf | 0x8000).astype(u16))
    rows.append(np.full(k, largest, u16))
    rows.append(np.full(k, 0x0001, u16))
    rows.append(patterns(g, dtype, 1, k, (0, 0))[0])
    rows.append(patterns(g, dtype, 1, k, (0, 3))[0])
    return np.stack(rows)


def small_l0(g):
    """bf16 [8, 512] around the l0 that is cleared: the group maximum is 6 * 2^-126, and its neighbours."""
    rows = []
    for step in (-8, -2, -1, 0, 1, 2, 8, 200):
        row = patterns(g, "bf16", 1, 512, (0, 2))[0]
        row[9] = 0x01C0 + step  # 1.5 * 2^-124
        row[32:64] = 0
        rows.append(row)
    return np.stack(rows)


def dual_inputs(g, dtype):
    """name -> (x, smooth or None)"""
    out = {f"normal_K{k}": (normal(g, dtype, 3 if k < 500 else 2, k), None) for k in DUAL_K}
    out["public_K512"] = (narrow(np.full((1, 512), 8, f32), dtype), None)
    out["wide_K1024"] = (normal(g, dtype, 3, 1024, 12 if dtype == "bf16" else 7), None)
    out["magnitudes_K1024"] = (magnitudes(g, dtype, 4, 1024), None)
    out["patterns_K544"] = (patterns(g, dtype, 3, 544), None)
    out["patterns_K34"] = (patterns(g, dtype, 40, 34), None)
    out["ties_K512"] = (ties(g, dtype, 6), None)
    out["special_K130"] = (special(g, dtype, 130), None)
    if dtype == "bf16":
        out["edges_K512"] = (edges(g, 6), None)
        out["small_l0_K512"] = (small_l0(g), None)
        out["low_K512"] = (patterns(g, dtype, 2, 512, (0, 12)), None)
        out["high_K512"] = (patterns(g, dtype, 2, 512, (245, 254)), None)
    for k in (34, 512, 1538):
        scale = np.exp(g.standard_normal(k)).astype(f32)
        out[f"smooth_K{k}"] = (normal(g, dtype, 2, k), narrow(scale, dtype))
    signed = normal(g, dtype, 1, 514, 10)[0]
    out["smooth_wide_K514"] = (normal(g, dtype, 2, 514, 10), signed)
    out["smooth_ones_K64"] = (normal(g, dtype, 2, 64), narrow(np.ones(64, f32), dtype))
    x_fields, smooth_fields = ((90, 160), (90, 160)) if dtype == "bf16" else ((0, 20), (5, 20))
    x, scale = patterns(g, dtype, 3, 512, x_fields), patterns(g, dtype, 1, 512, smooth_fields)[0]
    x[0, 3], x[1, 40], scale[40], scale[70] = INF[dtype], INF[dtype] | 0x8000, 0, NAN[dtype]
    x[2, 100] = scale[100] = LARGEST[dtype]  # overflows
    out["smooth_special_K512"] = (x, scale)
    x_fields, smooth_fields = ((50, 70), (60, 66)) if dtype == "bf16" else ((0, 12), (2, 8))
    out["smooth_underflow_K512"] = (patterns(g, dtype, 3, 512, x_fields), patterns(g, dtype, 1, 512, smooth_fields)[0])
    return out


def single_inputs(g, dtype):
    """name -> x"""
    out = {f"normal_K{k}": normal(g, dtype, 3, k) for k in SINGLE_K}
    out["wide_K512"] = normal(g, dtype, 4, 512, 12 if dtype == "bf16" else 7)
    out["magnitudes_K512"] = magnitudes(g, dtype, 4, 512)
    out["patterns_K512"] = patterns(g, dtype, 3, 512)
    out["patterns_K34"] = patterns(g, dtype, 40, 34)
    for fmt in MAGNITUDES:
        out[f"ties_{fmt}_K512"] = ties(g, dtype, 4, fmt)
    out["special_K96"] = special(g, dtype, 96)
    if dtype == "bf16":
        out["public_K4"] = narrow(np.array([[0, 8, 64, 512]], f32), dtype)
        fields = np.repeat(np.arange(32), 32)[None] + np.zeros((2, 1), int)
        low = np.maximum(fields - g.integers(0, 6, fields.shape), 0)
        low[:, ::32] = fields[:, ::32]
        bits = g.integers(0, 128, fields.shape) | low << 7 | g.integers(0, 2, fields.shape) << 15
        out["low_K1024"] = bits.astype(u16)
        out["high_K512"] = patterns(g, dtype, 2, 512, (235, 254))
    return out


def row_inputs(g, dtype):
    """name -> x, finite"""
    out = {f"normal_K{k}": normal(g, dtype, 5, k) for k in (1, 7, 32, 64, 129, 512)}
    out["wide_K256"] = normal(g, dtype, 4, 256, 10 if dtype == "bf16" else 7)
    rows = [np.zeros(64, u16), np.full(64, 0x8000, u16), np.full(64, LARGEST[dtype], u16)]
    row = normal(g, dtype, 1, 64)[0]
    row[5] = LARGEST[dtype] | 0x8000
    rows += [row, narrow(g.integers(-127, 128, 64).astype(f32), dtype)]
    halves = narrow((g.integers(-254, 255, 64) / 2).astype(f32), dtype)
    halves[3] = narrow(np.array([127], f32), dtype)[0]  # scale 1: ties of the integer formats
    eighths = narrow((g.integers(-14, 15, 64) / 2).astype(f32), dtype)
    eighths[3] = narrow(np.array([-7], f32), dtype)[0]
    rows += [halves, eighths]
    out["special_K64"] = np.stack(rows)
    tiny = patterns(g, dtype, 2, 64, (0, 1))
    out["tiny_K64"] = tiny
    grid = MAGNITUDES["e4m3"]
    x = narrow(np.concatenate([(grid[:-1] + grid[1:]) / 2, [448.0, -448.0]]).astype(f32), dtype)[None]
    out["ties_e4m3_K128"] = np.concatenate([x, x ^ 0x8000])
    return out

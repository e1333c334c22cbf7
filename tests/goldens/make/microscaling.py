"""Microscaling numerics in numpy: the second implementation, written from the format rules alone.

It shares no code and no method with the C++ one: rounding is a search among the representable values with their
midpoints in float64, never arithmetic on bit fields. Arrays of bf16/fp16 are float32 arrays that hold representable
values; `widen` and `narrow` go from and to bit patterns.

What the rules leave open, and what is done here:
* The elements of a block whose scale code is 0xFF are unspecified (stored as 0, set in `mask`), in the single level as
  in the dual level; so is NaN cast to E2M1 (code 0).
* floor is mathematical: any value in (-0.5, 0) becomes -0.5 (code 0x9). The other reading of "tiny negatives give 0x8"
  is 0x8 in floor too. Minus zero is 0x8 in every mode.
* A block that is multiplied by the reciprocal 0 keeps the signs of its zeros (0x8, 0x80); the other reading is plain 0.
  Those sign bits are set in `interpreted`.
* Inf to E4M3 and E5M2 saturates (E5M2 has an Inf that is not used); NaN to E5M2 is 0x7f with the sign.
* The product with a smooth scale is rounded once (a product in fp32 rounded again is the same for these dtypes).
* fp32 subnormals are kept everywhere except where the rules clear l0.
"""

import numpy as np

f32, f64, u8, u16, u32 = np.float32, np.float64, np.uint8, np.uint16, np.uint32
MODES = ("rint", "round", "floor")
SIXTH = np.array([0x3E2AAAAB], u32).view(f32)[0]  # the fp32 nearest to 1/6
EMAX = {"e2m1": 2, "e4m3": 8, "e5m2": 15}


# ---- bit patterns of bf16 and fp16

def widen(bits, dtype):
    bits = np.asarray(bits, u16)
    if dtype == "bf16":
        return (bits.astype(u32) << 16).view(f32)
    return bits.view(np.float16).astype(f32)


def narrow(x, dtype):
    """Round half to even, overflow to Inf, NaN to a quiet NaN."""
    x = np.ascontiguousarray(x, f32)
    if dtype == "fp16":
        with np.errstate(over="ignore", invalid="ignore"):
            return x.astype(np.float16).view(u16)
    bits = x.view(u32).astype(np.uint64)
    rounded = ((bits + 0x7FFF + ((bits >> 16) & 1)) >> 16).astype(u16)
    return np.where(np.isnan(x), ((bits >> 16) | 0x40).astype(u16), rounded)


def rounded_to(x, dtype):
    return widen(narrow(x, dtype), dtype)


# ---- element formats

def _magnitudes(exponent_bits, mantissa_bits, bias, count):
    codes = np.arange(count)
    exponent, mantissa = codes >> mantissa_bits, codes & ((1 << mantissa_bits) - 1)
    assert exponent.max() < 1 << exponent_bits
    significand = np.where(exponent > 0, 1.0, 0.0) + mantissa / (1 << mantissa_bits)
    return np.ldexp(significand, np.maximum(exponent, 1) - bias)


MAGNITUDES = {
    "e2m1": np.array([0, 0.5, 1, 1.5, 2, 3, 4, 6], f64),
    "e4m3": _magnitudes(4, 3, 7, 127),
    "e5m2": _magnitudes(5, 2, 15, 124),
}
SIGN_BIT = {"e2m1": 0x8, "e4m3": 0x80, "e5m2": 0x80}


def encode(x, fmt, mode="rint"):
    """Codes of x: saturating; NaN gives 0 (e2m1, unspecified) or 0x7f with its sign."""
    with np.errstate(invalid="ignore"):  # signalling NaNs among bit patterns
        x = np.asarray(x, f64)
    grid = MAGNITUDES[fmt]
    nan, negative = np.isnan(x), np.signbit(x)
    m = np.where(nan, 0.0, np.minimum(np.abs(x), grid[-1]))
    low = np.searchsorted(grid, m, side="right") - 1
    high = np.minimum(low + 1, len(grid) - 1)
    middle = (grid[low] + grid[high]) / 2
    if mode == "rint":
        up = (m > middle) | ((m == middle) & (low % 2 == 1))
    elif mode == "round":
        up = m >= middle
    else:
        up = negative & (m > grid[low])
    code = np.where(up & (high > low), high, low) | np.where(negative, SIGN_BIT[fmt], 0)
    return np.where(nan, 0 if fmt == "e2m1" else 0x7F | np.where(negative, 0x80, 0), code).astype(u8)


def decode_table(fmt):
    """fp32 value of every code."""
    if fmt == "e8m0":
        return np.append(np.ldexp(1.0, np.arange(255) - 127), np.nan).astype(f32)
    grid = MAGNITUDES[fmt]
    half = np.full(SIGN_BIT[fmt], np.nan)
    half[: len(grid)] = grid
    if fmt == "e5m2":
        half[0x7C] = np.inf
    return np.concatenate([half, -half]).astype(f32)


def decode(codes, fmt):
    return decode_table(fmt)[codes]


def pack(codes):
    """Two E2M1 codes a byte, the even element in the low nibble."""
    return (codes[..., 0::2] | codes[..., 1::2] << 4).astype(u8)


def unpack(packed):
    return np.stack([packed & 15, packed >> 4], -1).reshape(*packed.shape[:-1], -1)


# ---- blocks

def blocks(x, size):
    """[M, K] -> [M, ceil(K/size), size], filled with zeros."""
    m, k = x.shape
    n = -(-k // size)
    out = np.zeros((m, n * size), x.dtype)
    out[:, :k] = x
    return out.reshape(m, n, size)


def pair_scales(codes):
    """[M, ceil(K/32)] -> [M, ceil(K/64), 2], the unused code 0."""
    return blocks(codes, 2)


def exponent_field(x):
    """Biased exponent of x truncated to bf16."""
    return (np.ascontiguousarray(x, f32).view(u32) >> 23 & 0xFF).astype(np.int64)


def _elements(t, code, zeroed, k, dtype, fmt, mode):
    """Elements of t [M, B, 32] scaled by 2^(127 - code), as stored: [M, k/2] packed or [M, k]."""
    nan_block = code == 0xFF
    reciprocal = np.where(zeroed | nan_block, 0.0, np.ldexp(1.0, 127 - code)).astype(f32)[..., None]
    with np.errstate(all="ignore"):
        product = t * reciprocal
    if dtype == "bf16":
        product = rounded_to(product, "bf16")
    codes = np.where(nan_block[..., None], 0, encode(product, fmt, mode))
    return _stored(codes, k, fmt)


def _stored(codes, k, fmt):
    codes = codes.reshape(len(codes), -1)[:, :k].astype(u8)
    return pack(codes) if fmt == "e2m1" else codes


def _masks(t, code, zeroed, k, fmt):
    """Bits that are unspecified, and bits that rest on a reading of the rules; in the layout of the elements."""
    nan_block = (code == 0xFF)[..., None]
    mask = np.where(nan_block, 0xF if fmt == "e2m1" else 0xFF, 0) + np.zeros(t.shape, u8)
    interpreted = np.where(zeroed[..., None] & ~nan_block & np.signbit(t), SIGN_BIT[fmt], 0)
    return _stored(mask, k, fmt), _stored(interpreted, k, fmt)


def quantize_dual(x, dtype, smooth=None):
    """x [M, K] -> l0 [M, ceil(K/512)], l1 [M, ceil(K/64), 2], y [M, K/2] per mode, masks [M, K/2]."""
    m, k = x.shape
    with np.errstate(all="ignore"):
        if smooth is not None:
            x = rounded_to(x * smooth, dtype)
        groups = blocks(x, 512)
        a = np.where(np.isfinite(groups), np.abs(groups), 0).max(-1)
        l0 = (a * SIXTH).astype(f32)
        l0[l0.view(u32) < 0x00800000] = 0
        t = np.where(groups == 0, groups, rounded_to(groups / l0[..., None], dtype)).astype(f32)
    t = blocks(t.reshape(m, -1)[:, :k], 32)
    e = exponent_field(t).max(-1)
    code = np.where(e == 0xFF, 0xFF, np.where(e <= 2, 0, e - 2))
    y = {mode: _elements(t, code, e == 0, k, dtype, "e2m1", mode) for mode in MODES}
    return l0, pair_scales(code.astype(u8)), y, _masks(t, code, e == 0, k, "e2m1")


def quantize_single(x, dtype, fmt):
    """x [M, K] -> scale [M, ceil(K/64), 2], y per mode, masks."""
    k = x.shape[1]
    t = blocks(x, 32)
    e = exponent_field(t).max(-1)
    code = np.where(e == 0xFF, 0xFF, np.maximum(e - EMAX[fmt], 0))
    modes = MODES if fmt == "e2m1" else ("rint",)
    y = {mode: _elements(t, code, code == 0, k, dtype, fmt, mode) for mode in modes}
    return pair_scales(code.astype(u8)), y, _masks(t, code, code == 0, k, fmt)


# ---- rows

def _row_max(x):
    return np.abs(x).max(-1, keepdims=True).astype(f32)


def quantize_fp8_rows(x):
    """scale = max(amax / 448, 1 / (448 * 512)) in fp32, q = E4M3(x / scale)."""
    scale = np.maximum(_row_max(x) / f32(448), f32(1) / f32(448 * 512))
    return encode((x / scale).astype(f32), "e4m3"), scale[:, 0]


def quantize_int_rows(x, divisor, lowest):
    """scale = amax / divisor in fp32 (1 for a zero row), q = rint(x / scale) within lowest .. divisor."""
    amax = _row_max(x)
    scale = np.where(amax == 0, f32(1), amax / f32(divisor)).astype(f32)
    return np.clip(np.rint((x / scale).astype(f32)), lowest, divisor).astype(np.int8), scale[:, 0]


def quantize_int8_static(x, scale, offset):
    """q = rint(x * (1 / scale) + offset) within -128 .. 127; reciprocal, product and sum each rounded to fp32.

    The second result is the same with product and sum fused (one rounding).
    """
    reciprocal = f32(1) / f32(scale)
    with np.errstate(over="ignore"):
        apart = (x * reciprocal).astype(f32) + f32(offset)
        fused = (x.astype(f64) * f64(reciprocal) + f64(offset)).astype(f32)
    return [np.clip(np.rint(v), -128, 127).astype(np.int8) for v in (apart, fused)]


# ---- NVFP4

def quantize_nvfp4(x, s2=None):
    """x [M, K], K a multiple of 16 -> y [M, K/2], block scale e4m3 [M, K/16], s2 fp32 [1], dequantized fp32.

    All in fp32, each operation rounded: s2 = amax / 2688 (1 for a zero tensor) unless given;
    block scale = E4M3((block amax / 6) / s2); q = E2M1(x / (block scale * s2)), 0 (no sign) where the block scale is 0;
    dequantized = (e2m1 * block scale) * s2, the first product being exact.
    """
    m, k = x.shape
    if s2 is None:
        amax = f32(np.abs(x).max())
        s2 = f32(1) if amax == 0 else amax / f32(6 * 448)
    s2 = f32(s2)
    t = x.reshape(m, k // 16, 16)
    block_scale = encode(((np.abs(t).max(-1) / f32(6)).astype(f32) / s2).astype(f32), "e4m3")
    scale = decode(block_scale, "e4m3")[..., None]
    with np.errstate(all="ignore"):
        codes = np.where(scale == 0, 0, encode((t / (scale * s2).astype(f32)).astype(f32), "e2m1"))
    values = ((decode(codes, "e2m1") * scale).astype(f32) * s2).astype(f32)
    return pack(codes.reshape(m, k).astype(u8)), block_scale, np.array([s2], f32), values.reshape(m, k)


# ---- the exporter's min-max dual rule for weights

def quantize_minmax_dual(w):
    """w fp32 [out, in], in a multiple of 512 -> packed [out, in/2], scale u8 [out, in/32], s fp32 [out, in/512].

    fp32 throughout: s = max|w| / 6; v = w / s (0 where s is 0); the shared exponent is floor(log2(max|v| * 8 / 7 +
    9.6e-7)) - 2, evaluated from left to right with every operation rounded and the log2 taken exactly (frexp); elements
    are half up on magnitudes, the sign of w is kept on zeros. The third result marks the sign of elements that are
    minus zero in w (interpreted).
    """
    rows, k = w.shape
    groups = w.reshape(rows, k // 512, 512)
    s = (np.abs(groups).max(-1) / f32(6)).astype(f32)
    with np.errstate(all="ignore"):
        v = np.where(s[..., None] == 0, groups * f32(0), groups / s[..., None]).astype(f32)
    v = v.reshape(rows, k // 32, 32)
    largest = np.abs(v).max(-1)
    inner = ((largest * f32(8)).astype(f32) / f32(7)).astype(f32) + f32(9.6e-7)
    e = np.frexp(inner.astype(f32))[1].astype(np.int64) - 1 - 2
    codes = encode(np.ldexp(v.astype(f64), -e[..., None]), "e2m1", "round").reshape(rows, k)
    interpreted = np.where((w == 0) & np.signbit(w), 0x8, 0).astype(u8)
    return pack(codes), (e + 127).astype(u8), s, pack(interpreted)

"""Products of microscaling matrices, exact in rational numbers, and in the stated fp32 order.

Orders of the fp32 results (what the rules leave open is chosen here; compare by the bound unless a case is `exact`):
* dual level: acc = bias or 0; for every 512 group in turn acc = acc + c_g * (xL0 * wL0), the scale product, then
  c_g times it, then the sum each rounded to fp32 (no fused multiply-add); c_g is the exact value rounded once.
* single level: acc = bias or 0; for every block of 32 in turn acc = acc + the exact scaled dot product, rounded once.
"""

from fractions import Fraction

import numpy as np

from microscaling import decode, f32, f64, narrow

UNIT = {"e2m1": -1, "e4m3": -9, "e5m2": -16}  # every value is an integer times 2^UNIT


def two_to(n):
    return Fraction(2) ** n


def block_dots(x, x_fmt, w, w_fmt):
    """Codes [M, K], [N, K] -> dot products of the blocks of 32 as Python integers [M, N, B], unit 2^(UNIT + UNIT)."""
    def integers(codes, fmt):
        v = np.ldexp(decode(codes, fmt).astype(f64), -UNIT[fmt])
        return np.array([[int(e) for e in row] for row in v], object)
    a, b = integers(x, x_fmt), integers(w, w_fmt)
    k = a.shape[1]
    return np.stack([a[:, i : i + 32].dot(b[:, i : i + 32].T) for i in range(0, k, 32)], -1)


def _round32(q):
    """A rational rounded to fp32 (via float64: the rationals here that matter fit 53 bits, see make_quantization)."""
    return f32(float(q))


def scaled_terms(x, x_l1, x_fmt, w, w_l1, w_fmt):
    """Terms [M][N][B] of the exact sum: 2^(xs - 127) * 2^(ws - 127) * dot32; None where a scale is NaN (0xFF)."""
    dots = block_dots(x, x_fmt, w, w_fmt)
    unit = UNIT[x_fmt] + UNIT[w_fmt] - 254
    m, n, count = dots.shape
    xs, ws = x_l1.reshape(m, -1).astype(int), w_l1.reshape(n, -1).astype(int)

    def term(i, j, b):
        if 255 in (xs[i, b], ws[j, b]):
            return None
        return dots[i, j, b] * two_to(unit + int(xs[i, b] + ws[j, b]))
    return [[[term(i, j, b) for b in range(count)] for j in range(n)] for i in range(m)]


def absolute_sums(x, x_l1, x_fmt, w, w_l1, w_fmt):
    """The terms with every product of elements taken absolute."""
    clear = {f: 0x7 if f == "e2m1" else 0x7F for f in UNIT}
    return scaled_terms(x & clear[x_fmt], x_l1, x_fmt, w & clear[w_fmt], w_l1, w_fmt)


def matmul(x, w, x_fmt, w_fmt, x_l1, w_l1, x_l0=None, w_l0=None, bias=None):
    """-> dict of exact f64, absolute f64, f32, bf16, fp16, all [M, N], and whether no order can round (`exact`).

    x_l0 [M, G] and w_l0 [G, N] are given for the dual level only.
    """
    m, n = len(x), len(w)
    terms = scaled_terms(x, x_l1, x_fmt, w, w_l1, w_fmt)
    magnitudes = absolute_sums(x, x_l1, x_fmt, w, w_l1, w_fmt)
    per = 1 if x_l0 is None else 16
    exact, absolute, out = np.empty((m, n), f64), np.empty((m, n), f64), np.empty((m, n), f32)
    never_rounds = True
    for i in range(m):
        for j in range(n):
            start = Fraction(0) if bias is None else Fraction(float(bias[j]))
            total, size, acc, parts = start, abs(start), f32(start), [start]
            for g in range(0, len(terms[i][j]), per):
                group = terms[i][j][g : g + per]
                if None in group:
                    total = None
                    break
                scale = f32(1) if x_l0 is None else f32(x_l0[i, g // per] * w_l0[g // per, j])
                c, s = sum(group), Fraction(float(scale))
                total, size = total + c * s, size + sum(magnitudes[i][j][g : g + per]) * s
                acc = f32(acc + f32(_round32(c) * scale))
                parts += [v * s for v in group]
            if total is None:
                exact[i, j], absolute[i, j], out[i, j] = np.nan, np.nan, np.nan
                continue
            exact[i, j], absolute[i, j], out[i, j] = float(total), float(size), acc
            grain = two_to(-max(p.denominator.bit_length() - 1 for p in parts))
            never_rounds &= size / grain < 2**24
    return {"exact": exact, "absolute": absolute, "f32": out, "bf16": narrow(out, "bf16"), "fp16": narrow(out, "fp16"),
            "never_rounds": bool(never_rounds)}

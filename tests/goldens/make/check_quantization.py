"""Checks a sample of quantization/ element by element with rational numbers: no numpy, nothing of microscaling.py.

Rounding here is `nearest` on a rational with a mantissa width and an exponent range, E2M1 is decided by comparing
distances. Run: python check_quantization.py [stride] (1 checks every block; the default takes a few seconds).
"""

import json
import math
import pathlib
import random
import struct
import sys
from fractions import Fraction as Q

FOLDER = pathlib.Path(__file__).resolve().parent.parent / "quantization"
INF, NAN = "inf", "nan"
# digits, lowest and highest exponent
FLOATS = {"F32": (24, -126, 127), "bf16": (8, -126, 127), "fp16": (11, -14, 15), "e4m3": (4, -6, 8),
          "e5m2": (3, -14, 15)}
E2M1 = [Q(0), Q(1, 2), Q(1), Q(3, 2), Q(2), Q(3), Q(4), Q(6)]
SIXTH = Q(0x2AAAAB | 0x800000, 1 << 23) / 8
assert abs(SIXTH - Q(1, 6)) < Q(1, 1 << 27)


def load(file):
    raw = (FOLDER / file).read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    header = json.loads(raw[8 : 8 + size])
    codes = {"U8": "B", "I8": "b", "I32": "i", "F32": "I", "F64": "d", "BF16": "H", "F16": "H"}
    tensors = {}
    for name, t in header.items():
        if name != "__metadata__":
            a, b = (8 + size + o for o in t["data_offsets"])
            code = codes[t["dtype"]]
            tensors[name] = struct.unpack(f"<{(b - a) // struct.calcsize(code)}{code}", raw[a:b])
    return tensors, json.loads(header["__metadata__"]["cases"])


# A number is (negative, magnitude), the magnitude a rational, INF or NAN.

def from_bits(bits, width, mantissa, bias):
    negative = bits >> (width - 1) == 1
    field, low = bits >> mantissa & ((1 << (width - 1 - mantissa)) - 1), bits & ((1 << mantissa) - 1)
    if field == (1 << (width - 1 - mantissa)) - 1:
        return negative, NAN if low else INF
    if field == 0:
        return negative, Q(low) * Q(2) ** (1 - bias - mantissa)
    return negative, (1 + Q(low, 1 << mantissa)) * Q(2) ** (field - bias)


def read(bits, dtype):
    return {"bf16": lambda: from_bits(bits, 16, 7, 127), "fp16": lambda: from_bits(bits, 16, 10, 15),
            "F32": lambda: from_bits(bits, 32, 23, 127)}[dtype]()


def log2_floor(m):
    e = m.numerator.bit_length() - m.denominator.bit_length()
    return e if m >= Q(2) ** e else e - 1


def nearest(m, dtype):
    """Magnitude rounded half to even; INF above the range."""
    if m in (INF, NAN) or m == 0:
        return m
    digits, low, high = FLOATS[dtype]
    step = Q(2) ** (max(log2_floor(m), low) - digits + 1)
    n, rest = divmod(m, step)
    if rest > step / 2 or (rest == step / 2 and n % 2 == 1):
        n += 1
    rounded = n * step
    return INF if rounded >= Q(2) ** (high + 1) else rounded


def e2m1(number, mode):
    negative, m = number
    if m == INF:
        m = Q(6)
    m = min(m, Q(6))
    distance = [abs(v - m) for v in E2M1]
    best = [i for i in range(8) if distance[i] == min(distance)]
    if mode == "rint":
        code = next(i for i in best if len(best) == 1 or i % 2 == 0)
    elif mode == "round":
        code = max(best)
    elif negative:
        code = min(i for i in range(8) if E2M1[i] >= m)
    else:
        code = max(i for i in range(8) if E2M1[i] <= m)
    return code | (8 if negative else 0)


def fp8(number, fmt):
    negative, m = number
    sign = 0x80 if negative else 0
    if m == NAN:
        return 0x7F | sign
    top = {"e4m3": 448, "e5m2": 57344}[fmt]
    digits, low, _ = FLOATS[fmt]
    m = Q(top) if m == INF or m > top else nearest(m, fmt)
    if m == 0:
        return sign
    e = max(log2_floor(m), low)
    n = m / Q(2) ** (e - digits + 1)  # an integer
    assert n.denominator == 1
    hidden = 1 << (digits - 1)
    return sign | ((e - low + 1) * hidden + int(n) - hidden if n >= hidden else int(n))


def fp8_value(code, fmt):
    digits, low, _ = FLOATS[fmt]
    hidden = 1 << (digits - 1)
    field, rest = divmod(code & 0x7F, hidden)
    m = Q(rest if field == 0 else hidden + rest) * Q(2) ** (max(field, 1) - 1 + low - digits + 1)
    return -m if code & 0x80 else m


def element_value(code, fmt):
    if fmt == "e2m1":
        return -E2M1[code & 7] if code & 8 else E2M1[code & 7]
    return fp8_value(code, fmt)


def nibble(data, row_bytes, row, k):
    return data[row * row_bytes + k // 2] >> (4 * (k % 2)) & 15


def field_of(numbers):
    """Largest biased bf16 exponent field."""
    if any(m in (INF, NAN) for _, m in numbers):
        return 255
    return max((log2_floor(m) + 127 if m >= Q(2) ** -126 else 0) if m else 0 for _, m in numbers)


# ---- the checks; each returns how many elements it compared

def check_casts(tensors, cases, stride):
    count = 0
    for case in cases:
        y = tensors[case["name"] + "/y"]
        for bits in [*range(0, 1 << 16, stride), 0x7F80, 0xFF80, 0x7C00, 0xFC00, 0x8000, 0x8001, 0xFFFF]:
            x = read(bits, case["dtype"])
            if case["format"] == "e2m1":
                if x[1] == NAN:
                    assert bits in tensors[case["dtype"] + "/nan"]
                    continue
                got, want = nibble(y, 0, 0, bits), e2m1(x, case["mode"])
            else:
                got, want = y[bits], fp8(x, case["format"])
            assert got == want, (case, hex(bits), got, want)
            count += 1
    return count


def scaled(number, code, zero, dtype):
    negative, m = number
    product = Q(0) if zero else m * Q(2) ** (127 - code)
    return negative, nearest(product, "bf16" if dtype == "bf16" else "F32")


def check_blocks(tensors, name, case, numbers, row, first, code, zero, fmt, prefix):
    """The elements of one block against the stored ones of every mode."""
    k = case["K"]
    for mode in case["modes"]:
        y = tensors[f"{prefix}{mode}/y"]
        for i, number in enumerate(numbers):
            value = scaled(number, code, zero, case["dtype"])
            if fmt == "e2m1":
                got, want = nibble(y, k // 2, row, first + i), e2m1(value, mode)
            else:
                got, want = y[row * k + first + i], fp8(value, fmt)
            assert got == want, (name, mode, row, first + i, got, want)
    return len(numbers) * len(case["modes"])


def masked(tensors, prefix, fmt, k, row, at):
    mask = tensors[prefix + "mask"]
    return nibble(mask, k // 2, row, at) == 15 if fmt == "e2m1" else mask[row * k + at] == 255


def divide(number, l0, dtype):
    negative, m = number
    if m in (INF, NAN) or m == 0:
        return negative, m
    return negative, INF if l0 == 0 else nearest(nearest(m / l0, "F32"), dtype)


def times(a, b, dtype):
    negative = a[0] != b[0]
    if NAN in (a[1], b[1]) or (INF in (a[1], b[1]) and 0 in (a[1], b[1])):
        return negative, NAN
    return negative, INF if INF in (a[1], b[1]) else nearest(a[1] * b[1], dtype)


def check_dual(tensors, cases, stride):
    count = 0
    for case in cases:
        name, k, dtype = case["name"] + "/", case["K"], case["dtype"]
        groups, pairs = -(-k // 512), -(-k // 64)
        for row, g in [(r, g) for r in range(case["M"]) for g in range(groups)][:: 1 + stride // 40]:
            low, high = g * 512, min(k, g * 512 + 512)
            x = [read(b, dtype) for b in tensors[name + "x"][row * k + low : row * k + high]]
            if case["smooth"]:
                x = [times(a, read(b, dtype), dtype) for a, b in zip(x, tensors[name + "smooth"][low:high])]
            a = max((m for _, m in x if m not in (INF, NAN)), default=Q(0))
            l0 = nearest(a * SIXTH, "F32")
            l0 = l0 if l0 >= Q(2) ** -126 else Q(0)
            assert read(tensors[name + "l0"][row * groups + g], "F32") == (False, l0), name
            t = [divide(v, l0, dtype) for v in x]
            for at in range(0, len(t), 32):
                block = t[at : at + 32]
                e = field_of(block)
                code = 255 if e == 255 else 0 if e <= 2 else e - 2
                assert tensors[name + "l1"][row * pairs * 2 + (low + at) // 32] == code, (name, row, at)
                if code == 255:
                    assert all(masked(tensors, name, "e2m1", k, row, low + at + i) for i in range(len(block)))
                elif (at // 32 + row) % max(1, stride // 10) == 0:
                    count += check_blocks(tensors, name, case, block, row, low + at, code, e == 0, "e2m1", name)
        used = -(-k // 32)
        assert all(tensors[name + "l1"][i] == 0 for i in range(case["M"] * pairs * 2) if i % (pairs * 2) >= used)
    return count


def check_single(tensors, cases, stride):
    count = 0
    emax = {"e2m1": 2, "e4m3": 8, "e5m2": 15}
    for case in cases:
        name, k, fmt, pairs = case["name"] + "/", case["K"], case["format"], -(-case["K"] // 64)
        for row in range(case["M"]):
            for at in range(0, k, 32):
                block = [read(b, case["dtype"]) for b in tensors[case["x"]][row * k + at : row * k + min(k, at + 32)]]
                e = field_of(block)
                code = 255 if e == 255 else max(e - emax[fmt], 0)
                assert tensors[name + "scale"][row * pairs * 2 + at // 32] == code, (name, row, at)
                if code == 255:
                    assert all(masked(tensors, name, fmt, k, row, at + i) for i in range(len(block)))
                elif (at // 32 + row) % max(1, stride // 10) == 0:
                    count += check_blocks(tensors, name, case, block, row, at, code, code == 0, fmt, name)
    return count


def elements(tensors, name, side, fmt, rows, k):
    data = tensors[f"{name}/{side}"]
    if fmt == "e2m1":
        return [[element_value(nibble(data, k // 2, r, i), fmt) for i in range(k)] for r in range(rows)]
    return [[element_value(data[r * k + i], fmt) for i in range(k)] for r in range(rows)]


def check_matmul(tensors, cases, stride):
    count, g = 0, random.Random(1)
    for case in cases:
        name, m, n, k = case["name"], case["M"], case["N"], case["K"]
        groups, width = -(-k // 512), -(-k // 64) * 2
        x = elements(tensors, name, "x", case["x_format"], m, k)
        w = elements(tensors, name, "w", case["w_format"], n, k)
        for i, j in [(i, j) for i in range(m) for j in range(n) if g.randrange(max(1, stride // 10)) == 0]:
            total = size = Q(0)
            if case["bias"]:
                negative, b = read(tensors[name + "/bias"][j], "F32")
                total, size = -b if negative else b, b
            scales = []
            for p in range(k):
                if p % 32 == 0:
                    xs = tensors[name + "/x_scale"][i * width + p // 32]
                    ws = tensors[name + "/w_scale"][j * width + p // 32]
                    scales = None if 255 in (xs, ws) else Q(2) ** (xs + ws - 254)
                    if scales is None:
                        break
                    if case["dual"]:
                        l0 = [read(tensors[name + "/x_l0"][i * groups + p // 512], "F32")[1],
                              read(tensors[name + "/w_l0"][(p // 512) * n + j], "F32")[1]]
                        scales *= nearest(l0[0] * l0[1], "F32")
                term = x[i][p] * w[j][p] * scales
                total, size = total + term, size + abs(term)
            exact, absolute = tensors[name + "/exact"][i * n + j], tensors[name + "/absolute"][i * n + j]
            got = read(tensors[name + "/f32"][i * n + j], "F32")
            if scales is None:
                assert math.isnan(exact) and math.isnan(absolute) and got[1] == NAN, name
                continue
            assert exact == float(total) and absolute == float(size), (name, i, j)
            value = -got[1] if got[0] else got[1]
            assert abs(value - total) <= (0 if case["never_rounds"] else Q(2, 10**6) * size), (name, i, j)
            for dtype in ("bf16", "fp16"):
                cast = read(tensors[f"{name}/{dtype}"][i * n + j], dtype)
                assert cast == (got[0], nearest(got[1], dtype)), (name, i, j, dtype)
            count += 1
    return count


def whole(q):
    """Half to even."""
    n = math.floor(q)
    rest = q - n
    return n + (1 if rest > Q(1, 2) or (rest == Q(1, 2) and n % 2 == 1) else 0)


def signed(number):
    return -number[1] if number[0] else number[1]


def f32_of(q):
    m = nearest(abs(q), "F32")
    return m if m == INF else -m if q < 0 else m


def check_rows(tensors, cases, stride):
    count = 0
    for case in cases:
        name, k = case["name"] + "/", case["K"]
        for row in range(case["M"]):
            x = [read(b, case["dtype"]) for b in tensors[name + "x"][row * k : row * k + k]]
            a = max(m for _, m in x)
            scale = max(nearest(a / 448, "F32"), nearest(Q(1, 448 * 512), "F32"))
            assert read(tensors[name + "fp8/scale"][row], "F32")[1] == scale
            for kind, top, low in (("int8", 127, -127), ("int4", 7, -8)):
                s = nearest(a / top, "F32") if a else Q(1)
                assert read(tensors[f"{name}{kind}/scale"][row], "F32")[1] == s
                for i, v in enumerate(x):
                    want = max(low, min(top, whole(f32_of(signed(v) / s))))
                    assert tensors[f"{name}{kind}/q"][row * k + i] == want, (name, kind, row, i)
            reciprocal = f32_of(1 / signed(read(tensors[name + "static/input_scale"][0], "F32")))
            offset = signed(read(tensors[name + "static/input_offset"][0], "F32"))
            for i, v in enumerate(x):
                assert tensors[name + "fp8/q"][row * k + i] == fp8((v[0], nearest(v[1] / scale, "F32")), "e4m3"), name
                want = max(-128, min(127, whole(f32_of(f32_of(signed(v) * reciprocal) + offset))))
                assert tensors[name + "static/q"][row * k + i] == want, (name, row, i)
            count += 4 * k
    return count


def check_nvfp4(tensors, cases, stride):
    count = 0
    for case in cases:
        name, k, m = case["name"] + "/", case["K"], case["M"]
        x = [read(b, case["dtype"]) for b in tensors[name + "x"]]
        a = max(v for _, v in x)
        s2 = read(tensors[name + "s2"][0], "F32")[1]
        if not case["given_s2"]:
            assert s2 == (nearest(a / 2688, "F32") if a else 1)
        for b in range(m * k // 16):
            block = x[16 * b : 16 * b + 16]
            ratio = nearest(nearest(max(v for _, v in block) / 6, "F32") / s2, "F32")
            code = fp8((False, ratio), "e4m3")
            assert tensors[name + "block_scale"][b] == code, (name, b)
            scale = fp8_value(code, "e4m3")
            product = nearest(scale * s2, "F32")
            for i, v in enumerate(block):
                want = 0 if scale == 0 else e2m1((v[0], nearest(v[1] / product, "F32")), "rint")
                assert nibble(tensors[name + "y"], 0, 0, 16 * b + i) == want, (name, b, i)
                value = f32_of(element_value(want, "e2m1") * scale * s2)
                assert signed(read(tensors[name + "dequantized"][16 * b + i], "F32")) == value, (name, b, i)
            count += 16
    return count


def check_minmax_dual(tensors, cases, stride):
    count, tiny = 0, nearest(Q(96, 10**8), "F32")
    for case in cases:
        name, k = case["name"] + "/", case["K"]
        dtype = "F32" if case["dtype"] == "f32" else "bf16"
        w = [read(b, dtype) for b in tensors[name + "w"]]
        for g in range(len(w) // 512):
            s = nearest(max(m for _, m in w[512 * g : 512 * g + 512]) / 6, "F32")
            assert read(tensors[name + "weight_dual_scale"][g], "F32")[1] == s, name
            v = [(n, nearest(m / s, "F32") if s else Q(0)) for n, m in w[512 * g : 512 * g + 512]]
            for b in range(16):
                block = v[32 * b : 32 * b + 32]
                largest = max(m for _, m in block)
                e = log2_floor(nearest(nearest(largest * 8 / 7, "F32") + tiny, "F32")) - 2
                assert tensors[name + "weight_scale"][16 * g + b] == e + 127, (name, g, b)
                for i, (negative, m) in enumerate(block):
                    m = m / Q(2) ** e
                    step = Q(2) ** (max(log2_floor(m) if m else 0, 0) - 1)
                    q = min(math.floor(m / step + Q(1, 2)) * step, Q(6))  # half up, as the exporter does it
                    want = E2M1.index(q) | (8 if negative else 0)
                    assert nibble(tensors[name + "weight"], 0, 0, 512 * g + 32 * b + i) == want, (name, g, b, i)
            count += 512
    return count


def main(stride):
    for check in (check_casts, check_dual, check_single, check_matmul, check_rows, check_nvfp4, check_minmax_dual):
        family = check.__name__.removeprefix("check_")
        print(f"{family:12s} {check(*load(family + '.safetensors'), stride):8d} elements agree")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 37)

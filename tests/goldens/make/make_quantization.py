"""quantization/: microscaling numerics (numpy only, no torch); run alone, it also refreshes its manifest entries.

Stated versions: Python 3.11, numpy 2.4.6 (any numpy with IEEE float32 gives the same bytes but for the random inputs).
"""

import hashlib
import json
import pathlib
import struct

import numpy as np

import microscaling as ms
import quantization_data as data
from microscaling import f32, narrow, u16, u8, widen
from microscaling_matmul import matmul

NUMPY = "2.4.6"
SEED = 7000
DTYPES = ("bf16", "fp16")
GOLDENS = pathlib.Path(__file__).resolve().parent.parent
CODES = {np.dtype(u8): "U8", np.dtype(np.int8): "I8", np.dtype(np.int32): "I32", np.dtype(f32): "F32",
         np.dtype(np.float64): "F64"}


class Store:
    """Collects tensors and cases, and writes one safetensors file. u16 arrays need their dtype: bf16 or fp16."""

    def __init__(self):
        self.tensors, self.cases = {}, []

    def case(self, name, **attributes):
        assert all(c["name"] != name for c in self.cases), name
        self.cases.append({"name": name, **attributes})

    def add(self, name, value, dtype=None):
        value = np.array(value, order="C")  # a copy: makers go on changing theirs
        code = {"bf16": "BF16", "fp16": "F16"}[dtype] if value.dtype == u16 else CODES[value.dtype]
        assert name not in self.tensors, name
        self.tensors[name] = (code, value)

    def add_masks(self, name, **masks):
        """Only where a bit is set; an absent mask is zero."""
        for part, value in masks.items():
            if value.any():
                self.add(name + part, value)

    def write(self, file):
        order = sorted(self.tensors, key=lambda n: (-self.tensors[n][1].itemsize, n))  # keeps every tensor aligned
        header, at = {"__metadata__": {"cases": json.dumps(self.cases)}}, 0
        for name in order:
            code, value = self.tensors[name]
            header[name] = {"dtype": code, "shape": list(value.shape), "data_offsets": [at, at + value.nbytes]}
            at += value.nbytes
        text = json.dumps(header, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 8)
        path = GOLDENS / "quantization" / file
        path.parent.mkdir(exist_ok=True)
        with open(path, "wb") as out:
            out.write(struct.pack("<Q", len(text)) + text)
            for name in order:
                out.write(self.tensors[name][1].astype(self.tensors[name][1].dtype.newbyteorder("<")).tobytes())
        print(f"  {file:30s} {len(self.cases):3d} cases {path.stat().st_size:8d} bytes")


def make_casts():
    store = Store()
    every = np.arange(1 << 16).astype(u16)
    for fmt in ("e2m1", "e4m3", "e5m2", "e8m0"):
        store.add(f"values/{fmt}", ms.decode_table(fmt))
    for dtype in DTYPES:
        x = widen(every, dtype)
        store.add(f"{dtype}/nan", np.flatnonzero(np.isnan(x)).astype(np.int32))
        for mode in ms.MODES:
            name = f"{dtype}/e2m1/{mode}/"
            store.case(name[:-1], dtype=dtype, format="e2m1", mode=mode)
            store.add(name + "y", ms.pack(ms.encode(x, "e2m1", mode)))
        for fmt in ("e4m3", "e5m2"):
            store.case(f"{dtype}/{fmt}/rint", dtype=dtype, format=fmt, mode="rint")
            store.add(f"{dtype}/{fmt}/rint/y", ms.encode(x, fmt))
    store.write("casts.safetensors")


def make_dual(g):
    store = Store()
    for dtype in DTYPES:
        for label, (x, smooth) in data.dual_inputs(g, dtype).items():
            name = f"{dtype}/{label}/"
            factors = None if smooth is None else widen(smooth, dtype)
            l0, l1, y, masks = ms.quantize_dual(widen(x, dtype), dtype, factors)
            store.case(name[:-1], dtype=dtype, M=x.shape[0], K=x.shape[1], smooth=smooth is not None, modes=list(y))
            store.add(name + "x", x, dtype)
            if smooth is not None:
                store.add(name + "smooth", smooth, dtype)
            store.add(name + "l0", l0)
            store.add(name + "l1", l1)
            for mode, codes in y.items():
                store.add(f"{name}{mode}/y", codes)
            store.add_masks(name, mask=masks[0], interpreted=masks[1])
            if label.startswith("public"):
                assert (y["rint"] == 0x77).all() and (l1 == 127).all() and l0 == f32(1.3333334), "public vector"
    store.write("dual.safetensors")


def make_single(g):
    store = Store()
    for dtype in DTYPES:
        for label, x in data.single_inputs(g, dtype).items():
            store.add(f"{dtype}/{label}/x", x, dtype)
            for fmt in ("e2m1", "e4m3", "e5m2"):
                scale, y, masks = ms.quantize_single(widen(x, dtype), dtype, fmt)
                name = f"{dtype}/{label}/{fmt}/"
                store.case(name[:-1], x=f"{dtype}/{label}/x", dtype=dtype, format=fmt, M=x.shape[0], K=x.shape[1],
                           modes=list(y))
                store.add(name + "scale", scale)
                for mode, codes in y.items():
                    store.add(f"{name}{mode}/y", codes)
                store.add_masks(name, mask=masks[0], interpreted=masks[1])
                if label == "public_K4" and fmt == "e4m3":
                    assert y["rint"].tolist() == [[0, 72, 96, 120]] and scale[0, 0, 0] == 128, "public vector"
    store.write("single.safetensors")


def random_codes(g, fmt, m, k):
    """Element codes without Inf and NaN."""
    sign = g.integers(0, 2, (m, k)) * ms.SIGN_BIT[fmt]
    return (g.integers(0, len(ms.MAGNITUDES[fmt]), (m, k)) | sign).astype(u8)


def store_product(store, name, operands, formats, bias=None, l0=(None, None), **attributes):
    (x, x_l1), (w, w_l1) = operands
    result = matmul(x, w, *formats, x_l1, w_l1, *l0, bias)
    store.case(name, x_format=formats[0], w_format=formats[1], M=len(x), N=len(w), K=x.shape[1],
               dual=l0[0] is not None, bias=bias is not None, never_rounds=result.pop("never_rounds"), **attributes)
    for side, codes, fmt, scales, level0 in (("x", x, formats[0], x_l1, l0[0]), ("w", w, formats[1], w_l1, l0[1])):
        store.add(f"{name}/{side}", ms.pack(codes) if fmt == "e2m1" else codes)
        store.add(f"{name}/{side}_scale", scales)
        if level0 is not None:
            store.add(f"{name}/{side}_l0", level0)
    if bias is not None:
        store.add(f"{name}/bias", bias)
    for key, value in result.items():
        store.add(f"{name}/{key}", value, key)
    return store.cases[-1]


def dual_operand(g, dtype, rows, k, spread=0):
    l0, l1, y, _ = ms.quantize_dual(widen(data.normal(g, dtype, rows, k, spread), dtype), dtype)
    return (ms.unpack(y["rint"]), l1), l0


def random_scales(g, m, k, low, high):
    scales = np.zeros((m, -(-k // 64) * 2), u8)
    used = -(-k // 32)
    scales[:, :used] = g.integers(low, high + 1, (m, used))
    return scales.reshape(m, -1, 2)


def make_dual_matmul(g, store):
    both = ("e2m1", "e2m1")
    shapes = ((1, 1, 2, 0, False), (3, 5, 34, 0, True), (5, 7, 96, 0, False), (4, 8, 512, 0, False), (7, 9, 510, 0, True),
              (6, 5, 1030, 0, True), (5, 11, 1536, 0, False), (3, 7, 514, 9, True), (2, 3, 2080, 4, True))
    for m, n, k, spread, with_bias in shapes:
        x, x_l0 = dual_operand(g, "bf16", m, k, spread)
        w, w_l0 = dual_operand(g, "bf16", n, k, spread)
        bias = g.standard_normal(n).astype(f32) * f32(30) if with_bias else None
        name = f"dual/M{m}_N{n}_K{k}" + ("_wide" if spread else "")
        store_product(store, name, (x, w), both, bias, (x_l0, w_l0.T))
    m, n, k = 5, 6, 1088
    operands = [(random_codes(g, "e2m1", r, k), random_scales(g, r, k, 126, 128)) for r in (m, n)]
    l0 = [g.choice([0.5, 1, 2], s).astype(f32) for s in ((m, 3), (3, n))]
    bias = (g.integers(-1000, 1000, n) / 8).astype(f32)
    assert store_product(store, "dual/integers_K1088", operands, both, bias, l0)["never_rounds"]
    l0 = [v * f32(64) for v in l0]  # out of the range of fp16
    store_product(store, "dual/overflow_K1088", operands, both, bias, l0)
    operands[0][1][1, 2, 1] = 0xFF
    operands[1][1][3, 16, 1] = 0  # 2^-127
    l0[0][2] = 0
    store_product(store, "dual/nan_scale_K1088", operands, both, bias, [l0[0], l0[1] * f32(1 / 64)])
    ones = [(np.full((r, 1024), 2, u8), np.full((r, 16, 2), 127, u8)) for r in (2, 3)]
    l0 = [np.ones((2, 2), f32), np.ones((2, 3), f32)]
    store_product(store, "dual/public_small", ones, both, np.full(3, 1002, f32), l0)
    assert (store.tensors["dual/public_small/f32"][1] == 2026).all()


def make_single_matmul(g, store):
    pairs = (("e2m1", "e2m1"), ("e4m3", "e4m3"), ("e4m3", "e2m1"), ("e5m2", "e5m2"), ("e4m3", "e5m2"))
    for formats in pairs:
        tag = f"single/{formats[0]}_{formats[1]}"
        for m, n, k, with_bias in ((3, 5, 32, False), (5, 7, 160, True), (4, 3, 546, True), (7, 6, 416, False)):
            if "e5m2" in formats and k != 160:
                continue
            operands = []
            for rows, fmt in zip((m, n), formats):
                scale, y, _ = ms.quantize_single(widen(data.normal(g, "bf16", rows, k), "bf16"), "bf16", fmt)
                codes = y["rint"]
                operands.append((ms.unpack(codes) if fmt == "e2m1" else codes, scale))
            bias = g.standard_normal(n).astype(f32) * f32(20) if with_bias else None
            store_product(store, f"{tag}/M{m}_N{n}_K{k}", operands, formats, bias)
        operands = [(random_codes(g, f, r, 96), random_scales(g, r, 96, 118, 130)) for r, f in zip((4, 5), formats)]
        operands[0][1][3, 0, 1] = 0xFF
        store_product(store, f"{tag}/random_K96", operands, formats, g.standard_normal(5).astype(f32))
    operands = [(random_codes(g, "e2m1", r, 224), random_scales(g, r, 224, 126, 129)) for r in (5, 6)]
    bias = (g.integers(-1000, 1000, 6) / 8).astype(f32)
    assert store_product(store, "single/e2m1_e2m1/integers_K224", operands, ("e2m1", "e2m1"), bias)["never_rounds"]


def make_matmul(g):
    store = Store()
    make_dual_matmul(g, store)
    make_single_matmul(g, store)
    store.write("matmul.safetensors")


def make_rows(g):
    store = Store()
    for dtype in DTYPES:
        for label, bits in data.row_inputs(g, dtype).items():
            name, x = f"{dtype}/{label}/", widen(bits, dtype)
            input_scale = f32(np.abs(x).max() / 100) if "tiny" not in label else f32(0.03125)
            offset = f32(g.integers(-40, 41))
            store.case(name[:-1], dtype=dtype, M=x.shape[0], K=x.shape[1])
            store.add(name + "x", bits, dtype)
            for kind, (q, scale) in (("fp8", ms.quantize_fp8_rows(x)), ("int8", ms.quantize_int_rows(x, 127, -127)),
                                     ("int4", ms.quantize_int_rows(x, 7, -8))):
                store.add(f"{name}{kind}/q", q)
                store.add(f"{name}{kind}/scale", scale)
            q, fused = ms.quantize_int8_static(x, input_scale, offset)
            store.add(name + "static/q", q)
            store.add_masks(name + "static/", mask=(q != fused).astype(u8) * u8(0xFF))
            store.add(name + "static/input_scale", np.array([input_scale]))
            store.add(name + "static/input_offset", np.array([offset]))
    store.write("rows.safetensors")


def make_nvfp4(g):
    store = Store()
    ties = data.ties(g, "bf16", 4).reshape(4, 512)
    wide = data.magnitudes(g, "fp16", 4, 256)
    zeros = np.zeros((2, 64), u16)
    zeros[:, ::5] = 0x8000
    holes = data.normal(g, "bf16", 3, 128)
    holes[:, 16:32] = 0
    holes[0] = 0
    holes[1, 32:48] = narrow(widen(holes[1, 32:48], "bf16") * f32(2.0**-12), "bf16")  # block scale rounds to 0
    holes[2, 40] = 0x4780  # 65536
    inputs = {"bf16/normal_K16": data.normal(g, "bf16", 5, 16), "bf16/normal_K528": data.normal(g, "bf16", 4, 528),
              "fp16/normal_K256": data.normal(g, "fp16", 4, 256), "bf16/wide_K256": data.normal(g, "bf16", 4, 256, 9),
              "fp16/magnitudes_K256": wide, "bf16/ties_K512": ties, "bf16/zeros_K64": zeros, "bf16/holes_K128": holes}
    given = {"bf16/given_low_K128": (data.normal(g, "bf16", 3, 128), f32(2e-4)),
             "fp16/given_high_K128": (data.normal(g, "fp16", 3, 128), f32(0.37)),
             "bf16/given_one_K512": (ties, f32(1))}
    for name, (x, s2) in {**{n: (x, None) for n, x in inputs.items()}, **given}.items():
        dtype = name[:4]
        y, block_scale, s2_used, values = ms.quantize_nvfp4(widen(x, dtype), s2)
        store.case(name, dtype=dtype, M=x.shape[0], K=x.shape[1], given_s2=s2 is not None)
        store.add(name + "/x", x, dtype)
        for key, value in (("y", y), ("block_scale", block_scale), ("s2", s2_used), ("dequantized", values)):
            store.add(f"{name}/{key}", value)
    store.write("nvfp4.safetensors")


def make_minmax_dual(g):
    store = Store()
    weights = {"f32/normal_K512": g.standard_normal((4, 512)).astype(f32) * f32(0.02),
               "f32/wide_K1024": np.ldexp(g.standard_normal((2, 1024)), g.integers(-24, 3, (2, 1024))).astype(f32),
               "bf16/normal_K1024": data.normal(g, "bf16", 3, 1024), "bf16/ties_K512": data.ties(g, "bf16", 4),
               "bf16/blocks_K512": data.magnitudes(g, "fp16", 2, 512) & 0xFFF0}
    holes = data.normal(g, "bf16", 4, 1024)
    holes[0], holes[1, :512], holes[2, 64:128] = 0, 0, 0
    holes[3, 512:], holes[2, 700:720] = 0x8000, 0x8000
    weights["bf16/holes_K1024"] = holes
    step = widen(data.ties(g, "bf16", 3), "bf16")
    for b in range(1, 16):  # block maxima around 7 * 2^n, where the shared exponent changes
        step[:, 32 * b] = np.ldexp([6.96875, 7.0, 7.03125], -1 - b // 2)
    weights["bf16/steps_K512"] = narrow(step, "bf16")
    for name, stored in weights.items():
        dtype = name.split("/")[0]
        w = stored if dtype == "f32" else widen(stored, dtype)
        y, scale, s, interpreted = ms.quantize_minmax_dual(w)
        store.case(name, dtype=dtype, out=w.shape[0], K=w.shape[1])
        store.add(name + "/w", stored, dtype)
        for key, value in (("weight", y), ("weight_scale", scale), ("weight_dual_scale", s)):
            store.add(f"{name}/{key}", value)
        store.add_masks(name + "/", interpreted=interpreted)
    store.write("minmax_dual.safetensors")


def entries():
    """Manifest entries of the files of this family."""
    out = {}
    for path in sorted((GOLDENS / "quantization").iterdir()):
        content = path.read_bytes()
        digest = hashlib.sha256(content).hexdigest()
        out[path.relative_to(GOLDENS).as_posix()] = {"bytes": len(content), "sha256": digest}
    return out


def refresh_manifest():
    path = GOLDENS / "manifest.json"
    manifest = json.loads(path.read_text())
    manifest["files"] = {n: v for n, v in manifest["files"].items() if not n.startswith("quantization/")} | entries()
    manifest["seeds"]["quantization"] = SEED
    manifest["total_bytes"] = sum(f["bytes"] for f in manifest["files"].values())
    path.write_text(json.dumps(manifest, indent=1, ensure_ascii=True) + "\n")


def main():
    assert np.__version__ == NUMPY, f"expected numpy {NUMPY}, got {np.__version__}"
    make_casts()
    makers = (make_dual, make_single, make_matmul, make_rows, make_nvfp4, make_minmax_dual)
    for i, make in enumerate(makers):
        make(np.random.default_rng(SEED + i))
    assert sum(e["bytes"] for e in entries().values()) < 1_500_000


if __name__ == "__main__":
    main()
    refresh_manifest()

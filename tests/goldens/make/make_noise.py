"""noise/: torch.randn of the CPU generator."""

import torch
from golden_files import folder, generator, save_cases

SEEDS = [("s0", 0), ("s42", 42), ("s1", 1), ("s2p32m1", 2**32 - 1), ("s2p32p5", 2**32 + 5), ("s2p63m1", 2**63 - 1)]
SHAPES = [("n1", [1]), ("n5", [5]), ("n15", [15]), ("n16", [16]), ("n17", [17]), ("n31", [31]), ("n32", [32]),
          ("n100", [100]), ("n5000", [5000])]
VIDEO = [1, 16, 4, 8, 8]
PAIRS = [([5], [5]), ([16], [16]), ([17], [17]), ([15], [16]), ([16], [7]), ([1], [20]), ([20], [1]), ([3, 3], [2, 3])]


def main():
    tensors, cases = {}, []
    for seed_name, seed in SEEDS:
        for shape_name, shape in SHAPES:
            if shape == [5000] and seed != 42:
                continue
            name = f"{seed_name}_{shape_name}"
            tensors[name + ".values"] = torch.randn(shape, generator=generator(seed))
            cases.append({"name": name, "seed": str(seed), "shape": shape, "draws": 1})
        if seed in (0, 42, 2**32 + 5):
            name = f"{seed_name}_video"
            tensors[name + ".values"] = torch.randn(VIDEO, generator=generator(seed))
            cases.append({"name": name, "seed": str(seed), "shape": VIDEO, "draws": 1})
    for seed in (0, 42):
        for first, second in PAIRS:
            name = f"pair_s{seed}_" + "x".join(map(str, first)) + "_" + "x".join(map(str, second))
            g = generator(seed)
            tensors[name + ".values"] = torch.randn(first, generator=g)
            tensors[name + ".values2"] = torch.randn(second, generator=g)
            cases.append({"name": name, "seed": str(seed), "shape": first, "shape2": second, "draws": 2})
    save_cases(folder("noise") / "cases.safetensors", tensors, cases)
    print(f"noise: {len(cases)} cases")


if __name__ == "__main__":
    main()

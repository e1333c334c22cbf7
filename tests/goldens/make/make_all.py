"""Rewrites every family but tiny/, then the manifest. `make_all.py --check` instead verifies the manifest's hashes."""

import hashlib
import json
import sys

from golden_files import GOLDENS


def check():
    listed = json.loads((GOLDENS / "manifest.json").read_text())["files"]
    bad = []
    for name, entry in listed.items():
        path = GOLDENS / name
        if not path.is_file() or hashlib.sha256(path.read_bytes()).hexdigest() != entry["sha256"]:
            bad.append(name)
    print(f"{len(listed)} files, {len(bad)} differ", *bad, sep="\n  ")
    return 1 if bad else 0


def main():
    import make_dit
    import make_manifest
    import make_noise
    import make_pipeline
    import make_quantization
    import make_schedulers
    import make_tokenizer
    import make_umt5
    import make_vae

    for module in (make_noise, make_schedulers, make_tokenizer, make_umt5, make_dit, make_vae, make_pipeline,
                   make_quantization, make_manifest):
        print(module.__name__)
        module.main()
    return 0


if __name__ == "__main__":
    sys.exit(check() if sys.argv[1:] == ["--check"] else main())

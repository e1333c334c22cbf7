#!/usr/bin/env python3
"""Checks that includes only go downwards: a room may include itself and the rooms below it.

The order is that of src/CMakeLists.txt. Extra rules:
- outside backend/ only backend.h, registry.h and peak.h of it are visible;
- back ends, methods, quantization configs and models never include a sibling;
- files of an instruction-set folder include only *_table.h, *_kernels.h, .inc files and system headers;
- apps/ and examples/ see the library through include/mxdit alone.
"""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parent.parent
INCLUDE = re.compile(r'^\s*#\s*include\s+"([^"]+)"')
SIBLINGS = ["backend", "quantization/methods", "quantization/configs", "models"]
ISA_FOLDERS = ("amx", "avx2", "avx512", "avx512_vnni", "generic", "scalar")


def room_order():
    text = (ROOT / "src/CMakeLists.txt").read_text()
    return re.search(r"foreach\(room ([^)]*)\)", text).group(1).split()


def check(path, order):
    relative = path.relative_to(ROOT)
    parts = relative.parts
    for number, line in enumerate(path.read_text().splitlines(), 1):
        match = INCLUDE.match(line)
        if not match:
            continue
        target = match.group(1)
        where = f"{relative}:{number}"
        if parts[0] in ("apps", "examples"):
            if not target.startswith("mxdit/") and not (path.parent / target).exists():
                yield f"{where}: {parts[0]}/ sees only include/mxdit, got {target}"
            continue
        if parts[0] == "include":
            if not target.startswith("mxdit/"):
                yield f"{where}: a public header includes {target}"
            continue
        if target.startswith("mxdit/"):
            continue
        room, target_room = parts[1], target.split("/")[0]
        if target_room not in order:
            yield f"{where}: {target} is in no room"
            continue
        if order.index(target_room) > order.index(room):
            yield f"{where}: {room} must not include {target} (a higher room)"
        is_test = path.stem.endswith("_test")
        if target_room == "backend" and room != "backend" and not is_test and \
                target not in ("backend/backend.h", "backend/registry.h", "backend/peak.h"):
            yield f"{where}: outside backend/ only backend.h, registry.h and peak.h are visible, got {target}"
        for group in SIBLINGS:
            mine = re.match(rf"src/{group}/([^/]+)/", str(relative))
            theirs = re.match(rf"{group}/([^/]+)/", target)
            if mine and theirs and mine.group(1) != theirs.group(1):
                yield f"{where}: {mine.group(1)} includes its sibling {target}"
        if parts[1:3] == ("backend", "cpu") and parts[3] in ISA_FOLDERS and not is_test:
            is_table = re.fullmatch(r"backend/cpu/\w+_(kernels|table)\.h", target)
            if not is_table and not target.endswith(".inc") \
                    and not target.startswith(f"backend/cpu/{parts[3]}/"):
                yield f"{where}: an instruction-set folder includes only kernel tables, got {target}"


def main():
    order = room_order()
    problems = []
    files = 0
    for folder in ("src", "include", "apps", "examples"):
        for path in sorted((ROOT / folder).rglob("*")):
            if path.suffix in (".h", ".cc", ".inc"):
                files += 1
                problems += check(path, order)
    for problem in problems:
        print(problem)
    print(f"include check: {files} files, {len(problems)} problems")
    return 1 if problems else 0


if __name__ == "__main__":
    sys.exit(main())

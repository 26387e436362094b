"""Lines and modules of `lsr_utils` by folder.

    python tests/sizes.py [another checkout, to compare]

Physical lines of Python and JavaScript, docstrings and blank lines included; C++ is
counted apart. "core" is the package without `exercises`, `experiments` and `fused`.
"""

import collections
import os
import pathlib
import subprocess
import sys

BESIDE = ("exercises", "experiments", "fused", "checks", "sharded")


def sizes(package):
    """Lines and files of each folder of a package: {folder: [lines, files]}."""
    found = collections.defaultdict(lambda: [0, 0])
    for path in sorted(pathlib.Path(package).rglob("*")):
        if path.suffix not in (".py", ".js", ".cpp"):
            continue
        first, *rest = path.relative_to(package).parts
        folder = f"{first}/" if rest else "modules"
        if path.stem.split("_")[0] in BESIDE and not rest:  # the first edition's files
            folder = f"{path.stem.split('_')[0]}/"
        if path.suffix == ".cpp":
            folder += " (C++)"
        found[folder][0] += len(path.read_text(encoding="utf-8").splitlines())
        found[folder][1] += 1
    core = [v for k, v in found.items() if k.split("/")[0] not in BESIDE]
    found["core"] = [sum(column) for column in zip(*core, strict=True)]
    return found


def names(checkout):
    """How many names `dir(lsr_utils)` of a checkout shows."""
    code = "import lsr_utils; print(len(dir(lsr_utils)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=checkout, capture_output=True, text=True,
        env={**os.environ, "PYTHONPATH": str(checkout)}, check=True,
    )  # fmt: skip
    return int(done.stdout)


if __name__ == "__main__":
    here = pathlib.Path(__file__).resolve().parents[1]
    for checkout in [here, *map(pathlib.Path, sys.argv[1:])]:
        print(f"{'folder':<22}{'lines':>7}{'files':>7}")
        for folder, (lines, files) in sorted(sizes(checkout / "lsr_utils").items()):
            print(f"{folder:<22}{lines:>7}{files:>7}")
        print(f"names in dir(lsr_utils): {names(checkout.resolve())}\n")

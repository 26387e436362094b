"""Copy the figure that README.md shows from the stored outputs of the notebooks.

usage: python tools/figures.py [--check]

`course.py refresh` calls this too. Needs nothing but Python.
"""

import base64
import json
import sys
from pathlib import Path

import claims

ROOT = Path(__file__).resolve().parents[1]
FOLDER = Path("notebooks", "figures")
COMMAND = "python tools/figures.py"
# File name: notebook, number of the figure in it.
FIGURES = {"one_picture.png": ("00", 1)}


def figure(number, which, root=ROOT):
    """A figure as it is stored in a notebook: (PNG as bytes, alternative text).

    number : two digits, the notebook's
    which  : as under the figure, from 1
    raises : ValueError when the notebook or the figure is not there
    """
    for path in sorted((Path(root) / "notebooks").glob(f"{number}_*.ipynb")):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        outputs = [output for cell in cells for output in cell.get("outputs", [])]
        shown = [o for o in outputs if "image/png" in o.get("data", {})]
        if len(shown) >= which:
            output = shown[which - 1]
            png = base64.b64decode("".join(output["data"]["image/png"]))
            return png, output["metadata"]["image/png"]["alt"]
    raise ValueError(f"notebook {number} stores no figure {which}.")


def update(root=ROOT, write=True):
    """Bring the pictures up to date.

    write   : False only looks
    returns : names of the files that changed, or would
    raises  : ValueError as `figure`
    """
    if not (Path(root) / "README.md").is_file():
        return []
    changed = []
    for name, place in FIGURES.items():
        png, _ = figure(*place, root)
        path = Path(root) / FOLDER / name
        if path.is_file() and path.read_bytes() == png:
            continue
        changed.append((FOLDER / name).as_posix())
        if write:
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(png)
    return changed


def main(arguments=None):
    return claims.command_line(sys.modules[__name__], arguments)


if __name__ == "__main__":
    sys.exit(main())

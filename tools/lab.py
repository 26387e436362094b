"""Open the course in JupyterLab, with its own unchanged notebooks trusted.

JupyterLab shows sliders only in notebooks that it trusts. The course's own are those
that `notebooks/SHA256SUMS` lists, which `course.py refresh` writes. A notebook that was
changed since, or came from elsewhere, is left for the reader to judge.
"""

import hashlib
import os
import sys
from pathlib import Path

import command

ROOT = Path(__file__).resolve().parent.parent
LIST = "notebooks/SHA256SUMS"


def digests(root):
    """The path of each notebook, by its line in the list."""
    return {
        f"{hashlib.sha256(path.read_bytes()).hexdigest()}  "
        f"{path.relative_to(root).as_posix()}": path
        for path in command.files(root, "*.ipynb")
    }


def update(root=ROOT, write=True):
    """Bring the list up to date; returns its name if it was not."""
    path, text = root / LIST, "".join(f"{line}\n" for line in digests(root))
    stale = not path.exists() or path.read_text("utf-8") != text
    if stale and write:
        path.write_text(text, "utf-8")
    return [LIST] if stale else []


def trust():
    from nbformat import sign, v4

    notary, listed = sign.NotebookNotary(), (ROOT / LIST).read_text("utf-8").split("\n")
    for line, path in digests(ROOT).items():
        if line in listed:
            notary.sign(v4.reads(path.read_text("utf-8")))


def main(arguments):
    from jupyter_core.paths import jupyter_runtime_dir
    from jupyterlab.labapp import main as lab

    try:
        os.makedirs(jupyter_runtime_dir(), exist_ok=True)
        trust()
    except OSError as error:
        return f"lab: {error}: name a folder of your own by JUPYTER_DATA_DIR."
    return lab(arguments)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

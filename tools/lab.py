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
    digest = {p: hashlib.sha256(p.read_bytes()) for p in command.files(root, "*.ipynb")}
    return {
        f"{found.hexdigest()}  {path.relative_to(root).as_posix()}": path
        for path, found in digest.items()
    }


def repeated(root=ROOT):
    """What the list should be, by its name, as `claims.repeated` says it of others."""
    return {LIST: "".join(f"{line}\n" for line in digests(root)).encode()}


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

"""Open the reader's copies of the course in JupyterLab, unchanged ones trusted.

JupyterLab shows sliders only in notebooks that it trusts: here the course's own, as
`notebooks/SHA256SUMS` lists them, which `course.py refresh` writes.

Guesses and answers are written into copies, in `work` or in the folder that LSR_WORK
names: an update finds the course's files unchanged, and writes over no reader's words.
"""

import hashlib
import json
import os
import sys
from pathlib import Path

import command
from command import LIST
from nbformat import sign, v4

ROOT = Path(__file__).resolve().parent.parent
GIVEN = ".given.json"  # beside the copies: the digest of each when it was made


def digest(content):
    return hashlib.sha256(content).hexdigest()


def listed(path, root):
    """The notebook's line in the list."""
    return f"{digest(path.read_bytes())}  {path.relative_to(root).as_posix()}\n"


def repeated(root=ROOT, new=()):
    """What the list should be, by its name, as `claims.repeated` says it of others."""
    ours = sorted({*command.files(root, "*.ipynb"), *new})
    return {LIST: "".join(listed(path, root) for path in ours).encode()}


def trust():
    notary, lines = sign.NotebookNotary(), (ROOT / LIST).read_text("utf-8")
    for path in command.files(ROOT, "*.ipynb"):
        if listed(path, ROOT) in lines:
            notary.sign(v4.reads(path.read_text("utf-8")))


def give(files, source, folder):
    """Copy files below `source` that are not in the folder; renew untouched copies.

    Returns the names of others that have a newer edition: their reader changed them.
    """
    try:
        given = dict(json.loads((folder / GIVEN).read_text("utf-8")))
    except (OSError, ValueError, TypeError):  # none, cut off, or something else
        given = {}
    left = []
    for path in files:
        name, new = path.relative_to(source).as_posix(), path.read_bytes()
        now = (folder / name).read_bytes() if (folder / name).exists() else new
        if now == new or digest(now) == given.get(name):
            command.renewed(folder / name, new)
            given[name] = digest(new)
        elif given.get(name) != digest(new):
            left.append(name)
    command.renewed(folder / GIVEN, json.dumps(given, indent=1).encode())
    return left


def opened():
    """Options that open the first notebook, of the reader's copies if there can be."""
    files = command.files(ROOT, "*.ipynb", "*.md", "*.png", "SHA256SUMS")
    work = Path(os.environ.get("LSR_WORK") or ROOT / "work").resolve()
    try:
        for name in give(files, ROOT / "notebooks", work):
            print(
                f"lab: {work / name} holds what you wrote and stays as it is. The "
                f"course has a newer one, notebooks/{name}: to get it, rename yours.",
                file=sys.stderr,
            )
    except OSError as error:
        print(
            f"lab: No copies can be made ({error}): the course's own notebooks open. "
            "Name a folder of your own by LSR_WORK.",
            file=sys.stderr,
        )
        work = ROOT / "notebooks"
    root = ROOT if ROOT in work.parents else work
    if not (lectures := command.lectures(ROOT)):
        raise command.Problem(f"{LIST} names no lecture: restore it (git checkout)")
    first = (work / lectures[0].name).relative_to(root).as_posix()
    return [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{first}",
        "--ServerApp.contents_manager_class=contents.Contents",
        "--ContentsManager.pre_save_hook=tidy.before_saving",
    ]


def main():
    from jupyter_core.paths import jupyter_runtime_dir
    from jupyterlab.labapp import main as lab

    os.makedirs(jupyter_runtime_dir(), exist_ok=True)
    trust()
    return lab([*opened(), *sys.argv[1:]])


if __name__ == "__main__":
    command.run("lab", main)

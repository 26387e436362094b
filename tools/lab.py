"""Open the reader's copies of the course in JupyterLab, unchanged ones trusted.

JupyterLab shows sliders only in notebooks that it trusts. The course's own are those
that `notebooks/SHA256SUMS` lists, which `course.py refresh` writes. A notebook that was
changed since, or came from elsewhere, is left for the reader to judge.

The copies lie in `work`, or in the folder that LSR_WORK names.
"""

import os
import sys
from pathlib import Path

import command
import copies
from command import LIST

ROOT = Path(__file__).resolve().parent.parent


def digests(root, new=()):
    """Each notebook's path, and its line in the list."""
    for path in sorted({*command.files(root, "*.ipynb"), *new}):
        name = path.relative_to(root).as_posix()
        yield path, f"{copies.digest(path.read_bytes())}  {name}\n"


def repeated(root=ROOT, new=()):
    """What the list should be, by its name, as `claims.repeated` says it of others."""
    return {LIST: "".join(line for _, line in digests(root, new)).encode()}


def trust():
    from nbformat import sign, v4

    notary, listed = sign.NotebookNotary(), (ROOT / LIST).read_text("utf-8")
    for path, line in digests(ROOT):
        if line in listed:
            notary.sign(v4.reads(path.read_text("utf-8")))


def say(sentence):
    print(f"lab: {sentence}", file=sys.stderr)


def opened():
    """Options that open the first notebook, of the reader's copies if there can be."""
    files = command.files(ROOT, "*.ipynb", "*.md", "*.png", "SHA256SUMS")
    work = Path(os.environ.get("LSR_WORK") or ROOT / "work").resolve()
    try:
        for name in copies.give(files, ROOT / "notebooks", work):
            say(
                f"{work / name} holds what you wrote and stays as it is. The course "
                f"has a newer one, notebooks/{name}: to get it, rename yours."
            )
    except OSError as error:
        say(
            f"No copies can be made ({error}): the course's own notebooks open. "
            "Name a folder of your own by LSR_WORK."
        )
        work = ROOT / "notebooks"
    root = ROOT if ROOT in work.parents else work
    lectures = command.lectures(ROOT)
    if not lectures:
        raise command.Problem(f"{LIST} names no lecture: restore it (git checkout)")
    first = work / lectures[0].name
    return [
        f"--ServerApp.root_dir={root}",
        f"--LabApp.default_url=/lab/tree/{first.relative_to(root).as_posix()}",
        "--ContentsManager.pre_save_hook=tidy.before_saving",
    ]


def main():
    from jupyter_core.paths import jupyter_runtime_dir
    from jupyterlab.labapp import main as lab

    try:
        os.makedirs(jupyter_runtime_dir(), exist_ok=True)
        trust()
    except OSError as error:
        wanted = "name a folder of your own by JUPYTER_DATA_DIR"
        raise command.Problem(f"{error}: {wanted}") from error
    return lab([*opened(), *sys.argv[1:]])


if __name__ == "__main__":
    command.run("lab", main)

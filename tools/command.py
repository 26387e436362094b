"""What tools share: problems, variables, notebooks that are meant, safe writing."""

import importlib.util
import os
import re
import shutil
import sys
from pathlib import Path

LIST = "notebooks/SHA256SUMS"  # the course's notebooks; `course.py refresh` writes it


class Problem(ValueError):
    """One sentence: what is wrong and, where that is not plain, what to do."""


def run(name, main):
    """Run the tool `name` to its end; a problem is told in one sentence."""
    try:
        sys.exit(main())
    except Problem as problem:
        sys.exit(f"{name}: {str(problem).rstrip('.')}.")
    except OSError as error:
        there = "slides and site by --to, lab by JUPYTER_DATA_DIR"
        sys.exit(f"{name}: {error}: write there, or name another place: {there}.")
    except KeyboardInterrupt:
        sys.exit(130)


def isolate(folder):
    """Set this process's variables, which kernels inherit; `folder` is empty, ours."""
    # A user's start-up files and search paths, which would run before the first cell.
    for name in ("PYTHONSTARTUP", "PYTHONPATH", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH"):
        os.environ.pop(name, None)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        os.environ[name] = str(Path(folder, name.lower()))
    # Its own defaults, instead of the user's matplotlibrc.
    matplotlib = Path(importlib.util.find_spec("matplotlib").origin).parent
    os.environ |= {
        "PYTHONHASHSEED": "0",
        "TQDM_DISABLE": "1",  # a bar shows times, which never repeat
        "MPLBACKEND": "module://matplotlib_inline.backend_inline",
        "MATPLOTLIBRC": str(matplotlib / "mpl-data" / "matplotlibrc"),
    }


def files(root, *kinds):
    """The course's files of these kinds among the notebooks.

    A notebook that the list does not name is a reader's: a copy, or a scratch file.
    """
    found = {path for kind in kinds for path in root.glob(f"notebooks/**/{kind}")}
    if (root / LIST).exists():
        names = re.findall(r"(?m)^\w+  (.+)$", (root / LIST).read_text("utf-8"))
        ours = {root / name for name in names}
        found = {path for path in found if path in ours or path.suffix != ".ipynb"}
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def lectures(root):
    """The notebooks that teach, lectures and deep dives, in reading order."""
    order = {"notebooks": 0, "deep": 1}  # a lecture, then its deep dives
    found = [path for path in files(root, "*.ipynb") if path.parent.name in order]
    return sorted(found, key=lambda p: (p.name[:2], order[p.parent.name], p))


def spare(folder, made):
    """Refuse a folder that holds files, unless it holds what this tool has `made`."""
    if any(map(Path.is_file, folder.rglob("*"))) and not (folder / made).exists():
        raise Problem(f"{folder} holds files of yours: name another folder by --to")


def beginning(names, notebooks):
    """The notebooks that begin with these names, such as 01; no name means all."""
    for name in names:
        if not any(path.name.startswith(name) for path in notebooks):
            there = ", ".join(path.stem for path in notebooks) or "none"
            raise Problem(f"No notebook begins with {name!r}: there are {there}")
    return [p for p in notebooks if not names or p.name.startswith(tuple(names))]


def renewed(path, content, write=True):
    """Whether the file did not hold this; it is written in one step, if wanted."""
    if path.exists() and path.read_bytes() == content:
        return False
    if write:
        path.parent.mkdir(parents=True, exist_ok=True)
        new = path.with_name(f".{path.name}.new")
        try:
            new.write_bytes(content)
            if path.exists():
                shutil.copymode(path, new)
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)
    return True

"""Execute notebooks and store their outputs, the same bytes on every run.

usage: course.py refresh [--check] [--record] [NN or path ...]
"""

import argparse
import hashlib
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import claims
import exercises
import figures
import folding
import lab
import nbformat
from environment import ROOT
from isolation import isolate
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError

NOTEBOOKS = ROOT / "notebooks"
# What editors leave behind, and what tells one machine from another.
PASSING_CELL = ("execution", "collapsed", "scrolled", "ExecuteTime")
PASSING_NOTEBOOK = ("widgets", "signature")
KERNEL = {
    "display_name": "Python 3 (ipykernel)",
    "language": "python",
    "name": "python3",
}
UNREPEATABLE = "nbval-ignore-output"


class Failure(Exception):
    """One sentence: which notebook, which cell, what is wrong."""


# -- which notebooks -----------------------------------------------------------------


def chosen(names):
    """The notebooks that `names` mean: paths, or beginnings like 01; none means all."""
    every = sorted(
        path
        for path in NOTEBOOKS.rglob("*.ipynb")
        if ".ipynb_checkpoints" not in path.parts
    )
    if not names:
        return every
    found = set()
    for name in names:
        path = Path(name)
        if path.suffix == ".ipynb" and path.is_file():
            found.add(path.resolve())
            continue
        matches = {path for path in every if path.name.startswith(name)}
        if not matches:
            raise Failure(
                f"No notebook begins with {name!r}: there are "
                f"{', '.join(path.stem for path in every) or 'none'}."
            )
        found |= matches
    return sorted(found)


def shown(path):
    """The notebook's path as a reader would type it."""
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else str(path)


# -- one notebook --------------------------------------------------------------------


def refreshed(path, record):
    """The text of the notebook after its cells ran, or Failure."""
    try:
        stored = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise Failure(f"{shown(path)} is not a notebook: {error}") from error
    for cell in stored.cells:
        for key in PASSING_CELL:
            cell.metadata.pop(key, None)
    for key in PASSING_NOTEBOOK:
        stored.metadata.pop(key, None)
    stored.metadata["kernelspec"] = nbformat.from_dict(KERNEL)
    stored.metadata["language_info"] = nbformat.from_dict({"name": "python"})
    folding.fold(stored)

    notebook = nbformat.from_dict(stored)
    execute(notebook, path)
    keep_recorded(notebook, stored, record)
    refuse_paths(notebook, path)
    nbformat.validate(notebook)
    return nbformat.writes(notebook).rstrip("\n") + "\n"


def execute(notebook, path):
    client = NotebookClient(
        notebook,
        timeout=600,
        kernel_name="python3",
        record_timing=False,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # it warns about its own transport
        resources={"metadata": {"path": str(path.parent)}},
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, number)
            except CellExecutionError as error:
                reason = f"{error.ename}: {error.evalue}"
            except CellTimeoutError:
                reason = "it ran for more than ten minutes"
            except DeadKernelError:
                reason = "it ended the kernel, perhaps for want of memory"
            else:
                drop_widget_views(cell)
                continue
            raise Failure(f"{place(path, number, cell)} failed: {reason}")


def place(path, number, cell):
    first = next(iter(cell.source.strip().splitlines()), "")
    return f"{shown(path)}, cell {number} (`{first}`)"


def drop_widget_views(cell):
    """Their ids are random, and without a kernel they are dead; a picture stays."""
    for output in cell.get("outputs", []):
        output.get("data", {}).pop("application/vnd.jupyter.widget-view+json", None)


def keep_recorded(notebook, stored, record):
    """Leave what cannot repeat, such as times, as it was recorded.

    That is the output of cells tagged `nbval-ignore-output`, as long as the code up to
    there is what it was at the recording; `record` takes the new output instead.
    """
    code = hashlib.sha256()
    for cell, old in zip(notebook.cells, stored.cells, strict=True):
        if cell.cell_type != "code":
            continue
        code.update(cell.source.encode())
        if UNREPEATABLE not in cell.metadata.get("tags", []):
            cell.metadata.pop("recorded_with", None)
            continue
        digest = code.hexdigest()[:16]
        if old.metadata.get("recorded_with") == digest and not record:
            cell.outputs = old.outputs
            for output in cell.outputs:
                if "execution_count" in output:
                    output["execution_count"] = cell.execution_count
        cell.metadata["recorded_with"] = digest


def refuse_paths(notebook, path):
    """A folder of this machine in an output would differ on every other one."""
    folders = {str(ROOT), str(Path.home()), tempfile.gettempdir(), sys.prefix}
    pattern = "|".join(re.escape(name) for name in folders if len(name) > 3)
    pattern = re.compile(rf"(?<![\w/.])(?:{pattern})(?:[\\/][^\s'\"]*|(?![\w-]))")
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            texts = [output.get("text", ""), *output.get("traceback", [])]
            texts += [
                text
                for kind, text in output.get("data", {}).items()
                if isinstance(text, str) and not kind.startswith("image/")
            ]
            found = pattern.search("\n".join(texts))
            if found:
                raise Failure(
                    f"{place(path, number, cell)} shows a path of this machine, "
                    f"{found.group()}: show it relative to the course, or its name."
                )


def write(path, text):
    """Replace the file in one step, so that an interruption leaves the old one."""
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(text.encode())
        shutil.copymode(path, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def front_page(write):
    """Bring CLAIMS.md and the figures of README.md up to date; names what changed."""
    changed = []
    for tool in (claims, figures, lab):
        try:
            changed += tool.update(ROOT, write)
        except ValueError as problem:
            print(f"not renewed: {problem}", file=sys.stderr)
    if write and changed:
        print(f"{', '.join(changed)}: written")
    return changed


# -- the command ---------------------------------------------------------------------


def main():
    parser = argparse.ArgumentParser(prog="course.py refresh", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NN", help="01, or a path")
    parser.add_argument(
        "--check", action="store_true", help="write nothing; fail if one would change"
    )
    parser.add_argument(
        "--record",
        action="store_true",
        help=f"renew also the outputs of cells tagged {UNREPEATABLE}",
    )
    options = parser.parse_args()
    changed = []
    with tempfile.TemporaryDirectory() as folder:
        isolate(folder)
        wanted = chosen(options.names)
        try:
            derived = exercises.derive_all(NOTEBOOKS, write=not options.check)
        except exercises.Malformed as error:
            raise Failure(str(error)) from error
        if options.check:
            changed += map(shown, derived)
            derived = []
        for path in sorted({*wanted, *derived}):
            started = time.monotonic()
            text = refreshed(path, options.record)
            differs = text.encode() != path.read_bytes()
            if differs:
                changed.append(shown(path))
                if not options.check:
                    write(path, text)
            verdict = "unchanged"
            if differs:
                verdict = "would change" if options.check else "written"
            seconds = time.monotonic() - started
            print(f"{shown(path)}: {verdict} ({seconds:.1f} s)", flush=True)
    changed += front_page(write=not options.check)
    if options.check and changed:
        names = ", ".join(sorted(set(changed)))
        print(f"Not up to date: {names}. Run `course.py refresh`.")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except Failure as failure:
        sys.exit(f"refresh: {failure} The file was left as it was.")
    except KeyboardInterrupt:
        sys.exit(130)

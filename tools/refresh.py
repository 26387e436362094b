"""Execute notebooks and store their outputs, the same bytes on every run.

usage: course.py refresh [--check] [--record] [NN or path ...]

Exercises are derived from their solutions. One that holds an answer is left alone.
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
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
UNREPEATABLE = "nbval-ignore-output"
# Its ids are random, and without a kernel it is dead; a picture stays.
VIEW = "application/vnd.jupyter.widget-view+json"


class Failure(Exception):
    """One sentence: which notebook, which cell, what is wrong."""


def chosen(names):
    """The notebooks that `names` mean: paths, or beginnings like 01; none means all."""
    every = [
        p for p in NOTEBOOKS.rglob("*.ipynb") if ".ipynb_checkpoints" not in p.parts
    ]
    found = set() if names else set(every)
    for name in names:
        path = Path(name)
        if path.suffix == ".ipynb" and path.is_file():
            found.add(Path(os.path.abspath(path)))
            continue
        matches = {path for path in every if path.name.startswith(name)}
        if not matches:
            there = ", ".join(sorted(path.stem for path in every)) or "none"
            raise Failure(f"No notebook begins with {name!r}: there are {there}.")
        found |= matches
    return found


def shown(path):
    """The notebook's path as a reader would type it."""
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else str(path)


def is_exercise(path):
    """Whether it lies in notebooks/exercises, however the path is written."""
    folder = NOTEBOOKS / "exercises"
    return folder.exists() and any(
        p.samefile(folder) for p in path.parents if p.exists()
    )


def source(path, solutions):
    """The notebook to execute: as it is stored or, of an exercise, as it should be."""
    if path in solutions:
        return exercises.derived(solutions[path], path)
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise Failure(f"{shown(path)} is not a notebook: {error}") from error


def refreshed(stored, path, record):
    """The text of the notebook after its cells ran, or Failure."""
    for cell in stored.cells:
        for key in PASSING_CELL:
            cell.metadata.pop(key, None)
    for key in PASSING_NOTEBOOK:
        stored.metadata.pop(key, None)
    stored.metadata.update(nbformat.from_dict(METADATA))
    folding.fold(stored)

    notebook = nbformat.from_dict(stored)
    execute(notebook, path)
    keep_recorded(notebook, stored, record)
    refuse_paths(notebook, path)
    nbformat.validate(notebook)
    return exercises.as_text(notebook)


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
                for output in cell.get("outputs", []):
                    output.get("data", {}).pop(VIEW, None)
                continue
            raise Failure(f"{place(path, number, cell)} failed: {reason}.")


def place(path, number, cell):
    first = next(iter(cell.source.strip().splitlines()), "")
    return f"{shown(path)}, cell {number} (`{first}`)"


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
            for kind, text in output.get("data", {}).items():
                if isinstance(text, str) and not kind.startswith("image/"):
                    texts.append(text)
            if found := pattern.search("\n".join(texts)):
                raise Failure(
                    f"{place(path, number, cell)} shows a path of this machine, "
                    f"{found.group()}: show it relative to the course, or its name."
                )


def write(path, text):
    """Replace the file in one step, so that an interruption leaves the old one."""
    path.parent.mkdir(exist_ok=True)
    new = path.with_name(f".{path.name}.new")
    try:
        new.write_bytes(text.encode())
        if path.exists():
            shutil.copymode(path, new)
        os.replace(new, path)
    finally:
        new.unlink(missing_ok=True)


def repeat(write):
    """Bring the files that repeat notebooks up to date; returns the names of those."""
    changed = []
    for tool in (claims, lab):
        try:
            changed += tool.update(ROOT, write)
        except ValueError as problem:
            print(f"not renewed: {problem}", file=sys.stderr)
    if write and changed:
        print(f"{', '.join(changed)}: written")
    return changed


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
        solutions = exercises.sources(NOTEBOOKS)
        for path in sorted({*chosen(options.names), *exercises.stale(NOTEBOOKS)}):
            if is_exercise(path) and not exercises.is_stub(path):
                print(
                    f"{shown(path)}: left alone, as it may hold answers (to have the "
                    "exercises anew, move the file away)."
                )
                continue
            started = time.monotonic()
            text = refreshed(source(path, solutions), path, options.record)
            verdict = "unchanged"
            if not exercises.holds(path, text):
                changed.append(shown(path))
                verdict = "would change" if options.check else "written"
                if not options.check:
                    write(path, text)
            seconds = time.monotonic() - started
            print(f"{shown(path)}: {verdict} ({seconds:.1f} s)", flush=True)
    changed += repeat(write=not options.check)
    if options.check and changed:
        print(f"Not up to date: {', '.join(changed)}. Run `course.py refresh`.")
        return 1
    return 0


if __name__ == "__main__":
    try:
        sys.exit(main())
    except (Failure, exercises.Malformed) as failure:
        sys.exit(f"refresh: {failure} The file was left as it was.")
    except KeyboardInterrupt:
        sys.exit(130)

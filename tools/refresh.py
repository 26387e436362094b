"""Execute notebooks and store their outputs, the same bytes on every run.

usage: course.py refresh [--check] [--record] [NN or path ...]

Exercises are derived from their solutions. One that holds an answer is left alone.
"""

import argparse
import os
import re
import shutil
import sys
import tempfile
import time
from pathlib import Path

import claims
import command
import exercises
import folding
import lab
import nbformat
from environment import ROOT
from isolation import isolate
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tidy import digests, tidy

ANEW = "to have the exercises anew, move the file away"
UNREPEATABLE = "nbval-ignore-output"


def chosen(names):
    """The notebooks that `names` mean: paths, or beginnings like 01; none means all."""
    paths = [n for n in names if n.endswith(".ipynb") and os.path.isfile(n)]
    others = [name for name in names if name not in paths]
    every = command.files(ROOT, "*.ipynb") if others or not names else []
    found = command.beginning(others, every)
    return [*found, *(Path(os.path.abspath(path)) for path in paths)]


def shown(path):
    """The notebook's path as a reader would type it."""
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else str(path)


def is_exercise(path):
    """Whether it lies in notebooks/exercises, however the path is written."""
    folder = ROOT / "notebooks" / "exercises"
    return folder.exists() and any(map(folder.samefile, path.parents))


def source(path, solutions):
    """The notebook to execute: as it is stored or, of an exercise, as it should be."""
    if path in solutions:
        return exercises.derived(solutions[path], path)
    try:
        return nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise command.Problem(f"{shown(path)} is not a notebook: {error}") from error


def trouble(path, number, cell, what):
    first = cell.source.strip().partition("\n")[0]
    where = f"{shown(path)}, cell {number} (`{first}`)"
    return command.Problem(f"{where} {what}. The file was left as it was.")


def refreshed(stored, path, record):
    """What the file of the notebook holds after its cells ran, or Problem."""
    tidy(stored)
    folding.fold(stored)

    notebook = nbformat.from_dict(stored)
    execute(notebook, path)
    tidy(notebook)
    keep_recorded(notebook, stored, record)
    refuse_paths(notebook, path)
    nbformat.validate(notebook)
    return exercises.as_bytes(notebook)


def execute(notebook, path):
    client = NotebookClient(
        notebook,
        timeout=600,
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
                continue
            raise trouble(path, number, cell, f"failed: {reason}")


def keep_recorded(notebook, stored, record):
    """Leave what cannot repeat, such as times, as it was recorded.

    That is the output of cells tagged `nbval-ignore-output`, as long as the code up to
    there is what it was at the recording; `record` takes the new output instead.
    """
    trios = zip(notebook.cells, stored.cells, digests(notebook), strict=True)
    for cell, old, digest in trios:
        recorded = cell.metadata.pop("recorded_with", None)
        if UNREPEATABLE in cell.metadata.get("tags", []):
            cell.metadata["recorded_with"] = digest
            if recorded == digest and not record:
                cell.outputs = old.outputs
                for output in cell.outputs:
                    if "execution_count" in output:
                        output["execution_count"] = cell.execution_count


def refuse_paths(notebook, path):
    """A folder of this machine in an output would differ on every other one."""
    folders = {str(ROOT), str(Path.home()), tempfile.gettempdir(), sys.prefix}
    names = "|".join(re.escape(name) for name in folders if len(name) > 3)
    pattern = rf"(?<![\w/.])(?:{names})(?:[\\/][^\s'\"]*|(?![\w-]))"
    for number, cell in enumerate(notebook.cells):
        for output in cell.get("outputs", []):
            texts = [output.get("text", ""), *output.get("traceback", [])]
            data = output.get("data", {}).items()
            texts += [text for kind, text in data if kind.startswith("text/")]
            if found := re.search(pattern, "\n".join(texts)):
                what = f"shows a path of this machine, {found[0]}: show it relative to"
                raise trouble(path, number, cell, f"{what} the course, or its name")


def renewed(path, content, write):
    """Whether the file did not hold this; it is written in one step, if wanted."""
    if exercises.holds(path, content):
        return False
    new = path.with_name(f".{path.name}.new")
    if write:
        path.parent.mkdir(exist_ok=True)
        try:
            new.write_bytes(content)
            if path.exists():
                shutil.copymode(path, new)
            os.replace(new, path)
        finally:
            new.unlink(missing_ok=True)
    return True


def repeat(write, new=()):
    """Bring the files that repeat notebooks up to date; returns the names of those.

    new : notebooks that now belong to the course, if they were not of it before
    """
    changed = []
    for repeated, arguments in ((lab.repeated, [ROOT, new]), (claims.repeated, [ROOT])):
        try:
            files = repeated(*arguments).items()
            changed += [name for name, new in files if renewed(ROOT / name, new, write)]
        except ValueError as problem:
            print(f"not renewed: {problem}", file=sys.stderr)
    if write and changed:
        print(f"{', '.join(changed)}: written")
    return changed


def main():
    parser = argparse.ArgumentParser(prog="course.py refresh", description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="NN", help="01, or a path")
    add("--check", action="store_true", help="write nothing; fail if one would change")
    add("--record", action="store_true", help="renew also outputs that cannot repeat")
    options = parser.parse_args()
    changed = []
    with tempfile.TemporaryDirectory() as folder:
        isolate(folder)
        notebooks = ROOT / "notebooks"
        solutions = exercises.sources(notebooks)
        paths = {*chosen(options.names), *exercises.stale(notebooks)}
        for path in sorted(paths):
            if is_exercise(path) and not exercises.is_stub(path):
                print(f"{shown(path)}: left alone, as it may hold answers: {ANEW}.")
                continue
            started = time.monotonic()
            content = refreshed(source(path, solutions), path, options.record)
            verdict = "unchanged"
            if renewed(path, content, write=not options.check):
                changed.append(shown(path))
                verdict = "would change" if options.check else "written"
            took = f"({time.monotonic() - started:.1f} s)"
            print(f"{shown(path)}: {verdict} {took}", flush=True)
    ours = [path for path in paths if notebooks in path.parents and path.exists()]
    changed += repeat(not options.check, ours)
    if options.check and changed:
        print(f"Not up to date: {', '.join(changed)}. Run `course.py refresh`.")
    return options.check and bool(changed)


if __name__ == "__main__":
    command.run("refresh", main)

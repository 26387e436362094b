"""Execute notebooks and store their outputs, the same bytes on every run.

Exercises are derived from their solutions. One that holds an answer is left alone.
"""

import argparse
import os
import re
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
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from tidy import as_bytes, digests, read, tidy

UNREPEATABLE = "nbval-ignore-output"


def chosen(names):
    """The notebooks that `names` mean: paths, or beginnings like 01; none means all."""
    paths = [name for name in names if name.endswith(".ipynb") and os.path.isfile(name)]
    others = [name for name in names if name not in paths]
    every = command.files(ROOT, "*.ipynb") if others or not paths else []
    return [*command.beginning(others, every), *(Path(p).resolve() for p in paths)]


def shown(path):
    """The notebook's path as a reader would type it."""
    return path.relative_to(ROOT).as_posix() if ROOT in path.parents else str(path)


def refreshed(stored, path, record):
    """What the file of the notebook holds after its cells ran, or Problem."""
    folding.fold(stored)
    notebook = nbformat.from_dict(stored)
    execute(notebook, path)
    tidy(notebook)
    keep_recorded(notebook, stored, record)
    refuse_paths(notebook, path)
    nbformat.validate(notebook)
    return as_bytes(notebook)


def execute(notebook, path):
    client = NotebookClient(
        notebook,
        timeout=600,
        coalesce_streams=True,
        extra_arguments=["--log-level=ERROR"],  # it warns about its own transport
        resources={"metadata": {"path": str(path.parent)}},
    )
    with client.setup_kernel():
        for number, cell in enumerate(notebook.cells):
            try:
                client.execute_cell(cell, number)
                continue
            except CellExecutionError as error:
                reason = f"{error.ename}: {error.evalue}"
            except (CellTimeoutError, DeadKernelError) as error:
                reason = str(error).partition("\n")[0]
            raise trouble(path, number, cell, reason)


def trouble(path, number, cell, what):
    first = cell.source.strip().partition("\n")[0]
    where = f"{shown(path)}, cell {number} (`{first}`)"
    return command.Problem(f"{where} failed: {what}. The file was left as it was.")


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
            data = output.get("data", {})
            texts += [data[kind] for kind in data if kind.startswith("text/")]
            if found := re.search(pattern, "\n".join(texts)):
                what = f"it shows a path of this machine, {found[0]}"
                advice = "show it relative to the course, or its name"
                raise trouble(path, number, cell, f"{what}: {advice}")


def repeat(write, new=()):
    """Renew files that repeat notebooks, those of the course and `new`; their names."""
    changed = []
    for repeated in (lambda: lab.repeated(ROOT, new), lambda: claims.repeated(ROOT)):
        try:
            made = repeated().items()
            changed += [n for n, text in made if command.renewed(ROOT / n, text, write)]
        except command.Problem as problem:
            print(f"not renewed: {problem}", file=sys.stderr)
    return changed


def main():
    parser = argparse.ArgumentParser(prog="course.py refresh", description=__doc__)
    add = parser.add_argument
    add("names", nargs="*", metavar="NN", help="01, or a path; none means all")
    add("--check", action="store_true", help="write nothing; fail if one would change")
    add("--record", action="store_true", help="renew also outputs that cannot repeat")
    options = parser.parse_args()
    changed, notebooks = [], ROOT / "notebooks"
    with tempfile.TemporaryDirectory() as folder:
        command.isolate(folder)
        solutions = exercises.sources(notebooks)
        paths = {*chosen(options.names), *exercises.stale(notebooks)}
        for path in sorted(paths):
            if path.parent.name == "exercises" and not exercises.is_stub(path):
                print(
                    f"{shown(path)}: left alone, as it may hold answers: to have the "
                    "exercises anew, move the file away."
                )
                continue
            started, derived = time.monotonic(), path in solutions
            stored = exercises.derived(solutions[path], path) if derived else read(path)
            content = refreshed(stored, path, options.record)
            verdict = "unchanged"
            if command.renewed(path, content, write=not options.check):
                changed.append(shown(path))
                verdict = "would change" if options.check else "written"
            took = f"({time.monotonic() - started:.1f} s)"
            print(f"{shown(path)}: {verdict} {took}", flush=True)
    ours = [path for path in paths if notebooks in path.parents and path.exists()]
    repeated = repeat(not options.check, ours)
    if options.check and (changed or repeated):
        names = ", ".join([*changed, *repeated])
        print(f"Not up to date: {names}. Run `course.py refresh`.")
        return 1
    if repeated:
        print(f"{', '.join(repeated)}: written")


if __name__ == "__main__":
    command.run("refresh", main)

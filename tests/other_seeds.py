"""Every claim once more, on other seeds and splits than those that are stored.

    python tests/other_seeds.py                    all notebooks that name their seeds
    python tests/other_seeds.py 03 04              some of them

``SEEDS`` and ``SPLITS``, which the first code cell binds, get other ranges, and
each claim says whether it held. What a recorded run says does not change.
"""

import re
import sys

import nbclient
import nbformat
from notebook_files import LESSONS, code_cells, number, output_text, read

STARTS = 0, 1000, 2000
BOUND = re.compile(r"(?m)^(SEEDS|SPLITS) = range\((\d+)\)$")
LISTEN = """
import lsr_utils as lsr

def claim(claim_id, sentence, holds, kind=None, by="run"):
    print("CLAIM", claim_id, by, bool(holds), sentence)

lsr.claim = lsr.notebook.claim = claim
"""


def verdicts(path, start):
    """What each claim of a notebook says with seeds from `start` on, by its id."""
    notebook = read(path)
    for cell in code_cells(notebook):
        cell.source = BOUND.sub(rf"\1 = range({start}, {start} + \2)", cell.source)
    notebook.cells.insert(0, nbformat.v4.new_code_cell(LISTEN))
    where = {"metadata": {"path": str(path.parent)}}
    nbclient.NotebookClient(notebook, timeout=900, resources=where).execute()
    cells = code_cells(notebook)
    said = "\n".join(output_text(output) for cell in cells for output in cell.outputs)
    found = re.findall(r"CLAIM (\S+) (\w+) (True|False) (.*)", said)
    return {name: (by, holds == "True", words) for name, by, holds, words in found}


def main(numbers):
    failed = 0
    for path in LESSONS:
        named = any(BOUND.search(cell.source) for cell in code_cells(read(path)))
        if not named or numbers and number(path) not in numbers:
            continue
        print(path.stem, flush=True)
        runs = [verdicts(path, start) for start in STARTS]
        for name, (by, _, words) in runs[0].items():
            held = [run.get(name, (by, False))[1] for run in runs]
            failed += not all(held)
            print(f"  {name:7} {by:8} {held}  {words}", flush=True)
    print(f"{failed} claims fail on one of the seeds.")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

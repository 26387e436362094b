"""What a notebook of the course keeps in its file, whichever editor saved it."""

import hashlib

import nbformat
from command import Problem

METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}
OF_CELL = {"jupyter", "recorded_with", "slides", "tags"}
# Its ids are random, and without a kernel it is dead; a picture beside it stays.
VIEW = "application/vnd.jupyter.widget-view+json"


def read(path):
    """The notebook, tidied; Problem where the file is none."""
    try:
        notebook = nbformat.read(path, as_version=4)
    except (OSError, ValueError, nbformat.ValidationError) as error:
        raise Problem(f"{path} is not a notebook: {error}") from error
    tidy(notebook)
    return notebook


def as_bytes(notebook):
    return f"{nbformat.writes(notebook).rstrip()}\n".encode()


def tidy(notebook):
    """Drop, in place, what editors add: their metadata, widgets, finished bars."""
    stub = {k: v for k, v in notebook.metadata.items() if k == "stub"}
    notebook.metadata = nbformat.from_dict({**METADATA, **stub})
    for cell in notebook.cells:
        ours = {k: v for k, v in cell.metadata.items() if k in OF_CELL}
        cell.metadata = nbformat.from_dict(ours)
        for output in cell.get("outputs", []):
            data = output.get("data", {})
            if data.pop(VIEW, None) and "image/png" not in data:
                data.clear()
        if "outputs" in cell:
            cell.outputs = [o for o in cell.outputs if o.get("data", True)]


def digests(notebook):
    """Of each cell, a digest of all code down to it: what its output was made by."""
    code, found = hashlib.sha256(), []
    for cell in notebook.cells:
        code.update(cell.source.encode() if cell.cell_type == "code" else b"")
        found.append(code.hexdigest()[:16])
    return found


def before_saving(model, **others):
    """Jupyter's hook: opening a notebook and saving it changes no byte of it."""
    if model["type"] == "notebook":
        for cell in model["content"].get("cells", []):
            cell["metadata"].pop("collapsed", None)  # JupyterLab's older mark
        metadata = model["content"]["metadata"]
        if metadata.get("language_info", {}).get("name") == "python":
            metadata.update(METADATA)
        metadata.pop("widgets", None)

"""Questions and their six types: TREC's two official files, and the course's own."""

import csv
import pathlib
import re

import numpy as np

from .cache import read_arrays, write_arrays
from .downloads import fetch

TYPES = ("abbreviation", "entity", "description", "human", "location", "number")
COARSE = ("ABBR", "ENTY", "DESC", "HUM", "LOC", "NUM")  # TREC's names, in this order
TREC = {"train": ("train_5500.label", 5452), "test": ("TREC_10.label", 500)}
COLUMNS = ["question", "label", "part"]


def trec_arrays(part):
    """Questions and types of a part, from the cache or else from the official files.

    returns : (N,) array of strings, (N,) int64 array of 0 to 5, variant
    """
    stored, variant = read_arrays("trec", trec_form(part))
    if stored is None:
        paths = {part: fetch(name) for part, (name, _) in TREC.items()}
        stored, variant = read_trec(paths), "official"
        write_arrays("trec", variant, stored)
    return stored[f"texts_{part}"], stored[f"y_{part}"], variant


def trec_form(part):
    """Shapes and dtypes of the arrays of a part, as the cache must hold them."""
    n = TREC[part][1]
    return {f"texts_{part}": ((n,), np.str_), f"y_{part}": ((n,), np.int64)}


def read_trec(paths):
    """Questions and types of both parts, as a dict of arrays.

    paths  : dict of part to a file of ``COARSE:fine question`` in Latin-1, one a line
    raises : ValueError in one sentence, with the number of the line that is wrong
    """
    arrays = {}
    for part, path in paths.items():
        lines = path.read_bytes().decode("latin-1").rstrip("\r\n").split("\n")
        if len(lines) != TREC[part][1]:
            raise ValueError(
                f"{path.name} must have {TREC[part][1]} lines, got {len(lines)}."
            )
        rows = [_row(line, i, path.name) for i, line in enumerate(lines, start=1)]
        arrays[f"texts_{part}"] = np.array([text for text, _ in rows])
        arrays[f"y_{part}"] = np.array([label for _, label in rows], dtype=np.int64)
    return arrays


def _row(line, number, name):
    """Question and type of one line of TREC."""
    match = re.fullmatch(rf"({'|'.join(COARSE)}):\w+ (.+)", line)
    if match is None or not match[2].strip():
        raise ValueError(
            f"{name}, line {number}, must be 'COARSE:fine question' with one of "
            f"{', '.join(COARSE)}, got {line[:60]!r}."
        )
    return match[2].strip(), COARSE.index(match[1])


def questions_path():
    """The course's own questions in the repository: ``data/questions.csv``."""
    return pathlib.Path(__file__).resolve().parents[1] / "data" / "questions.csv"


def questions_arrays(part):
    """Questions and types of a part of the course's own: two arrays, as for TREC."""
    rows = [row for row in read_questions(questions_path()) if row["part"] == part]
    labels = [TYPES.index(row["label"]) for row in rows]
    return np.array([row["question"] for row in rows]), np.array(labels, dtype=np.int64)


def read_questions(path):
    """Rows of a table ``question,label,part``, as dicts; further columns are notes.

    raises : ValueError in one sentence, with the number of the line that is wrong
    """
    allowed = {"label": TYPES, "part": ("train", "test")}
    try:
        with open(path, encoding="utf-8-sig", newline="") as file:
            table = csv.DictReader(file, strict=True)
            names = table.fieldnames or []
            if names[:3] != COLUMNS or len(set(names)) < len(names):
                raise ValueError(
                    f"{path.name} must start with the columns {', '.join(COLUMNS)}, "
                    f"got {table.fieldnames}."
                )
            rows = []
            for row in table:
                place = f"{path.name}, line {table.line_num},"
                if None in row or None in row.values():
                    raise ValueError(f"{place} must have a value in every column.")
                if not row["question"].strip():
                    raise ValueError(f"{place} must have a question, got none.")
                for name, values in allowed.items():
                    if row[name] not in values:
                        raise ValueError(
                            f"{place} must have a {name} of {', '.join(values)}, "
                            f"got {row[name]!r}."
                        )
                rows.append(row)
    except UnicodeDecodeError as error:
        raise ValueError(f"{path.name} must be UTF-8: {error.reason}.") from error
    except csv.Error as error:
        raise ValueError(f"{path.name} must be a CSV table: {error}.") from error
    for part in allowed["part"]:
        if part not in {row["part"] for row in rows}:
            raise ValueError(f"{path.name} must have rows of the part {part!r}.")
    return rows

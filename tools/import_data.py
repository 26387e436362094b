"""Fill the cache of a downloaded data set with a copy of it from elsewhere.

    python tools/import_data.py animals FILE.npz --variant "recompressed copy"
    python tools/import_data.py trec TRAIN.label TEST.label --variant "without quotes"

For a machine that cannot reach the official source. The data set then says in its
``variant`` that it is not the official one. FILE.npz holds x_train (30000, 32, 32, 3)
and x_test (6000, 32, 32, 3) as bytes, and y_train and y_test, 0 to 5 for bird, cat,
deer, dog, frog and horse. The other two are of the form of TREC's own files.
"""

import argparse
import pathlib
import zipfile

import numpy as np

from lsr_utils.cache import cache_folder, read_arrays, write_arrays
from lsr_utils.photos import animals_form
from lsr_utils.texts import read_trec, trec_form

FORMS = {"animals": animals_form, "trec": trec_form}
PARTS = ("train", "test")


def animals_from(path):
    """The arrays of ``animals`` from a file of photos in rows, columns, colours."""
    arrays = {}
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as given:
        for part in PARTS:
            x, y = given[f"x_{part}"], given[f"y_{part}"]
            (n, *_), _ = animals_form(part)[f"x_{part}"]
            if x.shape != (n, 32, 32, 3) or x.dtype != np.uint8 or y.shape != (n,):
                raise ValueError(
                    f"{path.name} must hold x_{part} ({n}, 32, 32, 3) of uint8 and "
                    f"y_{part} ({n},), got {x.dtype} {x.shape} and {y.shape}."
                )
            if not np.isin(y, range(6)).all():
                raise ValueError(f"{path.name} must hold labels 0 to 5 in y_{part}.")
            arrays[f"x_{part}"] = np.ascontiguousarray(x.transpose(0, 3, 1, 2))
            arrays[f"y_{part}"] = y.astype(np.uint8)
    return arrays


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=sorted(FORMS))
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--variant", required=True, help="what this copy is called")
    options = parser.parse_args(arguments)
    name, files = options.name, options.files
    if len(files) != {"animals": 1, "trec": 2}[name]:
        parser.error(f"{name} takes one file, trec two: of training and of test.")
    if not options.variant.strip() or options.variant == "official":
        parser.error(f"--variant must say what it is, got {options.variant!r}.")
    if read_arrays(name, FORMS[name]("train"))[1] == "official":
        parser.error(f"the official {name} are in {cache_folder()} already.")
    try:
        if name == "animals":
            arrays = animals_from(files[0])
        else:
            arrays = read_trec(dict(zip(PARTS, files, strict=True)))
        write_arrays(name, options.variant, arrays)
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        parser.exit(1, f"{error}\n")
    print(f"{name}: {options.variant}, in {cache_folder()}")


if __name__ == "__main__":
    main()

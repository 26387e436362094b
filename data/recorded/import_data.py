"""Put a copy from elsewhere in the place of a downloaded data set.

    python data/recorded/import_data.py animals FILE.npz --variant "recompressed"
    python data/recorded/import_data.py trec TRAIN.label TEST.label --variant unquoted

For a machine that cannot reach the official source. The data set then says in its
``variant`` that it is not the official one, until NAME-copy.npz is deleted from the
cache folder. FILE.npz holds x_train (30000, 32, 32, 3)
and x_test (6000, 32, 32, 3) as bytes, and y_train and y_test, 0 to 5 for bird, cat,
deer, dog, frog and horse. The other two are of the form of TREC's own files.
"""

import argparse
import os
import pathlib
import zipfile

import numpy as np

from lsr_utils.datasets import cache_folder, photographs, text

RECORDS = 10_000  # photographs in a file of the archive, one in ten of each class


def animals_from(path):
    """The arrays of ``animals`` from a file of photos in rows, columns, colours."""
    arrays = {}
    with open(path, "rb") as file, np.load(file, allow_pickle=False) as given:
        for part, files in photographs.PARTS.items():
            x, y = given[f"x_{part}"], given[f"y_{part}"]
            n = len(files) * RECORDS * 6 // 10
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


def trec_from(*paths):
    """The arrays of ``trec`` from two files of the form of TREC's own."""
    arrays = {}
    for path, (part, (_, size)) in zip(paths, text.TREC.items(), strict=True):
        texts, labels = text.read_trec(path, size)
        arrays[f"x_{part}"], arrays[f"y_{part}"] = np.array(texts), np.array(labels)
    return arrays


def main(arguments=None):
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("name", choices=["animals", "trec"])
    parser.add_argument("files", nargs="+", type=pathlib.Path)
    parser.add_argument("--variant", required=True, help="what this copy is called")
    options = parser.parse_args(arguments)
    if len(options.files) != {"animals": 1, "trec": 2}[options.name]:
        parser.error("animals takes one file, trec two: of training and of test.")
    if not options.variant.strip() or options.variant == "official":
        parser.error(f"--variant must say what it is, got {options.variant!r}.")
    path = cache_folder() / f"{options.name}-copy.npz"
    new = path.with_name(f"{path.stem}-{os.getpid()}.new")
    try:
        read = {"animals": animals_from, "trec": trec_from}[options.name]
        arrays = read(*options.files)
        path.parent.mkdir(parents=True, exist_ok=True)
        with open(new, "wb") as file:
            np.savez(file, variant=np.str_(options.variant), **arrays)
        os.replace(new, path)  # in one step: nothing reads half of it
    except (OSError, EOFError, ValueError, KeyError, zipfile.BadZipFile) as error:
        parser.exit(1, f"{error}\n")
    finally:
        new.unlink(missing_ok=True)
    print(f"{options.name}: {options.variant}, in {path.parent}")


if __name__ == "__main__":
    main()

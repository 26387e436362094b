"""A copy of a data set from elsewhere, which then says that it is one."""

import sys

import loopback
import numpy as np
import official_files as official
import pytest
from notebook_files import ROOT

from lsr_utils import datasets
from lsr_utils.datasets import text

sys.path.insert(0, str(ROOT / "data" / "recorded"))
import import_data  # noqa: E402

COPY = ("--variant", "a copy")


@pytest.fixture(autouse=True)
def small(monkeypatch, cache):
    monkeypatch.setenv("LSR_OFFLINE", "1")
    monkeypatch.setattr(import_data, "RECORDS", official.RECORDS)
    sizes = {"train": 14, "test": 7}
    trec = {part: (text.TREC[part][0], n) for part, n in sizes.items()}
    monkeypatch.setattr(text, "TREC", trec)


def photos_file(tmp_path, **changes):
    rng = np.random.default_rng(0)
    arrays = {}
    for part, n in (("train", 60), ("test", 12)):
        arrays[f"x_{part}"] = rng.integers(0, 256, (n, 32, 32, 3), dtype=np.uint8)
        arrays[f"y_{part}"] = rng.permutation(n) % 6
    arrays |= changes
    path = tmp_path / "photos.npz"
    np.savez(path, **{key: v for key, v in arrays.items() if v is not None})
    return path, arrays


def run(*arguments):
    import_data.main([str(argument) for argument in arguments])


def failure(capsys, *arguments):
    with pytest.raises(SystemExit, match=r"[^0]"):
        run(*arguments)
    return capsys.readouterr().err.splitlines()[-1]


def test_photos_are_taken_over_with_the_name_of_the_copy(tmp_path, cache, capsys):
    path, arrays = photos_file(tmp_path)
    run("animals", path, *COPY)
    assert capsys.readouterr().out == f"animals: a copy, in {cache}\n"
    for part in ("train", "test"):
        data = datasets.load("animals", part=part)
        assert data.variant == "a copy"
        assert data.y.tolist() == arrays[f"y_{part}"].tolist()
        pixels = arrays[f"x_{part}"][3, 10, 20, 1] / 255  # green
        assert data.x[3, 1, 10, 20] == pytest.approx((pixels - 0.466) / 0.232, abs=1e-5)
    assert loopback.names_in(cache) == ["animals-copy.npz"]


def test_trec_is_taken_over_replaced_and_gone_when_it_is_deleted(tmp_path, cache):
    files = tmp_path / "one.label", tmp_path / "two.label"
    files[0].write_bytes(official.trec_lines("train", 14))
    files[1].write_bytes(official.trec_lines("test", 7))
    run("trec", *files, *COPY)
    for part, n in (("train", 14), ("test", 7)):
        data = datasets.load("trec", part=part)
        assert data.variant == "a copy" and len(data) == n
        assert data.texts[2] == f"What is it that {part} asks in row 2 ?"
    run("trec", *files, "--variant", "another copy")
    assert datasets.load("trec").variant == "another copy"
    cache.joinpath("trec-copy.npz").unlink()
    with pytest.raises(datasets.DownloadError):
        datasets.load("trec")


def test_a_copy_that_holds_objects_is_never_unpickled(cache):
    cache.mkdir()
    stored = {"x_train": np.array([{}]), "y_train": np.zeros(1), "variant": "a copy"}
    np.savez(cache / "trec-copy.npz", **stored)
    with pytest.raises(ValueError, match="allow_pickle=False"):
        datasets.load("trec")


X, Y = np.zeros((60, 32, 32, 3), np.uint8), np.zeros(60, np.int64)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"x_train": X / 255}, "must hold x_train (60, 32, 32, 3) of uint8"),
        ({"y_train": Y + 6}, "must hold labels 0 to 5 in y_train"),
        ({"y_train": Y[1:]}, "and y_train (60,), got uint8"),
        ({"y_test": None}, "y_test"),
        ({"y_test": Y[:12].astype(object)}, "pickle"),
    ],
)
def test_a_file_of_another_form_is_refused(tmp_path, cache, capsys, changes, reason):
    path, _ = photos_file(tmp_path, **changes)
    assert reason in failure(capsys, "animals", path, *COPY)
    path.write_bytes(b"PK nothing")
    assert failure(capsys, "animals", path, *COPY)
    assert failure(capsys, "trec", path, path, *COPY)
    assert loopback.names_in(cache) == []


@pytest.mark.parametrize("words", ["trec a", "animals a --variant official"])
def test_a_command_that_says_too_little_is_refused(capsys, words):
    assert failure(capsys, *words.split())
    assert "''" in failure(capsys, "animals", "a", "--variant", "")

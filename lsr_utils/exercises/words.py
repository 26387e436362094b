"""How a verdict shows values, lines of code, and the section to read."""

import inspect
import linecache
import os
import pathlib
import re
import reprlib
import traceback
import urllib.parse

import numpy as np

from .diagnoses import numbers

FEW = 8  # numbers of an array that are written out


def linked(place):
    """For a match of "01.5": a Markdown link from here to the section, or its name.

    Here is the folder of the notebook that asks. A link is made where its file is.
    """
    number, section = place[1].split(".")
    words = f"{number}, section {section}"
    for folder in ("", "../", "deep/", "../deep/"):
        for path in sorted(pathlib.Path(folder).glob(f"{number[:2]}_*.ipynb")):
            text = path.read_text("utf-8", "replace")
            heading = re.search(rf'"## ({section}\. .+?)(?:\\n)?"', text)
            if heading and f'"# {number} · ' in text:
                anchor = urllib.parse.quote(heading[1].replace(" ", "-"), safe=",:")
                return f" ([{words}]({folder}{path.name}#{anchor}))"
    return f" ({words})"


class _Short(reprlib.Repr):
    def repr_ndarray(self, array, level):
        if np.prod(array.shape) > FEW:
            return f"{type(array).__name__.lower()} {tuple(array.shape)}"
        return re.sub(r"'", "", self.repr1(_rounded(array.tolist()), level))

    repr_Tensor = repr_Parameter = repr_Series = repr_DataFrame = repr_ndarray

    def repr_float(self, number, level):
        return f"{number:.6g}"

    repr_float64 = repr_float32 = repr_float

    def repr_function(self, function, level):
        return function.__name__.lstrip("_")

    def repr_instance(self, thing, level):
        if thing is None or thing is ... or isinstance(thing, bool):
            return repr(thing)
        return f"an object of type {type(thing).__name__}"


def _rounded(numbers):
    if isinstance(numbers, list):
        return [_rounded(number) for number in numbers]
    return f"{numbers:.4g}"


SHORT = _Short()
SHORT.maxlist = SHORT.maxtuple = FEW
SHORT.maxstring = 60


def short(value):
    """A few characters for any object; a large array by its shape."""
    try:
        if isinstance(value, BaseException):
            return (str(value).strip().splitlines() or ["no message"])[0][:90]
        return SHORT.repr(value)[:160].replace("`", "'")
    except Exception:  # a hostile object, or one without numbers
        return f"an object of type {type(value).__name__}"


def arguments(function, case):
    """What a function was given, with the names that its author gave them."""
    given = [short(value) for value in case]
    try:
        names = list(inspect.signature(function).bind(*case).arguments)
    except (TypeError, ValueError):  # it takes another number of them
        names = []
    if len(names) == len(given):
        given = [f"{name} = {value}" for name, value in zip(names, given, strict=True)]
    return f"`{', '.join(given)}`"


def line_of(error, function):
    """The deepest line that an error came from and that the reader wrote, or None."""
    code = getattr(function, "__code__", None)
    home = os.path.dirname(code.co_filename) if code else None
    for frame in reversed(traceback.extract_tb(error.__traceback__, -50)):
        if os.path.dirname(frame.filename) == home:
            line = linecache.getline(frame.filename, frame.lineno).strip()
            return f"{frame.lineno} of the cell, `{line}`"
    return None


def beside(got, want):
    """What came and what was wanted; of a large array the number that is most off."""
    one, two = numbers(got), numbers(want)
    if one is None or two is None or one.shape != two.shape or one.size <= FEW:
        return f"`{short(got)}`", f"`{short(want)}`"
    off = np.nan_to_num(np.abs(one - two), nan=np.inf)
    at = tuple(map(int, np.unravel_index(off.argmax(), one.shape)))
    return f"`{one[at]:.6g}` at {list(at)} of {one.shape}", f"`{two[at]:.6g}`"

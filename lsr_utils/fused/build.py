"""The library of the fused loss on the CPU: ``cpu.cpp``, compiled and checked.

It is made in a temporary folder at the first call and lives as long as the process.
"""

import ctypes
import os
import shlex
import shutil
import struct
import subprocess
import tempfile
from pathlib import Path

import torch

SOURCE = Path(__file__).with_name("cpu.cpp")
# Instructions of this very processor, as the library lives no longer than the process.
FLAGS = (["-march=native"], ["-mcpu=native"], [])
NUMBER, POINTER, REAL = ctypes.c_int64, ctypes.c_void_p, ctypes.c_double
JOB = struct.Struct("=QqqQqQdqdQqQQq")  # as in the source; one by one takes a while
NAMES = {
    torch.float32: "rows_float32",
    torch.float64: "rows_float64",
    torch.bfloat16: "rows_bfloat16",
    torch.float16: "rows_float16",
}


def library(agrees):
    """The first library that a compiler makes and ``agrees`` accepts, or None."""
    if os.name != "posix":
        return None
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
            return _first_that_works(folder, agrees)
    except Exception:  # no folder, a source that cannot be read: there is another way
        return None


def commands():
    """The compilers to try, in order, each as a list of words."""
    for name in (os.environ.get("CXX", ""), "c++", "g++", "clang++"):
        try:
            command = shlex.split(name)
        except ValueError:  # a quotation mark without its other
            continue
        if command and shutil.which(command[0]):
            yield command


def _first_that_works(folder, agrees):
    tries = [(command, flags) for command in commands() for flags in FLAGS]
    for number, (command, flags) in enumerate(tries):
        # A new name each: a loaded library would answer again under an old one.
        out = Path(folder, f"fused_{number}.so")
        # A compiler told to be fast would change arithmetic for the whole process.
        build = [*command, "-std=c++17", "-O3", *flags, "-fno-fast-math"]
        try:
            done = subprocess.run(
                [*build, "-shared", "-fPIC", "-o", str(out), str(SOURCE)],
                stdin=subprocess.DEVNULL, capture_output=True, timeout=60,
            )  # fmt: skip
            if done.returncode == 0:
                library = _load(out)
                if agrees(library):
                    return library
        except Exception:  # it hangs, or writes what is no library
            continue
    return None


def _load(path):
    library = ctypes.CDLL(str(path))
    for name in NAMES.values():
        if hasattr(library, name):  # a compiler may know no float16
            function = getattr(library, name)
            function.argtypes = [ctypes.c_char_p, NUMBER, NUMBER, POINTER]
            function.restype = REAL
    library.shares.argtypes = [POINTER, NUMBER, NUMBER, NUMBER, POINTER, NUMBER]
    library.shares.restype = REAL
    return library

#!/usr/bin/env python3
"""Set up this course, then hand over to the tool that does the work.

usage: python3 course.py COMMAND [arguments for the tool]

  setup    make the environment .venv and do nothing else
  lab      open the course in JupyterLab       e.g. lab --no-browser --port 8890
  test     run every test and every notebook   e.g. test --only units, test -k loss
  refresh  run notebooks, store their outputs  e.g. refresh 01, refresh --check
  slides   make a deck of each notebook        e.g. slides 03; in build/slides
  site     build the course as web pages       in build/site

The first call makes the environment, which takes minutes; later calls start at once.
Needs Python 3.10 or newer and nothing else.
"""
# Python 3.6 must be able to parse this file, so that it can say that it is too old;
# what needs more is imported after that. (tools/environment.py does the set-up.)

import difflib
import os
import platform
import sys

OLDEST = (3, 10)
ROOT = os.path.dirname(os.path.abspath(os.path.realpath(__file__)))
COMMANDS = {
    "setup": ["-c", "print('The course is ready: python3 course.py lab')"],
    "lab": ["tools/lab.py"],
    # Two processes: more would want more memory. Tests in a browser come first.
    "test": "-m pytest -n 2 --dist loadscope --no-loadscope-reorder".split(),
    "refresh": ["tools/refresh.py"],
    "slides": ["tools/slides"],
    "site": ["tools/site"],
}


def main(command="help", *arguments):
    """Do the command; returns its exit code, or one sentence on what is wrong."""
    if sys.version_info < OLDEST:
        return (
            f"course.py: Python {OLDEST[0]}.{OLDEST[1]} or newer is needed; this is "
            f"{platform.python_version()} ({sys.executable}): install a newer one and "
            "start the command with it, as in `python3.12 course.py lab`."
        )
    if command in ("-h", "--help", "help"):
        print(__doc__.strip())
        return 0
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        listed = ", ".join(COMMANDS)
        return f"course.py: No command {command!r}: {meant}The commands are {listed}."

    sys.path.insert(0, os.path.join(ROOT, "tools"))
    import environment

    try:
        environment.prepare()
        return environment.run([*COMMANDS[command], *arguments])
    except OSError as error:
        return (
            f"course.py: {error}: make room or make the place writable, copy the "
            "course into a folder of your own, or name a place for its environment by "
            "the variable LSR_VENV."
        )
    except KeyboardInterrupt:
        return "course.py: Interrupted: run the same command to start again."


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))

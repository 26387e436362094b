#!/usr/bin/env python3
"""Set up this course, then hand over to the tool that does the work.

usage: python3 course.py COMMAND [arguments for the tool]

  lab      open the course in JupyterLab       e.g. lab --no-browser --port 8890
  test     run every test and every notebook   e.g. test -k loss
  refresh  run notebooks, store their outputs  e.g. refresh 01, refresh --check
  slides   make a deck of each notebook        e.g. slides 03; in build/slides
  site     build the course as web pages       in build/site
  doctor   say what is missing here and how to mend it; changes nothing

The first call of a command makes the environment .venv, which takes minutes; later
calls start at once. Needs Python 3.10 or newer and nothing else.
"""
# Python 3.6 must be able to parse this file, so that it can say that it is too old;
# what needs more is imported after that. (tools/environment.py does the set-up.)

import difflib
import os
import platform
import sys

OLDEST = (3, 10)
ROOT = os.path.dirname(os.path.abspath(os.path.realpath(__file__)))
TOOLS = os.path.join(ROOT, "tools")
COMMANDS = ("lab", "test", "refresh", "slides", "site", "doctor")


def lab(arguments):
    command = [
        *("-m", "jupyterlab"),
        # A course that works offline does not ask the network for news.
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
    ]
    if not any(argument.endswith(".ipynb") for argument in arguments):
        command.append("--LabApp.default_url=/lab/tree/notebooks/00_start_here.ipynb")
    # Jupyter refuses to run as root unless it is told to; in a container one is root.
    if hasattr(os, "geteuid") and os.geteuid() == 0:
        command.append("--allow-root")
    return command + arguments


def test(arguments):
    # Two processes, each with a file at a time: more would want more memory. The tests
    # in a browser, which take longest, come first.
    at_once = ["-n", "2", "--dist", "loadscope", "--no-loadscope-reorder"]
    return ["-m", "pytest"] + at_once + arguments


def refresh(arguments):
    return [os.path.join("tools", "refresh.py")] + arguments


def slides(arguments):
    return [os.path.join("tools", "slides.py")] + arguments


def site(arguments):
    return [os.path.join("tools", "website.py")] + arguments


def complain(sentence):
    print("course.py: " + sentence, file=sys.stderr, flush=True)
    return 1


def main(arguments):
    if sys.version_info < OLDEST:
        return complain(
            f"Python {OLDEST[0]}.{OLDEST[1]} or newer is needed, and this is "
            f"{platform.python_version()} ({sys.executable}): install a newer one and "
            "start the command with it, as in `python3.12 course.py lab`."
        )
    if not arguments or arguments[0] in ("-h", "--help", "help"):
        print(__doc__.strip())
        return 0 if arguments else 2
    command, rest = arguments[0], arguments[1:]
    if command not in COMMANDS:
        near = difflib.get_close_matches(command, COMMANDS, n=1)
        meant = f"did you mean {near[0]!r}? " if near else ""
        complain(
            f"There is no command {command!r}: {meant}The commands are "
            f"{', '.join(COMMANDS[:-1])} and {COMMANDS[-1]}."
        )
        return 2

    sys.path.insert(0, TOOLS)
    import chromium
    import environment

    try:
        if command == "doctor":
            import doctor

            return 0 if doctor.examine_from_outside(rest) else 1
        environment.prepare()
        if command == "site":
            environment.add("site")
        elif command == "test" and chromium.find():
            try:  # not for long: offline, all other tests are still to run
                environment.add("browser", "site", patient=False)
            except (environment.Stop, OSError) as problem:
                complain(f"Tests in a browser are skipped: {problem}")
        return environment.run(globals()[command](rest))[0]
    except environment.Stop as stop:
        return complain(str(stop))
    except OSError as error:
        said = f"{error.strerror}: {error.filename}"
        return complain(environment.explain(said, command))
    except KeyboardInterrupt:
        complain("Interrupted: run the same command to start again.")
        return 130


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

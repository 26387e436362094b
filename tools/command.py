"""What tools share: one sentence on what is wrong, and which notebooks are meant."""

import sys


class Problem(Exception):
    """One sentence: what is wrong and, where that is not plain, what to do."""


def run(name, main):
    """Run the tool `name` to its end; a problem is told in one sentence."""
    try:
        sys.exit(main())
    except (Problem, OSError) as problem:  # no place to write, say
        sys.exit(f"{name}: {str(problem).rstrip('.')}.")
    except KeyboardInterrupt:
        sys.exit(130)


def files(root, *kinds):
    """The files of these kinds among the notebooks, but for an editor's copies."""
    found = [path for kind in kinds for path in root.glob(f"notebooks/**/{kind}")]
    return sorted(path for path in found if ".ipynb_checkpoints" not in path.parts)


def beginning(names, notebooks):
    """The notebooks that begin with these names, such as 01; no name means all."""
    for name in names:
        if not any(path.name.startswith(name) for path in notebooks):
            there = ", ".join(path.stem for path in notebooks) or "none"
            raise Problem(f"No notebook begins with {name!r}: there are {there}.")
    return [p for p in notebooks if not names or p.name.startswith(tuple(names))]

"""The variables under which a notebook's outputs depend on nothing of the user's."""

import importlib.util
import os
from pathlib import Path

# A user's start-up files and search paths, which would run before the first cell.
UNWANTED = ("PYTHONSTARTUP", "PYTHONPATH", "JUPYTER_PATH", "JUPYTER_CONFIG_PATH")


def isolate(folder):
    """Set this process's variables, which kernels inherit; `folder` is empty, ours."""
    for name in UNWANTED:
        os.environ.pop(name, None)
    for name in ("IPYTHONDIR", "JUPYTER_CONFIG_DIR", "JUPYTER_DATA_DIR"):
        os.environ[name] = str(Path(folder, name.lower()))
    os.environ["PYTHONHASHSEED"] = "0"
    os.environ["TQDM_DISABLE"] = "1"  # a bar shows times, which never repeat
    os.environ["MPLBACKEND"] = "module://matplotlib_inline.backend_inline"
    matplotlib = importlib.util.find_spec("matplotlib")
    if matplotlib:  # its own defaults, instead of the user's matplotlibrc
        defaults = Path(matplotlib.origin).parent / "mpl-data" / "matplotlibrc"
        os.environ["MATPLOTLIBRC"] = str(defaults)

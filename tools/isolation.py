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
    # Its own defaults, instead of the user's matplotlibrc.
    matplotlib = Path(importlib.util.find_spec("matplotlib").origin).parent
    os.environ["MATPLOTLIBRC"] = str(matplotlib / "mpl-data" / "matplotlibrc")

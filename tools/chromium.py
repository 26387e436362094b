"""Find the Chromium that prints handouts and tests pages (standard library only)."""

import os
import shutil

NAMES = "chromium chromium-browser google-chrome chrome"
MISSING = (
    "Chromium was not found: install it (Debian, Ubuntu: `sudo apt install chromium`), "
    "or name another one of its family by CHROMIUM."
)
OPTIONS = (
    "--no-sandbox",  # in a container one is root, and Chromium refuses to be
    *("--disable-gpu", "--disable-dev-shm-usage", "--disable-quic", "--disable-sync"),
    *("--no-first-run", "--no-default-browser-check"),
    *("--disable-background-networking", "--disable-component-update"),
)


def find():
    """The browser's path, or None; CHROMIUM names one, and empty means none."""
    names = [os.environ["CHROMIUM"]] if "CHROMIUM" in os.environ else NAMES.split()
    return next(filter(None, map(shutil.which, names)), None)

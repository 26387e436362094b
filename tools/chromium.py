"""Chromium, which prints handouts and tests pages (standard library only)."""

import os
import re
import shutil
import subprocess
import tempfile
from pathlib import Path

from command import Problem

NAMES = "chromium chromium-browser google-chrome chrome"
MISSING = (
    "Chromium was not found: install it (Debian, Ubuntu: `sudo apt install chromium`), "
    "or name another one of its family by CHROMIUM."
)
OPTIONS = (  # no sandbox: in a container one is root, and Chromium refuses to be
    *("--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage", "--disable-quic"),
    *("--no-first-run", "--no-default-browser-check", "--disable-sync"),
    *("--disable-background-networking", "--disable-component-update"),
)
# Of the page's own clock, which stands still while its scripts load and run, but may
# run ahead of pictures; that is rare, so a page that was not ready is printed again.
MILLISECONDS = 1_000_000
ATTEMPTS = 3


def find():
    """The browser's path, or None; CHROMIUM names one, and empty means none."""
    names = [os.environ["CHROMIUM"]] if "CHROMIUM" in os.environ else NAMES.split()
    return next(filter(None, map(shutil.which, names)), None)


def print_pdf(address, pdf, pages):
    """Print the page at this address into a file of so many pages, or Problem."""
    browser, pdf = find(), Path(pdf).resolve()
    if not browser:
        raise Problem(MISSING)
    call = [
        *(browser, "--headless", *OPTIONS, f"--virtual-time-budget={MILLISECONDS}"),
        *("--no-pdf-header-footer", f"--print-to-pdf={pdf}", address),
    ]
    for _ in range(ATTEMPTS):
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            one = [*call, f"--user-data-dir={profile}"]
            said = subprocess.run(one, capture_output=True, timeout=180).stderr
        content = pdf.read_bytes() if pdf.is_file() else b""
        found = len(re.findall(rb"/Type\s*/Page\b(?!s)", content))
        if found == pages:
            return
        pdf.unlink(missing_ok=True)
    last = said.decode(errors="replace").strip(" .\n").rpartition("\n")[2]
    raise Problem(f"{browser} printed {found} pages, not {pages}: {last or 'no word'}.")

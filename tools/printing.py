"""Print a page as PDF with Chromium."""

import re
import subprocess
import tempfile
from pathlib import Path

import chromium

# Of the page's own clock, which stands still while its scripts load and run, but may
# run ahead of pictures; that is rare, so a page that was not ready is printed again.
MILLISECONDS = 1_000_000
ATTEMPTS = 3


class NotPrinted(Exception):
    """One sentence: what the browser did not do."""


def print_pdf(address, pdf, pages):
    """Print the page at this address into a file of so many pages, or NotPrinted."""
    browser, pdf = chromium.find(), Path(pdf).resolve()
    if not browser:
        raise NotPrinted(chromium.MISSING)
    for _ in range(ATTEMPTS):
        said = printed(browser, address, pdf)
        content = pdf.read_bytes() if pdf.is_file() else b""
        found = len(re.findall(rb"/Type\s*/Page\b(?!s)", content))
        if found == pages:
            return
        pdf.unlink(missing_ok=True)
    raise NotPrinted(f"{browser} printed {found} pages, not {pages}{said}.")


def printed(browser, address, pdf):
    """Let the browser print once; returns the last of what it said, after a colon."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *(browser, "--headless", *chromium.OPTIONS, f"--user-data-dir={profile}"),
            *(f"--virtual-time-budget={MILLISECONDS}", "--no-pdf-header-footer"),
            *(f"--print-to-pdf={pdf}", address),
        ]
        try:
            made = subprocess.run(command, capture_output=True, timeout=180)
        except (OSError, subprocess.TimeoutExpired) as error:
            return f": {error}"
    lines = made.stderr.decode(errors="replace").strip(" .\n").splitlines()
    return f": {lines[-1]}" if lines else ""

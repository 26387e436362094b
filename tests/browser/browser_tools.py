"""Helpers of the tests in a real browser: build what is shown, move what moves."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]


def built(tool, folder):
    """Run a tool as `course.py` does; skip where npm's registry is out of reach."""
    command = [sys.executable, ROOT / "tools" / tool, "--to", folder]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "could not be fetched" in made.stderr:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stdout + made.stderr
    return folder


def move_sliders(page, within):
    """Move each slider by key and by mouse; returns how many reacted to both.

    A slider reacts when its picture and its readout change.
    """
    moved = 0
    for slider in page.locator(f"{within} input[type=range]").all():
        slider.scroll_into_view_if_needed()
        box = slider.locator("xpath=../..")
        states = [box.inner_html()]
        least = slider.evaluate("e => e.value === e.min")
        slider.focus()
        page.keyboard.press("ArrowRight" if least else "ArrowLeft")
        states.append(box.inner_html())
        place = slider.bounding_box()
        share = 0.95 if slider.evaluate("e => +e.value < (+e.max) / 2") else 0.05
        page.mouse.click(
            place["x"] + share * place["width"], place["y"] + place["height"] / 2
        )
        states.append(box.inner_html())
        moved += states[0] != states[1] != states[2]
    return moved

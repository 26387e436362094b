"""Helpers of the tests in a real browser: build what is shown, move what moves."""

import json
import re
import subprocess
import sys
from pathlib import Path

import command
import nbformat
import pytest

ROOT = Path(__file__).resolve().parents[2]
LECTURES = command.lectures(ROOT)
# Text as a reader sees it, without code.
PROSE = """where => {
  const copy = document.querySelector(where).cloneNode(true);
  copy.querySelectorAll('pre, code, script, mjx-container').forEach(e => e.remove());
  return copy.textContent;
}"""


def built(tool, folder):
    """Run a tool as `course.py` does; skip where npm's registry is out of reach."""
    command = [sys.executable, ROOT / "tools" / tool, "--to", folder]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True)
    if "could not be fetched" in made.stderr:
        pytest.skip(made.stderr.strip())
    assert made.returncode == 0, made.stdout + made.stderr
    for path in folder.rglob("*.html"):
        text = path.read_text("utf-8")
        assert str(ROOT) not in text and str(folder) not in text, path.name
    return folder


def stored(path):
    """Figures and sliders in the notebook as it is stored."""
    cells = nbformat.read(path, as_version=4).cells
    outputs = [output for cell in cells for output in cell.get("outputs", [])]
    data = [output.get("data", {}) for output in outputs]
    pages = "".join(d.get("text/html", "") for d in data)
    live = re.findall(r'type="application/json">(\{.*?)</script>', pages, re.DOTALL)
    sliders = [len(json.loads(text)["controls"]) for text in live]
    return sum("image/png" in d for d in data), sum(sliders)


def all_set(page, where):
    """Whether every formula is set, and every picture loaded and described."""
    assert page.locator("mjx-merror, [data-mml-node=merror]").count() == 0
    assert re.findall(r"\$[^$\n]+\$", page.evaluate(PROSE, where)) == []
    images = page.locator(f"{where} img")
    images.evaluate_all("all => all.forEach(i => i.loading = 'eager')")
    page.wait_for_function("[...document.images].every(i => i.complete)")
    described = "all => all.every(i => i.naturalWidth > 0 && i.alt.length > 20)"
    return images.evaluate_all(described)


def move_sliders(page, within):
    """Move each slider by key and by mouse; returns how many pictures followed."""
    moved = 0
    for slider in page.locator(f"{within} input[type=range]").all():
        slider.scroll_into_view_if_needed()
        box = slider.locator("xpath=ancestor::div[@data-prevent-swipe]")
        states = [box.inner_html()]
        least = slider.evaluate("e => e.value === e.min")
        slider.focus()
        page.keyboard.press("ArrowRight" if least else "ArrowLeft")
        states.append(box.inner_html())
        place = slider.bounding_box()
        share = 0.95 if slider.evaluate("e => +e.value < (+e.max) / 2") else 0.05
        right, down = share * place["width"], place["height"] / 2
        page.mouse.click(place["x"] + right, place["y"] + down)
        states.append(box.inner_html())
        moved += states[0] != states[1] != states[2]
    return moved

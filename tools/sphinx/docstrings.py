"""Turn the docstrings of the course into what Sphinx reads.

They are written for `help()`: a sentence, then lines such as ``eps : a number`` with
what follows set further in. Sphinx gets the same as a definition list.
"""

import inspect
import re

ENTRY = re.compile(r"^(?P<name>[\w*][\w*, .]*?)\s+:\s+(?P<text>\S.*)$")


def to_rst(app, what, name, obj, options, lines):
    """Sphinx's hook: change the lines of a docstring in place."""
    source = inspect.cleandoc(inspect.getdoc(obj) or "") if not lines else ""
    lines[:] = converted(lines or source.splitlines())


def converted(lines):
    made, block = [], []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            made += of_block(block)
            block = []
    return made


def of_block(block):
    """What a block between blank lines becomes: prose, entries, lines or a session."""
    start = next((n for n, line in enumerate(block) if ENTRY.match(line)), None)
    if start is not None:
        before = of_block(block[:start]) if start else []
        return before + entries(block[start:])
    if block[0].startswith(">>> "):
        return [".. code-block:: pycon", "", *("   " + line for line in block), ""]
    if any(line.startswith("  ") for line in block[1:]):
        return [*(f"| {escaped(line)}" for line in block), ""]  # its lines are meant
    return [*map(escaped, block), ""]


def entries(block):
    """A definition list of entries; a line that is none begins a paragraph after it."""
    made = []
    for number, line in enumerate(block):
        found = ENTRY.match(line)
        if found:
            name = found["name"]
            plain = name in ("returns", "raises")
            made += [
                f"*{name}*" if plain else f"``{name}``",
                f"    {escaped(found['text'])}",
            ]
        elif line.startswith("  "):
            made.append(f"    {escaped(line.strip())}")
        else:
            return [*made, "", *of_block(block[number:])]
    return [*made, ""]


def escaped(text):
    """Leave ``code`` as it is; elsewhere nothing is markup."""
    parts = re.split(r"(``.+?``)", text)
    return "".join(
        part if part.startswith("``") else re.sub(r"([\\*`|_])", r"\\\1", part)
        for part in parts
    )

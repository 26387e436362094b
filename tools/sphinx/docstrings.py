"""Turn the docstrings of the course into what Sphinx reads.

They are written for `help()`: a sentence, then lines such as ``eps : a number`` with
what follows set further in. Sphinx gets the same as a field list.
"""

import inspect
import re

ENTRY = re.compile(r"^(?P<name>[\w*][\w*, .]*?)\s*:\s+(?P<text>\S.*)$")


def to_rst(app, what, name, obj, options, lines):
    """Sphinx's hook: change the lines of a docstring in place."""
    source = inspect.cleandoc(inspect.getdoc(obj) or "") if not lines else ""
    lines[:] = converted(lines or source.splitlines())


def converted(lines):
    made, blocks, block = [], [], []
    for line in [*lines, ""]:
        if line.strip():
            block.append(line)
        elif block:
            blocks.append(block)
            block = []
    for block in blocks:
        entries = fields(block)
        if entries:
            made += [f":{escaped(name)}: {escaped(text)}" for name, text in entries]
        elif block[0].startswith(">>> "):
            made += [".. code-block:: pycon", "", *("   " + line for line in block)]
        elif any(line.startswith("  ") for line in block):
            made += [f"| {escaped(line)}" for line in block]  # its lines are meant
        else:
            made += [escaped(line) for line in block]
        made.append("")
    return made


def fields(block):
    """Pairs (name, text) when every line is an entry or goes on with one, else []."""
    entries = []
    for line in block:
        found = ENTRY.match(line)
        if found:
            entries.append([found["name"], found["text"]])
        elif entries and line.startswith("  "):
            entries[-1][1] += " " + line.strip()
        else:
            return []
    return entries


def escaped(text):
    """Leave ``code`` as it is; elsewhere nothing is markup."""
    parts = re.split(r"(``.+?``)", text)
    return "".join(
        part if part.startswith("``") else re.sub(r"([\\*`|_])", r"\\\1", part)
        for part in parts
    )

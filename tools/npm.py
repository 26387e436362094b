"""Fetch what decks and pages need from npm, without node; pooch keeps and checks it.

`npm.json` pins each package. Its tarball stays in the user's cache folder.
"""

import json
import os
import tarfile
from pathlib import Path

import pooch
from command import Problem

PINNED = json.loads(Path(__file__).with_name("npm.json").read_text("utf-8"))


def tarball(name):
    """The path of the package's tarball in the cache, fetched if it is not there."""
    file = f"{name}-{PINNED[name]['version']}.tgz"
    registry = os.environ.get("npm_config_registry") or "https://registry.npmjs.org"
    address = f"{registry.rstrip('/')}/{name}/-/{file}"
    folder = Path(os.environ.get("LSR_DATA_HOME") or pooch.os_cache("lsr_utils"), "npm")
    digest = f"sha512:{PINNED[name]['sha512']}"
    pooch.get_logger().setLevel("WARNING")
    try:
        return pooch.retrieve(address, digest, file, folder.expanduser())
    except (OSError, ValueError) as error:  # ValueError: it is another file
        reason = f"{type(error).__name__}, {str(error).strip().split(': ')[0]}"
        raise Problem(
            f"{file} could not be fetched from {registry} ({reason}): connect, name "
            f"another by npm_config_registry, or put it into {folder} (LSR_DATA_HOME)."
        ) from error


def copy(name, files, target):
    """Write these files of the package, with its licence, into the folder `target`."""
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tarball(name)) as archive:
        for file in (*files, "LICENSE"):
            new = f"{name}-LICENSE" if file == "LICENSE" else Path(file).name
            (target / new).write_bytes(archive.extractfile(f"package/{file}").read())

"""Fetch what decks and pages need from npm, without node (standard library only).

Each package comes as the tarball of one pinned version. Its SHA-512 is checked whenever
it is used; it is kept in the user's cache folder, so that a second build needs no
network. Nothing of it is committed.
"""

import base64
import hashlib
import http.client
import os
import re
import sys
import tarfile
import urllib.error
import urllib.request
from pathlib import Path

# Name: version and SHA-512, as the registry states it ("integrity").
PINNED = {
    "reveal.js": (
        "4.6.1",
        "1CW0auaXNPmwmvQ7TwpszwVxMi2Xr5cTS3J3EBC/HHgbPF32Dn7aiu/LKWDOGjMbaDwKQiGmfqcoGQ74"
        "HUHCMw==",
    ),
    "mathjax": (
        "3.2.2",
        "Bt+SSVU8eBG27zChVewOicYs7Xsdt40qm4+UpHyX7k0/O9NliPc+x77k1/FEsPsjKPZGJvtRZM1vO+ge"
        "W0OhGw==",
    ),
    "axe-core": (
        "4.10.3",
        "Xm7bpRXnDSX2YE2YFfBk2FnF0ep6tmG7xPh8iHee8MIcrgq762Nkce856dYtJYLkuIoYZvGfTs/PbZhi"
        "deTcEg==",
    ),
}
REGISTRY = "https://registry.npmjs.org"


class Unreachable(Exception):
    """One sentence: what could not be had, from where, and the mend."""


def registry():
    """npm's own setting: its variable, else the user's .npmrc, else the public one."""
    for name in ("npm_config_registry", "NPM_CONFIG_REGISTRY"):
        if os.environ.get(name):
            return os.environ[name].rstrip("/")
    settings = os.environ.get("npm_config_userconfig") or Path.home() / ".npmrc"
    try:
        lines = Path(settings).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return REGISTRY
    found = re.search(r"^\s*registry\s*=\s*(\S+)", lines, re.MULTILINE)
    return (found.group(1) if found else REGISTRY).rstrip("/")


def cache_folder():
    """As ``lsr_utils.datasets.cache_folder``, which would take a second to import."""
    if os.environ.get("LSR_DATA_HOME"):
        return Path(os.environ["LSR_DATA_HOME"]).expanduser() / "npm"
    home = Path.home()
    if sys.platform == "win32":
        base = Path(os.environ.get("LOCALAPPDATA") or home / "AppData" / "Local")
    elif sys.platform == "darwin":
        base = home / "Library" / "Caches"
    else:
        base = Path(os.environ.get("XDG_CACHE_HOME") or home / ".cache")
    return base / "lsr_utils" / "npm"


def tarball(name):
    """The path of the package's tarball in the cache, fetched if it is not there."""
    version, digest = PINNED[name]
    path = cache_folder() / f"{name}-{version}.tgz"
    if path.is_file() and matches(path.read_bytes(), digest):
        return path
    content = fetched(name, version)
    if not matches(content, digest):
        raise Unreachable(
            f"What {registry()} gave as {name} {version} is not what was published: "
            "its SHA-512 differs, so it was not used; try another registry by "
            "npm_config_registry."
        )
    path.parent.mkdir(parents=True, exist_ok=True)
    new = path.with_name(f"{path.name}.{os.getpid()}.new")
    try:
        new.write_bytes(content)
        os.replace(new, path)  # in one step: another build may be reading
    finally:
        new.unlink(missing_ok=True)
    return path


def matches(content, digest):
    return base64.b64encode(hashlib.sha512(content).digest()).decode() == digest


def fetched(name, version):
    address = f"{registry()}/{name}/-/{name}-{version}.tgz"
    if os.environ.get("LSR_OFFLINE") == "1":
        reason = "LSR_OFFLINE=1 forbids it"
    else:
        try:
            with urllib.request.urlopen(address, timeout=30) as answer:
                return answer.read()
        except (OSError, ValueError, http.client.HTTPException) as error:
            # (URLError is an OSError; its reason says more than its text.)
            reason = str(getattr(error, "reason", None) or error)
            if isinstance(error, urllib.error.HTTPError):
                reason = f"it answered {error.code}"
    raise Unreachable(
        f"{name} {version} could not be fetched from {address} ({reason}): connect, or "
        f"name another registry by npm_config_registry, or put the file into "
        f"{cache_folder()}, and run the same command again."
    )


def copy(name, files, target):
    """Write these files of the package, with its licence, into the folder `target`."""
    target = Path(target)
    target.mkdir(parents=True, exist_ok=True)
    with tarfile.open(tarball(name)) as archive:
        for file in (*files, "LICENSE"):
            content = archive.extractfile(f"package/{file}").read()
            new = f"{name}-LICENSE" if file == "LICENSE" else Path(file).name
            (target / new).write_bytes(content)

"""Where the environment lies if not in .venv, and what cannot be written."""

import os
import shutil
import sys

import course_copy
import pytest
from course_copy import course, one_sentence, tiny_course, variables

WITHOUT_RIGHTS = "setpriv", "--bounding-set=-dac_override"


def closed(*folders):
    """A command's beginning under which these folders may not be written."""
    if os.name == "nt" or (os.geteuid() == 0 and not shutil.which("setpriv")):
        pytest.skip("takes POSIX modes, and setpriv where this user is root")
    for folder in folders:
        for place in (folder, *folder.rglob("*")):
            if place.is_dir() and not place.is_symlink():
                place.chmod(0o555)
    return (*(WITHOUT_RIGHTS if os.geteuid() == 0 else ()), sys.executable)


@pytest.fixture(autouse=True)
def opened_again(tmp_path):
    """What a test closed, it cannot remove."""
    yield
    for place in (tmp_path, *(p for p, *_ in os.walk(tmp_path))):
        os.chmod(place, 0o755)


def test_what_is_somebody_elses_stays_and_lsr_venv_names_another_place(tmp_path):
    wheels = str(course_copy.tiny_wheels(tmp_path / "wheels"))
    folder, theirs = tiny_course(tmp_path / "课程"), tmp_path / "theirs"
    theirs.mkdir()
    for name in ("pyvenv.cfg", "course-is-ready.json"):
        (theirs / name).write_text("{}")
    (folder / ".venv").symlink_to(theirs)
    env = variables(tmp_path, PIP_NO_INDEX="1", PIP_FIND_LINKS=wheels, LC_ALL="C")
    one_sentence(course(folder, "site", env=env), "not made by course.py", "LSR_VENV")
    assert len([*theirs.iterdir()]) == 2

    (folder / ".venv.lock").unlink()
    before = closed(folder)
    mine = {"LSR_VENV": str(tmp_path / "my envs" / "course")}
    made = course(folder, "site", env={**env, **mine}, before=before)
    assert made.stdout.endswith("tiny\n") and mine["LSR_VENV"] in made.stderr
    again = course(folder, "site", env={**env, **mine}, before=before)
    assert (again.stdout, again.stderr) == ("tiny\n", "")

    # Another copy of the course in the same place: each runs its own package.
    other = tiny_course(tmp_path / "other")
    (other / "lsr_utils" / "__init__.py").write_text("NAME = 'other'\n")
    for place, name in ((other, "other"), (folder, "tiny")):
        result = course(place, "site", env={**env, **mine}, before=before)
        assert result.stdout.endswith(f"{name}\n") and "Updating" in result.stderr


def test_what_cannot_be_written_is_said_with_what_to_do(tmp_path):
    whole = course_copy.whole_course(tmp_path / "course")
    home = tmp_path / "home"
    home.mkdir()
    before = closed(home, whole)
    env = variables(home)
    for tool in ("slides", "site"):
        result = course(whole, tool, env=env, before=before)
        one_sentence(result, f"{tool}: ", "Permission denied", "build", "by --to")
    result = course(whole, "lab", env=env, before=before)
    one_sentence(result, "lab: ", "Permission denied", str(home), "JUPYTER_DATA_DIR")
    env["LSR_VENV"] = str(home / "course")
    result = course(whole, "lab", env=env, before=before)
    one_sentence(result, "Permission denied", str(home), "LSR_VENV")

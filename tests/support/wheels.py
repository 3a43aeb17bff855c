"""The wheel as its users have it: built by the standard tools, installed where the checkout is out of sight.

packed = pack(directory)
place = install(directory, packed.wheel)
run([place.python, "-m", "ingate", "--version"], env=OUTSIDE)
"""

import re
import sys
import tarfile
import zipfile
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

from packaging.requirements import Requirement

from tests.support.tools import ROOT, run

LOCKED = ROOT / "requirements" / "runtime.txt"
# Laid over the environment of a command that is to see an environment's packages and no others.
OUTSIDE = {"PYTHONPATH": None}


class Packed(NamedTuple):
    """Paths of what was built."""

    sdist: Path
    wheel: Path


class Installed(NamedTuple):
    """Paths in an environment: interpreter, `ingate` command, packages."""

    python: Path
    command: Path
    packages: Path


def pack(directory):
    """Builds the checkout's sdist, and the wheel from what the sdist holds, into `directory`, as `build` does."""
    run([sys.executable, "-m", "hatchling", "build", "-t", "sdist", "-d", directory])
    [sdist] = directory.glob("*.tar.gz")
    with tarfile.open(sdist) as archive:
        archive.extractall(directory / "unpacked", filter="data")
    [source] = (directory / "unpacked").iterdir()
    return Packed(sdist, wheel(source, directory))


def wheel(source, directory):
    """Builds the wheel of a source tree into `directory` and returns its path."""
    run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", directory], cwd=source)
    [made] = directory.glob("*.whl")
    return made


def install(directory, *wheels):
    """Makes an environment of the locked requirements, and nothing else, and has pip install wheels into it."""
    run([sys.executable, "-m", "venv", "--without-pip", directory])
    place = Installed(
        directory / "bin" / "python",
        directory / "bin" / "ingate",
        directory / "lib" / f"python{sys.version_info[0]}.{sys.version_info[1]}" / "site-packages",
    )
    run([sys.executable, "-m", "pip", "--python", place.python, "install", "--no-deps", "--no-index", *wheels])
    for line in LOCKED.read_text().splitlines():
        if match := re.match(r"[\w.-]+==[^\\]+", line):
            requirement = Requirement(match[0])
            if requirement.marker is None or requirement.marker.evaluate():
                _link(requirement.name, place.packages)
    return place


def foreign_wheel(directory, files):
    """Writes the wheel of another project, `stranger`, of these files (path → text), and returns its path."""
    path = directory / "stranger-1.0-py3-none-any.whl"
    info = "stranger-1.0.dist-info"
    contents = {
        **files,
        f"{info}/METADATA": "Metadata-Version: 2.1\nName: stranger\nVersion: 1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: tests\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    record = "".join(f"{name},,\n" for name in [*contents, f"{info}/RECORD"])
    with zipfile.ZipFile(path, "w") as archive:
        for name, text in {**contents, f"{info}/RECORD": record}.items():
            archive.writestr(name, text)
    return path


def _link(name, packages):
    """Links the files of an installed distribution, as downloading it again would take a network."""
    for file in metadata.distribution(name).files:
        if file.parts[0] != "..":
            target = packages / file
            target.parent.mkdir(parents=True, exist_ok=True)
            target.symlink_to(file.locate())

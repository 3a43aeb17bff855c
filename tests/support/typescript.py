"""Clients in TypeScript, generated from proto/, compiled, with the packages of sdk/typescript. Knows no client.

Its packages are installed once, into .cache/, and again when their lock file has changed.
"""

import shutil

from tests.support.builds import alone
from tests.support.node import installed
from tests.support.tools import BUF, ROOT, run

SDK = ROOT / "sdk" / "typescript"
SOURCES = ROOT / "tests" / "e2e" / "typescript"
OLDEST_NODE = 20


def build(node, directory, sources=SOURCES, name="client"):
    """Generates the client, checks its types, compiles it and returns the path of the program.

    node: what `find_node` returned. directory: what is made lies in it; whoever names it again gets the same program.
    sources: the directory of the program `name`, its `buf.gen.yaml` and `tsconfig.json`.
    """
    directory.mkdir(exist_ok=True)
    program = directory / "client" / "dist" / f"{name}.js"
    with alone(directory):
        # A compilation with errors writes nothing.
        if not program.exists():
            shutil.rmtree(directory / "client", ignore_errors=True)
            _compile(node, directory / "client", sources)
    return program


def packages_for(node):
    """Returns the directory of the packages that programs are compiled and run with."""
    return installed(node, "typescript", SDK)


def _compile(node, directory, sources):
    packages = packages_for(node)
    shutil.copytree(sources, directory, ignore=shutil.ignore_patterns("node_modules"))
    shutil.copyfile(SDK / "package.json", directory / "package.json")
    (directory / "node_modules").symlink_to(packages)
    path = (node, packages / ".bin")
    run([BUF, "generate", ROOT], path=path, cwd=directory)
    run([packages / ".bin" / "tsc"], path=path, cwd=directory)

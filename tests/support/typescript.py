"""The TypeScript client of tests/e2e/typescript, generated from proto/ and compiled. Knows nothing of what it does."""

import shutil

from tests.support.npm import alone, install
from tests.support.tools import BUF, ROOT, run, vendor_protos

SOURCES = ROOT / "tests" / "e2e" / "typescript"


def build(node, directory):
    """Generates the client, checks its types, compiles it and returns the path of the program.

    node: what `find_node` returned. directory: what is made lies in it; whoever names it again gets the same program.
    """
    program = directory / "client" / "dist" / "client.js"
    with alone(directory):
        # A compilation with errors writes nothing.
        if not program.exists():
            shutil.rmtree(directory / "client", ignore_errors=True)
            _compile(node, directory / "client")
    return program


def _compile(node, directory):
    packages = install(node, SOURCES)
    vendor_protos()
    shutil.copytree(SOURCES, directory, ignore=shutil.ignore_patterns("node_modules"))
    (directory / "node_modules").symlink_to(packages)
    path = (node, packages / ".bin")
    run([BUF, "generate", ROOT], path=path, cwd=directory)
    run([packages / ".bin" / "tsc"], path=path, cwd=directory)

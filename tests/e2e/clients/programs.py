"""Programs that use the official clients of other languages. Each is built once in a checkout, below .cache/.

Packages come through npm, Go and Maven as the machine has them set up, into their own caches.
"""

import shutil
from pathlib import Path

from tests.support.builds import built
from tests.support.node import find_node, installed
from tests.support.tools import run

SOURCES = Path(__file__).parent
_OLDEST_NODE = 22
_MAVEN = ("mvn", "--quiet", "--batch-mode", "compile", "dependency:build-classpath")
# Reading bytecode is most of what a program of a few seconds does.
_JAVA = ("java", "-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC")
# Optimised, the clients take minutes to compile and gigabytes of memory.
_GO = ("go", "build", "-mod=readonly", "-gcflags=all=-N -l", "-o", "clients", ".")


class Missing(Exception):
    """The machine has not what a program is built with."""


def command(language):
    """Returns the words of the command that runs the program of a language. Raises Missing."""
    return {"node": _node, "go": _go, "java": _java}[language]()


def _node():
    sources = SOURCES / "node"
    node = find_node(_OLDEST_NODE)
    packages = installed(node, "clients/packages", sources)
    # Modules are looked for beside the program.
    program = _copied("node", lambda directory: (directory / "node_modules").symlink_to(packages))
    return [str(node / "node"), str(program / "main.js")]


def _go():
    _need("go")
    return [str(_copied("go", lambda directory: run(_GO, cwd=directory, timeout=1500)) / "clients")]


def _java():
    _need("java", "mvn")
    target = _copied("java", lambda directory: run(_MAVEN, cwd=directory, timeout=480)) / "target"
    return [*_JAVA, "-cp", f"{target / 'classes'}:{(target / 'classpath').read_text().strip()}", "clients.Main"]


def _copied(language, build):
    """Returns the directory of a copy of the sources in which `build` has been."""
    sources = SOURCES / language

    def copy(directory):
        program = directory / "program"
        shutil.rmtree(program, ignore_errors=True)
        shutil.copytree(sources, program, ignore=shutil.ignore_patterns("node_modules", "target"))
        build(program)

    files = sorted(path for path in sources.rglob("*") if path.is_file())
    return built(f"clients/{language}", files, copy) / "program"


def _need(*commands):
    for name in commands:
        if shutil.which(name) is None:
            raise Missing(f"this machine has no {name}")

"""The project of each client: where it is put together, of what, and how it is built."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from scripts.sdk import python, typescript
from scripts.sdk.surface import surface

ROOT = Path(__file__).resolve().parents[2]
SOURCES = ROOT / "sdk"
TOOLS = ROOT / ".venv-tools" / "bin"


def python_rest(out: Path) -> Path:
    """Makes the project of `ingate-client`, wheel and sdist in its dist/, and returns it."""
    project = python_sources(out)
    ruff = [sys.executable, "-m", "ruff", "format", "--quiet", "--isolated", "--line-length", "120"]
    run([*ruff, project], project)
    return _wheel(project)


def python_sources(out: Path) -> Path:
    """Puts `ingate-client` together and returns its project; `ingate_client` in it can be imported."""
    project = fresh(out, "python")
    python.write(surface(), project / "ingate_client")
    return project


def python_grpc(out: Path) -> Path:
    """Makes the project of `ingate-grpc`, wheel and sdist in its dist/, and returns it."""
    project = fresh(out, "python-grpc")
    run([TOOLS / "python", "scripts/generate.py", project / "ingate_grpc"], ROOT)
    return _wheel(project)


def typescript_project(out: Path) -> Path:
    """Makes the project of `@ingate/client`, a tarball as npm publishes it in it, and returns it."""
    project = fresh(out, "typescript")
    run(["npm", "ci", "--ignore-scripts"], project)
    compile_typescript(project)
    run(["npm", "pack"], project)
    return project


def compile_typescript(project: Path) -> None:
    """Generates what a copy of sdk/typescript lacks and compiles it into dist/; its node_modules are there."""
    typescript.write(surface(), project / "src")
    commands = project / "node_modules" / ".bin"
    run([TOOLS / "buf", "generate", ROOT], project, commands)
    run(["tsc"], project, commands)


def go_project(out: Path) -> Path:
    """Makes the Go module, compiled once, and returns it. Needs Go."""
    project = fresh(out, "go")
    # A directory of protos, for buf takes no whole module as a path.
    run([TOOLS / "buf", "generate", ROOT, "--path", ROOT / "proto" / "ingate"], project)
    run(["go", "build", "-mod=readonly", "./..."], project)
    return project


def java_project(out: Path) -> Path:
    """Makes the Maven project, protos included, its jar in target/, and returns it. Needs Java and Maven."""
    project = fresh(out, "java")
    for protos in (ROOT / "proto" / "ingate", ROOT / "third_party" / "buf"):
        shutil.copytree(protos, project / "proto" / protos.name)
    run(["mvn", "--quiet", "--batch-mode", "package", "dependency:build-classpath"], project)
    return project


def fresh(out: Path, name: str) -> Path:
    """Returns a copy of sdk/<name> below `out`, in place of what was there."""
    project = out / name
    shutil.rmtree(project, ignore_errors=True)
    shutil.copytree(SOURCES / name, project, ignore=shutil.ignore_patterns("__pycache__", "node_modules"))
    shutil.copyfile(ROOT / "LICENSE", project / "LICENSE")
    return project


def run(argv: list[object], directory: Path, *commands: Path) -> None:
    """Runs a command there. Directories of commands go before PATH. Raises CalledProcessError."""
    # Without a Node.js on PATH, there is that of the environment.
    path = os.pathsep.join([*map(str, commands), os.environ["PATH"], str(Path(sys.executable).parent)])
    subprocess.run([str(word) for word in argv], cwd=directory, check=True, env={**os.environ, "PATH": path})


def _wheel(project: Path) -> Path:
    run([sys.executable, "-m", "hatchling", "build"], project)
    return project


LANGUAGES: dict[str, Callable[[Path], list[Path]]] = {
    "python": lambda out: [python_rest(out), python_grpc(out)],
    "typescript": lambda out: [typescript_project(out)],
    "go": lambda out: [go_project(out)],
    "java": lambda out: [java_project(out)],
}
"""What `make sdk` makes."""

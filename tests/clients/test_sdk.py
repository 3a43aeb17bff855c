"""The clients whose toolchains `make test` does not have, as they are published, used as their pages do."""

import pytest

from scripts.sdk.projects import go_project, java_project
from tests.support.sdk_story import stage, written
from tests.support.tools import run

# Compiling gRPC takes minutes.
pytestmark = pytest.mark.timeout(1800)


@pytest.fixture
def played(tmp_path):
    with stage(tmp_path / "data") as playing:
        yield playing.played


def test_go(played, tmp_path):
    """The program is a module's own, and imports the other by its published name."""
    project = go_project(tmp_path / "sdk")
    program = project / "cmd"
    program.mkdir()
    written(program, "go", "main.go")
    run(["go", "build", "-mod=readonly", "-o", tmp_path / "program", "./cmd"], cwd=project, timeout=900)
    played([tmp_path / "program"])


def test_java(played, tmp_path):
    """The program is compiled against the jar."""
    target = java_project(tmp_path / "sdk") / "target"
    [jar] = target.glob("*.jar")
    classpath = f"{jar}:{(target / 'classpath').read_text().strip()}"
    played(["java", "-cp", classpath, written(tmp_path, "java", "Ask.java")])

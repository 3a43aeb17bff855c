"""Generators make clients of the OpenAPI document and warn of nothing.

Their packages have 100 MB: `make clients` runs this, `make test` does not.
"""

import json
import os
import re
import subprocess
from pathlib import Path

import pytest

from rest_facade.dialects import ingate, ongoingai
from rest_facade.spec.openapi import document
from tests.support.node import find_node, installed
from tests.support.tools import ROOT, run

SOURCES = Path(__file__).parent / "generators"
OLDEST_NODE = 20
PYTHON = ROOT / ".venv-recipes" / "openapi" / "bin"
DIALECTS = [ingate.INGATE, ongoingai.dialect(ongoingai.Options("http://openai.example", "http://anthropic.example"))]

pytestmark = [
    pytest.mark.timeout(600),
    pytest.mark.parametrize("dialect", DIALECTS, ids=lambda dialect: dialect.name),
]


@pytest.fixture(scope="module")
def node():
    return find_node(OLDEST_NODE)


@pytest.fixture(scope="module")
def packages(node):
    return installed(node, "generators", SOURCES)


@pytest.fixture
def described(dialect, tmp_path):
    """The path of a dialect's document."""
    path = tmp_path / "openapi.json"
    path.write_text(json.dumps(document("http://127.0.0.1:8080", dialect)))
    return path


def warnings(words, *, path, directory):
    """Runs a generator and returns the lines in which it warns. Raises CalledProcessError where it fails."""
    environment = {**os.environ, "PATH": os.pathsep.join([str(path), os.environ["PATH"]])}
    done = subprocess.run(
        words, cwd=directory, env=environment, capture_output=True, text=True, check=True, timeout=300
    )
    lines = (done.stdout + done.stderr).lower().splitlines()
    return [line for line in lines if re.search("warn|error|unsupported|skip|⚠", line)]


def test_openapi_typescript(node, packages, described, tmp_path):
    """Types of every operation, which compile."""
    types = tmp_path / "ingate.ts"
    command = [packages / ".bin" / "openapi-typescript", described, "-o", types]
    assert warnings(command, path=node, directory=tmp_path) == []
    assert "operations" in types.read_text()
    run([packages / ".bin" / "tsc", "--strict", "--noEmit", types], path=(node,), cwd=tmp_path)


def test_orval(node, packages, described, tmp_path):
    """A client by fetch, which compiles."""
    client = tmp_path / "client.ts"
    command = [packages / ".bin" / "orval", "--input", described, "--output", client, "--client", "fetch"]
    assert warnings(command, path=node, directory=tmp_path) == []
    options = ("--strict", "--noEmit", "--lib", "es2022,dom,dom.iterable", "--target", "es2022")
    run([packages / ".bin" / "tsc", *options, client], path=(node,), cwd=tmp_path)


def test_openapi_python_client(described, tmp_path):
    """A package of which every module compiles."""
    made = tmp_path / "client"
    command = [PYTHON / "openapi-python-client", "generate", "--path", described, "--output-path", made]
    assert warnings(command, path=PYTHON, directory=tmp_path) == []
    for module in made.rglob("*.py"):
        compile(module.read_text(), str(module), "exec")

"""The documents are true: their samples run, and they name what there is."""

import re
import sys

import pytest

from ingate.cli.root import COMMANDS
from rest_facade.dialects import ingate
from rest_facade.middleware import SECURITY
from rest_facade.routes import native_routes
from rest_facade.spec.route import OPENAPI
from tests.support.gateway import demo_gateway
from tests.support.tools import ROOT, run

DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]
PYTHON = re.compile(r"```python\n(.*?)```", re.DOTALL)


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with demo_gateway(tmp_path_factory.mktemp("data")) as gateway:
        yield gateway


def _samples(path):
    return PYTHON.findall(path.read_text())


@pytest.mark.parametrize("sample", _samples(ROOT / "docs" / "getting-started.md"))
def test_samples_run(running, sample, tmp_path):
    """Each sample of the first steps runs as it stands, given URL and key."""
    names = {"INGATE_URL": running.url, "INGATE_KEY": running.key, "INGATE_GRPC": running.grpc}
    script = tmp_path / "sample.py"
    script.write_text("".join(f"{name} = {value!r}\n" for name, value in names.items()) + sample)
    assert run([sys.executable, script]).strip()


def test_the_readme_sample_runs(running, tmp_path):
    """The sample of the README runs with the URL and key of this gateway."""
    [sample] = _samples(ROOT / "README.md")
    script = tmp_path / "sample.py"
    script.write_text(sample.replace("http://127.0.0.1:8080", running.url).replace("sk-ingate-…", running.key))
    assert run([sys.executable, script]).strip()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    """Relative links in documents name files that exist."""
    for target in re.findall(r"\]\(([^)#]+)", path.read_text()):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_documented_paths_are_routes():
    """Every /api/v1 path that a document names in backticks is a route."""
    known = {re.sub(r"\{\w+\}", "{}", route.template) for route in (*native_routes(ingate.NAME), OPENAPI)}
    for path in DOCUMENTS:
        for named in re.findall(r"/api/v1/[\w/{}:.-]*[\w}]", path.read_text()):
            assert re.sub(r"\{\w+\}", "{}", named) in known, f"{path.name}: {named}"


def test_commands_codes_and_headers_are_documented():
    """Each command, error code and security header stands in a document."""
    text = "\n".join(path.read_text() for path in DOCUMENTS)
    for name in COMMANDS:
        assert f"ingate {name}" in text, name
    for code in ingate.codes() - {"injection_detected", "budget_exceeded"}:
        assert f"`{code}`" in text, code
    for name, value in SECURITY.items():
        assert f"`{name}: {value}`" in text, name

"""The documents are true: their samples run, and they name what there is."""

import re
import sys

import pytest

from ingate.cli.root import COMMANDS
from rest_facade.answer_headers import SECURITY
from rest_facade.dialects import ingate
from rest_facade.spec.route import documented
from tests.support.documents import addressed, samples
from tests.support.gateway import demo_gateway
from tests.support.tools import ROOT, run

DOCUMENTS = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")]


@pytest.fixture(scope="module")
def running(tmp_path_factory):
    with demo_gateway(tmp_path_factory.mktemp("data")) as gateway:
        yield gateway


@pytest.mark.parametrize("name", ["README.md", "docs/getting-started.md"])
def test_samples_run(running, name, tmp_path):
    """Each sample of the first steps runs as it stands, at the address and with the key of this gateway."""
    found = samples(ROOT / name, "python")
    assert found
    for number, sample in enumerate(found):
        script = tmp_path / f"{number}.py"
        script.write_text(addressed(sample, running.url, running.key, running.grpc))
        assert run([sys.executable, script]).strip()


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_links_lead_somewhere(path):
    """Relative links in documents name files that exist."""
    prose = re.sub(r"```.*?```", "", path.read_text(), flags=re.DOTALL)
    for target in re.findall(r"\]\(([^)#]+)", prose):
        if "://" not in target:
            assert (path.parent / target).exists(), target


def test_documented_paths_are_routes():
    """Every /api/v1 path that a document names in backticks is a route."""
    known = {re.sub(r"\{\w+\}", "{}", route.template) for route in documented(ingate.INGATE).routes}
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

"""The recipes do what they say: each sample of a client that is a package of Python runs as it stands."""

import asyncio
import json
import os
import subprocess
from pathlib import Path

import pytest
import pytest_asyncio

from tests.support.documents import addressed, samples_by_heading
from tests.support.gateway import gateway
from tests.support.tools import ROOT

RECIPES = ROOT / "docs" / "recipes"
HELLO = "Hello! I am Ingate's demo model."
PYTHON = {
    "langchain-anthropic": "common",
    "langchain-openai": "common",
    "litellm": "common",
    "llama-index": "llama-index",
    "pydantic-ai": "common",
}
"""Pages with samples in Python, and the environment that has the client."""
FEATURES = {
    "Chat": lambda said: HELLO in said,
    "Stream": lambda said: HELLO in said,
    "Tools": lambda said: "fog in Oslo" in said and "fog in Paris" in said,
    "Structured output": lambda said: "city" in said and "days" in said,
    "A bad key": lambda said: "the key is missing, unknown, expired or revoked" in said,
}
"""What a page shows, by its headings, and what its sample prints."""

pytestmark = [pytest.mark.asyncio(loop_scope="module"), pytest.mark.timeout(300)]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org():
    async with gateway(demo=True, grpc=False) as gw:
        yield await gw.signup()


def environment(name):
    """Returns the directory of an environment's commands."""
    found = ROOT / ".venv-recipes" / name / "bin"
    assert found.exists(), f"there is no {found}: make .venv-recipes/{name}/.installed"
    return found


async def finished(argv, directory, home, *, text=None):
    """Runs a command with the environment's commands first, and no settings but those in `home`."""
    names = {"HOME": str(home), "LITELLM_LOCAL_MODEL_COST_MAP": "True", "NO_PROXY": "127.0.0.1"}
    where = {"PATH": f"{directory}{os.pathsep}{os.environ['PATH']}", **names}
    return await asyncio.to_thread(
        subprocess.run, argv, env=where, input=text, capture_output=True, text=True, check=False, timeout=240, cwd=home
    )


@pytest.mark.parametrize("page", PYTHON)
async def test_samples_of_python_run(org, page, tmp_path):
    """Chat, stream, tools, structured output, and a bad key in words."""
    found = samples_by_heading(RECIPES / f"{page}.md", "python")
    sources = {heading: addressed(sample, org.gateway.url, org.key) for heading, sample in found.items()}
    directory = environment(PYTHON[page])
    program = Path(__file__).with_name("run_samples.py")
    done = await finished([directory / "python", program], directory, tmp_path, text=json.dumps(sources))
    assert done.returncode == 0, done.stderr

    outputs = json.loads(done.stdout.splitlines()[-1])
    assert list(outputs) == list(FEATURES)
    for heading, went_well in FEATURES.items():
        assert went_well(outputs[heading]), (heading, outputs[heading])


async def test_samples_of_the_llm_command_run(org, tmp_path):
    """The same with a command: what its setup writes is what the others use."""
    directory = environment("common")
    setup, *sections = samples_by_heading(RECIPES / "llm.md", "sh").items()
    done = await finished(["sh", "-ec", addressed(setup[1], org.gateway.url, org.key)], directory, tmp_path)
    assert done.returncode == 0, done.stderr

    assert [heading for heading, _ in sections] == list(FEATURES)
    for heading, sample in sections:
        done = await finished(["sh", "-c", sample], directory, tmp_path)
        assert FEATURES[heading](done.stdout + done.stderr), (heading, done.stdout, done.stderr)
        assert (done.returncode == 0) == (heading != "A bad key")


async def test_every_sample_of_python_is_run():
    """A page that gains samples in Python is in the table."""
    assert {path.stem for path in RECIPES.glob("*.md") if samples_by_heading(path, "python")} == set(PYTHON)

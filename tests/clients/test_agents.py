"""Coding agents run without a terminal against the demo model of `ingate serve --demo`.

Their packages have 900 MB: `make clients` runs this, `make test` does not.
"""

import os
import subprocess
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from tests.support.gateway import demo_gateway
from tests.support.node import find_node, installed

SOURCES = Path(__file__).parent / "agents"
SECONDS = 240
SECRET = "The secret word is marmalade."
BAD_KEY = "sk-ingate-" + "x" * 43
CODEX = """\
model = "demo"
model_provider = "ingate"

[model_providers.ingate]
name = "Ingate"
base_url = "{url}/v1"
env_key = "INGATE_KEY"
wire_api = "responses"
"""
GEMINI = '{"security": {"auth": {"selectedType": "gemini-api-key"}}, "privacy": {"usageStatisticsEnabled": false}}'

pytestmark = pytest.mark.timeout(2 * SECONDS)


@dataclass(frozen=True, slots=True)
class Agent:
    """How an agent is run: its program below node_modules, words before and after the prompt, its environment.

    `files` are laid in its home. In all texts `{url}` and `{key}` are the gateway's and `{home}` the directory.
    `reads` is a prompt by which the demo model has it read note.txt.
    """

    program: str
    before: tuple
    after: tuple
    environment: dict
    reads: str
    files: dict = field(default_factory=dict)


AGENTS = {
    "codex": Agent(
        ".bin/codex",
        ("exec", "--skip-git-repo-check"),
        (),
        {"CODEX_HOME": "{home}", "INGATE_KEY": "{key}"},
        'Use exec_command with cmd "cat note.txt".',
        {"config.toml": CODEX},
    ),
    "claude": Agent(
        "@anthropic-ai/claude-code-linux-x64/claude",
        ("--print",),
        ("--model", "demo"),
        {
            "ANTHROPIC_BASE_URL": "{url}",
            "ANTHROPIC_API_KEY": "{key}",
            "CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC": "1",
            "CLAUDE_CODE_MAX_RETRIES": "0",
        },
        'Use Read with file_path "{home}/note.txt".',
    ),
    "gemini": Agent(
        ".bin/gemini",
        ("--prompt",),
        ("--model", "demo"),
        {"GOOGLE_GEMINI_BASE_URL": "{url}", "GEMINI_API_KEY": "{key}", "GEMINI_CLI_TRUST_WORKSPACE": "true"},
        'Use read_file with file_path "note.txt".',
        {".gemini/settings.json": GEMINI},
    ),
}


@pytest.fixture(scope="module")
def gateway(tmp_path_factory):
    with demo_gateway(tmp_path_factory.mktemp("data"), "--demo-models", "all") as gateway:
        yield gateway


@pytest.fixture
def run(gateway, tmp_path):
    """A function: runs an agent with a prompt beside note.txt, and returns its status and all that it prints."""
    node = find_node(22)
    packages = installed(node, "clients/agents", SOURCES)

    def run(name, prompt, key=gateway.key):
        agent = AGENTS[name]

        def filled(text):
            return text.replace("{url}", gateway.url).replace("{key}", key).replace("{home}", str(tmp_path))

        for path, text in {"note.txt": SECRET, **agent.files}.items():
            (tmp_path / path).parent.mkdir(exist_ok=True)
            (tmp_path / path).write_text(filled(text))
        environment = {variable: filled(value) for variable, value in agent.environment.items()}
        path = os.pathsep.join([str(node), os.environ["PATH"]])
        done = subprocess.run(
            [packages / agent.program, *agent.before, filled(prompt), *agent.after],
            cwd=tmp_path,
            env={**os.environ, "HOME": str(tmp_path), "PATH": path, **environment},
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS,
        )
        return done.returncode, done.stdout + done.stderr

    return run


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_prints_the_answer(run, name):
    """One prompt, one answer."""
    status, printed = run(name, "Say hello.")
    assert status == 0, printed
    assert "Hello! I am Ingate's demo model." in printed


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_calls_its_tool(run, name):
    """The demo model asks for a file, the agent reads it, and the model answers with what it says."""
    status, printed = run(name, AGENTS[name].reads)
    assert status == 0, printed
    assert "marmalade" in printed


@pytest.mark.parametrize("name", AGENTS)
def test_an_agent_shows_a_bad_key_in_words(run, name):
    """It fails, and says why as the gateway does; not the key."""
    status, printed = run(name, "Say hello.", BAD_KEY)
    assert status != 0
    assert "the key is missing, unknown, expired or revoked" in printed
    assert BAD_KEY not in printed

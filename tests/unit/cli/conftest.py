"""Commands in a directory of their own."""

import json

import pytest
from click.testing import CliRunner

from ingate.cli.root import group
from ingate.config import Settings, catalogue
from ingate.errors import DomainError
from tests.support.embedded import make_embedded


@pytest.fixture
def run(tmp_path, monkeypatch):
    """Returns a function that runs a command in an empty directory and returns what it prints on stdout."""
    monkeypatch.chdir(tmp_path)
    for setting in catalogue():
        monkeypatch.delenv(setting.env, raising=False)

    def call(*words, code=0, stdin=None):
        result = CliRunner().invoke(group, [str(word) for word in words], input=stdin)
        if isinstance(result.exception, DomainError):
            assert code == 1, result.exception.message
            return result.exception.message
        assert result.exit_code == code, result.output + str(result.exception)
        return result.stdout if code == 0 else result.output

    return call


@pytest.fixture
def installed(run):
    """`run`, where the organisation `demo` is."""
    make_embedded(Settings().data_dir)
    made = json.loads(run("orgs", "create", "demo", "ada@a.example", "--json"))
    assert (made["org"], made["email"], made["key"][:10]) == ("demo", "ada@a.example", "sk-ingate-")
    return run

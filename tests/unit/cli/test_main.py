"""What ends the command line, whichever command it is."""

import sys
from pathlib import Path

import pytest

from ingate.cli import main


@pytest.fixture
def ended(capsys):
    """Returns a function that runs a command, which fails, and returns what it says."""

    def call(*words):
        with pytest.raises(SystemExit) as status:
            main(list(words))
        assert status.value.code == 1
        return capsys.readouterr().err

    return call


def test_without_an_output_nothing_begins(ended, monkeypatch, tmp_path):
    """A key of which nobody sees the secret is not made."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "stdout", None)
    said = ended("orgs", "create", "acme", "ada@a.example")
    assert said == "ingate: standard output is closed: give it a file, such as /dev/null\n"
    assert not [*tmp_path.iterdir()]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="a device of Linux")
def test_an_output_without_room_is_told(ended, monkeypatch):
    """In one sentence."""
    with Path("/dev/full").open("w", buffering=1) as full:
        monkeypatch.setattr(sys, "stdout", full)
        assert ended("openapi") == "ingate: what was done cannot be printed: No space left on device\n"
        monkeypatch.undo()
        full.buffer.raw.close()


@pytest.mark.parametrize("words", [("keys", "create", "\udcff"), ("\udcff",), ("logs", "list", "--model", "\udcff")])
def test_an_argument_that_is_no_text_is_told(ended, words):
    """By its place, since it cannot be shown."""
    assert ended(*words) == f"ingate: argument {len(words)} is not UTF-8\n"

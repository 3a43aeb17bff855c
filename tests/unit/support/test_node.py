import sys
from pathlib import Path

from tests.support.node import find_node

WHEEL = Path(sys.executable).parent


def lay_node(directory, version, *, npm):
    """Makes commands that say they are that version."""
    for name in ("node", "npm") if npm else ("node",):
        command = directory / name
        command.write_text(f"#!/bin/sh\necho {version}\n")
        command.chmod(0o755)


def test_a_recent_node_on_the_path_is_used(tmp_path, monkeypatch):
    """Version 20 is recent enough."""
    lay_node(tmp_path, "v20.0.0", npm=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_node(20) == tmp_path


def test_an_old_node_is_passed_over(tmp_path, monkeypatch):
    """The wheel stands in for a node that is too old."""
    lay_node(tmp_path, "v18.20.8", npm=True)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_node(20) == WHEEL


def test_a_node_without_npm_is_passed_over(tmp_path, monkeypatch):
    """The wheel stands in for a node that was packaged without npm."""
    lay_node(tmp_path, "v22.0.0", npm=False)
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_node(20) == WHEEL


def test_no_node_on_the_path_leaves_the_wheel(tmp_path, monkeypatch):
    """A machine without Node.js has the wheel's."""
    monkeypatch.setenv("PATH", str(tmp_path))
    assert find_node(20) == WHEEL

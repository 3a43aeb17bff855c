"""The shape of the tree."""

import re
import subprocess

import pytest

from tests.support.tools import ROOT

TRACKED = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout.split()
HOSTS = re.compile(r"https?://[^\s\"'`)]*(/simple/|/packages/|registry\.|files\.pythonhosted|pypi\.org)")


def test_no_file_is_too_long():
    """Four hundred lines is where a file has two subjects."""
    long = {
        name: lines
        for name in TRACKED
        if name.endswith(".py") and not name.startswith("gen/") and (ROOT / name).exists()
        if (lines := len((ROOT / name).read_text().splitlines())) > 400
    }
    assert not long


@pytest.mark.parametrize("ending", [".txt", ".json", ".toml", ".py", ".md", ".sh", "Makefile"])
def test_no_file_names_a_registry(ending):
    """Locked requirements name hashes, not addresses."""
    for name in TRACKED:
        if name.endswith(ending) and (ROOT / name).exists():
            found = HOSTS.search((ROOT / name).read_text())
            assert found is None or name == "tests/architecture/test_files.py", f"{name}: {found}"

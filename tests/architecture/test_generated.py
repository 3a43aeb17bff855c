"""What is generated is current."""

import filecmp
import sys
from pathlib import Path

from scripts import settings_doc
from tests.support.tools import BUF, ROOT, run

TOOLS_PYTHON = BUF.with_name("python")


def _same(left, right):
    compared = filecmp.dircmp(left, right, ignore=["__pycache__"])
    assert not compared.left_only, compared.left_only
    assert not compared.right_only, compared.right_only
    assert not compared.diff_files, compared.diff_files
    for name in compared.common_dirs:
        _same(left / name, right / name)


def test_gen_is_what_generate_makes(tmp_path):
    """`make generate` would change nothing."""
    run([TOOLS_PYTHON, "scripts/generate.py", tmp_path / "gen"])
    _same(ROOT / "gen", tmp_path / "gen")


def test_protos_pass_lint_and_format():
    """Buf has nothing to say."""
    run([BUF, "lint"])
    run([BUF, "format", "--diff", "--exit-code", "proto"])


def test_the_settings_page_is_current():
    """docs/settings.md is what scripts/settings_doc.py prints."""
    assert (ROOT / "docs" / "settings.md").read_text() == settings_doc.page()


def test_layers_hold():
    """import-linter finds every contract of pyproject.toml kept."""
    run([Path(sys.executable).with_name("lint-imports"), "--no-cache"], timeout=120)

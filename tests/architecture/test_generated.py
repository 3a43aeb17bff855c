"""What is generated is current."""

import filecmp
import json
import sys
import tomllib
from pathlib import Path
from xml.etree import ElementTree as ET

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


def test_clients_have_the_version_of_the_project():
    """One release publishes them all."""
    stated = {ROOT / "pyproject.toml": None} | dict.fromkeys((ROOT / "sdk").glob("*/pyproject.toml"))
    versions = {path: tomllib.loads(path.read_text())["project"]["version"] for path in stated}
    for name in ("package.json", "package-lock.json"):
        path = ROOT / "sdk" / "typescript" / name
        versions[path] = json.loads(path.read_text())["version"]
    pom = ET.parse(ROOT / "sdk" / "java" / "pom.xml")
    versions["pom.xml"] = pom.findtext("{http://maven.apache.org/POM/4.0.0}version")
    assert len(versions) == 6
    assert len(set(versions.values())) == 1, versions


def test_layers_hold():
    """import-linter finds every contract of pyproject.toml kept."""
    run([Path(sys.executable).with_name("lint-imports"), "--no-cache"], timeout=120)

"""The command line, as its users type it."""

import json

import pytest
from click.testing import CliRunner

from ingate import migrations
from ingate.cli import main
from ingate.cli.root import group
from ingate.config import catalogue


@pytest.fixture
def run(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    for setting in catalogue():
        monkeypatch.delenv(setting.env, raising=False)

    def call(*words, code=0):
        result = CliRunner().invoke(group, [str(word) for word in words])
        assert result.exit_code == code, result.output + str(result.exception)
        return result.output

    return call


def test_config_prints_flags_over_environment_and_masks(run, monkeypatch):
    """The effective settings, with secrets shown as set or not."""
    monkeypatch.setenv("INGATE_PORT", "1")
    monkeypatch.setenv("OPENAI_API_KEY", "sk-secret")
    shown = json.loads(run("config", "--host", "::1"))
    assert (shown["host"], shown["port"], shown["openai_api_key"]) == ("::1", 1, "***")


def test_keys_from_creation_to_revocation(run):
    """Keys can be managed where no gateway runs."""
    run("migrate")
    with pytest.raises(SystemExit):
        main(["keys", "create", "--org", "nobody", "a"])


def test_migrate_there_and_back(run):
    """A database can be emptied and brought up again."""
    assert migrations.HEAD in run("migrate")
    assert "none" in run("migrate", "--to", "base", "--yes")
    assert migrations.HEAD in run("migrate")


def test_doctor_is_content_with_a_fresh_directory(run):
    """Nothing is wrong before the first start, and nothing fails."""
    output = run("doctor", "--port", "0", "--grpc-port", "0")
    assert "FAIL" not in output


def test_doctor_finds_what_others_may_use(run, tmp_path):
    """And says how to mend it."""
    run("migrate")
    data = tmp_path / "data"
    assert "chmod" not in run("doctor", "--port", "0", "--grpc-port", "0")
    (data / "ingate.db").chmod(0o644)
    found = f"warn  others may use what should be yours alone: run chmod go= {data}/ingate.db"
    assert found in run("doctor", "--port", "0", "--grpc-port", "0")
    data.chmod(0o755)
    assert f"run chmod go= {data}" in run("doctor", "--port", "0", "--grpc-port", "0")


def test_doctor_finds_a_broken_master_key(run, tmp_path):
    """What would stop a start is said, and the status says it too."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "master.key").write_text("short")
    output = run("doctor", "--port", "0", "--grpc-port", "0", code=1)
    assert "FAIL  master key" in output


def test_openapi_is_valid(run):
    """The printed document is OpenAPI 3.1."""
    from openapi_spec_validator import validate

    validate(json.loads(run("openapi")))


def test_a_bad_setting_is_one_sentence(capsys):
    """A setting out of bounds ends the command with its name, not a traceback."""
    with pytest.raises(SystemExit):
        main(["config", "--port", "70000"])
    assert "port" in capsys.readouterr().err

"""The groups of commands that work on the database, from the first look to the last."""

import asyncio
import base64
import json
import re
import warnings
from getpass import GetPassWarning
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from sqlalchemy import select

from ingate import clock
from ingate.auth.passwords import Passwords
from ingate.cli.root import COMMANDS, group
from ingate.config import Settings, catalogue
from ingate.identity.tables import Key, Session, User
from ingate.storage import open_database
from tests.support.installation import read
from tests.support.upstream import ScriptedUpstream

READING = [
    ("keys", "list"),
    ("users", "list"),
    ("orgs", "list"),
    ("providers", "list"),
    ("providers", "test", "x"),
    ("providers", "discard-keys"),
    ("logs", "list"),
    ("logs", "show", "x"),
    ("logs", "tail"),
    ("backup", "copy"),
]


def every_command(group, path=()):
    """Yields each command that does something, with its words."""
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        if isinstance(command, click.Group):
            yield from every_command(command, (*path, name))
        else:
            yield (*path, name), command


@pytest.mark.parametrize(("words", "command"), [pytest.param(*it, id=" ".join(it[0])) for it in every_command(group)])
def test_each_command_explains_itself(run, words, command):
    """With a sentence and options of its own; only those that use every setting list every setting."""
    said = run(*words, "--help")
    assert said.startswith("Usage: ")
    assert command.get_short_help_str()
    assert not re.search(r"[^\]]\.\.\.$", run(*words[:-1], "--help"), re.MULTILINE), "the list cuts a summary off"
    assert ("--journal-fsync" in said) is (words[-1] in {"serve", "config", "doctor"})
    assert all(option.help for option in command.params if isinstance(option, click.Option))


@pytest.mark.parametrize("words", READING, ids=" ".join)
def test_who_only_reads_makes_nothing(run, tmp_path, words):
    """Where there is no database yet, that is said, and the directory stays as it was."""
    assert "there is no database" in run(*words, code=1)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("words", [("doctor", "--port", "0", "--grpc-port", "0"), ("config",), ("openapi",)])
def test_who_only_looks_makes_nothing(run, tmp_path, words):
    """Neither here nor in a data directory that is there."""
    run(*words)
    assert list(tmp_path.iterdir()) == []


def test_a_key_with_all_that_it_may_have(installed):
    """Role, scope, expiry and limit are stored and listed; the secret is printed once."""
    words = ("keys", "create", "mine", "--role", "viewer", "--scope", "read", "--expires", "30d", "--limit", "5")
    made = json.loads(installed(*words, "--json"))
    [listed] = [it for it in json.loads(installed("keys", "list", "--json")) if it["id"] == made["id"]]
    assert (listed["role"], listed["scopes"], listed["rate_limit_per_minute"]) == ("viewer", ["read"], 5)
    [key] = read(select(Key).where(Key.id == made["id"]))
    assert abs(key.expires_at - clock.now() - 30 * clock.DAY) < clock.HOUR
    at = "2099-01-02T03:04:05Z"
    made = json.loads(installed("keys", "create", "other", "--expires", at, "--json"))
    assert at in installed("keys", "list")
    assert made["key"] not in installed("keys", "list")
    assert json.loads(installed("keys", "revoke", made["id"], "--json")) == {"id": made["id"], "revoked": True}


@pytest.mark.parametrize("expires", ["soon", "-1d", "30", "2099-13-01", "99999999d", "1970-01-01T00:00:00Z"])
def test_an_expiry_that_makes_no_sense_is_refused(installed, expires):
    """And no key is made."""
    result = CliRunner().invoke(group, ["keys", "create", "x", f"--expires={expires}"])
    assert result.exit_code in {1, 2}
    assert "Traceback" not in result.output
    assert "expires" in result.output + str(result.exception)
    assert len(json.loads(installed("keys", "list", "--json"))) == 1


def test_a_person_of_an_organisation(installed):
    """Made with a role and a password that is shown once; whose account is there becomes a member with it."""
    made = json.loads(installed("users", "create", "bob@a.example", "--role", "admin", "--json"))
    assert json.loads(installed("users", "list", "--json"))[1]["role"] == "admin"
    assert matches("bob@a.example", made["password"])
    assert "is a member of demo already" in installed("users", "create", "BOB@a.example", code=1)
    installed("orgs", "create", "second", "eve@e.example")
    assert "the password of the account" in installed("users", "create", "bob@a.example", "--org", "second")
    assert "no organisation" in installed("users", "create", "x@a.example", "--org", "none", code=1)
    assert "email" in installed("users", "create", "nobody", code=1)


def test_a_password_that_is_reset(installed):
    """The old one is dead, the sessions are over, the new one works."""
    old = json.loads(installed("users", "create", "bob@a.example", "--json"))["password"]

    async def sign_in():
        async with open_database(Settings()) as database, database.write() as db:
            user = await db.scalar(select(User).where(User.email == "bob@a.example"))
            fields = {"user_id": user.id, "created_at": 1, "expires_at": clock.now() + clock.HOUR}
            db.add(Session(id="s", token_hash=b"x" * 32, **fields))

    asyncio.run(sign_in())
    new = installed("users", "reset-password", "Bob@a.example").split()[-1]
    assert (matches("bob@a.example", old), matches("bob@a.example", new)) == (False, True)
    assert read(select(Session)) == []
    assert "there is no account" in installed("users", "reset-password", "none@a.example", code=1)


def matches(email, password):
    [user] = read(select(User).where(User.email == email))

    async def check():
        passwords = Passwords(urgent=True)
        try:
            return await passwords.matches(user.password_hash, password)
        finally:
            passwords.close()

    return asyncio.run(check())


def test_a_provider_from_its_key_to_a_call(installed, monkeypatch):
    """Its key is read from standard input, shown nowhere, and used; `doctor` calls it when asked to."""
    monkeypatch.setenv("INGATE_ALLOW_PRIVATE_UPSTREAMS", "yes")
    add = ("providers", "add", "--type", "openai", "--base-url")
    assert "sk-canary" not in installed(*add, "http://127.0.0.1:9", "dead", "--api-key-stdin", stdin="sk-canary\n")
    asked = installed(*add, "http://127.0.0.1:9", "asked", stdin="sk-canary\n")
    assert "sk-canary" not in asked
    listed = json.loads(installed("providers", "list", "--json"))
    assert [(it["name"], it["has_api_key"]) for it in listed] == [("asked", True), ("dead", True)]
    assert "dead: cannot connect" in installed("providers", "test", "dead", code=1)
    assert "demo has no provider none" in installed("providers", "test", "none", code=1)
    said = installed("doctor", "--providers", "--port", "0", "--grpc-port", "0", code=1)
    assert "FAIL  provider of demo: dead: cannot connect" in said
    assert "ok    the master key opens all stored keys of providers (2)" in said
    assert "provider of demo" not in installed("doctor", "--port", "0", "--grpc-port", "0")


def test_a_key_is_not_asked_for_without_a_terminal(installed, monkeypatch):
    """The options that do without are named, and nothing is stored."""
    monkeypatch.setattr("click.prompt", lambda *_, **__: warnings.warn("echo", GetPassWarning, stacklevel=1))
    assert "--api-key-stdin or --no-api-key" in installed("providers", "add", "p", "--type", "openai", code=2)
    assert json.loads(installed("providers", "list", "--json")) == []


async def test_a_provider_that_answers(tmp_path, monkeypatch):
    """Is called with its key, and the status is 0."""
    monkeypatch.chdir(tmp_path)
    for setting in catalogue():
        monkeypatch.delenv(setting.env, raising=False)
    async with ScriptedUpstream() as up:

        def run():
            call = CliRunner().invoke
            assert call(group, ["orgs", "create", "demo", "ada@a.example"]).exit_code == 0
            add = ["providers", "add", "up", "--type", "openai", "--base-url", up.url, "--api-key-stdin"]
            assert call(group, add, input="sk-upstream").exit_code == 0
            return call(group, ["providers", "test", "up", "--json"])

        result = await asyncio.to_thread(run)
    made = json.loads(result.stdout)
    assert (result.exit_code, made["ok"], made["status_code"]) == (0, True, 200)


def test_keys_of_a_lost_master_key_are_given_up(installed):
    """`doctor` says so, `discard-keys` asks, and deletes what cannot be opened."""
    installed("providers", "add", "p", "--type", "openai", "--api-key-stdin", stdin="sk-x")
    Path("data/master.key").write_text(base64.b64encode(b"k" * 32).decode())
    assert "FAIL  the master key does not open 1 of 1" in installed("doctor", "--port", "0", "--grpc-port", "0", code=1)
    assert "is not the one that sealed" in installed("keys", "create", "x", code=1)
    installed("providers", "discard-keys", stdin="n\n", code=1)
    assert json.loads(installed("providers", "list", "--json"))[0]["has_api_key"]
    assert "1 keys deleted" in installed("providers", "discard-keys", "--yes")
    assert "0 keys deleted" in installed("providers", "discard-keys", "--yes")
    installed("keys", "create", "x")


def test_emptying_a_database_asks(installed):
    """Nothing happens without a yes."""
    for answer in ("n\n", ""):
        installed("migrate", "--to", "base", stdin=answer, code=1)
    assert "demo" in installed("orgs", "list")
    assert "none" in installed("migrate", "--to", "base", stdin="y\n")
    assert "ingate migrate" in installed("orgs", "list", code=1)


def test_a_backup_brings_everything_back(installed, tmp_path):
    """The database and the master key, each for its owner alone; nothing that is there is replaced."""
    installed("providers", "add", "p", "--type", "openai", "--api-key-stdin", stdin="sk-x")
    assert "it holds the master key" in installed("backup", "copy.tar.gz")
    assert (tmp_path / "copy.tar.gz").stat().st_mode & 0o777 == 0o600
    assert "is there already" in installed("backup", "copy.tar.gz", code=1)
    assert "is there: restore into a fresh" in installed("restore", "copy.tar.gz", code=1)
    installed("restore", "copy.tar.gz", "--data-dir", "new")
    assert {(it.name, it.stat().st_mode & 0o777) for it in (tmp_path / "new").iterdir()} == {
        ("ingate.db", 0o600),
        ("master.key", 0o600),
    }
    assert installed("keys", "list", "--data-dir", "new") == installed("keys", "list")
    said = installed("doctor", "--data-dir", "new", "--port", "0", "--grpc-port", "0")
    assert "the master key opens all stored keys of providers (1)" in said
    (tmp_path / "other").mkdir()
    (tmp_path / "other" / "master.key").write_text("another")
    assert "is another master key" in installed("restore", "copy.tar.gz", "--data-dir", "other", code=1)
    assert [it.name for it in (tmp_path / "other").iterdir()] == ["master.key"]


def test_what_is_no_backup_is_refused(installed, tmp_path):
    """Of any kind; the data directory stays empty."""
    import io
    import tarfile

    installed("backup", "good")
    good = (tmp_path / "good").read_bytes()

    def packed(**files):
        made = io.BytesIO()
        with tarfile.open(fileobj=made, mode="w:gz") as archive:
            for name, content in files.items():
                member = tarfile.TarInfo(name.replace("_SLASH_", "/").replace("_DOT_", "."))
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
        return made.getvalue()

    cases = [b"", b"x" * 1000, good[: len(good) // 2], good[:-1000], packed(ingate_DOT_db=b"x" * 5000)]
    cases += [packed(master_DOT_key=b"x"), packed(_DOT__DOT__SLASH_evil=b"x"), packed(ingate_DOT_db=b"")]
    for content in cases:
        (tmp_path / "bad").write_bytes(content)
        assert " is no backup" in installed("restore", "bad", "--data-dir", "new", code=1)
        assert list((tmp_path / "new").iterdir()) == []
    assert not (tmp_path / "evil").exists()
    assert installed("restore", "none", "--data-dir", "fresh", code=1) == "none: No such file or directory"
    assert not (tmp_path / "fresh").exists()
    for words in (("backup", "x"), ("restore", "good")):
        (tmp_path / "ingate.toml").write_text('database_url = "postgresql://h/d"')
        assert "only the embedded database" in installed(*words, code=1)


def test_a_backup_of_a_newer_version_is_refused(installed, tmp_path):
    """It would be read as something else."""
    from sqlalchemy import text

    async def rename():
        async with open_database(Settings()) as database, database.write() as db:
            await db.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    asyncio.run(rename())
    installed("backup", "copy")
    assert "newer than" in installed("restore", "copy", "--data-dir", "new", code=1)


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(run, shell):
    """What is printed is for the command by its name."""
    assert "_INGATE_COMPLETE" in run("completion", shell)


def test_commands_and_options_are_completed(run):
    """As the shells ask for it, through every group, values to choose from included."""
    from click.shell_completion import ShellComplete

    complete = ShellComplete(group, {}, "ingate", "_INGATE_COMPLETE").get_completions
    assert {it.value for it in complete([], "")} == set(COMMANDS)
    assert "reset-password" in {it.value for it in complete(["users"], "")}
    assert "--role" in {it.value for it in complete(["keys", "create"], "--r")}
    assert {it.value for it in complete(["serve", "--log-level"], "d")} == {"debug"}


def test_the_package_runs(tmp_path):
    """As `python -m ingate`."""
    import subprocess
    import sys

    done = subprocess.run([sys.executable, "-m", "ingate", "--version"], capture_output=True, text=True, check=True)
    assert re.search(r"version \d", done.stdout)

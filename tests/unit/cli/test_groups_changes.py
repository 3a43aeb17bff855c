"""What the commands change that work on the database: things that change and go, and what is not there yet."""

import asyncio
import json

import click
import pytest
from sqlalchemy import select

from ingate.cli import first_steps
from ingate.cli.acting import confirmed
from ingate.config import Settings
from ingate.identity.tables import User
from ingate.providers.tables import Provider
from ingate.storage import open_database
from tests.support.installation import read

CHANGING = [
    ("keys", "create", "x"),
    ("keys", "rotate", "x"),
    ("keys", "revoke", "x"),
    ("providers", "add", "x", "--type", "openai", "--no-api-key"),
    ("providers", "update", "x", "--disable"),
    ("providers", "remove", "x", "--yes"),
    ("users", "create", "a@a.example"),
    ("users", "role", "a@a.example", "admin"),
    ("users", "remove", "a@a.example", "--yes"),
    ("users", "reset-password", "a@a.example"),
    ("orgs", "plan", "x", "free"),
    ("orgs", "remove", "x", "--yes"),
    ("demo", "clear"),
    ("migrate", "--to", "base", "--yes"),
]


@pytest.mark.parametrize("words", CHANGING, ids=" ".join)
def test_who_changes_what_is_not_there_makes_nothing(run, tmp_path, words):
    """The directory stays as it was, and the sentence says what makes an installation."""
    said = run(*words, code=1)
    for part in ("there is no database", "`ingate serve`", "`ingate orgs create SLUG EMAIL`", "--data-dir"):
        assert part in said
    assert list(tmp_path.iterdir()) == []


def test_an_organisation_that_is_not_there_makes_nothing(installed, tmp_path):
    """No master key and no journal; the sentence says how to find the right one."""
    before = sorted(tmp_path.rglob("*"))
    said = installed("keys", "create", "x", "--org", "nobody", code=1)
    assert "there is no organisation nobody: name one with --org, such as --org " in said
    assert [path for path in sorted(tmp_path.rglob("*")) if path not in before and path.suffix == ""] == []


def test_a_provider_that_changes_and_goes(installed):
    """What is stated changes, the rest stays; a key does not follow to another address; an end is confirmed."""
    installed("providers", "add", "p", "--type", "openai", "--api-key-stdin", stdin="sk-canary")
    assert "state what is to change" in installed("providers", "update", "p", code=2)
    assert "state one of" in installed("providers", "update", "p", "--no-api-key", "--api-key-stdin", code=2)
    assert "https://api.openai.com, disabled, with a key" in installed("providers", "update", "p", "--disable")
    made = json.loads(installed("providers", "update", "p", "--enable", "--default", "--timeout", "2.5", "--json"))
    assert (made["state"], made["is_default"], made["has_api_key"]) == ("enabled", True, True)
    assert "with no key" in installed("providers", "update", "p", "--base-url", "https://other.example/v1")
    assert "with a key" in installed("providers", "update", "p", "--api-key", stdin="sk-canary\n")
    assert "with no key" in installed("providers", "update", "p", "--no-api-key")
    [row] = read(select(Provider))
    assert (row.timeout_ms, row.base_url, row.enabled) == (2500, "https://other.example/v1", True)
    installed("providers", "remove", "p", stdin="n\n", code=1)
    assert json.loads(installed("providers", "remove", "p", "--yes", "--json"))["removed"]
    assert read(select(Provider)) == []
    for words in (("update", "p", "--disable"), ("remove", "p", "--yes")):
        assert "no such provider" in installed("providers", *words, code=1)


def test_a_member_that_changes_and_goes(installed):
    """The last owner stays; the account of who leaves does, too."""
    installed("users", "create", "bob@a.example")
    assert "bob@a.example is admin of demo" in installed("users", "role", "BOB@a.example".lower(), "admin")
    assert json.loads(installed("users", "list", "--json"))[1]["role"] == "admin"
    assert "must keep an owner" in installed("users", "role", "ada@a.example", "member", code=1)
    installed("users", "remove", "bob@a.example", stdin="n\n", code=1)
    assert json.loads(installed("users", "remove", "bob@a.example", "--yes", "--json"))["removed"]
    assert [it["email"] for it in json.loads(installed("users", "list", "--json"))] == ["ada@a.example"]
    assert len(read(select(User).where(User.email == "bob@a.example"))) == 1
    assert "demo has no member bob@a.example" in installed("users", "remove", "bob@a.example", "--yes", code=1)


def test_a_key_that_is_replaced(installed):
    """The new one is printed once, and the old one works for as long as is stated."""
    made = json.loads(installed("keys", "create", "mine", "--json"))
    new = json.loads(installed("keys", "rotate", made["id"], "--overlap-hours", "1", "--json"))
    assert (new["replaces"], new["name"], new["key"][:10]) == (made["id"], "mine", "sk-ingate-")
    states = {it["id"]: it["state"] for it in json.loads(installed("keys", "list", "--json"))}
    assert states[new["id"]] == "active"
    assert states[made["id"]].startswith("rotated until ")


def test_an_organisation_that_goes(installed):
    """With all that is its own, once it is confirmed."""
    installed("orgs", "remove", "demo", stdin="n\n", code=1)
    assert json.loads(installed("orgs", "remove", "demo", "--yes", "--json")) == {"org": "demo", "removed": True}
    assert json.loads(installed("orgs", "list", "--json")) == []
    assert "there is no organisation demo" in installed("orgs", "remove", "demo", "--yes", code=1)


def test_what_serve_says_of_the_next_step(installed):
    """Nothing where there are an organisation and a provider; otherwise the commands that are missing."""

    def told(**settings):
        async def ask():
            async with open_database(Settings()) as database:
                return await first_steps.missing_steps(database, Settings(**settings), "http://h:1")

        return asyncio.run(ask())

    said = told()
    assert "ingate orgs create" not in said
    assert "ingate providers add openai --type openai --org demo" in said
    assert "ingate keys create mine --org demo" in said
    assert told(openai_api_key="k") == ""
    installed("providers", "add", "p", "--type", "openai", "--no-api-key")
    assert told() == ""
    installed("orgs", "remove", "demo", "--yes")
    said = told()
    assert "ingate orgs create example you@example.com" in said
    assert "curl http://h:1/api/v1/auth/signup" in said
    assert "--org example" in said
    assert "/auth/signup" not in told(signup="closed")


@pytest.mark.parametrize(
    ("option", "stdin", "code", "said"),
    [
        ("--api-key-stdin", "", 2, "standard input has no key"),
        ("--api-key-stdin", " \n", 2, "standard input has no key"),
        ("--api-key-stdin", b"\xb6sk", 1, "api_key must be printable ASCII"),
        ("--api-key-stdin", "sk-a\nsk-b", 1, "api_key must be printable ASCII"),
        ("--timeout=nan", None, 2, "nan is not a number"),
    ],
)
def test_what_is_no_key_and_no_number_changes_nothing(installed, option, stdin, code, said):
    """A file that was empty deletes no key, and what it held is not shown."""
    installed("providers", "add", "p", "--type", "openai", "--api-key-stdin", stdin="sk-canary")
    assert said in installed("providers", "update", "p", option, stdin=stdin, code=code)
    assert json.loads(installed("providers", "list", "--json"))[0]["has_api_key"] is True


def test_nobody_to_ask_means_no(installed, monkeypatch):
    """As for whoever answers nothing."""
    monkeypatch.setattr("ingate.cli.acting.sys.stdin", None)
    with pytest.raises(click.Abort):
        confirmed("Remove it?", yes=False)
    confirmed("Remove it?", yes=True)

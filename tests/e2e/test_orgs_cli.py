"""`ingate orgs` beside a running gateway whose doors are closed."""

import re

import httpx
import pytest

from tests.support.gateway import checked
from tests.support.outside import command, spawn


@pytest.fixture(scope="module")
def spawned(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    with spawn(data_dir, "--signup", "closed") as spawned:
        yield spawned, data_dir


async def orgs(data_dir, *words):
    """Runs `ingate orgs` to its end and returns its code and output."""
    with command("orgs", *words, "--data-dir", data_dir) as child:
        return await child.wait_exit(30), child.output


async def test_the_operator_makes_an_organisation(spawned):
    """Its owner signs in with the password printed, its key works, and a second one is the same person's."""
    gateway, data_dir = spawned
    code, said = await orgs(data_dir, "create", "acme", "ada@acme.example", "--name", "Acme Corp")
    assert code == 0, said
    key, email, password = re.search(r"key +(\S+)\n.*sign-in +(\S+) / (\S+)", said).groups()
    async with httpx.AsyncClient(base_url=gateway.url, trust_env=False, verify=False) as client:
        made = checked(await client.post("/api/v1/auth/login", json={"email": email, "password": password}))
        assert (made["org"]["slug"], made["org"]["name"]) == ("acme", "Acme Corp")
        assert checked(await client.get("/api/v1/auth/me", headers={"X-Ingate-Key": key}))["role"] == "member"
        refused = await client.post(
            "/api/v1/auth/signup", json={"email": "b@b.example", "password": "x" * 9, "org_slug": "b"}
        )
        assert (refused.status_code, refused.json()["code"]) == (403, "forbidden")
        assert "INGATE_SIGNUP" in refused.json()["message"]
    code, said = await orgs(data_dir, "create", "second", "ADA@acme.example")
    assert (code, "the password of the account" in said) == (0, True)


@pytest.mark.parametrize("words", [("acme2", "no address"), ("Not A Slug", "a@b.example")])
async def test_what_makes_no_sense_is_refused(spawned, words):
    """By a sentence that names the field."""
    code, said = await orgs(spawned[1], "create", *words)
    assert (code, bool(re.search(r"email|org_slug", said)), "Traceback" in said) == (1, True, False)


async def test_before_the_first_start(tmp_path):
    """The database is made where there is none yet."""
    code, said = await orgs(tmp_path, "create", "acme", "ada@acme.example")
    assert (code, "sign-in" in said) == (0, True)

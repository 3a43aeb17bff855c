"""`ingate keys` beside a running gateway, which hears of every change at once."""

import pytest

from tests.support.outside import ASK, client, command, spawn
from tests.support.waiting import eventually

HEARD = 1.0


@pytest.fixture(scope="module")
def spawned(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    with spawn(data_dir) as spawned:
        yield spawned, data_dir


async def keys(data_dir, *words):
    """Runs `ingate keys` to its end and returns its lines."""
    with command("keys", *words, "--data-dir", data_dir) as child:
        assert await child.wait_exit(30) == 0, child.output
        return [line.text for line in child.lines if line.stream == "stdout"]


async def status_of(http):
    return (await http.post("/v1/chat/completions", json=ASK)).status_code


async def test_a_key_from_creation_to_revocation(spawned):
    """Created, it works at once; listed, it shows no secret; revoked, it stops working within a second."""
    gateway, data_dir = spawned
    [secret] = await keys(data_dir, "create", "from the command line")

    async with client(gateway, X_Ingate_Key=secret) as http:
        assert await status_of(http) == 200
        lines = await keys(data_dir, "list")
        [mine] = [line for line in lines if line.endswith("from the command line")]
        key_id, _prefix, state = mine.split()[:3]
        assert state == "active"
        assert secret not in "\n".join(lines)

        with command("keys", "revoke", key_id, "--data-dir", data_dir) as child:
            await child.expect_line("^revoked$", timeout=30)
            await eventually(lambda: revoked(http), timeout=HEARD)
            assert await child.wait_exit(30) == 0
        lines = await keys(data_dir, "list")
    assert [line.split()[2] for line in lines if line.startswith(key_id)] == ["revoked"]
    async with client(gateway) as http:
        assert await status_of(http) == 200


async def revoked(http):
    return await status_of(http) == 401


async def test_what_cannot_be_done_is_one_sentence(spawned):
    """An organisation or a key that does not exist ends the command with status 1."""
    _, data_dir = spawned
    for words in (("list", "--org", "nobody"), ("revoke", "01a20c98-3f34-7177-9c06-c6b328a21889")):
        with command("keys", *words, "--data-dir", data_dir) as child:
            assert await child.wait_exit(30) == 1
            assert len(child.output.splitlines()) == 1, child.output
            assert "Traceback" not in child.output

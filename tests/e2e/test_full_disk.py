"""A disk that is full, and a gateway that died beside another: what was answered is on record all the same."""

import asyncio

import httpx

from tests.e2e.test_crash import journal_bytes, locked
from tests.support.gateway import checked
from tests.support.outside import ASK, ask, client, settled, spawn
from tests.support.small_disk import fill, small_disk
from tests.support.waiting import eventually

CALLERS = 16
MEBIBYTE = 1024 * 1024


async def signed_in(spawned, http):
    """Returns the headers of a session of the demo's owner."""
    found = spawned.child.expect(r"sign-in +(\S+) / (\S+)")
    login = {"email": found[1], "password": found[2], "org_slug": "demo"}
    return {"Authorization": f"Bearer {checked(await http.post('/api/v1/auth/login', json=login))['token']}"}


async def until_refused(http):
    """Calls on several connections until none is answered any more; returns the ids of the answers and the refusal."""
    ids, refusals = [], []

    async def caller():
        while not refusals:
            answer = await http.post("/v1/chat/completions", json=ASK)
            if answer.status_code == 200:
                ids.append(answer.headers["x-ingate-request-id"])
            else:
                refusals.append(answer)

    await asyncio.gather(*(caller() for _ in range(CALLERS)))
    return ids, refusals


async def test_a_full_disk_loses_nothing_and_says_so(tmp_path):
    """Calls are answered and recorded while there is a reserve, then refused; once there is room all is well again."""
    with small_disk(tmp_path / "disk", 32) as disk:
        with spawn(disk, "--journal-max-bytes", str(4 * MEBIBYTE)) as spawned:
            async with (
                client(spawned) as http,
                httpx.AsyncClient(base_url=spawned.url, trust_env=False, verify=False) as plain,
            ):
                owner = await signed_in(spawned, plain)
                ids = [await ask(http)]
                await settled(http, ids)
                filler = fill(disk)

                answered, refusals = await until_refused(http)
                assert len(answered) > CALLERS
                for refused in refusals:
                    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
                    assert "disk is full" in refused.json()["message"]
                    assert int(refused.headers["retry-after"]) > 0
                assert (await plain.get("/healthz")).status_code == 503

                async def told():
                    deep = await plain.get("/healthz?deep")
                    assert deep.status_code == 503
                    return {"disk_full", "not_shipping"} <= {it["field"] for it in deep.json()["details"]}

                await eventually(told, 30, what="the batch under way has failed too")

                key = {"name": "k" * 200}
                wrote = [await plain.post("/api/v1/keys", json=key, headers=owner) for _ in range(40)]
                assert {it.status_code for it in wrote} <= {201, 507}
                assert wrote[-1].json()["code"] == "storage_full"

                filler.unlink()

                async def ready():
                    return (await plain.get("/healthz")).status_code == 200

                await eventually(ready, 30)
                ids += [*answered, await ask(http)]
                assert (await plain.post("/api/v1/keys", json=key, headers=owner)).status_code == 201
                await settled(http, ids, timeout=60)
                told = checked(await plain.get("/healthz?deep"))["parts"]["journal"]
                assert (told["shed_records"], told["disk_error"]) == (0, "ENOSPC")
                assert told["shed_payloads"] > 0
                assert told["refused_calls"] >= len(refusals)
            output = spawned.child.output
            assert '"journal_disk_fails"' in output
            assert '"journal_disk_mended"' in output
            assert "Traceback" not in output


async def test_a_dead_gateways_journal_is_taken_over(tmp_path):
    """By another one on the same directory, which goes on living."""
    with spawn(tmp_path) as living, spawn(tmp_path) as dying:
        async with client(living) as http, client(dying) as other:
            ids = [await ask(other)]
            await settled(http, ids)
            with locked(tmp_path / "ingate.db"):
                held = journal_bytes(tmp_path)
                ids += [await ask(other) for _ in range(20)]
                assert journal_bytes(tmp_path) > held
                await asyncio.to_thread(dying.child.kill)
            await settled(http, ids)
            [line] = [line for line in living.child.output.splitlines() if '"journal_taken_over"' in line]
            assert '"segments":1' in line

"""`ingate logs`, `ingate backup` and `ingate doctor` beside a running gateway."""

import json
import re
import signal

import pytest

from tests.support.outside import ASK, client, command, settled, spawn

pytestmark = pytest.mark.asyncio(loop_scope="module")


@pytest.fixture(scope="module")
def spawned(tmp_path_factory):
    data_dir = tmp_path_factory.mktemp("data")
    with spawn(data_dir) as spawned:
        yield spawned, data_dir


async def call(http, **fields):
    return (await http.post("/v1/chat/completions", json={**ASK, **fields})).headers["x-ingate-request-id"]


async def printed(*words):
    """Runs a command to its end and returns the lines of its stdout."""
    with command(*words) as child:
        assert await child.wait_exit(60) == 0, child.output
        return [line.text for line in child.lines if line.stream == "stdout"]


async def test_calls_are_listed(spawned):
    """Oldest first, with what the log has of them; filters narrow the list."""
    gateway, data_dir = spawned
    async with client(gateway) as http:
        ids = [await call(http), await call(http, stream=True), await call(http, model="none")]
        await settled(http, ids)
    lines = [json.loads(line) for line in await printed("logs", "list", "--data-dir", data_dir, "--json")]
    assert [line["request_id"] for line in lines] == ids
    assert [(line["status"], line["key"]) for line in lines] == [(200, "first key")] * 2 + [(404, "first key")]
    [text] = await printed("logs", "list", "--data-dir", data_dir, "--errors", "--org", "demo")
    assert "404      demo        none" in text
    assert text.endswith(f"  id: {ids[2]}")
    assert re.match(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d  404 ", text)  # calls of many days are listed
    shown = json.loads("\n".join(await printed("logs", "show", ids[1], "--data-dir", data_dir, "--json")))
    assert (shown["request_id"], shown["status_code"], shown["stream"]) == (ids[1], 200, True)
    assert shown["cost_usd"] is not None
    assert shown["attempts"][0]["provider"] == "demo"
    assert shown["request_body"]["model"] == "demo"
    text = "\n".join(await printed("logs", "show", ids[2], "--data-dir", data_dir))
    for said in (f"request id          {ids[2]}", "status code         404", "attempts", "request headers"):
        assert said in text, text
    assert "does not exist" in text
    with command("logs", "show", "01a20c98-3f34-7177-9c06-c6b328a21889", "--data-dir", data_dir) as child:
        assert await child.wait_exit(60) == 1
        assert "there is no call" in child.output
    assert len(await printed("logs", "list", "--data-dir", data_dir, "--limit", "1")) == 1
    assert await printed("logs", "list", "--data-dir", data_dir, "--model", "other") == []


async def test_calls_are_shown_as_they_come(spawned):
    """Each once, until Ctrl-C, which ends it quietly."""
    gateway, data_dir = spawned
    async with client(gateway) as http:
        with command("logs", "tail", "--data-dir", data_dir, "--json") as child:
            seen = None
            while seen is None:  # until it has begun to look
                made = await call(http)
                try:
                    seen = await child.expect_line(made, timeout=2)
                except AssertionError:
                    assert child.returncode is None, child.output
            last = await call(http)
            await child.expect_line(last, timeout=30)
            child.signal(signal.SIGINT)
            assert await child.wait_exit(10) == 130
    assert not [line for line in child.lines if line.stream == "stderr" and line.text]
    lines = [json.loads(line.text)["request_id"] for line in child.lines if line.stream == "stdout"]
    assert len(lines) == len(set(lines))
    assert lines[-1] == last


async def test_a_backup_while_the_gateway_runs(spawned, tmp_path):
    """Is whole, and a gateway starts on it."""
    gateway, data_dir = spawned
    async with client(gateway) as http:
        await settled(http, [await call(http)])
    await printed("backup", tmp_path / "copy", "--data-dir", data_dir)
    await printed("restore", tmp_path / "copy", "--data-dir", tmp_path / "new")
    with spawn(tmp_path / "new", "--log-level", "error") as second:
        async with client(gateway) as http, client(second, X_Ingate_Key=gateway.key) as other:
            assert await call(other)
            assert (await http.get("/healthz")).status_code == 200


async def test_doctor_knows_both_ports(spawned):
    """A gateway on each is fine; one that is taken by somebody else is named with the option to change."""
    gateway, data_dir = spawned
    http, grpc = (url.rpartition(":")[2] for url in (gateway.url, gateway.grpc))
    said = "\n".join(await printed("doctor", "--data-dir", data_dir, "--port", http, "--grpc-port", grpc))
    assert f"ok    a gateway answers at {gateway.url}/healthz" in said
    assert f"ok    a gateway answers at 127.0.0.1:{grpc} (gRPC, version " in said
    for ports in (("--port", http, "--grpc-port", 0), ("--port", 0, "--grpc-port", grpc)):
        with command("doctor", "--data-dir", data_dir, *ports) as child:
            assert await child.wait_exit(60) == 1
        assert "FAIL  another gateway has one of the two ports" in child.output
    with command("doctor", "--data-dir", data_dir, "--port", grpc, "--grpc-port", http, "--json") as child:
        assert await child.wait_exit(60) == 1
    found = json.loads("\n".join(line.text for line in child.lines if line.stream == "stdout"))
    failed = [it["text"] for it in found if it["state"] == "fail"]
    assert failed == [
        f"HTTP port {grpc} on 127.0.0.1: Address already in use: choose another with --port",
        f"gRPC port {http} on 127.0.0.1: Address already in use: choose another with --grpc-port",
    ]

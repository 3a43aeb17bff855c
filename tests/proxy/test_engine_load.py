"""Many streams at once, a third of whose callers leave: each is recorded once, and nothing stays behind."""

import asyncio
import gc
from collections import Counter
from pathlib import Path

import pytest
from sqlalchemy import text

from tests.support.gateway import gateway, pool_of
from tests.support.upstream import INPUT_TOKENS, OUTPUT_TOKENS, ScriptedUpstream
from tests.support.waiting import eventually

STREAMS = 200
ASK = b'{"model":"gpt-4o-mini","stream":true,"stream_options":{"include_usage":true},"messages":[]}'


def standing(gw):
    """Returns what must come back to where it was: exchanges, pool, tasks, and sockets of this process."""
    gc.collect()
    pool = pool_of(gw)
    # Idle connections are kept on purpose; both ends of them, and a task of the provider's, are in this process.
    return {
        "in flight": gw.core.engine.in_flight,
        "pool in use": pool.in_use,
        "tasks": len(asyncio.all_tasks()) - pool.open,
        "sockets": sum(map(_is_socket, Path("/proc/self/fd").iterdir())) - 2 * pool.open,
    }


def _is_socket(descriptor):
    try:
        return str(descriptor.readlink()).startswith("socket:")
    except FileNotFoundError:
        return False


def assert_equal(now, before):
    """Returns True; the message of a failure shows both."""
    assert now == before
    return True


async def call(gw, key, *, leaves):
    """Asks for a stream on a connection of its own; reads it to its end, or leaves after its first event."""
    host, _, port = gw.url.removeprefix("http://").partition(":")
    reader, writer = await asyncio.open_connection(host, int(port))
    lines = ["POST /v1/chat/completions HTTP/1.1", "Host: gateway", f"X-Ingate-Key: {key}"]
    lines += [f"Content-Length: {len(ASK)}", "Connection: close", "", ""]
    writer.write("\r\n".join(lines).encode() + ASK)
    try:
        if not leaves:
            return await reader.read()
        await reader.readuntil(b"\r\n\r\n")
        return await reader.readuntil(b"data: ")
    finally:
        if leaves:
            writer.transport.abort()
        else:
            writer.close()
            await writer.wait_closed()


@pytest.mark.parametrize("policy", ["drain", "cancel"])
async def test_two_hundred_streams_with_callers_who_leave(policy):
    """Every exchange is on record exactly once, with its usage where the answer was read to its end."""
    async with ScriptedUpstream(every=0.01) as up, gateway(grpc=False, on_disconnect=policy) as gw:
        org = await gw.signup()
        await org.provider("openai", "openai", up.url)
        await call(gw, org.key, leaves=False)
        await gw.settled()
        before = standing(gw)

        leaving = [number % 3 == 0 for number in range(STREAMS)]
        answers = await asyncio.gather(*[call(gw, org.key, leaves=leaves) for leaves in leaving])
        await gw.settled(30)

        stayed = [answer for answer, leaves in zip(answers, leaving, strict=True) if not leaves]
        assert all(answer.endswith(b"data: [DONE]\n\n\r\n0\r\n\r\n") for answer in stayed)
        assert up.seen == STREAMS + 1
        async with gw.core.database.read() as db:
            rows = (await db.execute(text("SELECT id, status_code, total_tokens FROM exchanges"))).all()
        assert len({row.id for row in rows}) == len(rows) == STREAMS + 1
        statuses = Counter(row.status_code for row in rows)
        assert statuses == {200: len(stayed) + 1, 499: sum(leaving)}
        usage = {row.total_tokens for row in rows if policy == "drain" or row.status_code == 200}
        assert usage == {INPUT_TOKENS + OUTPUT_TOKENS}
        await up.wait_connections(pool_of(gw).open)
        await eventually(lambda: assert_equal(standing(gw), before), timeout=30)

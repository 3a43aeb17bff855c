"""What a gateway process holds in memory while callers send more than it takes, and a while after."""

import asyncio
import json
import re
import socket
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from tests.support.outside import add_provider, ask, client, recorded, settled, spawn
from tests.support.upstream import ScriptedUpstream, respond
from tests.support.waiting import eventually

MIB = 1024 * 1024
BODY = 8 * MIB
CALLERS = 30
"""Of each kind. Together their bodies are nine times what may be under way."""
NON_READERS = 100
"""Each of whom asks for a megabyte."""
FLAGS = {"max-body-bytes": BODY, "max-inflight-bytes": 4 * BODY, "max-inflight-bytes-organisation": 2 * BODY}
MOST = 3 * 4 * BODY
"""Bytes above idle: each body that is under way, whole and in pieces, and as much for what is kept for records."""
AWAY = 60.0
"""Seconds after which the memory has been given back."""

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="figures of a process come from /proc")


def resident(pid):
    """Returns the bytes of a process that are in memory."""
    return int(re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())[1]) * 1024


async def sent(spawned, head, *, hold):
    """Sends a body but for its last byte, or what is taken of it, and waits for `hold`. Returns a status or 0."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(spawned.url.rpartition(":")[2]))
    answer = asyncio.create_task(reader.readline())
    with suppress(ConnectionError):
        writer.write(head + b"Host: x\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % BODY)
        for _ in range(BODY // 65536 - 1):
            writer.write(b" " * 65536)
            await writer.drain()
        writer.write(b" " * 65535)
    await asyncio.wait({answer, asyncio.create_task(hold.wait())}, return_when=asyncio.FIRST_COMPLETED)
    writer.transport.abort()
    with suppress(ConnectionError):
        found = await answer
        return int(found.split()[1]) if found else 0
    return 0


async def test_memory_is_bounded_and_given_back(tmp_path):
    """Strangers at every door, and callers with a good key: what they make it hold is bounded, and given back."""
    flags = [word for name, value in FLAGS.items() for word in (f"--{name}", str(value))]
    with spawn(tmp_path, *flags) as spawned:
        async with client(spawned) as http:
            for _ in range(20):
                await ask(http)
            pid = spawned.child.pid
            idle = resident(pid)
            hold = asyncio.Event()
            heads = (
                b"POST /api/v1/auth/login HTTP/1.1\r\n",
                b"POST /v1/chat/completions HTTP/1.1\r\n",
                b"POST /v1/chat/completions HTTP/1.1\r\nX-Ingate-Key: %s\r\n" % spawned.key.encode(),
            )
            callers = [asyncio.create_task(sent(spawned, head, hold=hold)) for head in heads for _ in range(CALLERS)]
            peak = 0

            async def all_but_those_who_hold():
                nonlocal peak
                peak = max(peak, resident(pid))
                assert (await http.get("/healthz")).status_code == 200
                return sum(not caller.done() for caller in callers) <= 2

            await eventually(all_but_those_who_hold, 60.0, "the others are refused")
            hold.set()
            statuses = await asyncio.gather(*callers)
            assert peak - idle < MOST
            assert 429 in statuses
            assert not [status for status in statuses if status not in {0, 401, 413, 429, 503}]
            await eventually(lambda: resident(pid) < idle * 1.2, AWAY, "the memory is given back")
            await ask(http)


async def held_back(spawned):
    """Asks for an answer and reads its status and no more; returns the status and the writer, to be closed."""
    plain = socket.socket()
    plain.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    plain.setblocking(False)
    await asyncio.get_running_loop().sock_connect(plain, ("127.0.0.1", int(spawned.url.rpartition(":")[2])))
    reader, writer = await asyncio.open_connection(sock=plain, limit=1024)
    asked = json.dumps({"model": "gpt", "messages": []}).encode()
    head = f"POST /v1/chat/completions HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: {spawned.key}\r\n"
    writer.write(head.encode() + b"X-Ingate-Provider: scripted\r\n")
    writer.write(b"Content-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(asked) + asked)
    return int((await reader.readline()).split()[1]), writer


async def test_answers_that_nobody_reads_take_little(tmp_path):
    """Each is held to a part of it, what is kept for the records is bounded for all, and others are answered."""
    with spawn(tmp_path, "--max-answer-bytes", str(8 * MIB)) as spawned:
        async with ScriptedUpstream(keep=1) as up, client(spawned) as http:
            whole = b'{"choices":[{"message":{"content":"%b"}}]}' % (b"word " * 200_000)
            up.script("/v1/chat/completions", respond(200, [("content-type", "application/json")], whole))
            await add_provider(spawned, up.url)
            await settled(http, [await ask(http) for _ in range(20)])
            pid = spawned.child.pid
            idle = resident(pid)
            found = await asyncio.gather(*(held_back(spawned) for _ in range(NON_READERS)))
            try:
                await ask(http)
                held = resident(pid) - idle
            finally:
                for _, writer in found:
                    writer.transport.abort()
            assert {status for status, _ in found} == {200}
            assert held < NON_READERS * MIB, "less than each answer once"
            await eventually(lambda: resident(pid) < idle * 1.2, AWAY, "the memory is given back")

            async def all_on_record():
                entries = (await recorded(http)).values()
                return sum(entry["provider"] == "scripted" for entry in entries) == NON_READERS

            await eventually(all_on_record, 40.0, "each is on record")

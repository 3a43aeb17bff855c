"""A kept connection that the provider resets as it is used again: the request is sent once more, if it may be."""

import asyncio
import socket
import struct

import pytest

from tests.support.gateway import gateway

OK = b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 2\r\n\r\n{}"
RESET = struct.pack("ii", 1, 0)


@pytest.mark.parametrize(("path", "status", "tries"), [("/v1/chat/completions", 200, 2), ("/v1/files", 502, 1)])
async def test_a_reset_connection_is_replaced_once(path, status, tries):
    """A question to a model is; what may change something at the provider is not."""
    served = 0

    async def answer(reader, writer):
        nonlocal served
        for turn in range(2):
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length: ")[2].split(b"\r\n")[0]))
            served += 1
            if turn:
                writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                writer.transport.abort()
                return
            writer.write(OK)

    async with gateway() as gw, await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        org = await gw.signup()
        await org.provider("openai", "openai", f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}")
        body = {"model": "m", "messages": []}
        assert (await org.http.post(path, json=body)).status_code == 200
        assert (await org.http.post(path, json=body)).status_code == status
        entry = await org.last()
    assert entry["attempts"][0]["error"] == "stale_connection"
    assert (len(entry["attempts"]), served) == (tries, tries + 1)

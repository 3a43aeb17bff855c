"""HTTP as bytes, for what no client library would send."""

import asyncio

KEY = {"X-Ingate-Key": "sk-ingate-x"}
"""The headers of a caller who shows a credential: without one, only public routes get as far as the core."""


async def exchange(port, *parts, timeout=20.0):  # noqa: ASYNC109 - bounds the whole exchange
    """Sends the parts, each in a segment of its own, and returns everything until the server closes."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        async with asyncio.timeout(timeout):
            for part in parts:
                writer.write(part)
                await writer.drain()
                await asyncio.sleep(0)
            return await reader.read()
    finally:
        writer.close()


async def one_answer(reader, timeout=20.0):  # noqa: ASYNC109 - bounds the whole answer
    """Reads one answer with a content-length, and returns status, headers (lower-case names) and body."""
    async with asyncio.timeout(timeout):
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lines = head.split("\r\n")
        headers = {
            name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:] if line)
        }
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        return int(lines[0].split(" ")[1]), headers, body


def parse(answer):
    """Returns status, headers (lower-case names) and body of one whole answer."""
    head, _, body = answer.partition(b"\r\n\r\n")
    lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines[1:])}
    return int(lines[0].split(" ")[1]), headers, body

"""More callers than there are descriptors: some are told so, and the gateway goes on."""

import asyncio
from contextlib import suppress

from tests.rest.raw import parse
from tests.support.outside import compiled
from tests.support.process import Child, ingate_argv
from tests.support.waiting import PATIENCE, eventually

SOFT, HARD = 128, 320
LIMITED = ["/bin/sh", "-c", f'ulimit -Sn {SOFT}; ulimit -Hn {HARD}; exec "$@"', "sh"]
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n"


async def test_callers_beyond_the_bound(tmp_path):
    """The soft limit is no bound; beyond their share of the hard one callers get 503, and later ones are served."""
    ports = ("--port", "0", "--grpc-port", "0")
    argv = ingate_argv("serve", *ports, "--data-dir", str(tmp_path))
    with Child([*LIMITED, *argv], env=compiled()) as child:
        port = int(child.expect(r"is ready: http://\S+:(\d+) ", timeout=60)[1])
        held = []

        async def one_more():
            held.append(await asyncio.open_connection("127.0.0.1", port))

        async def answer():
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.write(GET)
            try:
                async with asyncio.timeout(PATIENCE):
                    return parse(await reader.read())
            finally:
                writer.close()

        for _ in range(SOFT):
            await one_more()
        assert (await answer())[0] == 200

        for _ in range(HARD - SOFT + 50):
            with suppress(ConnectionError):
                await one_more()

        async def told():
            with suppress(ConnectionError, IndexError):  # dropped, while too many are being told
                status, headers, _ = await answer()
                return (status, headers["retry-after"]) == (503, "1")

        await eventually(told, 20.0, "callers are told")
        await child.expect_line("connections_refused")

        for _, writer in held:
            writer.transport.abort()

        async def served():
            with suppress(ConnectionError, IndexError):
                return (await answer())[0] == 200

        await eventually(served, 20.0, "there is room again")

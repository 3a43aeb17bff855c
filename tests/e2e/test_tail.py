"""Many readers of the tail at a running gateway, some of whom read nothing: what the others see, and how it ends."""

import asyncio
import json
import re
import socket
from contextlib import ExitStack
from pathlib import Path

import grpc

from gen.ingate.exchanges.v1.exchange_service_pb2 import TailExchangesRequest
from gen.ingate.exchanges.v1.exchange_service_pb2_grpc import ExchangeServiceStub
from tests.support.outside import ask, client, settled, spawn
from tests.support.waiting import eventually

READERS, STUCK, CALLS = 60, 20, 12
MEBIBYTES = 64
"""By which a process may grow for all of them: each has its buffers, and what they are told is there once."""
LAST_CHUNK = b"0\r\n\r\n"


def request(gateway):
    return f"GET /api/v1/logs/stream HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: {gateway.key}\r\n\r\n".encode()


class Reader:
    """One connection, and all that came on it."""

    def __init__(self, gateway):
        self._gateway = gateway
        self.text = b""
        self.begun = asyncio.Event()

    async def read(self):
        """Reads to the end of the stream."""
        reader, writer = await asyncio.open_connection("127.0.0.1", int(self._gateway.url.rpartition(":")[2]))
        writer.write(request(self._gateway))
        while not self.text.endswith(LAST_CHUNK) and (data := await reader.read(1 << 16)):
            self.text += data
            if b"id: " in self.text:
                self.begun.set()
        writer.close()

    def seen(self):
        """Returns the ids of the calls, in order."""
        return [json.loads(data)["request_id"] for data in re.findall(rb"^data: (.*)$", self.text, re.MULTILINE)]


def stuck(gateway):
    """Returns a connection that asks for the tail and takes next to nothing of it."""
    taking = socket.socket()
    taking.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    taking.connect(("127.0.0.1", int(gateway.url.rpartition(":")[2])))
    taking.send(request(gateway))
    return taking


def resident(gateway):
    """Returns the mebibytes that a gateway's process has in memory."""
    status = Path(f"/proc/{gateway.child.pid}/status").read_text()
    return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024


async def test_everybody_sees_everything_and_nobody_holds_it_up(tmp_path):
    """Each reader is told each call once; a process that ends ends every stream whole, without waiting for any."""
    with spawn(tmp_path) as gateway, ExitStack() as sockets:
        async with client(gateway) as http, grpc.aio.insecure_channel(gateway.grpc) as channel:
            await settled(http, [await ask(http)])
            before = resident(gateway)
            for _ in range(STUCK):
                sockets.enter_context(stuck(gateway))
            readers = [Reader(gateway) for _ in range(READERS)]
            reading = [asyncio.create_task(reader.read()) for reader in readers]
            await asyncio.wait_for(asyncio.gather(*(reader.begun.wait() for reader in readers)), 60)
            key = (("x-ingate-key", gateway.key),)
            call = ExchangeServiceStub(channel).TailExchanges(TailExchangesRequest(), metadata=key)
            await call.read()

            asked = {await ask(http) for _ in range(CALLS)}
            for reader in readers:
                await eventually(lambda reader=reader: len(reader.seen()) >= CALLS, 60)
            assert {frozenset(reader.seen()) for reader in readers} == {frozenset(asked)}
            assert all(len(reader.seen()) == CALLS for reader in readers)
            assert resident(gateway) - before < MEBIBYTES

            gateway.child.signal()
            await asyncio.wait_for(asyncio.gather(*reading), 30)
            assert all(reader.text.endswith(LAST_CHUNK) for reader in readers)
            assert not any(b"event: error" in reader.text for reader in readers)
            call.cancel()
            assert await gateway.child.wait_exit(30) == 0

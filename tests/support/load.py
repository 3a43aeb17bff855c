"""Steady load on an HTTP server, cheap enough to leave the server most of the machine. Knows no API."""

import asyncio
import itertools
import time
from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Sample:
    """One call: when it started and ended on the monotonic clock, and its status."""

    started: float
    ended: float
    status: int

    @property
    def seconds(self):
        """How long it took."""
        return self.ended - self.started


class Load:
    """Sends one request `rate` times a second over `connections`, from entry to exit. A late call delays no other."""

    def __init__(self, url, headers, body, *, rate, connections=16):
        parts = urlsplit(url)
        lines = [f"POST {parts.path} HTTP/1.1", f"host: {parts.netloc}", f"content-length: {len(body)}"]
        lines += [f"{name}: {value}" for name, value in headers.items()]
        self.samples = []
        self._request = "\r\n".join([*lines, "", ""]).encode() + body
        self._where = parts.hostname, parts.port
        self._interval = 1 / rate
        self._connections = connections
        self._slots = itertools.count()
        self._stopping = False

    async def __aenter__(self):
        self._began = time.monotonic()
        self._tasks = [asyncio.create_task(self._work()) for _ in range(self._connections)]
        return self

    async def __aexit__(self, *_exc):
        self._stopping = True
        await asyncio.gather(*self._tasks)

    async def _work(self):
        reader, writer = await asyncio.open_connection(*self._where)
        while not self._stopping:
            due = self._began + next(self._slots) * self._interval
            await asyncio.sleep(max(0.0, due - time.monotonic()))
            started = time.monotonic()
            writer.write(self._request)
            status = await _answer(reader)
            self.samples.append(Sample(started, time.monotonic(), status))
        writer.close()
        await writer.wait_closed()


async def _answer(reader):
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    if b"transfer-encoding: chunked" in head:
        while size := int(await reader.readuntil(b"\r\n"), 16):
            await reader.readexactly(size + 2)
        await reader.readuntil(b"\r\n")
    elif b"content-length: " in head:
        await reader.readexactly(int(head.partition(b"content-length: ")[2].partition(b"\r\n")[0]))
    return int(head[9:12])


def percentile(samples, share):
    """Returns the seconds within which that share of the calls ended."""
    times = sorted(sample.seconds for sample in samples)
    return times[min(len(times) - 1, int(share * len(times)))]

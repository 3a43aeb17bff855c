"""How much of providers' answers the engine of this process has read, whatever lies in the buffers of the kernel."""

import asyncio
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace
from unittest.mock import patch

from ingate.proxy.upstream.connection import Connection

KERNEL_SEND_BYTES = int(Path("/proc/sys/net/ipv4/tcp_wmem").read_text().split()[2])
"""Bytes that a kernel takes at most for a peer who does not read, beside the buffer of that peer."""


@contextmanager
def answers_taken():
    """Yields an object whose `bytes` counts what connections that begin from now on have read."""
    count = SimpleNamespace(bytes=0)
    take = Connection.data_received

    def counted(connection, data):
        count.bytes += len(data)
        take(connection, data)

    with patch.object(Connection, "data_received", counted):
        yield count


async def stopped(count, most, pause=0.2):
    """Returns `count.bytes` once it stands still; there is no event for what does not happen.

    Raises AssertionError as soon as it is over `most`.
    """
    seen = -1
    while seen != count.bytes:
        seen = count.bytes
        assert seen <= most, "reading goes on although nobody takes the answer"
        await asyncio.sleep(pause)
    return seen

"""Waiting for processes from outside. Knows ports and files, no protocol."""

import socket
import time
from collections.abc import Callable

from tests.support.process import Child

_STEP = 0.005


def until(true: Callable[[], bool], what: str, seconds: float) -> None:
    """Returns as soon as `true()`. Raises TimeoutError, naming `what`, after so many seconds."""
    deadline = time.monotonic() + seconds
    while not true():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} not within {seconds:g} s")
        time.sleep(_STEP)


def free_port() -> int:
    """Returns a port that nobody listens on at the moment."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def for_port(port: int, child: Child) -> None:
    """Returns when something accepts connections on a local port. Raises RuntimeError when the child has ended."""

    def accepts() -> bool:
        if child.returncode is not None:
            raise RuntimeError(f"{child.argv[0]} ended: {child.output}")
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", port)) == 0

    until(accepts, f"port {port}", 10)

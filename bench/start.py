"""`start`: how long a process takes to be ready, and what it holds when nobody asks anything of it."""

import socket
import time
from pathlib import Path

from bench import gateway, waiting
from bench.results import Results
from tests.support import proctree
from tests.support.process import Child

_IDLE_SECONDS = 3
_MIB = 2**20


def run(results: Results, directory: Path, *, rounds: int) -> None:
    """Starts the gateway several times, each with a new data directory and then again with the same, and prints."""
    results.title(f"start: {rounds} times, warm page cache")
    with Child(gateway.argv(directory / "warm", waiting.free_port())) as child:
        child.expect("is ready", timeout=60)
    first, again = [], []
    rss, pss = [], []
    for number in range(rounds):
        data = directory / f"start-{number}"
        first.append(_start(data)[0])
        seconds, resident, shared_out = _start(data, idle=True)
        again.append(seconds)
        rss.append(resident)
        pss.append(shared_out)
    for name, unit, measured, digits in (
        ("ready, new data directory", "s", first, 2),
        ("ready, existing one", "s", again, 2),
        (f"RSS after {_IDLE_SECONDS} s idle", "MiB", rss, 1),
        (f"PSS after {_IDLE_SECONDS} s idle", "MiB", pss, 1),
    ):
        results.figure("start", "gateway", name, unit, measured, digits=digits)


def _start(data: Path, *, idle: bool = False) -> tuple[float, float, float]:
    """Returns the seconds from the process's start to the first 200 of /healthz, and RSS and PSS in MiB."""
    port = waiting.free_port()
    began = time.perf_counter()
    with Child(gateway.argv(data, port)) as child:
        waiting.until(lambda: _healthy(port), "healthy", 60)
        seconds = time.perf_counter() - began
        if idle:
            time.sleep(_IDLE_SECONDS)
        return seconds, child.rss_bytes() / _MIB, _pss_bytes(child.pid) / _MIB


def _healthy(port: int) -> bool:
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=5) as connection:
            connection.sendall(b"GET /healthz HTTP/1.1\r\nHost: bench\r\nConnection: close\r\n\r\n")
            return connection.recv(64).startswith(b"HTTP/1.1 200 ")
    except ConnectionRefusedError:
        return False


def _pss_bytes(root: int) -> int:
    total = 0
    for pid in proctree.tree(root):
        for text in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
            if text.startswith("Pss:"):
                total += int(text.split()[1]) * 1024
    return total

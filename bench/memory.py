"""`memory`: what a gateway holds while crowds want more of it than there is, a minute later, and what others feel."""

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from bench import crowds, gateway, waiting
from bench.results import Results, percentile
from tests.support.process import Child

LOAD_SECONDS = 20
LATER_SECONDS = 60
ORGANISATIONS = 4
"""As many as fill the memory for bodies with what each may have of it."""
ORDINARY = 10
_WARM_SECONDS = 3
_HEAD_START_SECONDS = 1
"""Before others are asked: what they feel while the crowds are there is measured, not the time before."""
_MIB = 2**20


def run(results: Results, directory: Path) -> None:
    """Loads the gateway once and prints the figures."""
    port = waiting.free_port()
    with (
        Child([sys.executable, "-m", "bench.big_provider", str(port)]) as provider,
        gateway.running(directory / "memory", upstream := f"http://127.0.0.1:{port}", "--signup", "open") as ours,
    ):
        waiting.for_port(port, provider)
        results.title(
            f"memory: {crowds.STRANGERS} strangers, {crowds.SENDERS} senders and {crowds.NON_READERS} non-readers for"
            f" {LOAD_SECONDS} s"
        )
        keys = []
        for number in range(ORGANISATIONS):
            keys += gateway.organisation(ours.url, upstream, f"org-{number}", crowds.SENDERS // ORGANISATIONS)[1]
        address = ours.url.removeprefix("http://")
        _felt(results, "latency before", *_ordinary(address, ours.key, _WARM_SECONDS))
        ours.settle()
        time.sleep(_WARM_SECONDS)
        idle = ours.child.rss_bytes()
        _take(results, "idle", idle)
        before = ours.child.cpu_seconds()
        (listed := directory / "keys").write_text("\n".join(keys))
        with _crowds(address, listed) as loading:
            time.sleep(_HEAD_START_SECONDS)
            peak = _Peak(ours.child)
            measured = subprocess.Popen(
                _command(address, ours.key, LOAD_SECONDS - 2 * _HEAD_START_SECONDS), stdout=subprocess.PIPE, text=True
            )
            while loading.poll() is None:
                peak.look()
            latencies = _found(measured)
            statuses = json.loads(loading.communicate()[0])
        began = time.monotonic()
        results.note("CPU", f"{(ours.child.cpu_seconds() - before) / LOAD_SECONDS:.0%} of a core")
        _felt(results, "latency meanwhile", *latencies)
        _take(results, "peak", peak.bytes)
        for crowd, seen in statuses.items():
            results.note(crowd, _counts(seen))
        while time.monotonic() - began < LATER_SECONDS:
            time.sleep(1)
        _take(results, "a minute later", ours.child.rss_bytes())


class _Peak:
    """The most memory that was seen."""

    def __init__(self, child: Child) -> None:
        self._child = child
        self.bytes = 0

    def look(self) -> None:
        """Looks now, and waits a little."""
        self.bytes = max(self.bytes, self._child.rss_bytes())
        time.sleep(0.05)


@contextmanager
def _crowds(address: str, keys: Path) -> Iterator["subprocess.Popen[str]"]:
    command = [sys.executable, "-m", "bench.crowds", address, str(LOAD_SECONDS), str(keys)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as loading:
        try:
            yield loading
        finally:
            loading.kill()


def _command(address: str, key: str, seconds: float) -> list[str]:
    return [sys.executable, "-m", "bench.ordinary_caller", address, key, str(ORDINARY), str(seconds)]


def _ordinary(address: str, key: str, seconds: float) -> tuple[list[float], dict[str, int]]:
    return _found(subprocess.Popen(_command(address, key, seconds), stdout=subprocess.PIPE, text=True))


def _found(measuring: "subprocess.Popen[str]") -> tuple[list[float], dict[str, int]]:
    answer = json.loads(measuring.communicate()[0])
    return answer["latencies"], answer["statuses"]


def _take(results: Results, name: str, size: int) -> None:
    results.figure("memory", "gateway", name, "MiB", [size / _MIB])


def _felt(results: Results, label: str, latencies: list[float], statuses: dict[str, int]) -> None:
    for name, share in (("p50", 0.5), ("p99", 0.99), ("most", 1.0)):
        results.figure("memory", "others", f"{label}, {name}", "ms", [percentile(latencies, share) * 1000], digits=1)
    results.note(f"others {label}", _counts(statuses))


def _counts(statuses: dict[str, int]) -> str:
    return ", ".join(f"{count} of {status}" for status, count in statuses.items())

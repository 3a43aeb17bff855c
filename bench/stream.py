"""`stream`: many open event streams, how much later their first byte comes, and what each event costs."""

import json
import subprocess
import sys
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import events, gateway, nginx, waiting
from bench.figures import line, percentile, spread, title
from tests.support.process import Child

STREAMS = 100
_WARM_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Round:
    """One round: milliseconds to the first byte, CPU microseconds an event, streams and those with wrong bytes."""

    p50: float
    p99: float
    cpu: float
    streams: int
    wrong: int


def run(directory: Path, *, rounds: int, seconds: int, beside: Path | None) -> None:
    """Measures the provider alone, the gateway and nginx in turn, and that of another checkout if `beside` is one."""
    port = waiting.free_port()
    with Child([sys.executable, "-m", "bench.stream_provider", str(port)]) as provider:
        waiting.for_port(port, provider)
        upstream = f"127.0.0.1:{port}"
        with ExitStack() as stack:
            bare = stack.enter_context(nginx.proxy(directory / "stream-proxy", upstream, buffering=False))
            ours = stack.enter_context(gateway.running(directory / "stream-data", f"http://{upstream}"))
            title(f"stream: {STREAMS} streams of {events.COUNT} events {events.INTERVAL * 1000:.0f} ms apart")
            ways: dict[str, tuple[Child, str, str, Callable[[], None]]] = {
                "direct": (provider, upstream, "none", _nothing),
                "gateway": (ours.child, ours.url.removeprefix("http://"), ours.key, ours.wait_recorded),
                "nginx": (bare.child, bare.url.removeprefix("http://"), "none", _nothing),
            }
            if beside is not None:
                data = directory / "stream-beside"
                other = stack.enter_context(gateway.running(data, f"http://{upstream}", checkout=beside))
                ways["beside"] = (other.child, other.url.removeprefix("http://"), other.key, other.wait_recorded)
            found: dict[str, list[Round]] = {name: [] for name in ways}
            for _, address, key, settle in ways.values():
                _call(address, key, _WARM_SECONDS)
                settle()
            for _ in range(rounds):
                for name, way in ways.items():
                    found[name].append(_round(*way, seconds))
            _print(found)


def _nothing() -> None:
    """What there is to wait for where nothing is recorded."""


def _round(child: Child, address: str, key: str, settle: Callable[[], None], seconds: int) -> Round:
    before = child.cpu_seconds()
    firsts, wrong = _call(address, key, seconds)
    settle()
    cpu = (child.cpu_seconds() - before) / (len(firsts) * events.COUNT) * 1e6
    milliseconds = [first * 1000 for first in firsts]
    return Round(percentile(milliseconds, 0.5), percentile(milliseconds, 0.99), cpu, len(firsts), wrong)


def _call(address: str, key: str, seconds: int) -> tuple[list[float], int]:
    command = [sys.executable, "-m", "bench.stream_caller", address, key, str(STREAMS), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return answer["firsts"], answer["wrong"]


def _print(found: dict[str, list[Round]]) -> None:
    for name, rounds in found.items():
        line(f"{name} first byte p50", spread([it.p50 for it in rounds], "ms", 2))
        line(f"{name} first byte p99", spread([it.p99 for it in rounds], "ms", 2))
    for name in [name for name in found if name != "direct"]:
        for quantile in ("p50", "p99"):
            added = [
                getattr(way, quantile) - getattr(direct, quantile)
                for way, direct in zip(found[name], found["direct"], strict=True)
            ]
            line(f"{name} adds to {quantile}", spread(added, "ms", 2))
        line(f"{name} CPU", spread([it.cpu for it in found[name]], "µs an event"))
    ratio = median(it.cpu for it in found["gateway"]) / median(it.cpu for it in found["nginx"])
    line("ratio of CPU", f"{ratio:.1f}")
    streams = sum(it.streams for rounds in found.values() for it in rounds)
    line("bytes", f"{streams:,} streams compared, wrong {sum(it.wrong for rounds in found.values() for it in rounds)}")

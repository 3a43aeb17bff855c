"""`stream`: many open event streams, how much later their first byte comes, and what each event costs."""

import json
import subprocess
import sys
from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from bench import events, waiting
from bench.results import CPU, Results, percentile
from bench.ways import Way, all_ways
from tests.support.process import Child

STREAMS = 100
_CASE = "stream"
_WARM_SECONDS = 1


@dataclass(frozen=True, slots=True)
class Round:
    """One round: milliseconds to the first byte, CPU microseconds an event, streams and those with wrong bytes."""

    p50: float
    p99: float
    cpu: float
    streams: int
    wrong: int


def run(results: Results, directory: Path, *, rounds: int, seconds: int, beside: Path | None) -> None:
    """Measures the provider alone and all ways in turn, the gateway of another checkout too if `beside` is one."""
    port = waiting.free_port()
    with Child([sys.executable, "-m", "bench.stream_provider", str(port)]) as provider:
        waiting.for_port(port, provider)
        upstream = f"127.0.0.1:{port}"
        with all_ways(directory / _CASE, upstream, beside=beside, buffering=False) as ways:
            results.title(f"{_CASE}: {STREAMS} streams of {events.COUNT} events {events.INTERVAL * 1000:.0f} ms apart")
            for way in ways:
                _call(way.address, way.key, _WARM_SECONDS)
                way.settle()
            found: dict[str, list[Round]] = defaultdict(list)
            direct: list[tuple[float, float]] = []
            for _ in range(rounds):
                direct.append(_firsts(_call(upstream, "none", seconds)[0]))
                for way in ways:
                    found[way.name].append(_round(way, seconds))
            _take(results, found, direct)


def _round(way: Way, seconds: int) -> Round:
    before = way.child.cpu_seconds()
    firsts, wrong = _call(way.address, way.key, seconds)
    way.settle()
    cpu = (way.child.cpu_seconds() - before) / (len(firsts) * events.COUNT) * 1e6
    return Round(*_firsts(firsts), cpu, len(firsts), wrong)


def _firsts(seconds: list[float]) -> tuple[float, float]:
    """Returns the median of times to the first byte and the 99th percentile, in milliseconds."""
    return percentile(seconds, 0.5) * 1000, percentile(seconds, 0.99) * 1000


def _call(address: str, key: str, seconds: int) -> tuple[list[float], int]:
    command = [sys.executable, "-m", "bench.stream_caller", address, key, str(STREAMS), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    answer = json.loads(done.stdout)
    return answer["firsts"], answer["wrong"]


def _take(results: Results, found: dict[str, list[Round]], direct: list[tuple[float, float]]) -> None:
    for way, rounds in found.items():
        results.figure(_CASE, way, CPU, "µs an event", [it.cpu for it in rounds], digits=1)
        for place, name in enumerate(("p50", "p99")):
            added = [getattr(it, name) - alone[place] for it, alone in zip(rounds, direct, strict=True)]
            results.figure(_CASE, way, f"first byte {name}, added", "ms", added, digits=2)
    results.ratios(_CASE)
    streams = [it for rounds in found.values() for it in rounds]
    wrong = sum(it.wrong for it in streams)
    results.note("bytes", f"{sum(it.streams for it in streams):,} streams compared, wrong {wrong}")

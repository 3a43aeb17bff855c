"""`chat`, `100kb` and their like: whole answers over kept-alive connections, and whether each was recorded."""

import pstats
import threading
from collections import defaultdict
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import sleep

from bench import nginx, wrk
from bench.loads import MARK, Load
from bench.results import CPU, Results
from bench.ways import Way, all_ways
from tests.support.process import Child

_WRONG_KEY = "ig_" + "0" * 40
_WARM_SECONDS = 1
_REST_SECONDS = 3
"""In which a gateway gives the memory of its warming up back."""
_LOOK_SECONDS = 0.02
_SHOWN_FUNCTIONS = 40


@dataclass(frozen=True, slots=True)
class _Round:
    """One round through one way: what was sent, CPU microseconds for each answer, the most memory in MiB."""

    sent: wrk.Sent
    cpu: float
    memory: float


def run(
    results: Results, directory: Path, load: Load, *, rounds: int, seconds: int, beside: Path | None, profile: bool
) -> None:
    """Measures all ways in turn; with `profile`, prints where the gateway's time goes.

    `beside` is another checkout, whose gateway takes its turns too.
    """
    dump = directory / f"{load.name}-profile" if profile else None
    body = directory / f"{load.name}.json"
    body.write_text(load.request)
    requests = wrk.Requests(
        "POST", "/v1/chat/completions", load.connections, body, MARK, load.words, headers=load.headers
    )
    files = directory / load.name
    with nginx.provider(files, load.answers) as provider:
        upstream = provider.url.removeprefix("http://")
        with all_ways(files, upstream, beside=beside, profile=dump) as ways:
            results.title(f"{load.name}: {load.connections} connections, {rounds} rounds of {seconds} s in turn")
            for way in ways:
                _send(load, requests, way, _WARM_SECONDS)
            sleep(_REST_SECONDS)
            idle = {way.name: way.child.rss_bytes() / 2**20 for way in ways}
            missing = 0
            found: dict[str, list[_Round]] = defaultdict(list)
            for _ in range(rounds):
                for way in ways:
                    recorded = way.gateway.recorded() if way.gateway else 0
                    one, answered = _round(load, requests, way, seconds, provider)
                    found[way.name].append(one)
                    if way.gateway:
                        missing += answered - (way.gateway.recorded() - recorded)
            _take(results, load, found, idle)
            results.note("recorded", f"missing {missing}")
    if dump is not None:
        pstats.Stats(str(dump)).sort_stats("tottime").print_stats(_SHOWN_FUNCTIONS)


def _round(load: Load, requests: wrk.Requests, way: Way, seconds: int, provider: nginx.Provider) -> tuple[_Round, int]:
    """Returns a round, and how many requests came to the provider: more than wrk had the answers of in time."""
    seen, before = provider.seen(), way.child.cpu_seconds()
    with _watched(way.child) as most:
        sent = _send(load, requests, way, seconds)
    cpu = way.child.cpu_seconds() - before
    answered = provider.seen() - 1 - seen  # the question itself is a request that the provider counts
    return _Round(sent, cpu / (answered or sent.requests) * 1e6, most[0] / 2**20), answered


def _send(load: Load, requests: wrk.Requests, way: Way, seconds: int) -> wrk.Sent:
    refused = way.gateway is not None and load.status >= 400
    sent = wrk.send(requests, way.url, _WRONG_KEY if refused else way.key, seconds)
    way.settle()
    if sent.failed or sent.refused != (sent.requests if refused else 0):
        raise RuntimeError(f"{load.name} by {way.name}: {sent}")
    return sent


@contextmanager
def _watched(child: Child) -> Iterator[list[int]]:
    """Yields what becomes the most memory of a process, in bytes."""
    most = [child.rss_bytes()]
    ended = threading.Event()

    def look() -> None:
        while not ended.wait(_LOOK_SECONDS):
            most[0] = max(most[0], child.rss_bytes())

    looking = threading.Thread(target=look)
    looking.start()
    try:
        yield most
    finally:
        ended.set()
        looking.join()


def _take(results: Results, load: Load, found: dict[str, list[_Round]], idle: dict[str, float]) -> None:
    for way, rounds in found.items():
        results.figure(load.name, way, CPU, "µs a request", [it.cpu for it in rounds])
        results.figure(load.name, way, "requests", "/s", [it.sent.requests / it.sent.seconds for it in rounds])
        results.figure(load.name, way, "latency p50", "ms", [it.sent.p50_us / 1000 for it in rounds], digits=2)
        results.figure(load.name, way, "latency p99", "ms", [it.sent.p99_us / 1000 for it in rounds], digits=2)
        results.figure(load.name, way, "memory over idle", "MiB", [it.memory - idle[way] for it in rounds])
    results.ratios(load.name)

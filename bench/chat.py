"""`chat`, `varied`, `large`: whole answers to one key over kept-alive connections, and whether each was recorded."""

import json
import pstats
import subprocess
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import gateway, nginx
from bench.figures import line, spread, title
from bench.loads import MARK, Load
from tests.support.process import Child

CONNECTIONS = 32
_SCRIPT = Path(__file__).with_name("chat.lua")
_WARM_SECONDS = 1
_SHOWN_FUNCTIONS = 40


@dataclass(frozen=True, slots=True)
class Round:
    """One round of load: answers a second, latencies in microseconds, CPU microseconds for each answer."""

    rate: float
    p50: int
    p99: int
    cpu: float
    completed: int
    failed: int


@dataclass(frozen=True, slots=True)
class _Way:
    """What the load is sent to, and what there is to wait for before the time that it took is read."""

    name: str
    child: Child
    url: str
    key: str
    settle: Callable[[], None]


def run(directory: Path, load: Load, *, rounds: int, seconds: int, beside: Path | None, profile: bool) -> None:
    """Measures gateway and nginx in turn and prints the figures; with `profile`, where the gateway's time goes.

    `beside` is another checkout, whose gateway takes its turns too.
    """
    dump = directory / "profile" if profile else None
    body = directory / f"{load.name}.json"
    body.write_text(load.request)
    with ExitStack() as stack:
        provider = stack.enter_context(nginx.provider(directory / f"{load.name}-provider", load.answer))
        bare = stack.enter_context(nginx.proxy(directory / f"{load.name}-proxy", provider.url.removeprefix("http://")))
        checkouts = {"gateway": None} if beside is None else {"gateway": None, "beside": beside}
        gateways = {}
        for name, checkout in checkouts.items():
            data = directory / f"{load.name}-{name}"
            ours = gateway.running(data, provider.url, checkout=checkout, profile=dump if checkout is None else None)
            gateways[name] = stack.enter_context(ours)
        ways = [_Way(name, it.child, it.url, it.key, it.wait_recorded) for name, it in gateways.items()]
        ways.append(_Way("nginx", bare.child, bare.url, "none", _nothing))
        title(f"{load.name}: {CONNECTIONS} connections, {rounds} rounds of {seconds} s in turn")
        for way in ways:
            _send(way, load, body, _WARM_SECONDS)
            way.settle()
        missing = 0
        found: dict[str, list[Round]] = {way.name: [] for way in ways}
        for _ in range(rounds):
            for way in ways:
                ours = gateways.get(way.name)
                recorded, seen = ours.recorded() if ours else 0, provider.seen()
                found[way.name].append(_round(way, load, body, seconds))
                if ours:
                    # The question itself is a request that the provider counts.
                    missing += provider.seen() - 1 - seen - (ours.recorded() - recorded)
        _print(found, missing)
        for name, ours in gateways.items():
            line(f"{name} memory after load", f"{ours.child.rss_bytes() / 2**20:.0f} MiB RSS")
    if dump is not None:
        pstats.Stats(str(dump)).sort_stats("tottime").print_stats(_SHOWN_FUNCTIONS)


def _nothing() -> None:
    """What there is to wait for where nothing is recorded."""


def _round(way: _Way, load: Load, body: Path, seconds: int) -> Round:
    before = way.child.cpu_seconds()
    found = _send(way, load, body, seconds)
    way.settle()
    cpu = (way.child.cpu_seconds() - before) / found["requests"] * 1e6
    rate = found["requests"] / found["seconds"]
    return Round(rate, found["p50_us"], found["p99_us"], cpu, found["requests"], found["failed"])


def _send(way: _Way, load: Load, body: Path, seconds: int) -> dict[str, float]:
    url = f"{way.url}/v1/chat/completions"
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(_SCRIPT), url]
    arguments = [way.key, str(body), MARK, "varied" if load.varied else "equal"]
    done = subprocess.run([*command, "--", *arguments], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _print(found: dict[str, list[Round]], missing: int) -> None:
    for name, rounds in found.items():
        line(f"{name} CPU", spread([it.cpu for it in rounds], "µs a request"))
        line(f"{name} requests", spread([it.rate for it in rounds], "/s"))
        line(f"{name} latency p50", spread([it.p50 / 1000 for it in rounds], "ms", 2))
        line(f"{name} latency p99", spread([it.p99 / 1000 for it in rounds], "ms", 2))
    middle = {name: median(it.cpu for it in rounds) for name, rounds in found.items()}
    line("ratio of CPU", f"{middle['gateway'] / middle['nginx']:.1f}")
    if "beside" in middle:
        line("ratio of CPU to beside", f"{middle['gateway'] / middle['beside']:.2f}")
    answered = sum(it.completed for name, rounds in found.items() if name != "nginx" for it in rounds)
    line("recorded", f"{answered:,} answered, missing {missing}")
    line("failed", str(sum(it.failed for rounds in found.values() for it in rounds)))

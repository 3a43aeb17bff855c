"""`chat`: whole answers to one key over kept-alive connections, and whether each of them was recorded."""

import json
import pstats
import subprocess
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from statistics import median

from bench import gateway, nginx
from bench.figures import line, spread, title
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


def run(directory: Path, *, rounds: int, seconds: int, profile: bool) -> None:
    """Measures gateway and nginx in turn and prints the figures; with `profile`, where the gateway's time goes."""
    dump = directory / "profile" if profile else None
    with nginx.provider(directory / "provider") as provider:
        upstream = provider.url.removeprefix("http://")
        with (
            nginx.proxy(directory / "proxy", upstream) as bare,
            gateway.running(directory / "data", provider.url, profile=dump) as ours,
        ):
            title(f"chat: {CONNECTIONS} connections, {rounds} rounds of {seconds} s, gateway and nginx in turn")
            _load(ours.url, ours.key, _WARM_SECONDS)
            _load(bare.url, "none", _WARM_SECONDS)
            gateway_rounds, nginx_rounds = [], []
            missing = 0
            for _ in range(rounds):
                ours.wait_recorded()
                recorded, seen = ours.recorded(), provider.seen()
                gateway_rounds.append(_round(ours.child, ours.url, ours.key, seconds, ours.wait_recorded))
                # The question itself is a request that the provider counts.
                missing += provider.seen() - 1 - seen - (ours.recorded() - recorded)
                nginx_rounds.append(_round(bare.child, bare.url, "none", seconds, lambda: None))
            _print(gateway_rounds, nginx_rounds, missing)
            line("gateway memory after load", f"{ours.child.rss_bytes() / 2**20:.0f} MiB RSS")
    if dump is not None:
        pstats.Stats(str(dump)).sort_stats("tottime").print_stats(_SHOWN_FUNCTIONS)


def _round(child: Child, url: str, key: str, seconds: int, settle: Callable[[], None]) -> Round:
    before = child.cpu_seconds()
    found = _load(url, key, seconds)
    settle()
    cpu = (child.cpu_seconds() - before) / found["requests"] * 1e6
    rate = found["requests"] / found["seconds"]
    return Round(rate, found["p50_us"], found["p99_us"], cpu, found["requests"], found["failed"])


def _load(url: str, key: str, seconds: int) -> dict[str, float]:
    command = ["wrk", "-t1", f"-c{CONNECTIONS}", f"-d{seconds}s", "-s", str(_SCRIPT), f"{url}/v1/chat/completions"]
    done = subprocess.run([*command, "--", key], capture_output=True, text=True, check=True)
    return json.loads(done.stdout.splitlines()[-1])


def _print(ours: list[Round], bare: list[Round], missing: int) -> None:
    for name, found in (("gateway", ours), ("nginx", bare)):
        line(f"{name} CPU", spread([it.cpu for it in found], "µs a request"))
        line(f"{name} requests", spread([it.rate for it in found], "/s"))
        line(f"{name} latency p50", spread([it.p50 / 1000 for it in found], "ms", 2))
        line(f"{name} latency p99", spread([it.p99 / 1000 for it in found], "ms", 2))
    line("ratio of CPU", f"{median(it.cpu for it in ours) / median(it.cpu for it in bare):.1f}")
    line("recorded", f"{sum(it.completed for it in ours):,} answered, missing {missing}")
    line("failed", str(sum(it.failed for it in ours + bare)))

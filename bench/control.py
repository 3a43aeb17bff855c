"""`get` and `grpc`: one management call, the list of keys, over REST and over gRPC. No proxy stands beside it."""

import json
import subprocess
import sys
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

from bench import wrk
from bench.gateway import Gateway
from bench.results import CPU, Results
from bench.ways import gateways

CASES = ("get", "grpc")
CONNECTIONS = 16
_UPSTREAM = "127.0.0.1:9"  # nobody is called
_WARM_SECONDS = 1


def run(results: Results, directory: Path, case: str, *, rounds: int, seconds: int, beside: Path | None) -> None:
    """Measures the call through one of the doors."""
    send = _over_rest if case == "get" else _over_grpc
    with gateways(directory / case, _UPSTREAM, beside=beside) as running:
        results.title(f"{case}: {CONNECTIONS} at once, {rounds} rounds of {seconds} s in turn")
        found: dict[str, list[tuple[float, float]]] = defaultdict(list)
        for it in running.values():
            send(it, _WARM_SECONDS)
        for _ in range(rounds):
            for name, it in running.items():
                found[name].append(_round(it, send, seconds))
        for name, measured in found.items():
            results.figure(case, name, CPU, "µs a request", [cpu for cpu, _ in measured])
            results.figure(case, name, "requests", "/s", [rate for _, rate in measured])
        results.ratios(case)


def _round(running: Gateway, send: Callable[[Gateway, int], int], seconds: int) -> tuple[float, float]:
    before = running.child.cpu_seconds()
    answered = send(running, seconds)
    return (running.child.cpu_seconds() - before) / answered * 1e6, answered / seconds


def _over_rest(running: Gateway, seconds: int) -> int:
    requests = wrk.Requests("GET", "/api/v1/keys", CONNECTIONS)
    sent = wrk.send(requests, running.url, running.token, seconds)
    if sent.failed or sent.refused:
        raise RuntimeError(f"get: {sent}")
    return sent.requests


def _over_grpc(running: Gateway, seconds: int) -> int:
    command = [sys.executable, "-m", "bench.unary_caller", running.grpc, running.token, str(CONNECTIONS), str(seconds)]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return int(json.loads(done.stdout)["answered"])

"""The gateway under measurement, started and set up through its public doors. Knows no load.

The default settings hold: SQLite, bodies recorded, a key check, a rate window, usage and cost for each request.
"""

import json
import secrets
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from bench import waiting
from tests.support.process import Child, ingate_argv

_ROOT = Path(__file__).resolve().parents[1]
_RATE = 10_000_000
_DRAIN_SECONDS = 120
_QUIET_SECONDS = 0.3
_TICK_SECONDS = 0.01  # in which processor time is counted


@dataclass(frozen=True, slots=True)
class Gateway:
    """A running gateway with one provider and one key that nothing limits."""

    child: Child
    url: str
    grpc: str
    data: Path
    token: str
    key: str

    def settle(self) -> None:
        """Returns when nothing is under way, answers whose callers left included, and all has reached the database."""
        journal = self.data / "journal"

        def resting() -> bool:
            before = self.child.cpu_seconds()
            time.sleep(_QUIET_SECONDS)
            return self.child.cpu_seconds() - before <= _TICK_SECONDS

        def empty() -> bool:
            try:
                return all(path.stat().st_size == 0 for path in journal.glob("*.journal"))
            except FileNotFoundError:
                return False  # one went while we looked; whether others are left is seen next time

        waiting.until(resting, "the gateway at rest", _DRAIN_SECONDS)
        waiting.until(empty, "the journal drained", _DRAIN_SECONDS)

    def recorded(self) -> int:
        """Returns how many exchanges the database holds."""
        return int(_call(f"{self.url}/api/v1/logs?count=true&limit=1", self.token)["total"])


def argv(data: Path, port: int, *flags: str) -> list[str]:
    """Returns the command that serves on a port with a data directory."""
    return ingate_argv("serve", "--port", str(port), "--grpc-port", "0", "--data-dir", str(data), *flags)


@contextmanager
def running(
    data: Path, upstream: str, *flags: str, checkout: Path | None = None, profile: Path | None = None
) -> Iterator[Gateway]:
    """Yields a gateway whose provider is `upstream`, of another `checkout` if one is given.

    With `profile`, cProfile writes that file when it has ended.
    """
    command = argv(data, 0, *flags)
    if profile is not None:
        arguments = command[command.index("serve") :]
        command = [sys.executable, "-m", "cProfile", "-o", str(profile), "-m", "ingate", *arguments]
    root = checkout or _ROOT
    with Child(command, env={"PYTHONPATH": str(root)}, cwd=root) as child:
        _, url, grpc = child.expect(r"is ready: (http://\S+) \(gRPC (\S+)\)", timeout=60).group(0, 1, 2)
        token, (key,) = organisation(url, upstream, "bench")
        yield Gateway(child, url, grpc, data, token, key)
        child.signal()
        child.wait(60)


def organisation(url: str, upstream: str, slug: str, keys: int = 1) -> tuple[str, list[str]]:
    """Signs up an organisation with one provider and so many keys that nothing limits. Returns a token, and the keys.

    After the first, the gateway must run with `--signup open`.
    """
    account = {"email": f"owner@{slug}.example", "password": secrets.token_urlsafe(12), "org_slug": slug}
    account |= {"org_name": slug.title(), "display_name": "Owner"}
    token = _call(f"{url}/api/v1/auth/signup", "", account)["token"]
    _call(
        f"{url}/api/v1/providers",
        token,
        {"name": "openai", "type": "openai", "base_url": upstream, "api_key": "sk-bench-provider"},
    )
    terms = {"rate_limit_per_minute": _RATE}
    return token, [_call(f"{url}/api/v1/keys", token, {"name": f"bench {n}", **terms})["key"] for n in range(keys)]


def _call(url: str, token: str, body: dict[str, Any] | None = None) -> Any:
    request = urllib.request.Request(url, data=json.dumps(body).encode() if body else None)
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("Authorization", f"Bearer {token}")
    with urllib.request.urlopen(request, timeout=60) as answer:
        return json.load(answer)

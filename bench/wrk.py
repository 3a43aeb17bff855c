"""Load by wrk, which costs little itself. Knows no gateway."""

import json
import subprocess
from pathlib import Path

from msgspec import Struct

_SCRIPT = Path(__file__).with_name("requests.lua")


class Sent(Struct):
    """What came of a load: latencies in microseconds, `refused` by a status of 400 or above, `failed` without one."""

    requests: int
    seconds: float
    p50_us: int
    p99_us: int
    refused: int
    failed: int


class Requests(Struct):
    """What is sent. `body` is a file in which `mark` stands once: for a number, and up to `words` bytes of words."""

    method: str
    path: str
    connections: int
    body: Path | None = None
    mark: str = ""
    words: int = 0
    headers: bool = False


def send(requests: Requests, url: str, credential: str, seconds: int) -> Sent:
    """Sends requests for so many seconds, one after another on each connection."""
    options = [f"-c{requests.connections}", f"-d{seconds}s", "-t1", "--timeout", "30s", "-s", str(_SCRIPT)]
    kind = "headers" if requests.headers else "equal"
    arguments = [requests.method, credential, str(requests.body or "-"), requests.mark, str(requests.words), kind]
    command = ["wrk", *options, url + requests.path, "--", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    return Sent(**json.loads(done.stdout.splitlines()[-1]))

"""What `ingate serve` writes to a terminal, and elsewhere."""

import json
import os
import re
import subprocess
import threading

import httpx
import pytest

from tests.support.outside import ASK, client, compiled, spawn
from tests.support.process import ingate_argv
from tests.support.waiting import eventually

COLOUR = re.compile(r"\x1b\[\d+m")


class Terminal:
    """A gateway whose output is a terminal. Use as a context manager."""

    def __init__(self, *flags, env=None):
        ours, theirs = os.openpty()
        argv = ingate_argv("serve", "--demo", "--port", "0", "--grpc-port", "0", *map(str, flags))
        merged = {**os.environ, **compiled(), "TERM": "xterm", "NO_COLOR": "", **(env or {})}
        merged = {name: value for name, value in merged.items() if value is not None}
        self._child = subprocess.Popen(argv, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs, env=merged)
        os.close(theirs)
        self._ours, self.raw = ours, ""
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        while True:
            try:
                data = os.read(self._ours, 65536)
            except OSError:  # how Linux tells that nobody has the other end any more
                return
            self.raw += data.decode()

    @property
    def lines(self):
        return COLOUR.sub("", self.raw).replace("\r\n", "\n").split("\n")

    def line(self, pattern):
        return next((found for line in self.lines if (found := re.search(pattern, line))), None)

    async def wait(self, pattern):
        return await eventually(lambda: self.line(pattern), timeout=60)

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self._child.kill()
        self._child.wait()
        self._reader.join(10)
        os.close(self._ours)


async def test_a_terminal_shows_a_line_for_each_call(tmp_path):
    """With status, provider, model, tokens, cost, milliseconds and the key's name; refusals with why; no probes."""
    with Terminal("--data-dir", tmp_path) as terminal:
        await terminal.wait("^curl ")
        url, key = terminal.line(r"is ready: (http://\S+) ")[1], terminal.line(r"^ +key +(\S+)$")[1]
        banner = [line for line in terminal.lines if line][-5:]
        assert banner[0].startswith("Ingate ")
        assert banner[-1].startswith("curl ")
        async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:
            for _ in range(3):
                assert (await http.get("/healthz")).status_code == 200
            good = {"X-Ingate-Key": key}
            assert (await http.post("/v1/chat/completions", json=ASK, headers=good)).status_code == 200
            bad = {"X-Ingate-Key": f"sk-ingate-{'A' * 43}"}
            assert (await http.post("/v1/chat/completions", json=ASK, headers=bad)).status_code == 401
        await terminal.wait(r"^\d\d:\d\d:\d\d  200      demo        demo +\d+ > \d+ tokens .* \d+ ms  first key$")
        await terminal.wait(r"^\d\d:\d\d:\d\d  401      refused +\S.*key: sk-ingate-AAAA  address: 127\.0\.0\.1$")
        assert "\x1b[32m200" in terminal.raw
        assert "A" * 5 not in terminal.raw
        assert "GetHealth" not in terminal.raw
        assert not any(line.startswith("{") for line in terminal.lines)


async def test_colours_can_be_refused(tmp_path):
    """By NO_COLOR; and JSON can be had on a terminal."""
    with Terminal("--data-dir", tmp_path, env={"NO_COLOR": "1"}) as terminal:
        await terminal.wait("^curl ")
        assert "\x1b[" not in terminal.raw
    with Terminal("--data-dir", tmp_path / "json", "--log-format", "json") as terminal:
        await terminal.wait("^curl ")
        [made] = [json.loads(line) for line in terminal.lines if line.startswith("{")]
        assert made["event"] == "master_key_made"


@pytest.mark.parametrize("flags", [(), ("--log-calls", "0"), ("--log-format", "text")])
async def test_elsewhere_each_line_is_json(tmp_path, flags):
    """One for a call, unless they are silenced; text where it is asked for, without colours."""
    with spawn(tmp_path, *flags) as spawned:
        async with client(spawned) as http:
            answer = await http.post("/v1/chat/completions", json=ASK)
            spawned.child.signal()
            assert await spawned.child.wait_exit(30) == 0
    lines = [line.text for line in spawned.child.lines if line.stream == "stderr"]
    if flags[-1:] == ("text",):
        assert any("  200      demo" in line for line in lines)
        assert not any("\x1b" in line for line in lines)
        return
    calls = [line for line in map(json.loads, lines) if line["event"] == "call"]
    assert len(calls) == (0 if flags else 1)
    for call in calls:
        assert call["request_id"] == answer.headers["x-ingate-request-id"]
        shown = (call["status"], call["provider"], call["model"], call["key"])
        assert shown == (200, "demo", "demo", "first key")
        assert call["input_tokens"] > 0

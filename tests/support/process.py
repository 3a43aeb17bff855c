"""Child processes under test: started in a group of their own, their output collected, their group killed for certain.

Knows nothing of what the child does; `ingate_argv` is the one place that says how the project's own CLI is started.
"""

import asyncio
import atexit
import contextlib
import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections import deque
from itertools import islice
from pathlib import Path
from typing import NamedTuple

from tests.support import proctree

PATIENCE = 60.0
"""Seconds in which a process does what it does at once, although the machine is busy with something else."""
_KEPT_LINES = 20_000
_LONGEST_LINE = 65_536
_ROOT = Path(__file__).resolve().parents[2]


class Line(NamedTuple):
    """One line of output: "stdout" or "stderr", seconds since start, text without its line end."""

    stream: str
    at: float
    text: str


class LineNotSeen(AssertionError):
    """The child did not print what was expected; the message ends with what it printed last."""


def ingate_argv(*args):
    """Returns the argv that runs the `ingate` command of this checkout, installed or not."""
    entry = "import sys; sys.argv[0] = 'ingate'; from ingate.cli import main; sys.exit(main())"
    return [sys.executable, "-c", entry, *args]


class Child:
    """A running command. Use as a context manager: leaving it kills the whole process group.

    The child's lines are read by two threads, so it never blocks on a full pipe, whichever loop or thread waits.
    The last 20,000 lines are kept.
    """

    def __init__(self, argv, env=None, cwd=_ROOT):
        """Starts `argv`; `env` is laid over this process's environment, a None value removes a variable."""
        merged = {**os.environ, "PYTHONUNBUFFERED": "1", **(env or {})}
        self.argv = list(argv)
        self.lines = deque(maxlen=_KEPT_LINES)
        self._changed = threading.Condition()
        self._line_count = 0
        self._killed = False
        self._started = time.monotonic()
        self._popen = subprocess.Popen(
            self.argv,
            cwd=cwd,
            env={name: value for name, value in merged.items() if value is not None},
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
        self.pid = self._popen.pid
        atexit.register(self.kill)
        self._readers = [
            threading.Thread(target=self._collect, args=(name, pipe), daemon=True)
            for name, pipe in (("stdout", self._popen.stdout), ("stderr", self._popen.stderr))
        ]
        self._open_streams = len(self._readers)
        for reader in self._readers:
            reader.start()

    def __enter__(self):
        return self

    def __exit__(self, *_exc):
        self.kill()

    @property
    def returncode(self):
        """Exit code, negative for a signal, None while the child runs."""
        return self._popen.poll()

    @property
    def output(self):
        """Everything kept so far, both streams, in order of arrival."""
        with self._changed:
            return "\n".join(line.text for line in self.lines)

    def expect(self, pattern, timeout=PATIENCE):
        """Blocks until a line of either stream matches the regex, and returns the match (`re.search`).

        Lines already printed count. Raises `LineNotSeen` after `timeout` seconds, or as soon as both streams ended.
        """
        regex = re.compile(pattern)
        deadline = time.monotonic() + timeout
        seen = 0
        with self._changed:
            while True:
                unseen = self._line_count - seen
                for line in islice(self.lines, max(0, len(self.lines) - unseen), None):
                    if match := regex.search(line.text):
                        return match
                seen = self._line_count
                left = deadline - time.monotonic()
                if left <= 0 or not self._open_streams:
                    break
                self._changed.wait(left)
        raise LineNotSeen(f"no line matches {pattern!r}; {self._ending()}")

    async def expect_line(self, pattern, timeout=PATIENCE):  # noqa: ASYNC109 - handed on to the blocking wait
        """`expect` for a running event loop, which goes on serving meanwhile."""
        return await asyncio.to_thread(self.expect, pattern, timeout)

    def wait(self, timeout=PATIENCE):
        """Blocks until the child has exited and its output is complete; returns the exit code.

        Raises AssertionError after `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        try:
            code = self._popen.wait(timeout)
        except subprocess.TimeoutExpired:
            raise AssertionError(f"still running after {timeout:g} s; {self._ending()}") from None
        for reader in self._readers:
            reader.join(max(0.0, deadline - time.monotonic()))
        return code

    async def wait_exit(self, timeout=PATIENCE):  # noqa: ASYNC109 - handed on to the blocking wait
        """`wait` for a running event loop."""
        return await asyncio.to_thread(self.wait, timeout)

    def signal(self, number=signal.SIGTERM):
        """Sends a signal to the child alone, as an init system does. Nothing happens when it has exited."""
        self._popen.send_signal(number)

    def kill(self):
        """Kills the child's session and every descendant that left it, reaps it, closes the pipes. Idempotent."""
        if self._killed:
            return
        self._killed = True
        # Descendants are looked up while the child is alive or a zombie: afterwards their parent is init.
        members = {*proctree.tree(self.pid), *proctree.session(self.pid)}
        if self.returncode is None:
            os.killpg(self.pid, signal.SIGKILL)
        for pid in members - {self.pid}:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self._popen.wait()
        for reader in self._readers:
            reader.join(5.0)
        atexit.unregister(self.kill)

    def cpu_seconds(self):
        """CPU time of the child and everything below it, children it has reaped included."""
        return proctree.cpu_seconds(self.pid)

    def rss_bytes(self):
        """Resident memory of the child and everything below it."""
        return proctree.rss_bytes(self.pid)

    def open_files(self):
        """Open file descriptors of the child and everything below it."""
        return proctree.open_files(self.pid)

    def _collect(self, name, pipe):
        with pipe:
            for raw in iter(lambda: pipe.readline(_LONGEST_LINE), b""):
                line = Line(name, time.monotonic() - self._started, raw.decode(errors="replace").rstrip("\r\n"))
                with self._changed:
                    self.lines.append(line)
                    self._line_count += 1
                    self._changed.notify_all()
        with self._changed:
            self._open_streams -= 1
            self._changed.notify_all()

    def _ending(self):
        tail = "\n".join(self.output.splitlines()[-30:])
        return f"exit code {self.returncode}, last output:\n{tail}"

"""Runs one throw-away PostgreSQL for as long as somebody holds it. Knows no tests and no databases of theirs.

Started as a script by `tests.support.postgres`; prints one JSON line and stays behind as a daemon:

    python postgres_server.py BIN_DIR...      the first directory whose server runs is used
    {"control": "/tmp/…/control", "host": "127.0.0.1", "port": 40001, "password": "…", "version": "18.6", "pid": 4711}

A process holds the server by connecting to the `control` unix socket. It lets go by closing its side and reading to the
end, which arrives at once when others hold on, and after the server has gone when it was the last. A holder that is
killed lets go all the same, so a crashed worker leaves nothing behind.
"""

import contextlib
import ctypes
import json
import os
import pwd
import re
import secrets
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import NamedTuple

OLDEST_VERSION = 15
"""CREATE DATABASE … STRATEGY, which fast copies need, came with this one."""

_START_SECONDS = 180.0
_STOP_SECONDS = 10.0
_FIRST_HOLDER_SECONDS = 60.0
_PR_SET_PDEATHSIG = 1

_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    "shared_buffers": "32MB",
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "256MB",
    # A vacuum worker inside a template makes CREATE DATABASE wait for it.
    "autovacuum": "off",
    "jit": "off",
    # Containers offer little /dev/shm, and parallel workers need it.
    "max_parallel_workers_per_gather": "0",
    "timezone": "UTC",
}


class Unusable(Exception):
    """An installation cannot run here; the text says why."""


class Account(NamedTuple):
    """Keywords for subprocess that drop privileges; empty when there are none to drop."""

    name: str
    keywords: dict


def main(directories):
    """Starts the first usable installation, reports on stdout, and detaches. Exit code 1 with the reasons on stderr."""
    report, ready = os.pipe()
    if os.fork():
        os.close(ready)
        with os.fdopen(report, "rb") as pipe:
            answer = json.loads(pipe.read() or b'{"error": "the PostgreSQL supervisor died"}')
        if "error" in answer:
            sys.exit(answer["error"])
        print(json.dumps(answer))  # noqa: T201 - the answer to the parent process
        return
    os.close(report)
    os.setsid()
    # The terminal's Ctrl-C is for pytest; whoever wants this process gone sends SIGTERM.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(0))
    devnull = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(devnull, descriptor)
    try:
        with tempfile.TemporaryDirectory(prefix="ingate-pg-", dir=_reachable_directory()) as base:
            _supervise(Path(base), _account(), directories, ready)
    except Exception as error:  # noqa: BLE001 - nobody else is left to tell
        os.write(ready, json.dumps({"error": f"{type(error).__name__}: {error}"}).encode())


def _supervise(base, account, directories, ready):
    base.chmod(0o711)
    with socket.socket(socket.AF_UNIX) as control:
        control.bind(str(base / "control"))
        (base / "control").chmod(0o600)
        control.listen(1024)
        server, facts = _start_first_usable(base, account, directories)
        last = None
        try:
            os.write(ready, json.dumps({"control": str(base / "control"), **facts}).encode())
            os.close(ready)
            last = _until_nobody_holds(control, server)
        finally:
            (base / "control").unlink()
            _stop(server)
            shutil.rmtree(base, ignore_errors=True)
            if last is not None:
                last.close()


def _until_nobody_holds(control, server):
    """Returns the last holder's socket, still open, or None when the server died or nobody ever came."""
    deadline = time.monotonic() + _FIRST_HOLDER_SECONDS
    holders = set()
    with selectors.DefaultSelector() as selector:
        selector.register(control, selectors.EVENT_READ)
        while server.poll() is None:
            for key, _ in selector.select(timeout=1.0):
                if key.fileobj is control:
                    holder, _address = control.accept()
                    with contextlib.suppress(OSError):
                        holder.sendall(b"+")
                    holders.add(holder)
                    selector.register(holder, selectors.EVENT_READ)
                    continue
                selector.unregister(key.fileobj)
                holders.remove(key.fileobj)
                if not holders:
                    return key.fileobj
                key.fileobj.close()
            if not holders and time.monotonic() > deadline:
                return None
    return None


def _start_first_usable(base, account, directories):
    reasons = []
    for index, directory in enumerate(map(Path, directories)):
        home = base / str(index)
        home.mkdir(mode=0o700)
        if account.keywords:
            os.chown(home, account.keywords["user"], account.keywords["group"])
        try:
            return _start(home, account, _runnable(directory, home, account))
        except (Unusable, OSError) as error:
            reasons.append(f"{directory}: {error}")
            shutil.rmtree(home, ignore_errors=True)
    raise Unusable("no PostgreSQL can be started\n" + "\n".join(reasons))


def _runnable(directory, home, account):
    """Returns a bin directory the account may enter: the wheel of a checkout private to root is copied to `home`."""
    if not account.keywords or _others_may_enter(directory):
        return directory
    package = directory.parents[1]
    for name in (package.name, f"{package.name}.libs"):
        shutil.copytree(package.parent / name, home / name, symlinks=True)
    return home / directory.relative_to(package.parent)


def _start(home, account, binaries):
    version = _run([binaries / "postgres", "--version"], home, account)
    number = re.search(r"(\d+)[\d.]*", version)
    if not number or int(number[1]) < OLDEST_VERSION:
        raise Unusable(f"{version.strip()} is older than {OLDEST_VERSION}")
    password = secrets.token_hex(16)
    password_file = home / "password"
    password_file.write_text(password)
    if account.keywords:
        os.chown(password_file, account.keywords["user"], account.keywords["group"])
    data = home / "data"
    argv = [binaries / "initdb", "-D", data, "--no-sync", "--no-instructions", "--username=postgres", "--auth=password"]
    _run([*argv, f"--pwfile={password_file}", "--encoding=UTF8", "--locale=C"], home, account)
    password_file.unlink()
    for _attempt in range(5):
        port = _free_port()
        server = _launch(home, account, binaries / "postgres", data, port)
        if _accepts(server, data / "postmaster.pid"):
            facts = {"host": "127.0.0.1", "port": port, "password": password, "version": number[0], "pid": server.pid}
            return server, facts
        _stop(server)
        log = (home / "log").read_text(errors="replace")
        if "could not bind" not in log:
            break
    raise Unusable(f"the server did not start\n{log[-2000:]}")


def _run(argv, home, account):
    done = subprocess.run(
        argv,
        cwd=home,
        env=_environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=_START_SECONDS,
        check=False,
        **account.keywords,
    )
    if done.returncode:
        raise Unusable((done.stderr or done.stdout).strip() or f"exit code {done.returncode}")
    return done.stdout


def _launch(home, account, postgres, data, port):
    settings = [f"--{name}={value}" for name, value in {**_SETTINGS, "port": str(port)}.items()]
    with (home / "log").open("ab") as log:
        return subprocess.Popen(
            [postgres, "-D", data, *settings],
            cwd=home,
            env=_environment(),
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
            preexec_fn=_die_with_parent,  # noqa: PLW1509 - the supervisor has one thread
            **account.keywords,
        )


def _die_with_parent():
    """Has the kernel shut the server down fast when this supervisor is killed; changing the user would clear it."""
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGINT)


def _accepts(server, status_file):
    """Waits until the postmaster says it is ready; False when it exited or took too long."""
    deadline = time.monotonic() + _START_SECONDS
    while server.poll() is None and time.monotonic() < deadline:
        with contextlib.suppress(OSError):
            if status_file.read_text().rstrip().endswith("ready"):
                return True
        time.sleep(0.02)
    return False


def _stop(server):
    """Stops the postmaster: fast shutdown, then immediate, then by force."""
    for number in (signal.SIGINT, signal.SIGQUIT, signal.SIGKILL):
        if server.poll() is not None:
            return
        server.send_signal(number)
        with contextlib.suppress(subprocess.TimeoutExpired):
            server.wait(_STOP_SECONDS)


def _account():
    if os.geteuid():
        return Account(pwd.getpwuid(os.geteuid()).pw_name, {})
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            entry = pwd.getpwnam(name)
            return Account(name, {"user": entry.pw_uid, "group": entry.pw_gid, "extra_groups": []})
    raise Unusable("PostgreSQL does not run as root, and there is no user postgres or nobody to run it as")


def _environment():
    return {"PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C", "TZ": "UTC"}


def _free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def _reachable_directory():
    """The temporary directory, or /tmp when the former is private to root."""
    directory = Path(tempfile.gettempdir())
    return directory if os.geteuid() or _others_may_enter(directory) else Path("/tmp")


def _others_may_enter(directory):
    resolved = directory.resolve()
    return all(path.stat().st_mode & 0o001 for path in (resolved, *resolved.parents))


if __name__ == "__main__":
    main(sys.argv[1:])

"""`ingate serve`: core, facade and gRPC server in one process."""

import asyncio
import errno
import gc
import hmac
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
from importlib.metadata import version
from typing import TYPE_CHECKING

import click
import structlog

from ingate.cli import INTERRUPTED
from ingate.cli.options import Settings, settings_options
from ingate.errors import Unavailable
from ingate.net import memory
from ingate.net.budget import BodyBudget

if TYPE_CHECKING:
    from ingate.core import Core
    from ingate.db import Database
    from ingate.rpc.server import RpcServer
    from rest_facade.app import Facade
    from rest_facade.http1 import Limits

_log = structlog.get_logger(__name__)

GIVE_BACK_SECONDS = 5.0
CALL_SECONDS = 2.0
"""How long calls over gRPC may take that are still running when everything else has ended."""


@click.command(help="Run the gateway.")
@settings_options
def command(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM, then drains."""
    from ingate.logs import configure

    configure(settings.log_level, settings.log_format)
    if settings.event_loop == "uvloop" and sys.platform != "win32":
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    stopping = Stopping()
    try:
        with runner:
            runner.run(serve(settings, stopping))
    except asyncio.CancelledError:
        raise SystemExit(128 + stopping.signal) from None


async def serve(settings: Settings, stopping: "Stopping") -> None:
    """Runs everything and returns after the drain. A signal during the start cancels it."""
    stopping.listen()
    from ingate.cli import demo, first_steps, seeding
    from ingate.core import open_core
    from ingate.net import descriptors, server_tls
    from ingate.rpc import server as rpc_server
    from ingate.storage import data_dir, inside
    from ingate.vault import MASTER_KEY_FILE
    from rest_facade.http1 import Limits

    tls = server_tls.identity(settings.tls_cert, settings.tls_key)
    grpc_tls = server_tls.identity(settings.grpc_tls_cert, settings.grpc_tls_key, prefix="grpc_")
    room = descriptors.make_room()
    async with open_core(settings) as core, AsyncExitStack() as stack:
        core.hold()
        if core.made_master_key:
            path = data_dir(settings) / MASTER_KEY_FILE
            _log.warning(
                "master_key_made", path=str(path), advice="keep a copy: without it, stored provider keys are lost"
            )
        credentials = None
        if settings.demo:
            with inside(data_dir(settings)):
                credentials = await demo.ensure(core.database, data_dir(settings), settings.default_plan)
        with _listening(settings.host, settings.grpc_port, "grpc_port"):
            grpc = await rpc_server.start(
                f"{_bracketed(settings.host)}:{settings.grpc_port}",
                core.servicers,
                interceptors=core.interceptors,
                door=core.door,
                tls=(grpc_tls.key, grpc_tls.chain) if grpc_tls else None,
            )
        stack.push_async_callback(grpc.stop, 0.0)
        await provide_keys(core, settings)
        facade = make_facade(
            core, settings, Limits(head=settings.max_header_bytes, crowded=room.crowded, full=room.full)
        )
        with _listening(settings.host, settings.port, "port"):
            await facade.start(settings.host, settings.port, tls=tls.context if tls else None)
        url = f"{'https' if tls else 'http'}://{_shown(settings.host)}:{facade.port}"
        banner = f"Ingate {version('ingate')} is ready: {url} (gRPC {_shown(settings.host)}:{grpc.port})"
        # In one piece, so that no log line comes between its lines on a terminal.
        steps = (
            demo.greeting(credentials, url)
            if settings.demo
            else await first_steps.missing_steps(core.database, settings, url)
        )
        click.echo(f"{banner}\n{steps}" if steps else banner)
        if credentials is not None and settings.demo_traffic:
            filling = core.supervisor.start("demo.traffic", partial(seeding.seed, core, demo.ORG), may_end=True)
            stack.callback(filling.cancel)
        sys.stdout.flush()
        _settle_memory()
        core.release()
        giving_back = asyncio.create_task(_give_back(facade.budget, core.database))
        await stopping.wait()
        giving_back.cancel()
        _log.info("draining", seconds=settings.shutdown_seconds)
        await _drain(core, grpc, facade, settings.shutdown_seconds)


async def provide_keys(core: "Core", settings: Settings) -> None:
    """Makes the keys that settings state, and that on whose record calls without one land.

    Raises BadRequest for settings that contradict each other, NotFound for an organisation that is not there.
    """
    from ingate.errors import BadRequest
    from ingate.keys import fixed
    from rest_facade.dialects import mounted, ongoingai, ongoingai_key_settings

    stated = []
    if ongoingai.NAME in mounted.names(settings.dialects):
        stated = [
            (org or settings.ongoingai_org, key) for org, key in ongoingai_key_settings.stated(settings.ongoingai_keys)
        ]
        if not settings.ongoingai_auth:
            stated.append((settings.ongoingai_org, ongoingai_key_settings.without_key(_open_key(core))))
    if any(not org for org, _ in stated):
        raise BadRequest.field(
            "ongoingai_org",
            "(INGATE_ONGOINGAI_ORG) must name the organisation of keys in ongoingai_keys that name none, and of calls"
            " without a key where ongoingai_auth is off",
        )
    await fixed.provide(core.database, stated)


def _open_key(core: "Core") -> str:
    """Returns the secret of the key for calls without one: the same in every gateway that shares the token."""
    from ingate.ids import ONGOINGAI_PREFIX

    return ONGOINGAI_PREFIX + hmac.digest(core.gateway_token.encode(), b"ongoingai without a key", "sha256").hex()


def make_facade(core: "Core", settings: Settings, limits: "Limits") -> "Facade":
    """Returns the HTTP side of a core, which listens nowhere yet."""
    from ingate.net.forwarded import trusted_proxies
    from rest_facade import cors
    from rest_facade.app import Facade
    from rest_facade.dialects.mounted import mounted
    from rest_facade.dialects.ongoingai import Options
    from rest_facade.proxy import proxy_handler
    from rest_facade.spec.route import documented
    from rest_facade.transcoder import Calls

    calls = Calls(max_body=settings.max_management_bytes, gateway_token=core.gateway_token)
    first, *others = mounted(
        settings.dialects,
        cors=cors.from_setting(settings.cors_origins),
        options=Options(
            settings.ongoingai_openai_upstream,
            settings.ongoingai_anthropic_upstream,
            settings.ongoingai_auth_header,
            None if settings.ongoingai_auth else _open_key(core),
        ),
    )
    return Facade(
        core.channel,
        (documented(first), *(documented(other, first=False) for other in others)),
        proxy_handler(core.engine, max_body=settings.max_body_bytes, patience=calls.patience),
        calls=calls,
        limits=limits,
        refused=core.refusals.note_request,
        budget=core.bodies,
        proxies=trusted_proxies(settings.trusted_proxies),
    )


async def _drain(core: "Core", grpc: "RpcServer", facade: "Facade", seconds: float) -> None:
    """Takes nothing new on any port, and returns when everything open has ended or been cut, after `seconds` at most.

    Streams that only end with their clients, such as Watch, do not count as open.
    """
    core.drain()
    deadline = time.monotonic() + seconds
    refusing = asyncio.create_task(grpc.stop(seconds))
    await facade.drain(seconds)
    await core.engine.drained(max(0.0, deadline - time.monotonic()))
    await grpc.stop(min(CALL_SECONDS, max(0.0, deadline - time.monotonic())))
    await refusing


async def _give_back(budget: BodyBudget, database: "Database") -> None:
    """Gives memory back to the system after each time in which much of it was taken, for ever."""
    trimmer = memory.Trimmer()
    while True:
        await asyncio.sleep(GIVE_BACK_SECONDS)
        if budget.in_use < memory.MUCH and trimmer.trim():
            await database.shrink()


def _settle_memory() -> None:
    """Takes what start-up made out of the collector's rounds, and makes rounds rarer: a request leaves few cycles."""
    memory.settle()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@contextmanager
def _listening(host: str, port: int, setting: str) -> Iterator[None]:
    """Raises Unavailable, naming the address and the option to change, when the block cannot have it."""
    try:
        yield
    except OSError as error:
        problem = error if error.errno else _probed(host, port)
        option = f"--{setting.replace('_', '-')} (INGATE_{setting.upper()})"
        if problem.errno == errno.EADDRINUSE:
            why = f"the port is taken; choose another with {option}"
        elif problem.errno == errno.EACCES:
            why = f"this user may not have that port; choose one from 1024 on with {option}"
        else:
            why = f"{problem.strerror}; --host (INGATE_HOST) must be an address of this machine"
        raise Unavailable(f"cannot listen on {_bracketed(host)}:{port}: {why}") from None


def _probed(host: str, port: int) -> OSError:
    """Returns why an address cannot be had, which gRPC does not tell."""
    try:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        with socket.socket(family, socket.SOCK_STREAM) as probe:
            probe.bind((host, port))
            probe.listen()
    except OSError as error:
        return error
    return OSError(errno.EADDRINUSE, os.strerror(errno.EADDRINUSE))


class Stopping:
    """The end of a process, by SIGINT or SIGTERM: the first during the start cancels it, else it is waited for.

    A second ends the process at once.
    """

    def __init__(self) -> None:
        self.signal = 0
        self._wanted = asyncio.Event()
        self._starting: asyncio.Task[None] | None = None

    def listen(self) -> None:
        """Takes the signals of the process. Called by the task that is to be cancelled."""
        self._starting = asyncio.current_task()
        loop = asyncio.get_running_loop()
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(number, self._on_signal, number)

    async def wait(self) -> None:
        """Returns when it is time to stop. From now on a signal cancels nothing."""
        self._starting = None
        await self._wanted.wait()

    def _on_signal(self, number: signal.Signals) -> None:
        if self.signal:
            os._exit(INTERRUPTED)
        self.signal = number
        self._wanted.set()
        if self._starting is not None:
            self._starting.cancel()


def _shown(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- not a binding
    return _bracketed(host)


def _bracketed(host: str) -> str:
    """Returns a host as it stands before a port."""
    return f"[{host}]" if ":" in host else host

"""`ingate serve`: core, facade and gRPC server in one process."""

import asyncio
import errno
import gc
import os
import signal
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from importlib.metadata import version
from typing import TYPE_CHECKING

import click

from ingate.cli.options import Settings, settings_options
from ingate.errors import Unavailable
from ingate.net import memory
from ingate.net.budget import BodyBudget

if TYPE_CHECKING:
    from ingate.core import Core
    from ingate.rpc.server import RpcServer
    from rest_facade.app import Facade
    from rest_facade.http1 import Limits

MUCH = 16 * 1024 * 1024
"""Bytes of bodies under way after which memory is given back to the system."""
GIVE_BACK_SECONDS = 5.0
CALL_SECONDS = 2.0
"""How long calls over gRPC may take that are still running when everything else has ended."""


@click.command(help="Run the gateway.")
@settings_options
def command(settings: Settings) -> None:
    """Serves until SIGINT or SIGTERM, then drains."""
    from ingate.logs import configure

    configure(settings.log_level)
    if settings.event_loop == "uvloop" and sys.platform != "win32":
        import uvloop

        runner = asyncio.Runner(loop_factory=uvloop.new_event_loop)
    else:
        runner = asyncio.Runner()
    with runner:
        runner.run(serve(settings))


async def serve(settings: Settings) -> None:
    """Runs everything and returns after the drain."""
    from ingate.cli import demo
    from ingate.core import open_core
    from ingate.net import descriptors, server_tls
    from ingate.rpc import server as rpc_server
    from ingate.storage import data_dir
    from ingate.vault import MASTER_KEY_FILE
    from rest_facade.http1 import Limits

    tls = server_tls.identity(settings.tls_cert, settings.tls_key)
    grpc_tls = server_tls.identity(settings.grpc_tls_cert, settings.grpc_tls_key, prefix="grpc_")
    stop = _on_signals()
    room = descriptors.make_room()
    async with open_core(settings) as core, AsyncExitStack() as stack:
        if core.made_master_key:
            path = data_dir(settings) / MASTER_KEY_FILE
            click.echo(f"made {path}: without it the stored provider keys are lost, so keep a copy", err=True)
        with _listening(settings.host, settings.grpc_port, "grpc_port"):
            grpc = await rpc_server.start(
                f"{_bracketed(settings.host)}:{settings.grpc_port}",
                core.servicers,
                interceptors=core.interceptors,
                door=core.door,
                tls=(grpc_tls.key, grpc_tls.chain) if grpc_tls else None,
            )
        stack.push_async_callback(grpc.stop, 0.0)
        facade = make_facade(
            core, settings, Limits(head=settings.max_header_bytes, crowded=room.crowded, full=room.full)
        )
        with _listening(settings.host, settings.port, "port"):
            await facade.start(settings.host, settings.port, tls=tls.context if tls else None)
        url = f"{'https' if tls else 'http'}://{_shown(settings.host)}:{facade.port}"
        click.echo(f"Ingate {version('ingate')} is ready: {url} (gRPC {_shown(settings.host)}:{grpc.port})")
        if settings.demo:
            credentials = await demo.ensure(core.database, data_dir(settings), settings.default_plan)
            click.echo(demo.greeting(credentials, url))
        sys.stdout.flush()
        _settle_memory()
        giving_back = asyncio.create_task(_give_back(facade.budget))
        await stop.wait()
        giving_back.cancel()
        click.echo("draining", err=True)
        await _drain(core, grpc, facade, settings.shutdown_seconds)


def make_facade(core: "Core", settings: Settings, limits: "Limits") -> "Facade":
    """Returns the HTTP side of a core, which listens nowhere yet."""
    from ingate.net.forwarded import trusted_proxies
    from rest_facade import cors
    from rest_facade.app import Facade
    from rest_facade.dialects.ingate import dialect
    from rest_facade.proxy import proxy_handler
    from rest_facade.serving import Calls
    from rest_facade.spec.route import OPENAPI

    calls = Calls(max_body=settings.max_management_bytes, gateway_token=core.gateway_token)
    return Facade(
        core.channel,
        (dialect(cors.from_setting(settings.cors_origins), (OPENAPI,)),),
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


async def _give_back(budget: BodyBudget) -> None:
    """Gives memory back to the system after each time in which bodies took much of it, for ever."""
    while True:
        await asyncio.sleep(GIVE_BACK_SECONDS)
        if budget.in_use < MUCH <= budget.peak:
            budget.peak = budget.in_use
            memory.give_back()


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


def _on_signals() -> asyncio.Event:
    """Returns the event that the first SIGINT or SIGTERM sets; a second ends the process at once."""
    stop = asyncio.Event()

    def on_signal() -> None:
        if stop.is_set():
            os._exit(130)
        stop.set()

    loop = asyncio.get_running_loop()
    for name in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(name, on_signal)
    return stop


def _shown(host: str) -> str:
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # noqa: S104 -- not a binding
    return _bracketed(host)


def _bracketed(host: str) -> str:
    """Returns a host as it stands before a port."""
    return f"[{host}]" if ":" in host else host

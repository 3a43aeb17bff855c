"""`ingate serve`: core, facade and gRPC server in one process."""

import asyncio
import gc
import os
import signal
import sys
import time
from collections.abc import Iterator
from contextlib import AsyncExitStack, contextmanager
from functools import partial
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
    from ingate.cli import demo, seeding
    from ingate.core import open_core
    from ingate.net import descriptors
    from ingate.rpc import server as rpc_server
    from ingate.storage import data_dir
    from ingate.vault import MASTER_KEY_FILE
    from rest_facade.http1 import Limits

    stop = _on_signals()
    room = descriptors.make_room()
    async with open_core(settings) as core, AsyncExitStack() as stack:
        if core.made_master_key:
            path = data_dir(settings) / MASTER_KEY_FILE
            click.echo(f"made {path}: without it the stored provider keys are lost, so keep a copy", err=True)
        with _listening(settings.host, settings.grpc_port):
            grpc = await rpc_server.start(
                f"{settings.host}:{settings.grpc_port}",
                core.servicers,
                interceptors=core.interceptors,
                door=core.door,
            )
        stack.push_async_callback(grpc.stop, 0.0)
        facade = make_facade(
            core, settings, Limits(head=settings.max_header_bytes, crowded=room.crowded, full=room.full)
        )
        with _listening(settings.host, settings.port):
            await facade.start(settings.host, settings.port)
        url = f"http://{_shown(settings.host)}:{facade.port}"
        click.echo(f"Ingate {version('ingate')} is ready: {url} (gRPC {_shown(settings.host)}:{grpc.port})")
        if settings.demo:
            credentials = await demo.ensure(core.database, data_dir(settings), settings.default_plan)
            click.echo(demo.greeting(credentials, url))
            if settings.demo_traffic:
                filling = core.supervisor.start("demo.traffic", partial(seeding.seed, core, demo.ORG), may_end=True)
                stack.callback(filling.cancel)
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
    """Gives memory back to the system after each time in which much of it was taken, for ever."""
    tide = memory.Tide()
    while True:
        await asyncio.sleep(GIVE_BACK_SECONDS)
        if budget.in_use < memory.MUCH:
            tide.went_out()


def _settle_memory() -> None:
    """Takes what start-up made out of the collector's rounds, and makes rounds rarer: a request leaves few cycles."""
    memory.settle()
    gc.collect()
    gc.freeze()
    gc.set_threshold(10_000, 20, 50)


@contextmanager
def _listening(host: str, port: int) -> Iterator[None]:
    """Raises Unavailable, naming the address, when the block cannot have it."""
    try:
        yield
    except OSError as error:
        problem = os.strerror(error.errno) if error.errno else "it is taken, or no address of this machine"
        raise Unavailable(f"cannot listen on {host}:{port}: {problem}") from None


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
    return f"[{host}]" if ":" in host else host

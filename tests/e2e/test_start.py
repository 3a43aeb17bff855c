"""The first seconds of a process: when it says that it is ready, and how it ends before."""

import asyncio
import contextlib
import signal

import httpx
import pytest

import ingate.core
from ingate.cli import serve
from ingate.config import Settings
from tests.support.outside import command

SERVE = ("serve", "--port", "0", "--grpc-port", "0")


@pytest.mark.parametrize(("number", "status"), [(signal.SIGINT, 130), (signal.SIGTERM, 143)])
async def test_a_signal_during_the_start_ends_it_quietly(tmp_path, number, status):
    """Here while it waits for a database that accepts and says nothing: there is no word, and no traceback."""
    connected = asyncio.Event()

    async def silent(reader, writer):
        connected.set()
        await reader.read()
        writer.close()

    async with await asyncio.start_server(silent, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        url = f"postgresql://me:secret@127.0.0.1:{port}/db?sslmode=disable"
        with command(*SERVE, "--data-dir", tmp_path, "--database-url", url) as child:
            async with asyncio.timeout(60):
                await connected.wait()
            child.signal(number)
            assert await child.wait_exit(10) == status
            assert child.output == ""


async def test_it_is_ready_once_the_banner_is_printed(tmp_path, monkeypatch):
    """Whoever waits for /healthz finds the key above; the banner is one write, so that nothing comes in between."""
    cores, printed = [], []
    opened = ingate.core.open_core

    @contextlib.asynccontextmanager
    async def remembered(settings):
        async with opened(settings) as core:
            cores.append(core)
            yield core

    monkeypatch.setattr(ingate.core, "open_core", remembered)
    echoed = asyncio.Event()

    def echo(text, *, err=False):
        if not err:
            printed.append((text, cores[0].condition.unready))
            echoed.set()

    monkeypatch.setattr(serve.click, "echo", echo)
    stopping = serve.Stopping()
    settings = Settings(port=0, grpc_port=0, data_dir=str(tmp_path), demo=True, shutdown_seconds=1)
    running = asyncio.create_task(serve.serve(settings, stopping))
    async with asyncio.timeout(60):
        await echoed.wait()
    [(banner, unready)] = printed
    assert unready == "starting"
    assert banner.splitlines()[1].startswith("  key       sk-ingate-")
    url = banner.split()[4]
    async with httpx.AsyncClient(base_url=url, trust_env=False, verify=False) as http:
        assert (await http.get("/healthz")).status_code == 200
        cores[0].hold()
        refused = await http.get("/healthz")
        assert (refused.status_code, refused.json()["message"]) == (503, "starting")
    signal.raise_signal(signal.SIGTERM)
    async with asyncio.timeout(30):
        await running

"""A headless Chromium, driven over its DevTools protocol. Knows no page and no gateway.

async with chromium() as browser:
    page = await browser.open("http://127.0.0.1:8000/")
    assert await page.run("document.title") == "…"

The browser is a package of npm, installed once into .cache/: it needs no root and no packages of the system.
"""

import asyncio
import io
import itertools
import platform
import tarfile
import tempfile
from contextlib import asynccontextmanager

import aiohttp
import brotli

from tests.support.builds import built
from tests.support.node import find_node, installed
from tests.support.process import Child
from tests.support.tools import ROOT

SOURCES = ROOT / "tests" / "e2e" / "browser"
_OLDEST_NODE = 20
_FLAGS = (
    "--headless",
    "--no-sandbox",  # the root of a container has no other
    "--no-zygote",
    "--no-first-run",
    "--disable-gpu",
    "--disable-quic",
    "--disable-sync",
    "--disable-background-networking",
    "--disable-component-update",
    "--remote-debugging-port=0",
)
_PATIENCE = 30.0


def missing():
    """Returns why there is no browser for this machine, else None."""
    if platform.system() != "Linux" or platform.machine() != "x86_64":
        return f"the package has a Chromium for Linux on x86_64, none for {platform.system()} on {platform.machine()}"
    return None


@asynccontextmanager
async def chromium():
    """Yields a `Browser` with a profile of its own; leaving ends it."""
    home = await asyncio.to_thread(_installed)
    with tempfile.TemporaryDirectory(prefix="ingate-chromium-", ignore_cleanup_errors=True) as profile:
        libraries = {"LD_LIBRARY_PATH": str(home / "lib"), "FONTCONFIG_PATH": str(home), "HOME": profile}
        argv = [home / "chromium", *_FLAGS, f"--user-data-dir={profile}", "about:blank"]
        with Child(map(str, argv), env={**libraries, "http_proxy": None, "https_proxy": None}) as child:
            found = await child.expect_line(r"DevTools listening on (ws://\S+)", timeout=_PATIENCE)
            async with aiohttp.ClientSession() as http, http.ws_connect(found[1], max_msg_size=0) as socket:
                browser = Browser(socket)
                try:
                    yield browser
                finally:
                    await browser.close()


class Browser:
    """A connection to a running browser."""

    def __init__(self, socket):
        self._socket = socket
        self._numbers = itertools.count(1)
        self._waiting = {}
        self._pages = {}
        self._reader = asyncio.create_task(self._read())

    async def open(self, url):
        """Returns a `Page` once it and what it names have loaded. Raises AssertionError where the address fails."""
        target = (await self.call("Target.createTarget", url="about:blank"))["targetId"]
        session = (await self.call("Target.attachToTarget", targetId=target, flatten=True))["sessionId"]
        page = self._pages[session] = Page(self, session)
        for domain in ("Page", "Runtime", "Log"):
            await self.call(f"{domain}.enable", session)
        answer = await self.call("Page.navigate", session, url=url)
        assert "errorText" not in answer, answer["errorText"]
        await asyncio.wait_for(page.loaded.wait(), _PATIENCE)
        return page

    async def call(self, method, session=None, **params):
        """Returns the result of a method of the protocol. Raises AssertionError with what the browser says of it."""
        number = next(self._numbers)
        answer = self._waiting[number] = asyncio.get_running_loop().create_future()
        message = {"id": number, "method": method, "params": params}
        await self._socket.send_json(message if session is None else {**message, "sessionId": session})
        async with asyncio.timeout(_PATIENCE):
            said = await answer
        assert "error" not in said, f"{method}: {said['error']}"
        return said["result"]

    async def close(self):
        """Ends the connection."""
        await self._socket.close()
        await self._reader

    async def _read(self):
        async for message in self._socket:
            said = message.json()
            if (answer := self._waiting.pop(said.get("id"), None)) is not None:
                answer.set_result(said)
            elif (page := self._pages.get(said.get("sessionId"))) is not None:
                page.hear(said["method"], said["params"])


class Page:
    """A page that is open. `complaints` is what the browser has logged: errors, refused requests, broken policies."""

    def __init__(self, browser, session):
        self.loaded = asyncio.Event()
        self.complaints = []
        self._browser = browser
        self._session = session

    async def run(self, expression):
        """Returns the value, as JSON has it, of an expression of JavaScript, waiting for it where it is a promise.

        Raises AssertionError with what it throws.
        """
        options = {"awaitPromise": True, "returnByValue": True}
        said = await self._browser.call("Runtime.evaluate", self._session, expression=expression, **options)
        assert "exceptionDetails" not in said, said["exceptionDetails"]
        return said["result"].get("value")

    def hear(self, event, told):
        """Takes an event of the protocol."""
        if event == "Page.loadEventFired":
            self.loaded.set()
        elif event == "Log.entryAdded":
            self.complaints.append(told["entry"]["text"])


def _installed():
    """Returns the directory of the browser, its libraries and its fonts, which the package compresses."""
    packed = installed(find_node(_OLDEST_NODE), "browser", SOURCES) / "@sparticuz" / "chromium" / "bin"

    def unpack(directory):
        for name in ("al2023", "fonts"):
            with tarfile.open(fileobj=io.BytesIO(_inflated(packed / f"{name}.tar.br"))) as archive:
                archive.extractall(directory, filter="data")
        (directory / "chromium").write_bytes(_inflated(packed / "chromium.br"))
        (directory / "chromium").chmod(0o755)

    return built("chromium", [SOURCES / "package-lock.json"], unpack)


def _inflated(file):
    return brotli.decompress(file.read_bytes())

"""Pages in a real browser: of other origins, before and after theirs is listed, and the gateway's own."""

import json
from pathlib import Path

import pytest
import pytest_asyncio
from aiohttp import web
from aiohttp.test_utils import TestServer

from tests.support.browser import chromium, missing
from tests.support.gateway import gateway

pytestmark = [
    pytest.mark.skipif(missing() is not None, reason=str(missing())),
    pytest.mark.asyncio(loop_scope="module"),
    # The first run in a checkout fetches the browser.
    pytest.mark.timeout(300),
]

MESSAGES = [{"role": "user", "content": "Say hello."}]
CHAT = {"model": "demo", "messages": MESSAGES}
STREAM = {"model": "demo-slow", "messages": MESSAGES, "stream": True}
UNREADABLE = {"thrown": "TypeError: Failed to fetch"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def browser():
    async with chromium() as browser:
        yield browser


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def pages(browser):
    """Two pages with the same content, of an origin each: (origin, page)."""

    async def show(_request):
        return web.FileResponse(Path(__file__).with_name("page.html"))

    app = web.Application()
    app.router.add_get("/", show)
    async with TestServer(app) as one, TestServer(app) as other:
        origins = [str(server.make_url("/")).rstrip("/") for server in (one, other)]
        yield [(origin, await browser.open(origin)) for origin in origins]


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["listed", "all"])
async def open_to_pages(request, pages):
    """An organisation of a gateway that lists the first page's origin, or has all of them."""
    origins = pages[0][0] if request.param == "listed" else "*"
    async with gateway(demo=True, grpc=False, cors_origins=origins) as gw:
        yield await gw.signup()


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=["none", "another"])
async def closed_to_the_page(request, pages):
    """An organisation of a gateway that lists no origin, or that of the second page."""
    origins = "" if request.param == "none" else pages[1][0]
    async with gateway(demo=True, grpc=False, cors_origins=origins) as gw:
        yield await gw.signup()


async def do(page, what, url, headers, *body):
    """Has the page call one of its functions."""
    return await page.run(f"{what}({', '.join(map(json.dumps, (url, headers, *body)))})")


async def test_a_listed_page_chats(pages, open_to_pages):
    """With a credential and headers that need a preflight; it can read the gateway's own headers."""
    org, page = open_to_pages, pages[0][1]
    headers = {"Authorization": f"Bearer {org.key}", "X-Ingate-User-Id": "ada"}
    seen = await do(page, "ask", f"{org.gateway.url}/v1/chat/completions", headers, CHAT)

    assert seen["status"] == 200
    assert seen["body"]["choices"][0]["message"]["content"].startswith("Hello!")
    assert seen["headers"]["x-ingate-served-by"] == "demo"
    assert int(seen["headers"]["x-ratelimit-remaining"]) < int(seen["headers"]["x-ratelimit-limit"])
    assert (await org.log(seen["headers"]["x-ingate-request-id"]))["user_id"] == "ada"


async def test_a_listed_page_reads_a_stream_as_it_comes(pages, open_to_pages):
    """Piece by piece: the first is read while the last is not yet written."""
    org, page = open_to_pages, pages[0][1]
    seen = await do(page, "read", f"{org.gateway.url}/v1/chat/completions", {"X-Ingate-Key": org.key}, STREAM)

    assert seen["status"] == 200
    assert len(seen["pieces"]) > 3
    assert "[DONE]" not in seen["pieces"][0]
    assert seen["pieces"][-1].endswith("data: [DONE]\n\n")


async def test_a_listed_page_reads_the_logs(pages, open_to_pages):
    """Its own calls among them."""
    org, page = open_to_pages, pages[0][1]
    key = {"X-Ingate-Key": org.key}
    called = await do(page, "ask", f"{org.gateway.url}/v1/chat/completions", key, CHAT)
    await org.gateway.settled()
    seen = await do(page, "ask", f"{org.gateway.url}/api/v1/logs", key)

    assert seen["status"] == 200
    assert seen["body"]["items"][0]["request_id"] == called["headers"]["x-ingate-request-id"]


@pytest.mark.parametrize(("path", "body"), [("/v1/chat/completions", CHAT), ("/api/v1/logs", None)])
async def test_a_listed_page_is_told_why_it_is_refused(pages, open_to_pages, path, body):
    """A failure can be read as an answer can."""
    org, page = open_to_pages, pages[0][1]
    bodies = [] if body is None else [body]
    seen = await do(page, "ask", f"{org.gateway.url}{path}", {"X-Ingate-Key": "sk-ingate-wrong"}, *bodies)

    assert seen["status"] == 401
    assert "expired or revoked" in seen["body"]["message"]
    assert seen["headers"]["x-ingate-request-id"] == seen["body"]["request_id"]


async def test_a_page_that_is_not_listed_can_do_nothing(pages, closed_to_the_page):
    """It neither chats, streams nor reads logs, and the provider is not even asked."""
    org, page = closed_to_the_page, pages[0][1]
    key = {"X-Ingate-Key": org.key}
    chat = f"{org.gateway.url}/v1/chat/completions"

    assert await do(page, "ask", chat, key, CHAT) == UNREADABLE
    assert await do(page, "read", chat, key, STREAM) == UNREADABLE
    assert await do(page, "ask", f"{org.gateway.url}/api/v1/logs", key) == UNREADABLE
    assert await org.logs() == []


async def test_the_welcome_page_keeps_its_own_policy(browser, open_to_pages):
    """The browser shows it with its style, and has nothing to complain of."""
    page = await browser.open(f"{open_to_pages.gateway.url}/")

    assert "Ingate" in await page.run("document.title")
    assert await page.run("document.styleSheets[0].cssRules.length") > 0
    assert await page.run("document.scripts.length") == 0
    assert page.complaints == []

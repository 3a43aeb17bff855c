"""What a browser finds at the gateway's address, and that nothing else is answered there."""

import base64
import hashlib
import re

import httpx
import pytest

from rest_facade.app import NoCredential

HTML = {"Accept": "text/html,application/xhtml+xml,*/*;q=0.8"}


@pytest.fixture
async def browser(serve):
    """A client of a facade whose proxy sees no key unless `X-Ingate-Key` is there; `noted` are refusals it counts."""
    noted = []

    async def proxy(_request_id, head, _body, sink):
        if not any(name == b"x-ingate-key" for name, _ in head.headers):
            raise NoCredential("send a key")
        await sink.respond(200, [], b"from a provider")

    facade = await serve(proxy=proxy, refused=lambda *told: noted.append(told))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}") as client:
        client.noted = noted
        yield client


async def test_a_browser_finds_a_page(browser):
    """No script, a policy that allows none, the style by its hash; it is no refused call."""
    answer = await browser.get("/", headers=HTML)

    assert (answer.status_code, answer.headers["content-type"]) == (200, "text/html; charset=utf-8")
    assert "<script" not in answer.text
    (style,) = re.findall(r"<style>(.*?)</style>", answer.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert f"'sha256-{digest}'" in policy
    for said in ("/v1/chat/completions", "--demo", "/api/v1/openapi.json"):
        assert said in answer.text
    assert browser.noted == []

    head = await browser.head("/", headers=HTML)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(answer.content))


async def test_the_icon(browser):
    """Asked for with whatever a browser accepts."""
    answer = await browser.get("/favicon.ico")
    assert (answer.status_code, answer.headers["content-type"]) == (200, "image/svg+xml")
    assert answer.headers["cache-control"] == "public, max-age=86400"
    assert browser.noted == []


@pytest.mark.parametrize(
    ("method", "path", "headers"),
    [("GET", "/", {}), ("POST", "/", HTML), ("GET", "/index.html", HTML), ("POST", "/favicon.ico", {})],
)
async def test_what_is_no_browser_is_refused(browser, method, path, headers):
    """Clients that forgot their key hear so, and are counted."""
    assert (await browser.request(method, path, headers=headers)).status_code == 401
    assert len(browser.noted) == 1


@pytest.mark.parametrize("path", ["/", "/favicon.ico"])
async def test_with_a_key_the_paths_are_a_providers(browser, path):
    """The page is for those who show no key; nothing is taken away from callers."""
    answer = await browser.get(path, headers={**HTML, "X-Ingate-Key": "k"})
    assert answer.text == "from a provider"

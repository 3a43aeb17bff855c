"""What a browser finds at the gateway's address, and that nothing else is answered there."""

import base64
import hashlib
import re

import httpx
import pytest

from rest_facade.dialects.base import NoCredential

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
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", verify=False) as client:
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
    for said in ("/v1/chat/completions", "--demo", "/openapi.json", "/docs"):
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


@pytest.mark.parametrize(
    ("accept", "page"),
    [
        (["text/html"], True),
        (["TEXT/HTML"], True),
        (["text/*"], True),
        (["text/html;q=0.001"], True),
        (["application/json;q=0.9, text/html"], True),
        (["application/json, text/html"], True),
        (["image/png", "text/html;q=0.5"], True),
        (["text/html; charset=UTF-8"], True),
        (["text/html;q=0"], False),
        (["text/html;q=0.0, */*"], False),
        (["text/html;q=0.000"], False),
        (["text/html; Q=0"], False),
        (["text/*, text/html;q=0"], False),
        (["application/json, text/html;q=0.5"], False),
        (["application/json, text/html;q=0.9, */*;q=0.1"], False),
        (["*/*"], False),
        (["application/json"], False),
        (['application/xhtml+xml;note="text/html, text/html"'], False),
        (["text/html;level=1"], False),
        (["text/html;q=2"], False),
        (["text/html;q=-1"], False),
        (["text/html;q=nan"], False),
        (["text/htmlx"], False),
        (["text/html;q=0", "application/json"], False),
    ],
)
async def test_who_wants_a_page(browser, accept, page):
    """Whoever would rather have HTML than JSON, as the weights of RFC 9110 tell."""
    answer = await browser.get("/", headers=[("Accept", value) for value in accept])
    assert (answer.status_code, answer.headers["content-type"].partition(";")[0]) == (
        (200, "text/html") if page else (401, "application/json")
    )


@pytest.mark.parametrize("path", ["/", "/favicon.ico"])
async def test_with_a_key_the_paths_are_a_providers(browser, path):
    """The page is for those who show no key; nothing is taken away from callers."""
    answer = await browser.get(path, headers={**HTML, "X-Ingate-Key": "k"})
    assert answer.text == "from a provider"

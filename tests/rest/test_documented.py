"""Where a gateway tells of its API: as an OpenAPI document, and as a page that needs no script and no network."""

import base64
import hashlib
import re

import httpx
import pytest
from openapi_spec_validator import validate

from ingate.formats.paths import Format, detect
from rest_facade.dialects import ingate, ongoingai
from rest_facade.spec.native import PROXIED
from rest_facade.spec.openapi import document
from rest_facade.spec.route import documented

OTHER = ongoingai.dialect(ongoingai.Options("http://openai.example", "http://anthropic.example"))


@pytest.fixture
def stranger_of(serve):
    """A function that returns a client, without a credential, of a facade with these dialects."""

    async def made(*dialects):
        facade = await serve(dialects)
        return httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", verify=False)

    return made


@pytest.mark.parametrize("dialect", [ingate.INGATE, OTHER], ids=lambda dialect: dialect.name)
async def test_the_first_dialect_is_documented(stranger_of, dialect):
    """To anybody, and the same every time."""
    async with await stranger_of(documented(dialect)) as client:
        first, second = [await client.get("/openapi.json") for _ in range(2)]
        page = await client.get("/docs")

    assert first.content == second.content
    found = first.json()
    validate(found)
    assert found["servers"] == [{"url": "/"}]
    assert {route.template for route in dialect.routes} <= found["paths"].keys()

    assert (page.status_code, page.headers["content-type"]) == (200, "text/html; charset=utf-8")
    (style,) = re.findall(r"<style>(.*?)</style>", page.text, re.DOTALL)
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    assert page.headers["content-security-policy"].startswith(f"default-src 'none'; style-src 'sha256-{digest}'")
    assert not re.search(r"<script|<img|<link|\sstyle=|\son\w+=|https?://", page.text)
    anchors = set(re.findall(r'id="([^"]+)"', page.text))
    assert set(re.findall(r'href="#([^"]+)"', page.text)) <= anchors
    operations = [it["operationId"] for path in found["paths"].values() for it in path.values()]
    assert len(set(operations)) == len(operations)
    assert anchors == {*operations, *found["components"]["schemas"]}


async def test_the_native_dialect_is_documented_behind_another(stranger_of):
    """The names without a dialect are the first's."""
    native = documented(ingate.INGATE, first=False)
    async with await stranger_of(documented(OTHER), native) as client:
        own = await client.get("/api/v1/openapi.json")
        first = await client.get("/openapi.json")
    assert (own.json()["info"]["title"], first.json()["info"]["title"]) == ("Ingate", "OngoingAI gateway")


@pytest.mark.parametrize("path", PROXIED)
def test_proxied_paths_are_known_formats(path):
    """What the document says of a provider's path is what the gateway reads there."""
    assert detect(path.replace("{model}", "gemini-pro")) is not Format.OTHER
    assert not ingate.CLAIMS(path)


@pytest.mark.parametrize("ingress", OTHER.ingresses, ids=lambda ingress: ingress.name)
def test_ingresses_are_described(ingress):
    """Each prefix is a path of the document, called with the gateway's key beside a provider's credential."""
    operations = document("/", OTHER)["paths"][f"{ingress.prefix}/{{path}}"]
    assert operations.keys() == {"get", "post", "delete"}
    assert all("gatewayKey" in option and len(option) == 2 for option in operations["post"]["security"])

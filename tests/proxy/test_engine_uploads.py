"""Google's resumable uploads: they begin with a key and go on without it, as the official SDK sends them."""

from types import SimpleNamespace

import pytest
import pytest_asyncio
from google import genai

from ingate.proxy import uploads
from ingate.proxy.uploads import Uploads
from tests.support.gateway import gateway
from tests.support.upstream import JSON, ScriptedUpstream, respond

pytestmark = [
    pytest.mark.asyncio(loop_scope="module"),
    # The SDK subclasses aiohttp's session, which aiohttp advises against.
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),
]

START = {"x-goog-upload-command": "start", "x-goog-upload-protocol": "resumable"}
LAST = {"x-goog-upload-command": "upload, finalize", "x-goog-upload-offset": "0"}
FILE = b'{"file": {"name": "files/abc", "uri": "u", "mimeType": "text/plain", "sizeBytes": "11"}}'


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def up():
    async with ScriptedUpstream() as up:
        yield up


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def gw():
    async with gateway(grpc=False) as gw:
        yield gw


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def org(gw, up):
    org = await gw.signup()
    await org.provider("openai", "openai", up.url, is_default=True)
    await org.provider("gemini", "gemini", up.url, api_key="AIza-of-the-provider")
    return org


async def begin(org, up, upload, **headers):
    """Begins an upload that gets an id."""
    url = f"https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id={upload}&upload_protocol=resumable"
    up.enqueue(respond(200, [("x-goog-upload-status", "active"), ("x-goog-upload-url", url)], b""))
    answer = await org.http.post("/upload/v1beta/files", json={}, headers={**START, **headers})
    assert answer.headers["x-goog-upload-url"] == url
    assert answer.headers["x-ingate-served-by"] == headers.get("x-ingate-provider", "gemini")


async def go_on(gw, upload, path="/upload/v1beta/files", **headers):
    """Sends the bytes without a key."""
    target = f"{path}?upload_id={upload}&upload_protocol=resumable"
    async with gw.client() as client:
        return await client.post(target, content=b"hello world", headers={**LAST, **headers})


async def test_an_upload_goes_on_without_the_key(gw, org, up):
    """To the provider where it began, with that provider's key, in the name of who began it."""
    for provider in ("gemini", "openai"):
        await begin(org, up, f"id-{provider}", **{"x-ingate-provider": provider})
        up.enqueue(respond(200, JSON, FILE))
        answer = await go_on(gw, f"id-{provider}")

        assert (answer.status_code, answer.content) == (200, FILE)
        assert up.requests[-1].body == b"hello world"
        entry = await org.log(answer.headers["x-ingate-request-id"])
        assert (entry["provider"], entry["status_code"]) == (provider, 200)
        assert answer.headers["x-ratelimit-limit"]
    assert up.requests[-3].header("x-goog-api-key") == b"AIza-of-the-provider"


@pytest.mark.parametrize(
    ("upload", "path"),
    [
        ("never-begun", "/upload/v1beta/files"),
        ("known", "/v1beta/files"),
        ("known&upload_id=known", "/upload/v1beta/files"),
        ("", "/upload/v1beta/files"),
        ("x" * 2000, "/upload/v1beta/files"),
    ],
)
async def test_nothing_else_goes_without_a_key(gw, org, up, upload, path):
    """An id that nobody began, a path of no upload, two ids, none."""
    await begin(org, up, "known")
    seen = up.seen

    assert (await go_on(gw, upload, path)).status_code == 401
    assert up.seen == seen


async def test_a_revoked_key_ends_its_uploads(gw, up):
    """At once, as everything it does."""
    org = await gw.signup()
    await org.provider("gemini", "gemini", up.url)
    await begin(org, up, "of-a-revoked-key")
    [key] = (await org.admin.get("/api/v1/keys")).json()["items"]
    assert (await org.admin.delete(f"/api/v1/keys/{key['id']}")).is_success

    assert (await go_on(gw, "of-a-revoked-key")).status_code == 401


async def test_an_id_is_his_who_began_it(gw, org, up):
    """Another organisation's provider cannot take it over."""
    await begin(org, up, "mine")
    other = await gw.signup()
    await other.provider("gemini", "gemini", up.url)
    await begin(other, up, "mine")
    up.enqueue(respond(200, JSON, FILE))

    answer = await go_on(gw, "mine")

    assert (await org.log(answer.headers["x-ingate-request-id"]))["provider"] == "gemini"


async def test_the_official_sdk_uploads_a_file(gw, org, up, tmp_path):
    """Where it is told a base URL with the call, it sends the bytes there, whatever host the URL names, and no key."""
    file = tmp_path / "a.txt"
    file.write_bytes(b"hello world")
    url = "https://generativelanguage.googleapis.com/upload/v1beta/files?upload_id=sdk"
    up.enqueue(respond(200, [("x-goog-upload-status", "active"), ("x-goog-upload-url", url)], b""))
    up.enqueue(respond(200, [*JSON, ("x-goog-upload-status", "final")], FILE))
    options = {"base_url": gw.url}
    async with genai.Client(api_key=org.key, vertexai=False, http_options=options).aio as client:
        uploaded = await client.files.upload(file=str(file), config={"http_options": options})

    assert uploaded.name == "files/abc"
    assert up.requests[-1].body == b"hello world"
    assert up.requests[-1].header("x-goog-upload-command") == b"upload, finalize"


async def test_few_are_known_and_not_for_ever(monkeypatch):
    """The oldest are forgotten, and all of them after a day."""
    clock = SimpleNamespace(now=0.0, monotonic=lambda: clock.now)
    monkeypatch.setattr(uploads, "time", clock)
    monkeypatch.setattr(uploads, "MOST", 2)
    known = Uploads()
    for name in "abc":
        known.begin(f"https://x/upload/f?upload_id={name}".encode(), b"key", "gemini")
        clock.now += 1.0

    def ids():
        return [name for name in "abc" if known.begun("/upload/f", f"upload_id={name}") is not None]

    assert ids() == ["b", "c"]
    clock.now = uploads.LASTING + 1.5
    assert ids() == ["c"]
    known.begin(b"https://x/upload/f?upload_id=b", b"another key", "gemini")
    assert ids() == ["b", "c"]

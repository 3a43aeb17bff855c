"""What the Python REST client does beyond one call: pages, updates, errors, retries, streams that break off."""

import sys
from datetime import UTC, datetime, timedelta

import pytest
import pytest_asyncio

from scripts.sdk.projects import python_sources
from tests.support.gateway import gateway
from tests.support.scripted_server import scripted

pytestmark = pytest.mark.asyncio(loop_scope="module")

HEALTH = b'{"status":"ok","version":"9","parts":null,"news":"from a newer gateway"}'
LATER = datetime.now(UTC) + timedelta(days=1)


@pytest.fixture(scope="module")
def sdk(tmp_path_factory):
    project = python_sources(tmp_path_factory.mktemp("sdk"))
    with pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(project))
        import ingate_client

        yield ingate_client
    for name in [name for name in sys.modules if name.startswith("ingate_client")]:
        del sys.modules[name]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def owner(sdk):
    async with gateway(grpc=False) as gw:
        org = await gw.signup()
        async with sdk.AsyncIngate(org.gateway.url + "/", token=org.token) as client:
            yield client


def at(server):
    return f"http://127.0.0.1:{server.origin.port}"


def answer(status, body, headers=b""):
    return b"HTTP/1.1 %d X\r\ncontent-length: %d\r\n%b\r\n%b" % (status, len(body), headers, body)


def events(*pieces):
    return b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\nconnection: close\r\n\r\n" + b"".join(pieces)


def once_each(*responses):
    """A script that answers connection n with `responses[n]` and closes it; an empty one is no answer."""

    async def script(peer, server):
        server.requests.append(await peer.request())
        await peer.send(responses[min(peer.number, len(responses) - 1)])

    return script


async def test_pages_follow_one_another(owner):
    """Every item comes once, whatever the page's size and where it starts."""
    made = [(await owner.create_key(name=f"page {number}")).id for number in range(5)]
    listed = [key.id async for key in owner.iter_keys(limit=2)]
    assert listed[:5] == made[::-1]
    assert [key.id async for key in owner.iter_keys(limit=2, offset=1)] == listed[1:]
    assert (await owner.list_keys(limit=2)).total == len(listed)


async def test_an_update_tells_null_from_absent(owner):
    """What is left out stays, None clears."""
    key = await owner.create_key(name="update", expires_at=LATER, rate_limit_per_minute=7)
    assert key.expires_at == LATER
    named = await owner.update_key(key.id, name="new")
    assert (named.name, named.expires_at, named.rate_limit_per_minute) == ("new", LATER, 7)
    cleared = await owner.update_key(key.id, expires_at=None)
    assert (cleared.name, cleared.expires_at, cleared.rate_limit_per_minute) == ("new", None, 7)


async def test_errors_are_typed(sdk, owner):
    """The class is that of the code, and says what is wrong with which field."""
    with pytest.raises(sdk.errors.BadRequest) as raised:
        await owner.create_key(name="x" * 201, rate_limit_per_minute=0)
    assert raised.value.fields.keys() == {"name", "rate_limit_per_minute"}
    assert (raised.value.status, raised.value.code) == (400, "bad_request")
    assert raised.value.request_id in str(raised.value)
    with pytest.raises(sdk.errors.NotFound):
        await owner.get_key("../keys")
    await owner.create_provider(name="twice", type="openai")
    with pytest.raises(sdk.errors.Conflict):
        await owner.create_provider(name="twice", type="openai")


@pytest.mark.parametrize("id", ["", ".", ".."])
async def test_what_is_no_id_reaches_no_other_path(owner, id):
    """A path with it would be another rpc's."""
    with pytest.raises(ValueError, match="key_id must be an id"):
        await owner.revoke_key(id)


async def test_a_transient_failure_is_tried_again(sdk):
    """With the answer that comes in the end, whatever a newer gateway adds to it."""
    busy = answer(503, b'{"code":"unavailable"}', b"retry-after: 0\r\nconnection: close\r\n")
    async with scripted(once_each(busy, b"", answer(200, HEALTH))) as server:
        async with sdk.AsyncIngate(at(server)) as client:
            assert (await client.get_health()).version == "9"
    assert len(server.requests) == 3


async def test_what_may_not_be_repeated_is_sent_once(sdk):
    """A key could be made twice, and a chat paid twice."""
    async with scripted(once_each(b"")) as server:
        async with sdk.AsyncIngate(at(server)) as client:
            with pytest.raises(sdk.errors.ConnectionFailed):
                await client.create_key(name="once")
            with pytest.raises(sdk.errors.ConnectionFailed):
                await client.forward("/v1/chat/completions", {})
    assert len(server.requests) == 2


async def test_a_wait_that_is_too_long_is_left_to_the_caller(sdk):
    """Nobody sleeps for an hour inside of a call."""
    limited = answer(429, b'{"code":"rate_limited"}', b"retry-after: 3600\r\nconnection: close\r\n")
    async with scripted(once_each(limited)) as server:
        async with sdk.AsyncIngate(at(server)) as client:
            with pytest.raises(sdk.errors.RateLimited) as raised:
                await client.get_health()
    assert raised.value.retry_after == 3600
    assert len(server.requests) == 1


async def test_something_else_at_the_address(sdk):
    """A page of HTML is no answer, whatever its status."""
    pages = (answer(200, b"<html>", b"connection: close\r\n"), answer(418, b"<html>", b"connection: close\r\n"))
    async with scripted(once_each(*pages)) as server:
        async with sdk.AsyncIngate(at(server)) as client:
            with pytest.raises(sdk.errors.UnexpectedAnswer):
                await client.get_health()
            with pytest.raises(sdk.errors.ApiError, match="418 error: <html>"):
                await client.get_health()


async def test_a_tail_goes_on_where_it_was(sdk):
    """Cut off in the middle of an event, it comes back with the last id; an error ends it."""
    gap = b'data: {"since":"2026-01-01T00:00:00Z",\r\ndata: "until":"2026-01-02T00:00:00Z"}\r\n\r\n'
    cut = events(b"id: a\n\n", b"event: gap\rid: b\r" + gap, b"id: c\nevent: gap\ndata: {")
    end = events(b'event: later\ndata: 1\n\nevent: error\ndata: {"code":"unauthorized"}\n\n')
    async with scripted(once_each(cut, end)) as server:
        async with sdk.AsyncIngate(at(server)) as client, client.tail_exchanges(level="error") as tail:
            told = aiter(tail)
            assert (await anext(told)).until.day == 2
            with pytest.raises(sdk.errors.Unauthorized):
                await anext(told)
    first, second = server.requests
    assert first.line == "GET /api/v1/logs/stream?level=error HTTP/1.1"
    assert "Last-Event-ID" not in first.headers
    assert second.headers["Last-Event-ID"] == "b"

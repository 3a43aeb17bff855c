"""What callers can make the facade hold: bodies count from their first byte, and are dropped when they break."""

import asyncio
import gc
from contextlib import asynccontextmanager

import pytest

from ingate.errors import Unauthenticated
from ingate.net.budget import BodyBudget
from rest_facade.http1 import Body, Connection
from rest_facade.transcoder import Calls
from tests.rest.laws import check
from tests.rest.raw import one_answer, parse
from tests.support.waiting import eventually

KIB = 1024
CLAIMED = b"POST /api/v1/keys HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: sk-ingate-x\r\n"
PUBLIC = b"POST /api/v1/auth/login HTTP/1.1\r\nHost: x\r\n"
PROXIED = b"POST /v1/x HTTP/1.1\r\nHost: x\r\n"
GET = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
LIMIT, PATIENCE = 400 * KIB, 60.0


@pytest.fixture
def budget():
    return BodyBudget(300 * KIB, 200 * KIB, 100 * KIB)


@pytest.fixture
async def facade(serve, budget):
    """A facade whose proxy takes everybody for the organisation in the path, and nobody whose path has none."""

    async def proxy(_request_id, head, body, sink):
        if head.query == "refused":
            raise Unauthenticated("no key")
        await sink.respond(200, [], b"%d" % len(await body.read(LIMIT, PATIENCE, head.query)))

    return await serve(proxy=proxy, calls=Calls(max_body=LIMIT, patience=PATIENCE), budget=budget)


@asynccontextmanager
async def nothing_left():
    """Checks at the end that no body and no connection is left, without the help of the garbage collector."""
    gc.collect()
    gc.disable()
    try:
        yield
        await eventually(
            lambda: not [held for held in gc.get_objects() if isinstance(held, (Body, Connection))],
            what="bodies and connections are gone",
        )
    finally:
        gc.enable()


def busy(facade):
    return sum(connection.busy for connection in facade._connections)


@pytest.fixture
async def send():
    """Returns a function that sends bytes on a new connection and returns its ends; all are closed after the test."""
    made = []

    async def begin(facade, *data):
        before = busy(facade)
        reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
        made.append(writer)
        for number, part in enumerate(data):
            if number:  # what comes with the head is counted before it is known whose it is
                await eventually(lambda: busy(facade) > before, what="the head has come")
            writer.write(part)
            await writer.drain()
        return reader, writer

    yield begin
    for writer in made:
        writer.transport.abort()
    await asyncio.sleep(0)


def announced(head, size):
    return head + b"Content-Length: %d\r\n\r\n" % size


async def holding(budget, size):
    await eventually(lambda: budget.in_use == size, what=f"{size} bytes are held, not {budget.in_use}")


@pytest.mark.parametrize(
    "bound",
    [(CLAIMED, 100 * KIB), (PROXIED, 100 * KIB), (PROXIED.replace(b"/x", b"/x?org"), 200 * KIB)],
    ids=["claimed", "unknown caller", "organisation"],
)
async def test_bodies_under_way_have_a_bound(send, facade, budget, bound):
    """Beyond it they are refused, with the time to come back; when one has gone there is room again."""
    head, size = bound
    _, writer = await send(facade, announced(head, LIMIT), b"x" * (size - KIB))
    await holding(budget, size - KIB)

    late, other = await send(facade, announced(head, 2 * KIB), b"x" * (2 * KIB))
    answer = await one_answer(late)
    check(*answer)
    assert answer[0] == 429
    other.close()
    await holding(budget, size - KIB)

    writer.transport.abort()
    await holding(budget, 0)
    assert budget.owners == 0
    late, other = await send(facade, announced(head, 3), b"{}x")
    assert (await one_answer(late))[0] != 429
    other.close()


async def test_the_process_has_a_bound(send, facade, budget):
    """It holds whoever they are, and is nobody's fault: 503."""
    held = [
        await send(facade, announced(PROXIED.replace(b"/x", b"/x?" + org), LIMIT), b"x" * (149 * KIB))
        for org in (b"one", b"two")
    ]
    await holding(budget, 298 * KIB)
    reader, writer = await send(facade, announced(PROXIED.replace(b"/x", b"/x?three"), 9 * KIB), b"x" * (9 * KIB))
    answer = await one_answer(reader)
    check(*answer)
    assert answer[0] == 503
    for _, other in (*held, (reader, writer)):
        other.close()
    await holding(budget, 0)


async def test_of_bodies_that_do_not_all_fit_the_oldest_is_completed(send, facade, budget, monkeypatch):
    """The youngest is refused: were it each that grows, none would ever be complete."""
    monkeypatch.setattr("ingate.net.budget._LARGE", KIB)
    size = 190 * KIB
    calls = []
    for org in (b"one", b"two", b"three"):
        calls.append(await send(facade, announced(PROXIED.replace(b"/x", b"/x?" + org), size), b"x" * (90 * KIB)))
        await holding(budget, 90 * KIB * len(calls))
    (oldest, writer), (older, _), (youngest, _) = calls
    writer.write(b"x" * (size - 90 * KIB))
    await writer.drain()
    statuses = [await one_answer(reader) for reader in (oldest, youngest)]
    assert [status for status, *_ in statuses] == [200, 503]
    check(*statuses[1])
    await holding(budget, 90 * KIB)
    calls[1][1].write(b"x" * (size - 90 * KIB))
    assert (await one_answer(older))[0] == 200


async def test_what_waits_behind_a_request_counts(send, facade, budget, core):
    """Requests that are sent before their turn are bodies to be."""
    go_on = asyncio.Event()

    async def wait(_request, _context):
        await go_on.wait()
        return Unauthenticated("no")

    core.answers["ingate.auth.v1.AuthService.Login"] = wait
    first = announced(PUBLIC, 2) + b"{}"
    reader, writer = await send(facade, first, GET * 10)
    await eventually(lambda: budget.in_use >= 10 * len(GET), what="what waits counts")
    full = await send(facade, first, announced(PROXIED, LIMIT) + b"x" * (120 * KIB))
    go_on.set()
    assert (await one_answer(full[0]))[0] == 401
    assert (await one_answer(full[0]))[0] == 429
    assert await full[0].read() == b""
    for status in (401, *[200] * 10):
        assert (await one_answer(reader))[0] == status
    for _, other in (full, (reader, writer)):
        other.close()
    await holding(budget, 0)


async def test_unfinished_heads_count(send, facade, budget):
    """What will be a head is held as well."""
    held = [await send(facade, GET[:-2] + b"A: " + b"a" * (30 * KIB)) for _ in range(3)]
    await holding(budget, 3 * len(GET[:-2] + b"A: " + b"a" * (30 * KIB)))
    reader, writer = await send(facade, GET[:-2] + b"A: " + b"a" * (30 * KIB))
    answer = await one_answer(reader)
    check(*answer)
    assert answer[0] == 429
    for _, other in (*held, (reader, writer)):
        other.close()
    await holding(budget, 0)


BROKEN = {
    "left": (b"", None),
    "ill framed": (b"nonsense\r\n\r\n", 400),
    "too large": (b"5f000\r\n" + b"x" * 0x5F000 + b"\r\n" + b"5f000\r\n" + b"x" * 0x5F000 + b"\r\n", 413),
}


@pytest.mark.parametrize(("more", "status"), BROKEN.values(), ids=BROKEN)
@pytest.mark.parametrize("head", [CLAIMED, PROXIED.replace(b"/x", b"/x?org")], ids=["claimed", "proxied"])
async def test_a_broken_body_is_dropped(send, serve, head, more, status):
    """Nothing holds on to it but the connection, not even the error: with no collector running, it is gone."""

    async def proxy(_request_id, _head, body, sink):
        await sink.respond(200, [], await body.read(LIMIT, PATIENCE, "org"))

    facade = await serve(proxy=proxy, calls=Calls(max_body=LIMIT, patience=PATIENCE))
    async with nothing_left():
        for _ in range(5):
            reader, writer = await send(
                facade, head + b"Transfer-Encoding: chunked\r\n\r\n", b"4000\r\n" + b"x" * 0x4000 + b"\r\n"
            )
            await eventually(lambda: facade.budget.in_use >= 0x4000, what="the body has begun")
            if status is None:
                writer.transport.abort()
            else:
                writer.write(more)
                assert (await one_answer(reader))[0] == status
                writer.close()
            await eventually(lambda: not facade._connections, what="the connection is gone")
    assert facade.budget.in_use == 0


async def test_tiny_pieces_are_kept_together(send, facade, budget):
    """Ten thousand chunks of two bytes are one object."""
    reader, writer = await send(facade, PROXIED.replace(b"/x", b"/x?org") + b"Transfer-Encoding: chunked\r\n\r\n")
    for _ in range(10):
        writer.write(b"2\r\nab\r\n" * 1000)
        await writer.drain()
    await holding(budget, 20_000)
    [connection] = facade._connections
    assert len(connection._body._kept) == 20_000
    writer.write(b"0\r\n\r\n")
    assert (await one_answer(reader))[2] == b"20000"
    writer.close()


async def test_who_shows_nothing_is_refused_unread(send, facade, budget):
    """No body of a stranger is read where a credential is needed, and little where none is."""
    for head, size, status in (
        (CLAIMED.replace(b"X-Ingate-Key: sk-ingate-x\r\n", b""), 10, 401),
        (PROXIED.replace(b"/x", b"/x?refused"), LIMIT, 401),
        (PUBLIC, 64 * KIB + 1, 413),
    ):
        reader, writer = await send(facade, announced(head, size))
        answer = await one_answer(reader)
        check(*answer)
        assert (answer[0], answer[1]["connection"]) == (status, "close")
        writer.close()
    assert budget.peak == 0


async def test_what_comes_after_a_refusal_is_read_in_turns(send, facade, monkeypatch):
    """A caller who sends on is read no faster than those who are refused may be together."""
    waiting = []
    monkeypatch.setattr(facade, "lingering", type("Held", (), {"wait": staticmethod(waiting.append)}))
    reader, writer = await send(facade, announced(PROXIED.replace(b"/x", b"/x?refused"), 50 * LIMIT))
    assert (await one_answer(reader))[0] == 401
    writer.write(b"x" * 1000)
    await eventually(lambda: len(waiting) == 1, what="the connection waits for its turn")
    for turn in (2, 3):
        writer.write(b"x" * 1000)
        waiting[-1]()
        await eventually(lambda: len(waiting) == turn, what="and for the next")  # noqa: B023 -- asked at once
    writer.close()


async def test_a_crowded_process_refuses(send, serve):
    """Near the bound of descriptors callers are told so, once a minute so is the log, and at the bound none is."""
    import structlog

    from rest_facade.http1 import Limits

    facade = await serve(limits=Limits(crowded=0))
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            reader, writer = await send(facade)
            answer = parse(await asyncio.wait_for(reader.read(), 20))
            check(*answer)
            assert answer[0] == 503
            assert answer[1]["connection"] == "close"
            writer.close()
    assert [line["event"] for line in lines if line["log_level"] == "warning"] == ["connections_refused"]

    facade = await serve(limits=Limits(crowded=0, full=0))
    reader, _ = await send(facade)
    assert await asyncio.wait_for(reader.read(), 20) == b""
    writer.close()


async def test_large_bodies_are_read_in_turns(send, serve, monkeypatch):
    """Each waits for its turn after what is read at once, and keeps the number that it got first."""

    async def proxy(_request_id, _head, body, sink):
        await sink.respond(200, [], b"%d" % len(await body.read(32 * LIMIT, PATIENCE, "org")))

    def wait(go_on, number=None):
        numbers.append(number)
        waiting.append(go_on)
        return 7

    facade = await serve(proxy=proxy, calls=Calls(patience=PATIENCE))
    waiting, numbers = [], []
    monkeypatch.setattr(facade, "receiving", type("Held", (), {"wait": staticmethod(wait)}))
    size = 4096 * KIB
    reader, writer = await send(facade, announced(PROXIED, size), b"x" * (512 * KIB))
    writer.write(b"x" * (size - 512 * KIB))
    answer = asyncio.create_task(one_answer(reader))
    turns = 0
    while not answer.done():
        await eventually(lambda: waiting or answer.done(), what="the connection waits for its turn")
        if waiting:
            assert len(waiting) == 1
            assert facade.budget.in_use < size
            turns += 1
            waiting.pop()()
    assert turns >= 8
    assert numbers == [None, *[7] * (turns - 1)]
    assert answer.result()[2] == b"%d" % size
    writer.close()


async def test_what_a_cancelled_exchange_held_is_gone(send, serve):
    """A caller leaves while its answer is made: not even the cancelled task holds on to the body."""

    async def proxy(_request_id, _head, body, _sink):
        held = await body.read(LIMIT, PATIENCE, "org")
        await asyncio.Event().wait()
        del held

    facade = await serve(proxy=proxy, calls=Calls(patience=PATIENCE))
    async with nothing_left():
        for _ in range(5):
            _, writer = await send(facade, announced(PROXIED, 100), b"x" * 100)
            await eventually(lambda: facade.budget.in_use == 100, what="the body is there")
            writer.transport.abort()
            await eventually(lambda: not facade._connections, what="the connection is gone")

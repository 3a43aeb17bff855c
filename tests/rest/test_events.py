"""Routes of events: the laws that hold for each, and what the Ingate dialect's own tell."""

import asyncio
import dataclasses
import json

import httpx
import pytest
from msgspec import Raw

from gen.ingate.exchanges.v1 import exchange_pb2
from gen.ingate.exchanges.v1 import exchange_service_pb2 as pb
from ingate.errors import Unavailable
from rest_facade.claims import Claims
from rest_facade.cors import Cors
from rest_facade.dialects.base import Answer, Dialect, Inputs
from rest_facade.dialects.ingate import INGATE
from rest_facade.events import Event, Events, framed
from rest_facade.http1 import Limits
from rest_facade.routes import Route
from rest_facade.style import Style
from tests.rest.event_laws import Play, Scene, hold, listening
from tests.rest.raw import KEY
from tests.support.waiting import eventually

TAIL = "ingate.exchanges.v1.ExchangeService.TailExchanges"
STREAM = "/api/v1/logs/stream"
NATIVE = next(route for route in INGATE.routes if route.template == STREAM)


def told(cursor, **fields):
    return pb.TailExchangesResponse(cursor=cursor, exchange=exchange_pb2.Exchange(**fields))


MESSAGES = [pb.TailExchangesResponse(cursor="c0"), told("c1", model="a\nb"), pb.TailExchangesResponse(cursor="c2")]

# A dialect that shares no word with the Ingate dialect.
TOY_ROUTE = Route(
    "toy",
    "GET",
    "/toy/stream",
    TAIL,
    renames={"from": "cursor"},
    events=Events(lambda said: Event({"at": said["cursor"]}, "tick"), resume="from"),
)
TOY = Dialect(
    name="toy",
    claims=Claims(roots=("/toy",)),
    routes=(TOY_ROUTE,),
    credentials=lambda asked: [("x-ingate-key", asked.headers.get("X-Toy-Key", "none"))],
    error=lambda failure, route, asked: Answer(
        {"METHOD_NOT_ALLOWED": 405}.get(failure.reason, 400), b"it\nfailed\r\n", content_type="text/plain"
    ),
    style=Style(camel=True, omit_unset=True, millis=True),
    inputs=Inputs(query=False, fields=False, media_type=False),
    cors=Cors(),
    head=False,
)


async def test_the_laws_hold_for_the_native_dialect(serve, core):
    """As for every other."""
    facade = await serve([INGATE])
    shown = [("", "", "c0"), None, ("", "", "c2")]
    play = core.answers[TAIL] = Play()
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY) as client:
        saying = asyncio.create_task(_say(play, MESSAGES[1]))
        async with listening(client, STREAM) as reader:
            shown[1] = await reader.event()
        await saying
    assert (shown[1][0], shown[1][2]) == ("", "c1")
    entry = json.loads(shown[1][1])
    assert (entry["model"], entry["created_at"]) == ("a\nb", None)
    await hold(Scene(core, facade, INGATE, NATIVE, STREAM, MESSAGES, shown, KEY))


async def _say(play, *messages):
    await play.until(1)
    play.say(*messages)


async def test_the_laws_hold_for_any_dialect(serve, core):
    """With other words, names, errors and credentials."""
    facade = await serve([TOY])
    shown = [("tick", f'{{"at":"c{n}"}}', "") for n in range(3)]
    await hold(Scene(core, facade, TOY, TOY_ROUTE, "/toy/stream", MESSAGES, shown, {"X-Toy-Key": "k"}))


@pytest.fixture
async def quick(serve):
    """A client of a facade whose streams are silent for a twentieth of a second at most."""
    route = dataclasses.replace(NATIVE, events=dataclasses.replace(NATIVE.events, heartbeat=0.05))
    routes = tuple(route if it is NATIVE else it for it in INGATE.routes)
    facade = await serve([dataclasses.replace(INGATE, routes=routes)], limits=Limits(stall=0.5))
    async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{facade.port}", headers=KEY, timeout=20) as client:
        yield client


async def test_silence_has_a_heartbeat(core, quick):
    """The head comes with the first at the latest, and an event is not held up by them."""
    play = core.answers[TAIL] = Play()
    async with listening(quick, STREAM) as reader:
        assert reader.response.status_code == 200
        for _ in range(3):
            assert await reader.block() == ("", "", "")
        play.say(MESSAGES[2])
        assert await reader.event() == ("", "", "c2")
        # What fails after the head is an event, though nothing else has been told.
        play.say(Unavailable("away", retry_after=1))
        name, data, _ = await reader.event()
        assert (name, json.loads(data)["code"]) == ("error", "unavailable")


async def test_who_does_not_read_is_cut_off(core, quick):
    """After the stall, with its rpc; others hear everything meanwhile."""
    play = core.answers[TAIL] = Play()
    port = quick.base_url.port
    _, writer = await asyncio.open_connection("127.0.0.1", port, limit=1024)
    head = f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: {KEY['X-Ingate-Key']}\r\n\r\n"
    writer.write(head.encode())
    await play.until(1)
    large = told("c", prompt="x" * 100_000)
    async with listening(quick, STREAM) as other:
        await play.until(2)
        for _ in range(200):
            play.say(large)
            assert (await other.event())[2] == "c"
        await play.until(1)
        play.say(MESSAGES[2])
        assert await other.event() == ("", "", "c2")
    writer.close()
    await play.until(0)


async def test_a_drain_waits_for_nobody_who_does_not_read(core, serve):
    """However long it may take: the rest would not be read either."""
    facade = await serve([INGATE])
    play = core.answers[TAIL] = Play()
    _, writer = await asyncio.open_connection("127.0.0.1", facade.port, limit=1024)
    writer.write(f"GET {STREAM} HTTP/1.1\r\nHost: x\r\nX-Ingate-Key: {KEY['X-Ingate-Key']}\r\n\r\n".encode())
    await play.until(1)
    [connection] = facade._connections
    play.say(*[told("c", prompt="x" * 1_000_000)] * 20)
    await eventually(lambda: connection.writing_paused)
    await asyncio.wait_for(facade.drain(60.0), 20)
    await play.until(0)
    writer.close()


@pytest.mark.parametrize("last", [b"\xff\xfe", b"x" * 3000, b"a b"])
async def test_odd_ids_are_no_accident(core, client, last):
    """What no cursor can be is the caller's mistake, or the rpc's to judge."""
    core.answers[TAIL] = Unavailable("asked", retry_after=1)
    response = await client.get(STREAM, headers={"Last-Event-ID": last})
    assert response.status_code in {400, 503}


async def test_a_stream_takes_http_1_0(core, facade):
    """Which knows no chunks: the end of the connection is the end."""

    async def one(_request, _context):
        yield MESSAGES[0]

    core.answers[TAIL] = one
    reader, writer = await asyncio.open_connection("127.0.0.1", facade.port)
    writer.write(f"GET {STREAM} HTTP/1.0\r\nX-Ingate-Key: {KEY['X-Ingate-Key']}\r\n\r\n".encode())
    answer = await asyncio.wait_for(reader.read(), 20)
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    assert b"chunked" not in head
    assert body == b"id: c0\n\n"


async def test_the_minute_of_a_key_stands_at_the_head(core, client):
    """Which goes before the rpc ends."""
    core.trailing = (("x-ratelimit-limit", "9"),)
    play = core.answers[TAIL] = Play()
    saying = asyncio.create_task(_say(play, MESSAGES[0]))
    async with listening(client, STREAM) as reader:
        assert reader.response.headers["x-ratelimit-limit"] == "9"
    await saying


def test_line_ends_stay_within_an_event():
    """Of documents that are told as they were stored."""
    assert (
        framed(Event(Raw(b'{\n"a":\r1\r\n}'), "x", "1"))
        == b'id: 1\nevent: x\ndata: {\ndata: "a":\ndata: 1\ndata: }\n\n'
    )

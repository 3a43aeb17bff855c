"""What holds for every route of events, whatever its dialect, stated once: put a dialect and its route to `hold`.

The rpc of the route is played by the stand-in core.
"""

import asyncio
import contextlib
from dataclasses import dataclass
from typing import Any

import httpx

from ingate.errors import Forbidden, NotFound, Unauthenticated, Unavailable

SECONDS = 20.0


class Play:
    """An rpc that streams what it is told to, and knows how many are listening."""

    def __init__(self):
        self.listening = 0
        self.began = 0
        self._queues = set()
        self._changed = asyncio.Condition()

    async def __call__(self, _request, _context):
        """The rpc: yields messages, and raises errors, as `say` hands them over."""
        queue = asyncio.Queue()
        self._queues.add(queue)
        await self._count(1)
        try:
            while True:
                said = await queue.get()
                if said is None:
                    return
                if isinstance(said, Exception):
                    raise said
                yield said
        finally:
            self._queues.discard(queue)
            await self._count(-1)

    def say(self, *messages):
        """Hands messages, an error, or None for the end, to every call."""
        for queue in self._queues:
            for message in messages:
                queue.put_nowait(message)

    async def until(self, number):
        """Returns when so many are listening."""
        async with asyncio.timeout(SECONDS), self._changed:
            await self._changed.wait_for(lambda: self.listening == number)

    async def _count(self, change):
        async with self._changed:
            self.listening += change
            self.began += max(change, 0)
            self._changed.notify_all()


class Listening:
    """One reader: an open response, event by event."""

    def __init__(self, response):
        self.response = response
        self._text = response.aiter_text()
        self._rest = ""

    async def block(self):
        """Returns the next block of lines as (name, data, id), "" for what it lacks; None at the end of the stream."""
        async with asyncio.timeout(SECONDS):
            while "\n\n" not in self._rest:
                try:
                    self._rest += await anext(self._text)
                except StopAsyncIteration:
                    assert not self._rest, "the stream ends within an event"
                    return None
        block, _, self._rest = self._rest.partition("\n\n")
        fields = {"event": [], "data": [], "id": []}
        for line in block.split("\n"):
            name, _, value = line.partition(":")
            if name:  # else it is a comment
                fields[name].append(value.removeprefix(" "))
        return tuple("\n".join(fields[name]) for name in ("event", "data", "id"))

    async def event(self):
        """Returns the next event that is no heartbeat, None at the end."""
        while (found := await self.block()) == ("", "", ""):
            pass
        return found


@contextlib.asynccontextmanager
async def listening(client, path, **headers):
    """Yields a `Listening` for a stream that has begun."""
    async with client.stream("GET", path, headers=headers) as response:
        yield Listening(response)


@dataclass(frozen=True, slots=True)
class Scene:
    """A dialect's route of events over a stand-in core. `key` are the headers of a caller.

    `messages`, of which there are some, are shown as `shown`: (name, data, id) each.
    """

    core: Any
    facade: Any
    dialect: Any
    route: Any
    path: str
    messages: list
    shown: list
    key: dict


async def hold(scene):
    """Holds a route of events to the laws."""
    play = scene.core.answers[scene.route.rpc] = Play()
    base = f"http://127.0.0.1:{scene.facade.port}"
    async with httpx.AsyncClient(base_url=base, headers=scene.key, timeout=SECONDS) as client:
        for law in (
            _tells,
            _leaves,
            _fails_in_the_middle,
            _refuses,
            _answers_other_verbs,
            _goes_on,
            _ends_with_the_process,
        ):
            scene.core.answers[scene.route.rpc] = play
            await law(scene, play, client)
            await play.until(0)


async def _begin(scene, play, client, before=0, path=None, **headers):
    """Enters a reader beside `before` others, which all have been told the first message."""
    stack = contextlib.AsyncExitStack()

    async def first():
        await play.until(before + 1)
        play.say(scene.messages[0])

    saying = asyncio.create_task(first())
    reader = await stack.enter_async_context(listening(client, path or scene.path, **headers))
    await saying
    return stack, reader


async def _tells(scene, play, client):
    """Every message, as an event of its own, at once; a clean end where the rpc ends."""
    stack, reader = await _begin(scene, play, client)
    async with stack:
        response = reader.response
        assert response.status_code == 200
        assert response.headers["content-type"] == "text/event-stream"
        assert response.headers["cache-control"] == "no-store"
        assert response.headers["x-accel-buffering"] == "no"
        assert response.headers["x-ingate-request-id"]
        assert "content-length" not in response.headers
        for number, expected in enumerate(scene.shown):
            if number:
                play.say(scene.messages[number])
            assert await reader.event() == expected
        play.say(None)
        assert await reader.event() is None


async def _leaves(scene, play, client):
    """A reader who leaves ends its rpc, and no other."""
    stays, one = await _begin(scene, play, client)
    async with stays:
        await one.event()
        leaves, _ = await _begin(scene, play, client, 1)
        await leaves.aclose()
        await play.until(1)
        await one.event()
        play.say(None)
        assert await one.event() is None


async def _fails_in_the_middle(scene, play, client):
    """An error after the beginning is an event of the dialect's own error body, and the end."""
    for error in (Unavailable("away", retry_after=1), RuntimeError("secret")):
        stack, reader = await _begin(scene, play, client)
        async with stack:
            await reader.event()
            play.say(error)
            name, data, _ = await reader.event()
            assert name == "error"
            assert data
            assert "secret" not in data
            assert await reader.event() is None
        await play.until(0)


async def _refuses(scene, _play, client):
    """An error before the beginning is an answer like that of any other route."""
    for error in (Unauthenticated("no"), Forbidden("no"), NotFound.of("thing", "x"), Unavailable("no", retry_after=1)):
        scene.core.answers[scene.route.rpc] = error
        for verb in ("GET", "HEAD") if scene.dialect.head else ("GET",):
            response = await client.request(verb, scene.path)
            assert response.status_code >= 400
            assert "event-stream" not in response.headers["content-type"]


async def _answers_other_verbs(scene, play, client):
    """HEAD has the head alone, where the dialect knows it, and listens to nothing; others are refused."""
    if scene.dialect.head:
        asking = asyncio.create_task(client.head(scene.path))
        await play.until(1)
        play.say(scene.messages[0])
        response = await asking
        assert (response.status_code, response.content) == (200, b"")
        assert response.headers["content-type"] == "text/event-stream"
        await play.until(0)
    began = play.began
    assert (await client.post(scene.path)).status_code == 405
    assert (await client.options(scene.path)).status_code == 204
    assert play.began == began


async def _goes_on(scene, play, client):
    """`Last-Event-ID` is the argument that the route names, and wins over one in the query: a browser sends both."""
    resume = scene.route.events.resume
    field = scene.route.renames.get(resume, resume)
    for headers, expected in (({}, "first"), ({"Last-Event-ID": "second"}, "second"), ({"Last-Event-ID": ""}, "first")):
        stack, _ = await _begin(scene, play, client, path=f"{scene.path}?{resume}=first", **headers)
        async with stack:
            assert getattr(scene.core.request, field) == expected
        await play.until(0)


async def _ends_with_the_process(scene, play, client):
    """A drain does not wait for a stream, and ends it whole."""
    stack, reader = await _begin(scene, play, client)
    async with stack:
        await reader.event()
        async with asyncio.timeout(SECONDS):
            await scene.facade.drain(60.0)
        assert await reader.event() is None

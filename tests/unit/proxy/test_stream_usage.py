"""Remembering which providers refuse to be asked for the usage of a stream."""

from msgspec import structs

from ingate.formats import Call
from ingate.proxy.request_head import read_head
from ingate.proxy.stream_usage import LONGEST, REMEMBERED, SECONDS, StreamUsage
from tests.support.targets import target

ERROR = b'{"error":"no stream_options here"}'


class Answer:
    """An UpstreamResponse with a body of one piece."""

    headers = ()
    named = {}  # noqa: RUF012 -- empty
    length = None

    def __init__(self, status, body=ERROR):
        self.status = status
        self.body = body

    async def read(self, receiver=None):
        body, self.body = self.body, b""
        return body

    async def aclose(self):
        pass


def candidate(to, model="m", path="/v1/chat/completions", query=""):
    """Returns where a request goes."""
    return read_head("POST", path, query, [], "secret").candidates((to,), model)[0]


async def refuse(usage, to, again=200):
    """A call whose provider refuses, and answers the second try so; returns how often it was tried."""
    statuses = iter((400, again))

    async def send(_headers, _body):
        return Answer(next(statuses))

    await usage.answer(None, to, Call("m", stream=True), b'{"stream":true}', send)
    return usage.asks(to)


async def test_a_refusal_is_remembered_for_a_while():
    """Of one model, path and query of one provider; then it is asked again."""
    now = [100.0]
    usage = StreamUsage(ask=True, clock=lambda: now[0])
    to = target("p", "openai")
    refused = candidate(to)
    assert usage.asks(refused)
    assert not await refuse(usage, refused)
    assert not usage.asks(candidate(to))
    for other in (
        candidate(to, "n"),
        candidate(to, query="api-version=1"),
        candidate(target("q", "http", base_url="http://q")),
    ):
        assert usage.asks(other)
    another = candidate(to)
    another.account = structs.replace(another.account, lane=b"another organisation's")
    assert usage.asks(another)
    now[0] += SECONDS - 1
    assert not usage.asks(refused)
    now[0] += 1
    assert usage.asks(refused)


async def test_what_is_refused_without_the_option_too_is_not_remembered():
    """It was something else that the provider did not like."""
    usage = StreamUsage(ask=True)
    for status in (400, 422, 429, 500):
        assert await refuse(usage, candidate(target("p", "openai")), status)


async def test_so_many_refusals_are_remembered():
    """The oldest gives way."""
    usage = StreamUsage(ask=True)
    to = target("p", "openai")
    for number in range(REMEMBERED + 1):
        await refuse(usage, candidate(to, f"m{number}"))
    assert usage.asks(candidate(to, "m0"))
    assert not usage.asks(candidate(to, "m1"))
    assert len(usage._refused) == REMEMBERED
    assert await refuse(usage, candidate(to, "m" * LONGEST)), "what is long takes room"


def test_nobody_is_asked_where_that_is_turned_off():
    """Whoever it is."""
    assert not StreamUsage(ask=False).asks(candidate(target("p", "openai")))

"""Candidates tried one after another, each from the request as it came."""

from dataclasses import replace

import pytest

from ingate.errors import ProviderFailed, ProviderTimedOut, ProviderUnreached, RateLimited, Unavailable
from ingate.formats import read_call
from ingate.proxy.attempts import Attempts, Original
from ingate.proxy.grants import Grant
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.ports import (
    ConnectFailed,
    ConnectTimeout,
    FirstByteTimeout,
    NoRoom,
    ShareUsedUp,
    StaleConnection,
    Truncated,
)
from ingate.proxy.request_head import read_head
from ingate.proxy.stream_usage import StreamUsage
from tests.support.targets import target
from tests.unit.proxy.test_stage import Answer

CHAT = "/v1/chat/completions"
BODY = b'{"model":"a/m","messages":[]}'


class Scripted:
    """A transport that answers or fails in turn, and keeps what it was asked."""

    def __init__(self, *turns):
        self.turns = list(turns)
        self.asked = []

    async def send(self, request):
        self.asked.append(request)
        turn = self.turns.pop(0)
        if isinstance(turn, Exception):
            raise turn
        return turn


class Asked:
    """A request with two candidates, `a` and `b`, whose transports are scripted."""

    def __init__(self, *of_a, of_b=(), method="POST", body=BODY):
        self.a, self.b = Scripted(*of_a), Scripted(*of_b)
        head = read_head(method, CHAT, "", [(b"x-ingate-session-id", b"s")], "secret")
        call = read_call(head.format, CHAT, body)
        self.original = Original(head, body, call)
        targets = [replace(target(name, "openai"), transport=to) for name, to in (("a", self.a), ("b", self.b))]
        self.candidates = tuple(head.candidates((only,), call.model)[0] for only in targets)
        self.exchange = OpenExchange("id", Grant("org", "key", may_proxy=True, rate_limit=1, expires_at=None), head, 0)
        self.waited = 0

    def waiting(self):
        self.waited += 1

    async def answer(self, choose=None, candidates=None):
        attempts = Attempts(StreamUsage(ask=False), choose)
        chosen = self.candidates if candidates is None else candidates
        return await attempts.answer(self.exchange, self.original, chosen, self.waiting)

    @property
    def tried(self):
        return [(it.provider, it.status, it.error) for it in self.exchange.attempts]


async def test_the_first_that_answers_is_the_last_that_is_tried():
    """Its first byte is in hand; nobody else is asked."""
    long = Answer(b"1", b"2")
    long.length = None
    asked = Asked(long)
    answer = await asked.answer()
    assert (answer.first, answer.whole, answer.extra) == (b"1", None, [(b"x-ingate-served-by", b"a")])
    assert asked.tried == [("a", 200, None)]
    assert (asked.exchange.target.name, asked.waited) == ("a", 1)


@pytest.mark.parametrize(
    "failing", [ConnectFailed(), FirstByteTimeout(), Answer(Truncated()), Answer(b"a beginning", Truncated())]
)
async def test_what_fails_before_the_first_byte_goes_to_the_next(failing):
    """Also where a head has come already: nothing is sent yet. The next gets the request as it came, made for it."""
    asked = Asked(failing, of_b=[Answer(b"whole", here=True)])
    answer = await asked.answer()
    assert answer.whole == b"whole"
    assert answer.extra == [(b"x-ingate-served-by", b"b")]
    assert [bytes(it.body) for it in asked.a.asked] == [b'{"model":"m","messages":[]}']
    assert [bytes(it.body) for it in asked.b.asked] == [BODY]
    assert (asked.exchange.target.name, asked.exchange.model, asked.exchange.status) == ("b", "a/m", 200)
    assert [name for name, _, _ in asked.tried] == ["a", "b"]
    assert asked.exchange.response_body == [b"whole"]


@pytest.mark.parametrize(
    ("failing", "error"),
    [
        (ConnectFailed("refused"), ProviderUnreached),
        (ConnectTimeout(), ProviderTimedOut),
        (FirstByteTimeout(), ProviderTimedOut),
        (StaleConnection("closed"), ProviderFailed),
        (Answer(Truncated("cut")), ProviderFailed),
        (ShareUsedUp("used up"), RateLimited),
        (NoRoom("full"), Unavailable),
    ],
)
async def test_the_failure_of_the_last_is_told(failing, error):
    """And whether it has certainly read nothing of the request."""
    asked = Asked(ConnectFailed(), of_b=[failing, failing])
    with pytest.raises(error) as raised:
        await asked.answer()
    assert type(raised.value) is error
    assert asked.exchange.target.name == "b"


async def test_a_chooser_orders_the_candidates():
    """For each request anew."""
    asked = Asked(Answer(b"1"), of_b=[Answer(b"2")])
    answer = await asked.answer(lambda candidates, original: reversed(candidates))
    assert (answer.whole, asked.tried) == (b"2", [("b", 200, None)])


async def test_a_chooser_that_returns_a_target_that_is_gone():
    """It is left out; where none is left, the caller is to come again."""
    gone = Asked().candidates[0]
    asked = Asked(Answer(b"1"))
    assert (await asked.answer(lambda candidates, _: (gone, candidates[0]))).whole == b"1"
    for chosen in ((), (gone,)):
        with pytest.raises(Unavailable, match="none of the providers"):
            await asked.answer(lambda *_, chosen=chosen: chosen)


async def test_a_stale_connection_is_tried_once_more_where_that_is_safe():
    """The same candidate, before the next one."""
    asked = Asked(StaleConnection(), Answer(b"1"))
    assert (await asked.answer()).whole == b"1"
    assert [error for _, _, error in asked.tried] == ["stale_connection", None]
    asked = Asked(StaleConnection(), StaleConnection(), of_b=[Answer(b"2")])
    assert (await asked.answer()).whole == b"2"

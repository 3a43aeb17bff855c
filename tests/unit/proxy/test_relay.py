"""Relaying answers whose transport says one thing and sends another; and what of them is kept."""

import pytest

from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_PASSTHROUGH
from ingate.formats import at_once
from ingate.net.budget import BodyBudget
from ingate.proxy.abandoned import MOST, Abandoned
from ingate.proxy.answer import WHOLE_LIMIT, opened
from ingate.proxy.grants import Grant
from ingate.proxy.open_exchange import OpenExchange
from ingate.proxy.ports import BadResponse
from ingate.proxy.relay import Terms, relay
from ingate.proxy.request_head import read_head
from tests.support.targets import target

LENGTH = b"content-length"
KIB = 1024


class Answer:
    """An UpstreamResponse of the pieces it is given."""

    def __init__(self, pieces, *, length=None, headers=()):
        self.status = 200
        self.headers = list(headers)
        self.named = dict(headers)
        self.length = length
        self._pieces = iter(pieces)

    async def read(self, receiver=None):
        return next(self._pieces, b"")

    def take(self):
        return None

    async def aclose(self):
        pass


class Caller:
    """A sink that keeps what it is sent, and in which moment the exchange was settled."""

    gone = False
    open = False

    def __init__(self):
        self.events = []

    def attend(self, grace):
        self.grace = grace

    async def settle(self, _exchange):
        self.events.append("settled")

    async def start(self, status, headers):
        self.events.append(dict(headers))

    async def write(self, chunk):
        self.events.append(chunk)

    async def end(self):
        self.events.append("ended")

    async def respond(self, status, headers, body):
        self.events += [dict(headers), body]


def exchange(key="key", path="/v1/x"):
    """An exchange of a key."""
    grant = Grant("org", key, may_proxy=True, rate_limit=1, expires_at=None)
    return OpenExchange("id", grant, read_head("GET", path, "", [], "secret"), 0)


async def relayed(answer, answers=None, path="/v1/x"):
    """Relays an answer, kept for the record within a budget; returns the caller and the exchange."""
    caller, under_way = Caller(), exchange(path=path)
    terms = Terms(caller.settle, 1024 * 1024, Abandoned(drain=True, seconds=1.0, size=10), answers or BodyBudget())
    await handed_on(under_way, answer, caller, terms)
    return caller, under_way


async def handed_on(under_way, response, caller, terms):
    """Opens the answer and relays it, as a call does whose first provider answers."""
    answer = await opened(under_way, response, [], lambda: caller.attend(lambda: terms.abandoned.grace(under_way)))
    await relay(under_way, answer, caller, terms)


async def test_a_stated_length_is_no_measure():
    """What a header states neither sizes nor completes an answer that is framed otherwise."""
    pieces = [b"x" * 5, b"y" * 100, b"z"]

    caller, _ = await relayed(Answer(pieces, headers=[(LENGTH, b"5")]))

    assert caller.events == [{}, *pieces, "settled", "ended"]


async def test_a_whole_answer_is_recorded_before_its_caller_has_any_of_it():
    """The process may end between the two, and the caller must not know of a call that the record does not."""
    caller, _ = await relayed(Answer([b"x" * 100], length=100))

    assert caller.events == ["settled", {}, b"x" * 100]


async def test_a_long_answer_is_recorded_before_its_caller_has_the_last_byte():
    """Which it has with the last piece, since it knows the length."""
    size = WHOLE_LIMIT + 100
    caller, _ = await relayed(Answer([b"x" * WHOLE_LIMIT, b"y" * 60, b"z" * 40], length=size))

    assert caller.events[0] == {LENGTH: b"%d" % size}
    assert caller.events.index("settled") == caller.events.index(b"z" * 40) - 1


async def test_a_whole_answer_is_bounded_by_what_arrives():
    """However small it is said to be: what grows beyond the limit fails, and no more of it is read."""
    chunk, read = b"x" * (WHOLE_LIMIT // 4), []

    with pytest.raises(BadResponse, match="more came"):
        await relayed(Answer(iter(lambda: read.append(1) or chunk, None), length=10))

    assert len(read) == 5


async def test_tiny_pieces_take_little_more_than_their_bytes():
    """What is kept of a body that comes two bytes at a time is kept in few pieces."""
    caller, under_way = await relayed(Answer([b"ab"] * 100_000))

    assert b"".join(under_way.response_body) == b"ab" * 100_000
    assert len(under_way.response_body) < 1000
    assert len(caller.events) == 100_003


def test_so_many_of_a_key_are_read_on():
    """Each key has as many abandoned answers; one that ends makes room for another."""
    abandoned = Abandoned(drain=True, seconds=3.0, size=10)
    exchanges = [exchange() for _ in range(MOST)]
    assert {abandoned.grace(it) for it in exchanges} == {3.0}
    assert all(it.read_on for it in exchanges)
    late = exchange()
    assert (abandoned.grace(late), late.read_on) == (0.0, False)
    assert abandoned.grace(exchange("another")) == 3.0
    abandoned.ended(exchanges[0])
    assert abandoned.grace(late) == 3.0


def test_what_is_recorded_or_not_to_be_drained_is_not_read_on():
    """There is nothing more to learn of it, or nothing is to be learned."""
    recorded = exchange()
    recorded.settled = True
    assert Abandoned(drain=True, seconds=3.0, size=10).grace(recorded) == 0.0
    never = Abandoned(drain=False, seconds=3.0, size=10)
    assert (never.grace(exchange()), never.bytes) == (0.0, 0)


def lane(secret, **fields):
    """The lane of a caller that shows `secret` as its own."""
    head = read_head("POST", "/v1/chat/completions", "", [(b"authorization", secret)], "sk-ingate-x")
    return head.candidates((target("openai", **fields),), "m")[0].account.lane


def test_the_lane_of_a_passthrough_provider_is_the_callers_own():
    """Callers with credentials of their own share no connection; where the gateway's goes, theirs do not matter."""
    assert lane(b"Bearer a") == lane(b"Bearer b")
    assert lane(b"Bearer a", api_key="sk-other") != lane(b"Bearer a")
    own = [lane(secret, auth_mode=AUTH_MODE_PASSTHROUGH) for secret in (b"Bearer a", b"Bearer b", b"Bearer a")]
    assert own[0] == own[2] != own[1]


def test_the_account_of_a_candidate_is_made_once():
    """It is remembered with the candidate, or with the target."""
    head = read_head("POST", "/v1/chat/completions", "", [(b"authorization", b"Bearer a")], "sk-ingate-x")
    own = (target("openai", auth_mode=AUTH_MODE_PASSTHROUGH),)
    assert head.candidates(own, "m")[0].account is head.candidates(own, "m")[0].account
    targets = (target("openai"),)
    assert head.candidates(targets, "m")[0].account is targets[0].account


async def test_what_is_kept_of_long_answers_is_bounded_for_all():
    """The caller gets every byte; an answer that finds no room is kept to its beginning, and the record says so."""
    answers, pieces = BodyBudget(600 * KIB, 400 * KIB), [b"x" * KIB] * 300
    _, first = await relayed(Answer(pieces), answers)
    assert (sum(map(len, first.response_body)), first.truncated) == (300 * KIB, False)
    assert 280 * KIB <= answers.in_use <= 400 * KIB
    caller, second = await relayed(Answer(pieces), answers)
    assert caller.events.count(b"x" * KIB) == 300
    assert second.truncated
    assert 0 < sum(map(len, second.response_body)) <= 150 * KIB
    assert answers.in_use <= 400 * KIB
    for under_way in (first, second):
        under_way.let_go()
    assert (answers.in_use, first.response_body) == (0, [])


async def test_what_is_kept_is_the_beginning():
    """A piece that would fit is not kept behind one that did not, and all of the body is read for the record."""
    usage = b'data: {"choices":[],"usage":{"prompt_tokens":3,"completion_tokens":4}}\n\n'
    pieces = [b": " + b"x" * (1024 * KIB - 12) + b"\n\n", b": " + b"y" * 40 + b"\n\n", *(bytes([it]) for it in usage)]
    events = [(b"content-type", b"text/event-stream")]
    _, under_way = await relayed(Answer(pieces, headers=events), path="/v1/chat/completions")
    assert b"".join(pieces).startswith(b"".join(under_way.response_body))
    facts = at_once(under_way.response_reader.finishing())
    assert (under_way.truncated, facts.usage.input, facts.usage.output) == (True, 3, 4)


async def test_a_large_piece_counts_whole():
    """However large the pieces are that an answer comes in, what is kept of it is counted."""
    answers = BodyBudget(1024 * KIB, 1024 * KIB)
    for _ in range(3):
        _, under_way = await relayed(Answer([b"x" * 500 * KIB]), answers)
        kept = sum(map(len, under_way.response_body))
        assert kept in {0, 500 * KIB}
    assert under_way.truncated
    assert answers.in_use >= 960 * KIB


async def test_a_short_answer_is_not_counted():
    """It costs nothing to keep it."""
    answers = BodyBudget(1, 1)
    _, under_way = await relayed(Answer([b"x" * KIB] * 15), answers)
    assert (answers.peak, under_way.truncated, under_way.kept) == (0, False, None)

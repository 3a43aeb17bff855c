"""A day of example traffic, as gateways would have recorded it: the demo model's answers under vendors' names.

The same for the same organisation and moment. Knows records; no database and no rpc.
"""

import random
import uuid
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

import msgspec

from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from ingate import clock
from ingate.exchanges.rows import SEED, SEEDED
from ingate.formats import Format, detect
from ingate.providers.demo import DemoTransport, Roster
from ingate.providers.demo.failures import always
from ingate.proxy.ports import Account, Origin, OutboundRequest, Truncated

T = TypeVar("T")

CALLS = 240

_USERS = ("ada", "alan", "barbara", "edsger", "grace", "katherine", "ken", "margaret")
_TOPICS = (
    "our refund policy", "the onboarding guide", "last week's incident", "the pricing page", "the release notes",
    "the migration plan", "a customer's invoice", "the search index", "our error budget", "the mobile app",
)  # fmt: skip
_CITIES = ("Oslo", "Lisbon", "Nairobi", "Osaka", "Lima")
_CITY = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
_RULES = "You answer briefly, in plain words, and say so when you do not know. " * 12
_BYTES_A_SECOND = 15_000
_NOBODY = Account(Origin("http", "demo.invalid", 80), "", b"")
_HOURS = (1, 1, 1, 1, 1, 2, 3, 5, 8, 10, 10, 9, 7, 9, 10, 10, 9, 7, 5, 4, 3, 3, 2, 1)
"""How busy each hour of a day is, in UTC."""


@dataclass(slots=True)
class _Talk:
    """A conversation under way: whose it is, what it is called, and the messages so far."""

    user: str
    session: str
    messages: list[dict[str, Any]] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class _Use:
    """One way in which the organisation uses models: how often, where, and with which bodies.

    `make` returns a body for a topic and the messages so far; `turns` is how long a conversation is.
    """

    app: str
    weight: int
    provider: str
    price_provider: str
    model: str
    path: str
    make: Callable[[str, list[dict[str, Any]]], dict[str, Any]]
    turns: int = 1


@dataclass(frozen=True, slots=True)
class _Call:
    """One call: what for, with which body, and what goes wrong with it, if anything."""

    use: _Use
    body: dict[str, Any]
    trouble: str


def _support(topic: str, before: list[dict[str, Any]]) -> dict[str, Any]:
    said = [*before, {"role": "user", "content": f"Tell me about {topic}, please."}]
    options = {"stream": True, "stream_options": {"include_usage": True}}
    return {"messages": [{"role": "system", "content": _RULES}, *said]} | options


def _agent(topic: str, before: list[dict[str, Any]]) -> dict[str, Any]:
    system = [{"type": "text", "text": _RULES, "cache_control": {"type": "ephemeral"}}]
    said = [*before, {"role": "user", "content": f"Plan the next step for {topic}."}]
    return {
        "max_tokens": 8192,
        "system": system,
        "messages": said,
        "stream": True,
        "thinking": {"type": "enabled", "budget_tokens": 4096},
    }


def _travel(topic: str, _before: list[dict[str, Any]]) -> dict[str, Any]:
    city = _CITIES[len(topic) % len(_CITIES)]
    tool = {"type": "function", "function": {"name": "get_weather", "parameters": _CITY}}
    return {"messages": [{"role": "user", "content": f"How is the weather in {city}?"}], "tools": [tool]}


def _report(topic: str, _before: list[dict[str, Any]]) -> dict[str, Any]:
    return {"input": f"Write a report on {topic}.", "reasoning": {"effort": "medium"}}


def _index(topic: str, _before: list[dict[str, Any]]) -> dict[str, Any]:
    return {"input": [f"{topic}, part {number}" for number in range(1, 9)], "dimensions": 16}


def _summary(topic: str, _before: list[dict[str, Any]]) -> dict[str, Any]:
    return {"contents": [{"role": "user", "parts": [{"text": f"Summarise {topic}. {_RULES}"}]}]}


_CHAT, _RESPONSES = "/v1/chat/completions", "/v1/responses"
_USES = (
    _Use("support", 8, "openai", "openai", "gpt-4o-mini", _CHAT, _support, turns=4),
    _Use("agent", 5, "anthropic", "anthropic", "claude-sonnet-4-5", "/v1/messages", _agent, turns=5),
    _Use("travel", 3, "openai", "openai", "gpt-4o", _CHAT, _travel),
    _Use("reports", 2, "openai", "openai", "gpt-5", _RESPONSES, _report),
    _Use("search", 3, "openai", "openai", "text-embedding-3-small", "/v1/embeddings", _index),
    _Use("summaries", 4, "gemini", "google", "gemini-2.5-flash", "/v1beta/models/{}:generateContent", _summary),
)
_WORDS = {
    ("openai", 429): "Rate limit reached on tokens per min (TPM): Limit 30000, Used 29412, Requested 1174. Please try"
    " again in 1.172s.",
    ("openai", 500): "The server had an error while processing your request. Sorry about that!",
    ("anthropic", 429): "This request would exceed your organization's rate limit of 30,000 input tokens per minute.",
    ("anthropic", 500): "Internal server error",
    ("gemini", 429): "You exceeded your current quota, please check your plan and billing details.",
    ("gemini", 500): "An internal error has occurred. Please retry later.",
}
"""What providers say that fail, by provider and status."""
_TROUBLES = (
    ("", 90),
    ("demo-429", 4),
    ("demo-500", 2),
    ("demo-refusal", 1),
    ("demo-cut", 1),
    ("timeout", 1),
    ("left", 1),
)
"""What goes wrong, as the model that goes wrong so, and how often; the gateway's own word where no model is asked."""


async def day(org_id: str, key_id: str, now: int) -> AsyncIterator[ExchangeRecord]:
    """Yields the records of the 24 hours before `now`, oldest first, which an organisation's key is said to have made.

    Their ids depend on the organisation alone.
    """
    chance = random.Random(org_id)  # noqa: S311 -- chance that is to be the same each time
    clients = DemoTransport(Roster(everything=True), clock=lambda: now // clock.SECOND)
    talks: dict[str, _Talk] = {}
    uses = _dealt(chance, [(use, use.weight) for use in _USES])
    troubles = _dealt(chance, _TROUBLES)
    for number, (moment, use, trouble) in enumerate(zip(_moments(chance, now), uses, troubles, strict=True)):
        talk = talks.get(use.app)
        if talk is None or use.turns == 1 or len(talk.messages) >= 2 * use.turns:
            talk = talks[use.app] = _Talk(chance.choice(_USERS), f"{use.app}-{number:03}")
        name = str(uuid.uuid5(uuid.UUID(org_id), f"example traffic {number}"))
        exchange = pb.Exchange(
            request_id=name,
            created_at=clock.to_proto(moment),
            source=pb.SOURCE_PROXY,
            provider=use.provider,
            model=use.model,
            method="POST",
            path=use.path.format(use.model),
            key_id=key_id,
            cache=pb.CACHE_BYPASS,
            user_id=talk.user,
            session_id=talk.session if use.turns > 1 else None,
            metadata={SEEDED: SEED},
            tags={"app": use.app},
        )
        record = ExchangeRecord(org_id=org_id, exchange=exchange, price_provider=use.price_provider)
        body = use.make(chance.choice(_TOPICS), talk.messages)
        await _answer(record, _Call(use, body, trouble), clients, chance)
        if not trouble and use.turns > 1:
            said = body["messages"][-1]
            talk.messages += [said, {"role": "assistant", "content": f"That is what we know of it ({number})."}]
        yield record


def _dealt(chance: random.Random, weighted: Sequence[tuple[T, int]]) -> list[T]:
    """Returns one item for each call in an order by chance, each as often as its weight says, and at least once."""
    whole = sum(weight for _, weight in weighted)
    dealt = [item for item, weight in weighted[1:] for _ in range(max(1, weight * CALLS // whole))]
    # The first makes up the number.
    dealt += [weighted[0][0]] * (CALLS - len(dealt))
    chance.shuffle(dealt)
    return dealt


def _moments(chance: random.Random, now: int) -> Iterator[int]:
    """Yields moments of the last 24 hours, ascending, more of them in busy hours."""
    hours = [(now // clock.HOUR - ago) for ago in range(24)]
    starts = chance.choices(hours, [_HOURS[hour % 24] for hour in hours], k=CALLS)
    since = now - 24 * clock.HOUR
    moments = (hour * clock.HOUR + chance.randrange(clock.HOUR) for hour in starts)
    yield from sorted(min(max(moment, since), now - clock.MINUTE) for moment in moments)


async def _answer(record: ExchangeRecord, call: _Call, clients: DemoTransport, chance: random.Random) -> None:
    """Completes a record with what was sent and answered."""
    exchange, payload = record.exchange, record.payload
    use, body, trouble = call.use, call.body, call.trouble
    asked = trouble if trouble.startswith("demo-") else use.model
    by_path = "{}" in use.path
    sent = body if by_path else {"model": asked} | body
    path = use.path.format(asked)
    # The path and the format are those of the model that the record names.
    payload.request_body = _renamed(msgspec.json.encode(sent), asked, use.model)
    payload.request_headers = b'{"content-type": "application/json"}'
    if trouble == "timeout":
        return _fail(exchange, 504, "provider_timeout", 30_000.0, "first_byte_timeout")
    status, media_type, answered, cut = await _asked(clients, path, sent)
    answered = _worded(_renamed(answered, asked, use.model), use, status)
    first = chance.uniform(0.18, 0.9)
    exchange.latency_ms = round(1000 * (first + len(answered) / _BYTES_A_SECOND * chance.uniform(0.7, 1.4)), 3)
    exchange.ttft_ms = round(1000 * first, 3)
    exchange.stream = media_type.startswith("text/event-stream")
    exchange.served_by = use.provider
    exchange.attempts.add(provider=use.provider, status_code=status, latency_ms=exchange.ttft_ms)
    exchange.status_code = status
    exchange.level = pb.LEVEL_INFO if status < 400 else pb.LEVEL_WARN if status < 500 else pb.LEVEL_ERROR
    if cut:
        exchange.level, exchange.error_code = pb.LEVEL_ERROR, "provider_error"
        exchange.error_message = f"the provider {use.provider} failed: the answer ended before it was complete"
    elif trouble == "left":
        exchange.level, exchange.error_code, exchange.status_code = pb.LEVEL_WARN, "client_closed", 499
    payload.response_headers = msgspec.json.encode({"content-type": media_type})
    payload.response_body = answered
    record.media_type = media_type
    format = detect(exchange.path)
    record.format = format.value if format is not Format.OTHER else ""
    return None


def _fail(exchange: pb.Exchange, status: int, code: str, milliseconds: float, error: str) -> None:
    exchange.status_code, exchange.level, exchange.error_code = status, pb.LEVEL_ERROR, code
    exchange.error_message = f"the provider {exchange.provider} did not answer in time"
    exchange.latency_ms = milliseconds
    exchange.attempts.add(provider=exchange.provider, error=error, latency_ms=milliseconds)


async def _asked(clients: DemoTransport, path: str, body: dict[str, Any]) -> tuple[int, str, bytes, bool]:
    """Returns status, media type and body of an answer, and whether it broke off."""
    answer = await clients.send(OutboundRequest("POST", _NOBODY, path, [], msgspec.json.encode(body)))
    pieces: list[bytes] = []
    cut = False
    try:
        while piece := await answer.read():
            pieces.append(piece)
    except Truncated:
        cut = True
    return answer.status, answer.named[b"content-type"].decode(), b"".join(pieces), cut


def _worded(answered: bytes, use: _Use, status: int) -> bytes:
    """Returns an answer that failed in the words of the vendor whose it is said to be."""
    words = _WORDS.get((use.provider, status))
    return answered.replace(always(status, use.model).message.encode(), words.encode()) if words else answered


def _renamed(text: bytes, asked: str, model: str) -> bytes:
    return text.replace(asked.encode(), model.encode()) if asked != model else text

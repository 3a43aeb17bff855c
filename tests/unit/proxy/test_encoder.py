"""A record says what the message says that the protobuf library would make of the same exchange."""

import gzip
from unittest.mock import patch

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen.ingate.access.v1.access_pb2 import SCOPE_PROXY
from gen.ingate.exchanges.v1 import exchange_pb2 as pb
from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from gen.ingate.gateway.v1.grant_pb2 import Grant
from ingate import clock
from ingate.formats import (
    Pace,
    ResponseReader,
    UsageFilter,
    at_once,
    estimating,
    read_prompt,
    read_response,
    unpacking,
)
from ingate.logs import mask
from ingate.packed import MARK
from ingate.proxy.encoder import encode, light
from ingate.proxy.grants import compile_grant
from ingate.proxy.headers import recorded
from ingate.proxy.masking import MASK, mask_of
from ingate.proxy.open_exchange import Attempt, OpenExchange
from ingate.proxy.request_head import read_head
from tests.support.records import read
from tests.support.targets import target

NOW = 1_000_000.0
CHAT = "/v1/chat/completions"
KEYS = [
    Grant(org_id="org-1", key_id="key-1", scopes=[SCOPE_PROXY]),
    Grant(org_id="org-2", key_id="key-2", app_id="app", team_id="team"),
]
AT = "http://127.0.0.1:9"
PRICES = {"openai": f"openai {AT}", "azure": f"azure {AT}", "own": AT, "märz": AT}
TARGETS = [
    target("openai"),
    target("azure", "azure-openai"),
    target("own", "http"),
    target("märz", "http"),
]
TEXT = st.text(max_size=40)
WORDS = TEXT | st.sampled_from(["", "\0", "x" * 127, "x" * 128, "é" * 9000, "\U0001f600"])
COUNTS = st.none() | st.sampled_from([0, 1, 127, 128, 2**14, 2**53])
SECONDS = st.floats(0, 1e5)
HEADERS = [(b"content-type", b"application/json"), (b"x-request-id", b"r"), (b"x", b"1"), (b"x", b"2")]


def compiled(message):
    """Returns the grant of a message, as a gateway has it."""
    return compile_grant(message)


@st.composite
def bodies(draw):
    """Returns a request and an answer that say some of what there is to say, or nothing that can be read."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=200)), draw(st.binary(max_size=200))
    asked = {"model": draw(TEXT), "messages": [{"role": "user", "content": draw(WORDS)}]}
    usage = {"prompt_tokens": draw(COUNTS), "completion_tokens": draw(COUNTS)}
    details = {"prompt_tokens_details": {"cached_tokens": draw(COUNTS)}}
    calls = [{"id": "c", "function": {"name": "f", "arguments": "{}"}}] * draw(st.integers(0, 2))
    message = {"role": "assistant", "content": draw(st.none() | WORDS), "tool_calls": calls}
    choice = {"index": 0, "message": message, "finish_reason": draw(st.none() | TEXT)}
    answered = {"model": draw(st.none() | TEXT), "choices": [choice], "usage": usage | details}
    if draw(st.booleans()):
        answered = {"error": {"message": draw(WORDS)}}
    return msgspec.json.encode(asked), msgspec.json.encode(answered)


@st.composite
def exchanges(draw):
    """Returns a finished exchange, and what is known of it by other names: its key, target, and attributes."""
    key = draw(st.sampled_from(KEYS))
    attributes = {"user_id": draw(st.none() | TEXT), "session_id": draw(st.none() | st.just("Bearer abcdef"))}
    named = {name: text.encode() for name, text in attributes.items() if text is not None}
    headers = HEADERS + [(f"x-ingate-{name}".replace("_", "-").encode(), value) for name, value in named.items()]
    method, path = draw(st.sampled_from([("POST", CHAT), ("GET", "/v1/models/sk-0123456789"), ("X" * 200, "/é")]))
    asked, answered = draw(bodies())
    encoding = draw(st.sampled_from(["", "", "gzip"]))
    if encoding:
        answered = gzip.compress(answered)
    cut = draw(st.integers(0, len(answered)))
    media_type = draw(st.sampled_from(["application/json", ""]))
    head = read_head(method, path, "", headers, "sk-ingate-x")
    reader = ResponseReader(head.format, media_type, encoding) if draw(st.booleans()) else None
    if reader is not None:
        reader.feed(answered)
    chosen = draw(st.none() | st.sampled_from(TARGETS))
    exchange = OpenExchange(
        draw(TEXT),
        compiled(key),
        head,
        created_at=draw(st.integers(0, 2**52)),
        started=NOW - draw(SECONDS),
        request_body=asked,
        target=chosen,
        model=draw(st.none() | WORDS),
        attempts=[]
        if chosen is None
        else draw(
            st.lists(
                st.builds(Attempt, st.just(chosen.name), SECONDS, status=st.sampled_from([200, 503]))
                | st.builds(Attempt, st.just(chosen.name), SECONDS, error=st.sampled_from(["connect_failed"])),
                max_size=3,
            )
        ),
        status=draw(st.sampled_from([0, 200, 302, 404, 499, 500, 503, 599])),
        stream=draw(st.booleans()),
        first_byte=draw(st.none() | st.floats(0, 1e5).map(lambda seconds: NOW + seconds)),
        response_headers=draw(st.sampled_from([[], HEADERS])),
        media_type=media_type,
        response_encoding=encoding,
        response_body=draw(st.sampled_from([[], [answered], [answered[:cut], answered[cut:]]])),
        response_reader=reader,
        truncated=draw(st.booleans()),
        client_gone=draw(st.booleans()),
        error_code=draw(st.sampled_from([None, "internal", "provider_timeout"])),
    )
    return exchange, key, attributes


def noted(exchange, key, attributes):
    """Returns what is known without reading the bodies, made by the library."""
    gone = exchange.client_gone
    status, error = (499, "client_closed") if gone else (exchange.status, exchange.error_code)
    warned, failed = 400 <= status < 500, status >= 500 or error is not None
    name = exchange.target.name if exchange.target else ""
    answered = bool(exchange.attempts) and exchange.attempts[-1].status is not None
    first = exchange.first_byte
    return ExchangeRecord(
        org_id=key.org_id,
        price_provider=PRICES.get(name, ""),
        exchange=pb.Exchange(
            request_id=exchange.request_id,
            created_at=clock.to_proto(exchange.created_at),
            source=pb.SOURCE_PROXY,
            provider=name,
            served_by=name if answered else "",
            model=exchange.model or "",
            method=exchange.head.method,
            path=mask(exchange.head.path),
            status_code=status,
            level=pb.LEVEL_WARN if warned else pb.LEVEL_ERROR if failed else pb.LEVEL_INFO,
            error_code=error,
            stream=exchange.stream,
            latency_ms=milliseconds(NOW - exchange.started),
            ttft_ms=None if first is None else milliseconds(first - exchange.started),
            cache=pb.CACHE_BYPASS,
            attempts=[
                pb.Attempt(
                    provider=attempt.provider,
                    status_code=attempt.status,
                    error=attempt.error,
                    latency_ms=milliseconds(attempt.seconds),
                )
                for attempt in exchange.attempts
            ],
            user_id=shown(attributes["user_id"]),
            session_id=shown(attributes["session_id"]),
            key_id=key.key_id,
            app_id=key.app_id or None,
            team_id=key.team_id or None,
        ),
    )


def milliseconds(seconds):
    return round(seconds * 1e6) / 1000


def shown(attribute):
    return mask(attribute.strip()) or None if attribute is not None else None


def learn(message, exchange):
    """Adds what the bodies say."""
    head, body = exchange.head, b"".join(exchange.response_body)
    if exchange.response_reader is not None:
        facts = exchange.response_reader.finish()
    else:
        facts = read_response(head.format, exchange.media_type, exchange.response_encoding, body)
    if exchange.stream:
        facts = at_once(estimating(head.format, exchange.request_body, facts, Pace()))
    if facts.estimated:
        message.usage_source = pb.USAGE_SOURCE_ESTIMATE
    usage = facts.usage
    message.MergeFrom(
        pb.Exchange(
            model=facts.model,
            prompt=read_prompt(head.format, exchange.request_body),
            completion=facts.completion,
            input_tokens=usage.input,
            output_tokens=usage.output,
            cache_read_tokens=usage.cache_read,
            cache_write_tokens=usage.cache_write,
            reasoning_tokens=usage.reasoning,
            total_tokens=usage.total,
            metadata=dict(facts.metadata),
            units=dict(facts.units),
            error_message=facts.failure(stream=exchange.stream),
        )
    )
    well = message.level == pb.LEVEL_INFO and not message.HasField("error_code") and message.status_code < 400
    if message.HasField("error_message") and well:
        message.level, message.error_code = pb.LEVEL_ERROR, "provider_error"


def written(function, *args):
    with patch("ingate.proxy.encoder.time.perf_counter", lambda: NOW):
        return read(function(*args))


@given(exchanges())
def test_the_light_record(given):
    """It holds all that is known, and that is unset which is not known: no payload, and nothing left to learn."""
    exchange = given[0]
    expected = noted(*given)
    learn(expected.exchange, exchange)

    assert written(light, exchange) == expected
    assert written(encode, exchange, 0) == expected


@given(exchanges(), st.sampled_from([1, 10, 100, 2**20]))
def test_the_whole_record(given, capture):
    """Bodies are kept up to the limit; what they say is left to learn while all of both is there."""
    exchange = given[0]
    body = b"".join(exchange.response_body)
    if exchange.response_encoding:
        body = at_once(unpacking(body, exchange.response_encoding, capture + 1, Pace()))
    cut = exchange.truncated or max(len(body), len(exchange.request_body)) > capture
    expected = noted(*given)
    expected.payload.request_headers = recorded(exchange.head.headers)
    expected.payload.request_body = exchange.request_body[:capture]
    expected.payload.response_headers = recorded(exchange.response_headers)
    expected.payload.response_body = body[:capture]
    expected.payload.truncated = cut
    if cut or exchange.response_encoding:
        learn(expected.exchange, exchange)
    else:
        expected.format, expected.media_type = exchange.head.format, exchange.media_type

    assert written(encode, exchange, capture) == expected


USED = b'data: {"choices":[],"model":"sk-of-ours","usage":{"prompt_tokens":9}}\n\n'


@pytest.mark.parametrize("capture", [2**20, 8, 0])
def test_an_event_that_the_caller_did_not_get(capture):
    """It is read with the body, is no part of it, and quotes no credential; also where the body broke off."""
    hidden = UsageFilter()
    cut = b'data: {"choices":[{"delta":{"content":"x"}}]}\n\ndata: {'
    passed = hidden.feed(USED + cut) + hidden.finish()
    head = read_head("POST", CHAT, "", [], "sk-ingate-x")
    exchange = OpenExchange(
        "id", compiled(KEYS[0]), head, clock.now(), media_type="text/event-stream", response_body=[passed]
    )
    exchange.usage_filter, exchange.stream, exchange.mask = hidden, True, mask_of(["sk-of-ours"])

    record = written(encode, exchange, capture)

    assert passed == cut
    assert record.payload.response_body == passed[:capture]
    if capture > len(cut):
        assert record.hidden_event == USED.replace(b"sk-of-ours", MASK.encode())
    else:
        assert record.exchange.input_tokens == 9
        assert "sk-of-ours" not in str(record)


@pytest.mark.parametrize("broken", ["\ud800", "a\udfff"])
def test_what_is_no_text_loses_no_record(broken):
    """Half a character, wherever it came from, costs itself and not the record."""
    head = read_head("POST", CHAT, "", [], "sk-ingate-x")
    exchange = OpenExchange("id", compiled(KEYS[0]), head, clock.now(), model=broken, error_code=broken)

    assert written(light, exchange).exchange.model == broken[:-1] + "?"
    assert written(encode, exchange, 100).exchange.model == broken[:-1] + "?"


def test_the_usual_record_is_packed():
    """Others are messages: what is cut or compressed, and what a credential must be taken out of."""
    head = read_head("POST", CHAT, "", [], "sk-ingate-x")

    def made(**fields):
        return encode(OpenExchange("id", compiled(KEYS[0]), head, clock.now(), **fields), 100)[0]

    secret = {"mask": mask_of(["sk-provider-secret"])}
    assert made() == made(request_body=bytes(100)) == made(response_body=[b"whole"], **secret) == MARK
    assert MARK not in {
        made(request_body=bytes(101)),
        made(response_body=[gzip.compress(b"{}")], response_encoding="gzip"),
        made(response_body=[b"sk-provider-secret"], **secret),
        made(model="\ud800"),
    }


def test_time_is_that_of_the_clock():
    """Latency runs from the arrival to now, and the arrival is stated to the microsecond."""
    before = clock.now()
    exchange = OpenExchange("id", compiled(KEYS[0]), read_head("POST", CHAT, "", [], "sk-ingate-x"), clock.now())

    record = read(light(exchange)).exchange

    assert before <= clock.from_proto(record.created_at) == exchange.created_at <= clock.now()
    assert 0 <= record.latency_ms < 60_000

import contextlib
import json

import pytest
from google.protobuf.message_factory import GetMessageClass
from hypothesis import given, settings
from hypothesis import strategies as st

from gen.ingate.access.v1 import access_pb2
from gen.ingate.exchanges.v1 import exchange_pb2, exchange_service_pb2, record_service_pb2
from gen.ingate.keys.v1 import key_service_pb2
from gen.ingate.providers.v1 import provider_service_pb2
from ingate.errors import BadRequest
from rest_facade import services
from rest_facade.bind import Binder
from rest_facade.documents import body_members
from rest_facade.style import SNAKE, Style
from tests.unit.rest_facade.test_documents import document

binder = Binder(SNAKE, strict=True)


def bind(message_type, body, using=binder):
    made = message_type()
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    using.fill(made, using.slots(made.DESCRIPTOR), body_members(raw))
    return made


def argument(message_type, name, *texts):
    made = message_type()
    for text in texts:
        binder.slots(made.DESCRIPTOR).arguments[name].set(made, text, name)
    return made


CREATE = key_service_pb2.CreateKeyRequest
LIST = exchange_service_pb2.ListExchangesRequest


@pytest.mark.parametrize(
    ("body", "field", "problem"),
    [
        ({"nme": "x"}, "nme", "is not a known field"),
        ({"name": 5}, "name", "must be a string"),
        ({"name": ["x"]}, "name", "must be a string"),
        ({"name": "a\x00b"}, "name", "must not contain NUL"),
        ({"scopes": ["read", "x"]}, "scopes[1]", "must be one of proxy, ingest, read, write, admin, keys"),
        ({"scopes": [None]}, "scopes[0]", "must be one of proxy, ingest, read, write, admin, keys"),
        ({"scopes": "read"}, "scopes", "must be a list"),
        ({"role": "unspecified"}, "role", "must be one of viewer, member, admin, owner"),
        ({"role": 3}, "role", "must be one of viewer, member, admin, owner"),
        ({"role": "ROLE_ADMIN"}, "role", "must be one of viewer, member, admin, owner"),
        ({"rate_limit_per_minute": "5"}, "rate_limit_per_minute", "must be an integer"),
        ({"rate_limit_per_minute": 5.0}, "rate_limit_per_minute", "must be an integer"),
        ({"rate_limit_per_minute": True}, "rate_limit_per_minute", "must be an integer"),
        (b'{"rate_limit_per_minute":1e3}', "rate_limit_per_minute", "must be an integer"),
        (
            b'{"rate_limit_per_minute":2147483648}',
            "rate_limit_per_minute",
            "must be between -2147483648 and 2147483647",
        ),
        (b'{"rate_limit_per_minute":' + b"9" * 5000 + b"}", "rate_limit_per_minute", "is out of range"),
        ({"expires_at": 1775039400}, "expires_at", "must be a string"),
        ({"expires_at": "tomorrow"}, "expires_at", "must be an RFC 3339 time such as 2026-04-01T10:30:00Z"),
    ],
)
def test_misfits_are_named(body, field, problem):
    """A value of the wrong type, range or word is refused by its JSON path."""
    with pytest.raises(BadRequest) as caught:
        bind(CREATE, body)

    assert caught.value.fields == {field: problem}
    assert caught.value.message == f"{field} {problem}"


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({"headers": {"a": 1}}, "headers.a"),
        ({"headers": ["a"]}, "headers"),
        ({"headers": {"a": None}}, "headers.a"),
        ({"headers": {"a\x00": "b"}}, "headers"),
        ({"models": [["x"]]}, "models[0]"),
        ({"enabled": "true"}, "enabled"),
    ],
)
def test_maps_lists_and_booleans(body, field):
    """Inside maps and lists the path goes on."""
    with pytest.raises(BadRequest) as caught:
        bind(provider_service_pb2.CreateProviderRequest, body)

    assert list(caught.value.fields) == [field]


def test_nested_messages():
    """Lists of messages are filled, and a misfit inside is named from the top."""
    record = record_service_pb2.RecordRequest
    body = {"records": [{"org_id": "o", "exchange": {"attempts": [{"provider": "p"}], "cost_usd": 0.5}}]}

    assert bind(record, body).records[0].exchange.attempts[0].provider == "p"
    body["records"][0]["exchange"]["attempts"].append({"status_code": "x"})
    with pytest.raises(BadRequest, match=r"^records\[0\]\.exchange\.attempts\[1\]\.status_code must be an integer$"):
        bind(record, body)
    with pytest.raises(BadRequest, match=r"^records\[0\] must be an object$"):
        bind(record, {"records": [None]})


def test_null_means_unset():
    """Null leaves a field as it is."""
    made = bind(CREATE, {"name": None, "role": None, "scopes": None, "expires_at": None, "rate_limit_per_minute": None})

    assert made == CREATE()


def test_zero_is_present():
    """An optional field that is stated as its zero value is set."""
    assert bind(CREATE, {"rate_limit_per_minute": 0, "app_id": ""}).HasField("rate_limit_per_minute")
    assert bind(CREATE, {"app_id": ""}).HasField("app_id")


def test_documents_decimals_and_bodies_keep_their_text():
    """A document arrives byte by byte, a decimal digit by digit, a body as what it was."""
    payload = bind(
        exchange_pb2.Payload, b'{"request_headers":{ "a" : 1.10 },"request_body":"hi","response_body":[1, 2]}'
    )

    assert payload.request_headers == b'{ "a" : 1.10 }'
    assert payload.request_body == b"hi"
    assert payload.response_body == b"[1, 2]"
    assert bind(exchange_pb2.Payload, {"request_body": {"base64": "/wA="}}).request_body == b"\xff\x00"
    assert bind(exchange_pb2.Exchange, b'{"cost_usd":1.10}').cost_usd == "1.10"
    with pytest.raises(BadRequest, match="cost_usd must be a number"):
        bind(exchange_pb2.Exchange, b'{"cost_usd":"1.10"}')
    with pytest.raises(BadRequest, match=r"request_body\.base64 must be base64"):
        bind(exchange_pb2.Payload, {"request_body": {"base64": "%"}})


@pytest.mark.parametrize("number", [b"1e400", b"-1e400", b"NaN", b"Infinity", b'"1"', b"true"])
def test_doubles_are_finite_numbers(number):
    """Nothing but a finite number is a double."""
    with pytest.raises(BadRequest):
        bind(exchange_pb2.Exchange, b'{"latency_ms":' + number + b"}")


def test_arguments():
    """Text of queries and paths is read by the field's type."""
    assert argument(LIST, "limit", "50").limit == 50
    assert argument(LIST, "stream", "false").HasField("stream")
    assert argument(LIST, "level", "error").level == exchange_pb2.LEVEL_ERROR
    assert argument(LIST, "since", "2026-04-01T10:30:00Z").since.seconds == 1775039400
    assert argument(CREATE, "scopes", "read", "write").scopes == [access_pb2.SCOPE_READ, access_pb2.SCOPE_WRITE]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("limit", ""),
        ("limit", "5.0"),
        ("limit", "+5"),
        ("limit", " 5"),
        ("limit", "\u0665"),
        ("limit", "9" * 5000),
        ("stream", "yes"),
        ("stream", "True"),
        ("level", "fatal"),
        ("since", "2026-04-01"),
        ("provider", "a\x00"),
    ],
)
def test_bad_arguments(name, text):
    """Text that does not say the type is refused by the parameter's name."""
    with pytest.raises(BadRequest, match=f"^{name} must"):
        argument(LIST, name, text)


def test_messages_and_maps_are_no_arguments():
    """What text cannot say is not offered as a parameter."""
    arguments = binder.slots(provider_service_pb2.CreateProviderRequest.DESCRIPTOR).arguments

    assert "headers" not in arguments
    assert "exchange" not in binder.slots(exchange_service_pb2.GetExchangeResponse.DESCRIPTOR).arguments


def test_renames_take_the_place_of_names():
    """A renamed field answers to its wire name alone."""
    slots = binder.slots(LIST.DESCRIPTOR).renamed({"from": "since", "to": "until"})

    assert {"from", "to"} <= slots.arguments.keys()
    assert not {"since", "until"} & (slots.arguments.keys() | slots.members.keys())


def test_lenient_binder_ignores_what_it_does_not_know():
    """Unknown members, at any depth, are nothing to a dialect that says so; wrong types still are."""
    lenient = Binder(Style(camel=True), strict=False)

    assert bind(CREATE, {"name": "x", "nope": {"a": [1]}, "rateLimitPerMinute": 5}, lenient).rate_limit_per_minute == 5
    with pytest.raises(BadRequest, match="rateLimitPerMinute must be an integer"):
        bind(CREATE, {"rateLimitPerMinute": "x"}, lenient)


@given(st.data())
@settings(max_examples=120, deadline=None)
def test_nothing_but_bad_request(data):
    """Whatever JSON is thrown at whatever request, it is bound or refused."""
    method = data.draw(st.sampled_from(list(services.methods().values())))
    names = [field.name for field in method.input_type.fields] or ["x"]
    body = data.draw(st.dictionaries(st.sampled_from(names) | st.text(max_size=3), document, max_size=4))
    slots = binder.slots(method.input_type)
    with contextlib.suppress(BadRequest):
        binder.fill(GetMessageClass(method.input_type)(), slots, body_members(json.dumps(body).encode()))

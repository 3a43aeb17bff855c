import json

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from gen.ingate.access.v1 import access_pb2
from gen.ingate.audit.v1 import entry_pb2
from gen.ingate.exchanges.v1 import exchange_pb2, exchange_service_pb2
from gen.ingate.keys.v1 import key_pb2, key_service_pb2
from gen.ingate.providers.v1 import provider_pb2
from ingate.rpc.updates import is_update
from rest_facade import services
from rest_facade.bind import Binder
from rest_facade.documents import body_members
from rest_facade.message_json import Wire, encode
from rest_facade.style import SNAKE, Style, enum_numbers
from tests.rest.messages import message

wire = Wire(SNAKE)
binder = Binder(SNAKE, strict=True)


def text(given_message, style=SNAKE):
    return encode(Wire(style).valuer(given_message.DESCRIPTOR)(given_message))


def transcoded():
    found = {}
    for method in services.methods().values():
        if not method.server_streaming and not method.full_name.startswith("ingate.gateway."):
            found |= {d.full_name: d for d in (method.input_type, method.output_type)}
    # An update is never written: its JSON would state every field.
    return [descriptor for descriptor in found.values() if not is_update(descriptor)]


@given(st.data())
@settings(max_examples=80, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large], deadline=None)
def test_round_trip(data):
    """Any message of any rpc is read back from its JSON as it was."""
    descriptor = data.draw(st.sampled_from(transcoded()))
    sent = data.draw(message(descriptor))
    body = encode(wire.valuer(descriptor)(sent))
    json.loads(body)

    received = type(sent)()
    binder.fill(received, binder.slots(descriptor), body_members(body))

    assert received == sent


def test_a_key():
    """Names as documented, short enum words, null for what is unset, times as RFC 3339."""
    key = key_pb2.Key(id="k", role=access_pb2.ROLE_ADMIN, scopes=[access_pb2.SCOPE_READ, access_pb2.SCOPE_PROXY])
    key.created_at.FromSeconds(1775039400)

    assert json.loads(text(key)) == {
        "id": "k",
        "name": "",
        "hash_prefix": "",
        "role": "admin",
        "scopes": ["read", "proxy"],
        "app_id": None,
        "team_id": None,
        "rate_limit_per_minute": None,
        "expires_at": None,
        "created_at": "2026-04-01T10:30:00Z",
        "last_used_at": None,
        "revoked_at": None,
        "org_id": "",
        "format": None,
        "external_id": None,
        "preview": None,
        "env": None,
        "workspace": "",
        "role_label": None,
        "permissions": [],
        "description": "",
        "metadata": None,
        "active": False,
        "rate_limit_per_hour": None,
        "unlimited": False,
        "created_by": None,
        "fixed": False,
    }


def test_merged_maps_are_one():
    """The numbers of an audit entry stand among its texts, as numbers."""
    entry = entry_pb2.Entry(metadata={"name": "60"}, numbers={"overlap_hours": 24, "large": 2**62})

    assert json.loads(text(entry))["metadata"] == {"name": "60", "overlap_hours": 24, "large": 2**62}
    assert json.loads(text(entry_pb2.Entry(numbers={"n": 0})))["metadata"] == {"n": 0}
    assert "numbers" not in json.loads(text(entry))


def test_what_the_cache_did():
    """In the words of its header."""
    words = [json.loads(text(exchange_pb2.Exchange(cache=number)))["cache"] for number in range(4)]
    assert words == [None, "HIT", "MISS", "BYPASS"]


def test_zero_is_written_where_presence_is_known():
    """An optional field that is set to its zero value is not null."""
    assert b'"rate_limit_per_minute":0' in text(key_pb2.Key(rate_limit_per_minute=0))


def test_large_integers_are_numbers():
    """64-bit integers are not strings."""
    assert b'"total":9223372036854775807' in text(exchange_service_pb2.ListExchangesResponse(total=2**63 - 1))


def test_inlined_fields_stand_in_their_place():
    """The fields of an inlined message appear among the parent's, in order."""
    found = json.loads(text(key_service_pb2.CreateKeyResponse(description=key_pb2.Key(id="k"), key="secret")))

    assert (next(iter(found)), list(found)[-1]) == ("id", "key")
    # The parent's field of this name is not there, the child's is.
    assert (found["id"], found["description"]) == ("k", "")


@pytest.mark.parametrize(
    ("cost", "expected"),
    [("0.00120", b"0.00120"), ("1e-7", b"1e-7"), ("", b"null"), ("12,5", b'"12,5"'), ("NaN", b'"NaN"')],
)
def test_decimals_keep_their_digits(cost, expected):
    """A decimal is a number with exactly the digits it has; what is none does not break the document."""
    assert b'"cost_usd":' + expected + b"," in text(exchange_pb2.Exchange(cost_usd=cost))


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        (b"", b"null"),
        (b'{"a": 1.0}', b'{"a": 1.0}'),
        (b"data: x\n\n", b'"data: x\\n\\n"'),
        (b"\xff\x00", b'{"base64":"/wA="}'),
        (b'{"a":', b'"{\\"a\\":"'),
        (b'{"a":"\xff"}', b'{"base64":"eyJhIjoi/yJ9"}'),
        (b"[" * 100_000, b'"' + b"[" * 100_000 + b'"'),
    ],
)
def test_http_bodies(body, expected):
    """JSON as it is, other text as a string, the rest in base64."""
    assert b'"response_body":' + expected + b"," in text(exchange_pb2.Payload(response_body=body))


def test_a_broken_document_does_not_break_the_answer():
    """What is stored as a document and is none becomes a string."""
    answer = json.loads(text(exchange_pb2.Payload(request_headers=b'{"a":\xff')))

    assert answer["request_headers"] == '{"a":�'


def test_enum_words():
    """Provider types have hyphens, others underscores; both are understood; unknown numbers stay numbers."""
    provider = provider_pb2.Provider(
        type=provider_pb2.PROVIDER_TYPE_AZURE_OPENAI, auth_mode=provider_pb2.AUTH_MODE_API_KEY
    )
    answer = json.loads(text(provider))
    numbers = enum_numbers(provider_pb2.ProviderType.DESCRIPTOR)

    assert answer["type"] == "azure-openai"
    assert answer["auth_mode"] == "api_key"
    assert numbers["azure_openai"] == numbers["azure-openai"] == provider_pb2.PROVIDER_TYPE_AZURE_OPENAI
    assert "unspecified" not in numbers
    assert json.loads(text(key_pb2.Key(role=99)))["role"] == 99


def test_other_styles():
    """Camel case, other names, milliseconds, unset left out."""
    style = Style(camel=True, omit_unset=True, millis=True, names={"ingate.keys.v1.Key.id": "keyId"})
    key = key_pb2.Key(id="k", app_id="a")
    key.created_at.FromMilliseconds(1775039400007)

    assert json.loads(text(key, style)) == {
        "keyId": "k",
        "name": "",
        "hashPrefix": "",
        "scopes": [],
        "appId": "a",
        "createdAt": "2026-04-01T10:30:00.007Z",
        "orgId": "",
        "workspace": "",
        "permissions": [],
        "description": "",
        "active": False,
        "unlimited": False,
        "fixed": False,
    }


def test_answers_do_not_share_what_they_may_change():
    """The dictionary of one answer is not that of the next."""
    valuer = wire.valuer(key_pb2.Key.DESCRIPTOR)
    first = valuer(key_pb2.Key())
    first["name"] = "changed"

    assert valuer(key_pb2.Key())["name"] == ""

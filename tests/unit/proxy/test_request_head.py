"""Heads that have headers of their own: the rest is remembered, and all is as if it were not."""

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from gen.ingate.exchanges.v1.record_service_pb2 import ExchangeRecord
from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_PASSTHROUGH
from ingate.proxy.headers import outbound
from ingate.proxy.request_head import MAX_ATTRIBUTION, is_heeded, read_head
from ingate.proxy.stated import attribution, of_head
from tests.support.targets import target

CHAT = "/v1/chat/completions"
TARGETS = [
    target("openai"),
    target("anthropic"),
    target("openai", headers={"x-set": "by the gateway", "traceparent": "of the gateway"}),
    target("own", "http", headers={"x-set": "by the gateway"}),
    target("openai", auth_mode=AUTH_MODE_PASSTHROUGH),
]
VALUES = st.sampled_from([b"1", b"na\xc3\xafve", b'"', b"sk-ingate-0123456789abcdef", b"Bearer abcdefghij", b""])
SHARED = st.lists(
    st.tuples(
        st.sampled_from([b"accept", b"authorization", b"anthropic-version", b"connection", b"host", b"x-custom"]),
        VALUES | st.sampled_from([b"keep-alive, x-trace", b"tracestate", b"close"]),
    ),
    max_size=4,
)
OWN = st.dictionaries(
    st.sampled_from(
        [b"traceparent", b"tracestate", b"user-agent", b"x-set", b"x-trace", b"x-token", b"x-ingate-user-id"]
    ),
    VALUES | st.just(b"u" * (MAX_ATTRIBUTION + 1)),
    min_size=1,
).map(lambda named: list(named.items()))


@given(shared=SHARED, own=OWN, to=st.sampled_from(TARGETS))
@example(shared=[(b"connection", b"close, tracestate")], own=[(b"tracestate", b"1")], to=TARGETS[0])
@example(shared=[], own=[(b"traceparent", b"1"), (b"user-agent", b"sk-ingate-0123456789abcdef")], to=TARGETS[2])
@example(shared=[(b"x-ingate-session-id", b"s")], own=[(b"x-ingate-user-id", b"sk-ingate-0123456789ab")], to=TARGETS[0])
@example(shared=[(b"x-ingate-user-id", b"u" * 257)], own=[(b"x-ingate-session-id", b"s")], to=TARGETS[0])
@example(shared=[], own=[(b"x-ingate-session-id", b"s" * 257)], to=TARGETS[0])
@example(shared=[], own=[(b"x-token", b"1"), (b"x-set", b"1"), (b"x-trace", b"1")], to=TARGETS[3])
def test_headers_of_its_own_cross_and_are_recorded_as_all_are(shared, own, to):
    """Towards each kind of provider goes what would go if nothing were remembered, and the record shows the same."""
    whole = read_head("POST", CHAT, "", shared + own, "sk-ingate-x")
    made = read_head("POST", CHAT, "", shared, "sk-ingate-x").differing(own)
    [candidate] = made.candidates((to,), "m")

    assert sorted(candidate.headers + made.also(candidate)) == sorted(outbound(shared + own, to))
    assert candidate.account == whole.candidates((to,), "m")[0].account
    assert made.headers == whole.headers
    assert ExchangeRecord.FromString(of_head(made).stated) == ExchangeRecord.FromString(of_head(whole).stated)
    assert attribution(made) == attribution(whole)
    assert made.too_long == whole.too_long
    assert of_head(made).headers == of_head(whole).headers


def test_what_more_follows_from_is_heeded():
    """Credentials, what belongs to a connection, what a default gives way to, and what is for the gateway."""
    names = b"authorization cookie connection te upgrade anthropic-version x-goog-api-key content-encoding"
    assert all(map(is_heeded, [*names.split(), b"x-ingate-provider"]))
    assert not any(map(is_heeded, b"traceparent user-agent x-request-id idempotency-key".split()))


def head(path, method="POST", *headers):
    return read_head(method, path, "", list(headers), "secret")


@pytest.mark.parametrize(
    ("path", "repeatable"),
    [
        ("/v1/chat/completions", True),
        ("/v1/audio/speech", True),
        ("/v1/images/edits", True),
        ("/v1/rerank", True),
        ("/model/m/converse", True),
        ("/v1/messages/count_tokens", True),
        ("/v1/batches", False),
        ("/v1/messages/batches", False),
        ("/v1/files", False),
        ("/v1/responses/r/cancel", False),
        ("/v1/unknown", False),
    ],
)
def test_a_request_that_asks_a_model_may_be_sent_twice(path, repeatable):
    """One that makes something that is kept may not, by POST; a method that changes nothing more may always."""
    assert head(path).repeatable is repeatable
    assert head(path, "GET").repeatable


def test_a_form_states_its_boundary():
    """Every other body has none."""
    assert head("/v1/files", "POST", (b"content-type", b"multipart/form-data; boundary=b")).boundary == b"b"
    assert head("/v1/files", "POST", (b"content-type", b"application/json")).boundary == b""
    assert head("/v1/files").boundary == b""


@pytest.mark.parametrize(
    ("path", "prices"),
    [
        ("/model/m/invoke", "aws"),
        ("/v1/projects/p/locations/l/publishers/anthropic/models/c:rawPredict", "google"),
        ("/v1/projects/p/locations/l/publishers/google/models/g:generateContent", "google"),
        ("/v1beta/models/g:generateContent", ""),
        ("/v1/chat/completions", ""),
    ],
)
def test_a_path_of_one_cloud_says_whose_prices_apply(path, prices):
    """Whatever the address of the provider is; other paths leave it to the provider."""
    assert ExchangeRecord.FromString(of_head(head(path)).stated).price_provider == prices

"""Which headers cross, and what the record shows of them."""

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_PASSTHROUGH
from ingate.proxy import headers
from ingate.proxy.headers import MASK, inbound, outbound
from ingate.remembered import CAPACITY, LONGEST
from tests.support.targets import target

OPENAI = target("openai")
PASSTHROUGH = target("openai", auth_mode=AUTH_MODE_PASSTHROUGH)
CUSTOM = target("own", "http")
SECRETS = ("sk-ingate-0123456789", "ses-ingate-0123456789", "inv-ingate-0123456789", "ing_0123456789")
CREDENTIAL_NAMES = ("authorization", "x-api-key", "x-goog-api-key", "api-key", "cookie")


def pairs(**headers):
    """Returns header pairs; underscores stand for hyphens."""
    return [(name.replace("_", "-").encode(), value.encode()) for name, value in headers.items()]


def recorded(pairs):
    """Returns what the record shows, decoded."""
    return msgspec.json.decode(headers.recorded(pairs))


def test_only_what_is_listed_goes_to_a_provider():
    """What an API needs goes; what belongs to the connection, the client's network or the gateway does not."""
    given = pairs(
        accept="application/json",
        content_type="application/json",
        anthropic_beta="x",
        openai_organization="org",
        x_stainless_lang="python",
        traceparent="00-1",
        idempotency_key="k",
        host="gateway",
        connection="keep-alive",
        content_length="3",
        transfer_encoding="chunked",
        expect="100-continue",
        te="trailers",
        upgrade="h2c",
        proxy_authorization="Basic x",
        x_forwarded_for="10.0.0.1",
        forwarded="for=10.0.0.1",
        x_real_ip="10.0.0.1",
        x_ingate_user_id="u",
        x_ingate_session_id="s",
        x_ingate_provider="openai",
        x_custom="1",
        referer="https://app.example",
        origin="https://app.example",
    )

    names = [name.decode() for name, _ in outbound(given, OPENAI)]

    assert names == [
        "accept",
        "content-type",
        "anthropic-beta",
        "openai-organization",
        "x-stainless-lang",
        "traceparent",
        "idempotency-key",
        "authorization",
    ]


def test_a_plain_http_provider_gets_x_headers():
    """A server of one's own gets extensions too, but not those of the gateway or of proxies before it."""
    given = pairs(x_tenant="7", x_ingate_user_id="u", x_forwarded_for="1", x_real_ip="1", x_api_key="k", cookie="c")

    names = [name for name, _ in outbound(given, CUSTOM)]

    assert names == [b"x-tenant", b"authorization"]


@pytest.mark.parametrize("name", CREDENTIAL_NAMES)
def test_the_callers_credential_crosses_only_in_passthrough(name):
    """In api_key mode the stored key goes in its place; in passthrough mode nothing is added."""
    given = [(name.encode(), b"Bearer sk-of-the-caller")]

    assert outbound(given, OPENAI) == [(b"authorization", b"Bearer sk-provider-secret")]
    assert outbound(given, PASSTHROUGH) == given


@pytest.mark.parametrize("secret", SECRETS)
@pytest.mark.parametrize("shape", ["{}", "Bearer {}", 'agent/1 ("{}")', "a={}; b=c", "x,{}"])
@pytest.mark.parametrize("provider", [OPENAI, PASSTHROUGH, CUSTOM], ids=["api-key", "passthrough", "http"])
def test_a_gateway_credential_crosses_nowhere(provider, shape, secret):
    """Whatever header it stands in, and wherever in the value."""
    value = shape.format(secret).encode()
    names = [*CREDENTIAL_NAMES, "user-agent", "accept", "openai-project", "x-anything", "traceparent", "x-ingate-key"]
    given = [(name.encode(), value) for name in names]

    assert all(secret.encode() not in sent for _, sent in outbound(given, provider))
    assert set(recorded(given).values()) == {MASK}


def test_what_the_gateway_sets_replaces_what_the_caller_says():
    """Headers of the provider's settings win; defaults of its type give way."""
    provider = target("anthropic", headers={"Anthropic-Beta": "ours"})
    given = pairs(anthropic_beta="theirs", anthropic_version="2024-01-01")

    sent = outbound(given, provider)

    assert sorted(sent) == [
        (b"anthropic-beta", b"ours"),
        (b"anthropic-version", b"2024-01-01"),
        (b"x-api-key", b"sk-provider-secret"),
    ]
    assert (b"anthropic-version", b"2023-06-01") in outbound([], target("anthropic"))


def test_what_comes_back():
    """A provider's headers reach the caller but for the connection's, the site's and the gateway's own."""
    kept = pairs(content_type="text/plain", x_request_id="r", retry_after="3", content_encoding="gzip", etag="e")
    dropped = pairs(
        connection="close",
        transfer_encoding="chunked",
        content_length="3",
        set_cookie="a=b",
        server="theirs",
        strict_transport_security="max-age=1",
        alt_svc="h3",
        x_ratelimit_limit="1",
        x_ingate_request_id="forged",
        x_ingate_served_by="forged",
        x_cache="HIT",
        x_frame_options="ALLOWALL",
    )

    assert back(kept + dropped) == kept


def back(given):
    """Returns what the caller gets of a provider's headers."""
    return inbound(given, dict(given))


CONNECTION = [
    ([b"x-a"], {b"x-a"}),
    ([b"X-A , keep-alive"], {b"x-a"}),
    ([b"close,x-a,,\tX-B"], {b"x-a", b"x-b"}),
    ([b"x-a", b"keep-alive"], {b"x-a"}),
    ([b"close", b"x-b"], {b"x-b"}),
    ([b"keep-alive"], set()),
    ([b"close"], set()),
    ([b""], set()),
]


@pytest.mark.parametrize(("lines", "gone"), CONNECTION)
def test_what_connection_names_goes_no_further(lines, gone):
    """In either direction, in any case, in any of several lines; the rest goes."""
    others = [(b"x-a", b"1"), (b"x-b", b"2"), (b"x-c", b"3")]
    given = [*((b"connection", line) for line in lines), *others]
    left = [pair for pair in others if pair[0] not in gone]

    assert back(given) == left
    assert outbound(given, CUSTOM) == [*left, (b"authorization", b"Bearer sk-provider-secret")]


def test_connection_takes_nothing_away_that_the_gateway_sets():
    """The provider's own credential goes, whatever the caller's connection header says; the caller's does not."""
    named = (b"connection", b"authorization, anthropic-version, x-api-key, accept")

    assert outbound([named, (b"accept", b"a")], OPENAI) == [(b"authorization", b"Bearer sk-provider-secret")]
    assert (b"anthropic-version", b"2023-06-01") in outbound([named], target("anthropic"))
    assert outbound([named, (b"authorization", b"Bearer sk-of-the-caller")], PASSTHROUGH) == []


@pytest.mark.parametrize(
    ("name", "value", "shown"),
    [
        ("authorization", "Basic abc", MASK),
        ("cookie", "a=b", MASK),
        ("set-cookie", "a=b", MASK),
        ("proxy-authorization", "Basic abc", MASK),
        ("x-auth-token", "abc", MASK),
        ("x-custom-auth", "abc", MASK),
        ("x-author", "abc", "abc"),
        ("x-ratelimit-remaining-tokens", "149984", "149984"),
        ("x-amzn-bedrock-input-token-count", "12", "12"),
        ("x-client-secret", "abc", MASK),
        ("x-amz-signature", "abc", MASK),
        ("x-note", "Bearer abc", MASK),
        ("x-note", "sk-proj-0123456789", MASK),
        ("x-note", "AIzaSyA0123456789", MASK),
        ("accept-language", "sk-SK,sk;q=0.9", "sk-SK,sk;q=0.9"),
        ("user-agent", "task-runner-of-mine/1", "task-runner-of-mine/1"),
        ("x-name", "Zoë", "Zoë"),
    ],
)
def test_what_the_record_shows(name, value, shown):
    """Names and values that may be credentials are masked; others are shown as they are."""
    assert recorded([(name.encode(), value.encode())]) == {name: shown}


def test_repeated_names_are_joined():
    """As HTTP allows, so that nothing is lost."""
    assert recorded([(b"accept", b"a"), (b"x", b"\xff"), (b"accept", b"b")]) == {"accept": "a, b", "x": "\ufffd"}


def test_repeated_names_are_masked_each_for_itself():
    """A credential in one of them hides that one alone."""
    given = [(b"x-note", b"one"), (b"x-note", b"Bearer abc"), (b"x-api-key", b"a"), (b"x-api-key", b"b")]

    assert recorded(given) == {"x-note": f"one, {MASK}", "x-api-key": f"{MASK}, {MASK}"}


def test_no_headers_are_an_empty_object():
    """The record has an object whatever a provider leaves out."""
    assert headers.recorded([]) == b"{}"


def test_what_differs_every_time_takes_no_memory():
    """Headers that never come twice, of which some are huge, leave no more behind than a bound."""
    for index in range(5000):
        unique = b"%d" % index
        given = [(b"x-" + unique, b"v"), (b"date", unique), (b"n" * 5000 + unique, b"v"), (b"v", b"v" * 5000 + unique)]
        assert recorded(given) == {name.decode(): value.decode() for name, value in given}
        assert back(given) == given

    for memory in (headers._members, headers._names, headers._returns):
        assert len(memory) <= CAPACITY
        assert max(len(key) if isinstance(key, bytes) else sum(map(len, key)) for key in memory) <= LONGEST


NAMES = st.sampled_from([b"x", b"date", b"x-api-key", b'"\\', b"\xe9\x00"]) | st.binary(max_size=20).map(bytes.lower)
VALUES = st.sampled_from([b"", b"a", b"Bearer x", b"sk-proj-0123456789", b'"\\\n\xff']) | st.binary(max_size=40)


@given(st.lists(st.tuples(NAMES, VALUES), max_size=10))
def test_the_record_is_the_same_however_often(given):
    """What is remembered of headers is what would be made of them anew: each shown or masked, in order of names."""
    shown = {}
    for name, value in given:
        [text] = recorded([(name, value)] * 2).values()
        one = text[: (len(text) - 2) // 2]
        assert one in (MASK, value.decode("utf-8", "replace"))
        shown.setdefault(name.decode("latin-1"), []).append(one)

    expected = {name: ", ".join(texts) for name, texts in shown.items()}

    assert recorded(given) == expected
    assert list(recorded(given)) == list(expected)


@given(st.lists(st.tuples(st.binary(max_size=20).map(bytes.lower), st.binary(max_size=40)), max_size=10))
def test_no_header_is_invented_or_changed(given):
    """What crosses is a subset of what was given, in order, plus what the gateway sets; recording never fails."""
    crossed = outbound(given, PASSTHROUGH)
    places = iter(given)

    assert all(pair in places for pair in crossed)
    assert set(recorded(given)) == {name.decode("latin-1") for name, _ in given}


@pytest.mark.parametrize(
    "name",
    [
        "accept-charset",
        "content-language",
        "content-range",
        "content-disposition",
        "if-modified-since",
        "if-range",
        "http-referer",
        "x-title",
        "x-client-request-id",
        "x-ms-client-request-id",
        "x-goog-upload-protocol",
        "x-goog-upload-header-content-length",
        "x-goog-user-project",
    ],
)
def test_what_providers_read_crosses(name):
    """Headers of uploads, conditions, content and attribution go to any provider."""
    assert (name.encode(), b"v") in outbound([(name.encode(), b"v")], target("openai"))


@pytest.mark.parametrize("name", ["content-length", "x-goog-api-key", "x-forwarded-for", "cookie", "x-other"])
def test_what_is_not_theirs_stays(name):
    """Framing, credentials and what is about the caller's way here go to none."""
    assert name.encode() not in dict(outbound([(name.encode(), b"v")], target("openai")))

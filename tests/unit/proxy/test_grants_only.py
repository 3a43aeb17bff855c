"""The target of an ingress that has one provider: made once for each key, from the ingress' own words."""

import dataclasses

import pytest

from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_PASSTHROUGH, PROVIDER_TYPE_ANTHROPIC
from gen.ingate.providers.v1.route_pb2 import Route
from ingate.errors import BadRequest
from ingate.formats import Format
from ingate.net.addresses import EXCEPT_NEVER, policy
from ingate.proxy import grants as module
from ingate.proxy.grants import Grant, Grants
from ingate.proxy.headers import outbound
from ingate.proxy.plan import plan
from ingate.proxy.ports import Timeouts

PROVIDER = Route(
    name="one",
    type=PROVIDER_TYPE_ANTHROPIC,
    base_url="http://10.0.0.1/v1/",
    auth_mode=AUTH_MODE_PASSTHROUGH,
    timeout_ms=1000,
    shared=True,
)
GRANT = Grant("org", "key", b"", b"", may_proxy=True, rate_limit=1, expires_at=None, targets=())


def grants(allowed=EXCEPT_NEVER):
    return Grants(None, (), Timeouts(1.0, 1.0, 1.0), ttl=1.0, policy=allowed)


def test_the_target_is_made_once_for_a_grant(monkeypatch):
    """One grant has one, whatever else is asked for; the grant that comes after it another; many take bounded room."""
    known = grants()
    first = known.only(PROVIDER, GRANT)
    assert known.only(PROVIDER, GRANT) is first
    assert known.only(Route(name="two", type=PROVIDER.type, base_url="http://a.example"), GRANT) is not first
    assert known.only(PROVIDER, GRANT) is first
    assert known.only(PROVIDER, dataclasses.replace(GRANT)) is not first
    monkeypatch.setattr(module, "CAPACITY", 10)
    for number in range(100):
        known.only(PROVIDER, dataclasses.replace(GRANT, key_id=str(number)))
    assert len(known._only) <= 10


def test_it_gets_requests_as_they_are():
    """The path stands below the base path, no model has a prefix, and nothing is put into the headers."""
    [target] = grants().only(PROVIDER, GRANT)
    chosen = plan([target], Format.OPENAI_CHAT, "/v1/messages", "one/model", headers=[], named="one")
    assert (chosen.path, chosen.model, chosen.prefixed) == ("/v1/v1/messages", "one/model", False)
    crossing = [(b"x-any", b"1"), (b"authorization", b"Bearer a"), (b"dnt", b"1"), (b"cookie", b"a=b")]
    ending = [
        (b"host", b"h"),
        (b"te", b"trailers"),
        (b"expect", b"100-continue"),
        (b"connection", b"x-named"),
        (b"x-named", b"1"),
        (b"x-forwarded-for", b"1.2.3.4"),
        (b"x-ingate-key", b"k"),
        (b"x-ongoingai-gateway-key", b"k"),
        (b"x-mine", b"sk-ingate-" + b"a" * 43),
    ]
    assert outbound(crossing + ending, target) == crossing


def test_an_address_that_may_not_be_called_is_refused():
    """The rule for what the installation itself configures holds: metadata services are never called."""
    provider = Route()
    provider.CopyFrom(PROVIDER)
    provider.base_url = "http://169.254.169.254"
    with pytest.raises(BadRequest, match="is an address that this gateway does not call"):
        grants(policy("no", "", embedded=False)).only(provider, GRANT)

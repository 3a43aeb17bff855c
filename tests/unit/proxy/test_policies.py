"""What the keys of an organisation share, and the targets of providers that stand in settings."""

import asyncio

import pytest
from grpc import StatusCode

from gen.ingate.gateway.v1 import gateway_service_pb2_grpc
from gen.ingate.providers.v1.provider_pb2 import AUTH_MODE_PASSTHROUGH, PROVIDER_TYPE_ANTHROPIC, PROVIDER_TYPE_OPENAI
from gen.ingate.providers.v1.route_pb2 import Route
from ingate.errors import BadRequest, Unavailable
from ingate.formats import Format
from ingate.net.addresses import EXCEPT_NEVER, policy
from ingate.proxy import policies as module
from ingate.proxy import snapshots
from ingate.proxy.admission import Admission
from ingate.proxy.grants import Grants
from ingate.proxy.headers import outbound
from ingate.proxy.news import EVERYBODY, News
from ingate.proxy.plan import plan
from ingate.proxy.policies import Policies
from ingate.proxy.ports import Timeouts
from ingate.rpc.inprocess import InProcessServer
from tests.support.admitting import Core
from tests.support.targets import TRANSPORTS
from tests.support.waiting import eventually

PROVIDER = Route(
    name="one",
    type=PROVIDER_TYPE_ANTHROPIC,
    base_url="http://10.0.0.1/v1/",
    auth_mode=AUTH_MODE_PASSTHROUGH,
    timeout_ms=1000,
    shared=True,
)
OPENAI = Route(name="openai", type=PROVIDER_TYPE_OPENAI, base_url="https://api.example", timeout_ms=1000)


@pytest.fixture
async def core():
    """A core, and of a gateway that asks it `core.grants`, `core.policies` and `core.told`, its news."""
    server, core = InProcessServer(), Core()
    gateway_service_pb2_grpc.add_GatewayServiceServicer_to_server(core, server)
    stub = gateway_service_pb2_grpc.GatewayServiceStub(server.channel())
    admission, core.told = Admission(stub, ()), News(stub, ())
    core.told.live_until = float("inf")
    core.grants = Grants(admission, core.told, ttl=60.0)
    core.policies = Policies(admission, core.told, TRANSPORTS, Timeouts(), ttl=60.0, addresses=EXCEPT_NEVER)
    yield core
    await core.grants.aclose()
    await core.policies.aclose()
    await server.stop(None)


async def test_a_thousand_keys_share_one_policy(core):
    """It is asked for once, and its targets are made once."""
    core.keys = {b"%d" % number: "a" for number in range(1000)}
    core.routes["a"] = [OPENAI]
    grants = await asyncio.gather(*map(core.grants.grant, core.keys))
    found = {id(await core.policies.policy(grant.org_id)) for grant in grants}
    assert (len(grants), len(found), core.policies_asked) == (1000, 1, ["a"])


async def test_news_of_keys_leave_the_policy_and_news_of_the_policy_leave_keys(core):
    """Each is asked for again when it changed itself, and when everything may have."""
    core.keys[b"k"] = "a"

    async def asked():
        await core.grants.grant(b"k")
        await core.policies.policy("a")
        return len(core.asked), len(core.policies_asked)

    assert await asked() == (1, 1)
    core.told.forget(keys=("a",))
    assert await asked() == (2, 1)
    core.told.forget(policies=("a",))
    assert await asked() == (2, 2)
    core.told.forget(policies=("b",))
    assert await asked() == (2, 2)
    core.told.forget((EVERYBODY,), (EVERYBODY,))
    assert await asked() == (3, 3)


async def test_what_the_core_tells_is_forgotten(core):
    """Of keys or of policies, as each word says."""
    core.keys[b"k"] = "a"
    await core.grants.grant(b"k")
    await core.policies.policy("a")
    watching = asyncio.create_task(core.told.watch())
    await core.news.put((7,))
    await eventually(lambda: core.told._following)
    await core.grants.grant(b"k")
    await core.policies.policy("a")
    await core.news.put((8, "b", "a"))
    await eventually(lambda: core.told._epoch == 8)
    assert core.grants.known(b"k") is not None
    assert core.policies.known("a") is None
    watching.cancel()
    await asyncio.wait([watching])


async def test_without_the_core_a_policy_cannot_be_told(core, monkeypatch):
    """A request that needs one is refused; one that is known serves."""
    known = await core.policies.policy("a")
    core.away = StatusCode.UNAVAILABLE
    core.told.live_until = 0.0
    monkeypatch.setattr(snapshots, "STALE", 0.0)
    assert await core.policies.policy("a") is known
    for why in (StatusCode.UNAVAILABLE, StatusCode.UNAUTHENTICATED):  # the latter to a gateway that it does not know
        core.away = why
        with pytest.raises(Unavailable):
            await core.policies.policy("b")


async def test_policies_tell_organisations_apart(core):
    """The same providers at two organisations are two policies; the same at one are alike, whenever it was asked."""
    core.routes = {"a": [OPENAI], "b": [OPENAI]}
    first, other = await core.policies.policy("a"), await core.policies.policy("b")
    core.told.forget(policies=("a",))
    again = await core.policies.policy("a")
    assert first is not again
    assert first.fingerprint == again.fingerprint != other.fingerprint
    assert {first.targets[0].account.lane} == {again.targets[0].account.lane} != {other.targets[0].account.lane}


async def test_a_provider_that_may_not_be_called_is_left_out(core):
    """The others go on."""
    never = Route(name="never", type=PROVIDER_TYPE_OPENAI, base_url="http://169.254.169.254", timeout_ms=1000)
    core.routes["a"] = [never, OPENAI]
    assert [target.name for target in (await core.policies.policy("a")).targets] == ["openai"]


def policies(allowed=EXCEPT_NEVER):
    return Policies(None, News(None, ()), TRANSPORTS, Timeouts(1.0, 1.0, 1.0), ttl=1.0, addresses=allowed)


def test_a_fixed_target_is_made_once_for_an_organisation(monkeypatch):
    """Each organisation has one, whatever else is asked for; many take bounded room."""
    known = policies()
    first = known.fixed(PROVIDER, "org")
    assert known.fixed(PROVIDER, "org") is first
    assert known.fixed(Route(name="two", type=PROVIDER.type, base_url="http://a.example"), "org") is not first
    assert known.fixed(PROVIDER, "org") is first
    assert known.fixed(PROVIDER, "another")[0].account.lane != first[0].account.lane
    monkeypatch.setattr(module, "CAPACITY", 10)
    for number in range(100):
        known.fixed(PROVIDER, str(number))
    assert len(known._fixed) <= 10


def test_a_fixed_target_gets_requests_as_they_are():
    """The path stands below the base path, no model has a prefix, and nothing is put into the headers."""
    [target] = policies().fixed(PROVIDER, "org")
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


def test_a_fixed_address_that_may_not_be_called_is_refused():
    """The rule for what the installation itself configures holds: metadata services are never called."""
    provider = Route()
    provider.CopyFrom(PROVIDER)
    provider.base_url = "http://169.254.169.254"
    with pytest.raises(BadRequest, match="is an address that this gateway does not call"):
        policies(policy("no", "", embedded=False)).fixed(provider, "org")

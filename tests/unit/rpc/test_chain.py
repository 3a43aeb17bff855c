import re

import pytest

from ingate.limits.window import RateWindows
from ingate.rpc.interceptors.authenticate import authenticate, credential
from ingate.rpc.interceptors.chain import Stage, chain
from ingate.rpc.interceptors.stages import stages
from ingate.rpc.interceptors.trailing import trailing
from ingate.rpc.peer import peer_address
from ingate.rpc.principal import Principal, principal, set_principal
from tests.support.chain import Callers


def passing(_rpc, step):
    return step


def named(*names, after=()):
    return [Stage(name, passing, after=after) for name in names]


def test_the_stages_are_in_the_order_that_they_ask_for():
    """The standard tuple satisfies its own constraints."""
    standard = stages(Callers(), Callers(), gateway_token="t", windows=RateWindows())
    assert [stage.name for stage in standard] == [
        "failures",
        "access_log",
        "announce",
        "authenticate",
        "quota",
        "tenancy",
        "authorise",
        "malformed",
        "required",
    ]
    chain(standard, {}, gateway_token="t")


@pytest.mark.parametrize("moved", range(1, 9))
def test_no_stage_of_the_standard_can_come_first_but_the_first(moved):
    """Order is checked, not only written down."""
    standard = list(stages(Callers(), Callers(), gateway_token="t", windows=RateWindows()))
    standard.insert(0, standard.pop(moved))
    with pytest.raises(ValueError, match="must come after"):
        chain(standard, {}, gateway_token="t")


def test_a_stage_names_whom_it_misses():
    """The error says which stage has to stand where."""
    with pytest.raises(ValueError, match=re.escape("stage c must come after a, b")):
        chain(named("c", after=("a", "b")), {}, gateway_token="t")
    chain([*named("a", "b"), *named("c", after=("a", "b"))], {}, gateway_token="t")


def test_no_stage_occurs_twice():
    """Twice is a mistake."""
    with pytest.raises(ValueError, match="twice"):
        chain(named("a", "a"), {}, gateway_token="t")


async def test_a_handler_is_wrapped_once():
    """Later calls find the finished function; a rpc that nobody serves stays nobody's."""
    import grpc

    from ingate.rpc.services import rpcs

    path = "/ingate.keys.v1.KeyService/GetKey"
    wraps = []

    def counting(rpc, step):
        wraps.append(rpc.path)
        return step

    async def behaviour(_request, _context):
        raise AssertionError

    handler = grpc.unary_unary_rpc_method_handler(behaviour)
    interceptor = chain([Stage("counting", counting)], rpcs(), gateway_token="t")

    class Details:
        method = path
        invocation_metadata = ()

    async def found(_details):
        return handler

    async def missing(_details):
        return None

    first = await interceptor.intercept_service(found, Details())
    assert await interceptor.intercept_service(found, Details()) is first
    assert wraps == [path]
    assert await interceptor.intercept_service(missing, Details()) is None


def test_an_empty_gateway_token_is_refused():
    """An empty token would be everyone's."""
    with pytest.raises(ValueError, match="empty"):
        authenticate(Callers(), "")


@pytest.mark.parametrize(
    ("peer", "address"),
    [
        ("ipv4:127.0.0.1:50051", "127.0.0.1"),
        ("ipv6:[::1]:50051", "::1"),
        ("ipv6:%5B2001:db8::1%5D:443", "2001:db8::1"),
        ("ipv6:%5Bfe80::1%25eth0%5D:443", "fe80::1%eth0"),
        ("unix:", ""),
        ("unix:/run/ingate.sock", ""),
        ("inproc", ""),
        ("", ""),
    ],
)
def test_peers_have_an_address_or_none(peer, address):
    """All forms in which gRPC names a peer."""
    assert peer_address(peer) == address


def test_no_credential_is_none():
    """Absent is not bad."""
    assert credential({"x-request-id": "r"}) is None


def test_outside_of_an_rpc_the_caller_is_anonymous():
    """Nothing is allowed by default."""
    assert principal() == Principal()
    assert principal().kind == "anonymous"


def test_setting_the_principal_is_seen_in_its_context_alone():
    """A context's caller does not leak into another."""
    import contextvars

    contextvars.copy_context().run(set_principal, Principal(kind="gateway"))
    assert principal().kind == "anonymous"


def test_trailing_metadata_merges_by_name():
    """Given pairs replace those of their name and keep the others."""

    class Context:
        def trailing_metadata(self):
            return (("a", "1"), ("b", "2"))

    assert trailing(Context(), (("b", "3"), ("c", b"4"))) == (("a", "1"), ("b", "3"), ("c", b"4"))

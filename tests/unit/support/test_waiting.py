import socket

import pytest

from tests.support.ports import free_port
from tests.support.waiting import eventually


async def test_returns_what_the_condition_returned_at_last():
    """Falsy results and failed assertions mean "not yet"; the truthy result is handed back."""
    calls = []

    def condition():
        calls.append(1)
        assert len(calls) > 2
        return len(calls) > 3 and "done"

    assert await eventually(condition) == "done"
    assert len(calls) == 4


async def test_awaits_async_conditions():
    """A coroutine function serves as well."""

    async def condition():
        return 1

    assert await eventually(condition) == 1


async def test_gives_up_and_keeps_the_reason():
    """After the timeout the last failed assertion is the cause."""

    def condition():
        raise AssertionError("the reason")

    with pytest.raises(AssertionError, match=r"not true after 0\.01 s: a thing") as caught:
        await eventually(condition, timeout=0.01, what="a thing")
    assert str(caught.value.__cause__) == "the reason"


async def test_other_errors_pass():
    """Only AssertionError is "not yet": a broken condition is reported at once."""
    with pytest.raises(ZeroDivisionError):
        await eventually(lambda: 1 / 0)


@pytest.mark.parametrize("host", ["127.0.0.1", "::1"])
def test_a_free_port_can_be_bound(host):
    """The port is free right after."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family) as server:
        server.bind((host, free_port(host)))
        server.listen()

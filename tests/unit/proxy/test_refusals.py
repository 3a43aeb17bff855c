"""Refused calls leave a trace, and never the key."""

import pytest
import structlog

from ingate import key_formats
from ingate.proxy.refusals import LINES, Refusals, shown


@pytest.mark.parametrize("prefix", ["sk-ingate-", "ing_"])
def test_of_a_key_its_beginning_is_shown(prefix):
    """Four characters after the prefix, whatever follows."""
    assert shown(prefix + "abcdefghijklmnop") == prefix + "abcd"
    assert shown(prefix) == prefix


@pytest.mark.parametrize("secret", ["", "sk-proj-abcdefgh", "ses-ingate-abcdefgh", "abcdefgh"])
def test_of_anything_else_nothing_is(secret):
    """Somebody else's key may stand where ours should."""
    assert shown(secret) == ""


@pytest.mark.parametrize(
    "headers",
    [
        [(b"x-ingate-key", b"%b")],
        [(b"authorization", b"Bearer %b")],
        [(b"authorization", b"bearer  %b")],
        [(b"authorization", b"Bearer sk-proj-abcdefgh"), (b"x-api-key", b"%b")],
        [(b"host", b"sk-ingate-host"), (b"x-goog-api-key", b"%b")],
    ],
)
def test_a_request_shows_the_key_that_it_carries(headers):
    """In whichever header it is; nothing of it but the beginning is in the line."""
    key = key_formats.new_secret()
    filled = [(name, value.replace(b"%b", key.encode())) for name, value in headers]
    with structlog.testing.capture_logs() as lines:
        Refusals().note_request("RATE_LIMITED", filled, "10.0.0.9", "too many")
    [line] = lines
    assert (line["event"], line["reason"], line["key"], line["address"]) == (
        "call_refused",
        "rate_limited",
        key[:14],
        "10.0.0.9",
    )
    assert key[:16] not in str(line)


def test_all_are_counted_and_some_are_logged():
    """However many come."""
    refusals = Refusals()
    with structlog.testing.capture_logs() as lines:
        for _ in range(1000):
            refusals.note("UNAUTHENTICATED", "", "10.0.0.9", "no key")
        refusals.note("FORBIDDEN", "", "10.0.0.9", "not yours")
    assert refusals.counts == {"UNAUTHENTICATED": 1000, "FORBIDDEN": 1}
    assert len(lines) == LINES

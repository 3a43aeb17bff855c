"""What a person reads on a terminal."""

import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingate.log_text import TextRenderer

AT = time.mktime((2026, 11, 28, 18, 12, 1, 0, 0, -1))
CALL = {
    "event": "call",
    "level": "info",
    "at": AT,
    "status": 200,
    "provider": "openai",
    "model": "gpt-4o-mini",
    "input_tokens": 812,
    "output_tokens": 64,
    "cost_usd": "0.0001602",
    "ms": 412.4,
    "key": "first key",
    "key_id": "k",
    "request_id": "r",
}
REFUSED = {
    "event": "call_refused",
    "level": "warning",
    "at": AT,
    "reason": "unauthenticated",
    "why": "the key is not valid",
    "key": "sk-ingate-ab12",
    "address": "10.0.0.9",
    "before": 0,
}
RPC = {"event": "rpc", "level": "info", "at": AT, "rpc": "ingate.keys.v1.KeyService/CreateKey", "code": "OK", "ms": 3.2}


def text(event, *, colours=False):
    return TextRenderer(colours=colours)(None, "info", event).decode()


FAILED = {"input_tokens": None, "output_tokens": None, "cost_usd": None, "key": "", "status": 502}


@pytest.mark.parametrize(
    ("event", "cells"),
    [
        (CALL, ["200", "openai", "gpt-4o-mini", "812 > 64 tokens", "$0.000160", "412 ms", "first key"]),
        (
            CALL | FAILED | {"error": "connection refused", "left_out": 3},
            ["502", "openai", "gpt-4o-mini", "412 ms", "k", "error: connection refused", "left out: 3"],
        ),
        (
            REFUSED | {"before": 7},
            ["401", "refused", "the key is not valid", "key: sk-ingate-ab12", "address: 10.0.0.9", "left out: 7"],
        ),
        (RPC, ["ok", "KeyService/CreateKey", "3 ms"]),
        (
            RPC | {"code": "NOT_FOUND", "why": "no such key"},
            ["-", "KeyService/CreateKey", "3 ms", "code: NOT_FOUND", "why: no such key"],
        ),
        (
            {"event": "journal_disk_fails", "level": "error", "at": AT, "timestamp": "x", "disk": "full", "left": [1]},
            ["error", "journal disk fails", "disk: full", "left: [1]"],
        ),
    ],
)
def test_a_line(event, cells):
    """The time of this place, a status, and what there is to say, two blanks or more between any two."""
    assert re.split(" {2,}", text(event)) == ["18:12:01", *cells]


def test_lines_stand_below_one_another():
    """What is not known is left blank, and what is too long is cut."""
    lines = [text(CALL), text(CALL | FAILED), text(RPC), text(CALL | {"model": "m" * 90})]
    assert len({line.index(" ms") for line in lines}) == 1
    assert len({line.index("openai") for line in lines[:2]}) == 1


def test_colours_tell_good_from_bad():
    """And only colours are added."""
    for status, colour in ((200, "32"), (404, "33"), (500, "31")):
        line = text(CALL | {"status": status}, colours=True)
        assert f"\x1b[{colour}m{status}" in line
        assert re.sub(r"\x1b\[\d+m", "", line) == text(CALL | {"status": status})
    assert "\x1b[31m" in text(CALL | {"level": "error"}, colours=True)


def test_a_traceback_stands_below_its_line():
    """Indented."""
    shown = text({"event": "job_died", "level": "error", "at": AT, "exception": "Traceback\n  x\nValueError: y"})
    assert shown == "18:12:01  error    job died\n    Traceback\n      x\n    ValueError: y"


@pytest.mark.parametrize("event", [CALL, REFUSED, RPC, {"event": "x", "level": "info"}])
@settings(suppress_health_check=[HealthCheck.too_slow])
@given(value=st.one_of(st.text(), st.binary(), st.none(), st.integers(), st.lists(st.text())), data=st.data())
def test_nothing_that_is_not_printable_reaches_a_terminal(event, value, data):
    """Whatever a field holds, there is one line, and no event makes it fail."""
    name = data.draw(st.sampled_from([*event, "another"]))
    if name == "at":
        return
    line = text(event | {name: value})
    assert line.isprintable()


@pytest.mark.parametrize(
    ("usd", "shown"), [("0", "$0.000000"), ("1234.5", "$1234.500000"), ("0.000000012", "$1.20E-8")]
)
def test_amounts(usd, shown):
    """What is small is not shown as nothing."""
    assert f"  {shown}  " in text(CALL | {"cost_usd": usd})

"""What a person reads on a terminal."""

import ast
import re
import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from ingate.log_text import TextRenderer
from ingate.log_words import SENTENCES
from tests.support.tools import ROOT

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


CELLS = ["200", "openai", "gpt-4o-mini", "812 > 64 tokens", "$0.000160", "412 ms", "first key"]
FAILED = {"input_tokens": None, "output_tokens": None, "cost_usd": None, "key": "", "status": 502}


@pytest.mark.parametrize(
    ("event", "cells"),
    [
        (CALL, CELLS),
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
            ["error", "the journal's disk cannot be written to", "disk: full", "left: [1]"],
        ),
        ({"event": "not_known_yet", "level": "info", "at": AT, "left": 1}, ["info", "not known yet", "left: 1"]),
        (
            CALL | {"cache_read_tokens": 700, "cache_write_tokens": 88, "reasoning_tokens": 36, "id": "01a2"},
            [*CELLS[:3], "1600 > 100 tokens", *CELLS[4:], "cached: 700", "reasoning: 36", "id: 01a2"],
        ),
        (
            CALL | {"input_tokens": None, "cache_read_tokens": 7, "output_tokens": None},
            [*CELLS[:3], "7 > ? tokens", *CELLS[4:], "cached: 7"],
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
    said = "a background job failed and is started again"
    assert shown == f"18:12:01  error    {said}\n    Traceback\n      x\n    ValueError: y"


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


def logged_events():
    """Yields the events that the code logs by name."""
    for package in ("ingate", "rest_facade"):
        for path in (ROOT / package).rglob("*.py"):
            for node in ast.walk(ast.parse(path.read_text())):
                if not isinstance(node, ast.Call) or not isinstance(node.func, ast.Attribute) or not node.args:
                    continue
                named = node.args[0].value if isinstance(node.args[0], ast.Constant) else None
                logger = ast.unparse(node.func.value)
                levels = {"debug", "info", "warning", "error", "exception", "critical", "_say"}
                if node.func.attr in levels and re.fullmatch(r"_?log|self|structlog\.get_logger\(.*\)", logger):
                    yield named


def test_every_line_is_a_sentence():
    """What the code logs has words of its own on a terminal, and nothing else has."""
    events = {event for event in logged_events() if event is not None} - {"call", "call_refused", "rpc"}
    assert events == SENTENCES.keys()
    assert all(" " in sentence and "_" not in sentence for sentence in SENTENCES.values())

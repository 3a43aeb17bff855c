"""The log line of a call, written when its record is stored."""

import structlog

from ingate.exchanges import call_lines
from ingate.exchanges.call_lines import NAMES_SECONDS, CallLines, key_names
from ingate.exchanges.rows import rows
from tests.support.gateway import gateway
from tests.support.outside import ASK
from tests.support.records import record


async def lines_of(settings, calls):
    with structlog.testing.capture_logs() as lines:
        async with gateway(demo=True, grpc=False, **settings) as here:
            org = await here.signup()
            for body in calls:
                await org.http.post("/v1/chat/completions", json=body)
            await here.settled()
    return org, [line for line in lines if line["event"] == "call"]


async def test_a_line_names_what_the_call_was():
    """And whose: the key by its name."""
    org, [line] = await lines_of({}, [ASK])
    assert (line["org_id"], line["key"], line["status"], line["log_level"]) == (org.id, "first key", 200, "info")
    assert (line["provider"], line["model"], line["stream"]) == ("demo", "demo", False)
    assert line["ms"] > 0
    assert line["output_tokens"] > 0
    assert "error" not in line


async def test_lines_are_few_however_many_calls_there_are():
    """The next one says how many were left out; calls that went wrong have lines of their own."""
    _, lines = await lines_of({"log_calls": 2}, [ASK] * 5 + [{"model": "demo"}])
    assert [line["status"] for line in lines].count(200) <= 4
    assert [line["status"] for line in lines if line["status"] != 200] == [400]
    _, lines = await lines_of({"log_calls": 0}, [ASK])
    assert lines == []


async def test_a_database_that_is_away_costs_a_name_alone(tmp_path):
    """The line is written without it."""
    from ingate.db import Database

    away = Database(f"sqlite:///{tmp_path}/none/x.db")
    assert await key_names(away, ["k"]) == {}
    await away.aclose()


async def test_names_are_asked_for_once_in_a_while(monkeypatch):
    """Not for each batch; a name that is not known yet is asked for at once, and none is known for ever."""
    asked, now = [], [0.0]

    async def names(_database, key_ids):
        asked.append(sorted(key_ids))
        return dict.fromkeys(key_ids, "a key")

    monkeypatch.setattr(call_lines, "key_names", names)
    lines = CallLines(None, 1000, lambda: now[0])
    one, two = (f"0198c0de-0000-7000-8000-00000000000{n}" for n in (1, 2))
    with structlog.testing.capture_logs() as written:
        for moment, key in ((0.0, one), (1.0, one), (1.0, two), (NAMES_SECONDS, one)):
            now[0] = moment
            await lines.write(rows([record(one, key_id=key)], 0))
    assert asked == [[one], [two], [one]]
    assert [line["key"] for line in written] == ["a key"] * 4

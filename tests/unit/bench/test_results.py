"""Figures of a run are kept, and two runs are compared by their medians."""

import json

import pytest

from bench import compare, machine
from bench.loads import MARK, loads
from bench.results import CPU, Results, load


def run_of(file, about, *figures):
    results = Results(about)
    for figure in figures:
        results.figure(*figure)
    results.save(file)
    return file


def lines(shown):
    return {line[:58].strip(): line[58:].split() for line in shown.splitlines()}


def test_what_is_saved_is_loaded(tmp_path):
    """A run is the same once it was written and read."""
    saved = Results({"commit": "abc"})
    saved.figure("chat", "gateway", CPU, "µs a request", [3.5, 1.0, 2.0], digits=1)
    saved.save(tmp_path / "new" / "run.json")
    assert load(tmp_path / "new" / "run.json") == saved


def test_two_runs_side_by_side(tmp_path, capsys):
    """Medians stand beside one another, and what the gateway costs by a proxy that was measured with it."""
    cpu = ("chat", "gateway", CPU, "µs"), ("chat", "envoy", CPU, "µs")
    a = run_of(
        tmp_path / "a",
        {"commit": "one"},
        (*cpu[0], [300, 100, 200]),
        (*cpu[1], [100]),
        ("old", "nginx", "p50", "ms", [1]),
    )
    b = run_of(tmp_path / "b", {"commit": "two"}, (*cpu[0], [150]), (*cpu[1], [50]))
    capsys.readouterr()
    assert compare.run((a, b)) is None
    shown = lines(capsys.readouterr().out)
    assert "one  →  two" in " ".join(shown)
    assert shown["chat: gateway CPU, µs"] == ["200.00", "150.00", "0.75"]
    assert shown["chat: envoy"] == ["2.00", "3.00", "1.50"]
    assert not any(name.startswith("old") for name in shown)


@pytest.mark.parametrize("content", [None, b"", b"{}", b"no JSON"])
def test_what_is_no_run_is_not_compared(tmp_path, content):
    """A file that is missing or holds something else is an error in words."""
    good = run_of(tmp_path / "good", {})
    if content is not None:
        (tmp_path / "bad").write_bytes(content)
    assert compare.run((good, tmp_path / "bad")).startswith("cannot compare: ")


def test_the_interpreter_is_named():
    """A figure without its interpreter cannot be compared, and profile-guided ones are faster."""
    assert "profile-guided" in machine.interpreter()


@pytest.mark.parametrize("load", loads().values(), ids=lambda load: load.name)
def test_loads_are_what_they_say(load):
    """Each request has one place that differs, requests and answers are JSON, and answers differ in length."""
    assert load.request.count(MARK) == 1
    assert json.loads(load.request)["messages"]
    assert len({len(answer) for answer in load.answers}) == len(load.answers) > 1
    assert all(json.loads(answer)["usage"]["total_tokens"] for answer in load.answers)
    assert "'" not in "".join(answer for answer in load.answers if len(answer) < 4000)

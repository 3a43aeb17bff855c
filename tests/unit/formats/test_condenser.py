"""A small JSON text made of a large one says the same of what is wanted."""

import gc
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import Raw, Struct

from ingate.formats.condenser import Condenser
from ingate.formats.facts import MAX_TEXT
from ingate.formats.kept import HALF
from ingate.formats.malformed import TooLarge
from ingate.formats.outline import outline
from ingate.formats.pace import MOST, SLICE, Budget, Pace


class Inner(Struct):
    text: str | None = None


class Shape(Struct, rename={"kind": "type"}):
    model: str | None = None
    items: list[Inner] | None = None
    mixed: str | list[Inner] | None = None
    kind: bool | None = None
    count: int | None = None
    inner: Inner | None = None
    raw: Raw = Raw()


WANTED = outline(Shape)


def condense(body, size=SLICE, budget=None):
    condenser = Condenser(WANTED, budget or Budget(Pace()), (b"model",))
    yields = 0
    for at in range(0, len(body), size):
        yields += sum(1 for _ in condenser.feed(body[at : at + size]))
    return condenser, condenser.close(), yields


def wanted(value, shape):
    """Returns what is left of a value: the oracle."""
    if isinstance(value, dict):
        if shape.anything:
            return {name: wanted(one, shape.items) for name, one in value.items()}
        if shape.members is None:
            return None
        known = {name: shape.members.get(name.encode()) for name in value}
        return {name: wanted(one, known[name]) for name, one in value.items() if known[name] is not None}
    if isinstance(value, list):
        return None if shape.items is None else [wanted(one, shape.items) for one in value]
    if isinstance(value, str):
        return value if shape.text else None
    return value if shape.scalar else None


names = st.sampled_from([*Shape.__struct_fields__, "type", "text", "other", "mod", "model2"]) | st.text(
    "ab{}[]", max_size=4
)
texts = st.text(alphabet='model"\\\\:{}[],\n é\U0001f600', max_size=12)
values = st.recursive(
    texts | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | st.none() | st.booleans(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(names, inner, max_size=5),
    max_leaves=25,
)


@given(
    value=st.dictionaries(names, values, max_size=8),
    ascii_only=st.booleans(),
    indent=st.sampled_from([None, 1]),
    size=st.integers(1, 40),
)
def test_says_what_the_whole_text_says(value, ascii_only, indent, size):
    """Whatever the text holds and wherever it is divided, what is wanted of it is there, and nothing else."""
    body = json.dumps(value, ensure_ascii=ascii_only, indent=indent).encode()
    condenser, small, _ = condense(body, size)
    assert (condenser.ended, condenser.broken) == (True, False)
    assert json.loads(small) == wanted(value, WANTED)
    spans = [body[start:end] for start, end in condenser.places[0]]
    assert [json.loads(span) for span in spans] == ([value["model"]] if "model" in value else [])


@given(value=st.dictionaries(names, values, max_size=5), data=st.data())
def test_every_boundary(value, data):
    """A text divided in two at any byte yields the same."""
    body = json.dumps(value, ensure_ascii=data.draw(st.booleans())).encode()
    expected = condense(body)[1]
    for cut in range(len(body)):
        condenser = Condenser(WANTED, Budget(Pace()))
        for part in (body[:cut], body[cut:]):
            assert not sum(1 for _ in condenser.feed(part))
        assert condenser.close() == expected


@given(value=st.dictionaries(names, values, max_size=5), data=st.data())
def test_a_text_that_is_cut_off(value, data):
    """Of a text that is cut off anywhere, what remains is JSON, and it is known not to be whole."""
    body = json.dumps(value).encode()
    condenser, small, _ = condense(body[: data.draw(st.integers(0, len(body) - 1))], data.draw(st.integers(1, 9)))
    assert not condenser.ended
    assert not small or isinstance(json.loads(small), dict)


@given(body=st.binary(max_size=60) | st.text('{}[]",:\\\\ model1', max_size=60).map(str.encode), size=st.integers(1, 9))
def test_any_bytes(body, size):
    """Whatever comes, nothing is raised."""
    condense(body, size)


DEEP = st.integers(1, 90)


@given(depth=DEEP, key=st.sampled_from(["x", "raw", "items"]), size=st.sampled_from([1, 7, SLICE]))
def test_depth_is_known_beyond_the_limit(depth, key, size):
    """Nesting of more than 64 levels is noticed exactly, wherever it lies."""
    body = b'{"%b":%b%b}' % (key.encode(), b"[" * depth, b"]" * depth)
    assert (condense(body, size)[0].deepest > 64) == (depth + 1 > 64)


LARGE_TEXTS = {
    "picture": b'"' + b"A" * 2_000_000 + b'"',
    "escapes": b'"' + rb"\n\"x" * 60_000 + b'"',
    "numbers": b"[" + b"0.125," * 40_000 + b"0]",
    "brackets": b"[" + b"[]," * 60_000 + b"0]",
    "objects": b"[" + b"{}," * 60_000 + b"0]",
    "strings": b"[" + b'"",' * 60_000 + b"0]",
    "brackets-in-strings": b"[" + b'"[{",' * 40_000 + b"0]",
    "long-number": b"1" * 1_000_000,
    "long-key": b'{"%b":1}' % (b"k" * 1_000_000),
    "members": b"{" + b",".join(b'"k%d":%d' % (n, n) for n in range(20_000)) + b"}",
    "deep": b"[" * 20_000 + b"]" * 20_000,
}


@pytest.mark.parametrize("key", ["x", "items", "mixed", "raw", "mod\\u0065l"])
@pytest.mark.parametrize("large", LARGE_TEXTS)
def test_what_stands_behind_something_large_is_found(large, key):
    """Work comes in pieces and stays in proportion, memory is bounded, and what follows is there."""
    body = b'{"%b":%b,"count":7,"inner":{"text":"t"}}' % (key.encode(), LARGE_TEXTS[large])
    budget = Budget(Pace())
    condenser, small, yields = condense(body, budget=budget)
    read = json.loads(small)
    assert (read["count"], read["inner"]) == (7, {"text": "t"})
    assert len(small) < 4 * HALF
    spent = MOST - budget._left
    assert spent <= 5 * len(body)
    assert yields >= spent // 3000
    assert condenser.ended


@pytest.mark.parametrize("unit", [r"\"", r"\\", r"\u00e9", "é", r"\\\"", r"\n "])
@pytest.mark.parametrize("before", range(7))
def test_a_long_string_ends_where_it_ends(unit, before):
    """Whatever is escaped in it and wherever the text is divided, a long string is passed to its own end."""
    inside = "x" * before + unit * (3 * SLICE // len(unit.encode()))
    condenser, small, _ = condense(f'{{"x":"{inside}","model":"m","inner":{{"text":"{inside}"}}}}'.encode())
    assert (condenser.ended, condenser.broken) == (True, False)
    assert json.loads(small) == {"model": "m", "inner": {"text": json.loads(f'"{inside}"')}}


@pytest.mark.parametrize("wrong", [r"\x", "\n", "\0"])
def test_a_long_string_that_is_none_of_json(wrong):
    """What no parser takes inside a string is passed over as before: structure is followed, not judged."""
    inside = ("y" * 99 + wrong + r"\"") * (3 * SLICE // 100)
    condenser, small, _ = condense(f'{{"x":"{inside}","model":"m"}}'.encode())
    assert (condenser.ended, json.loads(small)) == (True, {"model": "m"})


def test_long_strings_cost_little():
    """A long string is looked for the end of; it is not gone through."""
    budget = Budget(Pace())
    condense(b'{"x":"%b","model":"%b"}' % (b"A" * 2**24, b"B" * 2**24), budget=budget)
    assert MOST - budget._left < 2**25 / 512


def test_more_than_a_budget_is_refused():
    """What costs more than one body may is given up, and what was read until then is there."""
    condenser = Condenser(WANTED, Budget(Pace(), 1000))
    body = b'{"model":"m","items":[' + b'{"text":"t"},' * 2000
    with pytest.raises(TooLarge):
        list(condenser.feed(body))
    small = json.loads(condenser.close())
    assert small["model"] == "m"
    assert 0 < len(small["items"]) < 2000


def test_arrays_keep_both_ends():
    """Of very many items, the first and the last are kept."""
    body = json.dumps({"items": [{"text": str(at)} for at in range(20_000)]}).encode()
    kept = [item["text"] for item in json.loads(condense(body)[1])["items"]]
    assert (kept[0], kept[-1]) == ("0", "19999")
    assert 1000 < len(kept) < 20_000


@pytest.mark.parametrize("unit", ["é", "\U0001f600", "\\\\", "\n", '"', "ab"])
@pytest.mark.parametrize("before", [0, 1, 2, 3, 5, 7])
@pytest.mark.parametrize("ascii_only", [True, False])
def test_a_text_is_cut_between_characters(unit, before, ascii_only):
    """A text that is too long keeps whole characters."""
    text = "x" * before + unit * (7 * MAX_TEXT // len(unit.encode()))
    small = condense(json.dumps({"model": text}, ensure_ascii=ascii_only).encode())[1]
    cut = small.decode()
    read = json.loads(cut)["model"]
    assert MAX_TEXT // 2 - 20 <= len(read) < len(text)
    assert text.startswith(read.rstrip("\ud83d"))


@pytest.mark.parametrize(
    "unit", [r"line\n", r"\"", r"\u00e9", r"\ud83d\ude00", "é", "\U0001f600", r"a\\b", r"é\n\ud83d\ude00"]
)
def test_of_a_long_text_no_less_is_kept_than_is_wanted(unit):
    """However few or many bytes its characters take, those that are wanted are there."""
    small = condense(f'{{"model":"{unit * MAX_TEXT}"}}'.encode())[1]
    kept = json.loads(small)["model"].rstrip("\ud83d")
    assert (json.loads(f'"{unit}"') * MAX_TEXT).startswith(kept)
    assert len(kept) >= (MAX_TEXT // 2 - 20 if "\\ud" in unit else MAX_TEXT)
    assert len(small) < 6 * MAX_TEXT + SLICE


def test_of_a_long_text_with_a_few_escapes_not_much_more_is_kept():
    """A text that is code or prose is not held as if each of its characters were escaped."""
    line = r"forty characters or so of a line of it\n"
    assert len(condense(f'{{"model":"{line * MAX_TEXT}"}}'.encode())[1]) < 2 * MAX_TEXT


def test_nothing_of_it_waits_for_the_collector():
    """It may hold much: it is gone with its last reference, wherever it was stopped."""
    gc.collect()
    gc.disable()
    try:
        for text in (b"", b'{"model":"a', b'{"x":[1,', b'{"model":"a"}'):
            condenser = Condenser(WANTED, Budget(Pace()))
            assert not list(condenser.feed(text))
            del condenser
        assert not [it for it in gc.get_objects() if isinstance(it, Condenser)]
    finally:
        gc.enable()

"""The model, its tokenizer, its samples and its vectors."""

import math
from collections.abc import Iterator

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ingate.providers.demo import samples, tokens, vectors
from ingate.providers.demo.calling import Tool
from ingate.providers.demo.model import Prompt, Turn, answer


def ask(text, **how):
    return answer(Prompt((Turn("user", text),), **how))


@settings(derandomize=True)
@given(st.text())
def test_tokens_joined_are_the_text(text):
    """Splitting loses nothing, counts what it gives, and makes no token longer than promised."""
    pieces = tokens.split(text)
    assert "".join(pieces) == text
    assert len(pieces) == tokens.count(text)
    assert all(1 <= len(piece) <= tokens.LONGEST_TOKEN for piece in pieces)


def test_it_greets_and_echoes():
    """A greeting is greeted; anything else is quoted on one line, shortened; nothing is said to be nothing."""
    assert ask("Say hello").text.startswith("Hello!")
    assert '"Tell me of rivers"' in ask(" Tell me\n of rivers ").text
    long = ask("river " * 1000).text
    assert "…" in long
    assert len(long) < 400
    assert "no text" in ask("  ").text


def test_the_last_user_message_is_answered():
    """Earlier messages do not matter to the text."""
    turns = (Turn("user", "first"), Turn("assistant", "x"), Turn("user", "second"), Turn("system", "y"))
    assert '"second"' in answer(Prompt(turns)).text


def test_a_tool_is_called_when_named_forced_or_required():
    """A tool's name must stand as a word; none forbids, required takes the first, allowed narrows."""
    tools = (Tool("get", "", {}), Tool("get_weather", "", {}))
    assert called("please get_weather now", tools) == ["get_weather"]
    assert called("GET it", tools) == ["get"]
    assert called("forgetful", tools) == []
    assert called("get", tools, choice="none") == []
    assert called("x", tools, choice="required") == ["get"]
    assert called("x", tools, choice="required", allowed=("get_weather",)) == ["get_weather"]


def called(text, tools, **how):
    return [call.name for call in ask(text, tools=tools, **how).calls]


def test_every_result_of_a_round_is_quoted():
    """Results after the last call are quoted in order, earlier ones are not."""
    turns = (Turn("tool", "old"), Turn("user", "x"), Turn("assistant", "f"), Turn("tool", "one"), Turn("tool", "two"))
    reply = answer(Prompt(turns, (Tool("x", "", {}),), "required"))
    assert '"one"; "two"' in reply.text
    assert "old" not in reply.text


@pytest.mark.parametrize(
    ("schema", "value"),
    [
        ({"type": "string"}, "demo"),
        ({"type": "string", "maxLength": 2}, "de"),
        ({"type": "string", "minLength": 6}, "demode"),
        ({"type": "string", "minLength": 10**9}, "demo" * 64),
        ({"type": "string", "format": "date"}, "2026-01-01"),
        ({"type": "integer", "minimum": 5}, 5),
        ({"type": "integer", "exclusiveMinimum": 1.5}, 2),
        ({"type": "integer", "maximum": -2}, -2),
        ({"type": "number", "exclusiveMaximum": 1}, 0.5),
        ({"type": ["null", "boolean"]}, True),
        ({"enum": ["b", "a"], "type": "string"}, "b"),
        ({"const": None}, None),
        ({"type": "ARRAY", "items": {"type": "INTEGER"}, "minItems": "2"}, [1, 1]),
        ({"type": "array"}, []),
        ({"type": "array", "items": {"type": "string"}, "maxItems": 0}, []),
        ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, 1),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "boolean"}}}, True),
        (
            {"properties": {"a": {"properties": {"b": {}}, "required": ["b"]}, "c": {}}, "required": ["a"]},
            {"a": {"b": None}},
        ),
        ({"type": "object", "required": ["a"]}, {"a": "demo"}),
        (None, None),
        ({}, None),
        ({"$ref": "#/nothing"}, "demo"),
    ],
)
def test_samples_fit_their_schema(schema, value):
    """A sample has the type, enum, bounds and required properties asked for."""
    assert samples.sample(schema) == value


def test_hostile_schemas_stay_small():
    """Recursive and exploding schemas end within the bounds."""
    names = [str(number) for number in range(50)]
    schema = {"type": "object", "required": names, "properties": {name: {"$ref": "#"} for name in names}}
    assert count(samples.arguments(schema)) <= samples.MOST_NODES
    large = {"$defs": {"x": {"const": "x" * 5000, "type": "string"}}, "required": ["n" * 300, "a"]}
    assert samples.sample(large | {"properties": {"a": {"$ref": "#/$defs/x"}}}) == {"a": "demo"}
    assert samples.arguments({"$ref": "#"}) == {}
    assert samples.arguments({"type": "string"}) == {}


def count(value) -> int:
    inner: Iterator = iter(value.values()) if isinstance(value, dict) else iter(())
    return 1 + sum(map(count, inner))


@settings(derandomize=True, max_examples=50)
@given(st.text(max_size=80), st.integers(1, vectors.MOST_DIMENSIONS))
def test_vectors_have_length_one(text, dimensions):
    """Any text in any number of dimensions is a unit vector."""
    vector = vectors.embed(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.fsum(value * value for value in vector), 1, abs_tol=1e-5)


def test_texts_that_share_words_are_near():
    """Nearness follows shared words, whatever their case."""

    def nearness(one, other):
        pairs = zip(vectors.embed(one, 256), vectors.embed(other, 256), strict=True)
        return sum(left * right for left, right in pairs)

    assert nearness("the river is wide", "The River is deep") > 0.6
    assert abs(nearness("the river is wide", "quarterly tax forms")) < 0.3

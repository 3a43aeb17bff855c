"""Calls that plain words ask for, and samples that obey their schemas."""

import json
import re

import jsonschema
import pytest

from ingate.providers.demo import patterns, samples
from ingate.providers.demo.calling import MOST_CALLS, Tool, calls

WEATHER = Tool(
    "get_weather",
    "The weather of a city",
    {
        "type": "object",
        "properties": {"city": {"type": "string"}, "unit": {"enum": ["celsius", "fahrenheit"]}},
        "required": ["city"],
    },
)
TIME = Tool("getLocalTime", "", {"properties": {"zone": {"type": "string"}}, "required": ["zone"]})
NUMBERS = {"a": {"type": "integer"}, "b": {"type": "number", "maximum": 10}}
ADD = Tool("add_numbers", "", {"type": "object", "properties": NUMBERS, "required": ["a", "b"]})
TAGS = {"tags": {"type": "array", "items": {"type": "string"}}}
TAG = Tool("tag_page", "", {"type": "object", "properties": TAGS, "required": ["tags"]})
MEANT = Tool("f", "Finds the cheapest flights between airports", {"type": "object"})
SEARCH = Tool("web_search", "", None, hosted=True)
ALL = [WEATHER, TIME, ADD, TAG, MEANT, SEARCH]


@pytest.mark.parametrize(
    ("text", "made"),
    [
        ("What is the weather in Oslo?", [("get_weather", {"city": "Oslo"})]),
        ("weather in oslo and paris", [("get_weather", {"city": "oslo"}), ("get_weather", {"city": "paris"})]),
        ("Is the weather nice in San Francisco, CA?", [("get_weather", {"city": "San Francisco, CA"})]),
        ('How is the weather in "the old town"?', [("get_weather", {"city": "the old town"})]),
        ("weather in oslo, in celsius", [("get_weather", {"city": "oslo", "unit": "celsius"})]),
        ("Use get_weather.", [("get_weather", {"city": "demo"})]),
        ("What time is it, and the weather?", [("get_weather", {"city": "demo"}), ("getLocalTime", {"zone": "demo"})]),
        ("getLocalTime, get_weather, Rome", [("getLocalTime", {"zone": "Rome"}), ("get_weather", {"city": "Rome"})]),
        ("Add the numbers 3 and 4.5", [("add_numbers", {"a": 3, "b": 4.5})]),
        ("Add the numbers 3 and 45", [("add_numbers", {"a": 3, "b": 1})]),
        ('tag this page "red" and "blue"', [("tag_page", {"tags": ["red", "blue"]})]),
        ("Which flights go cheapest?", [("f", {})]),
        ("Say hello", []),
        ("Do a web_search", []),
        ("weather " * 300, []),
    ],
)  # fmt: skip
def test_plain_words_ask_for_tools(text, made):
    """Tools are found by name, by the words in their names, or by their description; values come from the text."""
    assert [(tool.name, arguments) for tool, arguments, _ in calls(ALL, text, required=False)] == made


def test_a_tool_that_requires_nothing_gets_what_the_text_says():
    """The first text that it takes has the values of the message, a call each; without a value it is left out."""
    optional = {"days": {"type": "integer"}, "city": {"type": "string"}, "note": {"type": "string"}}
    tool = Tool("get_weather", "", {"type": "object", "properties": optional})
    asked = calls([tool], "What is the weather in Oslo and Paris?", required=False)
    assert [arguments for _, arguments, _ in asked] == [{"city": "Oslo"}, {"city": "Paris"}]
    assert [arguments for _, arguments, _ in calls([tool], "Use get_weather.", required=False)] == [{}]


def test_a_free_tool_gets_the_text():
    """A tool that takes any text gets the value in the message, or else the message."""
    tool = Tool("run_code", "", None, free=True)
    assert calls([tool], "run_code `print(1)`", required=False)[0][2] == "print(1)"
    assert calls([tool], "run_code now", required=False)[0][2] == "run_code now"


def test_calls_are_few():
    """No message asks for more calls than the most."""
    cities = " and ".join(f"City{letter}" for letter in "ABCDEFGHIJKL")
    assert len(calls([WEATHER], f"The weather in {cities}", required=False)) == MOST_CALLS


SCHEMAS = [
    {"allOf": [{"properties": {"a": {"type": "integer"}}, "required": ["a"]}, {"$ref": "#/$defs/b"}]}
    | {"$defs": {"b": {"type": "object", "properties": {"b": {"const": 2}}, "required": ["b"]}}},
    {"type": "object", "properties": {"a": {"type": "string"}}, "anyOf": [{"required": ["a"]}, {"required": ["b"]}]},
    {"type": "object", "minProperties": 2, "additionalProperties": {"type": "boolean"}},
    {"type": "object", "properties": {"a": {"$ref": "#/$defs/x", "description": "y"}}, "required": ["a"]}
    | {"$defs": {"x": {"type": ["null", "number"], "exclusiveMinimum": 3}}},
    {"type": "array", "items": {"type": "integer"}, "uniqueItems": True, "minItems": 3},
    {"type": "array", "items": {"enum": ["a", "b", "c"]}, "uniqueItems": True, "minItems": 2},
    {"type": "array", "prefixItems": [{"type": "integer"}, {"type": "string"}], "items": False},
    {"type": "integer", "multipleOf": 7, "minimum": 10},
    {"type": "number", "multipleOf": 0.5, "exclusiveMaximum": 0},
    {"type": "string", "pattern": r"^[A-Z]{3}-\d{2,4}$"},
    {"type": "string", "pattern": "(red|blue)+[^a-z]"},
    {"type": "string", "format": "date-time"},
    {"oneOf": [{"type": "null"}, {"type": "string", "minLength": 9}]},
    {"required": ["a"], "properties": {"a": {"required": ["b"], "properties": {"b": {"minItems": 1, "items": {}}}}}},
]


@pytest.mark.parametrize("schema", SCHEMAS, ids=json.dumps)
def test_samples_obey_their_schema(schema):
    """What is made validates, as JSON Schema's own rules have it."""
    jsonschema.Draft202012Validator(schema).validate(samples.sample(schema))


@pytest.mark.parametrize(
    "pattern", [r"^\d{3}-\d{4}$", "[a-f0-9]{8}", r"\S+@\S+", "x*y?z", "(?:ab){2,}", r"[^\w]", ".{3}", "[^a-zA-Z0-9]"]
)
def test_patterns_are_met(pattern):
    """A text made from a pattern matches it."""
    assert re.search(pattern, patterns.matching(pattern))


@pytest.mark.parametrize("pattern", ["(?=x)y", r"(a)\1", "a{9999}", "(a{200}){200}", "((((", "x" * 300, "(?<!a)b"])
def test_patterns_that_cannot_be_met_are_left(pattern):
    """Look-arounds, references, what is no pattern and what is too long give no text."""
    assert patterns.matching(pattern) is None


def test_joining_hostile_schemas_costs_little():
    """Wide schemas that refer to themselves a hundred times are not copied each time."""
    wide = {f"k{number}": True for number in range(50_000)}
    schema = {"allOf": [{"$ref": "#"}] * 64, "properties": wide, "required": list(wide)} | wide
    assert isinstance(samples.arguments(schema), dict)

"""A value that fits a JSON Schema, always the same one for the same schema. Knows JSON Schema and nothing of models.

Both spellings of types are read (`string` and Gemini's `STRING`). What a schema
asks beyond types, enums, bounds and lengths (patterns, conditions) is not met.
"""

import math
from typing import Any

import msgspec

DEEPEST = 24
MOST_NODES = 256
LONGEST_STRING = 256
LONGEST_VALUE = 4096
MOST_CHOICES = 64
MOST_ITEMS = 8
LARGEST_NUMBER = 2**53

_FORMATS = {
    "date-time": "2026-01-01T00:00:00Z",
    "date": "2026-01-01",
    "time": "00:00:00Z",
    "duration": "PT1S",
    "email": "demo@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}


def sample(schema: Any) -> Any:
    """Returns a JSON value of the type `schema` asks for; null where it asks for nothing readable.

    Objects hold their required properties. Depth, nodes and lengths are bounded, so a
    hostile schema costs little; beyond the bounds objects and arrays hold less than was asked.
    """
    return _value(schema, schema, 0, list(range(MOST_NODES)))


def arguments(schema: Any) -> dict[str, Any]:
    """Returns arguments for a function whose parameters are `schema`; none where it describes no object."""
    value = sample(schema)
    return value if isinstance(value, dict) else {}


def _value(schema: Any, root: Any, depth: int, nodes: list[int]) -> Any:
    # Every value costs one node, so neither references nor breadth multiply.
    if nodes:
        nodes.pop()
    if not isinstance(schema, dict) or depth > DEEPEST or not nodes:
        return _EMPTY.get(_kind(schema))
    if fixed := _fixed(schema):
        return fixed[0]
    inner = _inner(schema, root)
    if inner is not None:
        return _value(inner, root, depth + 1, nodes)
    match _kind(schema):
        case "object":
            return _object(schema, root, depth, nodes)
        case "array":
            return _array(schema, root, depth, nodes)
        case kind:
            return _scalar(schema, kind)


_EMPTY: dict[str, Any] = {"object": {}, "array": [], "string": "demo", "integer": 1, "number": 1, "boolean": True}


def _fixed(schema: dict[str, Any]) -> list[Any]:
    choices = [schema["const"]] if "const" in schema else schema.get("enum")
    if not isinstance(choices, list):
        return []
    return [value for value in choices[:1] if len(msgspec.json.encode(value)) <= LONGEST_VALUE]


def _inner(schema: dict[str, Any], root: Any) -> Any:
    if (target := _referred(schema.get("$ref"), root)) is not None:
        return target
    choices: list[Any] = next(
        (schema[key] for key in ("anyOf", "oneOf", "allOf") if isinstance(schema.get(key), list)), []
    )
    return next((item for item in choices[:MOST_CHOICES] if isinstance(item, dict) and _kind(item) != "null"), None)


def _scalar(schema: dict[str, Any], kind: str) -> Any:
    if kind == "string":
        return _string(schema)
    return _number(schema, whole=kind == "integer") if kind in ("integer", "number") else _EMPTY.get(kind)


def _kind(schema: Any) -> str:
    if not isinstance(schema, dict):
        return ""
    named = schema.get("type")
    if isinstance(named, list):
        named = next((item for item in named if isinstance(item, str) and item.lower() != "null"), "null")
    if isinstance(named, str):
        return named.lower()
    return "object" if "properties" in schema else "array" if "items" in schema else "string" if schema else ""


def _referred(reference: Any, root: Any) -> Any:
    if not isinstance(reference, str) or not reference.startswith("#") or len(reference) > LONGEST_STRING:
        return None
    target = root
    for step in reference[1:].split("/")[1:]:
        if not isinstance(target, dict):
            return None
        target = target.get(step.replace("~1", "/").replace("~0", "~"))
    return target


def _object(schema: dict[str, Any], root: Any, depth: int, nodes: list[int]) -> dict[str, Any]:
    properties, required = schema.get("properties"), schema.get("required")
    if not isinstance(required, list):
        return {}
    known = properties if isinstance(properties, dict) else {}
    names = [name for name in required[:MOST_NODES] if isinstance(name, str) and len(name) <= LONGEST_STRING]
    return {name: _value(known.get(name, {"type": "string"}), root, depth + 1, nodes) for name in names if nodes}


def _array(schema: dict[str, Any], root: Any, depth: int, nodes: list[int]) -> list[Any]:
    # One item shows the shape better than none, unless the schema forbids it or does not say what an item is.
    least = max(_bound(schema, "minItems", 0), 1 if "items" in schema else 0)
    size = min(least, _bound(schema, "maxItems", least), MOST_ITEMS)
    return [_value(schema.get("items", {"type": "string"}), root, depth + 1, nodes) for _ in range(size)]


def _string(schema: dict[str, Any]) -> str:
    form = schema.get("format")
    if isinstance(form, str) and form in _FORMATS:
        return _FORMATS[form]
    least = min(_bound(schema, "minLength", 0), LONGEST_STRING)
    text = "demo" * (least // 4 + 1)
    return text[: max(least, min(4, _bound(schema, "maxLength", 4)))]


def _number(schema: dict[str, Any], *, whole: bool) -> float:
    step = 1 if whole else 0.5
    low, high = _limit(schema, "minimum"), _limit(schema, "maximum")
    above, below = _limit(schema, "exclusiveMinimum"), _limit(schema, "exclusiveMaximum")
    lows = (low, None if above is None else (math.floor(above) if whole else above) + step)
    highs = (high, None if below is None else (math.ceil(below) if whole else below) - step)
    least = max((bound for bound in lows if bound is not None), default=-LARGEST_NUMBER)
    most = min((bound for bound in highs if bound is not None), default=LARGEST_NUMBER)
    return max(math.ceil(least), min(1, math.floor(most))) if whole else max(least, min(1, most))


def _limit(schema: dict[str, Any], key: str) -> float | None:
    value = schema.get(key)
    if isinstance(value, bool) or not isinstance(value, int | float) or abs(value) > LARGEST_NUMBER:
        return None
    return value


def _bound(schema: dict[str, Any], key: str, default: int) -> int:
    value = _limit(schema, key)
    # Gemini's schemas write these 64-bit numbers as strings.
    text = schema.get(key)
    if value is None and isinstance(text, str) and text.isascii() and text.isdigit():
        value = min(int(text[:16]), LARGEST_NUMBER)
    return default if value is None else max(0, int(value))

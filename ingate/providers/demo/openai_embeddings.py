"""OpenAI Embeddings, answered. Knows that format and the demo vectors; no HTTP."""

from typing import Any

from ingate.providers.demo import tokens, vectors
from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.fields import (
    Fault,
    JsonObject,
    as_filled_array,
    as_integer,
    as_text,
    invalid,
    maybe,
    must,
)

MOST_INPUTS = 2048
MOST_TOKENS = 131_072


def embeddings(body: JsonObject, model: str, _: Stamp) -> Answer:
    """Answers POST /v1/embeddings. Raises `Fault`."""
    inputs = must(_inputs, body, "input")
    form = maybe(as_text, body, "encoding_format") or "float"
    if form not in ("float", "base64"):
        raise invalid("encoding_format", "float or base64")
    size = maybe(as_dimensions, body, "dimensions") or vectors.DEFAULT_DIMENSIONS
    total = budget(inputs, size, "input")
    listed = [
        {"object": "embedding", "index": place, "embedding": _written(_vector(item, size), form)}
        for place, item in enumerate(inputs)
    ]
    return whole(
        {
            "object": "list",
            "data": listed,
            "model": model,
            "usage": {"prompt_tokens": total, "total_tokens": total},
        }
    )


def as_dimensions(value: Any, field: str) -> int:
    """Returns the length of vectors asked for. Raises `Fault`."""
    if 1 <= as_integer(value, field) <= vectors.MOST_DIMENSIONS:
        return int(value)
    raise invalid(field, f"an integer from 1 to {vectors.MOST_DIMENSIONS}")


def budget(inputs: list[str] | list[str | list[int]], size: int, field: str) -> int:
    """Returns the tokens of all inputs. Raises `Fault` where inputs, tokens or numbers asked for are too many."""
    if len(inputs) > MOST_INPUTS or len(inputs) * size > vectors.MOST_NUMBERS:
        raise invalid(field, f"at most {min(MOST_INPUTS, vectors.MOST_NUMBERS // size)} inputs of {size} dimensions")
    # What cannot fit by its length alone is refused before it is counted.
    if sum(map(len, inputs)) <= MOST_TOKENS * tokens.LONGEST_TOKEN:
        total = sum(tokens.count(item) if isinstance(item, str) else len(item) for item in inputs)
        if total <= MOST_TOKENS:
            return total
    message = f"Invalid value for '{field}': longer than {MOST_TOKENS} tokens together."
    raise Fault(400, message, "context_length_exceeded", field)


def _inputs(value: Any, field: str) -> list[str | list[int]]:
    if isinstance(value, str):
        return [value]
    items = as_filled_array(value, field)
    if isinstance(items[0], int):
        return [_token_ids(items, field)]
    return [_input(item, f"{field}[{place}]") for place, item in enumerate(items)]


def _input(item: Any, field: str) -> str | list[int]:
    if isinstance(item, str):
        return item
    if isinstance(item, list):
        return _token_ids(item, field)
    raise invalid(field, "a string or an array of token numbers")


def _token_ids(value: Any, field: str) -> list[int]:
    return [as_integer(item, f"{field}[{place}]") for place, item in enumerate(as_filled_array(value, field))]


def _vector(item: str | list[int], size: int) -> list[float]:
    return vectors.embed(item, size) if isinstance(item, str) else vectors.embed_token_ids(item, size)


def _written(vector: list[float], form: str) -> str | list[float]:
    return vectors.as_base64(vector) if form == "base64" else vector

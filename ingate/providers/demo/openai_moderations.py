"""OpenAI Moderations, answered. Knows that format and a few words; no HTTP."""

import re
from typing import Any

from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.fields import JsonObject, as_filled_array, as_name, as_object, as_text, invalid, maybe, must

MOST_INPUTS = 64

_WORDS = {
    "harassment": "idiot|loser|stupid|worthless",
    "harassment/threatening": "beat you|hurt you|kill you",
    "hate": "hate (?:all|them|these)",
    "hate/threatening": "exterminate",
    "illicit": "launder|shoplift|steal",
    "illicit/violent": "bomb|explosives?",
    "self-harm": "self-harm|suicide",
    "self-harm/instructions": "how to (?:cut|kill|hurt) myself",
    "self-harm/intent": "(?:cut|kill|hurt) myself",
    "sexual": "nudes?|porn",
    "sexual/minors": "child porn",
    "violence": "attack|beat|kill|murder|shoot|stab",
    "violence/graphic": "behead|dismember|gore",
}
_CATEGORIES = {name: re.compile(rf"\b(?:{words})\b", re.IGNORECASE) for name, words in _WORDS.items()}
_FLAGGED, _CLEAR = 0.97, 0.0001


def moderations(body: JsonObject, model: str, stamp: Stamp) -> Answer:
    """Answers POST /v1/moderations: a result for each text, flagged where it has one of a few words. Raises `Fault`."""
    results = [_result(text, seen) for text, seen in must(_inputs, body, "input")]
    return whole({"id": stamp.name("modr-"), "model": model, "results": results})


def _inputs(value: Any, field: str) -> list[tuple[str, bool]]:
    """Returns each text to judge, and whether there is a picture with it."""
    if isinstance(value, str):
        return [(value, False)]
    items = as_filled_array(value, field)
    if len(items) > MOST_INPUTS:
        raise invalid(field, f"at most {MOST_INPUTS} inputs")
    if not isinstance(items[0], dict):
        return [(as_text(item, f"{field}[{place}]"), False) for place, item in enumerate(items)]
    # Parts of one message: they are judged together.
    texts, seen = [], False
    for place, item in enumerate(items):
        part, where = as_object(item, f"{field}[{place}]"), f"{field}[{place}]"
        seen = seen or must(as_name, part, "type", where) == "image_url"
        texts.append(maybe(as_text, part, "text", where) or "")
    return [("\n".join(texts), seen)]


def _result(text: str, seen: bool) -> JsonObject:
    found = {name: words.search(text) is not None for name, words in _CATEGORIES.items()}
    kinds = ["text", "image"] if seen else ["text"]
    return {
        "flagged": any(found.values()),
        "categories": found,
        "category_scores": {name: _FLAGGED if flagged else _CLEAR for name, flagged in found.items()},
        "category_applied_input_types": {name: kinds if _sees(name) else ["text"] for name in found},
    }


def _sees(category: str) -> bool:
    return category.startswith(("self-harm", "violence")) or category == "sexual"

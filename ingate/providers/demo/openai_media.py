"""OpenAI's images and speech, answered with a tiny picture and a short sound. Knows those formats; no HTTP."""

import base64
from collections.abc import Callable
from typing import Any

from ingate.providers.demo import media, tokens
from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.fields import Fault, JsonObject, as_few, as_name, as_object, as_text, invalid, maybe, must

LONGEST_TEXT = 32_000
"""Characters of a prompt for a picture, or of a text to speak."""

_SOUNDS: dict[str, tuple[bytes, Callable[[str], bytes]]] = {
    "mp3": (b"audio/mpeg", lambda _digest: media.mp3()),
    "wav": (b"audio/wav", media.wav),
    "pcm": (b"audio/pcm", media.pcm),
}


def images(body: JsonObject, _model: str, stamp: Stamp) -> Answer:
    """Answers POST /v1/images/generations with a PNG in base64. Raises `Fault`."""
    text, number = must(_as_short_text, body, "prompt"), maybe(as_few, body, "n") or 1
    if (maybe(as_text, body, "response_format") or "b64_json") != "b64_json":
        raise invalid("response_format", "b64_json, the demo model's pictures have no address")
    if (maybe(as_text, body, "output_format") or "png") != "png":
        raise invalid("output_format", "png")
    made = base64.b64encode(media.picture(stamp.digest)).decode()
    read, drawn = tokens.count(text), media.PICTURE_TOKENS * number
    used = {
        "input_tokens": read,
        "input_tokens_details": {"text_tokens": read, "image_tokens": 0},
        "output_tokens": drawn,
        "output_tokens_details": {"text_tokens": 0, "image_tokens": drawn},
        "total_tokens": read + drawn,
    }
    pictures = [{"b64_json": made}] * number
    return whole({"created": stamp.created, "output_format": "png", "data": pictures, "usage": used})


def speech(body: JsonObject, _model: str, stamp: Stamp) -> Answer:
    """Answers POST /v1/audio/speech with a sound of a quarter of a second. Raises `Fault`."""
    must(_as_short_text, body, "input")
    must(_as_voice, body, "voice")
    form = maybe(as_text, body, "response_format") or "mp3"
    if form not in _SOUNDS:
        raise invalid("response_format", ", ".join(_SOUNDS))
    kind, make = _SOUNDS[form]
    return Answer(200, kind, (make(stamp.digest),))


def _as_voice(value: Any, field: str) -> str:
    return must(as_name, as_object(value, field), "id", field) if isinstance(value, dict) else as_name(value, field)


def _as_short_text(value: Any, field: str) -> str:
    text = as_name(value, field)
    if len(text) > LONGEST_TEXT:
        message = f"Invalid value for '{field}': longer than {LONGEST_TEXT} characters."
        raise Fault(400, message, "context_length_exceeded", field)
    return text

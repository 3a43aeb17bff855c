"""What the vendors answer when nothing goes wrong: small, fixed, and complete enough for their official SDKs.

Knows request paths, not sockets. Paths match by their end, so that any prefix of a base URL works.
"""

import json

from tests.support.upstream.vendors import anthropic, gemini, ollama, openai
from tests.support.upstream.vendors.answer import (
    CACHED_TOKENS,
    DELTAS,
    INPUT_TOKENS,
    OUTPUT_TOKENS,
    TEXT,
    Answer,
    whole,
)

__all__ = ["CACHED_TOKENS", "DELTAS", "INPUT_TOKENS", "OUTPUT_TOKENS", "TEXT", "Answer", "answer"]


def answer(request, deltas=DELTAS):
    """Returns the `Answer` to a recorded request; `deltas` is the number of text pieces, whole or streamed.

    400 when the body is no JSON object, 404 when no vendor has the path.
    """
    body = {}
    if request.body:
        try:
            body = json.loads(request.body)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            return whole({"error": {"message": "the body is not a JSON object", "type": "invalid_request_error"}}, 400)
    # OpenAI, Anthropic and Gemini all have /v1/models: a header of their own tells the latter two apart.
    owners = {"anthropic-version": anthropic, "x-goog-api-key": gemini}
    first = [vendor for header, vendor in owners.items() if request.header(header) is not None]
    for vendor in (*first, openai, anthropic, gemini, ollama):
        found = vendor.answer(request.method.decode(), request.path, request.query, body, deltas)
        if found is not None:
            return found
    return whole({"error": {"message": f"no such path: {request.path}", "type": "not_found_error"}}, 404)

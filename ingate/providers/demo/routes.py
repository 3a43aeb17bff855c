"""Which call a method and path are, and whose manners the answer has. Knows paths; knows no model and no body."""

import re
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import parse_qs, unquote

from ingate.providers.demo import (
    anthropic_messages,
    catalogue,
    failures,
    gemini_content,
    gemini_embeddings,
    ollama,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_responses,
)
from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.failures import Vendor
from ingate.providers.demo.fields import JsonObject

Handler = Callable[[JsonObject, Stamp], Answer]


@dataclass(frozen=True, slots=True)
class Route:
    """A call the demo provider answers. A `GET` handler is given an empty body."""

    method: str
    vendor: Vendor
    handle: Handler


_POSTS: dict[str, tuple[Vendor, Handler]] = {
    "/chat/completions": (failures.OPENAI, openai_chat.chat_completions),
    "/completions": (failures.OPENAI, openai_completions.completions),
    "/responses": (failures.OPENAI, openai_responses.responses),
    "/embeddings": (failures.OPENAI, openai_embeddings.embeddings),
    "/messages": (failures.ANTHROPIC, anthropic_messages.messages),
    "/messages/count_tokens": (failures.ANTHROPIC, anthropic_messages.count_tokens),
    "/api/chat": (failures.OLLAMA, ollama.chat),
    "/api/generate": (failures.OLLAMA, ollama.generate),
    "/api/embed": (failures.OLLAMA, ollama.embed),
    "/api/embeddings": (failures.OLLAMA, ollama.embeddings),
}

_VERSION = re.compile(r"^/(v1|v1beta|v1alpha)(?=/)")
_MODEL = re.compile(r"/models/([^/]+)")

_GEMINI_CALLS: dict[str, Callable[[JsonObject, str, Stamp], Answer]] = {
    "generateContent": gemini_content.generate,
    "streamGenerateContent": partial(gemini_content.stream, as_events=False),
    "countTokens": gemini_content.count_tokens,
    "embedContent": gemini_embeddings.embed_content,
    "batchEmbedContents": gemini_embeddings.batch_embed_contents,
}
_GEMINI_CALL = re.compile(rf"/models/([^/]+):({'|'.join(_GEMINI_CALLS)})")


def find(target: str, speaks_anthropic: bool) -> Route | Vendor:
    """Returns the route for a request target, or the vendor nearest to a path that is none.

    `speaks_anthropic` says whether the caller sent Anthropic's version header, which
    decides whose list of models is meant.
    """
    path, _, query = target.partition("?")
    path = unquote(path)
    version = _VERSION.match(path)
    bare = path[version.end() :] if version else path
    is_beta = version is not None and version[1] != "v1"
    if (found := _GEMINI_CALL.fullmatch(bare)) is not None:
        return _gemini(found[1], found[2], query)
    if not is_beta and bare in _POSTS:
        vendor, handle = _POSTS[bare]
        return Route("POST", vendor, handle)
    listed = _LISTS.get(bare) if version is None else None
    if listed is not None:
        return Route("GET", failures.OLLAMA, listed)
    vendor = _nearest(bare, is_beta, speaks_anthropic)
    if bare == "/models":
        return Route("GET", vendor, lambda _body, _stamp: whole(_CATALOGUES[vendor][0]()))
    # Below /v1beta a colon begins a verb, and the verbs there are were matched above; elsewhere it begins a tag.
    if (found := _MODEL.fullmatch(bare)) is not None and not (is_beta and ":" in found[1]):
        return Route("GET", vendor, partial(_describe, vendor, found[1]))
    return vendor


def _describe(vendor: Vendor, name: str, _body: JsonObject, _stamp: Stamp) -> Answer:
    return whole(_CATALOGUES[vendor][1](name))


_LISTS: dict[str, Handler] = {
    "/api/tags": lambda _body, _stamp: whole(catalogue.ollama_list()),
    "/api/version": lambda _body, _stamp: whole({"version": ollama.VERSION}),
}

_CATALOGUES = {
    failures.OPENAI: (catalogue.openai_list, catalogue.openai_model),
    failures.ANTHROPIC: (catalogue.anthropic_list, catalogue.anthropic_model),
    failures.GEMINI: (catalogue.gemini_list, catalogue.gemini_model),
}


def _nearest(bare: str, is_beta: bool, speaks_anthropic: bool) -> Vendor:
    if is_beta:
        return failures.GEMINI
    if bare.startswith("/api/"):
        return failures.OLLAMA
    if speaks_anthropic or bare.startswith("/messages"):
        return failures.ANTHROPIC
    return failures.OPENAI


def _gemini(model: str, verb: str, query: str) -> Route:
    call = _GEMINI_CALLS[verb]
    if verb == "streamGenerateContent" and parse_qs(query[:4096]).get("alt") == ["sse"]:
        call = partial(gemini_content.stream, as_events=True)
    return Route("POST", failures.GEMINI, partial(_call_gemini, call, model))


def _call_gemini(
    call: Callable[[JsonObject, str, Stamp], Answer], model: str, body: JsonObject, stamp: Stamp
) -> Answer:
    return call(body, catalogue.known(model), stamp)

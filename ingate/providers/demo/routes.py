"""Which call a method and path are, and whose manners the answer has. Knows paths; knows no model and no body."""

import re
from collections.abc import Callable, Collection
from dataclasses import dataclass
from functools import partial
from typing import Any
from urllib.parse import parse_qs, unquote

from ingate.formats import Vendor
from ingate.providers.demo import (
    anthropic_messages,
    catalogue,
    gemini_content,
    gemini_embeddings,
    ollama,
    openai_chat,
    openai_completions,
    openai_embeddings,
    openai_media,
    openai_moderations,
    openai_responses,
)
from ingate.providers.demo.answers import Answer, Stamp, whole
from ingate.providers.demo.fields import JsonObject
from ingate.providers.demo.kept_responses import Shelf
from ingate.providers.demo.names import Roster

Handler = Callable[[JsonObject, str, Stamp], Answer]
"""Answers a body that asks a model. A body that is no `POST`'s is empty, and so is a model that nothing names."""

DEFAULT = "demo"
"""The model that is meant where a format lets callers leave it out."""


@dataclass(frozen=True, slots=True)
class Route:
    """A call the demo provider answers.

    `model` is the one that the path names, empty where none is asked. Where it is None, the body names one; if it does
    not, `otherwise` is meant, unless that is empty too.
    """

    vendor: Vendor
    handlers: dict[str, Handler]
    model: str | None = None
    otherwise: str = ""

    @property
    def methods(self) -> str:
        """The methods that the path takes."""
        return ", ".join(self.handlers)


_POSTS: dict[str, tuple[Vendor, Handler]] = {
    "/chat/completions": (Vendor.OPENAI, openai_chat.chat_completions),
    "/completions": (Vendor.OPENAI, openai_completions.completions),
    "/embeddings": (Vendor.OPENAI, openai_embeddings.embeddings),
    "/images/generations": (Vendor.OPENAI, openai_media.images),
    "/audio/speech": (Vendor.OPENAI, openai_media.speech),
    "/moderations": (Vendor.OPENAI, openai_moderations.moderations),
    "/messages": (Vendor.ANTHROPIC, anthropic_messages.messages),
    "/messages/count_tokens": (Vendor.ANTHROPIC, anthropic_messages.count_tokens),
    "/api/chat": (Vendor.OLLAMA, ollama.chat),
    "/api/generate": (Vendor.OLLAMA, ollama.generate),
    "/api/embed": (Vendor.OLLAMA, ollama.embed),
    "/api/embeddings": (Vendor.OLLAMA, ollama.embeddings),
    "/api/show": (Vendor.OLLAMA, lambda _body, model, _stamp: whole(catalogue.ollama_shown(model))),
}
MODEL_OPTIONAL = frozenset({"/moderations", "/images/generations", "/responses/input_tokens"})

_VERSION = re.compile(r"^/(v1|v1beta|v1alpha)(?=/)")
_MODEL = re.compile(r"/models/([^/]+)")
_RESPONSE = re.compile(r"/responses/(resp_[^/]+)")

_GEMINI_CALLS: dict[str, Handler] = {
    "generateContent": gemini_content.generate,
    "streamGenerateContent": partial(gemini_content.stream, as_events=False),
    "countTokens": gemini_content.count_tokens,
    "embedContent": gemini_embeddings.embed_content,
    "batchEmbedContents": gemini_embeddings.batch_embed_contents,
}
_GEMINI_CALL = re.compile(rf"/models/([^/]+):({'|'.join(_GEMINI_CALLS)})")


def find(target: str, headers: Collection[bytes], roster: Roster, shelf: Shelf) -> Route | Vendor:
    """Returns the route for a request target, or the vendor nearest to a path that is none.

    `headers` are the names of the caller's headers: some are sent by one vendor's clients alone, which decides whose
    list of models is meant. `roster` has the models to list. `shelf` has the responses that the caller's organisation
    can name.
    """
    path, _, query = target.partition("?")
    path = unquote(path)
    version = _VERSION.match(path)
    bare = path[version.end() :] if version else path
    is_beta = version is not None and version[1] != "v1"
    if (found := _GEMINI_CALL.fullmatch(bare)) is not None:
        return _gemini(found[1], found[2], query)
    if not is_beta and (route := _openai_or_anthropic(bare, shelf)) is not None:
        return route
    listed = _LISTS.get(bare) if version is None else None
    if listed is not None:
        return _got(Vendor.OLLAMA, lambda _model: listed(roster.names))
    vendor = _nearest(bare, headers, is_beta=is_beta)
    if bare == "/models":
        return _got(vendor, lambda _model: _CATALOGUES[vendor][0](roster.names))
    # Below /v1beta a colon begins a verb, and the verbs there are were matched above; elsewhere it begins a tag.
    if (found := _MODEL.fullmatch(bare)) is not None and not (is_beta and ":" in found[1]):
        return _got(vendor, _CATALOGUES[vendor][1], found[1])
    return vendor


def _openai_or_anthropic(bare: str, shelf: Shelf) -> Route | None:
    otherwise = DEFAULT if bare in MODEL_OPTIONAL else ""
    if bare in _POSTS:
        vendor, handle = _POSTS[bare]
        return Route(vendor, {"POST": handle}, otherwise=otherwise)
    if bare == "/responses":
        return Route(Vendor.OPENAI, {"POST": partial(openai_responses.responses, shelf=shelf)})
    if bare == "/responses/input_tokens":
        counted = partial(openai_responses.input_tokens, shelf=shelf)
        return Route(Vendor.OPENAI, {"POST": counted}, otherwise=otherwise)
    if (found := _RESPONSE.fullmatch(bare)) is not None:
        name = found[1]
        handlers: dict[str, Handler] = {
            "GET": lambda _body, _model, _stamp: openai_responses.retrieve(name, shelf),
            "DELETE": lambda _body, _model, _stamp: openai_responses.delete(name, shelf),
        }
        return Route(Vendor.OPENAI, handlers, "")
    return None


def _got(vendor: Vendor, shape: Callable[[str], Any], model: str = "") -> Route:
    """Returns the route of something that is shown."""
    return Route(vendor, {"GET": lambda _body, model, _stamp: whole(shape(model))}, model)


_LISTS: dict[str, Callable[[tuple[str, ...]], Any]] = {
    "/api/tags": catalogue.ollama_list,
    "/api/version": lambda _names: {"version": ollama.VERSION},
}

_CATALOGUES: dict[Vendor, tuple[Callable[[tuple[str, ...]], Any], Callable[[str], Any]]] = {
    Vendor.OPENAI: (catalogue.openai_list, catalogue.openai_model),
    Vendor.ANTHROPIC: (catalogue.anthropic_list, catalogue.anthropic_model),
    Vendor.GEMINI: (catalogue.gemini_list, catalogue.gemini_model),
}


def _nearest(bare: str, headers: Collection[bytes], *, is_beta: bool) -> Vendor:
    if is_beta:
        return Vendor.GEMINI
    if bare.startswith("/api/"):
        return Vendor.OLLAMA
    if b"anthropic-version" in headers or bare.startswith("/messages"):
        return Vendor.ANTHROPIC
    return Vendor.GEMINI if any(name.startswith(b"x-goog-") for name in headers) else Vendor.OPENAI


def _gemini(model: str, verb: str, query: str) -> Route:
    call = _GEMINI_CALLS[verb]
    if verb == "streamGenerateContent" and parse_qs(query[:4096]).get("alt") == ["sse"]:
        call = partial(gemini_content.stream, as_events=True)
    return Route(Vendor.GEMINI, {"POST": call}, model)

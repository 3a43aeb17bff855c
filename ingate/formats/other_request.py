"""Requests whose format is not read, and a provider's name before the models of any request.

A model is looked for where the documents of providers put one. Nothing is refused but forms of very many parts: what is
neither a form nor a JSON object names none. Knows no provider.
"""

import re
from itertools import chain

import msgspec
from msgspec import Struct

from ingate.formats.large_request import scanning
from ingate.formats.malformed import MalformedBody
from ingate.formats.multipart import finding, last_value
from ingate.formats.oddities import BOM
from ingate.formats.pace import LARGE, Budget, Pace, Steps
from ingate.formats.scan import BLANK
from ingate.formats.shape import Shape
from ingate.formats.spliced import Body, Span, Whole, splicing

_FIELD = b"model"
_OPEN_OBJECT = re.compile(rb"(?:%b)?%b\{" % (BOM, BLANK))
_RESOURCE = "models/"  # before every name of Google's


class _Named(Struct, gc=False):
    model: str | None = None


class _Item(Struct, gc=False):
    model: str | None = None  # Google: one of several embeddings
    params: _Named | None = None  # Anthropic: one message of a batch


class _Inlined(Struct, gc=False):
    request: _Named | None = None


class _Inline(Struct, gc=False):
    requests: list[_Inlined] | None = None


class _Input(Struct, gc=False):
    requests: _Inline | None = None


class _Batch(Struct, gc=False, rename={"input": "inputConfig"}):
    model: str | None = None
    input: _Input | None = None


class _Places(Struct, gc=False, rename={"counted": "generateContentRequest", "base": "baseModel"}):
    model: str | None = None
    base: str | None = None  # Google: what a tuned model is made of
    session: _Named | None = None  # OpenAI: a secret for a realtime session
    data_source: _Named | None = None  # OpenAI: what a run of an evaluation asks
    grader: _Named | None = None  # OpenAI
    requests: list[_Item] | None = None
    counted: _Named | None = None  # Google
    batch: _Batch | None = None  # Google

    def names(self) -> list[str | None]:
        """Returns the models in the order in which they count."""
        named = [holder.model for holder in (self.session, self.data_source, self.grader, self.batch) if holder]
        inside = [item.model or (item.params.model if item.params else None) for item in self.requests or ()]
        return [self.model, self.base, *named, *inside]


class _Managed(Struct, gc=False, rename={"base": "from"}):
    """What Ollama's endpoints that manage models take; `name` is an older word for `model`."""

    model: str | None = None
    name: str | None = None
    base: str | None = None
    source: str | None = None
    destination: str | None = None

    def names(self) -> list[str | None]:
        """Returns the models, those first that may have a provider's name before them."""
        stated = [self.model, self.name, self.base, self.source, self.destination]
        return sorted(stated, key=lambda name: "/" not in (name or ""))


_Kind = _Places | _Managed

_PLACES: Shape[_Kind] = Shape(_Places)
_MANAGED: Shape[_Kind] = Shape(_Managed)
_MANAGING = re.compile(r"/api/(?:copy|create|delete|pull|push|show)")
_FIELDS = (_FIELD, b"baseModel")
_MANAGED_FIELDS = (_FIELD, b"name", b"from", b"source", b"destination")
_encode = msgspec.json.Encoder().encode


def naming_other(body: Whole, boundary: bytes, path: str) -> Steps[str | None]:
    """Returns the model that a form or a JSON body names; of a batch, the first model counts.

    `boundary` is that of a form, empty where the body is none. `path` tells Ollama's endpoints from others. Raises
    MalformedBody for a form of too many parts.
    """
    if boundary:
        return last_value(body, (yield from finding(body, boundary, _FIELD, Budget(Pace()))))
    if not _may_be_object(body):
        return None
    shape, fields = _where(path)
    if len(body) <= LARGE:
        said = shape.read(body)
    else:
        try:
            said = (yield from scanning(body, shape, *fields)).said
        except MalformedBody:
            return None
    return None if said is None else next((name.removeprefix(_RESOURCE) for name in said.names() if name), None)


def taking_out(body: Whole, prefix: str, boundary: bytes, path: str) -> Steps[Body]:
    """Returns the body without a prefix and its slash before its models, every other byte as it was.

    Of a form's fields, repeated ones included, each gets the last one's model.
    """
    if boundary:
        spans = yield from finding(body, boundary, _FIELD, Budget(Pace()))
        model = _without(last_value(body, spans) or "", prefix)
        if model is None:
            return body
        value = model.encode()
        return (yield from splicing(body, ((span, value) for span in spans)))
    if not _may_be_object(body):
        return body
    try:
        shape, fields = _where(path)
        places = (yield from scanning(body, shape, *fields)).places
    except MalformedBody:
        return body
    named = ((span, _without(_text(body, span), prefix)) for span in sorted(chain.from_iterable(places)))
    return (yield from splicing(body, ((span, _encode(model)) for span, model in named if model is not None)))


def _where(path: str) -> tuple[Shape[_Kind], tuple[bytes, ...]]:
    """Returns what is read of a body, and which of its members hold models."""
    return (_MANAGED, _MANAGED_FIELDS) if _MANAGING.fullmatch(path) else (_PLACES, _FIELDS)


def _may_be_object(body: Whole) -> bool:
    return _OPEN_OBJECT.match(body) is not None


def _text(body: Whole, span: Span) -> str:
    try:
        return msgspec.json.decode(memoryview(body)[slice(*span)], type=str)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return ""


def _without(model: str, prefix: str) -> str | None:
    """Returns the model behind a prefix, `None` where that does not stand before one."""
    resource = _RESOURCE if model.startswith(_RESOURCE) and not model.startswith(prefix + "/") else ""
    rest = model.removeprefix(resource)
    return resource + rest[len(prefix) + 1 :] if rest.startswith(prefix + "/") and len(rest) > len(prefix) + 1 else None
